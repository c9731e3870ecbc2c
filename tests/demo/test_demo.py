"""The demo as a newcomer runs it: the command, the figures, kills."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy import postgres
from deploy.home import TREE

#: How often the demo of two weeks is killed.
KILLS = 5


class Home:
    """A MANEX_HOME of its own, and the command on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environ = {**os.environ, "MANEX_HOME": str(path), "PYTHONPATH": str(TREE)}
        self.environ.pop("MANEX_DATABASE_URL", None)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "deploy", "demo", "--port", "0", "--no-serve", "--json", *words]
        return subprocess.Popen(
            command,
            cwd=self.path,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *words: str) -> Any:
        process = self.start(*words)
        out, err = process.communicate(timeout=110)
        assert process.returncode == 0, err.decode()
        return json.loads(out)

    def state(self) -> bytes:
        return (self.path / "demo" / "state.json").read_bytes()

    def hours(self) -> int:
        """How many hours the demo has begun."""
        try:
            return (self.path / "demo" / "journal.jsonl").read_bytes().count(b"\n")
        except FileNotFoundError:
            return 0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One home for all of it: every test begins with --fresh, or repeats what `three_days` did."""
    path = tmp_path_factory.mktemp("home")
    yield Home(path)
    deadline = time.monotonic() + 30
    while (found := postgres.holder(path)) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found is None, found


@pytest.fixture(scope="module")
def three_days(home: Home) -> Any:
    return home.run("--days", "3", "--fresh")


def figures(document: Any) -> Any:
    """The document without what a clock on the wall says."""
    return {name: value for name, value in document.items() if name != "seconds"}


@pytest.mark.row("A15")
@pytest.mark.row("G3")
def test_three_days_are_replayed_settled_and_audited(three_days: Any) -> None:
    assert three_days["baskets"] == 1_188
    assert three_days["audit"] == "clean"
    assert three_days["settlement"]["windows"] == 2
    assert sum(three_days["settlement"]["positions"].values()) == 0
    points = three_days["points"]
    ways = ("redeemed", "expired", "returned", "outstanding")
    assert points["issued"] == sum(points[way] for way in ways) > 0
    assert points["pending"] > 0
    assert points["closed_loop"] > 0


def test_a_finished_demo_is_shown_again(home: Home, three_days: Any) -> None:
    assert home.run("--days", "3") == three_days


@pytest.mark.parametrize("words", [["--days", "2"], ["--days", "3", "--seed", "5"]])
def test_another_seed_or_span_wants_a_fresh_start(home: Home, three_days: Any, words: list[str]) -> None:
    process = home.start(*words)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "--fresh" in err.decode()


def test_a_database_it_knows_nothing_of_is_not_dropped(home: Home, three_days: Any, tmp_path: Path) -> None:
    with postgres.running(home.path, wait_seconds=30) as server:
        stranger = Home(tmp_path / "stranger")
        stranger.path.mkdir()
        stranger.environ["MANEX_DATABASE_URL"] = server.url
        process = stranger.start("--days", "1")
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "--fresh drops it" in err.decode()


def test_batches_give_the_same_figures(home: Home, three_days: Any) -> None:
    assert figures(home.run("--days", "3", "--fresh", "--via", "batch")) == figures(three_days)


@pytest.mark.timeout(300)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the processes to kill in /proc")
def test_killed_at_random_moments_it_ends_with_the_same_figures(home: Home) -> None:
    expected = home.run("--days", "11", "--fresh", "--via", "batch")
    hours = home.hours()
    seed = int(os.environ.get("MANEX_KILL_SEED", random.SystemRandom().randrange(2**32)))
    print(f"MANEX_KILL_SEED={seed}")
    moments = random.Random(seed)
    # the demo itself, once while it is being set up; in between its server and its database, which it brings back
    victims = ["demo"] * (KILLS - 1) + ["server", "postgres"]
    moments.shuffle(victims)
    before = home.state()
    process = home.start("--days", "11", "--fresh")
    while home.state() == before:
        time.sleep(0.02)
    time.sleep(moments.uniform(0, 3))
    kill(process.pid)
    process.communicate()
    process = home.start("--days", "11")
    for part, victim in enumerate(victims):
        until = int(hours * (part + moments.random()) / len(victims))
        while home.hours() < until and process.poll() is None:
            time.sleep(0.02)
        time.sleep(moments.uniform(0, 0.2))
        assert process.poll() is None, process.communicate()[1].decode()
        if victim == "demo":
            kill(process.pid)
            process.communicate()
            process = home.start("--days", "11")
        else:
            kill(server_of(process.pid) if victim == "server" else postmaster_of(home.path))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode()
    document = json.loads(out)
    assert document["audit"] == "clean"
    # what the kills could have lost, doubled or moved to another hour
    assert document["refunds"]["sales"] > 0
    assert document["refunds"]["redemptions"] > 0
    assert document["points"]["given"] > 0
    assert figures(document) == figures(expected)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the server in /proc")
@pytest.mark.parametrize("after", [0.0, 0.5, 2.0])
def test_a_killed_demo_leaves_no_server_behind(home: Home, three_days: Any, after: float) -> None:
    process = home.start("--days", "3", "--fresh")
    while (server := server_of(process.pid)) is None and process.poll() is None:
        time.sleep(0.01)
    assert server is not None
    time.sleep(after)
    kill(process.pid)
    process.communicate()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{server}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{server}").exists()


def kill(pid: int | None) -> None:
    """What is gone already, or not there yet, needs no killing."""
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def server_of(demo: int) -> int | None:
    """The API server among the children of the demo's process."""
    for task in Path(f"/proc/{demo}/task").iterdir():
        children = ""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            children = (task / "children").read_text()
        for child in children.split():
            with contextlib.suppress(FileNotFoundError):
                if b"deploy.demo.api" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
    return None


def postmaster_of(home: Path) -> int | None:
    try:
        return int((home / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
