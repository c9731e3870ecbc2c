"""A member's own occasions: told and read by the member, and by nobody else."""

from typing import Any, cast

import ledger
from gateway import problems
from gateway.api.shapes import OccasionOut, OccasionsIn, OccasionsOut
from gateway.calls import Call, accepted
from merchants import people


async def get_occasions(call: Call[None]) -> OccasionsOut:
    return await call.work(lambda tx: told(tx, call))


async def put_occasions(call: Call[OccasionsIn]) -> OccasionsOut:
    asked = [
        people.Occasion(o.kind, people.Anniversary(o.calendar, o.month, o.day), o.year, o.name)
        for o in call.body.occasions
    ]

    def put(tx: ledger.Tx) -> OccasionsOut:
        book = ledger.read_book(tx, call.member.book.id)
        refused = people.put_occasions(tx, book, call.member.id, asked, call.server.keys.spend)
        if refused is not None:
            accepted(refused)
        return told(tx, call)

    return await call.work(put)


def told(tx: ledger.Tx, call: Call[Any]) -> OccasionsOut:
    book = ledger.read_book(tx, call.member.book.id)
    member = people.find(tx, book, id=call.member.id)
    if member is None or member.state == "left":
        raise problems.not_found("member")
    today, counts = ledger.days.day_of(book.now, book.time_zone), people.counting_from(tx, book, member.id)
    return OccasionsOut(
        data=[
            OccasionOut(
                kind=cast(Any, o.kind),
                calendar=cast(Any, o.anniversary.calendar),
                month=o.anniversary.month,
                day=o.anniversary.day,
                year=o.year,
                name=o.name,
                next_on=people.occasions.next_on(o.anniversary, today),
                counts_from=counts.get(o.kind),
            )
            for o in people.occasions_of(tx, book, member.id)
        ]
    )
