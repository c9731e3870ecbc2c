"""Spending: which points of a wallet go, and whether a shop takes them at all. Pure: no SQL, no clock but the batch's."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from ledger import Lot, Minor, Points, Refusal, Slice, Working, spendable, take, take_value
from ledger.errors import InsufficientPoints, LimitExceeded, SpendLocked, StateConflict, Suspended
from merchants import contracts, people
from merchants.trade.known import Known

#: Lots that one redemption, voucher or gift may take from: a record numbers what it moves, two moves a lot, in two bytes.
MOST_LOTS: Final = 10_000


def usable(lots: Iterable[Lot], now: datetime, shop: UUID | None = None) -> list[Lot]:
    """The lots that a shop may take from, soonest expiry first; without a shop, all that are alive.

    Closed-loop points are good at their own shop only; all others everywhere.
    """
    return spendable(lots, now, lambda lot: shop is None or lot.funding != "closed_loop" or lot.issuer_id == shop)


def of_points(member_id: UUID, points: Points, working: Working, shop: UUID | None = None) -> list[Slice] | Refusal:
    """The slices that `points` of a wallet are, or that there are not so many to spend here."""
    lots = _there(member_id, working, shop)
    there = Points(sum(lot.remaining for lot in lots))
    return InsufficientPoints(points, there) if points > there else _told(take(lots, points))


def of_value(member_id: UUID, value: Minor, working: Working, shop: UUID) -> list[Slice] | Refusal:
    """The slices of a wallet that `value` pays for, never a point more, or that there is less to spend here."""
    lots = _there(member_id, working, shop)
    slices = take_value(lots, value)
    if not slices or sum(lot.remaining * lot.unit_value for lot in lots) < value:
        there = Points(sum(lot.remaining for lot in lots))
        return InsufficientPoints(Points(-(-value // working.book.face_value_minor)), there)
    return _told(slices)


def _told(slices: list[Slice]) -> list[Slice] | Refusal:
    """The slices, if one record can tell of them; who has so many lots spends them a part at a time."""
    return LimitExceeded("lots", MOST_LOTS, len(slices)) if len(slices) > MOST_LOTS else slices


def _there(member_id: UUID, working: Working, shop: UUID | None) -> list[Lot]:
    """What is in a wallet to spend, once what its points went through meanwhile is posted."""
    working.catch_up(member_id)
    return usable(working.lots_of[member_id], working.now, shop)


def taken_under(merchant_id: UUID, member: people.Member, known: Known) -> contracts.Contract | Refusal:
    """The contract under which a shop takes new points of a member, or why it takes none: the shop's reasons first."""
    contract = known.network.contract(merchant_id)
    if contract is None:
        return StateConflict("merchant", "without a contract")
    merchant = known.network.merchant(merchant_id)
    if merchant is None or merchant.state != "active":
        return Suspended()
    if (by := member.locked_by) is not None:
        return SpendLocked(by)
    if member.kind not in contract.spends_for:
        return StateConflict("member", f"a {member.kind} person, whose points this shop does not take")
    return contract
