"""The rails' SQL: payees, instructions, files to and from banks, what providers told."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from ledger import Book, Tx
from settlement.rails.banks import BankLine, Statement
from settlement.rails.instructions import Instruction

_INSTRUCTION = (
    "id, book_id, merchant_id, direction, rail, window_number, amount_minor, state, made_at, record_id,"
    " payment_record_id, returned_record_id, file_id, holder, account, bic, rail_reference, rail_url, reason, tries,"
    " next_try_at, last_error"
)

# -- payees


class Payee(NamedTuple):
    merchant_id: UUID
    rail: str
    holder: str
    account: str
    bic: str | None
    set_by: UUID
    approved_by: UUID | None
    set_at: datetime


_PAYEE = "merchant_id, rail, holder, account, bic, set_by, approved_by, set_at"


def payees(tx: Tx, book_id: int, *, merchant: UUID | None = None, rail: str | None = None) -> list[Payee]:
    rows = tx.execute(
        f"select {_PAYEE} from settlement.payee where book_id = %s and (%s::uuid is null or merchant_id = %s)"
        " and (%s::text is null or rail = %s) order by merchant_id, rail",
        [book_id, merchant, merchant, rail, rail],
    )
    return [Payee(*row) for row in rows]


def put_payee(tx: Tx, book_id: int, payee: Payee) -> None:
    """Set where a party is paid. What it was before needs a new approval."""
    tx.execute(
        "insert into settlement.payee (book_id, merchant_id, rail, holder, account, bic, set_by, approved_by, set_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict (merchant_id, rail) do update set"
        " holder = excluded.holder, account = excluded.account, bic = excluded.bic, set_by = excluded.set_by,"
        " approved_by = null, set_at = excluded.set_at",
        [book_id, *payee],
    )


def lock_payee(tx: Tx, merchant: UUID, rail: str) -> Payee | None:
    row = tx.execute(
        f"select {_PAYEE} from settlement.payee where merchant_id = %s and rail = %s for update", [merchant, rail]
    ).fetchone()
    return Payee(*row) if row else None


def approve_payee(tx: Tx, merchant: UUID, rail: str, by: UUID) -> None:
    tx.execute(
        "update settlement.payee set approved_by = %s where merchant_id = %s and rail = %s", [by, merchant, rail]
    )


# -- instructions


def instruction(tx: Tx, id: UUID, *, book_id: int | None = None) -> Instruction | None:
    row = tx.execute(
        f"select {_INSTRUCTION} from settlement.instruction where id = %s and (%s::int is null or book_id = %s)",
        [id, book_id, book_id],
    ).fetchone()
    return Instruction(*row) if row else None


def instructions(tx: Tx, book_id: int, ids: Iterable[UUID]) -> dict[UUID, Instruction]:
    rows = tx.execute(
        f"select {_INSTRUCTION} from settlement.instruction where book_id = %s and id = any(%s) order by id",
        [book_id, list(ids)],
    )
    return {row[0]: Instruction(*row) for row in rows}


def of_window(tx: Tx, book_id: int, number: int, *, after: UUID | None = None, limit: int = 100) -> list[Instruction]:
    """A window's instructions in the order they were made, those behind `after`."""
    rows = tx.execute(
        f"select {_INSTRUCTION} from settlement.instruction where book_id = %s and window_number = %s"
        " and (%s::uuid is null or id > %s) order by id limit %s",
        [book_id, number, after, after, limit],
    )
    return [Instruction(*row) for row in rows]


def of_file(tx: Tx, file_id: UUID) -> list[Instruction]:
    rows = tx.execute(f"select {_INSTRUCTION} from settlement.instruction where file_id = %s order by id", [file_id])
    return [Instruction(*row) for row in rows]


def living(tx: Tx, book_id: int, number: int) -> dict[UUID, str]:
    """The merchants with an instruction of a window that lives, and its direction."""
    rows = tx.execute(
        "select merchant_id, direction from settlement.instruction where book_id = %s and window_number = %s"
        " and state in ('made', 'sent', 'unknown')",
        [book_id, number],
    )
    return dict(rows.fetchall())


