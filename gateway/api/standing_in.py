"""Money that stands in for a merchant that has not paid in, and pay-outs that the bank sends back."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import ledger
import settlement
from gateway.api import amounts, names
from gateway.api.asking import ask
from gateway.api.operator_scope import book_in_path, merchant_in_path, window_in_path
from gateway.api.shapes import (
    CoverIn,
    CoverOut,
    DepositIn,
    DepositOut,
    ExposureOut,
    ExposuresOut,
    PaymentReturnIn,
    PaymentReturnOut,
    ShareOut,
)
from gateway.calls import Call
from gateway.server import BookFacts
from ledger import Outcome, ids


async def post_collateral(call: Call[DepositIn]) -> Outcome:
    book, merchant = await merchant_in_path(call)
    return await call.post("collateral", _deposit(call, book, merchant), _deposited(book), book_id=book.id)


async def post_loss_fund(call: Call[DepositIn]) -> Outcome:
    book = await book_in_path(call)
    return await call.post("loss_fund", _deposit(call, book, None), _deposited(book), book_id=book.id)


async def post_collateral_return(call: Call[DepositIn]) -> Outcome:
    book, merchant = await merchant_in_path(call)
    amount = amounts.some(book, call.body.amount, "/amount", "nothing goes back")
    body = settlement.GiveBack(call.operator.id, merchant, amount, call.body.reference)
    return await ask(call, book, settlement.windows.ask, _deposited(book), body=body)


async def get_exposures(call: Call[None]) -> ExposuresOut:
    facts = await book_in_path(call)

    def read(tx: ledger.Tx) -> ExposuresOut:
        book = ledger.read_book(tx, facts.id)
        return ExposuresOut(
            at=book.now,
            data=[
                ExposureOut(
                    merchant=ids.show("merchant", each.merchant_id),
                    suspended=each.suspended,
                    used_points=each.used_points,
                    due_points=each.due_points,
                    line_points=each.line_points,
                    collateral=amounts.total(facts, each.collateral_minor),
                    charged_back=amounts.total(facts, each.charged_back_minor),
                    warning_percent=each.level_percent,
                )
                for each in settlement.exposures(tx, book)
            ],
        )

    return await call.work(read)


async def post_cover(call: Call[CoverIn]) -> Outcome:
    book, number = await window_in_path(call)
    merchant = names.read("merchant", call.body.merchant, "/merchant")
    body = settlement.Cover(number, call.operator.id, merchant, call.body.reason)
    return await ask(call, book, settlement.windows.ask, partial(_covered, book), body=body)


async def post_payment_return(call: Call[PaymentReturnIn]) -> Outcome:
    book, number = await window_in_path(call)
    payment = names.read("record", call.body.payment, "/payment")
    body = settlement.ReturnPayment(number, call.operator.id, payment, call.body.reason)
    return await ask(call, book, settlement.windows.ask, partial(_returned, book), body=body)


def _deposit(call: Call[DepositIn], book: BookFacts, merchant: UUID | None) -> settlement.Deposit:
    amount = amounts.some(book, call.body.amount, "/amount", "nothing arrived")
    return settlement.Deposit(call.operator.id, amount, call.body.reference, merchant)


def _deposited(book: BookFacts) -> Callable[[settlement.DepositDone], DepositOut]:
    def show(done: settlement.DepositDone) -> DepositOut:
        return DepositOut(
            record=ids.show("record", done.id),
            merchant=names.shown("merchant", done.merchant_id),
            amount=amounts.total(book, done.amount_minor),
            balance=amounts.total(book, done.balance_minor),
        )

    return show


def _covered(book: BookFacts, done: settlement.CoverDone) -> CoverOut:
    total = partial(amounts.total, book)
    return CoverOut(
        record=ids.show("record", done.id),
        window=ids.show("window", done.window_id),
        merchant=ids.show("merchant", done.merchant_id),
        at=done.at,
        owed=total(done.owed_minor),
        prefund=total(done.paid.prefund_minor),
        collateral=total(done.paid.collateral_minor),
        loss_fund=total(done.paid.loss_minor),
        shares_used=total(done.paid.shares_minor),
        shares=[
            ShareOut(merchant=ids.show("merchant", s.merchant_id), amount=total(s.amount_minor)) for s in done.shares
        ],
        unpaid=total(done.unpaid_minor),
        released_points=done.released_points,
    )


def _returned(book: BookFacts, done: settlement.PaymentReturned) -> PaymentReturnOut:
    return PaymentReturnOut(
        record=ids.show("record", done.id),
        window=ids.show("window", done.window_id),
        payment=ids.show("record", done.payment_id),
        merchant=ids.show("merchant", done.merchant_id),
        at=done.at,
        amount=amounts.total(book, done.amount_minor),
        open=amounts.total(book, done.open_minor),
    )
