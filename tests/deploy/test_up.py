"""`manex up`: real processes on a real socket, crashed, watched and stopped."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.commands.operator import make_key
from deploy.home import TREE
from deploy.up import Place
from tests.redis_server import RedisServer

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the gateways in /proc")


class Up:
    """A house that serves, on a database of the test's."""

    def __init__(self, process: subprocess.Popen[str], port: int, home: Path) -> None:
        self.process = process
        self.port = port
        self.home = home

    def get(self, path: str, key: str = "") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def ready(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                if self.get("/readyz")[0] == 200:
                    return
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def gateways(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if b"deploy.asgi" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def ended(self) -> list[Any]:
        """Its log, once it has ended."""
        _, said = self.process.communicate(timeout=30)
        return [json.loads(line) for line in said.splitlines()]


def start(url: str, home: Path, *words: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "deploy", "up", *words],
        env={**os.environ, "PYTHONPATH": str(TREE), "MANEX_HOME": str(home), "MANEX_DATABASE_URL": url, **environ},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        return int(plug.getsockname()[1])


@pytest.fixture
def up(database_url: str, tmp_path: Path) -> Iterator[Up]:
    port = free_port()
    process = start(database_url, tmp_path, "--port", str(port), "--processes", "2")
    try:
        yield Up(process, port, tmp_path)
    finally:
        process.kill()
        process.communicate()


def test_it_serves_mends_itself_and_ends_in_order(up: Up, database_url: str) -> None:
    up.ready()
    key = make_key(database_url, "mina", frozenset({"maker"})).secret
    assert up.get("/v1/operator/books", key) == (200, '{"data":[]}')
    both = up.gateways()
    assert len(both) == 2
    os.kill(both[0], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while len(now := up.gateways()) < 2 or both[0] in now:
        assert up.get("/healthz")[0] == 200  # the other one answers meanwhile
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert both[1] in now
    token = (up.home / "keys" / "metrics.token").read_text()
    while not {'process="0"', 'process="1"'} <= set(up.get("/metrics", token)[1].replace("{", ",").split(",")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    up.process.send_signal(signal.SIGTERM)
    said = up.ended()
    assert up.process.returncode == 0
    assert any("died (-9); starting it again" in line.get("message", "") for line in said)
    assert said[-1]["message"] == "stopped"
    assert next(line["route"] for line in said if line["logger"] == "manex.access") == "/readyz"
    assert not any(Path(f"/proc/{pid}").exists() for pid in now)


def test_its_gateways_share_the_redis_that_is_configured(database_url: str, tmp_path: Path) -> None:
    port, redis = free_port(), RedisServer()
    try:
        redis.start()
        process = start(database_url, tmp_path, "--port", str(port), "--processes", "2", MANEX_REDIS_URL=redis.url)
        house = Up(process, port, tmp_path)
        try:
            house.ready()
            token = (tmp_path / "keys" / "metrics.token").read_text()
            wanted = {f'manex_redis_up{{process="{number}"}} 1' for number in (0, 1)}
            deadline = time.monotonic() + 20
            while not wanted <= set(house.get("/metrics", token)[1].splitlines()):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            house.ended()
            assert process.returncode == 0
        finally:
            process.kill()
            process.communicate()
    finally:
        redis.close()


def test_its_gateways_end_with_it(up: Up) -> None:
    up.ready()
    gateways = up.gateways()
    up.process.kill()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() and zombie(pid) is False for pid in gateways):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def zombie(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def test_while_it_drains_it_says_so(database_url: str, tmp_path: Path) -> None:
    port = free_port()
    process = start(database_url, tmp_path, "--port", str(port), MANEX_DRAIN_SECONDS="2", MANEX_LOG_LEVEL="warning")
    house = Up(process, port, tmp_path)
    try:
        house.ready()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/readyz")
        assert connection.getresponse().read() == b'{"status":"ok"}'
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        for path, status in (("/readyz", 503), ("/v1/operator/books", 503), ("/healthz", 200)):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status, path
        connection.close()
        assert house.ended() == []  # nothing above the level that was asked for
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("words", "environ", "code", "told"),
    [
        ([], {"MANEX_PORT": "http"}, 2, "MANEX_PORT should be"),
        ([], {"MANEX_PROCESES": "2"}, 2, "there is no MANEX_PROCESES"),
        (["--port", "TAKEN"], {}, 1, "cannot be listened on"),
        (["--host", "192.0.2.1"], {}, 1, "cannot be listened on"),
    ],
)
def test_a_start_that_fails_says_why(
    tmp_path: Path, words: list[str], environ: dict[str, str], code: int, told: str
) -> None:
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        plug.listen()
        taken = str(plug.getsockname()[1])
        process = start("dbname=none", tmp_path, *(taken if word == "TAKEN" else word for word in words), **environ)
        _, said = process.communicate(timeout=20)
    assert process.returncode == code, said
    assert told in said
    assert "Traceback" not in said


def test_a_gateway_that_keeps_dying_is_waited_for_longer_and_then_given_up() -> None:
    place = Place("gateway 0", "0", ())
    pauses = [place.died(float(second)) for second in range(10)]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]
    hopeless = [place.hopeless]
    for second in (10.0, 1_000.0):  # what was long ago is forgotten
        place.died(second)
        hopeless.append(place.hopeless)
    assert hopeless == [False, True, False]