def being_paid(tx: Tx, book_id: int, number: int) -> frozenset[UUID]:
    return frozenset(m for m, direction in living(tx, book_id, number).items() if direction == "pay_out")


def by_rail_reference(tx: Tx, rail: str, reference: str) -> Instruction | None:
    row = tx.execute(
        f"select {_INSTRUCTION} from settlement.instruction where rail = %s and rail_reference = %s",
        [rail, reference],
    ).fetchone()
    return Instruction(*row) if row else None


def topup_waits(tx: Tx, rail: str, mode: str) -> bool:
    """Whether any top-up by a rail, of a book of that mode, is asked for and not heard of."""
    row = tx.execute(
        "select exists (select from settlement.instruction i join ledger.book b on b.id = i.book_id"
        " where i.rail = %s and b.mode = %s and i.direction = 'topup' and i.state in ('made', 'sent', 'unknown'))",
        [rail, mode],
    ).fetchone()
    return bool(row and row[0])


class New(NamedTuple):
    id: UUID
    merchant_id: UUID
    direction: str
    rail: str
    window_number: int | None
    amount_minor: int
    made_at: datetime
    record_id: UUID
    file_id: UUID | None
    holder: str | None
    account: str | None
    bic: str | None
    # whether a job sends it; the others go in a file, or are paid by the merchant
    to_send: bool


def add_instructions(tx: Tx, book_id: int, new: Sequence[New]) -> None:
    for each in new:
        tx.execute(
            "insert into settlement.instruction (book_id, id, merchant_id, direction, rail, window_number, amount_minor,"
            " made_at, record_id, file_id, holder, account, bic, state, tries, next_try_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'made', 0, case when %s then now() end)",
            [book_id, *each],
        )


class Change(NamedTuple):
    """What a word made of an instruction; what is None stays."""

    id: UUID
    state: str
    payment_record_id: UUID | None = None
    returned_record_id: UUID | None = None
    rail_reference: str | None = None
    reason: str | None = None


def change_instructions(tx: Tx, changes: Iterable[Change]) -> None:
    """An instruction that has ended is sent no more."""
    for each in changes:
        tx.execute(
            "update settlement.instruction set state = %s, payment_record_id = coalesce(%s, payment_record_id),"
            " returned_record_id = coalesce(%s, returned_record_id), rail_reference = coalesce(%s, rail_reference),"
            " reason = coalesce(%s, reason), next_try_at = null where id = %s",
            [*each[1:], each.id],
        )


# -- sending


def claim(tx: Tx, book_id: int, rails: Sequence[str], claim: UUID, lease: timedelta, limit: int) -> list[Instruction]:
    """Take instructions that are due, for `lease`: nobody else takes them meanwhile. A try is counted before it is made, so
    that whoever comes after a crash knows that there was one."""
    # materialized: as a plain subquery the limit would hold each time that a plan runs it, not once
    columns = ", ".join(f"i.{column.strip()}" for column in _INSTRUCTION.split(","))
    rows = tx.execute(
        "with due as materialized ("
        " select id from settlement.instruction where book_id = %s and rail = any(%s) and state in ('made', 'unknown')"
        " and next_try_at <= now() and (claimed_until is null or claimed_until < now()) order by next_try_at, id limit %s"
        " for update skip locked)"
        " update settlement.instruction i set claim = %s, claimed_until = now() + %s, tries = tries + 1 from due"
        f" where i.id = due.id returning {columns}",
        [book_id, list(rails), limit, claim, lease],
    )
    return [Instruction(*row) for row in rows]


def next_to_send(tx: Tx, book_id: int, rails: Sequence[str]) -> bool:
    """Whether anything is to be sent now."""
    row = tx.execute(
        "select exists (select from settlement.instruction where book_id = %s and rail = any(%s)"
        " and state in ('made', 'unknown') and next_try_at <= now()"
        " and (claimed_until is null or claimed_until < now()))",
        [book_id, list(rails)],
    ).fetchone()
    return bool(row and row[0])


def sent(tx: Tx, id: UUID, claim: UUID, reference: str, url: str | None) -> None:
    """The rail has it; what becomes of it the rail tells."""
    tx.execute(
        "update settlement.instruction set state = 'sent', rail_reference = %s, rail_url = %s, next_try_at = null,"
        " claim = null, claimed_until = null, last_error = null"
        " where id = %s and claim = %s and state in ('made', 'unknown')",
        [reference, url, id, claim],
    )


