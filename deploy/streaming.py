"""The relay and settlement's consumer, each a process of its own: started by `up` beside the gateways, or by `stream`."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import ledger
import settlement
from deploy import config
from deploy.config import Config
from deploy.errors import Refusal
from gateway import metrics_page
from gateway.metrics import Counter, Family

log = logging.getLogger("manex.streaming")

PARTS: Final = ("relay", "consumer")
WRITE_SECONDS: Final = 1.0
#: How long a part may take to finish what it has under way.
STOP_SECONDS: Final = 20.0

Figures = Callable[[], list[Family]]


def run(part: str, url: str, chosen: Config, stopping: threading.Event, metrics_place: Path | None = None) -> None:
    """Publish or consume over the database at `url` until told to stop."""
    if not chosen.kafka_url:
        raise Refusal("there is no Kafka: set MANEX_KAFKA_URL")
    where = ledger.broker.address(chosen.kafka_url)
    # what its client tells of every connection that fails, at length, we tell in one line
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    if part == "relay":
        relay = relay_of(url, where, chosen)
        _watched(relay.run, stopping, lambda: _of_relay(relay), part, metrics_place)
        return
    db = ledger.Database(url, largest_pool=2, statement_timeout_ms=chosen.statement_timeout_ms)
    try:
        subscriber = settlement.Subscriber(db, where)
        _watched(subscriber.run, stopping, lambda: _of_subscriber(subscriber), part, metrics_place)
    finally:
        db.close()


def relay_of(url: str, where: ledger.broker.Address, chosen: Config) -> ledger.relay.Relay:
    """What settlement has not consumed is published again when a topic is lost."""
    return ledger.relay.Relay(
        url,
        where,
        settlement.offset,
        partitions=chosen.kafka_partitions,
        replicas=chosen.kafka_replicas or -1,
        statement_timeout_ms=chosen.statement_timeout_ms,
    )


def _watched(
    work: Callable[[threading.Event], None], stopping: threading.Event, told: Figures, part: str, place: Path | None
) -> None:
    """Work on a thread of its own, and leave figures where the gateways find them. A fault of ours ends the process."""
    fault: list[BaseException] = []

    def run() -> None:
        try:
            work(stopping)
        except BaseException as error:
            fault.append(error)
            stopping.set()

    thread = threading.Thread(target=run, name=f"manex-{part}", daemon=True)
    thread.start()
    while not stopping.wait(WRITE_SECONDS):
        if place is not None:
            try:
                metrics_page.leave(place, part, told())
            except OSError as error:  # a full disk, mostly
                log.warning("metrics cannot be shared: %s", os.strerror(error.errno or 0))
    thread.join(STOP_SECONDS)
    if fault:
        raise fault[0]


def _of_relay(relay: ledger.relay.Relay) -> list[Family]:
    return [
        _counted("manex_relay_published_total", "Records the brokers have acknowledged.", relay.published, "relay"),
        _counted("manex_relay_failures_total", "Times the relay had to begin anew.", relay.failures, "relay"),
    ]


def _of_subscriber(subscriber: settlement.Subscriber) -> list[Family]:
    by_road = Counter("manex_consumer_events_total", "Events that had their effect, by where they came from.", "road")
    by_road.add("topic", amount=subscriber.consumed - subscriber.refilled)
    by_road.add("refilled", amount=subscriber.refilled)
    by_road.add("ledger", amount=subscriber.stalled)
    return [
        by_road.family("consumer"),
        _counted("manex_consumer_failures_total", "Times it had to begin anew.", subscriber.failures, "consumer"),
    ]


def _counted(name: str, help: str, number: int, process: str) -> Family:
    counter = Counter(name, help)
    counter.add(amount=number)
    return counter.family(process)


def main(arguments: Sequence[str]) -> None:
    """`python -m deploy.streaming PART METRICS_PLACE PARENT`, the database's URL in MANEX_SERVE_URL."""
    from deploy.asgi import die_with_parent
    from gateway.log import to_stream

    part, place, parent = arguments
    die_with_parent(int(parent))
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    try:
        chosen = config.load()
        to_stream(chosen.log_level)
        run(part, os.environ["MANEX_SERVE_URL"], chosen, stopping, Path(place))
    except Refusal as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main(sys.argv[1:])
