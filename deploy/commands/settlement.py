"""`manex settlement`: what is derived from the stream, derived again; and what settling would come to, rehearsed."""

from __future__ import annotations

import contextlib
import json
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

import ledger
import settlement
from deploy import books, config, postgres
from deploy.commands.audit import DEMO
from deploy.errors import Refusal
from deploy.home import manex_home

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="What follows from the stream, and a rehearsal of it.",
)


@app.callback()
def group() -> None:
    """What follows from the stream, and a rehearsal of it."""


@app.command()
def rebuild(
    check: Annotated[bool, typer.Option("--check", help="Compare only, and leave the rows as they are.")] = False,
    kafka: Annotated[bool, typer.Option("--kafka", help="From the topics at MANEX_KAFKA_URL; with --check.")] = False,
    database: Annotated[
        str | None, typer.Option(help=f"The database of this home: by default the house's own, else {DEMO}.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Derive every book's windows, items, positions and payments again from the first record. Nothing is posted.

    With --check it says whether the same bytes come of it and exits 1 when not; with --kafka as well by the road over
    Kafka, where what the topic does not have is read from the ledger and counted. Postings go on; consuming waits.
    """
    if kafka and not check:
        raise Refusal("--kafka compares: say --check")
    address = config.load().kafka_url
    if kafka and not address:
        raise Refusal("there is no Kafka: set MANEX_KAFKA_URL")
    where = ledger.broker.address(address) if kafka and address else None
    told = []
    with postgres.reached(manex_home()) as server:
        db = ledger.Database(server.dsn(database) if database else books.where(server, DEMO), largest_pool=1)
        try:
            with db.tx("door") as tx:
                every = ledger.books.all_books(tx)
            for book in every:
                if not check:
                    told.append((book, settlement.rebuild(db, book.id), 0, list[str]()))
                    continue
                found = settlement.check(db, book.id, where)
                told.append((book, found.events, found.from_ledger, found.differing))
        except ledger.broker.Failed as error:
            raise Refusal(str(error)) from None
        finally:
            db.close()
    if as_json:
        rows = [
            {"book": ledger.ids.show("book", b.public_id), "events": n, "from_ledger": ours, "differing": differing}
            for b, n, ours, differing in told
        ]
        typer.echo(json.dumps({"books": rows, "same": not any(row["differing"] for row in rows)}, indent=2))
    else:
        for book, events, ours, differing in told:
            verdict = "rebuilt" if not check else f"differs: {', '.join(differing)}" if differing else "the same bytes"
            beside = f", {ours:,} of them from the ledger" if kafka else ""
            typer.echo(f"{book.network} ({book.mode}): {events:,} events{beside}, {verdict}")
    if any(differing for *_, differing in told):
        raise typer.Exit(1)


@app.command()
def drill(
    fail: Annotated[
        str, typer.Option("--fail", metavar="MERCHANT", help="The merchant that does not pay: its mer_...")
    ],
    window: Annotated[int, typer.Option("--window", metavar="W", help="The number of the window it does not pay.")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    database: Annotated[
        str | None, typer.Option(help=f"The database of this home: by default the house's own, else {DEMO}.")
    ] = None,
) -> None:
    """Who would bear what if a merchant failed to pay a window. Nothing is written."""
    merchant = ledger.ids.read("merchant", fail)
    if merchant is None:
        raise Refusal(f"a merchant is mer_ and 32 hexadecimal digits; {fail} is none")
    with postgres.reached(manex_home()) as server:
        url = server.dsn(database) if database else _chosen(server)
        told = drilled(url, merchant, window)
    if as_json:
        typer.echo(json.dumps(told, indent=2))
    else:
        show(Console(), told)


def drilled(url: str, merchant: UUID, window: int) -> dict[str, Any]:
    """The drill as a document: public ids and minor units. In a transaction that may only read."""
    with contextlib.closing(ledger.Database(url)) as db, db.tx("settlement") as tx:
        tx.execute("set transaction read only")
        row = tx.execute("select book_id from ledger.issuer where merchant_id = %s", [merchant]).fetchone()
        if row is None:
            raise Refusal("there is no such merchant")
        book = ledger.read_book(tx, row[0])
        found = settlement.drill(tx, book, window, merchant)
    if found is None:
        raise Refusal(f"the merchant has no part in window {window}")
    show = ledger.ids.show
    return {
        "merchant": show("merchant", found.merchant_id),
        "window": found.window_number,
        "state": found.state,
        "currency": book.currency,
        "owed_minor": found.owed_minor,
        "prefund_minor": found.prefund_minor,
        "collateral_minor": found.collateral_minor,
        "loss_fund_minor": found.loss_minor,
        "shares_minor": found.shares_minor,
        "unpaid_minor": found.unpaid_minor,
        "waiting_points": found.waiting_points,
        "merchants": [
            {
                "merchant": show("merchant", each.merchant_id),
                "receives_minor": each.receives_minor,
                "paid_minor": each.paid_minor,
                "share_minor": each.share_minor,
            }
            for each in found.bearers
        ],
    }


def show(console: Console, told: dict[str, Any]) -> None:
    console.print(f"{told['merchant']} does not pay window {told['window']} ({told['state']}), in minor units:")
    table = Table("source", box=None, pad_edge=False)
    table.add_column(told["currency"], justify="right")
    for name in ("owed", "prefund", "collateral", "loss_fund", "shares", "unpaid"):
        table.add_row(name.replace("_", " "), f"{told[f'{name}_minor']:,}")
    console.print(table)
    others = Table("merchant", box=None, pad_edge=False)
    for name in ("receives", "paid at once", "bears next window"):
        others.add_column(name, justify="right")
    for each in told["merchants"]:
        others.add_row(
            each["merchant"], f"{each['receives_minor']:,}", f"{each['paid_minor']:,}", f"{each['share_minor']:,}"
        )
    console.print(others)


def _chosen(server: postgres.Server) -> str:
    for address in (books.url(server), server.dsn(DEMO)):
        if books.has_books(address):
            return address
    raise Refusal("there are no books here yet: manex demo makes some")
