"""Segments, RFM and next offers as shops, the network's operators and members ask for them."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeVar, cast
from uuid import UUID

import psycopg

import ledger
import settlement
from gateway import problems
from gateway.api import amounts
from gateway.api.lists import ById
from gateway.api.operator_scope import book_in_path
from gateway.api.shapes import (
    ConditionOut,
    NextOfferList,
    NextOfferOut,
    NextOfferReason,
    NextOffersOn,
    NothingIn,
    RfmCell,
    RfmIn,
    RfmOut,
    SegmentChangeIn,
    SegmentCounted,
    SegmentCountOut,
    SegmentExplanation,
    SegmentIn,
    SegmentMember,
    SegmentMemberPage,
    SegmentOut,
    SegmentPage,
    SegmentPreviewIn,
)
from gateway.calls import Call, Reply, accepted
from gateway.problems import Problem
from gateway.server import BookFacts
from ledger import ids
from merchants import insight

R = TypeVar("R")


# -- a shop's


async def post_segment_preview(call: Call[SegmentPreviewIn]) -> SegmentCountOut:
    return await _preview(call, call.merchant.book, call.merchant.id)


async def post_segment(call: Call[SegmentIn]) -> SegmentOut:
    return await _save(call, call.merchant.book, call.merchant.id)


async def list_segments(call: Call[None]) -> SegmentPage:
    return await _list(call, call.merchant.book, call.merchant.id)


async def get_segment(call: Call[None]) -> SegmentCounted:
    return await _get(call, call.merchant.book, call.merchant.id)


async def put_segment(call: Call[SegmentChangeIn]) -> SegmentOut:
    return await _change(call, call.merchant.book, call.merchant.id)


async def list_segment_members(call: Call[None]) -> SegmentMemberPage:
    return await _members(call, call.merchant.book, call.merchant.id)


async def get_segment_member(call: Call[None]) -> SegmentExplanation:
    return await _explain(call, call.merchant.book, call.merchant.id)


async def get_rfm(call: Call[None]) -> RfmOut | Reply:
    return await _rfm(call, call.merchant.book, call.merchant.id)


async def list_next_offers(call: Call[None]) -> NextOfferList:
    """Of a member who never bought here there are none: nobody learns by this whether there is such a member."""
    return _offers(await call.read(insight.offers_at, call.merchant.id, call.id("member")))


# -- the network's


async def post_network_segment_preview(call: Call[SegmentPreviewIn]) -> SegmentCountOut:
    return await _preview(call, await book_in_path(call), None)


async def post_network_segment(call: Call[SegmentIn]) -> SegmentOut:
    return await _save(call, await book_in_path(call), None)


async def list_network_segments(call: Call[None]) -> SegmentPage:
    return await _list(call, await book_in_path(call), None)


async def get_network_segment(call: Call[None]) -> SegmentCounted:
    return await _get(call, await book_in_path(call), None)


async def list_network_segment_members(call: Call[None]) -> SegmentMemberPage:
    return await _members(call, await book_in_path(call), None)


async def get_network_rfm(call: Call[None]) -> RfmOut | Reply:
    return await _rfm(call, await book_in_path(call), None)


async def post_next_offers(call: Call[NothingIn]) -> NextOffersOn:
    book = await book_in_path(call)
    return NextOffersOn(since=await call.work(lambda tx: insight.begin(tx, ledger.read_book(tx, book.id))))


# -- a member's


async def list_own_next_offers(call: Call[None]) -> NextOfferList:
    caller = call.member
    return _offers(await call.work(insight.offers_to, caller.book.id, caller.id))


# -- whosever


async def _preview(call: Call[SegmentPreviewIn], book: BookFacts, merchant: UUID | None) -> SegmentCountOut:
    node = _read(call.body.definition)

    def count(tx: ledger.Tx, scope: insight.Scope) -> SegmentCountOut:
        return SegmentCountOut(members=insight.count(tx, scope, node), as_of=scope.book.now)

    return await _looked(call, book, merchant, count)


async def _save(call: Call[SegmentIn], book: BookFacts, merchant: UUID | None) -> SegmentOut:
    name, definition = call.body.name, call.body.definition
    _read(definition)

    def save(tx: ledger.Tx, scope: insight.Scope) -> SegmentOut:
        return _shown(accepted(insight.save(tx, scope, name, definition)))

    return await _looked(call, book, merchant, save)


async def _change(call: Call[SegmentChangeIn], book: BookFacts, merchant: UUID | None) -> SegmentOut:
    id, definition = call.id("segment"), call.body.definition
    _read(definition)

    def change(tx: ledger.Tx, scope: insight.Scope) -> SegmentOut:
        return _shown(accepted(insight.change(tx, scope, id, definition)))

    return await _looked(call, book, merchant, change)


async def _list(call: Call[None], book: BookFacts, merchant: UUID | None) -> SegmentPage:
    listed = ById[insight.Saved](call, _whose(call), "segment", lambda row: row.id)

    def read(tx: ledger.Tx, scope: insight.Scope) -> list[insight.Saved]:
        return insight.saved(tx, scope, after=listed.start, limit=listed.limit)

    data, more, cursor = listed.page(await _looked(call, book, merchant, read), _shown)
    return SegmentPage(data=data, has_more=more, next_cursor=cursor)


async def _get(call: Call[None], book: BookFacts, merchant: UUID | None) -> SegmentCounted:
    id = call.id("segment")

    def get(tx: ledger.Tx, scope: insight.Scope) -> SegmentCounted:
        found = _found(tx, scope, id)
        members = insight.count(tx, scope, insight.read(found.definition))
        return SegmentCounted(**_told(found), members=members, as_of=scope.book.now)

    return await _looked(call, book, merchant, get)


async def _members(call: Call[None], book: BookFacts, merchant: UUID | None) -> SegmentMemberPage:
    id, listed = call.id("segment"), ById[UUID](call, _whose(call), "member", lambda row: row)

    def read(tx: ledger.Tx, scope: insight.Scope) -> list[UUID]:
        node = insight.read(_found(tx, scope, id).definition)
        return insight.members(tx, scope, node, after=listed.start, limit=listed.limit)

    data, more, cursor = listed.page(
        await _looked(call, book, merchant, read), lambda member: SegmentMember(member=ids.show("member", member))
    )
    return SegmentMemberPage(data=data, has_more=more, next_cursor=cursor)


async def _explain(call: Call[None], book: BookFacts, merchant: UUID | None) -> SegmentExplanation:
    id, member = call.id("segment"), call.id("member")

    def explain(tx: ledger.Tx, scope: insight.Scope) -> SegmentExplanation:
        segment = _found(tx, scope, id)
        node = insight.read(segment.definition)
        found = insight.explained(tx, scope, node, member)
        if found is None:
            raise problems.not_found("member")
        return SegmentExplanation(
            member=ids.show("member", member),
            version=segment.version,
            inside=insight.definitions.holds(node, found),
            as_of=scope.book.now,
            conditions=[_condition(condition, found) for condition in insight.definitions.conditions(node)],
        )

    return await _looked(call, book, merchant, explain)


async def _rfm(call: Call[None], book: BookFacts, merchant: UUID | None) -> RfmOut | Reply:
    asked: RfmIn = call.query

    def read(tx: ledger.Tx, scope: insight.Scope) -> RfmOut:
        cells = insight.rfm(tx, scope, asked.within_days)
        return RfmOut(
            within_days=asked.within_days,
            as_of=scope.book.now,
            data=[
                RfmCell(
                    recency=cell.recency,
                    frequency=cell.frequency,
                    spend=cell.spend,
                    members=cell.members,
                    purchases=cell.purchases,
                    spend_sum=amounts.total(book, cell.spend_minor),
                )
                for cell in cells
            ],
        )

    found = await _looked(call, book, merchant, read)
    return _csv(found) if asked.format == "csv" else found


def _csv(found: RfmOut) -> Reply:
    """No text in it begins as a formula does."""
    header = ("recency", "frequency", "spend", "members", "purchases", "spend_minor", "currency")
    lines = [settlement.statements.csv_line(header)]
    for cell in found.data:
        cells = (cell.recency, cell.frequency, cell.spend, cell.members, cell.purchases)
        lines.append(settlement.statements.csv_line((*cells, cell.spend_sum.amount, cell.spend_sum.currency)))
    name = b'attachment; filename="rfm.csv"'
    return Reply(200, "".join(lines).encode(), b"text/csv; charset=utf-8", ((b"content-disposition", name),))


async def _looked(
    call: Call[Any], book: BookFacts, merchant: UUID | None, look: Callable[[ledger.Tx, insight.Scope], R]
) -> R:
    """`look` at a merchant's sales, or at the whole book's. One that takes too long is told to come back."""

    def work(tx: ledger.Tx) -> R:
        return look(tx, insight.Scope(ledger.read_book(tx, book.id), merchant))

    try:
        return await call.work(work)
    except psycopg.errors.QueryCanceled:
        raise Problem("unavailable", "the question took too long; ask a simpler one, or again later") from None


def _whose(call: Call[Any]) -> str:
    return str(call.caller.id)  # type: ignore[union-attr]


def _read(definition: Mapping[str, Any]) -> insight.Node:
    if faults := insight.faults(definition):
        raise problems.invalid(f"/definition{faults[0].pointer}", faults[0].detail, faults[0].code)
    return insight.read(definition)


def _found(tx: ledger.Tx, scope: insight.Scope, id: UUID) -> insight.Saved:
    found = insight.find_segment(tx, scope, id)
    if found is None:
        raise problems.not_found("segment")
    return found


def _told(saved: insight.Saved) -> dict[str, Any]:
    return {
        "id": ids.show("segment", saved.id),
        "name": saved.name,
        "version": saved.version,
        "definition": dict(saved.definition),
        "saved_at": saved.at,
    }


def _shown(saved: insight.Saved) -> SegmentOut:
    return SegmentOut(**_told(saved))


def _condition(condition: insight.Condition, values: Mapping[insight.Figure, Any]) -> ConditionOut:
    figure, found = condition.figure, values[condition.figure]
    return ConditionOut(
        pointer=condition.pointer,
        measure=figure.measure,
        within_days=figure.within_days,
        category=figure.category,
        found=found.isoformat() if isinstance(found, date) else found,
        met=insight.met(condition, found),
    )


def _offers(found: list[insight.OfferTold]) -> NextOfferList:
    return NextOfferList(
        data=[
            NextOfferOut(
                merchant=ids.show("merchant", offer.merchant_id),
                category=offer.category,
                score_ppm=offer.score_ppm,
                reason=NextOfferReason(code=cast(Any, offer.reason), facts=dict(offer.facts)),
                as_of=offer.as_of,
            )
            for offer in found
        ]
    )
