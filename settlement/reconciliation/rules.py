"""Which lines of two sides tell one thing. Pure, deterministic, and in time that grows with the lines.

Rules are asked in order, the surest first; each takes the lines it matches out of the pool, so no line is used twice.
A rule that could choose chooses nothing: what is ambiguous is left to a person.
"""

import bisect
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Final, TypeVar
from uuid import UUID

from settlement.reconciliation.lines import Line, Match, Policy, business_time, fold
from settlement.reconciliation.sums import only_subset

K = TypeVar("K")

#: The shortest reference that is looked for inside other text, and the shortest part of a cut one that is trusted.
SHORTEST_INSIDE: Final = 8
SHORTEST_CUT: Final = 12
#: References of so many lengths are looked for inside text: the commonest.
LENGTHS: Final = 12
#: One bank line pays at most so many of ours that no reference joins.
LARGEST_SUM: Final = 24


class Pool:
    """The lines that are still alone, each side in its order."""

    def __init__(self, lines: Iterable[Line]) -> None:
        ordered = sorted(lines, key=lambda line: line.order)
        self.ours = {line.id: line for line in ordered if line.side == "ours"}
        self.theirs = {line.id: line for line in ordered if line.side == "theirs"}

    def take(self, match: Match) -> None:
        for line in match.ours:
            del self.ours[line.id]
        for line in match.theirs:
            del self.theirs[line.id]


class Finder:
    """Finds lines of ours by their references inside what a bank made of them."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._by_key: defaultdict[str, list[Line]] = defaultdict(list)
        for line in lines:
            if len(line.key) >= SHORTEST_INSIDE:
                self._by_key[line.key].append(line)
        self._keys = sorted(self._by_key)
        counted: defaultdict[int, int] = defaultdict(int)
        for key in self._keys:
            counted[len(key)] += 1
        common = sorted(counted, key=lambda length: (-counted[length], -length))[:LENGTHS]
        self._lengths = sorted(common, reverse=True)

    def whole(self, line: Line) -> list[Line]:
        """Lines whose whole reference stands in the reference or text of `line`: those of the longest that does."""
        for field in _fields(line):
            for length in self._lengths:
                for at in range(len(field) - length + 1):
                    if found := self._by_key.get(field[at : at + length]):
                        return found
        return []

    def cut(self, line: Line) -> list[Line]:
        """Lines whose reference begins as a field of `line` ends: what a bank's field had no room for is missing."""
        for field in _fields(line):
            for at in range(len(field) - SHORTEST_CUT + 1):
                rest = field[at:]
                here = bisect.bisect_left(self._keys, rest)
                found: list[Line] = []
                for key in self._keys[here : here + LARGEST_SUM]:
                    if not key.startswith(rest):
                        break
                    found += self._by_key[key]
                if found:
                    return found
        return []


def _fields(line: Line) -> list[str]:
    return [field for field in (fold(line.reference), fold(line.text)) if len(field) >= SHORTEST_INSIDE]


def settles(ours: Line, theirs: Line) -> bool:
    """Whether theirs is exactly what ours expects: the net amount, the fee where one is told, the points."""
    return (
        theirs.amount_minor == ours.net_minor
        and theirs.fee_minor in (0, ours.fee_minor)
        and (theirs.points is None or ours.points is None or theirs.points == ours.points)
    )


# -- the rules


def by_instruction(pool: Pool, policy: Policy) -> Iterator[Match]:  # noqa: ARG001 - every rule is asked alike
    """What the rails credited to an instruction, and what the book booked for it."""
    ours = _index(
        pool.ours.values(), lambda line: (line.instruction_id, line.net_minor) if line.instruction_id else None
    )
    for theirs in list(pool.theirs.values()):
        if theirs.instruction_id is None:
            continue
        there = ours.get((theirs.instruction_id, theirs.amount_minor), [])
        if len(found := [o for o in there if o.id in pool.ours and settles(o, theirs)]) == 1:
            yield Match("by_instruction", 1_000_000, (found[0],), (theirs,))


def by_reference(pool: Pool, policy: Policy) -> Iterator[Match]:  # noqa: ARG001
    """The very reference, and the amount, when only one of ours has both."""
    ours = _index(pool.ours.values(), lambda line: (line.group, line.reference) if line.reference else None)
    for theirs in list(pool.theirs.values()):
        there = ours.get((theirs.group, theirs.reference), [])
        found = [o for o in there if o.id in pool.ours and settles(o, theirs)]
        if len(found) == 1:
            yield Match("reference_and_amount", 1_000_000, (found[0],), (theirs,))


def by_folded_reference(pool: Pool, policy: Policy) -> Iterator[Match]:  # noqa: ARG001
    """The reference but for case, blanks and signs, when only one of ours answers to it."""
    ours = _index(pool.ours.values(), lambda line: (line.group, line.key) if line.key else None)
    for theirs in list(pool.theirs.values()):
        found = [o for o in ours.get((theirs.group, theirs.key), []) if o.id in pool.ours and settles(o, theirs)]
        if len(found) == 1:
            yield Match("folded_reference_and_amount", 990_000, (found[0],), (theirs,))


