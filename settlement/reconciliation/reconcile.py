"""Lays the book against what others say: takes in what is new on our side, matches, tells what disagrees.

Run again, nothing changes; with new lines there is only the new work. Two at once take turns.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Final

import ledger
from ledger import Book, Database, Tx
from settlement.reconciliation import disagreements, rules, store
from settlement.reconciliation.files import File
from settlement.reconciliation.lines import POLICIES, SOURCES, Found, Line, Match, fold, line_id
from settlement.reconciliation.store import Placed, Slice
from settlement.stream.consumer import drain

#: Records a transaction takes in on our side.
CHUNK: Final = 5_000


@dataclass(frozen=True, slots=True)
class Done:
    """What one run did, over all its sources."""

    taken: int = 0
    matched: int = 0
    found: int = 0
    ended: int = 0

    def __add__(self, other: "Done") -> "Done":
        return Done(
            self.taken + other.taken,
            self.matched + other.matched,
            self.found + other.found,
            self.ended + other.ended,
        )


def run(db: Database, book_id: int, *, sources: tuple[str, ...] = SOURCES, chunk: int = CHUNK) -> Done:
    """Reconcile everything there is."""
    drain(db, book_id)
    with db.tx("settlement") as tx:
        began = ledger.read_book(tx, book_id).now
    done = Done()
    for source in sources:
        if source == "stream":
            done += _stream(db, book_id, chunk)
            continue
        if source == "bank":
            _take_statements(db, book_id)
        if source == "psp":
            while _take_movements(db, book_id, chunk):
                pass
        while (taken := _take(db, book_id, source, chunk)) is not None:
            done += Done(taken=taken)
        with db.tx("settlement") as tx:
            store.lock(tx, book_id, source)
            done += _reconcile(tx, ledger.read_book(tx, book_id), source)
    if set(sources) == set(SOURCES):
        with db.tx("settlement") as tx:
            store.set_whole(tx, book_id, began)
    return done


def _take(db: Database, book_id: int, source: str, chunk: int) -> int | None:
    """Copy what the next records have for a source; how many lines. None: there are no more records."""
    with db.tx("settlement") as tx:
        start = store.lock(tx, book_id, source)
        end = min(start + chunk, store.end_of_stream(tx, book_id))
        if end <= start:
            return None
        merchants = store.telling(tx, book_id) if source == "till" else None
        # of shops whose tills tell nothing, nothing is looked for
        found = [] if merchants == [] else store.ours(tx, book_id, source, start, end, merchants)
        store.add_lines(tx, book_id, found)
        store.went_on(tx, book_id, source, end, ledger.read_book(tx, book_id).now)
        return len(found)


def _take_statements(db: Database, book_id: int) -> None:
    """Copy what the rails took in from banks."""
    with db.tx("settlement") as tx:
        store.lock(tx, book_id, "bank")
        book = ledger.read_book(tx, book_id)
        for file in store.bank_statements(tx, book):
            store.add_file(tx, book, file, merchant=None, actor="rails")
            store.add_lines(tx, book_id, [Placed(line, n, file.id) for n, line in enumerate(file.lines, 1)])


def _take_movements(db: Database, book_id: int, chunk: int) -> int:
    """Copy what providers told by their events; how many events."""
    with db.tx("settlement") as tx:
        store.lock(tx, book_id, "psp")
        book = ledger.read_book(tx, book_id)
        files = store.movements(tx, book, chunk)
        lines = [line for file in files for line in file.lines]
        told = store.told_otherwise(tx, book_id, lines, by_events=True)
        for file in files:
            store.add_file(tx, book, file, merchant=None, actor="rails")
            store.add_lines(tx, book_id, placed(file, told))
    return len(files)


def placed(file: File, told: set[tuple[str, int]]) -> list[Placed]:
    """The lines of a file. Of those that were told otherwise (key, amount) already, one each is set aside: it is that line."""
    left, found = set(told), []
    for n, line in enumerate(file.lines, 1):
        known = (line.key, line.amount_minor) in left
        left.discard((line.key, line.amount_minor))
        found.append(Placed(line, n, file.id, "set_aside" if known else "open"))
    return found


def _reconcile(tx: Tx, book: Book, source: str) -> Done:
    policy = POLICIES[source]
    made, pool = rules.match(
        source, store.open_lines(tx, book.id, source), policy, store.taken_apart(tx, book.id, source)
    )
    known = _known(tx, book, source, pool, made)
    found = disagreements.classify(source, pool, made, known, policy, book.now)
    store.add_matches(tx, book, source, made)
    opened, ended = store.keep_breaks(tx, book, source, found, all=True)
    return Done(matched=len(made), found=opened, ended=ended)


def _known(tx: Tx, book: Book, source: str, pool: rules.Pool, made: list[Match]) -> disagreements.Known:
    """What the lines that are alone may speak of, and no more."""
    alone = list(pool.theirs.values())
    keys = {key for line in alone for key in (line.key, line.original_key) if key}
    stems: set[str] = set()
    if source != "till":
        size = rules.SHORTEST_CUT
        fields = [fold(text) for line in alone for text in (line.reference, line.text)]
        stems = {field[at : at + size] for field in fields for at in range(len(field) - size + 1)}
    settled = store.settled_lines(tx, book.id, source, keys, stems)
    here = {line.id for m in made for line in m.ours + m.theirs}
    return disagreements.Known(
        [line for line in settled if line.id not in here],
        frozenset(fold(party) for party in store.known_parties(tx, book.id, source)) if alone else frozenset(),
        store.spans(tx, book.id) if source == "till" else (),
        store.heard(tx, book.id, source),
    )


# -- the ledger against what was derived from it


def _stream(db: Database, book_id: int, chunk: int) -> Done:
    done = Done()
    while True:
        with db.tx("settlement") as tx:
            book = ledger.read_book(tx, book_id)
            start = store.lock(tx, book_id, "stream")
            end = min(start + chunk, store.end_of_stream(tx, book_id))
            if end <= start:
                return done
            moved = store.moved_slices(tx, book_id, start, end)
            found = [_gap(book, first, last) for first, last in store.gaps(tx, book_id, start, end)]
            found += compare(book, moved, store.item_slices(tx, book_id, start, end))
            lines = {line.id: line for b in found for line in b.lines}
            store.add_lines(tx, book_id, [Placed(line, int(line.reference)) for line in lines.values()])
            opened, _ = store.keep_breaks(tx, book, "stream", found, all=False)
            store.went_on(tx, book_id, "stream", end, book.now)
            done += Done(taken=len(moved), found=opened)


def compare(book: Book, moved: list[Slice], derived: list[Slice]) -> list[Found]:
    """Where the items are not the slices that the ledger moved, lot by lot and window by window. Pure."""
    ours, theirs = {(s.sequence, s.ordinal): s for s in moved}, {(s.sequence, s.ordinal): s for s in derived}
    lots = Counter((s.sequence, s.lot_id, s.points) for s in moved)
    found = []
    for place in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(place), theirs.get(place)
        if one is None:
            assert other is not None
            kind = "duplicate" if lots[other.sequence, other.lot_id, other.points] else "missing"
            found.append(_differ(book, kind, None, other))
        elif other is None:
            found.append(_differ(book, "missing", one, None))
        elif one.lot_id != other.lot_id:
            found.append(_differ(book, "lot", one, other))
        elif one.points != other.points:
            found.append(_differ(book, "amount", one, other))
        elif one.window != other.window:
            found.append(_differ(book, "wrong_window", one, other))
    return found


def _differ(book: Book, kind: str, one: Slice | None, other: Slice | None) -> Found:
    lines = [_line(book, s, side) for s, side in ((one, "ours"), (other, "theirs")) if s is not None]
    points = (other.points if other else 0) - (one.points if one else 0)
    return Found(kind, "stream", "operator", tuple(lines), 0, points, "rebuild_and_audit")


def _line(book: Book, s: Slice, side: str) -> Line:
    id = line_id(book.public_id, "stream", side, s.sequence, s.ordinal)
    line = Line(id, "stream", side, "slice", s.at, 0, s.points, reference=str(s.sequence), window=s.window)
    return replace(line, text=str(s.lot_id), merchant_id=s.merchant_id)


def _gap(book: Book, first: int, last: int) -> Found:
    id = line_id(book.public_id, "stream", "gap", first)
    line = Line(id, "stream", "ours", "gap", book.now, 0, reference=str(first), text=f"{first} to {last}")
    return Found("missing", "stream", "operator", (line,), 0, 0, "rebuild_and_audit")
