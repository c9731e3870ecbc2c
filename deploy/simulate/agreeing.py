"""Operations of operators with shops: contracts and terms, money in ahead, points bought."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import settlement
from deploy.simulate.asking import Keys, Operation
from deploy.simulate.plain import FACE_VALUE, SHOPS, Contract, Expected, Plain, Terms, accepted, refused
from ledger import Points
from merchants import contracts

if TYPE_CHECKING:
    from deploy.simulate.real import Real


@dataclass(frozen=True)
class ChangeContract(Operation):
    shop: str
    contract: Contract

    kind: ClassVar[str] = "contract"

    def predict(self, plain: Plain) -> Expected:
        before = plain.shops[self.shop].contract
        if self.contract.mode != "deferred" and self.contract.line:
            return refused("validation_failed")
        if self.contract.mode != "closed_loop" and self.contract.unit != FACE_VALUE:
            return refused("validation_failed")
        if before is not None and (before.mode, before.unit) != (self.contract.mode, self.contract.unit):
            return refused("state_conflict")
        plain.shops[self.shop].contract = self.contract
        if self.contract.mode == "deferred" and -plain.accounts[f"credit:{self.shop}"] > self.contract.line:
            plain.reached["credit line below what is issued"] += 1
        return accepted()

    def body(self, real: Real) -> contracts.NewContract:
        c = self.contract
        return contracts.NewContract(
            merchant_id=real.shop(self.shop),
            mode=c.mode,
            credit_line_points=c.line,
            purchase_fee_ppm=c.purchase_fee,
            redemption_fee_ppm=c.redemption_fee,
            hold_minutes=c.hold_minutes,
            points_life_days=c.life_days,
            unit_value_minor=c.unit,
        )

    def told(self, real: Real, value: Any) -> dict[str, Any]:  # noqa: ARG002 - nothing but that it is in force
        return {}


@dataclass(frozen=True)
class ChangeTerms(Operation):
    shop: str
    terms: Terms

    kind: ClassVar[str] = "terms"

    def predict(self, plain: Plain) -> Expected:
        plain.shops[self.shop].terms = self.terms
        return accepted()

    def body(self, real: Real) -> contracts.NewTerms:
        t = self.terms
        rules = {"points": t.points, "per_minor": t.per, "minimum_minor": t.least}
        return contracts.NewTerms(real.shop(self.shop), rules | ({} if t.most is None else {"cap_points": t.most}))

    def told(self, real: Real, value: Any) -> dict[str, Any]:  # noqa: ARG002 - nothing but that they are in force
        return {}


#: How the shops begin. The kiosk has no contract until one is drawn for it.
MODES: Final = {
    "cafe": "deferred",
    "books": "deferred",
    "taxi": "prefunded",
    "bakery": "prefunded",
    "club": "closed_loop",
}


def beginning(key: Keys) -> list[Operation]:
    """Contracts, terms, and what the prefunded shops begin with."""
    lines = {"cafe": 400, "books": 90}
    made: list[Operation] = []
    for i, (shop, mode) in enumerate(MODES.items()):
        unit = 3 if mode == "closed_loop" else FACE_VALUE
        contract = Contract(
            mode, lines.get(shop, 0), 7_777 * i, 15_551 if i % 2 else 24_680, 1440 if i % 3 else 30, None, unit
        )
        made.append(ChangeContract(f"0.contract.{shop}", key("operator"), shop, contract))
        made.append(ChangeTerms(f"0.terms.{shop}", key("operator"), shop, Terms(1, 100, 50, None)))
    for shop, money, points in (("taxi", 600, 100), ("bakery", 250, 50)):
        made.append(TopUp(f"0.topup.{shop}", key("operator"), shop, money, "bank"))
        made.append(BuyPoints(f"0.buy.{shop}", key("operator"), shop, points))
    return made


def draw_contract(rng: random.Random, plain: Plain, label: str, key: Keys) -> Operation:  # noqa: ARG001 - a draw's
    shop = rng.choice(SHOPS)
    mode = MODES.get(shop, "deferred")
    if rng.random() < 0.08:
        mode = rng.choice(("prefunded", "deferred", "closed_loop"))
    line = rng.choice((0, 30, 90, 400)) if mode == "deferred" or rng.random() < 0.1 else 0
    fees = (0, 1, 7_777, 24_680, 199_999)
    unit = 3 if mode == "closed_loop" else FACE_VALUE
    hold_minutes, life = rng.choice((1, 30, 600, 1440)), rng.choice((None, None, 3, 5))
    contract = Contract(mode, line, rng.choice(fees), rng.choice(fees), hold_minutes, life, unit)
    return ChangeContract(label, key("operator"), shop, contract)


def draw_terms(rng: random.Random, plain: Plain, label: str, key: Keys) -> Operation:  # noqa: ARG001 - a draw's
    terms = Terms(
        rng.choice((1, 1, 1, 3, 0)), rng.choice((100, 70, 250)), rng.choice((0, 90)), rng.choice((None, None, 20, 0))
    )
    return ChangeTerms(label, key("operator"), rng.choice(SHOPS), terms)


@dataclass(frozen=True)
class TopUp(Operation):
    shop: str
    amount: int
    through: str

    kind: ClassVar[str] = "topup"

    def predict(self, plain: Plain) -> Expected:
        if plain.shops[self.shop].contract is None:
            return refused("not_found")
        plain.move(self.through, f"prefund:{self.shop}", self.amount)
        return accepted(prefund=plain.accounts[f"prefund:{self.shop}"])

    def body(self, real: Real) -> settlement.Topup:
        return settlement.Topup(real.shop(self.shop), self.amount, self.through, f"T{self.label}")

    def told(self, real: Real, value: settlement.TopupDone) -> dict[str, Any]:  # noqa: ARG002 - names no shop
        return {"prefund": value.prefund_minor}


def draw_topup(rng: random.Random, plain: Plain, label: str, key: Keys) -> Operation:  # noqa: ARG001 - a draw's
    shop = rng.choice(("taxi", "bakery", "cafe", *SHOPS))
    return TopUp(label, key("operator"), shop, rng.choice((15, 100, 250)), rng.choice(("bank", "psp")))


@dataclass(frozen=True)
class BuyPoints(Operation):
    shop: str
    points: int

    kind: ClassVar[str] = "purchase"

    def predict(self, plain: Plain) -> Expected:
        contract = plain.shops[self.shop].contract
        if contract is None:
            return refused("not_found")
        if contract.mode != "prefunded":
            return refused("state_conflict")
        value = self.points * contract.unit
        prefund = plain.accounts[f"prefund:{self.shop}"]
        if value > prefund:
            return refused("limit_exceeded", allowed=prefund, asked=value)
        plain.move(f"mint:{self.shop}", f"pool:{self.shop}", self.points)
        plain.move(f"prefund:{self.shop}", f"backing:{self.shop}", value)
        return accepted(pool=plain.accounts[f"pool:{self.shop}"], prefund=prefund - value, value=value)

    def body(self, real: Real) -> settlement.Purchase:
        return settlement.Purchase(real.shop(self.shop), Points(self.points))

    def told(self, real: Real, value: settlement.PurchaseDone) -> dict[str, Any]:  # noqa: ARG002 - names no shop
        return {"pool": value.pool_points, "prefund": value.prefund_minor, "value": value.value_minor}


def draw_purchase(rng: random.Random, plain: Plain, label: str, key: Keys) -> Operation:
    shop = rng.choice(("taxi", "taxi", "bakery", "bakery", *SHOPS))
    able = plain.accounts[f"prefund:{shop}"] // FACE_VALUE
    return BuyPoints(label, key("operator"), shop, max(1, rng.choice((5, 20, able, able, able + 1))))
