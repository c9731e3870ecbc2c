"""How much of its credit line a merchant has used, and from where on that is told."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ledger import Book, Tx
from settlement import store

#: Parts of a credit line, in percent, from which on its use is told. Each is told until the use falls below it again.
LEVELS: Final = (90, 75, 50)


@dataclass(frozen=True, slots=True)
class Exposure:
    """A deferred merchant's points issued on credit, those of settled windows that it has not paid yet included."""

    merchant_id: UUID
    suspended: bool
    used_points: int
    # of these, settled in a window and waiting for its payment
    due_points: int
    line_points: int
    collateral_minor: int
    # taken back of its top-ups and not paid yet: counted with the points, at what one is worth
    charged_back_minor: int
    level_percent: int | None


def level(used_points: int, line_points: int) -> int | None:
    """The highest level that is reached; None below the first. Without a line anything used is above all. Pure."""
    if used_points <= 0:
        return None
    return next((percent for percent in LEVELS if used_points * 100 >= line_points * percent), None)


def with_charge_backs(used_points: int, charged_minor: int, unit_value_minor: int) -> int:
    """What is used of a line, with what was taken back of top-ups as if it were points; a part of one counts as one."""
    return used_points + -(-charged_minor // max(1, unit_value_minor))


def exposures(tx: Tx, book: Book) -> list[Exposure]:
    """Of every merchant with a credit line, with points on credit or with a charge-back to pay, the most exposed first."""
    charged = store.charged_back(tx, book.id)
    found = [
        Exposure(
            merchant,
            suspended,
            used,
            due,
            line,
            collateral,
            charged.get(merchant, 0),
            level(with_charge_backs(used, charged.get(merchant, 0), unit), line),
        )
        for merchant, suspended, line, used, due, collateral, unit in store.credit_used(tx, book.id, list(charged))
    ]
    return sorted(found, key=lambda e: (-(e.level_percent or 0), -e.used_points, e.merchant_id))
