"""Merchants as an operator makes them: branches, tills, contracts, and how their points are bought out."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from gateway.api.shapes.values import Answer, Body, Category, Days, Name, PersonKind, Ppm, Reference, Sum
from ledger import LARGEST_AMOUNT


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


class MerchantPage(Answer, frozen=True, kw_only=True):
    data: list[MerchantOut]
    has_more: bool
    next_cursor: str | None


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


class ContractIn(Body, frozen=True, kw_only=True):
    mode: Literal["prefunded", "deferred", "closed_loop"]
    purchase_fee_ppm: Ppm
    redemption_fee_ppm: Ppm
    credit_line_points: Annotated[int, Meta(ge=0, le=10**12)] = 0
    hold_minutes: Annotated[int, Meta(ge=1, le=1440)] = 15
    points_life_days: Days | None = None
    # how long the shop takes goods back: its points are pending so long
    maturity_days: Annotated[int, Meta(ge=0, le=365)] = 0
    # minor units a closed-loop point is worth at its own shop; null: the network's face value
    unit_value: Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT)] | None = None
    # the kinds of person whose sales earn here, and those whose points are taken
    earns_for: Annotated[tuple[PersonKind, ...], Meta(max_length=2)] = ("natural", "legal")
    spends_for: Annotated[tuple[PersonKind, ...], Meta(max_length=2)] = ("natural", "legal")


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
    earns_for: list[PersonKind]
    spends_for: list[PersonKind]
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
