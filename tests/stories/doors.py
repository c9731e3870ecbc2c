"""Two gateway processes on one database, and what stands in front of them."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyotp
import pytest
from starlette.testclient import TestClient

from deploy import asgi, keys
from deploy.commands.audit import audited
from deploy.commands.operator import make_key
from deploy.home import TREE
from ledger import ids
from merchants import people
from tests.gateway.network import Api, Member


@dataclass
class Gateway:
    """A gateway process, to be killed."""

    port: int
    process: subprocess.Popen[bytes]


@dataclass
class Doors:
    """Two gateway processes on one database, and the application in this process to set things up with."""

    api: Api
    gateways: list[Gateway]
    home: Path
    spend_key: bytes

    def send(self, gateway: int, path: str, body: Any, by: str, key: str | None = None) -> tuple[int, bytes, bool]:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.gateways[gateway % len(self.gateways)].port, timeout=60
        )
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {by}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        with contextlib.closing(connection):
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers.get("Idempotent-Replayed") == "true"

    def together(self, sendings: list[tuple[str, Any, str, str | None]]) -> list[tuple[int, bytes, bool]]:
        """Send all at once, alternately through both gateways."""
        with ThreadPoolExecutor(len(sendings)) as threads:
            waiting = [threads.submit(self.send, i, *sending) for i, sending in enumerate(sendings)]
            return [w.result() for w in waiting]

    def wallet(self, member: Member) -> Any:
        return self.api.done("GET", "/v1/me/balance", by=member.token)

    def phones(self, member: Member, many: int) -> list[str]:
        """Spend codes of `many` phones of one member, made now. More phones than the product allows: a crowd of tills."""
        made: list[str] = []
        with psycopg.connect(self.api.url, autocommit=True) as conn:
            for _ in range(many):
                device, nonce = ids.new(), os.urandom(people.spend_codes.NONCE_BYTES)
                conn.execute(
                    "insert into merchants.device (id, book_id, member_id, name, nonce, enrolled_at)"
                    " select %s, book_id, id, 'phone', %s, enrolled_at from merchants.member where id = %s",
                    [device, nonce, ids.read("member", member.id)],
                )
                made.append(people.spend_codes.secret(self.spend_key, device, nonce))
        now = self.api.clock()
        return [pyotp.TOTP(secret).at(now) for secret in made]

    def clean(self) -> None:
        report = audited(self.api.url)
        assert report.clean, [finding for finding in report.findings if not finding.ok]


@pytest.fixture
def doors(database_url: str, tmp_path: Path) -> Iterator[Doors]:
    server_keys = keys.load(tmp_path)
    maker = make_key(database_url, "maker", frozenset({"maker", "auditor"})).secret
    approver = make_key(database_url, "approver", frozenset({"approver"})).secret
    app = asgi.build_app(database_url, server_keys)
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(TestClient(app, raise_server_exceptions=False))
        api = Api(client, app.state.server, database_url, maker, approver)
        api.book = api.open_book()
        for shop in ("cafe", "grocer", "taxi"):
            api.open_shop(shop)
        gateways = [stack.enter_context(gateway(database_url, tmp_path)) for _ in range(2)]
        yield Doors(api, gateways, tmp_path, server_keys.spend)


@contextlib.contextmanager
def gateway(url: str, home: Path) -> Iterator[Gateway]:
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        plug.listen(256)
        os.set_inheritable(plug.fileno(), True)
        port = int(plug.getsockname()[1])
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "deploy.asgi", "127.0.0.1", f"fd:{plug.fileno()}"],
            env={**os.environ, "PYTHONPATH": str(TREE), "MANEX_SERVE_URL": url, "MANEX_HOME": str(home)},
            pass_fds=[plug.fileno()],
            stderr=subprocess.DEVNULL,
        )
    try:
        yield Gateway(port, process)
    finally:
        process.terminate()
        process.wait(timeout=30)
