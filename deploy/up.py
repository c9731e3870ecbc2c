"""A live house on one machine: the database server, and gateway processes that share one listening socket.

The socket is this process's and stays open while a gateway dies and another takes its place, so nobody who connects in
between is turned away. Each gateway has a committer of its own. They end when this process does, however it ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final

from deploy import books, config, keys, postgres, streaming
from deploy.config import Config
from deploy.errors import Refusal
from deploy.home import TREE, manex_home

log = logging.getLogger("manex.up")

LABEL: Final = "manex up"
#: How long a database server may be another's: a command that is at work on it, or a house that is about to end.
WAIT_SECONDS: Final = 30
DATABASE_SECONDS: Final = 60
BACKLOG: Final = 2048
LOOK_SECONDS: Final = 0.05

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 10.0
#: A gateway that dies more often than this, within that time, will not get better by itself.
DEATHS_FORGIVEN: Final = 10
DEATHS_SECONDS: Final = 120.0

#: How the command exits. 1 is a start that failed, with the reason; 2 is a configuration that cannot be read.
STOPPED: Final = 0
DATABASE_LOST: Final = 3
GATEWAYS_LOST: Final = 4
CUT_OFF: Final = 5


class PortTaken(Refusal):
    """Somebody else listens there."""


@dataclass
class Place:
    """One place among the house's processes, and whoever has it now. `command` is what it is started with, but for where
    the metrics are and who the parent is."""

    name: str
    #: how the others find its metrics
    metrics: str
    command: tuple[str, ...]
    #: without it there is no house: when it keeps dying, the house gives up
    needed: bool = True
    process: subprocess.Popen[bytes] | None = None
    start_at: float = 0.0
    deaths: deque[float] = field(default_factory=deque)

    def died(self, now: float) -> float:
        """Note a death; how long to wait before the next start."""
        self.process = None
        self.deaths.append(now)
        while self.deaths[0] < now - DEATHS_SECONDS:
            self.deaths.popleft()
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * float(2 ** (len(self.deaths) - 1)))
        self.start_at = now + pause
        return pause

    @property
    def hopeless(self) -> bool:
        return self.needed and len(self.deaths) > DEATHS_FORGIVEN


class House:
    """The gateways of one socket, and where Kafka is configured the relay and the consumer beside them."""

    def __init__(self, chosen: Config, url: str, listener: socket.socket, metrics_place: Path) -> None:
        self._chosen = chosen
        self._url = url
        self._listener = listener
        self._place = metrics_place
        here = f"fd:{listener.fileno()}"
        self._places = [
            Place(f"gateway {number}", str(number), ("deploy.asgi", chosen.host, here, str(number)))
            for number in range(chosen.processes)
        ]
        if chosen.kafka_url and chosen.kafka_processes:
            self._places += [Place(part, part, ("deploy.streaming", part), needed=False) for part in streaming.PARTS]

    def look(self) -> bool:
        """Start what is not there; false once a gateway dies whatever we do."""
        now = time.monotonic()
        for place in self._places:
            if place.process is not None and (code := place.process.poll()) is not None:
                (self._place / place.metrics).unlink(missing_ok=True)
                pause = place.died(now)
                if place.hopeless:
                    log.error("%s died %d times; giving up", place.name, len(place.deaths))
                    return False
                log.warning("%s died (%d); starting it again in %.1f s", place.name, code, pause)
            if place.process is None and now >= place.start_at:
                place.process = self._start(place)
        return True

    def _start(self, place: Place) -> subprocess.Popen[bytes]:
        module, *rest = place.command
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *rest, str(self._place), str(os.getpid())],
            env={**os.environ, "PYTHONPATH": str(TREE), "MANEX_SERVE_URL": self._url},
            pass_fds=[self._listener.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for this process, which stops them in order
        )
        log.info("%s is process %d", place.name, process.pid)
        return process

    def stop(self, hurry: threading.Event) -> bool:
        """Let everybody finish; whether all did in their time. `hurry`: told to stop once more."""
        # nobody else may wait in a queue that nobody will take from
        self._listener.close()
        left = [place.process for place in self._places if place.process is not None]
        for process in left:
            process.terminate()
        # a gateway finishes its requests, then its last batch and the clock's work
        deadline = time.monotonic() + self._chosen.drain_seconds + self._chosen.grace_seconds + 10
        while left and time.monotonic() < deadline and not hurry.is_set():
            left = [process for process in left if process.poll() is None]
            time.sleep(LOOK_SECONDS)
        for process in left:
            log.warning("process %d is cut off", process.pid)
            process.kill()
            process.wait()
        return not left


def run(chosen: Config) -> int:
    """Serve until told to stop; how the command exits."""
    stopping, hurry = threading.Event(), threading.Event()

    def told(_number: int, _frame: FrameType | None) -> None:
        (hurry if stopping.is_set() else stopping).set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, told)
    home = manex_home()
    with _listening(chosen.host, chosen.port) as listener, _server(home, chosen) as server:
        books.wait_for(server, DATABASE_SECONDS, stopping.is_set)
        if stopping.is_set():
            return STOPPED
        url = books.prepared(server)
        keys.load(home)
        keys.metrics_token(home)
        with tempfile.TemporaryDirectory(prefix="manex-metrics-") as place:
            house = House(chosen, url, listener, Path(place))
            host, port = listener.getsockname()[:2]
            log.info("serving on http://%s:%d", f"[{host}]" if ":" in host else host, port)
            code = _watched(house, server, stopping)
            log.info("stopping")
            if not house.stop(hurry) and code == STOPPED:
                code = CUT_OFF
    log.info("stopped")
    return code


def _watched(house: House, server: postgres.Server, stopping: threading.Event) -> int:
    while True:
        if not house.look():
            return GATEWAYS_LOST
        if server.failure:
            log.error("the database server is lost: %s", server.failure)
            return DATABASE_LOST
        if stopping.wait(LOOK_SECONDS):
            return STOPPED


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
    except OSError as error:
        raise config.Misconfigured(f"MANEX_HOST is no address of this machine: {error}") from None
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise PortTaken(f"{host}:{port} cannot be listened on: {os.strerror(error.errno or 0)}") from None
        listener.listen(BACKLOG)
        yield listener


@contextlib.contextmanager
def _server(home: Path, chosen: Config) -> Iterator[postgres.Server]:
    """The database server, run here; or the one that `manex db start` left running; or a configured one."""
    held = postgres.holder(home)
    if not chosen.database_url and held is not None and held.label == "manex db":
        found = postgres.attached(home)
        if found is not None:
            yield found
            return
    # three pools, the committer and one to spare for each gateway; the terminal's commands
    connections = max(100, chosen.processes * (3 * chosen.pool + 2) + 20)
    settings = {"max_connections": str(connections)}
    with postgres.running(home, wait_seconds=WAIT_SECONDS, settings=settings, label=LABEL, on_log=_say) as server:
        yield server


def _say(line: str) -> None:
    logging.getLogger("manex.postgres").info("%s", line)
