"""Merkle-sum trees: each node carries what is below it, and its hash covers the sums of both its sides. Pure.

A sum is never below zero, so that nobody's points can be hidden behind another's debt.
"""

import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple

from . import merkle
from .reading import canonical

#: What is summed: points by how they are paid for, and what they are worth, in minor units.
NAMES: Final = (
    "prefunded_points",
    "prefunded_minor",
    "deferred_points",
    "deferred_minor",
    "closed_loop_points",
    "closed_loop_minor",
)
#: Bytes of one sum.
WIDTH: Final = 16

Sums = tuple[int, ...]

NOTHING: Final[Sums] = (0,) * len(NAMES)


class Summed(NamedTuple):
    hash: bytes
    sums: Sums

    @property
    def told(self) -> bytes:
        return self.hash + b"".join(value.to_bytes(WIDTH, "big") for value in self.sums)


EMPTY: Final = Summed(merkle.EMPTY, NOTHING)


def join(left: Summed, right: Summed) -> Summed:
    digest = hashlib.sha256(b"\x01" + left.told + right.told).digest()
    return Summed(digest, plus(left.sums, right.sums))


def leaf(opening: Mapping[str, object], sums: Sums) -> Summed:
    """The leaf of a holding; the opening tells the sums too."""
    return Summed(merkle.leaf(canonical(opening)), sums)


def plus(one: Sums, other: Sums) -> Sums:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def told(sums: Sums) -> dict[str, str]:
    """As documents write them: in digits, since JSON's numbers end at 2^53."""
    return {name: str(value) for name, value in zip(NAMES, sums, strict=True)}


def heard(written: Mapping[str, str]) -> Sums:
    return tuple(int(written[name]) for name in NAMES)
