"""Settlement's own proof: every derived row re-derived from the ledger's raw rows, by another road than the consumer's.

Slices are read from the lot moves and their lots, rates from the contracts on record, windows from the close records;
fees are rounded as exact fractions. Nothing of the consumer's code is used.
"""

from typing import Final

from ledger.audit import Check
from settlement.audit import charge_backs, covers, netting, overdue, paying, rails, windows
from settlement.reconciliation import audit as reconciliation
from settlement.sealed import audit as sealed

CHECKS: Final[list[Check]] = [
    *windows.check,
    *netting.check,
    *paying.check,
    *covers.check,
    *rails.check,
    *charge_backs.check,
    *overdue.check,
    *sealed.check,
    *reconciliation.check,
]
