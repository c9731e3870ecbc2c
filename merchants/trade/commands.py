"""What trade is asked and what it answers, in its own words: no HTTP, no public ids."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from ledger import Minor, Points
from merchants import offers, programme, sales


class MemberRef(Struct, frozen=True):
    """A member as a till names one: by id or by number."""

    id: UUID | None = None
    number: str | None = None


#: A sale or a redemption as a till names one: by id, or by the external reference the merchant gave it.
Named = UUID | str


class Line(Struct, frozen=True):
    """`measures`: what else it carries, such as kilometres, by name. `discount`: what is still granted off the amount,
    later and elsewhere; `cost`: what the goods cost the shop."""

    amount: Minor
    category: str | None = None
    sku: str | None = None
    quantity: int = 1
    measures: dict[str, int] = {}
    discount: Minor = Minor(0)
    cost: Minor | None = None


class Payment(Struct, frozen=True):
    type: str
    amount: Minor
    redemption: Named | None = None


class Sale(Struct, frozen=True):
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
class Spend:
    """What a member's device signed to spend of a voucher. The door proved both signatures and what they say together."""

    voucher_id: UUID
    # of the device's key (RFC 7638)
    thumbprint: str
    points: Points
    # SHA-256 of what was signed, in hex: the record names the consent by it
    digest: str


@dataclass(frozen=True, slots=True)
class Redemption:
    """Consent is a spend code or a spend of a voucher; with neither, the member is asked to approve in the wallet.

    But for a voucher: points, or what they are to be worth; one of the two.
    """

    merchant_id: UUID
    branch_id: UUID
    external_reference: str
    member: MemberRef
    spend_code: str | None = field(default=None, repr=False)
    points: Points | None = None
    value: Minor | None = None
    till_id: UUID | None = None
    occurred_at: datetime | None = None
    capture: bool = False
    spend: Spend | None = None

    @property
    def asks(self) -> bool:
        """Whether the member's approval is asked for."""
        return self.spend_code is None and self.spend is None


@dataclass(frozen=True, slots=True)
class Capture:
    merchant_id: UUID
    redemption: Named


@dataclass(frozen=True, slots=True)
class Void:
    merchant_id: UUID
    redemption: Named


@dataclass(frozen=True, slots=True)
class AnswerApproval:
    """Somebody at a wallet approves or declines what a shop asked."""

    member_id: UUID
    redemption_id: UUID
    approves: bool


@dataclass(frozen=True, slots=True)
class LapseApproval:
    """The clock's own: nobody answered in time."""

    redemption_id: UUID


@dataclass(frozen=True, slots=True)
class SaleRefund:
    """An amount of the sale's money part; lines, when there are any, sum to it: the door saw to it."""

    merchant_id: UUID
    sale: Named
    external_reference: str
    amount: Minor
    occurred_at: datetime | None = None
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class RedemptionRefund:
    """Points to give back; None: all that are left."""

    merchant_id: UUID
    redemption: Named
    external_reference: str
    points: Points | None = None


@dataclass(frozen=True, slots=True)
class NewVoucher:
    """A member asks to have points set aside at a shop, for the device with this key to spend without network."""

    merchant_id: UUID
    member_id: UUID
    device_id: UUID
    points: Points
    spend_code: str = field(repr=False)
    # a JSON Web Key, and its thumbprint (RFC 7638)
    public_key: dict[str, str] = field(repr=False)
    thumbprint: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class VoucherReturn:
    """A shop gives a voucher back that was not spent at its tills."""

    merchant_id: UUID
    voucher_id: UUID


@dataclass(frozen=True, slots=True)
class Gift:
    """To whoever has the number or the telephone (E.164); one of the two."""

    giver_id: UUID
    points: Points
    to_number: str | None = field(default=None, repr=False)
    to_phone: str | None = field(default=None, repr=False)
    spend_code: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Lapse:
    """The clock's own: end a hold whose deadline has passed."""

    redemption_id: UUID


