"""Segments, RFM, next offers, and a member's occasions."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta

from gateway.api.shapes.values import Answer, Body, Name, Query, Sum

#: Conditions over a member's own purchases; docs/segments.md tells what they are made of.
Definition = dict[str, Any]


class SegmentPreviewIn(Body, frozen=True, kw_only=True):
    definition: Definition


class SegmentCountOut(Answer, frozen=True, kw_only=True):
    members: int
    as_of: datetime


class SegmentIn(Body, frozen=True, kw_only=True):
    name: Name
    definition: Definition


class SegmentChangeIn(Body, frozen=True, kw_only=True):
    definition: Definition


class SegmentOut(Answer, frozen=True, kw_only=True):
    id: str
    name: str
    # each change makes the next; the ones before stay as they are
    version: int
    definition: Definition
    saved_at: datetime


class SegmentCounted(SegmentOut, frozen=True, kw_only=True):
    members: int
    as_of: datetime


class SegmentPage(Answer, frozen=True, kw_only=True):
    data: list[SegmentOut]
    has_more: bool
    next_cursor: str | None


class SegmentMember(Answer, frozen=True, kw_only=True):
    member: str


class SegmentMemberPage(Answer, frozen=True, kw_only=True):
    data: list[SegmentMember]
    has_more: bool
    next_cursor: str | None


class ConditionOut(Answer, frozen=True, kw_only=True):
    # where it stands in the definition: a JSON pointer
    pointer: str
    measure: str
    within_days: int | None
    category: str | None
    # a number, a day or a kind; null: there is nothing to say it of, and the condition is not met
    found: int | str | None
    met: bool


class SegmentExplanation(Answer, frozen=True, kw_only=True):
    member: str
    version: int
    inside: bool
    as_of: datetime
    conditions: list[ConditionOut]


class RfmIn(Query, frozen=True, kw_only=True):
    within_days: Annotated[int, Meta(ge=1, le=3660)] = 365
    format: Literal["json", "csv"] | None = None


class RfmCell(Answer, frozen=True, kw_only=True):
    # fifths from 1 (the worst) to 5
    recency: int
    frequency: int
    spend: int
    members: int
    purchases: int
    spend_sum: Sum


class RfmOut(Answer, frozen=True, kw_only=True):
    within_days: int
    as_of: datetime
    data: list[RfmCell]


class NextOfferReason(Answer, frozen=True, kw_only=True):
    """One line, as a code and its numbers: due (every_days, days_since), regular (times, visits, days_since),
    bought_together (with, of_hundred_buyers), popular (of_hundred_members)."""

    code: Literal["due", "regular", "bought_together", "popular"]
    facts: dict[str, int | str]


class NextOfferOut(Answer, frozen=True, kw_only=True):
    merchant: str
    category: str
    # how likely it is to be bought at the next visit, in millionths
    score_ppm: int
    reason: NextOfferReason
    as_of: datetime


class NextOfferList(Answer, frozen=True, kw_only=True):
    data: list[NextOfferOut]


class NextOffersOn(Answer, frozen=True, kw_only=True):
    since: datetime


class OccasionIn(Body, frozen=True, kw_only=True):
    kind: Literal["birthday", "wedding_anniversary", "company_anniversary", "own"]
    calendar: Literal["jalali", "gregorian"]
    month: Annotated[int, Meta(ge=1, le=12)]
    day: Annotated[int, Meta(ge=1, le=31)]
    # of the first one, by the same calendar, if one likes to tell
    year: Annotated[int, Meta(ge=1, le=9999)] | None = None
    # of an occasion of one's own
    name: Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")] | None = None


class OccasionsIn(Body, frozen=True, kw_only=True):
    """All of them: what is not told is forgotten."""

    occasions: Annotated[list[OccasionIn], Meta(max_length=10)]


class OccasionOut(Answer, frozen=True, kw_only=True):
    kind: Literal["birthday", "wedding_anniversary", "company_anniversary", "own"]
    calendar: Literal["jalali", "gregorian"]
    month: int
    day: int
    year: int | None
    name: str | None
    # the next day of it, today included, by the Gregorian calendar and where the network is
    next_on: date
    # from when shops' rules take it into account: one that was changed counts a year later; null: rules never ask for it
    counts_from: datetime | None


class OccasionsOut(Answer, frozen=True, kw_only=True):
    data: list[OccasionOut]
