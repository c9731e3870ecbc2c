"""The SQL of what became of points: lots as they are, refunds' parts, spends by record. Reads only, members page by page."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import ledger
from ledger import Tx


class Lot(NamedTuple):
    """`left`: pending, in the wallet or held. `home`: expired, or taken back by refunds."""

    left: int
    home: int


class Spend(NamedTuple):
    """Points of a lot that a merchant accepted; below zero where it gave them back."""

    member: UUID
    acceptor: UUID
    lot: UUID
    issuer: UUID
    unit_value_minor: int
    points: int


def read_only(tx: Tx, seconds: int) -> None:
    """One picture, nothing written, and a limit to each statement. To be called first."""
    tx.execute("set transaction isolation level repeatable read, read only")
    tx.execute("select set_config('statement_timeout', %s, true)", [f"{seconds}s"])


def count(tx: Tx, book: ledger.Book) -> int:
    row = tx.execute("select count(*) from merchants.member where book_id = %s", [book.id]).fetchone()
    assert row is not None
    return int(row[0])


def members(tx: Tx, book: ledger.Book, after: UUID | None, limit: int) -> dict[UUID, str]:
    """The next members by id, each with its kind."""
    rows = tx.execute(
        "select id, kind from merchants.member where book_id = %s and (%s::uuid is null or id > %s) order by id limit %s",
        [book.id, after, after, limit],
    )
    return dict(rows.fetchall())


def lots(tx: Tx, ids: Collection[UUID]) -> dict[UUID, Lot]:
    rows = tx.execute(
        "select id, pending + remaining + held, returned from ledger.lot where id = any(%s::uuid[])",
        [ledger.array(ids)],
    )
    return {id: Lot(left, home) for id, left, home in rows}


def got_back(tx: Tx, sales: Collection[UUID]) -> dict[UUID, int]:
    """By lot, what refunds of these sales got of it. What had expired by then they count, and did not get."""
    rows = tx.execute(
        "select part.lot, sum(part.returned - part.expired)::bigint from merchants.refund f"
        " join ledger.record r on r.batch_id = f.batch_id and r.n = f.n"
        " cross join lateral jsonb_to_recordset(r.payload -> 'parts') as part(lot uuid, returned bigint, expired bigint)"
        " where f.sale_id = any(%s::uuid[]) group by 1",
        [ledger.array(sales)],
    )
    return dict(rows.fetchall())


def spends(tx: Tx, book: ledger.Book, members: Sequence[UUID], since: datetime) -> Iterator[Spend]:
    """What was accepted of these members' points since then, slice by slice; a debt repaid is accepted by its creditor."""
    rows = tx.execute(
        "select r.member_id, r.merchant_id, s.lot, s.issuer, s.unit_value_minor,"
        " case when r.kind = 'redemption_refund' then -s.points else s.points end from ledger.record r"
        " cross join lateral jsonb_to_recordset(r.payload -> 'slices')"
        " as s(lot uuid, issuer uuid, unit_value_minor bigint, points bigint)"
        " where r.member_id = any(%s::uuid[]) and r.book_id = %s and r.at >= %s"
        " and r.kind in ('capture', 'redemption_refund', 'repayment')",
        [ledger.array(members), book.id, since],
    )
    return (Spend(*row) for row in rows)


def ended(tx: Tx, book: ledger.Book, since: datetime, until: datetime) -> dict[UUID, tuple[int, int]]:
    """By issuer: points whose time ended in a period, and how many of them had expired (less what refunds took)."""
    rows = tx.execute(
        "select l.issuer_id, coalesce(sum(l.points) filter (where l.parent_id is null), 0)::bigint,"
        " sum(greatest(0, l.returned - coalesce(s.points_taken_back, 0)))::bigint from ledger.lot l"
        " left join merchants.sale s on s.id = l.sale_id and l.parent_id is null and s.merchant_id = l.issuer_id"
        " where l.book_id = %s and l.expires_at >= %s and l.expires_at < %s group by 1",
        [book.id, since, until],
    )
    return {issuer: (points, min(points, expired)) for issuer, points, expired in rows}
