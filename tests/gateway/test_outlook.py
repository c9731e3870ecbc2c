"""The open window as an operator sees it: every position now, told again within a second of a purchase, and a forecast."""

import time
from collections.abc import Iterator

import psycopg
import pytest

from deploy import postgres
from tests.gateway.network import Api, new_key
from tests.gateway.test_windows import a_week, step
from tests.gateway.two_doors import TwoDoors, opened


def test_positions_of_the_open_window_sum_to_zero_and_its_end_is_forecast(api: Api) -> None:
    path = f"/v1/operator/books/{api.book}/positions"
    window = a_week(api)
    told = api.done("GET", path, by=api.maker)
    assert told["window"] == window
    assert {d["party"]: d["position"]["amount"] for d in told["data"]}[api.shops["cafe"].id] == -80
    assert sum(d["position"]["amount"] for d in told["data"]) == 0
    assert told["totals"]["gross"]["amount"] == sum(d["value"]["amount"] for d in told["matrix"])
    assert told["forecast"] is None  # no window was closed yet
    step(api, window, "close")
    assert api.call("GET", path, by=api.shops["cafe"].key).status_code == 401


@pytest.fixture
def house(server: postgres.Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoDoors]:
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute(f"create database manex_outlook template {template}")
    with opened(server.dsn("manex_outlook"), tmp_path_factory.mktemp("outlook"), None) as made:
        yield made


def test_a_purchase_is_seen_within_a_second_wherever_it_was_made(house: TwoDoors) -> None:
    api = house.api
    ann = api.member("+15550209999")
    with house.listen(0, f"/v1/operator/books/{api.book}/positions/events", api.maker) as listening:
        assert listening.status == 200
        first, ready = listening.many(2)
        assert (first.name, ready.name) == ("positions", "ready")
        time.sleep(1)
        quickest = 10.0
        before = {d["party"]: d["position"]["amount"] for d in first.data["data"]}
        for n in range(1, 4):
            began = time.monotonic()
            status, _, _ = house.send(1, "POST", "/v1/sales", api.shops["cafe"].key, api.sale(ann, 1_000), new_key())
            assert status == 200
            (heard,) = listening.many(1)
            quickest = min(quickest, time.monotonic() - began)
            now = {d["party"]: d["position"]["amount"] for d in heard.data["data"]}
            assert sum(now.values()) == 0
            assert now[api.shops["cafe"].id] == before.get(api.shops["cafe"].id, 0) - 10 * n  # the purchase fee
            time.sleep(0.6)
        assert quickest < 1
