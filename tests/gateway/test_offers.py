"""Offers over the API, as docs/offers.md tells them: its bodies are sent, its commands run by tests/house and tests/deploy."""

import hashlib
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import ledger
from merchants import offers
from tests.gateway.network import Api, Member, Shop, new_key

TOLD = (Path(__file__).parents[2] / "docs" / "offers.md").read_text()


def body_of(path: str, which: int = 0) -> Any:
    """The JSON that stands below a call in the document, where that is told for the first time, or for another."""
    found = re.findall(rf"^    POST {re.escape(path)}\n((?:    .*\n)+)", TOLD, re.MULTILINE)
    return json.loads(found[which])


def sell(api: Api, number: str, amount: int) -> None:
    body = api.sale(None, amount) | {"member": number}
    api.done("POST", "/v1/sales", body, by=api.shops["cafe"].key, key=new_key())


@pytest.fixture
def crowd(api: Api) -> list[str]:
    """Twelve members who bought at the cafe once, by number."""
    numbers = []
    for i in range(12):
        joined = api.done("POST", "/v1/members", {"phone": f"+1555010{i:04d}"}, by=api.shops["cafe"].key)
        numbers.append(joined["number"])
        sell(api, joined["number"], 1_000)
    api.advance((api.clock() + timedelta(hours=1)).isoformat())
    return numbers


def drafted(api: Api, shop: str = "cafe", **more: Any) -> Any:
    body = body_of("/v1/offers") | more
    return api.done("POST", "/v1/offers", body, by=api.shops[shop].key, key=new_key())


def launched(api: Api, offer: Any) -> Any:
    path = f"/v1/offers/{offer['id']}/launch"
    return api.done("POST", path, body_of("/v1/offers/{id}/launch"), by=api.shops["cafe"].key, key=new_key())


def test_an_offer_is_read_as_it_was_drafted_changed_and_launched(api: Api, crowd: list[str]) -> None:
    cafe = api.shops["cafe"].key
    made = drafted(api)
    assert (made["state"], made["salt"], made["members"]) == ("draft", None, None)
    asked = body_of("/v1/offers")
    assert [v["rules"] for v in made["variants"]] == [v["rules"] for v in asked["variants"]]
    assert api.done("GET", f"/v1/offers/{made['id']}", by=cafe) == made
    changed = api.done("PUT", f"/v1/offers/{made['id']}", asked | {"name": "Treble"}, by=cafe)
    assert changed == made | {"name": "Treble"}
    key = new_key()
    out = api.call("POST", f"/v1/offers/{made['id']}/launch", {}, by=cafe, key=key)
    assert (out.json()["state"], out.json()["members"]) == ("launched", 12)
    assert hashlib.sha256(bytes.fromhex(out.json()["salt"])).hexdigest() == made["commitment"]
    again = api.call("POST", f"/v1/offers/{made['id']}/launch", {}, by=cafe, key=key)
    assert (again.content, again.headers["idempotent-replayed"]) == (out.content, "true")
    assert api.call("PUT", f"/v1/offers/{made['id']}", asked, by=cafe).json()["code"] == "state_conflict"
    second = drafted(api, name="Another")
    page = api.done("GET", "/v1/offers?limit=1", by=cafe)
    assert (page["data"], page["has_more"]) == ([out.json()], True)
    page = api.done("GET", f"/v1/offers?limit=1&cursor={page['next_cursor']}", by=cafe)
    assert (page["data"], page["has_more"]) == ([second], False)
    ended = api.done("POST", f"/v1/offers/{made['id']}/end", {}, by=cafe, key=new_key())
    assert (ended["state"], ended["salt"]) == ("ended", out.json()["salt"])
    told = [(r["kind"], r["subject"]) for r in api.done("GET", "/v1/records?limit=100", by=cafe)["data"]]
    assert [each for each in told if each[0].startswith("offer")] == [
        ("offer_drafted", made["id"]),
        ("offer_launched", made["id"]),
        ("offer_drafted", second["id"]),
        ("offer_ended", made["id"]),
    ]


def test_nobody_reads_or_moves_anothers_offer(api: Api, crowd: list[str]) -> None:
    offer, grocer = launched(api, drafted(api))["id"], api.shops["grocer"].key
    for method, path, body in (
        ("GET", "", None),
        ("PUT", "", body_of("/v1/offers")),
        ("POST", "/launch", {}),
        ("POST", "/end", {}),
        ("GET", "/results", None),
        ("GET", "/results?format=svg", None),
    ):
        key = new_key() if method == "POST" else None
        answer = api.call(method, f"/v1/offers/{offer}{path}", body, by=grocer, key=key)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (method, path)
    assert api.done("GET", "/v1/offers", by=grocer)["data"] == []


def test_a_key_does_what_its_scope_names(api: Api) -> None:
    reader, other = api.restricted("cafe", "offers:read"), api.restricted("cafe", "sales:write")
    assert api.call("GET", "/v1/offers", by=reader).status_code == 200
    assert api.call("GET", "/v1/offers", by=other).status_code == 403
    refused = api.call("POST", "/v1/offers", body_of("/v1/offers"), by=reader, key=new_key())
    assert refused.json()["code"] == "forbidden"


