"""What a sale earns: exact, rounded down once, from the money part only."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from math import floor
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import Minor, Points
from merchants import programme
from merchants.programme import Programme, Rate, faults, parse
from merchants.trade import Line

NOON = datetime(2017, 1, 2, 12, tzinfo=UTC)


class Earned(NamedTuple):
    points: int
    reason: str | None


@dataclass(frozen=True)
class Rates:
    base: Rate
    categories: Mapping[str, Rate] = field(default_factory=dict)
    minimum_minor: int = 0
    cap_points: int | None = None

    @property
    def json(self) -> dict[str, Any]:
        named = {name: {"points": rate.points, "per_minor": rate.per} for name, rate in self.categories.items()}
        told = {"points": self.base.points, "per_minor": self.base.per, "categories": named}
        told["minimum_minor"] = self.minimum_minor
        return told if self.cap_points is None else {**told, "cap_points": self.cap_points}


@dataclass(frozen=True)
class Rules:
    rates: Rates
    by_kind: Mapping[str, Rates] = field(default_factory=dict)

    @property
    def json(self) -> dict[str, Any]:
        return {**self.rates.json, "by_kind": {kind: rates.json for kind, rates in self.by_kind.items()}}


def as_it_was(rules: Rules, lines: Sequence[Any], money_minor: int, total_minor: int, kind: str = "natural") -> Earned:
    """What the short form gave before there was a long one: what it gives for ever."""
    rates = rules.by_kind.get(kind, rules.rates)
    if money_minor == 0:
        return Earned(0, "nothing_paid")
    if money_minor < rates.minimum_minor:
        return Earned(0, "below_minimum")
    covered = sum(amount for _, amount in lines)
    parts = [(rates.base, max(0, total_minor - covered))]
    parts += [
        (rates.categories.get(category, rates.base) if category else rates.base, amount) for category, amount in lines
    ]
    shared = math.lcm(*(rate.per for rate, _ in parts))
    whole = sum(amount * rate.points * (shared // rate.per) for rate, amount in parts)
    points = whole * money_minor // (shared * max(total_minor, covered))
    if whole == 0 or rates.cap_points == 0:
        return Earned(0, "terms_exclude")
    if points == 0:
        return Earned(0, "below_one_point")
    return Earned(points if rates.cap_points is None else min(points, rates.cap_points), None)


def points_for(rules: Rules | Programme, lines: Sequence[Any], money: int, total: int, kind: str = "natural") -> Earned:
    """What the rules give a basket of (category, amount)."""
    read = parse(rules.json) if isinstance(rules, Rules) else rules
    basket = programme.Basket([Line(Minor(amount), category) for category, amount in lines], money, total)
    facts = programme.Facts(NOON, kind=kind)
    earned, skipped = programme.explained(read, basket, facts)
    assert earned == programme.earned(read, basket, facts), "the index finds what looking at every rule finds"
    assert sum(fired.points for fired in earned.fired) == earned.points
    assert not {fired.rule for fired in earned.fired} & {rule for rule, _ in skipped}
    return Earned(Points(earned.points), earned.reason)


CAFE = parse({"points": 1, "per_minor": 100, "categories": {"FUEL": {"points": 0, "per_minor": 1}}})


@pytest.mark.parametrize(
    ("lines", "money", "total", "points", "reason"),
    [
        ([(None, 1000)], 1000, 1000, 10, None),
        # the money part of 40 % earns 40 %
        ([(None, 1000)], 400, 1000, 4, None),
        # a line of each kind; fuel earns nothing, and money paid the same share of both
        ([("FOOD", 600), ("FUEL", 400)], 1000, 1000, 6, None),
        ([("FOOD", 600), ("FUEL", 400)], 500, 1000, 3, None),
        # two halves of a point are a point: rounded down once, not by line
        ([("FOOD", 50), ("FOOD", 50)], 100, 100, 1, None),
        # what the lines leave of the total earns at the base rate
        ([("FUEL", 400)], 1000, 1000, 6, None),
        ([], 1000, 1000, 10, None),
        # lines of more than the total share it
        ([("FOOD", 1000), ("FUEL", 1000)], 1000, 1000, 5, None),
        ([], 0, 0, 0, "nothing_paid"),
        ([("FOOD", 1000)], 0, 1000, 0, "nothing_paid"),
        ([("FUEL", 1000)], 1000, 1000, 0, "terms_exclude"),
        ([("FOOD", 99)], 99, 99, 0, "below_one_point"),
    ],
)
def test_points_of_a_basket(
    lines: list[tuple[str | None, int]], money: int, total: int, points: int, reason: str | None
) -> None:
    assert points_for(CAFE, lines, money, total) == Earned(points, reason)


def test_a_minimum_a_cap_and_a_rate_for_companies() -> None:
    rules = parse(
        {
            "points": 1,
            "per_minor": 10,
            "minimum_minor": 500,
            "cap_points": 80,
            "by_kind": {"legal": {"points": 1, "per_minor": 1000}},
        }
    )
    assert points_for(rules, [], 499, 499) == (0, "below_minimum")
    # the money part must reach the minimum, not the total
    assert points_for(rules, [], 499, 5000) == (0, "below_minimum")
    assert points_for(rules, [], 500, 500) == (50, None)
    assert points_for(rules, [], 5000, 5000) == (80, None)
    # a company's rules take the place of all the others
    assert points_for(rules, [], 100_000, 100_000, kind="legal") == (100, None)
    assert points_for(rules, [], 499, 499, kind="legal") == (0, "below_one_point")


def test_a_cap_of_zero_earns_nothing() -> None:
    assert points_for(parse({"points": 1, "per_minor": 1, "cap_points": 0}), [], 5, 5) == (0, "terms_exclude")


# -- by property

amounts = st.integers(0, 10**9)
per = st.integers(1, 10**6)
rate = per.flatmap(lambda per_minor: st.builds(Rate, st.integers(0, per_minor), st.just(per_minor)))
uncapped = st.builds(Rates, base=rate, categories=st.dictionaries(st.sampled_from("ABC"), rate))
all_rules = st.builds(
    Rules,
    st.builds(
        Rates,
        base=rate,
        categories=st.dictionaries(st.sampled_from("ABC"), rate),
        minimum_minor=st.integers(0, 1000),
        cap_points=st.none() | st.integers(0, 10**6),
    ),
)
basket = st.lists(st.tuples(st.sampled_from(["A", "B", "C", "D", None]), amounts), max_size=6)


every_kind = st.builds(
    Rules,
    all_rules.map(lambda rules: rules.rates),
    st.dictionaries(st.sampled_from(["natural", "legal"]), all_rules.map(lambda rules: rules.rates)),
)


@given(every_kind, basket, st.integers(0, 10**6), st.sampled_from(["natural", "legal"]), st.data())
def test_the_short_form_gives_what_it_always_gave(
    rules: Rules, lines: list[Any], more: int, kind: str, data: st.DataObject
) -> None:
    total = data.draw(st.just(sum(amount for _, amount in lines) + more) | st.integers(0, 10**9))
    money = data.draw(st.integers(0, total))
    assert points_for(rules, lines, money, total, kind) == as_it_was(rules, lines, money, total, kind)


@given(uncapped, basket, st.integers(0, 10**6), st.data())
def test_one_floor_of_the_exact_sum(rates: Rates, lines: list[Any], more: int, data: st.DataObject) -> None:
    total = sum(amount for _, amount in lines) + more
    money = data.draw(st.integers(0, total))
    exact = Fraction(more * rates.base.points, rates.base.per)
    for category, amount in lines:
        points, per = rates.categories.get(category, rates.base)
        exact += Fraction(amount * points, per)
    expected = floor(exact * Fraction(money, total)) if total else 0
    assert points_for(Rules(rates), lines, money, total).points == expected


@given(all_rules, basket, st.data())
def test_more_money_never_earns_less_and_nothing_is_negative(
    rules: Rules, lines: list[Any], data: st.DataObject
) -> None:
    total = sum(amount for _, amount in lines)
    less = data.draw(st.integers(0, total))
    more = data.draw(st.integers(less, total))
    fewer, points = (points_for(rules, lines, money, total).points for money in (less, more))
    assert 0 <= fewer <= points <= more


@given(all_rules, basket, st.data())
def test_a_reason_exactly_when_there_are_no_points(rules: Rules, lines: list[Any], data: st.DataObject) -> None:
    total = sum(amount for _, amount in lines)
    earned = points_for(rules, lines, data.draw(st.integers(0, total)), total)
    assert (earned.reason is None) == (earned.points > 0)


@given(all_rules, basket, st.data())
def test_how_a_basket_is_split_into_lines_changes_nothing(rules: Rules, lines: list[Any], data: st.DataObject) -> None:
    total = sum(amount for _, amount in lines)
    money = data.draw(st.integers(0, total))
    split = []
    for category, amount in lines:
        part = data.draw(st.integers(0, amount))
        split += [(category, part), (category, amount - part)]
    shuffled = data.draw(st.permutations(split))
    assert points_for(rules, lines, money, total) == points_for(rules, shuffled, money, total)


@given(uncapped, basket, basket)
def test_two_sales_never_earn_more_than_one(rates: Rates, one: list[Any], other: list[Any]) -> None:
    first, second = sum(a for _, a in one), sum(a for _, a in other)
    apart = points_for(Rules(rates), one, first, first).points + points_for(Rules(rates), other, second, second).points
    assert apart <= points_for(Rules(rates), one + other, first + second, first + second).points <= apart + 1


# -- reading

SOUND: dict[str, Any] = {
    "points": 3,
    "per_minor": 1000,
    "minimum_minor": 50_000,
    "cap_points": None,
    "categories": {"FUEL": {"points": 0, "per_minor": 1}, "نان": {"points": 1, "per_minor": 10}},
    "by_kind": {"legal": {"points": 1, "per_minor": 2000, "cap_points": 9}},
}


def test_sound_rules_are_read_whole() -> None:
    assert faults(SOUND) == []
    rules = Rules(
        Rates(Rate(3, 1000), {"FUEL": Rate(0, 1), "نان": Rate(1, 10)}, 50_000, None),
        {"legal": Rates(Rate(1, 2000), {}, 0, 9)},
    )
    read = parse(json.loads(json.dumps(SOUND)))
    for kind in ("natural", "legal"):
        lines = [("FUEL", 10_000), ("نان", 40_000), (None, 7_777)]
        assert points_for(read, lines, 50_001, 60_000, kind) == as_it_was(rules, lines, 50_001, 60_000, kind)


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"points": None}, "/points", "wrong_type"),
        ({"points": True}, "/points", "wrong_type"),
        ({"points": 1.5}, "/points", "wrong_type"),
        ({"points": "1"}, "/points", "wrong_type"),
        ({"points": -1}, "/points", "too_small"),
        ({"per_minor": 0}, "/per_minor", "too_small"),
        ({"per_minor": 10**9 + 1}, "/per_minor", "too_large"),
        ({"points": 1001}, "/points", "too_large"),
        ({"minimum_minor": -1}, "/minimum_minor", "too_small"),
        ({"minimum_minor": None}, "/minimum_minor", "wrong_type"),
        ({"cap_points": -1}, "/cap_points", "too_small"),
        ({"bonus": 1}, "/bonus", "unknown_field"),
        ({"a/b~c": 1}, "/a~1b~0c", "unknown_field"),
        ({"categories": []}, "/categories", "wrong_type"),
        ({"categories": None}, "/categories", "wrong_type"),
        ({"categories": {"": {"points": 0, "per_minor": 1}}}, "/categories", "bad_name"),
        ({"categories": {"x" * 65: {"points": 0, "per_minor": 1}}}, "/categories", "bad_name"),
        ({"categories": {"A": 1}}, "/categories/A", "wrong_type"),
        ({"categories": {"A": {"points": 0}}}, "/categories/A/per_minor", "missing"),
        ({"categories": {"A/B": {"points": 2, "per_minor": 1}}}, "/categories/A~1B/points", "too_large"),
        ({"categories": {"A": {"points": 0, "per_minor": 1, "cap": 1}}}, "/categories/A/cap", "unknown_field"),
        ({"categories": {str(n): {} for n in range(501)}}, "/categories", "too_many"),
        ({"by_kind": 1}, "/by_kind", "wrong_type"),
        ({"by_kind": {"robot": {"points": 1, "per_minor": 1}}}, "/by_kind/robot", "unknown_field"),
        ({"by_kind": {"legal": {"points": 1}}}, "/by_kind/legal/per_minor", "missing"),
        (
            {"by_kind": {"legal": {"points": 1, "per_minor": 1, "by_kind": {}}}},
            "/by_kind/legal/by_kind",
            "unknown_field",
        ),
    ],
)
def test_one_fault_is_named_where_it_is(change: dict[str, Any], pointer: str, code: str) -> None:
    assert [(f.pointer, f.code) for f in faults({**SOUND, **change})] == [(pointer, code)]


@pytest.mark.parametrize("json", [None, [], 1, "rules", True])
def test_rules_are_an_object(json: Any) -> None:
    assert [(f.pointer, f.code) for f in faults(json)] == [("", "wrong_type")]


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(programme.BadRules) as caught:
        parse({"points": -1, "cap_points": "many", "by_kind": {"legal": []}})
    assert [f.pointer for f in caught.value.faults] == ["/points", "/per_minor", "/cap_points", "/by_kind/legal"]
    assert "/per_minor: is required" in str(caught.value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["points", "per_minor", "categories", "by_kind", "legal", "cap_points", "minimum_minor", "x"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(anything)
def test_no_json_breaks_the_reader(json: Any) -> None:
    if not faults(json):
        points_for(parse(json), [("A", 10**9)], 10**9, 10**9)
