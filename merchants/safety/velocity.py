"""How much may pass in how long: limits by key, member or merchant, rolling by the book's clock. Pure.

What passed is counted in steps of a sixtieth of a limit's time, at least a minute. All steps that a window touches
count: a window is never shorter than the limit says, and at most one step longer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Final, NamedTuple
from uuid import UUID

import ledger
from ledger import Refusal
from ledger.errors import Invalid, LimitExceeded

SUBJECTS: Final = ("key", "member", "merchant")
COUNTED: Final = ("earn_points", "sale_count", "redeem_points", "redeem_count")
LARGEST_LIST: Final = 20
#: Thirty days.
LONGEST_MINUTES: Final = 43_200
#: Steps of one limit's time.
STEPS: Final = 60

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Limit:
    """At most `most` of `what` by one `subject` in any `per_minutes`."""

    subject: str
    what: str
    per_minutes: int
    most: int

    @property
    def step_minutes(self) -> int:
        return -(-self.per_minutes // STEPS)

    @property
    def told(self) -> dict[str, object]:
        """The limit as its record tells it."""
        return {"subject": self.subject, "what": self.what, "per_minutes": self.per_minutes, "most": self.most}


class Name(NamedTuple):
    """What one row counts."""

    subject: str
    subject_id: UUID
    what: str
    step_minutes: int


Steps = dict[int, int]
Subjects = Mapping[str, UUID]


def fault(limits: Sequence[Limit]) -> Invalid | None:
    """The first thing wrong with a list of limits."""
    if len(limits) > LARGEST_LIST:
        return Invalid("/limits", f"must be {LARGEST_LIST} at most")
    seen = set()
    for i, limit in enumerate(limits):
        for at, value, choices in (("subject", limit.subject, SUBJECTS), ("what", limit.what, COUNTED)):
            if value not in choices:
                return Invalid(f"/limits/{i}/{at}", f"must be one of {', '.join(choices)}")
        for at, number, most in (
            ("per_minutes", limit.per_minutes, LONGEST_MINUTES),
            ("most", limit.most, ledger.LARGEST_AMOUNT),
        ):
            if not 1 <= number <= most:
                return Invalid(f"/limits/{i}/{at}", f"must be 1 to {most}")
        if (name := (limit.subject, limit.what, limit.per_minutes)) in seen:
            return Invalid(f"/limits/{i}", "is there already")
        seen.add(name)
    return None


def names(limits: Iterable[Limit], subjects: Subjects, counted: Iterable[str]) -> set[Name]:
    """The counts that must be locked and read before something of these subjects is decided."""
    wanted = set(counted)
    return {
        Name(limit.subject, subjects[limit.subject], limit.what, limit.step_minutes)
        for limit in limits
        if limit.what in wanted and limit.subject in subjects
    }


@dataclass(frozen=True, slots=True)
class Reached(Refusal):
    """A limit on what others do as well: how much of it is left tells what they did."""

    code: ClassVar[str] = "limit_exceeded"
    limit: str

    @property
    def detail(self) -> str:
        return f"{self.limit}: less is left than was asked"


@dataclass(frozen=True, slots=True)
class Met:
    """The limit that was met, and by whom. `refusal` is for the shop."""

    limit: Limit
    subject_id: UUID
    refusal: LimitExceeded

    def heard_by(self, member_id: UUID) -> Refusal:
        """The refusal for a member, who knows what passed of their own and of nobody else's."""
        return self.refusal if self.subject_id == member_id else Reached(self.refusal.limit)


class Counts:
    """What passed lately, as one batch finds it and adds to it. The rows are locked until the batch is committed."""

    __slots__ = ("_held", "_limits", "_minute", "changed")

    def __init__(self, limits: Sequence[Limit], held: dict[Name, Steps], now: datetime) -> None:
        self._limits = limits
        self._held = held
        self._minute = int((now - _EPOCH).total_seconds() // 60)
        #: the counts that this batch added to
        self.changed: set[Name] = set()

    def met(self, subjects: Subjects, amounts: Mapping[str, int]) -> Met | None:
        """The first limit that these amounts would pass, in the order of the list; None when all have room."""
        for limit in self._limits:
            if limit.what not in amounts or limit.subject not in subjects:
                continue
            id, asked = subjects[limit.subject], amounts[limit.what]
            left = limit.most - self._passed(limit, id)
            if asked > left:
                what = f"{limit.what} of a {limit.subject} in {limit.per_minutes} minutes"
                return Met(limit, id, LimitExceeded(what, max(0, left), asked))
        return None

    def add(self, subjects: Subjects, amounts: Mapping[str, int]) -> None:
        """Count what passes now."""
        for name in names(self._limits, subjects, amounts):
            steps = self._held[name]
            now = self._minute // name.step_minutes
            steps[now] = steps.get(now, 0) + amounts[name.what]
            self.changed.add(name)

    def kept(self, name: Name) -> Steps:
        """The steps of a count that any limit can still ask for."""
        first = self._minute // name.step_minutes - STEPS
        return {step: amount for step, amount in sorted(self._held[name].items()) if step >= first}

    def _passed(self, limit: Limit, id: UUID) -> int:
        step = limit.step_minutes
        first = self._minute // step - -(-limit.per_minutes // step)
        held = self._held[Name(limit.subject, id, limit.what, step)]
        return sum(amount for at, amount in held.items() if at >= first)
