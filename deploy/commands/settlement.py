"""`manex settlement`: what settling would come to, asked of the books without touching them."""

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
from deploy import books, postgres
from deploy.commands.audit import DEMO
from deploy.errors import Refusal
from deploy.home import manex_home

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Rehearse settlement.",
)


@app.callback()
def group() -> None:
    """Rehearse settlement."""


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
