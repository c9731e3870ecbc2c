"""Windows: closed, submitted by one operator, approved by another, paid. And what each came to."""

from datetime import datetime
from functools import partial
from typing import Any, cast
from uuid import UUID

import ledger
import settlement
from gateway import problems
from gateway.api import amounts, names
from gateway.api.asking import ask
from gateway.api.operator_scope import book_in_path, window_in_path
from gateway.api.shapes import (
    ApproveIn,
    CloseIn,
    DebtOut,
    MatrixOut,
    NothingIn,
    PageIn,
    PartyPositionOut,
    PaymentOut,
    PaymentsIn,
    PaymentsOut,
    PositionsOut,
    ReturnIn,
    StepOut,
    TotalsOut,
    WindowOut,
    WindowPage,
    WindowStepOut,
)
from gateway.calls import Call
from gateway.pages import page
from gateway.server import BookFacts
from ledger import Outcome, ids

# -- steps


async def post_close(call: Call[CloseIn]) -> Outcome:
    book, number = await window_in_path(call)
    return await ask(call, book, settlement.windows.close, _stepped, number=number)


async def post_submit(call: Call[NothingIn]) -> Outcome:
    book, number = await window_in_path(call)
    return await ask(call, book, settlement.windows.submit, _stepped, number=number)


async def post_approve(call: Call[ApproveIn]) -> Outcome:
    book, number = await window_in_path(call)
    approved = call.body.positions_hash
    return await ask(call, book, settlement.windows.approve, _stepped, number=number, positions_hash=approved)


async def post_return(call: Call[ReturnIn]) -> Outcome:
    book, number = await window_in_path(call)
    return await ask(call, book, settlement.windows.send_back, _stepped, number=number, reason=call.body.reason)


async def post_abort(call: Call[ReturnIn]) -> Outcome:
    book, number = await window_in_path(call)
    return await ask(call, book, settlement.windows.abort, _stepped, number=number, reason=call.body.reason)


async def post_payments(call: Call[PaymentsIn]) -> Outcome:
    """One merchant's payment, or without a merchant all that are open."""
    (book, number), body = await window_in_path(call), call.body
    if body.amount is not None and body.merchant is None:
        raise problems.invalid("/amount", "an amount belongs to one merchant")
    amount = None if body.amount is None else amounts.some(book, body.amount, "/amount", "nothing was paid")
    return await ask(
        call,
        book,
        settlement.windows.mark_paid,
        partial(_payments, book),
        number=number,
        merchant_id=names.read_or_none("merchant", body.merchant, "/merchant"),
        amount_minor=amount,
        reference=body.reference,
    )


def _stepped(done: settlement.WindowStepped) -> WindowStepOut:
    return WindowStepOut(
        id=ids.show("window", done.window_id),
        number=done.number,
        state=done.state,
        revision=done.revision,
        at=done.at,
        positions_hash=done.positions_hash,
    )


def _payments(book: BookFacts, done: settlement.PaymentsDone) -> PaymentsOut:
    return PaymentsOut(
        window=ids.show("window", done.window_id),
        number=done.number,
        at=done.at,
        payments=[
            PaymentOut(
                record=ids.show("record", payment.record_id),
                merchant=ids.show("merchant", payment.merchant_id),
                direction=cast(Any, payment.direction),
                amount=amounts.total(book, payment.amount_minor),
                open=amounts.total(book, payment.open_minor),
                released_points=payment.released_points,
            )
            for payment in done.payments
        ],
    )


# -- reading


async def list_windows(call: Call[None]) -> WindowPage:
    """The newest first."""
    asked: PageIn = call.query
    book, cursors = await book_in_path(call), call.server.cursors
    of = f"{call.path} {call.operator.id}"
    after = cursors.read(of, asked.cursor, (int,))
    await call.thread(settlement.drain, call.server.db, book.id)
    rows = await call.work(settlement.list_windows, book.id, before=after[0] if after else None, limit=asked.limit + 1)
    data, more, cursor = page(
        rows, asked.limit, lambda row: cursors.made(of, (row.number,)), partial(_window_told, book)
    )
    return WindowPage(data=data, has_more=more, next_cursor=cursor)


