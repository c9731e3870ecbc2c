"""What was bought, redeemed and refunded, as rows beside the ledger's records."""

from merchants.sales.gift_store import (
    GiftDay,
    GiftRow,
    GiftRules,
    GiftTold,
    add_gifts,
    gift_days,
    gift_rules,
    gifts_of,
    put_gift_days,
    put_gift_rules,
)
from merchants.sales.redemption_store import (
    RedemptionRow,
    add_redemptions,
    captures,
    known_redemptions,
    redemptions,
    redemptions_spent,
    spent_for_others,
)
from merchants.sales.refund_store import (
    Earned,
    Refundable,
    RefundRow,
    add_refunds,
    known_refunds,
    refundable_redemptions,
    refundable_sales,
)
from merchants.sales.sale_store import BonusRow, SaleRow, add_bonuses, add_sales, known_sales
from merchants.sales.store import Reference
from merchants.sales.voucher_store import VoucherRow, add_vouchers, open_vouchers, vouchers, vouchers_of

__all__ = [
    "BonusRow",
    "Earned",
    "GiftDay",
    "GiftRow",
    "GiftRules",
    "GiftTold",
    "RedemptionRow",
    "Reference",
    "RefundRow",
    "Refundable",
    "SaleRow",
    "VoucherRow",
    "add_bonuses",
    "add_gifts",
    "add_redemptions",
    "add_refunds",
    "add_sales",
    "add_vouchers",
    "captures",
    "gift_days",
    "gift_rules",
    "gifts_of",
    "known_redemptions",
    "known_refunds",
    "known_sales",
    "open_vouchers",
    "put_gift_days",
    "put_gift_rules",
    "redemptions",
    "redemptions_spent",
    "refundable_redemptions",
    "refundable_sales",
    "spent_for_others",
    "vouchers",
    "vouchers_of",
]
