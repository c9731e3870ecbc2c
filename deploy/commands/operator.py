"""`manex operator`: the people and services that run the network, and the keys they call with."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

import ledger
from deploy import books, config, postgres
from deploy import keys as server_keys
from deploy.errors import Refusal
from deploy.home import manex_home
from gateway import neighbours, operator_keys, store

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Operators of the network and their service keys.",
)


@app.callback()
def operator() -> None:
    """Operators of the network and their service keys."""


@app.command()
def key(
    name: Annotated[str, typer.Option(help="What the key is called.")],
    roles: Annotated[str, typer.Option(help="Any of maker, approver, auditor, with commas.")] = "maker",
    operator: Annotated[
        str | None, typer.Option(help="Whose it is: an operator's id, or the name of another key of theirs.")
    ] = None,
    book: Annotated[str | None, typer.Option(help="The one book it is good for; without it, all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Make a key and print it, this once. Without --operator it stands for somebody new.

    A window submitted by one operator is approved by another: two keys of one person count as one.
    """
    wanted = frozenset(role.strip() for role in roles.split(",") if role.strip())
    if not wanted or not wanted <= set(operator_keys.ROLES):
        raise Refusal(f"--roles takes any of {', '.join(operator_keys.ROLES)}, with commas")
    with postgres.reached(manex_home()) as server:
        made = make_key(books.prepared(server), name, wanted, operator, book)
    shown = {
        "id": ledger.ids.show("key", made.id),
        "operator": ledger.ids.show("operator", made.operator_id),
        "name": name,
        "roles": sorted(wanted),
        "key": made.secret,
    }
    typer.echo(json.dumps(shown) if as_json else made.secret)
    if not as_json:
        typer.echo(f"{shown['operator']} ({', '.join(sorted(wanted))}); it is shown this once", err=True)


@app.command()
def revoke(key: Annotated[str, typer.Argument(help="The key's id, key_...")]) -> None:
    """End a key. Servers see it within a second; those that share a Redis, at once."""
    id = ledger.ids.read("key", key)
    with postgres.reached(manex_home()) as server:
        db = ledger.Database(books.prepared(server))
        try:
            with db.tx("door") as tx:
                ended = id is not None and store.revoke_operator_key(tx, id, datetime.now(UTC))
        finally:
            db.close()
    if id is None or not ended:
        raise Refusal(f"there is no living key {key}")
    if url := config.text("MANEX_REDIS_URL"):
        neighbours.Neighbours(url, server_keys.load(manex_home()).codes).tell_once(neighbours.ended(id))
    typer.echo("ended")


def make_key(
    url: str, name: str, roles: frozenset[str], operator: str | None = None, book: str | None = None
) -> operator_keys.NewKey:
    """A key in the database at `url`, for the operator with this id or this name of a key, or for somebody new."""
    db = ledger.Database(url)
    try:
        with db.tx("door") as tx:
            return operator_keys.make(
                tx,
                name=name,
                roles=roles,
                operator_id=None if operator is None else _operator(tx, operator),
                book_id=None if book is None else _book(tx, book),
            )
    finally:
        db.close()


def _operator(tx: ledger.Tx, text: str) -> UUID:
    found = ledger.ids.read("operator", text) or store.operator_named(tx, text)
    if found is None:
        raise Refusal(f"there is no operator {text}")
    return found


def _book(tx: ledger.Tx, text: str) -> int:
    id = ledger.ids.read("book", text)
    found = None if id is None else ledger.books.by_public_id(tx, id)
    if found is None:
        raise Refusal(f"there is no book {text}")
    return found.id
