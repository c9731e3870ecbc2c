"""Households: who was in which when, told by the records alone, and that nobody else consented for another's wallet."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from collections.abc import Iterable
from typing import Final

from ledger.audit.proving import Checks, Row, Scope
from ledger.audit.sequence import RECORDS

check = Checks()

#: Every stay of a member in a household: from which record, and until which; and what the household is.
_STAYS: Final = f"""
facts as materialized (
    select r.*, (r.payload ->> 'monthly_points')::bigint as monthly_points from {RECORDS} r where r.kind like 'household%%'
), stays as materialized (
    select j.subject_id as household_id, j.member_id, j.sequence as since,
        (select min(l.sequence) from facts l where l.subject_id = j.subject_id and l.sequence > j.sequence
            and (l.kind = 'household_ended' or (l.kind = 'household_left' and l.member_id = j.member_id))) as until,
        c.payload ->> 'household_kind' as kind, c.member_id as creator
    from facts j join facts c on c.subject_id = j.subject_id and c.kind = 'household_created'
    where j.kind in ('household_created', 'household_joined')
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
        )
        select c.subject_id as redemption, c.id as record, c.owner, c.spender
        from consented c
        where c.owner = c.spender or not exists (
            select from stays o join stays p on p.household_id = o.household_id
            where o.member_id = c.owner and p.member_id = c.spender
                and o.since < c.sequence and (o.until is null or o.until > c.sequence)
                and p.since < c.sequence and (p.until is null or p.until > c.sequence)
                and case o.kind when 'company' then o.creator = c.owner else
                    (select f.monthly_points from facts f where f.kind = 'household_sharing'
                        and f.subject_id = o.household_id and f.member_id = c.owner and f.sequence > o.since
                        and f.sequence < c.sequence order by f.sequence desc limit 1) is not null end
        )
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
            select s.household_id, s.member_id,
                (select f.monthly_points from facts f where f.kind = 'household_sharing' and f.sequence > s.since
                    and f.subject_id = s.household_id and f.member_id = s.member_id
                    order by f.sequence desc limit 1) as shared_points,
                count(*) over (partition by s.member_id) as households
            from stays s where s.until is null
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
