"""Both roads of settlement laid beside each other: every record over Kafka, and straight from the ledger, must derive the
same bytes."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import ledger
import settlement
from deploy import kafka
from deploy.config import Config
from deploy.errors import Refusal
from deploy.soak import brokers
from ledger import Book, Database

LOOK_SECONDS: Final = 0.2
#: How long brokers may acknowledge nothing at all.
SILENT_SECONDS: Final = 60.0

#: Told of a step ("published", "over Kafka", "directly"), of how many events there are, and of how many more are done.
Went = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Compared:
    """One book by both roads. `from_ledger`: events that the topic did not have; there are to be none."""

    book: Book
    events: int
    from_ledger: int
    # tables whose bytes are others, by the road over Kafka and straight
    over_kafka: list[str]
    directly: list[str]
    publish_seconds: float
    kafka_seconds: float
    direct_seconds: float

    @property
    def same(self) -> bool:
        return not self.over_kafka and not self.directly and not self.from_ledger


@contextlib.contextmanager
def broker(chosen: Config) -> Iterator[tuple[str, str]]:
    """(what it is, where): the house's own Kafka where one is configured, else Apache Kafka where Java and Maven are, else a
    broker in memory. The last two hold what is published here and no more."""
    if chosen.kafka_url:
        yield "the configured Kafka", chosen.kafka_url
    elif kafka.missing() is None:
        with kafka.running(1) as apache:
            yield "Apache Kafka on loopback", apache.url
    else:
        with brokers.Memory() as memory:
            yield "a broker in memory", memory.url


def compare(url: str, where: ledger.broker.Address, went: Went) -> list[Compared]:
    """Publish what is not published, then derive every book by both roads and keep neither. Killed, it goes on publishing
    where it was, as long as the brokers have what they had; nothing else of it stays."""
    db = Database(url, largest_pool=1)
    try:
        with db.tx("door") as tx:
            books = ledger.books.all_books(tx)
        for book in books:
            settlement.drain(db, book.id)
        with _relay(url, where), contextlib.closing(ledger.broker.Topics(where)) as topics:
            seconds = [_published(db, topics, book, went) for book in books]
        return [_compared(db, book, where, spent, went) for book, spent in zip(books, seconds, strict=True)]
    finally:
        db.close()


@contextlib.contextmanager
def _relay(url: str, where: ledger.broker.Address) -> Iterator[None]:
    # what its client tells of every connection that fails, at length, the refusal tells in one line
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    # a topic that is another one has to be whole: both roads begin at the first record
    relay = ledger.relay.Relay(url, where, lambda _tx, _book: None)
    stopping = threading.Event()
    thread = threading.Thread(target=relay.run, args=[stopping], name="manex-compare-relay", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(SILENT_SECONDS)


def _published(db: Database, topics: ledger.broker.Topics, book: Book, went: Went) -> float:
    """Wait until a book's records are with the brokers; in how many seconds they were."""
    began = moved = time.monotonic()
    before = 0
    while True:
        with db.tx("door") as tx:
            end, place = ledger.stream.end(tx, book.id), ledger.relay.place(tx, book.id)
            start = ledger.stream.start(tx, book.id)
        topic = topics.find(ledger.wire.topic(book.public_id))
        # the place may still be of another topic, and says nothing of this one then
        there = place is not None and topic is not None and place.topic_id == topic.id
        done = place.next_sequence - start if place is not None and there else 0
        if done != before:
            went("published", end - start, done - before)
            before, moved = done, time.monotonic()
        if there and done >= end - start:
            return time.monotonic() - began
        if time.monotonic() - moved > SILENT_SECONDS:
            raise Refusal("the brokers acknowledge nothing: is another relay at work?")
        time.sleep(LOOK_SECONDS)


def _compared(db: Database, book: Book, where: ledger.broker.Address, published: float, went: Went) -> Compared:
    with db.tx("door") as tx:
        events = ledger.stream.end(tx, book.id) - ledger.stream.start(tx, book.id)
    began = time.monotonic()
    over = settlement.check(db, book.id, where, went=lambda more: went("over Kafka", events, more))
    halfway = time.monotonic()
    straight = settlement.check(db, book.id, went=lambda more: went("directly", events, more))
    return Compared(
        book,
        over.events,
        over.from_ledger,
        over.differing,
        straight.differing,
        round(published, 1),
        round(halfway - began, 1),
        round(time.monotonic() - halfway, 1),
    )
