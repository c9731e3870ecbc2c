"""Gifts: what one member gave is what the other got, lot by lot, and points never come back the way they went."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from collections.abc import Iterable
from typing import Final

from ledger.audit.lots import LIVES, MOVED
from ledger.audit.proving import Checks, Row, Scope
from ledger.audit.sequence import RECORDS
from ledger.store.reading import LONGEST_LINEAGE

check = Checks()

_GIFTS: Final = f"""
(select r.*, (r.payload ->> 'gift')::uuid as gift_id, (r.payload ->> 'giver')::uuid as giver,
    (r.payload ->> 'receiver')::uuid as receiver, (r.payload ->> 'points')::bigint as points,
    (r.payload ->> 'value_minor')::bigint as value_minor
 from {RECORDS} r where r.kind = 'gift')
"""


@check(
    "gifts_whole",
    "every gift moved its points from lots of the giver to children of those lots, of the receiver: each as many as the other",
    over="gift",
)
def gifts_whole(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with gifts as materialized (select * from {_GIFTS} g),
        sides as (
            select g.batch_id, g.n, l.id as parent, m.points as given, 0 as received, 0 as strangers
            from gifts g join ledger.lot_move m on m.batch_id = g.batch_id and m.n = g.n
            join ledger.lot l on l.id = m.lot_id
            where m.source = 'wallet' and m.target = 'given' and l.member_id = g.giver
            union all
            select g.batch_id, g.n, l.parent_id, 0, m.points, (l.points <> m.points)::int
            from gifts g join ledger.lot_move m on m.batch_id = g.batch_id and m.n = g.n
            join ledger.lot l on l.id = m.lot_id
            where m.source = 'given' and m.target = 'wallet' and l.member_id = g.receiver
            union all
            -- moves of neither, and children that another record claims
            select m.batch_id, m.n, null, 0, 0, 1
            from ledger.lot_move m join ledger.lot l on l.id = m.lot_id left join gifts g on g.batch_id = m.batch_id
                and g.n = m.n
            where l.book_id = any(%(books)s) and (g.id is not null or 'given' in (m.source, m.target))
                and not coalesce((m.source = 'wallet' and m.target = 'given' and l.member_id = g.giver)
                    or (m.source = 'given' and m.target = 'wallet' and l.member_id = g.receiver), false)
        ), parts as (
            select batch_id, n, parent, sum(given) as given, sum(received) as received, sum(strangers) as strangers
            from sides group by 1, 2, 3
        ), totals as (
            select batch_id, n, sum(given) as given, sum(received) as received,
                count(*) filter (where given <> received or strangers > 0) as off
            from parts group by 1, 2
        )
        select g.id as record, t.batch_id as batch, t.n, g.gift_id as gift, g.points, t.given, t.received, t.off as lots_off
        from gifts g full join totals t on t.batch_id = g.batch_id and t.n = g.n
        where g.id is null or t.n is null or g.giver = g.receiver or g.points <= 0
            or g.points <> t.given or g.points <> t.received or t.off > 0
        """
    )


@check(
    "children_like_parents",
    "a lot that was given is its parent in all but whose it is: issuer, value, funding, contract, rule, sale, times, grace",
    over="lot",
)
def children_like_parents(scope: Scope) -> Iterable[Row]:
    # what moved the expiry or used the grace of either of them later came after they were alike
    return scope.rows(
        f"""
        select c.id as lot, c.parent_id as parent
        from ledger.lot c join ledger.batch b on b.id = c.batch_id
        left join ledger.lot p on p.id = c.parent_id
        left join {LIVES} cl on cl.lot_id = c.id and cl.since is null
        left join {LIVES} pl on pl.lot_id = p.id and b.first_sequence + c.n >= coalesce(pl.since, 0)
            and (pl.until is null or b.first_sequence + c.n < pl.until)
        left join (select lot_id, min(sequence) as sequence from {MOVED} m where graced group by 1) cg on cg.lot_id = c.id
        left join (select lot_id, min(sequence) as sequence from {MOVED} m where graced group by 1) pg on pg.lot_id = p.id
        where c.book_id = any(%(books)s) and c.parent_id is not null and
            (c.book_id, c.issuer_id, c.unit_value_minor, c.funding, c.contract_id, c.rule_id, c.sale_id, c.earned_at,
             c.available_at, coalesce(cl.expires_at, c.expires_at), c.grace_used and cg.lot_id is null)
            is distinct from
            (p.book_id, p.issuer_id, p.unit_value_minor, p.funding, p.contract_id, p.rule_id, p.sale_id, p.earned_at,
             p.available_at, coalesce(pl.expires_at, p.expires_at),
             p.grace_used and (pg.sequence is null or pg.sequence < b.first_sequence + c.n))
        """
    )


