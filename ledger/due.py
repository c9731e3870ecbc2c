"""What falls due in a book by itself: points confirm and expire, holds lapse. Found by the book's clock, posted like all else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from ledger.book import Book
from ledger.db import Tx
from ledger.posting import Accepted, Decision, Request
from ledger.working import Needs, Working

#: How much one look takes on. What is left is found by the next look.
LARGEST_LOOK: Final = 500

#: Whom the clock acts as: no member, merchant or operator.
CLOCK: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Confirm a member's points whose time has come, and expire those whose time is over."""

    member_id: UUID


@dataclass(frozen=True, slots=True)
class Lapse:
    """End a hold whose deadline has passed."""

    hold_id: UUID


class Due:
    """Decides what the clock does to points and holds. Safe twice, late and side by side: what is done already is simply not found."""

    exclusive = False

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "_Round":  # noqa: ARG002 - the protocol's
        needs = Needs()
        for request in requests:
            if isinstance(request.body, CatchUp):
                needs.lots_of.add(request.body.member_id)
            else:
                needs.holds.add(request.body.hold_id)
        return _Round(needs)


@dataclass(slots=True)
class _Round:
    needs: Needs

    def decide(self, request: Request, working: Working) -> Decision:
        body = request.body
        if isinstance(body, CatchUp):
            working.catch_up(body.member_id)
            return Accepted(None)
        hold = working.holds.get(body.hold_id)
        if hold is not None and hold.state == "open" and hold.deadline <= working.now:
            draft = working.record(
                "lapse",
                request.actor,
                merchant=hold.acceptor_id,
                member=hold.member_id,
                subject=hold.id,
                payload={"points": hold.points},
            )
            working.release(draft, hold, "lapsed")
        return Accepted(None)

    def write(self, tx: Tx, working: Working) -> None:
        """Nothing beyond the ledger's own rows."""


@dataclass(frozen=True, slots=True)
class SetClock:
    """Move a test book's clock. Forward only."""

    to: datetime


class Clock:
    """Sets a test book's clock, alone under the book's lock, so that no batch sees two times."""

    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "_ClockRound":  # noqa: ARG002 - the protocol's
        return _ClockRound(Needs(), requests[0].body.to)


@dataclass(slots=True)
class _ClockRound:
    needs: Needs
    to: datetime

    def decide(self, request: Request, working: Working) -> Decision:  # noqa: ARG002 - the protocol's
        assert working.book.mode == "test", "a live book's clock is the wall's"
        return Accepted(max(self.to, working.now))

    def write(self, tx: Tx, working: Working) -> None:
        tx.execute(
            "update ledger.book set clock = greatest(clock, %s) where id = %s and mode = 'test'",
            [self.to, working.book.id],
        )


def handlers() -> dict[str, Due | Clock]:
    due = Due()
    return {"catch_up": due, "lapse": due, "set_clock": Clock()}


def request(book_id: int, kind: str, body: object) -> Request:
    """A request of the clock's own: without a key, safe to repeat."""
    return Request(
        book_id=book_id, kind=kind, principal_id=CLOCK, actor="clock", body=body, render=lambda _: (200, b"{}")
    )


# -- finding


def next_expiry(tx: Tx, book: Book) -> datetime | None:
    return _first(tx, "select min(expires_at) from ledger.lot where book_id = %s and open and remaining > 0", book)


def next_maturity(tx: Tx, book: Book) -> datetime | None:
    return _first(tx, "select min(available_at) from ledger.lot where book_id = %s and unripe", book)


def next_lapse(tx: Tx, book: Book) -> datetime | None:
    return _first(tx, "select min(deadline) from ledger.hold where book_id = %s and state = 'open'", book)


def _first(tx: Tx, query: str, book: Book) -> datetime | None:
    row = tx.execute(query, [book.id]).fetchone()
    when: datetime | None = row[0] if row else None
    return when


def expiring(tx: Tx, book: Book) -> list[Request]:
    return _catching_up(
        tx,
        book,
        "select distinct member_id from (select member_id from ledger.lot where book_id = %s and open and remaining > 0"
        " and expires_at <= %s order by expires_at limit %s) as gone order by member_id",
    )


def maturing(tx: Tx, book: Book) -> list[Request]:
    return _catching_up(
        tx,
        book,
        "select distinct member_id from (select member_id from ledger.lot where book_id = %s and unripe"
        " and available_at <= %s order by available_at limit %s) as ripe order by member_id",
    )


def _catching_up(tx: Tx, book: Book, members: str) -> list[Request]:
    rows = tx.execute(members, [book.id, book.now, LARGEST_LOOK])
    return [request(book.id, "catch_up", CatchUp(row[0])) for row in rows]


def lapsing(tx: Tx, book: Book) -> list[Request]:
    rows = tx.execute(
        "select id from ledger.hold where book_id = %s and state = 'open' and deadline <= %s order by deadline, id limit %s",
        [book.id, book.now, LARGEST_LOOK],
    )
    return [request(book.id, "lapse", Lapse(row[0])) for row in rows]
