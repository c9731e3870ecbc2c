"""Points given by one member to another, and the rules of it."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from gateway.api.shapes.values import Amount, Answer, Balance, Body, PointsAsked, SpendCode, Sum


class GiftIn(Body, frozen=True, kw_only=True):
    # a member number, or a telephone
    to: Annotated[str, Meta(min_length=4, max_length=64)]
    points: PointsAsked
    # the six digits on one's own device: without them nothing is given
    spend_code: SpendCode | None = None


class GiftOut(Answer, frozen=True, kw_only=True):
    """`member` is the other's member number, all but its last four digits hidden."""

    id: str
    given: bool
    member: str
    points: int
    value: Sum
    at: datetime


class GiftGivenOut(GiftOut, frozen=True, kw_only=True):
    record: str
    balance: Balance


class GiftPage(Answer, frozen=True, kw_only=True):
    data: list[GiftOut]
    has_more: bool
    next_cursor: str | None


class GiftRulesIn(Body, frozen=True, kw_only=True):
    """What a member may give and be given on one day of the network's calendar."""

    points_a_day: Amount
    gifts_a_day: Annotated[int, Meta(ge=0, le=10_000)]
    received_a_day: Amount


class GiftRulesOut(Answer, frozen=True, kw_only=True):
    points_a_day: int
    gifts_a_day: int
    received_a_day: int
