"""What a member has: points to spend now, points on their way, points set aside, points about to go."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from ledger.accounts import AccountName
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


def read(tx: Tx, book: Book, member_id: UUID) -> Wallet:
    """Points past their time are no longer counted, and those whose time has come are, whether or not the job has been by."""
    lots = [lot for lot in reading.open_lots(tx, book.id, member_id) if lot.expires_at > book.now]
    goes: defaultdict[datetime, int] = defaultdict(int)
    comes: defaultdict[datetime, int] = defaultdict(int)
    for lot in lots:
        if lot.available_at <= book.now:
            lot.remaining, lot.pending = lot.remaining + lot.pending, 0
        if lot.remaining:
            goes[lot.expires_at] += lot.remaining
        if lot.pending:
            comes[lot.available_at] += lot.pending
    held = AccountName("held", member_id)
    return Wallet(
        available=Points(sum(lot.remaining for lot in lots)),
        pending=Points(sum(lot.pending for lot in lots)),
        held=Points(reading.balances(tx, book.id, [held])[held]),
        owed=Points(reading.owed(tx, book.id, member_id)),
        value=Minor(sum(lot.remaining * lot.unit_value for lot in lots)),
        expiring=_soonest(goes),
        confirming=_soonest(comes),
    )


def _soonest(points_by_time: dict[datetime, int]) -> tuple[tuple[datetime, Points], ...]:
    return tuple((when, Points(points_by_time[when])) for when in sorted(points_by_time)[:NEXT_TIMES])
