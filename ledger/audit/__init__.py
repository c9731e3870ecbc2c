"""The ledger's own proof: every rule of the design re-derived from raw rows, by another road than the one that wrote them.

Call `run(url, CHECKS)`; packages above add their own list of `Checks` and the composition root runs them together.
"""

from ledger.audit import (
    approvals,
    brakes,
    budgets,
    chain,
    entitlements,
    gifts,
    guards,
    holds,
    households,
    identities,
    insight,
    lots,
    offers,
    outcomes,
    refunds,
    relay,
    sales,
    sequence,
    standing,
    value,
)
from ledger.audit.funding import LOTS, funded
from ledger.audit.proving import SHOWN, Check, Checks, Finding, Report, Row, Scope, prove, run
from ledger.audit.sequence import RECORDS

CHECKS: list[Check] = [
    *guards.check,
    *sequence.check,
    *chain.check,
    *value.check,
    *lots.check,
    *holds.check,
    *identities.check,
    *outcomes.check,
    *sales.check,
    *refunds.check,
    *brakes.check,
    *gifts.check,
    *households.check,
    *budgets.check,
    *approvals.check,
    *insight.check,
    *standing.check,
    *entitlements.check,
    *relay.check,
    *offers.check,
]

__all__ = [
    "CHECKS",
    "LOTS",
    "RECORDS",
    "SHOWN",
    "Check",
    "Checks",
    "Finding",
    "Report",
    "Row",
    "Scope",
    "funded",
    "prove",
    "run",
]