@dataclass(frozen=True, slots=True)
class BonusDone:
    """What a sponsorship or an offer gave at a sale: its own lot; or, with no points, why not. `variant` is an offer's."""

    giver_id: UUID
    issuer_id: UUID
    points: Points
    refused: str | None
    lot_id: UUID | None
    expires_at: datetime | None
    variant: str | None = None


class SaleDone(Struct, frozen=True):
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
    # the first of the shop's rules that counted, where these are of the long form, whether or not the points were issued
    fired: tuple[programme.Fired, ...] = ()


class SliceDone(Struct, frozen=True):
    lot_id: UUID
    issuer_id: UUID
    points: Points
    value: Minor


class RedemptionDone(Struct, frozen=True):
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
    # who of the household consented, when not the member whose points they are
    consented_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class ApprovalDone:
    """What became of a request for approval, and the redemption once it is one."""

    row: sales.Approval
    # of what was just done
    record_id: UUID
    merchant_name: str
    # the member number of the wallet's owner
    number: str = field(default="", repr=False)
    redemption: RedemptionDone | None = None
    # the points of whoever answers, where it is their own wallet
    available: Points | None = None


@dataclass(frozen=True, slots=True)
class VoucherDone:
    """A voucher as it stands now, its member's number, and the member's available points."""

    row: sales.VoucherRow
    number: str | None = field(repr=False)
    available: Points


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
    sale_id: UUID
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
    redemption_id: UUID
    command: RedemptionRefund
    member_id: UUID
    at: datetime
    points: Points
    left: Points
    value: Minor
    slices: tuple[SliceDone, ...]
    available: Points


@dataclass(frozen=True, slots=True)
class GiftDone:
    id: UUID
    record_id: UUID
    receiver_number: str = field(repr=False)
    points: Points
    value: Minor
    at: datetime
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
    # of the shop's own rules: those that would give points, and those that would not, with why
    fired: tuple[programme.Fired, ...] = ()
    skipped: tuple[programme.Skipped, ...] = ()


# -- offers


@dataclass(frozen=True, slots=True)
class ActivateOffer:
    member_id: UUID
    offer_id: UUID


@dataclass(frozen=True, slots=True)
class ActivationDone:
    offer: offers.Running
    variant: offers.Variant
    use: offers.Use


# -- households


@dataclass(frozen=True, slots=True)
class FoundHousehold:
    """A natural person founds a family; a company, the account that its people spend from."""

    member_id: UUID


@dataclass(frozen=True, slots=True)
class InviteToHousehold:
    """`own_points`: of a company, what the person may spend in a month."""

    member_id: UUID
    number: str = field(repr=False)
    own_points: int | None = None


@dataclass(frozen=True, slots=True)
class AnswerInvitation:
    member_id: UUID
    household_id: UUID
    accepts: bool


@dataclass(frozen=True, slots=True)
class LeaveHousehold:
    """`person_id` leaves: oneself, or somebody the founder takes out or no longer invites."""

    member_id: UUID
    person_id: UUID


@dataclass(frozen=True, slots=True)
class ShareWallet:
    """`points`: what the others may spend from one's wallet in a month; None: it is not shared."""

    member_id: UUID
    points: int | None


@dataclass(frozen=True, slots=True)
class LimitPerson:
    """A company says what one of its people may spend in a month."""

    member_id: UUID
    person_id: UUID
    points: int


@dataclass(frozen=True, slots=True)
class HandOver:
    """The founder makes another of the household its founder."""

    member_id: UUID
    person_id: UUID


HouseholdStep = (
    FoundHousehold | InviteToHousehold | AnswerInvitation | LeaveHousehold | ShareWallet | LimitPerson | HandOver
)


@dataclass(frozen=True, slots=True)
class HouseholdDone:
    record_id: UUID
    household_id: UUID
    kind: str
    state: str
    founder_id: UUID
    at: datetime
