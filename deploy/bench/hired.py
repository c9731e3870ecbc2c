"""Processes that contend: each made once, warm before it is measured, told when to begin, gone when nobody asks any more."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Final

from deploy.bench import slot
from deploy.bench.slot import Slot
from deploy.errors import Refusal

ANSWER_SECONDS: Final = 1_200.0
LEAVE_SECONDS: Final = 30.0


class Hired:
    """A process that serves one end of a pipe: `serve(pipe, parent, *arguments)`."""

    def __init__(self, name: str, serve: Callable[..., None], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = name
        self._pipe: Connection
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, os.getpid(), *arguments), daemon=True, name=name)
        self._process.start()
        theirs.close()

    def prepare(self, *order: Any) -> None:
        """Have it make ready for an order."""
        self._pipe.send(order)

    def await_ready(self) -> None:
        assert self._heard() == "ready", self.name

    def go(self) -> None:
        self._pipe.send("go")

    def done(self) -> Slot:
        told = self.told()
        assert isinstance(told, Slot), told
        return told

    def told(self, seconds: float = ANSWER_SECONDS) -> Any:
        """What it says of its work."""
        return self._heard(seconds)

    def _heard(self, seconds: float = ANSWER_SECONDS) -> Any:
        try:
            if not self._pipe.poll(seconds):
                raise Refusal(f"{self.name} does not answer")
            return self._pipe.recv()
        except (EOFError, OSError):
            raise Refusal(f"{self.name} died; what it said is above") from None

    def leave(self) -> None:
        """Let it finish what it has taken and end."""
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        self._process.join(LEAVE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()


class Crew:
    """Hired processes that begin together, as one contender."""

    def __init__(self, variant: Any, callers: int, *hired: Hired) -> None:
        self._variant, self._callers, self._hired = variant, callers, hired

    def prepare(self, seconds: float) -> None:
        for each in self._hired:
            each.prepare(self._variant, seconds, self._callers)
        for each in self._hired:
            each.await_ready()

    def begin(self) -> None:
        for each in self._hired:
            each.go()

    def done(self) -> Slot:
        return slot.together([each.done() for each in self._hired])

    def work(self) -> Slot:
        self.begin()
        return self.done()
