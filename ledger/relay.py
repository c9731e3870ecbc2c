"""Publishes every record of every book to Kafka, in sequence, from a place that is kept in PostgreSQL.

A round reads records, sends them with a watermark for each partition, and moves the place when the brokers have all of
it. Killed anywhere it sends the last round again: nothing is lost, what is doubled has the sequence it had. One relay at
a time holds a book's lock; another waits to take over. Nothing here is in the way of a posting: it reads what is
committed, and a broker that is slow or away only makes the lag grow.
"""

import contextlib
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Final

import psycopg

from ledger import broker, db, relay_store, stream, wire
from ledger.book import Book
from ledger.books import all_books
from ledger.db import Tx
from ledger.relay_store import Lag, Place, lags, place
from ledger.wire import Message

__all__ = ["Lag", "Place", "Relay", "lags", "place", "rounds"]

log = logging.getLogger("manex.relay")

#: Records a round reads: enough to make its one wait small.
ROUND: Final = 2_000
LOOK_SECONDS: Final = 0.05
#: How often books that came are found, and topics looked at that may be gone.
CHECK_SECONDS: Final = 2.0
FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 5.0

#: The next sequence that those who consume a book still need; None when they need all of it.
Needed = Callable[[Tx, int], int | None]


class Relay:
    """Publishes as long as `run` runs. `needed` says from where to publish again when a topic is lost."""

    def __init__(
        self,
        url: str,
        where: broker.Address,
        needed: Needed,
        *,
        partitions: int = 6,
        replicas: int = -1,
        statement_timeout_ms: int = db.STATEMENT_TIMEOUT_MS,
    ) -> None:
        self._url = url
        self._where = where
        self._needed = needed
        self._partitions = partitions
        self._replicas = replicas
        self._timeout_ms = statement_timeout_ms
        #: records the brokers have acknowledged, and times that it had to begin anew
        self.published = 0
        self.failures = 0

    def run(self, stopping: threading.Event) -> None:
        """Publish until told to stop; the round under way is finished."""
        pause = FIRST_PAUSE_SECONDS
        while not stopping.is_set():
            before = self.published
            try:
                with contextlib.closing(db.connect(self._url, "ledger", self._timeout_ms)) as conn:
                    self._publish(conn, stopping)
            except (broker.Failed, psycopg.OperationalError, psycopg.InterfaceError) as error:
                self.failures += 1
                pause = FIRST_PAUSE_SECONDS if self.published > before else min(LONGEST_PAUSE_SECONDS, pause * 2)
                log.warning("publishing stopped, again in %.1f s: %s", pause, _why(error))
                stopping.wait(pause)

    def _publish(self, conn: Tx, stopping: threading.Event) -> None:
        topics = broker.Topics(self._where)
        try:
            producer = broker.Producer(self._where)
            try:
                turns: dict[int, Place] = {}
                checked, books = 0.0, list[Book]()
                while not stopping.is_set():
                    if time.monotonic() - checked > CHECK_SECONDS:
                        books = all_books(conn)
                        held = turns.keys()
                        found = [(book.id, self._turn(conn, topics, book, held=book.id in held)) for book in books]
                        turns = {id: stands for id, stands in found if stands is not None}
                        checked = time.monotonic()
                    if not self._once(conn, producer, books, turns):
                        stopping.wait(LOOK_SECONDS)
            finally:
                producer.close()
        finally:
            topics.close()

    def _turn(self, conn: Tx, topics: broker.Topics, book: Book, *, held: bool) -> Place | None:
        """The place in a book if it is ours to publish, in the topic that is there now."""
        if not held and not relay_store.take_turn(conn, book.id):
            return None
        topic = topics.make(wire.topic(book.public_id), self._partitions, self._replicas)
        stood = place(conn, book.id)
        if stood is not None and stood.topic_id == topic.id:
            return stood
        start = stream.start(conn, book.id)
        if stood is not None:
            needed = self._needed(conn, book.id)
            start = max(start, min(stood.next_sequence, start if needed is None else needed))
            log.warning("the topic of book %d is another one; publishing again from %d", book.id, start)
        made = Place(book.id, start, topic.id, topic.partitions)
        relay_store.put_place(conn, made)
        return made

    def _once(self, conn: Tx, producer: broker.Producer, books: list[Book], turns: dict[int, Place]) -> int:
        """A round for each book that is ours; how many records."""
        done = 0
        for book in books:
            stands = turns.get(book.id)
            if stands is None:
                continue
            lines = stream.lines(conn, book.id, stands.next_sequence, ROUND)
            for ahead, line in enumerate(lines):
                assert line.sequence == stands.next_sequence + ahead, "the stream has a gap"
            for last, messages in rounds(book, lines, stands.partitions):
                producer.send(wire.topic(book.public_id), messages)
                if not relay_store.advance(conn, stands, last + 1):
                    raise broker.Failed("another relay has moved this book's place")
                self.published += last + 1 - stands.next_sequence
                done += last + 1 - stands.next_sequence
                stands = turns[book.id] = stands._replace(next_sequence=last + 1)
        return done


def rounds(book: Book, lines: list[stream.Line], partitions: int) -> Iterator[tuple[int, dict[int, list[Message]]]]:
    """Records in rounds of which each partition's part fits one batch: the last sequence, and messages by partition.

    Each part ends with the partition's watermark. It is one batch, so where the watermark is, there is what it speaks of.
    """
    gathered: defaultdict[int, list[Message]] = defaultdict(list)
    sizes: defaultdict[int, int] = defaultdict(int)
    previous: stream.Line | None = None
    for line in lines:
        made = wire.message(book.public_id, line)
        partition = wire.partition_of(made.key, partitions)
        if previous is not None and sizes[partition] and sizes[partition] + made.size > broker.LARGEST_BATCH:
            yield _closed(book, gathered, previous, partitions)
            gathered, sizes = defaultdict(list), defaultdict(int)
        gathered[partition].append(made)
        sizes[partition] += made.size
        previous = line
    if previous is not None:
        yield _closed(book, gathered, previous, partitions)


def _closed(
    book: Book, gathered: defaultdict[int, list[Message]], last: stream.Line, partitions: int
) -> tuple[int, dict[int, list[Message]]]:
    for partition in range(partitions):
        mark = wire.watermark(book.public_id, last.sequence, partition, partitions, last.at)
        gathered[partition].append(mark)
    return last.sequence, dict(gathered)


def _why(error: BaseException) -> str:
    return str(error) if isinstance(error, broker.Failed) else type(error).__name__
