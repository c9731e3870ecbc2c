"""Refunds and debts: what was given back is what was earned or spent, to the point, and what is owed is what was not."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from collections.abc import Iterable
from typing import Final

from ledger.audit.funding import LOTS, funded
from ledger.audit.proving import Checks, Row, Scope
from ledger.audit.sequence import RECORDS

check = Checks()

#: The refunds of sales as their records tell them, each with all that was refunded of its sale up to it.
_OF_SALES: Final = f"""
(select told.*, sum(amount) over sale as refunded, sum(points) over sale as taken_back, sum(returned) over sale as got,
    sum(expired) over sale as counted
 from (
    select r.*, (payload ->> 'amount_minor')::bigint as amount, (payload ->> 'points')::bigint as points,
        (payload ->> 'returned')::bigint as returned, (payload ->> 'expired')::bigint as expired,
        (payload ->> 'owed')::bigint as owed
    from {RECORDS} r where kind = 'refund'
 ) told window sale as (partition by subject_id order by sequence))
"""

#: What each of them tells of every lot of its sale, with all that was taken back and counted of the lot up to it.
_PARTS: Final = f"""
(select f.id, f.sequence, f.batch_id, f.n, f.subject_id, f.member_id, f.refunded, part.*,
    sum(part.points) over lot as taken_back, sum(part.expired) over lot as counted
 from {_OF_SALES} f
 cross join lateral jsonb_to_recordset(f.payload -> 'parts')
    as part(lot uuid, issuer uuid, points bigint, returned bigint, expired bigint, owed bigint)
 window lot as (partition by f.subject_id, part.lot order by f.sequence))
"""

#: The refunds of redemptions, likewise.
_OF_REDEMPTIONS: Final = f"""
(select told.*, sum(points) over redemption as refunded
 from (select r.*, (payload ->> 'points')::bigint as points from {RECORDS} r where kind = 'redemption_refund') told
 window redemption as (partition by subject_id order by sequence))
"""

#: Repayments as their records tell them.
_REPAYMENTS: Final = f"""
(select r.*, (payload ->> 'debt')::uuid as debt_id, (payload ->> 'points')::bigint as points
 from {RECORDS} r where kind = 'repayment')
"""


@check(
    "refunds_recorded",
    "every refund is as its record tells it: its shop, what it is of, amount, points and what of them is owed",
    over="refund",
)
def refunds_recorded(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with told as (
            select id, sequence, book_id, batch_id, n, at, merchant_id, (payload ->> 'refund')::uuid as refund_id,
                case kind when 'refund' then subject_id end as sale_id,
                case kind when 'redemption_refund' then subject_id end as redemption_id,
                coalesce(payload ->> 'amount_minor', payload ->> 'value_minor')::bigint as amount_minor,
                (payload ->> 'points')::bigint as points, coalesce((payload ->> 'owed')::bigint, 0) as owed_points
            from {RECORDS} r where kind in ('refund', 'redemption_refund')
        )
        select coalesce(f.id, t.refund_id) as refund, t.id as record, t.sequence,
            case when t.id is null then 'no record tells of it' when f.id is null then 'told of, but no such refund'
                 else 'unlike what its record tells' end as why
        from told t
        full join (select * from merchants.refund where book_id = any(%(books)s)) f on f.id = t.refund_id
        where (f.book_id, f.batch_id, f.n, f.at, f.merchant_id, f.sale_id, f.redemption_id, f.amount_minor, f.points,
               f.owed_points)
            is distinct from (t.book_id, t.batch_id, t.n, t.at, t.merchant_id, t.sale_id, t.redemption_id,
               t.amount_minor, t.points, t.owed_points)
        """
    )


