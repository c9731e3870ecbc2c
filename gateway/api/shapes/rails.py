"""Payments by a rail: who is paid where, instructions, bank files, top-ups that are asked for."""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta

from gateway.api.shapes.values import Answer, Body, Money, Name, Query, Reference, Sum

RailNamed = Literal["bank", "stripe"]
#: What banks take as a name: seventy characters, none of them a control character.
Holder = Annotated[str, Meta(min_length=1, max_length=70, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
Account = Annotated[str, Meta(min_length=4, max_length=70, pattern=r"^[A-Za-z0-9_/ -]+$(?!\n)")]
Bic = Annotated[str, Meta(min_length=8, max_length=11, pattern=r"^[A-Za-z0-9]+$(?!\n)")]
State = Literal["made", "sent", "unknown", "confirmed", "refused", "returned"]


class BankAccountIn(Body, frozen=True, kw_only=True):
    """The account that payments go out of, and that statements are of."""

    holder: Holder
    account: Account
    bic: Bic | None = None


class PayeeIn(Body, frozen=True, kw_only=True):
    """Where a merchant is paid by a rail: a bank account, or `acct_...` at Stripe."""

    rail: RailNamed
    holder: Holder
    account: Account
    bic: Bic | None = None


class PayeeApprovalIn(Body, frozen=True, kw_only=True):
    """The account that is approved, so that it is the one that was looked at."""

    rail: RailNamed
    account: Account


class PayeeOut(Answer, frozen=True, kw_only=True):
    # none: the network itself
    merchant: str | None
    rail: RailNamed
    holder: str
    account: str
    bic: str | None
    set_by: str
    approved_by: str | None
    set_at: datetime


class PayeesOut(Answer, frozen=True, kw_only=True):
    data: list[PayeeOut]


class InstructIn(Body, frozen=True, kw_only=True):
    rail: RailNamed


class InstructionOut(Answer, frozen=True, kw_only=True):
    id: str
    # how banks name it: the end-to-end id
    reference: str
    merchant: str
    direction: Literal["pay_out", "pay_in", "topup"]
    rail: str
    window: str | None
    amount: Sum
    state: State
    made_at: datetime
    payout_file: str | None
    holder: str | None
    account: str | None
    rail_reference: str | None
    reason: str | None
    # the records that booked its money, and booked it back
    payment: str | None
    returned: str | None
    tries: int
    next_try_at: datetime | None
    last_error: str | None


class InstructionPage(Answer, frozen=True, kw_only=True):
    data: list[InstructionOut]
    has_more: bool
    next_cursor: str | None


class InstructedOut(Answer, frozen=True, kw_only=True):
    window: str
    instructions: list[str]
    # the file for the bank, where there is something to pay out by it
    payout_file: str | None
    # who is to be paid, and has no account that two people have set
    without_account: list[str]


class PayoutFileOut(Answer, frozen=True, kw_only=True):
    id: str
    made_at: datetime
    execute_on: date
    instructions: int
    total: Sum


class PayoutFilesOut(Answer, frozen=True, kw_only=True):
    data: list[PayoutFileOut]


class WordIn(Body, frozen=True, kw_only=True):
    """What the bank says of a payment, by a person's word: it was made, was not made, or came back."""

    said: Literal["confirmed", "refused", "returned"]
    reason: Name | None = None


class FileTakenOut(Answer, frozen=True, kw_only=True):
    """What was in a file, and what came of what it says of instructions, by outcome."""

    statements: list[str]
    lines: int
    outcomes: dict[str, int]


class BankStatementOut(Answer, frozen=True, kw_only=True):
    id: str
    format: str
    statement: str
    account: str
    # none of a notification
    opening: Sum | None
    closing: Sum | None
    lines: int
    imported_at: datetime


class BankStatementPage(Answer, frozen=True, kw_only=True):
    data: list[BankStatementOut]
    has_more: bool
    next_cursor: str | None


class BankLineOut(Answer, frozen=True, kw_only=True):
    """One booking: above zero came in, below zero went out."""

    booked: date
    value: date
    amount: Sum
    counterparty: str
    remittance: str
    end_to_end_id: str
    structured_reference: str
    bank_reference: str
    entry_reference: str
    returned: bool
    instruction: str | None
    outcome: Literal["confirmed", "returned", "known", "differs"] | None


class BankLinePage(Answer, frozen=True, kw_only=True):
    data: list[BankLineOut]
    has_more: bool
    next_cursor: str | None


class RailEventsIn(Query, frozen=True, kw_only=True):
    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    cursor: Annotated[str, Meta(max_length=400)] | None = None
    # differs: what a person has to look at
    outcome: Literal["differs"] | None = None


class RailEventOut(Answer, frozen=True, kw_only=True):
    rail: str
    # the provider's own names
    event: str
    kind: str
    instruction: str | None
    outcome: str
    received_at: datetime


class RailEventPage(Answer, frozen=True, kw_only=True):
    data: list[RailEventOut]
    has_more: bool
    next_cursor: str | None


class ChargeBackIn(Body, frozen=True, kw_only=True):
    """A bank took back a top-up, or a part of it. `reference` is the bank's; nothing moves until another approves."""

    # the record of the top-up
    topup: str
    amount: Money
    reference: Reference
    reason: Name


class ChargeBackReversalIn(Body, frozen=True, kw_only=True):
    reason: Name


class ChargeBackOut(Answer, frozen=True, kw_only=True):
    """amount == from_prefund + charged, once it is booked. What was charged is an item of the next statement."""

    # its first record, which decisions name
    id: str
    merchant: str
    topup: str
    state: Literal["proposed", "rejected", "booked", "reversal_proposed", "reversed"]
    # bank or psp, and the name it has there
    source: str
    reference: str
    amount: Sum
    from_prefund: Sum
    charged: Sum
    at: datetime
    booked: str | None
    reversed: str | None


class ChargeBackPage(Answer, frozen=True, kw_only=True):
    data: list[ChargeBackOut]
    has_more: bool
    next_cursor: str | None


class TopupRequestIn(Body, frozen=True, kw_only=True):
    amount: Money
    rail: RailNamed = "bank"


class TopupRequestOut(Answer, frozen=True, kw_only=True):
    id: str
    # what a bank transfer has to name, as end-to-end id or creditor reference
    reference: str
    amount: Sum
    rail: str
    state: State
    # the page to pay on, once there is one
    url: str | None


class ReceivedOut(Answer, frozen=True, kw_only=True):
    received: bool
