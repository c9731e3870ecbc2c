"""Brakes of an operator: members and branches frozen, shops suspended, the network stopped, and released."""

from __future__ import annotations

import random
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from deploy.simulate.asking import Keys, Operation, Step
from deploy.simulate.plain import MERCHANTS, PEOPLE, SHOPS, Expected, Plain, accepted, refused
from deploy.simulate.real import Real
from merchants import safety


@dataclass(frozen=True)
class Brake(Operation):
    """What is so already stays so."""

    exclusive: ClassVar[bool] = True
    while_stopped: ClassVar[bool] = True

    def body(self, real: Real) -> safety.Act:
        return safety.Act(self.subject(real), real.book.operator_id, "a simulation")

    @abstractmethod
    def subject(self, real: Real) -> UUID:
        """Who or what is braked."""

    def told(self, real: Real, value: safety.Done) -> dict[str, Any]:  # noqa: ARG002 - names nothing
        return {"state": value.state}


@dataclass(frozen=True)
class SuspendShop(Brake):
    shop: str

    kind: ClassVar[str] = "merchant_suspend"
    state: ClassVar[str] = "suspended"

    def subject(self, real: Real) -> UUID:
        return real.shop(self.shop)

    def predict(self, plain: Plain) -> Expected:
        shop = plain.shops[self.shop]
        if shop.state == "exited":
            return refused("state_conflict")
        plain.reached[f"shop {self.state}{' already' if shop.state == self.state else ''}"] += 1
        shop.state = self.state
        return accepted(state=self.state)


@dataclass(frozen=True)
class ResumeShop(SuspendShop):
    kind: ClassVar[str] = "merchant_resume"
    state: ClassVar[str] = "active"


def draw_suspension(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    suspended = [shop.name for shop in plain.shops.values() if shop.state == "suspended"]
    if suspended and rng.random() < 0.9:
        return ResumeShop(label, key("operator"), suspended[0])
    made = SuspendShop if rng.random() < 0.9 else ResumeShop
    return made(label, key("operator"), rng.choice(MERCHANTS))


@dataclass(frozen=True)
class FreezeMember(Brake):
    member: str

    kind: ClassVar[str] = "member_freeze"
    state: ClassVar[str] = "frozen"

    def subject(self, real: Real) -> UUID:
        return real.member(self.member)

    def predict(self, plain: Plain) -> Expected:
        frozen = self.state == "frozen"
        plain.reached[f"member {self.state}{' already' if plain.frozen[self.member] == frozen else ''}"] += 1
        plain.frozen[self.member] = frozen
        return accepted(state=self.state)


@dataclass(frozen=True)
class UnfreezeMember(FreezeMember):
    kind: ClassVar[str] = "member_unfreeze"
    state: ClassVar[str] = "active"


@dataclass(frozen=True)
class FreezeBranch(Brake):
    """The one branch of a shop."""

    shop: str

    kind: ClassVar[str] = "branch_freeze"
    state: ClassVar[str] = "frozen"

    def body(self, real: Real) -> safety.Act:
        return safety.Act(self.subject(real), real.book.operator_id, "a simulation", real.shop(self.shop))

    def subject(self, real: Real) -> UUID:
        return real.branch(self.shop)

    def predict(self, plain: Plain) -> Expected:
        frozen = self.state == "frozen"
        plain.reached[f"branch {self.state}{' already' if plain.branch_frozen[self.shop] == frozen else ''}"] += 1
        plain.branch_frozen[self.shop] = frozen
        return accepted(state=self.state)


@dataclass(frozen=True)
class UnfreezeBranch(FreezeBranch):
    kind: ClassVar[str] = "branch_unfreeze"
    state: ClassVar[str] = "active"


def draw_branch(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    frozen = [shop for shop in SHOPS if plain.branch_frozen[shop]]
    if frozen and rng.random() < 0.9:
        return UnfreezeBranch(label, key("operator"), frozen[0])
    made = FreezeBranch if rng.random() < 0.9 else UnfreezeBranch
    return made(label, key("operator"), rng.choice(SHOPS))


@dataclass(frozen=True)
class StopNetwork(Brake):
    """Nothing is posted until it is resumed but brakes; `running` answers for all the others."""

    kind: ClassVar[str] = "network_stop"
    state: ClassVar[str] = "stopped"

    def subject(self, real: Real) -> UUID:
        return real.book.public_id

    def predict(self, plain: Plain) -> Expected:
        stopped = self.state == "stopped"
        plain.reached[f"network {self.state}{' already' if plain.stopped == stopped else ''}"] += 1
        plain.stopped = stopped
        return accepted(state=self.state)


@dataclass(frozen=True)
class ResumeNetwork(StopNetwork):
    kind: ClassVar[str] = "network_resume"
    state: ClassVar[str] = "running"


def draw_stop(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    made = ResumeNetwork if plain.stopped or rng.random() < 0.1 else StopNetwork
    return made(label, key("operator"))


def draw_freeze(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    frozen = [member for member in PEOPLE if plain.frozen[member]]
    if frozen and rng.random() < 0.9:
        return UnfreezeMember(label, key("operator"), frozen[0])
    made = FreezeMember if rng.random() < 0.9 else UnfreezeMember
    return made(label, key("operator"), rng.choice(PEOPLE))
