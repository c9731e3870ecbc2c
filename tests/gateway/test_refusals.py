"""What the doors refuse, each with its status and code. One network for a whole table: nothing here changes it."""

from typing import Any

import msgspec
import pytest

from gateway.problems import KINDS
from tests.gateway.network import Api, new_key

NOBODY = 32 * "0"


def answer_of(answer: Any) -> tuple[int, str, str | None]:
    """(status, code, pointer) of a problem that is whole: its status, media type, path and request id agree."""
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == answer.status_code == KINDS[problem["code"]].status
    assert problem["type"] == f"/problems/{problem['code']}"
    assert problem["request_id"] == answer.headers["request-id"]
    assert problem["instance"] == answer.url.path
    assert problem["retryable"] == KINDS[problem["code"]].retryable
    errors = problem["errors"]
    return answer.status_code, problem["code"], errors[0]["pointer"] if errors else None


def test_bodies(api: Api) -> None:
    cafe = api.shops["cafe"].key
    good = api.sale(api.member(), 1_000)
    usd = {"currency": "USD"}

    def with_amount(amount: Any) -> Any:
        return good | {"total": {"amount": amount, **usd}}

    def line(amount: Any) -> Any:
        return good | {"lines": [{"amount": {"amount": 400, **usd}}, {"amount": {"amount": amount, **usd}}]}

    table: dict[str, tuple[Any, tuple[int, str, str | None]]] = {
        "negative amount": (with_amount(-1), (422, "validation_failed", "/total/amount")),
        "fraction": (with_amount(10.5), (422, "validation_failed", "/total/amount")),
        "whole number written as a fraction": (with_amount(10.0), (422, "validation_failed", "/total/amount")),
        "huge": (with_amount(10**30), (422, "validation_failed", "/total/amount")),
        "over the limit": (with_amount(10**9 + 1), (422, "validation_failed", "/total/amount")),
        "text": (with_amount("1000"), (422, "validation_failed", "/total/amount")),
        "true": (with_amount(True), (422, "validation_failed", "/total/amount")),
        "null": (with_amount(None), (422, "validation_failed", "/total/amount")),
        "another currency": (
            good | {"total": {"amount": 5, "currency": "EUR"}},
            (422, "validation_failed", "/total/currency"),
        ),
        "no currency": (good | {"total": {"amount": 5}}, (422, "validation_failed", "/total/currency")),
        "unknown field": (good | {"discount": 5}, (422, "unknown_field", "/discount")),
        "unknown field inside": (
            good | {"total": {"amount": 5, "tax": 1, **usd}},
            (422, "unknown_field", "/total/tax"),
        ),
        "a fraction in a line": (line(1.5), (422, "validation_failed", "/lines/1/amount/amount")),
        "lines that do not sum": (line(400), (422, "validation_failed", "/lines")),
        "payments that do not sum": (
            good | {"payments": [{"type": "cash", "amount": {"amount": 999, **usd}}]},
            (422, "validation_failed", "/payments"),
        ),
        "points without a redemption": (
            good | {"payments": [{"type": "points", "amount": {"amount": 1_000, **usd}}]},
            (422, "validation_failed", "/payments/0/redemption"),
        ),
        "no branch": ({k: v for k, v in good.items() if k != "branch"}, (422, "validation_failed", "/branch")),
        "a till of nobody": (good | {"till": f"til_{NOBODY}"}, (404, "not_found", "/till")),
        "no id at all": (good | {"branch": "main"}, (404, "not_found", "/branch")),
        "an id of another kind": (good | {"branch": api.shops["cafe"].id}, (404, "not_found", "/branch")),
        "a member of nobody": (good | {"member": f"mem_{NOBODY}"}, (404, "not_found", "/member")),
        "a wrong check digit": (good | {"member": "123456789012"}, (404, "not_found", "/member")),
        "NUL": (good | {"external_reference": "a\0b"}, (422, "validation_failed", "/external_reference")),
        "NUL in a name": (good | {"a\0": 1}, (422, "validation_failed", "")),
        "a control character": (
            good | {"external_reference": "a\nb"},
            (422, "validation_failed", "/external_reference"),
        ),
        "a line feed at the end": (
            good | {"external_reference": "ab\n"},
            (422, "validation_failed", "/external_reference"),
        ),
        "an empty reference": (good | {"external_reference": ""}, (422, "validation_failed", "/external_reference")),
        "a time without zone": (
            good | {"occurred_at": "2017-01-01T00:00:00"},
            (422, "validation_failed", "/occurred_at"),
        ),
        "a time of no age": (
            good | {"occurred_at": "0001-01-01T00:00:00+14:00"},
            (422, "validation_failed", "/occurred_at"),
        ),
        "a number for a time": (good | {"occurred_at": 1_483_228_800}, (422, "validation_failed", "/occurred_at")),
        "no object": ([good], (422, "validation_failed", "")),
    }
    got = {
        name: answer_of(
            api.call(
                "POST",
                "/v1/sales",
                content=msgspec.json.encode(body)
                if name != "huge"
                else msgspec.json.encode(good).replace(b'"amount":1000', b'"amount":1' + 30 * b"0"),
                by=cafe,
                key=new_key(),
            )
        )
        for name, (body, _) in table.items()
    }
    assert got == {name: wanted for name, (_, wanted) in table.items()}


