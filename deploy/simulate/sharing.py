"""Households' operations: founded, joined, shared, led and left, each asked by a member."""

from __future__ import annotations

import random
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from deploy.simulate.asking import Keys, Operation, Step
from deploy.simulate.households import LARGEST, Household, Person
from deploy.simulate.plain import COMPANY, MEMBERS, PEOPLE, SHOPS, Expected, Plain, accepted, refused
from deploy.simulate.real import Real
from deploy.simulate.till import MakeSale, Redeem, half_minute
from merchants import trade


@dataclass(frozen=True)
class HouseholdStep(Operation):
    """A step of one member. It stands alone: what it gives is there for those who ask after its answer."""

    member: str

    kind: ClassVar[str] = "household"
    alone: ClassVar[bool] = True

    @property
    def principal(self) -> str:
        return self.member

    def __str__(self) -> str:
        return f"{type(self).__name__} in a {super().__str__()}"

    def predict(self, plain: Plain) -> Expected:
        if plain.frozen[self.member]:
            plain.reached["a frozen member changed nothing in a household"] += 1
            return refused("state_conflict")
        return self._step(plain)

    @abstractmethod
    def _step(self, plain: Plain) -> Expected:
        """Of a member who is not frozen."""

    def told(self, real: Real, value: trade.HouseholdDone) -> dict[str, Any]:
        if isinstance(self, Found):
            real.households[self.label] = value.household_id
        head = real.names()[str(value.founder_id)]
        return {"kind": value.kind, "ended": value.state == "ended", "head": head}


@dataclass(frozen=True)
class Inside(HouseholdStep):
    """Asked by somebody who is in a household."""

    def _step(self, plain: Plain) -> Expected:
        household = plain.household_of(self.member)
        return refused("state_conflict") if household is None else self._in(plain, household)

    @abstractmethod
    def _in(self, plain: Plain, household: Household) -> Expected:
        """In the member's own household."""


@dataclass(frozen=True)
class Leading(Inside):
    """For the head to ask."""

    def _in(self, plain: Plain, household: Household) -> Expected:
        if household.head != self.member:
            plain.reached["only the head leads"] += 1
            return refused("state_conflict")
        return self._lead(plain, household)

    @abstractmethod
    def _lead(self, plain: Plain, household: Household) -> Expected:
        """In the household that the member is the head of."""


def _done(plain: Plain, household: Household, road: str) -> Expected:
    plain.reached[f"{household.kind} {road}"] += 1
    return accepted(kind=household.kind, ended=household.ended, head=household.head)


@dataclass(frozen=True)
class Found(HouseholdStep):
    def _step(self, plain: Plain) -> Expected:
        if plain.household_of(self.member) is not None:
            return refused("state_conflict")
        kind = "company" if self.member == COMPANY else "family"
        made = Household(self.label, kind, self.member, people={self.member: Person("active")})
        plain.households[self.label] = made
        return _done(plain, made, "founded")

    def body(self, real: Real) -> trade.FoundHousehold:
        return trade.FoundHousehold(real.member(self.member))


@dataclass(frozen=True)
class Invite(Leading):
    to: str
    limit: int | None

    def _lead(self, plain: Plain, household: Household) -> Expected:
        if (self.limit is not None) != (household.kind == "company"):
            return refused("validation_failed")
        if self.to not in PEOPLE or plain.frozen[self.to]:
            return refused("not_found")
        before = household.people.get(self.to)
        if before is not None and before.state != "left":
            return refused("state_conflict")
        there = sum(person.state in ("active", "invited") for person in household.people.values())
        if there >= LARGEST:
            return refused("limit_exceeded", allowed=LARGEST, asked=there + 1)
        household.invite(self.to, self.limit)
        return _done(plain, household, "asked somebody" if before is None else "asked somebody again")

    def body(self, real: Real) -> trade.InviteToHousehold:
        return trade.InviteToHousehold(real.member(self.member), real.number(self.to), self.limit)


@dataclass(frozen=True)
class Answer(HouseholdStep):
    household: str
    accepts: bool

    def _step(self, plain: Plain) -> Expected:
        household = plain.households.get(self.household)
        person = household.people.get(self.member) if household else None
        if household is None or person is None or person.state == "left":
            return refused("not_found")
        if person.state != "invited" or household.ended:
            return refused("state_conflict")
        if self.accepts and plain.household_of(self.member) is not None:
            plain.reached["nobody is in two households"] += 1
            return refused("state_conflict")
        person.state = "active" if self.accepts else "declined"
        return _done(plain, household, "joined" if self.accepts else "declined")

    def body(self, real: Real) -> trade.AnswerInvitation:
        return trade.AnswerInvitation(real.member(self.member), real.household(self.household), self.accepts)


@dataclass(frozen=True)
class Share(Inside):
    points: int | None

    def _in(self, plain: Plain, household: Household) -> Expected:
        if household.kind == "company":
            return refused("state_conflict")
        household.people[self.member].shares = self.points
        return _done(plain, household, "shared" if self.points is not None else "shared no more")

    def body(self, real: Real) -> trade.ShareWallet:
        return trade.ShareWallet(real.member(self.member), self.points)


