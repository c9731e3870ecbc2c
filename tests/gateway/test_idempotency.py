"""Idempotency to the letter: one effect, one answer, the same bytes."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.gateway.network import Api, new_key


@pytest.mark.row("A1")
def test_a_replay_has_the_same_status_and_bytes_and_says_so(api: Api) -> None:
    cafe, key, body = api.shops["cafe"].key, new_key(), api.sale(api.member())
    first = api.call("POST", "/v1/sales", body, by=cafe, key=key)
    again = api.call("POST", "/v1/sales", body, by=cafe, key=f'"{key}"')
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")


def test_a_refusal_that_the_posting_decided_is_repeated_with_its_first_request_id(api: Api) -> None:
    cafe, key, ann = api.shops["cafe"].key, new_key(), api.member()
    body = api.redemption(ann, 1_000)
    first = api.call("POST", "/v1/redemptions", body, by=cafe, key=key)
    assert (first.status_code, first.json()["code"]) == (422, "insufficient_points")
    assert first.json()["facts"] == {"needed": 1_000, "available": 0}
    again = api.call("POST", "/v1/redemptions", body, by=cafe, key=key)
    assert again.content == first.content
    assert first.json()["request_id"] == first.headers["Request-Id"] != again.headers["Request-Id"]


def test_what_a_door_refused_is_not_kept(api: Api) -> None:
    cafe, key = api.shops["cafe"].key, new_key()
    wrong = api.sale(branch="brn_" + 32 * "0")
    assert api.call("POST", "/v1/sales", wrong, by=cafe, key=key).status_code == 404
    assert api.call("POST", "/v1/sales", api.sale(amount=-5), by=cafe, key=key).status_code == 422
    assert api.call("POST", "/v1/sales", api.sale(), by=cafe, key=key).status_code == 200


def test_the_same_key_with_another_body_is_refused(api: Api) -> None:
    cafe, key, body = api.shops["cafe"].key, new_key(), api.sale()
    assert api.call("POST", "/v1/sales", body, by=cafe, key=key).status_code == 200
    other = api.call("POST", "/v1/sales", api.sale(), by=cafe, key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_bodies_that_mean_the_same_are_the_same(api: Api) -> None:
    cafe, key, branch = api.shops["cafe"].key, new_key(), api.shops["cafe"].branch
    one = '{"branch":"BRANCH","external_reference":"x/1","total":{"amount":100,"currency":"USD"}}'
    two = '{ "total": {"currency": "USD", "amount": 100}, "external_reference": "x\\/1", "branch": "BRANCH" }'
    first = api.call("POST", "/v1/sales", content=one.replace("BRANCH", branch).encode(), by=cafe, key=key)
    again = api.call("POST", "/v1/sales", content=two.replace("BRANCH", branch).encode(), by=cafe, key=key)
    assert (first.status_code, again.content) == (200, first.content)


def test_a_key_belongs_to_its_merchant_not_to_its_credential(api: Api) -> None:
    key, body = new_key(), api.sale()
    path = f"/v1/operator/merchants/{api.shops['cafe'].id}/api-keys"
    other_till = api.done("POST", path, {"label": "second"}, by=api.maker)["secret"]
    first = api.call("POST", "/v1/sales", body, by=api.shops["cafe"].key, key=key)
    assert api.call("POST", "/v1/sales", body, by=other_till, key=key).content == first.content
    grocers = api.call("POST", "/v1/sales", api.sale(shop="grocer"), by=api.shops["grocer"].key, key=key)
    assert (grocers.status_code, grocers.headers.get("Idempotent-Replayed")) == (200, None)


def test_the_same_reference_under_another_key_names_the_sale_there_is(api: Api) -> None:
    cafe, body = api.shops["cafe"].key, api.sale()
    first = api.done("POST", "/v1/sales", body, by=cafe, key=new_key())
    twice = api.call("POST", "/v1/sales", body, by=cafe, key=new_key())
    assert (twice.status_code, twice.json()["code"]) == (409, "duplicate_reference")
    assert twice.json()["facts"] == {"existing": first["id"]}
    assert twice.json()["errors"][0]["pointer"] == "/external_reference"


@pytest.mark.row("A1")
def test_twins_at_once_have_one_effect_and_one_answer(api: Api) -> None:
    cafe, key, ann = api.shops["cafe"].key, new_key(), api.member()
    body = api.sale(ann, 1_000)
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: api.call("POST", "/v1/sales", body, by=cafe, key=key), range(20)))
    assert {(a.status_code, a.content) for a in answers} == {(200, answers[0].content)}
    assert sum(a.headers.get("Idempotent-Replayed") is None for a in answers) == 1
    assert api.done("GET", "/v1/me/balance", by=ann.token)["available"] == 10


def test_operators_steps_and_topups_are_repeated_alike(api: Api) -> None:
    path = f"/v1/operator/merchants/{api.shops['cafe'].id}/topups"
    body, key = {"amount": {"amount": 500, "currency": "USD"}, "reference": "t-1"}, new_key()
    first = api.call("POST", path, body, by=api.maker, key=key)
    assert first.json()["prefund"]["amount"] == 500
    assert api.call("POST", path, body, by=api.maker, key=key).content == first.content
