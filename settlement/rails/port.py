"""The port that providers of payments stand behind: make this payment, and what became of it.

The instruction's id is the idempotency key: a provider asked twice makes one payment. What it answers is one of four
things; that nobody knows is one of them, and is asked again until somebody does.
"""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Order:
    """A payment as a provider is asked for it: to `account`, or without one from whoever opens its page."""

    instruction_id: UUID
    amount_minor: int
    currency: str
    exponent: int
    # what a window's payments are called together; empty for a top-up
    group: str
    account: str | None


@dataclass(frozen=True, slots=True)
class Done:
    """The money has moved. `reference` is the provider's."""

    reference: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The provider has it, and tells later what became of it. A person pays at `url`, where there is one."""

    reference: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """It was not made, and asking again will not help: a code and the provider's words."""

    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows: no answer, or one that says nothing."""

    why: str


Answer = Done | Waiting | Refused | Unknown


class Rail(Protocol):
    """A provider, with the keys of one mode. Its calls end within `SLOWEST_SECONDS`, and never raise."""

    name: str

    def make(self, order: Order) -> Answer:
        """Have a payment made; the same order again makes no second one."""
        ...

    def ask(self, order: Order) -> Answer | None:
        """What became of a payment; None: the provider does not know it."""
        ...


#: What one call may take in all.
SLOWEST_SECONDS = 25
