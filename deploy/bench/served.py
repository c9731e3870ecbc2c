"""Houses that serve: `manex up` as anybody starts it, on the run's own server, for as long as they are wanted."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import ledger
from deploy.bench.network import Network, Shop
from deploy.errors import Refusal
from deploy.home import TREE
from merchants import contracts

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 60.0

#: A rate is there to keep one till from taking everything, and would do so here.
SETTINGS: Final = {"MANEX_RATE_KEY": "10000000/1", "MANEX_ACCESS_LOG": "off"}


class House:
    """`manex up` with gateways of its own on the database at `url`; its members' codes come from `spend_key`."""

    def __init__(self, home: Path, url: str, spend_key: bytes, processes: int) -> None:
        keys = home / "keys"
        keys.mkdir(mode=0o700, parents=True)
        (keys / "spend.key").write_bytes(spend_key)
        self.port = _free_port()
        self._log = home / "up.log"
        ours = {name: value for name, value in os.environ.items() if not name.startswith("MANEX_")}
        ours |= {"PYTHONPATH": str(TREE), "MANEX_HOME": str(home), "MANEX_DATABASE_URL": url, **SETTINGS}
        words = ("--host", HOST, "--port", str(self.port), "--processes", str(processes))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "deploy", "up", *words],
                env=ours,
                stdin=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._await_ready()
        except BaseException:
            self.leave()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def _await_ready(self) -> None:
        give_up = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                line = http.client.HTTPConnection(HOST, self.port, timeout=5)
                line.request("GET", "/readyz")
                if line.getresponse().status == 200:
                    line.close()
                    return
            if self._process.poll() is not None or time.monotonic() > give_up:
                said = "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
                raise Refusal(f"the house does not serve:\n{said}")
            time.sleep(0.1)

    def leave(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def keys_of(network: Network) -> dict[Shop, str]:
    """A key for each shop's tills."""
    db = ledger.Database(network.url, largest_pool=1)
    try:
        with db.tx("door") as tx:
            book = ledger.read_book(tx, network.book_id)
            made = {}
            for shop in network.shops:
                key = contracts.keys.make(tx, book, shop.id, "tills")
                assert not isinstance(key, ledger.Refusal), key
                made[shop] = key[1]
            return made
    finally:
        db.close()


def _free_port() -> int:
    with socket.socket() as plug:
        plug.bind((HOST, 0))
        return int(plug.getsockname()[1])
