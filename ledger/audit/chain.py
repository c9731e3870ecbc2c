"""The chain: each batch hashed again from the tables, in the documented encoding, and tied to the one before it."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from ledger.audit.proving import Checks, Row, Scope
from ledger.books import GENESIS
from ledger.encoding import ENCODING_VERSION

check = Checks()

_BATCHES = """
select b.book_id, b.first_sequence, b.id, r.n, b.hash, r.id::text, r.kind, r.at, r.actor, r.merchant_id::text,
    r.member_id::text, r.subject_id::text, r.reverses_id::text, r.payload::text
from ledger.batch b left join ledger.record r on r.batch_id = b.id
where b.book_id = any(%(books)s)
order by 1, 2, 3, 4
"""
_ENTRIES = """
select b.book_id, b.first_sequence, b.id, e.n,
    a.kind, a.owner_id::text, a.counterparty_id::text, a.window_number, e.asset, e.amount
from ledger.entry e join ledger.batch b on b.id = e.batch_id left join ledger.account a on a.id = e.account_id
where b.book_id = any(%(books)s)
order by 1, 2, 3, 4, e.ordinal
"""
_MOVES = """
select b.book_id, b.first_sequence, b.id, m.n, m.lot_id::text, m.source, m.target, m.merchant_id::text, m.points
from ledger.lot_move m join ledger.batch b on b.id = m.batch_id
where b.book_id = any(%(books)s)
order by 1, 2, 3, 4, m.ordinal
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
    """(book, first sequence, batch, stored hash, records as they are hashed), three cursors walking side by side."""
    entries, moves = _Hanging(scope.stream(_ENTRIES)), _Hanging(scope.stream(_MOVES))
    current: tuple[int, int, int, bytes, list[Any]] | None = None
    for book, first, batch, n, hash, *facts, payload in scope.stream(_BATCHES):
        if current is None or current[2] != batch:
            if current is not None:
                yield current
            current = (book, first, batch, bytes(hash), [])
        if n is not None:
            place = (book, first, batch, n)
            hung = [[_name(*names), asset, amount] for *names, asset, amount in entries.of(place)]
            moved = [list(move) for move in moves.of(place)]
            current[4].append([n, *facts, msgspec.json.decode(payload), hung, moved])
    if current is not None:
        yield current


def _name(kind: str, owner: str | None, counterparty: str | None, window: int | None) -> str:
    """`kind:owner:counterparty:window`, empty parts left out from the end."""
    return f"{kind}:{owner or ''}:{counterparty or ''}:{'' if window is None else window}".rstrip(":")


class _Hanging:
    """Rows that hang off records and come in the same order, handed out record by record.

    Rows of no record are passed over here; `entries_belong` and `lot_moves_belong` name them.
    """

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def of(self, place: tuple[int, int, int, int]) -> list[tuple[Any, ...]]:
        found = []
        while self._next is not None and self._next[:4] <= place:
            if self._next[:4] == place:
                found.append(self._next[4:])
            self._next = next(self._rows, None)
        return found
