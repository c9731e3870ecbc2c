"""The bodies of the API: what is accepted and answered. The OpenAPI document is generated from these types.

Amounts are whole numbers: points, or minor units of the book's currency. Fields nobody knows are refused.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from gateway.jwk import Jwk
from ledger import LARGEST_AMOUNT

# Python's $ also matches before a last line feed; (?!\\n) makes it mean the end, here and to readers of the OpenAPI document
#: Text a person or a till made up: short, and without control characters.
Reference = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[!-~]([ -~]*[!-~])?$(?!\n)")]
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
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


class Money(Body, frozen=True, kw_only=True):
    amount: Amount
    currency: Currency


class Sum(Answer, frozen=True, kw_only=True):
    """An amount of ours, which may be below zero: what is owed, received, charged."""

    amount: int
    currency: str


class ErrorOut(Answer, frozen=True, kw_only=True):
    # JSON pointer (RFC 6901) to the field; of a query parameter, its name
    pointer: str
    code: str
    detail: str


class ProblemOut(Answer, frozen=True, kw_only=True):
    """RFC 9457. `facts` are what a program can act on, such as the id that has the reference already."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    retryable: bool
    errors: list[ErrorOut]
    facts: dict[str, Any]


class PageIn(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The query of a list."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    cursor: Annotated[str, Meta(max_length=400)] | None = None


# -- merchant: sales


class LineIn(Body, frozen=True, kw_only=True):
    amount: Money
    category: Category | None = None
    sku: Reference | None = None
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


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
    member: Annotated[str, Meta(max_length=64)] | None = None
    occurred_at: Time | None = None
    lines: Annotated[list[LineIn], Meta(max_length=500)] = []
    payments: Annotated[list[PaymentIn], Meta(max_length=20)] = []


class BonusOut(Answer, frozen=True, kw_only=True):
    """What a sponsor gives at a sale, as a lot of its own."""

    sponsorship: str
    issuer: str
    points: int
    # why nothing was issued: budget_too_small, merchant_suspended
    refused: str | None
    lot: str | None
    expires_at: datetime | None


class Earn(Answer, frozen=True, kw_only=True):
    # all that is earned, what sponsors give included; refused, lot, expires_at and terms are of the shop's own part
    points: int
    # why nothing, or less, was issued: issuing_limit_reached, terms_exclude, merchant_suspended,
    # branch_frozen, velocity_limit, no_terms
    refused: str | None
    lot: str | None
    expires_at: datetime | None
    terms: str | None
    bonuses: list[BonusOut]


class Balance(Answer, frozen=True, kw_only=True):
    available: int


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


# -- merchant: redemptions


class SpendIn(Body, frozen=True, kw_only=True):
    """What a till took without network: the member's voucher, and the spend of it that the member's device signed."""

    voucher: Annotated[str, Meta(max_length=3_000)]
    spend: Annotated[str, Meta(max_length=1_500)]


class RedemptionIn(Body, frozen=True, kw_only=True):
    branch: str
    external_reference: Reference
    member: Annotated[str, Meta(max_length=64)]
    # one of the two: the six digits on the member's phone, or a spend of a voucher, which is captured in one step
    spend_code: Annotated[str, Meta(min_length=6, max_length=12)] | None = None
    voucher: SpendIn | None = None
    # with a spend code, one of the two: points, or what they are to be worth
    points: PointsAsked | None = None
    value: Money | None = None
    till: str | None = None
    occurred_at: Time | None = None
    # true: hold and capture in one step
    capture: bool = False


class NothingIn(Body, frozen=True, kw_only=True):
    """An empty object."""


class SliceOut(Answer, frozen=True, kw_only=True):
    lot: str
    issuer: str
    points: int
    value: Sum


class RedemptionOut(Answer, frozen=True, kw_only=True):
    id: str
    record: str
    state: Literal["held", "captured", "voided", "lapsed"]
    branch: str
    till: str | None
    member: str
    external_reference: str
    at: datetime
    points: int
    value: Sum
    deadline: datetime
    slices: list[SliceOut]
    balance: Balance | None


# -- merchant: refunds


class SaleRefundIn(Body, frozen=True, kw_only=True):
    external_reference: Reference
    # of the money part; more than nothing
    amount: Money
    occurred_at: Time | None = None
    # what was brought back; the lines sum to the amount
    lines: Annotated[list[LineIn], Meta(max_length=500)] = []


class TakenOut(Answer, frozen=True, kw_only=True):
    """What a refund took back of one lot of its sale. What is owed is owed to the lot's issuer."""

    lot: str
    issuer: str
    points: int
    returned: int
    owed: int


class SaleRefundOut(Answer, frozen=True, kw_only=True):
    id: str
    record: str
    sale: str
    member: str | None
    external_reference: str
    occurred_at: datetime | None
    at: datetime
    amount: Sum
    # of the money part, still to be refunded
    left: Sum
    # points taken back: those returned, now or by expiry before, and those the member owes
    points: int
    returned: int
    owed: int
    # lot by lot, the shop's own first
    parts: list[TakenOut]
    balance: Balance | None


class RedemptionRefundIn(Body, frozen=True, kw_only=True):
    external_reference: Reference
    # none: all that are left
    points: PointsAsked | None = None


class RedemptionRefundOut(Answer, frozen=True, kw_only=True):
    id: str
    record: str
    redemption: str
    member: str
    external_reference: str
    at: datetime
    points: int
    # points of the redemption still to be refunded
    left: int
    value: Sum
    # what was restored, the last consumed first
    slices: list[SliceOut]
    balance: Balance


# -- merchant: quotes, look-ups, enrolment, batches


class QuoteIn(Body, frozen=True, kw_only=True):
    branch: str
    total: Money
    member: Annotated[str, Meta(max_length=64)] | None = None
    lines: Annotated[list[LineIn], Meta(max_length=500)] = []


class Spendable(Answer, frozen=True, kw_only=True):
    points: int
    value: Sum


class QuoteOut(Answer, frozen=True, kw_only=True):
    earn: Earn
    # what the member may spend here; null without a member
    spendable: Spendable | None
    # what is left to pay in money if all of it were spent on this basket
    remainder: Sum | None


class LookupIn(Body, frozen=True, kw_only=True):
    # one of the two
    number: Annotated[str, Meta(min_length=6, max_length=64)] | None = None
    phone: Annotated[str, Meta(min_length=4, max_length=40)] | None = None


class LookupOut(Answer, frozen=True, kw_only=True):
    member: str
    number: str
    given_name: str | None
    kind: Literal["natural", "legal"]
    tier: str | None
    spendable: Spendable
    spend_locked: bool


Kind = Literal["natural", "legal"]


class ConsentIn(Body, frozen=True, kw_only=True):
    purpose: Annotated[str, Meta(pattern=r"^[a-z_]{1,40}$(?!\n)")]
    given: bool


class MemberIn(Body, frozen=True, kw_only=True):
    phone: Annotated[str, Meta(min_length=4, max_length=40)]
    kind: Literal["natural", "legal"] = "natural"
    given_name: Name | None = None
    family_name: Name | None = None
    language: Literal["fa", "en"] = "fa"
    consents: Annotated[list[ConsentIn], Meta(max_length=20)] = []
    # true: a code goes to the phone, and with it the member says that these consents are theirs
    confirm: bool = False


class MemberOut(Answer, frozen=True, kw_only=True):
    id: str
    number: str
    kind: Literal["natural", "legal"]
    # false: the phone was a member already
    created: bool
    # false: a code was sent to the phone, and until it is told the consents stand as asked; null: nothing was asked
    consents_confirmed: bool | None


class MemberConfirmationIn(Body, frozen=True, kw_only=True):
    # one of the two
    phone: Annotated[str, Meta(min_length=4, max_length=40)] | None = None
    # a member id (mem_...) or number
    member: Annotated[str, Meta(max_length=64)] | None = None
    # the code on the member's phone
    code: Annotated[str, Meta(min_length=4, max_length=12)]


class ConfirmedOut(Answer, frozen=True, kw_only=True):
    consents_confirmed: bool


class SaleOperation(Body, frozen=True, kw_only=True, tag="sale", tag_field="operation"):
    idempotency_key: str
    body: SaleIn


class RedemptionOperation(Body, frozen=True, kw_only=True, tag="redemption", tag_field="operation"):
    idempotency_key: str
    body: RedemptionIn


# what an operation is about is named by its id or by the external reference the merchant gave it, one of the two


class CaptureOperation(Body, frozen=True, kw_only=True, tag="capture", tag_field="operation"):
    idempotency_key: str
    redemption: str | None = None
    redemption_reference: Reference | None = None
    body: NothingIn = NothingIn()


class VoidOperation(Body, frozen=True, kw_only=True, tag="void", tag_field="operation"):
    idempotency_key: str
    redemption: str | None = None
    redemption_reference: Reference | None = None
    body: NothingIn = NothingIn()


class SaleRefundOperation(Body, frozen=True, kw_only=True, tag="sale_refund", tag_field="operation"):
    idempotency_key: str
    sale: str | None = None
    sale_reference: Reference | None = None
    body: SaleRefundIn


class RedemptionRefundOperation(Body, frozen=True, kw_only=True, tag="redemption_refund", tag_field="operation"):
    idempotency_key: str
    redemption: str | None = None
    redemption_reference: Reference | None = None
    body: RedemptionRefundIn


class VoucherReturnOperation(Body, frozen=True, kw_only=True, tag="voucher_return", tag_field="operation"):
    idempotency_key: str
    voucher: str
    body: NothingIn = NothingIn()


BatchOperation = (
    SaleOperation
    | RedemptionOperation
    | CaptureOperation
    | VoidOperation
    | SaleRefundOperation
    | RedemptionRefundOperation
    | VoucherReturnOperation
)


class BatchIn(Body, frozen=True, kw_only=True):
    operations: Annotated[list[BatchOperation], Meta(min_length=1, max_length=1000)]


class BatchEnvelope(Body, frozen=True, kw_only=True):
    """A batch as the door opens it: each operation is taken by itself, so that a malformed one spoils nothing else."""

    operations: Annotated[list[Any], Meta(min_length=1, max_length=1000)]


class OutcomeOut(Answer, frozen=True, kw_only=True):
    status: int
    replayed: bool
    body: msgspec.Raw


class BatchOut(Answer, frozen=True, kw_only=True):
    outcomes: list[OutcomeOut]


# -- merchant: reading


class RecordOut(Answer, frozen=True, kw_only=True):
    """One fact of the book that concerns the caller. `facts` depend on the kind."""

    id: str
    kind: str
    at: datetime
    actor: str
    member: str | None
    # what it is about: a sale, a redemption, a window
    subject: str | None
    facts: dict[str, Any]


class RecordPage(Answer, frozen=True, kw_only=True):
    data: list[RecordOut]
    has_more: bool
    next_cursor: str | None


class WindowRef(Answer, frozen=True, kw_only=True):
    id: str
    number: int
    opened_at: datetime | None


class PositionOut(Answer, frozen=True, kw_only=True):
    """Where the merchant stands now. What the open window will settle is still moving."""

    at: datetime
    mode: Literal["prefunded", "deferred", "closed_loop"] | None
    # money paid in ahead and not used, and the money behind the merchant's points
    prefund: Sum
    backing: Sum
    # points bought and not issued yet, those in budgets left out
    pool_points: int
    # points set aside for sponsorships and not issued yet
    budget_points: int
    # points issued on credit and not paid for yet, and how many may be
    credit_used_points: int
    credit_line_points: int
    # points accepted and not settled yet
    accepted_points: int
    window: WindowRef | None
    # of the open window so far: what others owe, what is owed to others, fees; as if it closed here
    receivable: Sum
    payable: Sum
    fee: Sum
    position: Sum
    # of windows that are closed and not paid yet: below zero to pay in
    open: Sum


class StatementOut(Answer, frozen=True, kw_only=True):
    """What a window comes to for the merchant: position == receivable - payable - fee.

    `account` is what is left to be paid in (below zero) or out once the merchant's own backing has paid its part.
    """

    id: str
    window: str
    number: int
    state: str
    opened_at: datetime
    closed_at: datetime | None
    receivable: Sum
    payable: Sum
    fee: Sum
    position: Sum
    backing: Sum
    account: Sum
    # the exact fee, and what rounding carried in from the window before and carries on to the next, in millionths
    fee_millionths: int
    carry_in_millionths: int
    carry_out_millionths: int
    items: int


class CounterpartyOut(Answer, frozen=True, kw_only=True):
    """What passed between the merchant and one other: the other's points accepted here, and the other way round."""

    merchant: str
    accepted_points: int
    receivable: Sum
    redeemed_points: int
    payable: Sum


class StatementDetail(StatementOut, frozen=True, kw_only=True):
    # the merchant's own points redeemed at its own tills: nobody owes anybody
    own_points: int
    counterparties: list[CounterpartyOut]


class StatementPage(Answer, frozen=True, kw_only=True):
    data: list[StatementOut]
    has_more: bool
    next_cursor: str | None


class ItemOut(Answer, frozen=True, kw_only=True):
    id: str
    sequence: int
    kind: str
    reason: str
    at: datetime
    issuer: str | None
    acceptor: str | None
    subject: str | None
    lot: str | None
    funding: str | None
    unit_value: Sum | None
    points: int
    # what the issuer owes the acceptor
    value: Sum
    # the caller's own fee for it: a share (parts per million) of the base
    fee_base: Sum
    fee_ppm: int
    fee_millionths: int


class ItemPage(Answer, frozen=True, kw_only=True):
    data: list[ItemOut]
    has_more: bool
    next_cursor: str | None


# -- merchant: keys


class ApiKeyIn(Body, frozen=True, kw_only=True):
    """A restricted key. Its scopes are among those of the key that asks."""

    label: Name
    scopes: Annotated[list[str], Meta(min_length=1, max_length=50)]


class RotateIn(Body, frozen=True, kw_only=True):
    # how long the old key goes on beside the new one
    overlap_hours: Annotated[int, Meta(ge=0, le=168)] = 24


class RevokeIn(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    # a key ends itself only when it says so
    own: Literal["yes"] | None = None


class ApiKeyOut(Answer, frozen=True, kw_only=True):
    """A key without its secret, which was told once. An ended key stays in the list."""

    id: str
    kind: Literal["sk", "rk"]
    label: str
    last_four: str
    scopes: list[str]
    created_at: datetime
    # when it ends because another replaced it
    expires_at: datetime | None
    revoked_at: datetime | None


class NewApiKeyOut(ApiKeyOut, frozen=True, kw_only=True):
    # told once
    secret: str


class ApiKeyPage(Answer, frozen=True, kw_only=True):
    data: list[ApiKeyOut]
    has_more: bool
    next_cursor: str | None


class FormatIn(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    format: Literal["json", "csv"] | None = None


# -- member


class OtpIn(Body, frozen=True, kw_only=True):
    phone: Annotated[str, Meta(min_length=4, max_length=40)]


class OtpOut(Answer, frozen=True, kw_only=True):
    expires_in: int


class VerifyIn(Body, frozen=True, kw_only=True):
    phone: Annotated[str, Meta(min_length=4, max_length=40)]
    code: Annotated[str, Meta(min_length=4, max_length=12)]


class TokenOut(Answer, frozen=True, kw_only=True):
    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    member: str | None = None


class DeviceIn(Body, frozen=True, kw_only=True):
    name: Name


class DeviceOut(Answer, frozen=True, kw_only=True):
    id: str
    name: str
    # base32, for RFC 6238 codes of six digits and 30 seconds; told once
    spend_secret: str


class VoucherIn(Body, frozen=True, kw_only=True):
    # where it is to be spent (mer_...)
    shop: str
    # the most that can be spent; all of it is set aside now
    points: PointsAsked
    # one's own device, and the public key it signs its spend with
    device: str
    public_key: Jwk
    spend_code: Annotated[str, Meta(min_length=6, max_length=12)]


class VoucherOut(Answer, frozen=True, kw_only=True):
    """Points set aside to be spent at one shop without network. The redemption has the voucher's digits for its id."""

    id: str
    state: Literal["open", "redeemed", "returned", "lapsed"]
    shop: str
    points: int
    value: Sum
    # what was captured of it
    spent: int | None
    at: datetime
    # the device signs until then; the shop redeems until the deadline
    spend_until: datetime
    deadline: datetime


class OwnVoucherOut(VoucherOut, frozen=True, kw_only=True):
    device: str
    # the signed voucher (a compact JWS), to be shown to a till; null once it is not open
    voucher: str | None
    balance: Balance | None


class VoucherPage(Answer, frozen=True, kw_only=True):
    data: list[OwnVoucherOut]
    has_more: bool
    next_cursor: str | None


class AtTime(Answer, frozen=True, kw_only=True):
    points: int
    at: datetime


class MemberBalance(Answer, frozen=True, kw_only=True):
    available: int
    pending: int
    held: int
    expiring: list[AtTime]
    confirming: list[AtTime]
    owed: int
    value: Sum


class BalanceEvent(MemberBalance, frozen=True, kw_only=True):
    """The balance as it is now that a record of this kind is in the ledger."""

    kind: str


class Ready(Answer, frozen=True, kw_only=True):
    """Everything up to this sequence of the book was told or can be read; what comes after will be told."""

    sequence: int


class Reset(Answer, frozen=True, kw_only=True):
    """What happened up to this sequence of the book is not told one by one: read it anew."""

    sequence: int


class MeOut(Answer, frozen=True, kw_only=True):
    id: str
    number: str
    kind: Literal["natural", "legal"]
    given_name: str | None
    family_name: str | None
    tier: str | None
    # by oneself
    spend_locked: bool
    # by the network: one earns and reads, and spends nothing
    frozen: bool


class CardOut(Answer, frozen=True, kw_only=True):
    """What a member shows at a till. It earns; spending needs a spend code as well."""

    number: str
    # the number as a QR code: an SVG document
    qr: str


class ConsentOut(Answer, frozen=True, kw_only=True):
    """`given` counts; `asked` was said at a counter and waits for the member's word."""

    purpose: str
    given: bool
    asked: bool


class ConsentsOut(Answer, frozen=True, kw_only=True):
    data: list[ConsentOut]
    # false: something was said at a counter that one has not confirmed; null: nothing was
    confirmed: bool | None


class SpendLockIn(Body, frozen=True, kw_only=True):
    locked: bool


class GiftIn(Body, frozen=True, kw_only=True):
    # a member number, or a telephone
    to: Annotated[str, Meta(min_length=4, max_length=64)]
    points: PointsAsked
    # the six digits on one's own device: without them nothing is given
    spend_code: Annotated[str, Meta(min_length=6, max_length=12)] | None = None


class GiftOut(Answer, frozen=True, kw_only=True):
    """`member` is the other's member number, all but its last four digits hidden."""

    id: str
    given: bool
    member: str
    points: int
    value: Sum
    at: datetime


class GiftGivenOut(GiftOut, frozen=True, kw_only=True):
    record: str
    balance: Balance


class GiftPage(Answer, frozen=True, kw_only=True):
    data: list[GiftOut]
    has_more: bool
    next_cursor: str | None


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


# -- everybody


class HealthOut(Answer, frozen=True, kw_only=True):
    status: Literal["ok"]


class JwkOut(Answer, frozen=True, kw_only=True):
    kty: str
    crv: str
    x: str
    y: str
    kid: str
    use: str
    alg: str


class JwksOut(Answer, frozen=True, kw_only=True):
    keys: list[JwkOut]


# -- operator


class BookIn(Body, frozen=True, kw_only=True):
    network: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{1,39}$(?!\n)")]
    mode: Literal["live", "test"]
    currency: Currency
    exponent: Annotated[int, Meta(ge=0, le=4)]
    face_value: Annotated[int, Meta(ge=1, le=1_000_000)]
    points_life_days: Annotated[int, Meta(ge=1, le=36_500)]
    # null: points expire by their fixed life alone; else they also live so long after their member last earned or spent
    inactivity_days: Annotated[int, Meta(ge=1, le=36_500)] | None = None
    time_zone: Annotated[str, Meta(max_length=64)] = "Asia/Tehran"
    # null: only an operator closes windows
    window_schedule: "ScheduleIn | None" = None
    # a test book's clock begins here
    clock: Time | None = None


class GiftRulesIn(Body, frozen=True, kw_only=True):
    """What a member may give and be given on one day of the network's calendar."""

    points_a_day: Amount
    gifts_a_day: Annotated[int, Meta(ge=0, le=10_000)]
    received_a_day: Amount


class GiftRulesOut(Answer, frozen=True, kw_only=True):
    points_a_day: int
    gifts_a_day: int
    received_a_day: int


class ScheduleIn(Body, frozen=True, kw_only=True):
    every: Literal["day", "week"]
    at: Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)")] = "00:00"
    # 0 is Monday
    weekday: Annotated[int, Meta(ge=0, le=6)] = 0


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


class MerchantIn(Body, frozen=True, kw_only=True):
    name: Name
    kind: Literal["shop", "sponsor", "network"] = "shop"
    category: Category | None = None


class MerchantOut(Answer, frozen=True, kw_only=True):
    id: str
    name: str
    kind: Literal["shop", "sponsor", "network"]
    state: Literal["active", "suspended", "exited"]
    category: str | None


class BranchIn(Body, frozen=True, kw_only=True):
    reference: Reference
    name: Name
    channel: Literal["physical", "online"] = "physical"
    city: Name | None = None


class BranchOut(Answer, frozen=True, kw_only=True):
    id: str
    merchant: str
    reference: str
    name: str
    channel: Literal["physical", "online"]
    city: str | None
    state: Literal["active", "frozen", "closed"]


class TillIn(Body, frozen=True, kw_only=True):
    reference: Reference


class TillOut(Answer, frozen=True, kw_only=True):
    id: str
    branch: str
    reference: str
    state: Literal["active", "closed"]


class KeyIn(Body, frozen=True, kw_only=True):
    label: Name
    kind: Literal["sk", "rk"] = "sk"
    scopes: Annotated[list[str], Meta(max_length=20)] = []


class KeyOut(Answer, frozen=True, kw_only=True):
    id: str
    label: str
    scopes: list[str]
    # told once
    secret: str


class ContractIn(Body, frozen=True, kw_only=True):
    mode: Literal["prefunded", "deferred", "closed_loop"]
    purchase_fee_ppm: Ppm
    redemption_fee_ppm: Ppm
    credit_line_points: Annotated[int, Meta(ge=0, le=10**12)] = 0
    hold_minutes: Annotated[int, Meta(ge=1, le=1440)] = 15
    points_life_days: Annotated[int, Meta(ge=1, le=36_500)] | None = None
    # how long the shop takes goods back: its points are pending so long
    maturity_days: Annotated[int, Meta(ge=0, le=365)] = 0
    # minor units a closed-loop point is worth at its own shop; null: the network's face value
    unit_value: Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT)] | None = None
    # the kinds of person whose sales earn here, and those whose points are taken
    earns_for: Annotated[tuple[Kind, ...], Meta(max_length=2)] = ("natural", "legal")
    spends_for: Annotated[tuple[Kind, ...], Meta(max_length=2)] = ("natural", "legal")


