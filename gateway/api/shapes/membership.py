"""A member signing in, and what one is told of oneself."""

from datetime import datetime
from typing import Literal

from gateway.api.shapes.values import Answer, Body, Name, OneTimeCode, PersonKind, Phone, Sum


class OtpIn(Body, frozen=True, kw_only=True):
    phone: Phone


class OtpOut(Answer, frozen=True, kw_only=True):
    expires_in: int


class VerifyIn(Body, frozen=True, kw_only=True):
    phone: Phone
    code: OneTimeCode


class TokenOut(Answer, frozen=True, kw_only=True):
    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    member: str | None = None


class DeviceIn(Body, frozen=True, kw_only=True):
    name: Name


class DeviceOut(Answer, frozen=True, kw_only=True):
    id: str
    name: str
    # base32, for RFC 6238 codes of six digits and 30 seconds; told once
    spend_secret: str


class AtTime(Answer, frozen=True, kw_only=True):
    points: int
    at: datetime


class MemberBalance(Answer, frozen=True, kw_only=True):
    available: int
    pending: int
    held: int
    expiring: list[AtTime]
    confirming: list[AtTime]
    owed: int
    value: Sum


class MeOut(Answer, frozen=True, kw_only=True):
    id: str
    number: str
    kind: PersonKind
    given_name: str | None
    family_name: str | None
    tier: str | None
    # by oneself
    spend_locked: bool
    # by the network: one earns and reads, and spends nothing
    frozen: bool


class CardOut(Answer, frozen=True, kw_only=True):
    """What a member shows at a till. It earns; spending needs a spend code as well."""

    number: str
    # the number as a QR code: an SVG document
    qr: str


class ConsentOut(Answer, frozen=True, kw_only=True):
    """`given` counts; `asked` was said at a counter and waits for the member's word."""

    purpose: str
    given: bool
    asked: bool


class ConsentsOut(Answer, frozen=True, kw_only=True):
    data: list[ConsentOut]
    # false: something was said at a counter that one has not confirmed; null: nothing was
    confirmed: bool | None


class SpendLockIn(Body, frozen=True, kw_only=True):
    locked: bool
