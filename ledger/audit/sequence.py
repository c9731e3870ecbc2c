"""The sequence: no gap, no record without its batch, no entry or lot move without its record."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from collections.abc import Iterable
from typing import Final

from ledger.audit.proving import Checks, Row, Scope
from ledger.books import FIRST_SEQUENCE

check = Checks()

#: The records in the order of the book.
RECORDS: Final = """
(select r.*, b.first_sequence + r.n as sequence
 from ledger.record r join ledger.batch b on b.id = r.batch_id where r.book_id = any(%(books)s))
"""

#: Kinds whose steps are counted under an id that is derived from their subject's.
_DERIVED: Final = (
    "terms",
    "member_frozen",
    "member_unfrozen",
    "branch_frozen",
    "branch_unfrozen",
    "merchant_suspended",
    "merchant_resumed",
    "network_stopped",
    "network_resumed",
    "velocity_limits",
    "pay_in_grace",
    "pay_in_warned",
    "pay_in_missed",
    "ladder",
)


@check(
    "sequence_gap_free",
    "each batch begins where the one before it ended, the first at the beginning, and the head stands at the end",
    over="batch",
)
def sequence_gap_free(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        with placed as (
            select book_id, id as batch, first_sequence, records,
                lag(first_sequence + records, 1, %(first)s::bigint)
                    over (partition by book_id order by first_sequence) as expected
            from ledger.batch where book_id = any(%(books)s)
        ), ends as (
            select book_id, max(first_sequence + records) as until from placed group by book_id
        )
        select book_id, batch, first_sequence as found, expected from placed where first_sequence <> expected
        union all
        select coalesce(h.book_id, e.book_id), null, h.next_sequence, coalesce(e.until, %(first)s)
        from (select * from ledger.head where book_id = any(%(books)s)) h
        full join ends e on e.book_id = h.book_id
        where h.next_sequence is distinct from coalesce(e.until, %(first)s)
        """,
        first=FIRST_SEQUENCE,
    )


@check(
    "batches_whole",
    "a batch has as many records as it says, numbered from 0 without a gap, of its own book; no record is without a batch",
    over="record",
)
def batches_whole(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        with held as (
            select batch_id, count(*) as records, min(n) as first_n, max(n) as last_n, count(distinct n) as numbers,
                min(book_id) as least_book, max(book_id) as largest_book
            from ledger.record group by batch_id
        )
        select coalesce(b.id, h.batch_id) as batch, b.book_id, b.first_sequence, b.records as said,
            coalesce(h.records, 0) as found, h.first_n, h.last_n
        from ledger.batch b full join held h on h.batch_id = b.id
        where (coalesce(b.book_id, h.least_book) = any(%(books)s) or h.largest_book = any(%(books)s))
          and (b.id is null or h.batch_id is null or h.records <> b.records or h.numbers <> b.records
               or h.first_n <> 0 or h.last_n <> b.records - 1
               or h.least_book <> b.book_id or h.largest_book <> b.book_id)
        order by 1
        """
    )


@check(
    "entries_belong",
    "every entry hangs off a record and an account of the same book, and a record's entries are numbered without a gap",
    over="entry",
)
def entries_belong(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select e.batch_id as batch, e.n, e.ordinal, e.account_id as account, e.amount,
            case when r.id is null then 'no such record' when a.id is null then 'no such account'
                 else 'an account of another book' end as why
        from ledger.entry e
        left join ledger.record r on r.batch_id = e.batch_id and r.n = e.n
        left join ledger.account a on a.id = e.account_id
        where (r.id is null or a.id is null or r.book_id <> a.book_id)
          and (coalesce(r.book_id, a.book_id) is null or coalesce(r.book_id, a.book_id) = any(%(books)s))
        union all
        select e.batch_id, e.n, max(e.ordinal), null, null, 'entries are missing or numbered twice'
        from ledger.entry e
        group by e.batch_id, e.n
        having min(e.ordinal) <> 0 or max(e.ordinal) <> count(*) - 1 or count(distinct e.ordinal) <> count(*)
        """
    )


@check(
    "lot_moves_belong",
    "every lot move hangs off a record and a lot of the same book, and a record's moves are numbered without a gap",
    over="lot_move",
)
def lot_moves_belong(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select m.batch_id as batch, m.n, m.ordinal, m.lot_id as lot, m.points,
            case when r.id is null then 'no such record' when l.id is null then 'no such lot'
                 else 'a lot of another book' end as why
        from ledger.lot_move m
        left join ledger.record r on r.batch_id = m.batch_id and r.n = m.n
        left join ledger.lot l on l.id = m.lot_id
        where (r.id is null or l.id is null or r.book_id <> l.book_id)
          and (coalesce(r.book_id, l.book_id) is null or coalesce(r.book_id, l.book_id) = any(%(books)s))
        union all
        select m.batch_id, m.n, max(m.ordinal), null, null, 'moves are missing or numbered twice'
        from ledger.lot_move m
        group by m.batch_id, m.n
        having min(m.ordinal) <> 0 or max(m.ordinal) <> count(*) - 1 or count(distinct m.ordinal) <> count(*)
        """
    )


@check(
    "steps_taken_once",
    "every step of a thing that people move on has its record, numbered from 1 in the order of the book, each taken once",
    over="revision",
)
def steps_taken_once(scope: Scope) -> Iterable[Row]:
    # terms, brakes, velocity limits and missing pay-ins are counted under ids derived from those they are of, the records' subjects;
    # how brakes and limits are numbered is proved apart
    return scope.rows(
        f"""
        with steps as (
            select v.*, r.id as record, r.kind, r.sequence, r.subject_id as of_record,
                row_number() over (partition by v.book_id, v.subject_id order by r.sequence, v.revision) as expected
            from ledger.revision v left join {RECORDS} r on r.batch_id = v.batch_id and r.n = v.n
            where v.book_id = any(%(books)s)
        )
        select subject_id as subject, revision, expected, batch_id as batch, n,
            case when record is null then 'no such record' when revision <> expected then 'taken twice, or out of order'
                 else 'a record of another subject' end as why
        from steps
        where record is null or revision <> expected or (kind <> all(%(derived)s::text[])
            and of_record is distinct from subject_id)
        """,
        derived=list(_DERIVED),
    )
