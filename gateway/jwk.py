"""Public keys of members' devices, as JSON Web Keys (RFC 7517). Pure."""

import base64
import hashlib
import json
from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from msgspec import Meta, Struct

#: 32 bytes in base64url.
Coordinate = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$(?!\n)")]

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class Jwk(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A device's public key: Ed25519 (`OKP`), or P-256 (`EC`), which has a `y` as well. Never a private part."""

    kty: Literal["OKP", "EC"]
    crv: Literal["Ed25519", "P-256"]
    x: Coordinate
    y: Coordinate | None = None

    @property
    def members(self) -> dict[str, str]:
        """What makes the key, in the order in which the thumbprint has it."""
        found = {"crv": self.crv, "kty": self.kty, "x": self.x}
        return found if self.y is None else found | {"y": self.y}

    @property
    def thumbprint(self) -> str:
        """RFC 7638."""
        digest = hashlib.sha256(json.dumps(self.members, separators=(",", ":")).encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def key(self) -> PublicKey:
        """The key itself; ValueError when it is none: a point that is not on the curve, a part too many or too few."""
        kinds = {("OKP", "Ed25519"): False, ("EC", "P-256"): True}
        if kinds.get((self.kty, self.crv)) is not (self.y is not None):
            raise ValueError("an Ed25519 key has x, a P-256 key x and y")
        x = unpadded(self.x)
        if self.y is None:
            return ed25519.Ed25519PublicKey.from_public_bytes(x)
        y = unpadded(self.y)
        return ec.EllipticCurvePublicNumbers(
            int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1()
        ).public_key()


def unpadded(text: str) -> bytes:
    """Base64url without padding, one way of writing each; ValueError for anything else."""
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != text:
        raise ValueError("not the one way of writing these bytes")
    return raw
