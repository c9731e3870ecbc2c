"""A merchant disputes its statement; what was left out is put right in the next window by two operators."""

from functools import partial
from typing import Any

import ledger
import settlement
from gateway import problems
from gateway.api import amounts, names
from gateway.api.asking import ask, ask_as_merchant
from gateway.api.operator_scope import reconciled_in_path, window_in_path
from gateway.api.shapes import AdjustmentIn, AdjustmentOut, BreakAdjustmentIn, DisputeIn, DisputeOut, NothingIn
from gateway.calls import Call
from gateway.server import BookFacts
from ledger import Outcome, ids


async def post_dispute(call: Call[DisputeIn]) -> Outcome:
    caller = call.merchant
    place = await call.work(settlement.place_of_position, caller.book.id, call.id("statement"))
    if place is None or place[1] != caller.id:
        raise problems.not_found("statement")
    body = settlement.Dispute(place[0], caller.id, call.body.reason)
    return await ask_as_merchant(call, settlement.windows.ask, _disputed, body=body)


async def post_adjustment(call: Call[AdjustmentIn]) -> Outcome:
    (book, number), body = await window_in_path(call), call.body
    operator = (await call.work(ledger.read_book, book.id)).operator_id
    if body.debtor == body.creditor:
        raise problems.invalid("/creditor", "nobody owes itself")
    command = settlement.ProposeAdjustment(
        number,
        call.operator.id,
        operator if body.debtor is None else names.read("merchant", body.debtor, "/debtor"),
        operator if body.creditor is None else names.read("merchant", body.creditor, "/creditor"),
        amounts.some(book, body.amount, "/amount", "nothing is put right"),
        body.reason,
    )
    return await ask(call, book, settlement.windows.ask, partial(_adjusted, book, operator), body=command)


async def post_break_adjustment(call: Call[BreakAdjustmentIn]) -> Outcome:
    (book, id), body = await reconciled_in_path(call, "break"), call.body
    operator = (await call.work(ledger.read_book, book.id)).operator_id
    amount = amounts.some(book, body.amount, "/amount", "nothing is adjusted")
    signed = amount if body.direction == "to_merchant" else -amount
    merchant = names.read("merchant", body.merchant, "/merchant")
    command = settlement.ProposeForBreak(id, call.operator.id, merchant, signed, body.reason)
    return await ask(call, book, settlement.windows.ask, partial(_adjusted, book, operator), body=command)


async def post_adjustment_approve(call: Call[NothingIn]) -> Outcome:
    return await _decide(call, approves=True)


async def post_adjustment_reject(call: Call[NothingIn]) -> Outcome:
    return await _decide(call, approves=False)


async def _decide(call: Call[NothingIn], *, approves: bool) -> Outcome:
    book, number = await window_in_path(call)
    operator = (await call.work(ledger.read_book, book.id)).operator_id
    command = settlement.DecideAdjustment(number, call.operator.id, call.id("record"), approves)
    return await ask(call, book, settlement.windows.ask, partial(_adjusted, book, operator), body=command)


def _disputed(done: settlement.DisputeDone) -> DisputeOut:
    return DisputeOut(record=ids.show("record", done.id), window=ids.show("window", done.window_id), at=done.at)


def _adjusted(book: BookFacts, operator: Any, done: settlement.AdjustmentDone) -> AdjustmentOut:
    return AdjustmentOut(
        id=ids.show("record", done.id),
        window=ids.show("window", done.window_id),
        state=done.state,
        debtor=None if done.debtor_id == operator else ids.show("merchant", done.debtor_id),
        creditor=None if done.creditor_id == operator else ids.show("merchant", done.creditor_id),
        amount=amounts.total(book, done.amount_minor),
        at=done.at,
        break_id=names.shown("break", done.break_id),
    )
