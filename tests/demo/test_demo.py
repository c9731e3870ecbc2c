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

    def hours(self) -> int:
        """How many hours the demo has begun."""
        try:
            return (self.path / "demo" / "journal.jsonl").read_bytes().count(b"\n")
        except FileNotFoundError:
            return 0


@pytest.fixture
def home(tmp_path: Path, prepared: Path) -> Iterator[Home]:
    path = tmp_path / "home"
    (path / "demo").mkdir(mode=0o700, parents=True)
    (path / "demo" / "cache").symlink_to(prepared)
    path.chmod(0o700)
    yield Home(path)
    deadline = time.monotonic() + 30
    while (found := postgres.holder(path)) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found is None, found


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared data, shared by the homes of this file."""
    from deploy.demo import journey

    return journey.prepared(tmp_path_factory.mktemp("journey")).parent


def figures(document: Any) -> Any:
    """The document without what a clock on the wall says."""
    return {name: value for name, value in document.items() if name != "seconds"}


def test_three_days_one_by_one_and_in_batches_give_the_same_figures(home: Home) -> None:
    single = home.run("--days", "3")
    assert single["baskets"] == 1_188
    assert single["audit"] == "clean"
    assert single["settlement"]["windows"] == 2
    assert sum(single["settlement"]["positions"].values()) == 0
    points = single["points"]
    assert points["issued"] == points["redeemed"] + points["expired"] + points["outstanding"]
    assert figures(home.run("--days", "3", "--fresh", "--via", "batch")) == figures(single)


def test_a_finished_demo_is_shown_again(home: Home) -> None:
    first = home.run("--days", "1")
    assert home.run("--days", "1") == first


def test_another_seed_or_span_wants_a_fresh_start(home: Home) -> None:
    home.run("--days", "1")
    for words in (["--days", "2"], ["--days", "1", "--seed", "5"]):
        process = home.start(*words)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "--fresh" in err.decode()


@pytest.mark.timeout(300)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the processes to kill in /proc")
def test_killed_at_random_moments_it_ends_with_the_same_figures(
    home: Home, tmp_path_factory: pytest.TempPathFactory, prepared: Path
) -> None:
    unkilled = Home(tmp_path_factory.mktemp("unkilled"))
    (unkilled.path / "demo").mkdir(mode=0o700)
    (unkilled.path / "demo" / "cache").symlink_to(prepared)
    expected = unkilled.run("--days", "14", "--via", "batch")
    hours = unkilled.hours()
    seed = int(os.environ.get("MANEX_KILL_SEED", random.SystemRandom().randrange(2**32)))
    print(f"MANEX_KILL_SEED={seed}")
    moments = random.Random(seed)
    # the demo itself, once while it is being set up; in between its server and its database, which it brings back
    victims = ["demo"] * (KILLS - 1) + ["server", "postgres"]
    moments.shuffle(victims)
    process = home.start("--days", "14")
    time.sleep(moments.uniform(0.2, 4.0))
    kill(process.pid)
    process.communicate()
    process = home.start("--days", "14")
    for part, victim in enumerate(victims):
        until = int(hours * (part + moments.random()) / len(victims))
        while home.hours() < until and process.poll() is None:
            time.sleep(0.02)
        time.sleep(moments.uniform(0, 0.2))
        assert process.poll() is None, process.communicate()[1].decode()
        if victim == "demo":
            kill(process.pid)
            process.communicate()
            process = home.start("--days", "14")
        else:
            kill(server_of(process.pid) if victim == "server" else postmaster_of(home.path))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode()
    document = json.loads(out)
    assert document["audit"] == "clean"
    assert figures(document) == figures(expected)


def kill(pid: int | None) -> None:
    """What is gone already, or not there yet, needs no killing."""
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def server_of(demo: int) -> int | None:
    """The API server among the children of the demo's process."""
    for task in Path(f"/proc/{demo}/task").iterdir():
        for child in (task / "children").read_text().split():
            if b"deploy.demo.api" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    return None


def postmaster_of(home: Path) -> int | None:
    try:
        return int((home / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
