"""A load generator in Python: keep-alive connections in a process of its own, each sends when its last was answered.

Requests are made ahead, as bytes; of an answer no more is read than its status and how long it is, and of a batch how many
of its operations were accepted.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from multiprocessing.connection import Connection
from typing import Any, Final, cast

import msgspec

import ledger
from deploy.asgi import die_with_parent
from deploy.bench import slot
from deploy.bench.network import Network, Shop
from deploy.bench.slot import Slot
from deploy.bench.work import LONGEST_AHEAD_SECONDS, Work, step_ahead
from merchants import trade

#: Operations of one batch.
BULK: Final = 100
#: Requests a second that are made ahead at first; then a fifth more than were needed.
GUESS: Final = 2_000
CURRENCY: Final = "USD"

_encode: Final = msgspec.json.Encoder().encode


def serve(pipe: Connection, parent: int, network: Network, keys: dict[Shop, str], name: str, port: int) -> None:
    """Answer (variant, seconds, connections) as a writer does. The variant is `single` or `bulk`."""
    die_with_parent(parent)
    tills = Tills(network, keys, name, port)
    try:
        while (order := pipe.recv()) is not None:
            variant, seconds, connections = order
            tills.prepare(variant, seconds)
            pipe.send("ready")
            pipe.recv()
            pipe.send(tills.work(variant, seconds, connections))
    except (EOFError, KeyboardInterrupt):
        return  # whoever asked is gone


class Tills:
    def __init__(self, network: Network, keys: dict[Shop, str], name: str, port: int) -> None:
        self._work = Work(network, name)
        self._shops = network.shops
        self._keys = keys
        self._port = port
        self._turn = 0
        self._ahead: list[bytes] = []
        self._rates: dict[str, float] = {}

    def prepare(self, variant: str, seconds: float) -> None:
        gc.unfreeze()
        each = BULK if variant == "bulk" else 1
        rate = self._rates.get(variant, GUESS / each)
        made = self._requests(variant)
        self._ahead = [next(made) for _ in range(int(rate * min(seconds, LONGEST_AHEAD_SECONDS) * 1.2) + 64)]
        self._ahead.reverse()
        gc.collect()
        gc.freeze()

    def work(self, variant: str, seconds: float, connections: int) -> Slot:
        each = BULK if variant == "bulk" else 1
        done = _loop(self._slot(variant, seconds, connections, each))
        self._rates[variant] = done.rate / each
        return done

    async def _slot(self, variant: str, seconds: float, connections: int, each: int) -> Slot:
        latencies: list[float] = []
        answers: Counter[str] = Counter()
        ahead, more, loop = self._ahead, self._requests(variant), asyncio.get_running_loop()
        lines = []
        for _ in range(connections):
            _, line = await loop.create_connection(
                lambda: _Line(lambda: ahead.pop() if ahead else next(more), latencies, answers, each),
                "127.0.0.1",
                self._port,
            )
            lines.append(line)
        began = time.perf_counter()
        for line in lines:
            line.begin(began + seconds)
        await asyncio.gather(*(line.done for line in lines))
        return slot.of(latencies, time.perf_counter() - began, 0.0, dict(answers), each)

    # -- requests

    def _requests(self, variant: str) -> Iterator[bytes]:
        while True:
            self._turn = (self._turn + 1) % len(self._shops)
            shop = self._shops[self._turn]
            if variant == "single":
                asked = self._work.sale(shop)
                yield self._sent("/v1/sales", shop, shown(asked.body), asked.key)
            else:
                step = step_ahead()
                operations = [self._work.fresh(shop, step) for _ in range(BULK)]
                told = [
                    {"operation": asked.kind, "idempotency_key": _key(asked), "body": shown(asked.body)}
                    for asked in operations
                ]
                yield self._sent("/v1/batches", shop, {"operations": told}, None)

    def _sent(self, path: str, shop: Shop, body: dict[str, Any], key: str | None) -> bytes:
        raw = _encode(body)
        keyed = "" if key is None else f"Idempotency-Key: {key.rjust(16, '0')}\r\n"
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nAuthorization: Bearer {self._keys[shop]}\r\n"
            f"{keyed}Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
        )
        return head.encode() + raw


def _key(asked: ledger.Request) -> str:
    assert asked.key is not None
    return asked.key.rjust(16, "0")


def shown(body: object) -> dict[str, Any]:
    """A sale or a redemption as the API takes it."""
    if isinstance(body, trade.Sale):
        assert body.member is not None
        assert body.member.id is not None
        return {
            "branch": ledger.ids.show("branch", body.branch_id),
            "external_reference": body.external_reference,
            "total": _money(body.total),
            "member": ledger.ids.show("member", body.member.id),
            "lines": [{"amount": _money(line.amount), "category": line.category} for line in body.lines],
            "payments": [{"type": payment.type, "amount": _money(payment.amount)} for payment in body.payments],
        }
    assert isinstance(body, trade.Redemption), body
    assert body.member.id is not None
    return {
        "branch": ledger.ids.show("branch", body.branch_id),
        "external_reference": body.external_reference,
        "member": ledger.ids.show("member", body.member.id),
        "spend_code": body.spend_code,
        "points": body.points,
        "capture": body.capture,
    }


def _money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": CURRENCY}


class _Line(asyncio.Protocol):
    """One connection."""

    def __init__(
        self, next_request: Callable[[], bytes], latencies: list[float], answers: Counter[str], each: int
    ) -> None:
        self._next = next_request
        self._latencies = latencies
        self._answers = answers
        self._each = each
        self._until = self._sent_at = 0.0
        self._heard = b""
        self._wanted = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one in all but its name
        self._transport = cast(asyncio.Transport, transport)

    def begin(self, until: float) -> None:
        self._until = until
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        if self._sent_at >= self._until:
            self._transport.close()
            self.done.set_result(None)
        else:
            self._transport.write(self._next())

    def data_received(self, data: bytes) -> None:
        heard = self._heard = self._heard + data if self._heard else data
        if not self._wanted:
            end = heard.find(b"\r\n\r\n")
            if end < 0:
                return
            at = heard.find(b"content-length: ")
            self._wanted = end + 4 + int(heard[at + 16 : heard.index(b"\r\n", at)])
        if len(heard) < self._wanted:
            return
        self._latencies.append(time.perf_counter() - self._sent_at)
        self._count(heard)
        self._heard, self._wanted = b"", 0
        self._send()

    def _count(self, heard: bytes) -> None:
        status = heard[9:12].decode()
        if self._each == 1 or status != "200":
            self._answers["accepted" if status == "200" else status] += self._each
            return
        accepted = heard.count(b'{"status":200,')
        overdrawn = heard.count(b'"code":"insufficient_points"')
        self._answers["accepted"] += accepted
        self._answers["insufficient_points"] += overdrawn
        if accepted + overdrawn < self._each:
            self._answers["other"] += self._each - accepted - overdrawn

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the house closed a connection"))


def _loop(work: Coroutine[Any, Any, Slot]) -> Slot:
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop

    return uvloop.run(work)
