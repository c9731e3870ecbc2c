"""Codes on their way to a telephone: the HTTP contract, tries again, and what is not tried again."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import pytest

from gateway import messages

MESSAGE = messages.of_code(UUID(int=7), "+989121234567", "123456", "manex", "sign_in", "fa")


class Provider(ThreadingHTTPServer):
    """Answers with the statuses it is given, one after the other, and keeps what it was sent."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = list(statuses)
        self.heard: list[tuple[dict[str, str], Any]] = []
        self.done = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/send"


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.statuses.pop(0))
        self.send_header("Content-Length", "0")
        self.end_headers()
        if not self.server.statuses:
            self.server.done.set()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def provider(request: pytest.FixtureRequest) -> Iterator[Provider]:
    made = Provider(*request.param)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def sent_through(provider: Provider) -> None:
    sender = messages.OverHttp(provider.url, "t" * 20, pauses=(0.0, 0.0))
    sender.send(MESSAGE)
    assert provider.done.wait(30)
    sender.close()


@pytest.mark.parametrize("provider", [(202,)], indirect=True)
def test_a_code_goes_out_as_the_contract_says(provider: Provider) -> None:
    sent_through(provider)
    headers, body = provider.heard[0]
    assert headers["authorization"] == "Bearer " + "t" * 20
    assert headers["idempotency-key"] == body["id"] == UUID(int=7).hex
    assert body["to"] == "+989121234567"
    assert "123456" in body["text"]
    assert (body["purpose"], body["language"]) == ("sign_in", "fa")


@pytest.mark.parametrize(
    ("provider", "tries"), [((503, 429, 200), 3), ((500, 500, 500), 3), ((400,), 1)], indirect=["provider"]
)
def test_what_may_pass_is_tried_again_under_its_key(provider: Provider, tries: int) -> None:
    sent_through(provider)
    assert [body["id"] for _, body in provider.heard] == [UUID(int=7).hex] * tries


def test_a_message_shows_nobody_in_a_log(caplog: pytest.LogCaptureFixture) -> None:
    assert "123456" not in repr(MESSAGE)
    assert "+98912" not in repr(MESSAGE)
    nobody = messages.Nobody()
    nobody.send(MESSAGE)
    nobody.send(MESSAGE)
    assert len(caplog.records) == 1
    said: list[str] = []
    messages.Aloud(said.append).send(MESSAGE)
    assert "123456" in said[0]
