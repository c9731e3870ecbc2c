"""Group commit: requests gather while the previous commit is in flight. No timer; under light load a batch is one."""

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
from ledger.waiting import Waiter, wake
from ledger.working import Draft

log = logging.getLogger(__name__)

LARGEST_BATCH: Final = 512
LARGEST_QUEUE: Final = 20_000
TRIES: Final = 5
RECONNECT_SECONDS: Final = 20.0

#: Another process was there first: repeat on what it left.
_CONTENDED = (pg.SerializationFailure, pg.DeadlockDetected, pg.UniqueViolation, pg.LockNotAvailable, Stale)


class _Asked:
    """Requests that were asked together: their outcomes so far, in their order, and who waits for all of them."""

    __slots__ = ("count", "results", "waits")

    def __init__(self, count: int, waits: Waiter | Future[None]) -> None:
        self.count = count
        self.results: list[Outcome | Exception] = []
        self.waits = waits

    def outcomes(self) -> list[Outcome]:
        """All of them; the first that failed for a fault of ours raises."""
        outcomes: list[Outcome] = []
        for result in self.results:
            if isinstance(result, Exception):
                raise result
            outcomes.append(result)
        return outcomes


_Ticket = tuple[Request, _Asked]


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
    """Posts requests to a database, batch after batch, on a thread and a connection of its own."""

    def __init__(
        self,
        url: str,
        handlers: Mapping[str, Handler],
        watch: Watch | None = None,
        *,
        statement_timeout_ms: int = db.STATEMENT_TIMEOUT_MS,
    ) -> None:
        self._url = url
        self._handlers = handlers
        self._watch = watch or _Nobody()
        #: who is told, from the committer's thread, which records of a book are durable; it must neither wait nor raise
        self.told: Callable[[int, Sequence[Draft]], None] | None = None
        self._timeout_ms = statement_timeout_ms
        self._caches = Caches()
        self._queue: deque[_Ticket] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._conn: db.Tx | None = None
        self._thread = threading.Thread(target=self._run, name="manex-committer", daemon=True)
        self._thread.start()

    # -- asking

    def post(self, request: Request, timeout: float = 60.0) -> Outcome:
        """Post one request and wait for it. For commands and jobs; doors await `submit`."""
        return self.post_all([request], timeout)[0]

    def post_all(self, requests: Sequence[Request], timeout: float = 60.0) -> list[Outcome]:
        """Post requests in order and wait for all; the first that failed for a fault of ours raises."""
        if not requests:
            return []
        done: Future[None] = Future()
        asked = self._put(requests, done)
        done.result(timeout)
        return asked.outcomes()

    async def submit(self, request: Request) -> Outcome:
        """Post one request from a door. A caller that goes away takes nothing back."""
        return (await self.submit_all([request]))[0]

    async def submit_all(self, requests: Sequence[Request]) -> list[Outcome]:
        """Post requests in order from a door, an outcome each."""
        if not requests:
            return []
        waiter = Waiter.here()
        asked = self._put(requests, waiter)
        await waiter.future
        return asked.outcomes()

    @property
    def waiting(self) -> int:
        """How many requests wait for a batch."""
        return len(self._queue)

    def close(self) -> None:
        """Take nothing new, finish what was taken."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(timeout=60)

    def _put(self, requests: Sequence[Request], waits: Waiter | Future[None]) -> _Asked:
        asked = _Asked(len(requests), waits)
        for request in requests:
            assert request.kind in self._handlers, f"nobody decides {request.kind!r}"
        with self._wake:
            if self._closing:
                raise Unavailable("closing")
            if len(self._queue) + len(requests) > LARGEST_QUEUE:
                raise Unavailable("too many requests are waiting")
            self._queue.extend((request, asked) for request in requests)
            self._wake.notify()
        return asked

    # -- posting

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._closing:
                    self._wake.wait()
                if not self._queue:
                    break
                tickets = self._gather()
            _answer(tickets, self._settle([request for request, _ in tickets]))
        if self._conn is not None:
            self._conn.close()

    def _gather(self) -> list[_Ticket]:
        """What waits now, in order, as far as it is one book and one kind of lock."""
        first = self._queue[0][0]
        tickets: list[_Ticket] = []
        if self._handlers[first.kind].exclusive:
            return [self._queue.popleft()]
        while self._queue and len(tickets) < LARGEST_BATCH:
            request = self._queue[0][0]
            if request.book_id != first.book_id or self._handlers[request.kind].exclusive:
                break
            tickets.append(self._queue.popleft())
        return tickets

    def _settle(self, requests: list[Request]) -> list[Outcome | Exception]:
        """The batch whole, a few times; then each request alone, so that one that cannot be posted sinks only itself."""
        try:
            return list(self._attempt(requests))
        except Exception as error:
            if len(requests) == 1 or isinstance(error, Unavailable):
                if not isinstance(error, Unavailable | Stale):
                    log.exception("a request could not be posted: %s", requests[0].kind)
                return [error] * len(requests)
            log.warning("a batch of %d is posted singly: %s", len(requests), type(error).__name__)
            self._watch.singly(len(requests))
        return [result for request in requests for result in self._settle([request])]

    def _attempt(self, requests: list[Request]) -> list[Outcome]:
        exclusive = self._handlers[requests[0].kind].exclusive
        contended = 0
        began = time.monotonic()
        give_up = began + RECONNECT_SECONDS
        while True:
            try:
                if self._conn is None or self._conn.closed:
                    self._conn = db.connect(self._url, "ledger", self._timeout_ms)
                outcomes, records = post(
                    self._conn,
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
                if self._conn is not None:
                    self._conn.close()
                self._conn = None
                if time.monotonic() > give_up or self._closing:
                    raise Unavailable("the database does not answer") from error
                self._watch.repeated(type(error).__name__)
                time.sleep(0.05)


def _answer(tickets: list[_Ticket], results: list[Outcome | Exception]) -> None:
    """Give results to those who asked, and tell whoever has all of theirs."""
    waiters: list[tuple[Waiter, None]] = []
    for (_, asked), result in zip(tickets, results, strict=True):
        asked.results.append(result)
        if len(asked.results) < asked.count:
            continue
        if isinstance(asked.waits, Waiter):
            waiters.append((asked.waits, None))
        else:
            asked.waits.set_result(None)
    wake(waiters)
