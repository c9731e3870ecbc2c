"""What shops give beside points: entitlements, grants, uses at the counter."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from gateway.api.shapes.standing import TierId, Words
from gateway.api.shapes.values import Answer, Body, MemberNamed, Reference, Time

Uses = Annotated[int, Meta(ge=1, le=1_000_000_000)]
EntitlementKind = Literal["experience", "priority", "magazine", "member_price", "other"]


class UsesPerPeriod(Body, frozen=True, kw_only=True):
    """Of one member, where the network is. A day is one of any calendar."""

    uses: Uses
    length: Literal["day", "month", "quarter", "year"]
    calendar: Literal["gregorian", "jalali"] = "gregorian"


class EntitlementCapacity(Body, frozen=True, kw_only=True):
    """How often it may be used; what is left out has no limit."""

    total: Uses | None = None
    # of all members together
    per_day: Uses | None = None
    per_member: Uses | None = None
    per_period: UsesPerPeriod | None = None


class EntitlementIn(Body, frozen=True, kw_only=True):
    kind: EntitlementKind
    name: Words
    who: Literal["everybody", "tiers", "granted"]
    # for tiers: those that have it, by their ids on the ladder that counts at the shop
    tiers: Annotated[list[TierId], Meta(max_length=20)] = []
    capacity: EntitlementCapacity = EntitlementCapacity()
    # none: at once
    begins_at: Time | None = None
    # none: until it is ended
    ends_at: Time | None = None


class EntitlementOut(Answer, frozen=True, kw_only=True):
    id: str
    merchant: str
    kind: EntitlementKind
    name: Words
    who: Literal["everybody", "tiers", "granted"]
    tiers: list[str]
    capacity: EntitlementCapacity
    # uses that were not voided
    used: int
    state: Literal["open", "ended"]
    begins_at: datetime
    ends_at: datetime | None
    ended_at: datetime | None


class EntitlementPage(Answer, frozen=True, kw_only=True):
    data: list[EntitlementOut]
    has_more: bool
    next_cursor: str | None


class GrantIn(Body, frozen=True, kw_only=True):
    # an id, mem_...
    member: Annotated[str, Meta(max_length=64)]
    # none: as often as the capacity allows
    uses: Uses | None = None
    ends_at: Time | None = None


class GrantOut(Answer, frozen=True, kw_only=True):
    id: str
    record: str
    entitlement: str
    member: str
    uses: int | None
    left: int | None
    ends_at: datetime | None
    ended_at: datetime | None


class UseIn(Body, frozen=True, kw_only=True):
    branch: str
    external_reference: Reference
    member: MemberNamed


class UseOut(Answer, frozen=True, kw_only=True):
    id: str
    record: str
    entitlement: str
    member: str
    grant: str | None
    external_reference: str
    state: Literal["used", "voided"]
    at: datetime
    voided_at: datetime | None
    # how often the member may use it yet; null: without a limit
    left: int | None


class CheckIn(Body, frozen=True, kw_only=True):
    member: MemberNamed


class CheckOut(Answer, frozen=True, kw_only=True):
    """What the counter would be answered now; nothing is used."""

    entitlement: str
    member: str
    allowed: bool
    # the code and the sentence of the refusal
    refused: str | None
    detail: str | None
    left: int | None


class OwnEntitlementOut(Answer, frozen=True, kw_only=True):
    id: str
    merchant: str
    merchant_name: str
    kind: EntitlementKind
    name: Words
    ends_at: datetime | None
    # null: without a limit
    left: int | None


class OwnEntitlementPage(Answer, frozen=True, kw_only=True):
    data: list[OwnEntitlementOut]
    has_more: bool
    next_cursor: str | None
