"""Days that come back every year, by two calendars, in years that lack them too."""

import datetime as dt
from datetime import date
from itertools import pairwise
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from persiantools.jdatetime import JalaliDate

from merchants.people import occasions
from merchants.people.occasions import Anniversary, Occasion

ANNIVERSARIES = st.one_of(
    st.dates(date(2000, 1, 1), date(2000, 12, 31)).map(lambda d: Anniversary("gregorian", d.month, d.day)),
    st.integers(1, 12).flatmap(
        lambda month: st.integers(1, 31 if month <= 6 else 30).map(lambda day: Anniversary("jalali", month, day))
    ),
)
DAYS = st.dates(date(1930, 1, 1), date(2120, 12, 31))

LEAP, ESFAND = Anniversary("gregorian", 2, 29), Anniversary("jalali", 12, 30)


@pytest.mark.parametrize(
    ("anniversary", "today", "next_on"),
    [
        (LEAP, date(2024, 1, 1), date(2024, 2, 29)),
        (LEAP, date(2024, 3, 1), date(2025, 2, 28)),
        (LEAP, date(2025, 2, 28), date(2025, 2, 28)),
        (LEAP, date(2100, 1, 1), date(2100, 2, 28)),
        # 1403 is a leap year: its 30 Esfand is 20 March 2025; 1404 ends on 29 Esfand, 20 March 2026
        (ESFAND, date(2025, 1, 1), date(2025, 3, 20)),
        (ESFAND, date(2025, 3, 21), date(2026, 3, 20)),
        (ESFAND, date(2024, 1, 1), date(2024, 3, 19)),
        (Anniversary("jalali", 1, 1), date(2024, 3, 19), date(2024, 3, 20)),
        (Anniversary("jalali", 1, 1), date(2025, 3, 20), date(2025, 3, 21)),
        (Anniversary("gregorian", 12, 31), date(2025, 12, 31), date(2025, 12, 31)),
    ],
)
def test_the_next_day_of_it(anniversary: Anniversary, today: date, next_on: date) -> None:
    assert occasions.next_on(anniversary, today) == next_on


@settings(deadline=None)
@given(ANNIVERSARIES, DAYS)
def test_the_next_one_is_near_and_falls_on_its_day_or_the_one_before(anniversary: Anniversary, today: date) -> None:
    found = occasions.next_on(anniversary, today)
    assert 0 <= (found - today).days <= 366
    if anniversary not in (LEAP, ESFAND):
        assert 365 <= (occasions.next_on(anniversary, found + dt.timedelta(days=1)) - found).days <= 366


@settings(max_examples=20, deadline=None)
@given(ANNIVERSARIES, st.integers(1935, 2110), st.integers(0, 60), st.integers(0, 60))
def test_every_year_has_it_exactly_once(anniversary: Anniversary, year: int, before: int, after: int) -> None:
    """Whoever looks every day and gives once for the year it is told gives once in every year of the calendar."""
    begin = occasions.on(anniversary, occasions.year_of(anniversary.calendar, date(year, 7, 1)))
    given_for = [
        occasions.around(anniversary, begin + dt.timedelta(days=n), before, after) for n in range(-60, 3 * 366 + 61)
    ]
    told = [y for y in dict.fromkeys(given_for) if y is not None]
    assert told == list(range(told[0], told[0] + len(told)))
    inner = told[1:-1]
    assert all(given_for.count(y) == before + after + 1 for y in inner)
    assert len(inner) >= 1


@settings(deadline=None)
@given(ANNIVERSARIES, st.integers(1990, 2060), st.sampled_from(["Asia/Tehran", "America/New_York", "UTC"]))
def test_a_window_is_whole_days_of_the_network(anniversary: Anniversary, year: int, zone: str) -> None:
    own = occasions.year_of(anniversary.calendar, date(year, 7, 1))
    start, end = occasions.window(anniversary, own, zone, 3, 3)
    assert 7 * 24 - 1 <= (end - start).total_seconds() / 3600 <= 7 * 24 + 1
    middle = start + (end - start) / 2
    for moment, year_told in ((start, own), (middle, own), (end - dt.timedelta(seconds=1), own), (end, None)):
        day = moment.astimezone(ZoneInfo(zone)).date()
        assert occasions.around(anniversary, day, 3, 3) == year_told


