"""The keys that proofs are signed with: Ed25519, named by their thumbprint (RFC 7638), published as JSON Web Keys."""

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from .reading import Malformed


class Signer:
    """A private key, in PKCS #8 PEM. Ed25519 signs the same bytes the same way, always."""

    def __init__(self, pem: bytes) -> None:
        key = load_pem_private_key(pem, password=None)
        assert isinstance(key, Ed25519PrivateKey), "proofs are signed with Ed25519"
        self._key = key
        self.x = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.kid = thumbprint(self.x)

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def thumbprint(x: bytes) -> str:
    """RFC 7638: SHA-256 over the key's required members."""
    members = {"crv": "Ed25519", "kty": "OKP", "x": base64url(x)}
    return base64url(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())


def is_signed(x: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(x).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def jwk(x: bytes) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": base64url(x), "kid": thumbprint(x), "use": "sig", "alg": "EdDSA"}


def published(document: Any) -> set[bytes]:
    """The Ed25519 keys of a JSON Web Key or a set of them; others beside them are passed over."""
    found: Iterable[Any] = [document]
    if isinstance(document, dict) and isinstance(document.get("keys"), list):
        found = document["keys"]
    keys = {
        plain(key["x"])
        for key in found
        if isinstance(key, dict) and (key.get("kty"), key.get("crv")) == ("OKP", "Ed25519") and "x" in key
    }
    if not keys:
        raise Malformed("no Ed25519 key in it")
    return keys


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def plain(text: Any) -> bytes:
    """Base64url without padding, one way of writing each."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, TypeError):
        raise Malformed("not base64url") from None
    if base64url(raw) != text:
        raise Malformed("not the one way of writing these bytes")
    return raw
