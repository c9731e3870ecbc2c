"""Budgets and what sponsors give from them: set aside, issued and released as told, only while and where it was agreed."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from collections.abc import Iterable
from typing import Final

from ledger.audit.proving import Checks, Row, Scope
from ledger.audit.sequence import RECORDS

check = Checks()

#: The funding and the unit value of each issuer, from which record to which.
MODES: Final = f"""
(select merchant_id, sequence as since, payload ->> 'mode' as mode,
    (payload ->> 'unit_value_minor')::bigint as unit_value_minor,
    lead(sequence) over (partition by merchant_id order by sequence) as until
 from {RECORDS} r where kind = 'contract')
"""

#: Every entry on a budget, as one on the account of its issuer's funding then: what is set aside is still at home.
AT_HOME: Final = f"""
(select e.batch_id, e.n, a.owner_id, v.mode, e.amount,
    case v.mode when 'prefunded' then 'pool' when 'deferred' then 'credit' else 'own' end as kind
 from ledger.account a join ledger.entry e on e.account_id = a.id join ledger.batch b on b.id = e.batch_id
 join {MODES} v on v.merchant_id = a.owner_id and v.since < b.first_sequence + e.n
    and (v.until is null or v.until > b.first_sequence + e.n)
 where a.book_id = any(%(books)s) and a.kind = 'budget')
"""

#: The points in budgets by issuer, under the funding its contract says at present: there they belong.
PRESENT: Final = f"""
(select a.book_id, a.owner_id as issuer_id, v.mode, v.unit_value_minor, sum(e.amount) as points
 from ledger.account a join ledger.entry e on e.account_id = a.id
 left join {MODES} v on v.merchant_id = a.owner_id and v.until is null
 where a.book_id = any(%(books)s) and a.kind = 'budget' group by 1, 2, 3, 4)
"""

#: Sponsorships as their records tell them, from which record to which. To be materialized before it meets many rows.
_SPONSORSHIPS: Final = f"""
(select s.book_id, s.subject_id as id, s.merchant_id, s.at as opened_at, s.sequence as since, e.sequence as until,
    e.at as ended_at, s.payload -> 'rules' as rules, (s.payload ->> 'begins_at')::timestamptz as begins_at,
    (s.payload ->> 'ends_at')::timestamptz as ends_at, nullif(s.payload -> 'shops', 'null') as shops
 from {RECORDS} s
 left join {RECORDS} e on e.kind = 'sponsorship_ended' and e.subject_id = s.subject_id
 where s.kind = 'sponsorship')
"""

#: The bonuses of sales as their records tell them, by whichever gave them: a sponsorship, or a variant of an offer.
TOLD: Final = f"""
(select r.id as record, r.sequence, r.batch_id, r.n, r.at, r.book_id, r.merchant_id as shop, r.member_id,
    r.subject_id as sale_id, coalesce(b.sponsorship, b.offer) as giver, b.sponsorship, b.offer, b.variant, b.issuer,
    b.points, b.refused
 from {RECORDS} r
 cross join lateral jsonb_to_recordset(r.payload -> 'bonuses')
    as b(sponsorship uuid, offer uuid, variant text, issuer uuid, points bigint, refused text)
 where r.kind = 'sale' and jsonb_typeof(r.payload -> 'bonuses') = 'array')
"""


@check(
    "budgets_told",
    "points are set aside and released exactly as records tell, from and to the account of the funding then in force",
    over="record",
)
def budgets_told(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with touched as (
            select e.batch_id, e.n, sum(e.amount) filter (where a.kind = 'budget') as budget, count(*) as entries,
                min(a.owner_id::text) filter (where a.kind = 'budget') as owner,
                min(a.counterparty_id::text) filter (where a.kind = 'budget') as purpose,
                min(a.kind) filter (where a.kind <> 'budget') as other, count(distinct a.owner_id) as owners
            from ledger.entry e join ledger.account a on a.id = e.account_id
            where a.book_id = any(%(books)s) group by 1, 2
        )
        select r.id as record, r.kind, r.sequence, r.merchant_id as issuer, r.payload ->> 'points' as told, t.budget,
            t.other, v.mode
        from {RECORDS} r
        left join touched t on t.batch_id = r.batch_id and t.n = r.n
        left join {MODES} v on v.merchant_id = r.merchant_id and v.since < r.sequence
            and (v.until is null or v.until > r.sequence)
        where r.kind in ('budget_set', 'budget_released') and (
            t.budget is distinct from (r.payload ->> 'points')::bigint * case r.kind when 'budget_set' then 1 else -1 end
            or (t.owner, t.purpose, t.entries, t.owners)
                is distinct from (r.merchant_id::text, r.subject_id::text, 2::bigint, 1::bigint)
            or t.other is distinct from case v.mode when 'prefunded' then 'pool' when 'deferred' then 'credit' else 'own' end
            or (r.payload ->> 'funding', (r.payload ->> 'unit_value_minor')::bigint)
                is distinct from (v.mode, v.unit_value_minor))
        union all
        select r.id, r.kind, r.sequence, r.merchant_id, null, t.budget, t.other, null
        from touched t join {RECORDS} r on r.batch_id = t.batch_id and r.n = t.n
        where t.budget is not null and r.kind not in ('budget_set', 'budget_released', 'sale')
        """
    )


