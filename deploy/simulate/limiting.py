"""Limits on how much passes in how long: the whole list at once, by operators."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, ClassVar

from deploy.simulate.asking import Keys, Operation, Step
from deploy.simulate.plain import Expected, Limit, Plain, accepted, refused
from deploy.simulate.real import Real
from merchants import safety


@dataclass(frozen=True)
class ChangeLimits(Operation):
    limits: tuple[Limit, ...]

    kind: ClassVar[str] = "velocity_limits"
    exclusive: ClassVar[bool] = True

    def predict(self, plain: Plain) -> Expected:
        names = [(limit.subject, limit.what, limit.minutes) for limit in self.limits]
        if len(set(names)) < len(names):
            return refused("validation_failed")
        plain.put_limits(sorted(self.limits))
        return accepted(limits=sorted(self.limits))

    def body(self, real: Real) -> safety.NewLimits:
        limits = (safety.Limit(each.subject, each.what, each.minutes, each.most) for each in self.limits)
        return safety.NewLimits(real.book.operator_id, tuple(limits))

    def told(self, real: Real, value: safety.LimitsInForce) -> dict[str, Any]:  # noqa: ARG002 - names nothing
        return {"limits": [Limit(each.subject, each.what, each.per_minutes, each.most) for each in value.limits]}


#: Some that are met within a history, and some that are not.
CHOICE = (
    Limit("member", "redeem_points", 60, 30),
    Limit("member", "redeem_count", 600, 4),
    Limit("member", "earn_points", 60, 60),
    Limit("merchant", "earn_points", 1_440, 150),
    Limit("merchant", "sale_count", 61, 3),
    Limit("merchant", "redeem_points", 7_201, 90),
    Limit("key", "sale_count", 10, 2),
    Limit("key", "redeem_count", 600, 3),
)


def draw_limits(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    chosen = tuple(rng.sample(CHOICE, rng.choice((1, 1, 2, 3))))
    if plain.limits and rng.random() < 0.6:
        chosen = ()
    elif rng.random() < 0.05:
        chosen = (*chosen, chosen[0]._replace(most=chosen[0].most + 1))
    elif plain.limits and rng.random() < 0.5:
        # what was counted stays when only the most of it changes
        chosen = tuple(each._replace(most=each.most + 10) for each in plain.limits)
    return ChangeLimits(label, key("operator"), chosen)