class ContractOut(Answer, frozen=True, kw_only=True):
    id: str
    merchant: str
    version: int
    mode: Literal["prefunded", "deferred", "closed_loop"]
    unit_value: Sum
    credit_line_points: int
    purchase_fee_ppm: int
    redemption_fee_ppm: int
    hold_minutes: int
    points_life_days: int | None
    maturity_days: int
    earns_for: list[Kind]
    spends_for: list[Kind]
    # null: agreed on, and in force when the open window closes
    in_force_at: datetime | None


class RulesIn(Body, frozen=True, kw_only=True):
    """The network's rules, all of them."""

    face_value: Annotated[int, Meta(ge=1, le=1_000_000)]
    points_life_days: Annotated[int, Meta(ge=1, le=36_500)]
    inactivity_days: Annotated[int, Meta(ge=1, le=36_500)] | None = None


class RulesOut(Answer, frozen=True, kw_only=True):
    book: str
    record: str
    face_value: int
    points_life_days: int
    inactivity_days: int | None
    # null: agreed on, and in force when the open window closes
    in_force_at: datetime | None


class BuyOutIn(Body, frozen=True, kw_only=True):
    # the merchant whose prefund pays; null: its own
    paid_by: str | None = None


class BuyOutOut(Answer, frozen=True, kw_only=True):
    record: str
    merchant: str
    points: int
    value: Sum
    prefund: Sum