def test_bytes(api: Api) -> None:
    cafe = api.shops["cafe"].key
    good = msgspec.json.encode(api.sale())
    table = {
        "cut off": (good[:-1], (400, "malformed_request", None)),
        "not UTF-8": (good.replace(b"USD", b"US\xff"), (400, "malformed_request", None)),
        "no JSON": (b"total=5", (400, "malformed_request", None)),
        "NaN": (good.replace(b"5000", b"NaN"), (400, "malformed_request", None)),
        "a name twice": (good[:-1] + b',"branch":"x"}', (400, "malformed_request", None)),
        "a name twice, escaped": (good[:-1] + b',"br\\u0061nch":"x"}', (400, "malformed_request", None)),
        "half a character": (good[:-1] + b',"member":"\\ud800"}', (400, "malformed_request", None)),
        "deep": (good[:-1] + b',"lines":' + 40 * b"[" + 40 * b"]" + b"}", (400, "malformed_request", None)),
        "very deep": (200_000 * b"[", (400, "malformed_request", None)),
        "two documents": (good + good, (400, "malformed_request", None)),
        "too large": (good + 300_000 * b" ", (413, "too_large", None)),
        "nothing": (b"", (422, "validation_failed", "/branch")),
    }
    got = {
        name: answer_of(api.call("POST", "/v1/sales", content=raw, by=cafe, key=new_key()))
        for name, (raw, _) in table.items()
    }
    assert got == {name: wanted for name, (_, wanted) in table.items()}


def test_a_body_that_grows_past_the_limit_is_refused_whatever_length_was_told(api: Api) -> None:
    chunks = (b" " * 65_536 for _ in range(100))
    headers = {"Authorization": f"Bearer {api.shops['cafe'].key}", "Idempotency-Key": new_key()}
    headers |= {"Content-Type": "application/json"}
    answer = api.client.request("POST", "/v1/sales", content=chunks, headers=headers)
    assert answer_of(answer) == (413, "too_large", None)


