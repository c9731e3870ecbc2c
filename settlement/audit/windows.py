"""The stream as settlement followed it, and its windows: what they hold, who took them where, in which order."""
# ruff: noqa: S608 - the statements are composed of this module's own constants

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from ledger.audit import Checks, Row, Scope
from settlement.audit.rows import EVENTS

check = Checks()


@check("consumer_within", "settlement has taken in no more records than there are", over="head")
def consumer_within(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select c.book_id as book, c.next_sequence as consumed_up_to, h.next_sequence as end
        from settlement.consumer c left join ledger.head h on h.book_id = c.book_id
        where c.book_id = any(%(books)s) and c.next_sequence > coalesce(h.next_sequence, 0)
        """
    )


@check(
    "partitions_of_one_topic",
    "where settlement reads on in a book's topic is told for each of its partitions, and for one topic",
    over="partition",
)
def partitions_of_one_topic(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select p.book_id as book, p.partitions, p.topics, p.last_partition, r.partitions as published_into
        from (select book_id, count(*) as partitions, count(distinct topic_id) as topics, max(partition) as last_partition,
                min(partition) as first_partition, min(next_offset) as lowest, min(topic_id) as topic_id
              from settlement.partition where book_id = any(%(books)s) group by 1) p
        left join ledger.relay r on r.book_id = p.book_id and r.topic_id = p.topic_id
        where p.topics > 1 or p.first_partition <> 0 or p.last_partition <> p.partitions - 1 or p.lowest < 0
            or p.partitions <> coalesce(r.partitions, p.partitions)
        """
    )


@check(
    "windows_contiguous",
    "windows follow one another without gap or overlap, each ended by its close record and frozen at its hash",
    over="window",
)
def windows_contiguous(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with closes as (
            select book_id, window_number, sequence, at, hash, subject_id, told_window,
                lag(sequence) over (partition by book_id order by sequence) as before
            from {EVENTS} e where kind = 'window_closed'
        ), starts as (
            select book_id, min(first_sequence) as first from ledger.batch where book_id = any(%(books)s) group by 1
        ), derived as (
            select c.book_id, c.window_number as number, coalesce(c.before + 1, s.first) as first_sequence,
                c.sequence as last_sequence, c.at as closed_at, c.hash, c.subject_id as id, c.told_window
            from closes c join starts s on s.book_id = c.book_id
            union all
            select s.book_id, coalesce(max(c.window_number), 0) + 1, coalesce(max(c.sequence) + 1, max(s.first)),
                null, null, null, null, coalesce(max(c.window_number), 0) + 1
            from starts s join settlement.consumer k on k.book_id = s.book_id and k.next_sequence > s.first
            left join closes c on c.book_id = s.book_id group by 1
        )
        select coalesce(w.number, d.number) as window, w.first_sequence, d.first_sequence as derived_first,
            w.last_sequence, d.last_sequence as derived_last, d.told_window
        from derived d
        full join (select * from settlement.window where book_id = any(%(books)s)) w
            on w.book_id = d.book_id and w.number = d.number
        where (w.number, w.first_sequence, w.last_sequence, w.closed_at, w.ledger_hash)
                is distinct from (d.number, d.first_sequence, d.last_sequence, d.closed_at, d.hash)
            or d.told_window <> d.number or w.id <> coalesce(d.id, w.id)
        """
    )


@dataclass(slots=True)
class _Stood:
    """A window's row and the records that moved it: (sequence, kind, operator, hash of the positions)."""

    book: int
    number: int
    state: str
    revision: int
    positions_hash: str | None
    steps: list[tuple[int, str, str | None, str | None]] = field(default_factory=list)


def _stood(scope: Scope) -> list[_Stood]:
    found: dict[UUID, _Stood] = {
        id: _Stood(*rest)
        for id, *rest in scope.stream(
            "select id, book_id, number, state, revision, encode(positions_hash, 'hex') from settlement.window"
            " where book_id = any(%(books)s) order by book_id, number"
        )
    }
    for subject, *step in scope.stream(
        """
        select r.subject_id, b.first_sequence + r.n, r.kind, r.payload ->> 'operator', r.payload ->> 'positions_hash'
        from ledger.record r join ledger.batch b on b.id = r.batch_id
        join settlement.consumer c on c.book_id = r.book_id and b.first_sequence + r.n < c.next_sequence
        where r.book_id = any(%(books)s) and r.kind = any(%(kinds)s) order by 2
        """,
        kinds=list(_STEPS),
    ):
        if subject in found:
            found[subject].steps.append(tuple(step))
    return list(found.values())


#: Each record of a window: the states it may find, the state it leaves.
_STEPS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "window_closed": (("open",), "advised"),
    "window_submitted": (("advised",), "submitted"),
    "window_returned": (("submitted",), "advised"),
    "window_aborted": (("advised", "submitted"), "advised"),
    "window_approved": (("submitted",), "funding"),
    "settlement": (("funding",), "paying"),
    "cover": (("paying",), "paying"),
    "made_good": (("paying",), "paying"),
}


