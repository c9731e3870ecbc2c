"""`./manex simulate ledger` as it is typed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def typed(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy", "simulate", "ledger", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        env={"PATH": "/usr/bin:/bin", "TERM": "dumb", "COLUMNS": "200"},
        check=False,
    )


def test_seeds_that_pass_are_counted() -> None:
    said = typed("--seeds", "2", "--from", "5", "--steps", "4")
    assert said.returncode == 0, said.stderr
    assert "2 seeds from 5" in said.stdout
    assert "the audit is clean" in said.stdout


def test_a_failing_seed_is_told_and_can_be_played_again() -> None:
    said = typed("--fault", "expiry_retires", "--seeds", "20")
    assert said.returncode == 1
    again = said.stdout.rstrip().splitlines()[-1]
    assert again.startswith("again: ./manex simulate ledger --seed")
    assert "account mint:" in said.stdout
    replayed = typed(*again.removeprefix("again: ./manex simulate ledger ").split())
    assert replayed.returncode == 1
    assert "step 1" in replayed.stdout


@pytest.mark.parametrize("words", [("--seeds", "0"), ("--fault", "none_such"), ("--steps", "0")])
def test_nonsense_is_refused(words: tuple[str, ...]) -> None:
    said = typed(*words)
    assert said.returncode != 0
    assert said.stdout == ""
    assert said.stderr
    assert "Traceback" not in said.stderr


def test_the_faults_are_listed() -> None:
    assert "grace_again" in typed("--fault", "list").stdout
