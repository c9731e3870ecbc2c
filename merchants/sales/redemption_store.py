"""SQL of redemptions: those there are, what they paid for and took from whom, and new ones."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

import ledger
from ledger import Tx
from merchants.sales import schema, store
from merchants.sales.store import Reference


class RedemptionRow(Struct, frozen=True):
    id: UUID
    merchant_id: UUID
    branch_id: UUID
    till_id: UUID | None
    member_id: UUID
    external_reference: str
    occurred_at: datetime | None
    at: datetime
    points: int
    value_minor: int
    consent: str
    contract_id: UUID
    n: int
    # the member of the household who consented, when not the wallet's owner
    consented_by: UUID | None = None


_REDEMPTION: Final = store.rows(schema.redemption, RedemptionRow, "book_id", "batch_id")


def known_redemptions(
    tx: Tx, references: Sequence[Reference], *, even_asked: bool = True
) -> Callable[[], dict[Reference, UUID]]:
    """Redemptions that already bear one of the references; with `even_asked` those that a member was asked to approve too.

    Asked for and redeemed with a code at the same moment, one reference is of both: it names what took the points.
    """
    return store.known(tx, "redemption", references, *(("approval",) if even_asked else ()))


def redemptions(tx: Tx, book_id: int, ids: set[UUID]) -> dict[UUID, RedemptionRow]:
    if not ids:
        return {}
    rows = tx.execute(
        "select id, merchant_id, branch_id, till_id, member_id, external_reference, occurred_at, at, points, value_minor,"
        " consent, contract_id, n, consented_by from merchants.redemption where book_id = %s and id = any(%s::uuid[])",
        [book_id, ledger.array(ids)],
    )
    return {row[0]: RedemptionRow(*row) for row in rows}


def redemptions_spent(tx: Tx, ids: set[UUID]) -> set[UUID]:
    """Those of the redemptions that a sale already counts as its payment."""
    if not ids:
        return set()
    rows = tx.execute(
        "select redemption_id from merchants.sale where redemption_id = any(%s::uuid[])", [ledger.array(ids)]
    )
    return {row[0] for row in rows}


def spent_for_others(tx: Tx, book: ledger.Book, owners: set[UUID]) -> dict[tuple[UUID, UUID], int]:
    """Points that others spent this month from the wallets of `owners`, by (owner, spender); what came back left out.

    Exact where the households are locked: nobody spends for another without that.
    """
    if not owners:
        return {}
    rows = tx.execute(
        "select d.member_id, d.consented_by, sum(d.points - d.refunded_points)::bigint"
        " from merchants.redemption d join ledger.hold h on h.id = d.id"
        " where d.member_id = any(%s::uuid[]) and d.consented_by is not null and h.state in ('open', 'captured')"
        " and d.at >= date_trunc('month', %s::timestamptz at time zone %s) at time zone %s group by 1, 2",
        [ledger.array(owners), book.now, book.time_zone, book.time_zone],
    )
    return {(owner, spender): points for owner, spender, points in rows}


def captures(tx: Tx, ids: Sequence[UUID]) -> list[tuple[UUID, UUID, UUID, int]]:
    """(redemption, record, contract, fee rate) of the captures of redemptions. Found among their member's records."""
    if not ids:
        return []
    return tx.execute(
        "select d.id, r.id, (r.payload ->> 'contract')::uuid, (r.payload ->> 'redemption_fee_ppm')::int"
        " from merchants.redemption d, lateral (select id, payload from ledger.record r where r.member_id = d.member_id"
        " and r.batch_id >= d.batch_id and r.kind = 'capture' and r.subject_id = d.id limit 1) as r"
        " where d.id = any(%s::uuid[])",
        [ledger.array(ids)],
    ).fetchall()


def add_redemptions(tx: Tx, book_id: int, batch_id: int, rows: Sequence[RedemptionRow]) -> None:
    _REDEMPTION(tx, rows, book_id, batch_id)
