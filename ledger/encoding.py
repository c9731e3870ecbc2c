"""Canonical bytes: what is hashed, signed or compared is the RFC 8785 form of its JSON.

msgspec with sorted keys writes exactly that form for what the ledger holds (ASCII keys, strings, integers below 2**53,
booleans, null, arrays, objects; no floats); a test proves it against the rfc8785 library.
"""

import hashlib
from typing import Any

import msgspec

_canonical = msgspec.json.Encoder(order="sorted", uuid_format="canonical")
_plain = msgspec.json.Encoder()

#: Raised when the layout of a hashed batch changes; old batches keep the version they were hashed under.
ENCODING_VERSION = 1


def canonical(value: Any) -> bytes:
    return _canonical.encode(value)


def plain(value: Any) -> bytes:
    return _plain.encode(value)


def fingerprint(method: str, path: str, body: Any) -> bytes:
    """What an idempotency key stands for: SHA-256 over method, path and the canonical body."""
    return hashlib.sha256(b"%s %s\n" % (method.encode(), path.encode()) + canonical(body)).digest()


def content_digest(records: list[Any]) -> bytes:
    """SHA-256 of a batch's records, each with its entries and lot moves."""
    return hashlib.sha256(canonical([ENCODING_VERSION, records])).digest()


def chained(previous: bytes, first_sequence: int, digest: bytes) -> bytes:
    """The hash of a batch. `store.seal` computes the same in SQL, so that the head is locked for one statement only."""
    return hashlib.sha256(previous + first_sequence.to_bytes(8, "big", signed=True) + digest).digest()
