"""The SQL of replays: which sales, and members' histories with them. Reads only, by indexes, page by page."""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import ledger
from ledger import Tx
from merchants import programme
from merchants.contracts.parties import PERSONS
from merchants.whatif.replaying import Basket, History, Refunded, Sold

#: What one statement may take, and how many records are read at a time.
STATEMENT_SECONDS: Final = 10
PAGE: Final = 5_000
#: Sales that are held at a time while they are replayed: each may have hundreds of lines.
ROWS: Final = 200

Place = tuple[int, int]
#: A member and a merchant.
Pair = tuple[UUID, UUID]
#: A new transaction of the reader's.
Opened = Callable[[], AbstractContextManager[Tx]]


@dataclass(slots=True)
class Chosen:
    """A merchant's sales to members that are replayed: how many of each member, and from which place in the stream on."""

    since: datetime
    first: Place | None = None
    last: Place | None = None
    sales: int = 0
    of_member: dict[UUID, int] = field(default_factory=dict)
    # whether there were more
    cut: bool = False


def choose(opened: Opened, book: ledger.Book, merchant: UUID, since: datetime, largest: int) -> Chosen:
    """The newest sales since then, backwards through the merchant's records; each page in a transaction of its own."""
    chosen = Chosen(since)
    below: Place = (2**63 - 1, 0)
    while True:
        with opened() as tx:
            limit(tx)
            rows = tx.execute(
                "select batch_id, n, kind, at, member_id from ledger.record where merchant_id = %s and book_id = %s"
                " and (batch_id, n) < (%s, %s) order by batch_id desc, n desc limit %s",
                [merchant, book.id, *below, PAGE],
            ).fetchall()
        for batch, n, kind, at, member in rows:
            if kind != "sale" or member is None or at < since:
                continue
            if chosen.sales == largest:
                chosen.cut = True
                return chosen
            chosen.sales += 1
            chosen.first = batch, n
            chosen.last = chosen.last or (batch, n)
            chosen.of_member[member] = chosen.of_member.get(member, 0) + 1
        # clocks of processes differ by moments: a whole page before it is before all of it
        if len(rows) < PAGE or all(row[3] < since for row in rows):
            return chosen
        below = rows[-1][0], rows[-1][1]


def limit(tx: Tx, seconds: int = STATEMENT_SECONDS) -> None:
    tx.execute("select set_config('statement_timeout', %s, true)", [f"{seconds}s"])


@dataclass(frozen=True, slots=True)
class Contracts:
    """Of one merchant or of all, by id: for whom contracts let sales earn, branches' channels, the rules of terms."""

    earns_for: Mapping[UUID, Sequence[str]]
    channels: Mapping[UUID, str]
    versions: Mapping[UUID, programme.Programme]


def contracts_of(tx: Tx, book: ledger.Book, merchant: UUID | None) -> Contracts:
    """A merchant's, or (None) all of a book. To be read by the house: a tenant does not see what was agreed on."""
    of = " where book_id = %(book)s and (%(merchant)s::uuid is null or merchant_id = %(merchant)s)"
    named = {"book": book.id, "merchant": merchant}
    earns = tx.execute(f"select id, earns_for from merchants.contract{of}", named).fetchall()
    channels = tx.execute(f"select id, channel from merchants.branch{of}", named).fetchall()
    versions = tx.execute(f"select id, rules from merchants.terms{of}", named).fetchall()
    return Contracts(dict(earns), dict(channels), {id: programme.rules_of(id, rules) for id, rules in versions})


def kinds(tx: Tx, book: ledger.Book, members: Collection[UUID]) -> dict[UUID, str]:
    rows = tx.execute(
        "select id, kind from merchants.member where book_id = %s and id = any(%s::uuid[])",
        [book.id, ledger.array(members)],
    )
    return dict(rows.fetchall())


@dataclass(frozen=True, slots=True)
class Asked:
    """What is read of a history: from `since` on (from place `first` to `last`) sales with their baskets, from `reach` on
    sales alone; and whether it matters what was before."""

    since: datetime
    first: Place
    last: Place
    reach: datetime
    ever: bool


