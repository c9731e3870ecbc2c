"""Collateral, the loss fund, covers of what was not paid in, and pay-outs that came back."""

from datetime import datetime

from gateway.api.shapes.values import Answer, Body, Money, Name, Reference, Sum


class DepositIn(Body, frozen=True, kw_only=True):
    amount: Money
    reference: Reference


class DepositOut(Answer, frozen=True, kw_only=True):
    record: str
    # none: the loss fund
    merchant: str | None
    amount: Sum
    # what there is now
    balance: Sum


class ExposureOut(Answer, frozen=True, kw_only=True):
    merchant: str
    suspended: bool
    # points issued on credit and not paid for, and of these those that are settled and wait for a payment
    used_points: int
    due_points: int
    line_points: int
    collateral: Sum
    # taken back of its top-ups and not paid yet; it counts with what is used of the line
    charged_back: Sum
    # 50, 75 or 90: so much of the credit line is used; none below
    warning_percent: int | None


class ExposuresOut(Answer, frozen=True, kw_only=True):
    """What the network would have to bear of each merchant that pays later, the most exposed first."""

    at: datetime
    data: list[ExposureOut]


class CoverIn(Body, frozen=True, kw_only=True):
    """Let others stand in for a merchant that has not paid in. It is suspended before."""

    merchant: str
    reason: Name


class ShareOut(Answer, frozen=True, kw_only=True):
    """What another bears of it, in the window that is open now."""

    merchant: str
    amount: Sum


class CoverOut(Answer, frozen=True, kw_only=True):
    """owed == prefund + collateral + loss_fund + shares_used + what others will have borne + unpaid."""

    record: str
    window: str
    merchant: str
    at: datetime
    owed: Sum
    prefund: Sum
    collateral: Sum
    loss_fund: Sum
    shares_used: Sum
    shares: list[ShareOut]
    unpaid: Sum
    released_points: int


class PaymentReturnIn(Body, frozen=True, kw_only=True):
    """The bank sent a pay-out back. `payment` is its record."""

    payment: str
    reason: Name


class PaymentReturnOut(Answer, frozen=True, kw_only=True):
    record: str
    window: str
    payment: str
    merchant: str
    at: datetime
    amount: Sum
    # what is to be paid out again
    open: Sum
