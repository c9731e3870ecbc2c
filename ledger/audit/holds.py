"""Holds: what was set aside, how it ended, and that it ended once and in time."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from collections.abc import Iterable
from typing import Final

from ledger.audit.funding import LOTS, funded
from ledger.audit.proving import Checks, Row, Scope
from ledger.audit.sequence import RECORDS

check = Checks()

#: The records by which a hold ends, and the state each leaves. The rest of a capture in part goes with the capture:
#: `rests_given_back` holds it to that.
_ENDS: Final = """
(values ('capture', 'captured'), ('void', 'voided'), ('lapse', 'lapsed')) as ending(kind, state)
    on ending.kind = r.kind and not (r.kind = 'void' and r.payload -> 'rest_of' is not null)
"""


@check(
    "holds_recorded",
    "every hold is as its record tells it: member, shop, points, value, deadline, and slices with their lots' facts",
    over="hold",
)
def holds_recorded(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with records as (select * from {RECORDS} r where r.kind = 'hold'),
        -- flat: every slice of every hold meets its lot in one join, not one join a record
        sliced as (
            select slice.record_id, array_agg(slice.lot order by place) as lots,
                array_agg(slice.points order by place) as parts, sum(slice.points) as points,
                sum(slice.points * slice.unit_value_minor) as worth,
                count(*) filter (where (slice.issuer, slice.funding, slice.unit_value_minor, slice.member_id)
                    is distinct from (l.issuer_id, {funded("slice.sequence")}, l.unit_value_minor, l.member_id))
                    as unlike
            from (
                select r.id as record_id, r.member_id, r.sequence, slice.*
                from records r, rows from (jsonb_to_recordset(r.payload -> 'slices')
                    as (lot uuid, issuer uuid, funding text, unit_value_minor bigint, points bigint))
                    with ordinality as slice(lot, issuer, funding, unit_value_minor, points, place)
            ) slice
            left join {LOTS} l on l.id = slice.lot
            group by slice.record_id
        ),
        told as (
            select r.*, s.lots, s.parts, s.points as sliced, s.worth, coalesce(s.unlike, 0) as unlike
            from records r left join sliced s on s.record_id = r.id
        )
        select coalesce(h.id, t.subject_id) as hold, t.id as record, t.sequence,
            case when t.id is null then 'no record tells of it' when h.id is null then 'told of, but no such hold'
                 when t.unlike > 0 then 'a slice is unlike its lot'
                 else 'unlike what its record tells' end as why
        from told t
        full join (select * from ledger.hold where book_id = any(%(books)s)) h on h.id = t.subject_id
        where (h.book_id, h.member_id, h.acceptor_id, h.points, h.deadline, h.lot_ids, h.lot_points, h.batch_id, h.n)
            is distinct from (t.book_id, t.member_id, t.merchant_id, (t.payload ->> 'points')::bigint,
                (t.payload ->> 'deadline')::timestamptz, t.lots, t.parts, t.batch_id, t.n)
            or t.sliced is distinct from h.points or t.worth is distinct from (t.payload ->> 'value_minor')::bigint
            or t.unlike > 0
        """
    )


@check(
    "holds_end_once",
    "a hold is captured, voided or lapsed at most once, after it was taken, by its own shop's record; its state says how",
    over="hold",
)
def holds_end_once(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with ended as (
            select r.subject_id, count(*) as times, min(ending.state) as state, min(r.sequence) as sequence,
                min(r.id::text) as record, bool_and(r.member_id = h.member_id and r.merchant_id = h.acceptor_id
                    and r.sequence > b.first_sequence + h.n) as fits
            from {RECORDS} r join {_ENDS}
            left join ledger.hold h on h.id = r.subject_id left join ledger.batch b on b.id = h.batch_id
            group by 1
        )
        select coalesce(h.id, e.subject_id) as hold, h.state, coalesce(e.times, 0) as endings, e.state as ended_as,
            e.record, e.sequence
        from (select * from ledger.hold where book_id = any(%(books)s)) h
        full join ended e on e.subject_id = h.id
        where h.id is null or coalesce(e.times, 0) > 1 or not coalesce(e.fits, true)
            or h.state <> coalesce(e.state, 'open')
        """
    )


@check("captures_in_time", "no hold was captured at its deadline or after, and none lapsed before it", over="hold")
def captures_in_time(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select h.id as hold, r.id as record, r.kind, r.at, h.deadline
        from ledger.record r join ledger.hold h on h.id = r.subject_id
        where r.book_id = any(%(books)s)
          and case r.kind when 'capture' then r.at >= h.deadline when 'lapse' then r.at < h.deadline else false end
        """
    )


