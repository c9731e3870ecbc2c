"""What people do: bring files, match and split by hand, explain, merge and resolve breaks. Each act in one transaction.

None of it moves value. What does is an adjustment (`adjusting`), and that takes two people.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

import ledger
from ledger import Database, Tx
from ledger.errors import Invalid, NotFound, StateConflict
from settlement.reconciliation import store
from settlement.reconciliation.files import File
from settlement.reconciliation.lines import POLICIES, Match
from settlement.reconciliation.reconcile import placed, run
from settlement.reconciliation.store import Break, MatchRow


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was taken in. `new` is false when it had been before; `lines` counts those nobody had told yet."""

    id: UUID
    new: bool
    lines: int


@dataclass(frozen=True, slots=True)
class Unequal(ledger.Refusal):
    """Lines that do not come to the same amount tell different things: a match would explain money away."""

    code: ClassVar[str] = "state_conflict"
    expected_minor: int
    told_minor: int

    @property
    def detail(self) -> str:
        return f"ours come to {self.expected_minor}, theirs to {self.told_minor}: a match never explains money away"


def bring(db: Database, book_id: int, brought: File, merchant: UUID | None, actor: str) -> Taken:
    """Take a file in, and reconcile its source. The same file again changes nothing."""
    with db.tx("settlement") as tx:
        book = ledger.read_book(tx, book_id)
        taken_up_to = store.lock(tx, book_id, brought.source)
        new = store.add_file(tx, book, brought, merchant=merchant, actor=actor)
        if new and merchant is not None:
            # of a shop whose tills had not spoken of that time, nothing was copied
            since = min(line.at for line in brought.lines) - POLICIES["till"].patience
            start = ledger.stream.start(tx, book_id)
            store.add_lines(tx, book_id, store.ours(tx, book_id, "till", start, taken_up_to, [merchant], since))
        there = {line.id for line, _ in store.lines(tx, book_id, [line.id for line in brought.lines])}
        if new:
            by_events = brought.source == "psp"
            told = store.told_otherwise(tx, book_id, brought.lines, by_events=False) if by_events else set()
            lines = placed(brought, told)
            store.add_lines(tx, book_id, lines)
            there |= {p.line.id for p in lines if p.state == "set_aside"}
    run(db, book_id, sources=(brought.source,))
    return Taken(brought.id, new, sum(line.id not in there for line in brought.lines))


def match(
    db: Database, book_id: int, *, ours: Sequence[UUID], theirs: Sequence[UUID], by: UUID, reason: str
) -> MatchRow | ledger.Refusal:
    """Match open lines of one source by hand. Asked again, it answers with the match that is there."""
    asked = {*ours, *theirs}
    if not ours or not theirs or len(asked) != len(ours) + len(theirs):
        return Invalid("/theirs", "name lines of both sides, each once")
    with db.tx("settlement") as tx:
        book = ledger.read_book(tx, book_id)
        found = {line.id: (line, state) for line, state in store.lines(tx, book_id, asked)}
        if found.keys() != asked:
            return NotFound("line")
        store.lock(tx, book_id, next(iter(found.values()))[0].source)
        found = {line.id: (line, state) for line, state in store.lines(tx, book_id, asked, lock=True)}
        lines = [line for line, _ in found.values()]
        if len({line.source for line in lines}) > 1 or {line.source for line in lines} == {"stream"}:
            return Invalid("/theirs", "the lines of one match are of one source, and no slices")
        if any(found[id][0].side != "ours" for id in ours) or any(found[id][0].side != "theirs" for id in theirs):
            return Invalid("/ours", "ours are lines of the book, theirs of the other side")
        if len({line.merchant_id for line in lines}) > 1 and lines[0].source == "till":
            return Invalid("/theirs", "tills of one shop speak of that shop alone")
        if (taken := next((state for _, state in found.values() if state != "open"), None)) is not None:
            same = store.match_of(tx, asked)
            return same if same is not None else StateConflict("line", taken)
        made = Match("by_hand", ledger.PPM, tuple(found[id][0] for id in ours), tuple(found[id][0] for id in theirs))
        if made.difference_minor:
            return Unequal(sum(o.net_minor for o in made.ours), sum(t.amount_minor for t in made.theirs))
        (id,) = store.add_matches(tx, book, lines[0].source, [made], by=by, reason=reason)
        _end_matched(tx, book, asked, by, reason)
        row = store.match(tx, id)
        assert row is not None
        return row


def _end_matched(tx: Tx, book: ledger.Book, lines: set[UUID], by: UUID, reason: str) -> None:
    """Breaks that were about lines which are all matched now no longer stand; when the match is split they do again."""
    for row in store.breaks_of_lines(tx, book.id, lines):
        if set(row.line_ids) <= lines and _adjusting(tx, row) is None:
            store.end_break(tx, row, "resolved", None, reason, book.now)
            store.add_steps(tx, book, [(row.id, "matched_by_hand", by, reason)])


