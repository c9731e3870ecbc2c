"""What becomes of points: as it was for those that were issued, and in the same proportions for those that would have been.

Pure. Every point of a side has one fate, and all fates sum to what was issued: nothing is rounded away, nothing told twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from uuid import UUID

#: An issuer and an acceptor of its points.
Debt = tuple[UUID, UUID]


@dataclass(slots=True)
class Fates:
    """Of the points that one member earned at one merchant in a period; `spent` by where."""

    spent: dict[UUID, int] = field(default_factory=dict)
    expired: int = 0
    given: int = 0
    unspent: int = 0

    @property
    def total(self) -> int:
        return sum(self.spent.values()) + self.expired + self.given + self.unspent

    def of(self, points: int) -> "Fates":
        """The same proportions of so many points: each fate's share is rounded down, and what is left of that is unspent.

        Points of whom nothing is known stay unspent.
        """
        whole = self.total
        if whole == 0:
            return Fates(unspent=points)
        spent = {acceptor: share * points // whole for acceptor, share in self.spent.items()}
        found = Fates(spent, self.expired * points // whole, self.given * points // whole)
        found.unspent = points - found.total
        return found


@dataclass(slots=True)
class Outcome:
    """What a merchant's sales came to on one side. `owed`: taken back by refunds from points that were gone by then; so
    points + owed = here + elsewhere + expired + given + unspent."""

    earning: int = 0
    points: int = 0
    owed: int = 0
    here: int = 0
    elsewhere: int = 0
    expired: int = 0
    given: int = 0
    unspent: int = 0

    def add(self, other: "Outcome") -> None:
        for each in fields(Outcome):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(slots=True)
class Standing:
    """A merchant before and after. `changed`: whether its rules were."""

    changed: bool = False
    sales: int = 0
    before: Outcome = field(default_factory=Outcome)
    after: Outcome = field(default_factory=Outcome)


@dataclass(slots=True)
class Debts:
    """What issuers owe for their points that others accepted, in minor units, before and after."""

    before: dict[Debt, int] = field(default_factory=dict)
    after: dict[Debt, int] = field(default_factory=dict)

    def as_it_was(self, issuer: UUID, acceptor: UUID, minor: int) -> None:
        """What no rule of these would have changed."""
        _owe(self.before, issuer, acceptor, minor)
        _owe(self.after, issuer, acceptor, minor)


def _owe(debts: dict[Debt, int], issuer: UUID, acceptor: UUID, minor: int) -> None:
    if issuer != acceptor and minor:
        debts[issuer, acceptor] = debts.get((issuer, acceptor), 0) + minor


def net(debts: Mapping[Debt, int]) -> dict[UUID, int]:
    """By merchant what its acceptance brings less what it owes; all of them sum to nothing."""
    positions: dict[UUID, int] = {}
    for (issuer, acceptor), minor in debts.items():
        positions[issuer] = positions.get(issuer, 0) - minor
        positions[acceptor] = positions.get(acceptor, 0) + minor
    assert sum(positions.values()) == 0
    return positions


@dataclass(slots=True)
class Earned:
    """What a member earned at a merchant in the period, less refunds, on both sides; and what became of it as it was."""

    sales: int = 0
    earning_before: int = 0
    earning_after: int = 0
    before: int = 0
    after: int = 0
    fates: Fates = field(default_factory=Fates)


def settle(merchant: UUID, earned: Earned, unit_value_minor: int, standing: Standing, debts: Debts) -> None:
    """Add one member's points at one merchant to what they come to.

    Points that a refund took back and did not get were gone already. They went where they went under any rules, and stand
    beside what was issued on both sides.
    """
    fates = earned.fates
    owed = max(0, fates.total - earned.before)
    standing.sales += earned.sales
    sides = (
        (standing.before, earned.before, earned.earning_before, debts.before),
        (standing.after, earned.after, earned.earning_after, debts.after),
    )
    for side, points, earning, owing in sides:
        shared = fates.of(points + owed)
        here = shared.spent.get(merchant, 0)
        side.add(
            Outcome(
                earning,
                points,
                owed,
                here,
                sum(shared.spent.values()) - here,
                shared.expired,
                shared.given,
                shared.unspent,
            )
        )
        for acceptor, share in shared.spent.items():
            _owe(owing, merchant, acceptor, share * unit_value_minor)
