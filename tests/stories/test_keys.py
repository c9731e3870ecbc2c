"""A merchant's keys through the doors: made with less, replaced with an overlap, ended within a second."""

import time
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from deploy import asgi
from deploy.home import TREE
from merchants.contracts.keys import LARGEST_DAY, LARGEST_LIVE, SCOPES
from tests.gateway.network import Api


def made(api: Api, *scopes: str, by: str | None = None, label: str = "kiosk") -> Any:
    body = {"label": label, "scopes": list(scopes)}
    return api.done("POST", "/v1/api-keys", body, by=by or api.shops["cafe"].key)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def listed(api: Api, by: str | None = None) -> Any:
    return api.done("GET", "/v1/api-keys", by=by or api.shops["cafe"].key)["data"]


def opens(api: Api, secret: str) -> int:
    return int(api.call("GET", "/v1/records", by=secret).status_code)


def soon(wanted: Any, ask: Any) -> None:
    """`ask()` comes to `wanted` within a second and a little."""
    deadline = time.monotonic() + 1.2
    while ask() != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.row("F2")
def test_a_key_is_made_with_less_and_its_secret_is_told_once(api: Api) -> None:
    key = made(api, "records:read", "sales:write")
    assert key["secret"].startswith("rk_test_")
    assert key["secret"].endswith(key["last_four"])
    assert (key["kind"], key["scopes"]) == ("rk", ["records:read", "sales:write"])
    assert opens(api, key["secret"]) == 200
    assert code(api.call("GET", "/v1/position", by=key["secret"])) == (403, "forbidden")
    told = listed(api)
    assert [k["kind"] for k in told] == ["sk", "rk"]
    assert told[1] == {name: value for name, value in key.items() if name != "secret"}
    assert key["secret"] not in api.call("GET", "/v1/api-keys", by=api.shops["cafe"].key).text


@pytest.mark.row("F2")
def test_a_key_is_replaced_and_both_open_for_the_overlap(api: Api) -> None:
    old = made(api, "records:read")
    path = f"/v1/api-keys/{old['id']}/rotate"
    new = api.done("POST", path, {"overlap_hours": 1}, by=api.shops["cafe"].key)
    assert (new["kind"], new["label"], new["scopes"], new["expires_at"]) == ("rk", "kiosk", ["records:read"], None)
    assert (opens(api, old["secret"]), opens(api, new["secret"])) == (200, 200)
    assert next(k for k in listed(api) if k["id"] == old["id"])["expires_at"] is not None
    assert code(api.call("POST", path, {}, by=api.shops["cafe"].key)) == (409, "state_conflict")
    # without overlap the old one ends at once
    last = api.done("POST", f"/v1/api-keys/{new['id']}/rotate", {"overlap_hours": 0}, by=api.shops["cafe"].key)
    soon(401, lambda: opens(api, new["secret"]))
    assert opens(api, last["secret"]) == 200


def test_the_key_in_use_replaces_itself(api: Api) -> None:
    cafe = api.shops["cafe"]
    own = listed(api)[0]
    new = api.done("POST", f"/v1/api-keys/{own['id']}/rotate", {}, by=cafe.key)
    assert new["kind"] == "sk"
    assert new["secret"].startswith("sk_test_")
    old = next(k for k in listed(api, by=new["secret"]) if k["id"] == own["id"])
    assert old["expires_at"] is not None
    api.done("DELETE", f"/v1/api-keys/{own['id']}", by=new["secret"])
    soon(401, lambda: opens(api, cafe.key))


@pytest.mark.row("F2")
def test_a_key_is_ended_and_the_one_in_use_only_when_it_says_so(api: Api) -> None:
    cafe = api.shops["cafe"].key
    key = made(api, "records:read", "keys:write")
    path = f"/v1/api-keys/{key['id']}"
    answer = api.call("DELETE", path, by=key["secret"])
    assert code(answer) == (409, "state_conflict")
    assert opens(api, key["secret"]) == 200
    assert code(api.call("DELETE", f"{path}?own=no", by=key["secret"])) == (422, "validation_failed")
    ended = api.done("DELETE", f"{path}?own=yes", by=key["secret"])
    assert ended["revoked_at"] is not None
    assert api.done("DELETE", path, by=cafe) == ended
    soon(401, lambda: opens(api, key["secret"]))
    assert code(api.call("POST", f"{path}/rotate", {}, by=cafe)) == (409, "state_conflict")


