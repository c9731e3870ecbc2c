"""What two people put right in the next window, and top-ups that are taken back, by banks and by providers."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import ClassVar

from deploy.simulate.acts import APPROVER, MAKER, PayWindow, draw_window
from deploy.simulate.asking import Act, Keys, Step
from deploy.simulate.plain import SHOPS, ChargedBack, Expected, Owed, Paid, Plain, Proposal, accepted, refused
from deploy.simulate.real import Real
from deploy.simulate.settling import OPERATOR

# -- adjustments


@dataclass(frozen=True)
class Propose(Act):
    """An operator says what a closed window left out."""

    number: int
    by: str
    debtor: str
    creditor: str
    amount: int

    kind: ClassVar[str] = "adjustment"

    def predict(self, plain: Plain) -> Expected:
        if self.number > len(plain.windows):
            return refused("not_found")
        if plain.windows[self.number - 1].state == "open":
            return refused("state_conflict")
        for side in (self.debtor, self.creditor):
            if side != OPERATOR and plain.shops[side].contract is None:
                return refused("not_found")
        plain.proposals[self.label] = Proposal(self.number, self.by, self.debtor, self.creditor, self.amount)
        return accepted(state="proposed")

    def act(self, real: Real) -> Expected:
        return real.money.propose(self.label, self.number, self.by, self.debtor, self.creditor, self.amount, self.key)


@dataclass(frozen=True)
class Decide(Act):
    number: int
    by: str
    of: str
    approves: bool

    kind: ClassVar[str] = "adjustment_decision"

    def predict(self, plain: Plain) -> Expected | None:
        proposal = plain.proposals.get(self.of)
        if proposal is None:
            return None
        if self.number > len(plain.windows) or proposal.number != self.number:
            return refused("not_found")
        if proposal.state != "proposed":
            return refused("state_conflict")
        if self.approves and proposal.by == self.by:
            plain.reached["nobody approved an adjustment of its own"] += 1
            return refused("self_approval_forbidden")
        proposal.state = "approved" if self.approves else "rejected"
        plain.reached[f"an adjustment {proposal.state}"] += 1
        if self.approves:
            here = plain.window.number
            plain.owed.append(Owed(here, proposal.debtor, proposal.creditor, proposal.amount, "adjustment"))
        return accepted(state=proposal.state)

    def act(self, real: Real) -> Expected:
        return real.money.decide(self.number, self.by, self.of, self.key, approves=self.approves)


# -- top-ups that are taken back


@dataclass(frozen=True)
class PayAhead(Act):
    """Money for a shop's prefund that may be taken back: by the bank, or by a provider who was asked for it."""

    shop: str
    amount: int
    by_provider: bool

    kind: ClassVar[str] = "pay_ahead"

    def predict(self, plain: Plain) -> Expected:
        if plain.shops[self.shop].contract is None:
            return refused("not_found")
        if self.by_provider and plain.shops[self.shop].state == "exited":
            return refused("state_conflict")
        source = "psp" if self.by_provider else "bank"
        plain.move(source, f"prefund:{self.shop}", self.amount)
        plain.paid[self.label] = Paid(self.shop, self.amount, source, self.by_provider)
        return accepted(prefund=plain.accounts[f"prefund:{self.shop}"])

    def act(self, real: Real) -> Expected:
        return real.money.pay_ahead(self.label, self.shop, self.amount, self.key, by_provider=self.by_provider)


def left(plain: Plain, topup: str) -> int:
    back = [each for each in plain.charge_backs.values() if each.topup == topup]
    return plain.paid[topup].amount - sum(each.amount for each in back if each.state not in ("rejected", "reversed"))


def take(plain: Plain, of: ChargedBack) -> None:
    """What prefund has; the rest is charged to the open window."""
    paid = plain.paid[of.topup]
    of.prefund = min(of.amount, plain.accounts[f"prefund:{paid.shop}"])
    of.charged = of.amount - of.prefund
    of.state = "booked"
    plain.move(f"prefund:{paid.shop}", paid.source, of.prefund)
    _charge(plain, paid, of.charged)
    plain.reached["a charge-back that prefund bore" if not of.charged else "a charge-back charged to a position"] += 1


def give_again(plain: Plain, of: ChargedBack) -> None:
    paid = plain.paid[of.topup]
    of.state = "reversed"
    plain.move(paid.source, f"prefund:{paid.shop}", of.prefund)
    _charge(plain, paid, -of.charged)
    plain.reached["a charge-back came again"] += 1
    plain.reached["what was charged came again"] += bool(of.charged)


def _charge(plain: Plain, paid: Paid, amount: int) -> None:
    plain.move("charge_backs", paid.source, amount)
    if amount:
        plain.owed.append(Owed(plain.window.number, paid.shop, OPERATOR, amount, "charge_back"))