#: A basket's columns are null where only the past is asked for.
_SALES: Final = """
    select s.member_id, s.merchant_id, s.id, s.batch_id, s.n, s.at, s.money_minor, s.refunded_minor, w.wanted,
        s.branch_id, s.total_minor, case when w.wanted then s.lines end, case when w.wanted then s.payments end,
        s.earn_refused, s.terms_id, s.contract_id, r.payload
    from merchants.sale s
    cross join lateral (select s.at >= %(since)s and (s.batch_id, s.n) >= (%(first_batch)s, %(first_n)s)
        and (s.batch_id, s.n) <= (%(last_batch)s, %(last_n)s) as wanted) w
    left join lateral (
        select jsonb_build_object('points', x.payload -> 'points', 'bonuses', x.payload -> 'bonuses',
            'facts', x.payload -> 'facts', 'lot', x.payload -> 'lots' -> 0 ->> 'lot') as payload
        from ledger.record x where w.wanted and x.batch_id = s.batch_id and x.n = s.n
    ) r on true
    where s.member_id = any(%(members)s::uuid[]) and s.book_id = %(book)s and s.at >= %(reach)s
        and (%(merchant)s::uuid is null or s.merchant_id = %(merchant)s)
    order by s.member_id, s.merchant_id, s.batch_id, s.n
"""
_REFUNDS: Final = """
    select s.member_id, s.merchant_id, f.sale_id, f.batch_id, f.n, f.amount_minor, s.money_minor
    from merchants.sale s join merchants.refund f on f.sale_id = s.id
    where s.member_id = any(%(members)s::uuid[]) and s.book_id = %(book)s and s.at >= %(reach)s
        and (%(merchant)s::uuid is null or s.merchant_id = %(merchant)s) and s.refunded_minor > 0
    order by f.batch_id, f.n
"""
#: Who bought where before all that is read.
_BEFORE: Final = """
    select s.member_id, s.merchant_id from merchants.sale s
    where s.member_id = any(%(members)s::uuid[]) and s.book_id = %(book)s and s.at < %(reach)s
        and (%(merchant)s::uuid is null or s.merchant_id = %(merchant)s) and s.money_minor > 0
    group by 1, 2
"""


def histories(
    tx: Tx,
    book: ledger.Book,
    merchant: UUID | None,
    members: Mapping[UUID, str],
    asked: Asked,
    agreed: Contracts,
) -> Iterator[History]:
    """The purchases of some members (with their kinds) at a merchant, or (None) at each of a book's.

    Through a cursor of the server's: the sales of one are to be taken before the next is asked for.
    """
    named = {
        "members": ledger.array(sorted(members)),
        "book": book.id,
        "merchant": merchant,
        "since": asked.since,
        "reach": asked.reach,
        "first_batch": asked.first[0],
        "first_n": asked.first[1],
        "last_batch": asked.last[0],
        "last_n": asked.last[1],
    }
    refunded: dict[Pair, list[Refunded]] = {}
    for member, shop, *row in tx.execute(_REFUNDS, named):
        sale, batch, n, amount, money = row
        refunded.setdefault((member, shop), []).append(Refunded(sale, (batch, n), amount, money))
    before = set(tx.execute(_BEFORE, named).fetchall()) if asked.ever else set()
    with tx.cursor(name="histories") as cursor:
        cursor.itersize = ROWS
        cursor.execute(_SALES, named)
        for pair, rows in itertools.groupby(cursor, key=lambda row: (row[0], row[1])):
            yield History(
                member=pair[0],
                merchant=pair[1],
                kind=members[pair[0]],
                sold=(_sold(row[2:], agreed) for row in rows),
                refunded=refunded.get(pair, ()),
                ever=pair in before,
            )


def _sold(row: Sequence[Any], agreed: Contracts) -> Sold:
    id, batch, n, at, money, refunded, wanted = row[:7]
    if not wanted:
        return Sold(id, (batch, n), at, money, refunded)
    branch, total, lines, payments, refused, terms, contract, payload = row[7:]
    own = payload["points"] - sum(bonus["points"] for bonus in payload["bonuses"] or ())
    basket = Basket(
        branch=branch,
        channel=agreed.channels.get(branch, "physical"),
        total=total,
        lines=lines,
        payments=payments,
        own=own,
        # the shop's own lot is the first that its record tells
        lot=UUID(payload["lot"]) if own else None,
        refused=refused,
        terms=terms,
        # one that came into force since then is nobody's exception
        earns_for=agreed.earns_for.get(contract, PERSONS),
        facts=payload["facts"],
    )
    return Sold(id, (batch, n), at, money, refunded, basket)
