"""Brakes: between the record that stops something and the one that releases it, nothing happens that it forbids."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from collections.abc import Iterable
from typing import Final

from ledger.audit.proving import Checks, Row, Scope
from ledger.audit.sequence import RECORDS

check = Checks()

#: The kinds of records that brake, whether they stop or release, and what.
_KINDS: Final = """(values
    ('member_frozen', true, 'member'), ('member_unfrozen', false, 'member'),
    ('branch_frozen', true, 'branch'), ('branch_unfrozen', false, 'branch'),
    ('merchant_suspended', true, 'merchant'), ('merchant_resumed', false, 'merchant'),
    ('network_stopped', true, 'book'), ('network_resumed', false, 'book')) as brake(kind, stops, what)"""

#: Every act, each with the place of the next upon the same thing.
_ACTS: Final = f"""
(select r.*, brake.stops, brake.what,
    row_number() over acts as number,
    lag(brake.stops, 1, false) over acts as stopped_before,
    lead(r.sequence) over acts as until,
    row_number() over (partition by r.book_id, r.subject_id order by r.sequence desc) = 1 as newest
 from {RECORDS} r join {_KINDS} on brake.kind = r.kind
 window acts as (partition by r.book_id, r.subject_id order by r.sequence))
"""


@check(
    "brakes_alternate",
    "whatever is stopped is released before it is stopped again; the acts upon one thing are numbered from 1, by operators",
    over="brake",
)
def brakes_alternate(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select a.id as record, a.kind, a.subject_id as subject, a.sequence,
            case when a.stops = a.stopped_before then 'it was so already'
                 when v.revision is distinct from a.number then 'not counted in its order'
                 when b.record_id is null then 'nobody is told why' else 'unlike what is told of it' end as why
        from {_ACTS} a
        left join ledger.revision v on v.batch_id = a.batch_id and v.n = a.n
        left join merchants.brake b on b.record_id = a.id
        where a.stops = a.stopped_before or v.revision is distinct from a.number
            or (a.payload ->> 'revision')::int is distinct from a.number
            or (b.book_id, b.kind, b.subject_id, b.revision, b.at, b.operator_id)
                is distinct from (a.book_id, a.kind, a.subject_id, a.number::int, a.at,
                    (a.payload ->> 'operator')::uuid)
        union all
        select b.record_id, b.kind, b.subject_id, null, 'no such record'
        from merchants.brake b left join ledger.record r on r.id = b.record_id
        where b.book_id = any(%(books)s) and r.id is null
        """
    )


@check(
    "brakes_in_step",
    "members, branches, merchants, issuers and books are stopped exactly where their last record stopped them",
    over="brake",
)
def brakes_in_step(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with last as (select subject_id, book_id, what, stops from {_ACTS} a where newest),
        standing as (
            select book_id, id, 'member' as what, state = 'frozen' as stopped from merchants.member
            union all select book_id, id, 'branch', state = 'frozen' from merchants.branch
            union all select book_id, id, 'merchant', state = 'suspended' from merchants.merchant
            union all select i.book_id, i.merchant_id, 'merchant', i.suspended from ledger.issuer i
                left join merchants.merchant m on m.id = i.merchant_id where m.state is distinct from 'exited'
            union all select id, public_id, 'book', stopped from ledger.book
        ),
        gone as (
            select id from merchants.member where state = 'left' union all
            select id from merchants.branch where state = 'closed' union all
            select id from merchants.merchant where state = 'exited'
        )
        select coalesce(s.id, l.subject_id) as subject, coalesce(s.what, l.what) as what, s.stopped,
            coalesce(l.stops, false) as recorded
        from (select * from standing where book_id = any(%(books)s)) s
        full join last l on l.subject_id = s.id and l.what = s.what and l.book_id = s.book_id
        left join gone g on g.id = coalesce(s.id, l.subject_id)
        where s.stopped is distinct from coalesce(l.stops, false) and g.id is null
        """
    )


@check(
    "no_hold_behind_a_brake",
    "no points are set aside for a frozen member, at a frozen branch or by a suspended merchant",
    over="hold",
)
def no_hold_behind_a_brake(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select h.id as record, h.subject_id as hold, h.sequence, a.id as brake, a.kind
        from (
            select r.id, r.book_id, r.subject_id, r.sequence, braked.id as braked
            from {RECORDS} r left join merchants.redemption d on d.id = r.subject_id
            cross join lateral (values (r.member_id), (r.merchant_id), (d.branch_id)) as braked(id)
            where r.kind = 'hold'
        ) h
        join {_ACTS} a on a.subject_id = h.braked and a.book_id = h.book_id
        where a.stops and h.sequence > a.sequence and h.sequence < coalesce(a.until, h.sequence + 1)
        """
    )


