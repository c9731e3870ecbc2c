"""A process that posts: the ledger's group commit with the house's own handlers, and callers who wait for their answers."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import Counter
from collections.abc import Coroutine
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import ledger
from deploy import house
from deploy.asgi import SWITCH_SECONDS, die_with_parent
from deploy.bench import recording, slot
from deploy.bench.network import Network
from deploy.bench.slot import Slot
from deploy.bench.work import LONGEST_AHEAD_SECONDS, Work
from merchants import contracts, standing

#: Requests a second that are made ahead at first; then a fifth more than were needed.
GUESS: Final = 4_000
LARGEST_AHEAD: Final = 150_000


def serve(pipe: Connection, parent: int, network: Network, name: str, index: int, of: int, record: Path | None) -> None:
    """Answer (variant, seconds, callers) with "ready", wait to be told to go, work so long, answer with the Slot."""
    die_with_parent(parent)
    tape = None if record is None else recording.Tape(record)
    writer = Writer(network, name, index, of, tape)
    try:
        while (order := pipe.recv()) is not None:
            variant, seconds, callers = order
            writer.prepare(variant, seconds)
            pipe.send("ready")
            pipe.recv()
            pipe.send(writer.work(variant, seconds, callers))
    except (EOFError, KeyboardInterrupt):
        return  # whoever asked is gone
    finally:
        writer.close()
        if tape is not None:
            tape.close()


class Writer:
    def __init__(self, network: Network, name: str, index: int, of: int, watch: ledger.Watch | None = None) -> None:
        self._work = Work(network, name, index, of)
        handlers = house.handlers(contracts.NetworkCache(), network.spend_key, standing.LaddersCache())
        self._committer = ledger.Committer(network.url, handlers, watch)
        self._ahead: list[ledger.Request] = []
        self._rate = float(GUESS)
        # as the house's own processes do
        sys.setswitchinterval(SWITCH_SECONDS)

    def prepare(self, variant: str, seconds: float) -> None:
        """Make the requests of a slot, and keep the collector from looking at them while it is measured.

        What a long slot needs beyond them is made as it is sent.
        """
        gc.unfreeze()
        count = min(LARGEST_AHEAD, int(self._rate * min(seconds, LONGEST_AHEAD_SECONDS) * 1.2) + 512)
        self._ahead = self._work.requests(count, variant)
        self._ahead.reverse()
        gc.collect()
        gc.freeze()

    def work(self, variant: str, seconds: float, callers: int) -> Slot:
        done = _loop(self._slot(variant, seconds, callers))
        self._rate = done.rate
        return done

    async def _slot(self, variant: str, seconds: float, callers: int) -> Slot:
        latencies: list[float] = []
        answers: Counter[str] = Counter()
        ahead, clock, submit = self._ahead, time.perf_counter, self._committer.submit
        processor = time.process_time()
        began = clock()
        until = began + seconds

        async def caller() -> None:
            """Sends its next request when the last is answered."""
            while (sent := clock()) < until:
                request = ahead.pop() if ahead else self._work.request(variant)
                outcome = await submit(request)
                latencies.append(clock() - sent)
                answers[_told(outcome)] += 1

        await asyncio.gather(*(caller() for _ in range(callers)))
        elapsed = clock() - began
        return slot.of(latencies, elapsed, time.process_time() - processor, dict(answers))

    def close(self) -> None:
        self._committer.close()


def _told(outcome: ledger.Outcome) -> str:
    if outcome.replayed:
        return "replayed"
    return outcome.decision.code if isinstance(outcome.decision, ledger.Refusal) else "accepted"


def _loop(work: Coroutine[Any, Any, Slot]) -> Slot:
    """Run on the loop that the house's processes run on."""
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop

    return uvloop.run(work)
