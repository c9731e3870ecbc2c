"""What sales earned, proved from raw rows and the rules as they are written, by another road than the one that decided.

Nothing of the programme's code is used: rules are read anew for each sale.
"""

from typing import Final

from ledger.audit import Check
from merchants.trade.audit import earned, members, past

CHECKS: Final[list[Check]] = [*earned.check, *past.check, *members.check]
