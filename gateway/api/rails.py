"""Payments by a rail: accounts to pay to, instructions of a window, their files; top-ups that a merchant asks for."""

from datetime import datetime
from functools import partial
from typing import Any, cast
from uuid import UUID

import ledger
import settlement
from gateway import problems
from gateway.api import amounts, names
from gateway.api.asking import ask
from gateway.api.lists import ById
from gateway.api.operator_scope import (
    book_in_path,
    instruction_in_path,
    merchant_in_path,
    payout_file_in_path,
    window_in_path,
)
from gateway.api.shapes import (
    BankAccountIn,
    InstructedOut,
    InstructIn,
    InstructionOut,
    InstructionPage,
    NothingIn,
    PayeeApprovalIn,
    PayeeIn,
    PayeeOut,
    PayeesOut,
    PayoutFileOut,
    PayoutFilesOut,
    RailEventOut,
    RailEventPage,
    RailEventsIn,
    TopupRequestIn,
    TopupRequestOut,
    WordIn,
)
from gateway.calls import Call, Reply, accepted
from gateway.pages import page
from gateway.problems import Problem
from gateway.server import BookFacts, Server
from ledger import Outcome, ids
from settlement.rails import Instruction, instructions, store
from settlement.rails.banks import accounts

# -- whom to pay, and where


async def post_bank_account(call: Call[BankAccountIn]) -> PayeeOut:
    book, body = await book_in_path(call), call.body
    account, bic = _bank_account(body.account, body.bic)

    def put(tx: ledger.Tx) -> PayeeOut:
        found = ledger.read_book(tx, book.id)
        payee = store.Payee(found.operator_id, "bank", body.holder, account, bic, call.operator.id, None, found.now)
        store.put_payee(tx, book.id, payee)
        return _payee(found.operator_id, payee)

    return await call.work(put)


async def get_bank_account(call: Call[None]) -> PayeesOut:
    book = await book_in_path(call)

    def read(tx: ledger.Tx) -> PayeesOut:
        operator = ledger.read_book(tx, book.id).operator_id
        return PayeesOut(data=[_payee(operator, each) for each in store.payees(tx, book.id, merchant=operator)])

    return await call.work(read)


async def post_payee(call: Call[PayeeIn]) -> PayeeOut:
    (book, merchant), body = await merchant_in_path(call), call.body
    if body.rail == "bank":
        account, bic = _bank_account(body.account, body.bic)
    elif (found := accounts.stripe_account(body.account)) is None or body.bic is not None:
        raise problems.invalid("/account" if found is None else "/bic", "an account at Stripe is acct_... and no more")
    else:
        account, bic = found, None

    def put(tx: ledger.Tx) -> PayeeOut:
        now = ledger.read_book(tx, book.id).now
        payee = store.Payee(merchant, body.rail, body.holder, account, bic, call.operator.id, None, now)
        store.put_payee(tx, book.id, payee)
        return _payee(None, payee)

    return await call.work(put)


async def post_payee_approval(call: Call[PayeeApprovalIn]) -> PayeeOut:
    """Another person than the one who set it, on the account that is set."""
    (_, merchant), body = await merchant_in_path(call), call.body
    by = call.operator.id
    wanted = accounts.bank_account(body.account) if body.rail == "bank" else body.account

    def approve(tx: ledger.Tx) -> PayeeOut | ledger.Refusal:
        found = store.lock_payee(tx, merchant, body.rail)
        if found is None:
            return ledger.errors.NotFound("account", "/rail")
        if found.account != wanted:
            return ledger.errors.StateConflict("account", "another than the one that is set")
        if found.set_by == by:
            return settlement.SelfApproval()
        store.approve_payee(tx, merchant, body.rail, by)
        return _payee(None, found._replace(approved_by=by))

    return accepted(await call.work(approve))


async def list_payees(call: Call[None]) -> PayeesOut:
    book, merchant = await merchant_in_path(call)
    found = await call.work(store.payees, book.id, merchant=merchant)
    return PayeesOut(data=[_payee(None, each) for each in found])


def _bank_account(text: str, bic: str | None) -> tuple[str, str | None]:
    account = accounts.bank_account(text)
    if account is None:
        raise problems.invalid("/account", "no IBAN, nor another account number")
    if bic is not None and (bic := accounts.bic(bic)) is None:
        raise problems.invalid("/bic", "no BIC")
    return account, bic


def _payee(operator: UUID | None, payee: store.Payee) -> PayeeOut:
    return PayeeOut(
        merchant=None if payee.merchant_id == operator else ids.show("merchant", payee.merchant_id),
        rail=cast(Any, payee.rail),
        holder=payee.holder,
        account=payee.account,
        bic=payee.bic,
        set_by=ids.show("operator", payee.set_by),
        approved_by=names.shown("operator", payee.approved_by),
        set_at=payee.set_at,
    )


# -- instructions of a window


def _there(server: Server, book: BookFacts, rail: str) -> None:
    if rail != "bank" and rail not in server.providers.rails.get(book.mode, {}):
        raise Problem("state_conflict", f"{rail} is not set up for {book.mode} books", "/rail")


async def post_instructions(call: Call[InstructIn]) -> Outcome:
    book, number = await window_in_path(call)
    _there(call.server, book, call.body.rail)
    show = partial(_instructed, call.params["window"])
    return await ask(call, book, settlement.paying.instruct, show, number=number, rail=call.body.rail)


async def post_word(call: Call[WordIn]) -> Outcome:
    """Of a bank's payment only: providers tell of theirs themselves."""
    book, of = await instruction_in_path(call)
    word = settlement.rails.Word(of.id, call.body.said, None, call.body.reason)

    def show(heard: settlement.rails.Heard) -> InstructionOut:
        return _told(book, of, heard.state)

    return await ask(call, book, settlement.paying.say, show, word=word)


