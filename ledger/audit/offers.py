"""Offers: as their records tell them, everybody in the arm that the salt says, and every window counted as it was."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from collections.abc import Iterable
from typing import Final

from ledger.audit.proving import Checks, Row, Scope
from ledger.audit.sequence import RECORDS

check = Checks()

#: Offers as their launches tell them. To be materialized before it meets many rows.
_LAUNCHED: Final = f"""
(select r.subject_id as id, r.book_id, r.merchant_id, r.sequence, r.at, r.payload,
    (r.payload ->> 'begins_at')::timestamptz as begins_at, decode(r.payload ->> 'salt', 'hex') as salt
 from {RECORDS} r where r.kind = 'offer_launched')
"""


@check(
    "offers_recorded",
    "every offer is as its records tell it: its salt the one committed to before, nothing changed since the launch",
    over="offer",
)
def offers_recorded(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with drafted as (select * from {RECORDS} r where kind = 'offer_drafted'),
        ended as (select * from {RECORDS} r where kind = 'offer_ended')
        select coalesce(o.id, d.subject_id, l.id, e.subject_id) as offer, o.state,
            case when o.id is null then 'no row of it' when d.id is null then 'nobody drafted it'
                 when d.payload ->> 'commitment' is distinct from encode(sha256(o.salt), 'hex')
                     then 'not the salt that was committed to'
                 else 'not as its records tell it' end as why
        from (select * from merchants.offer where book_id = any(%(books)s)) o
        full join drafted d on d.subject_id = o.id
        full join {_LAUNCHED} l on l.id = coalesce(o.id, d.subject_id)
        full join ended e on e.subject_id = coalesce(o.id, d.subject_id, l.id)
        where o.id is null or d.id is null
            or (o.book_id, o.merchant_id, o.drafted_at, encode(sha256(o.salt), 'hex'))
                is distinct from (d.book_id, d.merchant_id, d.at, d.payload ->> 'commitment')
            or o.state is distinct from
                case when e.id is not null then 'ended' when l.id is not null then 'launched' else 'draft' end
            or (e.id is not null and (l.id is null or e.sequence < l.sequence))
            or o.ended_at is distinct from e.at
            or l.sequence < d.sequence
            or (l.id is not null and (o.launched_at, o.merchant_id, o.salt, o.begins_at, to_jsonb(o.audience_size),
                    to_jsonb(o.audience), to_jsonb(o.holdout_ppm), o.variants, to_jsonb(o.windows_days),
                    to_jsonb(o.pre_days), coalesce(o.margin, 'null'), o.ends_at)
                is distinct from (l.at, l.merchant_id, l.salt, l.begins_at, l.payload -> 'members',
                    l.payload -> 'audience', l.payload -> 'holdout_ppm', l.payload -> 'variants',
                    l.payload -> 'windows_days', l.payload -> 'pre_days', l.payload -> 'margin',
                    (l.payload ->> 'ends_at')::timestamptz))
        """
    )


@check(
    "offer_audiences_frozen",
    "in an offer are the members who were in it at its launch, as many and no others",
    over="offer",
)
def offer_audiences_frozen(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select coalesce(l.id, m.offer_id) as offer, l.payload ->> 'members' as told, m.members as found
        from {_LAUNCHED} l
        full join (
            select offer_id, count(*) as members, encode(sha256(string_agg(uuid_send(member_id), ''::bytea
                order by member_id)), 'hex') as hash
            from merchants.offer_member where book_id = any(%(books)s) group by 1
        ) m on m.offer_id = l.id
        where (l.payload ->> 'members')::bigint is distinct from m.members
            or l.payload ->> 'audience_hash' is distinct from m.hash
        """
    )


@check(
    "offer_arms_derived",
    "every member of an offer is in the arm that the launch's salt and the member's id give",
    over="offer_member",
)
def offer_arms_derived(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with launched as materialized (select * from {_LAUNCHED} l), arms as materialized (
            select id, arm, sum(ppm) over (partition by id order by place) - ppm as first,
                sum(ppm) over (partition by id order by place) as beyond
            from (
                select id, 0 as place, 'holdout' as arm, (payload ->> 'holdout_ppm')::bigint as ppm from launched
                union all
                select id, v.place, v.told ->> 'name', (v.told ->> 'ppm')::bigint
                from launched cross join lateral jsonb_array_elements(payload -> 'variants')
                    with ordinality as v(told, place)
            ) parts
        ), drawn as (
            select m.offer_id, m.member_id, m.arm,
                encode(sha256(l.salt || uuid_send(m.member_id)), 'hex') as digest
            from merchants.offer_member m left join launched l on l.id = m.offer_id
            where m.book_id = any(%(books)s)
        ), placed as (
            select offer_id, member_id, arm,
                div((('x' || substr(digest, 1, 8))::bit(32)::bigint::numeric * 4294967296
                     + ('x' || substr(digest, 9, 8))::bit(32)::bigint) * 1000000, 18446744073709551616) as share
            from drawn
        )
        select p.offer_id as offer, p.member_id as member, p.arm, a.arm as derived
        from placed p left join arms a on a.id = p.offer_id and p.share >= a.first and p.share < a.beyond
        where p.arm is distinct from a.arm
        """
    )