@check(
    "sales_refunded_exactly",
    "refunds of a sale are its own shop's, never more than its money, and take back each lot's share, rounded down",
    over="sale",
)
def sales_refunded_exactly(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with born as (
            select sale_id, count(*) as lots from ledger.lot
            where book_id = any(%(books)s) and parent_id is null and sale_id is not null group by 1
        ), shares as (
            select p.id, count(*) as lots, sum(p.points) as points, sum(p.returned) as returned, sum(p.expired) as expired,
                sum(p.owed) as owed, bool_or(p.taken_back is distinct from div(l.points * p.refunded,
                    nullif(s.money_minor, 0)) or l.parent_id is not null or l.issuer_id <> p.issuer
                    or l.sale_id is distinct from p.subject_id or l.member_id is distinct from p.member_id) as off
            from {_PARTS} p left join merchants.sale s on s.id = p.subject_id left join ledger.lot l on l.id = p.lot
            group by 1
        )
        select s.id as sale, f.id as record, f.sequence, f.refunded, s.money_minor as money, f.taken_back,
            s.points_earned as earned
        from {_OF_SALES} f
        left join merchants.sale s on s.id = f.subject_id
        left join ledger.record o on o.batch_id = s.batch_id and o.n = s.n
        left join born on born.sale_id = f.subject_id
        left join shares p on p.id = f.id
        where s.id is null or f.amount <= 0 or f.refunded > s.money_minor or p.off
            or (f.points, f.returned, f.expired, f.owed, coalesce(born.lots, 0))
                is distinct from (coalesce(p.points, 0)::bigint, coalesce(p.returned, 0)::bigint,
                    coalesce(p.expired, 0)::bigint, coalesce(p.owed, 0)::bigint, coalesce(p.lots, 0))
            or (f.merchant_id, f.member_id, f.reverses_id, f.payload ->> 'contract', f.payload ->> 'purchase_fee_ppm')
                is distinct from (s.merchant_id, s.member_id, o.id, o.payload ->> 'contract',
                    o.payload ->> 'purchase_fee_ppm')
        union all
        select s.id, null, null, s.refunded_minor, s.money_minor, s.points_taken_back, s.points_earned
        from merchants.sale s
        left join (select subject_id, sum(amount) as refunded, sum(points) as taken_back from {_OF_SALES} f group by 1) f
            on f.subject_id = s.id
        where s.book_id = any(%(books)s)
            and (s.refunded_minor, s.points_taken_back) <> (coalesce(f.refunded, 0), coalesce(f.taken_back, 0))
        """
    )


@check(
    "refunds_take_what_is_there",
    "a refund of a sale took the points of that sale's lots home that it says, and made owed only what was nowhere else,"
    " to the issuer of each lot",
    over="refund",
)
def refunds_take_what_is_there(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with moved as (
            select f.id, m.lot_id, sum(m.points) as points, count(*) filter (where l.sale_id is distinct from f.subject_id
                or m.target <> 'home' or m.source not in ('pending', 'wallet')) as strangers
            from {_OF_SALES} f join ledger.lot_move m on m.batch_id = f.batch_id and m.n = f.n
            join ledger.lot l on l.id = m.lot_id group by 1, 2
        ), indebted as (
            select f.id, case a.kind when 'debt' then a.counterparty_id else a.owner_id end as creditor,
                sum(case when a.kind = 'debt' and a.owner_id = f.member_id then -e.amount end) as debt,
                sum(case a.kind when 'claim' then e.amount end) as claim
            from {_OF_SALES} f join ledger.entry e on e.batch_id = f.batch_id and e.n = f.n
            join ledger.account a on a.id = e.account_id and a.kind in ('debt', 'claim') group by 1, 2
        ), lots as (
            select p.id, p.lot,
                sum(m.points * ((m.target in ('pending', 'wallet'))::int - (m.source in ('pending', 'wallet'))::int)) as left_over,
                sum(m.points) filter (where r.kind = 'expiry') as expired
            from {_PARTS} p join ledger.lot_move m on m.lot_id = p.lot
            join {RECORDS} r on r.batch_id = m.batch_id and r.n = m.n
            where r.sequence <= p.sequence group by 1, 2
        )
        select f.id as record, f.sequence, null::uuid as lot, f.points, f.returned, f.owed, coalesce(m.points, 0) as moved,
            null::numeric as left_over, null::numeric as expired, f.counted
        from {_OF_SALES} f
        left join (select id, sum(points) as points, sum(strangers) as strangers from moved group by 1) m on m.id = f.id
        where f.points <> f.returned + f.owed or f.returned <> coalesce(m.points, 0) + f.expired or m.strangers > 0
        union all
        select p.id, p.sequence, p.lot, p.points, p.returned, p.owed, coalesce(m.points, 0), coalesce(l.left_over, 0),
            coalesce(l.expired, 0), p.counted
        from {_PARTS} p
        left join moved m on m.id = p.id and m.lot_id = p.lot
        left join lots l on l.id = p.id and l.lot = p.lot
        where p.points <> p.returned + p.owed or p.returned <> coalesce(m.points, 0) + p.expired
            or p.counted > coalesce(l.expired, 0) or (p.owed + p.expired > 0 and l.left_over > 0)
            or (p.owed > 0 and p.counted <> coalesce(l.expired, 0))
        union all
        select coalesce(p.id, d.id), p.sequence, null, null, null, p.owed, d.debt, null, null, d.claim
        from (select id, sequence, issuer, sum(owed) as owed from {_PARTS} p where owed > 0 group by 1, 2, 3) p
        full join indebted d on d.id = p.id and d.creditor = p.issuer
        where p.owed is distinct from d.debt or p.owed is distinct from d.claim
        """
    )


