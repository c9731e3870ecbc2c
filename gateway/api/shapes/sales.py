"""A sale at a till, and what it earned."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from gateway.api.shapes.values import Amount, Answer, Balance, Body, Category, MemberNamed, Money, Reference, Sum, Time

Measure = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)")]


class LineIn(Body, frozen=True, kw_only=True):
    """`measures`: what else the line carries that rules may be about, by name, such as {"km": 12}. `discount`: what is still
    granted off the amount, later and elsewhere; `cost`: what the goods cost the shop. Both are for rules only."""

    amount: Money
    category: Category | None = None
    sku: Reference | None = None
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    measures: Annotated[dict[Measure, Amount], Meta(max_length=10)] = {}
    discount: Money | None = None
    cost: Money | None = None


class PaymentIn(Body, frozen=True, kw_only=True):
    type: Literal["cash", "card", "transfer", "credit", "voucher", "points", "other"]
    amount: Money
    # the redemption that pays, when the type is points: its id, or the reference the merchant gave it
    redemption: str | None = None
    redemption_reference: Reference | None = None


class SaleIn(Body, frozen=True, kw_only=True):
    branch: str
    external_reference: Reference
    total: Money
    till: str | None = None
    # a member id (mem_...) or number; none: a sale to nobody we know
    member: MemberNamed | None = None
    occurred_at: Time | None = None
    lines: Annotated[list[LineIn], Meta(max_length=500)] = []
    payments: Annotated[list[PaymentIn], Meta(max_length=20)] = []


class BonusOut(Answer, frozen=True, kw_only=True):
    """What is given at a sale beside the shop's own points, as a lot of its own: by a sponsorship, or by an offer."""

    sponsorship: str | None
    # an offer, and its variant that the member is in
    offer: str | None
    variant: str | None
    issuer: str
    points: int
    # why nothing was issued: merchant_suspended, cap_reached, budget_too_small, velocity_limit
    refused: str | None
    lot: str | None
    expires_at: datetime | None


class RuleFired(Answer, frozen=True, kw_only=True):
    rule: str
    points: int


class Earn(Answer, frozen=True, kw_only=True):
    # all that is earned, what sponsorships and offers give included; refused, lot, expires_at and terms are of the shop's own part
    points: int
    # why nothing, or less, was issued: issuing_limit_reached, terms_exclude, merchant_suspended,
    # branch_frozen, velocity_limit, no_terms
    refused: str | None
    lot: str | None
    expires_at: datetime | None
    terms: str | None
    bonuses: list[BonusOut]
    # the first of the shop's own rules that counted, in their order, with whole points; of rates there are none
    rules: list[RuleFired]


class SaleOut(Answer, frozen=True, kw_only=True):
    id: str
    record: str
    branch: str
    till: str | None
    member: str | None
    external_reference: str
    occurred_at: datetime | None
    at: datetime
    total: Sum
    money_part: Sum
    earn: Earn
    balance: Balance | None
