"""Lots: which points go first, and what a slice is worth. Pure."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ledger.values import Minor, Points


class Lot:
    """The points of one earn, as a posting holds them."""

    __slots__ = (
        "available_at",
        "batch_id",
        "contract_id",
        "earned_at",
        "expires_at",
        "funding",
        "grace_used",
        "held",
        "id",
        "issuer_id",
        "loaded",
        "member_id",
        "n",
        "parent_id",
        "pending",
        "points",
        "remaining",
        "returned",
        "rule_id",
        "sale_id",
        "unit_value",
    )

    def __init__(
        self,
        id: UUID,
        member_id: UUID,
        issuer_id: UUID,
        batch_id: int,
        n: int,
        unit_value: int,
        funding: str,
        contract_id: UUID,
        points: int,
        pending: int,
        remaining: int,
        held: int,
        earned_at: datetime,
        available_at: datetime,
        expires_at: datetime,
        rule_id: UUID | None = None,
        sale_id: UUID | None = None,
        parent_id: UUID | None = None,
        grace_used: bool = False,
        returned: int = 0,
        stored: bool = True,
    ) -> None:
        self.id = id
        self.member_id = member_id
        self.issuer_id = issuer_id
        self.batch_id = batch_id
        self.n = n
        self.unit_value = unit_value
        self.funding = funding
        self.contract_id = contract_id
        self.points = points
        self.pending = pending
        self.remaining = remaining
        self.held = held
        self.earned_at = earned_at
        self.available_at = available_at
        self.expires_at = expires_at
        self.rule_id = rule_id
        self.sale_id = sale_id
        self.parent_id = parent_id
        self.grace_used = grace_used
        #: points that went home again, expired or taken back by a refund
        self.returned = returned
        #: what the table holds, to write only what changed; None for a lot born in this batch
        self.loaded = (pending, remaining, held, available_at, expires_at, grace_used, returned) if stored else None

    @property
    def state(self) -> tuple[int, int, int, datetime, datetime, bool, int]:
        return (
            self.pending,
            self.remaining,
            self.held,
            self.available_at,
            self.expires_at,
            self.grace_used,
            self.returned,
        )

    @property
    def order(self) -> tuple[datetime, int, int, UUID]:
        """Soonest expiry first, then the order of the ledger."""
        return (self.expires_at, self.batch_id, self.n, self.id)

    @property
    def born(self) -> dict[str, object]:
        """The facts of the lot as its record tells them: with these a stranger rebuilds it."""
        # a lot of an earn begins with its record and without grace; one that was given had both before
        had = {"earned_at": self.earned_at, "grace_used": self.grace_used} if self.parent_id else {}
        return {
            "lot": self.id,
            "issuer": self.issuer_id,
            "unit_value_minor": self.unit_value,
            "funding": self.funding,
            "contract": self.contract_id,
            "rule": self.rule_id,
            "sale": self.sale_id,
            "parent": self.parent_id,
            "points": self.points,
            "available_at": self.available_at,
            "expires_at": self.expires_at,
            **had,
        }


class Slice(NamedTuple):
    """Some points of one lot."""

    lot: Lot
    points: Points

    @property
    def value(self) -> Minor:
        """What the slice is worth at any till, and what its issuer owes for it."""
        return Minor(self.lot.unit_value * self.points)

    @property
    def told(self) -> dict[str, object]:
        """The slice as a record tells it."""
        return {
            "lot": self.lot.id,
            "issuer": self.lot.issuer_id,
            "funding": self.lot.funding,
            "unit_value_minor": self.lot.unit_value,
            "points": self.points,
        }


def spendable(lots: Iterable[Lot], now: datetime, accepted: Callable[[Lot], bool]) -> list[Lot]:
    """The lots a shop may take from, in the order they go."""
    usable = [lot for lot in lots if lot.remaining > 0 and lot.expires_at > now and accepted(lot)]
    usable.sort(key=lambda lot: lot.order)
    return usable


def take(lots: Iterable[Lot], points: int) -> list[Slice]:
    """Slices of `lots`, in their order, that make up `points`; together fewer when the lots hold fewer."""
    slices: list[Slice] = []
    for lot in lots:
        if points <= 0:
            break
        part = min(points, lot.remaining)
        slices.append(Slice(lot, Points(part)))
        points -= part
    return slices


def take_value(lots: Iterable[Lot], value: int) -> list[Slice]:
    """Slices worth at most `value` minor units: whole points only, never a point more than the value pays for."""
    slices: list[Slice] = []
    for lot in lots:
        part = min(lot.remaining, value // lot.unit_value)
        if part > 0:
            slices.append(Slice(lot, Points(part)))
            value -= part * lot.unit_value
    return slices


def first(slices: Iterable[Slice], points: int) -> list[Slice]:
    """The slices of a hold that a capture of `points` takes: the first ones, in their order."""
    taken: list[Slice] = []
    for lot, part in slices:
        if (part := Points(min(part, points))) > 0:
            taken.append(Slice(lot, part))
            points -= part
    return taken


def last_first(slices: Iterable[Slice], before: int, points: int) -> list[Slice]:
    """The slices of a redemption that a refund of `points` restores: the last consumed first, `before` of them are back."""
    restored: list[Slice] = []
    for lot, part in reversed(list(slices)):
        skipped = min(before, part)
        back = min(part - skipped, points)
        before -= skipped
        points -= back
        if back:
            restored.append(Slice(lot, Points(back)))
    return restored


def points_back(points: int, money: int, refunded: int, before: int) -> Points:
    """What a refund of a sale takes back: floor(points x refunded / money), less what refunds `before` it took.

    `refunded` is the whole that is refunded with this refund. However a refund is sliced, the end is the same.
    """
    assert 0 <= refunded <= money, (refunded, money)
    return Points(points * refunded // money - before)


class TakenBack(NamedTuple):
    """Where the points that a refund takes back come from."""

    pending: int
    wallet: int
    # went home by expiry before: they count as returned
    expired: int
    # spent, held or given away: owed
    owed: int

    @property
    def returned(self) -> int:
        return self.pending + self.wallet + self.expired


def take_back(lot: Lot, points: int, returned_before: int) -> TakenBack:
    """Points of a sale's lot: pending, then the wallet's, then expired ones that no refund counted, and the rest owed.

    `returned_before` is what earlier refunds of the sale got back, counted expired points included.
    """
    pending = min(points, lot.pending)
    wallet = min(points - pending, lot.remaining)
    expired = min(points - pending - wallet, lot.returned - returned_before)
    return TakenBack(pending, wallet, expired, points - pending - wallet - expired)


def worth(slices: Iterable[Slice]) -> Minor:
    return Minor(sum(s.value for s in slices))
