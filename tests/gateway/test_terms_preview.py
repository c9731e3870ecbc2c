"""What other terms would have cost, through the doors: stories, and that the terms in force change nothing."""

import json
import re
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import ledger
from gateway.api import previews
from merchants import programme, whatif
from merchants.whatif import previewing, store
from tests.gateway.network import Api, Member, new_key
from tests.merchants.programme.test_rules import lines, rules_of_any_kind

DAY = 86_400


def usd(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


def agree(api: Api, rules: Any, shop: str = "cafe") -> None:
    api.done("POST", f"/v1/operator/merchants/{api.shops[shop].id}/terms", rules, by=api.maker)


def previewed(api: Api, rules: Any, shop: str = "cafe", **more: Any) -> Any:
    return api.done("POST", "/v1/terms/preview", {"rules": rules, **more}, by=api.shops[shop].key)


def refund(api: Api, sale: Any, amount: int, shop: str = "cafe") -> Any:
    body = {"external_reference": f"F-{new_key()}", "amount": usd(amount)}
    return api.done("POST", f"/v1/sales/{sale['id']}/refunds", body, by=api.shops[shop].key, key=new_key())


def later(api: Api, days: int) -> None:
    api.advance(api.clock().fromtimestamp(api.clock().timestamp() + days * DAY, tz=api.clock().tzinfo).isoformat())


@pytest.fixture
def ann(api: Api) -> Member:
    return api.member()


@pytest.mark.row("C10")
def test_a_shop_sees_what_its_sales_would_have_earned(api: Api, ann: Member) -> None:
    bob = api.member("+15550100124")
    food: Any = {"lines": [{"amount": usd(4_000), "category": "FOOD"}, {"amount": usd(1_000), "category": "TOYS"}]}
    api.sell(ann, 5_000, **food)
    api.sell(bob, 300)
    api.sell(None, 9_000)
    api.sell(ann, 77_700, shop="grocer")
    twice = {"rules": [{"id": "food", "effect": {"rate": {"points": 2, "per": 100}}, "when": {"category": ["FOOD"]}}]}
    told = previewed(api, twice)
    assert (told["sales"], told["money"], told["cut"], told["days"]) == (2, usd(5_300), False, 30)
    assert told["before"] == {
        "sales_earning": 2,
        "points": 53,
        "cost": usd(53),
        "points_per_million_minor": 10_000,
        "rules": [{"rule": "base", "points": 53, "sales": 2}],
    }
    assert told["after"] == {
        "sales_earning": 1,
        "points": 80,
        "cost": usd(80),
        "points_per_million_minor": 80 * 1_000_000 // 5_300,
        "rules": [{"rule": "food", "points": 80, "sales": 1}],
    }
    assert told["change"] == {
        "sales_gaining": 1,
        "sales_losing": 1,
        "median_points": -3,
        "largest_gain_points": 30,
        "largest_loss_points": 3,
    }
    assert (told["not_known"], told["stopped"]) == ([], [])
    of_cafe = f"/v1/operator/merchants/{api.shops['cafe'].id}/terms/preview"
    assert api.done("POST", of_cafe, {"rules": twice}, by=api.maker) == told


def test_the_past_is_counted_again_as_it_was(api: Api, ann: Member) -> None:
    """Refunds count from when they came; what lies before the days that are looked at counts as past."""
    first = api.sell(ann, 1_000)
    later(api, 10)
    refund(api, first, 1_000)
    api.sell(ann, 1_000)  # the first visit that counts
    third = api.sell(ann, 1_000)  # the second
    api.sell(ann, 1_000)  # the third
    refund(api, third, 1_000)
    api.sell(ann, 1_000)  # the third again: one was brought back
    every_third = {"id": "third", "effect": {"points": 7}, "when": {"visits": {"days": 30, "every": 3}}}
    assert previewed(api, {"rules": [every_third]}, days=5)["after"]["points"] == 14
    welcome = {"id": "welcome", "effect": {"points": 50}, "when": {"first_purchase": True}}
    assert previewed(api, {"rules": [welcome]}, days=5)["after"]["points"] == 0
    whole = previewed(api, {"rules": [welcome]}, days=30)
    assert (whole["sales"], whole["after"]["points"]) == (5, 0), "the first was refunded whole, and keeps nothing"
    back = {"id": "back", "effect": {"points": 3}, "when": {"last_purchase": {"within_days": 9}}}
    assert previewed(api, {"rules": [back]}, days=5)["after"] | {"rules": 0} == {
        "sales_earning": 2,
        "points": 6,
        "cost": usd(6),
        "points_per_million_minor": 2_000,
        "rules": 0,
    }


def test_what_a_limit_stopped_stays_stopped_and_is_said(api: Api, ann: Member) -> None:
    api.open_shop("kiosk", credit_line_points=60)
    api.sell(ann, 5_000, shop="kiosk")
    assert api.sell(ann, 5_000, shop="kiosk")["earn"]["refused"] == "issuing_limit_reached"
    told = previewed(api, {"points": 3, "per": 100}, "kiosk")
    assert (told["before"]["points"], told["after"]["points"], told["sales"]) == (50, 150, 2)
    assert told["stopped"] == [{"reason": "issuing_limit_reached", "sales": 1}]


def test_a_part_that_was_refunded_earns_nothing_under_any_rules(api: Api, ann: Member) -> None:
    sold = api.sell(ann, 10_000)
    refund(api, sold, 3_333)
    told = previewed(api, {"points": 7, "per": 1_000})
    assert told["money"] == usd(6_667)
    assert told["before"]["points"] == 100 - 100 * 3_333 // 10_000
    assert told["after"]["points"] == 70 - 70 * 3_333 // 10_000
    assert [told[side]["rules"][0]["points"] for side in ("before", "after")] == [67, 47]


def test_more_than_the_newest_are_cut_and_said(api: Api, ann: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    for amount in (100, 200, 400):
        api.sell(ann, amount)
    with api.server.db.tx("door") as tx:
        (book,) = ledger.books.all_books(tx)
    merchant = ledger.ids.read("merchant", api.shops["cafe"].id)
    assert merchant is not None
    rules = {"points": 1, "per_minor": 100}
    found = [whatif.preview(api.server.db, book, merchant, 1, rules, 30, largest=most) for most in (2, 3)]
    assert [(each.cut, each.sums.sales, each.sums.after.points) for each in found] == [(True, 2, 6), (False, 3, 7)]
    monkeypatch.setattr(previewing, "LONGEST_SECONDS", -1)
    body = {"rules": {"points": 1, "per": 100}}
    late = api.call("POST", "/v1/terms/preview", body, by=api.shops["cafe"].key)
    assert (late.status_code, late.json()["code"]) == (503, "unavailable")


def test_the_page_for_merchants_shows_a_body_that_is_taken(api: Api, ann: Member) -> None:
    page = (Path(__file__).parents[2] / "docs" / "merchants.md").read_text()
    ((path, body),) = re.findall(r"^    POST (/v1/terms/preview)\n    (\{.*\})$", page, re.MULTILINE)
    api.sell(ann, 5_000)
    told = api.done("POST", path, json.loads(body), by=api.restricted("cafe", "records:read"))
    assert [told[side]["points"] for side in ("before", "after")] == [50, 100]


def test_a_process_computes_few_at_once(api: Api) -> None:
    body = {"rules": {"points": 1, "per": 100}}
    for _ in range(previews.AT_ONCE):
        assert previews._room.acquire(blocking=False)
    try:
        answer = api.call("POST", "/v1/terms/preview", body, by=api.shops["cafe"].key)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    finally:
        previews._room.release(previews.AT_ONCE)
    for _ in range(3):
        assert api.call("POST", "/v1/terms/preview", body, by=api.shops["cafe"].key).status_code == 200


WRONG: list[tuple[Any, str, str]] = [
    ({"rules": {"points": 2, "per": 1}}, "/rules/points", "too_large"),
    ({"rules": {"points": 2}}, "/rules/per", "missing"),
    ({"rules": {"rules": [{"id": "a", "effect": {}}]}}, "/rules/rules/0/effect", "wrong_type"),
    ({"rules": {"points": 1, "rules": [{"id": "a", "effect": {"points": 1}}]}}, "/rules/points", "not_with_rules"),
]


def test_faults_are_those_of_putting_terms_in_force(api: Api) -> None:
    for body, pointer, code in WRONG:
        for path, by in (
            ("/v1/terms/preview", api.shops["cafe"].key),
            (f"/v1/operator/merchants/{api.shops['cafe'].id}/terms/preview", api.maker),
        ):
            answer = api.call("POST", path, body, by=by)
            assert answer.status_code == 422
            assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [(pointer, code)]


def test_what_the_network_forbids_is_refused_as_it_would_be(api: Api) -> None:
    policy = {"equal_persons": True, "largest_share_ppm": 20_000}
    api.done("PUT", f"/v1/operator/books/{api.book}/rule-policy", policy, by=api.maker, key=new_key())
    of_kind = {"rules": [{"id": "a", "effect": {"rate": {"points": 1, "per": 100}}, "when": {"kind": ["legal"]}}]}
    for rules in ({"points": 3, "per": 100}, of_kind):
        wrong = api.call("POST", "/v1/terms/preview", {"rules": rules}, by=api.shops["cafe"].key)
        put = api.call("POST", f"/v1/operator/merchants/{api.shops['cafe'].id}/terms", rules, by=api.maker)
        assert wrong.status_code == put.status_code == 422
        told = [error | {"pointer": f"/rules{error['pointer']}"} for error in put.json()["errors"]]
        assert wrong.json()["errors"] == told


def test_only_the_shops_own_sales_and_only_with_the_scope(api: Api, ann: Member) -> None:
    api.sell(ann, 5_000)
    assert previewed(api, {"points": 1, "per": 1}, "grocer")["sales"] == 0
    body = {"rules": {"points": 1, "per": 100}}
    reader, seller = api.restricted("cafe", "records:read"), api.restricted("cafe", "sales:write")
    assert api.done("POST", "/v1/terms/preview", body, by=reader)["before"]["points"] == 50
    assert api.call("POST", "/v1/terms/preview", body, by=seller).json()["code"] == "forbidden"
    of_cafe = f"/v1/operator/merchants/{api.shops['cafe'].id}/terms/preview"
    assert api.call("POST", of_cafe, body, by=api.shops["grocer"].key).status_code == 401
    # and the second lock: as the grocer the database shows nothing of the cafe's, whatever is asked
    cafe, grocer = (ledger.ids.read("merchant", api.shops[name].id) for name in ("cafe", "grocer"))
    assert cafe is not None
    with api.server.db.tx("door") as tx:
        (book,) = ledger.books.all_books(tx)
    for tenant, seen in ((cafe, 1), (grocer, 0)):
        opened = partial(api.server.db.tx, "tenant", tenant=str(tenant))
        assert store.choose(opened, book, cafe, datetime(2016, 1, 1, tzinfo=UTC), 10).sales == seen


# -- the identity

_past = st.fixed_dictionaries(
    {},
    optional={
        "visits": st.builds(lambda d, n: {"days": d, "every": n}, st.integers(1, 9), st.integers(1, 3)),
        "spent": st.builds(lambda d, n: {"days": d, "reaches": n}, st.integers(1, 9), st.integers(1, 3_000)),
        "last_purchase": st.builds(lambda d: {"within_days": d}, st.integers(0, 5)),
        "first_purchase": st.booleans(),
    },
)
_came = st.lists(
    st.tuples(st.integers(0, 1), lines, st.integers(0, 500), st.integers(0, 4), st.integers(0, 3)),
    min_size=1,
    max_size=5,
)


@pytest.fixture
def both(api: Api, ann: Member) -> list[Member]:
    return [ann, api.member("+15550100124")]


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    # an example opens a shop and sells there: what fails is told as it is found
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(rules_of_any_kind, st.lists(_past, max_size=3), st.none() | st.integers(0, 60), _came)
def test_under_the_very_rules_in_force_nothing_changes(
    api: Api,
    both: list[Member],
    rules: list[dict[str, Any]],
    pasts: list[dict[str, Any]],
    cap: int | None,
    came: list[Any],
) -> None:
    """To the point, for sales sold through the API, with refunds and days between them."""
    for rule, past in zip(rules, pasts, strict=False):
        rule["when"] = {**rule.get("when", {}), **past}
    terms: dict[str, Any] = {"rules": [{"id": f"r{n}", **rule} for n, rule in enumerate(rules)]}
    if cap is not None:
        terms["cap_points"] = cap
    assume(not programme.faults(terms))
    shop = f"shop {new_key()}"
    api.open_shop(shop)
    agree(api, terms, shop)
    numbers = iter(range(100))
    earned = taken = 0
    for who, basket, rest, back, pause in came:
        total = sum(line["amount"] for line in basket) + rest
        sent = [
            {
                "amount": usd(line["amount"]),
                **{name: line[name] for name in ("category", "sku") if line.get(name) is not None},
                "quantity": max(1, line.get("quantity", 1)),
            }
            for line in basket
        ]
        if rest:
            sent.append({"amount": usd(rest)})
        sold = api.sell(both[who], total, shop, lines=sent, payments=[{"type": "cash", "amount": usd(total)}])
        assert sold["earn"]["refused"] not in ("issuing_limit_reached", "velocity_limit")
        earned += sold["earn"]["points"]
        if back and total >= back:
            taken += refund(api, sold, total if back == 4 else total * back // 4 or 1, shop)["points"]
        if pause == 3:
            later(api, next(numbers) % 2 + 1)
    told = previewed(api, terms, shop, days=92)
    assert told["sales"] == len(came)
    assert told["before"]["points"] == earned - taken
    assert told["after"] == told["before"]
    assert told["change"] == dict.fromkeys(told["change"], 0)
    assert sum(rule["points"] for rule in told["after"]["rules"]) == earned - taken
