"""Windows: their steps, positions and payments."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from gateway.api.shapes.values import Answer, Body, Money, Name, Reference, Sum


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


class StepOut(Answer, frozen=True, kw_only=True):
    step: str
    # the operator; none: the schedule
    by: str | None
    at: datetime
    reason: str | None
    # what tells of it, and whose dispute, cover or payment it is
    record: str
    merchant: str | None


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