async def get_window(call: Call[None]) -> WindowOut:
    book, number = await window_in_path(call)
    await call.thread(settlement.drain, call.server.db, book.id)
    found = await call.work(settlement.window, book.id, number)
    assert found is not None, number
    return _window_told(book, found)


def _window_told(book: BookFacts, window: settlement.Window) -> WindowOut:
    return WindowOut(
        id=ids.show("window", window.id),
        number=window.number,
        state=window.state,
        revision=window.revision,
        opened_at=window.opened_at,
        closed_at=window.closed_at,
        positions_hash=window.positions_hash.hex() if window.positions_hash else None,
        totals=None if window.totals is None else _totals(book, window.totals),
        steps=[_step_told(step) for step in window.steps],
    )


def _totals(book: BookFacts, totals: dict[str, Any]) -> TotalsOut:
    return TotalsOut(
        gross=amounts.total(book, totals["gross_minor"]),
        bilateral=amounts.total(book, totals["bilateral_minor"]),
        multilateral=amounts.total(book, totals["multilateral_minor"]),
        fees=amounts.total(book, totals["fees_minor"]),
    )


def _step_told(step: dict[str, Any]) -> StepOut:
    by = step.get("by")
    return StepOut(
        step=step["step"],
        by=None if by is None else ids.show("operator", UUID(by)),
        at=datetime.fromisoformat(step["at"]),
        reason=step.get("reason"),
        record=ids.show("record", UUID(step["record"])),
        merchant=ids.show("merchant", UUID(step["merchant"])) if step.get("merchant") else None,
    )


async def get_positions(call: Call[None]) -> PositionsOut:
    facts, number = await window_in_path(call)

    def read(tx: ledger.Tx) -> tuple[ledger.Book, list[settlement.PositionRow]]:
        book = ledger.read_book(tx, facts.id)
        return book, settlement.positions(tx, book, number)

    book, rows = await call.work(read)
    return PositionsOut(
        window=call.params["window"],
        number=number,
        data=[_party(facts, book.operator_id, row) for row in rows],
    )


def _party(book: BookFacts, operator: UUID, row: settlement.PositionRow) -> PartyPositionOut:
    position, total = row.position, partial(amounts.total, book)
    return PartyPositionOut(
        id=ids.show("position", row.id),
        party=_party_shown(operator, position.party_id),
        position=total(position.position_minor),
        backing=total(position.backing_minor),
        account=total(position.account_minor),
        receivable=total(position.receivable_minor),
        payable=total(position.payable_minor),
        fee=total(position.fee.minor),
        open=total(row.open_minor),
        items=position.items,
    )


def _party_shown(operator: UUID, id: UUID) -> str:
    return ids.show("operator" if id == operator else "merchant", id)


async def get_matrix(call: Call[None]) -> MatrixOut:
    """Of one window."""
    book, number = await window_in_path(call)
    return await _matrix(call, book, number)


async def get_book_matrix(call: Call[None]) -> MatrixOut:
    """Of all windows that are netted."""
    book = await book_in_path(call)
    await call.thread(settlement.drain, call.server.db, book.id)
    return await _matrix(call, book, None)


async def _matrix(call: Call[None], facts: BookFacts, number: int | None) -> MatrixOut:
    def read(tx: ledger.Tx) -> tuple[ledger.Book, list[settlement.Bilateral]]:
        return ledger.read_book(tx, facts.id), settlement.bilateral(tx, facts.id, number)

    book, rows = await call.work(read)
    return MatrixOut(
        data=[
            DebtOut(
                debtor=_party_shown(book.operator_id, row.debtor_id),
                creditor=_party_shown(book.operator_id, row.creditor_id),
                value=amounts.total(facts, row.value_minor),
                points=row.points,
            )
            for row in rows
        ]
    )
