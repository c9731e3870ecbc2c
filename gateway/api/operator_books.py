"""Books: opening them, their clock, what was sent in them, and what they came to."""

from datetime import date, timedelta
from functools import partial
from typing import Any, Final, cast
from uuid import UUID

import ledger
import settlement
from gateway import problems, store
from gateway.api import amounts, names
from gateway.api.operator_scope import book_in_path
from gateway.api.shapes import (
    BookIn,
    BookList,
    BookOut,
    ClockIn,
    ClockOut,
    PartySum,
    PhoneIn,
    PointsSummary,
    RefundsSummary,
    RulesIn,
    RulesOut,
    ScheduleIn,
    SentCodeOut,
    SentCodesOut,
    SettlementSummary,
    SummaryOut,
)
from gateway.calls import Call
from gateway.problems import Problem
from gateway.server import BookFacts
from ledger import Outcome, ids
from merchants import contracts

#: How far one call moves a clock. Every window and expiry on the way is done before it answers.
LONGEST_ADVANCE: Final = timedelta(days=400)


async def post_book(call: Call[BookIn]) -> BookOut:
    if call.operator.book_id is not None:
        raise Problem("forbidden", "this key is good for one book, and opens no other")
    new = _new_book(call.body)

    def open(tx: ledger.Tx) -> ledger.Book:
        if not store.knows_zone(tx, new.time_zone):
            raise problems.invalid("/time_zone", "not a time zone of the IANA database", "time_zone")
        opened = ledger.books.open_book(tx, new)
        if isinstance(opened, ledger.Refusal):
            raise Problem(opened.code, "the network has a book in this mode", "/network")
        return opened

    return _book_told(await call.work(open))


def _new_book(body: BookIn) -> ledger.books.NewBook:
    if body.clock is not None and body.mode == "live":
        raise problems.invalid("/clock", "a live book's clock is the world's")
    schedule = body.window_schedule
    return ledger.books.NewBook(
        network=body.network,
        mode=body.mode,
        currency=body.currency,
        exponent=body.exponent,
        face_value_minor=body.face_value,
        points_life_days=body.points_life_days,
        inactivity_days=body.inactivity_days,
        time_zone=body.time_zone,
        window_schedule=None if schedule is None else _schedule(schedule),
        clock=amounts.time(body.clock, "/clock"),
    )


def _schedule(schedule: ScheduleIn) -> dict[str, Any]:
    told: dict[str, Any] = {"every": schedule.every, "at": schedule.at, "weekday": schedule.weekday}
    if (schedule.every == "calendar") != bool(schedule.dates):
        raise problems.invalid("/window_schedule/dates", "a calendar has dates, and nothing else has")
    for n, day in enumerate(schedule.dates):
        try:
            date.fromisoformat(day)
        except ValueError:
            raise problems.invalid(f"/window_schedule/dates/{n}", "no such day") from None
    return told | ({"dates": sorted(set(schedule.dates))} if schedule.dates else {})


async def list_books(call: Call[None]) -> BookList:
    only = call.operator.book_id
    books = await call.work(ledger.books.all_books)
    return BookList(data=[_book_told(book) for book in books if only in (None, book.id)])


async def get_book(call: Call[None]) -> BookOut:
    book = await book_in_path(call)
    return _book_told(await call.work(ledger.read_book, book.id))


def _book_told(book: ledger.Book) -> BookOut:
    return BookOut(
        id=ids.show("book", book.public_id),
        network=book.network,
        mode=cast(Any, book.mode),
        currency=book.currency,
        exponent=book.exponent,
        face_value=book.face_value_minor,
        points_life_days=book.points_life_days,
        inactivity_days=book.inactivity_days,
        time_zone=book.time_zone,
        clock=book.now,
        stopped=book.stopped,
    )


# -- the network's rules


async def post_rules(call: Call[RulesIn]) -> Outcome:
    book, body = await book_in_path(call), call.body
    rules = contracts.NewRules(body.face_value, body.points_life_days, body.inactivity_days)
    return await call.post("rules", rules, partial(_rules, book.public_id), book_id=book.id)


def _rules(book: UUID, done: contracts.RulesInForce) -> RulesOut:
    return RulesOut(
        book=ids.show("book", book),
        record=ids.show("record", done.record_id),
        face_value=done.rules.face_value_minor,
        points_life_days=done.rules.points_life_days,
        inactivity_days=done.rules.inactivity_days,
        in_force_at=done.at,
    )


# -- a test book's clock


async def post_clock(call: Call[ClockIn]) -> ClockOut:
    """Answers once all that became due on the way is done. A clock that is past it stays where it is."""
    book = await book_in_path(call)
    if book.mode != "test":
        raise Problem("state_conflict", "a live book's clock is the world's", facts={"what": "book", "state": "live"})
    to = amounts.time(call.body.advance_to, "/advance_to")
    assert to is not None
    server = call.server
    now = (await call.work(ledger.read_book, book.id)).now
    if to - now > LONGEST_ADVANCE:
        why = f"one call moves the clock by at most {LONGEST_ADVANCE.days} days"
        raise problems.invalid("/advance_to", why, "out_of_range")
    try:
        clock = await call.thread(ledger.jobs.advance, server.db, server.committer, server.jobs, book.id, to)
    except ledger.errors.Stopped:
        facts = {"what": "book", "state": "stopped"}
        raise Problem("state_conflict", "the network is stopped, and its clock stands", facts=facts) from None
    return ClockOut(clock=clock)


async def list_codes(call: Call[None]) -> SentCodesOut:
    asked: PhoneIn = call.query
    book = await book_in_path(call)
    if book.mode != "test":
        raise Problem("forbidden", "only a test book shows the codes it would have sent")
    rows = await call.work(store.sent_codes, book.id, names.telephone(book, asked.phone, "/phone"))
    return SentCodesOut(data=[SentCodeOut(code=code, asked_at=at, expires_at=end) for code, at, end in rows])


# -- what a book came to


async def get_summary(call: Call[None]) -> SummaryOut:
    book = await book_in_path(call)
    await call.thread(settlement.drain, call.server.db, book.id)
    return await call.work(partial(_summary, book))


def _summary(facts: BookFacts, tx: ledger.Tx) -> SummaryOut:
    book = ledger.read_book(tx, facts.id)
    points, refunds = store.points(tx, book.id), store.refunds(tx, book.id)
    settled, called = settlement.summary(tx, book.id), store.names(tx, book.id)
    total = partial(amounts.total, facts)
    return SummaryOut(
        book=ids.show("book", book.public_id),
        clock=book.now,
        baskets=points.baskets,
        members=points.members,
        points=PointsSummary(
            issued=points.issued,
            redeemed=points.redeemed,
            expired=points.expired,
            returned=points.returned,
            outstanding=points.outstanding,
            pending=points.pending,
            closed_loop=points.closed_loop,
            repaid=points.repaid,
            given=points.given,
            owed=points.owed,
        ),
        refunds=RefundsSummary(
            sales=refunds.sales,
            amount=total(refunds.amount_minor),
            points=refunds.points,
            redemptions=refunds.redemptions,
            restored=refunds.restored,
        ),
        settlement=SettlementSummary(
            windows=settled.windows,
            settled=settled.settled,
            gross=total(settled.gross_minor),
            bilateral=total(settled.bilateral_minor),
            multilateral=total(settled.multilateral_minor),
            fees=total(settled.fees_minor),
            positions=[
                PartySum(
                    party=ids.show("merchant" if party in called else "operator", party),
                    name=called.get(party),
                    position=total(position),
                )
                for party, position in settled.positions.items()
            ],
        ),
    )
