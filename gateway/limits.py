"""How fast a caller may go: token buckets in this process, one per name, the least used forgotten."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

LARGEST_NAMES: Final = 50_000


class Rate(NamedTuple):
    """`quota` requests in `seconds`, which may come all at once after a pause."""

    quota: int
    seconds: int


class Room(NamedTuple):
    """What is left of a rate, and how many whole seconds until there is more (0: there is some)."""

    remaining: int
    wait_seconds: int


class Limiter:
    """Buckets of one rate. A name that is not seen for long is forgotten, which is the same as a full bucket."""

    def __init__(self, rate: Rate, *, names: int = LARGEST_NAMES, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        #: IETF draft-ietf-httpapi-ratelimit-headers: the policy and what is left of it
        self.policy = f'"{rate.quota}-in-{rate.seconds}s";q={rate.quota};w={rate.seconds}'.encode()
        self._clock = clock
        self._names = names
        self._per_second = rate.quota / rate.seconds
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, amount: int = 1) -> Room:
        """Take `amount` from the bucket of `name`; nothing when there is no room. A full bucket lets more than it holds
        pass, and is that much longer in filling."""
        now = self._clock()
        level, at = self._buckets.get(name, (float(self.rate.quota), now))
        level = min(float(self.rate.quota), level + (now - at) * self._per_second)
        wait = 0
        if level >= min(amount, self.rate.quota):
            level -= amount
        else:
            wait = math.ceil((amount - level) / self._per_second)
        self._buckets[name] = (level, now)
        self._buckets.move_to_end(name)
        if len(self._buckets) > self._names:
            self._buckets.popitem(last=False)
        return Room(max(0, int(level)), wait)

    def headers(self, room: Room) -> list[tuple[bytes, bytes]]:
        """`RateLimit-Policy`, `RateLimit` and, where there is no room, `Retry-After`."""
        told = [
            (b"ratelimit-policy", self.policy),
            (b"ratelimit", b'"%d-in-%ds";r=%d;t=%d' % (*self.rate, room.remaining, self.rate.seconds)),
        ]
        if room.wait_seconds:
            told.append((b"retry-after", b"%d" % room.wait_seconds))
        return told
