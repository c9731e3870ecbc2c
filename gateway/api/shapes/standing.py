"""Ladders of tiers, and how members stand on them."""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, field

from gateway.api.shapes.values import Answer, Body, PersonKind, Time
from ledger import LARGEST_AMOUNT

# the same pattern as names have, which ends at the end
_PLAIN = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$(?!\n)"
TierId = Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,32}$(?!\n)")]
Word = Annotated[str, Meta(min_length=1, max_length=64, pattern=_PLAIN)]
Text = Annotated[str, Meta(min_length=1, max_length=300, pattern=_PLAIN)]
Least = Annotated[int, Meta(ge=1, le=1_000 * LARGEST_AMOUNT)]
Reason = Annotated[str, Meta(min_length=1, max_length=300, pattern=_PLAIN)]


class Words(Body, frozen=True, kw_only=True):
    """What people read, in Persian and in English."""

    fa: Word
    en: Word


class Texts(Body, frozen=True, kw_only=True):
    """What people read, in Persian and in English."""

    fa: Text
    en: Text


class LadderPeriod(Body, frozen=True, kw_only=True):
    """The days over which purchases are measured: a calendar's periods, in the network's time zone, or rolling days."""

    calendar: Literal["gregorian", "jalali"] | None = None
    length: Literal["month", "quarter", "year"] | None = None
    # today included
    rolling_days: Annotated[int, Meta(ge=1, le=1_096)] | None = None


class Thresholds(Body, frozen=True, kw_only=True):
    """What was paid in money (minor units), purchases, points earned; each net of refunds."""

    spend: Least | None = None
    visits: Least | None = None
    points_earned: Least | None = None


class TierRequires(Body, frozen=True, kw_only=True):
    """One of the two: all of the thresholds, or any of them."""

    all: Thresholds | None = None
    any: Thresholds | None = None


class TierBenefit(Body, frozen=True, kw_only=True):
    # a name of one's own, such as that of an entitlement
    name: Word
    text: Texts


class TierIn(Body, frozen=True, kw_only=True):
    id: TierId
    name: Words
    # none: by hand only
    requires: TierRequires | None = None
    benefits: Annotated[list[TierBenefit], Meta(max_length=50)] = []


class LadderIn(Body, frozen=True, kw_only=True):
    """In force at once, and never for what was before. A ladder without tiers ends what there was."""

    period: LadderPeriod
    # period_end: what was reached in a period counts from the next one on
    promotion: Literal["at_once", "period_end"] = "at_once"
    # how long a tier is kept that is reached no more
    grace_days: Annotated[int, Meta(ge=0, le=366)] = 0
    # whether those who stand higher by the ladder before keep their tier until a period is over
    when_changed: Literal["keep", "fall"] = "keep"
    kinds: Annotated[list[PersonKind], Meta(min_length=1, max_length=2)] = field(
        default_factory=lambda: ["natural", "legal"]
    )
    # the lowest first
    tiers: Annotated[list[TierIn], Meta(max_length=20)]


class LadderOut(Answer, frozen=True, kw_only=True):
    id: str
    # null: the network's own
    merchant: str | None
    version: int
    in_force_at: datetime
    period: LadderPeriod
    promotion: Literal["at_once", "period_end"]
    grace_days: int
    when_changed: Literal["keep", "fall"]
    kinds: list[PersonKind]
    tiers: list[TierIn]


class LadderPage(Answer, frozen=True, kw_only=True):
    data: list[LadderOut]
    has_more: bool
    next_cursor: str | None


class TierByHandIn(Body, frozen=True, kw_only=True):
    """Beats the rule until it ends."""

    # null: the rule counts again
    tier: TierId | None
    reason: Reason
    # none: until it is taken back
    ends_at: Time | None = None


class TierOut(Answer, frozen=True, kw_only=True):
    id: str
    name: Words
    benefits: list[TierBenefit]


class MeasureOut(Answer, frozen=True, kw_only=True):
    measure: Literal["spend", "visits", "points_earned"]
    at_least: int
    value: int
    missing: int


class NextTierOut(Answer, frozen=True, kw_only=True):
    tier: str
    name: Words
    # whether all of the measures have to be reached, or any of them
    all: bool
    measures: list[MeasureOut]


class ProgressOut(Answer, frozen=True, kw_only=True):
    """What was bought in the present period, from the day `from_day` to before the day `to_day`."""

    from_day: date
    to_day: date
    spend: int
    visits: int
    points_earned: int
    # null: there is no higher tier that one can reach
    next: NextTierOut | None


class TierStandingOut(Answer, frozen=True, kw_only=True):
    # null: the network's own ladder
    merchant: str | None
    merchant_name: str | None
    ladder: str
    # null: none
    tier: TierOut | None
    since: datetime | None
    # whether by the rule, by hand or by a ladder that came into force
    by: Literal["rule", "hand", "ladder"] | None
    # null: a shop sees this of its own ladder only
    progress: ProgressOut | None
    # when the tier changes if nothing more is bought, and what is then; only with progress
    ends_at: datetime | None
    then: str | None
    # the name of the tier that is then
    then_name: Words | None


class StandingsOut(Answer, frozen=True, kw_only=True):
    data: list[TierStandingOut]


class TierByHandOut(Answer, frozen=True, kw_only=True):
    """What was decided; the member stands so within seconds."""

    record: str
    member: str
    tier: str | None
    ends_at: datetime | None
    at: datetime


class StandingEvent(TierStandingOut, frozen=True, kw_only=True):
    """How one stands on a ladder, as it is now that a record of this kind is in the ledger."""

    kind: str
