"""A merchant's offers: drafted, funded, launched, ended, and what they caused, read with the merchant's own eyes; and what
of them is for a member."""

from collections.abc import Sequence
from typing import Any, Final, cast
from uuid import UUID

import ledger
from gateway import problems
from gateway.api import amounts, names
from gateway.api.lists import ById
from gateway.api.shapes import (
    NothingIn,
    OfferActivatedOut,
    OfferArmOut,
    OfferBudgetIn,
    OfferCap,
    OfferCaps,
    OfferComparisonOut,
    OfferFunding,
    OfferGivingOut,
    OfferIn,
    OfferLift,
    OfferMargin,
    OfferOut,
    OfferPage,
    OfferResultsOut,
    OfferTotal,
    OfferVariantOut,
    OfferVerdict,
    OwnOfferLeft,
    OwnOfferOut,
    OwnOfferPage,
    ResultsIn,
)
from gateway.calls import Call, Reply, accepted
from ledger import Outcome, ids
from merchants import contracts, offers, programme, trade

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


async def post_offer_fund(call: Call[NothingIn]) -> Outcome:
    return await call.post("offer_fund", offers.FundOffer(call.merchant.id, call.id("offer")), _shown)


async def post_offer_budget(call: Call[OfferBudgetIn]) -> Outcome:
    body = call.body
    names.one_of_two(add_points=body.add_points, release_points=body.release_points)
    points = body.add_points if body.add_points is not None else -(body.release_points or 0)
    return await call.post("offer_budget", offers.ChangeOfferBudget(call.merchant.id, call.id("offer"), points), _shown)


async def list_offers(call: Call[None]) -> OfferPage:
    caller = call.merchant
    drafted = ById[offers.Offer](call, str(caller.id), "offer", lambda offer: offer.id)
    found = await call.read(offers.list_offers, caller.book.id, caller.id, after=drafted.start, limit=drafted.limit)
    gave = await call.work(_gave, caller.book.id, found)
    data, more, cursor = drafted.page(found, lambda offer: _told(offer, gave.get(offer.id)))
    return OfferPage(data=data, has_more=more, next_cursor=cursor)


async def get_offer(call: Call[None]) -> OfferOut:
    """Of the merchant's own; or one that is to give, or gives, its points."""
    caller, id = call.merchant, call.id("offer")
    found = await call.read(offers.offer, caller.book.id, caller.id, id)
    if found is None:
        found = await call.work(offers.funded_by, caller.book.id, caller.id, id)
    if found is None:
        raise problems.not_found("offer")
    gave = await call.work(_gave, caller.book.id, [found])
    return _told(found, gave.get(id))


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
    members, kind = body.audience.members, body.audience
    chosen = None
    if kind.segment is not None or kind.tiers:
        segment = names.read_or_none("segment", kind.segment, "/audience/segment")
        chosen = offers.Chosen(segment, tiers=tuple(kind.tiers))
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
        giving=_giving(body),
        chosen=chosen,
    )


def _giving(body: OfferIn) -> offers.Giving | None:
    if body.budget_points is None:
        asked = {"budget_minor": body.budget_minor, "funding": body.funding, "caps": body.caps}
        for name, value in {**asked, "activation": body.activation}.items():
            if value is not None:
                raise problems.invalid(f"/{name}", "an offer that gives points has budget_points")
        return None
    funding, caps = body.funding or OfferFunding(), body.caps or OfferCaps()
    return offers.Giving(
        by=funding.by,
        sponsor=names.read_or_none("merchant", funding.sponsor, "/funding/sponsor"),
        budget_points=body.budget_points,
        budget_minor=body.budget_minor,
        per_member=offers.Cap(caps.per_member.times, caps.per_member.points),
        per_day=offers.Cap(caps.per_day.times, caps.per_day.points),
        total_times=caps.total.times,
        activation=body.activation or "auto",
    )


#: What is left of an offer's budget, and what it gave.
_Gave = tuple[int, offers.Count]


def _gave(tx: ledger.Tx, book_id: int, of: Sequence[offers.Offer]) -> dict[UUID, _Gave]:
    """Of those that give, from their launch on."""
    budgets = {o.id: ledger.budgets.name(o.funder_id, o.id) for o in of if o.funder_id and o.state != "draft"}
    if not budgets:
        return {}
    left = ledger.balances(tx, book_id, list(budgets.values()))
    given = offers.given(tx, budgets.keys(), ledger.read_book(tx, book_id).now.date())
    return {id: (left[name], given[id].ever) for id, name in budgets.items()}


