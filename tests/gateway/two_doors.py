"""Two gateway processes on one database, with or without a Redis between them."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

import ledger
from deploy import asgi, keys
from deploy.commands.audit import audited
from deploy.commands.operator import make_key
from deploy.home import TREE
from merchants import contracts
from tests.gateway.listening import Listening
from tests.gateway.network import Api


@dataclass
class TwoDoors:
    """The two processes, and the application in this process to set things up with: a third one of the house."""

    api: Api
    processes: list[subprocess.Popen[bytes]]
    ports: list[int]
    home: Path

    def send(
        self, gateway: int, method: str, path: str, by: str, body: Any = None, key: str | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[gateway % 2], timeout=60)
        headers = {"Authorization": f"Bearer {by}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null"), {k.lower(): v for k, v in answer.getheaders()}

    def listen(self, gateway: int, path: str, by: str, after: int | None = None, seconds: float = 10) -> Listening:
        return Listening(self.ports[gateway], path, by, after, seconds)

    def metric(self, gateway: int, name: str) -> float:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[gateway], timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
            lines = connection.getresponse().read().decode().splitlines()
        found = [line for line in lines if line.startswith(name + "{")]
        assert len(found) == 1, (name, found)
        return float(found[0].rpartition(" ")[2])

    def until(self, name: str, value: float, gateways: tuple[int, ...] = (0, 1), seconds: float = 10) -> None:
        """Wait until the metric says so at those processes."""
        deadline = time.monotonic() + seconds
        while any(self.metric(gateway, name) != value for gateway in gateways):
            assert time.monotonic() < deadline, name
            time.sleep(0.05)

    def revoke(self, key: str, *, told: bool = True) -> None:
        """End a merchant's key at the process of this test: in the database, then to the neighbours."""
        server = self.api.server
        with server.db.tx("door") as tx:
            found = contracts.keys.authenticate(tx, key)
            assert found is not None
            book = ledger.read_book(tx, found.book_id)
            assert not isinstance(contracts.keys.revoke(tx, book, found.merchant_id, found.id), ledger.Refusal)
        if told:
            portal = self.api.client.portal
            assert portal is not None
            portal.call(server.key_ended, found.id)

    def clean(self) -> None:
        report = audited(self.api.url)
        assert report.clean, [finding for finding in report.findings if not finding.ok]


METRICS_TOKEN = "a-token-for-the-metrics"


@contextlib.contextmanager
def opened(
    url: str, home: Path, redis_url: str | None = None, *, wait: bool = True, environ: Mapping[str, str] | None = None
) -> Iterator[TwoDoors]:
    """`wait`: until both have found Redis."""
    server_keys = keys.load(home)
    maker = make_key(url, "maker", frozenset({"maker", "auditor"})).secret
    approver = make_key(url, "approver", frozenset({"approver"})).secret
    app = asgi.build_app(url, server_keys, redis_url=redis_url)
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(TestClient(app, raise_server_exceptions=False))
        api = Api(client, app.state.server, url, maker, approver)
        api.book = api.open_book()
        for shop in ("cafe", "grocer"):
            api.open_shop(shop)
        more = {"MANEX_REDIS_URL": redis_url or "", "MANEX_METRICS_TOKEN": METRICS_TOKEN} | dict(environ or {})
        pairs = [stack.enter_context(_gateway(url, home, more)) for _ in range(2)]
        doors = TwoDoors(api, [process for process, _ in pairs], [port for _, port in pairs], home)
        with ThreadPoolExecutor(2) as both:
            told = list(both.map(lambda i: doors.send(i, "GET", "/readyz", "nobody")[0], range(2)))
        assert told == [200, 200]
        if redis_url and wait:
            doors.until("manex_redis_up", 1)
        yield doors


@contextlib.contextmanager
def _gateway(url: str, home: Path, environ: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        plug.listen(256)
        os.set_inheritable(plug.fileno(), True)
        port = int(plug.getsockname()[1])
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "deploy.asgi", "127.0.0.1", f"fd:{plug.fileno()}"],
            env={**os.environ, "PYTHONPATH": str(TREE), "MANEX_SERVE_URL": url, "MANEX_HOME": str(home), **environ},
            pass_fds=[plug.fileno()],
            stderr=subprocess.DEVNULL,
        )
    try:
        yield process, port
    finally:
        process.terminate()
        process.wait(timeout=30)
