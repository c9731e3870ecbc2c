"""How fast it is over HTTP: houses of one and of two gateway processes, on loopback, each request a sale, or a hundred operations."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Final, Protocol

from deploy.bench import machine, posting, rounds, served, tills, wrk
from deploy.bench.hired import Crew, Hired
from deploy.bench.pgbench import Pgbench
from deploy.bench.place import Room
from deploy.bench.posting import LOTS, PGBENCH, TPCB, Sizes, TpcB
from deploy.bench.report import Part
from deploy.bench.rounds import Contender, Said, Wanted
from deploy.bench.served import House
from deploy.bench.slot import Slot

SINGLE, TWO, BULK = "one sale a request", "two processes", "batches of 100"
FIGURES: Final = (
    Wanted("http.single", SINGLE, TPCB, 0.9),
    Wanted("http.two_processes", TWO, TPCB, 1.2),
    Wanted("http.bulk", BULK, TPCB, 2.5),
)
SERVED: Final = "served"
#: Connections that send batches: a fortieth of the callers, each with a hundred operations under way.
BULK_SHARE: Final = 32
#: Answers that the work asks for.
WANTED: Final = {"accepted", "insufficient_points"}


class Source(Protocol):
    def prepare(self, seconds: float) -> None: ...

    def work(self) -> Slot: ...


class Serving:
    """A house under load. The processor time is its own, and not that of who sends the load."""

    def __init__(self, house: House, source: Source) -> None:
        self._house, self._source = house, source

    def prepare(self, seconds: float) -> None:
        self._source.prepare(seconds)

    def work(self) -> Slot:
        before = machine.seconds_of(self._house.pid)
        done = self._source.work()
        after = machine.seconds_of(self._house.pid)
        spent = 0.0 if before is None or after is None else after - before
        return dataclasses.replace(done, python_seconds=spent)


class Wrk:
    """wrk as a source."""

    def __init__(self, program: wrk.Wrk, connections: int) -> None:
        self._program, self._connections = program, connections
        self._seconds = 1.0

    def prepare(self, seconds: float) -> None:
        self._seconds = seconds

    def work(self) -> Slot:
        return self._program.work(self._seconds, self._connections)


def run(room: Room, sizes: Sizes, say: Said) -> Part:
    pgbench = Pgbench(room.new(PGBENCH), sizes.scale, say)
    there = posting.founded(room, SERVED, sizes, sizes.members * LOTS, say)
    keys = served.keys_of(there)
    with contextlib.ExitStack() as hired:

        def house(processes: int) -> House:
            made = House(room.home / f"house-{processes}", there.url, there.spend_key, processes)
            hired.callback(made.leave)
            return made

        def generator(name: str, at: House) -> Hired:
            return posting.hire(hired, f"generator {name}", tills.serve, there, keys, name, at.port)

        one, two = house(1), house(2)
        by_one = generator("one", one)

        def singly(name: str, at: House, python: Hired | None) -> Source:
            if wrk.installed():
                return Wrk(wrk.Wrk(room.home, there, keys, name, at.port), sizes.callers)
            return Crew("single", sizes.callers, python or generator(name, at))

        contenders: dict[str, Contender] = {
            TPCB: TpcB(pgbench),
            SINGLE: Serving(one, singly("single", one, by_one)),
            TWO: Serving(two, singly("two", two, None)),
            BULK: Serving(one, Crew("bulk", max(2, sizes.callers // BULK_SHARE), by_one)),
        }
        say(f"load by {'wrk, batches by a generator in Python' if wrk.installed() else 'a generator in Python'}")
        posting.warm(contenders, sizes, say)
        room.settle()
        turns = rounds.interleaved(contenders, sizes.rounds, sizes.seconds, room.postmaster, say)
    say("proving the books")
    broken = [f"{SERVED}: {check}" for check in posting.faults(there.url)] + rounds.unasked(turns, WANTED)
    for name in (SERVED, PGBENCH):
        room.drop(name)
    return Part("http", turns, rounds.figures(FIGURES, turns), broken)
