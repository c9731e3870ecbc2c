"""Whether a book slows as it grows: one with millions of records stored, beside one that has only just begun; the same work.

What is stored is sales and redemptions of points that were earned and spent. Both books have as many members, who have as
many lots each: what one redemption has to look at is the same, what lies behind it is not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
from typing import Final

from deploy.bench import loading, network, posting, rounds, writer
from deploy.bench.hired import Crew
from deploy.bench.pgbench import Pgbench
from deploy.bench.place import Room
from deploy.bench.posting import LOTS, PGBENCH, TPCB, Sizes, TpcB
from deploy.bench.report import Part
from deploy.bench.rounds import Contender, Said, Wanted

EMPTY, FULL = "an empty book", "a full book"
FIGURES: Final = (Wanted("growth.ten_million_over_empty", FULL, EMPTY, 0.8),)
DATABASES: Final = {EMPTY: "empty", FULL: "full"}


def run(room: Room, sizes: Sizes, say: Said) -> Part:
    with contextlib.ExitStack() as hired:
        contenders: dict[str, Contender] = {}
        for name, database in DATABASES.items():
            history = sizes.records if name == FULL else 0
            say(f"{name}: {history:,} records")
            there = network.found(
                room.new(database, migrated=True), secrets.token_bytes(32), sizes.shops, sizes.members, say
            )
            processes = min(2, os.cpu_count() or 1)
            loading.load(there, sizes.members * LOTS, processes, say, history=history)
            network.owe(there)
            process = posting.hire(hired, name, writer.serve, there, database, 0, 1, None)
            contenders[name] = Crew("spread", sizes.callers, process)
        contenders[TPCB] = TpcB(Pgbench(room.new(PGBENCH), sizes.scale, say))
        # longer than the others: a large book has more for the server to have in memory
        posting.warm(contenders, dataclasses.replace(sizes, seconds=sizes.seconds * 2), say)
        room.settle()
        turns = rounds.interleaved(contenders, sizes.rounds, sizes.seconds, room.postmaster, say)
    broken = rounds.unasked(turns, posting.WANTED)
    for database in DATABASES.values():
        say(f"proving the books: {database}")
        broken += [f"{database}: {check}" for check in posting.faults(room.server.dsn(database))]
    for database in (*DATABASES.values(), PGBENCH):
        room.drop(database)
    return Part("growth", turns, rounds.figures(FIGURES, turns), broken)
