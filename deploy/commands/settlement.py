"""`manex settlement`: what is derived from the stream, derived again; and what settling would come to, rehearsed."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

import typer
from rich import progress
from rich.console import Console
from rich.table import Table

import ledger
import settlement
from deploy import books, config, postgres, roads
from deploy.commands import demo as demos
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
def compare(
    lived: Annotated[
        bool, typer.Option("--demo", help="First live the demo's year, or go on with it where it stopped.")
    ] = False,
    days: Annotated[int | None, typer.Option(min=1, max=365, help="With --demo: only the first days of it.")] = None,
    database: Annotated[
        str | None, typer.Option(help=f"The database of this home: by default the house's own, else {DEMO}.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Publish every record to Kafka, derive everything from there and straight from the ledger, and compare the bytes.

    Over the Kafka at MANEX_KAFKA_URL; without one over Apache Kafka on loopback where Java and Maven are, else over a broker
    in memory. Nothing is posted or kept. Run again after it was stopped it goes on: the demo where it was, publishing where
    a Kafka that is configured has it. Exits 1 when any table differs.
    """
    if days is not None and not lived:
        raise Refusal("--days is the demo's: say --demo")
    if lived:
        # its figures are told aside: what this command prints is what came of the comparison
        with contextlib.redirect_stdout(sys.stderr):
            demos.demo(days=days, no_serve=True, via="single", fresh=False, seed=demos.SEED, as_json=False, port=0)
    chosen = config.load()
    with postgres.reached(manex_home()) as server, roads.broker(chosen) as (what, address):
        url = server.dsn(DEMO if lived else database) if lived or database else books.where(server, DEMO)
        with _bars(f"over {what}") as went:
            try:
                told = roads.compare(url, ledger.broker.address(address), went)
            except ledger.broker.Failed as error:
                raise Refusal(str(error)) from None
    if as_json:
        rows = [
            {
                "book": ledger.ids.show("book", each.book.public_id),
                "events": each.events,
                "from_ledger": each.from_ledger,
                "over_kafka": each.over_kafka,
                "directly": each.directly,
                "publish_seconds": each.publish_seconds,
                "kafka_seconds": each.kafka_seconds,
                "direct_seconds": each.direct_seconds,
            }
            for each in told
        ]
        typer.echo(json.dumps({"broker": what, "books": rows, "same": all(each.same for each in told)}, indent=2))
    else:
        for each in told:
            differing = sorted({*each.over_kafka, *each.directly})
            beside = f"; {each.from_ledger:,} events were not in the topic" if each.from_ledger else ""
            verdict = f"differs: {', '.join(differing)}" if differing else "the same bytes by both roads"
            typer.echo(
                f"{each.book.network} ({each.book.mode}), over {what}: {each.events:,} events, published in"
                f" {each.publish_seconds} s, derived over Kafka in {each.kafka_seconds} s and directly in"
                f" {each.direct_seconds} s: {verdict}{beside}"
            )
    if not all(each.same for each in told):
        raise typer.Exit(1)


@contextlib.contextmanager
def _bars(title: str) -> Iterator[roads.Went]:
    """A bar for each step on a terminal, a line when a step begins elsewhere."""
    console = Console(stderr=True)
    bars: dict[str, progress.TaskID] = {}
    with progress.Progress(console=console, disable=not console.is_terminal, transient=True) as bar:

        def went(step: str, events: int, more: int) -> None:
            if step not in bars:
                bars[step] = bar.add_task(f"{step}, {title}" if step != "directly" else step, total=0)
                if not console.is_terminal:
                    console.print(f"{step}: {events:,} events", style="dim", highlight=False)
            bar.update(bars[step], total=events, advance=more)

        yield went


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