class Rate(Body, frozen=True, kw_only=True):
    points: Annotated[int, Meta(ge=0, le=1_000_000)]
    per: Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT)]


class Rates(Body, frozen=True, kw_only=True):
    """`points` for every `per` minor units of the money part, by category where one is named; one floor per basket."""

    points: Annotated[int, Meta(ge=0, le=1_000_000)]
    per: Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT)]
    categories: dict[Category, Rate] = {}
    minimum: Amount = 0
    cap_points: PointsAsked | None = None


class TermsIn(Rates, frozen=True, kw_only=True):
    """Rates for everybody; those of a kind of person take their place for that kind, whole."""

    by_kind: dict[Kind, Rates] = {}


class TermsOut(Answer, frozen=True, kw_only=True):
    id: str
    merchant: str
    version: int
    points: int
    per: int
    categories: dict[str, Rate]
    minimum: int
    cap_points: int | None
    by_kind: dict[Kind, Rates]
    in_force_at: datetime


class SponsorshipIn(Body, frozen=True, kw_only=True):
    """Points given at other merchants' sales, by rules like a shop's terms, out of a budget."""

    # at whose sales; none: at every shop's
    shops: Annotated[list[str], Meta(min_length=1, max_length=500)] | None = None
    rules: TermsIn
    # points to set aside at once; a bonus that the budget does not bear is not given
    budget_points: Annotated[int, Meta(ge=0, le=LARGEST_AMOUNT)] = 0
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