@check(
    "redemptions_refunded_exactly",
    "a refund of a redemption gave its captured slices back to the wallet, the last first, at the rates of the capture",
    over="redemption",
)
def redemptions_refunded_exactly(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with slices as (
            -- what a capture in part gave back at once lies behind what it took
            select h.id, slice.lot_id, slice.points, coalesce(sum(slice.points) over (partition by h.id
                order by slice.place desc rows between unbounded preceding and 1 preceding), 0)
                - (h.points - coalesce(d.points, h.points)) as later
            from ledger.hold h left join merchants.redemption d on d.id = h.id
            cross join unnest(h.lot_ids, h.lot_points) with ordinality as slice(lot_id, points, place)
            where h.book_id = any(%(books)s)
        ), sides as (
            select f.batch_id, f.n, s.lot_id, least(s.points, greatest(f.refunded - s.later, 0))
                - least(s.points, greatest(f.refunded - f.points - s.later, 0)) as due, 0 as moved, 0 as named
            from {_OF_REDEMPTIONS} f join slices s on s.id = f.subject_id
            union all
            select m.batch_id, m.n, m.lot_id, 0, case when m.source = 'accepted' and m.target = 'wallet'
                and m.merchant_id = f.merchant_id then m.points else -m.points end, 0
            from {_OF_REDEMPTIONS} f join ledger.lot_move m on m.batch_id = f.batch_id and m.n = f.n
            union all
            select f.batch_id, f.n, named.lot, 0, 0, named.points
            from {_OF_REDEMPTIONS} f
            cross join lateral jsonb_to_recordset(f.payload -> 'slices') as named(lot uuid, points bigint)
        ), off as (
            select batch_id, n, count(*) as lots from (
                select batch_id, n, lot_id from sides group by 1, 2, 3
                having sum(due) <> sum(moved) or sum(due) <> sum(named)
            ) parts group by 1, 2
        )
        select d.id as redemption, f.id as record, f.sequence, f.refunded, d.points, off.lots as lots_off
        from {_OF_REDEMPTIONS} f
        left join merchants.redemption d on d.id = f.subject_id
        left join {RECORDS} c on c.id = f.reverses_id and c.kind = 'capture' and c.subject_id = f.subject_id
            and c.sequence < f.sequence
        left join off on off.batch_id = f.batch_id and off.n = f.n
        where d.id is null or c.id is null or f.points <= 0 or f.refunded > d.points or off.lots > 0
            or (f.merchant_id, f.member_id, f.payload ->> 'contract', f.payload ->> 'redemption_fee_ppm')
                is distinct from (d.merchant_id, d.member_id, c.payload ->> 'contract',
                    c.payload ->> 'redemption_fee_ppm')
        union all
        select d.id, null, null, d.refunded_points, d.points, null
        from merchants.redemption d
        left join (select subject_id, sum(points) as refunded from {_OF_REDEMPTIONS} f group by 1) f
            on f.subject_id = d.id
        where d.book_id = any(%(books)s) and d.refunded_points <> coalesce(f.refunded, 0)
        """
    )


@check(
    "debts_derived",
    "every debt is what a refund could not take back of an issuer's lots, less what repayments after it paid, and each has one",
    over="debt",
)
def debts_derived(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select coalesce(d.id, p.debt_id) as debt, f.id as record, d.points, f.owed, d.remaining,
            coalesce(p.points, 0) as repaid
        from (select p.id, p.sequence, p.batch_id, p.n, p.subject_id, p.member_id, p.issuer, sum(p.owed) as owed,
                bool_or({funded("p.sequence")} = 'closed_loop') as closed_loop
              from {_PARTS} p join {LOTS} l on l.id = p.lot where p.owed > 0 group by 1, 2, 3, 4, 5, 6, 7) f
        full join (select * from ledger.debt where book_id = any(%(books)s)) d
            on d.batch_id = f.batch_id and d.n = f.n and d.creditor_id = f.issuer
        full join (select debt_id, sum(points) as points, min(sequence) as first from {_REPAYMENTS} p group by 1) p
            on p.debt_id = d.id
        where d.id is null or f.id is null or p.first <= f.sequence
            or (d.member_id, d.sale_id, d.creditor_id, d.closed_loop, d.points, d.remaining)
                is distinct from (f.member_id, f.subject_id, f.issuer, f.closed_loop, f.owed::bigint,
                    (f.owed - coalesce(p.points, 0))::bigint)
        """
    )


