"""Proof that what is derived is derived: the stream from its first sequence gives the same bytes again."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import ledger
from ledger import Database, Tx
from settlement import store
from settlement.stream import topics
from settlement.stream.consumer import CHUNK, consume, consume_merged
from settlement.stream.merging import Merge


def rebuild(db: Database, book_id: int, *, chunk: int = CHUNK) -> int:
    """Derive every row again from the first sequence up to where the consumer stood, in one transaction; how many events.

    Readers see the rows of before until it commits; afterwards the same bytes. Nothing is posted.
    """
    with db.tx("settlement") as tx:
        return _directly(tx, book_id, chunk)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild gave, table by table, beside what was there. `from_ledger`: events a topic did not have."""

    events: int
    from_ledger: int
    before: dict[str, str]
    after: dict[str, str]

    @property
    def differing(self) -> list[str]:
        """The tables whose bytes are others than before."""
        return [table for table in self.before if self.before[table] != self.after[table]]


class _Kept(Exception):
    """Leaves a transaction without its effect."""


def check(
    db: Database,
    book_id: int,
    where: ledger.broker.Address | None = None,
    *,
    chunk: int = CHUNK,
    went: Callable[[int], None] = lambda _events: None,
) -> Rebuilt:
    """Rebuild, compare, and leave everything as it is. With `where` over Kafka: from the book's topic, read from its
    beginning, and from the ledger only what the topic no longer has. `went` is told of so many events more."""
    found: list[Rebuilt] = []
    try:
        with db.tx("settlement") as tx:
            # the rows of a year are written anew in one go: this is a proof, and nobody waits for it
            tx.execute("set local statement_timeout = 0")
            store.lock_offset(tx, ledger.read_book(tx, book_id))
            before = snapshot(tx, book_id)
            events, from_ledger = (
                (_directly(tx, book_id, chunk, went), 0)
                if where is None
                else _by_topic(tx, book_id, where, chunk, went)
            )
            found.append(Rebuilt(events, from_ledger, before, snapshot(tx, book_id)))
            raise _Kept
    except _Kept:
        return found[0]


def _directly(tx: Tx, book_id: int, chunk: int, went: Callable[[int], None] = lambda _events: None) -> int:
    book = ledger.read_book(tx, book_id)
    stood = store.lock_offset(tx, book)
    store.forget(tx, book)
    total = 0
    while done := consume(tx, book, chunk, stood - 1):
        total += done
        went(done)
    return total


def _by_topic(
    tx: Tx, book_id: int, where: ledger.broker.Address, chunk: int, went: Callable[[int], None]
) -> tuple[int, int]:
    book = ledger.read_book(tx, book_id)
    stood = store.lock_offset(tx, book)
    store.forget(tx, book)
    total = refilled = 0
    merge: Merge | None = None
    for partitions, messages in topics.read(where, ledger.wire.topic(book.public_id)):
        merge = merge or Merge(partitions)
        for partition, offset, told in messages:
            merge.take(partition, offset, told)
        while True:
            done, missing = consume_merged(tx, book, merge, None, chunk, stood - 1)
            total += done
            refilled += missing
            went(done)
            if not done:
                break
    while done := consume(tx, book, chunk, stood - 1):
        total += done
        refilled += done
        went(done)
    return total, refilled


def snapshot(tx: Tx, book_id: int) -> dict[str, str]:
    """SHA-256 (hex) of each derived table's rows in their order: equal bytes, equal digests."""
    digests = {}
    for table in store.DERIVED:
        digest = hashlib.sha256()
        for line in store.rows_as_text(tx, book_id, table):
            digest.update(line.encode() + b"\n")
        digests[table] = digest.hexdigest()
    return digests
