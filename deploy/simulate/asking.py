"""What an operation of a history is.

To add one: a frozen dataclass of what it asks, with `predict` (tell the plain model, and say what the answer must be) and
the request itself: `kind`, `body`, `told` (the answer in the words of the prediction). An operation that is no posting of
one batch is an `Act`: it has `act` instead and stands in a group of its own. Beside it a draw (what might be asked now;
None when nothing makes sense) and a row for that in `operations`. Everything it refers to goes by label, so that a history
from which operations were dropped still has a meaning.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from deploy.simulate.plain import Expected, Plain, accepted, refused
from deploy.simulate.real import Real


@dataclass(frozen=True)
class Step(ABC):
    """One thing that is done in a history.

    `key`: the idempotency key, counted for each principal apart, so that two shops use the same ones.
    """

    label: str
    key: str

    kind: ClassVar[str]
    #: whether it stands in a group of its own
    alone: ClassVar[bool] = False
    #: whether the ledger posts it as a batch of its own, whatever it is grouped with
    exclusive: ClassVar[bool] = False
    #: whether it goes on while the network is stopped
    while_stopped: ClassVar[bool] = False

    @property
    def principal(self) -> str:
        """Whose key it is: a shop, or the operator."""
        return "operator"

    def __str__(self) -> str:
        """What it asks, for people: the key and what is not set are left out."""
        facts = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "key"}
        told = [f"{name} {value}" for name, value in facts.items() if value is not None and value is not False]
        return f"{self.kind}: {', '.join(told)}"

    @abstractmethod
    def predict(self, plain: Plain) -> Expected | None:
        """Tell the model, and say what the answer must be. None: what it refers to is not there, nothing is asked."""


@dataclass(frozen=True)
class Operation(Step):
    """A request of its own, posted with the others of its group."""

    @abstractmethod
    def body(self, real: Real) -> Any:
        """What is asked of the handler of its kind."""

    @abstractmethod
    def told(self, real: Real, value: Any) -> dict[str, Any]:
        """The accepted answer, in the words of the prediction."""


@dataclass(frozen=True)
class AtShop(Operation):
    """A request under a shop's own keys."""

    shop: str

    @property
    def principal(self) -> str:
        return self.shop


@dataclass(frozen=True)
class Act(Step):
    """What is no posting of one batch."""

    alone: ClassVar[bool] = True

    @abstractmethod
    def act(self, real: Real) -> Expected:
        """Do it; the answer in the words of the prediction."""


#: The next key of a principal.
Keys = Callable[[str], str]
Draw = Callable[[random.Random, Plain, str, Keys], Step | None]


def either(rng: random.Random, *groups: list[Any]) -> list[Any]:
    """One of the groups that have somebody."""
    return rng.choice([group for group in groups if group])


@dataclass(frozen=True)
class SendAgain(Step):
    """An earlier request, key and all. Its first answer comes back, byte for byte, and nothing happens."""

    first: Step

    kind: ClassVar[str] = "again"
    while_stopped: ClassVar[bool] = True

    @property
    def principal(self) -> str:
        return self.first.principal

    def predict(self, plain: Plain) -> Expected | None:
        if not plain.answered.get(self.first.label):
            return None
        plain.reached["sent again"] += 1
        return accepted()


@dataclass(frozen=True)
class SameKey(Step):
    """Another request under the key of an earlier one: refused, and nothing happens."""

    first: Step

    kind: ClassVar[str] = "same_key"
    while_stopped: ClassVar[bool] = True

    @property
    def principal(self) -> str:
        return self.first.principal

    def predict(self, plain: Plain) -> Expected | None:
        if not plain.answered.get(self.first.label):
            return None
        plain.reached["same key, other content"] += 1
        return refused("idempotency_key_reused")
