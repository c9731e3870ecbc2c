"""Refunds of sales and of redemptions."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from gateway.api.shapes.redemptions import SliceOut
from gateway.api.shapes.sales import LineIn
from gateway.api.shapes.values import Answer, Balance, Body, Money, PointsAsked, Reference, Sum, Time


class SaleRefundIn(Body, frozen=True, kw_only=True):
    external_reference: Reference
    # of the money part; more than nothing
    amount: Money
    occurred_at: Time | None = None
    # what was brought back; the lines sum to the amount
    lines: Annotated[list[LineIn], Meta(max_length=500)] = []


class TakenOut(Answer, frozen=True, kw_only=True):
    """What a refund took back of one lot of its sale. What is owed is owed to the lot's issuer."""

    lot: str
    issuer: str
    points: int
    returned: int
    owed: int


class SaleRefundOut(Answer, frozen=True, kw_only=True):
    id: str
    record: str
    sale: str
    member: str | None
    external_reference: str
    occurred_at: datetime | None
    at: datetime
    amount: Sum
    # of the money part, still to be refunded
    left: Sum
    # points taken back: those returned, now or by expiry before, and those the member owes
    points: int
    returned: int
    owed: int
    # lot by lot, the shop's own first
    parts: list[TakenOut]
    balance: Balance | None


class RedemptionRefundIn(Body, frozen=True, kw_only=True):
    external_reference: Reference
    # none: all that are left
    points: PointsAsked | None = None


class RedemptionRefundOut(Answer, frozen=True, kw_only=True):
    id: str
    record: str
    redemption: str
    member: str
    external_reference: str
    at: datetime
    points: int
    # points of the redemption still to be refunded
    left: int
    value: Sum
    # what was restored, the last consumed first
    slices: list[SliceOut]
    balance: Balance
