"""What one contender did in one stretch of time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

#: Of what a stretch has said, so much is kept to tell latencies by.
PERCENTILES: Final = (50, 99)


@dataclass(frozen=True, slots=True)
class Slot:
    """`operations` were answered in `seconds`. Latencies in milliseconds, where there was one an operation.

    `answers` counts what they were told: accepted, replayed, or the code of a refusal.
    """

    operations: int
    seconds: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    python_seconds: float = 0.0
    answers: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.operations / self.seconds


def percentile(sorted_values: list[float], percent: int) -> float:
    """The value below which so much of a hundred lies, by nearest rank."""
    return sorted_values[min(len(sorted_values) - 1, len(sorted_values) * percent // 100)]


def of(latencies: list[float], seconds: float, python_seconds: float, answers: dict[str, int], each: int = 1) -> Slot:
    """A slot of operations that took `latencies` (seconds), `each` so many operations."""
    latencies.sort()
    half, most = (1000 * percentile(latencies, p) if latencies else None for p in PERCENTILES)
    return Slot(len(latencies) * each, seconds, half, most, python_seconds, answers)


def together(slots: list[Slot]) -> Slot:
    """Processes that ran at the same time, as one. Latencies are those of the slowest."""
    answers: dict[str, int] = {}
    for slot in slots:
        for told, times in slot.answers.items():
            answers[told] = answers.get(told, 0) + times
    return Slot(
        sum(slot.operations for slot in slots),
        max(slot.seconds for slot in slots),
        _largest([slot.p50_ms for slot in slots]),
        _largest([slot.p99_ms for slot in slots]),
        sum(slot.python_seconds for slot in slots),
        answers,
    )


def _largest(values: list[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


Told = dict[str, Any]
