"""Members: signing in by a code on the telephone, their balance, devices and spend lock."""

import io
from datetime import datetime
from typing import Any, Final, cast

import segno

import ledger
from gateway import callers, messages, problems, store
from gateway.api import amounts, names
from gateway.api.shapes import (
    AtTime,
    CardOut,
    ConsentOut,
    ConsentsIn,
    ConsentsOut,
    DeviceIn,
    DeviceOut,
    MemberBalance,
    MeOut,
    NothingIn,
    OtpIn,
    OtpOut,
    SpendLockIn,
    TokenOut,
    VerifyIn,
)
from gateway.calls import Call, accepted
from gateway.server import BookFacts
from gateway.tokens import LIFE_SECONDS, Bearer
from ledger import ids
from merchants import people

#: Names the book a member signs in to. A server with one book needs none.
BOOK_HEADER: Final = "Manex-Book"

# -- signing in


async def post_otp(call: Call[OtpIn]) -> OtpOut:
    """The answer is the same for a member and for nobody."""
    await send_code(call, await _book(call), call.body.phone)
    return OtpOut(expires_in=round(people.one_time_codes.LIFE.total_seconds()))


async def send_code(call: Call[Any], book: BookFacts, phone: str, language: str = "fa") -> None:
    """Have a code sent to a telephone, member or not. A Problem when it is no telephone, or had too many."""
    to = names.telephone(book, phone, "/phone")

    def ask(tx: ledger.Tx) -> tuple[people.OneTimeCode | ledger.Refusal, str]:
        now = ledger.read_book(tx, book.id)
        return people.one_time_codes.ask(tx, now, to, now.now, key=call.server.keys.codes), now.network

    asked, network = await call.work(ask)
    code = accepted(asked)
    call.server.senders[book.mode].send(messages.of_code(code.id, to, code.code, network, "sign_in", language))


async def post_verify(call: Call[VerifyIn]) -> TokenOut:
    book = await _book(call)
    phone = names.telephone(book, call.body.phone, "/phone")

    def verify(tx: ledger.Tx) -> people.Member | ledger.Refusal:
        now = ledger.read_book(tx, book.id)
        return people.one_time_codes.verify(tx, now, phone, call.body.code, now.now, key=call.server.keys.codes)

    # refused only after the commit: a wrong try counts
    member = accepted(await call.work(verify))
    token = call.server.tokens.issue(Bearer(member.id, book.public_id))
    return TokenOut(
        access_token=token,
        token_type="Bearer",  # noqa: S106 - a word of RFC 6750
        expires_in=LIFE_SECONDS,
        member=ids.show("member", member.id),
    )


async def _book(call: Call[Any]) -> BookFacts:
    """The book the header names, or the only one there is. Counts against the address."""
    text = call.sent.get(BOOK_HEADER.lower().encode())
    return await book_asked(call, None if text is None else text.decode("latin-1"))


async def book_asked(call: Call[Any], text: str | None) -> BookFacts:
    """The book that whoever is not signed in names, or the only one there is. Counts against the address."""
    named = None if text is None else ids.read("book", text)
    if text is not None and named is None:
        raise problems.not_found("book")
    await callers.not_too_often(call.server, call.address, str(named))
    book = await call.thread(call.server.book_named, named)
    if book is None:
        await call.server.strangers.unknown(call.address)
        raise problems.not_found("book")
    call.server.strangers.met(str(named))
    await call.take(call.server.limits[book.mode].code, call.address)
    return book


# -- oneself


async def get_me(call: Call[None]) -> MeOut:
    return await call.work(lambda tx: _told(tx, _me(call, tx)))


async def get_card(call: Call[None]) -> CardOut:
    member = await call.work(lambda tx: _me(call, tx))
    drawn = io.BytesIO()
    segno.make(member.number, error="q", micro=False).save(
        drawn, kind="svg", border=4, xmldecl=False, svgclass=None, lineclass=None, omitsize=True
    )
    return CardOut(number=member.number, qr=drawn.getvalue().decode())


