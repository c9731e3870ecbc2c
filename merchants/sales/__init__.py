"""What was bought, redeemed and refunded, as rows beside the ledger's records."""

from merchants.sales.store import (
    RedemptionRow,
    Reference,
    Refundable,
    RefundRow,
    SaleRow,
    add_redemptions,
    add_refunds,
    add_sales,
    captures,
    known_redemptions,
    known_refunds,
    known_sales,
    redemptions,
    redemptions_spent,
    refundable_redemptions,
    refundable_sales,
)

__all__ = [
    "RedemptionRow",
    "Reference",
    "RefundRow",
    "Refundable",
    "SaleRow",
    "add_redemptions",
    "add_refunds",
    "add_sales",
    "captures",
    "known_redemptions",
    "known_refunds",
    "known_sales",
    "redemptions",
    "redemptions_spent",
    "refundable_redemptions",
    "refundable_sales",
]
