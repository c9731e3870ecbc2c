"""A house in a temporary home for a rehearsal: `manex up` as anybody starts it, and a small network in a test book."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple

import pyotp

import ledger
from deploy import books, postgres
from deploy.commands.operator import make_key
from deploy.errors import Refusal
from deploy.home import TREE

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 60.0
REQUEST_SECONDS: Final = 60.0
BEGINNING: Final = "2017-01-01T00:00:00Z"

_STARTED: Final = re.compile(r"(gateway \d+|relay|consumer) is process (\d+)")


class Answer(NamedTuple):
    status: int
    body: bytes
    replayed: bool

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def decided(self) -> bool:
        """Whether this is what became of the request, and not that nobody can say yet."""
        return self.status < 500 and self.status != 429


class Line:
    """One keep-alive connection. What goes wrong on it is an OSError or HTTPException, and it is made anew."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: http.client.HTTPConnection | None = None

    def send(self, method: str, path: str, body: bytes | None, by: str, **headers: str) -> Answer:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(HOST, self._port, timeout=REQUEST_SECONDS)
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        if by:
            told["Authorization"] = f"Bearer {by}"
        if body is not None:
            told["Content-Type"] = "application/json"
        try:
            self._connection.request(method, path, body, told)
            answer = self._connection.getresponse()
            return Answer(answer.status, answer.read(), answer.headers.get("Idempotent-Replayed") == "true")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass(frozen=True, slots=True)
class Shop:
    id: str
    branch: str
    key: str


@dataclass(frozen=True, slots=True)
class Member:
    number: str
    spend_secret: str


