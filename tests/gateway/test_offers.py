"""Offers over the API, as docs/offers.md tells them: its bodies are sent, its commands run by tests/house and tests/deploy."""

import hashlib
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from merchants import offers
from tests.gateway.network import Api, new_key

TOLD = (Path(__file__).parents[2] / "docs" / "offers.md").read_text()


def body_of(path: str) -> Any:
    """The JSON that stands below a call in the document."""
    found = re.search(rf"^    POST {re.escape(path)}\n((?:    .*\n)+)", TOLD, re.MULTILINE)
    assert found, path
    return json.loads(found[1])


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
