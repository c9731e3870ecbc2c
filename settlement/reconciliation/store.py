"""Reconciliation's SQL: its own tables, and what the ledger, trade and settlement have that others may speak of."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, Final, NamedTuple
from uuid import UUID

import ledger
from ledger import Tx
from settlement.reconciliation.disagreements import OF_MATCHES
from settlement.reconciliation.files import File
from settlement.reconciliation.lines import Found, Line, Match, WindowSpan, break_id, line_id
from settlement.reconciliation.rules import SHORTEST_CUT

# -- how far


def lock(tx: Tx, book_id: int, source: str) -> int:
    """The sequence a source takes in next, locked until the transaction ends: of two who reconcile one waits."""
    asked = "select next_sequence from settlement.reconciled where book_id = %s and source = %s for update"
    row = tx.execute(asked, [book_id, source]).fetchone()
    if row is None:
        tx.execute(
            "insert into settlement.reconciled (book_id, source, next_sequence) values (%s, %s, %s) on conflict do nothing",
            [book_id, source, ledger.stream.start(tx, book_id)],
        )
        row = tx.execute(asked, [book_id, source]).fetchone()
    assert row is not None
    return int(row[0])


def went_on(tx: Tx, book_id: int, source: str, next_sequence: int, at: datetime) -> None:
    tx.execute(
        "update settlement.reconciled set next_sequence = %s, at = %s where book_id = %s and source = %s",
        [next_sequence, at, book_id, source],
    )


def end_of_stream(tx: Tx, book_id: int) -> int:
    """The first sequence that settlement has not derived from yet."""
    row = tx.execute("select next_sequence from settlement.consumer where book_id = %s", [book_id]).fetchone()
    return int(row[0]) if row else ledger.stream.start(tx, book_id)


def spans(tx: Tx, book_id: int) -> list[WindowSpan]:
    rows = tx.execute(
        "select number, opened_at, closed_at from settlement.window where book_id = %s order by number", [book_id]
    )
    return [WindowSpan(*row) for row in rows]


# -- lines

_LINE: Final = (
    "id, source, side, kind, at, amount_minor, points, fee_minor, reference, batch, text, party, original, window_number,"
    " merchant_id, instruction_id"
)
#: Settles a field's name in the table where it is another than the line's.
_COLUMNS: Final = _LINE.replace("window_number", "window").split(", ")


class Placed(NamedTuple):
    """A line and where it stands: in a file, or in the ledger's sequence."""

    line: Line
    place: int
    file_id: UUID | None = None
    state: str = "open"


def add_lines(tx: Tx, book_id: int, placed: Sequence[Placed]) -> None:
    """Lines that are there already stay as they are."""
    with tx.cursor() as cursor:
        cursor.executemany(
            f"insert into settlement.told_line (book_id, {_LINE}, shown_to, file_id, place, key, stem, state)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " on conflict (id) do nothing",
            [
                [
                    book_id,
                    *(getattr(p.line, column) for column in _COLUMNS),
                    p.line.merchant_id if p.line.source == "till" else None,
                    p.file_id,
                    p.place,
                    p.line.key,
                    p.line.key[:SHORTEST_CUT] if len(p.line.key) >= SHORTEST_CUT else "",
                    p.state,
                ]
                for p in placed
            ],
        )


def open_lines(tx: Tx, book_id: int, source: str) -> list[Line]:
    rows = tx.execute(
        f"select {_LINE} from settlement.told_line where book_id = %s and source = %s and state = 'open' order by at, id",
        [book_id, source],
    )
    return [Line(*row) for row in rows]


def lines(tx: Tx, book_id: int, ids: Collection[UUID], *, lock: bool = False) -> list[tuple[Line, str]]:
    """Lines with their states, in their order."""
    rows = tx.execute(
        f"select {_LINE}, state from settlement.told_line where book_id = %s and id = any(%s) order by at, id"
        + (" for update" if lock else ""),
        [book_id, list(ids)],
    )
    return [(Line(*row[:-1]), row[-1]) for row in rows]


