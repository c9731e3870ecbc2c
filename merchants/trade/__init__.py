"""Sales, redemptions and their refunds: what a till may do, decided on the ledger's batches."""

from merchants.trade.commands import (
    BonusDone,
    Capture,
    Line,
    MemberRef,
    Payment,
    Quote,
    Redemption,
    RedemptionDone,
    RedemptionRefund,
    RedemptionRefundDone,
    Sale,
    SaleDone,
    SaleRefund,
    SaleRefundDone,
    SliceDone,
    TakenDone,
    Void,
)
from merchants.trade.handler import handlers
from merchants.trade.quoting import quote, spendable_at

__all__ = [
    "BonusDone",
    "Capture",
    "Line",
    "MemberRef",
    "Payment",
    "Quote",
    "Redemption",
    "RedemptionDone",
    "RedemptionRefund",
    "RedemptionRefundDone",
    "Sale",
    "SaleDone",
    "SaleRefund",
    "SaleRefundDone",
    "SliceDone",
    "TakenDone",
    "Void",
    "handlers",
    "quote",
    "spendable_at",
]
