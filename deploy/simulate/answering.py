"""Groups of a history posted to the ledger, and what it answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

import ledger
from deploy.simulate.asking import Act, Operation, SameKey, SendAgain, Step
from deploy.simulate.plain import Expected, accepted
from deploy.simulate.real import Real, told_refusal


class Answering:
    """Remembers every request and its first answer, by label, so that it can be sent again."""

    def __init__(self, real: Real) -> None:
        self._real = real
        self._requests: dict[str, ledger.Request] = {}
        self._answers: dict[str, bytes] = {}

    def ask(self, steps: Sequence[Step]) -> Iterator[Expected]:
        """Post a group as one batch, or do what stands alone; the answers in the words of the predictions."""
        if isinstance(steps[0], Act):
            yield steps[0].act(self._real)
            return
        requests = [self._request(step) for step in steps]
        outcomes = self._real.house.committer.post_all(requests)
        for step, outcome in zip(steps, outcomes, strict=True):
            yield self._answer(step, outcome)

    def _request(self, step: Step) -> ledger.Request:
        if isinstance(step, SendAgain):
            return self._requests[step.first.label]
        if isinstance(step, SameKey):
            first = self._requests[step.first.label]
            return msgspec.structs.replace(first, fingerprint=ledger.fingerprint("POST", "/other", step.label))
        assert isinstance(step, Operation), step
        request = self._real.request(step.kind, step.principal, step.key, step.body(self._real))
        self._requests[step.label] = request
        return request

    def _answer(self, step: Step, outcome: ledger.Outcome) -> Expected:
        if isinstance(step, SendAgain):
            first = self._answers[step.first.label]
            if outcome.replayed and outcome.body == first:
                return accepted()
            return Expected("not its first answer", {"first": first, "now": outcome.body})
        if outcome.replayed:
            return Expected("replayed", {"body": outcome.body})
        self._answers[step.label] = outcome.body
        decision = outcome.decision
        if isinstance(decision, ledger.Accepted):
            assert isinstance(step, Operation), step
            return accepted(**step.told(self._real, decision.value))
        assert isinstance(decision, ledger.Refusal), decision
        return told_refusal(decision)
