"""What other rules would have given the sales there were."""

from merchants.whatif.fates import Outcome, Standing, net
from merchants.whatif.network import LONGEST_DAYS, Found, simulate
from merchants.whatif.previewing import (
    LARGEST_DAYS,
    LARGEST_SALES,
    Preview,
    TookTooLong,
    forbidden,
    preview,
    unit_value,
)
from merchants.whatif.summing import RuleSum, Side, Sums

__all__ = [
    "LARGEST_DAYS",
    "LARGEST_SALES",
    "LONGEST_DAYS",
    "Found",
    "Outcome",
    "Preview",
    "RuleSum",
    "Side",
    "Standing",
    "Sums",
    "TookTooLong",
    "forbidden",
    "net",
    "preview",
    "simulate",
    "unit_value",
]
