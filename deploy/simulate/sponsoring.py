"""Sponsors' operations: what they give at shops' sales and out of which budget, until when."""

from __future__ import annotations

import random
from abc import abstractmethod
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from deploy.simulate import agreeing
from deploy.simulate.asking import Keys, Operation, Step
from deploy.simulate.plain import (
    MERCHANTS,
    MOST_AT_A_SHOP,
    MOST_SPONSORSHIPS,
    SHOPS,
    SPONSORS,
    Expected,
    Plain,
    Sponsorship,
    Terms,
    accepted,
    refused,
)
from deploy.simulate.real import Real
from merchants import contracts


@dataclass(frozen=True)
class OpenSponsorship(Operation):
    """At the shops named, or at all."""

    sponsor: str
    shops: tuple[str, ...] | None
    rules: Terms
    budget: int
    begins: datetime | None = None
    ends: datetime | None = None

    kind: ClassVar[str] = "sponsorship"
    exclusive: ClassVar[bool] = True

    def predict(self, plain: Plain) -> Expected:
        if self.sponsor not in SPONSORS or not able(plain, self.sponsor):
            return refused("state_conflict")
        if self.shops is not None and (not self.shops or self.sponsor in self.shops):
            return refused("validation_failed")
        if self.rules.points > self.rules.per:
            return refused("validation_failed")
        begins = self.begins or plain.now
        if self.ends is not None and self.ends <= max(begins, plain.now):
            return refused("validation_failed")
        if (why := self._crowded(plain)) is not None:
            return why
        if self.budget and (why := too_little(plain, self.sponsor, self.budget)) is not None:
            return why
        plain.reached["a sponsorship opened" + ("" if self.shops is None else " at some shops")] += 1
        born = Sponsorship(self.label, self.sponsor, self.shops, self.rules, begins, self.ends, plain.step)
        plain.sponsorships[self.label] = born
        plain.set_aside(born, self.budget)
        return accepted(budget=self.budget)

    def _crowded(self, plain: Plain) -> Expected | None:
        living = [each for each in plain.sponsorships.values() if not each.ended and not each.over(plain.now)]
        if len(living) >= MOST_SPONSORSHIPS:
            return refused("limit_exceeded", allowed=MOST_SPONSORSHIPS, asked=len(living) + 1)
        shops = self.shops if self.shops is not None else MERCHANTS
        there = max(sum(each.at(shop) for each in living) for shop in shops)
        if there >= MOST_AT_A_SHOP:
            return refused("limit_exceeded", allowed=MOST_AT_A_SHOP, asked=there + 1)
        return None

    def body(self, real: Real) -> contracts.NewSponsorship:
        return contracts.NewSponsorship(
            merchant_id=real.shop(self.sponsor),
            shops=None if self.shops is None else tuple(map(real.shop, self.shops)),
            rules=agreeing.rules_of(self.rules),
            budget_points=self.budget,
            begins_at=self.begins,
            ends_at=self.ends,
        )

    def told(self, real: Real, value: contracts.SponsorshipDone) -> dict[str, Any]:
        real.sponsorships[self.label] = value.sponsorship.id
        return {"budget": value.budget_points}


def able(plain: Plain, sponsor: str) -> bool:
    """Whether it may set points aside: who is suspended, left or has no contract may not."""
    return plain.shops[sponsor].contract is not None and plain.shops[sponsor].state == "active"


def too_little(plain: Plain, sponsor: str, points: int) -> Expected | None:
    """As for an earn its pool or its credit line must bear them."""
    room = plain.room(sponsor)
    if room is None or points <= room:
        return None
    plain.reached["more than a sponsor may set aside"] += 1
    return refused("limit_exceeded", allowed=max(0, room), asked=points)


@dataclass(frozen=True)
class OfSponsorship(Operation):
    """Of one that is there, asked in the name of whose it is."""

    sponsor: str
    sponsorship: str

    exclusive: ClassVar[bool] = True

    def predict(self, plain: Plain) -> Expected:
        there = plain.sponsorships.get(self.sponsorship)
        if there is None or there.sponsor != self.sponsor:
            return refused("not_found")
        if there.ended:
            return refused("state_conflict")
        return self._done(plain, there)

    @abstractmethod
    def _done(self, plain: Plain, there: Sponsorship) -> Expected:
        """To one that is there and open."""

    def told(self, real: Real, value: contracts.SponsorshipDone) -> dict[str, Any]:  # noqa: ARG002 - names nothing
        return {"budget": value.budget_points}


