"""A member's phone as a wallet uses it: it asks for vouchers while it has network, and signs spends when it has none."""

import itertools
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import jwt
import msgspec
import pyotp
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.gateway.network import Api, Member, new_key

_references = itertools.count(1)

Private = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def fresh_key(curve: str = "Ed25519") -> Private:
    return ed25519.Ed25519PrivateKey.generate() if curve == "Ed25519" else ec.generate_private_key(ec.SECP256R1())


def jwk_of(key: Private) -> dict[str, str]:
    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        told = jwt.algorithms.OKPAlgorithm.to_jwk(public, as_dict=True)
    else:
        told = jwt.algorithms.ECAlgorithm.to_jwk(public, as_dict=True)
    return {name: told[name] for name in ("kty", "crv", "x", "y") if name in told}


def signed(payload: dict[str, Any] | bytes, key: Any, alg: str, **header: Any) -> str:
    raw = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
    return jwt.api_jws.encode(
        raw, key, alg, headers={name: value for name, value in header.items() if value is not None}
    )


@dataclass
class Phone:
    member: Member
    key: Private = field(default_factory=fresh_key)
    id: str = ""
    secret: str = ""

    def __post_init__(self) -> None:
        if self.id:
            return
        made = self.api.done("POST", "/v1/me/devices", {"name": "wallet"}, by=self.member.token)
        self.id, self.secret = made["id"], made["spend_secret"]

    @property
    def api(self) -> Api:
        return self.member.api

    @property
    def alg(self) -> str:
        return "EdDSA" if isinstance(self.key, ed25519.Ed25519PrivateKey) else "ES256"

    def code(self) -> str:
        return pyotp.TOTP(self.secret).at(self.api.clock())

    def wanted(self, _points: int, _shop: str = "cafe", **more: Any) -> dict[str, Any]:
        return {
            "shop": self.api.shops[_shop].id,
            "points": _points,
            "device": self.id,
            "public_key": jwk_of(self.key),
            "spend_code": self.code(),
        } | more

    def voucher(self, points: int, shop: str = "cafe") -> Any:
        """A voucher; the clock then moves a minute on, for the next code."""
        made = self.api.done("POST", "/v1/me/vouchers", self.wanted(points, shop), by=self.member.token, key=new_key())
        self.api.advance((self.api.clock() + timedelta(minutes=1)).isoformat())
        return made

    def said(self, _voucher: Any, _points: int, _reference: str, _shop: str = "cafe", **changes: Any) -> dict[str, Any]:
        """What the phone signs; `...` takes a claim out."""
        claims = {
            "aud": "manex-till",
            "voucher": _voucher["id"],
            "shop": self.api.shops[_shop].id,
            "branch": self.api.shops[_shop].branch,
            "external_reference": _reference,
            "points": _points,
            "iat": int(self.api.clock().timestamp()),
        } | changes
        return {name: value for name, value in claims.items() if value is not ...}

    def spend(self, voucher: Any, points: int, reference: str, shop: str = "cafe") -> str:
        return signed(self.said(voucher, points, reference, shop), self.key, self.alg, typ="spend+jwt")

    def redemption(
        self, voucher: Any, points: int, reference: str | None = None, shop: str = "cafe", **more: Any
    ) -> dict[str, Any]:
        """What the till redeems later."""
        reference = reference or f"SPEND-{next(_references)}"
        return {
            "branch": self.api.shops[shop].branch,
            "external_reference": reference,
            "member": self.member.number,
            "voucher": {"voucher": voucher["voucher"], "spend": self.spend(voucher, points, reference, shop)},
        } | more
