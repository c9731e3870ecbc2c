"""Sponsorships over the API: opened, funded, read and ended by operators; told to tills lot by lot."""

from datetime import timedelta
from typing import Any

import pytest

from tests.gateway.network import Api, new_key


@pytest.fixture
def bank(api: Api) -> str:
    """The path of a sponsor on credit."""
    at = f"/v1/operator/books/{api.book}/merchants"
    made = api.done("POST", at, {"name": "bank", "kind": "sponsor"}, by=api.maker)["id"]
    contract = {"mode": "deferred", "credit_line_points": 1_000, "purchase_fee_ppm": 0, "redemption_fee_ppm": 0}
    api.done("POST", f"/v1/operator/merchants/{made}/contracts", contract, by=api.maker)
    return f"/v1/operator/merchants/{made}"


def opened(api: Api, bank: str, **more: Any) -> Any:
    body = {"rules": {"points": 1, "per": 100}, "budget_points": 100} | more
    return api.done("POST", f"{bank}/sponsorships", body, by=api.maker, key=new_key())


def test_a_sponsorship_is_read_as_it_was_opened(api: Api, bank: str) -> None:
    rules = {"points": 2, "per": 300, "minimum": 50, "cap_points": 9, "categories": {"FUEL": {"points": 0, "per": 1}}}
    rules["rules"] = None
    rules["by_kind"] = {"legal": {"points": 1, "per": 900, "minimum": 0, "cap_points": None, "categories": {}}}
    ends = (api.clock() + timedelta(days=9)).strftime("%Y-%m-%dT%H:%M:%SZ")
    shops = sorted(shop.id for shop in api.shops.values())
    made = opened(api, bank, shops=shops, rules=rules, ends_at=ends)
    assert (made["rules"], made["shops"], made["ends_at"]) == (rules, shops, ends)
    assert (made["state"], made["budget_points"], made["ended_at"]) == ("open", 100, None)
    assert api.done("GET", f"{bank}/sponsorships/{made['id']}", by=api.approver) == made
    second = opened(api, bank)
    assert second["rules"] == {
        "points": 1,
        "per": 100,
        "minimum": 0,
        "cap_points": None,
        "categories": {},
        "by_kind": {},
        "rules": None,
    }
    page = api.done("GET", f"{bank}/sponsorships?limit=1", by=api.approver)
    assert (page["data"], page["has_more"]) == ([made], True)
    page = api.done("GET", f"{bank}/sponsorships?limit=1&cursor={page['next_cursor']}", by=api.approver)
    assert (page["data"], page["has_more"]) == ([second], False)


def test_a_budget_goes_up_and_down_and_home_at_the_end(api: Api, bank: str) -> None:
    at = f"{bank}/sponsorships/{opened(api, bank)['id']}"

    def budget(**body: int) -> int:
        return int(api.done("POST", f"{at}/budget", body, by=api.maker, key=new_key())["budget_points"])

    assert (budget(add_points=50), budget(release_points=20)) == (150, 130)
    key = new_key()
    ended = api.call("POST", f"{at}/end", {}, by=api.maker, key=key)
    assert (ended.json()["state"], ended.json()["budget_points"]) == ("ended", 0)
    again = api.call("POST", f"{at}/end", {}, by=api.maker, key=key)
    assert (again.content, again.headers["idempotent-replayed"]) == (ended.content, "true")
    assert api.call("POST", f"{at}/end", {}, by=api.maker, key=new_key()).json()["code"] == "state_conflict"
    # all of the line is there again
    assert opened(api, bank, budget_points=1_000)["budget_points"] == 1_000


def test_a_till_hears_what_sponsors_give_and_what_a_refund_takes_of_it(api: Api, bank: str) -> None:
    sponsorship = opened(api, bank)
    ann, cafe = api.member(), api.shops["cafe"]
    total = {"amount": 6_000, "currency": "USD"}
    quote = {"branch": cafe.branch, "member": ann.number, "total": total}
    quoted = api.done("POST", "/v1/quotes", quote, by=cafe.key)["earn"]
    sold = api.sell(ann, 6_000)
    earn = sold["earn"]
    (bonus,) = earn["bonuses"]
    assert (earn["points"], earn["refused"], bonus["points"], bonus["refused"]) == (120, None, 60, None)
    assert (bonus["sponsorship"], bonus["issuer"]) == (sponsorship["id"], sponsorship["merchant"])
    assert quoted == {**earn, "lot": None, "bonuses": [{**bonus, "lot": None, "expires_at": None}]}
    assert api.done("GET", f"/v1/sales/{sold['id']}", by=cafe.key) == {**sold, "balance": None}
    short = api.sell(ann, 6_000)
    assert [(b["points"], b["refused"], b["lot"]) for b in short["earn"]["bonuses"]] == [(0, "budget_too_small", None)]
    assert api.done("GET", f"/v1/sales/{short['id']}", by=cafe.key) == {**short, "balance": None}
    back = {"external_reference": "back", "amount": {"amount": 3_000, "currency": "USD"}}
    refund = api.done("POST", f"/v1/sales/{sold['id']}/refunds", back, by=cafe.key, key=new_key())
    assert (refund["points"], refund["returned"], refund["owed"]) == (60, 60, 0)
    assert refund["parts"] == [
        {"lot": earn["lot"], "issuer": cafe.id, "points": 30, "returned": 30, "owed": 0},
        {"lot": bonus["lot"], "issuer": sponsorship["merchant"], "points": 30, "returned": 30, "owed": 0},
    ]


def test_a_record_names_what_is_in_it(api: Api, bank: str) -> None:
    sponsorship = opened(api, bank)
    sold = api.sell(api.member(), 6_000)
    facts = api.done("GET", f"/v1/records/{sold['record']}", by=api.shops["cafe"].key)["facts"]
    assert [lot.get("rule") for lot in facts["lots"]] == [sold["earn"]["terms"], None]
    assert facts["lots"][1]["sponsorship"] == sponsorship["id"]
    told = {"sponsorship": sponsorship["id"], "issuer": sponsorship["merchant"], "points": 60, "refused": None}
    assert facts["bonuses"] == [told]
    key = api.done("POST", f"{bank}/api-keys", {"label": "bank"}, by=api.maker)["secret"]
    records = api.done("GET", "/v1/records", by=key)["data"]
    assert [(r["kind"], r["subject"]) for r in records[1:]] == [
        ("sponsorship", sponsorship["id"]),
        ("budget_set", sponsorship["id"]),
    ]
    position = api.done("GET", "/v1/position", by=key)
    assert (position["budget_points"], position["credit_used_points"]) == (40, 100)