@check(
    "window_steps",
    "every window went from step to step only as it may, and stands where its records say: settled when nothing is open",
    over="window",
)
def window_steps(scope: Scope) -> Iterator[Row]:
    still_open = {
        (book, number)
        for book, number in scope.stream(
            """
            select a.book_id, a.window_number from ledger.account a join ledger.entry e on e.account_id = a.id
            join ledger.batch b on b.id = e.batch_id
            join settlement.consumer c on c.book_id = a.book_id and b.first_sequence + e.n < c.next_sequence
            where a.book_id = any(%(books)s) and a.kind = 'position'
            group by a.id, a.book_id, a.window_number having sum(e.amount) <> 0
            """
        )
    }
    for window in scope.once("stood", _stood):
        state, why = "open", None
        for sequence, kind, *_ in window.steps:
            may, leaves = _STEPS[kind]
            why = why or (None if state in may else f"{kind} at {sequence} found it {state}")
            state = leaves
        if state == "paying" and (window.book, window.number) not in still_open:
            state = "settled"
        if why or (window.state, window.revision) != (state, len(window.steps)):
            yield {
                "window": window.number,
                "state": window.state,
                "derived": state,
                "revision": window.revision,
                "steps": len(window.steps),
                "why": why or "not where its records say",
            }


@check(
    "approved_by_another",
    "every approval is another person's than the submission before it, on the very positions that were submitted",
    over="window",
)
def approved_by_another(scope: Scope) -> Iterator[Row]:
    for window in scope.once("stood", _stood):
        submitted: tuple[str | None, str | None] = (None, None)
        approved = None
        for sequence, kind, operator, digest in window.steps:
            if kind == "window_submitted":
                submitted = (operator, digest)
            elif kind == "window_approved":
                approved = digest
                if None in (operator, digest) or operator == submitted[0] or digest != submitted[1]:
                    yield {
                        "window": window.number,
                        "sequence": sequence,
                        "submitted_by": submitted[0],
                        "approved_by": operator,
                        "submitted": submitted[1],
                        "approved": digest,
                    }
            elif kind == "settlement" and digest != approved:
                yield {"window": window.number, "sequence": sequence, "approved": approved, "settled": digest}
        if approved is not None and approved != window.positions_hash:
            yield {"window": window.number, "approved": approved, "positions_hash": window.positions_hash}


@check(
    "settled_in_order",
    "windows are posted in order, each once: the carry of a fee goes from one to the next",
    over="window",
)
def settled_in_order(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select window_number as window, sequence, place
        from (
            select (r.payload ->> 'window')::int as window_number, b.first_sequence + r.n as sequence,
                row_number() over (partition by r.book_id order by b.first_sequence + r.n) as place
            from ledger.record r join ledger.batch b on b.id = r.batch_id
            where r.book_id = any(%(books)s) and r.kind = 'settlement'
        ) posted
        where window_number is distinct from place
        """
    )
