"""Approvals: what a shop asked is what its record tells, ended once or awaits, and a yes took what was asked and no more."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from collections.abc import Iterable

from ledger.audit.proving import Checks, Row, Scope
from ledger.audit.sequence import RECORDS

check = Checks()


@check(
    "approvals_recorded",
    "every request for approval is as its record tells it, and ended as the one record of its end says, or awaits",
    over="approval",
)
def approvals_recorded(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with asked as (
            select * from {RECORDS} r where r.kind = 'approval_asked'
        ), ended as (
            select r.subject_id, count(*) as times, min(r.sequence) as sequence, min(r.at) as at, min(r.kind) as kind,
                bool_and((r.merchant_id, r.member_id) is not distinct from (a.merchant_id, a.member_id)) as alike
            from {RECORDS} r left join asked a on a.subject_id = r.subject_id
            where r.kind in ('approval_declined', 'approval_withdrawn', 'approval_lapsed')
                or (r.kind = 'hold' and r.payload ? 'approval') group by 1
        )
        select coalesce(v.id, a.subject_id, e.subject_id) as approval, a.id as record, v.state,
            case when a.id is null then 'no record tells of it' when v.id is null then 'told of, but no such request'
                 when coalesce(e.times, 0) > 1 then 'ended more than once'
                 when e.times = 1 and not e.alike then 'ended for somebody else'
                 when e.sequence < a.sequence then 'ended before it was asked'
                 else 'unlike what its records tell' end as why
        from asked a
        full join (select * from merchants.approval where book_id = any(%(books)s)) v on v.id = a.subject_id
        full join ended e on e.subject_id = coalesce(v.id, a.subject_id)
        where coalesce(e.times, 0) > 1 or not coalesce(e.alike, true) or e.sequence < a.sequence
            or (v.book_id, v.merchant_id, v.member_id, v.asked_by, v.branch_id, v.at, v.deadline, v.points, v.value_minor,
                v.capture, v.batch_id, v.n)
                is distinct from (a.book_id, a.merchant_id, a.member_id, a.actor, (a.payload ->> 'branch')::uuid, a.at,
                    (a.payload ->> 'deadline')::timestamptz, (a.payload ->> 'points')::bigint,
                    (a.payload ->> 'value_minor')::bigint, (a.payload ->> 'capture')::boolean, a.batch_id, a.n)
            or v.state is distinct from case e.kind when 'approval_declined' then 'declined'
                when 'approval_withdrawn' then 'withdrawn' when 'approval_lapsed' then 'lapsed' when 'hold' then 'approved'
                else 'awaiting' end
            or (e.kind in ('hold', 'approval_declined') and e.at >= v.deadline)
            or (e.kind = 'approval_lapsed' and e.at < v.deadline)
        """
    )


@check(
    "approvals_took_what_was_asked",
    "a redemption that was approved is of the request that its hold names: its points, or points worth no more, there",
    over="approval",
)
def approvals_took_what_was_asked(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select coalesce(d.id, h.subject_id) as redemption, h.id as record, v.id as approval,
            h.payload ->> 'points' as took, v.points as asked
        from (select * from {RECORDS} r where r.kind = 'hold' and r.payload ? 'approval') h
        left join merchants.approval v on v.id = h.subject_id
        left join {RECORDS} a on a.kind = 'approval_asked' and a.subject_id = h.subject_id
        full join (select * from merchants.redemption where book_id = any(%(books)s) and consent = 'wallet') d
            on d.id = h.subject_id
        where d.id is null or v.id is null or (h.payload ->> 'approval')::uuid is distinct from a.id
            or (h.payload ->> 'points')::bigint is distinct from coalesce(v.points, (h.payload ->> 'points')::bigint)
            or (h.payload ->> 'value_minor')::bigint > coalesce(v.value_minor, (h.payload ->> 'value_minor')::bigint)
            or (d.merchant_id, d.branch_id, d.till_id, d.member_id, d.external_reference)
                is distinct from (v.merchant_id, v.branch_id, v.till_id, v.member_id, v.external_reference)
            or (v.capture and not exists (select from {RECORDS} c where c.kind = 'capture' and c.subject_id = d.id))
        """
    )
