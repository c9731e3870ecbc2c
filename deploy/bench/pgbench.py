"""The yardstick: PostgreSQL's own pgbench, its TPC-B-like script, prepared, by 16 clients."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict

from deploy import postgres
from deploy.bench import slot
from deploy.bench.slot import Slot
from deploy.errors import Refusal

CLIENTS: Final = 16
#: Of all transactions, those whose latency is written down.
SAMPLED: Final = 0.2
TIMEOUT_SECONDS: Final = 3_600

_RATE: Final = re.compile(r"^tps = ([\d.]+) \(without initial connection time\)", re.MULTILINE)
_DONE: Final = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
_FAILED: Final = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)


class Pgbench:
    """pgbench on a database of its own."""

    def __init__(self, url: str, scale: int, say: Callable[[str], None]) -> None:
        self._program = postgres.find_binaries().program("pgbench")
        if not Path(self._program).is_file():
            raise Refusal(f"there is no pgbench beside the server in {Path(self._program).parent}")
        known = conninfo_to_dict(url)
        self._where = ["-h", str(known["host"]), "-p", str(known["port"]), "-U", str(known["user"])]
        self._database = str(known["dbname"])
        say(f"pgbench: {scale * 100_000:,} accounts")
        self._run("-i", "-q", "-s", str(scale))

    def work(self, seconds: float) -> Slot:
        with tempfile.TemporaryDirectory(prefix="manex-pgbench-") as place:
            threads = str(min(CLIENTS, os.cpu_count() or 1))
            said = self._run(
                *("-n", "-M", "prepared", "-c", str(CLIENTS), "-j", threads, "-T", str(max(1, round(seconds)))),
                *("-l", "--log-prefix", f"{place}/log", "--sampling-rate", str(SAMPLED)),
            )
            rate, done, failed = _RATE.search(said), _DONE.search(said), _FAILED.search(said)
            if not rate or not done or not failed or failed[1] != "0":
                raise Refusal(f"pgbench said what cannot be read:\n{said}")
            latencies = sorted(
                int(line.split()[2]) / 1000 for log in Path(place).iterdir() for line in log.read_text().splitlines()
            )
        operations = int(done[1])
        half, most = (slot.percentile(latencies, p) if latencies else None for p in slot.PERCENTILES)
        return Slot(operations, operations / float(rate[1]), half, most, 0.0, {"accepted": operations})

    def _run(self, *words: str) -> str:
        process = subprocess.Popen(
            [self._program, *self._where, *words, self._database],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        )
        try:
            said, complained = process.communicate(timeout=TIMEOUT_SECONDS)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
            raise
        if process.returncode != 0:
            raise Refusal(f"pgbench failed:\n{complained[-2000:]}")
        return said
