"""The app's icon, drawn: two purses' rims that share a middle. Pure, and the standard library's own PNG."""

import math
import struct
import zlib
from typing import Final

Colour = tuple[float, float, float]

GROUND: Final = (13.0, 92.0, 68.0)
LIGHT: Final = (233.0, 246.0, 239.0)
SHARED: Final = (246.0, 190.0, 84.0)


def png(pixels: int, *, whole: bool) -> bytes:
    """A square PNG; with `whole` the ground goes to the edges, else it has round corners and clear ones."""
    # the upper half, of which the lower is the mirror
    upper = [b"\0" + _row(y, pixels, whole) for y in range((pixels + 1) // 2)]
    rows = b"".join([*upper, *reversed(upper[: pixels // 2])])
    head = struct.pack(">IIBBBBB", pixels, pixels, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _row(y: int, pixels: int, whole: bool) -> bytes:
    left = []
    v = (y + 0.5) / pixels * 2 - 1
    soft = 2 / pixels
    for x in range((pixels + 1) // 2):
        u = (x + 0.5) / pixels * 2 - 1
        red, green, blue = _colour(u, v, soft, 0.8 if whole else 1.0)
        alpha = 1.0 if whole else _inside(_square(u, v), soft)
        left.append(bytes((round(red), round(green), round(blue), round(255 * alpha))))
    return b"".join([*left, *reversed(left[: pixels // 2])])


def _colour(u: float, v: float, soft: float, scale: float) -> Colour:
    u, v, soft = u / scale, v / scale, soft / scale
    left, right = math.hypot(u + 0.24, v) - 0.46, math.hypot(u - 0.24, v) - 0.46
    rims = min(abs(left), abs(right)) - 0.07
    both = max(left, right) + 0.07
    return _over(_over(GROUND, SHARED, _inside(both, soft)), LIGHT, _inside(rims, soft))


def _square(u: float, v: float) -> float:
    """How far outside a square with round corners a point lies."""
    radius = 0.42
    a, b = abs(u) - (1 - radius), abs(v) - (1 - radius)
    return math.hypot(max(a, 0), max(b, 0)) + min(max(a, b), 0) - radius


def _inside(distance: float, soft: float) -> float:
    return min(1.0, max(0.0, 0.5 - distance / soft))


def _over(under: Colour, over: Colour, share: float) -> Colour:
    # nearly every point is wholly one or the other
    if share <= 0.0:
        return under
    if share >= 1.0:
        return over
    a, b, c = (one + (other - one) * share for one, other in zip(under, over, strict=True))
    return (a, b, c)
