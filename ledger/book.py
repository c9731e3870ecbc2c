"""A network's book and what its merchants may issue in it, as of one batch."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from ledger import days
from ledger.accounts import AccountName

#: From which account a merchant issues, by its contract's funding.
SOURCES: Final = {"prefunded": "pool", "deferred": "credit", "closed_loop": "own"}


@dataclass(frozen=True, slots=True)
class Book:
    """A network in one mode, as of this batch. `now` is the book's clock: a test book's own, a live book's the wall's."""

    id: int
    public_id: UUID
    network: str
    mode: str
    currency: str
    exponent: int
    face_value_minor: int
    # points live at least so long from their earning, and, where the network says so, so long from the last time their
    # member earned or spent
    points_life_days: int
    inactivity_days: int | None
    time_zone: str
    window_schedule: dict[str, Any]
    operator_id: UUID
    settings_revision: int
    now: datetime
    #: the kill switch is on
    stopped: bool = False

    def expiry(self, life_days: int | None) -> datetime:
        """When points earned now expire, if nothing moves it: the network's life, or the longer one of a contract."""
        fixed = self.now + timedelta(days=max(self.points_life_days, life_days or 0))
        return fixed if self.active_until is None else max(fixed, self.active_until)

    @property
    def active_until(self) -> datetime | None:
        """Until when the points of a member who earns or spends now are safe from inactivity: whole days of the book."""
        if self.inactivity_days is None:
            return None
        return days.end_of_day(self.now, self.time_zone, self.inactivity_days)


@dataclass(frozen=True, slots=True)
class Issuer:
    """What the contract in force lets a merchant issue, and how."""

    merchant_id: UUID
    mode: str
    unit_value: int
    credit_line: int
    contract_id: UUID
    suspended: bool
    # left the network: its points are bought out, and whatever comes back is retired
    exited: bool = False

    def pools(self, unit_value: int) -> bool:
        """Whether prefunded points of this value come home to the pool, and not to the mint."""
        return self.mode == "prefunded" and self.unit_value == unit_value and not self.exited

    @property
    def source(self) -> AccountName:
        return AccountName(SOURCES[self.mode], self.merchant_id)
