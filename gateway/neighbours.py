"""What the gateway processes of a house share through Redis: buckets of their limits, and short messages.

Nothing here is needed to be right. A Redis that is stopped, slow, emptied or lying costs at most what one process alone
could know: limits are counted by each process, an ended key is believed up to a second, a live event comes with the next
look at the ledger. No name, telephone or address stands in Redis: names are hashed under the house's own key.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.limits import Rate, Room

log = logging.getLogger("manex.redis")

#: How long Redis is left alone after it failed; requests meanwhile do not wait for it.
PAUSE_SECONDS: Final = 3.0
#: How often it is asked whether it is there.
PULSE_SECONDS: Final = 1.0
CONNECT_SECONDS: Final = 2.0
TELL_SECONDS: Final = 1.0
HEAR_SECONDS: Final = 5.0

#: Takes in one round trip, and messages that wait to be sent.
MOST_TAKES: Final = 128
MOST_MESSAGES: Final = 1_000
#: A full bucket lets a batch pass that is larger than it; see gateway/api/batches.py.
_LARGEST_TAKE: Final = 1_000
_SENDER_BYTES: Final = 8

# A bucket is the time (Redis' own, in microseconds) at which it will be full again, and is gone by itself then: what is
# not there is full. `cost` is the microseconds one token takes to come back.
_TAKE: Final = f"""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local told = {{}}
for i, key in ipairs(KEYS) do
    local quota, cost, amount = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
    local full_at = math.max(now, tonumber(redis.call('GET', key) or 0))
    -- a clock that was set back locks nobody out for longer than an empty bucket does
    full_at = math.min(full_at, now + math.max(quota, {_LARGEST_TAKE}) * cost)
    local level, wait = quota - (full_at - now) / cost + 0.000001, 0
    if level >= math.min(amount, quota) then
        level = level - amount
        if amount > 0 then
            full_at = full_at + amount * cost
            redis.call('SET', key, string.format('%.2f', full_at), 'PX', math.ceil((full_at - now) / 1000))
        end
    else
        wait = math.max(1, math.ceil((amount - level) * cost / 1000000))
    end
    told[2 * i - 1], told[2 * i] = math.max(0, math.floor(level)), wait
