"""The long form: its faults, its stacking, and the worked rules of docs/programme.md."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import Minor
from merchants import programme
from merchants.trade import Line

PAGE = (Path(__file__).parents[3] / "docs" / "programme.md").read_text()
BLOCKS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
WORKED = [
    pytest.param(rules, case, id=f"{rules['rules'][0]['id']}-{i}")
    for rules, cases in zip(BLOCKS[::2], BLOCKS[1::2], strict=True)
    for i, case in enumerate(cases)
]


def asked(rules: Any, case: dict[str, Any]) -> programme.Explained:
    lines = [Line(**line) for line in case["lines"]]
    total = case.get("total", sum(line.amount for line in lines))
    basket = programme.Basket(
        lines, case.get("money", total), total, channel=case.get("channel", "physical"), payments=case.get("paid", ())
    )
    told = case.get("past", {})
    days = told.get("days", 1)
    past = programme.Past(
        {days: told.get("visits", 0)},
        {days: told.get("spent", 0)},
        {days: told.get("paid", 0)},
        told.get("first", True),
        told.get("days_since_last"),
    )
    facts = programme.Facts(
        datetime.fromisoformat(case.get("now", "2026-11-23T12:00:00+03:30")),
        case.get("kind", "natural"),
        case.get("tier"),
        frozenset(case.get("segments", ())),
        frozenset(case.get("occasions", ())),
        past,
    )
    read = programme.parse(rules)
    explained = programme.explained(read, basket, facts)
    assert explained.earned == programme.earned(read, basket, facts), "the index finds what looking at every rule finds"
    assert sum(fired.points for fired in explained.earned.fired) == explained.earned.points
    return explained


def test_the_page_works_ten_rules() -> None:
    assert len(BLOCKS) == 20


@pytest.mark.parametrize(("rules", "case"), WORKED)
def test_a_worked_rule(rules: Any, case: dict[str, Any]) -> None:
    earned, skipped = asked(rules, case)
    assert (earned.points, earned.reason) == (case["points"], case.get("reason"))
    if "fired" in case:
        assert dict(earned.fired) == case["fired"]
    if "skipped" in case:
        assert dict(skipped) == case["skipped"]


def test_worked_rules_have_no_fault() -> None:
    assert [programme.faults(rules) for rules in BLOCKS[::2]] == [[]] * 10


SEGMENT = "seg_" + "0" * 31 + "7"


def test_rules_name_tiers_and_segments_and_are_kept_with_versions() -> None:
    when = {"tier": ["gold"], "segment": [SEGMENT, f"{SEGMENT}@2"]}
    rules: dict[str, Any] = {"rules": [BASE, {**BASE, "id": "b", "when": when}], "minimum": 5}
    assert programme.faults(rules) == []
    named = programme.named(rules)
    assert [(each.at, each.name, each.version) for each in named] == [
        ("/rules/1/when/tier/0", "gold", None),
        ("/rules/1/when/segment/0", SEGMENT, None),
        ("/rules/1/when/segment/1", f"{SEGMENT}@2", 2),
    ]
    pinned = programme.with_versions(rules, {SEGMENT: f"{SEGMENT}@2", f"{SEGMENT}@2": f"{SEGMENT}@2"})
    kept = {"tier": ["gold"], "segment": [f"{SEGMENT}@2"]}
    assert pinned == {**rules, "rules": [BASE, {**BASE, "id": "b", "when": kept}]}
    assert rules["rules"][1]["when"] is when, "what was asked stays as it was"
    assert programme.named({"points": 1, "per_minor": 5}) == []
    read = programme.parse(pinned)
    assert (read.of_tier, read.segments, read.occasions) == (True, frozenset([f"{SEGMENT}@2"]), frozenset())


# -- faults

BASE: dict[str, Any] = {"id": "base", "effect": {"rate": {"points": 1, "per": 100}}}


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"id": None}, "/id", "bad_name"),
        ({"id": "a b"}, "/id", "bad_name"),
        ({"surprise": 1}, "/surprise", "unknown_field"),
        ({"basis": "luck"}, "/basis", "unknown_basis"),
        ({"basis": "measure:"}, "/basis", "unknown_basis"),
        ({"effect": {}}, "/effect", "wrong_type"),
        ({"effect": {"rate": {"points": 1, "per": 1}, "points": 2}}, "/effect", "wrong_type"),
        ({"effect": {"raffle": 1}}, "/effect/raffle", "unknown_effect"),
        ({"effect": {"rate": {"points": 2, "per": 1}}}, "/effect/rate/points", "too_large"),
        ({"effect": {"rate": {"points": 2}}}, "/effect/rate/per", "missing"),
        ({"effect": {"points": -1}}, "/effect/points", "too_small"),
        ({"effect": {"points": 1_000_001}}, "/effect/points", "too_large"),
        ({"effect": {"multiplier": {"percent": 100}}}, "/effect/multiplier/percent", "too_small"),
        ({"effect": {"multiplier": {}}}, "/effect/multiplier/percent", "missing"),
        ({"effect": {"points": 5}, "basis": "units"}, "/basis", "not_with_effect"),
        ({"effect": {"multiplier": {"percent": 200}}, "stacking": "exclusive"}, "/stacking", "not_with_effect"),
        ({"stacking": "maybe"}, "/stacking", "unknown_stacking"),
        ({"stacking": {}}, "/stacking/best_of", "missing"),
        ({"cap_points": "9"}, "/cap_points", "wrong_type"),
        ({"priority": 1_001}, "/priority", "too_large"),
        ({"valid": {"from": "yesterday"}}, "/valid/from", "bad_time"),
        ({"valid": {"from": "2026-01-01T00:00:00"}}, "/valid/from", "bad_time"),
        ({"valid": {"from": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}}, "/valid/until", "bad_range"),
        ({"when": []}, "/when", "wrong_type"),
        ({"when": {"weather": ["rain"]}}, "/when/weather", "unknown_field"),
        ({"when": {"branch": ["main"]}}, "/when/branch/0", "bad_name"),
        ({"when": {"kind": ["robot"]}}, "/when/kind/0", "unknown_value"),
        ({"when": {"payment": []}}, "/when/payment", "too_few"),
        ({"when": {"category": "food"}}, "/when/category", "wrong_type"),
        ({"when": {"tier": [7]}}, "/when/tier/0", "bad_name"),
        ({"when": {"segment": ["lost"]}}, "/when/segment/0", "bad_name"),
        ({"when": {"segment": [SEGMENT, f"{SEGMENT}@0"]}}, "/when/segment/1", "bad_name"),
        ({"when": {"occasion": ["birthday", "norouz"]}}, "/when/occasion/1", "unknown_value"),
        ({"when": {"time": {}}}, "/when/time", "too_few"),
        ({"when": {"time": {"weekdays": ["someday"]}}}, "/when/time/weekdays/0", "unknown_value"),
        ({"when": {"time": {"from": "24:00"}}}, "/when/time/from", "bad_time"),
        ({"when": {"time": {"from": "22:00", "until": "02:00"}}}, "/when/time/until", "bad_range"),
        ({"when": {"basket": {"at_least": 2, "at_most": 1}}}, "/when/basket/at_most", "bad_range"),
        ({"when": {"visits": {"at_least": 1}}}, "/when/visits/days", "missing"),
        ({"when": {"visits": {"days": 7}}}, "/when/visits", "too_few"),
        ({"when": {"visits": {"days": 367, "every": 3}}}, "/when/visits/days", "too_large"),
        ({"when": {"spent": {"days": 7, "reaches": 0}}}, "/when/spent/reaches", "too_small"),
        ({"when": {"first_purchase": "yes"}}, "/when/first_purchase", "wrong_type"),
        ({"when": {"last_purchase": {"within_days": -1}}}, "/when/last_purchase/within_days", "too_small"),
    ],
)
def test_one_fault_of_a_rule_is_named_where_it_is(change: dict[str, Any], pointer: str, code: str) -> None:
    found = programme.faults({"rules": [{**BASE, **change}]})
    assert [(f.pointer, f.code) for f in found] == [(f"/rules/0{pointer}", code)]


def test_faults_between_rules() -> None:
    multiplier = {"id": "twice", "effect": {"multiplier": {"percent": 200}}, "stacking": {"best_of": "g"}}
    found = programme.faults({"rules": [{**BASE, "stacking": {"best_of": "g"}}, multiplier, BASE], "minimum": -1})
    assert [(f.pointer, f.code) for f in found] == [
        ("/minimum", "too_small"),
        ("/rules/1/stacking/best_of", "mixed_group"),
        ("/rules/2/id", "duplicate"),
    ]
    windows = [{**BASE, "id": f"w{n}", "when": {"visits": {"days": n, "at_least": 1}}} for n in range(1, 10)]
    assert [(f.pointer, f.code) for f in programme.faults({"rules": windows})] == [("/rules/8/when", "too_many")]
    assert [f.code for f in programme.faults({"rules": [BASE] * 2_001})] == ["too_many"]
    assert [f.code for f in programme.faults({"rules": "all"})] == ["wrong_type"]


# -- stacking


def rule(id: str, points: int, **more: Any) -> dict[str, Any]:
    return {"id": id, "effect": {"points": points}, **more}


@pytest.mark.parametrize(
    ("rules", "fired", "skipped"),
    [
        ([rule("a", 5), rule("b", 7)], {"a": 5, "b": 7}, {}),
        ([rule("a", 5), rule("b", 7, priority=1)], {"b": 7, "a": 5}, {}),
        (
            [rule("a", 5, stacking={"best_of": "g"}), rule("b", 7, stacking={"best_of": "g"}), rule("c", 1)],
            {"b": 7, "c": 1},
            {"a": "best_of"},
        ),
        # of two that give the same, the first
        (
            [rule("a", 5, stacking={"best_of": "g"}), rule("b", 5, stacking={"best_of": "g"})],
            {"a": 5},
            {"b": "best_of"},
        ),
        (
            [rule("a", 5), rule("b", 1, stacking="exclusive"), rule("c", 9)],
            {"b": 1},
            {"a": "exclusive", "c": "exclusive"},
        ),
        (
            [rule("a", 5, stacking="exclusive"), rule("b", 1, stacking="exclusive", priority=1)],
            {"b": 1},
            {"a": "exclusive"},
        ),
        ([rule("a", 5, cap_points=3), rule("b", 7, cap_points=8)], {"a": 3, "b": 7}, {}),
        # a multiplier multiplies rates, capped, and no fixed points; two of them add what each adds
        (
            [
                {"id": "r", "effect": {"rate": {"points": 1, "per": 10}}, "cap_points": 60},
                rule("a", 5),
                {"id": "x2", "effect": {"multiplier": {"percent": 200}}},
                {"id": "x3", "effect": {"multiplier": {"percent": 300}}, "cap_points": 100},
            ],
            {"r": 60, "a": 5, "x2": 60, "x3": 100},
            {},
        ),
        # and only on the lines that both are about
        (
            [
                {"id": "r", "effect": {"rate": {"points": 1, "per": 10}}},
                {"id": "x2", "effect": {"multiplier": {"percent": 200}}, "when": {"category": ["B"]}},
            ],
            {"r": 100, "x2": 40},
            {},
        ),
    ],
)
def test_how_rules_stack(rules: list[Any], fired: dict[str, int], skipped: dict[str, str]) -> None:
    case = {"lines": [{"amount": 600, "category": "A"}, {"amount": 400, "category": "B"}]}
    explained = asked({"rules": rules}, case)
    assert list(explained.earned.fired) == list(fired.items())
    assert dict(explained.skipped) == skipped


def test_conditions_of_the_sale() -> None:
    rules = {
        "rules": [
            rule("online", 1, when={"channel": ["online"]}),
            rule("cash", 2, when={"payment": ["cash", "card"]}),
            rule("morning", 4, when={"time": {"from": "08:00", "until": "11:30", "weekdays": ["monday"]}}),
            rule("winter", 8, valid={"from": "2026-12-01T00:00:00Z"}),
            rule("newcomer", 16, when={"first_purchase": True}),
        ],
        "cap_points": 20,
    }
    case = {
        "lines": [{"amount": 100}],
        "now": "2026-11-23T11:29:59+03:30",
        "paid": ["card", "points"],
        "channel": "online",
    }
    assert asked(rules, case).earned.points == 20
    later = {"lines": [{"amount": 100}], "now": "2026-12-07T11:30:00+03:30", "past": {"first": False}}
    explained = asked(rules, later)
    assert (explained.earned.points, dict(explained.skipped)) == (
        8,
        {"online": "channel", "cash": "payment", "morning": "time", "newcomer": "first_purchase"},
    )


# -- by property

lists = st.lists(st.sampled_from("ABC"), min_size=1, max_size=2, unique=True)
whens = st.fixed_dictionaries(
    {},
    optional={
        "category": lists,
        "not_category": lists,
        "product": lists,
        "kind": st.just(["natural"]) | st.just(["legal"]),
        "time": st.just({"weekdays": ["monday"]}) | st.just({"from": "10:00", "until": "13:15"}),
        "payment": st.just(["cash"]),
        "basket": st.builds(lambda n: {"at_least": n}, st.integers(0, 2_000)),
        "amount": st.builds(lambda n: {"at_most": n}, st.integers(0, 2_000)),
    },
)
effects = (
    st.builds(lambda p, n: {"rate": {"points": p, "per": p + n}}, st.integers(0, 50), st.integers(1, 99))
    | st.builds(lambda p: {"points": p}, st.integers(0, 100))
    | st.builds(lambda p: {"multiplier": {"percent": p}}, st.integers(101, 500))
)
rules_of_any_kind = st.lists(
    st.fixed_dictionaries(
        {"effect": effects, "when": whens},
        optional={"priority": st.integers(-1, 1), "cap_points": st.integers(0, 50)},
    ),
    min_size=1,
    max_size=8,
)
lines = st.lists(
    st.fixed_dictionaries(
        {
            "amount": st.integers(0, 1_000),
            "category": st.sampled_from(["A", "B", None]),
            "sku": st.sampled_from(["A", None]),
        }
    ),
    max_size=4,
)


@given(rules_of_any_kind, lines, st.integers(0, 500), st.sampled_from(["natural", "legal"]), st.data())
def test_the_order_of_rules_changes_no_points_and_nothing_is_lost(
    rules: list[dict[str, Any]], lines: list[Any], rest: int, kind: str, data: st.DataObject
) -> None:
    total = sum(line["amount"] for line in lines) + rest
    case = {"lines": lines, "total": total, "money": data.draw(st.integers(0, total)), "kind": kind, "paid": ["cash"]}
    named = [{**rule, "id": f"r{i}"} for i, rule in enumerate(rules)]
    first = asked({"rules": named}, case).earned
    assert asked({"rules": data.draw(st.permutations(named))}, case).earned.points == first.points
    assert (first.reason is None) == (first.points > 0)


def test_amounts_are_exact_whatever_their_size() -> None:
    rules = {"rules": [{"id": f"r{n}", "effect": {"rate": {"points": 1, "per": 999_999_937 - n}}} for n in range(50)]}
    assert asked(rules, {"lines": [{"amount": Minor(999_999_937)}]}).earned.points == 50
