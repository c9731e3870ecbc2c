"""Notices before points expire: facts in the stream, one for a member, a day and a stage, that whoever tells people reads.

A book notices lots in the order of their expiry, stage by stage, and remembers up to which it has: late, twice or killed
in between, a lot is noticed once a stage. What expires later than it was to is noticed again at its new time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from ledger import days
from ledger.book import Book
from ledger.db import Tx
from ledger.due import LARGEST_LOOK, request
from ledger.posting import Accepted, Decision, Request
from ledger.working import Needs, Working

#: Days before the expiry on which a member is told, the earliest first.
STAGES: Final = (60, 30, 7)


@dataclass(frozen=True, slots=True)
class Notice:
    """Tell the members whose points expire within `days` and who were not told so yet: some of them, or all."""

    days: int


@dataclass(frozen=True, slots=True)
class _Place:
    """Up to which lot, in the order of expiry, a stage is done."""

    expires_at: datetime
    lot_id: UUID


_FIRST: Final = UUID(int=0)


class Notices:
    """Decides notices. The places of all stages are locked, so that two processes take turns."""

    exclusive = False

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "_Round":
        round = _Round()
        places = _places(tx, book.id)
        for stage in sorted({asked.body.days for asked in requests}):
            _look(tx, book, stage, places.get(stage), round)
        return round


@dataclass(slots=True)
class _Round:
    needs: Needs = field(default_factory=Needs)
    # by stage: (member, lot, points, expires at) of those to be told, and how far that brings the stage
    found: dict[int, list[tuple[UUID, UUID, int, datetime]]] = field(default_factory=dict)
    reached: dict[int, _Place] = field(default_factory=dict)

    def decide(self, request: Request, working: Working) -> Decision:
        stage = request.body.days
        by_member: dict[UUID, list[tuple[UUID, int, datetime]]] = {}
        for member, lot, points, expires_at in self.found.pop(stage, ()):
            by_member.setdefault(member, []).append((lot, points, expires_at))
        for member, lots in by_member.items():
            working.record(
                "expiry_notice",
                request.actor,
                member=member,
                payload={
                    "days": stage,
                    "points": sum(points for _, points, _ in lots),
                    "expiring": [{"lot": lot, "points": points, "expires_at": at} for lot, points, at in lots],
                },
            )
        return Accepted(len(by_member))

    def write(self, tx: Tx, working: Working) -> None:
        for stage, place in self.reached.items():
            tx.execute(
                "insert into ledger.notice (book_id, days, expires_at, lot_id) values (%s, %s, %s, %s)"
                " on conflict (book_id, days) do update set expires_at = excluded.expires_at, lot_id = excluded.lot_id",
                [working.book.id, stage, place.expires_at, place.lot_id],
            )


def handlers() -> dict[str, Notices]:
    return {"notice": Notices()}


def _places(tx: Tx, book_id: int) -> dict[int, _Place]:
    rows = tx.execute(
        "select days, expires_at, lot_id from ledger.notice where book_id = %s order by days for no key update",
        [book_id],
    )
    return {row[0]: _Place(row[1], row[2]) for row in rows}


def _look(tx: Tx, book: Book, stage: int, place: _Place | None, round: _Round) -> None:
    """The next lots of a stage. Those that a later stage is about to tell of are left to it, and so are those that were
    earned with fewer days to live."""
    horizon = days.end_of_day(book.now, book.time_zone, stage)
    later = [s for s in STAGES if s < stage]
    begin = days.end_of_day(book.now, book.time_zone, max(later)) if later else book.now
    after = place if place is not None and place.expires_at >= begin else _Place(begin, _FIRST)
    rows = tx.execute(
        "select member_id, id, remaining + pending, expires_at, expires_at - make_interval(days => %s) >= earned_at"
        " from ledger.lot where book_id = %s and open"
        " and (expires_at, id) > (%s, %s) and expires_at < %s order by expires_at, id limit %s",
        [stage, book.id, after.expires_at, after.lot_id, horizon, LARGEST_LOOK],
    ).fetchall()
    round.found[stage] = [row[:4] for row in rows if row[4]]
    if len(rows) == LARGEST_LOOK:
        round.reached[stage] = _Place(rows[-1][3], rows[-1][1])
    elif place is None or place.expires_at < horizon:
        round.reached[stage] = _Place(horizon, _FIRST)


# -- finding


def next_notice(tx: Tx, book: Book) -> datetime | None:
    """When the next lot is to be told of. A stage that is done up to some day has nothing due before the day after."""
    return min((when for _, when in _due(tx, book)), default=None)


def due(tx: Tx, book: Book) -> list[Request]:
    return [request(book.id, "notice", Notice(stage)) for stage, when in _due(tx, book) if when <= book.now]


def _due(tx: Tx, book: Book) -> list[tuple[int, datetime]]:
    rows = tx.execute(
        "select stage.days, (select min(expires_at) from ledger.lot where book_id = %(book)s"
        " and open and expires_at > %(now)s"
        " and expires_at >= coalesce(done.expires_at, %(now)s))"
        " from unnest(%(stages)s::int[]) as stage(days)"
        " left join ledger.notice done on done.book_id = %(book)s and done.days = stage.days",
        {"book": book.id, "now": book.now, "stages": list(STAGES)},
    )
    return [(stage, days.start_of_day(first, book.time_zone, -stage)) for stage, first in rows if first is not None]
