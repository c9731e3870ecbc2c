"""How a member stands on a ladder: a pure function of what was bought, given back and decided by hand, and of the clock.

A day's *reach* is the highest tier whose requirement holds: for the calendar's period before the day's, and, where
promotion is at once, for its own so far; or for the rolling days that end with it. A member's tier on a day is the highest
reach of that day and of as many days before it as there are days of grace. Every reach is reckoned with all the refunds
that are known by then: grace is for time that passes, and what was given back never counted.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from merchants.standing.ladders import Ladder, Measures, Requirement
from merchants.standing.periods import Period, day_of, midnight, period_of

_DAY: Final = timedelta(days=1)

RULE: Final = "rule"
HAND: Final = "hand"
LADDER: Final = "ladder"


# -- what happened, in the sequence of the book


class Bought(NamedTuple):
    sequence: int
    at: datetime
    sale_id: UUID
    money: int
    points: int


class GivenBack(NamedTuple):
    sequence: int
    at: datetime
    sale_id: UUID
    money: int
    points: int


class Version(NamedTuple):
    """A ladder comes into force."""

    sequence: int
    at: datetime
    id: UUID
    ladder: Ladder


class ByHand(NamedTuple):
    """Somebody puts the member on a tier until `ends_at` (None: for good); tier None: the rule counts again."""

    sequence: int
    at: datetime
    id: UUID
    tier: str | None
    ends_at: datetime | None


Event = Bought | GivenBack | Version | ByHand


# -- what it comes to


class Tally:
    """A member's purchases by day, net of what was given back of them. What is given back is taken off the day of the sale."""

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self._sales: dict[UUID, tuple[date, int, int]] = {}
        self._days: dict[date, Measures] = {}
        self._sums: tuple[list[date], list[Measures]] | None = None

    @property
    def days(self) -> Iterable[date]:
        return self._days.keys()

    def add(self, event: Bought | GivenBack) -> None:
        if isinstance(event, Bought):
            day = day_of(event.at, self._zone)
            self._put(event.sale_id, day, Measures(), event.money, event.points)
        elif (before := self._sales.get(event.sale_id)) is not None:
            day, money, points = before
            self._put(event.sale_id, day, _worth(money, points), money - event.money, points - event.points)

    def _put(self, id: UUID, day: date, before: Measures, money: int, points: int) -> None:
        money, points = max(0, money), max(0, points)
        self._sales[id] = (day, money, points)
        self._days[day] = _plus(_plus(self._days.get(day, Measures()), _worth(money, points)), before, -1)
        self._sums = None

    def between(self, start: date, end: date) -> Measures:
        """From the day `start` to before the day `end`."""
        if self._sums is None:
            days = sorted(self._days)
            sums = [Measures()]
            for day in days:
                sums.append(_plus(sums[-1], self._days[day]))
            self._sums = days, sums
        days, sums = self._sums
        return _plus(sums[bisect_left(days, end)], sums[bisect_left(days, start)], -1)


def _worth(money: int, points: int) -> Measures:
    """What is left of a sale: one that was given back whole is no visit."""
    return Measures(money, 1 if money else 0, points)


def _plus(one: Measures, other: Measures, times: int = 1) -> Measures:
    return Measures(*(a + times * b for a, b in zip(one, other, strict=True)))


class Reach(NamedTuple):
    """The highest tier that was reached, and in which days by what."""

    rank: int
    period: Period
    measures: Measures


def periods(ladder: Ladder, day: date) -> tuple[Period, ...]:
    """The days over which a day's reach is measured: its own period, and of a calendar the one before it."""
    if ladder.rolling_days is not None:
        return (Period(day - timedelta(days=ladder.rolling_days - 1), day + _DAY),)
    own = _period(ladder, day)
    return own, _period(ladder, own.start - _DAY)


def _period(ladder: Ladder, day: date) -> Period:
    assert ladder.calendar is not None
    assert ladder.length is not None
    return period_of(day, ladder.length, ladder.calendar)


def reach(ladder: Ladder, tally: Tally, day: date) -> Reach:
    """The reach of one day."""
    own, *before = periods(ladder, day)
    found = tally.between(own.start, min(own.end, day + _DAY))
    best = Reach(ladder.reached(found) if ladder.at_once else -1, own, found)
    for period in before:
        found = tally.between(*period)
        if (rank := ladder.reached(found)) > best.rank:
            best = Reach(rank, period, found)
    return best


