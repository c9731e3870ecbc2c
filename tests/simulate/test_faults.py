"""Each rule broken once: a simulation notices, within a few seeds that pass while nothing is broken.

That the same seeds pass is test_histories.
"""

import logging
from collections.abc import Iterator

import pytest

from deploy.simulate import database, faults, running
from deploy.simulate.faults import FAULTS
from deploy.simulate.real import Simulated
from tests.simulate.test_histories import SEEDS

#: Where to look first: only to be quick. What is not found there is looked for in the others.
FIRST: dict[str, int] = {}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """A batch that breaks on a planted fault is logged at length."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_noticed(name: str, simulated: Simulated) -> None:
    likely = FIRST.get(name, 0)
    with faults.planted(FAULTS[name]):
        for seed in [likely, *(seed for seed in range(SEEDS) if seed != likely)]:
            run = running.play(simulated, seed)
            if run.failure is not None:
                print(f"{name}: seed {seed}, step {run.failure.step}: {run.failure.told[0]}")
                return
        assert database.proved(simulated.url), f"nobody notices that it is no longer so that {FAULTS[name].rule}"


def test_every_fault_is_taken_out_again(simulated: Simulated) -> None:
    for fault in FAULTS.values():
        with faults.planted(fault):
            pass
    assert running.play(simulated, 0).failure is None


def test_a_failure_is_told_with_a_shorter_history_that_shows_it(simulated: Simulated) -> None:
    with faults.planted(FAULTS["expiry_retires"]):
        failure = running.play(simulated, 0).failure
        assert failure is not None
        shorter = running.shortened(simulated, 0, failure)
        assert running.replay(simulated, 0, shorter.history).failure is not None
    assert sum(map(len, shorter.history)) < sum(map(len, failure.history))
    assert running.replay(simulated, 0, shorter.history).failure is None
