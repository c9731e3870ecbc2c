"""The demo as a newcomer runs it: the command, the figures, kills."""

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

#: A demo of two weeks is killed this often, within so many seconds of its start each time.
KILLS = 5
LONGEST_LIFE = 9.0


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
def test_killed_at_random_moments_it_ends_with_the_same_figures(
    home: Home, tmp_path_factory: pytest.TempPathFactory, prepared: Path
) -> None:
    seed = int(os.environ.get("MANEX_KILL_SEED", random.SystemRandom().randrange(2**32)))
    print(f"MANEX_KILL_SEED={seed}")
    moments = random.Random(seed)
    killed = 0
    while killed < KILLS:
        process = home.start("--days", "14")
        try:
            _, err = process.communicate(timeout=moments.uniform(0.5, LONGEST_LIFE))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += 1
        else:
            assert process.returncode == 0, err.decode()
            break
    assert killed >= KILLS, "it ended before it was killed five times"
    document = home.run("--days", "14")
    assert document["audit"] == "clean"
    other = Home(tmp_path_factory.mktemp("unkilled"))
    (other.path / "demo").mkdir(mode=0o700)
    (other.path / "demo" / "cache").symlink_to(prepared)
    assert figures(document) == figures(other.run("--days", "14", "--via", "batch"))
