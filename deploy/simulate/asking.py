"""What an operation of a history is.

To add one: a frozen dataclass of what it asks, with `predict` (tell the plain model, and say what the answer must be) and
the request itself: `kind`, `body`, `told` (the answer in the words of the prediction). An operation that is no posting of
one batch is an `Act`: it has `act` instead and stands in a group of its own. Beside it a draw (what might be asked now;
None when nothing makes sense) and a row for that in `operations`. Everything it refers to goes by label, so that a history
from which operations were dropped still has a meaning.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from deploy.simulate.plain import Expected, Plain, accepted, refused

if TYPE_CHECKING:
    from deploy.simulate.real import Real


@dataclass(frozen=True)
class Operation:
    """`key`: the idempotency key, counted for each principal apart, so that two shops use the same ones."""

    label: str
    key: str

    kind: ClassVar[str]
    #: whether it stands in a group of its own
    alone: ClassVar[bool] = False

    @property
    def principal(self) -> str:
        """Whose key it is: a shop, or the operator."""
        return "operator"

    def __str__(self) -> str:
        """What it asks, for people: the key and what is not set are left out."""
        facts = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "key"}
        told = [f"{name} {value}" for name, value in facts.items() if value is not None and value is not False]
        return f"{self.kind}: {', '.join(told)}"

    def predict(self, plain: Plain) -> Expected | None:
        """Tell the model, and say what the answer must be. None: what it refers to is not there, nothing is asked."""
        raise NotImplementedError

    def body(self, real: Real) -> Any:
        raise NotImplementedError

    def told(self, real: Real, value: Any) -> dict[str, Any]:
        """The accepted answer, in the words of the prediction."""
        raise NotImplementedError


@dataclass(frozen=True)
class Act(Operation):
    alone: ClassVar[bool] = True

    def act(self, real: Real) -> Expected:
        """Do it; the answer in the words of the prediction."""
        raise NotImplementedError


#: The next key of a principal.
Keys = Callable[[str], str]
Draw = Callable[[random.Random, Plain, str, Keys], Operation | None]


def either(rng: random.Random, *groups: list[Any]) -> list[Any]:
    """One of the groups that have somebody."""
    return rng.choice([group for group in groups if group])


@dataclass(frozen=True)
class SendAgain(Operation):
    """An earlier request, key and all. Its first answer comes back, byte for byte, and nothing happens."""

    first: Operation

    kind: ClassVar[str] = "again"

    @property
    def principal(self) -> str:
        return self.first.principal

    def predict(self, plain: Plain) -> Expected | None:
        if not plain.answered.get(self.first.label):
            return None
        plain.reached["sent again"] += 1
        return accepted()


@dataclass(frozen=True)
class SameKey(Operation):
    """Another request under the key of an earlier one: refused, and nothing happens."""

    first: Operation

    kind: ClassVar[str] = "same_key"

    @property
    def principal(self) -> str:
        return self.first.principal

    def predict(self, plain: Plain) -> Expected | None:
        if not plain.answered.get(self.first.label):
            return None
        plain.reached["same key, other content"] += 1
        return refused("idempotency_key_reused")
