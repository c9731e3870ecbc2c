"""What a member has: points to spend now, points on their way, points set aside, points about to go."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from ledger import store
from ledger.accounts import AccountName
from ledger.db import Tx
from ledger.values import Minor, Points
from ledger.working import Book

#: How many of the next expiry times a balance names.
NEXT_EXPIRIES: Final = 12


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


def read(tx: Tx, book: Book, member_id: UUID) -> Wallet:
    """Points past their time are no longer counted, whether or not the sweep has been by."""
    lots = [lot for lot in store.open_lots(tx, book.id, member_id) if lot.expires_at > book.now]
    goes: defaultdict[datetime, int] = defaultdict(int)
    for lot in lots:
        if lot.remaining:
            goes[lot.expires_at] += lot.remaining
    held = AccountName("held", member_id)
    return Wallet(
        available=Points(sum(lot.remaining for lot in lots)),
        pending=Points(sum(lot.pending for lot in lots)),
        held=Points(store.balances(tx, book.id, [held])[held]),
        owed=Points(store.owed(tx, book.id, member_id)),
        value=Minor(sum(lot.remaining * lot.unit_value for lot in lots)),
        expiring=tuple((when, Points(goes[when])) for when in sorted(goes)[:NEXT_EXPIRIES]),
    )
