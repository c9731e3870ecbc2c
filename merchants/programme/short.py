"""The short form of rules: its faults, and the rules that it means. Pure.

    {"points": 1, "per_minor": 10000, "minimum_minor": 50000, "cap_points": 500,
     "categories": {"FUEL": {"points": 0, "per_minor": 1}},
     "by_kind": {"legal": {"points": 1, "per_minor": 20000}}}

reads: a point for every 10,000 minor units paid in money, none on fuel, nothing below 50,000, at most 500 a sale; a
company gets a point for every 20,000 instead, and nothing else of the above.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from merchants.programme import faults as wrong
from merchants.programme.faults import LONGEST_NAME, Fault
from merchants.programme.rules import Rate, Rule, When

KINDS: Final = ("natural", "legal")
LARGEST_CATEGORIES: Final = 500

_RATE_FIELDS: Final = ("points", "per_minor")
_FIELDS: Final = (*_RATE_FIELDS, "categories", "minimum_minor", "cap_points")


def faults(json: Any) -> Iterator[Fault]:
    """Everything that is wrong with the short form, in the order of its fields."""
    return _rates_faults(json, "")


def rules(json: Mapping[str, Any]) -> list[Rule]:
    """The rules that the rates of one kind of person mean: one for the named categories each, one for all else."""
    categories: Mapping[str, Any] = json.get("categories", {})
    rest = When(not_category=frozenset(categories)) if categories else When()
    return [
        Rule("base", Rate(json["points"], json["per_minor"]), when=rest),
        *(
            Rule(f"category:{name}", Rate(rate["points"], rate["per_minor"]), when=When(category=frozenset([name])))
            for name, rate in categories.items()
        ),
    ]


def _rates_faults(json: Any, at: str) -> Iterator[Fault]:
    allowed = _FIELDS if at else (*_FIELDS, "by_kind")
    if not isinstance(json, dict):
        yield Fault(at, "wrong_type", "must be an object")
        return
    yield from wrong.unknown(json, at, allowed)
    yield from _rate_faults(json, at)
    categories = json.get("categories", {})
    if not isinstance(categories, dict):
        yield Fault(f"{at}/categories", "wrong_type", "must be an object")
    else:
        yield from _categories_faults(categories, f"{at}/categories")
    if "minimum_minor" in json:
        yield from wrong.integer(json["minimum_minor"], f"{at}/minimum_minor", 0)
    if json.get("cap_points") is not None:
        yield from wrong.integer(json["cap_points"], f"{at}/cap_points", 0)
    if not at:
        yield from _kinds_faults(json.get("by_kind", {}))


def _kinds_faults(by_kind: Any) -> Iterator[Fault]:
    if not isinstance(by_kind, dict):
        yield Fault("/by_kind", "wrong_type", "must be an object")
        return
    yield from wrong.unknown(by_kind, "/by_kind", KINDS)
    for kind in KINDS:
        if kind in by_kind:
            yield from _rates_faults(by_kind[kind], f"/by_kind/{kind}")


def _categories_faults(categories: dict[Any, Any], at: str) -> Iterator[Fault]:
    if len(categories) > LARGEST_CATEGORIES:
        yield Fault(at, "too_many", f"must have at most {LARGEST_CATEGORIES} categories")
        return
    for name, rate in categories.items():
        here = wrong.pointer(at, name)
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or "\0" in name:
            yield Fault(at, "bad_name", f"a category's name must have 1 to {LONGEST_NAME} characters")
        elif not isinstance(rate, dict):
            yield Fault(here, "wrong_type", "must be an object")
        else:
            yield from wrong.unknown(rate, here, _RATE_FIELDS)
            yield from _rate_faults(rate, here)


def _rate_faults(json: dict[Any, Any], at: str) -> Iterator[Fault]:
    return wrong.named_rate(json, at, "per_minor", of_money=True)
