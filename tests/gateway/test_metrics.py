"""`/metrics`: what a process counts, for whoever has the token, and nothing about anybody."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from deploy import asgi
from deploy.commands.operator import make_key
from gateway import metrics_page
from gateway.metrics import Counter, Histogram, Metrics, gauge, page
from gateway.server import Keys
from tests.gateway.network import Api, new_key

TOKEN = "a-token-for-the-metrics"

_SAMPLE = re.compile(r'[a-z_]+(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? -?[0-9.e+-]+')


@pytest.fixture
def watched(database_url: str, server_keys: Keys) -> Iterator[Api]:
    maker = make_key(database_url, "maker", frozenset({"maker"})).secret
    app = asgi.build_app(database_url, server_keys, metrics_token=TOKEN)
    with TestClient(app, raise_server_exceptions=False) as client:
        made = Api(client, app.state.server, database_url, maker, "")
        made.book = made.open_book()
        made.open_shop("cafe")
        yield made


def read(api: Api) -> dict[str, float]:
    answer = api.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert [line for line in lines if line[0] != "#" and not _SAMPLE.fullmatch(line)] == []
    named = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(named) == len(set(named))  # the samples of a metric stand together
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}


def test_requests_batches_replays_and_lag_are_counted(watched: Api) -> None:
    before = read(watched)
    body, key = watched.sale(), new_key()
    cafe = watched.shops["cafe"].key
    first = watched.done("POST", "/v1/sales", body, by=cafe, key=key)
    assert watched.done("POST", "/v1/sales", body, by=cafe, key=key) == first
    assert watched.call("POST", "/v1/sales", body, by=cafe).status_code == 400
    assert watched.call("GET", f"/v1/sales/{first['id']}", by=cafe).status_code == 200
    assert watched.client.get("/nowhere/at/all").status_code == 404
    after = read(watched)

    def grew(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    route = 'process="0",route="/v1/sales",method="POST"'
    assert grew(f'manex_http_requests_total{{{route},status="2xx"}}') == 2
    assert grew(f'manex_http_requests_total{{{route},status="4xx"}}') == 1
    assert grew('manex_http_requests_total{process="0",route="none",method="other",status="4xx"}') == 1
    assert grew(f'manex_http_request_seconds_bucket{{{route},le="+Inf"}}') == 3
    assert grew(f"manex_http_request_seconds_count{{{route}}}") == 3
    assert grew('manex_commit_batches_total{process="0"}') == 2
    assert grew('manex_commit_batch_size_bucket{process="0",le="1"}') == 2
    assert grew('manex_replayed_outcomes_total{process="0"}') == 1
    assert grew(f'manex_settlement_lag_records{{book="{watched.book}",mode="test"}}') == 1
    assert after['manex_commit_queue{process="0"}'] == 0
    assert after["manex_database_up"] == 1
    # paths are templates, and no label is an id of anybody
    shown = " ".join(after)
    assert "/v1/sales/{" in shown
    for prefix in ("mer_", "mem_", "sal_", "brn_", "key_"):
        assert prefix not in shown


@pytest.mark.parametrize("sent", [{}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {TOKEN}x"}])
def test_it_is_for_whoever_has_the_token(watched: Api, sent: dict[str, str]) -> None:
    answer = watched.client.get("/metrics", headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_without_a_token_it_is_not_there(api: Api) -> None:
    assert api.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 404


def test_it_answers_while_the_process_closes_and_while_the_database_is_away(server_keys: Keys, tmp_path: Path) -> None:
    app = asgi.build_app(f"host={tmp_path} dbname=nowhere", server_keys, metrics_token=TOKEN)
    with TestClient(app, raise_server_exceptions=False) as client:
        app.state.server.closing = True
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert "manex_database_up 0" in answer.text.splitlines()


def test_several_processes_are_one_page(tmp_path: Path) -> None:
    first, second = Counter("n_total", "N."), Counter("n_total", "N.")
    first.add()
    second.add(amount=5)
    metrics_page.leave(tmp_path, "1", [second.family("1")])
    metrics_page.leave(tmp_path, "0", [gauge("old", "Our own file is not read.", [({}, 1)])])
    (tmp_path / "2").write_text("half a fi")
    text = page([first.family("0"), *metrics_page.found(tmp_path, "0")]).decode()
    assert text.splitlines() == [
        "# HELP n_total N.",
        "# TYPE n_total counter",
        'n_total{process="0"} 1',
        'n_total{process="1"} 5',
    ]


def test_a_histogram_counts_up_to_each_bound() -> None:
    sizes = Histogram("s", "S.", (1.0, 2.5), "k")
    for number in (1, 2.5, 3):
        sizes.observe(number, 'a"b\\')
    name = '{process="0",k="a\\"b\\\\"'
    assert sizes.family("0").samples == [
        f's_bucket{name},le="1"}} 1',
        f's_bucket{name},le="2.5"}} 2',
        f's_bucket{name},le="+Inf"}} 3',
        f"s_sum{name}}} 6.5",
        f"s_count{name}}} 3",
    ]


def test_the_committer_tells_of_what_it_tries_again() -> None:
    metrics = Metrics("7")
    metrics.repeated("UniqueViolation")
    metrics.singly(3)
    assert metrics._repeats.family("7").samples == [
        'manex_commit_repeats_total{process="7",reason="UniqueViolation"} 1'
    ]
    assert metrics._singles.family("7").samples == ['manex_commit_singles_total{process="7"} 3']
