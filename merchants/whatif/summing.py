"""What replayed sales come to: before and after, and how much changed. Pure. Memory follows rules and changes, not sales."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ledger import PPM
from merchants.whatif.replaying import Given, Replayed

#: Rules that are named of each side.
LARGEST_RULES: Final = 10


class RuleSum(NamedTuple):
    """What a rule gave in all, and at how many sales."""

    rule: str
    points: int
    sales: int


@dataclass(slots=True)
class Side:
    """What sales earned under one set of rules."""

    earning: int = 0
    points: int = 0
    by_rule: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, given: Given) -> None:
        self.earning += given.points > 0
        self.points += given.points
        for rule, points in given.fired:
            if points:
                before, times = self.by_rule.get(rule, (0, 0))
                self.by_rule[rule] = before + points, times + 1

    @property
    def rules(self) -> list[RuleSum]:
        """Those that give most, the most first; of equals by name."""
        ordered = sorted(self.by_rule.items(), key=lambda pair: (-pair[1][0], pair[0]))
        return [RuleSum(rule, points, times) for rule, (points, times) in ordered[:LARGEST_RULES]]


@dataclass(slots=True)
class Sums:
    """`money`: what was paid in money and not refunded. `stopped` and `unknown`: sales, by reason and by condition."""

    sales: int = 0
    money: int = 0
    before: Side = field(default_factory=Side)
    after: Side = field(default_factory=Side)
    stopped: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    changes: Counter[int] = field(default_factory=Counter)

    def add(self, each: Replayed) -> None:
        self.sales += 1
        self.money += each.left
        self.before.add(each.before)
        self.after.add(each.after)
        self.changes[each.after.points - each.before.points] += 1
        if each.stopped is not None:
            self.stopped[each.stopped] += 1
        self.unknown.update(each.unknown)

    def per_million(self, points: int) -> int:
        """Points for a million minor units, rounded down."""
        return points * PPM // self.money if self.money else 0

    @property
    def gaining(self) -> int:
        return sum(times for change, times in self.changes.items() if change > 0)

    @property
    def losing(self) -> int:
        return sum(times for change, times in self.changes.items() if change < 0)

    @property
    def median(self) -> int:
        """The change of the sale in the middle, of an even number of them the lower of the two."""
        middle, seen = (self.sales + 1) // 2, 0
        for change in sorted(self.changes):
            seen += self.changes[change]
            if seen >= middle:
                return change
        return 0

    @property
    def largest_gain(self) -> int:
        return max(0, max(self.changes, default=0))

    @property
    def largest_loss(self) -> int:
        """Without its sign."""
        return max(0, -min(self.changes, default=0))
