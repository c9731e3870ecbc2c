"""How a proof is laid out: which fields there are, all of them and no others, and what each may hold. Pure."""

import re
from collections.abc import Callable
from typing import Any, Final

from .reading import LARGEST_NUMBER, Malformed

#: Looks at a value; Malformed with its pointer where it is not what it should be.
Shape = Callable[[Any, str], None]


def fields(**shapes: Shape) -> Shape:
    """An object of exactly these fields."""

    def look(value: Any, at: str) -> None:
        if not isinstance(value, dict):
            raise Malformed("not an object", at)
        for name in shapes.keys() - value.keys():
            raise Malformed("missing", f"{at}/{name}")
        for name in value.keys() - shapes.keys():
            raise Malformed("a field nobody knows", f"{at}/{name[:40]}")
        for name, shape in shapes.items():
            shape(value[name], f"{at}/{name}")

    return look


def many(shape: Shape, most: int | None = None) -> Shape:
    def look(value: Any, at: str) -> None:
        if not isinstance(value, list):
            raise Malformed("not a list", at)
        if most is not None and len(value) > most:
            raise Malformed(f"more than {most}", at)
        for n, part in enumerate(value):
            shape(part, f"{at}/{n}")

    return look


def optional(shape: Shape) -> Shape:
    def look(value: Any, at: str) -> None:
        if value is not None:
            shape(value, at)

    return look


def written(pattern: str, what: str) -> Shape:
    """Text that matches a pattern, all of it."""
    compiled = re.compile(pattern)

    def look(value: Any, at: str) -> None:
        if not isinstance(value, str) or compiled.fullmatch(value) is None:
            raise Malformed(f"not {what}", at)

    return look


def exactly(*texts: str) -> Shape:
    return written("|".join(re.escape(text) for text in texts), " or ".join(texts))


def text(value: Any, at: str) -> None:
    if not isinstance(value, str) or len(value) > 500:
        raise Malformed("not a text", at)


def whole(value: Any, at: str) -> None:
    # True is an int to Python, and not to us
    if type(value) is not int or abs(value) > LARGEST_NUMBER:
        raise Malformed("not a whole number", at)


def count(value: Any, at: str) -> None:
    whole(value, at)
    if value < 0:
        raise Malformed("below zero", at)


def id_of(prefix: str) -> Shape:
    return written(f"{prefix}_[0-9a-f]{{32}}", f"a {prefix}_ and 32 hexadecimal digits")


HASH: Final = written("[0-9a-f]{64}", "a SHA-256 in hexadecimal digits")
#: Sums that JSON's numbers need not hold.
SUM: Final = written("0|[1-9][0-9]{0,30}", "a sum in digits")
SIGNED: Final = written("0|-?[1-9][0-9]{0,30}", "a sum in digits")
TIME: Final = written(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z",
    "a time in UTC, written as RFC 3339 has it",
)
KEY: Final = written("[A-Za-z0-9_-]{43}", "32 bytes in base64url")
SIGNATURE: Final = written("[A-Za-z0-9_-]{86}", "64 bytes in base64url")
