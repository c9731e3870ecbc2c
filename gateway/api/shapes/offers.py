"""Offers: who is in them, what they give, and what they caused."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.api.shapes.values import Answer, Body, Category, Name, PointsAsked, Query, Time

Metric = Literal["spend", "visits", "margin"]
#: Parts per million of an audience, or of a price.
Part = Annotated[int, Meta(ge=0, le=1_000_000)]


class OfferAudience(Body, frozen=True, kw_only=True):
    """Members of the network that neither left nor are frozen: all of them, those who bought at the shop, a list, those in
    one of the shop's segments, or on tiers that count at the shop. Who is in it is settled at the launch."""

    kind: Literal["all", "shop", "list", "segment", "tier"]
    # of a list: mem_...
    members: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=5_000)] = []
    # seg_..., one of the shop's own
    segment: Annotated[str, Meta(max_length=64)] | None = None
    # of the shop's own ladder if it has one, else of the network's
    tiers: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=20)] = []


class OfferVariantIn(Body, frozen=True, kw_only=True):
    """One way of making the offer."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)")]
    # of the audience
    share_ppm: Annotated[int, Meta(ge=1, le=1_000_000)]
    # as rules of a programme
    rules: dict[str, Any]
    # the deadline of this variant; none: it has none
    ends_at: Time | None = None


class OfferMargin(Body, frozen=True, kw_only=True):
    """What of a price is the shop's own."""

    ppm: Part
    by_category: Annotated[dict[Category, Part], Meta(max_length=500)] = {}


Times = Annotated[int, Meta(ge=1, le=1_000_000_000)]


class OfferFunding(Body, frozen=True, kw_only=True):
    """Whose points are given: the shop's own, a sponsor's, or the network's. The two others agree to it before the launch."""

    by: Literal["merchant", "sponsor", "network"] = "merchant"
    # of a sponsor: mer_...
    sponsor: Annotated[str, Meta(max_length=64)] | None = None


class OfferCap(Body, frozen=True, kw_only=True):
    """How often, and how many points; none: without end."""

    times: Times | None = None
    points: PointsAsked | None = None


class OfferTotal(Body, frozen=True, kw_only=True):
    times: Times | None = None


class OfferCaps(Body, frozen=True, kw_only=True):
    """What is given at most. A gift that would pass one is not given at all."""

    per_member: OfferCap = OfferCap()
    # of the whole offer, by the network's calendar
    per_day: OfferCap = OfferCap()
    total: OfferTotal = OfferTotal()


class OfferBudgetIn(Body, frozen=True, kw_only=True):
    """One of the two, by whoever funds the offer."""

    # set aside in addition
    add_points: PointsAsked | None = None
    # take back
    release_points: PointsAsked | None = None


class OfferIn(Body, frozen=True, kw_only=True):
    """An offer as a draft. The hold-out and the variants come to a million parts."""

    name: Name
    audience: OfferAudience
    holdout_ppm: Annotated[int, Meta(ge=10_000, le=900_000)]
    variants: Annotated[list[OfferVariantIn], Meta(min_length=1, max_length=4)]
    # none: at the launch
    begins_at: Time | None = None
    # none: until it is ended
    ends_at: Time | None = None
    # from the beginning; the last one decides
    windows_days: Annotated[list[Annotated[int, Meta(ge=1, le=366)]], Meta(min_length=1, max_length=12)] = (
        msgspec.field(default_factory=lambda: [7, 14, 28])
    )
    # days before the beginning to compare with; 0: none
    pre_days: Annotated[int, Meta(ge=0, le=366)] = 28
    margin: OfferMargin | None = None
    # points to set aside at the launch, for members to be given by the rules; none: the offer gives no points, and is
    # measured only
    budget_points: Annotated[int, Meta(ge=0, le=1_000_000_000_000)] | None = None
    # the most that the budget may be worth, in minor units, at the unit value of whose points they are
    budget_minor: Annotated[int, Meta(ge=1, le=1_000_000_000_000)] | None = None
    # none: by the shop itself
    funding: OfferFunding | None = None
    caps: OfferCaps | None = None
    # activate: a member is given nothing before activating the offer. none: auto
    activation: Literal["auto", "activate"] | None = None


class OfferVariantOut(Answer, frozen=True, kw_only=True):
    name: str
    share_ppm: int
    rules: dict[str, Any]
    ends_at: datetime | None


