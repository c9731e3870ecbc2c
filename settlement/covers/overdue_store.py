"""The SQL of missing pay-ins: a network's days of grace, and who owes what of which window."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ledger import Tx
from settlement.steps import Window


class Grace(NamedTuple):
    """A network's days of grace, since when, and the count of its changes. None: the clock suspends nobody."""

    days: int | None
    at: datetime
    revision: int


def grace(tx: Tx, book_id: int) -> Grace | None:
    """None: never declared."""
    row = tx.execute("select days, at, revision from settlement.pay_in_grace where book_id = %s", [book_id]).fetchone()
    return Grace(*row) if row else None


def put_grace(tx: Tx, book_id: int, of: Grace) -> None:
    tx.execute(
        "insert into settlement.pay_in_grace (book_id, days, at, revision) values (%s, %s, %s, %s)"
        " on conflict (book_id) do update set days = excluded.days, at = excluded.at, revision = excluded.revision",
        [book_id, *of],
    )


def posted_at(window: Window) -> datetime:
    """When its settlement was posted: from then on pay-ins are expected."""
    return next(datetime.fromisoformat(step["at"]) for step in window.steps if step["step"] == "posted")


def debtors(tx: Tx, book_id: int) -> list[tuple[int, UUID, UUID, datetime]]:
    """(window's number and id, merchant, when it was posted) of every position that is open to be paid in."""
    rows = tx.execute(
        "select w.number, w.id, a.owner_id, (select (step ->> 'at')::timestamptz from jsonb_array_elements(w.steps) step"
        "  where step ->> 'step' = 'posted')"
        " from settlement.window w join ledger.account a on a.book_id = w.book_id and a.kind = 'position'"
        " and a.window_number = w.number and a.balance < 0"
        " where w.book_id = %s and w.state = 'paying' order by w.number, a.owner_id",
        [book_id],
    )
    return [(number, id, merchant, at) for number, id, merchant, at in rows]


def revisions(tx: Tx, book_id: int, subjects: Sequence[UUID]) -> dict[UUID, int]:
    rows = tx.execute(
        "select subject_id, max(revision) from ledger.revision where book_id = %s and subject_id = any(%s) group by 1",
        [book_id, list(subjects)],
    )
    return dict(rows.fetchall())
