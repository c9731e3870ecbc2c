"""The SQL of offers and of who is in them. One book's rows are never found through another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

import ledger
from merchants.offers import giving
from merchants.offers.assigning import Arm
from merchants.offers.design import Chosen, Design, Margin, Variant, agreed

_encode: Final = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Offer:
    """`begins_at` of the design is set from the launch on. `state`: draft, launched, ended."""

    id: UUID
    merchant_id: UUID
    design: Design
    salt: bytes
    state: str
    drafted_at: datetime
    launched_at: datetime | None = None
    audience_size: int | None = None
    ended_at: datetime | None = None
    count_at: datetime | None = None
    # whose points it gives, None: it gives none; and the draft that they agreed to, where they are not the shop's own
    funder_id: UUID | None = None
    agreed: bytes | None = None

    @property
    def agreed_to(self) -> bool:
        """Whether whoever is to pay for it agreed to it as it stands; a shop, by making it. What is launched was."""
        giving = self.design.giving
        return giving is None or giving.by == "merchant" or self.state != "draft" or self.agreed == agreed(self.design)

    @property
    def arms(self) -> tuple[Arm, ...]:
        return self.design.arms


_DESIGN: Final = (
    "name, audience, members, chosen, holdout_ppm, variants, begins_at, ends_at, windows_days, pre_days, margin, giving"
)
_OFFER: Final = (
    "id, merchant_id, salt, state, drafted_at, launched_at, audience_size, ended_at, count_at, funder_id, agreed,"
    f" {_DESIGN}"
)


def _offer(row: tuple[Any, ...]) -> Offer:
    id, merchant_id, salt, *life = row[:11]
    name, audience, members, chosen, holdout_ppm, variants, begins_at, ends_at, windows_days, pre_days, *rest = row[11:]
    margin, given = rest
    design = Design(
        name=name,
        audience=audience,
        members=tuple(members),
        chosen=None if chosen is None else chosen_read(chosen),
        holdout_ppm=holdout_ppm,
        variants=tuple(variant_read(v) for v in variants),
        begins_at=begins_at,
        ends_at=ends_at,
        windows_days=tuple(windows_days),
        pre_days=pre_days,
        margin=None if margin is None else Margin(margin["ppm"], margin["by_category"]),
        giving=None if given is None else giving.read(given),
    )
    return Offer(id, merchant_id, design, bytes(salt), *life)


def variant_read(told: Mapping[str, Any]) -> Variant:
    ends_at = told["ends_at"]
    return Variant(
        told["name"], told["ppm"], told["rules"], None if ends_at is None else datetime.fromisoformat(ends_at)
    )


def chosen_read(kept: Mapping[str, Any]) -> Chosen:
    if "segment" in kept:
        return Chosen(UUID(kept["segment"]), kept["version"])
    return Chosen(tiers=tuple(kept["tiers"]))


def _json(value: Any) -> Jsonb:
    return Jsonb(value, dumps=lambda each: _encode(each).decode())


def _variants(design: Design) -> Jsonb:
    return _json(
        [{"name": v.name, "ppm": v.ppm, "rules": dict(v.rules), "ends_at": v.ends_at} for v in design.variants]
    )


def _values(design: Design) -> list[Any]:
    margin = design.margin
    return [
        design.name,
        design.audience,
        list(design.members),
        None if design.chosen is None else _json(design.chosen.told),
        design.holdout_ppm,
        _variants(design),
        design.begins_at,
        design.ends_at,
        list(design.windows_days),
        design.pre_days,
        None if margin is None else _json({"ppm": margin.ppm, "by_category": dict(margin.by_category)}),
        None if design.giving is None else _json(giving.told(design.giving)),
    ]


# -- reading


def offer(tx: ledger.Tx, book_id: int, merchant_id: UUID, id: UUID, *, lock: bool = False) -> Offer | None:
    """One offer of a merchant's; with `lock` nobody else changes it until the transaction ends."""
    row = tx.execute(
        f"select {_OFFER} from merchants.offer where book_id = %s and merchant_id = %s and id = %s"
        + (" for no key update" if lock else ""),
        [book_id, merchant_id, id],
    ).fetchone()
    return None if row is None else _offer(row)


def funded_by(tx: ledger.Tx, book_id: int, funder_id: UUID, id: UUID, *, lock: bool = False) -> Offer | None:
    """One offer, of whichever merchant, that gives the points of `funder_id`."""
    row = tx.execute(
        f"select {_OFFER} from merchants.offer where book_id = %s and funder_id = %s and id = %s"
        + (" for no key update" if lock else ""),
        [book_id, funder_id, id],
    ).fetchone()
    return None if row is None else _offer(row)


def network_issuer(tx: ledger.Tx, book_id: int) -> UUID | None:
    """Under whose contract the network itself issues, the first of them; None: it issues nothing."""
    row = tx.execute(
        "select id from merchants.merchant where book_id = %s and kind = 'network' order by id limit 1", [book_id]
    ).fetchone()
    return None if row is None else row[0]


