"""Short access tokens of members: JWT signed with ES256 (RFC 9068), lived by the wall's clock."""

import hashlib
import time
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

import ledger
from gateway import vouchers
from gateway.problems import Problem

ISSUER: Final = "manex"
AUDIENCE: Final = "manex-api"
TYPE: Final = "at+jwt"
ALGORITHM: Final = "ES256"
LIFE_SECONDS: Final = 15 * 60
LEEWAY_SECONDS: Final = 5
#: Longer than any token of ours; nothing longer is looked at.
LONGEST: Final = 2_000


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who a token speaks for."""

    member_id: UUID
    book_public_id: UUID
    #: when it ends, Unix time; of one that is still to be issued, 0
    expires_at: int = field(default=0, compare=False)


class Tokens:
    """Signs and reads tokens with one key. `pem` is a P-256 private key in PKCS #8."""

    def __init__(self, pem: bytes) -> None:
        key = load_pem_private_key(pem, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), "an ES256 key is on P-256"
        assert key.curve.name == "secp256r1", key.curve.name
        self._key = key
        self._public = key.public_key()
        point = self._public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.kid = hashlib.sha256(point).hexdigest()[:16]

    def issue(self, bearer: Bearer) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": ledger.ids.show("member", bearer.member_id),
            "book": ledger.ids.show("book", bearer.book_public_id),
            "jti": ledger.ids.new().hex,
            "iat": now,
            "exp": now + LIFE_SECONDS,
        }
        return jwt.encode(claims, self._key, ALGORITHM, headers={"kid": self.kid, "typ": TYPE})

    def read(self, token: str) -> Bearer:
        """Who `token` speaks for; a Problem when it is not a living one of ours."""
        if len(token) > LONGEST:
            raise unauthenticated()
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != TYPE or header.get("kid") != self.kid:
                raise unauthenticated()
            claims: dict[str, Any] = jwt.decode(
                token,
                self._public,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "sub", "book", "jti"]},
            )
        except (jwt.PyJWTError, ValueError):
            raise unauthenticated() from None
        member = ledger.ids.read("member", str(claims["sub"]))
        book = ledger.ids.read("book", str(claims["book"]))
        if member is None or book is None:
            raise unauthenticated()
        return Bearer(member, book, int(claims["exp"]))

    def voucher(self, said: vouchers.Voucher) -> str:
        """A voucher, signed. Its type and audience are others than a token's: neither is taken for the other."""
        return vouchers.signed(said, self._key, self.kid)

    @property
    def keys(self) -> dict[str, ec.EllipticCurvePublicKey]:
        """What signatures of ours are checked with, by `kid`."""
        return {self.kid: self._public}

    def jwks(self) -> dict[str, Any]:
        """The public key, for `/.well-known/jwks.json`."""
        public = jwt.algorithms.ECAlgorithm.to_jwk(self._public, as_dict=True)
        return {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": ALGORITHM}]}


def unauthenticated(detail: str = "the credential is not a living one of ours") -> Problem:
    return Problem("unauthenticated", detail, headers=((b"www-authenticate", b'Bearer realm="manex"'),))
