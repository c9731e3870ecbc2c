"""Entitlements: opened, granted, checked, used and voided by shops; listed for members."""

from typing import Any, cast

import msgspec

import ledger
from gateway import problems
from gateway.api import amounts, names
from gateway.api.lists import ById
from gateway.api.shapes import (
    CheckIn,
    CheckOut,
    EntitlementCapacity,
    EntitlementIn,
    EntitlementOut,
    EntitlementPage,
    GrantIn,
    GrantOut,
    NothingIn,
    OwnEntitlementOut,
    OwnEntitlementPage,
    UseIn,
    UseOut,
    Words,
)
from gateway.calls import Call
from ledger import Outcome, ids
from merchants import benefits, people

# -- what there is


async def post_entitlement(call: Call[EntitlementIn]) -> Outcome:
    body = call.body
    period = body.capacity.per_period
    command = benefits.NewEntitlement(
        merchant_id=call.merchant.id,
        kind=body.kind,
        name=msgspec.to_builtins(body.name),
        who=body.who,
        tiers=tuple(body.tiers),
        capacity=benefits.Capacity(
            body.capacity.total,
            body.capacity.per_day,
            body.capacity.per_member,
            None if period is None else benefits.PerPeriod(period.uses, period.length, period.calendar),
        ),
        begins_at=amounts.time(body.begins_at, "/begins_at"),
        ends_at=amounts.time(body.ends_at, "/ends_at"),
    )
    return await call.post("entitlement", command, lambda done: _told(done.entitlement))


async def post_entitlement_end(call: Call[NothingIn]) -> Outcome:
    command = benefits.EndEntitlement(call.merchant.id, call.id("entitlement"))
    return await call.post("entitlement_end", command, lambda done: _told(done.entitlement))


async def list_entitlements(call: Call[None]) -> EntitlementPage:
    caller = call.merchant
    listed = ById[benefits.Entitlement](call, str(caller.id), "entitlement", lambda row: row.id)

    def read(tx: ledger.Tx) -> list[benefits.Entitlement]:
        return benefits.list_entitlements(tx, caller.book.id, caller.id, before=listed.start, limit=listed.limit)

    data, more, cursor = listed.page(await call.work(read), _told)
    return EntitlementPage(data=data, has_more=more, next_cursor=cursor)


async def get_entitlement(call: Call[None]) -> EntitlementOut:
    return _told(await call.work(_own, call))


def _own(tx: ledger.Tx, call: Call[Any]) -> benefits.Entitlement:
    caller = call.merchant
    found = benefits.entitlement(tx, caller.book.id, caller.id, call.id("entitlement"))
    if found is None:
        raise problems.not_found("entitlement")
    return found


def _told(found: benefits.Entitlement) -> EntitlementOut:
    return EntitlementOut(
        id=ids.show("entitlement", found.id),
        merchant=ids.show("merchant", found.merchant_id),
        kind=cast(Any, found.kind),
        name=msgspec.convert(found.name, Words),
        who=cast(Any, found.who),
        tiers=list(found.tiers),
        capacity=msgspec.convert(found.capacity.told, EntitlementCapacity),
        used=found.used,
        state=cast(Any, found.state),
        begins_at=found.begins_at,
        ends_at=found.ends_at,
        ended_at=found.ended_at,
    )


# -- to whom


async def post_entitlement_grant(call: Call[GrantIn]) -> Outcome:
    body = call.body
    command = benefits.GrantEntitlement(
        merchant_id=call.merchant.id,
        entitlement_id=call.id("entitlement"),
        member_id=names.read("member", body.member, "/member"),
        uses=body.uses,
        ends_at=amounts.time(body.ends_at, "/ends_at"),
    )
    return await call.post("entitlement_grant", command, _granted)


async def post_entitlement_grant_end(call: Call[NothingIn]) -> Outcome:
    command = benefits.EndGrant(call.merchant.id, call.id("entitlement_grant"))
    return await call.post("entitlement_grant_end", command, _granted)


