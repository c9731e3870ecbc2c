"""What an offer gives: who pays for it, how much at most, how often, and whether a member has to ask for it first. Pure.

An offer that gives has a budget, an account that points are moved into before any sale earns them. A gift is whole or not at
all: what would pass a cap, or is not in the budget, is not given, and the sale is as good as any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID, uuid5

import ledger
from ledger.errors import Invalid
from merchants.offers.assigning import HOLDOUT

if TYPE_CHECKING:
    from merchants.offers.design import Variant

#: Whose points are given: the shop's own; a sponsor's or the network's, who agree to it before the launch.
FUNDERS: Final = ("merchant", "sponsor", "network")
ACTIVATIONS: Final = ("auto", "activate")
LARGEST_TIMES: Final = 1_000_000_000

CAP_REACHED: Final = "cap_reached"


class Cap(NamedTuple):
    """How often, and how many points; None: without end."""

    times: int | None = None
    points: int | None = None

    def passed_by(self, before: "Count", points: int) -> bool:
        """Whether another gift of `points` is more than this allows."""
        return (self.times is not None and before.times >= self.times) or (
            self.points is not None and before.points + points > self.points
        )


class Count(NamedTuple):
    """How often an offer gave, and how many points."""

    times: int = 0
    points: int = 0

    def and_one(self, points: int) -> "Count":
        return Count(self.times + 1, self.points + points)


WITHOUT_END: Final = Cap()
NOTHING: Final = Count()


@dataclass(frozen=True, slots=True)
class Giving:
    """`sponsor`: whose points, when funded by a sponsor. `budget_points` are set aside at the launch; `budget_minor` is the
    most that all of them may be worth, at the unit value that the funder's contract says when they are set aside.
    `per_day` is of the whole offer, by the network's calendar."""

    by: str = "merchant"
    sponsor: UUID | None = None
    budget_points: int = 0
    budget_minor: int | None = None
    per_member: Cap = WITHOUT_END
    per_day: Cap = WITHOUT_END
    total_times: int | None = None
    activation: str = "auto"

    @property
    def counted(self) -> bool:
        """Whether it hangs on what everybody else got."""
        return self.per_day != WITHOUT_END or self.total_times is not None

    def bars(self, of_member: Count, today: Count, ever: Count, points: int) -> bool:
        """Whether a cap stops another gift of `points`."""
        return (
            self.per_member.passed_by(of_member, points)
            or self.per_day.passed_by(today, points)
            or Cap(self.total_times).passed_by(ever, points)
        )

    def affordable(self, unit_value: int) -> int | None:
        """The points that `budget_minor` pays for, rounded down; None: it says nothing."""
        return None if self.budget_minor is None else self.budget_minor // unit_value


def fault(giving: Giving) -> Invalid | None:
    """The first wrong thing, in the order of the fields."""
    if giving.by not in FUNDERS:
        return Invalid("/funding/by", f"must be one of {', '.join(FUNDERS)}")
    if (giving.by == "sponsor") != (giving.sponsor is not None):
        return Invalid("/funding/sponsor", "whoever is funded by a sponsor names it, and nobody else does")
    bounds = (
        ("/budget_points", giving.budget_points, 0, ledger.LARGEST_AMOUNT),
        ("/budget_minor", giving.budget_minor, 1, ledger.LARGEST_AMOUNT),
        ("/caps/per_member/times", giving.per_member.times, 1, LARGEST_TIMES),
        ("/caps/per_member/points", giving.per_member.points, 1, ledger.LARGEST_AMOUNT),
        ("/caps/per_day/times", giving.per_day.times, 1, LARGEST_TIMES),
        ("/caps/per_day/points", giving.per_day.points, 1, ledger.LARGEST_AMOUNT),
        ("/caps/total/times", giving.total_times, 1, LARGEST_TIMES),
    )
    for at, value, least, most in bounds:
        if value is not None and not least <= value <= most:
            return Invalid(at, f"must be {least} to {most}")
    if giving.activation not in ACTIVATIONS:
        return Invalid("/activation", f"must be one of {', '.join(ACTIVATIONS)}")
    return None


def told(giving: Giving) -> dict[str, Any]:
    """As the record of a launch tells it, and as it is kept."""
    return {
        "by": giving.by,
        "sponsor": giving.sponsor,
        "budget_points": giving.budget_points,
        "budget_minor": giving.budget_minor,
        "per_member": giving.per_member._asdict(),
        "per_day": giving.per_day._asdict(),
        "total_times": giving.total_times,
        "activation": giving.activation,
    }


def read(kept: Mapping[str, Any]) -> Giving:
    """What `told` told."""
    sponsor = kept["sponsor"]
    return Giving(
        kept["by"],
        None if sponsor is None else UUID(sponsor),
        kept["budget_points"],
        kept["budget_minor"],
        Cap(**kept["per_member"]),
        Cap(**kept["per_day"]),
        kept["total_times"],
        kept["activation"],
    )


@dataclass(frozen=True, slots=True)
class Running:
    """An offer that gives, from its launch to its end."""

    id: UUID
    name: str
    merchant_id: UUID
    funder_id: UUID
    giving: Giving
    variants: Mapping[str, "Variant"]
    begins_at: datetime
    ends_at: datetime | None

    def gives_at(self, now: datetime) -> bool:
        return self.begins_at <= now and (self.ends_at is None or now < self.ends_at)

    def rule_id(self, variant: str) -> UUID:
        """What the compiled rules of a variant are known by."""
        return uuid5(self.id, variant)

    def variant(self, use: "Use | None", now: datetime) -> "Variant | None":
        """The variant that a member of this use may have now: none outside the audience, in the hold-out, after its
        deadline, or before the member activated what has to be activated."""
        if use is None or use.arm == HOLDOUT or not self.gives_at(now):
            return None
        variant = self.variants[use.arm]
        return None if variant.ends_at is not None and variant.ends_at <= now else variant

    def until(self, variant: "Variant") -> datetime | None:
        """Until when a variant gives, if nobody ends the offer before."""
        ends = [at for at in (self.ends_at, variant.ends_at) if at is not None]
        return min(ends, default=None)

    def open_to(self, use: "Use") -> bool:
        return self.giving.activation == "auto" or use.activated_at is not None


@dataclass(frozen=True, slots=True)
class Use:
    """How a member stands to an offer whose audience it is in: the arm, and what it had of it."""

    arm: str
    activated_at: datetime | None = None
    had: Count = NOTHING

    def and_one(self, points: int) -> "Use":
        return replace(self, had=self.had.and_one(points))


#: An offer and a member.
Pair = tuple[UUID, UUID]


@dataclass(slots=True)
class Given:
    """What an offer gave on the day that is decided on, and ever."""

    today: Count = NOTHING
    ever: Count = NOTHING


def left_for(giving: Giving, had: Count) -> Cap:
    """What a member may still have of an offer."""
    per = giving.per_member
    return Cap(
        None if per.times is None else max(0, per.times - had.times),
        None if per.points is None else max(0, per.points - had.points),
    )