def list_offers(
    tx: ledger.Tx, book_id: int, merchant_id: UUID, *, after: UUID | None = None, limit: int
) -> list[Offer]:
    """A page of a merchant's offers in the order they were drafted, those after the id `after`."""
    rows = tx.execute(
        f"select {_OFFER} from merchants.offer where book_id = %s and merchant_id = %s and (%s::uuid is null or id > %s)"
        " order by id limit %s",
        [book_id, merchant_id, after, after, limit],
    )
    return [_offer(row) for row in rows]


def counts(tx: ledger.Tx, book: ledger.Book, merchant_id: UUID) -> tuple[int, int, int]:
    """How many drafts a merchant keeps, how many offers of it run, and how many were launched in a day."""
    row = tx.execute(
        "select count(*) filter (where state = 'draft'), count(*) filter (where state = 'launched'),"
        " count(*) filter (where launched_at > %s)"
        " from merchants.offer where book_id = %s and merchant_id = %s",
        [book.now - timedelta(days=1), book.id, merchant_id],
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1]), int(row[2])


def arm_of(tx: ledger.Tx, offer_ids: Sequence[UUID], member_id: UUID) -> dict[UUID, str]:
    """By offer, the arm that a member is in; an offer whose audience the member is not in is not there."""
    return dict(
        tx.execute(
            "select offer_id, arm from merchants.offer_member where member_id = %s and offer_id = any(%s)",
            [member_id, list(offer_ids)],
        ).fetchall()
    )


def sponsor(tx: ledger.Tx, book_id: int, id: UUID | None) -> UUID | None:
    """A sponsor of the book's by its id, or None."""
    row = tx.execute(
        "select id from merchants.merchant where book_id = %s and id = %s and kind = 'sponsor'", [book_id, id]
    ).fetchone()
    return None if row is None else row[0]


# -- writing


def add(tx: ledger.Tx, book_id: int, offer: Offer) -> None:
    tx.execute(
        f"insert into merchants.offer (book_id, id, merchant_id, salt, state, drafted_at, funder_id, {_DESIGN})"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            book_id,
            offer.id,
            offer.merchant_id,
            offer.salt,
            offer.state,
            offer.drafted_at,
            offer.funder_id,
            *_values(offer.design),
        ],
    )


def change(tx: ledger.Tx, book_id: int, offer: Offer) -> None:
    """Write a draft's design anew. Its row is locked."""
    done = tx.execute(
        f"update merchants.offer set (funder_id, {_DESIGN}) = (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " where book_id = %s and id = %s and state = 'draft'",
        [offer.funder_id, *_values(offer.design), book_id, offer.id],
    )
    assert done.rowcount == 1, offer.id


def launch(tx: ledger.Tx, book_id: int, offer: Offer, members: Sequence[tuple[UUID, str]]) -> None:
    """A draft is out, with its audience and the rules of its variants as they are from then on. Its row is locked."""
    tx.execute(
        "update merchants.offer set state = 'launched', launched_at = %s, begins_at = %s, audience_size = %s,"
        " count_at = %s, variants = %s, chosen = %s where book_id = %s and id = %s and state = 'draft'",
        [
            offer.launched_at,
            offer.design.begins_at,
            offer.audience_size,
            offer.count_at,
            _variants(offer.design),
            None if offer.design.chosen is None else _json(offer.design.chosen.told),
            book_id,
            offer.id,
        ],
    )
    tx.execute(
        "insert into merchants.offer_member (offer_id, book_id, member_id, arm)"
        " select %s, %s, * from unnest(%s::uuid[], %s::text[])",
        [offer.id, book_id, ledger.array(id for id, _ in members), ledger.array(arm for _, arm in members)],
    )


def end(tx: ledger.Tx, book_id: int, id: UUID, now: datetime) -> None:
    tx.execute(
        "update merchants.offer set state = 'ended', ended_at = %s where book_id = %s and id = %s and state = 'launched'",
        [now, book_id, id],
    )


def agree(tx: ledger.Tx, book_id: int, id: UUID, draft: bytes) -> None:
    """Its funder agrees to a draft as it stands. Its row is locked."""
    tx.execute("update merchants.offer set agreed = %s where book_id = %s and id = %s", [draft, book_id, id])


# -- what falls due


def next_end(tx: ledger.Tx, book_id: int) -> datetime | None:
    row = tx.execute(
        "select min(ends_at) from merchants.offer where book_id = %s and state = 'launched'", [book_id]
    ).fetchone()
    return row[0] if row else None


def over(tx: ledger.Tx, book: ledger.Book, limit: int) -> list[tuple[UUID, UUID]]:
    """(merchant, offer) of running offers whose time is over."""
    return tx.execute(
        "select merchant_id, id from merchants.offer where book_id = %s and state = 'launched' and ends_at <= %s"
        " order by ends_at, id limit %s",
        [book.id, book.now, limit],
    ).fetchall()