def test_results_come_window_by_window_with_what_they_cannot_say(api: Api, crowd: list[str]) -> None:
    cafe = api.shops["cafe"].key
    variants = [{"name": "double", "share_ppm": 500_000, "rules": {"points": 2, "per_minor": 100}}]
    offer = launched(api, drafted(api, holdout_ppm=500_000, variants=variants, windows_days=[1, 3]))
    at = f"/v1/offers/{offer['id']}/results"
    assert (api.done("GET", at, by=cafe)["comparisons"], api.done("GET", at, by=cafe)["counted_at"]) == ([], None)
    for number in crowd:
        sell(api, number, 2_000)
    api.advance((api.clock() + timedelta(days=1)).isoformat())
    told = api.done("GET", at, by=cafe)
    assert (told["counted_days"], told["deciding_days"]) == ([1], 3)
    assert {(arm["metric"], arm["mean"], arm["mean_before"]) for arm in told["arms"]} == {
        ("spend", 2_000.0, 1_000.0),
        ("visits", 1.0, 1.0),
        ("margin", 500.0, 250.0),
    }
    assert sum(arm["members"] for arm in told["arms"]) == 3 * 12
    # twelve members are too few to compare
    assert {row["difference"] for row in told["comparisons"]} == {None}
    assert (told["says"], told["says_not"]) == (list(offers.SAYS), list(offers.SAYS_NOT))
    api.advance((api.clock() + timedelta(days=9)).isoformat())
    assert api.done("GET", at, by=cafe)["counted_days"] == [1, 3]


def test_the_chart_is_a_picture_with_its_figures_in_it(api: Api, crowd: list[str]) -> None:
    offer, cafe = launched(api, drafted(api)), api.shops["cafe"].key
    api.advance((api.clock() + timedelta(days=8)).isoformat())
    for asked in ({"path": "?format=svg&metric=visits"}, {"path": "", "headers": {"Accept": "image/svg+xml"}}):
        path = f"/v1/offers/{offer['id']}/results{asked['path']}"
        answer = api.call("GET", path, by=cafe, headers=asked.get("headers"))  # type: ignore[arg-type]
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
        drawn = ElementTree.fromstring(answer.content)  # noqa: S314 - our own
        words = " ".join(drawn.itertext())
        assert "Nothing can be said yet" in words
        assert "does not show that nothing was there" in words
        assert not re.search(r"(href|src|url\()", answer.text), "it asks nobody for anything"


def held_out(offer: Any, member: Member) -> bool:
    """As anybody computes it from the salt."""
    id = ledger.ids.read("member", member.id)
    assert id is not None
    return offers.assigning.share(bytes.fromhex(offer["salt"]), id) < int(offer["holdout_ppm"])


def giving(api: Api, **more: Any) -> tuple[Any, Member, Member]:
    """An offer that gives, launched as often as it takes to hold somebody out; somebody it is for, somebody it is not for."""
    body = body_of("/v1/offers", 1) | {"holdout_ppm": 500_000, "audience": {"kind": "all"}} | more
    body["variants"] = [{"name": "double", "share_ppm": 500_000, "rules": {"points": 2, "per_minor": 100}}]
    cafe, members = api.shops["cafe"].key, [api.member(f"+1555010077{i}") for i in range(4)]
    for _ in range(19):
        made = api.done("POST", "/v1/offers", body, by=cafe, key=new_key())
        if "funding" in more:
            agreed_to(api, made)
        out = api.done("POST", f"/v1/offers/{made['id']}/launch", {}, by=cafe, key=new_key())
        held = [member for member in members if held_out(out, member)]
        if 0 < len(held) < len(members):
            return out, next(member for member in members if member not in held), held[0]
        api.done("POST", f"/v1/offers/{made['id']}/end", {}, by=cafe, key=new_key())
    raise AssertionError("nineteen draws, and everybody on one side")


def agreed_to(api: Api, made: Any) -> None:
    """The bank reads what it is to pay for and agrees, without which nothing is launched."""
    cafe, bank = api.shops["cafe"], api.shops["bank"]
    refused = api.call("POST", f"/v1/offers/{made['id']}/launch", {}, by=cafe.key, key=new_key())
    assert refused.json()["code"] == "state_conflict"
    seen = api.done("GET", f"/v1/offers/{made['id']}", by=bank.key)
    assert (seen["giving"]["funder"], seen["giving"]["agreed"]) == (bank.id, False)
    agree = f"/v1/offers/{made['id']}/fund"
    assert api.done("POST", agree, body_of("/v1/offers/{id}/fund"), by=bank.key, key=new_key())["giving"]["agreed"]