def unknown(tx: Tx, id: UUID, claim: UUID, why: str, wait: timedelta | None) -> None:
    """Nobody knows whether it took: it is asked again after `wait`, or by a person where that is None."""
    tx.execute(
        "update settlement.instruction set state = 'unknown', next_try_at = now() + %s, claim = null,"
        " claimed_until = null, last_error = %s where id = %s and claim = %s and state in ('made', 'unknown')",
        [wait, why, id, claim],
    )


def ask_again(tx: Tx, id: UUID) -> bool:
    """Have an instruction that lives and is sent by a job tried anew, as if it were the first time but for its memory."""
    done = tx.execute(
        "update settlement.instruction set next_try_at = now(), tries = least(tries, 1) where id = %s"
        " and state in ('made', 'unknown') and rail <> 'bank'",
        [id],
    )
    return done.rowcount == 1


# -- files


class PayoutFile(NamedTuple):
    id: UUID
    window_number: int
    made_at: datetime
    execute_on: date
    holder: str
    account: str
    bic: str | None
    instructions: int
    total_minor: int


_FILE = "id, window_number, made_at, execute_on, holder, account, bic, instructions, total_minor"


def add_payout_file(tx: Tx, book_id: int, file: PayoutFile) -> None:
    tx.execute(
        f"insert into settlement.payout_file (book_id, {_FILE}) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [book_id, *file],
    )


def payout_file(tx: Tx, id: UUID) -> tuple[int, PayoutFile] | None:
    """The book and the file."""
    row = tx.execute(f"select book_id, {_FILE} from settlement.payout_file where id = %s", [id]).fetchone()
    return (row[0], PayoutFile(*row[1:])) if row else None


def payout_files(tx: Tx, book_id: int, number: int) -> list[PayoutFile]:
    rows = tx.execute(
        f"select {_FILE} from settlement.payout_file where book_id = %s and window_number = %s order by id",
        [book_id, number],
    )
    return [PayoutFile(*row) for row in rows]


def file_with_content(tx: Tx, book_id: int, digest: bytes) -> UUID | None:
    row = tx.execute(
        "select id from settlement.bank_file where book_id = %s and content_hash = %s", [book_id, digest]
    ).fetchone()
    return row[0] if row else None


def report_named(tx: Tx, book_id: int, message_id: str) -> UUID | None:
    row = tx.execute(
        "select id from settlement.bank_file where book_id = %s and message_id = %s", [book_id, message_id]
    ).fetchone()
    return row[0] if row else None


def statement_named(tx: Tx, book_id: int, statement: Statement) -> UUID | None:
    row = tx.execute(
        "select id from settlement.bank_statement where book_id = %s and account = %s and format = %s"
        " and statement_id = %s",
        [book_id, statement.account, statement.format, statement.id],
    ).fetchone()
    return row[0] if row else None


def add_bank_file(tx: Tx, book: Book, id: UUID, kind: str, digest: bytes, message_id: str | None, by: UUID) -> None:
    tx.execute(
        "insert into settlement.bank_file (id, book_id, kind, content_hash, message_id, imported_at, imported_by)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        [id, book.id, kind, digest, message_id, book.now, by],
    )


class KeptLine(NamedTuple):
    """A line with the instruction it names and what came of that."""

    line: BankLine
    instruction_id: UUID | None
    outcome: str | None


_LINE = (
    "account, booked, value, amount_minor, currency, counterparty, remittance, end_to_end_id, structured_reference,"
    " bank_reference, entry_reference, returned"
)


def add_statement(tx: Tx, book: Book, id: UUID, file_id: UUID, statement: Statement, lines: Sequence[KeptLine]) -> None:
    tx.execute(
        "insert into settlement.bank_statement (id, book_id, file_id, format, statement_id, account, currency,"
        " opening_minor, closing_minor, lines, imported_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            id,
            book.id,
            file_id,
            statement.format,
            statement.id,
            statement.account,
            statement.currency,
            statement.opening_minor,
            statement.closing_minor,
            len(lines),
            book.now,
        ],
    )
    with tx.cursor() as cursor:
        cursor.executemany(
            f"insert into settlement.bank_line (book_id, statement_id, ordinal, {_LINE}, instruction_id, outcome)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    book.id,
                    id,
                    ordinal,
                    *(getattr(kept.line, column) for column in _LINE.replace(" ", "").split(",")),
                    kept.instruction_id,
                    kept.outcome,
                )
                for ordinal, kept in enumerate(lines)
            ],
        )


