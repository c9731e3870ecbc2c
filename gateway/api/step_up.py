"""Proving once more that one reads one's own telephone, before what a stolen session must not do."""

from typing import Any
from uuid import UUID

import ledger
from gateway import messages, problems
from gateway.api import membership, names
from gateway.api.sessions import ended
from gateway.api.shapes import MeOut, NewPhoneIn, NothingIn, OtpOut, PhoneChangeIn
from gateway.calls import Call, accepted
from gateway.problems import Problem
from merchants import people

_CODES = people.one_time_codes


async def post_step_up(call: Call[NothingIn]) -> OtpOut:
    """Have a code sent to one's own telephone, good for one thing that asks for it."""
    return await send_step_up(call)


async def send_step_up(call: Call[Any], language: str = "fa") -> OtpOut:
    return await _send(call, None, "step_up", language)


async def post_new_phone_code(call: Call[NewPhoneIn]) -> OtpOut:
    """Have a code sent to the telephone one wants to go by."""
    return await send_new_phone_code(call, call.body.phone)


async def send_new_phone_code(call: Call[Any], phone: str, language: str = "fa") -> OtpOut:
    """The answer is the same whether the telephone is somebody's or nobody's."""
    # as often as whoever signs in: codes go to telephones that are not one's own
    await call.take(call.server.limits[call.member.book.mode].code, call.member.actor)
    return await _send(call, names.telephone(call.member.book, phone, "/phone"), "new_phone", language)


async def _send(call: Call[Any], to: str | None, purpose: people.one_time_codes.Purpose, language: str) -> OtpOut:
    def ask(tx: ledger.Tx) -> tuple[people.OneTimeCode | ledger.Refusal, str]:
        book = ledger.read_book(tx, call.member.book.id)
        phone = to or own_phone(tx, call, book)
        return _CODES.ask(tx, book, phone, book.now, key=call.server.keys.codes, purpose=purpose), book.network

    asked, network = await call.work(ask)
    code = accepted(asked)
    message = messages.of_code(code.id, code.phone, code.code, network, purpose, language)
    call.server.senders[call.member.book.mode].send(message)
    return OtpOut(expires_in=round(_CODES.LIFE.total_seconds()))


def own_phone(tx: ledger.Tx, call: Call[Any], book: ledger.Book) -> str:
    member = people.find(tx, book, id=call.member.id)
    if member is None or member.state == "left" or member.phone is None:
        raise problems.not_found("member")
    return member.phone


def proven(tx: ledger.Tx, call: Call[Any], book: ledger.Book, code: str) -> Problem | None:
    """Use up the caller's step-up code; why it does not count, or None. Commit whatever the answer: a wrong try counts."""
    phone = own_phone(tx, call, book)
    found = _CODES.verify(tx, book, phone, code, book.now, key=call.server.keys.codes, purpose="step_up")
    return None if isinstance(found, people.Member) else _not_proven(found, "/code")


def _not_proven(refused: ledger.Refusal, pointer: str) -> Problem:
    if isinstance(refused, _CODES.CodeLocked):
        return problems.of_refusal(refused)
    return Problem("step_up_required", "this code proves nothing; ask for another", pointer)


# -- another telephone


async def put_phone(call: Call[PhoneChangeIn]) -> MeOut:
    """Go by another telephone from now on. Both prove themselves; a code that was right is used up even when the other
    was not. Whoever is signed in elsewhere is no longer."""
    return await change_phone(call, None)


async def change_phone(call: Call[PhoneChangeIn], keep: UUID | None) -> MeOut:
    """The same; the session to `keep` goes on."""
    body = call.body
    phone = names.telephone(call.member.book, body.phone, "/phone")

    def change(tx: ledger.Tx) -> Problem | MeOut:
        book = ledger.read_book(tx, call.member.book.id)
        own = own_phone(tx, call, book)
        if phone == own:
            return problems.invalid("/phone", "this is the telephone one goes by already")
        _CODES.hold(tx, book, (own, phone))
        if (refused := proven(tx, call, book, body.code)) is not None:
            return refused
        found = _CODES.prove(tx, book, phone, body.new_code, book.now, key=call.server.keys.codes, purpose="new_phone")
        if isinstance(found, people.Member):
            # told to whoever reads that telephone, and to nobody else
            return Problem("state_conflict", "this telephone is another member's", facts={"what": "phone"})
        if not isinstance(found, _CODES.Stranger):
            return _not_proven(found, "/new_code")
        if (conflict := people.change_phone(tx, book, call.member.id, phone)) is not None:
            return problems.of_refusal(conflict)
        ended(tx, book, call.member.id, but=keep)
        return membership.told(tx, call)

    answer = await call.work(change)
    if isinstance(answer, Problem):
        raise answer
    return answer
