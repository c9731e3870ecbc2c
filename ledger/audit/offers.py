"""Offers: as their records tell them, everybody in the arm that the salt says, and every window counted as it was."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from collections.abc import Iterable
from typing import Final

from ledger.audit.budgets import TOLD
from ledger.audit.proving import Checks, Row, Scope
from ledger.audit.sequence import RECORDS

check = Checks()

#: Offers as their launches tell them. To be materialized before it meets many rows.
_LAUNCHED: Final = f"""
(select r.subject_id as id, r.book_id, r.merchant_id, r.sequence, r.at, r.payload,
    (r.payload ->> 'begins_at')::timestamptz as begins_at, decode(r.payload ->> 'salt', 'hex') as salt
 from {RECORDS} r where r.kind = 'offer_launched')
"""


#: Every arm of every launch: the parts of a million from `first` to before `beyond`.
_ARMS: Final = f"""
(select id, arm, sum(ppm) over (partition by id order by place) - ppm as first,
    sum(ppm) over (partition by id order by place) as beyond
 from (
    select id, 0 as place, 'holdout' as arm, (payload ->> 'holdout_ppm')::bigint as ppm from {_LAUNCHED} l
    union all
    select id, v.place, v.told ->> 'name', (v.told ->> 'ppm')::bigint
    from {_LAUNCHED} l cross join lateral jsonb_array_elements(payload -> 'variants') with ordinality as v(told, place)
 ) parts)
"""


def _share(salt: str, member: str) -> str:
    """Where of a million a member is drawn: by the first 8 bytes of SHA-256(salt, id)."""
    digest = f"encode(sha256({salt} || uuid_send({member})), 'hex')"
    halves = [f"('x' || substr({digest}, {first}, 8))::bit(32)::bigint" for first in (1, 9)]
    return f"div(({halves[0]}::numeric * 4294967296 + {halves[1]}) * 1000000, 18446744073709551616)"


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
                    to_jsonb(o.pre_days), coalesce(o.margin, 'null'), o.ends_at, o.giving, o.chosen)
                is distinct from (l.at, l.merchant_id, l.salt, l.begins_at, l.payload -> 'members',
                    l.payload -> 'audience', l.payload -> 'holdout_ppm', l.payload -> 'variants',
                    l.payload -> 'windows_days', l.payload -> 'pre_days', l.payload -> 'margin',
                    (l.payload ->> 'ends_at')::timestamptz, l.payload -> 'giving', l.payload -> 'chosen'))
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
        with salts as materialized (select id, salt from {_LAUNCHED} l), arms as materialized (select * from {_ARMS} a),
        placed as (
            select m.offer_id, m.member_id, m.arm, {_share("s.salt", "m.member_id")} as share
            from merchants.offer_member m left join salts s on s.id = m.offer_id
            where m.book_id = any(%(books)s)
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


#: Offers that give, from the record of their launch to that of their end. To be materialized before it meets many rows.
_GIVING: Final = f"""
(select l.id, l.book_id, l.merchant_id, l.sequence, l.begins_at, (l.payload ->> 'ends_at')::timestamptz as ends_at,
    (l.payload ->> 'funder')::uuid as funder, l.payload -> 'giving' as giving, l.payload -> 'variants' as variants,
    e.sequence as until
 from {_LAUNCHED} l left join {RECORDS} e on e.kind = 'offer_ended' and e.subject_id = l.id
 where l.payload ? 'giving')
"""

_GIFTS: Final = f"(select * from {TOLD} told where offer is not null)"


@check(
    "offers_given_as_agreed",
    "an offer gave only while it ran, at its own shop, the variant of the member's arm, the funder's points; to nobody held"
    " out, outside the audience, after the variant's deadline, or before activating what has to be activated",
    over="bonus",
)
def offers_given_as_agreed(scope: Scope) -> Iterable[Row]:
    # the arm is drawn again from the launch's salt: what is kept of it is proved elsewhere
    return scope.rows(
        f"""
        with giving as materialized (select * from {_GIVING} g), arms as materialized (select * from {_ARMS} a),
        salts as materialized (select id, salt from {_LAUNCHED} l), placed as (
            select t.*, {_share("s.salt", "t.member_id")} as share
            from {_GIFTS} t left join salts s on s.id = t.offer
        ), activated as materialized (
            select subject_id, member_id, min(sequence) as sequence from {RECORDS} r where kind = 'offer_activated' group by 1, 2
        )
        select t.record, t.sequence, t.offer, t.member_id as member, t.variant, a.arm, t.points, t.refused
        from placed t
        left join giving g on g.id = t.offer
        left join arms a on a.id = t.offer and t.share >= a.first and t.share < a.beyond
        left join merchants.offer_member m on m.offer_id = t.offer and m.member_id = t.member_id
        left join activated c on c.subject_id = t.offer and c.member_id = t.member_id
        left join lateral (
            select (v ->> 'ends_at')::timestamptz as ends_at from jsonb_array_elements(g.variants) v
            where v ->> 'name' = t.variant
        ) v on true
        where g.id is null or t.member_id is null or m.member_id is null or g.sequence > t.sequence or g.until < t.sequence
            or t.shop <> g.merchant_id or t.issuer is distinct from g.funder or t.variant is distinct from a.arm
            or t.variant = 'holdout' or t.at < g.begins_at or t.at >= g.ends_at or t.at >= v.ends_at
            or (g.giving ->> 'activation' = 'activate' and not coalesce(c.sequence < t.sequence, false))
            or (t.refused is not null and t.points <> 0) or (t.refused is null and t.points <= 0)
        """
    )


@check(
    "offer_caps_kept",
    "at no gift, in the order of the records, had an offer given more than its caps allow: a member, a day, or in all",
    over="bonus",
)
def offer_caps_kept(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with giving as materialized (select id, giving from {_GIVING} g), gifts as (
            select t.record, t.sequence, t.offer, t.member_id,
                row_number() over of_member as times, sum(t.points) over of_member as points,
                row_number() over of_day as day_times, sum(t.points) over of_day as day_points,
                row_number() over of_all as all_times
            from {_GIFTS} t join ledger.book k on k.id = t.book_id where t.refused is null
            window of_member as (partition by t.offer, t.member_id order by t.sequence),
                of_day as (partition by t.offer, (t.at at time zone k.time_zone)::date order by t.sequence),
                of_all as (partition by t.offer order by t.sequence)
        )
        select t.record, t.sequence, t.offer, t.member_id as member, t.times, t.points, t.day_times, t.day_points, t.all_times
        from gifts t join giving g on g.id = t.offer
        where t.times > (g.giving -> 'per_member' ->> 'times')::bigint
            or t.points > (g.giving -> 'per_member' ->> 'points')::bigint
            or t.day_times > (g.giving -> 'per_day' ->> 'times')::bigint
            or t.day_points > (g.giving -> 'per_day' ->> 'points')::bigint
            or t.all_times > (g.giving ->> 'total_times')::bigint
        """
    )


