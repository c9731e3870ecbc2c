"""Entitlements: who may use one, how often, and why not. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from ledger import Refusal
from ledger.errors import Invalid, LimitExceeded, StateConflict
from merchants.standing import periods

KINDS: Final = ("experience", "priority", "magazine", "member_price", "other")
WHO: Final = ("everybody", "tiers", "granted")
LENGTHS: Final = ("day", *periods.LENGTHS)
LARGEST_CAPACITY: Final = 1_000_000_000

EVERYBODY, TIERS, GRANTED = WHO


@dataclass(frozen=True, slots=True)
class PerPeriod:
    """Uses of one member in a day, month, quarter or year of a calendar, where the network is."""

    uses: int
    length: str
    calendar: str = "gregorian"

    def begin(self, at: datetime, zone: str) -> datetime:
        day = periods.day_of(at, zone)
        start: date = day if self.length == "day" else periods.period_of(day, self.length, self.calendar).start
        return periods.midnight(start, zone)


@dataclass(frozen=True, slots=True)
class Capacity:
    """How often it may be used; None: without a limit. `per_day` is of all members together."""

    total: int | None = None
    per_day: int | None = None
    per_member: int | None = None
    per_period: PerPeriod | None = None

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            name: getattr(self, name) for name in ("total", "per_day", "per_member") if getattr(self, name) is not None
        }
        if self.per_period is not None:
            period = self.per_period
            told["per_period"] = {"uses": period.uses, "length": period.length, "calendar": period.calendar}
        return told


def capacity(told: Mapping[str, Any]) -> Capacity:
    period = told.get("per_period")
    return Capacity(
        told.get("total"),
        told.get("per_day"),
        told.get("per_member"),
        None if period is None else PerPeriod(period["uses"], period["length"], period["calendar"]),
    )


@dataclass(slots=True)
class Entitlement:
    """What a shop gives beside points. `used` counts the uses that were not voided."""

    id: UUID
    merchant_id: UUID
    kind: str
    name: Mapping[str, str]
    who: str
    tiers: tuple[str, ...]
    capacity: Capacity
    begins_at: datetime
    ends_at: datetime | None
    state: str
    used: int
    opened_at: datetime
    ended_at: datetime | None = None

    def standing(self, now: datetime) -> str | None:
        """Why it is not to be used now; None: it is."""
        if self.state != "open":
            return self.state
        if now < self.begins_at:
            return "not yet begun"
        return "over" if self.ends_at is not None and now >= self.ends_at else None


@dataclass(slots=True)
class Grant:
    """`uses` None: as often as the capacity allows. `used`: what was not voided."""

    id: UUID
    entitlement_id: UUID
    member_id: UUID
    uses: int | None
    ends_at: datetime | None
    at: datetime
    ended_at: datetime | None = None
    used: int = 0

    def lives(self, now: datetime) -> bool:
        return self.ended_at is None and (self.ends_at is None or now < self.ends_at)

    @property
    def left(self) -> int | None:
        return None if self.uses is None else max(0, self.uses - self.used)


@dataclass(slots=True)
class Counts:
    """What of an entitlement was used and not voided: today by all, and by one member ever and in the period."""

    today: int = 0
    member: int = 0
    period: int = 0


@dataclass(slots=True)
class Holder:
    """A member as an entitlement sees one: the tier at its shop, and the grants of it."""

    member_id: UUID
    tier: str | None = None
    grants: list[Grant] = field(default_factory=list)

    def grant(self, now: datetime) -> Grant | None:
        """The grant that the next use is of: among those that live and have uses left, the one that ends first."""
        able = [grant for grant in self.grants if grant.lives(now) and grant.left != 0]
        return min(able, key=lambda grant: (grant.ends_at or _NEVER, grant.at, grant.id), default=None)


_NEVER: Final = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)


def fault(wanted: Entitlement, now: datetime) -> Invalid | None:
    """The first thing wrong with a new entitlement, in the order of its fields."""
    if wanted.kind not in KINDS:
        return Invalid("/kind", f"must be one of {', '.join(KINDS)}")
    if wanted.who not in WHO:
        return Invalid("/who", f"must be one of {', '.join(WHO)}")
    if (wanted.who == TIERS) != bool(wanted.tiers):
        return Invalid("/tiers", "must name tiers where it is for tiers, and none elsewhere")
    if len(set(wanted.tiers)) < len(wanted.tiers):
        return Invalid("/tiers", "a tier is named twice")
    asked = wanted.capacity
    for name in ("total", "per_day", "per_member"):
        most = getattr(asked, name)
        if most is not None and not 1 <= most <= LARGEST_CAPACITY:
            return Invalid(f"/capacity/{name}", f"must be 1 to {LARGEST_CAPACITY}")
    if asked.per_period is not None:
        if not 1 <= asked.per_period.uses <= LARGEST_CAPACITY:
            return Invalid("/capacity/per_period/uses", f"must be 1 to {LARGEST_CAPACITY}")
        if asked.per_period.length not in LENGTHS:
            return Invalid("/capacity/per_period/length", f"must be one of {', '.join(LENGTHS)}")
        if asked.per_period.calendar not in periods.CALENDARS:
            return Invalid("/capacity/per_period/calendar", f"must be one of {', '.join(periods.CALENDARS)}")
    if wanted.ends_at is not None and wanted.ends_at <= max(now, wanted.begins_at):
        return Invalid("/ends_at", "must be later than its beginning, and than now")
    return None


def refused(entitlement: Entitlement, holder: Holder, counts: Counts, now: datetime) -> Refusal | None:
    """Why a member may not use an entitlement now: it does not stand, it is not the member's, then the first limit that is
    reached: in total, of the day, of the member, of the member's period."""
    if (why := entitlement.standing(now)) is not None:
        return StateConflict("entitlement", why)
    if entitlement.who == TIERS and holder.tier not in entitlement.tiers:
        return StateConflict("member", "not on a tier that has this")
    if entitlement.who == GRANTED and holder.grant(now) is None:
        return StateConflict("member", "without a grant of this that lives and is not used up")
    for name, used, most in limits(entitlement, counts):
        if most is not None and used >= most:
            return LimitExceeded(name, most, used + 1)
    return None


def limits(entitlement: Entitlement, counts: Counts) -> tuple[tuple[str, int, int | None], ...]:
    """(name, used, most) of every limit, in the order in which they are looked at."""
    most = entitlement.capacity
    return (
        ("uses in total", entitlement.used, most.total),
        ("uses a day", counts.today, most.per_day),
        ("uses of a member", counts.member, most.per_member),
        ("uses of a member in a period", counts.period, None if most.per_period is None else most.per_period.uses),
    )


def left(entitlement: Entitlement, holder: Holder, counts: Counts, now: datetime) -> int | None:
    """How often the member may use it yet before a limit is reached; None: there is none."""
    rooms = [max(0, most - used) for _, used, most in limits(entitlement, counts) if most is not None]
    if entitlement.who == GRANTED:
        uses = [grant.left for grant in holder.grants if grant.lives(now)]
        if None not in uses:
            rooms.append(sum(each or 0 for each in uses))
    return min(rooms, default=None)
