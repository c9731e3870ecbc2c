"""Ladders of tiers, members put on a tier by hand, and how members stand."""

from collections.abc import Iterable, Mapping
from typing import Any, cast
from uuid import UUID

import msgspec

import ledger
from gateway import problems
from gateway.api import amounts, names
from gateway.api.lists import ById
from gateway.api.operator_scope import book_in_path, member_in_path, merchant_in_path
from gateway.api.shapes import (
    LadderIn,
    LadderOut,
    LadderPage,
    LadderPeriod,
    MeasureOut,
    NextTierOut,
    ProgressOut,
    StandingEvent,
    StandingsOut,
    TierByHandIn,
    TierByHandOut,
    TierIn,
    TierOut,
    TierStandingOut,
    Words,
)
from gateway.calls import Call
from ledger import Outcome, ids
from merchants import people, standing

# -- ladders


async def post_ladder(call: Call[LadderIn]) -> Outcome:
    return await call.post("ladder", standing.NewLadder(call.merchant.id, _asked(call.body)), _in_force_of_shop)


async def post_ladder_for(call: Call[LadderIn]) -> Outcome:
    book, merchant = await merchant_in_path(call)
    command = standing.NewLadder(merchant, _asked(call.body))
    return await call.post("ladder", command, _in_force_of_shop, book_id=book.id)


async def post_network_ladder(call: Call[LadderIn]) -> Outcome:
    book = await book_in_path(call)
    command = standing.NewLadder(None, _asked(call.body))
    return await call.post("ladder", command, lambda done: _ladder(done.row, None), book_id=book.id)


def _in_force_of_shop(done: standing.LadderDone) -> LadderOut:
    return _ladder(done.row, done.row.owner_id)


def _asked(body: LadderIn) -> dict[str, Any]:
    """The body in the words of ladders, which find no fault in it."""
    spec = cast(dict[str, Any], _plain(msgspec.to_builtins(body)))
    spec["tiers"] = [_tier_asked(tier) for tier in spec["tiers"]]
    if faults := standing.faults(spec):
        raise problems.invalid(faults[0].pointer.replace("_minor", ""), faults[0].detail, faults[0].code)
    return spec


def _plain(found: Any) -> Any:
    """Without what was left out."""
    if isinstance(found, dict):
        return {name: _plain(value) for name, value in found.items() if value is not None}
    return [_plain(each) for each in found] if isinstance(found, list) else found


def _tier_asked(tier: dict[str, Any]) -> dict[str, Any]:
    if "requires" not in tier:
        return tier
    requires = {
        how: {"spend_minor" if name == "spend" else name: least for name, least in thresholds.items()}
        for how, thresholds in tier["requires"].items()
    }
    return {**tier, "requires": requires}


def _ladder(row: standing.LadderRow, merchant: UUID | None) -> LadderOut:
    spec = row.spec
    return LadderOut(
        id=ids.show("ladder", row.id),
        merchant=names.shown("merchant", merchant),
        version=row.version,
        in_force_at=row.at,
        period=msgspec.convert(spec["period"], LadderPeriod),
        promotion=spec["promotion"],
        grace_days=spec["grace_days"],
        when_changed=spec["when_changed"],
        kinds=spec["kinds"],
        tiers=[_tier_told(tier) for tier in spec["tiers"]],
    )


def _tier_told(tier: Mapping[str, Any]) -> TierIn:
    told = dict(tier)
    if "requires" in told:
        told["requires"] = {
            how: {"spend" if name == "spend_minor" else name: least for name, least in thresholds.items()}
            for how, thresholds in told["requires"].items()
        }
    return msgspec.convert(told, TierIn)


async def list_ladders(call: Call[None]) -> LadderPage:
    caller = call.merchant
    return await _page(call, caller.book.id, caller.id, caller.id, str(caller.id))


async def list_ladders_of(call: Call[None]) -> LadderPage:
    book, merchant = await merchant_in_path(call)
    return await _page(call, book.id, merchant, merchant, str(call.operator.id))


async def list_network_ladders(call: Call[None]) -> LadderPage:
    book = await book_in_path(call)
    return await _page(call, book.id, book.public_id, None, str(call.operator.id))


async def _page(call: Call[None], book_id: int, owner: UUID, merchant: UUID | None, caller: str) -> LadderPage:
    listed = ById[standing.LadderRow](call, caller, "ladder", lambda row: row.id)

    def read(tx: ledger.Tx) -> list[standing.LadderRow]:
        return standing.list_ladders(tx, book_id, owner, before=listed.start, limit=listed.limit)

    data, more, cursor = listed.page(await call.work(read), lambda row: _ladder(row, merchant))
    return LadderPage(data=data, has_more=more, next_cursor=cursor)


# -- by hand


async def post_tier(call: Call[TierByHandIn]) -> Outcome:
    command = _by_hand(call, call.merchant.id, call.id("member"))
    return await call.post("tier_by_hand", command, _put)