def settled_lines(tx: Tx, book_id: int, source: str, keys: Collection[str], stems: Collection[str]) -> list[Line]:
    """Lines that are done with, of these references or (ours) of references that begin so."""
    rows = tx.execute(
        f"select {_LINE} from settlement.told_line where book_id = %(book)s and source = %(source)s and key <> ''"
        " and key = any(%(keys)s) and state <> 'open'"
        f" union select {_LINE} from settlement.told_line where book_id = %(book)s and source = %(source)s"
        " and stem <> '' and side = 'ours' and stem = any(%(stems)s) and state <> 'open'"
        " order by at, id",
        {"book": book_id, "source": source, "keys": list(keys), "stems": list(stems)},
    )
    return [Line(*row) for row in rows]


def known_parties(tx: Tx, book_id: int, source: str) -> set[str]:
    """Whom the book has dealt with, and at a bank whose accounts it knows."""
    rows = tx.execute(
        "select party from settlement.told_line where book_id = %(book)s and source = %(source)s and party <> ''"
        " and side = 'ours' union select holder from settlement.payee where book_id = %(book)s and rail = %(source)s",
        {"book": book_id, "source": source},
    )
    return {row[0] for row in rows}


def set_state(tx: Tx, book_id: int, ids: Collection[UUID], state: str, *, only: str) -> int:
    """Move lines that are in state `only`; how many were."""
    return tx.execute(
        "update settlement.told_line set state = %s where book_id = %s and id = any(%s) and state = %s",
        [state, book_id, list(ids), only],
    ).rowcount


# -- ours: what the ledger has that others may speak of

_RECORDS: Final = """
with records as (
    select b.first_sequence + r.n as sequence, r.batch_id, r.n, r.id, r.kind, r.at, r.merchant_id, r.subject_id, r.payload
    from ledger.batch b join ledger.record r on r.batch_id = b.id
    where b.book_id = %(book)s and r.kind = any(%(kinds)s)
      and b.first_sequence >= coalesce((select max(first_sequence) from ledger.batch
          where book_id = %(book)s and first_sequence <= %(from)s), %(from)s)
      and b.first_sequence < %(to)s and b.first_sequence + r.n >= %(from)s and b.first_sequence + r.n < %(to)s
      and (%(merchants)s::uuid[] is null or r.merchant_id = any(%(merchants)s))
      and (%(since)s::timestamptz is null or r.at >= %(since)s)
)
"""

_TILL: Final = f"""{_RECORDS}
select f.id, f.kind, f.at, f.amount_minor, f.points, f.reference, f.original, f.sequence, f.merchant_id
from (
    select s.id, 'sale' as kind, r.at, s.total_minor as amount_minor, s.points_earned as points,
        s.external_reference as reference, '' as original, r.sequence, r.merchant_id
    from records r join merchants.sale s on s.id = r.subject_id where r.kind = 'sale'
    union all
    select d.id, 'redemption', r.at, (r.payload ->> 'value_minor')::bigint, (r.payload ->> 'points')::bigint,
        d.external_reference, '', r.sequence, r.merchant_id
    from records r join merchants.redemption d on d.id = r.subject_id where r.kind = 'capture'
    union all
    select f.id, 'refund', r.at, -f.amount_minor, case when f.redemption_id is null then null else -f.points end,
        f.external_reference, coalesce(s.external_reference, d.external_reference, ''), r.sequence, r.merchant_id
    from records r join merchants.refund f on f.id = (r.payload ->> 'refund')::uuid
    left join merchants.sale s on s.id = f.sale_id left join merchants.redemption d on d.id = f.redemption_id
    where r.kind in ('refund', 'redemption_refund')
) f order by f.sequence
"""

_MONEY: Final = f"""{_RECORDS}
select r.id, r.kind, r.at, (r.payload ->> 'amount_minor')::bigint
        * case when r.payload ->> 'direction' = 'pay_out' or r.kind in ('collateral_returned', 'charge_back')
            then -1 else 1 end,
    null::bigint, case i.rail when 'bank' then replace(i.id::text, '-', '')
        else coalesce(r.payload ->> 'reference', '') end, '', r.sequence, r.merchant_id,
    i.id, coalesce(replace(i.file_id::text, '-', ''), ''), coalesce(i.holder, '')
from records r left join settlement.instruction i on i.id = (r.payload ->> 'instruction')::uuid
where coalesce(r.payload ->> 'through', r.payload ->> 'source', 'bank') = %(through)s order by r.sequence
"""

#: What is paid in and out by rails or by a person's word. An instruction's file is the batch that a bank may book as one.
_PAID: Final = ["payment", "made_good", "payment_returned", "topup", "charge_back", "charge_back_reversed"]

