"""What bodies are made of: their bases, texts, amounts and times, and the few bodies that many operations share."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ledger import LARGEST_AMOUNT

# Python's $ also matches before a last line feed; (?!\\n) makes it mean the end, here and to readers of the OpenAPI document
#: Text a person or a till made up: short, and without control characters.
Reference = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[!-~]([ -~]*[!-~])?$(?!\n)")]
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
Category = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
#: RFC 3339 with an offset.
Time = Annotated[datetime, Meta(tz=True)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")]
Amount = Annotated[int, Meta(ge=0, le=LARGEST_AMOUNT)]
PointsAsked = Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT)]
Ppm = Annotated[int, Meta(ge=0, le=200_000)]
#: A member by id (mem_...) or number.
MemberNamed = Annotated[str, Meta(max_length=64)]
Phone = Annotated[str, Meta(min_length=4, max_length=40)]
#: The six digits a member's device makes.
SpendCode = Annotated[str, Meta(min_length=6, max_length=12)]
#: What was sent to a telephone.
OneTimeCode = Annotated[str, Meta(min_length=4, max_length=12)]
Days = Annotated[int, Meta(ge=1, le=36_500)]
#: Minor units a point is worth.
FaceValue = Annotated[int, Meta(ge=1, le=1_000_000)]
#: A person, or a company.
PersonKind = Literal["natural", "legal"]


class Body(Struct, forbid_unknown_fields=True, frozen=True):
    """What is sent to us."""


class Answer(Struct, frozen=True):
    """What we send."""


class Query(Struct, forbid_unknown_fields=True, frozen=True):
    """What is asked behind the path."""


class Money(Body, frozen=True, kw_only=True):
    amount: Amount
    currency: Currency


class Sum(Answer, frozen=True, kw_only=True):
    """An amount of ours, which may be below zero: what is owed, received, charged."""

    amount: int
    currency: str


class Balance(Answer, frozen=True, kw_only=True):
    available: int


class NothingIn(Body, frozen=True, kw_only=True):
    """An empty object."""


class PageIn(Query, frozen=True, kw_only=True):
    """The query of a list."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    cursor: Annotated[str, Meta(max_length=400)] | None = None
