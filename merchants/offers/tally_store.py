"""The SQL that counts what an offer's arms did. Members are summed up in the database: exact sums come back, a row an arm."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

import ledger
from merchants.offers import store
from merchants.offers.measuring import Sums, Tally
from merchants.offers.store import Offer

# One statement, so one snapshot: the head in it says exactly which records are behind the rows in it. A refund is taken off
# the sale it is of, when it came before the time that the sale is counted for.
COUNT: Final = """
with bought as (
    select m.member_id, s.id, s.at >= %(begins)s as after, s.money_minor - coalesce(r.back, 0) as net, s.total_minor, s.lines
    from merchants.offer_member m
    join merchants.sale s on s.member_id = m.member_id and s.merchant_id = %(merchant)s
        and s.at >= %(since)s and s.at < %(until)s
    left join lateral (
        select sum(r.amount_minor) as back from merchants.refund r
        where r.sale_id = s.id and r.at < case when s.at >= %(begins)s then %(until)s else %(begins)s end
    ) r on true
    where m.offer_id = %(offer)s
), priced as (
    select b.*, case when %(margin)s::jsonb is null or greatest(b.total_minor, l.covered) = 0 then 0 else
        floor((coalesce(l.margin, 0) + greatest(0, b.total_minor - l.covered) * (%(margin)s::jsonb ->> 'ppm')::numeric)
              * b.net / (1000000 * greatest(b.total_minor, l.covered)::numeric)) end as margin
    from bought b
    cross join lateral (
        select coalesce(sum((line ->> 'amount')::bigint), 0) as covered,
            sum((line ->> 'amount')::numeric * coalesce((%(margin)s::jsonb #>> array['by_category', line ->> 'category']),
                %(margin)s::jsonb ->> 'ppm')::numeric) as margin
        from jsonb_array_elements(case when %(margin)s::jsonb is null then '[]'::jsonb else b.lines end) line
    ) l
), members as (
    select m.arm, m.member_id,
        coalesce(sum(p.net) filter (where p.after), 0) as spend, coalesce(sum(p.net) filter (where not p.after), 0) as spent,
        count(p.id) filter (where p.after) as visits, count(p.id) filter (where not p.after) as visited,
        coalesce(sum(p.margin) filter (where p.after), 0) as margin,
        coalesce(sum(p.margin) filter (where not p.after), 0) as margin_before
    from merchants.offer_member m left join priced p on p.member_id = m.member_id
    where m.offer_id = %(offer)s group by 1, 2
)
select v.metric, m.arm, count(*), sum(v.y), sum(v.y * v.y), sum(v.x), sum(v.x * v.x), sum(v.x * v.y),
    (select next_sequence from ledger.head where book_id = %(book)s)
from members m cross join lateral (values
    ('spend', m.spend::numeric, m.spent::numeric), ('visits', m.visits, m.visited), ('margin', m.margin, m.margin_before)
) v (metric, y, x)
where v.metric = any(%(metrics)s)
group by 1, 2
"""


def count(tx: ledger.Tx, book: ledger.Book, offer: Offer, days: int) -> list[Tally]:
    """Count a window of a launched offer."""
    begins, margin = offer.design.begins_at, offer.design.margin
    assert begins is not None, offer.id
    facts: dict[str, Any] = {
        "book": book.id,
        "offer": offer.id,
        "merchant": offer.merchant_id,
        "begins": begins,
        "since": begins - timedelta(days=offer.design.pre_days),
        "until": begins + timedelta(days=days),
        "margin": None if margin is None else Jsonb({"ppm": margin.ppm, "by_category": dict(margin.by_category)}),
        "metrics": list(offer.design.metrics),
    }
    return [
        Tally(days, arm, metric, Sums(n, *(int(part) for part in sums)), through, book.now)
        for metric, arm, n, *sums, through in tx.execute(COUNT, facts)
    ]


def keep(tx: ledger.Tx, book_id: int, offer: Offer, tallies: Sequence[Tally]) -> None:
    """A window is counted once; whoever comes second leaves it as it is."""
    with tx.cursor() as cursor:
        cursor.executemany(
            "insert into merchants.offer_tally (book_id, merchant_id, offer_id, days, arm, metric, n, y, yy, x, xx, xy,"
            " through_sequence, counted_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " on conflict do nothing",
            [
                [
                    book_id,
                    offer.merchant_id,
                    offer.id,
                    t.days,
                    t.arm,
                    t.metric,
                    *t.sums.parts,
                    t.through_sequence,
                    t.counted_at,
                ]
                for t in tallies
            ],
        )


def tallies(tx: ledger.Tx, book_id: int, offer_id: UUID) -> list[Tally]:
    """All windows of an offer that are counted."""
    rows = tx.execute(
        "select days, arm, metric, n, y, yy, x, xx, xy, through_sequence, counted_at from merchants.offer_tally"
        " where book_id = %s and offer_id = %s order by days, metric, arm",
        [book_id, offer_id],
    )
    return [
        Tally(days, arm, metric, Sums(n, *(int(part) for part in sums)), through, at)
        for days, arm, metric, n, *sums, through, at in rows
    ]


# -- what falls due


def next_count(tx: ledger.Tx, book_id: int) -> datetime | None:
    row = tx.execute("select min(count_at) from merchants.offer where book_id = %s", [book_id]).fetchone()
    return row[0] if row else None


def to_count(tx: ledger.Tx, book: ledger.Book) -> Offer | None:
    """One offer that has a window to count, locked; those that others count are passed over."""
    row = tx.execute(
        "select merchant_id, id from merchants.offer where book_id = %s and count_at <= %s"
        " order by count_at, id limit 1 for no key update skip locked",
        [book.id, book.now],
    ).fetchone()
    return None if row is None else store.offer(tx, book.id, *row)


def count_next_at(tx: ledger.Tx, offer_id: UUID, at: datetime | None) -> None:
    tx.execute("update merchants.offer set count_at = %s where id = %s", [at, offer_id])