_OURS: Final[dict[str, tuple[str, list[str]]]] = {
    "till": (_TILL, ["sale", "capture", "refund", "redemption_refund"]),
    "bank": (_MONEY, [*_PAID, "collateral_deposited", "collateral_returned", "loss_funded"]),
    "psp": (_MONEY, _PAID),
}


def ours(
    tx: Tx,
    book_id: int,
    source: str,
    start: int,
    end: int,
    merchants: Collection[UUID] | None = None,
    since: datetime | None = None,
) -> list[Placed]:
    """What the ledger's records from sequence `start` up to `end` (left out) have for a source; of some merchants only,
    or not before a time.
    """
    query, kinds = _OURS[source]
    asked = {"book": book_id, "kinds": kinds, "from": start, "to": end, "through": source, "since": since,
             "merchants": None if merchants is None else list(merchants)}  # fmt: skip
    rows = tx.execute(query, asked).fetchall()
    windows = tx.execute(
        "select number, first_sequence from settlement.window where book_id = %s and first_sequence < %s"
        " order by number desc",
        [book_id, end],
    ).fetchall()
    found = []
    for id, kind, at, amount, points, reference, original, sequence, merchant, *by_rail in rows:
        instruction, batch, party = by_rail or (None, "", "")
        number = next((number for number, first in windows if first <= sequence), None)
        line = Line(id, source, "ours", kind, at, amount, points, reference=reference, original=original, batch=batch,
                    party=party, window=number, merchant_id=merchant, instruction_id=instruction)  # fmt: skip
        found.append(Placed(line, sequence))
    return found


class Slice(NamedTuple):
    """A slice as the ledger moved it (ours), or the item that was derived from it (theirs)."""

    sequence: int
    ordinal: int
    lot_id: UUID
    points: int
    merchant_id: UUID | None
    window: int | None
    at: datetime
    item_id: UUID | None = None


def moved_slices(tx: Tx, book_id: int, start: int, end: int) -> list[Slice]:
    """The lot moves that make items, with the window their sequence falls in."""
    rows = tx.execute(
        _RECORDS
        + "select r.sequence, m.ordinal, m.lot_id, case m.target when 'accepted' then m.points else -m.points end,"
        " m.merchant_id, (select max(number) from settlement.window w where w.book_id = %(book)s"
        " and w.first_sequence <= r.sequence), r.at"
        " from records r join ledger.lot_move m on m.batch_id = r.batch_id and m.n = r.n"
        " where 'accepted' in (m.source, m.target) order by 1, 2",
        {
            "book": book_id,
            "kinds": ["capture", "repayment", "redemption_refund"],
            "from": start,
            "to": end,
            "merchants": None,
            "since": None,
        },
    )
    return [Slice(*row) for row in rows]


def item_slices(tx: Tx, book_id: int, start: int, end: int) -> list[Slice]:
    rows = tx.execute(
        "select sequence, ordinal, lot_id, points, acceptor_id, window_number, at, id from settlement.item"
        " where book_id = %s and kind = 'slice' and sequence >= %s and sequence < %s order by 1, 2",
        [book_id, start, end],
    )
    return [Slice(*row) for row in rows]


def gaps(tx: Tx, book_id: int, start: int, end: int) -> list[tuple[int, int]]:
    """(first, last) of the sequences from `start` up to `end` (left out) that no batch has."""
    rows = tx.execute(
        """
        select ends, begins - 1 from (
            select first_sequence as begins,
                lag(first_sequence + records, 1, least(first_sequence, %(from)s)) over (order by first_sequence) as ends
            from (
                select first_sequence, records from ledger.batch where book_id = %(book)s
                  and first_sequence + records > %(from)s and first_sequence < %(to)s
                union all select %(to)s, 0
            ) batches
        ) spans where ends < begins order by 1
        """,
        {"book": book_id, "from": start, "to": end},
    )
    return [(int(first), int(last)) for first, last in rows]


# -- theirs: what the rails took in from banks


