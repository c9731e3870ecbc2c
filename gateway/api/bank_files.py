"""Files from a bank: taken in whole or not at all, and what was in them."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import settlement
from gateway.api import amounts, names
from gateway.api.asking import asker
from gateway.api.lists import ById
from gateway.api.operator_scope import bank_statement_in_path, book_in_path
from gateway.api.shapes import (
    BankLineOut,
    BankLinePage,
    BankStatementOut,
    BankStatementPage,
    FileTakenOut,
    PageIn,
)
from gateway.calls import Call
from gateway.pages import page
from gateway.problems import Problem
from gateway.server import BookFacts
from ledger import Outcome, ids
from settlement.rails import banks, store


async def post_bank_statements(call: Call[None]) -> Outcome:
    """What was taken in is laid against the book at once."""
    taken, book = await _take(call, settlement.paying.take_statements), await book_in_path(call)
    await call.thread(settlement.reconciliation.run, call.server.db, book.id, sources=("bank",))
    return taken


async def post_payment_report(call: Call[None]) -> Outcome:
    return await _take(call, settlement.paying.take_report)


async def _take(call: Call[None], take: Callable[..., Outcome]) -> Outcome:
    book, server = await book_in_path(call), call.server
    asked = asker(call, _taken)
    try:
        return await call.thread(take, server.db, server.committer, book.id, raw=call.raw, asker=asked)
    except banks.BadFile as bad:
        facts = {"fault": bad.code}
        raise Problem("validation_failed", bad.why, "", field_code=bad.code, facts=facts) from None


def _taken(done: settlement.rails.Taken) -> FileTakenOut:
    return FileTakenOut(
        statements=[ids.show("bank_statement", id) for id in done.statements],
        lines=done.lines,
        outcomes=done.outcomes,
    )


async def list_bank_statements(call: Call[None]) -> BankStatementPage:
    """The newest first."""
    book = await book_in_path(call)
    listed = ById[store.Imported](call, str(call.operator.id), "bank_statement", lambda each: each.id)
    rows = await call.work(store.statements, book.id, before=listed.start, limit=listed.limit)
    data, more, cursor = listed.page(rows, partial(_statement, book))
    return BankStatementPage(data=data, has_more=more, next_cursor=cursor)


def _statement(book: BookFacts, of: store.Imported) -> BankStatementOut:
    return BankStatementOut(
        id=ids.show("bank_statement", of.id),
        format=of.format,
        statement=of.statement_id,
        account=of.account,
        opening=None if of.opening_minor is None else amounts.total(book, of.opening_minor),
        closing=None if of.closing_minor is None else amounts.total(book, of.closing_minor),
        lines=of.lines,
        imported_at=of.imported_at,
    )


async def list_bank_lines(call: Call[None]) -> BankLinePage:
    """In the order of the statement."""
    asked: PageIn = call.query
    (book, statement), cursors = await bank_statement_in_path(call), call.server.cursors
    of = f"{call.path} {call.operator.id}"
    after = cursors.read(of, asked.cursor, (int,))
    rows = await call.work(store.lines, statement.id, after=after[0] if after else -1, limit=asked.limit + 1)
    data, more, cursor = page(rows, asked.limit, lambda row: cursors.made(of, (row[0],)), partial(_line, book))
    return BankLinePage(data=data, has_more=more, next_cursor=cursor)


def _line(book: BookFacts, row: tuple[int, store.KeptLine]) -> BankLineOut:
    kept = row[1]
    line = kept.line
    return BankLineOut(
        booked=line.booked,
        value=line.value,
        amount=amounts.total(book, line.amount_minor),
        counterparty=line.counterparty,
        remittance=line.remittance,
        end_to_end_id=line.end_to_end_id,
        structured_reference=line.structured_reference,
        bank_reference=line.bank_reference,
        entry_reference=line.entry_reference,
        returned=line.returned,
        instruction=names.shown("instruction", kept.instruction_id),
        outcome=cast(Any, kept.outcome),
    )
