"""Top-ups that a bank took back, on two operators' word; those that a provider told of are listed with them."""

from functools import partial
from typing import Any, cast
from uuid import UUID

import ledger
import settlement
from gateway.api import amounts, names
from gateway.api.asking import ask
from gateway.api.lists import ById
from gateway.api.operator_scope import book_in_path, charge_back_in_path
from gateway.api.shapes import ChargeBackIn, ChargeBackOut, ChargeBackPage, ChargeBackReversalIn, NothingIn
from gateway.calls import Call
from gateway.server import BookFacts
from ledger import Outcome, ids
from settlement import rails
from settlement.rails import ChargeBack, charge_back_store


async def post_charge_back(call: Call[ChargeBackIn]) -> Outcome:
    book, body = await book_in_path(call), call.body
    asked = rails.ProposeChargeBack(
        names.read("record", body.topup, "/topup"),
        call.operator.id,
        amounts.some(book, body.amount, "/amount", "nothing was taken back"),
        body.reference,
        body.reason,
    )
    return await _ask(call, book, asked)


async def post_charge_back_reversal(call: Call[ChargeBackReversalIn]) -> Outcome:
    book, id = await charge_back_in_path(call)
    return await _ask(call, book, rails.ProposeReversal(id, call.operator.id, call.body.reason))


async def post_charge_back_approve(call: Call[NothingIn]) -> Outcome:
    book, id = await charge_back_in_path(call)
    return await _ask(call, book, rails.DecideChargeBack(id, call.operator.id, approves=True))


async def post_charge_back_reject(call: Call[NothingIn]) -> Outcome:
    book, id = await charge_back_in_path(call)
    return await _ask(call, book, rails.DecideChargeBack(id, call.operator.id, approves=False))


async def list_charge_backs(call: Call[None]) -> ChargeBackPage:
    book = await book_in_path(call)
    return await call.work(partial(_listed, call, book, str(call.operator.id), None))


async def list_own_charge_backs(call: Call[None]) -> ChargeBackPage:
    caller = call.merchant
    return await call.read(partial(_listed, call, caller.book, str(caller.id), caller.id))


def _listed(call: Call[None], book: BookFacts, caller: str, merchant: UUID | None, tx: ledger.Tx) -> ChargeBackPage:
    shown = ById[ChargeBack](call, caller, "record", lambda row: row.id)
    rows = charge_back_store.charge_backs(tx, book.id, merchant=merchant, before=shown.start, limit=shown.limit)
    data, more, cursor = shown.page(rows, partial(_told, book))
    return ChargeBackPage(data=data, has_more=more, next_cursor=cursor)


async def _ask(
    call: Call[Any],
    book: BookFacts,
    asked: rails.ProposeChargeBack | rails.ProposeReversal | rails.DecideChargeBack,
) -> Outcome:
    return await ask(call, book, settlement.paying.charge_back, lambda done: _told(book, done.row), body=asked)


def _told(book: BookFacts, row: ChargeBack) -> ChargeBackOut:
    return ChargeBackOut(
        id=ids.show("record", row.id),
        merchant=ids.show("merchant", row.merchant_id),
        topup=ids.show("record", row.topup_id),
        state=cast(Any, row.state),
        source=row.source,
        reference=row.reference,
        amount=amounts.total(book, row.amount_minor),
        from_prefund=amounts.total(book, row.prefund_minor),
        charged=amounts.total(book, row.charged_minor),
        at=row.at,
        booked=names.shown("record", row.record_id),
        reversed=names.shown("record", row.reversed_record_id),
    )
