"""Rules as values: what one is about, when it holds, what it gives. Pure.

The order of the fields of `When` is the order in which conditions are looked at, and so the one that a refusal names first.
"""

from dataclasses import dataclass, fields
from datetime import datetime, time
from typing import Final, NamedTuple
from uuid import UUID

#: What a rate is of. Anything else is the name of a measure that lines carry, behind "measure:".
MONEY, NET, MARGIN, VISITS, UNITS = "money", "net", "margin", "visits", "units"
OF_MONEY: Final = (MONEY, NET, MARGIN)
BASES: Final = (*OF_MONEY, VISITS, UNITS)
MEASURE: Final = "measure:"

#: A member's own days, each by itself and with the three days before it and after it.
OCCASIONS: Final = tuple(
    name + days for name in ("birthday", "wedding_anniversary", "company_anniversary") for days in ("", "_week")
)

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Rate(NamedTuple):
    """`points` for every `per` of the basis, and the same share of a part of them."""

    points: int
    per: int


class Fixed(NamedTuple):
    """So many points for the sale."""

    points: int


class Multiplier(NamedTuple):
    """What the rates give becomes so many percent of it. Fixed points are not multiplied, nor is a multiplier."""

    percent: int


class Hours(NamedTuple):
    """Days of the week (Monday is 0), and hours of the day from `start` to before `end`."""

    weekdays: frozenset[int] = frozenset(range(7))
    start: time = time(0)
    end: time | None = None


class Bounds(NamedTuple):
    """Both included. None: none."""

    at_least: int | None = None
    at_most: int | None = None


class Visits(NamedTuple):
    """Of the visits in a window of days, this one included."""

    days: int
    at_least: int | None = None
    at_most: int | None = None
    every: int | None = None


class Spent(NamedTuple):
    """Of what was spent in a window of days, this sale included.

    `reaches` holds for the sale with which it is reached, once: not again while what was paid before refunds stood there.
    """

    days: int
    at_least: int | None = None
    at_most: int | None = None
    reaches: int | None = None


@dataclass(frozen=True, slots=True)
class When:
    """Conditions that must all hold; None: there is no such condition."""

    merchant: frozenset[UUID] | None = None
    branch: frozenset[UUID] | None = None
    channel: frozenset[str] | None = None
    kind: frozenset[str] | None = None
    tier: frozenset[str] | None = None
    #: in force: each with its version, such as seg_...@3
    segment: frozenset[str] | None = None
    occasion: frozenset[str] | None = None
    payment: frozenset[str] | None = None
    time: Hours | None = None
    #: the money part of the sale
    basket: Bounds | None = None
    # these choose the lines that the rule is about
    product: frozenset[str] | None = None
    category: frozenset[str] | None = None
    not_category: frozenset[str] | None = None
    #: the money part of those lines
    amount: Bounds | None = None
    first_purchase: bool | None = None
    #: days since the last one, at most
    last_purchase: int | None = None
    visits: Visits | None = None
    spent: Spent | None = None

    @property
    def of_lines(self) -> bool:
        return self.product is not None or self.category is not None or self.not_category is not None

    @property
    def of_past(self) -> bool:
        return not (self.first_purchase is None and self.last_purchase is None and not self.windows)

    @property
    def windows(self) -> set[int]:
        return {counted.days for counted in (self.visits, self.spent) if counted is not None}


CONDITIONS: Final = tuple(field.name for field in fields(When))


@dataclass(frozen=True, slots=True)
class Rule:
    """`best_of`: of the rules of that group that fire, the one that gives most counts. `exclusive`: no other counts."""

    id: str
    effect: Rate | Fixed | Multiplier
    basis: str = MONEY
    when: When = When()
    cap_points: int | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    priority: int = 0
    best_of: str | None = None
    exclusive: bool = False
    name: str | None = None
