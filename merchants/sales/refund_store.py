"""SQL of refunds: what is there to refund, locked, and what refunds leave of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import ledger
from ledger import Tx
from merchants.sales import schema, store
from merchants.sales.store import Reference


@dataclass(slots=True)
class Refundable:
    """A sale or a redemption as its refunds find it. What they took is added up here while a batch is decided."""

    id: UUID
    merchant_id: UUID
    member_id: UUID | None
    contract_id: UUID
    # the record that a refund answers: the sale, or the capture; None while a redemption is not captured
    record_id: UUID | None
    fee_ppm: int
    # what can be refunded in all: minor units of the money part, or points
    whole: int
    refunded: int
    # of a sale: the lots it earned, the shop's own first
    lots: list["Earned"] = field(default_factory=list)

    @property
    def taken_back(self) -> int:
        return sum(lot.taken_back for lot in self.lots)


@dataclass(slots=True)
class Earned:
    """A lot of a sale as the sale's refunds find it: what they took back of it and what of that they got."""

    lot_id: UUID
    issuer_id: UUID
    points: int
    # the sponsorship or the offer that gave it; None: the shop's own
    giver_id: UUID | None = None
    taken_back: int = 0
    returned: int = 0


@dataclass(frozen=True, slots=True)
class RefundRow:
    id: UUID
    merchant_id: UUID
    sale_id: UUID | None
    redemption_id: UUID | None
    external_reference: str
    occurred_at: datetime | None
    at: datetime
    amount_minor: int
    points: int
    owed_points: int
    lines: list[dict[str, Any]]
    n: int


_REFUND: Final = store.rows(schema.refund, RefundRow, "book_id", "batch_id")


def known_refunds(tx: Tx, references: Sequence[Reference]) -> Callable[[], dict[Reference, UUID]]:
    return store.known(tx, "refund", references)


def refundable_sales(tx: Tx, book_id: int, ids: set[UUID]) -> dict[UUID, Refundable]:
    """Sales to refund, locked: two refunds of one sale are decided one after the other. To be asked before wallets."""
    if not ids:
        return {}
    rows = tx.execute(
        "select s.id, s.merchant_id, s.member_id, s.contract_id, r.id, (r.payload ->> 'purchase_fee_ppm')::int,"
        " s.money_minor, s.refunded_minor, s.points_earned, (r.payload -> 'lots' -> 0 ->> 'lot')::uuid,"
        " s.points_taken_back from merchants.sale s join ledger.record r on r.batch_id = s.batch_id and r.n = s.n"
        " where s.book_id = %s and s.id = any(%s::uuid[]) order by s.id for no key update of s",
        [book_id, ledger.array(ids)],
    )
    found = {row[0]: (Refundable(*row[:8]), row[8:]) for row in rows}
    # after the lock, so that what was refunded while this batch waited is seen
    bonuses: dict[UUID, list[Earned]] = {}
    for sale, *facts in tx.execute(
        "select sale_id, lot_id, issuer_id, points, giver_id, taken_back, returned from merchants.bonus"
        " where sale_id = any(%s::uuid[]) order by sale_id, giver_id",
        [ledger.array(ids)],
    ):
        bonuses.setdefault(sale, []).append(Earned(*facts))
    owed = dict(
        tx.execute(
            "select sale_id, sum(owed_points)::bigint from merchants.refund where sale_id = any(%s::uuid[]) group by 1",
            [ledger.array(ids)],
        ).fetchall()
    )
    for sale, (points, first_lot, taken_back) in found.values():
        others = bonuses.get(sale.id, [])
        own = points - sum(lot.points for lot in others)
        if own:
            # the shop's own lot is the first that the sale's record tells, and what no bonus accounts for is its share
            taken = taken_back - sum(lot.taken_back for lot in others)
            owed_by_own = owed.get(sale.id, 0) - sum(lot.taken_back - lot.returned for lot in others)
            sale.lots.append(Earned(first_lot, sale.merchant_id, own, taken_back=taken, returned=taken - owed_by_own))
        sale.lots += others
    return {id: sale for id, (sale, _) in found.items()}


def refundable_redemptions(tx: Tx, book_id: int, ids: set[UUID]) -> dict[UUID, Refundable]:
    """Redemptions to refund or to pay for sales with, locked: one knows of the other. To be asked before wallets.

    Their captures are told by `captures`.
    """
    if not ids:
        return {}
    rows = tx.execute(
        "select d.id, d.merchant_id, d.member_id, d.contract_id, d.points, d.refunded_points from merchants.redemption d"
        " where d.book_id = %s and d.id = any(%s::uuid[]) order by d.id for no key update",
        [book_id, ledger.array(ids)],
    )
    return {
        id: Refundable(id, merchant, member, contract, None, 0, points, refunded)
        for id, merchant, member, contract, points, refunded in rows
    }


def add_refunds(tx: Tx, book_id: int, batch_id: int, rows: Sequence[RefundRow], refunded: Sequence[Refundable]) -> None:
    """Write refunds and what they left of the sales and redemptions they are of."""
    if not rows:
        return
    _REFUND(tx, rows, book_id, batch_id)
    changed = [ledger.array(r.id for r in refunded), ledger.array(r.refunded for r in refunded)]
    tx.execute(
        "update merchants.sale s set refunded_minor = new.refunded, points_taken_back = new.taken_back"
        " from unnest(%s::uuid[], %s::bigint[], %s::bigint[]) as new(id, refunded, taken_back) where s.id = new.id",
        [*changed, ledger.array(r.taken_back for r in refunded)],
    )
    if bonuses := [(r.id, lot) for r in refunded for lot in r.lots if lot.giver_id is not None]:
        tx.execute(
            "update merchants.bonus b set taken_back = new.taken_back, returned = new.returned"
            " from unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[])"
            " as new(sale_id, giver_id, taken_back, returned)"
            " where b.sale_id = new.sale_id and b.giver_id = new.giver_id",
            [
                ledger.array(sale for sale, _ in bonuses),
                ledger.array(lot.giver_id for _, lot in bonuses),
                ledger.array(lot.taken_back for _, lot in bonuses),
                ledger.array(lot.returned for _, lot in bonuses),
            ],
        )
    tx.execute(
        "update merchants.redemption d set refunded_points = new.refunded"
        " from unnest(%s::uuid[], %s::bigint[]) as new(id, refunded) where d.id = new.id",
        changed,
    )