async def get_balance(call: Call[None]) -> MemberBalance:
    caller = call.member
    wallet = await call.server.wallets.ask((caller.book.id, caller.id))
    if wallet is None:
        raise problems.not_found("member")
    return MemberBalance(
        available=wallet.available,
        pending=wallet.pending,
        held=wallet.held,
        expiring=[AtTime(points=points, at=at) for at, points in wallet.expiring],
        confirming=[AtTime(points=points, at=at) for at, points in wallet.confirming],
        owed=wallet.owed,
        value=amounts.total(caller.book, wallet.value),
    )


async def post_device(call: Call[DeviceIn]) -> DeviceOut:
    caller = call.member

    def enrol(tx: ledger.Tx) -> tuple[people.Device, str]:
        book = ledger.read_book(tx, caller.book.id)
        name, key = call.body.name, call.server.keys.spend
        return accepted(people.enrol_device(tx, book, caller.id, name, key, book.now))

    device, secret = await call.work(enrol)
    return DeviceOut(id=ids.show("device", device.id), name=device.name, spend_secret=secret)


async def get_consents(call: Call[None]) -> ConsentsOut:
    return await call.work(lambda tx: _consents(_me(call, tx), tx))


async def post_own_confirmation(call: Call[NothingIn]) -> ConsentsOut:
    """One's own word for what was said at a counter. Saying it again changes nothing."""

    def confirm(tx: ledger.Tx) -> ConsentsOut:
        member, book = _me(call, tx), ledger.read_book(tx, call.member.book.id)
        people.confirm_consents(tx, book, member.id, book.now)
        return _consents(member, tx)

    return await call.work(confirm)


def consents_told(tx: ledger.Tx, call: Call[Any]) -> ConsentsOut:
    return _consents(_me(call, tx), tx)


async def put_consents(call: Call[ConsentsIn]) -> ConsentsOut:
    """What one agrees to from now on. What was said at a counter of other purposes goes on waiting for one's word."""
    said = {consent.purpose: consent.given for consent in call.body.consents}

    def put(tx: ledger.Tx) -> ConsentsOut:
        member, book = _me(call, tx), ledger.read_book(tx, call.member.book.id)
        refused = people.put_consents(tx, book, member.id, said, book.now)
        if refused is not None:
            accepted(refused)
        return _consents(member, tx)

    return await call.work(put)


def _consents(member: people.Member, tx: ledger.Tx) -> ConsentsOut:
    said, confirmed = people.consents_of(tx, member.id)
    return ConsentsOut(
        data=[
            ConsentOut(
                purpose=purpose,
                given=told["given"],
                asked=told.get("asked", told["given"]),
                at=datetime.fromisoformat(told["at"]),
            )
            for purpose, told in sorted(said.items())
        ],
        confirmed=confirmed,
    )


async def put_spend_lock(call: Call[SpendLockIn]) -> MeOut:
    caller = call.member

    def lock(tx: ledger.Tx) -> MeOut:
        book = ledger.read_book(tx, caller.book.id)
        return _told(tx, accepted(people.set_spend_lock(tx, book, caller.id, call.body.locked)))

    return await call.work(lock)


def _me(call: Call[Any], tx: ledger.Tx) -> people.Member:
    """The caller as a member of its book; one who left has no business here."""
    found = people.find(tx, ledger.read_book(tx, call.member.book.id), id=call.member.id)
    if found is None or found.state == "left":
        raise problems.not_found("member")
    return found


def told(tx: ledger.Tx, call: Call[Any]) -> MeOut:
    """Oneself."""
    return _told(tx, _me(call, tx))


def _told(tx: ledger.Tx, member: people.Member) -> MeOut:
    return MeOut(
        id=ids.show("member", member.id),
        number=member.number,
        kind=cast(Any, member.kind),
        given_name=member.given_name,
        family_name=store.family_name(tx, member.id),
        tier=member.tier,
        spend_locked=member.spend_locked,
        frozen=member.state == "frozen",
    )