def by_batch(pool: Pool, policy: Policy) -> Iterator[Match]:
    """One payout of a batch, net of the fees of what is in it; the rounding of single fees is tolerated, and told."""
    for theirs, ours in batches(pool.ours.values(), pool.theirs.values()):
        difference = theirs.amount_minor - sum(o.net_minor for o in ours)
        fee = sum(o.fee_minor for o in ours)
        rounding = policy.rounding_minor * len(ours)
        if abs(difference) > rounding or (theirs.fee_minor and abs(theirs.fee_minor - fee) > rounding):
            continue
        rule, sure = ("batch_net_of_fees", 980_000) if difference == 0 else ("batch_within_rounding", 930_000)
        yield Match(rule, sure, tuple(ours), (theirs,))


def batches(ours: Iterable[Line], theirs: Iterable[Line]) -> Iterator[tuple[Line, list[Line]]]:
    """Each line that names a batch, with all of ours that are in it; a batch is paid once."""
    members = _index(ours, lambda line: fold(line.batch) or None)
    for line in list(theirs):
        name = next((n for n in (fold(line.batch), fold(line.reference)) if n in members), None)
        if name is not None:
            yield line, members.pop(name)


def by_text(pool: Pool, policy: Policy) -> Iterator[Match]:  # noqa: ARG001
    """The reference somewhere in the text, whole or cut off at the end, and the amount."""
    finder = Finder(pool.ours.values())
    for theirs in list(pool.theirs.values()):
        for find, rule, sure in (
            (finder.whole, "reference_in_text", 960_000),
            (finder.cut, "reference_cut_off", 900_000),
        ):
            found = [o for o in find(theirs) if o.id in pool.ours and settles(o, theirs)]
            if len(found) == 1:
                yield Match(rule, sure, (found[0],), (theirs,))
                break


def by_amount_and_party(pool: Pool, policy: Policy) -> Iterator[Match]:
    """The amount, with the same party, within a few days; only where neither side has a second that could be meant."""
    ours = _index(pool.ours.values(), lambda line: (fold(line.party), line.net_minor) if line.party else None)
    theirs = _index(
        pool.theirs.values(),
        lambda line: (fold(line.party), line.amount_minor) if line.party and line.kind == "transfer" else None,
    )
    for key, those in theirs.items():
        for line in those:
            near = [o for o in ours.get(key, []) if o.id in pool.ours and _near(o, line, policy.date_window)]
            if len(near) == 1 and sum(_near(near[0], t, policy.date_window) for t in those) == 1:
                yield Match("amount_date_and_party", 800_000, (near[0],), (line,))


def by_sum(pool: Pool, policy: Policy) -> Iterator[Match]:
    """One line that pays several of ours to the same party, when only one set of them adds up to it."""
    ours = _index(pool.ours.values(), lambda line: fold(line.party) if line.party else None)
    for line in list(pool.theirs.values()):
        if line.kind != "transfer" or not line.party:
            continue
        near = [
            o
            for o in ours.get(fold(line.party), [])
            if o.id in pool.ours
            and _near(o, line, policy.date_window)
            and (o.amount_minor > 0) == (line.amount_minor > 0)
        ]
        if not 2 <= len(near) <= LARGEST_SUM:
            continue
        chosen = only_subset([abs(o.net_minor) for o in near], abs(line.amount_minor))
        if chosen is not None and len(chosen) > 1:
            yield Match("sum_to_one_party", 700_000, tuple(near[i] for i in chosen), (line,))


def _near(ours: Line, theirs: Line, within: timedelta) -> bool:
    return abs(business_time(ours.at, theirs.at)) <= within


Rule = Callable[[Pool, Policy], Iterator[Match]]

#: The surest first.
RULES: Final[dict[str, Sequence[Rule]]] = {
    "till": (by_reference,),
    "bank": (by_instruction, by_reference, by_folded_reference, by_batch, by_text, by_amount_and_party, by_sum),
    "psp": (by_instruction, by_reference, by_folded_reference, by_batch, by_text, by_amount_and_party, by_sum),
}


def match(
    source: str, lines: Iterable[Line], policy: Policy, apart: Collection[frozenset[UUID]] = ()
) -> tuple[list[Match], Pool]:
    """What matches, and the lines that stay alone. The order of `lines` does not matter.

    `apart` are sets of lines that a person took apart: no rule joins them again.
    """
    pool, made = Pool(lines), []
    for rule in RULES[source]:
        for found in rule(pool, policy):
            if apart and frozenset(line.id for line in found.ours + found.theirs) in apart:
                continue
            pool.take(found)
            made.append(found)
    return made, pool


def _index(lines: Iterable[Line], key: Callable[[Line], K | None]) -> dict[K, list[Line]]:
    found: dict[K, list[Line]] = {}
    for line in lines:
        if (name := key(line)) is not None:
            found.setdefault(name, []).append(line)
    return found
