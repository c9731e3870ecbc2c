"""What the records of ladders and tiers hold, for the stream's schemas."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from ledger.facts import Fact


class LadderInForce(Fact):
    """A ladder of tiers came into force: the merchant's, or the network's own where the record names no merchant."""

    ladder: UUID
    version: int
    spec: dict[str, Any]


class TierByHand(Fact):
    """Somebody put a member on a tier, until a time or for good; tier none: from here on the rule counts again."""

    act: UUID
    tier: str | None
    ends_at: datetime | None


class TierChanged(Fact):
    """From `since` on a member stands on another tier of a ladder. Measured from the day `from` to before the day `to`."""

    ladder: UUID
    tier: str | None
    before: str | None
    since: datetime
    by: str
    why: dict[str, Any]


FACTS: Final[dict[str, type[Fact]]] = {
    "ladder": LadderInForce,
    "tier_by_hand": TierByHand,
    "tier_changed": TierChanged,
}
