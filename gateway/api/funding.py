"""Money a merchant pays in ahead, and the points it buys with it. Asked by the merchant, or by an operator for it."""

from collections.abc import Callable
from uuid import UUID

import settlement
from gateway.api import amounts
from gateway.api.operator_scope import merchant_in_path
from gateway.api.shapes import PurchaseIn, PurchaseOut, TopupIn, TopupOut
from gateway.calls import Call
from gateway.problems import Problem
from gateway.server import BookFacts
from ledger import Outcome, Points, ids


async def post_topup(call: Call[TopupIn]) -> Outcome:
    """In a live book money is there when the bank or the payment provider says so, not the merchant."""
    caller = call.merchant
    if caller.book.mode == "live":
        raise Problem("forbidden", "in a live book the operator books what has arrived")
    return await call.post("topup", _topup(caller.book, caller.id, call.body), _topup_shown(caller.book))


async def post_purchase(call: Call[PurchaseIn]) -> Outcome:
    caller = call.merchant
    command = settlement.Purchase(caller.id, Points(call.body.points))
    return await call.post("purchase", command, _purchase_shown(caller.book))


async def post_sell_back(call: Call[PurchaseIn]) -> Outcome:
    caller = call.merchant
    command = settlement.SellBack(caller.id, Points(call.body.points))
    return await call.post("sell_back", command, _purchase_shown(caller.book))


async def post_sell_back_for(call: Call[PurchaseIn]) -> Outcome:
    book, merchant = await merchant_in_path(call)
    command = settlement.SellBack(merchant, Points(call.body.points))
    return await call.post("sell_back", command, _purchase_shown(book), book_id=book.id)


async def post_topup_for(call: Call[TopupIn]) -> Outcome:
    book, merchant = await merchant_in_path(call)
    return await call.post("topup", _topup(book, merchant, call.body), _topup_shown(book), book_id=book.id)


async def post_purchase_for(call: Call[PurchaseIn]) -> Outcome:
    book, merchant = await merchant_in_path(call)
    command = settlement.Purchase(merchant, Points(call.body.points))
    return await call.post("purchase", command, _purchase_shown(book), book_id=book.id)


def _topup(book: BookFacts, merchant: UUID, body: TopupIn) -> settlement.Topup:
    amount = amounts.some(book, body.amount, "/amount", "nothing arrived")
    return settlement.Topup(merchant, amount, body.through, body.reference)


def _topup_shown(book: BookFacts) -> Callable[[settlement.TopupDone], TopupOut]:
    def show(done: settlement.TopupDone) -> TopupOut:
        return TopupOut(
            record=ids.show("record", done.id),
            merchant=ids.show("merchant", done.merchant_id),
            amount=amounts.total(book, done.amount_minor),
            prefund=amounts.total(book, done.prefund_minor),
        )

    return show


def _purchase_shown(book: BookFacts) -> Callable[[settlement.PurchaseDone], PurchaseOut]:
    def show(done: settlement.PurchaseDone) -> PurchaseOut:
        return PurchaseOut(
            record=ids.show("record", done.id),
            merchant=ids.show("merchant", done.merchant_id),
            points=done.points,
            value=amounts.total(book, done.value_minor),
            pool=done.pool_points,
            prefund=amounts.total(book, done.prefund_minor),
        )

    return show