class TopupIn(Body, frozen=True, kw_only=True):
    amount: Money
    through: Literal["bank", "psp"] = "bank"
    reference: Reference


class TopupOut(Answer, frozen=True, kw_only=True):
    record: str
    merchant: str
    amount: Sum
    prefund: Sum


class PurchaseIn(Body, frozen=True, kw_only=True):
    points: PointsAsked


class PurchaseOut(Answer, frozen=True, kw_only=True):
    record: str
    merchant: str
    points: int
    value: Sum
    pool: int
    prefund: Sum


class ClockIn(Body, frozen=True, kw_only=True):
    advance_to: Time


class ClockOut(Answer, frozen=True, kw_only=True):
    clock: datetime


class CloseIn(Body, frozen=True, kw_only=True):
    """Close the open window now."""


class ApproveIn(Body, frozen=True, kw_only=True):
    # what was submitted: the hash the window shows
    positions_hash: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]


class ReturnIn(Body, frozen=True, kw_only=True):
    reason: Name


class PaymentsIn(Body, frozen=True, kw_only=True):
    """Mark payments of a window as made: one merchant's, or all that are open."""

    reference: Reference
    merchant: str | None = None
    amount: Money | None = None


class BookList(Answer, frozen=True, kw_only=True):
    data: list[BookOut]


