"""Members and their devices as the rest of the house knows them, and what a member may be called. Pure.

Names and telephones are left out of every `repr`: what is logged by mistake must not be personal.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from ledger.errors import Invalid

KINDS: Final = ("natural", "legal")
LONGEST_NAME: Final = 100
LARGEST_CONSENTS: Final = 20
LARGEST_DEVICES: Final = 5

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_PURPOSE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


@dataclass(frozen=True, slots=True)
class Member:
    """A person or company with a wallet. `phone` is E.164, None once erased."""

    id: UUID
    number: str = field(repr=False)
    phone: str | None = field(repr=False)
    kind: str
    given_name: str | None = field(repr=False)
    state: str
    tier: str | None
    spend_locked: bool

    @property
    def locked_by(self) -> str | None:
        """Who keeps the member's points from being spent: the network, by a freeze, or the member; None: nobody."""
        if self.state == "frozen":
            return "network"
        return "member" if self.spend_locked else None


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What enrolling found or made. Of a member who was there already it tells no name."""

    member: Member
    created: bool


@dataclass(frozen=True, slots=True)
class Device:
    """A member's device as its owner sees it."""

    id: UUID
    member_id: UUID
    name: str = field(repr=False)
    enrolled_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A live device as a posting holds it: locked, with what its secret is made of."""

    id: UUID
    member_id: UUID
    nonce: bytes = field(repr=False)
    last_step: int


def tidy(text: str | None) -> str | None:
    """`text` composed (NFC), its runs of white space one space each; None when nothing is left."""
    return " ".join(unicodedata.normalize("NFC", text).split()) or None if text is not None else None


def fit(name: str) -> bool:
    """Whether a tidy name can be kept and shown: not too long, and no control characters."""
    return len(name) <= LONGEST_NAME and not any(unicodedata.category(c) in ("Cc", "Cs") for c in name)


def fault(
    *,
    phone: str,
    kind: str,
    given_name: str | None,
    family_name: str | None,
    language: str,
    consents: Mapping[str, bool],
) -> Invalid | None:
    """The first thing wrong with a profile, in the order of its fields. Names are tidy, the telephone is E.164."""
    if not _E164.fullmatch(phone):
        return Invalid("/phone", "not a telephone number")
    if kind not in KINDS:
        return Invalid("/kind", f"must be one of {', '.join(KINDS)}")
    for at, name in (("/given_name", given_name), ("/family_name", family_name)):
        if name is not None and not fit(name):
            return Invalid(at, f"must have at most {LONGEST_NAME} characters, none of them a control character")
    if not _LANGUAGE.fullmatch(language):
        return Invalid("/language", "must be a language tag such as fa or en-GB")
    if len(consents) > LARGEST_CONSENTS or not all(_PURPOSE.fullmatch(purpose) for purpose in consents):
        return Invalid("/consents", f"must name at most {LARGEST_CONSENTS} purposes, each in lower_snake")
    return None
