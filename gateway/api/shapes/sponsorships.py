"""Points given at other merchants' sales out of a budget."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from gateway.api.shapes.terms import TermsIn
from gateway.api.shapes.values import Amount, Answer, Body, PointsAsked, Time


class SponsorshipIn(Body, frozen=True, kw_only=True):
    """Points given at other merchants' sales, by rules like a shop's terms, out of a budget."""

    # at whose sales; none: at every shop's
    shops: Annotated[list[str], Meta(min_length=1, max_length=500)] | None = None
    rules: TermsIn
    # points to set aside at once; a bonus that the budget does not bear is not given
    budget_points: Amount = 0
    # none: at once
    begins_at: Time | None = None
    # none: until it is ended
    ends_at: Time | None = None


class SponsorshipBudgetIn(Body, frozen=True, kw_only=True):
    """One of the two."""

    # set aside in addition
    add_points: PointsAsked | None = None
    # give back to the sponsor's pool or credit
    release_points: PointsAsked | None = None


class SponsorshipOut(Answer, frozen=True, kw_only=True):
    id: str
    merchant: str
    # null: every shop
    shops: list[str] | None
    rules: TermsIn
    # what the budget holds now
    budget_points: int
    state: Literal["open", "ended"]
    begins_at: datetime
    ends_at: datetime | None
    ended_at: datetime | None


class SponsorshipPage(Answer, frozen=True, kw_only=True):
    data: list[SponsorshipOut]
    has_more: bool
    next_cursor: str | None
