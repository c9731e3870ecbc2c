"""What trade is asked and what it answers, in its own words: no HTTP, no public ids."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from ledger import Minor, Points


@dataclass(frozen=True, slots=True)
class MemberRef:
    """A member as a till names one: by id or by number."""

    id: UUID | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    amount: Minor
    category: str | None = None
    sku: str | None = None
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class Payment:
    type: str
    amount: Minor
    redemption_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Sale:
    """Lines sum to the total, payments too, when there are any: the door saw to it."""

    merchant_id: UUID
    branch_id: UUID
    external_reference: str
    total: Minor
    member: MemberRef | None = None
    till_id: UUID | None = None
    occurred_at: datetime | None = None
    lines: tuple[Line, ...] = ()
    payments: tuple[Payment, ...] = ()


@dataclass(frozen=True, slots=True)
class Redemption:
    """Points, or what they are to be worth; one of the two."""

    merchant_id: UUID
    branch_id: UUID
    external_reference: str
    member: MemberRef
    spend_code: str = field(repr=False)
    points: Points | None = None
    value: Minor | None = None
    till_id: UUID | None = None
    occurred_at: datetime | None = None
    capture: bool = False


@dataclass(frozen=True, slots=True)
class Capture:
    merchant_id: UUID
    redemption_id: UUID


@dataclass(frozen=True, slots=True)
class Void:
    merchant_id: UUID
    redemption_id: UUID


@dataclass(frozen=True, slots=True)
class SaleRefund:
    """An amount of the sale's money part; lines, when there are any, sum to it: the door saw to it."""

    merchant_id: UUID
    sale_id: UUID
    external_reference: str
    amount: Minor
    occurred_at: datetime | None = None
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class RedemptionRefund:
    """Points to give back; None: all that are left."""

    merchant_id: UUID
    redemption_id: UUID
    external_reference: str
    points: Points | None = None


@dataclass(frozen=True, slots=True)
class Lapse:
    """The clock's own: end a hold whose deadline has passed."""

    redemption_id: UUID


@dataclass(frozen=True, slots=True)
class BonusDone:
    """What a sponsor gave at a sale: its own lot; or, with no points, why not."""

    sponsorship_id: UUID
    issuer_id: UUID
    points: Points
    refused: str | None
    lot_id: UUID | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class SaleDone:
    id: UUID
    record_id: UUID
    command: Sale
    member_id: UUID | None
    at: datetime
    money: Minor
    # all that were earned, sponsors' included; the other facts are of the shop's own
    points: Points
    refused: str | None
    lot_id: UUID | None
    expires_at: datetime | None
    terms_id: UUID | None
    # the member's available points after the sale; None without a member
    available: Points | None
    bonuses: tuple[BonusDone, ...] = ()


@dataclass(frozen=True, slots=True)
class SliceDone:
    lot_id: UUID
    issuer_id: UUID
    points: Points
    value: Minor


@dataclass(frozen=True, slots=True)
class RedemptionDone:
    id: UUID
    record_id: UUID
    state: str  # held, captured, voided, lapsed
    branch_id: UUID
    till_id: UUID | None
    member_id: UUID
    external_reference: str
    at: datetime
    points: Points
    value: Minor
    deadline: datetime
    slices: tuple[SliceDone, ...]
    available: Points | None


@dataclass(frozen=True, slots=True)
class TakenDone:
    """What a refund took of one lot of its sale; what is owed is owed to the lot's issuer."""

    lot_id: UUID
    issuer_id: UUID
    points: Points
    returned: Points
    owed: Points


@dataclass(frozen=True, slots=True)
class SaleRefundDone:
    id: UUID
    record_id: UUID
    command: SaleRefund
    member_id: UUID | None
    at: datetime
    # of the money part, after this refund
    left: Minor
    # points taken back = returned, now or by expiry before + owed
    points: Points
    returned: Points
    owed: Points
    available: Points | None
    # the shop's own lot first, then sponsors'
    parts: tuple[TakenDone, ...] = ()


@dataclass(frozen=True, slots=True)
class RedemptionRefundDone:
    id: UUID
    record_id: UUID
    command: RedemptionRefund
    member_id: UUID
    at: datetime
    points: Points
    left: Points
    value: Minor
    slices: tuple[SliceDone, ...]
    available: Points


@dataclass(frozen=True, slots=True)
class Quote:
    """What a basket would earn, and what the member may spend here."""

    # all that would be earned, sponsors' included
    points: Points
    refused: str | None
    terms_id: UUID | None
    expires_at: datetime | None
    spendable_points: Points | None
    spendable_value: Minor | None
    bonuses: tuple[BonusDone, ...] = ()