@dataclass(frozen=True)
class LimitPerson(Leading):
    person: str
    points: int

    def _lead(self, plain: Plain, household: Household) -> Expected:
        there = household.people.get(self.person)
        if there is None or there.state not in ("active", "invited") or self.person == household.head:
            return refused("not_found")
        if household.kind == "family":
            return refused("state_conflict")
        there.limit = self.points
        return _done(plain, household, "limited somebody")

    def body(self, real: Real) -> trade.LimitPerson:
        return trade.LimitPerson(real.member(self.member), real.member(self.person), self.points)


@dataclass(frozen=True)
class HandOver(Leading):
    person: str

    def _lead(self, plain: Plain, household: Household) -> Expected:
        if not household.has(self.person) or self.person == household.head:
            return refused("not_found")
        if household.kind == "company":
            return refused("state_conflict")
        household.head = self.person
        return _done(plain, household, "handed over")

    def body(self, real: Real) -> trade.HandOver:
        return trade.HandOver(real.member(self.member), real.member(self.person))


@dataclass(frozen=True)
class Leave(Leading):
    """Oneself, frozen or not; or somebody whom the head takes out."""

    person: str

    def predict(self, plain: Plain) -> Expected:
        if self.person != self.member:
            return super().predict(plain)
        household = plain.household_of(self.member)
        if household is None:
            return refused("state_conflict")
        plain.reached["a frozen member left"] += plain.frozen[self.member]
        return self._out(plain, household, "left")

    def _lead(self, plain: Plain, household: Household) -> Expected:
        person = household.people.get(self.person)
        if person is None or person.state not in ("active", "invited"):
            return refused("not_found")
        return self._out(plain, household, "took somebody out")

    def _out(self, plain: Plain, household: Household, road: str) -> Expected:
        if household.leave(self.person):
            plain.reached["the eldest leads"] += 1
        plain.reached[f"{household.kind} ended"] += household.ended
        return _done(plain, household, road)

    def body(self, real: Real) -> trade.LeaveHousehold:
        return trade.LeaveHousehold(real.member(self.member), real.member(self.person))


def draw_step(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    """Mostly what makes households grow; seldom what nobody may ask."""
    asked = [
        (name, person)
        for name, each in plain.households.items()
        for person, there in each.people.items()
        if there.state == "invited" and not each.ended
    ]
    if asked and rng.random() < 0.5:
        household, member = rng.choice(asked)
        return Answer(label, key(member), member, household, rng.random() < 0.85)
    member = rng.choice(MEMBERS)
    there = plain.household_of(member)
    if there is None and rng.random() < 0.9:
        return Found(label, key(member), member)
    if there is not None and rng.random() < 0.8:
        member = there.head
    other = rng.choice(MEMBERS if rng.random() < 0.1 else PEOPLE)
    company = there is not None and there.kind == "company" and rng.random() < 0.95
    sharer = rng.choice(there.inside) if there else member
    made: list[Step] = [
        Invite(label, key(member), member, other, 20 if company else None),
        LimitPerson(label, key(member), member, other, rng.choice((5, 40))),
        Share(label, key(sharer), sharer, rng.choice((10, 40, 40, None))),
        HandOver(label, key(member), member, other),
        Leave(label, key(member), member, rng.choice((member, other, other))),
        Answer(label, key(other), other, rng.choice([*plain.households, "nowhere"]), True),
    ]
    return rng.choices(made, (8, 4 if company else 1, 1 if company else 8, 1, 2, 1))[0]


def draw_spend(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step | None:
    """Points of one that another consents to, mostly one who may; seldom a stranger, or whoever has lost the right."""
    pairs = [
        (owner, spender)
        for each in plain.households.values()
        for owner in each.people
        for spender in each.people
        if each.month(owner, spender) and plain.wallet(owner)
    ]
    owner, spender = rng.choice(pairs) if pairs and rng.random() < 0.85 else tuple(rng.sample(MEMBERS, 2))
    shop = rng.choice([shop for shop in SHOPS if plain.shops[shop].contract])
    there = sum(lot.wallet for lot in plain.usable(owner, shop))
    left = plain.month_left(owner, spender)
    points = max(1, rng.choice((1, there // 3, left or 1, min(there, left or 9), (left or 9) + 1)))
    code = int(half_minute(plain) <= plain.last_code[spender])
    capture = rng.random() < 0.6
    return Redeem(label, key(shop), shop, owner, points, None, capture, code, f"R{label}", by=spender)


def draw_companys_sale(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    shop = rng.choice([shop for shop in SHOPS if plain.shops[shop].contract])
    sale = MakeSale(label, key(shop), shop, COMPANY, rng.choice((700, 1_500, 4_000)), f"R{label}")
    return sale if rng.random() < 0.95 else replace(sale, total=0)
