"""A network of shops and members, driven through the API's own doors."""

import itertools
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import pyotp
from starlette.testclient import TestClient

from gateway import openapi
from gateway.api.shapes import ProblemOut
from gateway.api.table import OPERATIONS
from gateway.server import Server

_numbers = itertools.count(1)

BEGINNING = "2017-01-01T00:00:00Z"


ROUTES = [(op, re.compile(re.sub(r"\{\w+\}", "[^/]+", op.path))) for op in OPERATIONS]


def as_documented(method: str, path: str, answer: Any) -> None:
    """Whatever an operation answers is of the type, or one of the codes, that the document tells of it."""
    bare = path.partition("?")[0]
    op = next((op for op, route in ROUTES if op.method == method and route.fullmatch(bare)), None)
    if op is None:
        return
    if answer.status_code == 200:
        if answer.headers["content-type"] == "application/json":
            msgspec.json.decode(answer.content, type=op.answer)
    else:
        problem = msgspec.json.decode(answer.content, type=ProblemOut)
        assert problem.code in openapi.codes(op), (method, path, problem.code)


@dataclass
class Shop:
    id: str
    branch: str
    till: str
    key: str


@dataclass
class Api:
    """The application of one test. `call` takes an answer as it is, `done` insists on 200 and gives its body."""

    client: TestClient
    server: Server
    url: str
    maker: str
    approver: str
    book: str = ""
    shops: dict[str, Shop] = field(default_factory=dict)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: str | None = None,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
        json_type: str = "application/json",
    ) -> Any:
        sent = dict(headers or {})
        if by is not None:
            sent["Authorization"] = f"Bearer {by}"
        if key is not None:
            sent["Idempotency-Key"] = key
        if content is not None:
            sent.setdefault("Content-Type", json_type)
            answer = self.client.request(method, path, content=content, headers=sent)
        else:
            answer = self.client.request(method, path, json=body, headers=sent)
        as_documented(method, path, answer)
        return answer

    def done(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        answer = self.call(method, path, body, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    # -- the network

    def open_book(self, network: str = "test", mode: str = "test", **more: Any) -> str:
        body = {
            "network": network,
            "mode": mode,
            "currency": "USD",
            "exponent": 2,
            "face_value": 1,
            "points_life_days": 365,
            "time_zone": "UTC",
        }
        if mode == "test":
            body["clock"] = BEGINNING
        return str(self.done("POST", "/v1/operator/books", body | more, by=self.maker)["id"])

    def open_shop(self, name: str, book: str | None = None, **contract: Any) -> Shop:
        """A shop with a branch, a till, a key, a contract, and a point for each dollar."""
        at = f"/v1/operator/books/{book or self.book}/merchants"
        shop = self.done("POST", at, {"name": name}, by=self.maker)["id"]
        of = f"/v1/operator/merchants/{shop}"
        branch = self.done("POST", f"{of}/branches", {"reference": "main", "name": name}, by=self.maker)["id"]
        till = self.done("POST", f"/v1/operator/branches/{branch}/tills", {"reference": "1"}, by=self.maker)["id"]
        secret = self.done("POST", f"{of}/api-keys", {"label": "tills"}, by=self.maker)["secret"]
        terms = {
            "mode": "deferred",
            "credit_line_points": 1_000_000,
            "purchase_fee_ppm": 10_000,
            "redemption_fee_ppm": 20_000,
        }
        self.done("POST", f"{of}/contracts", terms | contract, by=self.maker)
        self.done("POST", f"{of}/terms", {"points": 1, "per": 100}, by=self.maker)
        self.shops[name] = Shop(shop, branch, till, secret)
        return self.shops[name]

    def restricted(self, shop: str, *scopes: str) -> str:
        body = {"label": "restricted", "kind": "rk", "scopes": list(scopes)}
        path = f"/v1/operator/merchants/{self.shops[shop].id}/api-keys"
        return str(self.done("POST", path, body, by=self.maker)["secret"])

    def member(self, phone: str = "+15550100123", book: str | None = None) -> "Member":
        """A member who joined at the cafe, signed in and enrolled a device."""
        book = book or self.book
        joined = self.done("POST", "/v1/members", {"phone": phone, "given_name": "Ann"}, by=self.shops["cafe"].key)
        named = {"Manex-Book": book}
        self.done("POST", "/v1/auth/otp", {"phone": phone}, headers=named)
        sent = f"/v1/operator/books/{book}/one-time-codes?phone={phone.replace('+', '%2B')}"
        code = self.done("GET", sent, by=self.maker)["data"][0]["code"]
        token = self.done("POST", "/v1/auth/otp/verify", {"phone": phone, "code": code}, headers=named)
        device = self.done("POST", "/v1/me/devices", {"name": "phone"}, by=token["access_token"])
        return Member(self, joined["id"], joined["number"], token["access_token"], device["spend_secret"])

    def clock(self) -> datetime:
        found = self.done("GET", f"/v1/operator/books/{self.book}", by=self.maker)["clock"]
        return datetime.fromisoformat(found)

    def advance(self, to: str) -> str:
        path = f"/v1/operator/books/{self.book}/test-clock"
        return str(self.done("POST", path, {"advance_to": to}, by=self.maker)["clock"])

    # -- bodies

    def sale(self, member: "Member | None" = None, amount: int = 5_000, shop: str = "cafe", **more: Any) -> Any:
        body = {
            "branch": self.shops[shop].branch,
            "external_reference": f"S-{next(_numbers)}",
            "total": {"amount": amount, "currency": "USD"},
        }
        if member is not None:
            body["member"] = member.number
        return body | more

    def sell(self, member: "Member | None" = None, amount: int = 5_000, shop: str = "cafe", **more: Any) -> Any:
        body = self.sale(member, amount, shop, **more)
        return self.done("POST", "/v1/sales", body, by=self.shops[shop].key, key=new_key())

    def redemption(self, member: "Member", points: int, shop: str = "cafe", **more: Any) -> Any:
        body = {
            "branch": self.shops[shop].branch,
            "external_reference": f"R-{next(_numbers)}",
            "member": member.number,
            "spend_code": member.code(),
            "points": points,
        }
        return body | more


@dataclass
class Member:
    api: Api
    id: str
    number: str
    token: str
    secret: str

    def code(self) -> str:
        return pyotp.TOTP(self.secret).at(self.api.clock())


def new_key() -> str:
    return f"key-of-a-test-{next(_numbers):08}"
