"""The records of a book in their sequence: the stream that everything derived is derived from."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from ledger.db import Tx


class Event(NamedTuple):
    """A record and its place in the book. The hash is that of its batch, whose last record has `batch_end`."""

    sequence: int
    id: UUID
    kind: str
    at: datetime
    actor: str
    merchant_id: UUID | None
    member_id: UUID | None
    subject_id: UUID | None
    payload: dict[str, Any]
    batch_end: int
    hash: bytes


class Line(NamedTuple):
    """An event whose payload is still the text that it is stored as, for whoever passes it on."""

    sequence: int
    id: UUID
    kind: str
    at: datetime
    actor: str
    merchant_id: UUID | None
    member_id: UUID | None
    subject_id: UUID | None
    payload: str
    batch_end: int
    hash: bytes


# The batch that holds `from_sequence` is the last one that begins at or before it; every batch begins where the one
# before it ended, so the range of beginnings bounds the rows read whatever the length of the book.
_READ = """
select b.first_sequence + r.n, r.id, r.kind, r.at, r.actor, r.merchant_id, r.member_id, r.subject_id, r.payload::text,
       b.first_sequence + b.records - 1, b.hash
from ledger.batch b join ledger.record r on r.batch_id = b.id
where b.book_id = %(book)s
  and b.first_sequence >= coalesce(
      (select max(first_sequence) from ledger.batch where book_id = %(book)s and first_sequence <= %(from)s), %(from)s)
  and b.first_sequence < %(from)s::bigint + %(limit)s
  and b.first_sequence + r.n >= %(from)s
order by b.first_sequence, r.n
limit %(limit)s
"""


def read(tx: Tx, book_id: int, from_sequence: int, limit: int) -> list[Event]:
    """At most `limit` records from `from_sequence` on, in sequence, without a gap: what is committed is all there."""
    found = lines(tx, book_id, from_sequence, limit)
    return [Event._make((*row[:8], msgspec.json.decode(row[8]), *row[9:])) for row in found]


def lines(tx: Tx, book_id: int, from_sequence: int, limit: int) -> list[Line]:
    """The same as `read`, for whoever passes records on."""
    rows = tx.execute(_READ, {"book": book_id, "from": from_sequence, "limit": limit})
    return [Line._make(row) for row in rows]


def seals(tx: Tx, book_id: int, from_sequence: int, to_sequence: int) -> dict[int, bytes]:
    """The hash of every batch that has a record from `from_sequence` to `to_sequence`, by its last sequence."""
    rows = tx.execute(
        "select first_sequence + records - 1, hash from ledger.batch where book_id = %(book)s"
        " and first_sequence >= coalesce((select max(first_sequence) from ledger.batch"
        " where book_id = %(book)s and first_sequence <= %(from)s), %(from)s) and first_sequence <= %(to)s",
        {"book": book_id, "from": from_sequence, "to": to_sequence},
    )
    return {end: bytes(hash) for end, hash in rows}


def start(tx: Tx, book_id: int) -> int:
    """The sequence of the book's first record; of its next one while it has none."""
    row = tx.execute(
        "select coalesce((select min(first_sequence) from ledger.batch where book_id = %(book)s),"
        " (select next_sequence from ledger.head where book_id = %(book)s))",
        {"book": book_id},
    ).fetchone()
    assert row is not None
    assert row[0] is not None, f"book {book_id} has no head"
    return int(row[0])


def end(tx: Tx, book_id: int) -> int:
    """The sequence the book's next record will get."""
    row = tx.execute("select next_sequence from ledger.head where book_id = %s", [book_id]).fetchone()
    assert row is not None, f"book {book_id} has no head"
    return int(row[0])
