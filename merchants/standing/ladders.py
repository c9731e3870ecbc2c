"""Ladders as data: the tiers of a merchant's club or of the network, what each asks for and brings. Pure.

    {"period": {"calendar": "jalali", "length": "year"}, "promotion": "at_once", "grace_days": 30,
     "when_changed": "keep", "kinds": ["natural"],
     "tiers": [{"id": "silver", "name": {"fa": "نقره‌ای", "en": "Silver"},
                "requires": {"any": {"spend_minor": 5000000, "visits": 10}},
                "benefits": [{"name": "lounge", "text": {"fa": "سالن انتظار", "en": "Lounge"}}]},
               {"id": "vip", "name": {"fa": "ویژه", "en": "VIP"}}]}

A tier that requires nothing is given by hand only. A ladder without tiers ends what there was.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ledger import LARGEST_AMOUNT
from merchants.standing.periods import CALENDARS, LENGTHS

MEASURES: Final = ("spend_minor", "visits", "points_earned")
PROMOTIONS: Final = ("at_once", "period_end")
WHEN_CHANGED: Final = ("keep", "fall")
KINDS: Final = ("natural", "legal")
LANGUAGES: Final = ("fa", "en")

MOST_TIERS: Final = 20
MOST_BENEFITS: Final = 50
LONGEST_GRACE_DAYS: Final = 366
LONGEST_ROLLING_DAYS: Final = 1_096
LONGEST_NAME: Final = 64
LONGEST_TEXT: Final = 300

_ID: Final = re.compile(r"[a-z0-9_]{1,32}")


class Fault(NamedTuple):
    """What is wrong with a ladder, and where: a JSON pointer into it, a stable code, a sentence."""

    pointer: str
    code: str
    detail: str


class Measures(NamedTuple):
    """What a member did in some days, net of refunds: paid in money, purchases not given back whole, points."""

    spend_minor: int = 0
    visits: int = 0
    points_earned: int = 0

    @property
    def told(self) -> dict[str, int]:
        return self._asdict()


class Requirement(NamedTuple):
    """Thresholds by measure. `every`: all of them, else any of them."""

    every: bool
    at_least: Mapping[str, int]

    def met(self, found: Measures) -> bool:
        reached = (getattr(found, name) >= least for name, least in self.at_least.items())
        return all(reached) if self.every else any(reached)


class Benefit(NamedTuple):
    name: str
    text: Mapping[str, str]


class Tier(NamedTuple):
    """`requires` None: by hand only."""

    id: str
    name: Mapping[str, str]
    requires: Requirement | None
    benefits: tuple[Benefit, ...]


@dataclass(frozen=True, slots=True)
class Ladder:
    """`tiers` from the lowest up. Of a period, either a calendar and a length, or rolling days, today included."""

    calendar: str | None
    length: str | None
    rolling_days: int | None
    at_once: bool
    grace_days: int
    # whether those who stand higher by the version before keep their tier until a period is over
    keeps: bool
    kinds: frozenset[str]
    tiers: tuple[Tier, ...]

    def rank(self, tier: str | None) -> int:
        """How high a tier stands, from 0; -1: none, or one that this ladder has not."""
        return next((i for i, each in enumerate(self.tiers) if each.id == tier), -1)

    def tier(self, id: str | None) -> Tier | None:
        rank = self.rank(id)
        return None if rank < 0 else self.tiers[rank]

    def reached(self, found: Measures) -> int:
        """The highest tier that asks for no more than this; -1: none does."""
        for rank in range(len(self.tiers) - 1, -1, -1):
            requires = self.tiers[rank].requires
            if requires is not None and requires.met(found):
                return rank
        return -1


# -- faults


def faults(json: Any) -> list[Fault]:
    """All that is wrong with a ladder, in the order of its fields."""
    return list(_faults(json))


_FIELDS: Final = ("period", "promotion", "grace_days", "when_changed", "kinds", "tiers")


def _faults(json: Any) -> Iterator[Fault]:
    if not isinstance(json, dict):
        yield Fault("", "wrong_type", "must be an object")
        return
    yield from _unknown(json, "", _FIELDS)
    yield from _period_faults(json.get("period"))
    rolls = isinstance(json.get("period"), dict) and "rolling_days" in json["period"]
    promotion = json.get("promotion", "at_once")
    if promotion not in PROMOTIONS:
        yield Fault("/promotion", "unknown_value", f"must be one of {', '.join(PROMOTIONS)}")
    elif promotion == "period_end" and rolls:
        yield Fault("/promotion", "bad_range", "rolling days have no end to wait for")
    yield from _integer(json.get("grace_days", 0), "/grace_days", 0, LONGEST_GRACE_DAYS)
    if json.get("when_changed", "keep") not in WHEN_CHANGED:
        yield Fault("/when_changed", "unknown_value", f"must be one of {', '.join(WHEN_CHANGED)}")
    yield from _kinds_faults(json.get("kinds", list(KINDS)))
    yield from _tiers_faults(json.get("tiers"))


def _period_faults(period: Any) -> Iterator[Fault]:
    at = "/period"
    if not isinstance(period, dict):
        yield Fault(at, "missing" if period is None else "wrong_type", "must be an object: a calendar, or rolling_days")
    elif "rolling_days" in period:
        yield from _unknown(period, at, ("rolling_days",))
        yield from _integer(period["rolling_days"], f"{at}/rolling_days", 1, LONGEST_ROLLING_DAYS)
    else:
        yield from _unknown(period, at, ("calendar", "length"))
        for name, known in (("calendar", CALENDARS), ("length", tuple(LENGTHS))):
            if period.get(name) not in known:
                code = "unknown_value" if name in period else "missing"
                yield Fault(f"{at}/{name}", code, f"must be one of {', '.join(known)}")


def _kinds_faults(kinds: Any) -> Iterator[Fault]:
    if not isinstance(kinds, list) or not kinds:
        yield Fault("/kinds", "wrong_type", "must be a list of kinds of person; leave it out for everybody")
        return
    for i, kind in enumerate(kinds):
        if kind not in KINDS:
            yield Fault(f"/kinds/{i}", "unknown_value", f"must be one of {', '.join(KINDS)}")
        elif kind in kinds[:i]:
            yield Fault(f"/kinds/{i}", "duplicate", "is named twice")


def _tiers_faults(tiers: Any) -> Iterator[Fault]:
    if not isinstance(tiers, list):
        yield Fault("/tiers", "missing" if tiers is None else "wrong_type", "must be a list, the lowest tier first")
        return
    if len(tiers) > MOST_TIERS:
        yield Fault("/tiers", "too_many", f"must be {MOST_TIERS} at most")
        return
    seen: set[str] = set()
    for i, tier in enumerate(tiers):
        at = f"/tiers/{i}"
        if not isinstance(tier, dict):
            yield Fault(at, "wrong_type", "must be an object")
            continue
        yield from _unknown(tier, at, ("id", "name", "requires", "benefits"))
        id = tier.get("id")
        if not isinstance(id, str) or not _ID.fullmatch(id):
            yield Fault(f"{at}/id", "missing" if id is None else "bad_name", f"must match {_ID.pattern}")
        elif id in seen:
            yield Fault(f"{at}/id", "duplicate", "two tiers have this id")
        else:
            seen.add(id)
        yield from _words_faults(tier.get("name"), f"{at}/name", LONGEST_NAME)
        if tier.get("requires") is not None:
            yield from _requires_faults(tier["requires"], f"{at}/requires")
        yield from _benefits_faults(tier.get("benefits", []), f"{at}/benefits")


def _requires_faults(requires: Any, at: str) -> Iterator[Fault]:
    if not isinstance(requires, dict) or len(requires) != 1 or not requires.keys() <= {"all", "any"}:
        yield Fault(at, "wrong_type", "must be an object with one of all, any")
        return
    ((how, thresholds),) = requires.items()
    here = f"{at}/{how}"
    if not isinstance(thresholds, dict) or not thresholds:
        yield Fault(here, "wrong_type", f"must be an object with one of {', '.join(MEASURES)} or more")
        return
    yield from _unknown(thresholds, here, MEASURES)
    for name in MEASURES:
        if name in thresholds:
            yield from _integer(thresholds[name], f"{here}/{name}", 1, 1_000 * LARGEST_AMOUNT)


def _benefits_faults(benefits: Any, at: str) -> Iterator[Fault]:
    if not isinstance(benefits, list):
        yield Fault(at, "wrong_type", "must be a list")
        return
    if len(benefits) > MOST_BENEFITS:
        yield Fault(at, "too_many", f"must be {MOST_BENEFITS} at most")
        return
    for i, benefit in enumerate(benefits):
        here = f"{at}/{i}"
        if not isinstance(benefit, dict):
            yield Fault(here, "wrong_type", "must be an object")
            continue
        yield from _unknown(benefit, here, ("name", "text"))
        name = benefit.get("name")
        if not isinstance(name, str) or not _plain(name, LONGEST_NAME):
            yield Fault(f"{here}/name", "bad_name", f"must have 1 to {LONGEST_NAME} characters")
        yield from _words_faults(benefit.get("text"), f"{here}/text", LONGEST_TEXT)


def _words_faults(words: Any, at: str, longest: int) -> Iterator[Fault]:
    """What people read, in Persian and in English."""
    if not isinstance(words, dict):
        code = "missing" if words is None else "wrong_type"
        yield Fault(at, code, f"must be an object with {', '.join(LANGUAGES)}")
        return
    yield from _unknown(words, at, LANGUAGES)
    for language in LANGUAGES:
        text = words.get(language)
        if not isinstance(text, str) or not _plain(text, longest):
            code = "missing" if text is None else "bad_name"
            yield Fault(f"{at}/{language}", code, f"must have 1 to {longest} characters, none of them a control")


def _plain(text: str, longest: int) -> bool:
    return 0 < len(text) <= longest and bool(text.strip()) and not any(c < " " or c == "\x7f" for c in text)


def _unknown(json: Mapping[Any, Any], at: str, allowed: Sequence[str]) -> Iterator[Fault]:
    for name in json:
        if name not in allowed:
            step = str(name)[:LONGEST_NAME].replace("~", "~0").replace("/", "~1")
            yield Fault(f"{at}/{step}", "unknown_field", f"must be one of {', '.join(allowed)}")


def _integer(value: Any, at: str, least: int, most: int) -> Iterator[Fault]:
    if not isinstance(value, int) or isinstance(value, bool):
        yield Fault(at, "wrong_type", "must be a whole number")
    elif not least <= value <= most:
        yield Fault(at, "too_small" if value < least else "too_large", f"must be {least} to {most}")


# -- reading


def ladder(json: Mapping[str, Any]) -> Ladder:
    """A ladder without faults."""
    period = json["period"]
    return Ladder(
        calendar=period.get("calendar"),
        length=period.get("length"),
        rolling_days=period.get("rolling_days"),
        at_once=json.get("promotion", "at_once") == "at_once",
        grace_days=json.get("grace_days", 0),
        keeps=json.get("when_changed", "keep") == "keep",
        kinds=frozenset(json.get("kinds", KINDS)),
        tiers=tuple(
            Tier(
                tier["id"],
                tier["name"],
                None if tier.get("requires") is None else _requirement(tier["requires"]),
                tuple(Benefit(each["name"], each["text"]) for each in tier.get("benefits", ())),
            )
            for tier in json["tiers"]
        ),
    )


def _requirement(json: Mapping[str, Any]) -> Requirement:
    ((how, thresholds),) = json.items()
    return Requirement(how == "all", thresholds)