@check(
    "gifts_never_return",
    "along its lineage no lot comes to somebody who has held it, and none was given more often than may be",
    over="lot",
)
def gifts_never_return(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        with recursive line (id, member_id, parent_id, depth, holder_id) as (
            select id, member_id, parent_id, 0, member_id from ledger.lot
            where book_id = any(%(books)s) and parent_id is not null
            union all
            select line.id, line.member_id, p.parent_id, line.depth + 1, p.member_id
            from line join ledger.lot p on p.id = line.parent_id where line.depth <= %(longest)s
        )
        select id as lot, member_id as member, max(depth) as times_given from line
        where depth > 0 group by 1, 2 having bool_or(holder_id = member_id) or max(depth) > %(longest)s
        """,
        longest=LONGEST_LINEAGE,
    )


@check(
    "gifts_told",
    "every gift is told to its receiver by the record right behind it, and is the row that both of them read",
    over="gift",
)
def gifts_told(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select coalesce(g.gift_id, d.id, t.subject_id) as gift, g.id as record,
            case when g.id is null then 'no record of it' when d.id is null then 'no row of it'
                 when t.id is null then 'its receiver is not told' else 'not told as it was' end as why
        from {_GIFTS} g
        full join (select * from merchants.gift where book_id = any(%(books)s)) d on d.id = g.gift_id
        full join (select * from {RECORDS} r where kind = 'gift_received') t
            on t.subject_id = coalesce(g.gift_id, d.id)
        where (g.gift_id, g.subject_id, g.member_id, g.giver, g.receiver, g.points, g.value_minor, g.at, g.batch_id, g.n)
                is distinct from (d.id, d.id, d.giver_id, d.giver_id, d.receiver_id, d.points, d.value_minor, d.at,
                    d.batch_id, d.n)
            or (g.batch_id, g.n + 1, g.receiver, g.giver, g.points, g.gift_id)
                is distinct from (t.batch_id, t.n::int, t.member_id, (t.payload ->> 'giver')::uuid,
                    (t.payload ->> 'points')::bigint, (t.payload ->> 'gift')::uuid)
        """
    )


@check(
    "gift_days_counted",
    "what each member gave and was given on each day is the sum of the day's gifts, and within the network's limits",
    over="gift_day",
)
def gift_days_counted(scope: Scope) -> Iterable[Row]:
    # where no limits were decided the defaults hold, which a floor above knows
    return scope.rows(
        f"""
        with gifts as materialized (
            select g.*, (g.at at time zone k.time_zone)::date as day from {_GIFTS} g join ledger.book k on k.id = g.book_id
        ), counted as (
            select book_id, member_id, day, sum(given) as given, sum(gifts) as gifts, sum(received) as received
            from (
                select book_id, giver as member_id, day, points as given, 1 as gifts, 0 as received from gifts
                union all select book_id, receiver, day, 0, 0, points from gifts
            ) sides group by 1, 2, 3
        ), rules as (
            select book_id, sequence as since, lead(sequence) over (partition by book_id order by sequence) as until,
                (payload ->> 'points_a_day')::bigint as points_a_day, (payload ->> 'gifts_a_day')::int as gifts_a_day,
                (payload ->> 'received_a_day')::bigint as received_a_day
            from {RECORDS} r where kind = 'gift_rules'
        ), summed as (
            select id, book_id, sequence, giver, receiver, day,
                sum(points) over (partition by giver, day order by sequence) as given,
                count(*) over (partition by giver, day order by sequence) as gifts,
                sum(points) over (partition by receiver, day order by sequence) as received
            from gifts
        )
        select coalesce(c.member_id, d.member_id) as member, coalesce(c.day, d.day) as day, null::uuid as record,
            'not what the day''s gifts come to' as why
        from counted c
        full join (select * from merchants.gift_day where book_id = any(%(books)s)) d
            on d.member_id = c.member_id and d.day = c.day
        where (coalesce(d.given_points, 0), coalesce(d.gifts, 0), coalesce(d.received_points, 0))
            <> (coalesce(c.given, 0), coalesce(c.gifts, 0), coalesce(c.received, 0))
        union all
        select s.giver, s.day, s.id, 'beyond the limits in force'
        from summed s join rules on rules.book_id = s.book_id and rules.since < s.sequence
            and (rules.until is null or rules.until > s.sequence)
        where s.given > rules.points_a_day or s.gifts > rules.gifts_a_day or s.received > rules.received_a_day
        """
    )