async def post_network_tier(call: Call[TierByHandIn]) -> Outcome:
    book, member = await member_in_path(call)
    return await call.post("tier_by_hand", _by_hand(call, None, member), _put, book_id=book.id)


def _by_hand(call: Call[TierByHandIn], merchant: UUID | None, member: UUID) -> standing.PutByHand:
    body = call.body
    return standing.PutByHand(merchant, member, body.tier, body.reason, amounts.time(body.ends_at, "/ends_at"))


def _put(done: standing.ByHandDone) -> TierByHandOut:
    return TierByHandOut(
        record=ids.show("record", done.record_id),
        member=ids.show("member", done.act.member_id),
        tier=done.act.tier,
        ends_at=done.act.ends_at,
        at=done.act.at,
    )


# -- how members stand


async def get_standing(call: Call[None]) -> StandingsOut:
    """On the shop's own ladder, with how far it is to the next tier, and on the network's."""
    caller, member = call.merchant, call.id("member")
    await call.take(call.server.limits[caller.book.mode].lookup, caller.actor)

    def read(tx: ledger.Tx) -> list[standing.StandingTold]:
        book = ledger.read_book(tx, caller.book.id)
        found = people.find(tx, book, id=member)
        if found is None or found.state == "left":
            raise problems.not_found("member")
        owners = [caller.id, book.public_id]
        return standing.standings_of(tx, book, member, owners, progress_on=[caller.id])

    return StandingsOut(data=[_told(told) for told in await call.work(read)])


async def get_network_standing(call: Call[None]) -> StandingsOut:
    facts, member = await member_in_path(call)
    return StandingsOut(data=[_told(told) for told in await call.work(_all_of, facts.id, member)])


async def get_own_standing(call: Call[None]) -> StandingsOut:
    caller = call.member
    return StandingsOut(data=[_told(told) for told in await call.work(_all_of, caller.book.id, caller.id)])


async def own_tiers(call: Call[None]) -> list[TierStandingOut]:
    """The tiers that a member holds, the network's first; with no word of how far it is, which takes longer to find."""
    caller = call.member
    found = await call.work(lambda tx: _all_of(tx, caller.book.id, caller.id, with_progress=False))
    return [_told(told) for told in found if told.told.tier is not None]


def _all_of(tx: ledger.Tx, book_id: int, member: UUID, with_progress: bool = True) -> list[standing.StandingTold]:
    """Every ladder on which a member stands, with how far it is."""
    book = ledger.read_book(tx, book_id)
    found = people.find(tx, book, id=member)
    if found is None or found.state == "left":
        raise problems.not_found("member")
    return standing.standings_of(tx, book, member, with_progress=with_progress)


async def events(call: Call[Any], of: Iterable[UUID | None]) -> dict[UUID | None, StandingEvent]:
    """What is told of ladders on which something changed, by merchant; None is the network's own."""
    wanted = set(of)
    if not wanted:
        return {}
    told = await call.work(_all_of, call.member.book.id, call.member.id)
    return {
        each.owner_id: StandingEvent(kind="tier_changed", **msgspec.structs.asdict(_told(each)))
        for each in told
        if each.owner_id in wanted
    }


def _told(found: standing.StandingTold) -> TierStandingOut:
    tier = found.ladder.tier(found.told.tier)
    far = found.progress
    lower = None if far is None else found.ladder.tier(far.then)
    return TierStandingOut(
        merchant=names.shown("merchant", found.owner_id),
        merchant_name=found.owner_name,
        ladder=ids.show("ladder", found.ladder_id),
        tier=None
        if tier is None
        else msgspec.convert(
            {
                "id": tier.id,
                "name": tier.name,
                "benefits": [{"name": each.name, "text": each.text} for each in tier.benefits],
            },
            TierOut,
        ),
        since=found.told.since,
        by=cast(Any, found.told.by),
        progress=None if far is None else _progress(found.ladder, far),
        ends_at=None if far is None else far.ends_at,
        then=None if far is None else far.then,
        then_name=None if lower is None else msgspec.convert(lower.name, Words),
    )


def _progress(ladder: standing.Ladder, far: standing.Progress) -> ProgressOut:
    following = ladder.tier(far.next_tier)
    spend, visits, points = far.measures
    return ProgressOut(
        from_day=far.period.start,
        to_day=far.period.end,
        spend=spend,
        visits=visits,
        points_earned=points,
        next=None
        if following is None
        else NextTierOut(
            tier=following.id,
            name=msgspec.convert(following.name, Words),
            all=far.every,
            measures=[
                MeasureOut(
                    measure=cast(Any, each.measure.replace("_minor", "")),
                    at_least=each.at_least,
                    value=each.value,
                    missing=each.missing,
                )
                for each in far.missing
            ],
        ),
    )