def test_headers(api: Api) -> None:
    cafe, key = api.shops["cafe"].key, new_key()
    raw = msgspec.json.encode(api.sale())
    table: dict[str, tuple[dict[str, str], tuple[int, str]]] = {
        "no credential": ({"Idempotency-Key": key}, (401, "unauthenticated")),
        "another scheme": ({"Authorization": "Basic eA=="}, (401, "unauthenticated")),
        "a key that is none": ({"Authorization": "Bearer sk_test_" + 32 * "x"}, (401, "unauthenticated")),
        "an operator's key": ({"Authorization": f"Bearer {api.maker}"}, (401, "unauthenticated")),
        "no idempotency key": ({"Authorization": f"Bearer {cafe}"}, (400, "idempotency_key_missing")),
        "a short one": ({"Authorization": f"Bearer {cafe}", "Idempotency-Key": "short"}, (400, "malformed_request")),
        "a long one": ({"Authorization": f"Bearer {cafe}", "Idempotency-Key": 65 * "a"}, (400, "malformed_request")),
        "half a quote": ({"Authorization": f"Bearer {cafe}", "Idempotency-Key": f'"{key}'}, (400, "malformed_request")),
        "a blank in it": (
            {"Authorization": f"Bearer {cafe}", "Idempotency-Key": "a b" * 8},
            (400, "malformed_request"),
        ),
        "a form": (
            {"Authorization": f"Bearer {cafe}", "Idempotency-Key": key, "Content-Type": "text/plain"},
            (415, "unsupported_media_type"),
        ),
        "another charset": (
            {"Authorization": f"Bearer {cafe}", "Idempotency-Key": key}
            | {"Content-Type": "application/json; charset=utf-16"},
            (415, "unsupported_media_type"),
        ),
        "packed": (
            {"Authorization": f"Bearer {cafe}", "Idempotency-Key": key, "Content-Encoding": "gzip"},
            (415, "unsupported_media_type"),
        ),
    }
    got = {
        name: answer_of(api.call("POST", "/v1/sales", content=raw, headers=headers))[:2]
        for name, (headers, _) in table.items()
    }
    assert got == {name: wanted for name, (_, wanted) in table.items()}


def test_a_credential_is_looked_at_before_anything_that_was_sent(api: Api) -> None:
    assert answer_of(api.call("POST", "/v1/sales", content=b"{")) == (401, "unauthenticated", None)
    reader = api.restricted("cafe", "records:read")
    assert answer_of(api.call("POST", "/v1/sales", content=b"{", by=reader)) == (403, "forbidden", None)


def test_paths(api: Api) -> None:
    cafe = api.shops["cafe"].key
    sold = api.sell(api.member())
    table: dict[tuple[str, str], tuple[int, str]] = {
        ("GET", "/v1/nothing"): (404, "not_found"),
        ("GET", "/v1/sales/"): (404, "not_found"),
        ("DELETE", f"/v1/sales/{sold['id']}"): (405, "method_not_allowed"),
        ("GET", "/v1/sales"): (405, "method_not_allowed"),
        ("GET", f"/v1/sales/sal_{NOBODY}"): (404, "not_found"),
        ("GET", f"/v1/sales/{sold['record']}"): (404, "not_found"),
        ("GET", f"/v1/sales/{sold['id'].upper()}"): (404, "not_found"),
        ("GET", "/v1/sales/sal_%00"): (404, "not_found"),
        ("GET", "/v1/records?limit=0"): (422, "validation_failed"),
        ("GET", "/v1/records?limit=101"): (422, "validation_failed"),
        ("GET", "/v1/records?limit=x"): (422, "validation_failed"),
        ("GET", "/v1/records?limit=1&limit=2"): (400, "malformed_request"),
        ("GET", "/v1/records?colour=red"): (422, "unknown_field"),
        ("GET", "/v1/position?limit=1"): (422, "unknown_field"),
        ("GET", "/v1/records?cursor=%00"): (422, "validation_failed"),
        ("GET", "/v1/records?cursor=%ff"): (400, "malformed_request"),
        ("GET", "/v1/records?cursor=abc"): (400, "cursor_invalid"),
        ("GET", "/v1/records?cursor=" + 80 * "A"): (400, "cursor_invalid"),
        ("GET", f"/v1/statements/stm_{NOBODY}"): (404, "not_found"),
    }
    got = {case: answer_of(api.call(*case, by=cafe))[:2] for case in table}
    assert got == table
    assert api.call("GET", "/v1/sales", by=cafe).headers["Allow"] == "POST"