class House:
    """`manex up` with gateways of its own, until it is left. `home` is a directory to be made; `more` is what is set
    besides."""

    def __init__(self, home: Path, processes: int, more: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.port = _free_port()
        self._log = home / "up.log"
        self._processes = processes
        self._more = dict(more or {})
        self._up: subprocess.Popen[bytes] | None = None
        self._line = Line(self.port)
        self.book = ""
        self.maker = ""

    def __enter__(self) -> House:
        self.home.mkdir(mode=0o700, parents=True)
        ours = {name: value for name, value in os.environ.items() if not name.startswith("MANEX_")}
        with self._log.open("ab") as log:
            self._up = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "deploy", "up"),
                    *("--host", HOST, "--port", str(self.port), "--processes", str(self._processes)),
                ],
                env={**ours, "PYTHONPATH": str(TREE), "MANEX_HOME": str(self.home), "MANEX_ACCESS_LOG": "off"}
                | self._more,
                stdin=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        try:
            self.ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        assert self._up is not None
        self._line.close()
        self._up.terminate()
        try:
            self._up.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._up.kill()
            self._up.wait()

    @property
    def url(self) -> str:
        """Its database, for whoever proves the books."""
        server = postgres.attached(self.home)
        if server is None:
            raise Refusal("the house has no database")
        return books.url(server)

    def ready(self) -> None:
        """Return when it can serve."""
        give_up = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self._line.send("GET", "/readyz", None, "").status == 200:
                    return
            if self._up is None or self._up.poll() is not None or time.monotonic() > give_up:
                raise Refusal(f"the house does not serve:\n{self.said()}")
            time.sleep(0.05)

    def said(self) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
        return ""

    # -- victims

    def gateways(self) -> list[int]:
        """The processes of its gateways, as it last said."""
        return sorted(pid for name, pid in self._newest().items() if name.startswith("gateway"))

    def beside(self, part: str) -> int | None:
        """The process of its relay or its consumer, as it last said."""
        return self._newest().get(part)

    def _newest(self) -> dict[str, int]:
        return {name: int(pid) for name, pid in _STARTED.findall(self._log.read_text(errors="replace"))}

    def postmaster(self) -> int:
        return int((self.home / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])

    def kill(self, victim: str, moments: random.Random) -> None:
        """kill -9 one of its gateways, its database server, its relay or its consumer."""
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError):
            if victim == "postgres":
                chosen: int | None = self.postmaster()
            else:
                chosen = moments.choice(self.gateways()) if victim == "gateway" else self.beside(victim)
            if chosen is not None:
                os.kill(chosen, signal.SIGKILL)

    # -- its network

    def done(self, method: str, path: str, body: Any = None, by: str = "", **headers: str) -> Any:
        raw = None if body is None else json.dumps(body).encode()
        answer = self._line.send(method, path, raw, by, **headers)
        if answer.status != 200:
            raise Refusal(f"{method} {path} answered {answer.status}: {answer.body.decode(errors='replace')}")
        return answer.json

    def found(self, members: int) -> tuple[list[Shop], list[Member]]:
        """A test book with two shops that issue on credit, a sponsor whose budget runs out, and members with a phone."""
        self.maker = make_key(self.url, "soak", frozenset({"maker"})).secret
        book = {"network": "soak", "mode": "test", "currency": "USD", "exponent": 2, "face_value": 1}
        book |= {"points_life_days": 365, "time_zone": "UTC", "clock": BEGINNING}
        self.book = self.done("POST", "/v1/operator/books", book, self.maker)["id"]
        shops = [self._shop(name) for name in ("cafe", "grocer")]
        self._sponsor("bank", 1_003)
        return shops, [self._member(shops[0], f"+1555010{n:04}") for n in range(members)]

    def _shop(self, name: str) -> Shop:
        id = self.done("POST", f"/v1/operator/books/{self.book}/merchants", {"name": name}, self.maker)["id"]
        of = f"/v1/operator/merchants/{id}"
        branch = self.done("POST", f"{of}/branches", {"reference": "main", "name": name}, self.maker)["id"]
        key = self.done("POST", f"{of}/api-keys", {"label": "tills"}, self.maker)["secret"]
        contract = {"mode": "deferred", "credit_line_points": 1_000_000_000}
        contract |= {"purchase_fee_ppm": 10_000, "redemption_fee_ppm": 20_000}
        self.done("POST", f"{of}/contracts", contract, self.maker)
        self.done("POST", f"{of}/terms", {"points": 1, "per": 100}, self.maker)
        return Shop(id, branch, key)

    def _sponsor(self, name: str, budget: int) -> None:
        kind = {"name": name, "kind": "sponsor"}
        id = self.done("POST", f"/v1/operator/books/{self.book}/merchants", kind, self.maker)["id"]
        of = f"/v1/operator/merchants/{id}"
        contract = {"mode": "deferred", "credit_line_points": budget, "purchase_fee_ppm": 0, "redemption_fee_ppm": 0}
        self.done("POST", f"{of}/contracts", contract, self.maker)
        sponsorship = {"rules": {"points": 1, "per": 100, "cap_points": 10}, "budget_points": budget}
        self.done("POST", f"{of}/sponsorships", sponsorship, self.maker, Idempotency_Key=idempotency_key())

    def _member(self, shop: Shop, phone: str) -> Member:
        number = self.done("POST", "/v1/members", {"phone": phone, "given_name": "Ann"}, shop.key)["number"]
        device = self.done("POST", "/v1/me/devices", {"name": "phone"}, self.signed_in(phone))
        return Member(number, device["spend_secret"])

    def signed_in(self, phone: str) -> str:
        """A token of a member, by the code that a test book's operator can read."""
        self.done("POST", "/v1/auth/otp", {"phone": phone}, Manex_Book=self.book)
        sent = f"/v1/operator/books/{self.book}/one-time-codes?phone={phone.replace('+', '%2B')}"
        code = self.done("GET", sent, by=self.maker)["data"][0]["code"]
        token = self.done("POST", "/v1/auth/otp/verify", {"phone": phone, "code": code}, Manex_Book=self.book)
        return str(token["access_token"])

    def clock(self) -> datetime:
        self._line.close()  # it may have been idle for long, and be closed at the other end
        found = self.done("GET", f"/v1/operator/books/{self.book}", by=self.maker)
        return datetime.fromisoformat(found["clock"])

    def advance(self, seconds: int) -> None:
        """Move the book's clock, so that members have new spend codes."""
        to = (self.clock() + timedelta(seconds=seconds)).isoformat()
        self.done("POST", f"/v1/operator/books/{self.book}/test-clock", {"advance_to": to}, self.maker)


def spend_code(member: Member, now: datetime) -> str:
    return pyotp.TOTP(member.spend_secret).at(now)


def idempotency_key() -> str:
    return ledger.ids.new().hex


def _free_port() -> int:
    with socket.socket() as plug:
        plug.bind((HOST, 0))
        return int(plug.getsockname()[1])