def test_an_offer_gives_what_its_member_is_told_and_the_held_out_hear_nothing_of_it(api: Api) -> None:
    offer, ann, bob = giving(api)
    cafe, path = api.shops["cafe"], f"/v1/offers/{offer['id']}"
    assert offer["giving"] | {"budget_left": 1} == offer["giving"] | {
        "budget_left": 1,
        "budget_points": 5_000,
        "funding": {"by": "merchant", "sponsor": None},
        "funder": cafe.id,
        "activation": "activate",
    }
    (own,) = api.done("GET", "/v1/me/offers", by=ann.token)["data"]
    assert (own["id"], own["funder"], own["activated_at"]) == (offer["id"], cafe.id, None)
    assert (own["rules"], own["left"]) == (offer["variants"][0]["rules"], {"times": 2, "points": None})
    assert api.done("GET", "/v1/me/offers", by=bob.token) == {"data": [], "has_more": False, "next_cursor": None}
    assert api.sell(ann, 1_000)["earn"]["bonuses"] == []
    activate = f"/v1/me/offers/{offer['id']}/activate"
    told = api.done("POST", activate, body_of("/v1/me/offers/{id}/activate"), by=ann.token, key=new_key())
    assert told["id"] == offer["id"]
    refused = api.call("POST", activate, {}, by=bob.token, key=new_key())
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    asked = {"branch": cafe.branch, "member": ann.number, "total": {"amount": 1_000, "currency": "USD"}}
    quoted = api.done("POST", "/v1/quotes", asked, by=cafe.key)["earn"]
    sold = api.sell(ann, 1_000)
    (bonus,) = sold["earn"]["bonuses"]
    assert (bonus["offer"], bonus["sponsorship"], bonus["variant"], bonus["points"]) == (
        offer["id"],
        None,
        "double",
        20,
    )
    assert (quoted["points"], [b["points"] for b in quoted["bonuses"]]) == (30, [20])
    assert api.done("GET", f"/v1/sales/{sold['id']}", by=cafe.key)["earn"] == sold["earn"]
    assert api.sell(bob, 1_000)["earn"]["bonuses"] == []
    (own,) = api.done("GET", "/v1/me/offers", by=ann.token)["data"]
    assert own["left"] == {"times": 1, "points": None}
    seen = api.done("GET", path, by=cafe.key)["giving"]
    assert (seen["budget_left"], seen["given_times"], seen["given_points"]) == (4_980, 1, 20)
    budget = api.done("POST", f"{path}/budget", body_of("/v1/offers/{id}/budget"), by=cafe.key, key=new_key())
    assert (budget["giving"]["budget_left"], budget["giving"]["given_points"]) == (5_980, 20)
    api.sell(ann, 1_000)
    assert api.done("GET", "/v1/me/offers", by=ann.token)["data"] == [], "twice, and there is nothing left"
    records = api.done("GET", "/v1/me/records?limit=100", by=ann.token)["data"]
    activated = [record["subject"] for record in records if record["kind"] == "offer_activated"]
    assert activated == [offer["id"]]
    lots = [lot for record in records if record["kind"] == "sale" for lot in record["facts"].get("lots", ())]
    assert [lot["offer"] for lot in lots if "offer" in lot] == [offer["id"]] * 2
    set_aside = [r for r in api.done("GET", "/v1/records?limit=100", by=cafe.key)["data"] if r["kind"] == "budget_set"]
    assert {record["subject"] for record in set_aside[-2:]} == {offer["id"]}


def test_a_sponsor_is_asked_first_and_told_what_for(api: Api) -> None:
    at = f"/v1/operator/books/{api.book}/merchants"
    bank = api.done("POST", at, {"name": "bank", "kind": "sponsor"}, by=api.maker)["id"]
    contract = {"mode": "deferred", "credit_line_points": 100_000, "purchase_fee_ppm": 0, "redemption_fee_ppm": 0}
    api.done("POST", f"/v1/operator/merchants/{bank}/contracts", contract, by=api.maker)
    secret = api.done("POST", f"/v1/operator/merchants/{bank}/api-keys", {"label": "bank"}, by=api.maker)["secret"]
    api.shops["bank"] = Shop(bank, "", "", secret)
    offer, ann, _ = giving(api, funding={"by": "sponsor", "sponsor": bank}, activation="auto")
    assert api.sell(ann, 1_000)["earn"]["bonuses"][0]["issuer"] == bank
    path = f"/v1/offers/{offer['id']}"
    assert api.done("GET", path, by=secret)["giving"]["given_points"] == 20
    assert api.call("GET", path, by=api.shops["grocer"].key).status_code == 404
    assert api.done("GET", "/v1/offers", by=secret)["data"] == []
    for method, what in (("POST", "/end"), ("POST", "/launch"), ("PUT", "")):
        body = body_of("/v1/offers") if method == "PUT" else {}
        answer = api.call(method, path + what, body, by=secret, key=new_key() if method == "POST" else None)
        assert answer.status_code == 404, "it pays, and decides nothing else"
    assert api.call("POST", f"{path}/budget", {"release_points": 5}, by=secret, key=new_key()).status_code == 200
