"""The SQL of what offers give: those that run, how members stand to them, what they gave."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import ledger
from merchants.offers import giving, store
from merchants.offers.giving import Count, Given, Pair, Running, Use

_RUNNING: Final = (
    "select id, name, merchant_id, funder_id, giving, variants, begins_at, ends_at from merchants.offer"
    " where book_id = %s and state = 'launched' and giving is not null"
)


def _running(row: tuple[Any, ...]) -> Running:
    id, name, merchant_id, funder_id, kept, variants, begins_at, ends_at = row
    made = {v.name: v for v in map(store.variant_read, variants)}
    return Running(id, name, merchant_id, funder_id, giving.read(kept), made, begins_at, ends_at)


def running(tx: ledger.Tx, book_id: int) -> dict[UUID, tuple[Running, ...]]:
    """Offers that give, by merchant, from their launch to their end, in the order they were drafted."""
    found: dict[UUID, tuple[Running, ...]] = {}
    for offer in map(_running, tx.execute(_RUNNING + " order by id", [book_id])):
        found[offer.merchant_id] = (*found.get(offer.merchant_id, ()), offer)
    return found


def running_at(tx: ledger.Tx, book_id: int, merchant_id: UUID) -> tuple[Running, ...]:
    """Those of one merchant."""
    return tuple(map(_running, tx.execute(_RUNNING + " and merchant_id = %s order by id", [book_id, merchant_id])))


def own(
    tx: ledger.Tx, book: ledger.Book, member_id: UUID, *, after: UUID | None, limit: int
) -> list[tuple[Running, Use]]:
    """A page of the offers that give a member something now, in the order they were drafted: none that hold the member out.
    A variant's own deadline may be over all the same."""
    rows = tx.execute(
        "select o.id, o.name, o.merchant_id, o.funder_id, o.giving, o.variants, o.begins_at, o.ends_at, m.arm,"
        " u.activated_at, coalesce(u.times, 0), coalesce(u.points, 0)"
        " from merchants.offer_member m join merchants.offer o on o.id = m.offer_id"
        " left join merchants.offer_use u on u.offer_id = m.offer_id and u.member_id = m.member_id"
        " where m.member_id = %s and m.arm <> 'holdout' and o.book_id = %s and o.state = 'launched'"
        " and o.giving is not null and o.begins_at <= %s and (o.ends_at is null or o.ends_at > %s)"
        " and (%s::uuid is null or o.id > %s) order by o.id limit %s",
        [member_id, book.id, book.now, book.now, after, after, limit],
    )
    return [(_running(tuple(row)), Use(arm, at, Count(times, points))) for *row, arm, at, times, points in rows]


class RunningCache(ledger.SettingsCache[Mapping[UUID, tuple[Running, ...]]]):
    """The offers of a book that give, by merchant."""

    def __init__(self) -> None:
        super().__init__(running)


def uses(tx: ledger.Tx, pairs: Collection[Pair]) -> dict[Pair, Use]:
    """How members stand to offers, those in the audience only. To be asked behind the lock of their wallets."""
    asked = sorted(pairs)
    rows = tx.execute(
        "select m.offer_id, m.member_id, m.arm, u.activated_at, coalesce(u.times, 0), coalesce(u.points, 0)"
        " from unnest(%s::uuid[], %s::uuid[]) as asked(offer_id, member_id)"
        " join merchants.offer_member m on m.offer_id = asked.offer_id and m.member_id = asked.member_id"
        " left join merchants.offer_use u on u.offer_id = m.offer_id and u.member_id = m.member_id",
        [ledger.array(offer for offer, _ in asked), ledger.array(member for _, member in asked)],
    )
    return {(offer, member): Use(arm, at, Count(times, points)) for offer, member, arm, at, times, points in rows}


def given(tx: ledger.Tx, offer_ids: Collection[UUID], today: date) -> dict[UUID, Given]:
    """What offers gave. To be decided on behind the lock of their budgets."""
    found = {id: Given() for id in offer_ids}
    for id, times, points, ever_times, ever_points in tx.execute(
        "select offer_id, coalesce(sum(times) filter (where day = %s), 0)::bigint,"
        " coalesce(sum(points) filter (where day = %s), 0)::bigint, sum(times)::bigint, sum(points)::bigint"
        " from merchants.offer_day where offer_id = any(%s::uuid[]) group by 1",
        [today, today, ledger.array(sorted(offer_ids))],
    ):
        found[id] = Given(Count(times, points), Count(ever_times, ever_points))
    return found


def put_uses(tx: ledger.Tx, book_id: int, changed: Sequence[tuple[Pair, Use]]) -> None:
    """Write how members stand to offers now; their wallets are locked."""
    if not changed:
        return
    rows = sorted(changed, key=lambda each: each[0])
    tx.execute(
        "insert into merchants.offer_use (book_id, offer_id, member_id, activated_at, times, points)"
        " select %s, * from unnest(%s::uuid[], %s::uuid[], %s::timestamptz[], %s::bigint[], %s::bigint[])"
        " on conflict (offer_id, member_id) do update"
        " set activated_at = excluded.activated_at, times = excluded.times, points = excluded.points",
        [
            book_id,
            ledger.array(pair[0] for pair, _ in rows),
            ledger.array(pair[1] for pair, _ in rows),
            [use.activated_at for _, use in rows],
            ledger.array(use.had.times for _, use in rows),
            ledger.array(use.had.points for _, use in rows),
        ],
    )


def add_given(tx: ledger.Tx, book_id: int, today: date, gave: Mapping[UUID, Count]) -> None:
    """Count what a batch gave to the day; the offers' budgets are locked."""
    if not gave:
        return
    rows = sorted(gave.items())
    tx.execute(
        "insert into merchants.offer_day as d (book_id, day, offer_id, times, points)"
        " select %s, %s, * from unnest(%s::uuid[], %s::bigint[], %s::bigint[])"
        " on conflict (offer_id, day) do update"
        " set times = d.times + excluded.times, points = d.points + excluded.points",
        [
            book_id,
            today,
            ledger.array(id for id, _ in rows),
            ledger.array(count.times for _, count in rows),
            ledger.array(count.points for _, count in rows),
        ],
    )