class OfferGivingOut(Answer, frozen=True, kw_only=True):
    """How an offer gives points. What it gave is told from the launch on."""

    funding: OfferFunding
    # who pays for it, and whether it agreed to the draft as it stands; a shop agrees with its own by making it
    funder: str
    agreed: bool
    budget_points: int
    budget_minor: int | None
    caps: OfferCaps
    activation: Literal["auto", "activate"]
    budget_left: int | None
    given_times: int | None
    given_points: int | None


class OfferOut(Answer, frozen=True, kw_only=True):
    id: str
    name: str
    state: Literal["draft", "launched", "ended"]
    audience: Literal["all", "shop", "list", "segment", "tier"]
    # of an audience by segment, which; by tier, which
    segment: str | None
    tiers: list[str]
    # how many were in it at the launch; of a draft, how many its list names
    members: int | None
    holdout_ppm: int
    variants: list[OfferVariantOut]
    begins_at: datetime | None
    ends_at: datetime | None
    windows_days: list[int]
    pre_days: int
    margin: OfferMargin | None
    # null: it gives no points
    giving: OfferGivingOut | None
    # SHA-256 of the salt, from the first day on; the salt itself from the launch on. Both in hexadecimal digits
    commitment: str
    salt: str | None
    drafted_at: datetime
    launched_at: datetime | None
    ended_at: datetime | None


class OfferPage(Answer, frozen=True, kw_only=True):
    data: list[OfferOut]
    has_more: bool
    next_cursor: str | None


class ResultsIn(Query, frozen=True, kw_only=True):
    # svg: a chart of one metric
    format: Literal["json", "svg"] | None = None
    metric: Metric = "spend"


class OfferArmOut(Answer, frozen=True, kw_only=True):
    """What a member of an arm did on average, from the offer's beginning to the end of a window. Spend and margin are in
    minor units."""

    days: int
    metric: Metric
    arm: str
    members: int
    mean: float
    # the same in the days before the beginning
    mean_before: float | None


class OfferVerdict(Answer, frozen=True, kw_only=True):
    """With 95 % confidence between `low` and `high`."""

    low: float
    high: float
    p_value: float
    # allowing for all rows of the window
    holm_p_value: float | None


class OfferLift(Answer, frozen=True, kw_only=True):
    """As a share of what those did who are compared with: 0.05 is five per cent more."""

    share: float
    low: float
    high: float


class OfferComparisonOut(Answer, frozen=True, kw_only=True):
    """What a member of `arm` did more than one of `against`. Null where an arm has too few members to say."""

    days: int
    metric: Metric
    arm: str
    against: str
    difference: float | None
    # true for the deciding window, if nobody stops at another
    once: OfferVerdict | None
    # true however often one looks
    every_look: OfferVerdict | None
    lift: OfferLift | None
    # whether what the members did before the beginning was allowed for
    adjusted: bool


class OfferResultsOut(Answer, frozen=True, kw_only=True):
    offer: str
    state: Literal["draft", "launched", "ended"]
    currency: str
    # which of the windows are over and counted, and the one that decides
    counted_days: list[int]
    deciding_days: int
    # records below this place in the book were counted
    through_sequence: int | None
    counted_at: datetime | None
    arms: list[OfferArmOut]
    comparisons: list[OfferComparisonOut]
    # what the figures can say, and what they cannot
    says: list[str]
    says_not: list[str]


class OwnOfferLeft(Answer, frozen=True, kw_only=True):
    """What one may still be given; null: as often, or as much, as there is."""

    times: int | None
    points: int | None


class OwnOfferOut(Answer, frozen=True, kw_only=True):
    """An offer that is for the member."""

    id: str
    merchant: str
    merchant_name: str
    # whose points are given
    funder: str
    funder_name: str
    name: str
    # what it gives, as rules of a programme
    rules: dict[str, Any]
    begins_at: datetime
    # null: until it is ended
    ends_at: datetime | None
    # activate: it gives nothing before one activates it
    activation: Literal["auto", "activate"]
    activated_at: datetime | None
    left: OwnOfferLeft


class OwnOfferPage(Answer, frozen=True, kw_only=True):
    data: list[OwnOfferOut]
    has_more: bool
    next_cursor: str | None


class OfferActivatedOut(Answer, frozen=True, kw_only=True):
    id: str
    merchant: str
    name: str
    rules: dict[str, Any]
    ends_at: datetime | None
    activated_at: datetime
