"""The SQL of brakes, velocity limits and flags. One book's rows are never found through another."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec

import ledger
from merchants.safety.flags import SHOWN, Flag
from merchants.safety.velocity import Counts, Limit, Name, Steps

_json = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Brake:
    """One act: what was done to what, by whom (None: the clock), when and why."""

    record_id: UUID
    kind: str
    subject_id: UUID
    revision: int
    operator_id: UUID | None
    reason: str = field(repr=False)
    at: datetime


_BRAKE = "record_id, kind, subject_id, revision, operator_id, reason, at"

_FLAG = (
    "reason, subject, subject_id, what, times, first_at, last_at, merchant_id, branch_id, member_id, sale_ids,"
    " redemption_references, id"
)

# -- brakes


def last_brake(tx: ledger.Tx, book_id: int, subject_id: UUID) -> Brake | None:
    """The newest act upon a thing."""
    row = tx.execute(
        f"select {_BRAKE} from merchants.brake where book_id = %s and subject_id = %s order by revision desc limit 1",
        [book_id, subject_id],
    ).fetchone()
    return None if row is None else Brake(*row)


def add_brake(tx: ledger.Tx, book_id: int, act: Brake) -> None:
    tx.execute(
        f"insert into merchants.brake (book_id, {_BRAKE}) values (%s, %s, %s, %s, %s, %s, %s, %s)",
        [book_id, *dataclasses.astuple(act)],
    )


def list_brakes(tx: ledger.Tx, book_id: int, *, before: UUID | None = None, limit: int) -> list[Brake]:
    """A page of a book's acts, the newest first."""
    rows = tx.execute(
        f"select {_BRAKE} from merchants.brake where book_id = %s and (%s::uuid is null or record_id < %s)"
        " order by record_id desc limit %s",
        [book_id, before, before, limit],
    )
    return [Brake(*row) for row in rows]


# -- velocity limits


def limits_of(tx: ledger.Tx, book_id: int) -> list[Limit]:
    """The limits in force, in a fixed order."""
    rows = tx.execute(
        "select subject, what, per_minutes, most from merchants.velocity_limit where book_id = %s"
        " order by subject, what, per_minutes",
        [book_id],
    )
    return [Limit(*row) for row in rows]


def put_limits(tx: ledger.Tx, book_id: int, limits: Sequence[Limit]) -> None:
    """Write the whole list; the book's lock is held exclusively. Counts that no limit asks for any more are dropped."""
    tx.execute("delete from merchants.velocity_limit where book_id = %s", [book_id])
    tx.execute(
        "insert into merchants.velocity_limit (book_id, subject, what, per_minutes, most)"
        " select %s, * from unnest(%s::text[], %s::text[], %s::int[], %s::bigint[])",
        [
            book_id,
            ledger.array(x.subject for x in limits),
            ledger.array(x.what for x in limits),
            ledger.array(x.per_minutes for x in limits),
            ledger.array(x.most for x in limits),
        ],
    )
    tx.execute(
        "delete from merchants.velocity_count where book_id = %s and (subject, what, step_minutes) not in"
        " (select * from unnest(%s::text[], %s::text[], %s::int[]))",
        [
            book_id,
            ledger.array(x.subject for x in limits),
            ledger.array(x.what for x in limits),
            ledger.array(x.step_minutes for x in limits),
        ],
    )