def test_a_restricted_key_gives_no_scope_that_it_lacks(api: Api) -> None:
    sk = listed(api)[0]
    maker = made(api, "keys:write", "keys:read", "records:read", label="maker")
    richer = made(api, "keys:write", "keys:read", "records:read", "sales:write", label="richer")
    everything = made(api, *SCOPES, label="all there is")
    by = maker["secret"]

    def wants(*scopes: str) -> Any:
        return api.call("POST", "/v1/api-keys", {"label": "x", "scopes": list(scopes)}, by=by)

    answer = wants("records:read", "sales:write")
    assert code(answer) == (403, "forbidden")
    assert answer.json()["facts"] == {"scope": "sales:write"}
    assert code(wants("everything")) == (422, "validation_failed")
    assert code(wants()) == (422, "validation_failed")
    assert wants("records:read").status_code == 200
    for other in (sk, richer, everything):
        assert code(api.call("POST", f"/v1/api-keys/{other['id']}/rotate", {}, by=by)) == (403, "forbidden")
        assert code(api.call("DELETE", f"/v1/api-keys/{other['id']}", by=by)) == (403, "forbidden")
    # not even one with every scope there is replaces a secret key, which will have those of tomorrow
    assert code(api.call("POST", f"/v1/api-keys/{sk['id']}/rotate", {}, by=everything["secret"])) == (403, "forbidden")
    assert api.call("POST", f"/v1/api-keys/{maker['id']}/rotate", {}, by=richer["secret"]).status_code == 200
    reader = made(api, "keys:read")["secret"]
    assert len(listed(api, by=reader)) == 7
    assert code(api.call("DELETE", f"/v1/api-keys/{sk['id']}", by=reader)) == (403, "forbidden")


def test_another_merchants_key_is_not_there(api: Api) -> None:
    key = made(api, "records:read")
    stranger = api.open_shop("stranger", book=api.open_book("other"))
    for by in (api.shops["grocer"].key, stranger.key):
        assert code(api.call("POST", f"/v1/api-keys/{key['id']}/rotate", {}, by=by)) == (404, "not_found")
        assert code(api.call("DELETE", f"/v1/api-keys/{key['id']}", by=by)) == (404, "not_found")
        assert key["id"] not in [k["id"] for k in listed(api, by=by)]
    of = f"/v1/operator/merchants/{api.shops['grocer'].id}/api-keys/{key['id']}"
    assert code(api.call("DELETE", of, by=api.maker)) == (404, "not_found")
    cursor = api.done("GET", "/v1/api-keys?limit=1", by=api.shops["cafe"].key)["next_cursor"]
    answer = api.call("GET", f"/v1/api-keys?cursor={cursor}", by=api.shops["grocer"].key)
    assert code(answer) == (400, "cursor_invalid")
    assert opens(api, key["secret"]) == 200


def test_a_merchant_has_so_many_living_keys(api: Api) -> None:
    cafe = api.shops["cafe"].key
    first = made(api, "records:read")
    with psycopg.connect(api.url) as conn:
        conn.execute(
            "insert into merchants.api_key select gen_random_uuid(), book_id, merchant_id, kind, label,"
            " sha256(g::text::bytea), last_four, scopes, created_at from merchants.api_key, generate_series(1, %s) g"
            " where label = 'kiosk'",
            [LARGEST_LIVE - 2],
        )
    body = {"label": "one more", "scopes": ["records:read"]}
    answer = api.call("POST", "/v1/api-keys", body, by=cafe)
    assert code(answer) == (422, "limit_exceeded")
    assert answer.json()["facts"] == {"limit": "keys", "allowed": LARGEST_LIVE, "asked": LARGEST_LIVE + 1}
    path = f"/v1/api-keys/{first['id']}/rotate"
    assert code(api.call("POST", path, {}, by=cafe)) == (422, "limit_exceeded")
    of = f"/v1/operator/merchants/{api.shops['cafe'].id}/api-keys"
    assert code(api.call("POST", of, {"label": "x"}, by=api.maker)) == (422, "limit_exceeded")
    # one that ends at once makes room for the one that replaces it
    api.done("POST", path, {"overlap_hours": 0}, by=cafe)
    page = api.done("GET", "/v1/api-keys?limit=100", by=cafe)
    assert len(page["data"]) == 100
    assert page["has_more"]
    rest = api.done("GET", f"/v1/api-keys?limit=100&cursor={page['next_cursor']}", by=cafe)
    assert (len(rest["data"]), rest["has_more"]) == (1, False)


