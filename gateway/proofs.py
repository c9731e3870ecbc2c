"""The keys that windows are signed with: which one signs now, and all that are published."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

import settlement


class Proofs:
    """`keys` are (from when it signs, PEM), private keys or the public parts of such as sign no more; `salts` is the
    secret of the supply's leaves."""

    def __init__(self, keys: Iterable[tuple[datetime, bytes]], salts: bytes) -> None:
        self._salts = salts
        self._signers: list[tuple[datetime, settlement.proof.Signer]] = []
        self._published: list[tuple[datetime, bytes]] = []
        for signs_from, pem in sorted(keys):
            if b"PRIVATE" in pem:
                signer = settlement.proof.Signer(pem)
                self._signers.append((signs_from, signer))
                self._published.append((signs_from, signer.x))
            else:
                public = load_pem_public_key(pem)
                assert isinstance(public, Ed25519PublicKey), "proofs are signed with Ed25519"
                self._published.append((signs_from, public.public_bytes(Encoding.Raw, PublicFormat.Raw)))

    def sealing(self, now: datetime | None = None) -> settlement.Sealing:
        """What seals are made with now: the newest key whose time has come."""
        at = now or datetime.now(UTC)
        signer = [signer for signs_from, signer in self._signers if signs_from <= at][-1]
        return settlement.Sealing(signer, self._salts)

    def jwks(self) -> dict[str, Any]:
        """Every key that ever signed a window or is about to, the newest first."""
        return {
            "keys": [
                {**settlement.proof.keys.jwk(x), "signs_from": signs_from}
                for signs_from, x in reversed(self._published)
            ]
        }
