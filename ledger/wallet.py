"""What a member has: points to spend now, points on their way, points set aside, points about to go."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from ledger.book import Book
from ledger.db import Tx
from ledger.store import reading
from ledger.values import Minor, Points

#: How many of the next times a balance names.
NEXT_TIMES: Final = 12


@dataclass(frozen=True, slots=True)
class Wallet:
    """A member's points by the book's clock. `value` is what the available ones are worth at a till."""

    available: Points
    pending: Points
    held: Points
    owed: Points
    value: Minor
    #: (when, how many), soonest first
    expiring: tuple[tuple[datetime, Points], ...]
    #: when pending points confirm, likewise
    confirming: tuple[tuple[datetime, Points], ...]


@dataclass(slots=True)
class _Sums:
    available: int = 0
    pending: int = 0
    held: int = 0
    owed: int = 0
    value: int = 0
    goes: defaultdict[datetime, int] = field(default_factory=lambda: defaultdict(int))
    comes: defaultdict[datetime, int] = field(default_factory=lambda: defaultdict(int))


def read(tx: Tx, book: Book, member_id: UUID) -> Wallet:
    """A member's wallet as last committed."""
    return read_all(tx, book, [member_id])[member_id]


def read_all(tx: Tx, book: Book, members: Collection[UUID]) -> dict[UUID, Wallet]:
    """The wallets of members, all of one moment.

    Points past their time are no longer counted, and those whose time has come are, whether or not the job has been by.
    """
    sums = {member: _Sums() for member in members}
    for member, held, owed, remaining, pending, unit_value, available_at, expires_at in reading.wallets(
        tx, book.id, members
    ):
        of = sums[member]
        of.held += held
        of.owed += owed
        if available_at is None or expires_at is None or expires_at <= book.now:
            continue
        if available_at <= book.now:
            remaining, pending = remaining + pending, 0
        if remaining:
            of.available += remaining
            of.value += remaining * unit_value
            of.goes[expires_at] += remaining
        if pending:
            of.pending += pending
            of.comes[available_at] += pending
    return {
        member: Wallet(
            available=Points(of.available),
            pending=Points(of.pending),
            held=Points(of.held),
            owed=Points(of.owed),
            value=Minor(of.value),
            expiring=_soonest(of.goes),
            confirming=_soonest(of.comes),
        )
        for member, of in sums.items()
    }


def _soonest(points_by_time: dict[datetime, int]) -> tuple[tuple[datetime, Points], ...]:
    return tuple((when, Points(points_by_time[when])) for when in sorted(points_by_time)[:NEXT_TIMES])
