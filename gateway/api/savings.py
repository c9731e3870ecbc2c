"""What points were worth to a member, month by month, from the member's own records."""

from datetime import date, timedelta

import ledger
from gateway import problems, store
from gateway.api import amounts
from gateway.api.shapes import MonthOut, SavingsIn, SavingsOut
from gateway.calls import Call
from merchants import people, standing


async def get_savings(call: Call[None]) -> SavingsOut:
    asked: SavingsIn = call.query
    caller = call.member

    def read(tx: ledger.Tx) -> SavingsOut:
        book = ledger.read_book(tx, caller.book.id)
        member = people.find(tx, book, id=caller.id)
        if member is None or member.state == "left":
            raise problems.not_found("member")
        months = months_until(ledger.days.day_of(book.now, book.time_zone), asked.calendar, asked.months)
        spans = [tuple(standing.periods.midnight(day, book.time_zone) for day in month) for month in months]
        found = store.own_savings(tx, book.id, caller.id, [(begin, end) for begin, end in spans])
        return SavingsOut(
            data=[
                MonthOut(
                    from_day=month.start,
                    to_day=month.end,
                    given_points=saved.given_points,
                    given_value=amounts.total(caller.book, saved.given_minor),
                    paid_points=saved.paid_points,
                    paid_value=amounts.total(caller.book, saved.paid_minor),
                )
                for month, saved in zip(months, found, strict=True)
            ]
        )

    return await call.work(read)


def months_until(today: date, calendar: str, how_many: int) -> list[standing.periods.Period]:
    """So many months of a calendar, the one of today last."""
    found = [standing.periods.period_of(today, "month", calendar)]
    while len(found) < how_many:
        found.append(standing.periods.period_of(found[-1].start - timedelta(days=1), "month", calendar))
    return found[::-1]