class MerchantPage(Answer, frozen=True, kw_only=True):
    data: list[MerchantOut]
    has_more: bool
    next_cursor: str | None


class StepOut(Answer, frozen=True, kw_only=True):
    step: str
    # the operator; none: the schedule
    by: str | None
    at: datetime
    reason: str | None


class TotalsOut(Answer, frozen=True, kw_only=True):
    """What was owed each way (gross), between each two (bilateral), and by each party in all (multilateral)."""

    gross: Sum
    bilateral: Sum
    multilateral: Sum
    fees: Sum


class WindowOut(Answer, frozen=True, kw_only=True):
    id: str
    number: int
    state: str
    revision: int
    opened_at: datetime
    closed_at: datetime | None
    # what an approval names; none until the window is netted
    positions_hash: str | None
    totals: TotalsOut | None
    steps: list[StepOut]


class WindowPage(Answer, frozen=True, kw_only=True):
    data: list[WindowOut]
    has_more: bool
    next_cursor: str | None


class WindowStepOut(Answer, frozen=True, kw_only=True):
    id: str
    number: int
    state: str
    revision: int
    at: datetime
    positions_hash: str | None


class PartyPositionOut(Answer, frozen=True, kw_only=True):
    id: str
    # a merchant, or the operator with its fees
    party: str
    position: Sum
    backing: Sum
    account: Sum
    receivable: Sum
    payable: Sum
    fee: Sum
    # what is not paid yet: below zero to pay in, above zero to be paid out
    open: Sum
    items: int


class PositionsOut(Answer, frozen=True, kw_only=True):
    """Every party's position in a window. They sum to zero."""

    window: str
    number: int
    data: list[PartyPositionOut]


class DebtOut(Answer, frozen=True, kw_only=True):
    debtor: str
    creditor: str
    value: Sum
    points: int


class MatrixOut(Answer, frozen=True, kw_only=True):
    """Who owes whom, gross."""

    data: list[DebtOut]


class PaymentOut(Answer, frozen=True, kw_only=True):
    record: str
    merchant: str
    direction: Literal["pay_in", "pay_out"]
    amount: Sum
    # what is left of the position
    open: Sum
    released_points: int


class PaymentsOut(Answer, frozen=True, kw_only=True):
    window: str
    number: int
    at: datetime
    payments: list[PaymentOut]


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
    operator: str
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


class PhoneIn(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    phone: Annotated[str, Meta(min_length=4, max_length=40)]


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
