"""How fast value is posted: the ledger in process, against TPC-B, a naive contender, and the bare writes of the same rows."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from deploy.bench import loading, naive, network, recording, rounds, writer
from deploy.bench.hired import Crew, Hired
from deploy.bench.network import Network
from deploy.bench.pgbench import CLIENTS, Pgbench
from deploy.bench.place import Room
from deploy.bench.report import Part
from deploy.bench.rounds import Contender, Wanted
from deploy.bench.slot import Slot
from deploy.commands.audit import audited

SPREAD, HOT, TWO, BARE, NAIVE, TPCB = "one writer", "one hot shop", "two writers", "bare writes", "naive", "TPC-B"
FIGURES: Final = (
    Wanted("posting.one_writer", SPREAD, TPCB, 2.0),
    Wanted("posting.over_naive", SPREAD, NAIVE, 20),
    Wanted("posting.two_writers", TWO, TPCB, 2.8),
    Wanted("posting.hot_over_spread", HOT, SPREAD, 0.8),
    Wanted("posting.floor_share", SPREAD, BARE, 0.55),
)

#: What is recorded is in memory when it is written again.
LONGEST_TAPE_SECONDS: Final = 120.0

#: Answers that the work asks for.
WANTED: Final = {"accepted", "replayed", "insufficient_points", "idempotency_key_reused"}

#: Lots that every member has when it begins, of as many shops.
LOTS: Final = 4
#: Who knows all database names of a run.
POSTING, COPY, NAIVE_DATABASE, PGBENCH = "posting", "posting_copy", "naive", "tpcb"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a run is. The defaults are what the figures are told for."""

    seconds: float = 10.0
    rounds: int = 3
    shops: int = 200
    members: int = 100_000
    scale: int = 100
    callers: int = 256
    #: stored in the full book of `growth`; others look at no such book
    records: int = 10_000_000


Said = Callable[[str], None]


class TpcB:
    """pgbench as a contender."""

    def __init__(self, bench: Pgbench) -> None:
        self._bench = bench
        self._seconds = 1.0

    def prepare(self, seconds: float) -> None:
        self._seconds = seconds

    def work(self) -> Slot:
        return self._bench.work(self._seconds)


class Bare:
    """The bare writes as a contender: of what was recorded, every round has its share."""

    def __init__(self, hired: Hired, turns: int) -> None:
        self._hired, self._turns = hired, turns

    def prepare(self, seconds: float) -> None:
        self._hired.prepare(self._turns, seconds, 0)
        self._turns -= 1
        self._hired.await_ready()

    def work(self) -> Slot:
        self._hired.go()
        return self._hired.done()


def run(room: Room, sizes: Sizes, say: Said) -> Part:
    pgbench = Pgbench(room.new(PGBENCH), sizes.scale, say)
    there = founded(room, POSTING, sizes, sizes.members * LOTS, say)
    copy = room.new(COPY, like=POSTING)
    tape = room.home / "tape"
    say("recording what is written")
    _record(there, tape, sizes)
    naive_url = room.new(NAIVE_DATABASE)
    naive.found(naive_url, there)
    with contextlib.ExitStack() as hired:
        first, second = (hire(hired, f"writer {n}", writer.serve, there, f"w{n}", n, 2, None) for n in range(2))
        careful = hire(hired, NAIVE, naive.serve, there, naive_url)
        bare = hire(hired, BARE, recording.serve, copy, tape)
        contenders: dict[str, Contender] = {
            TPCB: TpcB(pgbench),
            SPREAD: Crew("spread", sizes.callers, first),
            HOT: Crew("hot", sizes.callers, first),
            TWO: Crew("spread", sizes.callers, first, second),
            BARE: Bare(bare, sizes.rounds + 1),
            NAIVE: Crew("spread", sizes.callers, careful),
        }
        warm(contenders, sizes, say)
        room.settle()
        turns = rounds.interleaved(contenders, sizes.rounds, sizes.seconds, room.postmaster, say)
    say("proving the books")
    broken = [f"{name}: {check}" for name in (POSTING, COPY) for check in faults(room.server.dsn(name))]
    broken += naive.faults(naive_url) + rounds.unasked(turns, WANTED)
    for name in (POSTING, COPY, NAIVE_DATABASE, PGBENCH):
        room.drop(name)
    return Part("posting", turns, rounds.figures(FIGURES, turns), broken)


def founded(room: Room, name: str, sizes: Sizes, records: int, say: Said) -> Network:
    """A database of this name with the network in it, so many sales loaded, and some members in debt."""
    url = room.new(name, migrated=True)
    there = network.found(url, secrets.token_bytes(32), sizes.shops, sizes.members, say)
    loading.load(there, records, min(2, os.cpu_count() or 1), say)
    network.owe(there)
    return there


def faults(url: str) -> list[str]:
    """The checks of `manex audit` that a database does not pass."""
    # a run fills tables sooner than the server looks at them, and what it believes of them decides how long a proof takes
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("vacuum (analyze)")
    return [finding.name for finding in audited(url).findings if not finding.ok]


def warm(contenders: dict[str, Contender], sizes: Sizes, say: Said) -> None:
    """A turn for each that does not count: plans are prepared, caches filled."""
    for name, contender in contenders.items():
        say(f"warming up: {name}")
        contender.prepare(sizes.seconds / 2)
        contender.work()


def hire(stack: contextlib.ExitStack, name: str, serve: Callable[..., None], *arguments: object) -> Hired:
    hired = Hired(name, serve, *arguments)
    stack.callback(hired.leave)
    return hired


def _record(there: Network, tape: Path, sizes: Sizes) -> None:
    """Keep what a writer writes in as long as all rounds take together; bare writes take less, and end when it does."""
    with _one(there, tape) as recorder:
        crew = Crew("spread", sizes.callers, recorder)
        crew.prepare(min(LONGEST_TAPE_SECONDS, sizes.seconds * (sizes.rounds + 1)))
        crew.work()


@contextlib.contextmanager
def _one(there: Network, tape: Path) -> Iterator[Hired]:
    recorder = Hired("recorder", writer.serve, there, "tape", 0, 1, tape)
    try:
        yield recorder
    finally:
        recorder.leave()


assert CLIENTS == naive.THREADS, "the naive contender has as many connections as pgbench"
