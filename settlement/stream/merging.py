"""The partitions of a book's topic as one stream again. Pure: messages go in, events come out in sequence.

Within a partition sequences rise; what does not is a duplicate. The watermarks say how far each partition is told
completely, and the least of them how far the book is.
"""

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ledger.stream import Event
from ledger.wire import Watermark

#: Events of one partition that may wait for other partitions.
LARGEST_WAITING: Final = 20_000


@dataclass(slots=True)
class Partition:
    #: events that have had no effect yet, each with its offset
    waiting: deque[tuple[int, Event]] = field(default_factory=deque)
    newest: int = 0
    #: how far this partition is told completely, and the offset of the message that said so
    watermark: int = 0
    said_at: int = 0
    #: the offset behind the last message that was read
    position: int = 0

    def offset(self, following: int) -> int:
        """From where to read again after a death: from there on is all that had no effect yet, and that it is all."""
        if self.waiting:
            return self.waiting[0][0]
        return self.said_at if self.watermark >= following else self.position


class Merge:
    """What was read of a book's topic and has had no effect yet."""

    def __init__(self, partitions: int) -> None:
        self._partitions = {number: Partition() for number in range(partitions)}

    def begin(self, partition: int, offset: int) -> None:
        """Read a partition from this offset."""
        self._partitions[partition].position = offset

    def take(self, partition: int, offset: int, read: Event | Watermark | None) -> None:
        """A message of a partition; None for one that is none of ours."""
        of = self._partitions[partition]
        of.position = offset + 1
        if isinstance(read, Watermark):
            if read.sequence > of.watermark:
                of.watermark, of.said_at = read.sequence, offset
        elif read is not None and read.sequence > of.newest:
            of.newest = read.sequence
            of.waiting.append((offset, read))

    @property
    def complete(self) -> int:
        """Every event up to this sequence was sent; those that are not here were lost on the way."""
        return min(of.watermark for of in self._partitions.values())

    def ahead(self) -> set[int]:
        """Partitions of which so much waits for the others that no more of them should be read now."""
        return {number for number, of in self._partitions.items() if len(of.waiting) > LARGEST_WAITING}

    def forget(self, below: int) -> None:
        """Events that have had their effect are not waited for any more."""
        for of in self._partitions.values():
            while of.waiting and of.waiting[0][1].sequence < below:
                of.waiting.popleft()

    def events(self, up_to: int) -> Iterator[Event]:
        """What is here up to a sequence, in sequence. Nothing is taken away."""
        parts = [[event for _, event in of.waiting if event.sequence <= up_to] for of in self._partitions.values()]
        return heapq.merge(*parts, key=lambda event: event.sequence)

    def offsets(self, following: int) -> dict[int, int]:
        """By partition, from where to read after a death when `following` is the next sequence to have its effect."""
        return {number: of.offset(following) for number, of in self._partitions.items()}
