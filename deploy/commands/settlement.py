"""`manex settlement`: what is derived from the stream, derived again."""

from __future__ import annotations

import json
from typing import Annotated

import typer

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
    help="What follows from the stream.",
)


@app.callback()
def group() -> None:
    """What follows from the stream."""


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
