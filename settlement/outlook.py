"""The open window as if it closed here: every position, who owes whom, and what it may come to by its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from ledger import Book, Tx
from settlement import netting, schedule, store
from settlement.netting import Netted

#: How many of the last closed windows give the pace.
BASIS: Final = 4


class Past(NamedTuple):
    """A closed window: how long it was open, and what each party had to receive or to pay."""

    seconds: int
    gross_minor: int
    positions: Mapping[UUID, int]


@dataclass(frozen=True, slots=True)
class Forecast:
    """So far, and for the seconds that are left what the last windows came to in as many: nothing cleverer."""

    ends_at: datetime
    seconds_left: int
    basis_windows: int
    gross_minor: int
    # they sum to zero
    positions: Mapping[UUID, int]


@dataclass(frozen=True, slots=True)
class Outlook:
    window_id: UUID
    window_number: int
    opened_at: datetime
    at: datetime
    # every record before this sequence counts
    next_sequence: int
    netted: Netted
    # none without a schedule, or before the first window was closed
    forecast: Forecast | None


def outlook(tx: Tx, book: Book) -> Outlook | None:
    """None before the book's first event. As far as the stream is derived."""
    window = store.newest_window(tx, book.id)
    if window is None:
        return None
    netted = netting.net(
        store.flows(tx, book.id, window.number),
        store.charges(tx, book.id, window.number),
        store.carries(tx, book.id, window.number),
        book.operator_id,
    )
    ends_at = schedule.next_due(tx, book)
    found = None
    if ends_at is not None:
        found = forecast(netted, book.operator_id, book.now, ends_at, _past(tx, book, window.number))
    return Outlook(
        window.id,
        window.number,
        window.opened_at,
        book.now,
        store.offset(tx, book.id) or window.first_sequence,
        netted,
        found,
    )


def _past(tx: Tx, book: Book, before: int) -> list[Past]:
    found = []
    for window in store.windows(tx, book.id, before=before, limit=BASIS):
        assert window.closed_at is not None
        assert window.totals is not None
        positions = {
            row.position.party_id: row.position.position_minor for row in store.positions(tx, book, window.number)
        }
        seconds = int((window.closed_at - window.opened_at).total_seconds())
        found.append(Past(seconds, int(window.totals["gross_minor"]), positions))
    return found


def forecast(netted: Netted, operator: UUID, now: datetime, ends_at: datetime, past: Sequence[Past]) -> Forecast | None:
    """Each amount so far plus its pace in the last windows for the time that is left, rounded down; the operator bears
    what rounding leaves. None where nothing is known of a pace. Pure.
    """
    seconds = sum(window.seconds for window in past)
    if not seconds:
        return None
    left = max(0, int((ends_at - now).total_seconds()))
    so_far = {p.party_id: p.position_minor for p in netted.positions}
    parties = so_far.keys() | {party for window in past for party in window.positions}
    positions = {
        party: so_far.get(party, 0) + sum(window.positions.get(party, 0) for window in past) * left // seconds
        for party in sorted(parties)
        if party != operator
    }
    positions[operator] = -sum(positions.values())
    gross = netted.totals["gross_minor"] + sum(window.gross_minor for window in past) * left // seconds
    return Forecast(ends_at, left, len(past), gross, positions)
