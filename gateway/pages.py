"""Pages of a list: a limit, and an opaque cursor that only this house can make, good for its list and caller only."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from gateway.problems import Problem

_MAC_BYTES: Final = 12

R = TypeVar("R")
A = TypeVar("A")


class Cursors:
    """Signs where a page ended. `key` is the server's."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def made(self, of: str, place: Sequence[int | str]) -> str:
        """The cursor behind `place` in the list `of` (its path and caller)."""
        body = msgspec.json.encode(place)
        return base64.urlsafe_b64encode(self._mac(of, body) + body).decode().rstrip("=")

    def read(self, of: str, text: str | None, types: tuple[type, ...]) -> list[Any] | None:
        """The place a cursor names; None without one. A Problem when it is not ours, or another list's."""
        if text is None:
            return None
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise _invalid() from None
        mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(of, body)):
            raise _invalid()
        place: list[Any] = msgspec.json.decode(body)
        assert tuple(type(part) for part in place) == types, place
        return place

    def _mac(self, of: str, body: bytes) -> bytes:
        return hmac.new(self._key, of.encode() + b"\0" + body, hashlib.sha256).digest()[:_MAC_BYTES]


def page(
    rows: Sequence[R], limit: int, cursor: Callable[[R], str], show: Callable[[R], A]
) -> tuple[list[A], bool, str | None]:
    """(data, has_more, next_cursor) of `rows`, of which one more than `limit` was asked for."""
    shown = rows[:limit]
    more = len(rows) > limit
    return [show(row) for row in shown], more, cursor(shown[-1]) if more else None


def _invalid() -> Problem:
    return Problem("cursor_invalid", "take the cursor from next_cursor of the page before")
