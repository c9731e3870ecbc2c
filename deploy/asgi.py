"""The composition root of the doors: database, keys, handlers, jobs and the application over them; and its process."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

import anyio
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import gateway.app
import gateway.log
import wallet_app
from deploy import clockwork, config
from deploy import keys as server_keys
from deploy import providers as configured
from deploy.config import Config
from deploy.errors import Refusal
from deploy.home import manex_home
from deploy.house import JOBS, House
from gateway import messages, metrics_page
from gateway.limits import Rate
from gateway.metrics import Metrics
from gateway.neighbours import Neighbours
from gateway.server import Keys, Providers, Rates, Server, Settings
from gateway.streams import ABORT

log = logging.getLogger("manex.asgi")

#: Bytes of a request line and its headers, where they come in more than one piece.
LARGEST_HEAD: Final = 64 * 1024

#: How soon a thread that waits for the interpreter's lock is let in.
SWITCH_SECONDS: Final = 0.0005

PR_SET_PDEATHSIG: Final = 1


@contextlib.contextmanager
def server(
    url: str,
    keys: Keys,
    settings: Settings | None = None,
    *,
    process: str = "0",
    largest_pool: int = 8,
    statement_timeout_ms: int = 30_000,
    redis_url: str | None = None,
    redis_timeout_ms: int = 50,
    providers: Providers | None = None,
    sender: messages.Sender | None = None,
    test_sender: messages.Sender | None = None,
) -> Iterator[Server]:
    """Everything the doors stand on, over the database at `url`; closed in order at the end. At `redis_url` are the other
    processes of the house."""
    metrics = Metrics(process)
    # the key that all processes of a house have, and nobody else
    neighbours = Neighbours(redis_url, keys.codes, timeout_ms=redis_timeout_ms) if redis_url else None
    house = House.open(url, keys.spend, metrics, largest_pool=largest_pool, statement_timeout_ms=statement_timeout_ms)
    made = Server(
        house.db,
        house.committer,
        keys,
        house.networks,
        JOBS,
        settings,
        metrics,
        neighbours,
        providers,
        sender,
        test_sender,
    )
    try:
        yield made
    finally:
        made.close()
        house.close()


def build_app(
    url: str,
    keys: Keys,
    settings: Settings | None = None,
    metrics_token: str | None = None,
    redis_url: str | None = None,
    providers: Providers | None = None,
) -> FastAPI:
    """The application over the database at `url`; it closes what it opened when its lifespan ends."""
    stack = contextlib.ExitStack()
    made = stack.enter_context(server(url, keys, settings, redis_url=redis_url, providers=providers))

    async def stop() -> None:
        await anyio.to_thread.run_sync(stack.close)

    return gateway.app.build(made, on_stop=stop, metrics_token=metrics_token, sites=[wallet_app.site(made)])


# -- the process


class _Http(HttpToolsProtocol):
    """Ends a connection whose request line and headers go on and on: uvicorn itself would keep all of them."""

    _in_head = False
    _head_bytes = 0

    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        # a stream that nobody reads is dropped, what waits to be sent included
        self.scope["extensions"] = {ABORT: {"abort": self.transport.abort}}
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD and not self.transport.is_closing():
                self.send_400_response("The request's head is too large.")


class _Uvicorn(uvicorn.Server):
    """Refuses new work from the moment it is told to stop, while it finishes what it has; told twice, it does not wait
    for a balancer to notice."""

    def __init__(self, config: uvicorn.Config, doors: Server, drain_seconds: float) -> None:
        super().__init__(config)
        self._doors = doors
        self._drain_seconds = drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._doors.closing or not self._drain_seconds:
            self._doors.closing = True
            super().handle_exit(sig, frame)
            return
        self._doors.closing = True
        later = threading.Timer(self._drain_seconds, super().handle_exit, [sig, frame])
        later.daemon = True
        later.start()


def settings_of(chosen: Config) -> Settings:
    """The doors' part of the configuration."""
    return Settings(
        live=Rates(
            key=Rate(*chosen.rate_key),
            member=Rate(*chosen.rate_member),
            lookup=Rate(*chosen.rate_lookup),
            code=Rate(*chosen.rate_code),
            enrolment=Rate(*chosen.rate_enrolment),
        ),
        operators=Rate(*chosen.rate_operator),
        strangers=Rate(*chosen.rate_stranger),
        access_log=chosen.access_log,
    )


