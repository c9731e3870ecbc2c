"""The relay: what it says is published is there to be published."""

from collections.abc import Iterable

from ledger.audit.proving import Checks, Row, Scope

check = Checks()


@check(
    "relay_within",
    "what is said to be published lies between the book's first record and its end, in a topic with partitions",
    over="relay",
)
def relay_within(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select r.book_id as book, r.next_sequence as published_up_to, f.first, h.next_sequence as end, r.partitions
        from ledger.relay r left join ledger.head h on h.book_id = r.book_id
        left join (select book_id, min(first_sequence) as first from ledger.batch where book_id = any(%(books)s)
            group by 1) f on f.book_id = r.book_id
        where r.book_id = any(%(books)s) and (h.book_id is null or r.next_sequence > h.next_sequence
            or r.next_sequence < coalesce(f.first, h.next_sequence) or r.partitions < 1)
        """
    )