def bank_statements(tx: Tx, book: ledger.Book) -> list[File]:
    """The statements that were taken in and are not reconciled yet, each as a file of its lines.

    Banks tell one booking in several statements, by the same reference: it is one line. What has no reference is the line
    of its own statement. A line that the rails credited to an instruction names it; where it contradicts, it does not.
    """
    rows = tx.execute(
        "select s.id, l.ordinal, l.account, l.booked, l.amount_minor, l.counterparty, l.remittance, l.end_to_end_id,"
        " l.structured_reference, coalesce(nullif(l.bank_reference, ''), l.entry_reference), l.returned,"
        " case when l.outcome <> 'differs' then l.instruction_id end"
        " from settlement.bank_statement s join settlement.bank_line l on l.statement_id = s.id"
        " where s.book_id = %s and not exists (select from settlement.told_file t where t.id = s.id)"
        " order by s.imported_at, s.id, l.ordinal",
        [book.id],
    )
    files: dict[UUID, File] = {}
    times: Counter[tuple[object, ...]] = Counter()
    for (
        statement,
        ordinal,
        account,
        booked,
        amount,
        party,
        text,
        named,
        structured,
        entry,
        returned,
        instruction,
    ) in rows:
        place: tuple[object, ...] = (statement, ordinal)
        if entry:
            times[statement, account, entry, amount, named] += 1
            place = (account, entry, amount, named, times[statement, account, entry, amount, named])
        line = Line(
            line_id(book.public_id, "told", "bank", *place),
            "bank",
            "theirs",
            "returned" if returned else "transfer",
            datetime.combine(booked, time(), UTC),
            amount,
            reference=named or structured,
            text=text,
            party=party,
            instruction_id=instruction,
        )
        files.setdefault(statement, File(statement, "bank", statement.bytes, [])).lines.append(line)
    return list(files.values())


# -- theirs: what providers told by their events


def movements(tx: Tx, book: ledger.Book, limit: int) -> list[File]:
    """The next movements that events told of, at most `limit`, each as a file of one line; the place moves behind them.

    The events of one payment are one line: they have its reference.
    """
    rows = tx.execute(
        "select n, rail, kind, reference, amount_minor, instruction_id, at from settlement.rail_movement"
        " where book_id = %(book)s and n >="
        " coalesce((select next_movement from settlement.reconciled_whole where book_id = %(book)s), 1)"
        " order by n limit %(limit)s",
        {"book": book.id, "limit": limit},
    ).fetchall()
    files = []
    for n, rail, kind, reference, amount, instruction, at in rows:
        # a dispute has a name of its own, and is not what its payment was instructed to be
        of = instruction if kind in ("transfer", "returned") else None
        line = Line(line_id(book.public_id, "told", "psp", rail, kind, reference, amount), "psp", "theirs", kind, at,
                    amount, reference=reference, instruction_id=of)  # fmt: skip
        id = line_id(book.public_id, "file", "psp", "movement", n)
        files.append(File(id, "psp", id.bytes, [line]))
    if rows:
        tx.execute(
            "insert into settlement.reconciled_whole (book_id, next_movement) values (%s, %s)"
            " on conflict (book_id) do update set next_movement = excluded.next_movement",
            [book.id, rows[-1][0] + 1],
        )
    return files


def told_otherwise(tx: Tx, book_id: int, lines: Sequence[Line], *, by_events: bool) -> set[tuple[str, int]]:
    """Of some lines that events told those (key, amount) that a report has told, or of a report's those that events have.

    One line of a report stands for one of events: once a report has told it, another report tells of it a second time.
    """
    rows = tx.execute(
        "select key, amount_minor from settlement.told_line where book_id = %s and source = 'psp' and side = 'theirs'"
        " and key <> '' and key = any(%s) group by 1, 2"
        " having bool_or((instruction_id is null) = %s) and not bool_or((instruction_id is null) <> %s)",
        [book_id, [line.key for line in lines], by_events, by_events],
    )
    return {(key, amount) for key, amount in rows}


def pending(tx: Tx, book_id: int) -> bool:
    """Whether a bank or a provider has told what is not reconciled yet."""
    row = tx.execute(
        "select exists (select from settlement.rail_movement where book_id = %(book)s and n >="
        " coalesce((select next_movement from settlement.reconciled_whole where book_id = %(book)s), 1))"
        " or exists (select from settlement.bank_statement s where s.book_id = %(book)s"
        " and exists (select from settlement.bank_line l where l.statement_id = s.id)"
        " and not exists (select from settlement.told_file t where t.id = s.id))",
        {"book": book_id},
    ).fetchone()
    return bool(row and row[0])


