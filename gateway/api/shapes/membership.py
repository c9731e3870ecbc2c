"""A member signing in, and what one is told of oneself."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from gateway.api.shapes.insight import OccasionOut
from gateway.api.shapes.people import ConsentIn
from gateway.api.shapes.reading import RecordOut
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
    # when that was said
    at: datetime


class ConsentsOut(Answer, frozen=True, kw_only=True):
    data: list[ConsentOut]
    # false: something was said at a counter that one has not confirmed; null: nothing was
    confirmed: bool | None


class ConsentsIn(Body, frozen=True, kw_only=True):
    """By one's own word, from now on; purposes that are not named stay as they are."""

    consents: Annotated[list[ConsentIn], Meta(min_length=1, max_length=20)]


class CodeIn(Body, frozen=True, kw_only=True):
    # the one that POST /v1/me/step-up had sent
    code: OneTimeCode


class NewPhoneIn(Body, frozen=True, kw_only=True):
    phone: Phone


class PhoneChangeIn(Body, frozen=True, kw_only=True):
    phone: Phone
    # of POST /v1/me/step-up, sent to the telephone one has
    code: OneTimeCode
    # of POST /v1/me/phone/code, sent to the new one
    new_code: OneTimeCode


class SessionOut(Answer, frozen=True, kw_only=True):
    """Where one is signed in to the pages. Times are the wall's."""

    id: str
    # what the browser says it is
    agent: str
    # the device that was enrolled there
    device: str | None
    began_at: datetime
    seen_at: datetime
    ends_at: datetime


class SessionsOut(Answer, frozen=True, kw_only=True):
    """The one seen last first."""

    data: list[SessionOut]


class EndSessionsIn(Body, frozen=True, kw_only=True):
    # none: all of them
    session: Annotated[str, Meta(max_length=64)] | None = None


class ProfileOut(Answer, frozen=True, kw_only=True):
    id: str
    number: str
    phone: str | None
    kind: PersonKind
    given_name: str | None
    family_name: str | None
    language: str
    enrolled_at: datetime


class OwnDeviceOut(Answer, frozen=True, kw_only=True):
    id: str
    name: str
    enrolled_at: datetime
    revoked_at: datetime | None


class ExportOut(Answer, frozen=True, kw_only=True):
    """All that is kept of oneself. A record's `lots`, `slices` or `parts` are the points it gave or took."""

    exported_at: datetime
    profile: ProfileOut
    consents: ConsentsOut
    occasions: list[OccasionOut]
    devices: list[OwnDeviceOut]
    sessions: list[SessionOut]
    balance: MemberBalance
    # in sequence
    records: list[RecordOut]
    # of very many records only the first: the rest is GET /v1/me/records with this cursor
    records_cursor: str | None


class SpendLockIn(Body, frozen=True, kw_only=True):
    locked: bool
