"""Each rule broken once: a simulation notices, within a few seeds that pass while nothing is broken.

That the same seeds pass is test_histories.
"""

import functools
import logging
from collections import Counter
from collections.abc import Iterator

import pytest

from deploy.simulate import database, faults, running
from deploy.simulate.faults import FAULTS
from deploy.simulate.plain import Plain
from deploy.simulate.real import Simulated
from tests.simulate.test_histories import SEEDS

#: Within how many of them, those first that go the fault's road most often.
WITHIN = 8


@functools.cache
def roads(seed: int) -> Counter[str]:
    """How often a seed goes each road, by the plain model alone."""
    plain = Plain()
    for _ in running.Drawn(seed, running.STEPS).groups(plain):
        plain.step += 1
    return plain.reached


def likely(fault: faults.Fault) -> list[int]:
    road = fault.road
    if road is None:
        return list(range(WITHIN))
    return sorted(range(SEEDS), key=lambda seed: (-roads(seed)[road], seed))[:WITHIN]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """A batch that breaks on a planted fault is logged at length."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_noticed(name: str, simulated: Simulated) -> None:
    fault = FAULTS[name]
    with faults.planted(fault):
        for seed in likely(fault):
            run = running.play(simulated, seed, begins=fault.begins)
            if run.failure is not None:
                print(f"{name}: seed {seed}, step {run.failure.step}: {run.failure.told[0]}")
                return
        assert database.proved(simulated.url), f"nobody notices that it is no longer so that {fault.rule}"


def test_every_fault_is_taken_out_again(simulated: Simulated) -> None:
    for fault in FAULTS.values():
        with faults.planted(fault):
            pass
    assert running.play(simulated, 0).failure is None


def test_a_failure_is_told_with_a_shorter_history_that_shows_it(simulated: Simulated) -> None:
    fault = FAULTS["expiry_retires"]
    seed = likely(fault)[0]
    with faults.planted(fault):
        failure = running.play(simulated, seed).failure
        assert failure is not None
        shorter = running.shortened(simulated, seed, failure)
        assert running.replay(simulated, seed, shorter.history).failure is not None
    assert sum(map(len, shorter.history)) < sum(map(len, failure.history))
    assert running.replay(simulated, seed, shorter.history).failure is None