def _shown(done: offers.OfferDone) -> OfferOut:
    left, given = done.budget_points, done.given
    return _told(done.offer, None if left is None or given is None else (left, given))


def _giving_told(offer: offers.Offer, gave: _Gave | None) -> OfferGivingOut | None:
    giving = offer.design.giving
    if giving is None or offer.funder_id is None:
        return None
    return OfferGivingOut(
        funding=OfferFunding(by=cast(Any, giving.by), sponsor=names.shown("merchant", giving.sponsor)),
        funder=ids.show("merchant", offer.funder_id),
        agreed=offer.agreed_to,
        budget_points=giving.budget_points,
        budget_minor=giving.budget_minor,
        caps=OfferCaps(
            per_member=OfferCap(**giving.per_member._asdict()),
            per_day=OfferCap(**giving.per_day._asdict()),
            total=OfferTotal(times=giving.total_times),
        ),
        activation=cast(Any, giving.activation),
        budget_left=None if gave is None else gave[0],
        given_times=None if gave is None else gave[1].times,
        given_points=None if gave is None else gave[1].points,
    )


def _told(offer: offers.Offer, gave: _Gave | None = None) -> OfferOut:
    design = offer.design
    listed = len(design.members) if design.audience == "list" else None
    return OfferOut(
        id=ids.show("offer", offer.id),
        name=design.name,
        state=cast(Any, offer.state),
        audience=cast(Any, design.audience),
        segment=None if design.chosen is None else names.shown("segment", design.chosen.segment),
        tiers=[] if design.chosen is None else list(design.chosen.tiers),
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
        giving=_giving_told(offer, gave),
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


# -- the member's own


async def list_own_offers(call: Call[None]) -> OwnOfferPage:
    """What is for the caller now; a page may show fewer than it asks for, since not all may still be used."""
    caller = call.member
    listed = ById[tuple[offers.Running, offers.Use]](call, caller.actor, "offer", lambda row: row[0].id)

    def read(tx: ledger.Tx) -> tuple[ledger.Book, contracts.Network, list[tuple[offers.Running, offers.Use]]]:
        book = ledger.read_book(tx, caller.book.id)
        found = offers.own(tx, book, caller.id, after=listed.start, limit=listed.limit)
        return book, call.server.networks.of(tx, book), found

    book, network, found = await call.work(read)
    data, more, cursor = listed.page(found, lambda row: _own_told(book, network, *row))
    return OwnOfferPage(data=[each for each in data if each is not None], has_more=more, next_cursor=cursor)


def _own_told(
    book: ledger.Book, network: contracts.Network, offer: offers.Running, use: offers.Use
) -> OwnOfferOut | None:
    variant, left = offer.variant(use, book.now), offers.left_for(offer.giving, use.had)
    shop, funder = network.merchant(offer.merchant_id), network.merchant(offer.funder_id)
    if variant is None or 0 in left or shop is None or funder is None or shop.state != "active":
        return None
    return OwnOfferOut(
        id=ids.show("offer", offer.id),
        merchant=ids.show("merchant", shop.id),
        merchant_name=shop.name,
        funder=ids.show("merchant", funder.id),
        funder_name=funder.name,
        name=offer.name,
        rules=dict(variant.rules),
        begins_at=offer.begins_at,
        ends_at=offer.until(variant),
        activation=cast(Any, offer.giving.activation),
        activated_at=use.activated_at,
        left=OwnOfferLeft(times=left.times, points=left.points),
    )


async def post_own_activate(call: Call[NothingIn]) -> Outcome:
    return await call.post("offer_activate", trade.ActivateOffer(call.member.id, call.id("offer")), _activated)


def _activated(done: trade.ActivationDone) -> OfferActivatedOut:
    assert done.use.activated_at is not None
    return OfferActivatedOut(
        id=ids.show("offer", done.offer.id),
        merchant=ids.show("merchant", done.offer.merchant_id),
        name=done.offer.name,
        rules=dict(done.variant.rules),
        ends_at=done.offer.until(done.variant),
        activated_at=done.use.activated_at,
    )
