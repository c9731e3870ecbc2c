"""Merkle trees as RFC 6962 has them: leaves and nodes hashed apart, no leaf counted twice. Pure.

A tree is folded as its leaves come, in memory that grows with the logarithm of their number. What is folded is a hash, or
a hash with sums (`sums.Summed`): `join` makes the parent of two.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

T = TypeVar("T")

#: The root of no leaves.
EMPTY: Final = hashlib.sha256(b"").digest()
#: No path is longer: a tree of so many leaves is beyond any book.
LONGEST_PATH: Final = 64


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Folding(Generic[T]):
    """A tree that is given its leaves in order and keeps its complete parts only, the largest first."""

    __slots__ = ("_join", "_parts", "count")

    def __init__(self, join: Callable[[T, T], T]) -> None:
        self._join = join
        self._parts: list[T] = []
        self.count = 0

    def add(self, leaf: T) -> None:
        place, part = self.count, leaf
        while place & 1:
            part = self._join(self._parts.pop(), part)
            place >>= 1
        self._parts.append(part)
        self.count += 1

    def root(self, empty: T) -> T:
        """The root so far; `empty` of no leaves."""
        if not self._parts:
            return empty
        *rest, found = self._parts
        for part in reversed(rest):
            found = self._join(part, found)
        return found


def folded(leaves: Sequence[T], join: Callable[[T, T], T]) -> T:
    """The root of at least one leaf."""
    folding = Folding(join)
    for each in leaves:
        folding.add(each)
    return folding.root(leaves[0])


def path(leaves: Sequence[T], index: int, join: Callable[[T, T], T]) -> list[T]:
    """What stands beside the way from a leaf to the root, the nearest first."""
    assert 0 <= index < len(leaves), index
    if len(leaves) == 1:
        return []
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if index < half:
        return [*path(leaves[:half], index, join), folded(leaves[half:], join)]
    return [*path(leaves[half:], index - half, join), folded(leaves[:half], join)]


def climbed(leaf: T, index: int, size: int, path: Sequence[T], join: Callable[[T, T], T]) -> T | None:
    """The root that a leaf and its path make in a tree of `size` leaves (RFC 9162, 2.1.3.2); None when the path does not fit."""
    if not 0 <= index < size:
        return None
    place, last, found = index, size - 1, leaf
    for beside in path:
        if last == 0:
            return None
        if place & 1 or place == last:
            found = join(beside, found)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            found = join(found, beside)
        place >>= 1
        last >>= 1
    return found if last == 0 else None