@check(
    "holds_move_their_slices",
    "taking, capturing and releasing a hold moved exactly its slices, lot by lot, and a capture names them again",
    over="hold",
)
def holds_move_their_slices(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with sliced as (
            -- of the hold's points in their order, a capture in part moves the first, its rest the last
            select r.batch_id, r.n, r.kind, r.merchant_id, slice.lot_id,
                greatest(0, least(slice.upto, reach.upto) - greatest(slice.upto - slice.points, reach.beyond)) as points
            from {RECORDS} r join ledger.hold h on h.id = r.subject_id
            cross join lateral (select
                case when r.payload -> 'rest_of' is null then 0 else h.points - (r.payload ->> 'points')::bigint end as beyond,
                case r.kind when 'capture' then (r.payload ->> 'points')::bigint else h.points end as upto) reach
            cross join lateral (select lot_id, points, sum(points) over (order by place) as upto
                from unnest(h.lot_ids, h.lot_points) with ordinality as slice(lot_id, points, place)) slice
            where r.kind in ('hold', 'capture', 'void', 'lapse')
        ), sides as (
            select s.batch_id, s.n, s.lot_id, path.source, path.target, path.acceptor, s.points as wanted, 0 as moved,
                0 as named
            from sliced s cross join lateral (select
                case s.kind when 'hold' then 'wallet' else 'held' end as source,
                case s.kind when 'hold' then 'held' when 'capture' then 'accepted' else 'wallet' end as target,
                case s.kind when 'capture' then s.merchant_id end as acceptor) path
            union all
            select m.batch_id, m.n, m.lot_id, m.source, m.target, m.merchant_id, 0, m.points, 0
            from ledger.lot_move m join ledger.record r on r.batch_id = m.batch_id and r.n = m.n
            where r.book_id = any(%(books)s) and r.kind in ('hold', 'capture', 'void', 'lapse')
            union all
            select r.batch_id, r.n, slice.lot, 'held', 'accepted', r.merchant_id, 0, 0, slice.points
            from ledger.record r
            cross join jsonb_to_recordset(r.payload -> 'slices') as slice(lot uuid, points bigint)
            where r.book_id = any(%(books)s) and r.kind = 'capture'
        )
        select batch_id as batch, n, lot_id as lot, source, target, acceptor, sum(wanted) as of_the_hold,
            sum(moved) as moved, sum(named) as named
        from sides group by 1, 2, 3, 4, 5, 6
        having sum(wanted) <> sum(moved) or (target = 'accepted' and sum(named) <> sum(moved))
        """
    )


@check(
    "endings_say_what_they_moved",
    "a capture, void or lapse tells the points it moved of the hold, a capture their value and its shop's rate as well",
    over="hold",
)
def endings_say_what_they_moved(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with contracts as (
            select merchant_id, (payload ->> 'contract')::uuid as contract_id, sequence,
                (payload ->> 'redemption_fee_ppm')::int as redemption_fee_ppm
            from {RECORDS} r where kind = 'contract'
        )
        select r.id as record, r.kind, r.subject_id as hold, r.payload ->> 'points' as points, h.points as of_the_hold,
            r.payload ->> 'value_minor' as value, o.payload ->> 'value_minor' as value_of_the_hold,
            r.payload ->> 'redemption_fee_ppm' as rate, c.redemption_fee_ppm as agreed
        from {RECORDS} r
        join ledger.hold h on h.id = r.subject_id
        left join ledger.record o on o.batch_id = h.batch_id and o.n = h.n
        left join ledger.record rest on rest.batch_id = r.batch_id and rest.n = r.n + 1 and rest.kind = 'void'
            and rest.subject_id = r.subject_id and rest.payload ->> 'rest_of' = r.id::text
        left join lateral (select sum(m.points * l.unit_value_minor)::text as value from ledger.lot_move m
            join ledger.lot l on l.id = m.lot_id where m.batch_id = r.batch_id and m.n = r.n and rest.id is not null
            ) part on rest.id is not null
        left join contracts c on r.kind = 'capture' and c.merchant_id = r.merchant_id and c.sequence < r.sequence
            and c.contract_id = (r.payload ->> 'contract')::uuid
        where r.kind in ('capture', 'void', 'lapse') and (
            ((r.payload ->> 'points')::bigint + coalesce((rest.payload ->> 'points')::bigint, 0) is distinct from h.points
                and r.payload -> 'rest_of' is null)
            or (r.kind = 'capture' and (r.payload ->> 'value_minor')
                is distinct from coalesce(part.value, o.payload ->> 'value_minor'))
            or (r.kind = 'capture' and (r.payload ->> 'redemption_fee_ppm')::int
                is distinct from c.redemption_fee_ppm)
            or (r.kind = 'capture' and c.contract_id is null))
        """
    )


@check(
    "rests_given_back",
    "only a voucher is captured in part, and what it did not spend went back in the very next record, together all of it",
    over="hold",
)
def rests_given_back(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select r.subject_id as hold, r.id as record, r.sequence, r.payload ->> 'points' as given_back,
            c.payload ->> 'points' as captured, h.points as of_the_hold
        from {RECORDS} r
        left join ledger.record c on c.batch_id = r.batch_id and c.n = r.n - 1 and c.kind = 'capture'
            and c.subject_id = r.subject_id and c.id::text = r.payload ->> 'rest_of'
        left join ledger.hold h on h.id = r.subject_id
        left join merchants.voucher v on v.id = r.subject_id
        where r.payload -> 'rest_of' is not null and (r.kind <> 'void' or c.id is null or h.id is null or v.id is null
            or (r.merchant_id, r.member_id) is distinct from (h.acceptor_id, h.member_id)
            or (r.payload ->> 'points')::bigint <= 0 or (c.payload ->> 'points')::bigint <= 0
            or (r.payload ->> 'points')::bigint + (c.payload ->> 'points')::bigint is distinct from h.points)
        """
    )


@check("held_by_open_holds", "what each lot has held is the sum of the open holds' slices of it", over="lot")
def held_by_open_holds(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select coalesce(l.id, p.lot_id) as lot, coalesce(l.held, 0) as held, coalesce(p.points, 0) as pinned
        from (select id, held from ledger.lot where book_id = any(%(books)s)) l
        full join (
            select slice.lot_id, sum(slice.points) as points
            from ledger.hold h cross join unnest(h.lot_ids, h.lot_points) as slice(lot_id, points)
            where h.book_id = any(%(books)s) and h.state = 'open' group by 1
        ) p on p.lot_id = l.id
        where coalesce(l.held, 0) <> coalesce(p.points, 0)
        """
    )
