"""Many minutes of the same load: does the house go on as fast as it began, in as much memory?

A house of two gateways on a server of its own, autovacuum on, sales one a request and batches of a hundred mixed operations
at the same time. Time is cut into stretches. The first third of them is the house's own: caches fill, tables find their
size. Of the other two the medians are held against each other, since a single stretch says more of the machine than of us.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from deploy.bench import machine, place, posting, served, slot, tills
from deploy.bench.hired import Crew
from deploy.bench.posting import LOTS, Sizes
from deploy.bench.served import House

PROCESSES: Final = 2
DATABASE: Final = "steady"
SINGLES, BATCHES = 64, 2
#: Answers that the work asks for.
WANTED: Final = {"accepted", "insufficient_points"}

#: What is flat: the last third keeps so much of the middle third's rate, and takes so much more of its memory at most.
LEAST_RATE: Final = 0.8
MOST_MEMORY: Final = 1.1
#: Memory comes in steps of the allocator: so many bytes more are none.
MEMORY_STEP: Final = 32 * 1024 * 1024
FEWEST: Final = 6

Said = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stretch:
    """`gateways_bytes`, `postgres_bytes`: private memory at its end, all processes of each together; None where the system
    does not tell."""

    number: int
    operations: int
    seconds: float
    p50_ms: float | None
    p99_ms: float | None
    gateways_bytes: int | None
    postgres_bytes: int | None

    @property
    def rate(self) -> float:
        return self.operations / self.seconds


@dataclass(frozen=True, slots=True)
class Told:
    """What was seen. `rate_kept`, `memory_kept`: the last third over the middle third."""

    stretches: list[Stretch]
    broken: list[str]

    @property
    def rate_kept(self) -> float:
        middle, last = _thirds([each.rate for each in self.stretches])
        return last / middle

    @property
    def memory_kept(self) -> float | None:
        """The one of gateways and PostgreSQL that grew more."""
        kept = [last / middle for middle, last in self._memory()]
        return max(kept, default=None)

    @property
    def flat(self) -> bool:
        grown = any(last > max(middle * MOST_MEMORY, middle + MEMORY_STEP) for middle, last in self._memory())
        return self.rate_kept >= LEAST_RATE and not grown

    def _memory(self) -> list[tuple[float, float]]:
        found = []
        for each in ([s.gateways_bytes for s in self.stretches], [s.postgres_bytes for s in self.stretches]):
            known = [float(value) for value in each if value is not None]
            if len(known) == len(each):
                found.append(_thirds(known))
        return found

    def as_document(self) -> dict[str, Any]:
        return {
            "flat": self.flat,
            "audit": "broken" if self.broken else "clean",
            "broken": self.broken,
            "rate_kept": round(self.rate_kept, 3),
            "memory_kept": None if self.memory_kept is None else round(self.memory_kept, 3),
            "stretches": [asdict(each) | {"rate": round(each.rate, 1)} for each in self.stretches],
        }


def _thirds(values: Sequence[float]) -> tuple[float, float]:
    """The medians of the middle and of the last third."""
    third = len(values) // 3
    return statistics.median(values[third:-third]), statistics.median(values[-third:])


def rehearse(seconds: float, stretches: int, members: int, shops: int, say: Said) -> Told:
    """Load a house for `seconds`, cut into so many stretches, and prove its books at the end."""
    sizes = Sizes(shops=shops, members=members)
    with place.room(None, members * LOTS, 1) as room, contextlib.ExitStack() as hired:
        there = posting.founded(room, DATABASE, sizes, members * LOTS, say)
        keys = served.keys_of(there)
        house = House(room.home / "house", there.url, there.spend_key, PROCESSES)
        hired.callback(house.leave)
        crews = [
            Crew(variant, connections, posting.hire(hired, variant, tills.serve, there, keys, variant, house.port))
            for variant, connections in (("single", SINGLES), ("bulk", BATCHES))
        ]
        told = []
        for number in range(1, stretches + 1):
            done = _together(crews, seconds / stretches)
            told.append(
                Stretch(
                    number,
                    done.operations,
                    done.seconds,
                    done.p50_ms,
                    done.p99_ms,
                    machine.private_bytes_of(house.pid),
                    machine.private_bytes_of(room.postmaster),
                )
            )
            say(f"{number} of {stretches}: {told[-1].rate:,.0f} a second")
            if strays := sorted(done.answers.keys() - WANTED):
                return Told(told, [f"answered {', '.join(strays)}"])
        say("proving the books")
        return Told(told, posting.faults(there.url))


def _together(crews: Sequence[Crew], seconds: float) -> slot.Slot:
    for crew in crews:
        crew.prepare(seconds)
    for crew in crews:
        crew.begin()
    return slot.together([crew.done() for crew in crews])
