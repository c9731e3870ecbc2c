"""Merchants, where they sell, and what they agreed to, as the rest of the house knows them. Pure."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

import ledger

KINDS: Final = ("shop", "sponsor", "network")
CHANNELS: Final = ("physical", "online")
MODES: Final = ("prefunded", "deferred", "closed_loop")
#: Kinds of person a contract may earn and spend for.
PERSONS: Final = ("natural", "legal")
LONGEST_NAME: Final = 100
LONGEST_REFERENCE: Final = 64


@dataclass(frozen=True, slots=True)
class Merchant:
    """`state`: active, suspended, exited."""

    id: UUID
    name: str
    kind: str
    state: str
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """`reference` is the merchant's own name for it, unique within the merchant. `state`: active, frozen, closed."""

    id: UUID
    merchant_id: UUID
    reference: str
    name: str
    state: str
    channel: str = "physical"
    city: str | None = None


@dataclass(frozen=True, slots=True)
class Till:
    """`reference` is the merchant's own name for it, unique within the branch. `state`: active, closed."""

    id: UUID
    merchant_id: UUID
    branch_id: UUID
    state: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Contract:
    """One version of what a merchant and the network agreed. `points_life_days` None: the network's."""

    id: UUID
    merchant_id: UUID
    version: int
    mode: str
    unit_value_minor: int
    credit_line_points: int
    purchase_fee_ppm: int
    redemption_fee_ppm: int
    hold_minutes: int
    points_life_days: int | None
    maturity_days: int
    # the kinds of person whose sales earn here, and those whose points are taken
    earns_for: Sequence[str] = PERSONS
    spends_for: Sequence[str] = PERSONS


@dataclass(frozen=True, slots=True)
class Terms:
    """One version of what a merchant's sales earn: JSON that `merchants.programme` reads."""

    id: UUID
    merchant_id: UUID
    version: int
    rules: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Taken(ledger.errors.DuplicateReference):
    """The name or reference in the field `at` is another's already."""

    code: ClassVar[str] = "duplicate_reference"
    stored: ClassVar[bool] = False
    at: str = "/reference"

    @property
    def detail(self) -> str:
        return f"this already names {self.existing}"

    @property
    def pointer(self) -> str | None:
        return self.at


def tidy(text: str) -> str:
    """`text` composed (NFC), its runs of white space one space each."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def misnamed(at: str, text: str, longest: int = LONGEST_NAME) -> ledger.errors.Invalid | None:
    """Why a tidy text cannot be kept and shown as a name, or None."""
    if 0 < len(text) <= longest and not any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        return None
    return ledger.errors.Invalid(at, f"must have 1 to {longest} characters, none of them a control character")
