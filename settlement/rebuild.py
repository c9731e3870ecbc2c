"""Proof that what is derived is derived: the stream from its first sequence gives the same bytes again."""

import hashlib

import ledger
from ledger import Database, Tx
from settlement import store
from settlement.consumer import CHUNK, consume


def rebuild(db: Database, book_id: int, *, chunk: int = CHUNK) -> int:
    """Derive every row again from the first sequence up to where the consumer stood, in one transaction; how many events.

    Readers see the rows of before until it commits; afterwards the same bytes. Nothing is posted.
    """
    with db.tx("settlement") as tx:
        book = ledger.read_book(tx, book_id)
        stood = store.lock_offset(tx, book)
        store.forget(tx, book)
        total = 0
        while done := consume(tx, book, chunk, stood - 1):
            total += done
        return total


def snapshot(tx: Tx, book_id: int) -> dict[str, str]:
    """SHA-256 (hex) of each derived table's rows in their order: equal bytes, equal digests."""
    digests = {}
    for table in store.DERIVED:
        digest = hashlib.sha256()
        for line in store.rows_as_text(tx, book_id, table):
            digest.update(line.encode() + b"\n")
        digests[table] = digest.hexdigest()
    return digests
