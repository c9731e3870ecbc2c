"""The bodies of the API: what is accepted and answered. The OpenAPI document is generated from these types.

Amounts are whole numbers: points, or minor units of the book's currency. Fields nobody knows are refused.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from ledger import LARGEST_AMOUNT

# Python's $ also matches before a last line feed; (?!\\n) makes it mean the end, here and to readers of the OpenAPI document
#: Text a person or a till made up: short, and without control characters.
Reference = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[!-~]([ -~]*[!-~])?$(?!\n)")]
Name = Annotated[str, Meta(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
Category = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
#: RFC 3339 with an offset.
Time = Annotated[datetime, Meta(tz=True)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")]
Amount = Annotated[int, Meta(ge=0, le=LARGEST_AMOUNT)]
PointsAsked = Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT)]
Ppm = Annotated[int, Meta(ge=0, le=200_000)]


class Body(Struct, forbid_unknown_fields=True, frozen=True):
    """What is sent to us."""


class Answer(Struct, frozen=True):
    """What we send."""


class Money(Body, kw_only=True):
    amount: Amount
    currency: Currency


# -- merchant: sales


class LineIn(Body, kw_only=True):
    amount: Money
    category: Category | None = None
    sku: Reference | None = None
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class PaymentIn(Body, kw_only=True):
    type: Literal["cash", "card", "transfer", "credit", "voucher", "points", "other"]
    amount: Money
    # the redemption that pays, when the type is points
    redemption: str | None = None


class SaleIn(Body, kw_only=True):
    branch: str
    external_reference: Reference
    total: Money
    till: str | None = None
    # a member id (mem_...) or number; none: a sale to nobody we know
    member: Annotated[str, Meta(max_length=64)] | None = None
    occurred_at: Time | None = None
    lines: Annotated[list[LineIn], Meta(max_length=500)] = []
    payments: Annotated[list[PaymentIn], Meta(max_length=20)] = []


class Earn(Answer, kw_only=True):
    points: int
    # why nothing, or less, was issued: issuing_limit_reached, terms_exclude, merchant_suspended, no_terms
    refused: str | None
    lot: str | None
    expires_at: datetime | None
    terms: str | None


class Balance(Answer, kw_only=True):
    available: int


class SaleOut(Answer, kw_only=True):
    id: str
    record: str
    branch: str
    till: str | None
    member: str | None
    external_reference: str
    occurred_at: datetime | None
    at: datetime
    total: Money
    money_part: Money
    earn: Earn
    balance: Balance | None


# -- merchant: redemptions


class RedemptionIn(Body, kw_only=True):
    branch: str
    external_reference: Reference
    member: Annotated[str, Meta(max_length=64)]
    # the six digits on the member's phone
    spend_code: Annotated[str, Meta(min_length=6, max_length=12)]
    # one of the two: points, or what they are to be worth
    points: PointsAsked | None = None
    value: Money | None = None
    till: str | None = None
    occurred_at: Time | None = None
    # true: hold and capture in one step
    capture: bool = False


class NothingIn(Body, kw_only=True):
    """An empty object."""


class SliceOut(Answer, kw_only=True):
    lot: str
    issuer: str
    points: int
    value: Money


class RedemptionOut(Answer, kw_only=True):
    id: str
    record: str
    state: Literal["held", "captured", "voided", "lapsed"]
    branch: str
    till: str | None
    member: str
    external_reference: str
    at: datetime
    points: int
    value: Money
    deadline: datetime
    slices: list[SliceOut]
    balance: Balance | None


# -- merchant: quotes, look-ups, enrolment, batches


class QuoteIn(Body, kw_only=True):
    branch: str
    total: Money
    member: Annotated[str, Meta(max_length=64)] | None = None
    lines: Annotated[list[LineIn], Meta(max_length=500)] = []


class Spendable(Answer, kw_only=True):
    points: int
    value: Money


class QuoteOut(Answer, kw_only=True):
    earn: Earn
    # what the member may spend here; null without a member
    spendable: Spendable | None
    # what is left to pay in money if all of it were spent on this basket
    remainder: Money | None


class LookupIn(Body, kw_only=True):
    # one of the two
    number: Annotated[str, Meta(min_length=6, max_length=64)] | None = None
    phone: Annotated[str, Meta(min_length=4, max_length=40)] | None = None


class LookupOut(Answer, kw_only=True):
    member: str
    number: str
    given_name: str | None
    kind: Literal["natural", "legal"]
    tier: str | None
    spendable: Spendable
    spend_locked: bool


class ConsentIn(Body, kw_only=True):
    purpose: Annotated[str, Meta(pattern=r"^[a-z_]{1,40}$(?!\n)")]
    given: bool


class MemberIn(Body, kw_only=True):
    phone: Annotated[str, Meta(min_length=4, max_length=40)]
    kind: Literal["natural", "legal"] = "natural"
    given_name: Name | None = None
    family_name: Name | None = None
    language: Literal["fa", "en"] = "fa"
    consents: Annotated[list[ConsentIn], Meta(max_length=20)] = []


class MemberOut(Answer, kw_only=True):
    id: str
    number: str
    kind: Literal["natural", "legal"]
    # false: the phone was a member already
    created: bool


class SaleOperation(Body, kw_only=True, tag="sale", tag_field="operation"):
    idempotency_key: str
    body: SaleIn


class RedemptionOperation(Body, kw_only=True, tag="redemption", tag_field="operation"):
    idempotency_key: str
    body: RedemptionIn


class CaptureOperation(Body, kw_only=True, tag="capture", tag_field="operation"):
    idempotency_key: str
    redemption: str
    body: NothingIn = NothingIn()


class VoidOperation(Body, kw_only=True, tag="void", tag_field="operation"):
    idempotency_key: str
    redemption: str
    body: NothingIn = NothingIn()


class BatchIn(Body, kw_only=True):
    # each operation is taken as its single endpoint would take it; a malformed one spoils only itself
    operations: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=1000)]


class OutcomeOut(Answer, kw_only=True):
    status: int
    replayed: bool
    body: msgspec.Raw


class BatchOut(Answer, kw_only=True):
    outcomes: list[OutcomeOut]


# -- member


class OtpIn(Body, kw_only=True):
    phone: Annotated[str, Meta(min_length=4, max_length=40)]


class OtpOut(Answer, kw_only=True):
    expires_in: int


class VerifyIn(Body, kw_only=True):
    phone: Annotated[str, Meta(min_length=4, max_length=40)]
    code: Annotated[str, Meta(min_length=4, max_length=12)]


class TokenOut(Answer, kw_only=True):
    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    member: str | None = None


class DeviceIn(Body, kw_only=True):
    name: Name


class DeviceOut(Answer, kw_only=True):
    id: str
    name: str
    # base32, for RFC 6238 codes of six digits and 30 seconds; told once
    spend_secret: str


class Expiring(Answer, kw_only=True):
    points: int
    at: datetime


class MemberBalance(Answer, kw_only=True):
    available: int
    pending: int
    held: int
    expiring: list[Expiring]
    owed: int
    value: Money


class MeOut(Answer, kw_only=True):
    id: str
    number: str
    kind: Literal["natural", "legal"]
    given_name: str | None
    family_name: str | None
    tier: str | None
    spend_locked: bool


class SpendLockIn(Body, kw_only=True):
    locked: bool


# -- operator


class BookIn(Body, kw_only=True):
    network: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{1,39}$(?!\n)")]
    mode: Literal["live", "test"]
    currency: Currency
    exponent: Annotated[int, Meta(ge=0, le=4)]
    face_value: Annotated[int, Meta(ge=1, le=1_000_000)]
    points_life_days: Annotated[int, Meta(ge=1, le=36_500)]
    time_zone: Annotated[str, Meta(max_length=64)] = "Asia/Tehran"
    # null: only an operator closes windows
    window_schedule: "ScheduleIn | None" = None
    # a test book's clock begins here
    clock: Time | None = None


class ScheduleIn(Body, kw_only=True):
    every: Literal["day", "week"]
    at: Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)")] = "00:00"
    # 0 is Monday
    weekday: Annotated[int, Meta(ge=0, le=6)] = 0


class BookOut(Answer, kw_only=True):
    id: str
    network: str
    mode: Literal["live", "test"]
    currency: str
    exponent: int
    face_value: int
    points_life_days: int
    time_zone: str
    clock: datetime


class MerchantIn(Body, kw_only=True):
    name: Name
    kind: Literal["shop", "sponsor", "network"] = "shop"
    category: Category | None = None


class MerchantOut(Answer, kw_only=True):
    id: str
    name: str
    kind: Literal["shop", "sponsor", "network"]
    state: Literal["active", "suspended", "exited"]
    category: str | None


class BranchIn(Body, kw_only=True):
    reference: Reference
    name: Name
    channel: Literal["physical", "online"] = "physical"
    city: Name | None = None


class BranchOut(Answer, kw_only=True):
    id: str
    merchant: str
    reference: str
    name: str
    channel: Literal["physical", "online"]
    city: str | None
    state: Literal["active", "closed"]


class TillIn(Body, kw_only=True):
    reference: Reference


class TillOut(Answer, kw_only=True):
    id: str
    branch: str
    reference: str
    state: Literal["active", "closed"]


class KeyIn(Body, kw_only=True):
    label: Name
    kind: Literal["sk", "rk"] = "sk"
    scopes: Annotated[list[str], Meta(max_length=20)] = []


class KeyOut(Answer, kw_only=True):
    id: str
    label: str
    scopes: list[str]
    # told once
    secret: str


class ContractIn(Body, kw_only=True):
    mode: Literal["prefunded", "deferred", "closed_loop"]
    purchase_fee_ppm: Ppm
    redemption_fee_ppm: Ppm
    credit_line_points: Annotated[int, Meta(ge=0, le=10**12)] = 0
    hold_minutes: Annotated[int, Meta(ge=1, le=1440)] = 15
    points_life_days: Annotated[int, Meta(ge=1, le=36_500)] | None = None


class ContractOut(Answer, kw_only=True):
    id: str
    merchant: str
    version: int
    mode: Literal["prefunded", "deferred", "closed_loop"]
    unit_value: Money
    credit_line_points: int
    purchase_fee_ppm: int
    redemption_fee_ppm: int
    hold_minutes: int
    points_life_days: int | None
    in_force_at: datetime


class Rate(Body, kw_only=True):
    points: Annotated[int, Meta(ge=0, le=1_000_000)]
    per: Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT)]


class TermsIn(Body, kw_only=True):
    """`points` for every `per` minor units of the money part, by category where one is named; one floor per basket."""

    points: Annotated[int, Meta(ge=0, le=1_000_000)]
    per: Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT)]
    categories: dict[Category, Rate] = {}
    minimum: Amount = 0
    cap_points: PointsAsked | None = None


class TermsOut(Answer, kw_only=True):
    id: str
    merchant: str
    version: int
    in_force_at: datetime


class TopupIn(Body, kw_only=True):
    amount: Money
    through: Literal["bank", "psp"] = "bank"
    reference: Reference


class TopupOut(Answer, kw_only=True):
    record: str
    merchant: str
    amount: Money
    prefund: Money


class PurchaseIn(Body, kw_only=True):
    points: PointsAsked


class PurchaseOut(Answer, kw_only=True):
    record: str
    merchant: str
    points: int
    value: Money
    pool: int
    prefund: Money


class ClockIn(Body, kw_only=True):
    advance_to: Time


class ClockOut(Answer, kw_only=True):
    clock: datetime


class CloseIn(Body, kw_only=True):
    """Close the open window now."""


class ApproveIn(Body, kw_only=True):
    # what was submitted: the hash the window shows
    positions_hash: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]


class ReturnIn(Body, kw_only=True):
    reason: Name


class PaymentsIn(Body, kw_only=True):
    """Mark payments of a window as made: one merchant's, or all that are open."""

    reference: Reference
    merchant: str | None = None
    amount: Money | None = None
