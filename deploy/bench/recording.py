"""What bare writes cost: the writing statements of real batches kept in a file, and written again to a copy.

The rows are the very same, in the same set-based statements, batch by batch and commit by commit; nothing is read,
locked ahead, decided or encoded. What a posting takes beyond this is what deciding costs.
"""

from __future__ import annotations

import pickle
import time
from collections import deque
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import psycopg

import ledger
from deploy.asgi import die_with_parent
from deploy.bench import slot
from deploy.bench.slot import Slot

#: How the statements begin that write. What takes a lock or draws a number is none: a copy knows both already.
_WRITES: Final = ("insert", "update", "with head")

#: A try that failed: what it wrote is gone.
_UNDONE: Final = -1


class Tape:
    """Keeps what a committer writes: its watch, told of every batch from the committer's thread."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        connect, keep = ledger.db.connect, self._keep

        class Recorder(psycopg.Cursor[Any]):
            def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
                if isinstance(query, str) and query.lstrip().lower().startswith(_WRITES):
                    keep((query, params))
                return super().execute(query, params, **more)

        def recorded(*arguments: Any, **more: Any) -> ledger.Tx:
            conn = connect(*arguments, **more)
            conn.cursor_factory = Recorder
            return conn

        # for this process, which does nothing else: the committer makes its connection itself
        ledger.db.connect = recorded

    def _keep(self, what: tuple[str, Any] | int) -> None:
        pickle.dump(what, self._file)

    def committed(self, requests: int, replayed: int, seconds: float) -> None:  # noqa: ARG002 - the protocol's
        self._keep(requests)

    def repeated(self, reason: str) -> None:  # noqa: ARG002 - the protocol's
        self._keep(_UNDONE)

    def singly(self, requests: int) -> None:  # noqa: ARG002 - the protocol's
        self._keep(_UNDONE)

    def close(self) -> None:
        self._file.close()


class Floor:
    """Recorded batches, written again one after the other to the copy of the database at `url`."""

    def __init__(self, url: str, path: Path) -> None:
        self._batches = _read(path)
        self._conn = ledger.db.connect(url, "ledger")

    def work(self, seconds: float, batches: int) -> Slot:
        """Write for so long, or so many batches. Operations are the requests that the batches were made of."""
        latencies: list[float] = []
        operations = 0
        clock, processor = time.perf_counter, time.process_time()
        began = clock()
        while self._batches and len(latencies) < batches and clock() - began < seconds:
            requests, statements = self._batches.popleft()
            sent = clock()
            with self._conn.pipeline(), self._conn.transaction():
                for query, params in statements:
                    self._conn.execute(query, params)
            latencies.append(clock() - sent)
            operations += requests
        elapsed = clock() - began
        told = slot.of(latencies, elapsed, time.process_time() - processor, {"accepted": operations})
        return Slot(operations, elapsed, told.p50_ms, told.p99_ms, told.python_seconds, told.answers)

    @property
    def left(self) -> int:
        """How many batches are not written yet."""
        return len(self._batches)

    def close(self) -> None:
        self._conn.close()


def _read(path: Path) -> deque[tuple[int, list[tuple[str, Any]]]]:
    batches: deque[tuple[int, list[tuple[str, Any]]]] = deque()
    statements: list[tuple[str, Any]] = []
    with path.open("rb") as file:
        while file.peek(1):
            match pickle.load(file):  # noqa: S301 - written by this run
                case int(requests):
                    if requests != _UNDONE:
                        batches.append((requests, statements))
                    statements = []
                case statement:
                    statements.append(statement)
    return batches


def serve(pipe: Connection, parent: int, url: str, path: Path) -> None:
    """Answer (turns left, seconds, _) as a writer does, with what the turns leave of the recording for this one."""
    die_with_parent(parent)
    floor = Floor(url, path)
    try:
        while (order := pipe.recv()) is not None:
            turns, seconds, _ = order
            pipe.send("ready")
            pipe.recv()
            pipe.send(floor.work(seconds, -(-floor.left // max(1, turns))))
    except (EOFError, KeyboardInterrupt):
        return  # whoever asked is gone
    finally:
        floor.close()
