"""What the records of entitlements hold, for the stream's schemas."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import UNSET, UnsetType

from ledger.facts import Fact


class Entitlement(Fact):
    """A shop gives something beside points; the record's subject is the entitlement."""

    kind: str
    name: dict[str, str]
    who: str
    tiers: list[str]
    capacity: dict[str, Any]
    begins_at: datetime
    ends_at: datetime | None


class EntitlementEnded(Fact):
    """It is given no more."""


class EntitlementGranted(Fact):
    """A member may use an entitlement so many times (none: as its capacity allows), until a time."""

    grant: UUID
    uses: int | None
    ends_at: datetime | None


class EntitlementGrantEnded(Fact):
    """A grant was taken back."""

    grant: UUID


class EntitlementUsed(Fact):
    """A member used an entitlement at the counter."""

    use: UUID
    branch: UUID
    grant: UUID | UnsetType = UNSET


class EntitlementUseVoided(Fact):
    """A use never was: its place is free again."""

    use: UUID


FACTS: Final[dict[str, type[Fact]]] = {
    "entitlement": Entitlement,
    "entitlement_ended": EntitlementEnded,
    "entitlement_grant_ended": EntitlementGrantEnded,
    "entitlement_granted": EntitlementGranted,
    "entitlement_use_voided": EntitlementUseVoided,
    "entitlement_used": EntitlementUsed,
}
