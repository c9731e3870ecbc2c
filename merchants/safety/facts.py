"""What the records of brakes and limits hold, for the stream's schemas."""

from typing import Final
from uuid import UUID

from ledger.facts import Fact


class Braked(Fact):
    """An operator pulled a brake or released it, or, with none, the clock; the record's subject is what stands still or
    goes on."""

    operator: UUID | None
    revision: int


class Limit(Fact):
    subject: str
    what: str
    per_minutes: int
    most: int


class VelocityLimits(Fact):
    """How much may pass in how long: the whole list, in force from here on."""

    operator: UUID
    revision: int
    limits: list[Limit]


FACTS: Final[dict[str, type[Fact]]] = {
    "branch_frozen": Braked,
    "branch_unfrozen": Braked,
    "member_frozen": Braked,
    "member_unfrozen": Braked,
    "merchant_resumed": Braked,
    "merchant_suspended": Braked,
    "network_resumed": Braked,
    "network_stopped": Braked,
    "velocity_limits": VelocityLimits,
}
