"""When the open window closes, by the network's own calendar."""

from datetime import date, datetime, time, timedelta
from typing import Any

import ledger
from ledger import Book, Committer, Database, Outcome, Tx
from settlement import store, windows
from settlement.stream.consumer import drain


def following(local: datetime, schedule: dict[str, Any]) -> datetime | None:
    """The first closing time after `local`; both are wall-clock times of the network, without zone. Pure.

    {"every": "week", "weekday": 0, "at": "00:00"} closes at the beginning of each Monday; {"every": "day", "at": ...}
    each day; {"every": "calendar", "dates": ["2017-03-20", ...], "at": ...} on those dates, and after the last no more.
    """
    at = time.fromisoformat(schedule.get("at", "00:00"))
    if schedule["every"] == "calendar":
        times = sorted(datetime.combine(date.fromisoformat(day), at) for day in schedule["dates"])
        return next((found for found in times if found > local), None)
    if schedule["every"] == "week":
        period, ahead = 7, (int(schedule["weekday"]) - local.weekday()) % 7
    else:
        assert schedule["every"] == "day", schedule
        period, ahead = 1, 0
    candidate = datetime.combine(local.date() + timedelta(days=ahead), at)
    return candidate if candidate > local else candidate + timedelta(days=period)


def next_due(tx: Tx, book: Book) -> datetime | None:
    """When the open window is to close; None when only the operator closes windows, or nothing has happened yet."""
    if not book.window_schedule:
        return None
    window = store.newest_window(tx, book.id)
    if window is not None:
        opened = window.opened_at
    else:
        first = ledger.stream.read(tx, book.id, ledger.stream.start(tx, book.id), 1)
        if not first:
            return None
        opened = first[0].at
    # PostgreSQL brings its own calendar of zones, so that no machine needs one
    local = _scalar(tx, "select %s::timestamptz at time zone %s", opened, book.time_zone)
    while True:
        closing = following(local, book.window_schedule)
        if closing is None:
            return None
        local = closing
        due = _scalar(tx, "select %s::timestamp at time zone %s", local, book.time_zone)
        if due > opened:
            return due


def _scalar(tx: Tx, query: str, *values: Any) -> datetime:
    row = tx.execute(query, values).fetchone()
    assert row is not None
    found: datetime = row[0]
    return found


def close_due(db: Database, committer: Committer, book_id: int) -> Outcome | None:
    """Close the open window if its time has come by the book's clock; None when it has not. Safe twice and late."""
    drain(db, book_id)
    with db.tx("settlement") as tx:
        book = ledger.read_book(tx, book_id)
        due = next_due(tx, book)
        window = store.newest_window(tx, book_id)
    if due is None or window is None or due > book.now:
        return None
    return windows.close(db, committer, book_id, number=window.number)
