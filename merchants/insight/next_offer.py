"""What a member is likely to buy next at a shop, and why in one line of the member's own numbers. Pure and deterministic.

Three things are known of a category: how often this member's visits had it (recent visits count more, and few visits lean
on how popular it is), how far its usual gap has gone by since (a hazard learned from all members), and what those buy who
bought what this member did. The first two make the score of what was bought before, the third that of what was not.
"""

import bisect
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ledger import PPM

#: How many are kept of a member.
KEPT: Final = 5
#: A visit so many visits ago counts half of the last one.
HALF_LIFE_VISITS: Final = 40
#: How many visits of an average member a new one is thought to have made.
LEANING: Final = 4.0
#: Where the ratio of what has gone by to the usual gap is cut, for the hazard.
RATIOS: Final = (0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
#: Fewer forecasts than these teach nothing of a cut.
LEAST_FORECASTS: Final = 200
#: Of what a member never bought, only so many of what goes with it are looked at; and fewer buyers than these teach nothing.
LARGEST_COMPANY: Final = 20
LEAST_BUYERS: Final = 5
LARGEST_FAVOURITES: Final = 30
#: Categories a shop's model knows, the most popular.
LARGEST_CATEGORIES: Final = 400

#: A member's visits in order: the day (a number, such as `date.toordinal`) and the categories bought on it.
Visits = Sequence[tuple[int, frozenset[str]]]


class Setting(NamedTuple):
    """What was tuned."""

    half_life_visits: int = HALF_LIFE_VISITS
    leaning: float = LEANING
    timed: bool = True


class Offer(NamedTuple):
    """A category, how likely it is at the next visit, and the reason: a code, and the numbers it is told with."""

    category: str
    score_ppm: int
    reason: str
    facts: Mapping[str, int | str]


@dataclass(slots=True)
class Popularity:
    """How many visits there were and had each category; what is bought by the same members. Learned member by member."""

    visits: int = 0
    members: int = 0
    by_visit: Counter[str] = field(default_factory=Counter)
    by_member: Counter[str] = field(default_factory=Counter)
    # among members' favourites only: whoever buys little of everything teaches nothing
    by_favourite: Counter[str] = field(default_factory=Counter)
    together: dict[str, Counter[str]] = field(default_factory=dict)

    def learn(self, visits: Visits) -> None:
        if not visits:
            return
        self.members += 1
        self.visits += len(visits)
        for _, bought in visits:
            self.by_visit.update(bought)
        times = Counter(category for _, bought in visits for category in bought)
        self.by_member.update(times.keys())
        favourites = favourites_of(times)
        self.by_favourite.update(favourites)
        for one, other in itertools.permutations(favourites, 2):
            self.together.setdefault(one, Counter())[other] += 1

    def share(self, category: str) -> float:
        """Of all visits, those that had it."""
        return self.by_visit[category] / self.visits if self.visits else 0.0

    def most_popular(self) -> list[str]:
        """Categories by how many visits had them, the most first."""
        return sorted(self.by_visit, key=lambda category: (-self.by_visit[category], category))

    def company(self, category: str, least: int = LEAST_BUYERS) -> list[str]:
        """What goes with a category: a favourite of those whose favourite it is more than of all, the most unusual first."""
        with_it = self.together.get(category, Counter())
        lifts = {
            other: self.lift(category, other)
            for other, both in with_it.items()
            if both >= least and self.lift(category, other) > 1
        }
        return sorted(lifts, key=lambda other: (-lifts[other], other))[:LARGEST_COMPANY]

    def lift(self, category: str, other: str) -> float:
        """How many times as many of those who favour it favour the other as of all members."""
        both = self.together.get(category, Counter())[other]
        expected = self.by_favourite[category] * self.by_favourite[other] / self.members if self.members else 0.0
        return both / expected if expected else 0.0


@dataclass(slots=True)
class Hazard:
    """By how far the usual gap has gone by: how often a forecast by frequency alone came true, and how often it said so."""

    came: list[float] = field(default_factory=lambda: [0.0] * (len(RATIOS) + 1))
    said: list[float] = field(default_factory=lambda: [0.0] * (len(RATIOS) + 1))
    seen: list[int] = field(default_factory=lambda: [0] * (len(RATIOS) + 1))

    def learn(self, popularity: Popularity, setting: Setting, visits: Visits) -> None:
        """Forecast each visit of a member from those before it, and see."""
        known = Member(setting)
        for day, bought in visits:
            for category, told in known.categories.items():
                if told.times < 2:
                    continue
                cut = bisect.bisect_right(RATIOS, (day - told.last) / told.gap)
                self.said[cut] += known.share(category, popularity)
                self.came[cut] += category in bought
                self.seen[cut] += 1
            known.add(day, bought)

    def factor(self, ratio: float) -> float:
        cut = bisect.bisect_right(RATIOS, ratio)
        if self.seen[cut] < LEAST_FORECASTS or not self.said[cut]:
            return 1.0
        return self.came[cut] / self.said[cut]


@dataclass(slots=True)
class Model:
    """What a shop's members taught together."""

    popularity: Popularity
    hazard: Hazard
    setting: Setting
    _popular: list[str] = field(init=False)
    _company: dict[str, list[tuple[str, float]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._popular = self.popularity.most_popular()[:LARGEST_CATEGORIES]

    def offers(self, visits: Visits, today: int, most: int = KEPT) -> list[Offer]:
        """The likeliest categories of the member's next visit, the likeliest first. Of equals, by name."""
        member = Member(self.setting)
        for day, bought in visits:
            member.add(day, bought)
        return self.offers_to(member, today, most)

    def offers_to(self, member: "Member", today: int, most: int = KEPT) -> list[Offer]:
        """The same of a member who is known already."""
        found = [(_ppm(self._share(member, category, today)), category) for category in member.categories]
        found += self._never_bought(member, most)
        best = sorted(found, key=lambda each: (-each[0], each[1]))[:most]
        return [Offer(category, score, *self._reason(member, category, today)) for score, category in best]

    def _share(self, member: "Member", category: str, today: int) -> float:
        """How likely what was bought before is at a visit today."""
        told, share = member.categories[category], member.share(category, self.popularity)
        if self.setting.timed and told.times >= 2:
            share *= self.hazard.factor((today - told.last) / told.gap)
        return share

    def _never_bought(self, member: "Member", most: int) -> list[tuple[int, str]]:
        """What the shop's other members buy: a little likelier if they bought the same as this one."""
        new = (category for category in self._popular if category not in member.categories)
        found = {category: _ppm(member.share(category, self.popularity)) for category in itertools.islice(new, most)}
        for category in member.favourites(most):
            for other, lift in self._goes_with(category):
                if other not in member.categories:
                    score = _ppm(member.share(other, self.popularity) * lift)
                    found[other] = max(score, found.get(other, 0))
        return [(score, category) for category, score in found.items()]

    def _goes_with(self, category: str) -> list[tuple[str, float]]:
        if category not in self._company:
            popularity = self.popularity
            self._company[category] = [(o, popularity.lift(category, o)) for o in popularity.company(category)]
        return self._company[category]

    def _reason(self, member: "Member", category: str, today: int) -> tuple[str, dict[str, int | str]]:
        told, popularity = member.categories.get(category), self.popularity
        if told is not None:
            gone = today - told.last
            if self.setting.timed and told.times >= 3 and gone >= told.gap:
                return "due", {"every_days": max(1, round(told.gap)), "days_since": gone}
            return "regular", {"times": told.times, "visits": member.count, "days_since": gone}
        company = [
            (lift, favourite)
            for favourite in member.favourites(KEPT)
            for other, lift in self._goes_with(favourite)
            if other == category
        ]
        if company:
            _, favourite = max(company, key=lambda each: (each[0], each[1]))
            both, of = popularity.together[favourite][category], popularity.by_favourite[favourite]
            return "bought_together", {"with": favourite, "of_hundred_buyers": _hundredths(both, of)}
        return "popular", {
            "of_hundred_members": _hundredths(popularity.by_member[category], popularity.members),
        }


def model(histories: Callable[[], Iterable[Visits]], setting: Setting = Setting()) -> Model:  # noqa: B008 - immutable
    """Learn from all members of a shop. `histories` is asked for twice and gone through member by member."""
    popularity, hazard = Popularity(), Hazard()
    for visits in histories():
        popularity.learn(visits)
    for visits in histories():
        hazard.learn(popularity, setting, visits)
    return Model(popularity, hazard, setting)


def favourites_of(times: Mapping[str, int]) -> list[str]:
    """What was bought more than once, the most often first."""
    return sorted((c for c, n in times.items() if n > 1), key=lambda c: (-times[c], c))[:LARGEST_FAVOURITES]


def visits_of(bought: Iterable[tuple[int, str]]) -> list[tuple[int, frozenset[str]]]:
    """(day, category) pairs as visits in order."""
    days: dict[int, set[str]] = {}
    for day, category in bought:
        days.setdefault(day, set()).add(category)
    return [(day, frozenset(days[day])) for day in sorted(days)]


@dataclass(slots=True)
class _Category:
    first: int
    last: int
    times: int
    # times, the recent ones counting more, as of the visit `at`
    weight: float
    at: int

    @property
    def gap(self) -> float:
        """Days from one purchase to the next, on average."""
        return (self.last - self.first) / (self.times - 1)


@dataclass(slots=True)
class Member:
    """What one member did, visit by visit."""

    setting: Setting
    count: int = 0
    weight: float = 0.0
    categories: dict[str, _Category] = field(default_factory=dict)
    _fading: float = field(init=False)

    def __post_init__(self) -> None:
        self._fading = float(0.5 ** (1 / self.setting.half_life_visits))

    def add(self, day: int, bought: Iterable[str]) -> None:
        self.count += 1
        self.weight = self.weight * self._fading + 1
        for category in bought:
            told = self.categories.get(category)
            if told is None:
                self.categories[category] = _Category(day, day, 1, 1.0, self.count)
                continue
            told.weight = told.weight * self._fading ** (self.count - told.at) + 1
            told.last, told.times, told.at = day, told.times + 1, self.count

    def favourites(self, most: int) -> list[str]:
        return favourites_of({category: told.times for category, told in self.categories.items()})[:most]

    def share(self, category: str, popularity: Popularity) -> float:
        """Of this member's visits, those that have the category: leaning on all members' while they are few."""
        leaning, told = self.setting.leaning, self.categories.get(category)
        mine = told.weight * self._fading ** (self.count - told.at) if told else 0.0
        return (mine + leaning * popularity.share(category)) / (self.weight + leaning)


def _ppm(share: float) -> int:
    return max(0, min(PPM, round(share * PPM)))


def _hundredths(part: int, whole: int) -> int:
    return 100 * part // whole if whole else 0
