"""The SQL of sponsorships. One book's rows are never found through another."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

import ledger
from merchants.contracts.parties import Sponsorship
from merchants.contracts.store import LARGEST_PAGE

_SPONSORSHIP: Final = "id, merchant_id, shops, rules, begins_at, ends_at, state, opened_at, ended_at"


def open_sponsorships(tx: ledger.Tx, book_id: int) -> list[Sponsorship]:
    rows = tx.execute(
        f"select {_SPONSORSHIP} from merchants.sponsorship where book_id = %s and state = 'open' order by id", [book_id]
    )
    return [_sponsorship(row) for row in rows]


def _sponsorship(row: tuple[Any, ...]) -> Sponsorship:
    id, merchant_id, shops, *rest = row
    return Sponsorship(id, merchant_id, None if shops is None else frozenset(shops), *rest)


def sponsorship(tx: ledger.Tx, book: ledger.Book, merchant_id: UUID, id: UUID) -> Sponsorship | None:
    row = tx.execute(
        f"select {_SPONSORSHIP} from merchants.sponsorship where book_id = %s and merchant_id = %s and id = %s",
        [book.id, merchant_id, id],
    ).fetchone()
    return None if row is None else _sponsorship(row)


def list_sponsorships(
    tx: ledger.Tx, book: ledger.Book, merchant_id: UUID, *, after: UUID | None = None, limit: int = LARGEST_PAGE
) -> list[Sponsorship]:
    """A page of a sponsor's sponsorships in the order they came, those after the id `after`."""
    rows = tx.execute(
        f"select {_SPONSORSHIP} from merchants.sponsorship"
        " where book_id = %s and merchant_id = %s and (%s::uuid is null or id > %s) order by id limit %s",
        [book.id, merchant_id, after, after, limit],
    )
    return [_sponsorship(row) for row in rows]


def next_sponsorship_end(tx: ledger.Tx, book_id: int) -> datetime | None:
    """When the next open sponsorship ends by its own time."""
    row = tx.execute(
        "select min(ends_at) from merchants.sponsorship where book_id = %s and state = 'open'", [book_id]
    ).fetchone()
    return row[0] if row else None


def sponsorships_over(tx: ledger.Tx, book: ledger.Book, limit: int) -> list[tuple[UUID, UUID]]:
    """(sponsor, sponsorship) of open ones whose time is over."""
    return tx.execute(
        "select merchant_id, id from merchants.sponsorship where book_id = %s and state = 'open' and ends_at <= %s"
        " order by ends_at, id limit %s",
        [book.id, book.now, limit],
    ).fetchall()


def sponsorships_by_id(tx: ledger.Tx, book_id: int, ids: Sequence[UUID]) -> dict[UUID, Sponsorship]:
    rows = tx.execute(
        f"select {_SPONSORSHIP} from merchants.sponsorship where book_id = %s and id = any(%s)", [book_id, list(ids)]
    )
    return {row[0]: _sponsorship(row) for row in rows}


def put_sponsorship(tx: ledger.Tx, book_id: int, s: Sponsorship) -> None:
    """Write a new sponsorship; the book's lock is held exclusively."""
    tx.execute(
        f"insert into merchants.sponsorship (book_id, {_SPONSORSHIP}) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            book_id,
            s.id,
            s.merchant_id,
            None if s.shops is None else sorted(s.shops),
            Jsonb(dict(s.rules)),
            s.begins_at,
            s.ends_at,
            s.state,
            s.opened_at,
            s.ended_at,
        ],
    )


def end_sponsorship(tx: ledger.Tx, book_id: int, id: UUID, now: datetime) -> None:
    """Mark a sponsorship as ended; the book's lock is held exclusively."""
    tx.execute(
        "update merchants.sponsorship set state = 'ended', ended_at = %s where book_id = %s and id = %s",
        [now, book_id, id],
    )
