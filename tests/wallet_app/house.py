"""The wallet on a real socket, and a real Chromium before it."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import httpx2
import pytest
import uvicorn
from playwright.sync_api import Browser, Page
from starlette.testclient import TestClient

from deploy import asgi
from deploy.commands.operator import make_key
from deploy.pages import chromium
from gateway.server import Keys
from tests.gateway.network import Api, Member, new_key
from tests.wallet_app.visitor import Visitor


def wanted() -> str:
    """Where Chromium is. Without one tests are skipped by name; where everything is checked that is refused."""
    if (found := chromium.found()) is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Chromium, and nothing may be skipped here")
        pytest.skip("there is no Chromium on this machine")
    return found


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    wanted()
    with chromium.opened() as made:
        yield made


@dataclass
class House:
    """An application behind a port, and its network."""

    api: Api
    base: str

    def signed_in(self, page: Page, visitor: Visitor) -> None:
        page.context.add_cookies(
            [{"name": name, "value": value, "url": self.base} for name, value in visitor.cookies.items()]
        )

    def sell(self, number: str, amount: int, shop: str = "cafe") -> None:
        self.api.sell(Member(self.api, "", number, "", ""), amount=amount, shop=shop)

    def climb(self) -> None:
        """Ladders at the cafe and in the network, and something to use at the cafe."""
        words = {"fa": "نقره‌ای", "en": "Silver"}
        silver = {"id": "silver", "name": words, "requires": {"all": {"spend": 1_000}}, "benefits": []}
        tea = [{"name": "tea", "text": {"fa": "چای رایگان", "en": "Free tea"}}]
        gold = {"id": "gold", "name": words, "requires": {"any": {"spend": 900_000, "visits": 90}}, "benefits": []}
        ladder = {"period": {"rolling_days": 90}, "tiers": [silver | {"benefits": tea}, gold]}
        cafe, api = self.api.shops["cafe"].key, self.api
        api.done("POST", "/v1/ladders", ladder, by=cafe, key=new_key())
        api.done("POST", f"/v1/operator/books/{api.book}/ladders", ladder, by=api.maker, key=new_key())
        lounge = {"kind": "experience", "name": words, "who": "everybody", "capacity": {"per_member": 3}}
        api.done("POST", "/v1/entitlements", lounge, by=cafe, key=new_key())
        api.advance(api.clock().isoformat())

    def ask(self, number: str, points: int) -> None:
        body = {
            "branch": self.api.shops["cafe"].branch,
            "external_reference": new_key(),
            "member": number,
            "points": points,
            "capture": True,
        }
        self.api.done("POST", "/v1/redemptions", body, by=self.api.shops["cafe"].key, key=new_key())


@contextlib.contextmanager
def served(url: str, keys: Keys) -> Iterator[House]:
    """The application over an empty database, on a free port, with its network of two shops."""
    maker = make_key(url, "maker", frozenset({"maker", "auditor"})).secret
    approver = make_key(url, "approver", frozenset({"approver"})).secret
    app = asgi.build_app(url, keys)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        with httpx2.Client(base_url=base, timeout=60) as client:
            # a client over a socket, where others have one over ASGI
            api = Api(cast(TestClient, client), app.state.server, url, maker, approver)
            api.book = api.open_book()
            api.open_shop("cafe")
            api.open_shop("grocer")
            try:
                yield House(api, base)
            finally:
                server.should_exit = True
                thread.join(10)
