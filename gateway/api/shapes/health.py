"""Whether the process is well, and the keys it signs with."""

from typing import Literal

from gateway.api.shapes.values import Answer


class HealthOut(Answer, frozen=True, kw_only=True):
    status: Literal["ok"]


class JwkOut(Answer, frozen=True, kw_only=True):
    kty: str
    crv: str
    x: str
    y: str
    kid: str
    use: str
    alg: str


class JwksOut(Answer, frozen=True, kw_only=True):
    keys: list[JwkOut]