@check(
    "offer_windows_counted",
    "what was counted of an arm's money and visits is the sum of its members' sales and refunds up to that record",
    over="offer_tally",
)
def offer_windows_counted(scope: Scope) -> Iterable[Row]:
    # member by member, from records rather than from what the counting statement reads
    return scope.rows(
        f"""
        with windows as materialized (
            select distinct t.offer_id, t.days, t.through_sequence, l.merchant_id, l.begins_at,
                l.begins_at - make_interval(hours => 24 * (l.payload ->> 'pre_days')::int) as since,
                l.begins_at + make_interval(hours => 24 * t.days) as until
            from merchants.offer_tally t left join {_LAUNCHED} l on l.id = t.offer_id
            where t.book_id = any(%(books)s)
        ), sold as materialized (
            select r.subject_id as sale, r.merchant_id, r.member_id, r.at, r.sequence,
                (r.payload ->> 'money_minor')::bigint as money
            from {RECORDS} r where r.kind = 'sale' and r.member_id is not null
        ), returned as materialized (
            select r.subject_id as sale, r.at, r.sequence, (r.payload ->> 'amount_minor')::bigint as amount
            from {RECORDS} r where r.kind = 'refund'
        ), done as (
            select w.offer_id, w.days, w.through_sequence, s.member_id, s.at >= w.begins_at as after, s.money as amount,
                1 as visits
            from windows w join sold s on s.merchant_id = w.merchant_id
            where s.at >= w.since and s.at < w.until and s.sequence < w.through_sequence
            union all
            select w.offer_id, w.days, w.through_sequence, s.member_id, s.at >= w.begins_at, -r.amount, 0
            from windows w join sold s on s.merchant_id = w.merchant_id join returned r on r.sale = s.sale
            where s.at >= w.since and s.at < w.until and r.sequence < w.through_sequence
                and r.at < case when s.at >= w.begins_at then w.until else w.begins_at end
        ), summed as (
            select offer_id, days, through_sequence, member_id,
                sum(amount) filter (where after) as spend, sum(amount) filter (where not after) as spent,
                sum(visits) filter (where after) as visits, sum(visits) filter (where not after) as visited
            from done group by 1, 2, 3, 4
        ), members as (
            select w.offer_id, w.days, w.through_sequence, m.arm, v.metric, coalesce(v.y, 0) as y, coalesce(v.x, 0) as x
            from windows w join merchants.offer_member m on m.offer_id = w.offer_id
            left join summed s on s.offer_id = w.offer_id and s.days = w.days and s.member_id = m.member_id
                and s.through_sequence = w.through_sequence
            cross join lateral (values ('spend', s.spend, s.spent), ('visits', s.visits, s.visited)) v (metric, y, x)
        ), counted as (
            select offer_id, days, through_sequence, arm, metric, count(*) as n, sum(y) as y, sum(y * y) as yy,
                sum(x) as x, sum(x * x) as xx, sum(x * y) as xy
            from members group by 1, 2, 3, 4, 5
        )
        select coalesce(t.offer_id, c.offer_id) as offer, coalesce(t.days, c.days) as days, coalesce(t.arm, c.arm) as arm,
            coalesce(t.metric, c.metric) as metric, t.y as told, c.y as found
        from counted c
        full join (
            select * from merchants.offer_tally where book_id = any(%(books)s) and metric in ('spend', 'visits')
        ) t on t.offer_id = c.offer_id and t.days = c.days and t.arm = c.arm and t.metric = c.metric
            and t.through_sequence = c.through_sequence
        where (t.n::bigint, t.y, t.yy, t.x, t.xx, t.xy)
            is distinct from (c.n, c.y, c.yy::numeric, c.x, c.xx::numeric, c.xy::numeric)
        """
    )
