"""What a sale earns: a merchant's rules, read from JSON, and the points they give a basket. Pure.

    {"points": 1, "per_minor": 10000, "minimum_minor": 50000, "cap_points": 500,
     "categories": {"FUEL": {"points": 0, "per_minor": 1}},
     "by_kind": {"legal": {"points": 1, "per_minor": 20000}}}

reads: a point for every 10,000 minor units paid in money, none on fuel, nothing below 50,000, at most 500 a sale; a
company gets a point for every 20,000 instead, and nothing else of the above.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import UUID

from ledger import LARGEST_AMOUNT, Points

KINDS: Final = ("natural", "legal")
LARGEST_CATEGORIES: Final = 500
LONGEST_CATEGORY: Final = 64

#: Why a sale earns nothing, in the order in which they are looked at.
NOTHING_PAID: Final = "nothing_paid"
BELOW_MINIMUM: Final = "below_minimum"
TERMS_EXCLUDE: Final = "terms_exclude"
BELOW_ONE_POINT: Final = "below_one_point"


class Rate(NamedTuple):
    """`points` for every `per_minor` minor units, and the same share of a part of them."""

    points: int
    per_minor: int


@dataclass(frozen=True, slots=True)
class Rates:
    """The rules for one kind of person. A category that is not named earns at the base rate."""

    base: Rate
    categories: Mapping[str, Rate] = field(default_factory=dict)
    minimum_minor: int = 0
    cap_points: int | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """A merchant's rules: those of every kind of person, and those that take their place for a kind."""

    rates: Rates
    by_kind: Mapping[str, Rates] = field(default_factory=dict)

    def of(self, kind: str) -> Rates:
        return self.by_kind.get(kind, self.rates)


class Earned(NamedTuple):
    """Points of a sale; when there are none, the reason."""

    points: Points
    reason: str | None = None


class Fault(NamedTuple):
    """What is wrong with rules, and where: a JSON pointer into them, a stable code, a sentence."""

    pointer: str
    code: str
    detail: str


