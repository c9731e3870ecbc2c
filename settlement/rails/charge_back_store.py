"""The SQL of charge-backs, and of the top-ups that they take back."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ledger import Tx


class TopupMade(NamedTuple):
    """A top-up as its record tells it."""

    id: UUID
    merchant_id: UUID
    amount_minor: int
    through: str
    instruction_id: UUID | None


def topup(tx: Tx, book_id: int, id: UUID) -> TopupMade | None:
    row = tx.execute(
        "select id, merchant_id, (payload ->> 'amount_minor')::bigint, payload ->> 'through',"
        " (payload ->> 'instruction')::uuid from ledger.record where id = %s and book_id = %s and kind = 'topup'",
        [id, book_id],
    ).fetchone()
    return TopupMade(*row) if row else None


def told_by_provider(tx: Tx, topup: TopupMade) -> bool:
    """Whether a provider was asked for it, who tells by itself what became of it."""
    row = tx.execute(
        "select rail <> 'bank' from settlement.instruction where id = %s", [topup.instruction_id]
    ).fetchone()
    return bool(row and row[0])


class ChargeBack(NamedTuple):
    """What was taken back of a top-up; minor units. `revision` counts its records.

    proposed -> rejected or booked; booked -> reversal_proposed -> booked again or reversed; a provider's word needs no
    proposal.
    """

    id: UUID
    book_id: int
    merchant_id: UUID
    topup_id: UUID
    # where the money went from, and what it is called there
    source: str
    reference: str
    amount_minor: int
    state: str
    revision: int
    # once it is booked: what prefund gave, and what was charged to the next position
    prefund_minor: int
    charged_minor: int
    proposed_by: UUID | None
    at: datetime
    record_id: UUID | None
    reversed_record_id: UUID | None


_COLUMNS = ", ".join(ChargeBack._fields)


def charge_back(tx: Tx, id: UUID, *, book_id: int | None = None) -> ChargeBack | None:
    row = tx.execute(
        f"select {_COLUMNS} from settlement.charge_back where id = %s and (%s::int is null or book_id = %s)",
        [id, book_id, book_id],
    ).fetchone()
    return ChargeBack(*row) if row else None


def of_topup(tx: Tx, topup_id: UUID) -> list[ChargeBack]:
    rows = tx.execute(f"select {_COLUMNS} from settlement.charge_back where topup_id = %s order by id", [topup_id])
    return [ChargeBack(*row) for row in rows]


def named(tx: Tx, book_id: int, source: str, reference: str) -> UUID | None:
    """The charge-back that has a reference; one that was rejected leaves it free."""
    row = tx.execute(
        "select id from settlement.charge_back where book_id = %s and source = %s and reference = %s"
        " and state <> 'rejected'",
        [book_id, source, reference],
    ).fetchone()
    return row[0] if row else None


def charge_backs(
    tx: Tx, book_id: int, *, merchant: UUID | None = None, before: UUID | None = None, limit: int = 100
) -> list[ChargeBack]:
    """The newest first, those before an id; with `merchant`, its own."""
    rows = tx.execute(
        f"select {_COLUMNS} from settlement.charge_back where book_id = %s and (%s::uuid is null or merchant_id = %s)"
        " and (%s::uuid is null or id < %s) order by id desc limit %s",
        [book_id, merchant, merchant, before, before, limit],
    )
    return [ChargeBack(*row) for row in rows]


def put(tx: Tx, of: ChargeBack) -> None:
    """Write a charge-back as it is now."""
    tx.execute(
        f"insert into settlement.charge_back ({_COLUMNS}) values ({', '.join(['%s'] * len(of))})"
        " on conflict (id) do update set state = excluded.state, revision = excluded.revision,"
        " prefund_minor = excluded.prefund_minor, charged_minor = excluded.charged_minor,"
        " proposed_by = excluded.proposed_by, record_id = excluded.record_id,"
        " reversed_record_id = excluded.reversed_record_id",
        list(of),
    )
