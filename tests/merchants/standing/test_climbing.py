"""How a member stands follows from purchases, refunds, decisions by hand and the clock; held against a slow reckoning."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merchants.standing import ladders
from merchants.standing.climbing import Bought, ByHand, Event, GivenBack, Standing, Version, follow, progress
from merchants.standing.ladders import Ladder, Measures
from merchants.standing.periods import day_of, midnight, period_of

UTC, TEHRAN = "UTC", "Asia/Tehran"
BEGINNING = dt.datetime(2017, 1, 1, tzinfo=dt.UTC)
NAMES = {"fa": "نام", "en": "name"}


def at(day: int, hour: int = 12) -> dt.datetime:
    return BEGINNING + dt.timedelta(days=day, hours=hour)


def tier(id: str, **requires: Any) -> dict[str, Any]:
    return {"id": id, "name": NAMES, "requires": requires or None}


SILVER, GOLD = tier("silver", all={"spend_minor": 100}), tier("gold", any={"spend_minor": 300, "visits": 5})
MONTHLY = {"calendar": "gregorian", "length": "month"}


def made(*tiers: dict[str, Any], period: Any = MONTHLY, **more: Any) -> Ladder:
    spec = {"period": period, "tiers": list(tiers or (SILVER, GOLD)), **more}
    assert ladders.faults(spec) == []
    return ladders.ladder(spec)


class Life:
    """One member under one ladder after another."""

    def __init__(self, ladder: Ladder, zone: str = UTC, begins: dt.datetime = BEGINNING) -> None:
        self.zone = zone
        self.events: list[Event] = []
        self.start = Standing(0, begins)
        self.ladder(begins, ladder)

    def ladder(self, when: dt.datetime, ladder: Ladder) -> None:
        self.events.append(Version(len(self.events) + 1, when, UUID(int=len(self.events)), ladder))

    def buy(self, when: dt.datetime, money: int, points: int = 0) -> UUID:
        id = UUID(int=len(self.events) + 1)
        self.events.append(Bought(len(self.events) + 1, when, id, money, points))
        return id

    def give_back(self, when: dt.datetime, sale: UUID, money: int, points: int = 0) -> None:
        self.events.append(GivenBack(len(self.events) + 1, when, sale, money, points))

    def hand(self, when: dt.datetime, tier: str | None, ends: dt.datetime | None = None) -> None:
        self.events.append(ByHand(len(self.events) + 1, when, UUID(int=9), tier, ends))

    def told(self, until: dt.datetime) -> list[tuple[dt.datetime, str | None, str]]:
        changes, _ = follow(self.zone, self.start, self.events, until)
        return [(change.since, change.tier, change.by) for change in changes]


def month(n: int) -> dt.datetime:
    return dt.datetime(2017 + (n - 1) // 12, (n - 1) % 12 + 1, 1, tzinfo=dt.UTC)


def test_a_tier_is_reached_at_the_sale_and_lasts_to_the_end_of_the_next_period() -> None:
    life = Life(made())
    life.buy(at(3), 60)
    life.buy(at(5), 60)
    assert life.told(at(400)) == [(at(5), "silver", "rule"), (month(3), None, "rule")]


def test_grace_holds_it_longer_and_what_is_bought_within_it_keeps_it() -> None:
    life = Life(made(grace_days=10))
    life.buy(at(3), 120)
    fall = month(3) + dt.timedelta(days=10)
    assert life.told(at(400)) == [(at(3), "silver", "rule"), (fall, None, "rule")]
    life.buy(fall - dt.timedelta(hours=1), 100)
    assert life.told(fall + dt.timedelta(days=40))[1:] == []


def test_what_is_given_back_never_counted_and_has_no_grace() -> None:
    life = Life(made(grace_days=30))
    sale = life.buy(at(3), 350)
    life.give_back(at(6), sale, 100)
    assert life.told(at(20)) == [(at(3), "gold", "rule"), (at(6), "silver", "rule")]
    life.give_back(at(8), sale, 250)
    assert life.told(at(20))[-1] == (at(8), None, "rule")


def test_a_purchase_given_back_whole_is_no_visit() -> None:
    life = Life(made())
    sales = [life.buy(at(n), 1) for n in range(5)]
    assert life.told(at(6)) == [(at(4), "gold", "rule")]
    life.give_back(at(6), sales[0], 1)
    assert life.told(at(7))[-1] == (at(6), None, "rule")


def test_promotion_at_the_periods_end() -> None:
    life = Life(made(promotion="period_end"))
    life.buy(at(3), 500)
    assert life.told(at(20)) == []
    assert life.told(at(400)) == [(month(2), "gold", "rule"), (month(3), None, "rule")]


def test_rolling_days_let_go_of_the_oldest_day() -> None:
    life = Life(made(period={"rolling_days": 7}))
    life.buy(at(0), 60)
    life.buy(at(6), 60)
    assert life.told(at(400)) == [(at(6), "silver", "rule"), (at(7, 0), None, "rule")]
    later = Life(made(period={"rolling_days": 7}))
    later.buy(at(0), 60)
    later.buy(at(7), 60)
    assert later.told(at(400)) == []


def test_by_hand_beats_the_rule_until_it_ends() -> None:
    life = Life(made(SILVER, GOLD, tier("vip")))
    life.buy(at(2), 120)
    life.hand(at(3), "vip", at(9))
    life.buy(at(4), 200)
    assert life.told(at(20)) == [(at(2), "silver", "rule"), (at(3), "vip", "hand"), (at(9), "gold", "rule")]
    life.hand(at(10), "silver")
    assert life.told(at(20))[-1] == (at(10), "silver", "hand"), "lower than the rule as well"
    life.hand(at(11), None)
    assert life.told(at(20))[-1] == (at(11), "gold", "rule")


def test_a_new_ladder_counts_from_its_record_on() -> None:
    life = Life(made())
    life.buy(at(2), 120)
    life.buy(at(3), 500)
    higher = made(SILVER, tier("gold", all={"spend_minor": 10_000}))
    falls, keeps = Life(made()), Life(made())
    for each, ladder in ((falls, replace(higher, keeps=False)), (keeps, higher)):
        each.buy(at(2), 120)
        each.buy(at(3), 500)
        each.ladder(at(9), ladder)
    assert falls.told(at(20))[2:] == [(at(9), "silver", "ladder")]
    assert keeps.told(at(20))[2:] == []
    assert keeps.told(at(50))[2:] == [(month(2), "silver", "rule")], "kept until the period is over"
    without = made(SILVER)
    life.ladder(at(9), without)
    assert life.told(at(20))[2:] == [(at(9), "silver", "ladder")], "a tier that is gone is nobody's"
    life.ladder(at(10), made(SILVER, tier("gold", all={"spend_minor": 1})))
    assert life.told(at(20))[-1] == (at(10), "gold", "ladder")


@pytest.mark.parametrize(
    ("day", "length", "calendar", "start", "end"),
    [
        # 1395 was a leap year of the Jalali calendar: its Esfand has 30 days
        ("2017-03-20", "month", "jalali", "2017-02-19", "2017-03-21"),
        ("2017-03-20", "year", "jalali", "2016-03-20", "2017-03-21"),
        ("2017-03-21", "year", "jalali", "2017-03-21", "2018-03-21"),
        ("2018-03-20", "month", "jalali", "2018-02-20", "2018-03-21"),
        ("2017-03-20", "quarter", "jalali", "2016-12-21", "2017-03-21"),
        ("2017-06-30", "quarter", "jalali", "2017-06-22", "2017-09-23"),
        ("2020-02-29", "month", "gregorian", "2020-02-01", "2020-03-01"),
        ("2020-02-29", "year", "gregorian", "2020-01-01", "2021-01-01"),
        ("2017-12-31", "quarter", "gregorian", "2017-10-01", "2018-01-01"),
    ],
)
def test_periods(day: str, length: str, calendar: str, start: str, end: str) -> None:
    found = period_of(dt.date.fromisoformat(day), length, calendar)
    assert [each.isoformat() for each in found] == [start, end]


def test_the_last_day_of_a_leap_year_of_the_jalali_calendar_is_in_it() -> None:
    """30 Esfand 1395 in Tehran ends at 20:30 in Greenwich."""
    ladder = made(period={"calendar": "jalali", "length": "year"})
    ends = dt.datetime(2017, 3, 20, 20, 30, tzinfo=dt.UTC)
    for moment, falls in (
        (ends - dt.timedelta(seconds=1), dt.datetime(2018, 3, 20, 20, 30, tzinfo=dt.UTC)),
        (ends, dt.datetime(2019, 3, 20, 20, 30, tzinfo=dt.UTC)),
    ):
        life = Life(ladder, TEHRAN)
        life.buy(moment, 100)
        assert life.told(at(1_200)) == [(moment, "silver", "rule"), (falls, None, "rule")]


def test_a_day_is_one_of_the_networks_time_zone() -> None:
    rolling = made(tier("twice", all={"spend_minor": 100}), period={"rolling_days": 1})
    first, second = at(0, 20), at(0, 21)  # 23:30 and half past midnight in Tehran
    for zone, reached in ((UTC, True), (TEHRAN, False)):
        life = Life(rolling, zone)
        life.buy(first, 60)
        life.buy(second, 60)
        assert bool(life.told(at(5))) is reached, zone


# -- by property


def tiers() -> st.SearchStrategy[Ladder]:
    thresholds = st.dictionaries(
        st.sampled_from(["spend_minor", "visits", "points_earned"]), st.integers(1, 12), min_size=1, max_size=2
    )
    requires = st.builds(lambda how, what: {how: what}, st.sampled_from(["all", "any"]), thresholds)
    names = st.lists(requires, min_size=1, max_size=3)
    period = st.one_of(
        st.builds(lambda n: {"rolling_days": n}, st.integers(1, 40)),
        st.builds(
            lambda c, n: {"calendar": c, "length": n},
            st.sampled_from(["gregorian", "jalali"]),
            st.sampled_from(["month", "quarter"]),
        ),
    )
    return st.builds(
        lambda asked, period, grace, promotion, change: made(
            *(tier(f"t{i}", **each) for i, each in enumerate(asked)),
            period=period,
            grace_days=grace,
            promotion="at_once" if "rolling_days" in period else promotion,
            when_changed=change,
        ),
        names,
        period,
        st.sampled_from([0, 0, 1, 7, 35]),
        st.sampled_from(["at_once", "period_end"]),
        st.sampled_from(["keep", "fall"]),
    )


@st.composite
def lives(draw: st.DrawFn, *, changing: bool = False) -> Life:
    life = Life(draw(tiers()), draw(st.sampled_from([UTC, TEHRAN])))
    now = BEGINNING
    sales: list[UUID] = []
    for _ in range(draw(st.integers(1, 12))):
        now += dt.timedelta(hours=draw(st.sampled_from([0, 1, 20, 24, 100, 700])))
        what = draw(st.integers(0, 9))
        if what < 6 or not sales:
            sales.append(life.buy(now, draw(st.integers(1, 8)), draw(st.integers(0, 8))))
        elif what < 8 or not changing:
            life.give_back(now, draw(st.sampled_from(sales)), draw(st.integers(1, 8)), draw(st.integers(0, 4)))
        elif what == 8:
            ends = draw(st.one_of(st.none(), st.integers(1, 90)))
            by = draw(st.sampled_from(["t0", "t2", None]))
            life.hand(now, by, None if ends is None else now + dt.timedelta(days=ends))
        else:
            life.ladder(now, draw(tiers()))
    return life


def slowly(life: Life, events: Sequence[Event], when: dt.datetime) -> str | None:
    """The tier of a moment, day by day from the purchases themselves; without ladders that change."""
    ladder = next(event.ladder for event in events if isinstance(event, Version))
    left = {event.sale_id: [day_of(event.at, life.zone), event.money, event.points]
            for event in events if isinstance(event, Bought)}  # fmt: skip
    for event in events:
        if isinstance(event, GivenBack):
            left[event.sale_id][1] -= event.money  # type: ignore[operator]
            left[event.sale_id][2] -= event.points  # type: ignore[operator]

    def reached(start: dt.date, end: dt.date) -> int:
        inside: list[Any] = [sale for sale in left.values() if start <= sale[0] < end]  # type: ignore[operator]
        money, points = sum(max(0, s[1]) for s in inside), sum(max(0, s[2]) for s in inside)
        return ladder.reached(Measures(money, sum(s[1] > 0 for s in inside), points))

    today, best = day_of(when, life.zone), -1
    for ago in range(ladder.grace_days + 1):
        day = today - dt.timedelta(days=ago)
        after = day + dt.timedelta(days=1)
        if ladder.rolling_days is not None:
            best = max(best, reached(after - dt.timedelta(days=ladder.rolling_days), after))
            continue
        assert ladder.calendar is not None
        assert ladder.length is not None
        own = period_of(day, ladder.length, ladder.calendar)
        before = period_of(own.start - dt.timedelta(days=1), ladder.length, ladder.calendar)
        best = max(best, reached(*before), reached(own.start, after) if ladder.at_once else -1)
    return None if best < 0 else ladder.tiers[best].id


@settings(deadline=None, max_examples=40)
@given(life=lives(), rest=st.integers(0, 100))
def test_the_tier_of_every_day_is_the_one_that_is_reckoned_slowly(life: Life, rest: int) -> None:
    until = life.events[-1].at + dt.timedelta(days=rest)
    changes, _ = follow(life.zone, life.start, life.events, until)
    moments = [midnight(day_of(BEGINNING, life.zone) + dt.timedelta(days=n), life.zone)
               for n in range((until - BEGINNING).days + 2)]  # fmt: skip
    for moment in [m for m in moments if BEGINNING <= m <= until] + [event.at for event in life.events]:
        happened = [event for event in life.events if event.at <= moment]
        told = [change.tier for change in changes if change.since <= moment]
        assert (told[-1] if told else None) == slowly(life, happened, moment), moment


@settings(deadline=None)
@given(life=lives(changing=True), cut=st.integers(0, 12), rest=st.integers(0, 200))
def test_looked_at_in_pieces_it_is_the_same(life: Life, cut: int, rest: int) -> None:
    until = life.events[-1].at + dt.timedelta(days=rest)
    whole = follow(life.zone, life.start, life.events, until)
    changes, standing = follow(life.zone, life.start, life.events[: cut + 1], None)
    more, standing = follow(life.zone, standing, life.events, None)
    last, standing = follow(life.zone, standing, life.events, until)
    assert ([*changes, *more, *last], standing) == whole
    assert follow(life.zone, standing, life.events, until) == ([], standing), "and twice is once"
    for change in whole[0]:
        assert change.tier != change.before


@settings(deadline=None, max_examples=60)
@given(life=lives(), more=st.integers(1, 50), which=st.integers(0, 11))
def test_who_spends_more_never_stands_lower(life: Life, more: int, which: int) -> None:
    until = life.events[-1].at + dt.timedelta(days=100)
    richer = Life.__new__(Life)
    richer.zone, richer.start, richer.events = life.zone, life.start, list(life.events)
    bought = [i for i, event in enumerate(life.events) if isinstance(event, Bought)]
    place = bought[which % len(bought)]
    sale = life.events[place]
    assert isinstance(sale, Bought)
    richer.events[place] = sale._replace(money=sale.money + more, points=sale.points + more)
    ladder = life.events[0].ladder  # type: ignore[union-attr]

    def ranks(each: Life) -> list[tuple[dt.datetime, int]]:
        return [(c.since, ladder.rank(c.tier)) for c in follow(each.zone, each.start, each.events, until)[0]]

    poor, rich = ranks(life), ranks(richer)
    for moment in {since for since, _ in [*poor, *rich]}:
        ours = [rank for since, rank in poor if since <= moment]
        theirs = [rank for since, rank in rich if since <= moment]
        assert (theirs[-1] if theirs else -1) >= (ours[-1] if ours else -1), moment


@settings(deadline=None, max_examples=60)
@given(life=lives())
def test_a_sale_that_is_given_back_whole_leaves_no_trace(life: Life) -> None:
    until = life.events[-1].at + dt.timedelta(days=100)
    before = follow(life.zone, life.start, life.events, until)[1]
    sale = life.buy(life.events[-1].at, 1_000, 1_000)
    life.give_back(life.events[-1].at, sale, 1_000, 1_000)
    assert follow(life.zone, life.start, life.events, until)[1].tier == before.tier


def test_progress_tells_what_is_missing_and_when_it_ends() -> None:
    life = Life(made(SILVER, tier("gold", all={"spend_minor": 300, "visits": 3})))
    life.buy(at(3), 120)
    _, standing = follow(life.zone, life.start, life.events, at(20))
    found = progress(life.zone, standing, life.events, at(20))
    assert found is not None
    assert (found.next_tier, found.every, found.measures) == ("gold", True, Measures(120, 1, 0))
    assert [(m.measure, m.value, m.missing) for m in found.missing] == [("spend_minor", 120, 180), ("visits", 1, 2)]
    assert (found.ends_at, found.then) == (month(3), None)
