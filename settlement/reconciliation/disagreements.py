"""What does not match, and what kind of disagreement it is. Pure.

The lines that stay alone are told apart in a fixed order, each line once; of what did match, what came too late or fell in
another window is told too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from settlement.reconciliation.lines import Found, Line, Match, Policy, WindowSpan, business_time, fold, windows_at
from settlement.reconciliation.rules import Finder, Pool, batches, settles

TYPES: Final = (
    "missing",
    "duplicate",
    "amount",
    "lot",
    "fee",
    "late",
    "wrong_window",
    "orphan_refund",
    "unknown_beneficiary",
    "returned",
    "gross_against_net",
)
#: Breaks of lines that did match: they stay when lines are matched, and are told once.
OF_MATCHES: Final = ("late", "wrong_window")

#: (type, side that stands alone) -> what to do. The operator reads what it means in docs/reconciliation.md.
SUGGESTIONS: Final[Mapping[str, str]] = {
    "missing": "ask_the_other_side",
    "duplicate": "ask_for_reversal",
    "amount": "correct_the_amount",
    "lot": "compare_points",
    "fee": "check_fee_schedule",
    "late": "explain_delay",
    "wrong_window": "explain_or_adjust",
    "orphan_refund": "find_original",
    "unknown_beneficiary": "stop_and_call_bank",
    "returned": "correct_account_and_pay_again",
    "gross_against_net": "book_fees_apart",
}


@dataclass(frozen=True, slots=True)
class Known:
    """What was matched or set aside before, as far as the lines that are alone may speak of it."""

    lines: Sequence[Line] = ()
    # folded: whom the book knows to pay or to be paid
    parties: frozenset[str] = frozenset()
    windows: Sequence[WindowSpan] = ()
    # from when to when each of the others (a shop's tills; None: the bank, the provider) has told anything
    heard: Mapping[UUID | None, tuple[datetime, datetime]] = field(default_factory=dict)


def classify(
    source: str, pool: Pool, made: Iterable[Match], known: Known, policy: Policy, now: datetime
) -> list[Found]:
    """Every break of a source as things stand. A line that is alone but young is none yet."""
    made = list(made)
    sorting = _Sorting(source, pool, [*known.lines, *(line for m in made for line in m.ours + m.theirs)], policy, now)
    for line in list(pool.theirs.values()):
        if sorting.returned(line) or sorting.orphan(line) or sorting.duplicate(line):
            continue
    sorting.batches()
    for line in sorting.theirs():
        sorting.pair(line)
    for line in sorting.theirs():
        if not sorting.second(line) and not sorting.unknown(line, known.parties):
            sorting.alone(line)
    for line in sorting.ours():
        # of what nobody has spoken yet, nothing is missing
        heard = known.heard.get(line.merchant_id if source == "till" else None)
        if heard is not None and heard[0] - policy.patience <= line.at <= heard[1]:
            sorting.alone(line)
    return sorting.found + [found for m in made if (found := _untimely(source, m, policy, known.windows)) is not None]


@dataclass(slots=True)
class _Sorting:
    source: str
    pool: Pool
    settled: Sequence[Line]
    policy: Policy
    now: datetime
    found: list[Found] = field(default_factory=list)
    done: set[object] = field(default_factory=set)
    # who told it first, by group and key
    told: dict[tuple[tuple[object, ...], str], Line] = field(default_factory=dict)
    finder: Finder = field(init=False)
    settled_finder: Finder = field(init=False)
    by_key: dict[tuple[tuple[object, ...], str], list[Line]] = field(default_factory=dict)
    keys: set[tuple[object, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.finder = Finder(self.pool.ours.values())
        self.settled_finder = Finder(line for line in self.settled if line.side == "ours")
        for line in self.settled:
            if line.side == "theirs" and line.key:
                self.told.setdefault((line.group, line.key), line)
        for line in self.pool.ours.values():
            if line.key:
                self.by_key.setdefault((line.group, line.key), []).append(line)
        everybody = [*self.settled, *self.pool.ours.values(), *self.pool.theirs.values()]
        self.keys = {(line.merchant_id, line.key) for line in everybody if line.key and line.kind != "refund"}

    def theirs(self) -> list[Line]:
        return [line for line in self.pool.theirs.values() if line.id not in self.done]

    def ours(self) -> list[Line]:
        return [line for line in self.pool.ours.values() if line.id not in self.done]

    def tell(self, type: str, lines: Sequence[Line], amount_minor: int, owner: str, points: int = 0) -> bool:
        self.done |= {line.id for line in lines if line.id in self.pool.ours or line.id in self.pool.theirs}
        self.found.append(Found(type, self.source, owner, tuple(lines), amount_minor, points, SUGGESTIONS[type]))
        return True

    # -- each of these says whether it told the line

    def returned(self, line: Line) -> bool:
        """Money that went out and came back. What it answers is named where it is known."""
        if line.kind != "returned":
            return False
        paid = [o for o in self._answered(line) if (o.amount_minor > 0) != (line.amount_minor > 0)]
        return self.tell("returned", [line, *paid[:1]], line.amount_minor, "operator")

    def _answered(self, line: Line) -> list[Line]:
        named = [s for s in self.settled if s.side == "ours" and s.key and s.key in (line.original_key, line.key)]
        return named or self.settled_finder.whole(line) or self.settled_finder.cut(line)

    def orphan(self, line: Line) -> bool:
        """A refund of what nobody sold."""
        if line.kind != "refund" or not line.original:
            return False
        if (line.merchant_id, line.original_key) in self.keys:
            return False
        return self.tell("orphan_refund", [line], line.amount_minor, _other(self.source))

    def duplicate(self, line: Line) -> bool:
        """The same thing told twice, when ours has it once."""
        if line.key:
            first = self.told.setdefault((line.group, line.key), line)
            if first is not line and (line.group, line.key) not in self.by_key:
                return self.tell("duplicate", [line, first], line.amount_minor, _other(self.source))
        if self.source == "till" or self.finder.whole(line):
            return False
        paid = [o for o in self.settled_finder.whole(line) or self.settled_finder.cut(line) if settles(o, line)]
        return len(paid) == 1 and self.tell("duplicate", [line, paid[0]], line.amount_minor, _other(self.source))

    def second(self, line: Line) -> bool:
        """The same reference once more, when what has it is a break already."""
        first = self.told.get((line.group, line.key)) if line.key else None
        if first is None or first is line:
            return False
        return self.tell("duplicate", [line, first], line.amount_minor, _other(self.source))

    def batches(self) -> None:
        """A payout that names its batch and is not what the batch comes to."""
        for line, ours in batches(self.ours(), self.theirs()):
            self._differ(line, ours)

    def pair(self, line: Line) -> None:
        """A line whose reference is ours and whose amount, fee or points are not."""
        found = [o for o in self.by_key.get((line.group, line.key), []) if o.id not in self.done]
        if not found and self.source != "till":
            found = [o for o in self.finder.whole(line) or self.finder.cut(line) if o.id not in self.done]
        if len(found) == 1:
            self._differ(line, found)

    def _differ(self, line: Line, ours: Sequence[Line]) -> None:
        gross, fee = sum(o.amount_minor for o in ours), sum(o.fee_minor for o in ours)
        difference = line.amount_minor - (gross - fee)
        points = 0
        if line.points is not None and all(o.points is not None for o in ours):
            points = line.points - sum(o.points or 0 for o in ours)
        if difference == points == 0 and line.fee_minor in (0, fee):
            return  # they agree, and a person took them apart: each stands alone
        if difference == 0 and points:
            kind = "lot"
        elif fee and line.amount_minor == gross and line.fee_minor in (0, fee):
            kind = "gross_against_net"
        elif difference == 0 or (line.fee_minor and line.amount_minor + line.fee_minor == gross):
            kind = "fee"
        else:
            kind = "amount"
        owner = "psp" if kind == "fee" and self.source == "psp" else _other(self.source)
        self.tell(kind, [line, *ours], difference, "operator" if kind == "gross_against_net" else owner, points)

    def unknown(self, line: Line, parties: frozenset[str]) -> bool:
        """Money to or from somebody the book does not know."""
        if self.source == "till" or not line.party or fold(line.party) in parties:
            return False
        return self.tell("unknown_beneficiary", [line], line.amount_minor, "operator")

    def alone(self, line: Line) -> None:
        if _since(self.source, line.at, self.now) <= self.policy.patience:
            return
        sign = 1 if line.side == "theirs" else -1
        owner = _other(self.source) if line.side == "ours" or self.source == "till" else "operator"
        self.tell("missing", [line], sign * line.amount_minor, owner, sign * (line.points or 0))


def _other(source: str) -> str:
    """Who has to act where the other side is wrong."""
    return {"till": "merchant", "bank": "bank", "psp": "psp", "stream": "operator"}[source]


def _since(source: str, start: datetime, end: datetime) -> timedelta:
    return end - start if source == "till" else business_time(start, end)


def _untimely(source: str, m: Match, policy: Policy, windows: Sequence[WindowSpan]) -> Found | None:
    """Of a match: ours fell in another window than theirs, or one side came too late."""
    last_ours, last_theirs = max(o.at for o in m.ours), max(t.at for t in m.theirs)
    lines = (*m.theirs, *m.ours)
    amount, points = sum(o.amount_minor for o in m.ours), sum(o.points or 0 for o in m.ours)

    def told(type: str) -> Found:
        return Found(type, source, _other(source), lines, amount, points, SUGGESTIONS[type])

    if source == "till":
        falls = {o.window for o in m.ours if o.window is not None}
        may = windows_at(windows, last_theirs, policy.clock_error)
        if falls and may and not falls & may:
            return told("wrong_window")
        return told("late") if last_ours - last_theirs > policy.late_after else None
    return told("late") if business_time(last_ours, last_theirs) > policy.late_after else None