def whole(tx: Tx, book_id: int) -> datetime | None:
    """When all sources of a book were last reconciled, by its clock."""
    row = tx.execute("select at from settlement.reconciled_whole where book_id = %s", [book_id]).fetchone()
    return row[0] if row else None


def set_whole(tx: Tx, book_id: int, at: datetime) -> None:
    tx.execute(
        "insert into settlement.reconciled_whole (book_id, at, next_movement) values (%s, %s, 1)"
        " on conflict (book_id) do update set at = greatest(reconciled_whole.at, excluded.at)",
        [book_id, at],
    )


def waiting(tx: Tx, book_id: int) -> bool:
    """Whether another look could say anything new: records that no look has seen, or lines that are alone."""
    row = tx.execute(
        "select (select next_sequence from ledger.head where book_id = %(book)s) >"
        " (select min(next_sequence) from settlement.reconciled where book_id = %(book)s)"
        " or exists (select from settlement.told_line where book_id = %(book)s and source = any(%(sources)s)"
        " and state = 'open')",
        {"book": book_id, "sources": ["psp", "bank", "till"]},
    ).fetchone()
    return bool(row and row[0])


# -- files


def add_file(tx: Tx, book: ledger.Book, file: File, *, merchant: UUID | None, actor: str) -> bool:
    """Whether the file is new."""
    times = [line.at for line in file.lines]
    return (
        tx.execute(
            "insert into settlement.told_file (id, book_id, source, merchant_id, digest, lines, first_at, last_at, actor,"
            " at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
            [file.id, book.id, file.source, merchant, file.digest, len(times), min(times), max(times), actor, book.now],
        ).rowcount
        == 1
    )


def telling(tx: Tx, book_id: int) -> list[UUID]:
    """The merchants whose tills have ever told anything: of the others nothing is copied."""
    rows = tx.execute(
        "select distinct merchant_id from settlement.told_file where book_id = %s and source = 'till'", [book_id]
    )
    return [row[0] for row in rows]


def heard(tx: Tx, book_id: int, source: str) -> dict[UUID | None, tuple[datetime, datetime]]:
    """From when to when each of the others has told anything."""
    rows = tx.execute(
        "select merchant_id, min(first_at), max(last_at) from settlement.told_file where book_id = %s and source = %s"
        " group by 1",
        [book_id, source],
    )
    return {row[0]: (row[1], row[2]) for row in rows}


# -- matches


def add_matches(
    tx: Tx, book: ledger.Book, source: str, made: Sequence[Match], *, by: UUID | None = None, reason: str | None = None
) -> list[UUID]:
    """Keep matches and take their lines out of what is open; their ids."""
    every = [[line.id for line in m.ours + m.theirs] for m in made]
    ids = [ledger.ids.new() for _ in made]
    with tx.cursor() as cursor:
        cursor.executemany(
            "insert into settlement.match (id, book_id, source, rule, confidence_ppm, difference_minor, line_ids, state,"
            " at, made_by, reason) values (%s, %s, %s, %s, %s, %s, %s, 'standing', %s, %s, %s)",
            [
                [id, book.id, source, m.rule, m.confidence_ppm, m.difference_minor, lines, book.now, by, reason]
                for id, m, lines in zip(ids, made, every, strict=True)
            ],
        )
        cursor.executemany(
            "insert into settlement.match_leg (line_id, match_id, book_id) values (%s, %s, %s)",
            [[line, id, book.id] for id, lines in zip(ids, every, strict=True) for line in lines],
        )
    used = [line for lines in every for line in lines]
    moved = set_state(tx, book.id, used, "matched", only="open")
    assert moved == len(used), "a line is matched once"
    return ids


@dataclass(frozen=True, slots=True)
class MatchRow:
    id: UUID
    book_id: int
    source: str
    rule: str
    confidence_ppm: int
    difference_minor: int
    line_ids: list[UUID]
    state: str
    at: datetime
    made_by: UUID | None
    reason: str | None
    split_by: UUID | None
    split_reason: str | None
    split_at: datetime | None


_MATCH: Final = (
    "id, book_id, source, rule, confidence_ppm, difference_minor, line_ids, state, at, made_by, reason, split_by,"
    " split_reason, split_at"
)


def match(tx: Tx, id: UUID, *, lock: bool = False) -> MatchRow | None:
    row = tx.execute(
        f"select {_MATCH} from settlement.match where id = %s" + (" for update" if lock else ""), [id]
    ).fetchone()
    return MatchRow(*row) if row else None