def _aloud(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def serve(
    url: str,
    host: str = "127.0.0.1",
    port: int | socket.socket = 8000,
    home: Path | None = None,
    settings: Settings | None = None,
    *,
    with_parent: bool = True,
    parent: int | None = None,
    process: str = "0",
    metrics_place: Path | None = None,
    say: Callable[[str], None] | None = None,
) -> None:
    """Serve the API and the wallet as they are configured, until told to stop. `port` may be a listening socket;
    `with_parent`: end when the parent does. `process` names this one of several, which find each other's metrics in
    `metrics_place`. `say`: where codes of test books are told that nobody sends; else to whoever sits at
    the terminal. Where there is none, standard error is kept as a log, and no code and no telephone belongs in it."""
    if with_parent:
        die_with_parent(parent)
    chosen = config.load()
    if say is None and sys.stderr.isatty():
        say = _aloud
    gateway.log.to_stream(chosen.log_level)
    place = home or manex_home()
    with server(
        url,
        server_keys.load(place),
        settings or settings_of(chosen),
        process=process,
        largest_pool=chosen.pool,
        statement_timeout_ms=chosen.statement_timeout_ms,
        redis_url=chosen.redis_url,
        redis_timeout_ms=chosen.redis_timeout_ms,
        providers=configured.of(chosen),
        sender=messages.OverHttp(chosen.sms_url, chosen.sms_token) if chosen.sms_url else None,
        test_sender=None if chosen.sms_url or say is None else messages.Aloud(say),
    ) as doors:
        app = gateway.app.build(
            doors,
            metrics_token=server_keys.metrics_token(place),
            metrics_place=metrics_place,
            sites=[wallet_app.site(doors)],
        )
        made = uvicorn.Config(
            app,
            host=host,
            port=0 if isinstance(port, socket.socket) else port,
            loop="uvloop" if sys.platform != "win32" else "asyncio",
            http=_Http,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            # who the caller is behind a balancer is believed only of the balancers named here
            proxy_headers=bool(chosen.balancers),
            forwarded_allow_ips=chosen.balancers,
            timeout_graceful_shutdown=chosen.grace_seconds,
            backlog=2048,
        )
        with contextlib.ExitStack() as beside:
            if metrics_place is not None:
                beside.enter_context(metrics_page.shared(doors, metrics_place))
            beside.enter_context(clockwork.running(doors))
            # what is here now stays for ever: the collector need not look at it again
            gc.collect()
            gc.freeze()
            # the committer's thread gives and takes the interpreter's lock a dozen times a batch; at the usual 5 ms it
            # would stand in line behind the loop longer than the database takes
            sys.setswitchinterval(SWITCH_SECONDS)
            # uvicorn raises again the signal that stopped it; by then it has done its work, and we have not
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda _number, _frame: None)
            _Uvicorn(made, doors, chosen.drain_seconds).run(sockets=[port] if isinstance(port, socket.socket) else None)


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel end this process when its parent ends, however that happens. Linux; elsewhere a parent stops it.

    `parent` is the process that started this one: it may be gone before this is asked, and then nobody would tell.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = parent or os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before we asked
        os.kill(os.getpid(), signal.SIGTERM)


def main(arguments: Sequence[str]) -> None:
    """`python -m deploy.asgi HOST PORT [PROCESS METRICS_PLACE PARENT]`, or a descriptor `fd:N` for the port; the
    database's URL in MANEX_SERVE_URL."""
    host, port, *rest = arguments
    where: int | socket.socket = int(port) if port.isdigit() else socket.socket(fileno=int(port.removeprefix("fd:")))
    process, place, parent = rest or ("0", None, None)
    try:
        serve(
            os.environ["MANEX_SERVE_URL"],
            host,
            where,
            parent=int(parent) if parent else None,
            process=process or "0",
            metrics_place=Path(place) if place else None,
        )
    except Refusal as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main(sys.argv[1:])
