"""Days that come back every year, by the Jalali calendar or the Gregorian one. Pure.

An anniversary falls on every year of its own calendar exactly once. What was on a day that not every year has falls on the
day before it in the others: 29 February on 28 February, 30 Esfand on 29 Esfand.
"""

import calendar as gregorian
import functools
import hashlib
import hmac
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from persiantools.jdatetime import JalaliDate

import ledger
from ledger.errors import Invalid

KINDS: Final = ("birthday", "wedding_anniversary", "company_anniversary", "own")
CALENDARS: Final = ("jalali", "gregorian")
#: What rules may ask for: these by themselves, and with so many days before and after each.
FOR_RULES: Final = KINDS[:3]
WEEK: Final = "_week"
DAYS_AROUND: Final = 3
#: How long it is known that one was taken back: afterwards another one may count at once, and is the only one of a year.
REMEMBERED: Final = timedelta(days=366)
LARGEST_OCCASIONS: Final = 10
LONGEST_NAME: Final = 60
#: Days before and after an occasion that may be meant by it, together.
LONGEST_WINDOW_DAYS: Final = 120

#: How long a month can be. Esfand and February have their longest in leap years.
_LONGEST: Final = {
    "jalali": (31, 31, 31, 31, 31, 31, 30, 30, 30, 30, 30, 30),
    "gregorian": (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31),
}
_YEARS: Final = {"jalali": (1200, 1600), "gregorian": (1821, 2221)}


class Anniversary(NamedTuple):
    """A day and month of a calendar."""

    calendar: str
    month: int
    day: int


@dataclass(frozen=True, slots=True)
class Occasion:
    """A member's own occasion. `year` is the first one's, if told; an `own` one has a name. Personal: in no `repr`."""

    kind: str
    anniversary: Anniversary = field(repr=False)
    year: int | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)


def fault(occasions: Sequence[Occasion]) -> Invalid | None:
    """The first thing wrong with a member's occasions, in their order."""
    if len(occasions) > LARGEST_OCCASIONS:
        return Invalid("/occasions", f"at most {LARGEST_OCCASIONS}")
    for i, occasion in enumerate(occasions):
        at, day = f"/occasions/{i}", occasion.anniversary
        if occasion.kind not in KINDS:
            return Invalid(f"{at}/kind", f"must be one of {', '.join(KINDS)}")
        if day.calendar not in CALENDARS:
            return Invalid(f"{at}/calendar", f"must be one of {', '.join(CALENDARS)}")
        if not 1 <= day.month <= 12:
            return Invalid(f"{at}/month", "must be from 1 to 12")
        if not 1 <= day.day <= _LONGEST[day.calendar][day.month - 1]:
            return Invalid(f"{at}/day", "that month has no such day")
        if occasion.year is not None:
            first, last = _YEARS[day.calendar]
            if not first <= occasion.year <= last:
                return Invalid(f"{at}/year", f"must be from {first} to {last}")
            if day.day > length(day.calendar, occasion.year, day.month):
                return Invalid(f"{at}/day", "that month of that year has no such day")
        if (occasion.name is not None) != (occasion.kind == "own"):
            return Invalid(f"{at}/name", "an occasion of one's own has a name, and no other has")
        if occasion.name is not None and not _fit(occasion.name):
            return Invalid(f"{at}/name", f"must have 1 to {LONGEST_NAME} characters, none of them a control character")
    for kind in KINDS[:-1]:
        if sum(occasion.kind == kind for occasion in occasions) > 1:
            return Invalid("/occasions", f"there is one {kind}")
    return None


def length(calendar: str, year: int, month: int) -> int:
    """How many days a month of a year has."""
    if calendar == "gregorian":
        return gregorian.monthrange(year, month)[1]
    return int(JalaliDate.days_in_month(month, year))


def year_of(calendar: str, day: date) -> int:
    """The year of a calendar in which a (Gregorian) day lies."""
    if calendar == "gregorian":
        return day.year
    return int(JalaliDate(day).year)  # type: ignore[no-untyped-call]


