"""Vouchers and spends as they are signed and checked: by the server, and by a till that has no network. Pure.

A voucher is a compact JWS (ES256) of the server: so many points of this member are set aside at this shop, for the device
that holds this key. A spend is a compact JWS of that device: so many of them pay under this external reference. A till
needs the keys of `/.well-known/jwks.json`, kept from when it had network, and a clock:

    keys = vouchers.keys_of(jwks)
    spent = vouchers.check(voucher, spend, keys, shop=shop, at=now)
    assert spent.external_reference == reference_of_this_sale
    spent.points, spent.value_minor

`check` proves what both say. That the voucher was not spent before at another till, only the server knows: a shop with
several tills lets one of them take a voucher, or takes that risk upon itself.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeVar

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Meta

from gateway import bodies
from gateway.api.shapes import Body, PointsAsked, Reference
from gateway.jwk import Jwk, PublicKey, unpadded
from gateway.problems import Problem

VOUCHER_TYPE: Final = "voucher+jwt"
SPEND_TYPE: Final = "spend+jwt"
ALGORITHM: Final = "ES256"
#: Nothing longer is looked at.
LONGEST_VOUCHER: Final = 3_000
LONGEST_SPEND: Final = 1_500

_Count = Annotated[int, Meta(ge=1, le=10**12)]
_Seconds = Annotated[int, Meta(ge=0, le=253_402_300_799)]

S = TypeVar("S")


class Confirmation(Body, frozen=True, kw_only=True):
    """RFC 7800: who presents the voucher proves to hold this key."""

    jwk: Jwk


class Voucher(Body, frozen=True, kw_only=True):
    """What a voucher says. `exp`: until when, by the book's clock, the device may spend it; seconds since 1970."""

    iss: Literal["manex"] = "manex"
    # neither this nor a spend is a credential anywhere: the API's audience is another
    aud: Literal["manex-till"] = "manex-till"
    jti: str
    book: str
    shop: str
    member: str
    points: _Count
    value: _Count
    currency: str
    # [points, unit value] in the order in which they are spent: what any number of them is worth
    parts: Annotated[list[tuple[_Count, _Count]], Meta(min_length=1, max_length=64)]
    iat: _Seconds
    exp: _Seconds
    cnf: Confirmation

    def worth(self, points: int) -> int:
        """What the first `points` of the voucher are worth, in minor units."""
        value = 0
        for many, unit_value in self.parts:
            value += min(many, points) * unit_value
            points -= min(many, points)
        return value


class Spend(Body, frozen=True, kw_only=True):
    """What a device signs at a till."""

    aud: Literal["manex-till"]
    voucher: str
    shop: str
    branch: str
    till: str | None = None
    external_reference: Reference
    points: PointsAsked
    # when, by the device's clock
    iat: _Seconds


@dataclass(frozen=True, slots=True)
class Spent:
    """A voucher and a spend that fit each other."""

    voucher: Voucher
    spend: Spend
    thumbprint: str
    # SHA-256 of the signed spend, in hex
    digest: str

    @property
    def external_reference(self) -> str:
        return self.spend.external_reference

    @property
    def points(self) -> int:
        return self.spend.points

    @property
    def value_minor(self) -> int:
        return self.voucher.worth(self.spend.points)


class Untrue(Exception):
    """A voucher or a spend that gives no right to anything: `at` says which, `why` what is wrong with it."""

    def __init__(self, at: Literal["voucher", "spend"], why: str) -> None:
        super().__init__(at, why)
        self.at = at
        self.why = why


def signed(voucher: Voucher, key: ec.EllipticCurvePrivateKey, kid: str) -> str:
    """A voucher as its member is given it."""
    payload = msgspec.json.encode(voucher)
    return jwt.api_jws.encode(payload, key, ALGORITHM, headers={"typ": VOUCHER_TYPE, "kid": kid})


