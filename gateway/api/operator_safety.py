"""Safety: what an operator stops and releases, how fast value may move, and what should be looked at."""

from typing import Any, Final, cast
from uuid import UUID

import ledger
import settlement
from gateway.api import names
from gateway.api.lists import ById
from gateway.api.operator_scope import book_in_path, branch_in_path, member_in_path, merchant_in_path
from gateway.api.shapes import (
    BrakeIn,
    BrakeOut,
    BrakePage,
    BrakeTold,
    FlagOut,
    FlagPage,
    PayInGraceIn,
    PayInGraceOut,
    VelocityIn,
    VelocityLimit,
    VelocityOut,
)
from gateway.calls import Call
from gateway.server import BookFacts
from ledger import Outcome, ids
from merchants import safety

# -- brakes


async def post_member_freeze(call: Call[BrakeIn]) -> Outcome:
    return await _act(call, "member_freeze", *await member_in_path(call))


async def post_member_unfreeze(call: Call[BrakeIn]) -> Outcome:
    return await _act(call, "member_unfreeze", *await member_in_path(call))


async def post_branch_freeze(call: Call[BrakeIn]) -> Outcome:
    book, merchant, branch = await branch_in_path(call)
    return await _act(call, "branch_freeze", book, branch, merchant)


async def post_branch_unfreeze(call: Call[BrakeIn]) -> Outcome:
    book, merchant, branch = await branch_in_path(call)
    return await _act(call, "branch_unfreeze", book, branch, merchant)


async def post_merchant_suspend(call: Call[BrakeIn]) -> Outcome:
    return await _act(call, "merchant_suspend", *await merchant_in_path(call))


async def post_merchant_resume(call: Call[BrakeIn]) -> Outcome:
    return await _act(call, "merchant_resume", *await merchant_in_path(call))


async def post_book_stop(call: Call[BrakeIn]) -> Outcome:
    book = await book_in_path(call)
    return await _act(call, "network_stop", book, book.public_id)


async def post_book_resume(call: Call[BrakeIn]) -> Outcome:
    book = await book_in_path(call)
    return await _act(call, "network_resume", book, book.public_id)


async def _act(call: Call[BrakeIn], kind: str, book: BookFacts, subject: UUID, merchant: UUID | None = None) -> Outcome:
    act = safety.Act(subject, call.operator.id, call.body.reason, merchant)
    return await call.post(kind, act, _done, book_id=book.id)


def _done(done: safety.Done) -> BrakeOut:
    return BrakeOut(
        id=ids.show(done.what, done.subject_id),
        state=cast(Any, done.state),
        record=names.shown("record", done.record_id),
        at=done.at,
    )


async def list_brakes(call: Call[None]) -> BrakePage:
    """The newest first."""
    book = await book_in_path(call)
    acts = ById[safety.Brake](call, str(call.operator.id), "record", lambda act: act.record_id)

    def read(tx: ledger.Tx) -> list[safety.Brake]:
        return safety.list_brakes(tx, book.id, before=acts.start, limit=acts.limit)

    data, more, cursor = acts.page(await call.work(read), _told)
    return BrakePage(data=data, has_more=more, next_cursor=cursor)


#: What an act was upon, by its record.
_UPON: Final = {move.record: move.what for move in safety.MOVES.values()}


def _told(act: safety.Brake) -> BrakeTold:
    return BrakeTold(
        record=ids.show("record", act.record_id),
        kind=act.kind,
        subject=ids.show(_UPON[act.kind], act.subject_id),
        operator=names.shown("operator", act.operator_id),
        reason=act.reason,
        at=act.at,
    )


# -- velocity limits


async def put_velocity_limits(call: Call[VelocityIn]) -> Outcome:
    book = await book_in_path(call)
    limits = tuple(safety.Limit(x.subject, x.what, x.per_minutes, x.most) for x in call.body.limits)
    command = safety.NewLimits(call.operator.id, limits)
    return await call.post("velocity_limits", command, _limits, book_id=book.id)


async def get_velocity_limits(call: Call[None]) -> VelocityOut:
    book = await book_in_path(call)
    return _limits(await call.work(lambda tx: safety.in_force(tx, ledger.read_book(tx, book.id))))


def _limits(done: safety.LimitsInForce) -> VelocityOut:
    return VelocityOut(
        limits=[
            VelocityLimit(subject=cast(Any, x.subject), what=cast(Any, x.what), per_minutes=x.per_minutes, most=x.most)
            for x in done.limits
        ],
        revision=done.revision,
    )


# -- who does not pay in


async def put_pay_in_grace(call: Call[PayInGraceIn]) -> Outcome:
    book = await book_in_path(call)
    command = settlement.overdue.SetGrace(call.operator.id, call.body.days)
    return await call.post("pay_in_grace", command, _grace, book_id=book.id)


async def get_pay_in_grace(call: Call[None]) -> PayInGraceOut:
    book = await book_in_path(call)
    found = await call.work(settlement.overdue.declared, book.id)
    return PayInGraceOut(days=None, revision=0) if found is None else _grace(found)


def _grace(done: settlement.Grace) -> PayInGraceOut:
    return PayInGraceOut(days=done.days, revision=done.revision)


# -- flags


async def list_flags(call: Call[None]) -> FlagPage:
    """Those raised last first."""
    book = await book_in_path(call)
    flags = ById[safety.Flag](call, str(call.operator.id), "flag", lambda flag: flag.id)

    def read(tx: ledger.Tx) -> list[safety.Flag]:
        return safety.list_flags(tx, book.id, before=flags.start, limit=flags.limit)

    data, more, cursor = flags.page(await call.work(read), _flag)
    return FlagPage(data=data, has_more=more, next_cursor=cursor)


def _flag(flag: safety.Flag) -> FlagOut:
    return FlagOut(
        id=ids.show("flag", flag.id),
        reason=cast(Any, flag.reason),
        subject=ids.show(flag.subject, flag.subject_id),
        what=flag.what or None,
        times=flag.times,
        first_at=flag.first_at,
        last_at=flag.last_at,
        merchant=ids.show("merchant", flag.merchant_id),
        branch=ids.show("branch", flag.branch_id),
        member=ids.show("member", flag.member_id),
        sales=[ids.show("sale", id) for id in flag.sale_ids],
        redemption_references=list(flag.redemption_references),
    )
