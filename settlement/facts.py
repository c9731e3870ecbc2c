"""What the records of windows, settlements and payments hold, for the stream's schemas."""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from msgspec import UNSET, UnsetType

from ledger.facts import Fact


class Topup(Fact):
    """Money of a merchant came into its prefund."""

    amount_minor: int
    through: Literal["bank", "psp"]
    reference: str | None
    instruction: UUID | UnsetType = UNSET


class ChargeBackProposed(Fact):
    """One operator's word that a bank took back a top-up, or a part of it: `topup` is its record. Or the word that
    rejects it."""

    operator: UUID
    source: Literal["bank", "psp"]
    reference: str
    amount_minor: int | UnsetType = UNSET
    topup: UUID | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class ChargeBack(Fact):
    """A top-up was taken back, or what was taken back came again: what prefund gave of it, or got, and what is charged to
    the merchant's next position, or given back with it. `reference` is the bank's or the provider's name for it."""

    topup: UUID
    amount_minor: int
    prefund_minor: int
    charged_minor: int
    source: Literal["bank", "psp"]
    reference: str
    operator: UUID | None
    instruction: UUID | UnsetType = UNSET


class PayInGrace(Fact):
    """So many days merchants may take to pay a window in before the clock suspends them; none: it suspends nobody."""

    operator: UUID
    days: int | None
    revision: int


class PayInWarned(Fact):
    """A merchant has not paid a window in, and will be suspended for it."""

    window: int
    open_minor: int
    suspends_at: datetime


class PayInMissed(Fact):
    """It has not, when the days of grace were over: what suspends it follows."""

    window: int
    open_minor: int
    days: int


class WindowClosed(Fact):
    """A window ends with this record. `operator` none: the schedule closed it."""

    window: int
    operator: UUID | None


class WindowStep(Fact):
    """A step of a window by a person, on these positions."""

    window: int
    operator: UUID | None
    positions_hash: str
    reason: str | UnsetType = UNSET


class Due(Fact):
    """Points that go on using their issuer's credit line until it has paid the window."""

    merchant: UUID
    points: int


class FromPrefund(Fact):
    """What a merchant's prefund paid of its position at once, and the points that this released."""

    merchant: UUID
    amount_minor: int
    released_points: int


class ToBacking(Fact):
    """What a merchant's own lots lacked, charged to its position."""

    merchant: UUID
    amount_minor: int


class Settlement(Fact):
    """A window's points and money were posted."""

    window: int
    positions_hash: str
    due: list[Due]
    from_prefund: list[FromPrefund]
    to_backing: list[ToBacking]


class Payment(Fact):
    """A merchant paid of a window, or was paid; the points that this released. `instruction`: when a rail made it,
    and then no operator has to say so."""

    window: int
    direction: Literal["pay_in", "pay_out"]
    amount_minor: int
    source: Literal["bank", "psp"]
    reference: str | None
    operator: UUID | None
    released_points: int
    instruction: UUID | UnsetType = UNSET


class PaymentReturned(Fact):
    """What was paid out came back; `payment` is its record. `reason` is a person's; a rail gives none."""

    window: int
    payment: UUID
    amount_minor: int
    source: Literal["bank", "psp"]
    reference: str | None
    operator: UUID | None
    instruction: UUID | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class Deposited(Fact):
    """Money came in as a merchant's collateral, or for the loss fund; or collateral went back."""

    amount_minor: int
    reference: str
    operator: UUID


class PartOf(Fact):
    """What one merchant bears of another's failure, or is given back of that."""

    merchant: UUID
    amount_minor: int


class Cover(Fact):
    """Others stand in for a merchant that has not paid a window in: what each source paid, what others bear in the next
    window, and what nobody pays; and the points that its own money released."""

    window: int
    operator: UUID
    reason: str
    owed_minor: int
    prefund_minor: int
    collateral_minor: int
    loss_minor: int
    shares_minor: int
    unpaid_minor: int
    shares: list[PartOf]
    released_points: int


class MadeGood(Fact):
    """A merchant for whom others stood in has paid: where its money went, and what goes back to who bore a share."""

    window: int
    amount_minor: int
    position_minor: int
    shares_minor: int
    loss_minor: int
    collateral_minor: int
    shares_returned: list[PartOf]
    source: Literal["bank", "psp"]
    reference: str | None
    operator: UUID | None
    released_points: int
    instruction: UUID | UnsetType = UNSET


class Disputed(Fact):
    """A merchant does not agree with its statement of a window."""

    window: int
    reason: str


class Adjustment(Fact, rename={"of_break": "break"}):
    """`debtor` owes `creditor` what a window left out: proposed by one operator, rejected or approved by another. Either
    may be the network's operator. `break` is what reconciliation found."""

    window: int
    operator: UUID
    debtor: UUID
    creditor: UUID
    amount_minor: int
    reason: str
    of_break: UUID | UnsetType = UNSET


class Instructed(Fact):
    """A payment of a window, or a top-up, is to be made by a rail."""

    direction: Literal["pay_in", "pay_out", "topup"]
    rail: str
    amount_minor: int
    window: int | UnsetType = UNSET
    operator: UUID | UnsetType = UNSET


class InstructionRefused(Fact):
    """It was not made. `reason`: the code of the bank or the provider, or nothing."""

    reason: str
    operator: UUID | None


FACTS: Final[dict[str, type[Fact]]] = {
    "adjustment": Adjustment,
    "adjustment_proposed": Adjustment,
    "adjustment_rejected": Adjustment,
    "charge_back": ChargeBack,
    "charge_back_proposed": ChargeBackProposed,
    "charge_back_rejected": ChargeBackProposed,
    "charge_back_reversal_proposed": ChargeBackProposed,
    "charge_back_reversal_rejected": ChargeBackProposed,
    "charge_back_reversed": ChargeBack,
    "collateral_deposited": Deposited,
    "collateral_returned": Deposited,
    "cover": Cover,
    "instructed": Instructed,
    "instruction_refused": InstructionRefused,
    "loss_funded": Deposited,
    "made_good": MadeGood,
    "pay_in_grace": PayInGrace,
    "pay_in_missed": PayInMissed,
    "pay_in_warned": PayInWarned,
    "payment": Payment,
    "payment_returned": PaymentReturned,
    "settlement": Settlement,
    "statement_disputed": Disputed,
    "topup": Topup,
    "window_aborted": WindowStep,
    "window_approved": WindowStep,
    "window_closed": WindowClosed,
    "window_returned": WindowStep,
    "window_submitted": WindowStep,
}
