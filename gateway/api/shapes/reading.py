"""What a merchant reads of its own: records, position, statements and their items."""

from datetime import datetime
from typing import Any, Literal

from gateway.api.shapes.values import Answer, Query, Sum


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
    # 50, 75 or 90: so much of the credit line is used; none below
    credit_warning_percent: int | None
    # taken back of the merchant's top-ups and not paid yet; it counts with what is used of the line
    charged_back: Sum
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


class StatementIn(Query, frozen=True, kw_only=True):
    # `signed` proves itself; without one, Accept decides
    format: Literal["json", "csv", "xlsx", "pdf", "signed", "html"] | None = None
    # of the PDF and the page
    language: Literal["en", "fa"] | None = None


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