def lock_counts(tx: ledger.Tx, book_id: int, wanted: Iterable[Name]) -> dict[Name, Steps]:
    """The counts asked for, made where they are missing, locked in the order of their names until the transaction ends.

    To be asked after what is refunded and before wallets.
    """
    names = sorted(wanted)
    if not names:
        return {}
    asked = [
        ledger.array(n.subject for n in names),
        ledger.array(n.subject_id for n in names),
        ledger.array(n.what for n in names),
        ledger.array(n.step_minutes for n in names),
    ]
    tx.execute(
        "insert into merchants.velocity_count (book_id, subject, subject_id, what, step_minutes, steps, amounts)"
        " select %s, subject, subject_id, what, step_minutes, '{}', '{}'"
        " from unnest(%s::text[], %s::uuid[], %s::text[], %s::int[])"
        " with ordinality as new(subject, subject_id, what, step_minutes, i) order by i on conflict do nothing",
        [book_id, *asked],
    )
    rows = tx.execute(
        "select c.subject, c.subject_id, c.what, c.step_minutes, c.steps, c.amounts"
        " from unnest(%s::text[], %s::uuid[], %s::text[], %s::int[])"
        " with ordinality as asked(subject, subject_id, what, step_minutes, i)"
        " join merchants.velocity_count c on c.book_id = %s and c.subject = asked.subject"
        " and c.subject_id = asked.subject_id and c.what = asked.what and c.step_minutes = asked.step_minutes"
        " order by asked.i for no key update of c",
        [*asked, book_id],
    ).fetchall()
    assert len(rows) == len(names), "a count that was there is gone"
    return {Name(*row[:4]): dict(zip(row[4], row[5], strict=True)) for row in rows}


def put_counts(tx: ledger.Tx, book_id: int, counts: Counts) -> None:
    """Write the counts that a batch added to, without the steps that no limit can ask for any more."""
    if not counts.changed:
        return
    # arrays of arrays must be rectangular in SQL, so the steps travel as JSON
    rows = []
    for name in counts.changed:
        steps = counts.kept(name)
        rows.append(name._asdict() | {"steps": list(steps), "amounts": list(steps.values())})
    tx.execute(
        "update merchants.velocity_count c set steps = new.steps, amounts = new.amounts"
        " from jsonb_to_recordset(%s::jsonb) as new(subject text, subject_id uuid, what text, step_minutes int,"
        " steps bigint[], amounts bigint[])"
        " where c.book_id = %s and c.subject = new.subject and c.subject_id = new.subject_id and c.what = new.what"
        " and c.step_minutes = new.step_minutes",
        [_json.encode(rows).decode(), book_id],
    )


# -- flags


def put_flags(tx: ledger.Tx, book: ledger.Book, flags: Mapping[tuple[str, str, UUID, str], Flag]) -> None:
    """Raise flags, or count them to those of the same day. In the order of their names, as every process does."""
    if not flags:
        return
    # arrays of arrays must be rectangular in SQL, so the sales travel as JSON
    rows = [dataclasses.asdict(flags[name]) for name in sorted(flags)]
    tx.execute(
        f"insert into merchants.flag as f (book_id, day, {_FLAG})"
        f" select %s, %s, {_FLAG} from jsonb_to_recordset(%s::jsonb) as new(reason text, subject text, subject_id uuid,"
        " what text, times int, first_at timestamptz, last_at timestamptz, merchant_id uuid, branch_id uuid,"
        " member_id uuid, sale_ids uuid[], redemption_references text[], id uuid)"
        " order by reason, subject, subject_id, what"
        " on conflict (book_id, day, reason, subject, subject_id, what) do update set"
        " times = least(f.times + excluded.times, 1000000000), last_at = excluded.last_at,"
        " merchant_id = excluded.merchant_id, branch_id = excluded.branch_id, member_id = excluded.member_id,"
        " sale_ids = (f.sale_ids || excluded.sale_ids)[1:%s],"
        " redemption_references = (f.redemption_references || excluded.redemption_references)[1:%s]",
        [book.id, book.now.date(), _json.encode(rows).decode(), SHOWN, SHOWN],
    )


def list_flags(tx: ledger.Tx, book_id: int, *, before: UUID | None = None, limit: int) -> list[Flag]:
    """A page of a book's flags, those raised last first."""
    rows = tx.execute(
        f"select {_FLAG} from merchants.flag where book_id = %s and (%s::uuid is null or id < %s) order by id desc limit %s",
        [book_id, before, before, limit],
    )
    return [
        dataclasses.replace(Flag(*row), sale_ids=tuple(row[10]), redemption_references=tuple(row[11])) for row in rows
    ]
