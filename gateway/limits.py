"""How fast a caller may go: token buckets by name, in this process, and shared with the others where there are others.

The buckets of the house decide while they can be reached. When they cannot, each process decides by its own, which it
kept up meanwhile: for that time a caller of N processes has up to N times the quota.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

LARGEST_NAMES: Final = 50_000


class Rate(NamedTuple):
    """`quota` requests in `seconds`, which may come all at once after a pause."""

    quota: int
    seconds: int


class Room(NamedTuple):
    """What is left of a rate, and how many whole seconds until there is more (0: there is some)."""

    remaining: int
    wait_seconds: int


class Buckets(Protocol):
    """Buckets that several processes share."""

    async def take(self, name: str, rate: Rate, amount: int) -> Room | None:
        """What `Limiter.take` does; None when it cannot be said in time. Never raises."""
        ...


class Limiter:
    """Buckets of one rate. A name that is not seen for long is forgotten, which is the same as a full bucket.

    `kind` tells these buckets from those of other limiters in `shared`.
    """

    def __init__(
        self,
        rate: Rate,
        kind: str = "",
        shared: Buckets | None = None,
        *,
        names: int = LARGEST_NAMES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rate = rate
        #: IETF draft-ietf-httpapi-ratelimit-headers: the policy and what is left of it
        self.policy = f'"{rate.quota}-in-{rate.seconds}s";q={rate.quota};w={rate.seconds}'.encode()
        self._kind = kind
        self._shared = shared
        self._clock = clock
        self._names = names
        self._per_second = rate.quota / rate.seconds
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def take(self, name: str, amount: int = 1) -> Room:
        """Take `amount` from the bucket of `name`; nothing when there is no room. A full bucket lets more than it holds
        pass, and is that much longer in filling."""
        if self._shared is None:
            return self.take_here(name, amount)
        level = self._level(name)
        if not self._lets(level, amount):
            # what this process alone let pass is all there is: nobody need be asked
            return self._room(level, amount)
        told = await self._shared.take(f"{self._kind} {name}", self.rate, amount)
        if told is None:
            return self.take_here(name, amount)
        if not told.wait_seconds:
            self._keep(name, self._level(name) - amount)
        return told

    def take_here(self, name: str, amount: int = 1) -> Room:
        """The same by this process alone."""
        level = self._level(name)
        room = self._room(level, amount)
        self._keep(name, level if room.wait_seconds else level - amount)
        return room

    def _level(self, name: str) -> float:
        now = self._clock()
        level, at = self._buckets.get(name, (float(self.rate.quota), now))
        return min(float(self.rate.quota), level + (now - at) * self._per_second)

    def _lets(self, level: float, amount: int) -> bool:
        return level >= min(amount, self.rate.quota)

    def _room(self, level: float, amount: int) -> Room:
        if self._lets(level, amount):
            return Room(max(0, int(level - amount)), 0)
        return Room(max(0, int(level)), math.ceil((amount - level) / self._per_second))

    def _keep(self, name: str, level: float) -> None:
        self._buckets[name] = (level, self._clock())
        self._buckets.move_to_end(name)
        if len(self._buckets) > self._names:
            self._buckets.popitem(last=False)

    def headers(self, room: Room) -> list[tuple[bytes, bytes]]:
        """`RateLimit-Policy`, `RateLimit` and, where there is no room, `Retry-After`."""
        told = [
            (b"ratelimit-policy", self.policy),
            (b"ratelimit", b'"%d-in-%ds";r=%d;t=%d' % (*self.rate, room.remaining, self.rate.seconds)),
        ]
        if room.wait_seconds:
            told.append((b"retry-after", b"%d" % room.wait_seconds))
        return told
