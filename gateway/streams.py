"""Server-sent events: how they are written, and one stream from its first byte to its end.

A stream says `ready` once what was missed is told: from then on nothing is left out. `reset` says that something was, and
that what one knew has to be read anew. The `id` of an event is the sequence of the record it tells of, and what
`Last-Event-ID` resumes from.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.types import Receive, Send

from gateway.api.shapes import Ready, Reset
from gateway.live import Listener, Live, Touched
from gateway.problems import Problem

log = logging.getLogger("manex.live")

MEDIA_TYPE: Final = b"text/event-stream"

HEARTBEAT_SECONDS: Final = 15.0
#: A stream is made anew from time to time, so that it ends up at another process, or at none.
LIFE_SECONDS: Final = 15 * 60.0
#: Who does not take what is sent for so long is cut off.
SEND_SECONDS: Final = 5.0
#: Events in one piece, and how soon after one comes the next: a busy shop's stream reads in gulps.
MOST_AT_ONCE: Final = 100
REST_SECONDS: Final = 0.05
#: How long a client waits before it connects again.
RETRY_MS: Final = 2_000
#: How the server is told to drop a connection, its buffer and all; where the server knows how.
ABORT: Final = "manex.abort"

_encode = msgspec.json.Encoder().encode

#: What to tell of some records: (name, data) of one event or several of each, in order. May refuse, which ends the stream.
Tell = Callable[[Sequence[Touched]], Awaitable[list[list[tuple[str, msgspec.Struct]]]]]


def event(id: int | None, name: str, data: msgspec.Struct) -> bytes:
    """One event as it goes over the wire. JSON has no line feed, so `data` is one line.

    Without id, who is cut off behind it is told it again.
    """
    numbered = b"" if id is None else b"id: %d\n" % id
    return numbered + b"event: %s\ndata: %s\n\n" % (name.encode(), _encode(data))


@dataclass(slots=True)
class Stream:
    """An answer that goes on until one side ends it. Who has begun one closes it.

    `missed` reads what to begin with: the last sequence there is, and what came between, or None where that is too much.
    `still` is asked whether who listens still may; a Problem ends the stream.
    """

    live: Live
    listener: Listener
    missed: Callable[[int | None], Awaitable[tuple[int, list[Touched] | None]]]
    tell: Tell
    still: Callable[[], Awaitable[None]]
    seconds: float = LIFE_SECONDS
    _at: int = 0
    _opening: bytes = b""

    async def begin(self, after: int | None) -> None:
        """Follow the ledger, and read what came after the sequence `after`. A Problem or a fault leaves nothing open."""
        try:
            await self.live.follow(self.listener)
            self._opening = b"retry: %d\n\n" % RETRY_MS + await self._caught_up(after)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """It is over, whoever ended it. Closing again changes nothing."""
        self.live.close(self.listener)

    async def _caught_up(self, after: int | None) -> bytes:
        async with self.live.turns:
            last, rows = await self.missed(after)
        told = [event(last, "reset", Reset(sequence=last))] if rows is None else await self._told(rows)
        self._at = last
        return b"".join(told) + event(last, "ready", Ready(sequence=last))

    async def _told(self, rows: Sequence[Touched]) -> list[bytes]:
        if not rows:
            return []
        async with self.live.turns:
            told = await self.tell(rows)
        # a record is told of once all its events are
        return [
            event(row.sequence if i == len(events) - 1 else None, name, data)
            for row, events in zip(rows, told, strict=True)
            for i, (name, data) in enumerate(events)
        ]

    async def serve(self, receive: Receive, send: Send, abort: Callable[[], None] | None) -> None:
        """The body of the answer, to its end."""
        gone = asyncio.create_task(self._until_gone(receive))
        try:
            async with contextlib.aclosing(self._pieces()) as pieces:
                async for piece in pieces:
                    async with asyncio.timeout(SEND_SECONDS):
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
            if self.listener.over == "slow":
                raise TimeoutError
            if self.listener.over != "gone":
                async with asyncio.timeout(SEND_SECONDS):
                    await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            # what is in the buffers of a connection that nobody reads is not kept for it
            if abort is not None:
                abort()
                await asyncio.wait({gone}, timeout=1.0)
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        yield self._opening
        listener, ends_at = self.listener, time.monotonic() + self.seconds
        try:
            while listener.over is None and (left := ends_at - time.monotonic()) > 0:
                if listener.doubted:
                    listener.doubted = False
                    await self.still()
                elif listener.missed:
                    listener.missed = False
                    listener.rows.clear()
                    yield await self._caught_up(self._at)
                elif listener.rows:
                    await self.still()
                    rows = [listener.rows.popleft() for _ in range(min(MOST_AT_ONCE, len(listener.rows)))]
                    fresh = [row for row in rows if row.sequence > self._at]
                    if fresh:
                        yield b"".join(await self._told(fresh))
                        self._at = fresh[-1].sequence
                        await asyncio.sleep(REST_SECONDS)
                else:
                    try:
                        async with asyncio.timeout(min(left, HEARTBEAT_SECONDS)):
                            await listener.stirred.wait()
                    except TimeoutError:
                        await self.still()
                        yield b": \n\n"
                    listener.stirred.clear()
        except Problem:
            pass  # whoever listens may not any longer
        except Exception as error:
            # the client comes again, and misses nothing
            log.warning("a stream ends: %s", type(error).__name__)

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.listener.end("gone")


def last_event_id(sent: dict[bytes, bytes]) -> int | None:
    """Where a client was when it was cut off."""
    text = sent.get(b"last-event-id", b"").strip()
    if not text:
        return None
    if not text.isdigit() or len(text) > 18:
        raise Problem("malformed_request", "Last-Event-ID is the id of an event that was sent")
    return int(text)
