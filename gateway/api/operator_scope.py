"""What an operator's path names, in a book the operator's key is good for. Elsewhere it is not there: 404."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import ledger
import settlement
from gateway import problems, store
from gateway.calls import Call
from gateway.server import BookFacts
from settlement import rails
from settlement.rails import Instruction


async def book_in_path(call: Call[Any]) -> BookFacts:
    book = await call.thread(call.server.book_named, call.id("book"))
    if book is None or not _reaches(call, book.id):
        raise problems.not_found("book")
    return book


async def merchant_in_path(call: Call[Any]) -> tuple[BookFacts, UUID]:
    return await _book_of(call, "merchant", store.merchant_place)


async def branch_in_path(call: Call[Any]) -> tuple[BookFacts, UUID, UUID]:
    """The book, the merchant and the branch."""
    id = call.id("branch")
    place = await call.work(store.branch_place, id)
    if place is None or not _reaches(call, place[0]):
        raise problems.not_found("branch")
    return await call.thread(call.server.book, place[0]), place[1], id


async def member_in_path(call: Call[Any]) -> tuple[BookFacts, UUID]:
    return await _book_of(call, "member", store.member_place)


async def window_in_path(call: Call[Any]) -> tuple[BookFacts, int]:
    """The book and the number of the window."""
    place = await call.work(store.window_place, call.id("window"))
    if place is None or not _reaches(call, place[0]):
        raise problems.not_found("window")
    return await call.thread(call.server.book, place[0]), place[1]


async def reconciled_in_path(call: Call[Any], what: str) -> tuple[BookFacts, UUID]:
    """The book and the id of a break or a match."""
    return await _book_of(call, what, lambda tx, id: settlement.reconciliation.place_of(tx, what, id))


async def statement_in_path(call: Call[Any]) -> tuple[BookFacts, settlement.Statement]:
    """The book, and the statement of whichever merchant."""

    def find(tx: ledger.Tx) -> settlement.Statement | None:
        place = settlement.book_of_statement(tx, call.id("statement"))
        if place is None or not _reaches(call, place[0]):
            return None
        return settlement.statements.statement(tx, ledger.read_book(tx, place[0]), place[1], place[2])

    found = await call.work(find)
    if found is None:
        raise problems.not_found("statement")
    return await call.thread(call.server.book, found.book.id), found


async def instruction_in_path(call: Call[Any]) -> tuple[BookFacts, Instruction]:
    found = await call.work(rails.store.instruction, call.id("instruction"))
    if found is None or not _reaches(call, found.book_id):
        raise problems.not_found("instruction")
    return await call.thread(call.server.book, found.book_id), found


async def charge_back_in_path(call: Call[Any]) -> tuple[BookFacts, UUID]:
    """The book and the id of a charge-back: that of its first record."""
    found = await call.work(rails.charge_back_store.charge_back, call.id("record"))
    if found is None or not _reaches(call, found.book_id):
        raise problems.not_found("record")
    return await call.thread(call.server.book, found.book_id), found.id


async def payout_file_in_path(call: Call[Any]) -> UUID:
    id = call.id("payout_file")
    found = await call.work(rails.store.payout_file, id)
    if found is None or not _reaches(call, found[0]):
        raise problems.not_found("payout_file")
    return id


async def bank_statement_in_path(call: Call[Any]) -> tuple[BookFacts, rails.store.Imported]:
    found = await call.work(rails.store.statement, call.id("bank_statement"))
    if found is None or not _reaches(call, found.book_id):
        raise problems.not_found("bank_statement")
    return await call.thread(call.server.book, found.book_id), found


async def _book_of(
    call: Call[Any], what: str, place: Callable[[ledger.Tx, UUID], int | None]
) -> tuple[BookFacts, UUID]:
    id = call.id(what)
    book_id = await call.work(place, id)
    if book_id is None or not _reaches(call, book_id):
        raise problems.not_found(what)
    return await call.thread(call.server.book, book_id), id


def _reaches(call: Call[Any], book_id: int) -> bool:
    return call.operator.book_id in (None, book_id)