@check(
    "no_earning_behind_a_brake",
    "no sale of a suspended merchant or at a frozen branch earns points",
    over="sale",
)
def no_earning_behind_a_brake(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select s.id as record, s.subject_id as sale, s.sequence, a.id as brake, a.kind
        from (
            select r.id, r.book_id, r.subject_id, r.sequence, braked.id as braked
            from {RECORDS} r
            cross join lateral (values (r.merchant_id), ((r.payload ->> 'branch')::uuid)) as braked(id)
            where r.kind = 'sale' and (r.payload ->> 'points')::bigint > 0
        ) s
        join {_ACTS} a on a.subject_id = s.braked and a.book_id = s.book_id
        where a.stops and s.sequence > a.sequence and s.sequence < coalesce(a.until, s.sequence + 1)
        """
    )


@check(
    "nothing_while_stopped",
    "between the record that stopped a network and the one that let it run again there is none but of brakes",
    over="record",
)
def nothing_while_stopped(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select r.id as record, r.kind, r.sequence, a.id as stopped
        from {RECORDS} r join {_ACTS} a on a.book_id = r.book_id and a.kind = 'network_stopped'
        left join {_KINDS} on brake.kind = r.kind
        where brake.kind is null and r.sequence > a.sequence and r.sequence < coalesce(a.until, r.sequence + 1)
        """
    )


@check(
    "velocity_limits_in_force",
    "the velocity limits of a book are those of its last record, and each list has its number",
    over="velocity_limit",
)
def velocity_limits_in_force(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with lists as (
            select r.*, v.revision, row_number() over (partition by r.book_id order by r.sequence) as number,
                row_number() over (partition by r.book_id order by r.sequence desc) = 1 as newest
            from {RECORDS} r left join ledger.revision v on v.batch_id = r.batch_id and v.n = r.n
            where r.kind = 'velocity_limits'
        ),
        told as (
            select l.id as record, l.book_id, x.subject, x.what, x.per_minutes, x.most
            from lists l cross join lateral jsonb_to_recordset(l.payload -> 'limits')
                as x(subject text, what text, per_minutes int, most bigint)
            where l.newest
        )
        select coalesce(t.book_id, f.book_id) as book, coalesce(t.subject, f.subject) as subject,
            coalesce(t.what, f.what) as what, coalesce(t.per_minutes, f.per_minutes) as per_minutes, t.most as recorded,
            f.most as in_force
        from told t
        full join (select * from merchants.velocity_limit where book_id = any(%(books)s)) f
            on f.book_id = t.book_id and f.subject = t.subject and f.what = t.what and f.per_minutes = t.per_minutes
        where t.most is distinct from f.most
        union all
        select book_id, id::text, 'not counted in its order', null, number, revision from lists
        where revision is distinct from number or (payload ->> 'revision')::int is distinct from number
        """
    )


#: What a limit counts, by its record: the kind, and how much of it each is.
_COUNTED: Final = {
    "earn_points": ("sale", "points"),
    "sale_count": ("sale", "1"),
    "redeem_points": ("hold", "points"),
    "redeem_count": ("hold", "1"),
}
#: Whose it is. The key that asked is the actor: of the request, where a member approved it.
_SUBJECTS: Final = {
    "member": "r.member_id::text",
    "merchant": "r.merchant_id::text",
    "key": "case when coalesce(asked.actor, r.actor) like 'key\\_%%' then coalesce(asked.actor, r.actor) end",
}


@check(
    "velocity_kept",
    "while a velocity limit was in force, no time as long as its own saw more pass than it allows",
    over="velocity_limit",
)
def velocity_kept(scope: Scope) -> Iterable[Row]:
    lists = scope.stream(
        f"""
        select r.book_id, r.sequence, lead(r.sequence) over (partition by r.book_id order by r.sequence), r.payload
        from {RECORDS} r where r.kind = 'velocity_limits'
        """
    )
    for book, since, until, payload in list(lists):
        for limit in payload["limits"]:
            yield from _passed(scope, book, since, until, limit)


def _passed(scope: Scope, book: int, since: int, until: int | None, limit: Row) -> Iterable[Row]:
    """Records with which one limit was passed, between the record that put it in force and the next list."""
    kind, amount = _COUNTED[limit["what"]]
    return scope.rows(
        f"""
        with counted as (
            select r.id, r.sequence, r.at, {_SUBJECTS[limit["subject"]]} as subject,
                (r.payload ->> 'points')::bigint as points
            from {RECORDS} r left join ledger.record asked on asked.id = (r.payload ->> 'approval')::uuid
            where r.book_id = %(book)s and r.kind = %(kind)s and r.sequence > %(since)s
                and r.sequence < coalesce(%(until)s::bigint, r.sequence + 1)
        ),
        added as (
            select c.*, sum({amount}) over (partition by subject order by at
                range between make_interval(mins => %(minutes)s) preceding and current row) as passed
            from counted c where subject is not null and points > 0
        )
        select id as record, sequence, subject, %(what)s::text as what, passed, %(most)s::bigint as most
        from added where passed > %(most)s
        """,
        book=book,
        kind=kind,
        since=since,
        until=until,
        minutes=limit["per_minutes"],
        what=limit["what"],
        most=limit["most"],
    )
