"""How fast balances are read: many at a time, against one pooled query each."""

from __future__ import annotations

import contextlib
from typing import Final

from deploy.bench import posting, reader, rounds
from deploy.bench.hired import Crew
from deploy.bench.pgbench import Pgbench
from deploy.bench.place import Room
from deploy.bench.posting import LOTS, PGBENCH, TPCB, Sizes, TpcB
from deploy.bench.report import Part
from deploy.bench.rounds import Contender, Said, Wanted

BATCHED, POOLED = "balances, gathered", "balances, a query each"
FIGURES: Final = (Wanted("reads.batched_over_pooled", BATCHED, POOLED, 4),)
READ: Final = "read"
WANTED: Final = {"accepted"}


def run(room: Room, sizes: Sizes, say: Said) -> Part:
    pgbench = Pgbench(room.new(PGBENCH), sizes.scale, say)
    there = posting.founded(room, READ, sizes, sizes.members * LOTS, say)
    with contextlib.ExitStack() as hired:
        process = posting.hire(hired, "reader", reader.serve, there)
        contenders: dict[str, Contender] = {
            TPCB: TpcB(pgbench),
            BATCHED: Crew(reader.GATHERED, sizes.callers, process),
            POOLED: Crew(reader.POOLED, sizes.callers, process),
        }
        posting.warm(contenders, sizes, say)
        room.settle()
        turns = rounds.interleaved(contenders, sizes.rounds, sizes.seconds, room.postmaster, say)
    say("proving the books")
    broken = [f"{READ}: {check}" for check in posting.faults(there.url)] + rounds.unasked(turns, WANTED)
    for name in (READ, PGBENCH):
        room.drop(name)
    return Part("reads", turns, rounds.figures(FIGURES, turns), broken)
