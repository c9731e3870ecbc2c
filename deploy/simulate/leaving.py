"""A shop's points bought out, and a shop that leaves."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, ClassVar

from deploy.simulate.asking import Keys, Operation, Step
from deploy.simulate.plain import MERCHANTS, SHOPS, Expected, Plain, accepted, refused
from deploy.simulate.real import Real
from merchants import contracts


@dataclass(frozen=True)
class BuyOut(Operation):
    shop: str
    exit: bool = False
    paid_by: str | None = None

    kind: ClassVar[str] = "buy_out"
    exclusive: ClassVar[bool] = True

    def predict(self, plain: Plain) -> Expected:
        shop, payer = plain.shops[self.shop], self.paid_by or self.shop
        if shop.state == "exited" or shop.contract is None:
            return refused("state_conflict")
        if plain.shops[payer].contract is None:
            return refused("not_found")
        owed = sum(
            (lot.pending + lot.wallet + lot.held) * lot.unit
            for lot in plain.lots
            if lot.issuer == self.shop and lot.funding != "prefunded"
        )
        pool = plain.accounts[f"pool:{self.shop}"] if self.exit else 0
        if self.exit and shop.contract.mode == "prefunded":
            pool += plain.budgets(self.shop)
        there = plain.accounts[f"prefund:{payer}"] + (pool * shop.contract.unit if payer == self.shop else 0)
        if owed > there:
            return refused("limit_exceeded", allowed=there, asked=owed)
        if self.exit:
            plain.release_budgets(self.shop, "as its sponsor left")
        if pool:
            plain.reached["pool sold back by who left"] += 1
            plain.sell_pool_back(self.shop, pool)
        if any(item.lot.issuer == self.shop and item.funding != "prefunded" for item in plain.unsettled()):
            plain.reached["bought out with accepted points to settle"] += 1
        points, value = plain.buy_out(self.shop, payer, leaves=self.exit)
        if self.exit:
            shop.state, shop.agreed = "exited", None
        plain.reached["left" if self.exit else "bought out"] += 1
        plain.reached["bought out by another"] += payer != self.shop
        return accepted(points=points, value=value, prefund=plain.accounts[f"prefund:{self.shop}"])

    def body(self, real: Real) -> contracts.BuyOut:
        return contracts.BuyOut(real.shop(self.shop), self.exit, real.shop(self.paid_by) if self.paid_by else None)

    def told(self, real: Real, value: contracts.BuyOutDone) -> dict[str, Any]:  # noqa: ARG002 - names nothing
        return {"points": value.points, "value": value.value_minor, "prefund": value.prefund_minor}


def draw_buy_out(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:  # noqa: ARG001 - a draw's
    paid_by = rng.choice((None, None, rng.choice(SHOPS)))
    return BuyOut(label, key("operator"), rng.choice(MERCHANTS), rng.random() < 0.15, paid_by)
