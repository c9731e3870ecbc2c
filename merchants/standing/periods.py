"""Months, quarters and years of a calendar, and days of a time zone. Pure."""

import functools
from datetime import UTC, date, datetime, time
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from persiantools.jdatetime import JalaliDate

#: Months that a period has, by its name.
LENGTHS: Final = {"month": 1, "quarter": 3, "year": 12}
CALENDARS: Final = ("gregorian", "jalali")


class Period(NamedTuple):
    """From the day `start` to before the day `end`."""

    start: date
    end: date


@functools.lru_cache(maxsize=4000)
def period_of(day: date, length: str, calendar: str) -> Period:
    """The month, quarter or year of a calendar that a day is in."""
    months = LENGTHS[length]
    if calendar == "jalali":
        there = JalaliDate(day)  # type: ignore[no-untyped-call]
        year, month = there.year, there.month
    else:
        year, month = day.year, day.month
    first = (month - 1) // months * months
    after = year * 12 + first + months
    return Period(_first_day(year * 12 + first, calendar), _first_day(after, calendar))


def _first_day(months: int, calendar: str) -> date:
    """The first day of a month that is counted from the year 0."""
    year, month = divmod(months, 12)
    if calendar == "jalali":
        found: date = JalaliDate(year, month + 1, 1).to_gregorian()  # type: ignore[no-untyped-call]
        return found
    return date(year, month + 1, 1)


def day_of(at: datetime, zone: str) -> date:
    return at.astimezone(_zone(zone)).date()


def midnight(day: date, zone: str) -> datetime:
    """The moment, in UTC, at which a day begins where the network is."""
    return datetime.combine(day, time(), _zone(zone)).astimezone(UTC)


@functools.lru_cache(maxsize=1000)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