def _granted(done: benefits.GrantDone) -> GrantOut:
    grant = done.grant
    return GrantOut(
        id=ids.show("entitlement_grant", grant.id),
        record=ids.show("record", done.record_id),
        entitlement=ids.show("entitlement", grant.entitlement_id),
        member=ids.show("member", grant.member_id),
        uses=grant.uses,
        left=grant.left,
        ends_at=grant.ends_at,
        ended_at=grant.ended_at,
    )


# -- at the counter


async def post_entitlement_use(call: Call[UseIn]) -> Outcome:
    body, named = call.body, names.member(call.body.member, "/member")
    command = benefits.UseEntitlement(
        merchant_id=call.merchant.id,
        entitlement_id=call.id("entitlement"),
        branch_id=names.read("branch", body.branch, "/branch"),
        external_reference=body.external_reference,
        member_id=named.id,
        member_number=named.number,
    )
    return await call.post("entitlement_use", command, _used)


async def post_entitlement_use_void(call: Call[NothingIn]) -> Outcome:
    command = benefits.VoidUse(call.merchant.id, call.id("entitlement_use"))
    return await call.post("entitlement_use_void", command, _used)


def _used(done: benefits.UseDone) -> UseOut:
    use = done.use
    return UseOut(
        id=ids.show("entitlement_use", use.id),
        record=ids.show("record", done.record_id),
        entitlement=ids.show("entitlement", use.entitlement_id),
        member=ids.show("member", use.member_id),
        grant=names.shown("entitlement_grant", use.grant_id),
        external_reference=use.external_reference,
        state="used" if use.voided_at is None else "voided",
        at=use.at,
        voided_at=use.voided_at,
        left=done.left,
    )


async def post_entitlement_check(call: Call[CheckIn]) -> CheckOut:
    caller, named = call.merchant, names.member(call.body.member, "/member")
    await call.take(call.server.limits[caller.book.mode].lookup, caller.actor)

    def check(tx: ledger.Tx) -> tuple[people.Member, benefits.Checked]:
        book, entitlement = ledger.read_book(tx, caller.book.id), _own(tx, call)
        member = people.find(tx, book, id=named.id) if named.id else people.find(tx, book, number=named.number)
        if member is None or member.state == "left":
            raise problems.not_found("member", "/member")
        (checked,) = benefits.checked(tx, book, [entitlement], member.id)
        return member, checked

    member, (entitlement, refused, left) = await call.work(check)
    return CheckOut(
        entitlement=ids.show("entitlement", entitlement.id),
        member=ids.show("member", member.id),
        allowed=refused is None,
        refused=None if refused is None else refused.code,
        detail=None if refused is None else refused.detail,
        left=left,
    )


# -- the member's own


async def list_own_entitlements(call: Call[None]) -> OwnEntitlementPage:
    """What one may use now, wherever it is; a page may show fewer than it asks for, since not all that is open is one's own."""
    caller = call.member
    listed = ById[tuple[benefits.Checked, str]](call, caller.actor, "entitlement", lambda row: row[0].entitlement.id)

    def read(tx: ledger.Tx) -> list[tuple[benefits.Checked, str]]:
        book = ledger.read_book(tx, caller.book.id)
        member = people.find(tx, book, id=caller.id)
        if member is None or member.state == "left":
            raise problems.not_found("member")
        found = benefits.open_entitlements(tx, book, before=listed.start, limit=listed.limit)
        checked = benefits.checked(tx, book, [entitlement for entitlement, _ in found], caller.id)
        return [(each, shop) for each, (_, shop) in zip(checked, found, strict=True)]

    data, more, cursor = listed.page(await call.work(read), lambda row: _own_told(*row))
    return OwnEntitlementPage(data=[each for each in data if each is not None], has_more=more, next_cursor=cursor)


def _own_told(checked: benefits.Checked, shop: str) -> OwnEntitlementOut | None:
    entitlement = checked.entitlement
    if checked.refused is not None:
        return None
    return OwnEntitlementOut(
        id=ids.show("entitlement", entitlement.id),
        merchant=ids.show("merchant", entitlement.merchant_id),
        merchant_name=shop,
        kind=cast(Any, entitlement.kind),
        name=msgspec.convert(entitlement.name, Words),
        ends_at=entitlement.ends_at,
        left=checked.left,
    )