def split(db: Database, id: UUID, *, by: UUID, reason: str) -> MatchRow | ledger.Refusal:
    """Take a match apart: its lines are open again, and the next run looks at them anew."""
    with db.tx("settlement") as tx:
        row = store.match(tx, id)
        if row is None:
            return NotFound("match")
        store.lock(tx, row.book_id, row.source)
        row = store.match(tx, id, lock=True)
        assert row is not None
        book = ledger.read_book(tx, row.book_id)
        if row.state == "standing":
            store.split(tx, row, by, reason, book.now)
            for told in store.breaks_of_lines(tx, book.id, row.line_ids):
                store.add_steps(tx, book, [(told.id, "match_split", by, reason)])
        found = store.match(tx, id)
        assert found is not None
        return found


def explain(db: Database, id: UUID, *, by: UUID, reason: str) -> Break | ledger.Refusal:
    """Say why a break is there. It stands on, explained, until it is resolved."""
    return _step(db, id, "explained", by, reason, None)


def resolve(db: Database, id: UUID, *, by: UUID, reason: str, record: UUID | None = None) -> Break | ledger.Refusal:
    """End a break. Its open lines are set aside: no rule looks at them again.

    Where an adjustment was approved, that is the record; one that is not decided has to be first.
    """
    return _step(db, id, "resolved", by, reason, record)


def _step(db: Database, id: UUID, state: str, by: UUID, reason: str, record: UUID | None) -> Break | ledger.Refusal:
    with db.tx("settlement") as tx:
        row = _locked(tx, id)
        if row is None:
            return NotFound("break")
        book = ledger.read_book(tx, row.book_id)
        if row.state == "resolved":
            same = (state, by, reason) == (row.state, row.ended_by, row.reason) and record in (None, row.record_id)
            return row if same else StateConflict("break", row.state)
        if state == "resolved":
            decided = _adjusting(tx, row)
            if decided is not None and decided.state == "proposed":
                return StateConflict("adjustment", decided.state)
            record = record or (decided.record_id if decided is not None else None)
            if decided is not None and record != decided.record_id:
                return Invalid("/record", "the record of this break is its approved adjustment's")
            if record is not None and not store.record_exists(tx, book.id, record):
                return NotFound("record")
            store.set_state(tx, book.id, row.line_ids, "set_aside", only="open")
        store.end_break(tx, row, state, by, reason, book.now, record)
        store.add_steps(tx, book, [(row.id, state, by, reason)])
        found = store.break_(tx, id)
        assert found is not None
        return found


def _adjusting(tx: Tx, row: Break) -> store.Adjustment | None:
    """The adjustment of a break that is proposed or approved: there is at most one."""
    return next((a for a in store.adjustments(tx, row.id) if a.state != "rejected"), None)


def merge(db: Database, id: UUID, *, others: Sequence[UUID], by: UUID, reason: str) -> Break | ledger.Refusal:
    """Breaks that are one matter: the first goes on with the evidence of all, the others are resolved as merged into it."""
    if not others or id in others or len(set(others)) != len(others):
        return Invalid("/breaks", "name other breaks, each once")
    with db.tx("settlement") as tx:
        first = _locked(tx, id)
        if first is None:
            return NotFound("break")
        for other in sorted(others):
            store.lock_adjusting(tx, other)
        found = {row.id: row for other in sorted(others) if (row := store.break_(tx, other, lock=True)) is not None}
        if len(found) != len(others) or any(row.book_id != first.book_id for row in found.values()):
            return NotFound("break")
        if any(row.source != first.source or row.merchant_id != first.merchant_id for row in found.values()):
            return Invalid("/breaks", "breaks of one matter are of one source and one merchant")
        if (ended := next((r for r in (first, *found.values()) if r.state == "resolved"), None)) is not None:
            return StateConflict("break", ended.state)
        if any(_adjusting(tx, row) is not None for row in found.values()):
            return StateConflict("break", "adjusted")
        book = ledger.read_book(tx, first.book_id)
        lines = list(dict.fromkeys([*first.line_ids, *(line for o in others for line in found[o].line_ids)]))
        store.widen(tx, first.id, lines)
        for row in found.values():
            store.end_break(tx, row, "resolved", by, f"merged: {reason}"[:500], book.now)
            store.add_steps(tx, book, [(row.id, "merged", by, reason)])
        store.add_steps(tx, book, [(first.id, "merged_with_others", by, reason)])
        merged = store.break_(tx, id)
        assert merged is not None
        return merged


def _locked(tx: Tx, id: UUID) -> Break | None:
    """A break, with its source's turn taken: what a run does to it is done before or after."""
    row = store.break_(tx, id)
    if row is None:
        return None
    store.lock(tx, row.book_id, row.source)
    store.lock_adjusting(tx, id)
    return store.break_(tx, id, lock=True)