def keys_of(jwks: Mapping[str, Any]) -> dict[str, ec.EllipticCurvePublicKey]:
    """The server's keys by `kid`, from what `/.well-known/jwks.json` answered."""
    found = {}
    for told in jwks["keys"]:
        if (told.get("kty"), told.get("crv"), told.get("alg")) == ("EC", "P-256", ALGORITHM):
            key = Jwk(kty="EC", crv="P-256", x=told["x"], y=told["y"]).key()
            assert isinstance(key, ec.EllipticCurvePublicKey)
            found[told["kid"]] = key
    return found


def check(
    voucher: str,
    spend: str,
    keys: Mapping[str, ec.EllipticCurvePublicKey],
    *,
    shop: str,
    at: datetime | None = None,
) -> Spent:
    """What is spent of which voucher at `shop` (mer_...); Untrue when they give no right to it.

    `at` is a till's own clock: a voucher is not taken after its time. The server leaves it out, for it redeems until the
    hold's deadline what was spent in time.
    """
    granted = _voucher(voucher, keys)
    jwk = granted.cnf.jwk
    try:
        key = jwk.key()
    except ValueError:
        raise Untrue("voucher", "it names no key") from None
    algorithm = "ES256" if jwk.kty == "EC" else "EdDSA"
    header = _header("spend", spend, LONGEST_SPEND)
    if header != {"alg": algorithm, "typ": SPEND_TYPE}:
        raise Untrue("spend", f"its header is not exactly alg {algorithm} and typ {SPEND_TYPE}")
    told = _read("spend", spend, key, algorithm, Spend)
    if granted.shop != shop:
        raise Untrue("voucher", "it is for another shop")
    if told.voucher != granted.jti:
        raise Untrue("spend", "it is of another voucher")
    if told.shop != shop:
        raise Untrue("spend", "it is for another shop")
    if told.points > granted.points:
        raise Untrue("spend", "it is of more points than the voucher has")
    if told.iat > granted.exp or (at is not None and at > datetime.fromtimestamp(granted.exp, UTC)):
        raise Untrue("spend", "the voucher's time was over")
    return Spent(granted, told, jwk.thumbprint, hashlib.sha256(spend.encode()).hexdigest())


def _voucher(text: str, keys: Mapping[str, ec.EllipticCurvePublicKey]) -> Voucher:
    header = _header("voucher", text, LONGEST_VOUCHER)
    kid = header.get("kid")
    if header != {"alg": ALGORITHM, "typ": VOUCHER_TYPE, "kid": kid} or not isinstance(kid, str) or kid not in keys:
        raise Untrue("voucher", f"its header is not exactly alg {ALGORITHM}, typ {VOUCHER_TYPE} and a kid of ours")
    return _read("voucher", text, keys[kid], ALGORITHM, Voucher)


def _header(at: Literal["voucher", "spend"], text: str, longest: int) -> dict[str, Any]:
    """The header, of which everything is looked at: what names another key, or how to read this, is refused."""
    if len(text) > longest or not text.isascii() or text.count(".") != 2:
        raise Untrue(at, "it is not a compact JWS of ours")
    try:
        found = bodies.parsed(unpadded(text.partition(".")[0]))
    except (Problem, ValueError):
        raise Untrue(at, "its header cannot be read") from None
    if not isinstance(found, dict):
        raise Untrue(at, "its header cannot be read")
    return found


def _read(at: Literal["voucher", "spend"], text: str, key: PublicKey, algorithm: str, type: type[S]) -> S:
    """What is said, once it is known who said it. Each name once: two readers must not take different ones."""
    try:
        payload = jwt.api_jws.decode_complete(text, key, algorithms=[algorithm])["payload"]
        return bodies.read(payload, type).value
    except (jwt.PyJWTError, ValueError):
        raise Untrue(at, "its signature is not good") from None
    except Problem as problem:
        raise Untrue(at, f"it cannot be read at {problem.pointer or '/'}") from None


def parts_of(rows: Iterable[Iterable[int]]) -> list[tuple[int, int]]:
    """[points, unit value] as a voucher says them."""
    return [(points, unit_value) for points, unit_value in rows]