class Imported(NamedTuple):
    """A statement that was taken in."""

    id: UUID
    book_id: int
    file_id: UUID
    format: str
    statement_id: str
    account: str
    currency: str
    opening_minor: int | None
    closing_minor: int | None
    lines: int
    imported_at: datetime


_STATEMENT = ", ".join(Imported._fields)


def statements(tx: Tx, book_id: int, *, before: UUID | None = None, limit: int = 100) -> list[Imported]:
    """The newest first."""
    rows = tx.execute(
        f"select {_STATEMENT} from settlement.bank_statement where book_id = %s and (%s::uuid is null or id < %s)"
        " order by id desc limit %s",
        [book_id, before, before, limit],
    )
    return [Imported(*row) for row in rows]


def statement(tx: Tx, id: UUID) -> Imported | None:
    row = tx.execute(f"select {_STATEMENT} from settlement.bank_statement where id = %s", [id]).fetchone()
    return Imported(*row) if row else None


def lines(tx: Tx, statement_id: UUID, *, after: int = -1, limit: int = 100) -> list[tuple[int, KeptLine]]:
    """Lines in their order with their ordinals, those behind `after`."""
    rows = tx.execute(
        f"select ordinal, {_LINE}, instruction_id, outcome from settlement.bank_line where statement_id = %s"
        " and ordinal > %s order by ordinal limit %s",
        [statement_id, after, limit],
    )
    return [(row[0], KeptLine(BankLine(*row[1:13]), row[13], row[14])) for row in rows]


# -- what providers told


def event_known(tx: Tx, rail: str, event_id: str) -> bool:
    row = tx.execute(
        "select exists (select from settlement.rail_event where rail = %s and event_id = %s)", [rail, event_id]
    ).fetchone()
    return bool(row and row[0])


def add_event(
    tx: Tx, book: Book, rail: str, event_id: str, kind: str, instruction_id: UUID | None, outcome: str
) -> None:
    tx.execute(
        "insert into settlement.rail_event (book_id, rail, event_id, kind, instruction_id, outcome, received_at)"
        " values (%s, %s, %s, %s, %s, %s, now())",
        [book.id, rail, event_id, kind, instruction_id, outcome],
    )


class Movement(NamedTuple):
    """Money that a provider says moved: positive came in, negative went out. `reference` is the provider's."""

    kind: str
    reference: str
    amount_minor: int
    instruction_id: UUID


def add_movement(tx: Tx, book: Book, rail: str, moved: Movement, at: datetime) -> None:
    tx.execute(
        "insert into settlement.rail_movement (book_id, n, rail, kind, reference, amount_minor, instruction_id, at)"
        " values (%s, (select coalesce(max(n), 0) + 1 from settlement.rail_movement where book_id = %s),"
        " %s, %s, %s, %s, %s, %s)",
        [book.id, book.id, rail, *moved, at],
    )


class ToldEvent(NamedTuple):
    rail: str
    event_id: str
    kind: str
    instruction_id: UUID | None
    outcome: str
    received_at: datetime


def events(
    tx: Tx, book_id: int, *, outcome: str | None = None, before: tuple[datetime, str] | None = None, limit: int = 100
) -> list[ToldEvent]:
    """What providers told, the newest first, those behind a place (when it was received, its id)."""
    at, id = before or (None, None)
    rows = tx.execute(
        "select rail, event_id, kind, instruction_id, outcome, received_at from settlement.rail_event where book_id = %s"
        " and (%s::text is null or outcome = %s) and (%s::timestamptz is null or (received_at, event_id) < (%s, %s))"
        " order by received_at desc, event_id desc limit %s",
        [book_id, outcome, outcome, at, at, id, limit],
    )
    return [ToldEvent(*row) for row in rows]
