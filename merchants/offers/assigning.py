"""Who is held out and who gets which variant: a hash of the offer's salt and the member's id, and nothing else. Pure.

    share(salt, member) = floor(first 8 bytes of SHA-256(salt | member's 16 bytes), big-endian, x 1,000,000 / 2^64)

A number from 0 to 999,999, each as likely as any other to within 2^-44. The arms divide that range in their order, the
hold-out first: an arm of 100,000 parts per million takes the next 100,000 numbers. Whoever has the salt computes a
member's arm again. It hangs on nothing that changes: not on the time, the shop, other members, or what a member did.
Offers have salts of their own, 32 random bytes, so what one offer gave somebody says nothing of the next.
"""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

PARTS: Final = 1_000_000
SALT_BYTES: Final = 32
#: The name of the arm that gets nothing.
HOLDOUT: Final = "holdout"


class Arm(NamedTuple):
    """Part of an audience: its name, and its share in parts per million."""

    name: str
    ppm: int


def new_salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


def commitment(salt: bytes) -> bytes:
    """What is published before the launch: SHA-256 of the salt. It tells nothing of it, and fits no other."""
    assert len(salt) == SALT_BYTES
    return hashlib.sha256(salt).digest()


def share(salt: bytes, member_id: UUID) -> int:
    """The member's number from 0 to 999,999 under this salt."""
    first = hashlib.sha256(salt + member_id.bytes).digest()[:8]
    return int.from_bytes(first, "big") * PARTS >> 64


def arm(salt: bytes, arms: Sequence[Arm], member_id: UUID) -> str:
    """The arm of a member."""
    at, end = share(salt, member_id), 0
    for name, ppm in arms:
        end += ppm
        if at < end:
            return name
    raise AssertionError(f"the arms come to {end} of {PARTS}")


def audience_hash(member_ids: Sequence[UUID]) -> bytes:
    """SHA-256 over the ids of an audience, 16 bytes each, in their order: which members were in it at the launch."""
    digest = hashlib.sha256()
    for id in sorted(member_ids):
        digest.update(id.bytes)
    return digest.digest()
