"""The way in: from an ASGI request to an operation's function and back, checks in their documented order.

Authentication, authorisation, limits, path and query, idempotency key, content type, size, JSON, fields; then the
function. Nothing is awaited on the posting path but the body and the commit.
"""

import logging
import re
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

import anyio
import msgspec
import psycopg
import psycopg_pool
from starlette.types import Receive, Scope, Send

import ledger
from gateway import bodies, callers, log, problems
from gateway.calls import Call, Download, Reply, encode
from gateway.operation import Operation
from gateway.problems import Problem
from gateway.server import Server
from gateway.streams import ABORT, MEDIA_TYPE, Stream

logger = logging.getLogger("manex.door")

RETRY_SECONDS: Final = 2
LARGEST_QUERY: Final = 2_000
#: Bytes of a file that are sent at once.
PIECE: Final = 256 * 1024
#: Digits of a Content-Length; a longer one is nonsense, and large.
LONGEST_LENGTH: Final = 12

#: Headers that decide something come once: what stands before this process might have read the other.
_ONCE: Final = (
    b"authorization",
    b"content-encoding",
    b"content-length",
    b"content-type",
    b"idempotency-key",
    b"manex-book",
)

_KEY: Final = re.compile(r'(?P<quote>"?)(?P<key>[A-Za-z0-9_-]{16,64})(?P=quote)')
_JSON_TYPE: Final = re.compile(rb'application/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE)

#: Faults that may be gone in a moment; what was asked was not done, or is repeated under its key.
_NOT_NOW: Final = (
    ledger.errors.Unavailable,
    ledger.errors.Stale,
    psycopg.OperationalError,
    psycopg_pool.PoolTimeout,
)

#: On every answer: none is to be kept by a cache, or taken for anything but what it says it is.
ALWAYS: Final = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]


class Gone(Exception):
    """The caller went away before the request was whole."""


class Door:
    """One path of the API, as an ASGI application: its operations by method."""

    def __init__(self, server: Server, operations: Sequence[Operation]) -> None:
        self._server = server
        self._path = operations[0].path
        self._by_method: Mapping[str, Operation] = {o.method: o for o in operations}
        allowed = [*self._by_method, *(["HEAD"] if "GET" in self._by_method else [])]
        self._allow = ", ".join(sorted(allowed)).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        request_id = ledger.ids.show("request", ledger.ids.new())
        headers: list[tuple[bytes, bytes]] = []
        reply: Reply | Download | Stream
        operation = self._by_method.get("GET" if scope["method"] == "HEAD" else scope["method"])
        try:
            if operation is None:
                raise Problem("method_not_allowed", f"use {self._allow.decode()}", headers=((b"allow", self._allow),))
            reply = await _answer(self._server, operation, scope, receive, request_id, headers)
        except Gone:
            return
        except Problem as problem:
            reply = refused(problem, scope["path"], request_id)
        except _NOT_NOW as error:
            logger.warning("unavailable: %s", type(error).__name__, extra={"request_id": request_id})
            reply = refused(unavailable(), scope["path"], request_id)
        except Exception as error:
            # the frames and not the message: a database's message may quote what a member sent
            frames = "".join(traceback.format_tb(error.__traceback__))
            logger.error("%s\n%s", type(error).__name__, frames, extra={"request_id": request_id})
            reply = refused(Problem("internal", "the fault is noted under the request_id"), scope["path"], request_id)
        if isinstance(reply, Reply):
            await respond(send, reply, request_id, headers)
        elif isinstance(reply, Download):
            await _download(reply, scope["method"] == "HEAD", send, request_id, headers)
        # how long a stream goes on says nothing of how long it took to answer
        seconds = time.perf_counter() - began
        # a method nobody has is the caller's word, and would be a series of its own
        method = scope["method"] if operation is not None else "other"
        status = reply.status if isinstance(reply, Reply) else 200
        try:
            self._server.metrics.request(self._path, method, status, seconds)
            if self._server.settings.access_log:
                log.access(time.time(), request_id, scope["method"], self._path, status, seconds)
            if isinstance(reply, Stream):
                await stream_out(reply, scope, receive, send, request_id, headers)
        finally:
            if isinstance(reply, Stream):
                reply.close()


async def _answer(
    server: Server,
    operation: Operation,
    scope: Scope,
    receive: Receive,
    request_id: str,
    told: list[tuple[bytes, bytes]],
) -> Reply | Download | Stream:
    if server.closing and not operation.while_closing:
        raise unavailable()
    headers = _headers(scope["headers"])
    address = scope["client"][0] if scope.get("client") else ""
    caller = await callers.admit(server, operation.who, headers, address)
    call: Call[Any] = Call(
        server=server,
        caller=caller,
        method=operation.method,
        path=scope["path"],
        request_id=request_id,
        params=scope["path_params"],
        query=None,
        body=None,
        tree=None,
        key=None,
        address=address,
        sent=headers,
        headers=told,
    )
    await callers.limit(call)
    call.query = _query(operation, scope["query_string"])
    if operation.keyed != "no":
        call.key = _key(headers.get(b"idempotency-key"), operation.keyed == "required")
    if operation.request is not None:
        raw = await _body(headers, receive, operation.largest_body)
        call.body, call.tree = bodies.read(raw, operation.request)
    elif operation.raw:
        call.raw = await _body(headers, receive, operation.largest_body, operation.raw)
    return _reply(await operation.function(call))