def taken_apart(tx: Tx, book_id: int, source: str) -> set[frozenset[UUID]]:
    """The lines of matches that a person split, match by match."""
    rows = tx.execute(
        "select line_ids from settlement.match where book_id = %s and source = %s and state = 'split'",
        [book_id, source],
    )
    return {frozenset(row[0]) for row in rows}


def match_of(tx: Tx, lines: Collection[UUID]) -> MatchRow | None:
    """The standing match that has these lines and no others."""
    row = tx.execute(
        f"select {_MATCH} from settlement.match where state = 'standing' and cardinality(line_ids) = %(many)s"
        " and id in (select match_id from settlement.match_leg where line_id = any(%(lines)s)"
        " group by 1 having count(*) = %(many)s)",
        {"lines": list(lines), "many": len(lines)},
    ).fetchone()
    return MatchRow(*row) if row else None


def matches(
    tx: Tx, book_id: int, *, source: str | None = None, before: UUID | None = None, limit: int = 100
) -> list[MatchRow]:
    rows = tx.execute(
        f"select {_MATCH} from settlement.match where book_id = %s and (%s::text is null or source = %s)"
        " and (%s::uuid is null or id < %s) order by id desc limit %s",
        [book_id, source, source, before, before, limit],
    )
    return [MatchRow(*row) for row in rows]


def split(tx: Tx, row: MatchRow, by: UUID, reason: str, at: datetime) -> None:
    """The lines of a standing match are open again."""
    tx.execute("delete from settlement.match_leg where match_id = %s", [row.id])
    tx.execute(
        "update settlement.match set state = 'split', split_by = %s, split_reason = %s, split_at = %s where id = %s",
        [by, reason, at, row.id],
    )
    moved = set_state(tx, row.book_id, row.line_ids, "open", only="matched")
    assert moved == len(row.line_ids), row.id


# -- breaks


@dataclass(frozen=True, slots=True)
class Break:
    id: UUID
    book_id: int
    source: str
    type: str
    owner: str
    merchant_id: UUID | None
    state: str
    line_ids: list[UUID]
    amount_minor: int
    points: int
    suggestion: str
    # when it was found
    at: datetime
    reason: str | None
    ended_at: datetime | None
    ended_by: UUID | None
    record_id: UUID | None


_BREAK: Final = (
    "id, book_id, source, type, owner, merchant_id, state, line_ids, amount_minor, points, suggestion, at, reason,"
    " ended_at, ended_by, record_id"
)


def keep_breaks(tx: Tx, book: ledger.Book, source: str, found: Iterable[Found], *, all: bool) -> tuple[int, int]:
    """Open the breaks that are new, and when these are `all` there are, end those that no longer stand; how many of each.

    One that no longer stood and does again is opened again. What a person ended stays ended.
    """
    by_id = {break_id(book.public_id, b): b for b in found}
    there = dict(
        tx.execute(
            "select id, (state = 'resolved' and ended_by is null) from settlement.break where id = any(%s)",
            [list(by_id)],
        ).fetchall()
    )
    fresh = [id for id in by_id if id not in there]
    again = [id for id, ended in there.items() if ended]
    with tx.cursor() as cursor:
        cursor.executemany(
            "insert into settlement.break (id, book_id, source, type, owner, merchant_id, shown_to, state, line_ids,"
            " amount_minor, points, suggestion, at) values (%s, %s, %s, %s, %s, %s, %s, 'open', %s, %s, %s, %s, %s)",
            [
                [
                    id, book.id, source, b.type, b.owner, b.merchant_id, b.merchant_id if source == "till" else None,
                    [line.id for line in b.lines], b.amount_minor, b.points, b.suggestion, book.now,
                ]
                for id, b in by_id.items()
                if id not in there
            ],
        )  # fmt: skip
    tx.execute("update settlement.break set state = 'open', reason = null, ended_at = null where id = any(%s)", [again])
    gone = [
        row[0]
        for row in tx.execute(
            "update settlement.break set state = 'resolved', reason = 'no longer stands', ended_at = %s, ended_by = null"
            " where book_id = %s and source = %s and state <> 'resolved' and not type = any(%s) and not id = any(%s)"
            " and %s returning id",
            [book.now, book.id, source, list(OF_MATCHES), list(by_id), all],
        ).fetchall()
    ]
    add_steps(tx, book, [(id, "found", None, by_id[id].suggestion) for id in fresh])
    add_steps(tx, book, [(id, "found_again", None, by_id[id].suggestion) for id in again])
    add_steps(tx, book, [(id, "no_longer_stands", None, "no longer stands") for id in gone])
    return len(fresh) + len(again), len(gone)


