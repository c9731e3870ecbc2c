"""Refunding: what a refund takes back and what it restores. Pure: no SQL, no clock but the batch's.

Each function checks in a fixed order, which the refusals' documentation follows; below its mark nothing may refuse. A
suspended shop refunds like any other: the money and the points are its customers'.
"""

from dataclasses import dataclass

from ledger import (
    Accepted,
    Decision,
    Lot,
    Minor,
    Points,
    TakenBack,
    Working,
    ids,
    last_first,
    points_back,
    take_back,
    worth,
)
from ledger.errors import DuplicateReference, RefundExceeds, Stale, StateConflict
from merchants import sales
from merchants.trade.commands import (
    RedemptionRefund,
    RedemptionRefundDone,
    SaleRefund,
    SaleRefundDone,
    SliceDone,
    TakenDone,
)
from merchants.trade.known import Known, absent, available, state_told
from merchants.trade.selling import line_told


def sale_refund(command: SaleRefund, actor: str, known: Known, working: Working) -> Decision:
    """Refund some of a sale's money part and take back its share of the points. What is not to be had is owed."""
    if (sale := known.refund_of(command)) is None:
        return absent("sale", command.sale)
    if (existing := known.refunded.get((command.merchant_id, command.external_reference))) is not None:
        return DuplicateReference(ids.show("refund", existing))
    if command.amount > sale.whole - sale.refunded:
        return RefundExceeds("/amount/amount", command.amount, sale.whole - sale.refunded)
    # nothing below may refuse
    assert sale.record_id is not None, sale.id
    if sale.member_id is not None and sale.lots:
        working.catch_up(sale.member_id)
    id = ids.new()
    sale.refunded += command.amount
    parts = [_part(earned, sale, working) for earned in sale.lots]
    points, owed = sum(part.done.points for part in parts), sum(part.done.owed for part in parts)
    returned = points - owed
    draft = working.record(
        "refund",
        actor,
        merchant=command.merchant_id,
        member=sale.member_id,
        subject=sale.id,
        reverses=sale.record_id,
        payload={
            "refund": id,
            "sale": sale.id,
            "amount_minor": command.amount,
            "points": points,
            "returned": returned,
            "expired": sum(part.taken.expired for part in parts),
            "owed": owed,
            "parts": [part.told for part in parts],
            "contract": sale.contract_id,
            "purchase_fee_ppm": sale.fee_ppm,
        },
    )
    if sale.member_id is not None:
        pair = sale.member_id, sale.merchant_id
        known.pasts.refunded(sale.id, pair, command.amount, whole=sale.refunded == sale.whole)
    for part in parts:
        working.take_back(draft, part.lot, part.taken, sale.id)
        part.earned.taken_back += part.done.points
        part.earned.returned += part.done.returned
    row = sales.RefundRow(
        id=id,
        merchant_id=command.merchant_id,
        sale_id=sale.id,
        redemption_id=None,
        external_reference=command.external_reference,
        occurred_at=command.occurred_at,
        at=working.now,
        amount_minor=command.amount,
        points=points,
        owed_points=owed,
        lines=[line_told(line) for line in command.lines],
        n=draft.n,
    )
    _keep(row, known)
    return Accepted(
        SaleRefundDone(
            id=id,
            record_id=draft.id,
            sale_id=sale.id,
            command=command,
            member_id=sale.member_id,
            at=working.now,
            left=Minor(sale.whole - sale.refunded),
            points=Points(points),
            returned=Points(returned),
            owed=Points(owed),
            available=available(working, sale.member_id) if sale.member_id else None,
            parts=tuple(part.done for part in parts),
        )
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """What a refund does to one lot of its sale."""

    earned: sales.Earned
    lot: Lot
    taken: TakenBack
    done: TakenDone

    @property
    def told(self) -> dict[str, object]:
        return {
            "lot": self.done.lot_id,
            "issuer": self.done.issuer_id,
            "points": self.done.points,
            "returned": self.done.returned,
            "expired": self.taken.expired,
            "owed": self.done.owed,
        }


def _part(earned: sales.Earned, sale: sales.Refundable, working: Working) -> _Part:
    """Each lot gives back its own share, rounded down by itself, and the rest is owed to its own issuer."""
    lot = working.lot(earned.lot_id)
    assert lot is not None, earned.lot_id
    points = points_back(earned.points, sale.whole, sale.refunded, earned.taken_back)
    taken = take_back(lot, points, earned.returned)
    done = TakenDone(lot.id, lot.issuer_id, points, Points(taken.returned), Points(taken.owed))
    return _Part(earned, lot, taken, done)


def redemption_refund(command: RedemptionRefund, actor: str, known: Known, working: Working) -> Decision:
    """Give points of a captured redemption back, the last consumed first, to the very lots they came from."""
    if (row := known.refund_of(command)) is None:
        return absent("redemption", command.redemption)
    if (existing := known.refunded.get((command.merchant_id, command.external_reference))) is not None:
        return DuplicateReference(ids.show("refund", existing))
    hold = working.holds[row.id]
    if hold.state != "captured":
        return StateConflict("redemption", state_told(hold))
    left = row.whole - row.refunded
    points = left if command.points is None else command.points
    if not 0 < points <= left:
        return RefundExceeds("/points", points or row.whole, left)
    if row.id not in known.captures:
        raise Stale("the redemption was captured while this was read")
    # nothing below may refuse
    working.catch_up(hold.member_id)
    capture_id, contract_id, fee_ppm = known.captures[row.id]
    # what a capture in part left to its member lies behind what it took
    slices = last_first(hold.slices, hold.points - row.whole + row.refunded, points)
    id = ids.new()
    draft = working.record(
        "redemption_refund",
        actor,
        merchant=command.merchant_id,
        member=hold.member_id,
        subject=row.id,
        reverses=capture_id,
        payload={
            "refund": id,
            "points": points,
            "value_minor": worth(slices),
            "contract": contract_id,
            "redemption_fee_ppm": fee_ppm,
            "slices": [s.told for s in slices],
        },
    )
    working.restore(draft, hold, slices)
    row.refunded += points
    _keep(
        sales.RefundRow(
            id=id,
            merchant_id=command.merchant_id,
            sale_id=None,
            redemption_id=row.id,
            external_reference=command.external_reference,
            occurred_at=None,
            at=working.now,
            amount_minor=worth(slices),
            points=points,
            owed_points=0,
            lines=[],
            n=draft.n,
        ),
        known,
    )
    return Accepted(
        RedemptionRefundDone(
            id=id,
            record_id=draft.id,
            redemption_id=row.id,
            command=command,
            member_id=hold.member_id,
            at=working.now,
            points=Points(points),
            left=Points(row.whole - row.refunded),
            value=worth(slices),
            slices=tuple(SliceDone(s.lot.id, s.lot.issuer_id, s.points, s.value) for s in slices),
            available=available(working, hold.member_id),
        )
    )


def _keep(row: sales.RefundRow, known: Known) -> None:
    known.refunded[row.merchant_id, row.external_reference] = row.id
    known.new_refunds.append(row)
