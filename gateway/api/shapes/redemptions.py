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
    # one of the two: the six digits on the member's phone, or a spend of a voucher, which is captured in one step
    spend_code: SpendCode | None = None
    voucher: SpendIn | None = None
    # with a spend code, one of the two: points, or what they are to be worth
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
    state: Literal["held", "captured", "voided", "lapsed"]
    branch: str
    till: str | None
    member: str
    external_reference: str
    at: datetime
    points: int
    value: Sum
    deadline: datetime
    slices: list[SliceOut]
    balance: Balance | None
