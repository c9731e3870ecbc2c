"""What the payload of each kind of record holds: the declarations that the stream's schemas are made from.

Each package declares the kinds it posts; a test holds every record of the stories against them. A field that is not
always there says so by `UNSET`. A change that a reader must know of gets a new version in `wire.VERSIONS`.
"""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

Funding = Literal["prefunded", "deferred", "closed_loop"]


class Fact(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Points and amounts are whole numbers; amounts and values are in the currency's minor units, rates in parts per
    million."""


class Slice(Fact):
    """Some points of one lot, worth points x unit_value_minor."""

    lot: UUID
    issuer: UUID
    funding: Funding
    unit_value_minor: int
    points: int


class Born(Fact):
    """A lot as it begins. `earned_at` and `grace_used` are told of a lot that was given: it had them before."""

    lot: UUID
    issuer: UUID
    unit_value_minor: int
    funding: Funding
    contract: UUID
    rule: UUID | None
    sale: UUID | None
    parent: UUID | None
    points: int
    available_at: datetime
    expires_at: datetime
    earned_at: datetime | UnsetType = UNSET
    grace_used: bool | UnsetType = UNSET


class Prolonged(Fact):
    """A lot expires later from here on than it would have: its member earned or spent, or it came back with grace."""

    lot: UUID
    expired_at: datetime
    expires_at: datetime


class Points(Fact):
    """Points that moved, and nothing more to say of them."""

    points: int


class Maturity(Points):
    """Pending points of a member are in the wallet from here on."""


class Expiry(Points):
    """Points of a member went home because their time was over."""


class Lapse(Points):
    """A hold ended at its deadline; its points are in the wallet again."""

    prolonged: list[Prolonged] | UnsetType = UNSET


class Repayment(Fact):
    """Points that arrived in a wallet paid what their member owed to a shop, as if they were captured there."""

    debt: UUID
    points: int
    value_minor: int
    redemption_fee_ppm: int
    slices: list[Slice]


class Expiring(Fact):
    lot: UUID
    points: int
    expires_at: datetime


class ExpiryNotice(Fact):
    """A member's points expire within so many days."""

    days: int
    points: int
    expiring: list[Expiring]


class Budget(Fact):
    """Points were set aside for a sponsorship or an offer, or released. `left` is what the budget holds then."""

    points: int
    funding: Funding
    unit_value_minor: int
    contract: UUID
    left: int
    # what the subject is, where that is known and it is no sponsorship: offer
    of: str | UnsetType = UNSET


class BudgetSet(Budget):
    """Points were set aside for a sponsorship or an offer; `left` is what its budget holds then."""


class BudgetReleased(Budget):
    """Points of a sponsorship's or an offer's budget went back to where they came from; `left` is what it holds then."""


class Bought(Fact):
    """Points and what they cost."""

    points: int
    unit_value_minor: int
    value_minor: int


class Purchase(Bought):
    """A prefunded merchant bought points with its prefund."""


class SellBack(Bought):
    """A merchant's points that were not issued are money of its prefund again."""


FACTS: Final[dict[str, type[Fact]]] = {
    "budget_released": BudgetReleased,
    "budget_set": BudgetSet,
    "expiry": Expiry,
    "expiry_notice": ExpiryNotice,
    "lapse": Lapse,
    "maturity": Maturity,
    "purchase": Purchase,
    "repayment": Repayment,
    "sell_back": SellBack,
}
