"""The SQL of audiences: whom a design names, and who is in it at the launch. One book's rows are never found through another."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final
from uuid import UUID

import ledger
from ledger import Book, Tx
from ledger.errors import NotFound
from merchants import insight, standing
from merchants.offers.design import LARGEST_AUDIENCE, Chosen, Design
from merchants.offers.store import Offer


def unknown(tx: Tx, book: Book, merchant_id: UUID, design: Design) -> NotFound | None:
    """The first thing that an audience names and nobody knows here."""
    chosen = design.chosen or Chosen()
    if chosen.segment is not None and _segment(tx, book, merchant_id, chosen.segment) is None:
        return NotFound("segment", "/audience/segment")
    if chosen.tiers:
        _, names = _ladder(tx, book, merchant_id)
        at = next((i for i, tier in enumerate(chosen.tiers) if tier not in names), None)
        return None if at is None else NotFound("tier", f"/audience/tiers/{at}")
    if not design.members:
        return None
    rows = tx.execute(
        "select id from merchants.member where book_id = %s and id = any(%s)", [book.id, list(design.members)]
    )
    known = {id for (id,) in rows}
    at = next((i for i, member in enumerate(design.members) if member not in known), None)
    return None if at is None else NotFound("member", f"/audience/members/{at}")


def settled(tx: Tx, book: Book, offer: Offer) -> Offer:
    """The offer with the version of its segment that is in force now."""
    chosen = offer.design.chosen
    if chosen is None or chosen.segment is None:
        return offer
    segment = _segment(tx, book, offer.merchant_id, chosen.segment)
    assert segment is not None, "segments are never taken away"
    return replace(offer, design=replace(offer.design, chosen=replace(chosen, version=segment.version)))


def audience(tx: Tx, book: Book, offer: Offer) -> list[UUID]:
    """Who is in an offer's audience now; one more than a launch takes when there are too many."""
    return _AUDIENCES[offer.design.audience](tx, book, offer)


def _everybody(tx: Tx, book: Book, _offer: Offer) -> list[UUID]:
    rows = tx.execute(
        "select id from merchants.member where book_id = %s and state = 'active' limit %s",
        [book.id, LARGEST_AUDIENCE + 1],
    )
    return [id for (id,) in rows]


def _customers(tx: Tx, book: Book, offer: Offer) -> list[UUID]:
    # a shop has fewer customers than the network has members
    rows = tx.execute(
        "select m.id from (select distinct member_id from merchants.sale where merchant_id = %s"
        " and member_id is not null) s join merchants.member m on m.id = s.member_id"
        " where m.book_id = %s and m.state = 'active' limit %s",
        [offer.merchant_id, book.id, LARGEST_AUDIENCE + 1],
    )
    return [id for (id,) in rows]


def _list(tx: Tx, book: Book, offer: Offer) -> list[UUID]:
    return _active(tx, book, list(offer.design.members))


def _in_segment(tx: Tx, book: Book, offer: Offer) -> list[UUID]:
    """Counted now, by the shop's own sales."""
    chosen = offer.design.chosen
    assert chosen is not None, offer.id
    assert chosen.segment is not None, offer.id
    segment = _segment(tx, book, offer.merchant_id, chosen.segment)
    assert segment is not None, offer.id
    scope = insight.Scope(book, offer.merchant_id)
    found = insight.members(tx, scope, insight.read(segment.definition), limit=LARGEST_AUDIENCE + 1, seconds=5)
    return found if len(found) > LARGEST_AUDIENCE else _active(tx, book, found)


def _on_tiers(tx: Tx, book: Book, offer: Offer) -> list[UUID]:
    """By the ladder that counts at the shop: its own if it has one, else the network's."""
    assert offer.design.chosen is not None, offer.id
    owner, _ = _ladder(tx, book, offer.merchant_id)
    rows = tx.execute(
        "select m.id from merchants.standing s join merchants.member m on m.id = s.member_id"
        " where s.owner_id = %s and s.book_id = %s and s.tier = any(%s) and m.state = 'active' limit %s",
        [owner, book.id, list(offer.design.chosen.tiers), LARGEST_AUDIENCE + 1],
    )
    return [id for (id,) in rows]


#: Who can be in an audience: members of the book that neither left nor are frozen.
_AUDIENCES: Final[dict[str, Callable[[Tx, Book, Offer], list[UUID]]]] = {
    "all": _everybody,
    "shop": _customers,
    "list": _list,
    "segment": _in_segment,
    "tier": _on_tiers,
}


def _active(tx: Tx, book: Book, members: list[UUID]) -> list[UUID]:
    rows = tx.execute(
        "select id from merchants.member where book_id = %s and state = 'active' and id = any(%s::uuid[])",
        [book.id, ledger.array(members)],
    )
    return [id for (id,) in rows]


def _segment(tx: Tx, book: Book, merchant_id: UUID, id: UUID) -> insight.Saved | None:
    return insight.find_segment(tx, insight.Scope(book, merchant_id), id)


def _ladder(tx: Tx, book: Book, merchant_id: UUID) -> tuple[UUID, set[str]]:
    """Whose ladder counts at a shop, and its tiers; without any, the network's, and none."""
    for owner in (merchant_id, book.public_id):
        if (row := standing.ladder_in_force(tx, book.id, owner)) is not None:
            return owner, {tier.id for tier in standing.ladder(row.spec).tiers}
    return book.public_id, set()
