"""`/metrics`: one page for all processes of a house.

The processes share a port, and a scrape reaches any of them. Each therefore leaves what it counted in a file once a
second, and whichever is asked puts all of it on the page, by the label `process`.
"""

import contextlib
import hmac
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import anyio
import msgspec
import psycopg
import psycopg_pool
from starlette.types import Receive, Scope, Send

import ledger
import settlement
from gateway.calls import Reply
from gateway.door import refused, respond
from gateway.metrics import Family, gauge, page
from gateway.problems import Problem
from gateway.server import Server

log = logging.getLogger("manex.metrics")

MEDIA_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
WRITE_SECONDS: Final = 1.0
#: A file that is older was left by a process that hangs, or that could not write: no figures are better than old ones.
STALE_SECONDS: Final = 10.0
DATABASE_SECONDS: Final = 3.0

# -- between processes


def leave(place: Path, process: str, families: list[Family]) -> None:
    """Put what a process counted where the others find it, whole or not at all."""
    beside = place / f".{process}"
    beside.write_bytes(msgspec.json.encode(families))
    beside.replace(place / process)


def found(place: Path, own: str) -> Iterator[Family]:
    """What the other processes left."""
    for path in sorted(place.iterdir()):
        if path.name == own or path.name.startswith("."):
            continue
        with contextlib.suppress(OSError, msgspec.DecodeError):
            if path.stat().st_mtime > time.time() - STALE_SECONDS:
                yield from msgspec.json.decode(path.read_bytes(), type=list[Family])


@contextlib.contextmanager
def shared(server: Server, place: Path) -> Iterator[None]:
    """Leave this process's figures in `place` every second, as long as it serves."""
    done = threading.Event()

    def run() -> None:
        failed = False
        while not done.wait(WRITE_SECONDS):
            try:
                leave(place, server.metrics.process, server.metrics.families(server.db, server.committer))
                failed = False
            except OSError as error:  # a full disk, mostly
                if not failed:
                    log.warning("metrics cannot be shared: %s", os.strerror(error.errno or 0))
                failed = True

    thread = threading.Thread(target=run, name="manex-metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


# -- the door


class Page:
    """`/metrics`, for whoever has the token. Answered while the process closes and while the database is away."""

    def __init__(self, server: Server, token: str, place: Path | None) -> None:
        self._server = server
        self._wanted = b"bearer " + token.encode()
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        request_id = ledger.ids.show("request", ledger.ids.new())
        if scope["method"] not in ("GET", "HEAD"):
            problem = Problem("method_not_allowed", "use GET", headers=((b"allow", b"GET, HEAD"),))
            await respond(send, refused(problem, scope["path"], request_id), request_id, ())
            return
        sent = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _, token = sent.partition(b" ")
        if not hmac.compare_digest(scheme.lower() + b" " + token.strip(), self._wanted):
            problem = Problem("unauthenticated", "send the token of the metrics")
            await respond(send, refused(problem, scope["path"], request_id), request_id, ())
            return
        text = await anyio.to_thread.run_sync(self._text, abandon_on_cancel=True)
        await respond(send, Reply(200, text, MEDIA_TYPE), request_id, ())

    def _text(self) -> bytes:
        server = self._server
        families = server.metrics.families(server.db, server.committer)
        if self._place is not None:
            families += found(self._place, server.metrics.process)
        return page([*families, *_house(server)])


def _house(server: Server) -> list[Family]:
    """What is one for all processes, read when it is asked for."""
    try:
        with server.db.pool("door").connection(DATABASE_SECONDS) as conn, conn.transaction():
            lags = settlement.lags(conn)
            published = ledger.relay.lags(conn)
    except (psycopg.OperationalError, psycopg_pool.PoolTimeout):
        return [gauge("manex_database_up", "Whether the database answered.", [({}, 0)])]
    return [
        gauge("manex_database_up", "Whether the database answered.", [({}, 1)]),
        gauge(
            "manex_settlement_lag_records",
            "Records of a book that settlement has not yet derived.",
            [({"book": ledger.ids.show("book", book), "mode": mode}, lag) for book, mode, lag in lags],
        ),
        gauge(
            "manex_relay_lag_records",
            "Records of a book that are not yet published.",
            [(_book(lag), lag.records) for lag in published],
        ),
        gauge(
            "manex_relay_lag_seconds",
            "How long ago the oldest record was posted that is not yet published.",
            [(_book(lag), lag.seconds) for lag in published],
        ),
    ]


def _book(lag: ledger.relay.Lag) -> dict[str, str]:
    return {"book": ledger.ids.show("book", lag.book), "mode": lag.mode}
