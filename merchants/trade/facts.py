"""What the records of trade hold, for the stream's schemas."""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import UNSET, UnsetType

from ledger.facts import Born, Fact, Prolonged, Slice


class Bonus(Fact):
    """What a sponsorship's rules gave a sale, or those of the offer's variant that its member is in; `refused` says why it
    was not issued."""

    issuer: UUID
    points: int
    refused: str | None
    sponsorship: UUID | UnsetType = UNSET
    offer: UUID | UnsetType = UNSET
    variant: str | UnsetType = UNSET


class Past(Fact):
    """What a member bought at the shop before a sale, where rules asked: in windows of days, counted from the sale's."""

    visits: dict[str, int]
    spent: dict[str, int]
    paid: dict[str, int]
    # none: no rule asked
    first: bool | None
    days_since_last: int | None
    # how many days were looked at for that
    days: int


class Known(Fact):
    """What rules knew of a sale's member when they were asked."""

    kind: str
    # none: rules asked, and the member had none there
    tier: str | UnsetType | None = UNSET
    segments: list[str] | UnsetType = UNSET
    occasions: list[str] | UnsetType = UNSET
    past: Past | UnsetType = UNSET


class Fired(Fact):
    """One of the shop's rules that counted, and its points."""

    rule: str
    points: int


class OfferActivated(Fact):
    """A member activated an offer, which gives only those who did."""

    variant: str


class Sale(Fact):
    """A purchase at a branch. `points` are all that were earned; `refused` says why none were."""

    total_minor: int
    money_minor: int
    branch: UUID
    points: int
    refused: str | None
    contract: UUID
    terms: UUID | None
    purchase_fee_ppm: int
    lots: list[Born] | UnsetType = UNSET
    bonuses: list[Bonus] | UnsetType = UNSET
    facts: Known | UnsetType = UNSET
    rules: list[Fired] | UnsetType = UNSET
    prolonged: list[Prolonged] | UnsetType = UNSET


class Voucher(Fact):
    device: UUID
    thumbprint: str
    spend_until: datetime


class Hold(Fact):
    """Points of a member are set aside for a redemption, soonest expiry first."""

    points: int
    value_minor: int
    deadline: datetime
    slices: list[Slice]
    prolonged: list[Prolonged] | UnsetType = UNSET
    voucher: Voucher | UnsetType = UNSET
    approval: UUID | UnsetType = UNSET
    consented_by: UUID | UnsetType = UNSET


class Void(Fact):
    """A hold was given back; `rest_of` is the capture that left this rest."""

    points: int
    rest_of: UUID | UnsetType = UNSET
    prolonged: list[Prolonged] | UnsetType = UNSET


class Capture(Fact):
    """A shop accepted the points of a hold. `spend` is the hash of what a device signed without network."""

    points: int
    value_minor: int
    contract: UUID
    redemption_fee_ppm: int
    slices: list[Slice]
    spend: str | UnsetType = UNSET


class RefundPart(Fact):
    """Of one lot of the sale: what was asked back, came home, had expired, is owed."""

    lot: UUID
    issuer: UUID
    points: int
    returned: int
    expired: int
    owed: int


class Refund(Fact):
    """A part of a sale's money was given back, and the same share of its points taken back."""

    refund: UUID
    sale: UUID
    amount_minor: int
    points: int
    returned: int
    expired: int
    owed: int
    parts: list[RefundPart]
    contract: UUID
    purchase_fee_ppm: int


class RedemptionRefund(Fact):
    """Points that were accepted went back to their member, at the rate of the capture."""

    refund: UUID
    points: int
    value_minor: int
    contract: UUID
    redemption_fee_ppm: int
    slices: list[Slice]
    graced: list[Prolonged]


class Gift(Fact):
    """A member gave points to another; `lots` are the receiver's."""

    gift: UUID
    giver: UUID
    receiver: UUID
    points: int
    value_minor: int
    lots: list[Born]


class GiftReceived(Fact):
    """The same gift, told to whoever received it."""

    gift: UUID
    giver: UUID
    points: int
    value_minor: int


class GiftRules(Fact):
    """What a network lets its members give in a day."""

    points_a_day: int
    gifts_a_day: int
    received_a_day: int


class Household(Fact):
    """A family or a company changed."""

    household: UUID


class HouseholdCreated(Household):
    """A family or a company began."""

    household_kind: str


class HouseholdLimit(Household):
    """How many points of a wallet others may spend in a month; none: as many as there are."""

    monthly_points: int | None


class ApprovalAsked(Fact):
    """A shop asks a member to approve a redemption in the wallet, of points or of a value."""

    deadline: datetime
    capture: bool
    branch: UUID
    points: int | UnsetType = UNSET
    value_minor: int | UnsetType = UNSET


class ApprovalDeclined(Fact):
    """Somebody at the wallet said no."""

    declined_by: UUID | UnsetType = UNSET


class ApprovalEnded(Fact):
    """The shop took it back, or nobody answered in time."""


FACTS: Final[dict[str, type[Fact]]] = {
    "approval_asked": ApprovalAsked,
    "approval_declined": ApprovalDeclined,
    "approval_lapsed": ApprovalEnded,
    "approval_withdrawn": ApprovalEnded,
    "capture": Capture,
    "gift": Gift,
    "gift_received": GiftReceived,
    "gift_rules": GiftRules,
    "hold": Hold,
    "offer_activated": OfferActivated,
    "household_created": HouseholdCreated,
    "household_declined": Household,
    "household_ended": Household,
    "household_handed_over": Household,
    "household_invited": HouseholdLimit,
    "household_joined": Household,
    "household_left": Household,
    "household_limit": HouseholdLimit,
    "household_sharing": HouseholdLimit,
    "redemption_refund": RedemptionRefund,
    "refund": Refund,
    "sale": Sale,
    "void": Void,
}
