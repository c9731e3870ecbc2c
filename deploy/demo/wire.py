"""The demo's side of the HTTP API: one keep-alive session, JSON in and out, patient with a server that restarts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Final, NamedTuple

import aiohttp
import msgspec

from deploy.errors import Refusal

#: How many requests are under way at once.
SIDE_BY_SIDE: Final = 64
#: How long the same request is sent again to a server that does not answer, or answers that it cannot now.
PATIENCE_SECONDS: Final = 60.0
REQUEST_SECONDS: Final = 120.0
FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 2.0

Revive = Callable[[], Awaitable[None]]


class Unexpected(Refusal):
    """The API refused what the demo never asks for in vain."""

    def __init__(self, method: str, path: str, status: int, body: bytes) -> None:
        super().__init__(f"{method} {path} answered {status}: {body[:2000].decode('utf-8', 'replace')}")
        self.status = status


class Reply(NamedTuple):
    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Wire:
    """`revive` is called when the server cannot be reached, before the request is sent again."""

    def __init__(self, base: str, revive: Revive) -> None:
        self._base = base
        self._revive = revive
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=SIDE_BY_SIDE, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def __aenter__(self) -> Wire:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, path: str, key: str, book: str | None = None) -> Any:
        return (await self.send("GET", path, key, book=book)).json

    async def pages(self, path: str, key: str) -> list[Any]:
        """All rows of a paged list."""
        rows: list[Any] = []
        mark = "&" if "?" in path else "?"
        page = await self.get(f"{path}{mark}limit=100", key)
        while True:
            rows.extend(page["data"])
            if not page.get("has_more"):
                return rows
            page = await self.get(f"{path}{mark}limit=100&cursor={page['next_cursor']}", key)

    async def post(
        self, path: str, key: str | None, body: Any, idempotency_key: str | None = None, book: str | None = None
    ) -> Any:
        return (await self.send("POST", path, key, body, idempotency_key, book)).json

    async def send(
        self,
        method: str,
        path: str,
        key: str | None,
        body: Any = None,
        idempotency_key: str | None = None,
        book: str | None = None,
    ) -> Reply:
        """Send until it is answered. Everything that is posted may be sent twice: it carries its key, or finds its work."""
        headers = {}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        if book is not None:
            headers["Manex-Book"] = book
        data = None if body is None else msgspec.json.encode(body)
        give_up = time.monotonic() + PATIENCE_SECONDS
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                async with self._session.request(method, self._base + path, data=data, headers=headers) as answer:
                    reply = Reply(answer.status, await answer.read())
                    wait = float(answer.headers.get("Retry-After", 0))
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError) as error:
                if time.monotonic() > give_up:
                    raise Refusal(f"the API server does not answer: {error!r}") from error
                await self._revive()
                wait = 0.0
            else:
                if 200 <= reply.status < 300:
                    return reply
                if (reply.status < 500 and reply.status != 429) or time.monotonic() > give_up:
                    raise Unexpected(method, path, reply.status, reply.body)
            await asyncio.sleep(max(wait, pause))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
