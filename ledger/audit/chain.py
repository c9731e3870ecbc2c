"""The chain: each batch hashed again from the tables, in the documented encoding, and tied to the one before it."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from ledger.audit.proving import Checks, Row, Scope
from ledger.books import GENESIS
from ledger.encoding import ENCODING_VERSION

check = Checks()

# Entries and moves come as the text of their JSON: kinds, assets, places, ids and whole numbers need no escapes, and a
# value that did would not hash to what was sealed. Names leave out empty parts from the end.
_RECORDS: Final = """
select b.book_id, b.first_sequence, b.id, b.hash, r.n, r.id::text, r.kind, r.at, r.actor, r.merchant_id::text,
    r.member_id::text, r.subject_id::text, r.reverses_id::text, r.payload::text,
    '[' || coalesce(e.told, '') || ']', '[' || coalesce(m.told, '') || ']'
from ledger.batch b
left join ledger.record r on r.batch_id = b.id
left join (
    select e.batch_id, e.n, string_agg('["' || a.name || '","' || e.asset || '",' || e.amount || ']', ','
        order by e.ordinal) as told
    from ledger.entry e
    left join (
        select id, rtrim(kind || ':' || coalesce(owner_id::text, '') || ':' || coalesce(counterparty_id::text, '')
            || ':' || coalesce(window_number::text, ''), ':') as name
        from ledger.account where book_id = any(%(books)s)
    ) a on a.id = e.account_id
    group by 1, 2
) e on e.batch_id = r.batch_id and e.n = r.n
left join (
    select batch_id, n, string_agg('["' || lot_id || '","' || source || '","' || target || '",'
        || coalesce('"' || merchant_id || '"', 'null') || ',' || points || ']', ',' order by ordinal) as told
    from ledger.lot_move group by 1, 2
) m on m.batch_id = r.batch_id and m.n = r.n
where b.book_id = any(%(books)s)
order by 1, 2, 3, 5
"""

_canonical = msgspec.json.Encoder(order="sorted")


@check(
    "hash_chain",
    "every batch's hash is that of its records, entries and lot moves as they stand and of the batch before it",
    over="batch",
)
def hash_chain(scope: Scope) -> Iterable[Row]:
    previous: dict[int, bytes] = {}
    for book, first, batch, hash, records in _batches(scope):
        digest = hashlib.sha256(_canonical.encode([ENCODING_VERSION, records])).digest()
        before = previous.get(book, GENESIS)
        expected = hashlib.sha256(before + first.to_bytes(8, "big", signed=True) + digest).digest()
        if hash != expected:
            yield {"book": book, "batch": batch, "first_sequence": first, "stored": hash, "derived": expected}
        # go on from what is stored, so that the batch that was touched is named and not all that follow it
        previous[book] = hash
    for book, hash in scope.tx.execute("select book_id, hash from ledger.head where book_id = any(%s)", [scope.books]):
        if hash != previous.get(book, GENESIS):
            yield {"book": book, "batch": "head", "stored": hash, "derived": previous.get(book, GENESIS)}


def _batches(scope: Scope) -> Iterator[tuple[int, int, int, bytes, list[Any]]]:
    """(book, first sequence, batch, stored hash, records as they are hashed), batch by batch in the order of the book."""
    for key, rows in itertools.groupby(scope.stream(_RECORDS), key=lambda row: row[:4]):
        records = [
            [n, *facts, msgspec.json.decode(payload), msgspec.Raw(entries.encode()), msgspec.Raw(moves.encode())]
            for *_, n, facts, payload, entries, moves in ((*row[:5], row[5:-3], *row[-3:]) for row in rows)
            if n is not None
        ]
        yield (*key, records)
