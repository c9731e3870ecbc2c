"""One call of an operation: who calls, what was sent, and the few things its function may do with it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, Concatenate, Final, Generic, ParamSpec, TypeVar
from uuid import UUID

import anyio
import msgspec

import ledger
from gateway import problems
from gateway.limits import Limiter
from gateway.problems import Problem
from gateway.server import BookFacts, Server

encode: Final = msgspec.json.Encoder().encode

B = TypeVar("B")
R = TypeVar("R")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Nobody:
    """Whoever calls without a credential."""


@dataclass(frozen=True, slots=True)
class MerchantCaller:
    """A merchant, by one of its keys."""

    id: UUID
    book: BookFacts
    key_id: UUID
    scopes: frozenset[str]

    @property
    def actor(self) -> str:
        return ledger.ids.show("key", self.key_id)


@dataclass(frozen=True, slots=True)
class MemberCaller:
    id: UUID
    book: BookFacts

    @property
    def actor(self) -> str:
        return ledger.ids.show("member", self.id)


@dataclass(frozen=True, slots=True)
class OperatorCaller:
    """A person or service of the network. `book_id` is the one book the key is good for; None: all."""

    id: UUID
    key_id: UUID
    book_id: int | None
    name: str
    roles: frozenset[str]

    @property
    def actor(self) -> str:
        return ledger.ids.show("operator", self.id)


Caller = Nobody | MerchantCaller | MemberCaller | OperatorCaller


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in bytes, where it is not a plain value of 200."""

    status: int
    body: bytes
    media_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Download:
    """An answer in a file that is written to its end, however large. Whoever sends it closes it."""

    file: BinaryIO
    size: int
    media_type: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Rendering(Generic[R]):
    """How a decision becomes the status and the bytes that are stored with it."""

    show: Callable[[R], msgspec.Struct]
    instance: str
    request_id: str

    def __call__(self, decision: ledger.Decision) -> tuple[int, bytes]:
        if isinstance(decision, ledger.Accepted):
            return 200, encode(self.show(decision.value))
        return problems.rendered(problems.of_refusal(decision), self.instance, self.request_id)


@dataclass(slots=True)
class Call(Generic[B]):
    server: Server
    caller: Caller
    method: str
    path: str
    request_id: str
    params: dict[str, str]
    query: Any
    body: B
    tree: Any
    key: str | None
    address: str
    #: the request's headers; where one comes twice, the last
    sent: dict[bytes, bytes]
    #: the body's bytes, where an operation takes them as they are
    raw: bytes = b""
    #: what the answer's headers say beyond its own
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    # -- who

    @property
    def merchant(self) -> MerchantCaller:
        assert isinstance(self.caller, MerchantCaller)
        return self.caller

    @property
    def member(self) -> MemberCaller:
        assert isinstance(self.caller, MemberCaller)
        return self.caller

    @property
    def operator(self) -> OperatorCaller:
        assert isinstance(self.caller, OperatorCaller)
        return self.caller

    # -- what

    def id(self, what: str) -> UUID:
        """The id in the path; 404 when it is not one of `what`."""
        found = ledger.ids.read(what, self.params[what])
        if found is None:
            raise problems.not_found(what)
        return found

    # -- doing

    async def thread(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run what waits for the database beside the loop."""
        return await anyio.to_thread.run_sync(partial(work, *args, **kwargs), limiter=self.server.readers)

    async def read(self, work: Callable[Concatenate[ledger.Tx, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """`work(tx, ...)` in a transaction that sees only the calling merchant's rows."""
        return await self.thread(self._in_tx, "tenant", str(self.merchant.id), lambda tx: work(tx, *args, **kwargs))

    async def work(self, work: Callable[Concatenate[ledger.Tx, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """`work(tx, ...)` in a transaction of the doors."""
        return await self.thread(self._in_tx, "door", None, lambda tx: work(tx, *args, **kwargs))

    def _in_tx(self, role: str, tenant: str | None, work: Callable[[ledger.Tx], R]) -> R:
        with self.server.db.tx(role, tenant=tenant) as tx:
            return work(tx)

    async def post(
        self,
        kind: str,
        command: Any,
        show: Callable[[Any], msgspec.Struct],
        *,
        book_id: int | None = None,
        principal_id: UUID | None = None,
    ) -> ledger.Outcome:
        """Post `command` under the caller's key and wait until it is durable. A merchant posts to its own book."""
        caller = self.caller
        assert not isinstance(caller, Nobody)
        if book_id is None:
            assert not isinstance(caller, OperatorCaller)
            book_id = caller.book.id
        return await self.server.committer.submit(
            ledger.Request(
                book_id=book_id,
                kind=kind,
                principal_id=principal_id or caller.id,
                actor=caller.actor,
                body=command,
                render=Rendering(show, self.path, self.request_id),
                key=self.key,
                fingerprint=ledger.fingerprint(self.method, self.path, self.tree) if self.key else b"",
            )
        )

    async def take(self, limiter: Limiter, name: str, amount: int = 1) -> None:
        """Count against a limit, and say so in the answer; 429 when there is no room."""
        room = await limiter.take(name, amount)
        self.headers[:] = limiter.headers(room)
        if room.wait_seconds:
            raise Problem("rate_limited", f"try again in {room.wait_seconds} seconds")


def accepted(answer: R | ledger.Refusal) -> R:
    """What a room answered; its refusal as a Problem."""
    if isinstance(answer, ledger.Refusal):
        raise problems.of_refusal(answer)
    return answer