def test_an_ended_key_leaves_no_child_in_its_last_second(api: Api) -> None:
    key = made(api, "keys:write", "records:read")
    assert opens(api, key["secret"]) == 200  # it is remembered from here on
    api.done("DELETE", f"/v1/api-keys/{key['id']}", by=api.shops["cafe"].key)
    body = {"label": "child", "scopes": ["records:read"]}
    assert code(api.call("POST", "/v1/api-keys", body, by=key["secret"])) == (401, "unauthenticated")
    path = f"/v1/api-keys/{key['id']}/rotate"
    assert code(api.call("POST", path, {}, by=key["secret"])) == (401, "unauthenticated")
    assert [k["label"] for k in listed(api)] == ["tills", "kiosk"]


def test_the_document_names_every_scope() -> None:
    told = (TREE / "docs" / "merchants.md").read_text()
    assert [scope for scope in SCOPES if f"`{scope}`" not in told] == []


def test_so_many_keys_are_made_in_a_day(api: Api) -> None:
    made(api, "records:read")
    with psycopg.connect(api.url) as conn:
        conn.execute(
            "insert into merchants.api_key select gen_random_uuid(), book_id, merchant_id, kind, label,"
            " sha256(g::text::bytea), last_four, scopes, created_at, null, now() from merchants.api_key,"
            " generate_series(1, %s) g where label = 'kiosk'",
            [LARGEST_DAY - 2],
        )
    answer = api.call("POST", "/v1/api-keys", {"label": "x", "scopes": ["records:read"]}, by=api.shops["cafe"].key)
    assert code(answer) == (422, "limit_exceeded")
    assert answer.json()["facts"]["limit"] == "keys made in a day"
    with psycopg.connect(api.url) as conn:
        conn.execute("update merchants.api_key set created_at = created_at - interval '25 hours'")
    made(api, "records:read")


def test_the_operator_sees_and_ends_a_merchants_keys(api: Api) -> None:
    key = made(api, "records:read")
    of = f"/v1/operator/merchants/{api.shops['cafe'].id}/api-keys"
    told = api.done("GET", of, by=api.approver)["data"]
    assert [k["id"] for k in told] == [k["id"] for k in listed(api)]
    ended = api.done("DELETE", f"{of}/{key['id']}", by=api.approver)
    assert ended["revoked_at"] is not None
    assert api.done("DELETE", f"{of}/{key['id']}", by=api.maker) == ended
    soon(401, lambda: opens(api, key["secret"]))


def test_an_ended_key_opens_no_other_process_after_a_second(api: Api) -> None:
    """A second gateway, with a memory of its own, that has just been asked."""
    key = made(api, "records:read")
    other = asgi.build_app(api.url, api.server.keys)
    with TestClient(other, raise_server_exceptions=False) as client:
        headers = {"Authorization": f"Bearer {key['secret']}"}

        def there() -> int:
            return int(client.get("/v1/records", headers=headers).status_code)

        assert there() == 200
        api.done("DELETE", f"/v1/api-keys/{key['id']}", by=api.shops["cafe"].key)
        ended_at = time.monotonic()
        while there() == 200:
            assert time.monotonic() - ended_at < 1.0
            time.sleep(0.02)
        assert there() == 401


@pytest.mark.row("F2")
def test_the_sandbox_has_its_own_data_and_its_own_clock(api: Api) -> None:
    """One network, live and test: a key opens one of them, and only the test book's clock is moved."""
    live = api.open_book("test", mode="live")
    shop = api.open_shop("live cafe", book=live)
    assert shop.key.startswith("sk_live_")
    assert api.shops["cafe"].key.startswith("sk_test_")
    ann = api.member()
    sold = api.sell(ann)
    assert code(api.call("GET", f"/v1/sales/{sold['id']}", by=shop.key)) == (404, "not_found")
    assert code(api.call("POST", "/v1/member-lookups", {"number": ann.number}, by=shop.key)) == (404, "not_found")
    before = datetime.fromisoformat(api.done("GET", f"/v1/operator/books/{live}", by=api.maker)["clock"])
    assert api.advance("2018-01-01T00:00:00Z").startswith("2018-01-01T00:00:00")
    assert api.done("GET", "/v1/me/balance", by=ann.token)["available"] == 0
    after = datetime.fromisoformat(api.done("GET", f"/v1/operator/books/{live}", by=api.maker)["clock"])
    assert timedelta(0) <= after - before < timedelta(minutes=5)
    to = {"advance_to": "2018-01-01T00:00:00Z"}
    answer = api.call("POST", f"/v1/operator/books/{live}/test-clock", to, by=api.maker)
    assert code(answer) == (409, "state_conflict")