end
return told
"""

T = TypeVar("T")

# -- messages


class Posted(msgspec.Struct, frozen=True, array_like=True, tag="posted"):
    """Records of these members and merchants (their ids' bytes) are in a book; `ids` empty: of many."""

    book_id: int
    ids: list[bytes]


class Ended(msgspec.Struct, frozen=True, array_like=True, tag="ended"):
    """A key was revoked or will expire; forget what is remembered of it."""

    key: bytes


class Listening(msgspec.Struct, frozen=True, array_like=True, tag="listening"):
    """Somebody listens at the sender: tell what is posted, for the next seconds."""


Message = Posted | Ended | Listening


def ended(key_id: UUID) -> Ended:
    return Ended(key_id.bytes)


@dataclass(slots=True)
class _Take:
    key: str
    rate: Rate
    amount: int
    told: asyncio.Future[Room | None]


class Neighbours:
    """The other processes, as far as Redis reaches them. Lives in one event loop, inside `running`.

    `secret` is the house's: processes with another one share nothing with these. `timeout_ms` is what a request waits
    at most, once; then Redis is left alone for PAUSE_SECONDS.
    """

    def __init__(self, url: str, secret: bytes, *, timeout_ms: int = 50) -> None:
        self._url = url
        self._key = hashlib.blake2b(b"neighbours", key=secret, digest_size=32).digest()
        self._house = "manex:{" + self._hashed("house")[:12] + "}"
        self._timeout = timeout_ms / 1000
        self._own = os.urandom(_SENDER_BYTES)
        self._not_before = 0.0
        self._said = False
        self._takes: deque[_Take] = deque()
        self._messages: deque[bytes] = deque(maxlen=MOST_MESSAGES)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Message).decode
        #: whether takes are asked of Redis now
        self.up = False
        #: takes that were decided by this process alone, since it began
        self.fallbacks = 0
        #: who is told what the others say, on the loop
        self.heard: Callable[[Message], None] = lambda _: None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything above, as long as this lasts."""
        self._asked, self._to_tell = asyncio.Event(), asyncio.Event()
        asking, telling, hearing = (self._client(i == 0) for i in range(3))
        self._take = asking.register_script(_TAKE)
        tasks = [
            asyncio.create_task(work, name=f"manex-redis-{name}")
            for name, work in (
                ("pulse", self._feel(asking)),
                ("takes", self._ask()),
                ("telling", self._send(telling)),
                ("hearing", self._hear(hearing)),
            )
        ]
        try:
            yield
        finally:
            self.up = False
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._give_up()
            for client in (asking, telling, hearing):
                with contextlib.suppress(Exception):
                    await client.aclose()

    def _client(self, alone: bool) -> Any:
        return redis.asyncio.Redis.from_url(
            self._url,
            single_connection_client=alone,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=None,  # each use has a limit of its own
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )

    def _hashed(self, name: str) -> str:
        return hashlib.blake2b(name.encode(), key=self._key, digest_size=16).hexdigest()

    # -- limits

    async def take(self, name: str, rate: Rate, amount: int) -> Room | None:
        """Take from the bucket that all processes share; None when Redis cannot say in time."""
        if not self.up:
            self.fallbacks += 1
            return None
        told: asyncio.Future[Room | None] = asyncio.get_running_loop().create_future()
        self._takes.append(_Take(f"{self._house}:{self._hashed(name)}", rate, amount, told))
        self._asked.set()
        return await told

    async def _ask(self) -> None:
        """What gathered while the last question was on its way goes together."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._takes:
                takes = [self._takes.popleft() for _ in range(min(MOST_TAKES, len(self._takes)))]
                try:
                    self._answer(takes, await _in_time(self._evaluated(takes), self._timeout))
                except BaseException as error:
                    self._takes.extendleft(reversed(takes))
                    if not isinstance(error, Exception):
                        raise
                    self._lost(error)

    async def _evaluated(self, takes: Sequence[_Take]) -> list[Room | None]:
        numbers: list[Any] = []
        for take in takes:
            numbers += [take.rate.quota, repr(take.rate.seconds * 1_000_000 / take.rate.quota), take.amount]
        told = await self._take(keys=[take.key for take in takes], args=numbers)
        return [Room(int(told[2 * i]), int(told[2 * i + 1])) for i in range(len(takes))]

    def _answer(self, takes: Sequence[_Take], rooms: Sequence[Room | None]) -> None:
        for take, room in zip(takes, rooms, strict=True):
            if not take.told.done():
                take.told.set_result(room)

    # -- whether it is there

    async def _feel(self, client: Any) -> None:
        while True:
            try:
                if not self.up:
                    # a connection takes longer to make than to use
                    await _in_time(client.ping(), CONNECT_SECONDS)
                await _in_time(client.ping(), self._timeout)
                if not self.up and time.monotonic() >= self._not_before:
                    self.up = True
                    log.info("redis answers")
            except Exception as error:
                self._lost(error)
            await asyncio.sleep(PULSE_SECONDS)

    def _lost(self, error: Exception) -> None:
        if self.up or not self._said:
            log.warning("redis does not answer: %s; this process limits by itself", type(error).__name__)
        self.up, self._said = False, True
        self._not_before = time.monotonic() + PAUSE_SECONDS
        self._give_up()

    def _give_up(self) -> None:
        """Nobody who waits need wait longer."""
        takes = list(self._takes)
        self._takes.clear()
        self.fallbacks += len(takes)
        self._answer(takes, [None] * len(takes))

    # -- messages

    def tell(self, message: Message) -> None:
        """Say it to the other processes, soon; it may be lost. From the loop."""
        self._messages.append(self._own + self._encode(message))
        self._to_tell.set()

    def tell_once(self, message: Message) -> None:
        """The same from a command, which is in no loop and not `running`."""
        with (
            contextlib.suppress(redis.RedisError, OSError),
            redis.Redis.from_url(self._url, socket_timeout=TELL_SECONDS, socket_connect_timeout=TELL_SECONDS) as client,
        ):
            client.publish(self._house, self._own + self._encode(message))

    async def _send(self, client: Any) -> None:
        while True:
            await self._to_tell.wait()
            self._to_tell.clear()
            while self._messages:
                message = self._messages.popleft()
                try:
                    await _in_time(client.publish(self._house, message), TELL_SECONDS)
                except Exception:
                    # whoever missed it finds out by itself; old news is no news when Redis is back
                    self._messages.clear()

    async def _hear(self, client: Any) -> None:
        while True:
            try:
                async with client.pubsub(ignore_subscribe_messages=True) as channel:
                    await _in_time(channel.subscribe(self._house), CONNECT_SECONDS)
                    while True:
                        message = await channel.get_message(timeout=HEAR_SECONDS)
                        if message is not None:
                            self._take_in(message["data"])
            except Exception as error:
                log.debug("redis cannot be listened to: %s", type(error).__name__)
            await asyncio.sleep(PULSE_SECONDS)

    def _take_in(self, data: bytes) -> None:
        if data.startswith(self._own):
            return
        try:
            message = self._decode(data[_SENDER_BYTES:])
        except msgspec.MsgspecError:  # another version's, or nobody's
            return
        self.heard(message)


async def _in_time(work: Awaitable[T], seconds: float) -> T:
    """The outcome of `work`, or TimeoutError. A loop that was busy for longer than Redis took is not held against it."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        for _ in range(4):
            if task.done():
                break
            await asyncio.sleep(0)
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