def add_steps(tx: Tx, book: ledger.Book, steps: Iterable[tuple[UUID, str, UUID | None, str]]) -> None:
    """(break, step, who, why); the steps of a break are numbered."""
    with tx.cursor() as cursor:
        cursor.executemany(
            "insert into settlement.break_step (break_id, n, book_id, step, at, by, reason)"
            " select %(id)s, coalesce(max(n), 0) + 1, %(book)s, %(step)s, %(at)s, %(by)s, %(reason)s"
            " from settlement.break_step where break_id = %(id)s",
            [
                {"id": id, "book": book.id, "step": step, "at": book.now, "by": by, "reason": reason}
                for id, step, by, reason in steps
            ],
        )


def break_(tx: Tx, id: UUID, *, lock: bool = False) -> Break | None:
    row = tx.execute(
        f"select {_BREAK} from settlement.break where id = %s" + (" for update" if lock else ""), [id]
    ).fetchone()
    return Break(*row) if row else None


def breaks(
    tx: Tx, book_id: int, *, state: str | None = None, type: str | None = None, source: str | None = None,
    owner: str | None = None, merchant: UUID | None = None, before: UUID | None = None, limit: int = 100,
) -> list[Break]:  # fmt: skip
    """By id downwards: ids are hashes, so that the order says nothing and holds still while breaks come and go."""
    asked = {"book": book_id, "state": state, "type": type, "source": source, "owner": owner, "merchant": merchant,
             "before": before, "limit": limit}  # fmt: skip
    rows = tx.execute(
        f"select {_BREAK} from settlement.break where book_id = %(book)s"
        " and (%(state)s::text is null or state = %(state)s) and (%(type)s::text is null or type = %(type)s)"
        " and (%(source)s::text is null or source = %(source)s) and (%(owner)s::text is null or owner = %(owner)s)"
        " and (%(merchant)s::uuid is null or shown_to = %(merchant)s)"
        " and (%(before)s::uuid is null or id < %(before)s) order by id desc limit %(limit)s",
        asked,
    )
    return [Break(*row) for row in rows]


def end_break(
    tx: Tx, row: Break, state: str, by: UUID | None, reason: str, at: datetime, record: UUID | None = None
) -> None:
    ended = at if state == "resolved" else None
    tx.execute(
        "update settlement.break set state = %s, reason = %s, ended_at = %s, ended_by = %s, record_id = %s where id = %s",
        [state, reason, ended, by, record, row.id],
    )


def widen(tx: Tx, id: UUID, lines: Sequence[UUID]) -> None:
    tx.execute("update settlement.break set line_ids = %s where id = %s", [list(lines), id])


def breaks_of_lines(tx: Tx, book_id: int, lines: Collection[UUID]) -> list[Break]:
    """Breaks that stand and are about any of these lines."""
    rows = tx.execute(
        f"select {_BREAK} from settlement.break where book_id = %s and line_ids && %s::uuid[] and state <> 'resolved'"
        " order by id for update",
        [book_id, list(lines)],
    )
    return [Break(*row) for row in rows]


class BreakStep(NamedTuple):
    n: int
    step: str
    at: datetime
    by: UUID | None
    reason: str


def steps(tx: Tx, id: UUID) -> list[BreakStep]:
    rows = tx.execute("select n, step, at, by, reason from settlement.break_step where break_id = %s order by n", [id])
    return [BreakStep(*row) for row in rows]


