"""`manex bench`, as small as it goes: every contender has its turns, every database is proved, and the figures are told.

How fast anything is, or by how much, no test says: a shared machine would answer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.bench import doors, growth, loading, network, picture, posting, reads, rounds, rules
from deploy.bench.machine import Machine
from deploy.bench.report import Part, Report
from deploy.bench.rounds import Turn, Wanted
from deploy.bench.slot import Slot
from deploy.bench.work import Work
from deploy.home import TREE
from merchants import programme

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a loaded macOS runner takes minutes")

TINY = ("--seconds", "0.25", "--members", "100", "--shops", "5", "--scale", "1", "--callers", "16")


def bench(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "deploy", "bench", *words],
        env={**os.environ, "PYTHONPATH": str(TREE), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=280,
    )


def told(done: subprocess.CompletedProcess[str], tmp_path: Path, *keys: str) -> dict[str, Any]:
    """The document of a run that went well and left nothing behind."""
    assert done.returncode == 0, done.stderr + done.stdout
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["audit"] == "clean"
    assert set(document["ratios"]) == set(document["floors"]) == set(keys)
    assert all(ratio > 0 for ratio in document["ratios"].values())
    assert {"cpu", "cores", "system", "postgres"} <= set(document["machine"])
    for run in document["runs"]:
        assert len(run["by_round"]) == 3
        assert sum(run["answers"].values()) > 0
        assert "failed" not in run["answers"]
    assert list(tmp_path.glob("manex-*")) == []
    return document


@pytest.mark.timeout(300)
def test_a_run_of_posting_tells_its_figures(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    svg = tmp_path / "figures.svg"
    done = bench(tmp_path, "posting", *TINY, "--json", "--picture", str(svg), "--place", str(place))
    document = told(done, tmp_path, *(wanted.key for wanted in posting.FIGURES))
    assert svg.read_text().count("posting.one_writer") == 1
    assert list(place.iterdir()) == []
    assert document["runs"][0]["contender"] == posting.TPCB


@pytest.mark.timeout(300)
def test_a_run_of_reads_tells_its_figure(tmp_path: Path) -> None:
    told(bench(tmp_path, "reads", *TINY, "--json"), tmp_path, *(wanted.key for wanted in reads.FIGURES))


@pytest.mark.timeout(300)
def test_a_run_over_http_tells_its_figures(tmp_path: Path) -> None:
    told(bench(tmp_path, "http", *TINY, "--json"), tmp_path, *(wanted.key for wanted in doors.FIGURES))


@pytest.mark.timeout(300)
def test_a_run_of_growth_tells_its_figure(tmp_path: Path) -> None:
    done = bench(tmp_path, "growth", *TINY, "--records", "2000", "--json")
    told(done, tmp_path, *(wanted.key for wanted in growth.FIGURES))


@pytest.mark.timeout(300)
def test_a_run_of_settlement_tells_its_curve(tmp_path: Path) -> None:
    svg = tmp_path / "curve.svg"
    sizes = ("--items", "1000", "--items", "2000", "--merchants", "5", "--members", "100", "--parties", "50")
    done = bench(tmp_path, "settlement", *sizes, "--pairs", "2000", "--json", "--picture", str(svg))
    assert done.returncode == 0, done.stderr + done.stdout
    document = json.loads(done.stdout)
    assert document["audit"] == "clean"
    for point, items in zip(document["curve"], (1_000, 2_000), strict=True):
        assert items <= point["items"] <= items + 50
        assert point["merchants"] == 5
        assert point["seconds"] >= sum(point["steps"].values()) * 0.99 > 0
        assert point["peak_mib"] >= point["started_mib"] > 0
        assert point["obligations_per_second"] > 0
    assert (document["netting"]["merchants"], document["netting"]["pairs"]) == (50, 2_000)
    assert svg.read_text().count("<circle") == 4
    assert list(tmp_path.glob("manex-*")) == []


def test_a_run_of_rules_tells_its_figure(tmp_path: Path) -> None:
    told(bench(tmp_path, "rules", *TINY, "--json"), tmp_path, *(wanted.key for wanted in rules.FIGURES))


def test_rules_of_the_bench_come_into_force() -> None:
    for live in rules.LIVE:
        assert programme.faults(rules.terms(live)) == []
    assert len(rules.terms(1_000)["rules"]) == 1_001


def test_answers_that_nobody_asked_for_are_no_figure() -> None:
    slot = Slot(3, 1.0, answers={"accepted": 1, "429": 2})
    assert rounds.unasked([Turn("x", 1, slot, 0.0, None)], doors.WANTED) == ["x: answered 429, 2 times"]


def test_what_is_loaded_audits_clean(own_database_url: str) -> None:
    there = network.found(own_database_url, b"s" * 32, 5, 100, lambda _text: None)
    # more than a batch of either, and neither a whole number of them
    loading.load(there, loading.BATCH + 100, 2, lambda _text: None, history=loading.BATCH + 101)
    network.owe(there)
    with psycopg.connect(own_database_url) as conn:
        kinds: dict[str, int] = dict(conn.execute("select kind, count(*) from ledger.record group by 1").fetchall())
    assert (kinds["hold"], kinds["sale"]) == (203 + 1, 203 + 610 + 5 + 1)
    assert posting.faults(own_database_url) == []


def test_a_run_whose_books_are_wrong_tells_no_figures(own_database_url: str) -> None:
    there = network.found(own_database_url, b"s" * 32, 5, 100, lambda _text: None)
    loading.load(there, 10, 1, lambda _text: None)
    with psycopg.connect(own_database_url) as conn:
        conn.execute("update ledger.lot set remaining = remaining - 1 where remaining > 0")
    assert "lots_derived" in posting.faults(own_database_url)


def test_the_work_is_the_mixture_that_it_says(own_database_url: str) -> None:
    there = network.found(own_database_url, b"s" * 32, 5, 5_000, lambda _text: None)
    asked = Work(there, "w").requests(10_000, "spread")
    kinds = [request.kind for request in asked]
    assert 0.55 < kinds.count("sale") / len(kinds) < 0.65
    keys = [(request.principal_id, request.key) for request in asked]
    assert 40 < len(keys) - len(set(keys)) < 200
    hot = Work(there, "h").requests(1_000, "hot")
    assert {request.principal_id for request in hot} == {there.shops[0].id}


def turn(contender: str, number: int, rate: float) -> Turn:
    return Turn(contender, number, Slot(int(rate * 10), 10.0), 0.5, None)


def test_a_figure_is_the_median_of_its_rounds() -> None:
    turns = [turn("a", 1, 10), turn("b", 1, 10), turn("a", 2, 30), turn("b", 2, 10), turn("a", 3, 80), turn("b", 3, 20)]
    (figure,) = rounds.figures([Wanted("x.y", "a", "b", 2.0), Wanted("x.z", "a", "c", 2.0)], turns)
    assert (figure.ratio, figure.by_round) == (3.0, (1.0, 3.0, 4.0))


def test_the_picture_shows_every_figure() -> None:
    turns = [turn("a", 1, 10), turn("b", 1, 10)]
    machine = Machine("a <CPU>", 2, "Linux", "3.11", "18", None)
    report = Report(machine, {"seconds": 1}, [Part("x", turns, rounds.figures([Wanted("x.y", "a", "b", 2.0)], turns))])
    drawn = picture.drawn(report)
    assert "x.y" in drawn
    assert "a &lt;CPU&gt;" in drawn


def test_no_room_is_said_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _at: shutil._ntuple_diskusage(1, 1, 0))
    from deploy.bench import place
    from deploy.errors import Refusal

    with pytest.raises(Refusal, match="GB"), place.room(tmp_path, 1_000_000, 1):
        pass
    assert list(tmp_path.iterdir()) == []
