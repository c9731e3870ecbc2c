"""What operators do when somebody does not pay in: collateral, the loss fund, covers, payments that come back, days of grace."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from deploy.simulate import settling
from deploy.simulate.acts import APPROVER, MAKER, draw_window
from deploy.simulate.asking import Act, Keys, Step
from deploy.simulate.covering import balances, covered, owes
from deploy.simulate.plain import MERCHANTS, SHOPS, Covered, Expected, Owed, Plain, Window, accepted, refused
from deploy.simulate.real import Real

# -- deposits


@dataclass(frozen=True)
class Deposit(Act):
    """Collateral of a shop's; without a shop, the network's money for the loss fund."""

    shop: str | None
    amount: int

    kind: ClassVar[str] = "deposit"

    def predict(self, plain: Plain) -> Expected:
        if self.shop is not None and plain.shops[self.shop].contract is None:
            return refused("not_found")
        account = "loss" if self.shop is None else f"collateral:{self.shop}"
        plain.move("bank", account, self.amount)
        plain.reached["the loss fund was funded" if self.shop is None else "collateral came in"] += 1
        return accepted(left=plain.accounts[account])

    def act(self, real: Real) -> Expected:
        return real.money.deposit(self.shop, self.amount, self.key)


@dataclass(frozen=True)
class GiveBack(Act):
    """Collateral goes back to one that owes nothing."""

    shop: str
    amount: int

    kind: ClassVar[str] = "give_back"

    def predict(self, plain: Plain) -> Expected:
        if plain.shops[self.shop].contract is None:
            return refused("not_found")
        if owes(plain, self.shop):
            plain.reached["collateral stayed with who owes"] += 1
            return refused("state_conflict")
        account = f"collateral:{self.shop}"
        if self.amount > plain.accounts[account]:
            return refused("limit_exceeded", allowed=plain.accounts[account], asked=self.amount)
        plain.move(account, "bank", self.amount)
        plain.reached["collateral went back"] += 1
        return accepted(left=plain.accounts[account])

    def act(self, real: Real) -> Expected:
        return real.money.give_back(self.shop, self.amount, self.key)


# -- covers


@dataclass(frozen=True)
class CoverShop(Act):
    number: int
    shop: str

    kind: ClassVar[str] = "cover"

    def predict(self, plain: Plain) -> Expected:
        if self.number > len(plain.windows):
            return refused("not_found")
        window = plain.windows[self.number - 1]
        if window.state not in ("paying", "settled"):
            return refused("state_conflict")
        if self.shop not in window.positions:
            return refused("not_found")
        position = f"position:{self.shop}::{self.number}"
        owed = -plain.accounts[position]
        if owed <= 0:
            return refused("state_conflict")
        if plain.shops[self.shop].state != "suspended":
            plain.reached["no cover before it is suspended"] += 1
            return refused("state_conflict")
        cover = covered(plain, self.number, self.shop) or Covered()
        collected = cover.charged_in is not None and plain.windows[cover.charged_in - 1].state == "settled"
        undrawn = sum(cover.borne.values()) - sum(cover.returned.values()) - cover.shares
        there = {
            f"prefund:{self.shop}": plain.accounts[f"prefund:{self.shop}"],
            f"collateral:{self.shop}": plain.accounts[f"collateral:{self.shop}"],
            "loss": plain.accounts["loss"],
            "shares": undrawn if collected else 0,
        }
        given, left = [], owed
        for amount in there.values():
            given.append(min(left, amount))
            left -= given[-1]
        shares = self._shares(plain, window, left) if cover.charged_in is None else {}
        if not any(given) and not shares:
            plain.reached["nobody is left to stand in"] += 1
            return refused("state_conflict")
        released = 0
        if given[0]:
            released = settling.release(plain, self.number, self.shop, given[0], beside=cover.outstanding)
        for source, amount in zip(there, given, strict=True):
            plain.move(source, position, amount)
            plain.reached[f"covered by {source.partition(':')[0]}"] += bool(amount)
        plain.covers[self.number, self.shop] = cover
        cover.collateral += given[1]
        cover.loss += given[2]
        cover.shares += given[3]
        if shares:
            cover.borne, cover.charged_in = Counter(shares), plain.window.number
            plain.reached["others bear a share"] += 1
        for k, amount in shares.items():
            plain.owed.append(Owed(plain.window.number, k, settling.OPERATOR, amount, "share"))
        awaited = sum(shares.values()) or max(0, undrawn - given[3])
        plain.reached["nobody pays a part"] += left > awaited
        settling.settled(plain, window)
        return accepted(paid=given, shares=sorted(shares.items()), unpaid=max(0, left - awaited), released=released)

    def _shares(self, plain: Plain, window: Window, missing: int) -> dict[str, int]:
        """Pro rata, at most a tenth of what each was to receive; odd units to the largest remainders."""
        receiving = {
            k: p.account
            for k, p in window.positions.items()
            if k not in (settling.OPERATOR, self.shop) and p.account > 0 and plain.shops[k].state != "suspended"
        }
        most = {k: amount // 10 for k, amount in receiving.items()}
        total, whole = min(missing, sum(most.values())), sum(receiving.values())
        exact = {k: Fraction(total * amount, whole) for k, amount in receiving.items()} if whole else {}
        shares = {k: min(most[k], int(part)) for k, part in exact.items()}
        turn = sorted(exact, key=lambda k: (-(exact[k] - int(exact[k])), MERCHANTS.index(k)))
        while sum(shares.values()) < total:
            for k in [k for k in turn if shares[k] < most[k]][: total - sum(shares.values())]:
                shares[k] += 1
        if total < missing and shares:
            plain.reached["shares reached their caps"] += 1
        return {k: share for k, share in shares.items() if share}

    def act(self, real: Real) -> Expected:
        return real.money.cover(self.number, self.shop, self.key)


# -- what comes back


@dataclass(frozen=True)
class ReturnPayment(Act):
    """A person says that a pay-out came back."""

    number: int
    of: str

    kind: ClassVar[str] = "return_payment"

    def predict(self, plain: Plain) -> Expected | None:
        payment = plain.payouts.get(self.of)
        if payment is None:
            return None
        if self.number > len(plain.windows):
            return refused("not_found")
        if payment.number != self.number:
            return refused("not_found")
        if payment.returned:
            plain.reached["a payment came back twice"] += 1
            return refused("state_conflict")
        payment.returned = True
        position = f"position:{payment.shop}::{self.number}"
        plain.move("bank", position, payment.amount)
        plain.windows[self.number - 1].state = "paying"
        plain.reached["a payment came back by a person"] += 1
        return accepted(amount=payment.amount, open=plain.accounts[position])

    def act(self, real: Real) -> Expected:
        return real.money.return_payment(self.number, self.of, self.key)


# -- days of grace


@dataclass(frozen=True)
class DeclareGrace(Act):
    days: int | None

    kind: ClassVar[str] = "grace"

    def predict(self, plain: Plain) -> Expected:
        if plain.grace_days != self.days:
            plain.grace_days, plain.grace_since = self.days, plain.now
        return accepted(days=self.days)

    def act(self, real: Real) -> Expected:
        return real.money.grace(self.days, self.key)


# -- draws


def draw_deposit(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    shop = rng.choice((None, *SHOPS))
    amount = rng.choice((3, 20, 60))
    if shop is not None and plain.accounts[f"collateral:{shop}"] and rng.random() < 0.6:
        return GiveBack(label, key(APPROVER), shop, rng.choice((amount, plain.accounts[f"collateral:{shop}"])))
    return Deposit(label, key("operator"), shop, amount)


def draw_cover(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    owing = [
        (window.number, shop)
        for window in plain.windows
        if window.state == "paying"
        for shop, left in balances(plain, window).items()
        if left < 0
    ]
    if not owing:
        return draw_window(rng, plain, label, key)
    number, shop = rng.choice(owing)
    return CoverShop(label, key(APPROVER), number, shop)


def draw_return(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    if not plain.payouts:
        return draw_window(rng, plain, label, key)
    name = rng.choice(list(plain.payouts))
    return ReturnPayment(label, key(MAKER), plain.payouts[name].number + rng.choice((0, 0, 0, 0, 1)), name)


def draw_grace(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:  # noqa: ARG001 - a draw's
    return DeclareGrace(label, key("operator"), rng.choice((None, 1, 2)))
