"""Books: one network in one mode, with its own clock, sequence and accounts."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from ledger import ids
from ledger.book import Book
from ledger.db import Tx
from ledger.errors import DuplicateReference
from ledger.store.loading import read_book

#: The hash before the first batch.
GENESIS: Final = bytes(32)
FIRST_SEQUENCE: Final = 1


@dataclass(frozen=True, slots=True)
class NewBook:
    """`clock` is where a test book's clock begins; a live book has none of its own. `face_value` in minor units."""

    network: str
    mode: str
    currency: str
    exponent: int
    face_value_minor: int
    points_life_days: int
    time_zone: str
    window_schedule: dict[str, Any] | None
    clock: datetime | None = None
    # None: points expire by their fixed life alone, whatever their member does
    inactivity_days: int | None = None


def open_book(tx: Tx, new: NewBook) -> Book | DuplicateReference:
    """Open a book with an empty ledger. A network has one book in each mode."""
    now = datetime.now(UTC)
    row = tx.execute(
        "insert into ledger.book (public_id, network, mode, currency, exponent, shown_as, face_value_minor,"
        " points_life_days, inactivity_days, time_zone, window_schedule, operator_id, clock, created_at)"
        " values (%s, %s, %s, %s, %s, '{}'::jsonb, %s, %s, %s, %s, %s::jsonb, %s, %s, %s)"
        " on conflict (network, mode) do nothing returning id",
        [
            ids.new(),
            new.network,
            new.mode,
            new.currency,
            new.exponent,
            new.face_value_minor,
            new.points_life_days,
            new.inactivity_days,
            new.time_zone,
            msgspec.json.encode(new.window_schedule).decode(),
            ids.new(),
            (new.clock or now) if new.mode == "test" else None,
            now,
        ],
    ).fetchone()
    if row is None:
        return DuplicateReference(f"{new.network} ({new.mode})")
    tx.execute(
        "insert into ledger.head (book_id, next_sequence, hash) values (%s, %s, %s)", [row[0], FIRST_SEQUENCE, GENESIS]
    )
    return read_book(tx, row[0])


def by_public_id(tx: Tx, public_id: UUID) -> Book | None:
    row = tx.execute("select id from ledger.book where public_id = %s", [public_id]).fetchone()
    return read_book(tx, row[0]) if row else None


def all_books(tx: Tx) -> list[Book]:
    rows = tx.execute("select id from ledger.book order by id").fetchall()
    return [read_book(tx, row[0]) for row in rows]
