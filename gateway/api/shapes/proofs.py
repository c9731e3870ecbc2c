"""What proves itself: the keys, the public supply, a member's receipt. `manex verify` reads them as they are sent."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from gateway.api.shapes.values import Answer, Query

Digits = Annotated[str, Meta(pattern=r"^-?[0-9]{1,31}$(?!\n)")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]


class ProofKeyOut(Answer, frozen=True, kw_only=True):
    """A public key (RFC 8037), and from when it signs windows. One that is followed by another stays here."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    kid: str
    use: str
    alg: str
    signs_from: datetime


class ProofKeysOut(Answer, frozen=True, kw_only=True):
    keys: list[ProofKeyOut]


class SumsOut(Answer, frozen=True, kw_only=True):
    """Points by how they are paid for, and what they are worth in minor units. In digits: they may pass 2^53."""

    prefunded_points: Digits
    prefunded_minor: Digits
    deferred_points: Digits
    deferred_minor: Digits
    closed_loop_points: Digits
    closed_loop_minor: Digits


class StatementsRootOut(Answer, frozen=True, kw_only=True):
    parties: int
    # each with each of its merchants
    items: int
    root: Sha256


class SupplyRootOut(Answer, frozen=True, kw_only=True):
    """What members held at the close, what shops had accepted and nobody settled, and both together."""

    members: int
    root: Sha256
    held: SumsOut
    accepted: SumsOut
    open: SumsOut


class WindowHeadOut(Answer, frozen=True, kw_only=True):
    """What the network signs of a window."""

    schema: str
    book: str
    network: str
    mode: Literal["live", "test"]
    currency: str
    exponent: int
    window: str
    number: int
    opened_at: datetime
    closed_at: datetime
    first_sequence: int
    last_sequence: int
    ledger_hash: Sha256
    positions_hash: Sha256
    # the hash of the head of the window before; of the first, zeros
    previous: Sha256
    statements: StatementsRootOut
    supply: SupplyRootOut


class SignatureOut(Answer, frozen=True, kw_only=True):
    """Ed25519 over the context and the canonical head. `kid` is the thumbprint (RFC 7638) of the key `x`."""

    kid: str
    x: str
    value: str


class SupplyOut(Answer, frozen=True, kw_only=True):
    schema: str
    head: WindowHeadOut
    signature: SignatureOut


class HoldingOut(Answer, frozen=True, kw_only=True):
    schema: str
    window: str
    member: str
    # whoever has it can tell the member's leaf among the others
    salt: str
    sums: SumsOut


class BesideOut(Answer, frozen=True, kw_only=True):
    hash: Sha256
    sums: SumsOut


class SupplyReceiptOut(Answer, frozen=True, kw_only=True):
    """That one's points are inside the total which the newest window published."""

    schema: str
    # the hash of that window's head
    head: Sha256
    holding: HoldingOut
    index: int
    path: list[BesideOut]


class SupplyIn(Query, frozen=True, kw_only=True):
    # the number of the window; without it the newest
    number: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
