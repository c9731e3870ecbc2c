"""SQL of sales and of what sponsorships and offers gave at them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from ledger import Tx
from merchants.sales import schema, store
from merchants.sales.store import Reference


class SaleRow(Struct, frozen=True):
    id: UUID
    merchant_id: UUID
    branch_id: UUID
    till_id: UUID | None
    member_id: UUID | None
    external_reference: str
    occurred_at: datetime | None
    at: datetime
    total_minor: int
    money_minor: int
    lines: list[dict[str, Any]]
    payments: list[dict[str, Any]]
    redemption_id: UUID | None
    points_earned: int
    earn_refused: str | None
    contract_id: UUID
    terms_id: UUID | None
    n: int


@dataclass(frozen=True, slots=True)
class BonusRow:
    sale_id: UUID
    # the sponsorship or the offer
    giver_id: UUID
    issuer_id: UUID
    lot_id: UUID
    points: int


_SALE: Final = store.rows(schema.sale, SaleRow, "book_id", "batch_id")
_BONUS: Final = store.rows(schema.bonus, BonusRow, "book_id")


def known_sales(tx: Tx, references: Sequence[Reference]) -> Callable[[], dict[Reference, UUID]]:
    """Sales that already bear one of the (merchant, external reference) pairs."""
    return store.known(tx, "sale", references)


def add_sales(tx: Tx, book_id: int, batch_id: int, rows: Sequence[SaleRow]) -> None:
    _SALE(tx, rows, book_id, batch_id)


def add_bonuses(tx: Tx, book_id: int, rows: Sequence[BonusRow]) -> None:
    _BONUS(tx, rows, book_id)
