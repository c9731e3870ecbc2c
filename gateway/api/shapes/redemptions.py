"""A redemption at a till, with the member's code or with a spend of a voucher."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from gateway.api.shapes.values import (
    Answer,
    Balance,
    Body,
    MemberNamed,
    Money,
    PageIn,
    PointsAsked,
    Reference,
    SpendCode,
    Sum,
    Time,
)


class SpendIn(Body, frozen=True, kw_only=True):
    """What a till took without network: the member's voucher, and the spend of it that the member's device signed."""

    voucher: Annotated[str, Meta(max_length=3_000)]
    spend: Annotated[str, Meta(max_length=1_500)]


class RedemptionIn(Body, frozen=True, kw_only=True):
    branch: str
    external_reference: Reference
    member: MemberNamed
    # the six digits on the member's phone, or a spend of a voucher, which is captured in one step; with neither the member
    # is asked to approve
    spend_code: SpendCode | None = None
    voucher: SpendIn | None = None
    # without a voucher, one of the two: points, or what they are to be worth
    points: PointsAsked | None = None
    value: Money | None = None
    till: str | None = None
    occurred_at: Time | None = None
    # true: hold and capture in one step
    capture: bool = False


class SliceOut(Answer, frozen=True, kw_only=True):
    lot: str
    issuer: str
    points: int
    value: Sum


class RedemptionOut(Answer, frozen=True, kw_only=True):
    id: str
    record: str
    # awaiting_approval: nothing is set aside, and declined, withdrawn or lapsed without points nothing ever was
    state: Literal["awaiting_approval", "held", "captured", "voided", "lapsed", "declined", "withdrawn"]
    branch: str
    till: str | None
    member: str
    external_reference: str
    at: datetime
    # until the member approves: what was asked, one of the two
    points: int | None
    value: Sum | None
    # of the hold; until the member approves, of the answer
    deadline: datetime
    slices: list[SliceOut]
    balance: Balance | None


class OwnRedemptionOut(Answer, frozen=True, kw_only=True):
    """What a shop asks somebody at a wallet to approve, and what became of it."""

    id: str
    record: str
    state: Literal["awaiting_approval", "approved", "declined", "withdrawn", "lapsed"]
    # who asks, as the network knows it
    shop: str
    shop_name: str
    branch: str
    # the wallet it is to come from, by the last digits of its owner's number where that is another
    wallet: str
    at: datetime
    # until when it can be answered
    deadline: datetime
    # what was asked, one of the two; what was taken, both, once it is approved
    points: int | None
    value: Sum | None
    # true: the shop takes the points at once; false: it holds them first
    capture: bool
    balance: Balance | None


class OwnRedemptionPage(Answer, frozen=True, kw_only=True):
    data: list[OwnRedemptionOut]
    has_more: bool
    next_cursor: str | None


class AwaitingIn(PageIn, frozen=True, kw_only=True):
    state: Literal["awaiting_approval"] = "awaiting_approval"
