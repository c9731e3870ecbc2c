"""How a window's close goes as it grows: the real road of one settlement, over windows of millions of items.

A book is loaded with what was earned and spent; then a process of its own consumes it, closes the window, seals it, has it
submitted and approved by two people, posted and paid. Of that process the time and the memory are told. Beside it the
netting alone, of as many merchants and pairs as are asked for.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import resource
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Final
from uuid import UUID

import psycopg
from rich.console import Console
from rich.table import Table

import ledger
import settlement
from deploy import keys
from deploy.asgi import die_with_parent
from deploy.bench import loading, network, posting
from deploy.bench.hired import Hired
from deploy.bench.machine import Machine
from deploy.bench.network import Network
from deploy.bench.place import Room
from deploy.bench.posting import Said
from deploy.house import House
from settlement import netting

DATABASE: Final = "settling"
#: Of a sale whose points are spent, an item is its fee and another its slice.
ITEMS: Final = 2
#: How long the close of the largest window may take.
LONGEST_SECONDS: Final = 7_200.0
MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Windows:
    """What is measured: a window of each size with each number of merchants, and the netting of so many pairs."""

    items: tuple[int, ...] = (1_000_000, 2_000_000, 4_000_000)
    merchants: tuple[int, ...] = (10, 100, 1_000)
    members: int = 20_000
    parties: int = 10_000
    pairs: int = 2_000_000

    @property
    def most_records(self) -> int:
        return max(self.items) * loading.SPENT // ITEMS


@dataclass(frozen=True, slots=True)
class Closed:
    """One window from its first record to paid. `peak_mib` is the most that the process had, `started_mib` with nothing done."""

    items: int
    merchants: int
    seconds: float
    peak_mib: int
    started_mib: int
    # by step of the road
    steps: dict[str, float]

    @property
    def obligations_per_second(self) -> int:
        """Items derived and written, of the time that consuming takes."""
        return round(self.items / self.steps["consume"])


@dataclass(frozen=True, slots=True)
class NettedAlone:
    merchants: int
    pairs: int
    seconds: float
    peak_mib: int


@dataclass
class Curve:
    machine: Machine
    settings: dict[str, Any]
    points: list[Closed] = field(default_factory=list)
    netting: NettedAlone | None = None
    broken: list[str] = field(default_factory=list)

    @property
    def document(self) -> dict[str, Any]:
        return {
            "curve": [asdict(p) | {"obligations_per_second": p.obligations_per_second} for p in self.points],
            "netting": None if self.netting is None else asdict(self.netting),
            "settings": self.settings,
            "machine": self.machine.told,
            "audit": "clean",
        }

    def json(self) -> str:
        return json.dumps(self.document, indent=2)


def run(room: Room, windows: Windows, machine: Machine, say: Said) -> Curve:
    """Every window in a database of its own, proved afterwards; a curve with anything in `broken` is none."""
    curve = Curve(machine, asdict(windows))
    say(f"netting {windows.parties:,} merchants with {windows.pairs:,} pairs")
    curve.netting = _asked(NETTING, net_alone, windows.parties, windows.pairs)
    for merchants, items in itertools.product(windows.merchants, windows.items):
        say(f"a window of {items:,} items over {merchants:,} merchants")
        there = network.found(
            room.new(DATABASE, migrated=True), secrets.token_bytes(32), merchants, windows.members, say
        )
        loading.load(there, 0, min(2, os.cpu_count() or 1), say, history=items * loading.SPENT // ITEMS)
        room.settle()
        closed = _asked(DATABASE, close, there)
        say(f"closed in {closed.seconds:.1f} s, at most {closed.peak_mib:,} MiB; proving the book")
        curve.points.append(closed)
        faults = posting.faults(room.server.dsn(DATABASE))
        curve.broken += [f"{items:,} items over {merchants:,} merchants: {check}" for check in faults]
        room.drop(DATABASE)
    return curve


NETTING: Final = "netting"


def _asked(name: str, serve: Callable[..., None], *arguments: object) -> Any:
    """What a process of its own says of its work."""
    hired = Hired(name, serve, *arguments)
    try:
        return hired.told(LONGEST_SECONDS)
    finally:
        hired.leave()


# -- in a process of its own


def close(pipe: Connection, parent: int, there: Network) -> None:
    """The window of a loaded book, from consuming it to paid."""
    die_with_parent(parent)
    house = House.open(there.url, there.spend_key, largest_pool=2)
    started = _peak()
    steps: dict[str, float] = {}
    began = time.monotonic()

    @contextlib.contextmanager
    def step(name: str) -> Iterator[None]:
        at = time.monotonic()
        yield
        steps[name] = time.monotonic() - at

    maker, approver = (settlement.windows.Asker(operator_id=ledger.ids.new(), actor="bench") for _ in range(2))
    db, committer, book_id = house.db, house.committer, there.book_id
    signing = settlement.Sealing(settlement.proof.Signer(keys.proof_key()), secrets.token_bytes(32))
    try:
        with step("consume"):
            house.drain(book_id)
        with step("close"):
            _accepted(settlement.windows.close(db, committer, book_id, number=1))
        with step("seal"):
            settlement.sealing.catch_up(db, book_id, signing)
        with step("post"):
            done = _accepted(settlement.windows.submit(db, committer, book_id, number=1, asker=maker))
            settlement.windows.approve(
                db, committer, book_id, number=1, positions_hash=done.positions_hash, asker=approver
            )
        with step("pay"):
            _accepted(settlement.windows.mark_paid(db, committer, book_id, number=1, asker=maker))
        seconds = time.monotonic() - began
        with db.tx("settlement") as tx:
            window = settlement.window(tx, book_id, 1)
        assert window is not None
        assert window.state == "settled", window.state
        with psycopg.connect(there.url) as conn:
            row = conn.execute("select count(*) from settlement.item where window_number = 1").fetchone()
        assert row is not None
    finally:
        house.close()
    pipe.send(Closed(int(row[0]), len(there.shops), seconds, _peak(), started, steps))


def _accepted(outcome: ledger.Outcome) -> Any:
    assert isinstance(outcome.decision, ledger.Accepted), outcome.body
    return outcome.decision.value


def net_alone(pipe: Connection, parent: int, merchants: int, pairs: int) -> None:
    """`net` and the hash of what it makes, of pairs drawn at random: both ways, of each funding, refunds among them."""
    die_with_parent(parent)
    operator, flows, charges, carries = drawn(merchants, pairs)
    began = time.monotonic()
    netted = netting.net(flows, charges, carries, operator)
    netting.positions_hash(operator, 1, netted.positions)
    pipe.send(NettedAlone(merchants, pairs, time.monotonic() - began, _peak()))


def drawn(
    merchants: int, pairs: int, seed: int = 1
) -> tuple[UUID, Iterator[netting.Flow], dict[UUID, netting.Charge], dict[UUID, int]]:
    """The operator, a flow for each of so many different pairs (made as they are asked for), charges and carries."""
    chance = random.Random(seed)
    operator, *parties = [UUID(int=chance.getrandbits(128)) for _ in range(merchants + 1)]

    def flows() -> Iterator[netting.Flow]:
        for cell in chance.sample(range(merchants * (merchants - 1)), pairs):
            issuer, acceptor = divmod(cell, merchants - 1)
            points = chance.randrange(-20, 1_000)
            yield netting.Flow(
                parties[issuer],
                parties[acceptor + (acceptor >= issuer)],
                "prefunded" if issuer % 2 else "deferred",
                1_000,
                points,
                points * 1_000,
                1,
            )

    charges = {party: netting.Charge(chance.randrange(10**12), 5) for party in parties}
    carries = {party: chance.randrange(-500_000, 500_000) for party in parties}
    return operator, flows(), charges, carries


def _peak() -> int:
    """MiB that this process has had at most."""
    told = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return told // MIB if sys.platform == "darwin" else told * 1024 // MIB


# -- what is told


def show(console: Console, curve: Curve) -> None:
    table = Table("settlement", box=None, pad_edge=False)
    steps = list(curve.points[0].steps) if curve.points else []
    for name in ("merchants", "seconds", *steps, "obligations a second", "peak MiB"):
        table.add_column(name, justify="right")
    for point in curve.points:
        table.add_row(
            f"{point.items:,} items",
            f"{point.merchants:,}",
            f"{point.seconds:.1f}",
            *(f"{point.steps[name]:.1f}" for name in steps),
            f"{point.obligations_per_second:,}",
            f"{point.peak_mib:,}",
        )
    console.print(table)
    if curve.netting is not None:
        alone = curve.netting
        console.print(
            f"\nnetting {alone.merchants:,} merchants with {alone.pairs:,} pairs: {alone.seconds:.1f} s,"
            f" at most {alone.peak_mib:,} MiB",
            highlight=False,
        )
    console.print(
        "\nevery window was settled, and every database of the run audits clean", style="green", highlight=False
    )
