"""What an operator stops and releases, how fast value may move, and what should be looked at."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from gateway.api.shapes.values import Answer, Body, PointsAsked


class BrakeIn(Body, frozen=True, kw_only=True):
    # why, for the network's operators: it is in no record and in no log
    reason: Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]


class BrakeOut(Answer, frozen=True, kw_only=True):
    """How a member, branch, merchant or book is now; the record that made it so, where an operator ever did."""

    id: str
    state: Literal["active", "frozen", "suspended", "running", "stopped"]
    record: str | None
    at: datetime | None


class BrakeTold(Answer, frozen=True, kw_only=True):
    record: str
    kind: str
    subject: str
    # null: the clock
    operator: str | None
    reason: str
    at: datetime


class BrakePage(Answer, frozen=True, kw_only=True):
    data: list[BrakeTold]
    has_more: bool
    next_cursor: str | None


class VelocityLimit(Body, frozen=True, kw_only=True):
    """At most `most` of `what` by one key, member or merchant in any `per_minutes`, by the book's clock."""

    subject: Literal["key", "member", "merchant"]
    what: Literal["earn_points", "sale_count", "redeem_points", "redeem_count"]
    per_minutes: Annotated[int, Meta(ge=1, le=43_200)]
    most: PointsAsked


class VelocityIn(Body, frozen=True, kw_only=True):
    # all there are to be; none takes them off
    limits: Annotated[list[VelocityLimit], Meta(max_length=20)]


class VelocityOut(Answer, frozen=True, kw_only=True):
    limits: list[VelocityLimit]
    # counts the lists; 0: there never was one
    revision: int


class PayInGraceIn(Body, frozen=True, kw_only=True):
    # days after a window was posted; null: nobody is suspended by the clock
    days: Annotated[int, Meta(ge=1, le=365)] | None


class PayInGraceOut(Answer, frozen=True, kw_only=True):
    days: int | None
    # counts the changes; 0: it was never declared
    revision: int


class FlagOut(Answer, frozen=True, kw_only=True):
    """What an operator should look at: one a day for each subject and reason. Shop and member are the last ones."""

    id: str
    reason: Literal["velocity_limit", "wrong_codes"]
    # a key, a member or a merchant
    subject: str
    # of a velocity limit, what it counts
    what: str | None
    times: int
    first_at: datetime
    last_at: datetime
    merchant: str
    branch: str
    member: str
    # the first of that day, 20 at most: sales that earned nothing, the shop's references of redemptions that were refused
    sales: list[str]
    redemption_references: list[str]


class FlagPage(Answer, frozen=True, kw_only=True):
    data: list[FlagOut]
    has_more: bool
    next_cursor: str | None
