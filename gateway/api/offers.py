"""A merchant's offers: drafted, changed, launched, ended, and what they caused. Read with the merchant's own eyes."""

from typing import Any, Final, cast
from uuid import UUID

import ledger
from gateway import problems
from gateway.api import amounts, names
from gateway.api.lists import ById
from gateway.api.shapes import (
    NothingIn,
    OfferArmOut,
    OfferComparisonOut,
    OfferIn,
    OfferLift,
    OfferMargin,
    OfferOut,
    OfferPage,
    OfferResultsOut,
    OfferVariantOut,
    OfferVerdict,
    ResultsIn,
)
from gateway.calls import Call, Reply, accepted
from ledger import Outcome, ids
from merchants import offers, programme

SVG: Final = "image/svg+xml"


async def post_offer(call: Call[OfferIn]) -> Outcome:
    return await call.post("offer_draft", offers.NewOffer(call.merchant.id, _design(call.body)), _shown)


async def put_offer(call: Call[OfferIn]) -> OfferOut:
    caller, id, wanted = call.merchant, call.id("offer"), _design(call.body)

    def change(tx: ledger.Tx) -> offers.Offer:
        book = ledger.read_book(tx, caller.book.id)
        return accepted(offers.change(tx, book, caller.id, id, wanted, programme.faults))

    return _told(await call.work(change))


async def post_offer_launch(call: Call[NothingIn]) -> Outcome:
    return await call.post("offer_launch", offers.LaunchOffer(call.merchant.id, call.id("offer")), _shown)


async def post_offer_end(call: Call[NothingIn]) -> Outcome:
    return await call.post("offer_end", offers.EndOffer(call.merchant.id, call.id("offer")), _shown)


async def list_offers(call: Call[None]) -> OfferPage:
    caller = call.merchant
    drafted = ById[offers.Offer](call, str(caller.id), "offer", lambda offer: offer.id)
    found = await call.read(offers.list_offers, caller.book.id, caller.id, after=drafted.start, limit=drafted.limit)
    data, more, cursor = drafted.page(found, _told)
    return OfferPage(data=data, has_more=more, next_cursor=cursor)


async def get_offer(call: Call[None]) -> OfferOut:
    caller, id = call.merchant, call.id("offer")
    return _told(await call.read(_found, caller.book.id, caller.id, id))


async def get_offer_results(call: Call[None]) -> OfferResultsOut | Reply:
    asked: ResultsIn = call.query
    caller, id = call.merchant, call.id("offer")
    first = call.sent.get(b"accept", b"").split(b",")[0].split(b";")[0].strip().decode("latin-1")

    def read(tx: ledger.Tx) -> tuple[offers.Offer, offers.Results]:
        offer = _found(tx, caller.book.id, caller.id, id)
        return offer, offers.of(offer.design, offers.tallies(tx, caller.book.id, id))

    offer, results = await call.read(read)
    if asked.format == "svg" or (asked.format is None and first == SVG):
        book = await call.work(ledger.read_book, caller.book.id)
        drawn = offers.chart(offer.design, results, asked.metric, book.currency, book.exponent)
        return Reply(200, drawn.encode(), SVG.encode())
    return _results(offer, results, caller.book.currency)


def _found(tx: ledger.Tx, book_id: int, merchant_id: UUID, id: UUID) -> offers.Offer:
    found = offers.offer(tx, book_id, merchant_id, id)
    if found is None:
        raise problems.not_found("offer")
    return found


# -- between the API's words and the room's


def _design(body: OfferIn) -> offers.Design:
    members = body.audience.members
    return offers.Design(
        name=body.name,
        audience=body.audience.kind,
        members=tuple(names.read("member", text, f"/audience/members/{i}") for i, text in enumerate(members)),
        holdout_ppm=body.holdout_ppm,
        variants=tuple(
            offers.Variant(v.name, v.share_ppm, v.rules, amounts.time(v.ends_at, f"/variants/{i}/ends_at"))
            for i, v in enumerate(body.variants)
        ),
        begins_at=amounts.time(body.begins_at, "/begins_at"),
        ends_at=amounts.time(body.ends_at, "/ends_at"),
        windows_days=tuple(body.windows_days),
        pre_days=body.pre_days,
        margin=None if body.margin is None else offers.Margin(body.margin.ppm, body.margin.by_category),
    )


def _shown(done: offers.OfferDone) -> OfferOut:
    return _told(done.offer)


def _told(offer: offers.Offer) -> OfferOut:
    design = offer.design
    listed = len(design.members) if design.audience == "list" else None
    return OfferOut(
        id=ids.show("offer", offer.id),
        name=design.name,
        state=cast(Any, offer.state),
        audience=cast(Any, design.audience),
        members=listed if offer.audience_size is None else offer.audience_size,
        holdout_ppm=design.holdout_ppm,
        variants=[
            OfferVariantOut(name=v.name, share_ppm=v.ppm, rules=dict(v.rules), ends_at=v.ends_at)
            for v in design.variants
        ],
        begins_at=design.begins_at,
        ends_at=design.ends_at,
        windows_days=list(design.windows_days),
        pre_days=design.pre_days,
        margin=None
        if design.margin is None
        else OfferMargin(ppm=design.margin.ppm, by_category=dict(design.margin.by_category)),
        commitment=offers.assigning.commitment(offer.salt).hex(),
        # whoever knew it before could choose whom to invite by it
        salt=None if offer.state == "draft" else offer.salt.hex(),
        drafted_at=offer.drafted_at,
        launched_at=offer.launched_at,
        ended_at=offer.ended_at,
    )


def _results(offer: offers.Offer, found: offers.Results, currency: str) -> OfferResultsOut:
    return OfferResultsOut(
        offer=ids.show("offer", offer.id),
        state=cast(Any, offer.state),
        currency=currency,
        counted_days=sorted({arm.days for arm in found.arms}),
        deciding_days=offer.design.windows_days[-1],
        through_sequence=found.through_sequence,
        counted_at=found.counted_at,
        arms=[
            OfferArmOut(
                days=arm.days,
                metric=cast(Any, arm.metric),
                arm=arm.arm,
                members=arm.members,
                mean=arm.mean,
                mean_before=arm.mean_before,
            )
            for arm in found.arms
        ],
        comparisons=[_compared(row) for row in found.comparisons],
        says=list(offers.SAYS),
        says_not=list(offers.SAYS_NOT),
    )


def _compared(row: offers.Comparison) -> OfferComparisonOut:
    once, every, lift = row.once, row.every_look, row.lift
    return OfferComparisonOut(
        days=row.days,
        metric=cast(Any, row.metric),
        arm=row.arm,
        against=row.against,
        difference=row.difference,
        once=None
        if once is None
        else OfferVerdict(low=once.low, high=once.high, p_value=once.p_value, holm_p_value=row.holm_p_value),
        every_look=None
        if every is None
        else OfferVerdict(
            low=every.low, high=every.high, p_value=every.p_value, holm_p_value=row.every_look_holm_p_value
        ),
        lift=None if lift is None else OfferLift(share=(lift.low + lift.high) / 2, low=lift.low, high=lift.high),
        adjusted=row.slope != 0,
    )
