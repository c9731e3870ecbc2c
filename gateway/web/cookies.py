"""Cookies: read from a request, and told to a browser. Pure."""

import re
from typing import Final

_PAIR: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)=([!#-+\--:<-\[\]-~]*)")

LONGEST: Final = 8_000


def read(header: bytes) -> dict[str, str]:
    """The cookies of a request. One that comes twice counts once, the first."""
    found: dict[str, str] = {}
    for part in header[:LONGEST].decode("latin-1").split(";"):
        if match := _PAIR.fullmatch(part.strip()):
            found.setdefault(match[1], match[2])
    return found


def secret_name(name: str, *, secure: bool) -> str:
    """Under TLS no other host, path or plain page can set a cookie of this name."""
    return f"__Host-{name}" if secure else name


def told(name: str, value: str, *, seconds: int, secure: bool, hidden: bool = True) -> tuple[bytes, bytes]:
    """The header that sets a cookie; with no seconds, that forgets it. `hidden`: no script reads it."""
    parts = [f"{name}={value}", "Path=/", f"Max-Age={seconds}", "SameSite=Lax"]
    if hidden:
        parts.append("HttpOnly")
    if secure:
        parts.append("Secure")
    return b"set-cookie", "; ".join(parts).encode("latin-1")
