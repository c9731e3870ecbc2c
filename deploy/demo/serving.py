"""The API server of the demo: a child process that ends with this one and is started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

from deploy.errors import Refusal
from deploy.home import TREE

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0
#: How long a port may stay taken: by the server of a killed demo, which is about to end.
PORT_SECONDS: Final = 15.0
#: How often a server that died is started again.
DEATHS_FORGIVEN: Final = 5


class ApiServer:
    """`manex`'s HTTP server on loopback, on a database of the demo's own. Port 0 takes a free one."""

    def __init__(self, database_url: str, port: int, log: Path) -> None:
        self._url = database_url
        self._log = log
        self.port = _free_port(port)
        self.base = f"http://{HOST}:{self.port}"
        #: where to say what goes to telephones; nowhere, until people are served
        self.say: Callable[[str], None] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths = 0
        self._reviving = asyncio.Lock()

    def __enter__(self) -> ApiServer:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        heard, told = os.pipe()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "deploy.demo.api", str(os.getpid()), HOST, str(self.port), str(told)],
                pass_fds=[told],
                env={**os.environ, "PYTHONPATH": str(TREE), "MANEX_SERVE_URL": self._url},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for this process, which stops the server in order
            )
        os.close(told)
        threading.Thread(target=self._listen, args=[heard], name="codes", daemon=True).start()

    def _listen(self, heard: int) -> None:
        """Say what the server has for telephones, to its end."""
        with open(heard, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if (say := self.say) is not None:
                    say(line.rstrip("\n"))

    @property
    def dead(self) -> bool:
        return self._process is None or self._process.poll() is not None

    async def ready(self) -> None:
        """Return when the server takes connections."""
        give_up = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, self.port)
                writer.close()
                return
            if self.dead or time.monotonic() > give_up:
                raise Refusal(f"the API server did not start:\n{self._said()}")
            await asyncio.sleep(0.05)

    async def revive(self) -> None:
        """Start it again if it died; several may ask at once."""
        async with self._reviving:
            if not self.dead:
                return
            self._deaths += 1
            if self._deaths > DEATHS_FORGIVEN:
                raise Refusal(f"the API server died {self._deaths} times:\n{self._said()}")
            self._start()
            await self.ready()

    def stop(self) -> None:
        """Finish what was taken, then end."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _said(self) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
        return ""


def _free_port(port: int) -> int:
    give_up = time.monotonic() + PORT_SECONDS
    while True:
        with socket.socket() as plug:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                plug.bind((HOST, port))
            except OSError:
                if time.monotonic() > give_up:
                    raise Refusal(f"port {port} is taken: choose another with --port") from None
            else:
                return int(plug.getsockname()[1])
        time.sleep(0.1)
