"""Gifts of members to each other, and what a network lets them give in a day."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from deploy.simulate.asking import Keys, Operation, Step
from deploy.simulate.plain import (
    LONGEST_LINEAGE,
    MOST_MISSED,
    PEOPLE,
    Expected,
    GiftRules,
    Plain,
    accepted,
    refused,
    worth,
)
from deploy.simulate.real import Real
from deploy.simulate.till import consents, half_minute
from ledger import Points
from merchants import sales, trade


@dataclass(frozen=True)
class Give(Operation):
    member: str
    # somebody unknown, too
    to: str
    points: int
    # half minutes from the present one, or None: a wrong code
    code: int | None

    kind: ClassVar[str] = "gift"

    @property
    def principal(self) -> str:
        return self.member

    def predict(self, plain: Plain) -> Expected:
        if self.to == self.member:
            return refused("validation_failed")
        if plain.spend_locked[self.member] or plain.frozen[self.member]:
            return refused("spend_locked")
        if plain.debts_of(self.member):
            plain.reached["gift of a debtor refused"] += 1
            return refused("state_conflict")
        if (why := consents(plain, self.member, self.member, self.code)) is not None:
            return why
        today, rules = plain.gift_days[self.member, plain.now.date()], plain.gift_rules
        if today.missed >= MOST_MISSED:
            plain.reached["too many gifts found nobody"] += 1
            return Expected("rate_limited", {}, stored=False)
        if today.gifts >= rules.gifts_a_day:
            plain.reached["too many gifts in a day"] += 1
            return refused("limit_exceeded", allowed=rules.gifts_a_day, asked=today.gifts + 1)
        if today.given + self.points > rules.points_a_day:
            plain.reached["too many points given in a day"] += 1
            return refused("limit_exceeded", allowed=max(0, rules.points_a_day - today.given), asked=self.points)
        plain.catch_up(self.member)
        lots = sorted((lot for lot in plain.lots_of(self.member) if lot.wallet), key=lambda lot: lot.order)
        lots = [lot for lot in lots if plain.alive(lot)]
        slices = plain.choose(lots, self.points, None)
        if slices is None:
            return refused("insufficient_points", needed=self.points, available=sum(lot.wallet for lot in lots))
        if any(len(lot.holders_before) >= LONGEST_LINEAGE for lot, _ in slices):
            return refused("state_conflict")
        if (why := self._may_receive(plain)) is not None:
            today.missed += 1
            return why
        if any(self.to in lot.holders_before for lot, _ in slices):
            plain.reached["points do not return by gift"] += 1
            today.missed += 1
            return refused("state_conflict")
        plain.last_code[self.member] = half_minute(plain) + (self.code or 0)
        plain.give(self.label, self.member, self.to, slices)
        today.given, today.gifts = today.given + self.points, today.gifts + 1
        plain.gift_days[self.to, plain.now.date()].received += self.points
        return accepted(
            points=self.points,
            value=worth(slices),
            lots=len(slices),
            available=plain.wallet(self.member),
        )

    def _may_receive(self, plain: Plain) -> Expected | None:
        if self.to not in PEOPLE or plain.frozen[self.to]:
            plain.reached["a gift found nobody"] += 1
            # kept, because it is counted
            return Expected("not_found", {})
        received = plain.gift_days[self.to, plain.now.date()].received
        if received + self.points > plain.gift_rules.received_a_day:
            plain.reached["too many points received in a day"] += 1
            return refused("limit_exceeded", allowed=plain.gift_rules.received_a_day, asked=self.points)
        return None

    def body(self, real: Real) -> trade.Gift:
        return trade.Gift(
            real.member(self.member),
            Points(self.points),
            to_number=real.number(self.to),
            spend_code=real.code(self.member, self.code),
        )

    def told(self, real: Real, value: trade.GiftDone) -> dict[str, Any]:
        lots = real.given(self.label, value.record_id)
        return {"points": value.points, "value": value.value, "lots": lots, "available": value.available}


def draw_gift(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step | None:
    rich = [member for member in PEOPLE if plain.wallet(member)]
    if not rich:
        return None
    member = rng.choice(rich)
    to = rng.choice([other for other in PEOPLE if other != member or rng.random() < 0.05] or list(PEOPLE))
    # who found nobody today goes on looking, up to what a day allows
    if rng.random() < (0.7 if plain.gift_days[member, plain.now.date()].missed else 0.05):
        to = "nobody"
    there = plain.wallet(member)
    points = max(1, rng.choice((there, there // 2, there // 3, 5, there + 1)))
    code = rng.choices((0, 1, -1, None), (12, 6, 1, 1))[0]
    if code is not None and half_minute(plain) + code <= plain.last_code[member] and rng.random() < 0.7:
        if half_minute(plain) + 1 <= plain.last_code[member]:
            return None
        code = 1
    return Give(label, key(member), member, to, points, code)


@dataclass(frozen=True)
class ChangeGiftRules(Operation):
    rules: GiftRules

    kind: ClassVar[str] = "gift_rules"
    exclusive: ClassVar[bool] = True

    def predict(self, plain: Plain) -> Expected:
        plain.gift_rules = self.rules
        return accepted()

    def body(self, real: Real) -> sales.GiftRules:  # noqa: ARG002 - names nothing
        return sales.GiftRules(**asdict(self.rules))

    def told(self, real: Real, value: Any) -> dict[str, Any]:  # noqa: ARG002 - nothing but that they are in force
        return {}


def draw_gift_rules(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:  # noqa: ARG001 - a draw's
    rules = rng.choice((GiftRules(), GiftRules(40, 10, 60), GiftRules(100, 2, 30)))
    return ChangeGiftRules(label, key("operator"), rules)
