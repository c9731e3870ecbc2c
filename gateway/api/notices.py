"""What a member is told besides their balance: what is about to expire, what a shop asked, tiers, entitlements, brakes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

import msgspec

import ledger
from gateway import problems, store
from gateway.api import names
from gateway.api.shapes import NoticeOut, NoticePage, PageIn, Words
from gateway.calls import Call
from gateway.pages import page
from ledger import ids
from merchants import people, standing

#: Records of a member that tell them something they did not do themselves.
KINDS: Final = (
    "expiry_notice",
    *("approval_asked", "approval_withdrawn", "approval_lapsed"),
    *("tier_changed", "entitlement_granted", "entitlement_grant_ended"),
    *("gift_received", "repayment", "redemption_refund", "expiry"),
    *("member_frozen", "member_unfrozen"),
)


async def list_notices(call: Call[None]) -> NoticePage:
    """The newest first."""
    asked: PageIn = call.query
    caller, cursors = call.member, call.server.cursors
    of = f"notices {caller.actor}"
    before = cursors.read(of, asked.cursor, (int, int))

    def read(tx: ledger.Tx) -> NoticePage:
        book = ledger.read_book(tx, caller.book.id)
        member = people.find(tx, book, id=caller.id)
        if member is None or member.state == "left":
            raise problems.not_found("member")
        place = (before[0], before[1]) if before else None
        rows = store.own_records(tx, book.id, caller.id, KINDS, place, asked.limit + 1)
        shops = call.server.networks.of(tx, book).merchants
        tiers = _tiers(tx, book.id, rows)
        data, more, cursor = page(
            rows,
            asked.limit,
            lambda row: cursors.made(of, (row.batch_id, row.n)),
            lambda row: _told(row, {id: shop.name for id, shop in shops.items()}, tiers),
        )
        return NoticePage(data=data, has_more=more, next_cursor=cursor)

    return await call.work(read)


def _tiers(tx: ledger.Tx, book_id: int, rows: Sequence[store.OwnRecord]) -> Mapping[UUID, standing.Ladder]:
    """The ladders that the rows speak of, by their ids."""
    if not any(row.kind == "tier_changed" for row in rows):
        return {}
    return {version.id: version.ladder for owner in standing.versions(tx, book_id).values() for version in owner}


def _told(row: store.OwnRecord, shops: Mapping[UUID, str], ladders: Mapping[UUID, standing.Ladder]) -> NoticeOut:
    facts = row.payload
    now, before = (_tier(ladders, facts, name) for name in ("tier", "before"))
    return NoticeOut(
        record=ids.show("record", row.id),
        kind=cast(Any, row.kind),
        at=row.at,
        merchant=names.shown("merchant", row.merchant_id),
        merchant_name=None if row.merchant_id is None else shops.get(row.merchant_id),
        points=facts.get("points"),
        until=_until(row),
        days=facts.get("days"),
        tier=now,
        tier_before=before,
    )


def _until(row: store.OwnRecord) -> datetime | None:
    """When what the notice speaks of is over: the first points go, the shop's request lapses, the grant ends."""
    facts = row.payload
    if row.kind == "expiry_notice":
        return datetime.fromisoformat(min(part["expires_at"] for part in facts["expiring"]))
    found = facts.get("deadline") or facts.get("ends_at")
    return None if found is None else datetime.fromisoformat(found)


def _tier(ladders: Mapping[UUID, standing.Ladder], facts: Mapping[str, Any], name: str) -> Words | None:
    if name not in facts or facts[name] is None or "ladder" not in facts:
        return None
    ladder = ladders.get(store.uuid(facts["ladder"]))
    tier = None if ladder is None else ladder.tier(facts[name])
    return None if tier is None else msgspec.convert(tier.name, Words)