def stand(ladder: Ladder, tally: Tally, day: date) -> Reach:
    """The best reach of a day and of its days of grace: the tier that the rules give."""
    best = reach(ladder, tally, day)
    for earlier in _days_of_grace(ladder, tally, day):
        other = reach(ladder, tally, earlier)
        if other.rank > best.rank:
            best = other
    return best


def _days_of_grace(ladder: Ladder, tally: Tally, day: date) -> Iterable[date]:
    """The days before `day`, within its grace, on which the reach may have been highest."""
    if not ladder.grace_days:
        return
    first = day - timedelta(days=ladder.grace_days)
    if ladder.rolling_days is not None:
        # it grows on days of purchases only
        yield first
        yield from (each for each in tally.days if first < each < day)
        return
    # within a period it only grows
    last = _period(ladder, day).start - _DAY
    while last >= first:
        yield last
        last = _period(ladder, last).start - _DAY


def turning_days(ladder: Ladder, tally: Tally, after: date) -> list[date]:
    """The days behind `after` on which the tier may be another although nothing is bought or given back, in order."""
    grace = timedelta(days=ladder.grace_days)
    if ladder.rolling_days is not None:
        rolling = timedelta(days=ladder.rolling_days)
        found = {day + rolling + grace for day in tally.days}
    else:
        found = set()
        begins, last = _period(ladder, after - grace).start, _period(ladder, _period(ladder, after).end).end
        while begins <= last:
            found |= {begins, begins + grace}
            begins = _period(ladder, begins).end
    return sorted(day for day in found if day > after)


def horizon(ladder: Ladder, day: date) -> date:
    """The first day whose purchases count for anything on `day` or after it."""
    return periods(ladder, day - timedelta(days=ladder.grace_days))[-1].start


# -- from one moment to another


@dataclass(frozen=True, slots=True)
class Standing:
    """How a member stands when everything up to `sequence` and `at` is looked at. `kept`: held against a new ladder."""

    sequence: int
    at: datetime
    tier: str | None = None
    since: datetime | None = None
    by: str | None = None
    kept: str | None = None
    kept_until: datetime | None = None
    #: when it may change by the clock alone
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """From `since` on the member stands on another tier. `by`: rule, hand, or a ladder that came into force."""

    since: datetime
    tier: str | None
    before: str | None
    by: str
    ladder_id: UUID
    reach: Reach


