"""What shops ask to be approved in the wallet: listed, approved, declined."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast
from uuid import UUID

import msgspec

import ledger
from gateway import problems, store
from gateway.api import amounts, names
from gateway.api.lists import ById
from gateway.api.shapes import ApprovalEvent, AwaitingIn, NothingIn, OwnRedemptionOut, OwnRedemptionPage
from gateway.calls import Call
from gateway.server import BookFacts
from ledger import Outcome, ids
from merchants import people, sales, trade


async def list_awaiting(call: Call[None]) -> OwnRedemptionPage:
    """From one's own wallet, and from those one may spend from. Answered or over, it is not there any more."""
    assert isinstance(call.query, AwaitingIn)
    caller = call.member
    own = ById[sales.ApprovalTold](call, caller.actor, "redemption", lambda row: row.id)

    def read(tx: ledger.Tx) -> list[sales.ApprovalTold]:
        book = ledger.read_book(tx, caller.book.id)
        member = people.find(tx, book, id=caller.id)
        if member is None or member.state == "left":
            raise problems.not_found("member")
        return sales.approvals_awaiting(tx, book, _wallets(tx, member, caller.book.id), own.start, own.limit)

    rows = await call.work(read)
    data, more, cursor = own.page(rows, lambda row: _told(caller.book, caller.id, row))
    return OwnRedemptionPage(data=data, has_more=more, next_cursor=cursor)


def _wallets(tx: ledger.Tx, member: people.Member, book_id: int) -> list[UUID]:
    """Whose points a member may spend now: the posting asks the same, behind the household's lock."""
    found = people.household_of(tx, book_id, member.id)
    if found is None or member.locked_by is not None or member.state != "active":
        return [member.id]
    household, _ = found
    return [member.id, *(p.member_id for p in household.active() if member.id in household.spenders(p.member_id))]


async def post_own_approval(call: Call[NothingIn]) -> Outcome:
    return await _answer(call, approves=True)


async def post_own_refusal(call: Call[NothingIn]) -> Outcome:
    return await _answer(call, approves=False)


async def _answer(call: Call[NothingIn], *, approves: bool) -> Outcome:
    command = trade.AnswerApproval(call.member.id, call.id("redemption"), approves)
    return await call.post("approval", command, _answered(call.member.book, call.member.id))


def _answered(book: BookFacts, by: UUID) -> Callable[[trade.ApprovalDone], OwnRedemptionOut]:
    def show(done: trade.ApprovalDone) -> OwnRedemptionOut:
        row, taken = done.row, done.redemption
        points, value = (row.points, row.value_minor) if taken is None else (taken.points, taken.value)
        told = sales.ApprovalTold(
            id=row.id,
            state=row.state,
            merchant_id=row.merchant_id,
            merchant_name=done.merchant_name,
            branch_id=row.branch_id,
            member_id=row.member_id,
            number=done.number,
            at=row.at,
            deadline=row.deadline,
            points=points,
            value_minor=value,
            capture=row.capture,
            record_id=done.record_id,
        )
        return msgspec.structs.replace(_told(book, by, told), balance=amounts.balance(done.available))

    return show


async def of_records(call: Call[Any], records: Sequence[UUID]) -> dict[UUID, OwnRedemptionOut]:
    """What records of the caller's own wallet tell of, where they tell of something to approve."""
    if not records:
        return {}
    caller = call.member

    def read(tx: ledger.Tx) -> dict[UUID, OwnRedemptionOut]:
        subjects = {row.id: row.subject_id for row in store.records_named(tx, caller.book.id, records)}
        asked: Iterable[UUID] = {subject for subject in subjects.values() if subject is not None}
        found = sales.approvals_told(tx, caller.book.id, asked)
        return {
            record: _told(caller.book, caller.id, found[subject])
            for record, subject in subjects.items()
            if subject is not None and subject in found and found[subject].member_id == caller.id
        }

    return await call.work(read)


def event(about: OwnRedemptionOut, kind: str) -> ApprovalEvent:
    return ApprovalEvent(kind=kind, **msgspec.structs.asdict(about))


def _told(book: BookFacts, reader: UUID, row: sales.ApprovalTold) -> OwnRedemptionOut:
    return OwnRedemptionOut(
        id=ids.show("redemption", row.id),
        record=ids.show("record", row.record_id),
        state=cast(Any, "awaiting_approval" if row.state == "awaiting" else row.state),
        shop=ids.show("merchant", row.merchant_id),
        shop_name=row.merchant_name,
        branch=ids.show("branch", row.branch_id),
        wallet=row.number if row.member_id == reader else names.masked(row.number),
        at=row.at,
        deadline=row.deadline,
        points=row.points,
        value=None if row.value_minor is None else amounts.total(book, row.value_minor),
        capture=row.capture,
        balance=None,
    )
