"""Who waits in an event loop for what a thread does. A loop is woken once, for all that wait in it: each waking is a system call."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any, NamedTuple


class Waiter(NamedTuple):
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]

    @classmethod
    def here(cls) -> "Waiter":
        """A waiter in the loop that runs now."""
        loop = asyncio.get_running_loop()
        return cls(loop, loop.create_future())


def wake(settled: Iterable[tuple[Waiter, Any]]) -> None:
    """Give waiters their results, from any thread; a result that is an exception is raised where it is waited for.

    Whoever went away meanwhile is passed over.
    """
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for waiter, result in settled:
        by_loop.setdefault(waiter.loop, []).append((waiter.future, result))
    for loop, results in by_loop.items():
        # a loop that is closed has nobody in it who waits
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_give, results)


def _give(results: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, result in results:
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
