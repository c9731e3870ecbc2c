"""A hundred random histories: the ledger says what the plain model says, on every road there is."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.simulate import database, running
from deploy.simulate.asking import Operation
from deploy.simulate.plain import Expected, Plain
from deploy.simulate.real import Simulated

SEEDS = 100
ROOT = Path(__file__).parents[2]

#: Roads that the hundred histories must have gone, each at least once. A road that is not listed is new: list it.
ROADS = """
a debt these points may not repay
a face value agreed on
a new face value
a new face value met a new contract
a part payment released its share
a payment released points
agreed on for the window's end
approval of something else
capture of a frozen member
capture of a suspended shop
capture too late
captured what expired while held
carry
confirmed
confirmed and repaid nothing
credit line below what is issued
debt closed_loop
debt deferred
debt prefunded
deferred home at once
deferred settled
deferred settled below zero
deferred settled below zero while others wait
deferred waits for its issuer
earned closed_loop
earned closed_loop pending
earned deferred
earned deferred pending
earned prefunded
earned prefunded pending
expired after grace
expired closed_loop
expired deferred
expired prefunded
fee below zero
from deferred to deferred
from prefunded to deferred
from prefunded to prefunded
grace
grace refused
lapsed alive
lapsed expired while held
member active
member active already
member frozen
own closed_loop settled
own closed_loop settled below zero
own deferred settled
own deferred settled below zero
own prefunded settled
own prefunded settled and retired
own prefunded settled below zero
paid a part
paid whole
pool sold back at a window's end
prefund paid
prefund paid a part
prefund released points
prefunded settled
prefunded settled below zero
redemption from several issuers
redemption of a value
refund counted what expired
refund left a debt
refund left a debt after an expiry
refund of a settled redemption
refund of a slice
refund of a suspended shop
refund of pending points went home closed_loop
refund of pending points went home deferred
refund of pending points went home prefunded
refund went home closed_loop
refund went home deferred
refund went home prefunded
refund whole
repaid by a lapse
repaid by a refund
repaid by a sale
repaid by a void
repaid the oldest of several debts
repaid with another's points
repaid with own points
repaid with pending points
restored own points bought
restored own points charged to the position
restored own points from the pool
restored own points paid by prefund
retired from pending
retired from wallet
sale paid in part by a redemption
sale: below_minimum
sale: below_one_point
sale: earned
sale: issuing_limit_reached
sale: merchant_suspended
sale: no_terms
sale: nothing_paid
sale: terms_exclude
sale: without member
same key, other content
sent again
shop active
shop active already
shop suspended
sold back
voided alive
voided expired while held
window abort
window approve
window close
window return
window step again
window submit
""".strip().split("\n")

#: Too rare to be asked of every hundred.
RARE = {
    "approved before its predecessor is posted",
    "from deferred to closed_loop",
    "from deferred to prefunded",
    "member frozen already",
    "paid one",
    "rules at once in place of what was agreed on",
}

CODES = {
    "accepted",
    "code_already_used",
    "consent_required",
    "duplicate_reference",
    "hold_expired",
    "idempotency_key_reused",
    "insufficient_points",
    "limit_exceeded",
    "merchant_suspended",
    "not_found",
    "otp_locked",
    "refund_exceeds_original",
    "self_approval_forbidden",
    "spend_locked",
    "state_conflict",
    "validation_failed",
}


@pytest.mark.row("A2")
@pytest.mark.row("A4")
@pytest.mark.row("A5")
@pytest.mark.row("A7")
@pytest.mark.row("A15")
@pytest.mark.timeout(600)
def test_any_history_leaves_what_the_plain_model_says(simulated: Simulated) -> None:
    reached: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for seed in range(SEEDS):
        run = running.play(simulated, seed)
        assert run.failure is None, f"./manex simulate ledger --seed {seed}: {run.failure.told}"
        reached += run.reached
        codes += run.codes
    for road, times in sorted(reached.items(), key=lambda pair: pair[1]):
        print(f"{times:>6} {road}")
    assert sorted(set(ROADS) - reached.keys()) == []
    assert sorted(reached.keys() - set(ROADS) - RARE) == []
    assert codes.keys() == CODES
    assert database.proved(simulated.url) == []


def told(seed: int) -> list[str]:
    plain, lines = Plain(), []
    for group in running.Drawn(seed, running.STEPS).groups(plain):
        lines += [f"{operation} -> {expected}" for operation, expected in group]
        plain.step += 1
    return lines


@pytest.mark.parametrize("seed", range(30))
def test_the_model_alone_keeps_every_identity(seed: int) -> None:
    plain = Plain()
    for _ in running.Drawn(seed, running.STEPS).groups(plain):
        assert plain.faults() == []
        plain.step += 1


def test_a_seed_is_the_same_history_in_every_process() -> None:
    program = "from tests.simulate.test_histories import told; print(*told(7), sep='\\n')"
    here = "\n".join(told(7))
    for number in ("1", "2"):
        said = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={**os.environ, "PYTHONHASHSEED": number},
        )
        assert said.stdout.rstrip("\n") == here


def test_a_history_can_be_played_again(simulated: Simulated) -> None:
    def played() -> list[str]:
        lines: list[str] = []

        def heard(step: int, answered: Sequence[tuple[Operation, Expected]]) -> None:
            lines.extend(f"{step} {operation} {answer}" for operation, answer in answered)

        assert running.play(simulated, 3, heard=heard).failure is None
        return lines

    first = played()
    assert first == played()
    assert len(first) > 40
