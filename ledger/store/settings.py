"""What the ledger is told of its merchants and of the network's rules, as handlers write it in their own transactions."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar
from uuid import UUID

from ledger.arrays import bigints, booleans, texts, uuids
from ledger.book import Book, Issuer
from ledger.db import Tx

Picture = TypeVar("Picture")


class SettingsCache(Generic[Picture]):
    """What `read` tells of a book, until the book's settings revision moves. One per database; threads may share it.

    Whatever changes the picture raises the revision in the same transaction, and `book` was read in `tx` before: a
    picture may be newer than its revision, and is then read once more, but never older.
    """

    def __init__(self, read: Callable[[Tx, int], Picture]) -> None:
        self._read = read
        self._held: dict[int, tuple[UUID, int, Picture]] = {}
        self._lock = threading.Lock()

    def of(self, tx: Tx, book: Book) -> Picture:
        with self._lock:
            held = self._held.get(book.id)
        if held is not None and held[:2] == (book.public_id, book.settings_revision):
            return held[2]
        picture = self._read(tx, book.id)
        with self._lock:
            self._held[book.id] = (book.public_id, book.settings_revision, picture)
        return picture


def issuers(tx: Tx, book_id: int) -> dict[UUID, Issuer]:
    """What the contracts in force let the merchants of a book issue."""
    rows = tx.execute(
        "select merchant_id, mode, unit_value_minor, credit_line_points, contract_id, suspended, exited"
        " from ledger.issuer where book_id = %s",
        [book_id],
    ).fetchall()
    return {row[0]: Issuer(*row) for row in rows}


def put_issuers(tx: Tx, book_id: int, issuers: Sequence[Issuer]) -> None:
    """Write what contracts that come into force let their merchants issue. Raise the settings revision with it."""
    if issuers:
        tx.execute(
            "insert into ledger.issuer as i"
            " (book_id, merchant_id, mode, unit_value_minor, credit_line_points, contract_id, suspended, exited)"
            " select %s, * from unnest(%s::uuid[], %s::text[], %s::bigint[], %s::bigint[], %s::uuid[], %s::boolean[],"
            " %s::boolean[])"
            " on conflict (merchant_id) do update set mode = excluded.mode, unit_value_minor = excluded.unit_value_minor,"
            " credit_line_points = excluded.credit_line_points, contract_id = excluded.contract_id,"
            " suspended = excluded.suspended, exited = excluded.exited where i.book_id = excluded.book_id",
            [
                book_id,
                uuids(i.merchant_id for i in issuers),
                texts(i.mode for i in issuers),
                bigints(i.unit_value for i in issuers),
                bigints(i.credit_line for i in issuers),
                uuids(i.contract_id for i in issuers),
                booleans(i.suspended for i in issuers),
                booleans(i.exited for i in issuers),
            ],
        )


def owing_lots(tx: Tx, book_id: int, issuer_id: UUID) -> list[tuple[str, int, int]]:
    """(funding, unit value, points) of an issuer's points that its members have and no money stands for yet."""
    return tx.execute(
        "select funding, unit_value_minor, sum(pending + remaining + held)::bigint from ledger.lot"
        " where book_id = %s and issuer_id = %s and funding <> 'prefunded' group by 1, 2"
        " having sum(pending + remaining + held) > 0 order by 1, 2",
        [book_id, issuer_id],
    ).fetchall()


def make_prefunded(tx: Tx, book_id: int, issuer_id: UUID) -> None:
    """Every lot of an issuer is one that money stands for from here on; the book's lock is held exclusively."""
    tx.execute(
        "update ledger.lot set funding = 'prefunded' where book_id = %s and issuer_id = %s and funding <> 'prefunded'",
        [book_id, issuer_id],
    )


def put_rules(tx: Tx, book_id: int, face_value_minor: int, points_life_days: int, inactivity_days: int | None) -> None:
    """Write the network's rules that come into force; the book's lock is held exclusively."""
    tx.execute(
        "update ledger.book set face_value_minor = %s, points_life_days = %s, inactivity_days = %s where id = %s",
        [face_value_minor, points_life_days, inactivity_days, book_id],
    )


def raise_settings_revision(tx: Tx, book_id: int) -> None:
    """Tell every process that what it remembers of the book's merchants, branches, contracts or terms is old."""
    tx.execute("update ledger.book set settings_revision = settings_revision + 1 where id = %s", [book_id])


def suspend_issuer(tx: Tx, book_id: int, merchant_id: UUID, suspended: bool) -> None:
    """Keep what the ledger knows of a merchant in step. Raise the settings revision with it."""
    tx.execute(
        "update ledger.issuer set suspended = %s where book_id = %s and merchant_id = %s",
        [suspended, book_id, merchant_id],
    )


def stop_book(tx: Tx, book_id: int, stopped: bool) -> None:
    """Turn the kill switch. Every posting reads it under the book's lock, which the caller holds alone."""
    tx.execute("update ledger.book set stopped = %s where id = %s", [stopped, book_id])