async def post_ask_again(call: Call[NothingIn]) -> InstructionOut:
    """Have a provider asked again now, where the machine has given up or waits."""
    book, of = await instruction_in_path(call)

    def again(tx: ledger.Tx) -> Instruction | ledger.Refusal:
        if not store.ask_again(tx, of.id):
            return ledger.errors.StateConflict("instruction", of.state)
        found = store.instruction(tx, of.id)
        assert found is not None
        return found

    return _instruction(book, accepted(await call.work(again)))


def _instructed(window: str, done: settlement.rails.Instructed) -> InstructedOut:
    return InstructedOut(
        window=window,
        instructions=[ids.show("instruction", id) for id in done.made],
        payout_file=names.shown("payout_file", done.file_id),
        without_account=[ids.show("merchant", merchant) for merchant in done.without_account],
    )


async def list_instructions(call: Call[None]) -> InstructionPage:
    """In the order they were made."""
    book, number = await window_in_path(call)
    listed = ById[Instruction](call, str(call.operator.id), "instruction", lambda each: each.id)
    rows = await call.work(store.of_window, book.id, number, after=listed.start, limit=listed.limit)
    data, more, cursor = listed.page(rows, partial(_instruction, book))
    return InstructionPage(data=data, has_more=more, next_cursor=cursor)


async def get_instruction(call: Call[None]) -> InstructionOut:
    book, found = await instruction_in_path(call)
    return _instruction(book, found)


def _instruction(book: BookFacts, of: Instruction) -> InstructionOut:
    return _told(book, of, of.state)


def _told(book: BookFacts, of: Instruction, state: str) -> InstructionOut:
    number = of.window_number
    window = None if number is None else settlement.window_id(book.public_id, number)
    return InstructionOut(
        id=ids.show("instruction", of.id),
        reference=of.reference,
        merchant=ids.show("merchant", of.merchant_id),
        direction=cast(Any, of.direction),
        rail=of.rail,
        window=names.shown("window", window),
        amount=amounts.total(book, of.amount_minor),
        state=cast(Any, state),
        made_at=of.made_at,
        payout_file=names.shown("payout_file", of.file_id),
        holder=of.holder,
        account=of.account,
        rail_reference=of.rail_reference,
        reason=of.reason,
        payment=names.shown("record", of.payment_record_id),
        returned=names.shown("record", of.returned_record_id),
        tries=of.tries,
        next_try_at=of.next_try_at,
        last_error=of.last_error,
    )


# -- files for a bank


async def list_payout_files(call: Call[None]) -> PayoutFilesOut:
    book, number = await window_in_path(call)
    return PayoutFilesOut(
        data=[
            PayoutFileOut(
                id=ids.show("payout_file", file.id),
                made_at=file.made_at,
                execute_on=file.execute_on,
                instructions=file.instructions,
                total=amounts.total(book, file.total_minor),
            )
            for file in await call.work(store.payout_files, book.id, number)
        ]
    )


async def get_payout_file(call: Call[None]) -> Reply:
    """The same bytes whenever it is asked for."""
    id = await payout_file_in_path(call)
    raw = await call.work(settlement.paying.payment_file, id)
    name = f'attachment; filename="{ids.show("payout_file", id)}.xml"'.encode()
    return Reply(200, raw, b"application/xml", ((b"content-disposition", name),))


# -- what providers told


async def list_rail_events(call: Call[None]) -> RailEventPage:
    """The newest first."""
    asked: RailEventsIn = call.query
    book, cursors = await book_in_path(call), call.server.cursors
    of = f"{call.path} {call.operator.id}"
    after = cursors.read(of, asked.cursor, (str, str))
    place = (datetime.fromisoformat(after[0]), after[1]) if after else None
    rows = await call.work(store.events, book.id, outcome=asked.outcome, before=place, limit=asked.limit + 1)

    def cursor(row: store.ToldEvent) -> str:
        return cursors.made(of, (row.received_at.isoformat(), row.event_id))

    data, more, following = page(rows, asked.limit, cursor, _event)
    return RailEventPage(data=data, has_more=more, next_cursor=following)


def _event(of: store.ToldEvent) -> RailEventOut:
    return RailEventOut(
        rail=of.rail,
        event=of.event_id,
        kind=of.kind,
        instruction=names.shown("instruction", of.instruction_id),
        outcome=of.outcome,
        received_at=of.received_at,
    )


# -- top-ups that are asked for


async def post_topup_request(call: Call[TopupRequestIn]) -> Outcome:
    book, body = call.merchant.book, call.body
    amount = amounts.some(book, body.amount, "/amount", "nothing is paid in")
    _there(call.server, book, body.rail)

    def show(done: settlement.rails.Instructed) -> TopupRequestOut:
        (id,) = done.made
        return _request(book, id, amount, body.rail, "made", None)

    return await call.post("ask_topup", settlement.rails.AskTopup(call.merchant.id, body.rail, amount), show)


async def get_topup_request(call: Call[None]) -> TopupRequestOut:
    book, id = call.merchant.book, call.id("instruction")
    found = await call.read(store.instruction, id, book_id=book.id)
    if found is None or found.direction != "topup":
        raise problems.not_found("instruction")
    url = found.rail_url if found.state == "sent" else None
    return _request(book, id, found.amount_minor, found.rail, found.state, url)


def _request(book: BookFacts, id: UUID, amount: int, rail: str, state: str, url: str | None) -> TopupRequestOut:
    return TopupRequestOut(
        id=ids.show("instruction", id),
        reference=instructions.reference(id),
        amount=amounts.total(book, amount),
        rail=rail,
        state=cast(Any, state),
        url=url,
    )
