"""Rates: who goes too fast is told when to come back."""

import time
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from deploy import asgi
from gateway.limits import Limiter, Rate
from gateway.server import STRANGERS, TEST, Keys, Settings
from tests.gateway.network import Api


def test_a_bucket_fills_as_time_goes_by() -> None:
    now = 0.0
    limiter = Limiter(Rate(2, 10), clock=lambda: now)
    assert [limiter.take_here("a") for _ in range(3)] == [(1, 0), (0, 0), (0, 5)]
    assert limiter.take_here("b").wait_seconds == 0
    now = 5.0
    assert limiter.take_here("a") == (0, 0)
    now = 1_000.0
    assert limiter.take_here("a", 5) == (0, 0), "a full bucket lets more than it holds pass"
    assert limiter.take_here("a").wait_seconds == 20


def test_what_is_remembered_is_bounded() -> None:
    limiter = Limiter(Rate(1, 1_000_000), names=2)
    for name in ("a", "b", "c", "a"):
        assert limiter.take_here(name).wait_seconds == 0
    assert limiter.take_here("a").wait_seconds > 0


@pytest.fixture
def slow(api: Api, server_keys: Keys) -> TestClient:
    """Another server on the same database, for the patient."""
    rates = replace(TEST, key=Rate(2, 60), code=Rate(2, 60), enrolment=Rate(1, 3_600))
    settings = Settings(test=rates, strangers=replace_rate(STRANGERS, 3))
    return TestClient(asgi.build_app(api.url, server_keys, settings))


def replace_rate(rate: Rate, quota: int) -> Rate:
    return rate._replace(quota=quota)


def test_a_key_that_goes_too_fast_is_told_when_to_come_back(api: Api, slow: TestClient) -> None:
    with slow as client:
        headers = {"Authorization": f"Bearer {api.shops['cafe'].key}"}
        answers = [client.get("/v1/records", headers=headers) for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"2-in-60s";q=2;w=60'
    assert answers[0].headers["RateLimit"] == '"2-in-60s";r=1;t=60'
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 30
    assert (answers[2].json()["code"], answers[2].json()["retryable"]) == ("rate_limited", True)


def test_a_key_that_enrols_too_many_waits_and_goes_on_selling(api: Api, slow: TestClient) -> None:
    headers = {"Authorization": f"Bearer {api.shops['cafe'].key}"}
    other = {"Authorization": f"Bearer {api.shops['grocer'].key}"}
    with slow as client:
        enrolled = [
            client.post("/v1/members", json={"phone": f"+1555010012{n}"}, headers=who)
            for n, who in enumerate((headers, headers, other))
        ]
    assert [a.status_code for a in enrolled] == [200, 429, 200]
    assert int(enrolled[1].headers["Retry-After"]) > 3_500


def test_an_address_that_asks_for_many_codes_waits(slow: TestClient) -> None:
    with slow as client:
        asked = [client.post("/v1/auth/otp", json={"phone": f"+1555010012{n}"}) for n in range(3)]
    assert [a.status_code for a in asked] == [200, 200, 429]


def test_an_address_that_guesses_waits_before_the_database_is_asked_again(api: Api, slow: TestClient) -> None:
    with slow as client:
        guesses = [
            client.get("/v1/records", headers={"Authorization": f"Bearer sk_test_{n:032}"}).status_code
            for n in range(5)
        ]
        headers = {"Authorization": f"Bearer {api.shops['cafe'].key}"}
        assert client.get("/v1/records", headers=headers).status_code == 429
    assert guesses == [401, 401, 401, 429, 429]


def test_a_key_that_was_good_before_is_not_shut_out_by_a_neighbours_guesses(api: Api, slow: TestClient) -> None:
    headers = {"Authorization": f"Bearer {api.shops['cafe'].key}"}
    with slow as client:
        assert client.get("/v1/records", headers=headers).status_code == 200
        for n in range(4):
            client.get("/v1/records", headers={"Authorization": f"Bearer sk_test_{n:032}"})
        time.sleep(1.05)
        assert client.get("/v1/records", headers=headers).status_code == 200
