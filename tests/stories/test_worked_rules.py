"""Worked rules of docs/programme.md that ask who the member is, through the doors and on what the house knows itself."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.network import Api, Member, new_key

PAGE = (Path(__file__).parents[2] / "docs" / "programme.md").read_text()
RULES: dict[str, Any] = {
    rules["rules"][1]["id"]: rules
    for rules in map(json.loads, re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
    if isinstance(rules, dict) and len(rules["rules"]) > 1
}
TIERS = [
    {"id": "silver", "name": {"fa": "نقره‌ای", "en": "Silver"}, "requires": {"all": {"visits": 2}}},
    {"id": "gold", "name": {"fa": "طلایی", "en": "Gold"}, "requires": {"all": {"spend": 5_000_000}}},
]


def agree(api: Api, rules: Any, shop: str = "cafe") -> Any:
    return api.done("POST", f"/v1/operator/merchants/{api.shops[shop].id}/terms", rules, by=api.maker)


def asked(api: Api, member: Member) -> tuple[Any, Any]:
    """What a purchase of a million is quoted, and what it then earns: (rules with their points, those that did not count)."""
    basket = {"branch": api.shops["cafe"].branch, "total": {"amount": 1_000_000, "currency": "USD"}}
    quoted = api.done("POST", "/v1/quotes", {**basket, "member": member.number}, by=api.shops["cafe"].key)
    sold = api.sell(member, 1_000_000)["earn"]
    assert (quoted["earn"]["points"], quoted["earn"]["rules"]) == (sold["points"], sold["rules"])
    assert sum(each["points"] for each in sold["rules"]) == sold["points"]
    return (
        {each["rule"]: each["points"] for each in sold["rules"]},
        {each["rule"]: each["why"] for each in quoted["skipped"]},
    )


@pytest.fixture
def town(api: Api) -> tuple[Api, Member, Member]:
    return api, api.member(), api.member("+15550100124")


def test_gold_doubles_on_tuesdays(town: tuple[Api, Member, Member]) -> None:
    api, ann, bob = town
    ladder = {"period": {"calendar": "jalali", "length": "year"}, "tiers": TIERS}
    api.done("POST", f"/v1/operator/books/{api.book}/ladders", ladder, by=api.maker, key=new_key())
    agree(api, RULES["gold-tuesday"])
    api.sell(ann, 5_000_000, shop="grocer")
    api.advance("2017-01-03T18:00:00Z")  # a Tuesday, where the network is
    assert asked(api, ann) == ({"base": 100, "gold-tuesday": 100}, {})
    assert asked(api, bob) == ({"base": 100}, {"gold-tuesday": "tier"})
    api.advance("2017-01-04T18:00:00Z")
    assert asked(api, ann) == ({"base": 100}, {"gold-tuesday": "time"})
    kept = [record["facts"]["facts"] for record in records(api) if record["kind"] == "sale"]
    assert kept == [{"kind": "natural", "tier": tier} for tier in ("gold", None, "gold")]
    refused = api.call(
        "POST",
        f"/v1/operator/merchants/{api.shops['cafe'].id}/terms",
        {"rules": [{"id": "a", "effect": {"points": 1}, "when": {"tier": ["gold", "platinum"]}}]},
        by=api.maker,
    )
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/rules/0/when/tier/1")


def records(api: Api) -> list[Any]:
    found: list[Any] = api.done("GET", "/v1/records", by=api.shops["cafe"].key)["data"]
    return found


def test_the_birthday_week_or_the_evening_whichever_is_better(town: tuple[Api, Member, Member]) -> None:
    api, ann, bob = town
    agree(api, RULES["birthday"])
    # 15 Dey 1395 is 4 January 2017
    birthday = {"kind": "birthday", "calendar": "jalali", "month": 10, "day": 15, "year": 1370}
    (told,) = api.done("PUT", "/v1/me/occasions", {"occasions": [birthday]}, by=ann.token)["data"]
    assert (told["next_on"], told["counts_from"]) == ("2017-01-04", "2017-01-01T00:00:00Z")
    api.advance("2017-01-02T19:00:00Z")
    assert asked(api, ann) == ({"base": 100, "birthday": 50}, {"evening": "best_of"})
    assert asked(api, bob) == ({"base": 100, "evening": 25}, {"birthday": "occasion"})
    api.advance("2017-01-08T10:00:00Z")
    assert asked(api, ann) == ({"base": 100}, {"birthday": "occasion", "evening": "time"})
    # another birthday counts in a year, and its member is told so
    other = {**birthday, "day": 20}
    (told,) = api.done("PUT", "/v1/me/occasions", {"occasions": [other]}, by=ann.token)["data"]
    assert (told["next_on"], told["counts_from"]) == ("2017-01-09", "2018-01-08T10:00:00Z")
    assert "birthday" not in asked(api, ann)[0]
    assert "occasions" not in str(records(api)), "the shop is told the rules that counted"
    (own, *_) = api.done("GET", "/v1/me/records", by=ann.token)["data"]
    assert own["facts"]["facts"] == {"kind": "natural", "occasions": ["birthday_week"]}


def test_terms_in_force_tell_the_versions_of_segments(town: tuple[Api, Member, Member]) -> None:
    api, ann, _ = town
    wanted = {"name": "regulars", "definition": {"measure": "purchases", "at_least": 1}}
    segment = api.done("POST", "/v1/segments", wanted, by=api.shops["cafe"].key)["id"]
    rules = [{"id": "base", "effect": {"points": 1}},
             {"id": "regular", "effect": {"points": 7}, "when": {"segment": [segment]}}]  # fmt: skip
    told = agree(api, {"rules": rules})
    assert told["rules"][1]["when"]["segment"] == [f"{segment}@1"]
    again = agree(api, {"rules": told["rules"]})
    assert (again["version"], again["rules"]) == (told["version"] + 1, told["rules"])
    assert asked(api, ann) == ({"base": 1}, {"regular": "segment"})
    api.advance("2017-01-02T00:00:00Z")
    assert asked(api, ann) == ({"base": 1, "regular": 7}, {})
