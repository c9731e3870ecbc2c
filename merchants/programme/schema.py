"""The long form of rules: its faults, and its reading. Pure.

    {"rules": [{"id": "base", "effect": {"rate": {"points": 1, "per": 10000}}},
               {"id": "gold-tuesday", "effect": {"multiplier": {"percent": 200}},
                "when": {"tier": ["gold"], "time": {"weekdays": ["tuesday"]}}}],
     "minimum": 50000, "cap_points": 500}

Amounts are minor units of the network's money. A merchant or branch is named by its public id.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, time
from typing import Any, Final

from ledger import ids
from merchants.programme import faults as wrong
from merchants.programme.faults import Fault
from merchants.programme.rules import (
    BASES,
    CONDITIONS,
    MEASURE,
    OCCASIONS,
    OF_MONEY,
    WEEKDAYS,
    Bounds,
    Fixed,
    Hours,
    Multiplier,
    Rate,
    Rule,
    Spent,
    Visits,
    When,
)

LARGEST_RULES: Final = 2_000
LARGEST_LIST: Final = 500
LARGEST_WINDOWS: Final = 8
LONGEST_WINDOW_DAYS: Final = 366
LARGEST_FIXED: Final = 1_000_000
LARGEST_PRIORITY: Final = 1_000
MOST_PERCENT: Final = 10_000

EFFECTS: Final = ("rate", "points", "multiplier")
STACKING: Final = ("stack", "exclusive")

_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_MEASURE: Final = re.compile(r"measure:[a-z][a-z0-9_]{0,31}")
_SEGMENT: Final = re.compile(r"seg_[0-9a-f]{32}(@[1-9][0-9]{0,3})?")
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_TOP: Final = ("rules", "minimum", "cap_points")
_RULE: Final = ("id", "name", "basis", "effect", "when", "cap_points", "valid", "priority", "stacking")

_ONE_OF: Final = {
    "channel": ("physical", "online"),
    "kind": ("natural", "legal"),
    "payment": ("cash", "card", "transfer", "credit", "voucher", "points", "other"),
    "occasion": OCCASIONS,
}
_NAMED: Final = {"merchant": "merchant", "branch": "branch"}
_LISTS: Final = (
    "merchant", "branch", "channel", "kind", "tier", "segment", "occasion", "payment", "product", "category",
    "not_category",
)  # fmt: skip


# -- what is wrong


def faults(json: Mapping[str, Any]) -> Iterator[Fault]:
    """Everything that is wrong with the long form."""
    yield from wrong.unknown(dict(json), "", _TOP)
    if "minimum" in json:
        yield from wrong.integer(json["minimum"], "/minimum", 0)
    if json.get("cap_points") is not None:
        yield from wrong.integer(json["cap_points"], "/cap_points", 0)
    rules = json["rules"]
    if not isinstance(rules, list):
        yield Fault("/rules", "wrong_type", "must be a list")
        return
    if len(rules) > LARGEST_RULES:
        yield Fault("/rules", "too_many", f"must be at most {LARGEST_RULES} rules")
        return
    seen: set[str] = set()
    of_group: dict[str, bool] = {}
    windows: set[int] = set()
    for i, rule in enumerate(rules):
        at = f"/rules/{i}"
        found = list(_rule_faults(rule, at))
        yield from found
        if found:
            continue
        if rule["id"] in seen:
            yield Fault(f"{at}/id", "duplicate", "another rule has this id")
        seen.add(rule["id"])
        read = _rule(rule)
        windows |= read.when.windows
        if read.best_of is not None and of_group.setdefault(
            read.best_of, isinstance(read.effect, Multiplier)
        ) != isinstance(read.effect, Multiplier):
            yield Fault(f"{at}/stacking/best_of", "mixed_group", "multipliers are compared with multipliers only")
        if len(windows) > LARGEST_WINDOWS:
            yield Fault(f"{at}/when", "too_many", f"must be at most {LARGEST_WINDOWS} different windows of days in all")
            return


def _rule_faults(rule: Any, at: str) -> Iterator[Fault]:
    if not isinstance(rule, dict):
        yield Fault(at, "wrong_type", "must be an object")
        return
    yield from wrong.unknown(rule, at, _RULE)
    if "id" not in rule:
        yield Fault(f"{at}/id", "missing", "is required")
    else:
        yield from wrong.text(rule["id"], f"{at}/id", "an id", _ID)
    if rule.get("name") is not None:
        yield from wrong.text(rule["name"], f"{at}/name", "a name")
    basis = rule.get("basis", "money")
    if not isinstance(basis, str) or (basis not in BASES and not _MEASURE.fullmatch(basis)):
        yield Fault(f"{at}/basis", "unknown_basis", f"must be one of {', '.join(BASES)} or {MEASURE} and a measure")
        basis = "units"
    yield from _effect_faults(rule, at, basis)
    yield from _when_faults(rule.get("when", {}), f"{at}/when")
    if rule.get("cap_points") is not None:
        yield from wrong.integer(rule["cap_points"], f"{at}/cap_points", 0)
    yield from _valid_faults(rule.get("valid", {}), f"{at}/valid")
    if "priority" in rule:
        yield from wrong.integer(rule["priority"], f"{at}/priority", -LARGEST_PRIORITY, LARGEST_PRIORITY)
    yield from _stacking_faults(rule, at)


def _effect_faults(rule: dict[str, Any], at: str, basis: str) -> Iterator[Fault]:
    here = f"{at}/effect"
    effect = rule.get("effect")
    if effect is None:
        yield Fault(here, "missing", "is required")
        return
    if not isinstance(effect, dict) or len(effect) != 1:
        yield Fault(here, "wrong_type", f"must be an object with one of {', '.join(EFFECTS)}")
        return
    [(name, value)] = effect.items()
    if name not in EFFECTS:
        yield Fault(wrong.pointer(here, name), "unknown_effect", f"must be one of {', '.join(EFFECTS)}")
        return
    here = f"{here}/{name}"
    if name == "points":
        yield from wrong.integer(value, here, 0, LARGEST_FIXED)
    elif not isinstance(value, dict):
        yield Fault(here, "wrong_type", "must be an object")
    elif name == "rate":
        yield from wrong.unknown(value, here, ("points", "per"))
        yield from wrong.named_rate(value, here, "per", of_money=basis in OF_MONEY)
    else:
        yield from wrong.unknown(value, here, ("percent",))
        yield from _required(value, "percent", here, 101, MOST_PERCENT)
    if name != "rate" and rule.get("basis", "money") != "money":
        yield Fault(f"{at}/basis", "not_with_effect", "only a rate is of a basis")


def _stacking_faults(rule: dict[str, Any], at: str) -> Iterator[Fault]:
    stacking, here = rule.get("stacking", "stack"), f"{at}/stacking"
    if isinstance(stacking, dict):
        yield from wrong.unknown(stacking, here, ("best_of",))
        if "best_of" not in stacking:
            yield Fault(f"{here}/best_of", "missing", "is required")
        else:
            yield from wrong.text(stacking["best_of"], f"{here}/best_of", "a group", _ID)
    elif stacking not in STACKING:
        yield Fault(here, "unknown_stacking", f'must be one of {", ".join(STACKING)} or {{"best_of": ...}}')
    elif stacking == "exclusive" and isinstance(rule.get("effect"), dict) and "multiplier" in rule["effect"]:
        yield Fault(here, "not_with_effect", "a multiplier alone would multiply nothing")


def _valid_faults(valid: Any, at: str) -> Iterator[Fault]:
    if not isinstance(valid, dict):
        yield Fault(at, "wrong_type", "must be an object")
        return
    yield from wrong.unknown(valid, at, ("from", "until"))
    times = {}
    for name in ("from", "until"):
        if valid.get(name) is not None:
            times[name] = _moment(valid[name])
            if times[name] is None:
                yield Fault(f"{at}/{name}", "bad_time", "must be a time with its offset (RFC 3339)")
    begins, ends = times.get("from"), times.get("until")
    if begins is not None and ends is not None and ends <= begins:
        yield Fault(f"{at}/until", "bad_range", "must be later than from")


def _when_faults(when: Any, at: str) -> Iterator[Fault]:
    if not isinstance(when, dict):
        yield Fault(at, "wrong_type", "must be an object")
        return
    yield from wrong.unknown(when, at, CONDITIONS)
    for name in CONDITIONS:
        if name not in when:
            continue
        here = f"{at}/{name}"
        yield from _list_faults(name, when[name], here) if name in _LISTS else _CHECKS[name](when[name], here)


def _list_faults(name: str, value: Any, at: str) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield Fault(at, "wrong_type", "must be a list")
        return
    if not 0 < len(value) <= LARGEST_LIST:
        yield Fault(at, "too_many" if value else "too_few", f"must name 1 to {LARGEST_LIST}")
        return
    for i, each in enumerate(value):
        here = f"{at}/{i}"
        if name in _ONE_OF:
            if each not in _ONE_OF[name]:
                yield Fault(here, "unknown_value", f"must be one of {', '.join(_ONE_OF[name])}")
        elif name in _NAMED:
            if not isinstance(each, str) or ids.read(_NAMED[name], each) is None:
                yield Fault(here, "bad_name", f"must be the id of a {name}")
        elif name == "segment":
            if not isinstance(each, str) or _SEGMENT.fullmatch(each) is None:
                yield Fault(
                    here, "bad_name", "must be the id of a segment, or of one of its versions, such as seg_...@3"
                )
        else:
            yield from wrong.text(each, here, "a name")


def _object(value: Any, at: str, allowed: tuple[str, ...]) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault(at, "wrong_type", "must be an object")
    elif not value:
        yield Fault(at, "too_few", f"must have one of {', '.join(allowed)}")
    else:
        yield from wrong.unknown(value, at, allowed)


def _required(value: dict[str, Any], name: str, at: str, least: int, most: int) -> Iterator[Fault]:
    if name not in value:
        yield Fault(f"{at}/{name}", "missing", "is required")
    else:
        yield from wrong.integer(value[name], f"{at}/{name}", least, most)


def _hours_faults(value: Any, at: str) -> Iterator[Fault]:
    found = list(_object(value, at, ("weekdays", "from", "until")))
    yield from found
    if found:
        return
    if "weekdays" in value:
        days = value["weekdays"]
        if not isinstance(days, list) or not days:
            yield Fault(f"{at}/weekdays", "wrong_type", "must be a list of days")
        else:
            for i, day in enumerate(days):
                if day not in WEEKDAYS:
                    yield Fault(f"{at}/weekdays/{i}", "unknown_value", f"must be one of {', '.join(WEEKDAYS)}")
    bad = False
    for name in ("from", "until"):
        if name in value and not (isinstance(value[name], str) and _CLOCK.fullmatch(value[name])):
            bad = True
            yield Fault(f"{at}/{name}", "bad_time", "must be a time of day such as 18:30")
    if not bad and "until" in value and value["until"] <= value.get("from", "00:00"):
        yield Fault(f"{at}/until", "bad_range", "must be later than from: over midnight there are two rules")


def _bounds_faults(value: Any, at: str) -> Iterator[Fault]:
    found = list(_object(value, at, ("at_least", "at_most")))
    yield from found
    if not found:
        yield from _ranged(value, at)


def _ranged(value: dict[str, Any], at: str, least: int = 0) -> Iterator[Fault]:
    bad = False
    for name in ("at_least", "at_most", "reaches", "every"):
        if name in value:
            for fault in wrong.integer(value[name], f"{at}/{name}", 1 if name in ("reaches", "every") else least):
                bad = True
                yield fault
    if not bad and "at_least" in value and "at_most" in value and value["at_most"] < value["at_least"]:
        yield Fault(f"{at}/at_most", "bad_range", "must not be below at_least")


def _counted_faults(*names: str) -> Callable[[Any, str], Iterator[Fault]]:
    def check(value: Any, at: str) -> Iterator[Fault]:
        found = list(_object(value, at, ("days", *names)))
        yield from found
        if found:
            return
        yield from _required(value, "days", at, 1, LONGEST_WINDOW_DAYS)
        if not any(name in value for name in names):
            yield Fault(at, "too_few", f"must have one of {', '.join(names)}")
        yield from _ranged(value, at)

    return check


def _first_faults(value: Any, at: str) -> Iterator[Fault]:
    if not isinstance(value, bool):
        yield Fault(at, "wrong_type", "must be true or false")


def _last_faults(value: Any, at: str) -> Iterator[Fault]:
    found = list(_object(value, at, ("within_days",)))
    yield from found
    if not found:
        yield from _required(value, "within_days", at, 0, LONGEST_WINDOW_DAYS)


_CHECKS: Final[Mapping[str, Callable[[Any, str], Iterator[Fault]]]] = {
    "time": _hours_faults,
    "basket": _bounds_faults,
    "amount": _bounds_faults,
    "first_purchase": _first_faults,
    "last_purchase": _last_faults,
    "visits": _counted_faults("at_least", "at_most", "every"),
    "spent": _counted_faults("at_least", "at_most", "reaches"),
}


# -- reading


def rules(json: Mapping[str, Any]) -> list[Rule]:
    """The rules of a long form without faults, in its order."""
    return [_rule(rule) for rule in json["rules"]]


def _rule(json: Mapping[str, Any]) -> Rule:
    stacking, valid = json.get("stacking", "stack"), json.get("valid", {})
    return Rule(
        id=json["id"],
        effect=_effect(json["effect"]),
        basis=json.get("basis", "money"),
        when=_when(json.get("when", {})),
        cap_points=json.get("cap_points"),
        valid_from=_moment(valid.get("from")),
        valid_until=_moment(valid.get("until")),
        priority=json.get("priority", 0),
        best_of=stacking["best_of"] if isinstance(stacking, dict) else None,
        exclusive=stacking == "exclusive",
        name=json.get("name"),
    )


def _effect(json: Mapping[str, Any]) -> Rate | Fixed | Multiplier:
    if "rate" in json:
        return Rate(json["rate"]["points"], json["rate"]["per"])
    if "points" in json:
        return Fixed(json["points"])
    return Multiplier(json["multiplier"]["percent"])


def _when(json: Mapping[str, Any]) -> When:
    read: dict[str, Any] = {}
    for name, value in json.items():
        if name in _NAMED:
            read[name] = frozenset(ids.read(_NAMED[name], each) for each in value)
        elif name in _LISTS:
            read[name] = frozenset(value)
    if (hours := json.get("time")) is not None:
        read["time"] = Hours(
            frozenset(WEEKDAYS.index(day) for day in hours.get("weekdays", WEEKDAYS)),
            time.fromisoformat(hours.get("from", "00:00")),
            time.fromisoformat(hours["until"]) if "until" in hours else None,
        )
    for name in ("basket", "amount"):
        if name in json:
            read[name] = Bounds(**json[name])
    if "first_purchase" in json:
        read["first_purchase"] = json["first_purchase"]
    if "last_purchase" in json:
        read["last_purchase"] = json["last_purchase"]["within_days"]
    if "visits" in json:
        read["visits"] = Visits(**json["visits"])
    if "spent" in json:
        read["spent"] = Spent(**json["spent"])
    return When(**read)


def _moment(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
