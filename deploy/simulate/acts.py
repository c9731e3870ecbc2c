"""What stands alone in a history: time, suspensions and locks, the steps and payments of windows."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from deploy.simulate import covering, settling
from deploy.simulate.asking import Act, Keys, Step
from deploy.simulate.plain import GRACE, PEOPLE, Expected, Payout, Plain, accepted, refused
from deploy.simulate.real import Real

MAKER: Final = "mina"
APPROVER: Final = "omid"


@dataclass(frozen=True)
class PassTime(Act):
    """The clock moves on, stopping at whatever falls due; or `late`: it moves, and what fell due is not done yet."""

    seconds: int
    late: bool = False

    kind: ClassVar[str] = "time"

    def predict(self, plain: Plain) -> Expected:
        to = plain.now + timedelta(seconds=self.seconds)
        if self.late:
            plain.now = to
        else:
            plain.pass_time(to)
        return accepted(now=to)

    def act(self, real: Real) -> Expected:
        return real.pass_time(timedelta(seconds=self.seconds), late=self.late)


def draw_time(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:  # noqa: ARG001 - a draw's
    ahead = [h.deadline for h in plain.open_holds]
    ahead += [lot.expires for lot in plain.lots if lot.wallet or lot.held]
    ahead += [lot.available for lot in plain.lots if lot.pending]
    ahead = [when for when in ahead if when > plain.now]
    seconds = rng.choice((30, 60, 600, 1_800, 3_600, 20_000))
    chance = rng.random()
    pinned = [
        lot.expires for hold in plain.open_holds for lot, _ in hold.slices if plain.now < lot.expires < hold.deadline
    ]
    indebted = {debt.member for debt in plain.debts if debt.left}
    repaying = [h.deadline for h in plain.open_holds if h.member in indebted]
    repaying = [when for when in repaying if when > plain.now]
    if repaying and chance < 0.4:
        # what a lapse brings back is owed already
        seconds = int((min(repaying) - plain.now).total_seconds())
    elif pinned and chance < 0.6:
        # points expire while they are held
        seconds = int((min(pinned) - plain.now).total_seconds()) + rng.choice((0, 0, 30))
    elif ahead and chance < 0.7:
        seconds = int((min(ahead) - plain.now).total_seconds()) - rng.choice((0, 0, 30, 600, 40_000))
    elif ahead and chance < 0.73:
        seconds = int((max(ahead) - plain.now).total_seconds())
    elif any(lot.graced for lot in plain.lots) and chance < 0.83:
        seconds = int(GRACE.total_seconds())
    return PassTime(label, "", max(1, seconds), late=rng.random() < 0.2)


@dataclass(frozen=True)
class LockSpending(Act):
    member: str
    locked: bool

    kind: ClassVar[str] = "spend_lock"
    while_stopped: ClassVar[bool] = True

    def predict(self, plain: Plain) -> Expected:
        plain.spend_locked[self.member] = self.locked
        return accepted()

    def act(self, real: Real) -> Expected:
        real.lock_spending(self.member, self.locked)
        return accepted()


def draw_lock(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:  # noqa: ARG001 - a draw's
    locked = [m for m in PEOPLE if plain.spend_locked[m]]
    return LockSpending(label, "", locked[0], False) if locked else LockSpending(label, "", rng.choice(PEOPLE), True)


@dataclass(frozen=True)
class StepWindow(Act):
    """close, submit, approve, return, abort: who asks it of which window."""

    step: str
    number: int
    by: str
    # an approval of something else than what was submitted
    mistaken: bool = False

    kind: ClassVar[str] = "window"

    SOURCES: ClassVar[dict[str, tuple[str, ...]]] = {
        "close": ("open",),
        "submit": ("advised",),
        "approve": ("submitted",),
        "return": ("submitted",),
        "abort": ("advised", "submitted"),
    }

    def predict(self, plain: Plain) -> Expected:
        answer = self._predict(plain)
        if self.step == "approve":
            # whoever asks for an approval posts what waits
            settling.post_approved(plain)
        return answer

    def _predict(self, plain: Plain) -> Expected:
        if self.number > len(plain.windows):
            return refused("not_found")
        window = plain.windows[self.number - 1]
        if self.step == "close" and window.state != "open":
            return accepted(state=window.state)
        right = self.step != "approve" or not self.mistaken
        if self.step != "close" and window.last == (self.step, self.by) and right:
            plain.reached["window step again"] += 1
            return accepted(state=window.state)
        if window.state not in self.SOURCES[self.step]:
            return refused("state_conflict")
        if self.step == "approve":
            if window.submitted_by == self.by:
                return refused("self_approval_forbidden")
            if self.mistaken:
                plain.reached["approval of something else"] += 1
                return refused("state_conflict")
        window.last = (self.step, self.by)
        plain.reached[f"window {self.step}"] += 1
        if self.step == "close":
            settling.close(plain)
        elif self.step == "submit":
            window.state, window.submitted_by = "submitted", self.by
        elif self.step == "approve":
            window.state = "funding"
        else:
            window.state = "advised"
        return accepted(state="funding" if self.step == "approve" else window.state)

    def act(self, real: Real) -> Expected:
        return real.step_window(self.step, self.number, self.by, self.key, mistaken=self.mistaken)


@dataclass(frozen=True)
class PayWindow(Act):
    number: int
    shop: str | None = None
    amount: int | None = None

    kind: ClassVar[str] = "pay"

    def predict(self, plain: Plain) -> Expected:
        if self.number > len(plain.windows):
            return refused("not_found")
        window = plain.windows[self.number - 1]
        if window.state not in ("paying", "settled"):
            return refused("state_conflict")
        there = covering.balances(plain, window)
        being_paid = plain.being_paid(self.number)
        if self.shop is None:
            mine = {shop: left for shop, left in there.items() if covering.covered(plain, self.number, shop) is None}
            if any(mine.get(shop, 0) > 0 for shop in being_paid):
                plain.reached["a person and an instruction"] += 1
                return refused("state_conflict")
            after = there | {shop: 0 for shop, left in mine.items() if left < 0}
            amounts = [(shop, -left) for shop, left in mine.items() if left < 0]
            amounts += [(shop, -covering.payable(window, shop, after)) for shop, left in mine.items() if left > 0]
            done = [self._pay(plain, shop, amount) for shop, amount in amounts if amount]
            plain.reached["paid whole"] += bool(done)
            settling.settled(plain, window)
            return accepted(payments=sorted(done))
        left = covering.left_open(plain, window)
        if self.shop not in left:
            return refused("not_found")
        open = left[self.shop]
        if open == 0:
            return refused("state_conflict")
        if self.amount is not None and self.amount > abs(open):
            return refused("limit_exceeded", allowed=abs(open), asked=self.amount)
        if open > 0 and (self.shop in being_paid or covering.waits(plain, window)):
            return refused("state_conflict")
        amount = abs(open) if self.amount is None else self.amount
        if open > 0:
            allowed = covering.payable(window, self.shop, there)
            if amount > allowed and (self.amount is not None or not allowed):
                plain.reached["no more was paid out than is there"] += 1
                return refused("limit_exceeded", allowed=allowed, asked=amount)
            plain.reached["paid out its part of what is there"] += amount > allowed
            amount = -min(amount, allowed)
        done = [self._pay(plain, self.shop, amount)]
        plain.reached["paid a part" if self.amount is not None and done[0][3] else "paid one"] += 1
        settling.settled(plain, window)
        return accepted(payments=done)

    def _pay(self, plain: Plain, shop: str, amount: int) -> tuple[str, str, int, int, int]:
        position = f"position:{shop}::{self.number}"
        if amount > 0:
            if covering.covered(plain, self.number, shop) is not None:
                released = covering.make_good(plain, self.number, shop, amount)
            else:
                released = settling.release(plain, self.number, shop, amount)
                plain.move("bank", position, amount)
            if released:
                plain.reached["a payment released points"] += 1
            left = plain.accounts[position] - covering.outstanding(plain, self.number, shop)
            return (shop, "pay_in", amount, left, released)
        plain.move(position, "bank", -amount)
        plain.payouts[f"{self.label}:{shop}"] = Payout(self.number, shop, -amount)
        return (shop, "pay_out", -amount, plain.accounts[position], 0)

    def act(self, real: Real) -> Expected:
        return real.pay_window(self.label, self.number, self.shop, self.amount, self.key)


def draw_window(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    """Mostly the next sensible step of the oldest unsettled window."""
    by = rng.choice((MAKER, MAKER, APPROVER))
    window = next((w for w in plain.windows if w.state != "settled"), plain.window)
    if rng.random() < 0.2:
        window = rng.choice(plain.windows)
    number, state = window.number, window.state
    if rng.random() < 0.08:
        step = rng.choice(list(StepWindow.SOURCES))
        return StepWindow(label, key(by), step, number + rng.choice((0, 0, 1)), by, mistaken=rng.random() < 0.2)
    if state == "open":
        return StepWindow(label, key(by), "close", number, by)
    if state == "advised":
        step = "abort" if rng.random() < 0.1 else "submit"
        return StepWindow(label, key(by), step, number, by)
    if state == "submitted":
        step = rng.choices(("approve", "return", "abort"), (8, 1, 1))[0]
        by = MAKER if by == APPROVER and window.submitted_by == APPROVER else APPROVER
        return StepWindow(label, key(by), step, number, by, mistaken=rng.random() < 0.05)
    if state == "funding":
        return StepWindow(label, key(by), "close", len(plain.windows), by)
    return draw_payment(rng, plain, label, key)


def draw_payment(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    window = next((w for w in plain.windows if w.state == "paying"), plain.windows[0])
    shops = [shop for shop in window.positions if shop != settling.OPERATOR]
    chance = rng.random()
    if not shops or chance < 0.2:
        return PayWindow(label, key(MAKER), window.number)
    shop = rng.choice(shops)
    debtors = [s for s in shops if plain.accounts[f"position:{s}::{window.number}"] < 0]
    if debtors and chance < 0.9:
        # with points that wait for the payment, if there are such
        shop = max(debtors, key=lambda s: (plain.accounts[f"due:{s}::{window.number}"], s))
    left = abs(plain.accounts[f"position:{shop}::{window.number}"])
    amount = rng.choice((None, max(1, left // 2), max(1, left // 3), left + 1))
    return PayWindow(label, key(MAKER), window.number, shop, amount)
