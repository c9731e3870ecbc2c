"""What was bought, redeemed and refunded, as rows beside the ledger's records."""

from merchants.sales.store import (
    RedemptionRow,
    Reference,
    SaleRow,
    add_redemptions,
    add_sales,
    known_redemptions,
    known_sales,
    redemptions,
    redemptions_spent,
)

__all__ = [
    "RedemptionRow",
    "Reference",
    "SaleRow",
    "add_redemptions",
    "add_sales",
    "known_redemptions",
    "known_sales",
    "redemptions",
    "redemptions_spent",
]