@dataclass(frozen=True)
class EndSponsorship(OfSponsorship):
    kind: ClassVar[str] = "sponsorship_end"

    def _done(self, plain: Plain, there: Sponsorship) -> Expected:
        plain.reached["a sponsorship ended"] += 1
        plain.end_sponsorship(there)
        return accepted(budget=0)

    def body(self, real: Real) -> contracts.EndSponsorship:
        return contracts.EndSponsorship(real.shop(self.sponsor), real.sponsorship(self.sponsorship))


@dataclass(frozen=True)
class ChangeBudget(OfSponsorship):
    """Points in addition; below zero, back."""

    points: int = field(default=0)

    kind: ClassVar[str] = "sponsorship_budget"

    def _done(self, plain: Plain, there: Sponsorship) -> Expected:
        left = plain.accounts[there.budget]
        if self.points < 0 and -self.points > left:
            plain.reached["more than a budget holds"] += 1
            return refused("limit_exceeded", allowed=left, asked=-self.points)
        if self.points > 0:
            if not able(plain, self.sponsor):
                return refused("state_conflict")
            if (why := too_little(plain, self.sponsor, self.points)) is not None:
                return why
        plain.set_aside(there, self.points)
        return accepted(budget=left + self.points)

    def body(self, real: Real) -> contracts.ChangeBudget:
        return contracts.ChangeBudget(real.shop(self.sponsor), real.sponsorship(self.sponsorship), self.points)


def draw_sponsorship(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step | None:
    with_contract = [sponsor for sponsor in SPONSORS if plain.shops[sponsor].contract]
    if not with_contract:
        return None
    sponsor = rng.choice(with_contract) if rng.random() < 0.95 else rng.choice(MERCHANTS)
    shops = None if rng.random() < 0.3 else tuple(rng.sample(SHOPS, rng.choice((1, 2, 4))))
    if rng.random() < 0.03:
        shops = rng.choice(((), (sponsor,)))
    rules = Terms(rng.choice((1, 1, 2)), rng.choice((100, 70, 250)), rng.choice((0, 90)), rng.choice((None, 20)))
    if rng.random() < 0.02:
        rules = Terms(3, 2, 0, None)
    begins = None if rng.random() < 0.8 else plain.now + timedelta(minutes=rng.choice((-10, 10, 600)))
    ends = None if rng.random() < 0.4 else plain.now + timedelta(minutes=rng.choice((5, 600, 3_000, 3_000, 0)))
    budget = _some(rng, plain.room(sponsor) if plain.shops[sponsor].contract else 9, 60)
    return OpenSponsorship(label, key("operator"), sponsor, shops, rules, budget, begins, ends)


def _some(rng: random.Random, there: int | None, otherwise: int) -> int:
    """Some or all of what there is, seldom more."""
    able = max(0, otherwise if there is None else there)
    return rng.choice((0, able // 3, able // 2, able // 2, able, able + 1))


def draw_budget(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step | None:
    known = [each for each in plain.sponsorships.values() if each.step < plain.step]
    if not known:
        return None
    living = [each for each in known if not each.ended]
    there = rng.choice(living if living and rng.random() < 0.9 else known)
    sponsor = there.sponsor if rng.random() < 0.96 else rng.choice(SPONSORS)
    if rng.random() < 0.15:
        return EndSponsorship(label, key("operator"), sponsor, there.name)
    points = _some(rng, plain.room(sponsor) if plain.shops[sponsor].contract else 9, 40)
    if rng.random() < 0.4:
        points = -_some(rng, plain.accounts[there.budget], 0)
    return ChangeBudget(label, key("operator"), sponsor, there.name, points or 1)


def given(real: Real, label: str, bonuses: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """What a sale tells of sponsors, their lots called after the sale and the sponsorship."""
    names = {id: name for name, id in real.sponsorships.items()}
    told = []
    for bonus in bonuses:
        name = names.get(bonus.giver_id, str(bonus.giver_id))
        if bonus.lot_id is not None:
            real.name_lot(bonus.lot_id, f"{label}+{name}")
        told.append((name, bonus.points, bonus.refused, bonus.expires_at))
    return told


def told_bonuses(plain: Plain) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Every bonus there is, by sale and sponsorship: its lot, and what refunds took back of it."""
    return {
        (sale.name, bonus.sponsorship.name): (
            bonus.sponsorship.sponsor,
            part.lot.name,
            part.lot.points,
            part.taken,
            part.returned,
        )
        for sale in plain.sales.values()
        for bonus in sale.bonuses
        for part in sale.earned
        if part.lot is bonus.lot
    }
