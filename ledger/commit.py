"""Group commit: requests gather while batches are in flight. No timer; under light load a batch is one."""

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Final, Protocol

import psycopg
from psycopg import errors as pg

from ledger import db
from ledger.errors import Stale, Unavailable
from ledger.posting import Handler, Outcome, Request, post
from ledger.store.loading import Caches
from ledger.working import Draft

log = logging.getLogger(__name__)

LARGEST_BATCH: Final = 512
LARGEST_QUEUE: Final = 20_000
TRIES: Final = 5
RECONNECT_SECONDS: Final = 20.0
#: Batches that one process has under way: while the database works on one, Python decides another.
LANES: Final = 1

#: Another process was there first: repeat on what it left.
_CONTENDED = (pg.SerializationFailure, pg.DeadlockDetected, pg.UniqueViolation, pg.LockNotAvailable, Stale)


class _Asked:
    """Requests that were asked together, and who is told when all of them have an outcome."""

    __slots__ = ("requests", "results", "tell", "waits")

    def __init__(self, requests: list[Request]) -> None:
        self.requests = requests
        self.results: Sequence[Outcome | Exception] = ()
        self.tell: Callable[[], None] | None = None
        self.waits: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None

    def outcomes(self) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for result in self.results:
            if isinstance(result, Exception):
                raise result
            outcomes.append(result)
        return outcomes


class _Lane:
    """One thread's connection."""

    __slots__ = ("conn",)

    def __init__(self) -> None:
        self.conn: db.Tx | None = None


class Watch(Protocol):
    """Who is told what a committer does, from its thread. It must neither wait nor raise."""

    def committed(self, requests: int, replayed: int, seconds: float) -> None:
        """A batch is durable; `replayed` of its requests were answered before. `seconds`: from its first try."""
        ...

    def repeated(self, reason: str) -> None:
        """A batch is tried again; the reason is the name of the error."""
        ...

    def singly(self, requests: int) -> None:
        """A batch could not be posted whole; its requests are posted one by one."""
        ...


class _Nobody:
    def committed(self, requests: int, replayed: int, seconds: float) -> None: ...

    def repeated(self, reason: str) -> None: ...

    def singly(self, requests: int) -> None: ...


