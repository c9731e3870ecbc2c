"""Gifts between members, and what a network lets them give."""

from functools import partial

import ledger
from gateway.api import amounts, names
from gateway.api.lists import ById
from gateway.api.operator_scope import book_in_path
from gateway.api.shapes import Balance, GiftGivenOut, GiftIn, GiftOut, GiftPage, GiftRulesIn, GiftRulesOut
from gateway.calls import Call
from gateway.server import BookFacts
from ledger import Outcome, Points, ids
from merchants import people, sales, trade


async def post_gift(call: Call[GiftIn]) -> Outcome:
    caller, body = call.member, call.body
    number = people.numbers.read(body.to)
    command = trade.Gift(
        giver_id=caller.id,
        points=Points(body.points),
        to_number=number,
        to_phone=names.telephone(caller.book, body.to, "/to") if number is None else None,
        spend_code=body.spend_code,
    )
    return await call.post("gift", command, partial(_given, caller.book))


def _given(book: BookFacts, done: trade.GiftDone) -> GiftGivenOut:
    return GiftGivenOut(
        id=ids.show("gift", done.id),
        record=ids.show("record", done.record_id),
        given=True,
        member=names.masked(done.receiver_number),
        points=done.points,
        value=amounts.total(book, done.value),
        at=done.at,
        balance=Balance(available=done.available),
    )


async def list_gifts(call: Call[None]) -> GiftPage:
    caller = call.member
    gifts = ById[sales.GiftTold](call, caller.actor, "gift", lambda gift: gift.id)

    def read(tx: ledger.Tx) -> list[sales.GiftTold]:
        return sales.gifts_of(tx, caller.book.id, caller.id, before=gifts.start, limit=gifts.limit)

    data, more, cursor = gifts.page(await call.work(read), partial(_told, caller.book))
    return GiftPage(data=data, has_more=more, next_cursor=cursor)


def _told(book: BookFacts, gift: sales.GiftTold) -> GiftOut:
    return GiftOut(
        id=ids.show("gift", gift.id),
        given=gift.given,
        member=names.masked(gift.number),
        points=gift.points,
        value=amounts.total(book, gift.value_minor),
        at=gift.at,
    )


# -- operator


async def get_gift_rules(call: Call[None]) -> GiftRulesOut:
    book = await book_in_path(call)
    return _rules(await call.work(sales.gift_rules, book.id))


async def put_gift_rules(call: Call[GiftRulesIn]) -> Outcome:
    book, body = await book_in_path(call), call.body
    rules = sales.GiftRules(body.points_a_day, body.gifts_a_day, body.received_a_day)
    return await call.post("gift_rules", rules, lambda done: _rules(done.rules), book_id=book.id)


def _rules(rules: sales.GiftRules) -> GiftRulesOut:
    return GiftRulesOut(
        points_a_day=rules.points_a_day, gifts_a_day=rules.gifts_a_day, received_a_day=rules.received_a_day
    )
