"""What the demo must still know after kill -9: its keys and network, and what it decided before it posted an hour.

Both files are the owner's alone: they hold keys, and the spend secrets of the simulated phones.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from deploy.demo.plan import Plan
from deploy.errors import Refusal

#: Raised when an older demo cannot be taken up any more.
VERSION: Final = 2


class Merchant(msgspec.Struct, frozen=True):
    id: str
    key: str


class State(msgspec.Struct, frozen=True):
    """`book` is None until the whole network stands: what was half built is built anew."""

    version: int
    seed: int
    # None: the whole year
    days: int | None
    plan: Plan
    maker: str = ""
    approver: str = ""
    book: str | None = None
    operator: str = ""
    merchants: list[Merchant] = []
    # the branch of each store
    branches: dict[int, str] = {}
    # how long the run took that reached the end
    seconds: float | None = None


class Joined(msgspec.Struct, frozen=True, array_like=True):
    household: int
    number: str


class Device(msgspec.Struct, frozen=True, array_like=True):
    household: int
    secret: str


class Buy(msgspec.Struct, frozen=True, array_like=True):
    """A merchant's top-up in cents and purchase in points, at the beginning of a week."""

    shop: int
    topup: int
    points: int


class Redeem(msgspec.Struct, frozen=True, array_like=True):
    basket: int
    points: int


class Gift(msgspec.Struct, frozen=True, array_like=True):
    """Of one household to another, thought of at a basket."""

    basket: int
    giver: int
    receiver: int
    points: int


class Decisions(msgspec.Struct, frozen=True):
    """What was read and decided before anything of an hour was posted; sending the hour again starts from this."""

    hour: int
    joined: list[Joined] = []
    devices: list[Device] = []
    buys: list[Buy] = []
    redeems: list[Redeem] = []
    gifts: list[Gift] = []


class Files:
    """The demo's own directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state.json"
        self.journal = folder / "journal.jsonl"
        self.cache = folder / "cache"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def read(self) -> State | None:
        try:
            text = self.state.read_bytes()
        except FileNotFoundError:
            return None
        try:
            known = msgspec.json.decode(text, type=State)
        except msgspec.DecodeError:
            known = None
        if known is None or known.version != VERSION:
            raise Refusal("this demo was begun by another version of Manex: begin anew with --fresh")
        return known

    def write(self, state: State) -> None:
        """Replace the state as a whole, and durably."""
        new = self.state.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(state))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.state)
        _sync(self.folder)


class Journal:
    """Decisions, hour by hour, each durable before what follows from it is posted."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        _sync(path.parent)

    def read(self) -> list[Decisions]:
        """All that was decided, in order. A line that was being written when the end came is cut off."""
        with os.fdopen(os.dup(self._file), "rb") as file:
            file.seek(0)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        os.ftruncate(self._file, len(whole))
        decoder = msgspec.json.Decoder(Decisions)
        return [decoder.decode(line) for line in whole.splitlines()]

    def add(self, decisions: Decisions) -> None:
        line = msgspec.json.encode(decisions) + b"\n"
        written = os.write(self._file, line)
        assert written == len(line), "the disk is full"
        os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)


def _sync(folder: Path) -> None:
    """Make the names in a directory durable."""
    holder = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(holder)
    finally:
        os.close(holder)