@dataclass(slots=True)
class _Look:
    zone: str
    standing: Standing
    tally: Tally
    version: Version | None = None
    hand: ByHand | None = None
    changes: list[Change] = field(default_factory=list)

    # -- what happens

    def learn(self, event: Event) -> None:
        """What was looked at before: nothing comes of it now."""
        if isinstance(event, Bought | GivenBack):
            self.tally.add(event)
        elif isinstance(event, Version):
            self.version = event
        else:
            self.hand = event if event.tier is not None else None

    def happen(self, event: Event) -> None:
        at = max(self.standing.at, event.at)
        self.clock(at)
        by = RULE
        if isinstance(event, Version):
            self._renew(event, at)
            by = LADDER
        self.learn(event)
        self._settle(at, by)
        self.standing = replace(self.standing, sequence=event.sequence)

    def _renew(self, version: Version, at: datetime) -> None:
        """Whoever stands higher by the ladder before keeps the tier until a period is over, where the new one says so."""
        day, new = day_of(at, self.zone), version.ladder
        before = self.by_rules(at)
        kept = None
        if new.keeps and self.version is not None and new.rank(before) > stand(new, self.tally, day).rank:
            kept = before
        ends = day + timedelta(days=new.rolling_days) if new.rolling_days is not None else _period(new, day).end
        self.standing = replace(self.standing, kept=kept, kept_until=midnight(ends, self.zone) if kept else None)

    def clock(self, until: datetime) -> None:
        """Let time pass."""
        while (moment := self.next_turn()) is not None and moment <= until:
            self.end_hand(moment)
            self._settle(moment, RULE)
        if until > self.standing.at:
            self.standing = replace(self.standing, at=until)

    def end_hand(self, at: datetime) -> None:
        """What was decided by hand for a time is over with it."""
        if self.hand is not None and self.hand.ends_at is not None and self.hand.ends_at <= at:
            self.hand = None

    def next_turn(self) -> datetime | None:
        """The next moment at which the tier is another if nothing happens."""
        if self.version is None:
            return None
        if self.hand is not None and self._by_hand() is not None:
            return self.hand.ends_at
        ladder, today, tier = self.version.ladder, day_of(self.standing.at, self.zone), self.standing.tier
        if tier is None and ladder.at_once:
            return None  # time alone raises nobody
        moments = [midnight(day, self.zone) for day in turning_days(ladder, self.tally, today)]
        if self.standing.kept_until is not None and self.standing.kept_until > self.standing.at:
            moments = sorted([*moments, self.standing.kept_until])
        if ladder.at_once:
            # it only falls: what is another tier once stays so
            first = bisect_left(moments, True, key=lambda moment: self.by_rules(moment) != tier)
            return moments[first] if first < len(moments) else None
        return next((moment for moment in moments if self.by_rules(moment) != tier), None)

    def _by_hand(self) -> str | None:
        """The tier by hand; one that the ladder in force has not is none."""
        if self.hand is None or self.version is None or self.version.ladder.rank(self.hand.tier) < 0:
            return None
        return self.hand.tier

    def by_rules(self, at: datetime) -> str | None:
        if self.version is None:
            return None
        ladder, standing = self.version.ladder, self.standing
        rank = stand(ladder, self.tally, day_of(at, self.zone)).rank
        if standing.kept_until is not None and at < standing.kept_until:
            rank = max(rank, ladder.rank(standing.kept))
        return None if rank < 0 else ladder.tiers[rank].id

    def _settle(self, at: datetime, by: str) -> None:
        """Where the member stands at this moment, and whether that is new."""
        standing = self.standing
        if standing.at < at:
            standing = replace(standing, at=at)
        if self.version is not None:
            ladder, tier = self.version.ladder, self.by_rules(at)
            if (by_hand := self._by_hand()) is not None:
                tier, by = by_hand, HAND
            if tier != standing.tier:
                found = stand(ladder, self.tally, day_of(at, self.zone))
                self.changes.append(Change(at, tier, standing.tier, by, self.version.id, found))
                standing = replace(standing, tier=tier, since=at, by=by)
        self.standing = standing


def follow(
    zone: str, standing: Standing, events: Sequence[Event], until: datetime | None
) -> tuple[list[Change], Standing]:
    """What changes for a member between how they stood and `until` by the clock (None: no further than the last event),
    and how they stand then. `events` are all that counts, in sequence; those that were looked at are known."""
    look = _Look(zone, standing, Tally(zone))
    for event in events:
        if event.sequence <= standing.sequence:
            look.learn(event)
    look.end_hand(standing.at)
    for event in events:
        if event.sequence > standing.sequence:
            look.happen(event)
    if until is not None:
        look.clock(until)
    return look.changes, replace(look.standing, due_at=look.next_turn())


# -- how far it is


class Missing(NamedTuple):
    measure: str
    at_least: int
    value: int

    @property
    def missing(self) -> int:
        return max(0, self.at_least - self.value)


class Progress(NamedTuple):
    """Where a member is in the present period, what the next tier asks for, and what comes if nothing more is bought."""

    period: Period
    measures: Measures
    next_tier: str | None
    every: bool
    missing: tuple[Missing, ...]
    ends_at: datetime | None
    then: str | None


def progress(zone: str, standing: Standing, events: Sequence[Event], at: datetime) -> Progress | None:
    """None: there is no ladder. What is missing is missing in the present period."""
    look = _Look(zone, standing, Tally(zone))
    for event in events:
        look.learn(event)
    if look.version is None:
        return None
    look.standing = replace(standing, at=max(at, standing.at))
    look.end_hand(look.standing.at)
    ladder = look.version.ladder
    own = periods(ladder, day_of(at, zone))[0]
    found = look.tally.between(*own)
    above = ladder.tiers[ladder.rank(standing.tier) + 1 :]
    following = next((tier for tier in above if tier.requires is not None), None)
    asked = Requirement(True, {}) if following is None or following.requires is None else following.requires
    missing = tuple(Missing(name, least, getattr(found, name)) for name, least in asked.at_least.items())
    ends_at = look.next_turn()
    then = None if ends_at is None else _after(look, ends_at)
    return Progress(own, found, None if following is None else following.id, asked.every, missing, ends_at, then)


def _after(look: _Look, at: datetime) -> str | None:
    look.hand = None
    return look.by_rules(at)
