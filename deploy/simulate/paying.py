"""Windows that are paid by a rail: instructions, and what the world outside says of them, in any order and more than once."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

from deploy.simulate import covering, settling
from deploy.simulate.acts import MAKER, draw_window
from deploy.simulate.asking import Act, Keys, Step
from deploy.simulate.plain import Expected, Instruction, Plain, accepted, refused
from deploy.simulate.real import Real

CASH = {"bank": "bank", "stripe": "psp"}


@dataclass(frozen=True)
class Instruct(Act):
    """Have what is open of a window paid by a rail."""

    number: int
    rail: str

    kind: ClassVar[str] = "instruct"

    def predict(self, plain: Plain) -> Expected:
        if self.number > len(plain.windows):
            return refused("not_found")
        window = plain.windows[self.number - 1]
        if window.state not in ("paying", "settled"):
            return refused("state_conflict")
        waits = covering.waits(plain, window)
        if waits and self.rail != "bank":
            plain.reached["payments out by a provider before pay-ins"] += 1
            return refused("state_conflict")
        living = plain.living(self.number)
        asked = []
        if self.rail == "bank":
            asked += [(shop, "pay_in", -open) for shop, open in covering.left_open(plain, window).items() if open < 0]
        if not waits:
            there = covering.balances(plain, window)
            asked += [(shop, "pay_out", covering.payable(window, shop, there)) for shop in there]
        made = []
        for shop, direction, amount in asked:
            if amount <= 0:
                continue
            if shop in living:
                plain.reached["instructed once"] += 1
                continue
            plain.instructions[f"{self.label}:{shop}"] = Instruction(shop, self.number, self.rail, direction, amount)
            plain.reached[f"instructed to {direction} by {self.rail}"] += 1
            made.append((shop, direction, amount))
        return accepted(made=sorted(made))

    def act(self, real: Real) -> Expected:
        return real.instruct(self.label, self.number, self.rail, self.key)


@dataclass(frozen=True)
class SayOf(Act):
    """What a bank or a provider says of an instruction."""

    of: str
    said: str

    kind: ClassVar[str] = "word"

    def predict(self, plain: Plain) -> Expected | None:
        of = plain.instructions.get(self.of)
        if of is None:
            return None
        to = _pay_out(self.said, of) if of.direction == "pay_out" else _pay_in(self.said, of)
        place, cash = f"position:{of.shop}::{of.number}", CASH[of.rail]
        if to is None:
            plain.reached["a word that contradicts"] += 1
            return refused("state_conflict")
        if of.direction == "pay_in" and to == "confirmed" != of.state and self._open(plain, of) < of.amount:
            plain.reached["paid in already"] += 1
            return refused("state_conflict")
        window = plain.windows[of.number - 1]
        if to == of.state:
            plain.reached["a word again"] += 1
        elif to == "refused":
            plain.reached["an instruction refused"] += 1
        elif of.direction == "pay_in":
            if covering.covered(plain, of.number, of.shop) is not None:
                covering.make_good(plain, of.number, of.shop, of.amount, cash)
            else:
                settling.release(plain, of.number, of.shop, of.amount)
                plain.move(cash, place, of.amount)
            plain.reached["paid in as it was instructed"] += 1
        else:
            if of.state != "confirmed":
                plain.move(place, cash, of.amount)
                plain.reached[f"paid out by {of.rail}"] += 1
            if to == "returned":
                plain.move(cash, place, of.amount)
                plain.reached[f"a payment came back by {of.rail}"] += 1
                window.state = "paying"
        of.state = to
        settling.settled(plain, window)
        return accepted(state=to)

    def act(self, real: Real) -> Expected:
        return real.say_of(self.of, self.said)

    @staticmethod
    def _open(plain: Plain, of: Instruction) -> int:
        """What its shop has still to pay."""
        return -covering.left_open(plain, plain.windows[of.number - 1])[of.shop]


def _pay_out(said: str, of: Instruction) -> str | None:
    """The state that a word leads to; None when it cannot be."""
    if of.state == "made":
        return said
    known = {
        "confirmed": {"confirmed": "confirmed", "returned": "returned"},
        "refused": {"refused": "refused"},
        "returned": {"confirmed": "returned", "returned": "returned"},
    }
    return known[of.state].get(said)


def _pay_in(said: str, of: Instruction) -> str | None:
    if said == "returned":
        return None
    if said == "refused":
        return "refused" if of.state == "made" else of.state
    return "confirmed"


def draw_instruct(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    posted = [w for w in plain.windows if w.state == "paying"]
    if not posted:
        return draw_window(rng, plain, label, key)
    window = rng.choice(posted)
    owing = any(open < 0 for open in covering.balances(plain, window).values())
    rail = "bank" if owing and rng.random() < 0.8 else rng.choice(("bank", "stripe"))
    return Instruct(label, key(MAKER), window.number + rng.choice((0, 0, 0, 0, 1)), rail)


def draw_word(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    if not plain.instructions:
        return draw_window(rng, plain, label, key)
    made = [name for name, of in plain.instructions.items() if of.state == "made"]
    name = rng.choice(made if made and rng.random() < 0.7 else list(plain.instructions))
    return SayOf(label, "", name, rng.choice(("confirmed", "confirmed", "refused", "returned")))
