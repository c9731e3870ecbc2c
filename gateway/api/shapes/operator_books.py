"""Books as an operator opens and reads them: rules, clock, what was sent, what a book came to."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from gateway.api.shapes.values import Answer, Body, Currency, Days, FaceValue, Phone, Query, Sum, Time


class ScheduleIn(Body, frozen=True, kw_only=True):
    every: Literal["day", "week", "calendar"]
    at: Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)")] = "00:00"
    # 0 is Monday
    weekday: Annotated[int, Meta(ge=0, le=6)] = 0
    # of a calendar: the days on which windows close, as 2017-03-20; after the last only an operator closes them
    dates: Annotated[
        list[Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\n)")]], Meta(max_length=400)
    ] = []


class BookIn(Body, frozen=True, kw_only=True):
    network: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{1,39}$(?!\n)")]
    mode: Literal["live", "test"]
    currency: Currency
    exponent: Annotated[int, Meta(ge=0, le=4)]
    face_value: FaceValue
    points_life_days: Days
    # null: points expire by their fixed life alone; else they also live so long after their member last earned or spent
    inactivity_days: Days | None = None
    time_zone: Annotated[str, Meta(max_length=64)] = "Asia/Tehran"
    # null: only an operator closes windows
    window_schedule: ScheduleIn | None = None
    # a test book's clock begins here
    clock: Time | None = None


class BookOut(Answer, frozen=True, kw_only=True):
    id: str
    network: str
    mode: Literal["live", "test"]
    currency: str
    exponent: int
    face_value: int
    points_life_days: int
    inactivity_days: int | None
    time_zone: str
    clock: datetime
    # the kill switch is on: nothing is posted
    stopped: bool


class BookList(Answer, frozen=True, kw_only=True):
    data: list[BookOut]


class RulesIn(Body, frozen=True, kw_only=True):
    """The network's rules, all of them."""

    face_value: FaceValue
    points_life_days: Days
    inactivity_days: Days | None = None


class RulesOut(Answer, frozen=True, kw_only=True):
    book: str
    record: str
    face_value: int
    points_life_days: int
    inactivity_days: int | None
    # null: agreed on, and in force when the open window closes
    in_force_at: datetime | None


class ClockIn(Body, frozen=True, kw_only=True):
    advance_to: Time


class ClockOut(Answer, frozen=True, kw_only=True):
    clock: datetime


class PhoneIn(Query, frozen=True, kw_only=True):
    phone: Phone


class SentCodeOut(Answer, frozen=True, kw_only=True):
    code: str
    asked_at: datetime
    expires_at: datetime


class SentCodesOut(Answer, frozen=True, kw_only=True):
    """What a test book would have sent to a telephone, the newest first. A used code is not shown."""

    data: list[SentCodeOut]


class PointsSummary(Answer, frozen=True, kw_only=True):
    """issued == redeemed + expired + returned + outstanding."""

    issued: int
    # less what refunds of redemptions gave back
    redeemed: int
    expired: int
    # taken home by refunds of sales
    returned: int
    # with members: to spend, on their way or held
    outstanding: int
    # of those outstanding: on their way; good at their own shop only
    pending: int
    closed_loop: int
    # of those redeemed: what repaid debts
    repaid: int
    # by one member to another, each gift counted
    given: int
    # what members owe shops now
    owed: int


class RefundsSummary(Answer, frozen=True, kw_only=True):
    # of sales: how many, their money, and the points that went with it: returned, expired before, or owed
    sales: int
    amount: Sum
    points: int
    # of redemptions: how many, and the points given back
    redemptions: int
    restored: int


class PartySum(Answer, frozen=True, kw_only=True):
    party: str
    name: str | None
    position: Sum


class SettlementSummary(Answer, frozen=True, kw_only=True):
    windows: int
    settled: int
    gross: Sum
    bilateral: Sum
    multilateral: Sum
    fees: Sum
    positions: list[PartySum]


class SummaryOut(Answer, frozen=True, kw_only=True):
    book: str
    clock: datetime
    baskets: int
    members: int
    points: PointsSummary
    refunds: RefundsSummary
    settlement: SettlementSummary
