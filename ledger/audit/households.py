"""Households: who was in which when, told by the records alone, and that nobody else consented for another's wallet."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from collections.abc import Iterable
from typing import Final

from ledger.audit.proving import Checks, Row, Scope
from ledger.audit.sequence import RECORDS

check = Checks()

#: Every stay of a member in a household: from which record and until which; and what members let others spend, likewise.
_STAYS: Final = f"""
facts as materialized (
    select r.*, (r.payload ->> 'monthly_points')::bigint as monthly_points from {RECORDS} r where r.kind like 'household%%'
), stays as materialized (
    select own.subject_id as household_id, own.member_id, own.sequence as since,
        least(own.next, ended.sequence) as until, made.payload ->> 'household_kind' as kind, made.member_id as creator
    from (select f.*, lead(sequence) over (partition by subject_id, member_id order by sequence) as next from facts f
          where kind in ('household_created', 'household_joined', 'household_left')) own
    join facts made on made.subject_id = own.subject_id and made.kind = 'household_created'
    left join (select subject_id, min(sequence) as sequence from facts where kind = 'household_ended' group by 1) ended
        on ended.subject_id = own.subject_id
    where own.kind <> 'household_left'
), shares as materialized (
    select subject_id as household_id, member_id, sequence as since, monthly_points,
        lead(sequence) over (partition by subject_id, member_id order by sequence) as until
    from facts where kind = 'household_sharing'
)
"""


@check(
    "consents_lawful",
    "whoever consented for another's wallet was in the owner's household at that moment, and the owner shared it",
    over="redemption",
)
def consents_lawful(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with {_STAYS}, consented as (
            select r.id, r.sequence, r.subject_id, r.member_id as owner, (r.payload ->> 'consented_by')::uuid as spender
            from {RECORDS} r where r.kind = 'hold' and r.payload ? 'consented_by'
        ), lawful as (
            select c.id from consented c
            join stays o on o.member_id = c.owner and o.since < c.sequence
                and (o.until is null or o.until > c.sequence)
            join stays p on p.household_id = o.household_id and p.member_id = c.spender and p.since < c.sequence
                and (p.until is null or p.until > c.sequence)
            left join shares s on s.household_id = o.household_id and s.member_id = o.member_id and s.since > o.since
                and s.since < c.sequence and (s.until is null or s.until > c.sequence)
            where c.owner <> c.spender
                and case o.kind when 'company' then o.creator = c.owner else s.monthly_points is not null end
        )
        select c.subject_id as redemption, c.id as record, c.owner, c.spender
        from consented c left join lawful on lawful.id = c.id where lawful.id is null
        """
    )


@check(
    "households_derived",
    "every household's people, and what they let others spend, are what its records say, and nobody is in two",
    over="household_person",
)
def households_derived(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with {_STAYS}, now_there as (
            select y.household_id, y.member_id, s.monthly_points as shared_points,
                count(*) over (partition by y.member_id) as households
            from stays y left join shares s on s.household_id = y.household_id and s.member_id = y.member_id
                and s.since > y.since and s.until is null
            where y.until is null
        )
        select coalesce(t.household_id, p.household_id) as household, coalesce(t.member_id, p.member_id) as member,
            t.households
        from now_there t
        full join (
            select p.* from merchants.household_person p join merchants.household h on h.id = p.household_id
            where h.book_id = any(%(books)s) and p.state = 'active' and h.state = 'active'
        ) p on p.household_id = t.household_id and p.member_id = t.member_id
        where t.member_id is null or p.member_id is null or t.households > 1
            or t.shared_points is distinct from p.shared_points
        """
    )


@check(
    "household_limits_held",
    "nobody spent more for another in a month than the owner, or the company, allowed at that moment",
    over="redemption",
)
def household_limits_held(scope: Scope) -> Iterable[Row]:
    # what was voided, lapsed or given back before counts no more, as it did not for the decision
    return scope.rows(
        f"""
        with {_STAYS}, consented as (
            select r.id, r.sequence, r.subject_id, r.member_id as owner, (r.payload ->> 'consented_by')::uuid as spender,
                (r.payload ->> 'points')::bigint as points,
                date_trunc('month', r.at at time zone k.time_zone) as month
            from {RECORDS} r join ledger.book k on k.id = r.book_id
            where r.kind = 'hold' and r.payload ? 'consented_by'
        ), back as materialized (
            select r.subject_id, r.sequence, (r.payload ->> 'points')::bigint as points
            from {RECORDS} r where r.kind in ('void', 'lapse', 'redemption_refund')
        ), limits as (
            select subject_id as household_id, member_id, sequence as since, monthly_points,
                lead(sequence) over (partition by subject_id, member_id order by sequence) as until
            from facts where kind in ('household_invited', 'household_limit')
        ), allowed as (
            select c.*, o.kind, case o.kind when 'company' then l.monthly_points else s.monthly_points end as most
            from consented c
            join stays o on o.member_id = c.owner and o.since < c.sequence and (o.until is null or o.until > c.sequence)
            left join shares s on s.household_id = o.household_id and s.member_id = c.owner and s.since > o.since
                and s.since < c.sequence and (s.until is null or s.until > c.sequence)
            left join limits l on l.household_id = o.household_id and l.member_id = c.spender and l.since < c.sequence
                and (l.until is null or l.until > c.sequence)
        ), pairs as (
            select a.id, a.sequence, b.subject_id, b.points
            from allowed a join consented b on b.owner = a.owner and b.month = a.month and b.sequence <= a.sequence
                and (a.kind = 'family' or b.spender = a.spender)
        ), spent as (
            select id, sum(points) as points from (
                select id, points from pairs
                union all
                select p.id, -b.points from pairs p join back b on b.subject_id = p.subject_id and b.sequence < p.sequence
            ) parts group by 1
        )
        select a.subject_id as redemption, a.id as record, a.owner, a.spender, s.points as spent, a.most
        from allowed a join spent s on s.id = a.id where s.points > a.most
        """
    )
