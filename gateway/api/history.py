"""A member's own records as the member reads them: the newest first, each with what it was made of."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

import ledger
from gateway import problems, store
from gateway.calls import Call
from gateway.pages import page
from ledger import ids
from merchants import contracts


class Part(Struct, frozen=True):
    """Points of one lot in a record, and where they came from. `given`: a sponsor's, a gift's; else a shop's own rule."""

    points: int
    issuer: str
    value_minor: int
    earned_at: datetime | None
    available_at: datetime | None
    expires_at: datetime | None
    sponsored: bool
    was_gift: bool
    sale: str | None


class Entry(Struct, frozen=True):
    """One record: what happened, where, how many points. `points` are never below zero: the kind says which way."""

    id: str
    kind: str
    at: datetime
    points: int
    shop: str | None
    branch: str | None
    facts: Mapping[str, Any]


class Receipt(Struct, frozen=True):
    entry: Entry
    parts: Sequence[Part]
    #: sponsors that gave nothing, and why
    refused_bonuses: Sequence[tuple[str, str]]


class Entries(Struct, frozen=True):
    data: Sequence[Entry]
    has_more: bool
    next_cursor: str | None


#: What a member is shown; other records of theirs are the house's own.
KINDS: Final = (
    *("sale", "refund", "hold", "capture", "void", "lapse", "redemption_refund", "repayment"),
    *("expiry", "maturity", "gift", "gift_received"),
    *("member_frozen", "member_unfrozen"),
)


async def own_history(call: Call[None], kinds: Sequence[str], cursor: str | None, limit: int) -> Entries:
    """A page of the caller's records of these kinds, the newest first."""
    assert set(kinds) <= set(KINDS), kinds
    caller, cursors = call.member, call.server.cursors
    of = f"history {caller.actor} {' '.join(kinds)}"
    before = cursors.read(of, cursor, (int, int))

    def read(tx: ledger.Tx) -> Entries:
        place = (before[0], before[1]) if before else None
        rows = store.own_records(tx, caller.book.id, caller.id, kinds, place, limit + 1)
        network = _network(call, tx)
        data, more, following = page(
            rows, limit, lambda row: cursors.made(of, (row.batch_id, row.n)), partial(_entry, network)
        )
        return Entries(data=data, has_more=more, next_cursor=following)

    return await call.work(read)


async def own_receipt(call: Call[None], record: UUID) -> Receipt:
    """One record of the caller's, lot by lot. A Problem when it is no such."""
    caller = call.member

    def read(tx: ledger.Tx) -> Receipt:
        row = store.own_record(tx, caller.book.id, caller.id, record)
        if row is None or row.kind not in KINDS:
            raise problems.not_found("record")
        network = _network(call, tx)
        payload = row.payload
        bonuses = payload.get("bonuses", ())
        return Receipt(
            entry=_entry(network, row),
            parts=_parts(tx, caller.book.id, network, payload),
            refused_bonuses=[
                (_name(network, store.uuid(bonus["issuer"])) or "", bonus["refused"])
                for bonus in bonuses
                if bonus["refused"] is not None
            ],
        )

    return await call.work(read)


def _network(call: Call[None], tx: ledger.Tx) -> contracts.Network:
    return call.server.networks.of(tx, ledger.read_book(tx, call.member.book.id))


def _name(network: contracts.Network, id: UUID | None) -> str | None:
    merchant = None if id is None else network.merchant(id)
    return None if merchant is None else merchant.name


def _entry(network: contracts.Network, row: store.OwnRecord) -> Entry:
    payload = row.payload
    branch = network.branch(store.uuid(payload["branch"])) if "branch" in payload else None
    if branch is None and row.branch_id is not None:
        branch = network.branch(row.branch_id)
    told = ("total_minor", "money_minor", "amount_minor", "value_minor", "refused", "returned", "expired", "owed")
    return Entry(
        id=ids.show("record", row.id),
        kind=row.kind,
        at=row.at,
        points=payload.get("points", 0),
        shop=_name(network, row.merchant_id),
        branch=None if branch is None else branch.name,
        facts={name: payload[name] for name in told if payload.get(name) is not None},
    )


def _parts(tx: ledger.Tx, book_id: int, network: contracts.Network, payload: Mapping[str, Any]) -> list[Part]:
    """Each lot that a record made, took or gave back, in the record's own order."""
    points: dict[UUID, int] = {}
    for part in (*payload.get("lots", ()), *payload.get("slices", ()), *payload.get("parts", ())):
        id = store.uuid(part["lot"])
        points[id] = points.get(id, 0) + part.get("points", 0)
    given = {store.giver(bonus) for bonus in payload.get("bonuses", ())}
    lots = store.lots_named(tx, book_id, list(points))
    return [
        Part(
            points=taken,
            issuer=_name(network, lot.issuer_id) or "",
            value_minor=taken * lot.unit_value_minor,
            earned_at=lot.earned_at,
            available_at=lot.available_at,
            expires_at=lot.expires_at,
            sponsored=str(lot.rule_id) in given or lot.sponsored,
            was_gift=lot.parent_id is not None,
            sale=None if lot.sale_record is None else ids.show("record", lot.sale_record),
        )
        for id, taken in points.items()
        if (lot := lots.get(id)) is not None
    ]
