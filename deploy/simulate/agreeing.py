"""Operations of operators with shops: contracts and terms, money in ahead, points bought."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

import settlement
from deploy.simulate.asking import Keys, Operation, Step
from deploy.simulate.plain import (
    FACE_VALUE,
    LIFE,
    SHOPS,
    SPONSORS,
    Contract,
    Expected,
    Plain,
    Rules,
    Terms,
    accepted,
    refused,
)
from deploy.simulate.real import Real
from ledger import Points
from merchants import contracts


@dataclass(frozen=True)
class ChangeContract(Operation):
    shop: str
    contract: Contract

    kind: ClassVar[str] = "contract"
    exclusive: ClassVar[bool] = True

    def predict(self, plain: Plain) -> Expected:
        shop, wanted = plain.shops[self.shop], self.contract
        if wanted.mode != "deferred" and wanted.line:
            return refused("validation_failed")
        life = wanted.life_days or plain.rules.life_days
        if life < plain.rules.life_days or wanted.maturity_days >= life:
            return refused("validation_failed")
        if wanted != wanted.at(plain.rules.face_value):
            return refused("validation_failed")
        if shop.state == "exited":
            return refused("state_conflict")
        before = shop.contract
        if before is not None and (before.mode, before.unit) != (wanted.mode, wanted.unit):
            plain.reached["agreed on for the window's end" + (" in place of another" if shop.agreed else "")] += 1
            shop.agreed = wanted
            return accepted(now=False)
        if shop.agreed is not None:
            plain.reached["a contract at once in place of what was agreed on"] += 1
        plain.put_in_force(self.shop, wanted)
        return accepted(now=True)

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
            maturity_days=c.maturity_days,
            unit_value_minor=c.unit,
        )

    def told(self, real: Real, value: contracts.ContractInForce) -> dict[str, Any]:  # noqa: ARG002 - names nothing
        return {"now": value.at is not None}


def rules_of(terms: Terms) -> dict[str, Any]:
    """The terms in one of the two forms, which mean the same. The long one also asks of what was bought before, gives
    nothing for it, and so lets the audit prove that it was told the truth."""
    t = terms
    cap = {} if t.most is None else {"cap_points": t.most}
    if (t.points + t.per) % 2:
        return {"points": t.points, "per_minor": t.per, "minimum_minor": t.least, **cap}
    rules = [
        {"id": "base", "effect": {"rate": {"points": t.points, "per": t.per}}},
        {
            "id": "again",
            "effect": {"points": 0},
            "when": {"visits": {"days": 9, "at_least": 2}, "first_purchase": False},
        },
        {"id": "much", "effect": {"points": 0}, "when": {"spent": {"days": 30, "reaches": 1_000}}},
        {"id": "never", "effect": {"points": 9}, "when": {"product": ["nothing of the kind"]}},
    ]
    return {"rules": rules, "minimum": t.least, **cap}


@dataclass(frozen=True)
class ChangeTerms(Operation):
    shop: str
    terms: Terms

    kind: ClassVar[str] = "terms"
    exclusive: ClassVar[bool] = True

    def predict(self, plain: Plain) -> Expected:
        if plain.shops[self.shop].state == "exited":
            return refused("state_conflict")
        plain.shops[self.shop].terms = self.terms
        return accepted()

    def body(self, real: Real) -> contracts.NewTerms:
        return contracts.NewTerms(real.shop(self.shop), rules_of(self.terms))

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


#: And sponsors, where a history has any.
SPONSORING: Final = {"brand": "prefunded", "network": "deferred", "guild": "closed_loop"}


def beginning(key: Keys, *, inactivity_days: int | None, sponsors: bool) -> list[Step]:
    """Rules, contracts, terms, and what the prefunded shops and sponsors begin with."""
    lines = {"cafe": 400, "books": 90}
    rules = Rules(FACE_VALUE, LIFE.days, inactivity_days)
    made: list[Step] = [ChangeRules("0.rules", key("operator"), rules)]
    for i, (shop, mode) in enumerate(MODES.items()):
        unit = 3 if mode == "closed_loop" else FACE_VALUE
        contract = Contract(
            mode, lines.get(shop, 0), 7_777 * i, 15_551 if i % 2 else 24_680, 1440 if i % 3 else 30, None, unit
        )
        made.append(ChangeContract(f"0.contract.{shop}", key("operator"), shop, contract))
        made.append(ChangeTerms(f"0.terms.{shop}", key("operator"), shop, Terms(1, 100, 50, None)))
    bought = [("taxi", 600, 100), ("bakery", 250, 50)]
    if sponsors:
        bought.append(("brand", 1_000, 150))
        made += [
            ChangeContract(f"0.contract.{sponsor}", key("operator"), sponsor, sponsors_contract(sponsor))
            for sponsor in SPONSORING
        ]
    for shop, money, points in bought:
        made.append(TopUp(f"0.topup.{shop}", key("operator"), shop, money, "bank"))
        made.append(BuyPoints(f"0.buy.{shop}", key("operator"), shop, points))
    return made


def sponsors_contract(sponsor: str) -> Contract:
    """What a sponsor begins with, at the first face value."""
    mode = SPONSORING[sponsor]
    unit = 3 if mode == "closed_loop" else FACE_VALUE
    return Contract(mode, 150 if mode == "deferred" else 0, 0, 0, 30, None, unit)


def draw_contract(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    shop = rng.choice(SHOPS)
    if rng.random() < 0.2:
        # only of a sponsor that this history has
        shop = rng.choice([sponsor for sponsor in SPONSORS if plain.shops[sponsor].contract] or [shop])
    there = plain.shops[shop].contract
    mode = there.mode if there else "deferred"
    if rng.random() < 0.15:
        mode = (MODES | SPONSORING).get(shop, rng.choice(("prefunded", "deferred", "closed_loop")))
    line = rng.choice((0, 30, 90, 400)) if mode == "deferred" or rng.random() < 0.1 else 0
    fees = (0, 1, 7_777, 24_680, 199_999)
    face = plain.rules.face_value
    unit = rng.choice((there.unit, 3)) if there and mode == there.mode == "closed_loop" else 3
    unit = unit if mode == "closed_loop" or rng.random() < 0.03 else face
    hold_minutes, life = rng.choice((1, 30, 600, 1440)), rng.choice((None, None, 3, 5))
    maturity = rng.choice((0, 0, 0, 1, 2, 3))
    contract = Contract(mode, line, rng.choice(fees), rng.choice(fees), hold_minutes, life, unit, maturity)
    return ChangeContract(label, key("operator"), shop, contract)


def draw_terms(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:  # noqa: ARG001 - a draw's
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


def draw_topup(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:  # noqa: ARG001 - a draw's
    shop = rng.choice(("taxi", "bakery", "cafe", "brand", *SHOPS))
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
        if contract.mode != "prefunded" or plain.shops[self.shop].state == "exited":
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


def draw_purchase(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    shop = rng.choice(("taxi", "taxi", "bakery", "bakery", "brand", *SHOPS))
    able = plain.accounts[f"prefund:{shop}"] // plain.rules.face_value
    return BuyPoints(label, key("operator"), shop, max(1, rng.choice((5, 20, able, able, able + 1))))


@dataclass(frozen=True)
class SellBack(Operation):
    shop: str
    points: int

    kind: ClassVar[str] = "sell_back"

    def predict(self, plain: Plain) -> Expected:
        contract = plain.shops[self.shop].contract
        if contract is None:
            return refused("not_found")
        pool = plain.accounts[f"pool:{self.shop}"]
        if self.points > pool:
            return refused("limit_exceeded", allowed=pool, asked=self.points)
        plain.reached["sold back"] += 1
        plain.sell_pool_back(self.shop, self.points)
        return accepted(
            pool=pool - self.points,
            prefund=plain.accounts[f"prefund:{self.shop}"],
            value=self.points * contract.unit,
        )

    def body(self, real: Real) -> settlement.SellBack:
        return settlement.SellBack(real.shop(self.shop), Points(self.points))

    def told(self, real: Real, value: settlement.PurchaseDone) -> dict[str, Any]:  # noqa: ARG002 - names no shop
        return {"pool": value.pool_points, "prefund": value.prefund_minor, "value": value.value_minor}


def draw_sell_back(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    shop = rng.choice(("taxi", "bakery", "brand", *SHOPS))
    pool = plain.accounts[f"pool:{shop}"]
    return SellBack(label, key("operator"), shop, max(1, rng.choice((1, pool // 2, pool // 3, pool + 1))))


@dataclass(frozen=True)
class ChangeRules(Operation):
    """The network's: a new face value waits for the window's end, all else is in force at once."""

    rules: Rules

    kind: ClassVar[str] = "rules"
    exclusive: ClassVar[bool] = True

    def predict(self, plain: Plain) -> Expected:
        there = [c for shop in plain.shops.values() for c in (shop.contract, shop.agreed) if c is not None]
        for contract in there:
            if contract.life_days is not None and self.rules.life_days > contract.life_days:
                return refused("validation_failed")
            if contract.life_days is None and self.rules.life_days <= contract.maturity_days:
                plain.reached["points would expire before they confirm"] += 1
                return refused("validation_failed")
        if self.rules.face_value != plain.rules.face_value:
            plain.reached["a face value agreed on"] += 1
            plain.rules_agreed = self.rules
            return accepted(now=False)
        if plain.rules_agreed:
            plain.reached["rules at once in place of what was agreed on"] += 1
        plain.rules, plain.rules_agreed = self.rules, None
        return accepted(now=True)

    def body(self, real: Real) -> contracts.NewRules:  # noqa: ARG002 - names nothing
        return contracts.NewRules(self.rules.face_value, self.rules.life_days, self.rules.inactivity_days)

    def told(self, real: Real, value: contracts.RulesInForce) -> dict[str, Any]:  # noqa: ARG002 - names nothing
        return {"now": value.at is not None}


def draw_rules(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    face = rng.choice((plain.rules.face_value, FACE_VALUE, FACE_VALUE + 1, FACE_VALUE - 1))
    return ChangeRules(
        label, key("operator"), replace(plain.rules, face_value=face, life_days=rng.choice((3, 3, 3, 4)))
    )