def on(anniversary: Anniversary, year: int) -> date:
    """The (Gregorian) day on which an anniversary falls in a year of its own calendar."""
    calendar, month = anniversary.calendar, anniversary.month
    day = min(anniversary.day, length(calendar, year, month))
    if calendar == "gregorian":
        return date(year, month, day)
    return JalaliDate(year, month, day).to_gregorian()  # type: ignore[no-untyped-call]


def next_on(anniversary: Anniversary, today: date) -> date:
    """The first day, today or later, on which it falls."""
    year = year_of(anniversary.calendar, today)
    this = on(anniversary, year)
    return this if this >= today else on(anniversary, year + 1)


def around(anniversary: Anniversary, today: date, before_days: int = 0, after_days: int = 0) -> int | None:
    """The year (of its own calendar) whose anniversary today is near: so many days before it at most, or after it.

    That year is what makes it once a year: whoever gives something for it remembers the year it gave for. Windows of two
    years never meet, so on no day are there two.
    """
    assert 0 <= before_days + after_days <= LONGEST_WINDOW_DAYS
    here = year_of(anniversary.calendar, today)
    for year in (here - 1, here, here + 1):
        away = (on(anniversary, year) - today).days
        if -after_days <= away <= before_days:
            return year
    return None


@functools.lru_cache(maxsize=10_000)
def names(kind: str, anniversary: Anniversary, today: date) -> frozenset[str]:
    """What rules call today for whoever has this anniversary: its day, and its week."""
    if around(anniversary, today, DAYS_AROUND, DAYS_AROUND) is None:
        return frozenset()
    week = f"{kind}{WEEK}"
    return frozenset([week] if around(anniversary, today) is None else [kind, week])


# -- from when an anniversary counts for rules


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of an anniversary that was told: from when it counts. Of one that was taken back, no day but
    what it can be told again by, until nobody needs to know."""

    counts_from: datetime
    removed_at: datetime | None = None
    digest: bytes | None = field(default=None, repr=False)


def remembered(
    before: Anniversary | None, memory: Memory | None, told: Anniversary | None, digest: bytes, now: datetime
) -> Memory | None:
    """What is remembered when a member who told `before` tells `told` now (None: none). `digest` is of the one that is told,
    or of the one that is taken back.

    The first one counts at once. Another one counts a year after it was told, and so does another one in the place of one
    that was taken back; the same one goes on counting from when it did.
    """
    if memory is not None and memory.removed_at is not None and memory.removed_at + REMEMBERED <= now:
        memory = None
    if told is None:
        if before is None or memory is None:
            return memory
        return Memory(memory.counts_from, now, digest)
    if memory is None:
        return Memory(now)
    if before is not None:
        same = told == before
    else:
        same = memory.digest is not None and hmac.compare_digest(memory.digest, digest)
    return Memory(memory.counts_from if same else a_year_after(now))


def a_year_after(at: datetime) -> datetime:
    """The same moment of the year after; of 29 February, a day later."""
    try:
        return at.replace(year=at.year + 1)
    except ValueError:
        return at.replace(year=at.year + 1, month=3, day=1)


def digest(key: bytes, member_id: UUID, kind: str, anniversary: Anniversary) -> bytes:
    """What an anniversary is told again by, to nobody but whoever has the house's key."""
    words = f"occasion {member_id} {kind} {anniversary.calendar} {anniversary.month} {anniversary.day}"
    return hmac.digest(key, words.encode(), hashlib.sha256)


def window(
    anniversary: Anniversary, year: int, zone: str, before_days: int = 0, after_days: int = 0
) -> tuple[datetime, datetime]:
    """From when until when (UTC, the end excluded) the days around the anniversary of a year last where the network is."""
    assert 0 <= before_days + after_days <= LONGEST_WINDOW_DAYS
    noon = ledger.days.noon(on(anniversary, year), zone)
    return ledger.days.start_of_day(noon, zone, -before_days), ledger.days.end_of_day(noon, zone, after_days)


def _fit(name: str) -> bool:
    tidy = " ".join(unicodedata.normalize("NFC", name).split())
    return tidy == name and 1 <= len(name) <= LONGEST_NAME and not any(unicodedata.category(c)[0] == "C" for c in name)
