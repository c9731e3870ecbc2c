"""What every page says to the browser, and what a request must say before it may change anything. Pure."""

from collections.abc import Mapping
from typing import Final

from gateway.problems import Problem

#: Nothing is loaded, sent, framed or run but what this origin serves; scripts only with the answer's own nonce.
_POLICY: Final = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    # forms of a page with no referrer would come with the origin "null"
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(), microphone=(), payment=(), usb=(), geolocation=(), screen-wake-lock=(self)",
    ),
)


def of_page(nonce: str, *, secure: bool) -> list[tuple[bytes, bytes]]:
    """The headers of an answer that a person reads."""
    told = [
        (b"content-security-policy", _POLICY.format(nonce=nonce).encode()),
        (b"cache-control", b"no-store"),
        *_ALWAYS,
    ]
    if secure:
        told.append((b"strict-transport-security", b"max-age=31536000"))
    return told


def of_asset(*, forever: bool) -> list[tuple[bytes, bytes]]:
    cache = b"public, max-age=31536000, immutable" if forever else b"no-cache"
    return [(b"cache-control", cache), *_ALWAYS]


def same_origin(headers: Mapping[bytes, bytes], *, secure: bool) -> None:
    """A Problem when a request that changes something was not made by a page of this origin.

    Browsers say so in Sec-Fetch-Site; those that do not yet say where it was made in Origin.
    """
    site = headers.get(b"sec-fetch-site")
    origin = headers.get(b"origin")
    own = (b"https://" if secure else b"http://") + headers.get(b"host", b"")
    if site is not None and site != b"same-origin":
        raise Problem("forbidden", "sent from another site")
    if origin is not None and origin != own:
        raise Problem("forbidden", "sent from another origin")
    if site is None and origin is None:
        raise Problem("forbidden", "neither Origin nor Sec-Fetch-Site")