# -- adjustments


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What one person proposed for a break and another decided, as its records tell."""

    id: UUID
    break_id: UUID
    # of which it is told
    window: int
    debtor_id: UUID
    creditor_id: UUID
    amount_minor: int
    state: str
    reason: str
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    # the record that decided it
    record_id: UUID | None


def lock_adjusting(tx: Tx, break_id: UUID) -> None:
    """Until the transaction ends nobody else proposes an adjustment of a break, or ends it."""
    tx.execute("select pg_advisory_xact_lock(hashtextextended('manex break ' || %s, 0))", [str(break_id)])


def adjustments(tx: Tx, break_id: UUID) -> list[Adjustment]:
    """The oldest first."""
    rows = tx.execute(
        """
        select a.id, a.break_id, (p.payload ->> 'window')::int, (p.payload ->> 'debtor')::uuid,
            (p.payload ->> 'creditor')::uuid, (p.payload ->> 'amount_minor')::bigint,
            case d.kind when 'adjustment' then 'approved' when 'adjustment_rejected' then 'rejected' else 'proposed' end,
            p.payload ->> 'reason', (p.payload ->> 'operator')::uuid, p.at, (d.payload ->> 'operator')::uuid, d.at, d.id
        from settlement.break_adjustment a join ledger.record p on p.id = a.id
        left join ledger.revision v on v.book_id = a.book_id and v.subject_id = a.id and v.revision = 2
        left join ledger.record d on d.batch_id = v.batch_id and d.n = v.n
        where a.break_id = %s order by a.id
        """,
        [break_id],
    )
    return [Adjustment(*row) for row in rows]


def add_adjustment(tx: Tx, book_id: int, id: UUID, break_id: UUID) -> None:
    tx.execute(
        "insert into settlement.break_adjustment (id, book_id, break_id) values (%s, %s, %s)", [id, book_id, break_id]
    )


# -- how it stands


def standing(tx: Tx, book_id: int) -> list[tuple[str, str, int, datetime]]:
    """(source, type, how many, since when the oldest) of the breaks that are not resolved."""
    return tx.execute(
        "select source, type, count(*), min(at) from settlement.break where book_id = %s and state <> 'resolved'"
        " group by 1, 2 order by 1, 2",
        [book_id],
    ).fetchall()


def ages(tx: Tx, book_id: int, now: datetime) -> tuple[int, int, int]:
    """Breaks that stand: not a day old, not a week old, older."""
    row = tx.execute(
        "select count(*) filter (where %(now)s - at < interval '1 day'),"
        " count(*) filter (where %(now)s - at >= interval '1 day' and %(now)s - at < interval '7 days'),"
        " count(*) filter (where %(now)s - at >= interval '7 days')"
        " from settlement.break where book_id = %(book)s and state <> 'resolved'",
        {"now": now, "book": book_id},
    ).fetchone()
    assert row is not None
    return (int(row[0]), int(row[1]), int(row[2]))


class Progress(NamedTuple):
    source: str
    lag_records: int
    at: datetime | None
    open_ours: int
    open_theirs: int
    matched: int
    matched_by_hand: int


def progress(tx: Tx, book_id: int) -> list[Progress]:
    rows = tx.execute(
        """
        select r.source, h.next_sequence - r.next_sequence, r.at, coalesce(l.ours, 0), coalesce(l.theirs, 0),
            coalesce(m.matches, 0), coalesce(m.by_hand, 0)
        from settlement.reconciled r join ledger.head h on h.book_id = r.book_id
        left join (select source, count(*) filter (where side = 'ours') as ours,
            count(*) filter (where side = 'theirs') as theirs
            from settlement.told_line where book_id = %(book)s and state = 'open' group by 1) l on l.source = r.source
        left join (select source, count(*) as matches, count(*) filter (where made_by is not null) as by_hand
            from settlement.match where book_id = %(book)s and state = 'standing' group by 1) m on m.source = r.source
        where r.book_id = %(book)s order by 1
        """,
        {"book": book_id},
    )
    return [Progress(*row) for row in rows]


def record_exists(tx: Tx, book_id: int, id: UUID) -> bool:
    return (
        tx.execute("select 1 from ledger.record where id = %s and book_id = %s", [id, book_id]).fetchone() is not None
    )


def place_of(tx: Tx, what: str, id: UUID) -> int | None:
    """The book of a break or a match."""
    assert what in ("break", "match"), what
    row = tx.execute(f"select book_id from settlement.{what} where id = %s", [id]).fetchone()
    return None if row is None else int(row[0])


def told_lines(tx: Tx, ids: Sequence[UUID]) -> list[tuple[Any, ...]]:
    """Lines of a break as they are shown, whatever the book: (line, state, file, place)."""
    rows = tx.execute(
        f"select {_LINE}, state, file_id, place from settlement.told_line where id = any(%s) order by side, at, id",
        [list(ids)],
    )
    return [(Line(*row[:-3]), *row[-3:]) for row in rows]
