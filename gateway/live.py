"""Who is told what becomes of a ledger while it does: the listeners of this process, and one follower that reads for all.

The ledger is what is followed. A commit here, a neighbour's word, or a second gone by only say that it is worth a look;
what is handed on was read from the ledger, in its sequence, each record once. One look reads the heads of the books that
somebody listens to, and the records behind those that moved.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, Literal, NamedTuple, TypeVar
from uuid import UUID

import anyio

import ledger
from gateway import store
from gateway.neighbours import Listening, Message, Posted
from gateway.problems import Problem

log = logging.getLogger("manex.live")

#: How often the heads are looked at when nobody says anything, and how soon after a look comes the next.
LOOK_SECONDS: Final = 1.0
REST_SECONDS: Final = 0.02
#: A follower that is further behind a head than this leaves the records out: its listeners begin anew.
FARTHEST: Final = 20_000

#: Open streams of one member or one key, and of this process.
PER_CALLER: Final = 5
PER_PROCESS: Final = 500
_RETRY: Final = ((b"retry-after", b"10"),)
#: Streams that read the ledger at once; the other threads are for requests.
READERS: Final = 4
#: Records that wait for one listener.
MOST_WAITING: Final = 1_000
#: Ids in a message; a batch of more says "many".
MOST_IDS: Final = 500

#: How often neighbours are told that somebody listens here, and how long that holds.
SAY_SECONDS: Final = 5.0
HOLDS_SECONDS: Final = 12.0


A = TypeVar("A")
R = TypeVar("R")


class Touched(NamedTuple):
    """A record and whom it concerns."""

    sequence: int
    id: UUID
    kind: str
    merchant_id: UUID | None
    member_id: UUID | None


class Listener:
    """One open stream: what waits for it, and why it is over. Lives in the loop."""

    def __init__(self, book_id: int, what: Literal["member", "merchant"], owner: UUID, caller: UUID) -> None:
        self.book_id = book_id
        self.what = what
        self.owner = owner
        #: the member, or the key: by whom streams are counted and ended
        self.caller = caller
        self.rows: deque[Touched] = deque()
        #: the follower has left something out
        self.missed = False
        self.over: Literal["stopping", "slow", "gone"] | None = None
        #: whether who listens has to be asked again for its credential, before anything else
        self.doubted = False
        self.stirred = asyncio.Event()

    def give(self, row: Touched) -> None:
        if len(self.rows) >= MOST_WAITING:
            self.end("slow")
        else:
            self.rows.append(row)
            self.stirred.set()

    def end(self, why: Literal["stopping", "slow", "gone"]) -> None:
        self.over = self.over or why
        self.stirred.set()


class Live:
    """The listeners of a process. `tell` speaks to its neighbours, where it has some. A stream reads in one of `turns`."""

    def __init__(self, db: ledger.Database, tell: Callable[[Message], None] | None = None) -> None:
        self._db = db
        self._tell = tell
        self._open: set[Listener] = set()
        self._following: dict[int, dict[UUID, set[Listener]]] = {}
        #: by book: every record before this sequence was handed on
        self._marks: dict[int, int] = {}
        self._callers: Counter[UUID] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._others_listen_until = 0.0
        self._say_at = 0.0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow, as long as this lasts."""
        self._stirred, self._reading = asyncio.Event(), asyncio.Lock()
        self._thread = anyio.CapacityLimiter(1)
        self.turns = asyncio.Semaphore(READERS)
        self._loop = asyncio.get_running_loop()
        follower = asyncio.create_task(self._follow(), name="manex-live")
        try:
            yield
        finally:
            self._loop = None
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)

    @property
    def streams(self) -> int:
        return len(self._open)

    # -- listening

    def open(self, listener: Listener) -> None:
        """Take a stream in, or refuse it: Problem."""
        if self._stopping or self._loop is None or len(self._open) >= PER_PROCESS:
            raise Problem("unavailable", "no more streams here now", headers=_RETRY)
        if self._callers[listener.caller] >= PER_CALLER:
            raise Problem("rate_limited", f"{PER_CALLER} streams are open already", headers=_RETRY)
        self._callers[listener.caller] += 1
        self._open.add(listener)

    async def follow(self, listener: Listener) -> None:
        """From when this returns, every record that is posted for the listener's owner reaches it."""
        book = listener.book_id
        # not in the middle of a look that was begun without it
        async with self._reading:
            if book not in self._following:
                heads = await self._beside(self._heads, [book])
                self._marks[book] = heads[book]
            self._following.setdefault(book, {}).setdefault(listener.owner, set()).add(listener)
        self._say()

    def close(self, listener: Listener) -> None:
        """The stream has ended. Ending it again changes nothing."""
        if listener not in self._open:
            return
        self._open.discard(listener)
        self._callers[listener.caller] -= 1
        if not self._callers[listener.caller]:
            del self._callers[listener.caller]
        owners = self._following.get(listener.book_id, {})
        owners.get(listener.owner, set()).discard(listener)
        if not owners.get(listener.owner):
            owners.pop(listener.owner, None)
        if not owners:
            self._following.pop(listener.book_id, None)

    def stop(self) -> None:
        """End every stream now, and take no new one. From anywhere, a signal's handler too."""
        self._stopping = True
        self._on_loop(self._stop)

    def _stop(self) -> None:
        for listener in list(self._open):
            listener.end("stopping")

    def look_again(self, key_id: UUID) -> None:
        """A key may have ended: its streams ask before they go on."""
        for listener in self._open:
            if listener.caller == key_id:
                listener.doubted = True
                listener.stirred.set()

    # -- what says that a look is worth it

    def posted(self, book_id: int, records: Sequence[ledger.Draft]) -> None:
        """Records are durable. From the committer's thread, after every batch: nothing is made where nobody listens."""
        here = book_id in self._following
        others = self._tell is not None and time.monotonic() < self._others_listen_until
        if here or others:
            ids = {id for record in records for id in (record.member_id, record.merchant_id) if id is not None}
            if ids:
                self._on_loop(self._posted, book_id, ids, others)

    def _posted(self, book_id: int, ids: set[UUID], others: bool) -> None:
        self._look_for(book_id, ids)
        if others and self._tell is not None:
            self._tell(Posted(book_id, [id.bytes for id in ids] if len(ids) <= MOST_IDS else []))

    def heard(self, message: Message) -> None:
        """What a neighbour says. It is believed to be worth a look, and no more."""
        if isinstance(message, Listening):
            self._others_listen_until = time.monotonic() + HOLDS_SECONDS
        elif isinstance(message, Posted):
            with contextlib.suppress(ValueError):
                self._look_for(message.book_id, {UUID(bytes=id) for id in message.ids})

    def _look_for(self, book_id: int, ids: set[UUID]) -> None:
        owners = self._following.get(book_id)
        if owners and (not ids or not ids.isdisjoint(owners)):
            self._stirred.set()

    def _say(self) -> None:
        """Tell the neighbours that somebody listens here."""
        if self._tell is not None and time.monotonic() >= self._say_at:
            self._say_at = time.monotonic() + SAY_SECONDS
            self._tell(Listening())

    def _on_loop(self, work: Callable[..., None], *arguments: object) -> None:
        if (loop := self._loop) is not None:
            with contextlib.suppress(RuntimeError):  # it has just closed, and all streams with it
                loop.call_soon_threadsafe(work, *arguments)

    # -- looking

    async def _follow(self) -> None:
        failed = False
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._stirred.wait()
            self._stirred.clear()
            if not self._following:
                continue
            self._say()
            try:
                await self._look()
                failed = False
            except Exception as error:
                if not failed:
                    log.warning("the ledger cannot be followed: %s", type(error).__name__)
                failed = True
                await asyncio.sleep(LOOK_SECONDS)
            await asyncio.sleep(REST_SECONDS)

    async def _look(self) -> None:
        async with self._reading:
            wanted = {book: (self._marks[book], list(owners)) for book, owners in self._following.items()}
            for book, (head, rows) in (await self._beside(self._behind, wanted)).items():
                self._marks[book] = head
                owners = self._following.get(book, {})
                if rows is None:
                    for listener in [listener for several in owners.values() for listener in several]:
                        listener.missed = True
                        listener.stirred.set()
                    continue
                for row in rows:
                    for owner, what in ((row.member_id, "member"), (row.merchant_id, "merchant")):
                        for listener in list(owners.get(owner, ())) if owner is not None else ():
                            if listener.what == what:
                                listener.give(row)

    def _heads(self, books: Sequence[int]) -> dict[int, int]:
        with self._db.tx("door") as tx:
            return store.heads(tx, books)

    def _behind(self, wanted: dict[int, tuple[int, list[UUID]]]) -> dict[int, tuple[int, list[Touched] | None]]:
        """By book whose head has moved: the head, and the records up to it that concern those owners; None: too many."""
        found: dict[int, tuple[int, list[Touched] | None]] = {}
        with self._db.tx("door") as tx:
            for book, head in store.heads(tx, list(wanted)).items():
                mark, owners = wanted[book]
                if head == mark:
                    continue
                near = 0 < head - mark <= FARTHEST
                rows = store.touched(tx, book, mark, head, owners) if near else None
                found[book] = (head, None if rows is None else [Touched(*row) for row in rows])
        return found

    async def _beside(self, work: Callable[[A], R], asked: A) -> R:
        return await anyio.to_thread.run_sync(work, asked, limiter=self._thread)
