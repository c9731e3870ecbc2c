"""SQL of gifts: what a network allows, what its members gave and were given today, and the gifts themselves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import ledger
from ledger import Book, Tx
from merchants.sales import schema, store


@dataclass(frozen=True, slots=True)
class GiftRules:
    """What a member may give and be given on one day of the network's calendar. These are the defaults."""

    points_a_day: int = 10_000
    gifts_a_day: int = 10
    received_a_day: int = 20_000


@dataclass(slots=True)
class GiftDay:
    """A member's gifts of today, locked. What is given is added up here while a batch is decided."""

    given_points: int
    gifts: int
    received_points: int
    missed: int


@dataclass(frozen=True, slots=True)
class GiftRow:
    id: UUID
    giver_id: UUID
    receiver_id: UUID
    points: int
    value_minor: int
    at: datetime
    n: int


class GiftTold(NamedTuple):
    """A gift as one of its two members reads it."""

    id: UUID
    given: bool
    # the other's member number; None once that member is erased
    number: str | None
    points: int
    value_minor: int
    at: datetime


_GIFT: Final = store.rows(schema.gift, GiftRow, "book_id", "batch_id")


def gift_rules(tx: Tx, book_id: int) -> GiftRules:
    row = tx.execute(
        "select points_a_day, gifts_a_day, received_a_day from merchants.gift_rule where book_id = %s", [book_id]
    ).fetchone()
    return GiftRules() if row is None else GiftRules(*row)


def put_gift_rules(tx: Tx, book_id: int, rules: GiftRules) -> None:
    """Write what a network allows; the book's lock is held exclusively."""
    tx.execute(
        "insert into merchants.gift_rule (book_id, points_a_day, gifts_a_day, received_a_day) values (%s, %s, %s, %s)"
        " on conflict (book_id) do update set points_a_day = excluded.points_a_day,"
        " gifts_a_day = excluded.gifts_a_day, received_a_day = excluded.received_a_day",
        [book_id, rules.points_a_day, rules.gifts_a_day, rules.received_a_day],
    )


def gift_days(tx: Tx, book: Book, members: Iterable[UUID]) -> dict[UUID, GiftDay]:
    """What `members` gave and were given today, locked in the order of their ids: the counts below are exact.

    To be asked after devices and before anything that is refunded.
    """
    wanted = sorted(set(members))
    if not wanted:
        return {}
    asked = [ledger.array(wanted), book.now, book.time_zone]
    tx.execute(
        "insert into merchants.gift_day (book_id, member_id, day)"
        " select %s, member_id, (%s::timestamptz at time zone %s)::date from unnest(%s::uuid[]) as member_id"
        " order by member_id on conflict do nothing",
        [book.id, book.now, book.time_zone, ledger.array(wanted)],
    )
    rows = tx.execute(
        "select member_id, given_points, gifts, received_points, missed from merchants.gift_day"
        " where member_id = any(%s::uuid[]) and day = (%s::timestamptz at time zone %s)::date"
        " order by member_id for no key update",
        asked,
    )
    return {row[0]: GiftDay(*row[1:]) for row in rows}


def put_gift_days(tx: Tx, book: Book, days: dict[UUID, GiftDay]) -> None:
    if days:
        tx.execute(
            "update merchants.gift_day d set given_points = new.given_points, gifts = new.gifts,"
            " received_points = new.received_points, missed = new.missed"
            " from unnest(%s::uuid[], %s::bigint[], %s::int[], %s::bigint[], %s::int[])"
            " as new(member_id, given_points, gifts, received_points, missed)"
            " where d.member_id = new.member_id and d.day = (%s::timestamptz at time zone %s)::date",
            [
                ledger.array(days),
                ledger.array(day.given_points for day in days.values()),
                ledger.array(day.gifts for day in days.values()),
                ledger.array(day.received_points for day in days.values()),
                ledger.array(day.missed for day in days.values()),
                book.now,
                book.time_zone,
            ],
        )


def add_gifts(tx: Tx, book_id: int, batch_id: int, rows: Sequence[GiftRow]) -> None:
    _GIFT(tx, rows, book_id, batch_id)


def gifts_of(tx: Tx, book_id: int, member_id: UUID, *, before: UUID | None, limit: int) -> list[GiftTold]:
    """A page of what a member gave and was given, the newest first, those before the gift `before`."""
    rows = tx.execute(
        "select g.id, g.giver_id = %(member)s, m.number, g.points, g.value_minor, g.at from ("
        "(select * from merchants.gift where giver_id = %(member)s and (%(before)s::uuid is null or id < %(before)s)"
        " order by id desc limit %(limit)s)"
        " union all"
        " (select * from merchants.gift where receiver_id = %(member)s and (%(before)s::uuid is null or id < %(before)s)"
        " order by id desc limit %(limit)s)) as g"
        " left join merchants.member m on m.id = case when g.giver_id = %(member)s then g.receiver_id else g.giver_id end"
        " where g.book_id = %(book)s order by g.id desc limit %(limit)s",
        {"book": book_id, "member": member_id, "before": before, "limit": limit},
    )
    return [GiftTold(*row) for row in rows]
