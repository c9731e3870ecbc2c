"""One visit to a page: who comes, what was sent, in which language; and the ways to ask what the API would answer."""

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import anyio
import msgspec

import ledger
from gateway import sessions
from gateway.api.shapes import ProblemOut
from gateway.calls import Call, Caller, MemberCaller, Nobody
from gateway.problems import Problem
from gateway.server import BookFacts, Server
from gateway.session_store import Session
from gateway.web import cookies
from gateway.web.languages import Language
from gateway.web.refusals import words

R = TypeVar("R")
P = ParamSpec("P")

_GREATEST: Final = 400 * 24 * 3600
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True, slots=True)
class Shown:
    """A page: its template and what it tells."""

    template: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Moved:
    """Go on to this path, by GET."""

    to: str
    #: everything this site keeps in the browser is forgotten
    forget: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """An answer to a script of ours."""

    value: object
    status: int = 200


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes as they are."""

    body: bytes
    media_type: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(slots=True)
class Visit:
    server: Server
    root: str
    method: str
    path: str
    params: dict[str, str]
    query: dict[str, str]
    form: dict[str, str]
    sent: dict[bytes, bytes]
    cookies: dict[str, str]
    address: str
    secure: bool
    language: Language
    #: light, dark, or nothing: as the system has it
    look: str
    request_id: str
    nonce: str
    #: of the files pages stand on
    version: str
    session: Session | None = None
    facts: BookFacts | None = None
    #: the book as it was when the visit began
    book: ledger.Book | None = None
    #: what the answer says beyond its own
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    # -- who

    @property
    def member(self) -> MemberCaller:
        assert self.session is not None
        assert self.facts is not None
        return MemberCaller(self.session.member_id, self.facts)

    @property
    def network(self) -> ledger.Book:
        assert self.book is not None
        return self.book

    # -- asking

    def call(
        self,
        body: Any = None,
        *,
        method: str = "GET",
        path: str = "",
        params: dict[str, str] | None = None,
        query: Any = None,
        key: str | None = None,
    ) -> Call[Any]:
        """What the API would be asked for this visitor."""
        caller: Caller = Nobody() if self.session is None else self.member
        return Call(
            server=self.server,
            caller=caller,
            method=method,
            path=path,
            request_id=self.request_id,
            params=params or {},
            query=query,
            body=body,
            tree=None if body is None else msgspec.to_builtins(body),
            key=key,
            address=self.address,
            sent=self.sent,
        )

    async def ask(self, function: Callable[[Call[Any]], Awaitable[Any]], body: Any = None, **more: Any) -> Any:
        """What a function of the API answers; a Problem when it refuses, whoever decided that."""
        answer = await function(self.call(body, **more))
        if not isinstance(answer, ledger.Outcome):
            return answer
        if answer.status < 400:
            return msgspec.json.decode(answer.body)
        told = msgspec.json.decode(answer.body, type=ProblemOut)
        pointer = told.errors[0].pointer if told.errors else None
        raise Problem(told.code, told.detail, pointer, facts=told.facts)

    async def work(self, work: Callable[Concatenate[ledger.Tx, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """`work(tx, ...)` in a transaction of the doors, beside the loop."""
        return await anyio.to_thread.run_sync(
            partial(self._in_tx, lambda tx: work(tx, *args, **kwargs)), limiter=self.server.readers
        )

    def _in_tx(self, work: Callable[[ledger.Tx], R]) -> R:
        with self.server.db.tx("door") as tx:
            return work(tx)

    # -- answering

    def say(self, problem: Problem) -> str:
        """A refusal in the visitor's language."""
        return self.language.gettext(words(problem.code, problem.facts, problem.pointer))

    def to(self, path: str, **query: str) -> str:
        """A path of this site."""
        said = "&".join(f"{name}={value}" for name, value in query.items())
        return f"{self.root}{path}" + (f"?{said}" if said else "")

    @property
    def key(self) -> str:
        """The idempotency key that a form came with: sent twice, it does once what it says. None is as good as a new one."""
        sent = self.form.get("key", "")
        return sent if _KEY.fullmatch(sent) else self.fresh_key

    @property
    def fresh_key(self) -> str:
        """For a form that is about to be shown."""
        return secrets.token_urlsafe(24)

    @property
    def session_cookie(self) -> str:
        return cookies.secret_name(sessions.COOKIE, secure=self.secure)

    def keep(self, name: str, value: str) -> None:
        """Remember a choice that is no secret."""
        self.headers.append(cookies.told(name, value, seconds=_GREATEST, secure=self.secure))

    def sign_in(self, cookie: str) -> None:
        seconds = round(sessions.LIFE.total_seconds())
        self.headers.append(cookies.told(self.session_cookie, cookie, seconds=seconds, secure=self.secure))

    def sign_out(self) -> None:
        self.headers.append(cookies.told(self.session_cookie, "", seconds=0, secure=self.secure))
