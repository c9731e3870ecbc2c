"""What the records of contracts, terms, rules and sponsorships hold, for the stream's schemas."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import UNSET, UnsetType

from ledger.facts import Fact, Funding


class Contract(Fact):
    """A merchant's contract came into force. `agreed` is the record of what waited for the window's end."""

    contract: UUID
    version: int
    mode: Funding
    unit_value_minor: int
    credit_line_points: int
    purchase_fee_ppm: int
    redemption_fee_ppm: int
    hold_minutes: int
    points_life_days: int | None
    maturity_days: int
    earns_for: list[str]
    spends_for: list[str]
    agreed: UUID | UnsetType = UNSET


class ContractAgreed(Fact):
    """A contract that comes into force when the open window closes."""

    merchant_id: UUID
    mode: Funding
    unit_value_minor: int | None
    credit_line_points: int
    purchase_fee_ppm: int
    redemption_fee_ppm: int
    hold_minutes: int
    points_life_days: int | None
    maturity_days: int
    earns_for: list[str]
    spends_for: list[str]


class Terms(Fact):
    """A merchant's terms came into force."""

    terms: UUID
    version: int


class RulesAgreed(Fact):
    """What a point is worth and how long it lives, from the close of the open window on."""

    face_value_minor: int
    points_life_days: int
    inactivity_days: int | None


class Rules(Fact):
    """What a point is worth and how long it lives, from here on; `before` is what it was."""

    face_value_minor: int
    points_life_days: int
    inactivity_days: int | None
    before: RulesAgreed
    agreed: UUID | UnsetType = UNSET


class BoughtOutPart(Fact):
    funding: Funding
    unit_value_minor: int
    points: int


class BuyOut(Fact):
    """Money stands behind every point of a merchant's that its members have: all its lots are prefunded from here on."""

    points: int
    value_minor: int
    paid_by: UUID
    parts: list[BoughtOutPart]


class Exit(BuyOut):
    """A merchant left the network; its points are bought out and stay good everywhere."""


class RulePolicy(Fact):
    """What a network forbids the rules of its merchants from here on."""

    version: int
    equal_persons: bool
    largest_share_ppm: int | None
    not_before: bool


class Sponsorship(Fact):
    """A sponsor gives at shops' sales; `shops` none: at all of them."""

    shops: list[UUID] | None
    rules: dict[str, Any]
    begins_at: datetime | None
    ends_at: datetime | None


class SponsorshipEnded(Fact):
    """A sponsor gives no more."""


FACTS: Final[dict[str, type[Fact]]] = {
    "buy_out": BuyOut,
    "contract": Contract,
    "contract_agreed": ContractAgreed,
    "exit": Exit,
    "rule_policy": RulePolicy,
    "rules": Rules,
    "rules_agreed": RulesAgreed,
    "sponsorship": Sponsorship,
    "sponsorship_ended": SponsorshipEnded,
    "terms": Terms,
}
