"""Processes that read balances for callers: gathered as the house does it, and one pooled query each."""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, Final

import uvloop

import gateway.wallets
import ledger
from deploy.asgi import SWITCH_SECONDS, die_with_parent
from deploy.bench import slot
from deploy.bench.network import Network
from deploy.bench.slot import Slot

#: As many threads and connections as a gateway process has for reads.
THREADS: Final = 16
CONNECTIONS: Final = 8

GATHERED, POOLED = "gathered", "pooled"


def serve(pipe: Connection, parent: int, network: Network) -> None:
    """Answer (variant, seconds, callers) with "ready", wait to be told to go, read so long, answer with the Slot."""
    die_with_parent(parent)
    # as the house's own processes do
    sys.setswitchinterval(SWITCH_SECONDS)
    db = ledger.Database(network.url, largest_pool=CONNECTIONS)
    gathered = ledger.Gathered(network.url, "door", gateway.wallets.of)
    threads = ThreadPoolExecutor(THREADS)

    def alone(asked: gateway.wallets.Asked) -> Any:
        with db.tx("door") as tx:
            return gateway.wallets.of(tx, [asked])[0]

    def pooled(asked: gateway.wallets.Asked) -> Awaitable[Any]:
        return asyncio.get_running_loop().run_in_executor(threads, alone, asked)

    roads: dict[str, Callable[[gateway.wallets.Asked], Awaitable[Any]]] = {GATHERED: gathered.ask, POOLED: pooled}
    try:
        while (order := pipe.recv()) is not None:
            variant, seconds, callers = order
            gc.collect()
            gc.freeze()
            pipe.send("ready")
            pipe.recv()
            pipe.send(uvloop.run(_work(network, roads[variant], seconds, callers)))
    except (EOFError, KeyboardInterrupt):
        return  # whoever asked is gone
    finally:
        gathered.close()
        threads.shutdown()
        db.close()


async def _work(
    network: Network, ask: Callable[[gateway.wallets.Asked], Awaitable[Any]], seconds: float, callers: int
) -> Slot:
    latencies: list[float] = []
    answers = {"accepted": 0, "nobody": 0}
    clock, chance, members = time.perf_counter, random.Random(callers).random, network.members
    processor = time.process_time()
    began = clock()
    until = began + seconds

    async def caller() -> None:
        """Asks for the next balance when the last is there."""
        while (sent := clock()) < until:
            wallet = await ask((network.book_id, members[int(chance() * len(members))].id))
            latencies.append(clock() - sent)
            answers["nobody" if wallet is None else "accepted"] += 1

    await asyncio.gather(*(caller() for _ in range(callers)))
    elapsed = clock() - began
    told = {name: times for name, times in answers.items() if times}
    return slot.of(latencies, elapsed, time.process_time() - processor, told)