class Committer:
    """Posts requests to a database, batch after batch, on threads and connections of its own."""

    def __init__(
        self,
        url: str,
        handlers: Mapping[str, Handler],
        watch: Watch | None = None,
        *,
        statement_timeout_ms: int = db.STATEMENT_TIMEOUT_MS,
        lanes: int = LANES,
    ) -> None:
        self._url = url
        self._handlers = handlers
        self._watch = watch or _Nobody()
        #: who is told, from the committer's thread, which records of a book are durable; it must neither wait nor raise
        self.told: Callable[[int, Sequence[Draft]], None] | None = None
        self._timeout_ms = statement_timeout_ms
        self._caches = Caches()
        self._queue: deque[_Asked] = deque()
        self._waiting = 0
        self._wake = threading.Condition()
        self._closing = False
        self._lanes = [
            threading.Thread(target=self._run, name=f"manex-committer-{i}", daemon=True) for i in range(lanes)
        ]
        for lane in self._lanes:
            lane.start()

    # -- asking

    def post(self, request: Request, timeout: float = 60.0) -> Outcome:
        """Post one request and wait for it. For commands and jobs; doors await `submit`."""
        return self.post_all([request], timeout)[0]

    def post_all(self, requests: Sequence[Request], timeout: float = 60.0) -> list[Outcome]:
        """Post requests in order and wait for all; the first that failed for a fault of ours raises."""
        if not requests:
            return []
        done: Future[None] = Future()
        asked = _Asked(list(requests))
        asked.tell = lambda: done.set_result(None)
        self._put(asked)
        done.result(timeout)
        return asked.outcomes()

    async def submit(self, request: Request) -> Outcome:
        """Post one request from a door. A caller that goes away takes nothing back."""
        return (await self.submit_all([request]))[0]

    async def submit_all(self, requests: Sequence[Request]) -> list[Outcome]:
        """Post requests in order from a door, an outcome each."""
        if not requests:
            return []
        loop = asyncio.get_running_loop()
        asked = _Asked(list(requests))
        asked.waits = (loop, loop.create_future())
        self._put(asked)
        await asked.waits[1]
        return asked.outcomes()

    @property
    def waiting(self) -> int:
        """How many requests wait for a batch."""
        return self._waiting

    def close(self) -> None:
        """Take nothing new, finish what was taken."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        for lane in self._lanes:
            lane.join(timeout=60)

    def _put(self, asked: _Asked) -> None:
        for request in asked.requests:
            assert request.kind in self._handlers, f"nobody decides {request.kind!r}"
        with self._wake:
            if self._closing:
                raise Unavailable("closing")
            if self._waiting + len(asked.requests) > LARGEST_QUEUE:
                raise Unavailable("too many requests are waiting")
            self._queue.append(asked)
            self._waiting += len(asked.requests)
            self._wake.notify()

    # -- posting

    def _run(self) -> None:
        lane = _Lane()
        while True:
            with self._wake:
                while not self._queue and not self._closing:
                    self._wake.wait()
                if not self._queue:
                    break
                taken = self._gather()
            if len(taken) == 1:
                asked = taken[0]
                # in order, one stretch after the other: what stands later may name what stands before
                results = [result for part in self._parts(asked.requests) for result in self._settle(lane, part)]
            else:
                results = self._settle(lane, [request for asked in taken for request in asked.requests])
            _answer(taken, results)
        if lane.conn is not None:
            lane.conn.close()

    def _gather(self) -> list[_Asked]:
        """What waits now, in order, as far as it is one book and one kind of lock."""
        first = self._queue[0].requests
        taken: list[_Asked] = []
        together = 0
        while self._queue:
            requests = self._queue[0].requests
            if taken and (
                together + len(requests) > LARGEST_BATCH
                or requests[0].book_id != first[0].book_id
                or len(self._parts(requests)) > 1
                or self._alone(requests[0])
            ):
                break
            taken.append(self._queue.popleft())
            together += len(requests)
            if self._alone(first[0]) or len(self._parts(first)) > 1:
                break
        self._waiting -= together
        return taken

    def _alone(self, request: Request) -> bool:
        return self._handlers[request.kind].exclusive

    def _parts(self, requests: list[Request]) -> list[list[Request]]:
        """Requests that were asked together as the stretches that are posted: one book each, what runs alone alone."""
        if len(requests) == 1:
            return [requests]
        parts: list[list[Request]] = []
        for request in requests:
            last = parts[-1] if parts else None
            if (
                last is None
                or len(last) == LARGEST_BATCH
                or last[0].book_id != request.book_id
                or self._alone(request)
                or self._alone(last[0])
            ):
                parts.append([request])
            else:
                last.append(request)
        return parts

    def _settle(self, lane: _Lane, requests: list[Request]) -> list[Outcome | Exception]:
        """The batch whole, a few times; then each request alone, so that one that cannot be posted sinks only itself."""
        try:
            return list(self._attempt(lane, requests))
        except Exception as error:
            if len(requests) == 1 or isinstance(error, Unavailable):
                if not isinstance(error, Unavailable | Stale):
                    log.exception("a request could not be posted: %s", requests[0].kind)
                return [error] * len(requests)
            log.warning("a batch of %d is posted singly: %s", len(requests), type(error).__name__)
            self._watch.singly(len(requests))
        return [result for request in requests for result in self._settle(lane, [request])]

    def _attempt(self, lane: _Lane, requests: list[Request]) -> list[Outcome]:
        exclusive = self._handlers[requests[0].kind].exclusive
        contended = 0
        began = time.monotonic()
        give_up = began + RECONNECT_SECONDS
        while True:
            try:
                if lane.conn is None or lane.conn.closed:
                    lane.conn = db.connect(self._url, "ledger", self._timeout_ms)
                outcomes, records = post(
                    lane.conn,
                    self._caches,
                    self._handlers,
                    requests[0].book_id,
                    requests,
                    exclusive=exclusive,
                    firmly=contended > 0,
                )
                replayed = sum(outcome.replayed for outcome in outcomes)
                self._watch.committed(len(requests), replayed, time.monotonic() - began)
                if self.told is not None and records:
                    self.told(requests[0].book_id, records)
                return outcomes
            except _CONTENDED as error:
                contended += 1
                if contended >= TRIES:
                    raise
                self._watch.repeated(type(error).__name__)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                # Whether the commit took is unknown. Posting again is safe: a key that was stored is answered from the
                # store, and a request without key finds its work done.
                if lane.conn is not None:
                    lane.conn.close()
                lane.conn = None
                if time.monotonic() > give_up or self._closing:
                    raise Unavailable("the database does not answer") from error
                self._watch.repeated(type(error).__name__)
                time.sleep(0.05)


def _answer(taken: list[_Asked], results: list[Outcome | Exception]) -> None:
    """Give each asked its results. A loop is woken once, for all that wait in it."""
    at = 0
    waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for asked in taken:
        asked.results = results[at : at + len(asked.requests)]
        at += len(asked.requests)
        if asked.waits is not None:
            loop, future = asked.waits
            waiting.setdefault(loop, []).append(future)
        elif asked.tell is not None:
            asked.tell()
    for loop, futures in waiting.items():
        # a loop that is closed has nobody in it who waits
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_wake, futures)


def _wake(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