def _headers(sent: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The headers by name; of those that decide nothing the last counts where one comes twice."""
    found = dict(sent)
    if len(found) != len(sent):
        names = [name for name, _ in sent]
        if twice := next((name for name in _ONCE if names.count(name) > 1), None):
            raise Problem("malformed_request", f"the header {twice.decode().title()} comes twice")
    return found


def _reply(answer: Any) -> Reply | Download | Stream:
    if isinstance(answer, Reply | Download | Stream):
        return answer
    if isinstance(answer, ledger.Outcome):
        media_type = problems.MEDIA_TYPE if answer.status >= 400 else b"application/json"
        replayed = ((b"idempotent-replayed", b"true"),) if answer.replayed else ()
        # a stopped network: the till keeps it and sends it again
        later = ((b"retry-after", b"%d" % RETRY_SECONDS),) if answer.status == 503 else ()
        return Reply(answer.status, answer.body, media_type, (*replayed, *later))
    return Reply(200, encode(answer))


def refused(problem: Problem, path: str, request_id: str) -> Reply:
    return Reply(*problems.rendered(problem, path, request_id), problems.MEDIA_TYPE, problem.headers)


def unavailable() -> Problem:
    return Problem("unavailable", "send it again in a moment", headers=((b"retry-after", b"%d" % RETRY_SECONDS),))


def _query(operation: Operation, raw: bytes) -> Any:
    """The query as the operation's type; an operation without one takes none."""
    if not raw and operation.query is None:
        return None
    if len(raw) > LARGEST_QUERY:
        raise Problem("malformed_request", "the query is too long")
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise Problem("malformed_request", "the query cannot be read") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Problem("malformed_request", "a parameter comes twice")
    if any("\0" in value for value in found.values()):
        raise Problem("validation_failed", "a parameter may not hold the character NUL")
    query = bodies.checked(found, operation.query or NoQuery, strict=False)
    for name, text in found.items():
        # text that a number or nothing could also be written as: 1e1, 1.0, null
        if str(getattr(query, name)) != text:
            raise problems.invalid(f"/{name}", "not written as it has to be")
    return query


class NoQuery(msgspec.Struct, forbid_unknown_fields=True):
    """No parameters."""


def _key(sent: bytes | None, required: bool) -> str | None:
    if sent is not None:
        return checked_key(sent.decode("latin-1"))
    if required:
        raise Problem("idempotency_key_missing", "send an Idempotency-Key of 16 to 64 of A-Z a-z 0-9 _ -")
    return None


def checked_key(text: str, pointer: str | None = None) -> str:
    """An idempotency key, its quotes taken off."""
    match = _KEY.fullmatch(text)
    if match is None:
        raise Problem("malformed_request", "an idempotency key has 16 to 64 of A-Z a-z 0-9 _ -", pointer)
    return match["key"]


async def _body(headers: dict[bytes, bytes], receive: Receive, largest: int, types: Sequence[str] = ()) -> bytes:
    """The bytes of the body, checked for type and size. The size is counted: a length that was told may be a lie."""
    told = headers.get(b"content-length", b"")
    empty = told == b"0" or (not told and b"transfer-encoding" not in headers)
    if not empty and not _is_taken(headers.get(b"content-type", b""), types):
        raise Problem("unsupported_media_type", f"send {' or '.join(types or ('application/json',))}")
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise Problem("unsupported_media_type", "send the body without an encoding")
    if told.isdigit() and (len(told) > LONGEST_LENGTH or int(told) > largest):
        raise _too_large(largest)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > largest:
            raise _too_large(largest)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _is_taken(media_type: bytes, types: Sequence[str]) -> bool:
    """JSON, or one of `types`; what is said behind the type of a file is left to who reads it."""
    if not types:
        return _JSON_TYPE.fullmatch(media_type) is not None
    return media_type.partition(b";")[0].strip().lower().decode("latin-1") in types


def _too_large(largest: int) -> Problem:
    return Problem("too_large", f"a body here has at most {largest} bytes")


async def stream_out(
    stream: Stream,
    scope: Scope,
    receive: Receive,
    send: Send,
    request_id: str,
    headers: Sequence[tuple[bytes, bytes]],
) -> None:
    """Answer with a stream, to its end."""
    told = [(b"content-type", MEDIA_TYPE), (b"request-id", request_id.encode()), *ALWAYS, *headers]
    # a balancer that gathers answers before it hands them on would gather this one for ever
    told.append((b"x-accel-buffering", b"no"))
    await send({"type": "http.response.start", "status": 200, "headers": told})
    if scope["method"] == "HEAD":
        await send({"type": "http.response.body", "body": b""})
    else:
        await stream.serve(receive, send, scope.get("extensions", {}).get(ABORT, {}).get("abort"))


async def _download(
    found: Download, head_only: bool, send: Send, request_id: str, headers: Sequence[tuple[bytes, bytes]]
) -> None:
    """A file in pieces, read beside the loop."""
    try:
        await send(
            {"type": "http.response.start", "status": 200, "headers": _told(found, found.size, request_id, headers)}
        )
        left = 0 if head_only else found.size
        while left:
            piece = await anyio.to_thread.run_sync(found.file.read, min(left, PIECE))
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        found.file.close()


def _told(
    reply: Reply | Download, size: int, request_id: str, headers: Sequence[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", reply.media_type),
        (b"content-length", b"%d" % size),
        (b"request-id", request_id.encode()),
        *ALWAYS,
        *headers,
        *reply.headers,
    ]


async def respond(send: Send, reply: Reply, request_id: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": reply.status,
            "headers": _told(reply, len(reply.body), request_id, headers),
        }
    )
    await send({"type": "http.response.body", "body": reply.body})
