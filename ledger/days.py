"""Days of a book: they begin at midnight where the network is. Pure."""

import functools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def start_of_day(at: datetime, zone: str, after: int = 0) -> datetime:
    """The midnight, in UTC, that begins the day of `at` in a time zone, or the day that many days after it."""
    there = at.astimezone(_zone(zone))
    return datetime.combine(there.date() + timedelta(days=after), time(), there.tzinfo).astimezone(UTC)


def end_of_day(at: datetime, zone: str, after: int = 0) -> datetime:
    """The midnight, in UTC, that ends the day of `at`, or the day that many days after it."""
    return start_of_day(at, zone, after + 1)


def day_of(at: datetime, zone: str) -> date:
    """Which day a moment lies in there."""
    return at.astimezone(_zone(zone)).date()


def noon(day: date, zone: str) -> datetime:
    """The middle of a day there: on that day whatever the clocks do."""
    return datetime.combine(day, time(12), _zone(zone)).astimezone(UTC)


def local(at: datetime, zone: str) -> datetime:
    """The same moment as the clocks show it where the network is."""
    return at.astimezone(_zone(zone))


@functools.lru_cache(maxsize=1000)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