@dataclass(frozen=True)
class Dispute(Act):
    """A provider tells of a dispute's money: that it went, or that it came again. In any order, and more than once."""

    topup: str
    reference: str
    said: str
    amount: int

    kind: ClassVar[str] = "dispute"

    def predict(self, plain: Plain) -> Expected | None:
        paid = plain.paid.get(self.topup)
        if paid is None or not paid.by_provider:
            return None
        name = f"{self.topup}/{self.reference}"
        of = plain.charge_backs.get(name)
        if of is not None and of.amount != self.amount:
            plain.reached["a dispute of another sum"] += 1
            return accepted(outcome="differs")
        if of is None and self.amount > left(plain, self.topup):
            plain.reached["a dispute of more than is left"] += 1
            return accepted(outcome="differs")
        if of is None:
            of = plain.charge_backs[name] = ChargedBack(self.topup, self.amount, None)
            take(plain, of)
            if self.said == "withdrawn":
                return accepted(outcome="charged_back")
            plain.reached["told first that it came again"] += 1
        elif self.said == "withdrawn" or of.state == "reversed":
            plain.reached["a dispute told again"] += 1
            return accepted(outcome="known")
        give_again(plain, of)
        return accepted(outcome="reinstated")

    def act(self, real: Real) -> Expected:
        return real.money.dispute(self.topup, self.reference, self.said, self.amount)


@dataclass(frozen=True)
class TakeBack(Act):
    """One person says that a bank took a top-up back."""

    topup: str
    by: str
    amount: int

    kind: ClassVar[str] = "charge_back"

    def predict(self, plain: Plain) -> Expected | None:
        paid = plain.paid.get(self.topup)
        if paid is None:
            return None
        if paid.by_provider:
            return refused("state_conflict")
        if self.amount > (room := left(plain, self.topup)):
            return refused("limit_exceeded", allowed=room, asked=self.amount)
        plain.charge_backs[self.label] = ChargedBack(self.topup, self.amount, self.by, "proposed")
        return accepted(state="proposed")

    def act(self, real: Real) -> Expected:
        return real.money.take_back(self.label, self.topup, self.by, self.amount, self.key)


@dataclass(frozen=True)
class SayOfChargeBack(Act):
    """The other person, or the first of two who say that it came again."""

    of: str
    by: str
    # approve, reject, reverse
    said: str

    kind: ClassVar[str] = "charge_back_decision"

    def predict(self, plain: Plain) -> Expected | None:
        of = plain.charge_backs.get(self.of)
        if of is None or plain.paid[of.topup].by_provider:
            return None
        if self.said == "reverse":
            if of.state != "booked":
                return refused("state_conflict")
            of.state, of.by = "reversal_proposed", self.by
            return accepted(state=of.state)
        if of.state not in ("proposed", "reversal_proposed"):
            return refused("state_conflict")
        if self.said == "approve" and of.by == self.by:
            plain.reached["nobody took back alone"] += 1
            return refused("self_approval_forbidden")
        if self.said == "reject":
            of.state = "rejected" if of.state == "proposed" else "booked"
        else:
            (take if of.state == "proposed" else give_again)(plain, of)
        return accepted(state=of.state)

    def act(self, real: Real) -> Expected:
        return real.money.say_of_charge_back(self.of, self.by, self.said, self.key)


# -- draws


def draw_adjustment(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    waiting = [name for name, each in plain.proposals.items() if each.state == "proposed"]
    by = rng.choice((MAKER, APPROVER))
    if plain.proposals and rng.random() < 0.6:
        name = rng.choice(waiting or list(plain.proposals))
        number = plain.proposals[name].number + rng.choice((0, 0, 0, 0, 1))
        return Decide(label, key(by), number, by, name, rng.random() < 0.8)
    debtor, creditor = rng.sample((*SHOPS, OPERATOR), 2)
    closed = max(1, len(plain.windows) - rng.choice((0, 1, 1, 1)))
    return Propose(label, key(by), closed, by, debtor, creditor, rng.choice((1, 7, 40)))


def draw_charge_back(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    by = rng.choice((MAKER, APPROVER))
    if not plain.paid or rng.random() < 0.25:
        shop = rng.choice(("cafe", "taxi", "bakery", "books"))
        return PayAhead(label, key("operator"), shop, rng.choice((20, 45)), rng.random() < 0.5)
    there = [name for name, each in plain.charge_backs.items() if not plain.paid[each.topup].by_provider]
    if there and rng.random() < 0.5:
        return SayOfChargeBack(
            label, key(by), rng.choice(there), by, rng.choice(("approve", "approve", "reverse", "reject"))
        )
    topup = rng.choice(list(plain.paid))
    amount = rng.choice((5, 15, plain.paid[topup].amount))
    if plain.paid[topup].by_provider:
        return Dispute(
            label, "", topup, rng.choice(("A", "B")), rng.choice(("withdrawn", "withdrawn", "reinstated")), amount
        )
    return TakeBack(label, key(by), topup, by, amount)


def draw_payment_of_a_covered(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    """What made good would be, or what is there for who waits for it."""
    owing = [name for name, each in plain.covers.items() if each.outstanding]
    if not owing:
        return draw_window(rng, plain, label, key)
    number, shop = rng.choice(owing)
    others = [s for s in plain.windows[number - 1].positions if s not in (OPERATOR, shop)]
    paid = PayWindow(label, key(MAKER), number, shop, rng.choice((None, 1, 10)))
    return replace(paid, shop=rng.choice(others), amount=None) if others and rng.random() < 0.4 else paid