@check(
    "offer_uses_counted",
    "what is counted of a member's and of a day's gifts is what the sales' records tell, and who activated an offer did so",
    over="offer_use",
)
def offer_uses_counted(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with gifts as materialized (
            select t.offer, t.member_id, (t.at at time zone k.time_zone)::date as day, t.points
            from {_GIFTS} t join ledger.book k on k.id = t.book_id where t.refused is null
        ), activated as (
            select subject_id as offer, member_id, min(at) as at from {RECORDS} r where kind = 'offer_activated' group by 1, 2
        ), used as (
            select coalesce(g.offer, a.offer) as offer, coalesce(g.member_id, a.member_id) as member_id, a.at,
                coalesce(g.times, 0) as times, coalesce(g.points, 0) as points
            from (select offer, member_id, count(*) as times, sum(points) as points from gifts group by 1, 2) g
            full join activated a on a.offer = g.offer and a.member_id = g.member_id
        )
        select coalesce(u.offer_id, t.offer) as offer, coalesce(u.member_id, t.member_id) as member, null::date as day,
            u.points as counted, t.points as told
        from used t
        full join (select * from merchants.offer_use where book_id = any(%(books)s)) u
            on u.offer_id = t.offer and u.member_id = t.member_id
        where (u.activated_at, u.times, u.points) is distinct from (t.at, t.times, t.points::bigint)
        union all
        select coalesce(d.offer_id, t.offer), null, coalesce(d.day, t.day), d.points, t.points
        from (select offer, day, count(*) as times, sum(points) as points from gifts group by 1, 2) t
        full join (select * from merchants.offer_day where book_id = any(%(books)s)) d
            on d.offer_id = t.offer and d.day = t.day
        where (d.times, d.points) is distinct from (t.times, t.points::bigint)
        """
    )


@check(
    "offer_budgets_spent",
    "an offer's budget is what was set aside for it, less what was given and taken back; an ended one's is empty; and nobody"
    " else's points are given without consent to the very draft that was launched",
    over="offer",
)
def offer_budgets_spent(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with giving as materialized (select * from {_GIVING} g), moved as materialized (
            select subject_id as id, min(merchant_id::text)::uuid as issuer, count(distinct merchant_id) as issuers,
                sum((payload ->> 'points')::bigint * case kind when 'budget_set' then 1 else -1 end) as points
            from {RECORDS} r where kind in ('budget_set', 'budget_released') group by 1
        ), given as materialized (
            select offer as id, sum(points) as points from {_GIFTS} t where refused is null group by 1
        )
        select g.id as offer, g.funder, coalesce(a.balance, 0) as budget, coalesce(m.points, 0) as set_aside,
            coalesce(b.points, 0) as given
        from giving g
        left join moved m on m.id = g.id left join given b on b.id = g.id
        left join ledger.account a on a.kind = 'budget' and a.counterparty_id = g.id
        left join merchants.offer o on o.id = g.id
        where coalesce(a.balance, 0) <> coalesce(m.points, 0) - coalesce(b.points, 0)
            or (g.until is not null and coalesce(a.balance, 0) <> 0)
            or (a.owner_id is not null and a.owner_id <> g.funder) or coalesce(m.issuers, 1) <> 1 or m.issuer <> g.funder
            or (o.giving, o.funder_id) is distinct from (g.giving, g.funder)
            or (g.giving ->> 'by' = 'merchant') <> (g.funder = g.merchant_id)
            or (g.giving ->> 'by' <> 'merchant' and not exists (
                select from {RECORDS} c where c.kind = 'offer_funded' and c.subject_id = g.id and c.merchant_id = g.funder
                    and c.sequence < g.sequence and c.payload ->> 'draft' = encode(o.agreed, 'hex')))
        """
    )
