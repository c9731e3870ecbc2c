"""A till's dealings with people: enrolling them, finding them, telling them what a basket would bring."""

from functools import partial
from typing import Any, Final, cast

import ledger
from gateway import messages, problems
from gateway.api import amounts, names, sales
from gateway.api.shapes import (
    ConfirmedOut,
    Earn,
    LookupIn,
    LookupOut,
    MemberConfirmationIn,
    MemberIn,
    MemberOut,
    QuoteIn,
    QuoteOut,
    RuleFired,
    RuleSkipped,
    Spendable,
)
from gateway.calls import Call, MerchantCaller, accepted
from gateway.problems import Problem
from gateway.server import Server
from ledger import ids
from merchants import people, standing, trade

# -- members


async def post_member(call: Call[MemberIn]) -> MemberOut:
    body = call.body
    await call.take(call.server.limits[call.merchant.book.mode].enrolment, call.merchant.actor)
    phone = names.telephone(call.merchant.book, body.phone, "/phone")
    told, code = await call.work(partial(_enrol, call.server, call.merchant, body, phone))
    if code is not None:
        call.server.senders[call.merchant.book.mode].send(code)
    return MemberOut(
        id=ids.show("member", told.member.id),
        number=told.member.number,
        kind=cast(Any, told.member.kind),
        created=told.created,
        # of somebody who was there already nothing is told, and nothing asked
        consents_confirmed=False if told.created and body.confirm else None,
    )


def _enrol(
    server: Server, caller: MerchantCaller, body: MemberIn, phone: str, tx: ledger.Tx
) -> tuple[people.Enrolled, messages.Message | None]:
    """The member, and the code to send."""
    book = ledger.read_book(tx, caller.book.id)
    enrolled = accepted(
        people.enrol(
            tx,
            book,
            phone=phone,
            kind=body.kind,
            given_name=body.given_name,
            family_name=body.family_name,
            language=body.language,
            consents={consent.purpose: consent.given for consent in body.consents},
            enrolled_by=caller.id,
            now=book.now,
            confirm=body.confirm,
        )
    )
    if enrolled.created and body.confirm:
        # a telephone that was sent too many codes gets none now: its member confirms after signing in
        asked = people.one_time_codes.ask(tx, book, phone, book.now, key=server.keys.codes, purpose="confirm")
        if isinstance(asked, people.OneTimeCode):
            return enrolled, messages.of_code(asked.id, phone, asked.code, book.network, "confirm", body.language)
    return enrolled, None


async def post_confirmation(call: Call[MemberConfirmationIn]) -> ConfirmedOut:
    """Wrong code, too old, nobody there: which of these is told to nobody."""
    caller, body = call.merchant, call.body
    await call.take(call.server.limits[caller.book.mode].lookup, caller.actor)
    names.one_of_two(phone=body.phone, member=body.member)
    phone = None if body.phone is None else names.telephone(caller.book, body.phone, "/phone")
    named = None if body.member is None else names.member(body.member, "/member")

    def confirm(tx: ledger.Tx) -> people.Member | ledger.Refusal:
        book, to = ledger.read_book(tx, caller.book.id), phone
        if named is not None:
            found = _find(tx, book, named)
            to = found.phone if found is not None else None
        if to is None:
            return people.one_time_codes.Unauthenticated()
        key = call.server.keys.codes
        member = people.one_time_codes.verify(tx, book, to, body.code, book.now, key=key, purpose="confirm")
        if isinstance(member, people.Member):
            people.confirm_consents(tx, book, member.id, book.now)
        return member

    # refused only after the commit: a wrong try counts
    answer = await call.work(confirm)
    if isinstance(answer, people.one_time_codes.Unauthenticated):
        raise Problem("consent_required", "this code confirms nothing")
    accepted(answer)
    return ConfirmedOut(consents_confirmed=True)


def _find(tx: ledger.Tx, book: ledger.Book, named: trade.MemberRef) -> people.Member | None:
    return people.find(tx, book, id=named.id) if named.id else people.find(tx, book, number=named.number)


# -- look-ups


async def post_lookup(call: Call[LookupIn]) -> LookupOut:
    caller, body = call.merchant, call.body
    await call.take(call.server.limits[caller.book.mode].lookup, caller.actor)
    names.one_of_two(number=body.number, phone=body.phone)
    return await call.work(partial(_look_up, call.server, caller, body))


def _look_up(server: Server, caller: MerchantCaller, body: LookupIn, tx: ledger.Tx) -> LookupOut:
    book = ledger.read_book(tx, caller.book.id)
    if body.phone is not None:
        member = people.find(tx, book, phone=names.telephone(caller.book, body.phone, "/phone"))
    else:
        number = people.numbers.read(body.number or "")
        member = None if number is None else people.find(tx, book, number=number)
    if member is None or member.state == "left":
        raise problems.not_found("member", "/number" if body.phone is None else "/phone")
    points, value = trade.spendable_at(tx, book, server.networks.of(tx, book), member, caller.id)
    return LookupOut(
        member=ids.show("member", member.id),
        number=member.number,
        given_name=member.given_name,
        kind=cast(Any, member.kind),
        tier=standing.tier_at(tx, book, caller.id, member.id),
        spendable=Spendable(points=points, value=amounts.total(caller.book, value)),
        spend_locked=member.locked_by is not None,
    )


# -- quotes


#: Rules that a quote says do not count.
LARGEST_SKIPPED: Final = 200


async def post_quote(call: Call[QuoteIn]) -> QuoteOut:
    caller, body = call.merchant, call.body
    whole = amounts.minor(caller.book, body.total, "/total")
    lines = sales.lines(caller.book, body.lines, whole)
    quoted = await call.work(partial(_quote, call.server, caller, body, lines, whole))
    book = caller.book
    spendable, remainder = None, None
    if quoted.spendable_points is not None and quoted.spendable_value is not None:
        spendable = Spendable(points=quoted.spendable_points, value=amounts.total(book, quoted.spendable_value))
        remainder = amounts.total(book, max(0, whole - quoted.spendable_value))
    return QuoteOut(
        earn=Earn(
            points=quoted.points,
            refused=quoted.refused,
            lot=None,
            expires_at=quoted.expires_at,
            terms=names.shown("terms", quoted.terms_id),
            bonuses=[sales.bonus_told(bonus) for bonus in quoted.bonuses],
            rules=[RuleFired(rule=rule, points=points) for rule, points in quoted.fired],
        ),
        skipped=[RuleSkipped(rule=rule, why=why) for rule, why in quoted.skipped[:LARGEST_SKIPPED]],
        spendable=spendable,
        remainder=remainder,
    )


def _quote(
    server: Server,
    caller: MerchantCaller,
    body: QuoteIn,
    lines: tuple[trade.Line, ...],
    whole: ledger.Minor,
    tx: ledger.Tx,
) -> trade.Quote:
    book = ledger.read_book(tx, caller.book.id)
    network = server.networks.of(tx, book)
    branch = network.branch(names.read("branch", body.branch, "/branch"))
    if branch is None or branch.merchant_id != caller.id:
        raise problems.not_found("branch", "/branch")
    member = None
    if body.member is not None:
        member = _find(tx, book, names.member(body.member, "/member"))
        if member is None or member.state == "left":
            raise problems.not_found("member", "/member")
    return trade.quote(tx, book, network, caller.id, lines, whole, member, branch, server.ladders)
