"""Reconciliation's proof from its raw rows: no line is used twice, nothing ends without a reason, and two people adjust."""

from collections.abc import Iterable

from ledger.audit import Check, Checks, Row, Scope

check = Checks()
CHECKS: list[Check] = check


@check(
    "lines_matched_once",
    "a line is in at most one standing match, and is matched exactly when it is in one",
    over="told_line",
)
def lines_matched_once(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        with used as (
            select m.book_id, line.id, count(*) as matches, min(m.id::text) as match
            from settlement.match m cross join unnest(m.line_ids) as line(id)
            where m.book_id = any(%(books)s) and m.state = 'standing' group by 1, 2
        ), legs as (
            select book_id, line_id as id, match_id::text as match from settlement.match_leg where book_id = any(%(books)s)
        )
        select coalesce(u.id, g.id, l.id) as line, coalesce(u.matches, 0) as matches, l.state, u.match, g.match as leg
        from (select * from settlement.told_line where book_id = any(%(books)s)) l
        full join used u on u.id = l.id
        full join legs g on g.id = coalesce(u.id, l.id)
        where coalesce(u.matches, 0) > 1 or (u.id is null) <> (g.id is null) or u.match is distinct from g.match
            or (l.state is not distinct from 'matched') <> (u.id is not null) or l.book_id is distinct from
                coalesce(u.book_id, l.book_id)
        """
    )


@check(
    "matches_add_up",
    "a match has lines of both sides of its source, and what its two sides differ by is what it says and its rule lets pass",
    over="match",
)
def matches_add_up(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select m.id as match, m.rule, m.difference_minor as told, s.difference, s.ours, s.theirs
        from settlement.match m
        cross join lateral (
            select count(*) filter (where l.side = 'ours') as ours, count(*) filter (where l.side = 'theirs') as theirs,
                coalesce(sum(case l.side when 'theirs' then l.amount_minor else l.fee_minor - l.amount_minor end), 0)
                    as difference,
                count(*) filter (where l.source <> m.source) as strange
            from settlement.told_line l where l.id = any(m.line_ids)
        ) s
        where m.book_id = any(%(books)s) and (s.ours = 0 or s.theirs = 0 or s.strange > 0
            or s.ours + s.theirs <> cardinality(m.line_ids) or s.difference <> m.difference_minor
            or (m.difference_minor <> 0 and (m.rule <> 'batch_within_rounding' or abs(m.difference_minor) > s.ours)))
        """
    )


@check(
    "breaks_end_with_reason",
    "a break stands as its last step says, and one that is resolved has a reason and, where it was adjusted, the record",
    over="break",
)
def breaks_end_with_reason(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select b.id as break, b.state, b.reason, b.record_id as record, a.state as adjustment, s.step
        from settlement.break b
        left join lateral (select step, by from settlement.break_step where break_id = b.id and step <> 'match_split'
            and step <> 'merged_with_others' order by n desc limit 1) s on true
        left join (select p.break_id, d.id as record_id, coalesce(d.state, 'proposed') as state
            from settlement.break_adjustment p left join (select id, subject_id, 'approved' as state from ledger.record
                where book_id = any(%(books)s) and kind = 'adjustment') d on d.subject_id = p.id
            where not exists (select from ledger.record n where n.book_id = p.book_id and n.kind = 'adjustment_rejected'
                and n.subject_id = p.id)) a on a.break_id = b.id
        left join ledger.record r on r.id = b.record_id and r.book_id = b.book_id
        where b.book_id = any(%(books)s) and (s.step is null or b.state <> case
                when s.step in ('found', 'found_again') then 'open' when s.step = 'explained' then 'explained'
                else 'resolved' end
            or (b.state = 'resolved' and (coalesce(trim(b.reason), '') = '' or b.ended_at is null
                or (s.step in ('resolved', 'merged') and (b.ended_by is null or b.ended_by is distinct from s.by))
                or a.state = 'proposed' and s.step = 'resolved'
                or a.state = 'approved' and s.step = 'resolved' and b.record_id is distinct from a.record_id))
            or (b.record_id is not null and r.id is null))
        """
    )


@check(
    "adjustments_of_breaks",
    "every adjustment that names a break is of one that there is, in its book, of its merchant, and no break has two that stand",
    over="break_adjustment",
)
def adjustments_of_breaks(scope: Scope) -> Iterable[Row]:
    # who proposed and who approved is proved with all adjustments
    return scope.rows(
        """
        with told as (
            select r.id, r.book_id, (r.payload ->> 'break')::uuid as break_id, r.payload,
                exists (select from ledger.record n where n.book_id = r.book_id and n.subject_id = r.id
                    and n.kind = 'adjustment_rejected') as rejected
            from ledger.record r
            where r.book_id = any(%(books)s) and r.kind = 'adjustment_proposed' and r.payload ? 'break'
        )
        select coalesce(a.id, t.id) as adjustment, coalesce(a.break_id, t.break_id) as break
        from told t
        full join (select * from settlement.break_adjustment where book_id = any(%(books)s)) a on a.id = t.id
        left join settlement.break b on b.id = t.break_id and b.book_id = t.book_id
        where (a.break_id, a.book_id) is distinct from (t.break_id, t.book_id) or b.id is null
            or b.merchant_id::text not in (t.payload ->> 'debtor', t.payload ->> 'creditor')
            or exists (select from told other where other.break_id = t.break_id and other.id <> t.id
                and not other.rejected and not t.rejected)
        """
    )
