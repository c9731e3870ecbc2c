"""Where the relay stands in each book: one row, written by whoever holds the book's relay lock."""

from typing import Final, NamedTuple
from uuid import UUID

from ledger.db import Tx

#: The first half of the advisory lock of a book's relay; the second is the book's id. "MNXR".
RELAY_LOCK: Final = 0x4D4E5852


class Place(NamedTuple):
    """Every record below `next_sequence` was acknowledged by the brokers, in the topic with this id."""

    book_id: int
    next_sequence: int
    topic_id: str
    partitions: int


class Lag(NamedTuple):
    """`seconds`: how long ago the oldest record was posted that is not published."""

    book: UUID
    mode: str
    records: int
    seconds: float


def take_turn(conn: Tx, book_id: int) -> bool:
    """Be the one relay of this book as long as this connection lives; False while another is."""
    row = conn.execute("select pg_try_advisory_lock(%s, %s)", [RELAY_LOCK, book_id]).fetchone()
    return bool(row and row[0])


def place(tx: Tx, book_id: int) -> Place | None:
    row = tx.execute(
        "select book_id, next_sequence, topic_id, partitions from ledger.relay where book_id = %s", [book_id]
    ).fetchone()
    return Place(*row) if row else None


def put_place(tx: Tx, place: Place) -> None:
    """Begin with a topic: the first one, or one that took the place of another."""
    tx.execute(
        "insert into ledger.relay (book_id, next_sequence, topic_id, partitions) values (%s, %s, %s, %s)"
        " on conflict (book_id) do update set next_sequence = excluded.next_sequence, topic_id = excluded.topic_id,"
        " partitions = excluded.partitions",
        [*place],
    )


def advance(tx: Tx, stood: Place, next_sequence: int) -> bool:
    """Move on from where it stood; False when it stands elsewhere by now, which the lock should make impossible."""
    done = tx.execute(
        "update ledger.relay set next_sequence = %s where book_id = %s and next_sequence = %s and topic_id = %s",
        [next_sequence, stood.book_id, stood.next_sequence, stood.topic_id],
    )
    return done.rowcount == 1


def lags(tx: Tx) -> list[Lag]:
    """Of every book that is published, how far the relay is behind."""
    rows = tx.execute(
        "select b.public_id, b.mode, h.next_sequence - r.next_sequence, coalesce(extract(epoch from now() -"
        " (select posted_at from ledger.batch where book_id = b.id and first_sequence + records > r.next_sequence"
        " and first_sequence <= r.next_sequence order by first_sequence desc limit 1)), 0)::float8"
        " from ledger.relay r join ledger.book b on b.id = r.book_id join ledger.head h on h.book_id = b.id order by b.id"
    )
    return [Lag(*row) for row in rows]