class Told:
    """A member who tells a birthday, another one or none, and what is remembered of it."""

    def __init__(self) -> None:
        self.day: Anniversary | None = None
        self.memory: occasions.Memory | None = None

    def tell(self, day: Anniversary | None, now: dt.datetime) -> None:
        known = day or self.day
        digest = b"" if known is None else occasions.digest(b"key", UUID(int=1), "birthday", known)
        self.memory = occasions.remembered(self.day, self.memory, day, digest, now)
        self.day = day

    def has_week(self, now: dt.datetime) -> bool:
        if self.day is None or self.memory is None or self.memory.counts_from > now:
            return False
        return "birthday_week" in occasions.names("birthday", self.day, now.date())


def anniversary_of(day: date, calendar: str) -> Anniversary:
    if calendar == "gregorian":
        return Anniversary(calendar, day.month, day.day)
    there = JalaliDate(day)  # type: ignore[no-untyped-call]
    return Anniversary(calendar, there.month, there.day)


#: Days later, and what is told then: often the day that is tomorrow.
TELLING = st.lists(st.tuples(st.integers(0, 150), st.none() | st.integers(-2, 40)), min_size=1, max_size=25)


@settings(max_examples=60, deadline=None)
@given(TELLING, st.sampled_from(["gregorian", "jalali"]))
def test_whatever_is_told_no_two_birthday_weeks_are_within_a_year(telling: list[Any], calendar: str) -> None:
    told, now = Told(), dt.datetime(2023, 12, 30, 12, tzinfo=dt.UTC)
    counted: list[date] = []
    for later, ahead in [*telling, (400, None)]:
        for _ in range(later):
            if told.has_week(now):
                counted.append(now.date())
            now += dt.timedelta(days=1)
        day = None
        if ahead is not None:
            day = anniversary_of(now.date() + dt.timedelta(days=ahead), calendar)
        told.tell(day, now)
        assert told.memory is None or (told.memory.digest is None) == (told.day is not None)
    away = {(later - sooner).days for sooner, later in pairwise(counted)}
    assert all(days <= 6 or days >= 357 for days in away), counted


@pytest.mark.parametrize(
    ("at", "after"),
    [
        (dt.datetime(2023, 3, 1, 9), dt.datetime(2024, 3, 1, 9)),
        (dt.datetime(2024, 2, 29, 9), dt.datetime(2025, 3, 1, 9)),
    ],
)
def test_a_year_after(at: dt.datetime, after: dt.datetime) -> None:
    assert occasions.a_year_after(at) == after


def test_what_rules_call_a_day() -> None:
    day = Anniversary("gregorian", 1, 2)
    called = [sorted(occasions.names("birthday", day, date(2023, 12, 29) + dt.timedelta(days=n))) for n in range(9)]
    week = [["birthday_week"]] * 3
    assert called == [[], *week, ["birthday", "birthday_week"], *week, []]


def occasion(
    kind: str = "birthday", month: int = 1, day: int = 1, calendar: str = "jalali", **more: object
) -> Occasion:
    return Occasion(kind, Anniversary(calendar, month, day), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "at"),
    [
        ([occasion()] * 11, "/occasions"),
        ([occasion("name_day")], "/occasions/0/kind"),
        ([occasion(calendar="lunar")], "/occasions/0/calendar"),
        ([occasion(month=13)], "/occasions/0/month"),
        ([occasion(month=7, day=31)], "/occasions/0/day"),
        ([occasion(month=2, day=30, calendar="gregorian")], "/occasions/0/day"),
        ([occasion(year=99)], "/occasions/0/year"),
        ([occasion(month=12, day=30, year=1404)], "/occasions/0/day"),
        ([occasion(month=2, day=29, year=2023, calendar="gregorian")], "/occasions/0/day"),
        ([occasion(name="mine")], "/occasions/0/name"),
        ([occasion("own")], "/occasions/0/name"),
        ([occasion("own", name="a\tb")], "/occasions/0/name"),
        ([occasion(), occasion(day=2)], "/occasions"),
    ],
)
def test_what_cannot_be_an_occasion_is_told_where(told: list[Occasion], at: str) -> None:
    wrong = occasions.fault(told)
    assert wrong is not None
    assert wrong.pointer == at


def test_good_ones_have_no_fault_and_show_nothing_in_a_log() -> None:
    told = [
        occasion(month=12, day=30, year=1403),
        occasion("wedding_anniversary", month=2, day=29, calendar="gregorian"),
        occasion("own", name="روز آشنایی"),
        occasion("own", name="the shop opened"),
    ]
    assert occasions.fault(told) is None
    assert "1403" not in repr(told)
    assert "opened" not in repr(told)