@check(
    "sponsorships_recorded",
    "every sponsorship is as its records tell it, ended at most once, and an ended one's budget is empty",
    over="sponsorship",
)
def sponsorships_recorded(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select coalesce(s.id, t.id) as sponsorship, t.since as sequence, s.state, t.until as ended, a.balance as left_over
        from {_SPONSORSHIPS} t
        full join (select * from merchants.sponsorship where book_id = any(%(books)s)) s on s.id = t.id
        left join ledger.account a on a.kind = 'budget' and a.counterparty_id = coalesce(s.id, t.id)
        where (s.book_id, s.merchant_id, s.rules, s.begins_at, s.ends_at, s.opened_at, s.ended_at, s.state,
               to_jsonb(s.shops))
            is distinct from (t.book_id, t.merchant_id, t.rules, t.begins_at, t.ends_at, t.opened_at, t.ended_at,
               case when t.until is null then 'open' else 'ended' end, t.shops)
            or (t.until is not null and a.balance <> 0) or (a.owner_id is not null and a.owner_id <> s.merchant_id)
        """
    )


@check(
    "bonuses_issued",
    "every bonus that a sale tells is one lot of its issuer, paid from that sponsorship's or offer's budget, and no other is there",
    over="bonus",
)
def bonuses_issued(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with agreed as materialized (
            select id from {_SPONSORSHIPS} s
            union select subject_id from {RECORDS} r where kind = 'offer_launched'
        ), paid as (
            select e.batch_id, e.n, r.subject_id as sale_id, a.owner_id, a.counterparty_id as purpose,
                -sum(e.amount) as points
            from ledger.account a join ledger.entry e on e.account_id = a.id
            join ledger.record r on r.batch_id = e.batch_id and r.n = e.n and r.kind = 'sale'
            where a.book_id = any(%(books)s) and a.kind = 'budget' group by 1, 2, 3, 4, 5
        ), lots as (
            select l.sale_id, l.rule_id, min(l.id::text)::uuid as id, count(*) as lots, sum(l.points) as points,
                min(l.issuer_id::text)::uuid as issuer_id
            from ledger.lot l join (select distinct id from agreed) s on s.id = l.rule_id
            where l.book_id = any(%(books)s) and l.parent_id is null group by 1, 2
        )
        select coalesce(t.sale_id, p.sale_id, b.sale_id, l.sale_id) as sale, t.record, t.sequence,
            coalesce(t.giver, p.purpose, b.giver_id, l.rule_id) as sponsorship, t.points as told,
            p.points as paid, b.points as of_row, l.points as issued
        from (select * from {TOLD} told where refused is null) t
        full join paid p on p.sale_id = t.sale_id and p.purpose = t.giver
        full join (select * from merchants.bonus where book_id = any(%(books)s)) b
            on b.sale_id = coalesce(t.sale_id, p.sale_id) and b.giver_id = coalesce(t.giver, p.purpose)
        full join lots l on l.sale_id = coalesce(t.sale_id, p.sale_id, b.sale_id)
            and l.rule_id = coalesce(t.giver, p.purpose, b.giver_id)
        where t.record is null or t.points <= 0 or l.lots is distinct from 1
            or (t.points, t.issuer) is distinct from (p.points::bigint, p.owner_id)
            or (t.points, t.issuer, l.id) is distinct from (b.points, b.issuer_id, b.lot_id)
            or (t.points, t.issuer) is distinct from (l.points::bigint, l.issuer_id)
        """
    )


@check(
    "bonuses_agreed",
    "a sponsor gave only while its sponsorship was in force, at shops that are in it, and no points where it was refused",
    over="bonus",
)
def bonuses_agreed(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with agreed as materialized (select * from {_SPONSORSHIPS} s)
        select t.record, t.sequence, t.shop, t.sponsorship, s.since, s.until, t.points, t.refused
        from {TOLD} t left join agreed s on s.id = t.sponsorship
        where t.offer is null and (s.id is null or t.member_id is null or t.issuer is distinct from s.merchant_id or t.shop = s.merchant_id
            or s.since > t.sequence or s.until < t.sequence or t.at < s.begins_at or t.at >= s.ends_at
            or not coalesce(s.shops ? t.shop::text, true) or (t.refused is not null and t.points <> 0))
        """
    )


@check(
    "bonuses_taken_back",
    "what is written of each bonus as taken back and returned is the sum of what refunds of its sale tell of its lot",
    over="bonus",
)
def bonuses_taken_back(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select b.sale_id as sale, b.giver_id as sponsorship, b.taken_back, coalesce(p.points, 0) as told
        from merchants.bonus b
        left join (
            select r.subject_id as sale_id, part.lot, sum(part.points) as points, sum(part.returned) as returned
            from {RECORDS} r
            cross join lateral jsonb_to_recordset(r.payload -> 'parts') as part(lot uuid, points bigint, returned bigint)
            where r.kind = 'refund' group by 1, 2
        ) p on p.sale_id = b.sale_id and p.lot = b.lot_id
        where b.book_id = any(%(books)s)
            and (b.taken_back, b.returned) <> (coalesce(p.points, 0), coalesce(p.returned, 0))
        """
    )
