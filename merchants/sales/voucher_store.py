"""SQL of vouchers: their rows, and the states of the holds that they are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import ledger
from ledger import Tx
from merchants.sales import schema, store

_COLUMNS: Final = (
    "v.id, v.merchant_id, v.member_id, v.device_id, v.public_key, v.thumbprint, v.at, v.spend_until, v.deadline,"
    " v.points, v.value_minor, v.parts, v.n, h.state"
)


@dataclass(frozen=True, slots=True)
class VoucherRow:
    """A voucher, with the state of its hold and what was captured of it as last committed."""

    id: UUID
    merchant_id: UUID
    member_id: UUID
    device_id: UUID
    public_key: dict[str, str] = field(repr=False)
    thumbprint: str = field(repr=False)
    at: datetime
    spend_until: datetime
    deadline: datetime
    points: int
    value_minor: int
    parts: list[list[int]]
    n: int
    state: str = field(default="open", metadata=store.ELSEWHERE)
    spent: int | None = field(default=None, metadata=store.ELSEWHERE)


_VOUCHER: Final = store.rows(schema.voucher, VoucherRow, "book_id", "batch_id")


def vouchers(tx: Tx, book_id: int, ids: set[UUID]) -> dict[UUID, VoucherRow]:
    """Vouchers by id. Their state is not locked: whoever decides on it looks whether the locked hold still has it."""
    if not ids:
        return {}
    rows = tx.execute(
        f"select {_COLUMNS} from merchants.voucher v join ledger.hold h on h.id = v.id"
        " where v.book_id = %s and v.id = any(%s::uuid[])",
        [book_id, ledger.array(ids)],
    )
    return {row[0]: VoucherRow(*row) for row in rows}


def open_vouchers(tx: Tx, members: Iterable[UUID]) -> dict[UUID, int]:
    """How many open vouchers members have. To be asked once their devices are locked: a new one needs its device."""
    wanted = list(set(members))
    if not wanted:
        return {}
    rows = tx.execute(
        "select v.member_id, count(*) from merchants.voucher v join ledger.hold h on h.id = v.id and h.state = 'open'"
        " where v.member_id = any(%s::uuid[]) group by 1",
        [ledger.array(wanted)],
    )
    return dict(rows.fetchall())


def vouchers_of(tx: Tx, book_id: int, member_id: UUID, before: UUID | None, limit: int) -> list[VoucherRow]:
    """A member's vouchers, the newest first."""
    rows = tx.execute(
        f"select {_COLUMNS}, d.points from merchants.voucher v join ledger.hold h on h.id = v.id"
        " left join merchants.redemption d on d.id = v.id"
        " where v.book_id = %s and v.member_id = %s and (%s::uuid is null or v.id < %s::uuid) order by v.id desc limit %s",
        [book_id, member_id, before, before, limit],
    )
    return [VoucherRow(*row) for row in rows]


def add_vouchers(tx: Tx, book_id: int, batch_id: int, rows: Sequence[VoucherRow]) -> None:
    _VOUCHER(tx, rows, book_id, batch_id)
