"""Entitlements over the API: opened, granted, checked, used and voided; read by members."""

from typing import Any

import pytest

from tests.gateway.network import Api, Member, new_key

MAGAZINE = {"kind": "magazine", "name": {"fa": "مجله", "en": "Magazine"}, "who": "everybody"}


def opened(api: Api, **changes: Any) -> Any:
    return api.done("POST", "/v1/entitlements", MAGAZINE | changes, by=api.shops["cafe"].key, key=new_key())


def use(api: Api, of: Any, member: Member, reference: str, key: str | None = None) -> Any:
    body = {"branch": api.shops["cafe"].branch, "external_reference": reference, "member": member.number}
    path = f"/v1/entitlements/{of['id']}/uses"
    return api.call("POST", path, body, by=api.shops["cafe"].key, key=key or new_key())


def test_an_entitlement_is_read_as_it_was_opened(api: Api) -> None:
    cafe = api.shops["cafe"]
    period = {"uses": 1, "length": "month", "calendar": "jalali"}
    made = opened(api, capacity={"total": 5, "per_period": period}, who="tiers", tiers=["gold"])
    assert made["capacity"] == {"total": 5, "per_day": None, "per_member": None, "per_period": period}
    assert (made["tiers"], made["used"], made["state"], made["ends_at"]) == (["gold"], 0, "open", None)
    assert api.done("GET", f"/v1/entitlements/{made['id']}", by=cafe.key) == made
    assert api.done("GET", "/v1/entitlements", by=cafe.key)["data"] == [made]
    assert api.done("GET", "/v1/entitlements", by=api.shops["grocer"].key)["data"] == []
    ended = api.done("POST", f"/v1/entitlements/{made['id']}/end", {}, by=cafe.key, key=new_key())
    assert (ended["state"], ended["ended_at"] is None) == ("ended", False)


@pytest.mark.row("C7")
def test_a_use_is_checked_made_sent_again_and_voided(api: Api) -> None:
    cafe, ann = api.shops["cafe"], api.member()
    magazine = opened(api, capacity={"per_member": 1})
    check = f"/v1/entitlements/{magazine['id']}/checks"
    assert api.done("POST", check, {"member": ann.id}, by=cafe.key)["allowed"]
    (own,) = api.done("GET", "/v1/me/entitlements", by=ann.token)["data"]
    assert (own["id"], own["merchant_name"], own["left"]) == (magazine["id"], "cafe", 1)
    key = new_key()
    done = use(api, magazine, ann, "U-1", key)
    assert (done.json()["state"], done.json()["left"]) == ("used", 0)
    assert use(api, magazine, ann, "U-1", key).content == done.content
    assert use(api, magazine, ann, "U-1").json()["code"] == "duplicate_reference"
    assert use(api, magazine, ann, "U-2").json()["code"] == "limit_exceeded"
    told = api.done("POST", check, {"member": ann.number}, by=cafe.key)
    assert (told["allowed"], told["refused"], told["left"]) == (False, "limit_exceeded", 0)
    assert api.done("GET", "/v1/me/entitlements", by=ann.token)["data"] == []
    path = f"/v1/entitlement-uses/{done.json()['id']}/void"
    assert api.call("POST", path, {}, by=api.shops["grocer"].key, key=new_key()).status_code == 404
    voided = api.done("POST", path, {}, by=cafe.key, key=new_key())
    assert (voided["state"], voided["left"], voided["voided_at"] is None) == ("voided", 1, False)
    assert use(api, magazine, ann, "U-2").status_code == 200


def test_a_grant_is_given_and_taken_back(api: Api) -> None:
    cafe, ann = api.shops["cafe"], api.member()
    tasting = opened(api, kind="experience", who="granted")
    assert use(api, tasting, ann, "U-1").json()["code"] == "state_conflict"
    path = f"/v1/entitlements/{tasting['id']}/grants"
    grant = api.done("POST", path, {"member": ann.id, "uses": 2}, by=cafe.key, key=new_key())
    assert (grant["uses"], grant["left"], grant["ended_at"]) == (2, 2, None)
    used = use(api, tasting, ann, "U-1").json()
    assert (used["grant"], used["left"]) == (grant["id"], 1)
    end = f"/v1/entitlement-grants/{grant['id']}/end"
    assert api.call("POST", end, {}, by=api.shops["grocer"].key, key=new_key()).status_code == 404
    assert api.done("POST", end, {}, by=cafe.key, key=new_key())["left"] == 1
    assert use(api, tasting, ann, "U-2").json()["code"] == "state_conflict"
    kinds = [record["kind"] for record in api.done("GET", "/v1/me/records", by=ann.token)["data"]]
    assert kinds == ["entitlement_granted", "entitlement_used", "entitlement_grant_ended"]
