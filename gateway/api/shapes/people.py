"""A till's dealings with people: quotes, look-ups, enrolment."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.api.shapes.sales import Earn, LineIn
from gateway.api.shapes.values import Answer, Body, MemberNamed, Money, Name, OneTimeCode, PersonKind, Phone, Sum


class QuoteIn(Body, frozen=True, kw_only=True):
    branch: str
    total: Money
    member: MemberNamed | None = None
    lines: Annotated[list[LineIn], Meta(max_length=500)] = []


class Spendable(Answer, frozen=True, kw_only=True):
    points: int
    value: Sum


class RuleSkipped(Answer, frozen=True, kw_only=True):
    rule: str
    # the first condition that does not hold; or best_of, exclusive: another rule counts in its place
    why: str


class QuoteOut(Answer, frozen=True, kw_only=True):
    earn: Earn
    # of the shop's own rules, those that do not count; at most 200 are told
    skipped: list[RuleSkipped]
    # what the member may spend here; null without a member
    spendable: Spendable | None
    # what is left to pay in money if all of it were spent on this basket
    remainder: Sum | None


class LookupIn(Body, frozen=True, kw_only=True):
    # one of the two
    number: Annotated[str, Meta(min_length=6, max_length=64)] | None = None
    phone: Phone | None = None


class LookupOut(Answer, frozen=True, kw_only=True):
    member: str
    number: str
    given_name: str | None
    kind: PersonKind
    tier: str | None
    spendable: Spendable
    spend_locked: bool


class ConsentIn(Body, frozen=True, kw_only=True):
    purpose: Annotated[str, Meta(pattern=r"^[a-z_]{1,40}$(?!\n)")]
    given: bool


class MemberIn(Body, frozen=True, kw_only=True):
    phone: Phone
    kind: PersonKind = "natural"
    given_name: Name | None = None
    family_name: Name | None = None
    language: Literal["fa", "en"] = "fa"
    consents: Annotated[list[ConsentIn], Meta(max_length=20)] = []
    # true: a code goes to the phone, and with it the member says that these consents are theirs
    confirm: bool = False


class MemberOut(Answer, frozen=True, kw_only=True):
    id: str
    number: str
    kind: PersonKind
    # false: the phone was a member already
    created: bool
    # false: a code was sent to the phone, and until it is told the consents stand as asked; null: nothing was asked
    consents_confirmed: bool | None


class MemberConfirmationIn(Body, frozen=True, kw_only=True):
    # one of the two
    phone: Phone | None = None
    # a member id (mem_...) or number
    member: MemberNamed | None = None
    # the code on the member's phone
    code: OneTimeCode


class ConfirmedOut(Answer, frozen=True, kw_only=True):
    consents_confirmed: bool
