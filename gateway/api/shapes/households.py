"""Households, and companies with the people who may spend for them."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from gateway.api.shapes.values import Amount, Answer, Body


class HouseholdPerson(Answer, frozen=True, kw_only=True):
    id: str
    # all but its last four digits hidden
    number: str
    state: Literal["invited", "active"]
    founder: bool
    # whether others may spend from this wallet
    shared: bool
    # of a family: what all others together may spend from this wallet in a month; of a company: what this person may spend
    monthly_points: int | None


class HouseholdOut(Answer, frozen=True, kw_only=True):
    id: str
    kind: Literal["family", "company"]
    people: list[HouseholdPerson]


class InvitationOut(Answer, frozen=True, kw_only=True):
    household: str
    kind: Literal["family", "company"]
    # the member number of whoever asks, all but its last four digits hidden
    by: str


class MyHousehold(Answer, frozen=True, kw_only=True):
    household: HouseholdOut | None
    invitations: list[InvitationOut]


class HouseholdStepOut(Answer, frozen=True, kw_only=True):
    record: str
    household: str
    kind: Literal["family", "company"]
    state: Literal["active", "ended"]
    founder: str
    at: datetime


class InviteIn(Body, frozen=True, kw_only=True):
    number: Annotated[str, Meta(min_length=6, max_length=64)]
    # of a company, and only there: what this person may spend in a month
    monthly_points: Amount | None = None


class SharingIn(Body, frozen=True, kw_only=True):
    # what the others may spend from one's wallet in a month; null: it is not shared
    monthly_points: Amount | None


class PersonLimitIn(Body, frozen=True, kw_only=True):
    monthly_points: Amount
