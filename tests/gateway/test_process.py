"""The real server process: uvicorn on loopback, with its keys in a directory of its own."""

import contextlib
import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from deploy import asgi, keys
from deploy.home import TREE
from gateway.server import Keys
from tests.gateway.network import Api, new_key


@pytest.fixture
def served(api: Api, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        plug.listen(128)
        os.set_inheritable(plug.fileno(), True)
        port = plug.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "deploy.asgi", "127.0.0.1", f"fd:{plug.fileno()}"],
            env={**os.environ, "PYTHONPATH": str(TREE), "MANEX_SERVE_URL": api.url, "MANEX_HOME": str(tmp_path)},
            pass_fds=[plug.fileno()],
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        yield process, port
    finally:
        process.kill()
        process.communicate()


def send(
    port: int, method: str, path: str, body: Any = None, *, timeout: float = 30, **headers: str
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        raw = None if body is None else json.dumps(body)
        told = {"Content-Type": "application/json"} if raw else {}
        connection.request(method, path, raw, told | {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_a_sale_over_a_socket_and_an_end_in_order(api: Api, served: tuple[subprocess.Popen[str], int]) -> None:
    process, port = served
    assert send(port, "GET", "/readyz") == (200, {"status": "ok"})
    cafe = f"Bearer {api.shops['cafe'].key}"

    def sell(_: int) -> int:
        return send(port, "POST", "/v1/sales", api.sale(), Authorization=cafe, Idempotency_Key=new_key())[0]

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(sell, range(40))) == {200}
    status, problem = send(port, "GET", "/v1/members/secret-thing?phone=09120000000", Authorization=cafe)
    assert (status, problem["code"]) == (404, "not_found")
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode in (0, -signal.SIGTERM)
    lines = [json.loads(line) for line in said.splitlines()]
    told = [line for line in lines if line.get("route") == "/v1/sales"]
    assert len(told) == 40
    assert set(told[0]) == {"time", "level", "logger", "request_id", "method", "route", "status", "ms"}
    assert "0912" not in said
    assert api.shops["cafe"].key not in said


def test_told_to_stop_it_finishes_the_batch_that_it_is_in_and_answers_it(
    api: Api, served: tuple[subprocess.Popen[str], int]
) -> None:
    process, port = served
    cafe = f"Bearer {api.shops['cafe'].key}"
    assert send(port, "GET", "/readyz")[0] == 200
    operations = [{"operation": "sale", "idempotency_key": new_key(), "body": api.sale()} for _ in range(3)]
    with ThreadPoolExecutor(1) as thread, psycopg.connect(api.url) as by_hand:
        by_hand.execute("select from ledger.head for update")  # the batch waits for it with its last statement
        asked = thread.submit(send, port, "POST", "/v1/batches", {"operations": operations}, Authorization=cafe)
        with psycopg.connect(api.url, autocommit=True) as looking:
            waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            until(lambda: looking.execute(waiting).fetchone() is not None)
        process.send_signal(signal.SIGTERM)
        until(lambda: turned_away(port))
        assert process.poll() is None
        assert not asked.done()
        by_hand.rollback()
        status, told = asked.result(30)
    assert (status, [outcome["status"] for outcome in told["outcomes"]]) == (200, [200] * 3)
    process.communicate(timeout=30)
    assert process.returncode in (0, -signal.SIGTERM)
    sold = [outcome["body"]["id"] for outcome in told["outcomes"]]
    with psycopg.connect(api.url) as looking:
        assert looking.execute("select count(*) from merchants.sale").fetchone() == (len(sold),)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def turned_away(port: int) -> bool:
    """New work is refused: with 503, or by nobody who listens."""
    try:
        return send(port, "GET", "/readyz", timeout=1)[0] == 503
    except (OSError, http.client.HTTPException):
        return True


def test_a_head_without_end_is_cut_off(served: tuple[subprocess.Popen[str], int]) -> None:
    _, port = served
    assert send(port, "GET", "/healthz", X_Long="a" * 20_000)[0] == 200
    for endless in (b"X-Long: " + 4_096 * b"a", b"GET /" + 4_096 * b"a", 200 * b"X: a\r\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            if not endless.startswith(b"GET"):
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
            sent = 0
            with contextlib.suppress(ConnectionError):
                while sent < 20_000_000:
                    connection.sendall(endless if sent == 0 or endless.startswith(b"X: ") else 4_096 * b"a")
                    sent += len(endless)
            assert sent < 20_000_000, "the server went on listening"
    assert send(port, "GET", "/healthz")[0] == 200


def test_a_server_that_is_told_to_stop_finishes_what_it_has_and_takes_nothing_new(api: Api) -> None:
    api.server.closing = True
    for path in ("/readyz", "/v1/records"):
        answer = api.call("GET", path, by=api.shops["cafe"].key)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    assert api.call("GET", "/healthz").status_code == 200


def test_a_fault_of_ours_says_nothing_of_itself(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("phone 09120000000")

    monkeypatch.setattr(type(api.server.cursors), "read", broken)
    answer = api.call("GET", "/v1/records", by=api.shops["cafe"].key)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "0912" not in answer.text


def test_a_server_ends_with_its_parent(api: Api, tmp_path: Path) -> None:
    """The parent is killed, and the kernel tells the child."""
    start = (
        "import subprocess, sys, time;"
        "p = subprocess.Popen([sys.executable, '-P', '-m', 'deploy.asgi', '127.0.0.1', '0']);"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-P", "-c", start],
        env={**os.environ, "PYTHONPATH": str(TREE), "MANEX_SERVE_URL": api.url, "MANEX_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    deadline = time.monotonic() + 30
    while not (tmp_path / "keys" / "cursors.key").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    parent.kill()
    parent.communicate()
    while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_keys_are_made_once_and_are_their_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MANEX_KEYS_DIR", raising=False)
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: keys.load(tmp_path), range(8)))
    assert len(found) == 1
    place = tmp_path / "keys"
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in place.iterdir()} == {0o600}
    made = ["codes.key", "cursors.key", "proof-19700101T000000Z.pem", "salts.key", "signing.pem", "spend.key"]
    assert sorted(file.name for file in place.iterdir()) == made


def test_without_a_database_the_process_is_healthy_and_not_ready(server_keys: Keys, tmp_path: Path) -> None:
    app = asgi.build_app(f"host={tmp_path} dbname=nowhere", server_keys)
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/healthz").status_code == 200
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