@check(
    "repayments_lawful",
    "a repayment moved the slices it names to the debt's creditor, who may take such points, and no older debt was passed over",
    over="debt",
)
def repayments_lawful(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with moved as (
            select p.batch_id, p.n, sum(m.points) as points, sum(m.points * l.unit_value_minor) as value,
                count(*) filter (where m.target <> 'accepted' or m.source not in ('wallet', 'pending')
                    or m.merchant_id <> p.merchant_id or l.member_id <> p.member_id) as strangers
            from {_REPAYMENTS} p join ledger.lot_move m on m.batch_id = p.batch_id and m.n = p.n
            join ledger.lot l on l.id = m.lot_id group by 1, 2
        ), named as (
            select p.batch_id, p.n, sum(slice.points) as points
            from {_REPAYMENTS} p
            cross join lateral jsonb_to_recordset(p.payload -> 'slices') as slice(lot uuid, points bigint)
            join ledger.lot_move m on m.batch_id = p.batch_id and m.n = p.n and m.lot_id = slice.lot
                and m.points = slice.points group by 1, 2
        ), paid as (
            select e.batch_id, e.n, sum(case when a.kind = 'debt' and a.owner_id = p.member_id
                    and a.counterparty_id = p.merchant_id then e.amount end) as debt,
                sum(case when a.kind = 'claim' and a.owner_id = p.merchant_id then -e.amount end) as claim
            from {_REPAYMENTS} p join ledger.entry e on e.batch_id = p.batch_id and e.n = p.n
            join ledger.account a on a.id = e.account_id group by 1, 2
        ), taken as (
            select p.id, p.sequence, d.member_id, d.batch_id, d.n,
                bool_or(l.issuer_id <> d.creditor_id and (d.closed_loop or {funded("p.sequence")} = 'closed_loop'))
                    as not_its_own,
                bool_and({funded("p.sequence")} = 'closed_loop') as all_closed
            from {_REPAYMENTS} p join ledger.debt d on d.id = p.debt_id
            join ledger.lot_move m on m.batch_id = p.batch_id and m.n = p.n join {LOTS} l on l.id = m.lot_id
            group by 1, 2, 3, 4, 5
        ), older as (
            select t.id, o.id as passed_over
            from taken t join ledger.debt o on o.member_id = t.member_id and (o.batch_id, o.n) < (t.batch_id, t.n)
            left join {_REPAYMENTS} q on q.debt_id = o.id and q.sequence <= t.sequence
            where not o.closed_loop and not t.all_closed
            group by t.id, o.id, o.points having o.points > coalesce(sum(q.points), 0)
        )
        select p.debt_id as debt, p.id as record, p.sequence, p.points, m.points as moved, paid.debt as paid,
            o.passed_over
        from {_REPAYMENTS} p
        left join ledger.debt d on d.id = p.debt_id
        left join moved m on m.batch_id = p.batch_id and m.n = p.n
        left join named on named.batch_id = p.batch_id and named.n = p.n
        left join paid on paid.batch_id = p.batch_id and paid.n = p.n
        left join taken t on t.id = p.id
        left join older o on o.id = p.id
        where (p.merchant_id, p.member_id, p.subject_id) is distinct from (d.creditor_id, d.member_id, d.sale_id)
            or p.points is distinct from m.points or p.points is distinct from named.points
            or p.points is distinct from paid.debt or p.points is distinct from paid.claim
            or (p.payload ->> 'value_minor')::bigint is distinct from m.value or m.strangers > 0
            or t.not_its_own or o.passed_over is not null
        """
    )
