"""What the records of offers hold, for the stream's schemas."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import UNSET, UnsetType

from ledger.facts import Fact


class OfferDrafted(Fact):
    """A shop began to make an offer. `commitment` is the SHA-256 of the salt that its launch will reveal, in hex: the salt
    was drawn before anybody chose who is in the audience."""

    commitment: str


class OfferVariant(Fact):
    name: str
    ppm: int
    rules: dict[str, Any]
    ends_at: datetime | None


class OfferMargin(Fact):
    ppm: int
    by_category: dict[str, int]


class OfferCap(Fact):
    times: int | None
    points: int | None


class OfferGiving(Fact):
    """Who pays for an offer's points (merchant, sponsor, network), how many and how often at most, and whether a member
    activates it first (auto, activate)."""

    by: str
    sponsor: UUID | None
    budget_points: int
    budget_minor: int | None
    per_member: OfferCap
    per_day: OfferCap
    total_times: int | None
    activation: str


class OfferFunded(Fact):
    """Whoever is to pay for an offer agreed to its draft as it stood: `draft` is the SHA-256 of it, in hex."""

    draft: str
    shop: UUID
    giving: OfferGiving


class OfferLaunched(Fact):
    """An offer is out, and nothing of it ever changes. Who is in which arm follows from `salt` (hex) and the members' ids;
    `audience_hash` is the SHA-256 over the ids of the audience, 16 bytes each, in their order."""

    audience: str
    members: int
    audience_hash: str
    salt: str
    holdout_ppm: int
    variants: list[OfferVariant]
    begins_at: datetime
    ends_at: datetime | None
    windows_days: list[int]
    pre_days: int
    margin: OfferMargin | None
    # of an audience by segment or tiers: which, in the version of the launch
    chosen: dict[str, Any] | UnsetType = UNSET
    # of one that gives points: how, and whose they are
    giving: OfferGiving | UnsetType = UNSET
    funder: UUID | UnsetType = UNSET


class OfferEnded(Fact):
    """An offer is over. Its measuring goes on to its last window. `early` is there when people ended it."""

    early: bool | UnsetType = UNSET


FACTS: Final[dict[str, type[Fact]]] = {
    "offer_drafted": OfferDrafted,
    "offer_ended": OfferEnded,
    "offer_funded": OfferFunded,
    "offer_launched": OfferLaunched,
}
