"""Ladders and tiers over the API: what shops, operators and members put in force and read."""

from datetime import timedelta
from typing import Any

import pytest

from tests.gateway.network import Api, Member, new_key

WORDS = {"fa": "نقره‌ای", "en": "Silver"}
SILVER = {
    "id": "silver",
    "name": WORDS,
    "requires": {"all": {"spend": 10_000, "visits": 2}},
    "benefits": [{"name": "lounge", "text": {"fa": "سالن", "en": "Lounge"}}],
}
GOLD = {"id": "gold", "name": {"fa": "طلایی", "en": "Gold"}, "requires": {"any": {"spend": 90_000}}, "benefits": []}
VIP: dict[str, Any] = {"id": "vip", "name": {"fa": "ویژه", "en": "VIP"}, "requires": None, "benefits": []}
LADDER = {"period": {"calendar": "gregorian", "length": "year"}, "tiers": [SILVER, GOLD, VIP]}


def put(api: Api, path: str = "/v1/ladders", by: str | None = None, **changes: Any) -> Any:
    body = LADDER | changes
    return api.done("POST", path, body, by=by or api.shops["cafe"].key, key=new_key())


def look(api: Api) -> None:
    """Have done what is due."""
    api.advance(api.clock().isoformat())


def standing(api: Api, member: Member, by: str = "") -> Any:
    look(api)
    if by:
        return api.done("GET", f"/v1/members/{member.id}/standing", by=by)["data"]
    return api.done("GET", "/v1/me/standing", by=member.token)["data"]


def test_a_ladder_is_read_as_it_was_put_in_force(api: Api) -> None:
    made = put(api)
    assert made["merchant"] == api.shops["cafe"].id
    assert (made["version"], made["promotion"], made["grace_days"], made["when_changed"]) == (1, "at_once", 0, "keep")
    assert (made["tiers"][0]["requires"]["all"], made["kinds"]) == (
        {"spend": 10_000, "visits": 2, "points_earned": None},
        ["natural", "legal"],
    )
    second = put(api, grace_days=30, period={"rolling_days": 90, "calendar": None, "length": None})
    listed = api.done("GET", "/v1/ladders", by=api.shops["cafe"].key)["data"]
    assert listed == [second, made]
    of = f"/v1/operator/merchants/{api.shops['cafe'].id}/ladders"
    assert api.done("GET", f"{of}?limit=1", by=api.approver)["data"] == [second]
    assert put(api, of, api.maker)["version"] == 3
    assert api.done("GET", "/v1/ladders", by=api.shops["grocer"].key)["data"] == [], "nobody else's"


@pytest.mark.row("B9")
def test_a_member_reads_how_far_it_is_and_a_shop_its_own_part_of_it(api: Api) -> None:
    cafe, ann = api.shops["cafe"], api.member()
    put(api)
    network = put(api, f"/v1/operator/books/{api.book}/ladders", api.maker)
    api.sell(ann, 6_000)
    (mine, elsewhere) = sorted(standing(api, ann), key=lambda told: told["merchant"] is None)
    assert (mine["merchant"], mine["merchant_name"], mine["tier"]) == (cafe.id, "cafe", None)
    assert (elsewhere["merchant"], elsewhere["ladder"]) == (None, network["id"])
    missing = {each["measure"]: each["missing"] for each in mine["progress"]["next"]["measures"]}
    assert (mine["progress"]["next"]["tier"], missing) == ("silver", {"spend": 4_000, "visits": 1})
    api.sell(ann, 6_000)
    (mine, _) = standing(api, ann, cafe.key)
    assert (mine["tier"]["name"], mine["tier"]["benefits"], mine["by"]) == (WORDS, SILVER["benefits"], "rule")
    assert (mine["ends_at"], mine["then"]) == ("2019-01-01T00:00:00Z", None)
    (shown,) = standing(api, ann, api.shops["grocer"].key)
    assert (shown["merchant"], shown["tier"]["id"]) == (None, "silver")
    assert (shown["progress"], shown["ends_at"]) == (None, None), "what was bought elsewhere is not a shop's to know"
    lookup = api.done("POST", "/v1/member-lookups", {"number": ann.number}, by=cafe.key)
    assert lookup["tier"] == "silver"
    of = f"/v1/operator/members/{ann.id}/standing"
    assert len(api.done("GET", of, by=api.approver)["data"]) == 2


@pytest.mark.row("B9")
def test_a_tier_has_grace_after_its_period_and_none_after_a_refund(api: Api) -> None:
    ann = api.member()
    put(api, grace_days=10, period={"calendar": "gregorian", "length": "month"})
    api.sell(ann, 6_000)
    sold = api.sell(ann, 6_000)
    api.sell(ann, 90_000)
    (told,) = standing(api, ann)
    assert (told["tier"]["id"], told["ends_at"], told["then"]) == ("gold", "2017-03-11T00:00:00Z", None)
    assert told["progress"]["next"] is None, "the one above is given by hand only"
    back = {"external_reference": "back", "amount": {"amount": 6_000, "currency": "USD"}}
    api.done("POST", f"/v1/sales/{sold['id']}/refunds", back, by=api.shops["cafe"].key, key=new_key())
    assert standing(api, ann)[0]["tier"]["id"] == "gold", "96,000 are left"
    api.advance("2017-03-10T23:59:59Z")
    assert standing(api, ann)[0]["tier"]["id"] == "gold"
    api.advance("2017-03-11T00:00:00Z")
    assert standing(api, ann)[0]["tier"] is None


@pytest.mark.row("B9")
def test_a_member_is_put_on_a_tier_by_hand(api: Api) -> None:
    cafe, ann = api.shops["cafe"], api.member()
    put(api)
    ends = (api.clock() + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    at, body, key = f"/v1/members/{ann.id}/tier", {"tier": "vip", "reason": "a friend", "ends_at": ends}, new_key()
    done = api.call("POST", at, body, by=cafe.key, key=key)
    assert (done.json()["tier"], done.json()["ends_at"]) == ("vip", ends)
    assert api.call("POST", at, body, by=cafe.key, key=key).content == done.content
    (told,) = standing(api, ann)
    assert (told["tier"]["id"], told["ends_at"], told["then"]) == ("vip", ends, None)
    for wrong, pointer in (({"tier": "bronze"}, "/tier"), ({"ends_at": "2016-01-01T00:00:00Z"}, "/ends_at")):
        answer = api.call("POST", at, body | wrong, by=cafe.key, key=new_key())
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    api.advance(ends)
    (told,) = standing(api, ann)
    assert told["tier"] is None
    records = api.done("GET", "/v1/me/records", by=ann.token)["data"]
    assert [record["kind"] for record in records] == ["tier_by_hand", "tier_changed", "tier_changed"]
    assert "friend" not in str(records), "why is no part of the ledger"
