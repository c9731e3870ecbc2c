"""`manex soak kill`, two short rounds of it: the whole road, from a house that starts to books that are proved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.home import TREE
from deploy.soak import kill, steady
from deploy.soak.house import Answer
from tests.kafka_broker import program


@pytest.mark.timeout(180)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a loaded macOS runner takes minutes")
def test_nothing_acknowledged_is_lost_when_processes_are_killed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "deploy", "soak", "kill", "--rounds", "2", "--seconds", "1.5", "--json"],
        env={**os.environ, "PYTHONPATH": str(TREE), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(done.stdout)
    assert told["clean"] is True
    assert Counter(each["victim"] for each in told["rounds"]) == {"postgres": 1, "gateway": 1}
    for each in told["rounds"]:
        assert each["acknowledged"] > 0
        assert each["acknowledged"] + each["in_doubt"] == each["sent"]
        assert (each["lost"], each["doubled"], each["changed"], each["wrong"]) == (0, 0, 0, [])
    assert list(tmp_path.glob("manex-soak-*")) == []  # a clean rehearsal leaves nothing


def operation(reference: str, status: int = 200) -> kill.Operation:
    return kill.Operation("sale", "/v1/sales", b"{}", reference, "", "", Answer(status, b"{}", False))


def test_a_row_that_is_missing_or_too_many_is_noticed(database_url: str) -> None:
    """The proof itself: without a row for an accepted sale it says lost; what was refused needs none."""
    told = kill.Round(1, "gateway")
    kill._count(database_url, [operation("1-0"), operation("1-1", 422)], told)
    assert (told.lost, told.doubled, told.clean) == (1, 0, False)
    assert told.wrong == ["no row: sale 1-0"]


@pytest.mark.parametrize(
    ("again", "fault"),
    [
        (Answer(200, b'{"id":1}', True), None),
        (Answer(200, b'{"id":1}', False), "lost"),
        (Answer(200, b'{"id":2}', True), "changed"),
        (Answer(409, b'{"id":1}', True), "changed"),
        (Answer(503, b"", False), "changed"),
        (None, "changed"),
    ],
)
def test_a_replay_that_differs_is_noticed(again: Answer | None, fault: str | None) -> None:
    assert kill.judged(Answer(200, b'{"id":1}', False), again) == fault


@pytest.mark.timeout(180)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a loaded macOS runner takes minutes")
def test_sequences_that_the_document_suggests_meet_no_fault(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "deploy", "soak", "api", "--seconds", "4", "--seed", "5", "--json"],
        env={**os.environ, "PYTHONPATH": str(TREE), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(done.stdout)
    assert (told["clean"], told["faults"], told["broken_checks"]) == (True, [], 0)
    assert told["calls"] > 50
    assert any(status.startswith("2") for answers in told["answers"].values() for status in answers)
    assert list(tmp_path.glob("manex-soak-*")) == []


@pytest.mark.timeout(180)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a loaded macOS runner takes minutes")
def test_a_steady_load_is_told_by_stretches_and_its_books_are_proved(tmp_path: Path) -> None:
    words = ("--minutes", "0.1", "--members", "100", "--shops", "5", "--json")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "deploy", "soak", *words],
        env={**os.environ, "PYTHONPATH": str(TREE), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode in (0, 1), done.stderr  # how flat six seconds are is the machine's affair
    told = json.loads(done.stdout)
    assert told["audit"] == "clean"
    assert told["flat"] is (done.returncode == 0)
    assert [each["number"] for each in told["stretches"]] == [1, 2, 3, 4, 5, 6]
    for each in told["stretches"]:
        assert each["operations"] > 0
        assert each["gateways_bytes"] > 2**20
        assert each["postgres_bytes"] > 2**20
    assert list(tmp_path.glob("manex-*")) == []


def stretches(rates: Sequence[float], gateways: Sequence[int | None]) -> steady.Told:
    pairs = enumerate(zip(rates, gateways, strict=True), start=1)
    return steady.Told([steady.Stretch(n, int(rate * 10), 10.0, 1.0, 2.0, size, 50) for n, (rate, size) in pairs], [])


def test_a_leak_and_a_falling_rate_are_not_flat() -> None:
    mib = 2**20
    level = [100 * mib, 300 * mib, 400 * mib, 410 * mib, 420 * mib, 415 * mib]
    assert stretches([50, 99, 100, 101, 95, 90], level).flat
    assert not stretches([100, 100, 100, 100, 70, 75], level).flat
    leaking = [n * 100 * mib for n in range(1, 7)]
    assert not stretches([100] * 6, leaking).flat
    # a small process may take its next step
    assert stretches([100] * 6, [40 * mib] * 4 + [60 * mib] * 2).flat
    # where nobody tells the memory, PostgreSQL's is still known
    assert stretches([100] * 6, [None] * 6).memory_kept == 1


@pytest.mark.timeout(300)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a loaded macOS runner takes minutes")
def test_no_fact_is_lost_doubled_or_out_of_order_on_the_stream(tmp_path: Path) -> None:
    program()  # or a skip by name
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "deploy", "soak", "stream"),
            *("--rounds", "4", "--seconds", "1.5", "--brokers", "memory", "--json"),
        ],
        env={**os.environ, "PYTHONPATH": str(TREE), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(done.stdout)
    assert told["clean"] is True
    assert [each["victim"] for each in told["rounds"]] == ["broker", "relay", "consumer", "postgres"]
    assert (told["total"]["lost"], told["total"]["doubled"], told["total"]["out_of_order"]) == (0, 0, 0)
    assert all(each["acknowledged"] > 0 for each in told["rounds"])
    assert list(tmp_path.glob("manex-soak-*")) == []
