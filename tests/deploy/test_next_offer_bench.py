"""`manex bench next-offer`: how visits are graded, and that a small run tells its tables. How good it is, no test says."""

import json
import math
import os
import subprocess
import sys

import pytest

from deploy.bench import next_offer
from deploy.home import TREE
from merchants.insight.next_offer import Setting


@pytest.mark.parametrize(
    ("told", "wanted", "grades"),
    [
        ("ABCDE", "A", (1, 1, 1, 1, 1)),
        ("ABCDE", "C", (0, 1, 1, 1 / 3, 1 / math.log2(4))),
        ("ABCDE", "E", (0, 0, 1, 1 / 5, 1 / math.log2(6))),
        ("ABCDE", "Z", (0, 0, 0, 0, 0)),
        ("ABCDE", "AB", (1, 1, 1, 1, 1)),
        ("", "A", (0, 0, 0, 0, 0)),
    ],
)
def test_a_visit_is_graded(told: str, wanted: str, grades: tuple[float, ...]) -> None:
    assert next_offer.graded(list(told), frozenset(wanted)) == pytest.approx(grades)


def test_a_contender_knows_nothing_of_the_day_it_is_asked_about() -> None:
    """A household that never buys twice: whatever knew the day would be right."""
    year = {1: [(day, frozenset([f"C{day}"])) for day in range(1, 40)]}
    result = next_offer.compared(year, 20, Setting(), lambda _: None)
    assert result.asked == {next_offer.EVERY: 20, next_offer.FIRST: 1, next_offer.NEW: 20}
    for rows in result.questions.values():
        assert all(score.mean == 0 for row in rows.values() for score in row.scores.values())


def test_a_small_run_tells_its_tables() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "deploy", "bench", "next-offer", "--households", "12", "--json"],
        env={**os.environ, "PYTHONPATH": str(TREE)},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert set(document["questions"]) == set(next_offer.QUESTIONS)
    for rows in document["questions"].values():
        assert set(rows) == {next_offer.POPULAR, next_offer.FREQUENT, next_offer.OURS}
        for row in rows.values():
            for score in row["scores"].values():
                assert 0 <= score["low"] <= score["mean"] <= score["high"] <= 1
