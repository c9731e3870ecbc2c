"""`manex stream`: the relay and settlement's consumer where `up` does not run them, and what is on the stream."""

from __future__ import annotations

import os
import signal
import threading

import typer

import gateway.log
import ledger
from deploy import books, config, events, postgres, streaming
from deploy.errors import Refusal
from deploy.home import manex_home

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Events over Kafka: publish, consume, and what they look like.",
)


@app.command()
def relay() -> None:
    """Publish every record of every book until SIGTERM or Ctrl-C. Two at once are one that works and one that waits."""
    _run("relay")


@app.command()
def consume() -> None:
    """Derive settlement's rows from the stream until SIGTERM or Ctrl-C. Several share the books."""
    _run("consumer")


@app.command()
def asyncapi() -> None:
    """The AsyncAPI document of the stream, with the JSON Schema of every event."""
    typer.echo(events.as_text(events.document()))


@app.command()
def status() -> None:
    """How far each book is published."""
    with postgres.reached(manex_home()) as server:
        db = ledger.Database(books.url(server), largest_pool=1)
        try:
            with db.tx("door") as tx:
                for lag in ledger.relay.lags(tx):
                    book = ledger.ids.show("book", lag.book)
                    typer.echo(f"{book} ({lag.mode}): {lag.records:,} records behind, {lag.seconds:.1f} s")
        finally:
            db.close()


def _run(part: str) -> None:
    chosen = config.load()
    if not chosen.kafka_url:
        raise Refusal("there is no Kafka: set MANEX_KAFKA_URL")
    gateway.log.to_stream(chosen.log_level)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: stopping.set())
    with postgres.reached(manex_home()) as server:
        url = os.environ.get("MANEX_SERVE_URL") or books.prepared(server)
        streaming.run(part, url, chosen, stopping)
