"""What rules look at: a basket, and the facts about its buyer and its moment. Plain values."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from msgspec import Struct


class Line(Protocol):
    """A line of a basket. Amounts in minor units.

    `discount`: what is still granted off the amount, later and elsewhere; `cost`: what the goods cost the shop; `measures`:
    what else the line carries, by the shop's own name, such as kilometres.
    """

    @property
    def amount(self) -> int: ...
    @property
    def category(self) -> str | None: ...
    @property
    def sku(self) -> str | None: ...
    @property
    def quantity(self) -> int: ...
    @property
    def measures(self) -> Mapping[str, int]: ...
    @property
    def discount(self) -> int: ...
    @property
    def cost(self) -> int | None: ...


class Basket(Struct, frozen=True):
    """Of a total, `money` was paid in money. What the lines leave of the total is a part of no category."""

    lines: Sequence[Line]
    money: int
    total: int
    merchant: UUID | None = None
    branch: UUID | None = None
    channel: str = "physical"
    #: types of payment
    payments: Collection[str] = ()


class Past(Struct, frozen=True):
    """A member's purchases at the sale's merchant before it, counted by the days of the network's calendar.

    A window of so many days is today and the days before it; its counts are by that number of days. A purchase is a sale
    that was paid for in money; one that was refunded whole is no visit, and what was refunded was not spent.
    """

    visits: Mapping[int, int] = {}
    spent: Mapping[int, int] = {}
    #: what was spent before anything was refunded
    paid: Mapping[int, int] = {}
    #: no purchase at all, not even one that was refunded; None: nobody asked
    first: bool | None = None
    #: days since the last visit; None: there was none in the days that were looked at
    days_since_last: int | None = None
    days: int = 1


class Facts(Struct, frozen=True):
    """Of the buyer and the moment, which is of the network's time zone."""

    now: datetime
    kind: str = "natural"
    tier: str | None = None
    segments: Collection[str] = ()
    occasions: Collection[str] = ()
    past: Past = Past()

    def told(
        self, *, tier: bool = False, segments: bool = False, occasions: bool = False, past: bool = False
    ) -> dict[str, Any]:
        """What a decision rested on beyond the sale itself, to be kept with it: of what was asked, and of nothing else."""
        told: dict[str, Any] = {"kind": self.kind}
        if tier:
            told["tier"] = self.tier
        if segments:
            told["segments"] = sorted(self.segments)
        if occasions:
            told["occasions"] = sorted(self.occasions)
        if past:
            told["past"] = {
                "visits": {str(days): count for days, count in self.past.visits.items()},
                "spent": {str(days): spent for days, spent in self.past.spent.items()},
                "paid": {str(days): paid for days, paid in self.past.paid.items()},
                "first": self.past.first,
                "days_since_last": self.past.days_since_last,
                "days": self.past.days,
            }
        return told