class BadRules(ValueError):
    """The rules cannot be read; `faults` says all that is wrong with them."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.pointer or '/'}: {fault.detail}" for fault in faults))
        self.faults = faults


# -- earning


def points_for(
    rules: Rules,
    lines: Sequence[tuple[str | None, int]],
    money_minor: int,
    total_minor: int,
    kind: str = "natural",
) -> Earned:
    """The points of a basket of `lines` (category, amount), of whose total `money_minor` were paid in money.

    Only the money part earns, and money pays the same share of every line: a line earns amount x rate x money / total.
    What the lines leave of the total earns at the base rate. The sum is exact and rounded down once, at the end.
    """
    assert 0 <= money_minor <= total_minor, (money_minor, total_minor)
    rates = rules.of(kind)
    if money_minor == 0:
        return Earned(Points(0), NOTHING_PAID)
    if money_minor < rates.minimum_minor:
        return Earned(Points(0), BELOW_MINIMUM)
    covered = sum(amount for _, amount in lines)
    parts = [(rates.base, max(0, total_minor - covered))]
    parts += [
        (rates.categories.get(category, rates.base) if category else rates.base, amount) for category, amount in lines
    ]
    shared = math.lcm(*(rate.per_minor for rate, _ in parts))
    whole = sum(amount * rate.points * (shared // rate.per_minor) for rate, amount in parts)
    # lines that come to more than the total (it was rounded, or a discount is not among them) share it
    points = whole * money_minor // (shared * max(total_minor, covered))
    if whole == 0 or rates.cap_points == 0:
        return Earned(Points(0), TERMS_EXCLUDE)
    if points == 0:
        return Earned(Points(0), BELOW_ONE_POINT)
    return Earned(Points(points if rates.cap_points is None else min(points, rates.cap_points)))


# -- reading


def parse(json: Any) -> Rules:
    """Read rules. Raises BadRules with everything that is wrong."""
    if found := faults(json):
        raise BadRules(found)
    return Rules(_rates(json), {kind: _rates(part) for kind, part in json.get("by_kind", {}).items()})


#: Rules as they were read, by the id of their version or their sponsorship, whose rules never change.
_read: dict[UUID, Rules] = {}


def rules_of(id: UUID, json: Any) -> Rules:
    """The rules of a version of terms or of a sponsorship, read once."""
    rules = _read.get(id)
    if rules is None:
        if len(_read) > 10_000:
            _read.clear()
        rules = _read[id] = parse(json)
    return rules


def faults(json: Any) -> list[Fault]:
    """Everything that is wrong with `json` as rules, in the order of its fields; empty when nothing is."""
    return list(_rates_faults(json, ""))


def _rates(json: Mapping[str, Any]) -> Rates:
    return Rates(
        base=Rate(json["points"], json["per_minor"]),
        categories={name: Rate(rate["points"], rate["per_minor"]) for name, rate in json.get("categories", {}).items()},
        minimum_minor=json.get("minimum_minor", 0),
        cap_points=json.get("cap_points"),
    )


_RATE_FIELDS: Final = ("points", "per_minor")
_FIELDS: Final = (*_RATE_FIELDS, "categories", "minimum_minor", "cap_points")


def _rates_faults(json: Any, at: str) -> Iterator[Fault]:
    allowed = _FIELDS if at else (*_FIELDS, "by_kind")
    if not isinstance(json, dict):
        yield Fault(at, "wrong_type", "must be an object")
        return
    yield from _unknown(json, at, allowed)
    yield from _rate_faults(json, at)
    categories = json.get("categories", {})
    if not isinstance(categories, dict):
        yield Fault(f"{at}/categories", "wrong_type", "must be an object")
    else:
        yield from _categories_faults(categories, f"{at}/categories")
    if "minimum_minor" in json:
        yield from _integer_faults(json["minimum_minor"], f"{at}/minimum_minor", 0)
    if json.get("cap_points") is not None:
        yield from _integer_faults(json["cap_points"], f"{at}/cap_points", 0)
    if not at:
        yield from _kinds_faults(json.get("by_kind", {}))


def _kinds_faults(by_kind: Any) -> Iterator[Fault]:
    if not isinstance(by_kind, dict):
        yield Fault("/by_kind", "wrong_type", "must be an object")
        return
    yield from _unknown(by_kind, "/by_kind", KINDS)
    for kind in KINDS:
        if kind in by_kind:
            yield from _rates_faults(by_kind[kind], f"/by_kind/{kind}")


def _categories_faults(categories: dict[Any, Any], at: str) -> Iterator[Fault]:
    if len(categories) > LARGEST_CATEGORIES:
        yield Fault(at, "too_many", f"must have at most {LARGEST_CATEGORIES} categories")
        return
    for name, rate in categories.items():
        here = _pointer(at, name)
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_CATEGORY or "\0" in name:
            yield Fault(at, "bad_name", f"a category's name must have 1 to {LONGEST_CATEGORY} characters")
        elif not isinstance(rate, dict):
            yield Fault(here, "wrong_type", "must be an object")
        else:
            yield from _unknown(rate, here, _RATE_FIELDS)
            yield from _rate_faults(rate, here)


def _rate_faults(json: dict[Any, Any], at: str) -> Iterator[Fault]:
    wrong = False
    for name, least in (("points", 0), ("per_minor", 1)):
        if name not in json:
            wrong = True
            yield Fault(f"{at}/{name}", "missing", "is required")
        else:
            for fault in _integer_faults(json[name], f"{at}/{name}", least):
                wrong = True
                yield fault
    if not wrong and json["points"] > json["per_minor"]:
        # a point is worth one minor unit at least
        yield Fault(f"{at}/points", "too_large", "would give back more than the whole price: must not exceed per_minor")


def _integer_faults(value: Any, at: str, least: int) -> Iterator[Fault]:
    if not isinstance(value, int) or isinstance(value, bool):
        yield Fault(at, "wrong_type", "must be a whole number")
    elif value < least:
        yield Fault(at, "too_small", f"must be at least {least}")
    elif value > LARGEST_AMOUNT:
        yield Fault(at, "too_large", f"must be at most {LARGEST_AMOUNT}")


def _unknown(json: dict[Any, Any], at: str, allowed: Sequence[str]) -> Iterator[Fault]:
    for name in json:
        if name not in allowed:
            yield Fault(_pointer(at, name), "unknown_field", f"must be one of {', '.join(allowed)}")


def _pointer(at: str, name: Any) -> str:
    """`at` with one more step (RFC 6901)."""
    return f"{at}/{str(name)[:LONGEST_CATEGORY].replace('~', '~0').replace('/', '~1')}"
