"""What members and shops have: contracts, lots, sales, holds, debts, items. All go by name."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from deploy.simulate.plain.words import (
    BEGINNING,
)


@dataclass(frozen=True, slots=True)
class Contract:
    mode: str
    line: int
    purchase_fee: int
    redemption_fee: int
    hold_minutes: int
    life_days: int | None
    unit: int
    maturity_days: int = 0

    def at(self, face_value: int) -> "Contract":
        """As it is when it comes into force at a face value: closed-loop points are worth what their shop says."""
        return self if self.mode == "closed_loop" else replace(self, unit=face_value)


@dataclass(frozen=True, slots=True)
class Rules:
    face_value: int
    life_days: int
    inactivity_days: int | None


@dataclass(frozen=True, slots=True)
class Terms:
    points: int
    per: int
    least: int
    most: int | None

    def give(self, money: int) -> int:
        """The points for money; none below the least sale that earns."""
        points = money * self.points // self.per if money >= self.least else 0
        return points if self.most is None else min(points, self.most)


@dataclass(eq=False)
class Shop:
    """Or a sponsor, which has no till."""

    name: str
    state: str = "active"
    contract: Contract | None = None
    # agreed on, and in force when the open window closes
    agreed: Contract | None = None
    terms: Terms | None = None


@dataclass(eq=False)
class Sponsorship:
    """Goes by the name of the operation that opened it. At no shop in particular: at all."""

    name: str
    sponsor: str
    shops: tuple[str, ...] | None
    rules: Terms
    begins: datetime
    ends: datetime | None
    step: int
    ended: bool = False

    @property
    def budget(self) -> str:
        """The account of what is set aside for it."""
        return f"budget:{self.sponsor}:{self.name}"

    def at(self, shop: str) -> bool:
        return self.shops is None or shop in self.shops

    def over(self, now: datetime) -> bool:
        return self.ends is not None and self.ends <= now


@dataclass(eq=False)
class Lot:
    """Goes by the name of its sale, and of the sponsorship it is of; or by that of the gift it came with."""

    name: str
    sale: str
    member: str
    issuer: str
    funding: str
    unit: int
    points: int
    earned: datetime
    available: datetime
    expires: datetime
    born: int
    parent: "Lot | None" = None
    wallet: int = 0
    pending: int = 0
    held: int = 0
    home: int = 0
    graced: bool = False
    #: Nothing of it was open as it was bought out.
    bought_spent: bool = False

    @property
    def order(self) -> tuple[datetime, int]:
        return (self.expires, self.born)

    @property
    def holders_before(self) -> list[str]:
        """Who held the points before they were given, the last first."""
        return [self.parent.member, *self.parent.holders_before] if self.parent else []


Slices = list[tuple[Lot, int]]

#: The step, and how many of its operations had a batch of their own before and on both sides.
Batch = tuple[int, int]


@dataclass(eq=False)
class Earned:
    """A lot of a sale, and what refunds took back of it: of that, what was returned is not owed."""

    lot: Lot
    taken: int = 0
    returned: int = 0


class Bonus(NamedTuple):
    """What a sponsorship gave at a sale, or why its points were not issued."""

    sponsorship: Sponsorship
    lot: Lot | None
    refused: str | None


@dataclass(eq=False)
class Sale:
    name: str
    shop: str
    member: str | None
    money: int
    # all of them, sponsors' too
    points: int
    fee: int
    step: int
    # the shop's own, and why there are none
    lot: Lot | None = None
    refused: str | None = None
    bonuses: list[Bonus] = field(default_factory=list)
    # the shop's own first
    earned: list[Earned] = field(default_factory=list)
    refunded: int = 0

    @property
    def taken(self) -> int:
        return sum(part.taken for part in self.earned)


@dataclass(eq=False)
class Hold:
    name: str
    shop: str
    member: str
    slices: Slices
    deadline: datetime
    step: int
    state: str = "open"
    # another of the household, who consented
    by: str | None = None
    at: datetime = BEGINNING
    # the redemption fee at its capture
    fee: int = 0
    refunded: int = 0
    paid_a_sale: bool = False
    # the window of its capture
    window: int = 0
    # of a voucher: what was spent of it
    spent: int | None = None
    # the batches in which it was made, was refunded so much, and ended
    batch: "Batch" = (-1, 0)
    refunds: list[tuple["Batch", int]] = field(default_factory=list)
    ended: "Batch" = (-1, 0)

    @property
    def used(self) -> Slices:
        """The slices it takes: all, or the first of a voucher that is spent in part."""
        return self.slices if self.spent is None else first(self.slices, self.spent)

    @property
    def points(self) -> int:
        return sum(part for _, part in self.used)

    @property
    def value(self) -> int:
        return worth(self.used)


@dataclass(eq=False)
class Asked:
    """What a shop asks a member to approve; approved, it is a hold of the same name as well."""

    name: str
    shop: str
    member: str
    points: int | None
    value: int | None
    capture: bool
    reference: str
    at: datetime
    deadline: datetime
    step: int
    state: str = "awaiting"
    # the batches in which it was asked, and ended
    batch: "Batch" = (-1, 0)
    ended: "Batch" = (-1, 0)


class Limit(NamedTuple):
    """At most so much of something by one subject, a member, a merchant or a key of it, in so many minutes."""

    subject: str
    what: str
    minutes: int
    most: int

    @property
    def step(self) -> int:
        """Minutes that are counted together: a sixtieth of the time, at least one."""
        return max(1, -(-self.minutes // 60))


@dataclass(frozen=True, slots=True)
class GiftRules:
    points_a_day: int = 10_000
    gifts_a_day: int = 10
    received_a_day: int = 20_000


@dataclass(eq=False)
class GiftDay:
    given: int = 0
    gifts: int = 0
    received: int = 0
    missed: int = 0


@dataclass(eq=False)
class Debt:
    member: str
    shop: str
    sale: str
    closed: bool
    points: int
    left: int


@dataclass(eq=False)
class Item:
    """Points of a lot that a shop accepted, or gave back: what the window it falls in settles."""

    window: int
    lot: Lot
    shop: str
    # the lot's when it was accepted: a buy-out changes nothing of that
    funding: str
    points: int
    value: int
    fee: int


def first(slices: Slices, points: int) -> Slices:
    """The first points of slices, in their order."""
    one_by_one = [lot for lot, part in slices for _ in range(part)]
    return list(Counter(one_by_one[:points]).items())


def worth(slices: Iterable[tuple[Lot, int]]) -> int:
    return sum(lot.unit * part for lot, part in slices)
