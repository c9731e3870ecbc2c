"""Contenders in turn, round after round: a figure is the median of the ratios that each round shows by itself."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from deploy.bench import machine
from deploy.bench.slot import Slot

Said = Callable[[str], None]


class Contender(Protocol):
    def prepare(self, seconds: float) -> None:
        """Make ready to work for so long; not measured."""
        ...

    def work(self) -> Slot:
        """Work, and say what was done."""
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """One contender's turn. Cores: processor seconds a second; None where the system does not tell."""

    contender: str
    round: int
    slot: Slot
    python_cores: float
    postgres_cores: float | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A figure: the rate of one contender over that of another, and what it should be at least (or `at_most`)."""

    key: str
    contender: str
    against: str
    floor: float
    at_most: bool = False

    def reached(self, ratio: float) -> bool:
        return ratio <= self.floor if self.at_most else ratio >= self.floor


@dataclass(frozen=True, slots=True)
class Figure:
    wanted: Wanted
    ratio: float
    by_round: tuple[float, ...]


def interleaved(
    contenders: Mapping[str, Contender], rounds: int, seconds: float, postmaster: int, say: Said
) -> list[Turn]:
    """A B A B: every contender once in every round, in the same order."""
    turns = []
    for number in range(1, rounds + 1):
        for name, contender in contenders.items():
            contender.prepare(seconds)
            before, began = machine.seconds_of(postmaster), time.perf_counter()
            done = contender.work()
            after, elapsed = machine.seconds_of(postmaster), time.perf_counter() - began
            postgres = None if before is None or after is None else (after - before) / elapsed
            turns.append(Turn(name, number, done, done.python_seconds / done.seconds, postgres))
            say(f"round {number} of {rounds}: {name} {done.rate:,.0f} a second")
    return turns


def figures(wanted: Sequence[Wanted], turns: Sequence[Turn]) -> list[Figure]:
    """Those of the figures whose contenders took their turns."""
    rates: dict[str, dict[int, float]] = {}
    for turn in turns:
        rates.setdefault(turn.contender, {})[turn.round] = turn.slot.rate
    found = []
    for each in wanted:
        ours, theirs = rates.get(each.contender, {}), rates.get(each.against, {})
        by_round = tuple(ours[number] / theirs[number] for number in sorted(ours) if theirs.get(number))
        if by_round:
            found.append(Figure(each, statistics.median(by_round), by_round))
    return found


def unasked(turns: Sequence[Turn], wanted: Collection[str]) -> list[str]:
    """Answers that the work does not ask for: a figure of refusals would be none."""
    strays = Counter[str]()
    for turn in turns:
        for answer, times in turn.slot.answers.items():
            if answer not in wanted:
                strays[f"{turn.contender}: answered {answer}"] += times
    return [f"{what}, {times:,} times" for what, times in strays.items()]


def of_contenders(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """By contender: medians over the rounds, and what its requests were answered, together."""
    told = []
    for name in dict.fromkeys(turn.contender for turn in turns):
        mine = [turn for turn in turns if turn.contender == name]
        answers: dict[str, int] = {}
        for turn in mine:
            for answer, times in turn.slot.answers.items():
                answers[answer] = answers.get(answer, 0) + times
        told.append(
            {
                "contender": name,
                "operations_per_second": _median([turn.slot.rate for turn in mine]),
                "by_round": [round(turn.slot.rate, 1) for turn in mine],
                "p50_ms": _median([turn.slot.p50_ms for turn in mine]),
                "p99_ms": _median([turn.slot.p99_ms for turn in mine]),
                "python_cores": _median([turn.python_cores for turn in mine]),
                "postgres_cores": _median([turn.postgres_cores for turn in mine]),
                "answers": answers,
            }
        )
    return told


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 3) if known else None
