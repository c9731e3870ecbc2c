"""What two sides say happened, as lines that can be laid against each other. Pure.

`ours` is what the book says, `theirs` what a bank, a payment provider or a shop's till says. Amounts are signed minor
units: positive came in to the network (or was sold), negative went out (or was given back).
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

#: Who the book is laid against. `stream` is the ledger against what was derived from it.
SOURCES: Final = ("stream", "psp", "bank", "till")
#: The sources whose files are brought here; a bank's lines are those that the rails took in.
FILED: Final = ("psp", "till")

_PLAIN: Final = re.compile(r"[^0-9A-Z]+")


def fold(text: str) -> str:
    """A reference as any bank leaves it: upper case, letters and digits only."""
    return _PLAIN.sub("", text.upper())


@dataclass(frozen=True, slots=True)
class Line:
    """One line of one side. What a side does not tell is empty, 0 or None."""

    id: UUID
    source: str
    # ours, theirs
    side: str
    # till: sale, redemption, refund; bank and psp: payment, topup, transfer, refund, returned; stream: slice
    kind: str
    at: datetime
    amount_minor: int
    points: int | None = None
    # ours: what is expected to be withheld of the amount; theirs: what is said to have been withheld before it
    fee_minor: int = 0
    reference: str = ""
    # the payout that pays many of ours at once
    batch: str = ""
    text: str = ""
    party: str = ""
    # the reference of what a refund or a return answers
    original: str = ""
    window: int | None = None
    merchant_id: UUID | None = None
    # the instruction that ours was booked for, and that the rails credited theirs to
    instruction_id: UUID | None = None

    @property
    def group(self) -> tuple[object, ...]:
        """Lines are only compared within a group: a till's references are its own shop's, and of one kind."""
        return (self.merchant_id, self.kind) if self.source == "till" else ()

    @property
    def key(self) -> str:
        """The reference as it is compared: a till's as it is written, a bank's folded."""
        return self.reference if self.source == "till" else fold(self.reference)

    @property
    def original_key(self) -> str:
        return self.original if self.source == "till" else fold(self.original)

    @property
    def net_minor(self) -> int:
        """What is expected to arrive of one of ours."""
        return self.amount_minor - self.fee_minor

    @property
    def order(self) -> tuple[datetime, UUID]:
        return (self.at, self.id)


@dataclass(frozen=True, slots=True)
class Match:
    """Lines of both sides that tell one thing, the rule that found it and how sure it is, in millionths."""

    rule: str
    confidence_ppm: int
    ours: tuple[Line, ...]
    theirs: tuple[Line, ...]

    @property
    def difference_minor(self) -> int:
        """theirs - what was expected: not zero only where the rule has a tolerance."""
        return sum(t.amount_minor for t in self.theirs) - sum(o.net_minor for o in self.ours)


@dataclass(frozen=True, slots=True)
class Found:
    """A break as it is found: two records that disagree, or one that stands alone."""

    type: str
    source: str
    # who has to act: operator, merchant, bank, psp
    owner: str
    lines: tuple[Line, ...]
    # by how much: theirs - ours, or what stands alone
    amount_minor: int
    points: int
    suggestion: str

    @property
    def merchant_id(self) -> UUID | None:
        return next((line.merchant_id for line in self.lines if line.merchant_id is not None), None)


@dataclass(frozen=True, slots=True)
class WindowSpan:
    """A window by its times; the open one has no end."""

    number: int
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient and how exact a source is. Days of a bank are business days."""

    # how long a line may stand alone before it is a break
    patience: timedelta
    # how much later than ours theirs may come (till: how much later than theirs ours may)
    late_after: timedelta
    # of a batch payout, for each line in it: what rounding of single fees may add up to
    rounding_minor: int = 0
    # how far apart two lines may be that no reference joins
    date_window: timedelta = timedelta(days=5)
    # clocks of tills are wrong by this much
    clock_error: timedelta = timedelta(minutes=15)


POLICIES: Final = {
    "bank": Policy(patience=timedelta(days=3), late_after=timedelta(days=5)),
    "psp": Policy(patience=timedelta(days=3), late_after=timedelta(days=7), rounding_minor=1),
    # a till may have been offline for a day
    "till": Policy(patience=timedelta(days=1), late_after=timedelta(hours=24)),
}


def line_id(book: UUID, *parts: object) -> UUID:
    """The id of a line or a break: the same whenever it is told or found again."""
    told = "|".join(str(part) for part in parts).encode()
    digest = bytearray(hashlib.sha256(book.bytes + told).digest()[:16])
    # version 8 (RFC 9562): custom
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return UUID(bytes=bytes(digest))


def break_id(book: UUID, found: Found) -> UUID:
    return line_id(book, "break", found.source, found.type, *sorted(str(line.id) for line in found.lines))


def business_time(start: datetime, end: datetime) -> timedelta:
    """The time from start to end without its Saturdays and Sundays; negative when end is before start."""
    if end < start:
        return -business_time(end, start)
    weeks, days = divmod((end.date() - start.date()).days, 7)
    idle = 2 * weeks + sum((start.weekday() + n) % 7 >= 5 for n in range(1, days + 1))
    return end - start - timedelta(days=idle)


def windows_at(spans: Sequence[WindowSpan], at: datetime, error: timedelta) -> set[int]:
    """The windows that something at about `at` may fall in. `spans` are in their order."""
    return {
        span.number
        for span in spans
        if span.opened_at <= at + error and (span.closed_at is None or at - error <= span.closed_at)
    }