def test_a_cursor_is_good_for_its_own_list_and_caller_only(api: Api) -> None:
    ann = api.member()
    for _ in range(3):
        api.sell(ann)
    cafe, grocer = api.shops["cafe"].key, api.shops["grocer"].key
    cursor = api.done("GET", "/v1/records?limit=1", by=cafe)["next_cursor"]
    assert api.call("GET", f"/v1/records?cursor={cursor}", by=cafe).status_code == 200
    turned = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for path, by in ((f"/v1/records?cursor={cursor}", grocer), (f"/v1/records?cursor={turned}", cafe)):
        assert answer_of(api.call("GET", path, by=by)) == (400, "cursor_invalid", None)
    assert answer_of(api.call("GET", f"/v1/me/records?cursor={cursor}", by=ann.token))[1] == "cursor_invalid"


def test_what_belongs_to_others_is_not_there(api: Api) -> None:
    ann = api.member()
    sold = api.sell(ann)
    held = api.done("POST", "/v1/redemptions", api.redemption(ann, 5), by=api.shops["cafe"].key, key=new_key())
    other = api.open_book("other")
    stranger = api.open_shop("stranger", book=other)
    elsewhere = api.call("POST", "/v1/members", {"phone": "+15550100777"}, by=stranger.key).json()
    for by in (api.shops["grocer"].key, stranger.key):
        for path in (f"/v1/sales/{sold['id']}", f"/v1/records/{sold['record']}", f"/v1/redemptions/{held['id']}"):
            assert answer_of(api.call("GET", path, by=by))[1] == "not_found", path
        for step in ("capture", "void"):
            path = f"/v1/redemptions/{held['id']}/{step}"
            assert answer_of(api.call("POST", path, {}, by=by, key=new_key()))[1] == "not_found", path
        sale = api.sale() | {"branch": api.shops["cafe"].branch}
        assert answer_of(api.call("POST", "/v1/sales", sale, by=by, key=new_key())) == (404, "not_found", "/branch")
    foreign = api.sale() | {"member": elsewhere["id"]}
    cafe = api.shops["cafe"].key
    assert answer_of(api.call("POST", "/v1/sales", foreign, by=cafe, key=new_key())) == (404, "not_found", "/member")
    asked = {"number": elsewhere["number"]}
    assert answer_of(api.call("POST", "/v1/member-lookups", asked, by=cafe)) == (404, "not_found", "/number")


@pytest.mark.row("A2")
def test_redemptions_are_refused_in_their_documented_order(api: Api) -> None:
    ann = api.member()
    api.sell(ann, 1_000)
    cafe = api.shops["cafe"].key

    def refused(**more: Any) -> tuple[int, str, str | None]:
        asked = {k: v for k, v in (api.redemption(ann, 1) | more).items() if v is not None}
        return answer_of(api.call("POST", "/v1/redemptions", asked, by=cafe, key=new_key()))

    assert refused(points=0) == (422, "validation_failed", "/points")
    assert refused(points=None) == (422, "validation_failed", "/points")
    assert refused(value={"amount": 1, "currency": "USD"}) == (422, "validation_failed", "/points")
    assert refused(spend_code="000000")[1] == "consent_required"
    api.done("PUT", "/v1/me/spend-lock", {"locked": True}, by=ann.token)
    assert refused(spend_code="000000") == (403, "spend_locked", None)
    api.done("PUT", "/v1/me/spend-lock", {"locked": False}, by=ann.token)
    assert refused(points=11) == (422, "insufficient_points", None)
    api.done("POST", "/v1/redemptions", api.redemption(ann, 1), by=cafe, key=new_key())
    assert refused() == (409, "code_already_used", None)
