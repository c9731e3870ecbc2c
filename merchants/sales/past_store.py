"""SQL of what members bought before: counted by day at one merchant, for the rules that ask."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import ledger
from ledger import Book, Tx

#: A member and a merchant.
Pair = tuple[UUID, UUID]


@dataclass(slots=True)
class Day:
    """A member's purchases of one day at a merchant: those not refunded whole, what was not refunded, what was paid."""

    visits: int = 0
    spent: int = 0
    paid: int = 0


@dataclass(slots=True)
class Before:
    """What a member bought at a merchant, by the days of the network's calendar, and whether there was anything ever.

    What a batch sells and refunds is added while it is decided.
    """

    days: dict[date, Day] = field(default_factory=dict)
    ever: bool = False


class Wanted(NamedTuple):
    """Since when a pair's purchases are wanted, and whether what was before matters as well."""

    since: datetime
    ever: bool


def purchases(tx: Tx, book: Book, wanted: Mapping[Pair, Wanted]) -> dict[Pair, Before]:
    """To be asked behind the lock of the members' wallets: what a member's sales and refunds leave here then stands still."""
    found = {pair: Before() for pair in wanted}
    if not wanted:
        return found
    pairs = sorted(wanted)
    named = [ledger.array(member for member, _ in pairs), ledger.array(merchant for _, merchant in pairs)]
    # member by member through the index of their sales, however many others there are
    rows = tx.execute(
        "select w.member_id, w.merchant_id, d.day, d.visits, d.spent, d.paid"
        " from unnest(%s::uuid[], %s::uuid[], %s::timestamptz[]) as w(member_id, merchant_id, since)"
        " cross join lateral (select (s.at at time zone %s)::date as day,"
        " count(*) filter (where s.money_minor > s.refunded_minor)::int as visits,"
        " sum(s.money_minor - s.refunded_minor)::bigint as spent, sum(s.money_minor)::bigint as paid"
        " from merchants.sale s where s.member_id = w.member_id and s.at >= w.since and s.merchant_id = w.merchant_id"
        " and s.book_id = %s and s.money_minor > 0 group by 1) as d",
        [*named, ledger.array(wanted[pair].since for pair in pairs), book.time_zone, book.id],
    )
    for member, merchant, day, *counts in rows:
        before = found[member, merchant]
        before.days[day], before.ever = Day(*counts), True
    asked = [pair for pair in pairs if wanted[pair].ever and not found[pair].ever]
    if asked:
        rows = tx.execute(
            "select w.member_id, w.merchant_id from unnest(%s::uuid[], %s::uuid[]) as w(member_id, merchant_id)"
            " where exists (select from merchants.sale s where s.member_id = w.member_id"
            " and s.merchant_id = w.merchant_id and s.book_id = %s and s.money_minor > 0)",
            [ledger.array(member for member, _ in asked), ledger.array(merchant for _, merchant in asked), book.id],
        )
        for member, merchant in rows:
            found[member, merchant].ever = True
    return found


def sold_on(tx: Tx, book: Book, sales: Collection[UUID]) -> dict[UUID, date]:
    """The day of the network's calendar of each sale."""
    if not sales:
        return {}
    rows = tx.execute(
        "select id, (at at time zone %s)::date from merchants.sale where id = any(%s::uuid[])",
        [book.time_zone, ledger.array(sorted(sales))],
    )
    return dict(rows.fetchall())
