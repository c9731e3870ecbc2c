"""What a member reads of their own: notices, and what points saved them."""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta

from gateway.api.shapes.standing import Words
from gateway.api.shapes.values import Answer, Query, Sum


class NoticeOut(Answer, frozen=True, kw_only=True):
    """A fact that one is told of; what it has no word for is null."""

    record: str
    kind: Literal[
        "expiry_notice",
        "approval_asked",
        "approval_withdrawn",
        "approval_lapsed",
        "tier_changed",
        "entitlement_granted",
        "entitlement_grant_ended",
        "gift_received",
        "repayment",
        "redemption_refund",
        "expiry",
        "member_frozen",
        "member_unfrozen",
    ]
    at: datetime
    # null: the network
    merchant: str | None
    merchant_name: str | None
    points: int | None
    # when the first of the points go, a request lapses, a grant ends
    until: datetime | None
    # expiry_notice: how many days before
    days: int | None
    # tier_changed: where one stands now, and stood before; null: on no tier
    tier: Words | None
    tier_before: Words | None


class NoticePage(Answer, frozen=True, kw_only=True):
    data: list[NoticeOut]
    has_more: bool
    next_cursor: str | None


class SavingsIn(Query, frozen=True, kw_only=True):
    """The months of a calendar, where the network is."""

    calendar: Literal["gregorian", "jalali"] = "gregorian"
    # the present one included
    months: Annotated[int, Meta(ge=1, le=24)] = 6


class MonthOut(Answer, frozen=True, kw_only=True):
    """From the day `from_day` to before the day `to_day`; refunds count in the month in which they were made."""

    from_day: date
    to_day: date
    # by purchases, less what was taken back; below zero when more was
    given_points: int
    given_value: Sum
    # with points, less what was given back
    paid_points: int
    paid_value: Sum


class SavingsOut(Answer, frozen=True, kw_only=True):
    """The oldest month first."""

    data: list[MonthOut]
