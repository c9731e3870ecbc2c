"""What a sale earns: rates, and a merchant's terms."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from gateway.api.shapes.values import Amount, Answer, Body, Category, PersonKind, PointsAsked
from ledger import LARGEST_AMOUNT


class Rate(Body, frozen=True, kw_only=True):
    points: Annotated[int, Meta(ge=0, le=1_000_000)]
    per: Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT)]


class Rates(Body, frozen=True, kw_only=True):
    """`points` for every `per` minor units of the money part, by category where one is named; one floor per basket."""

    points: Annotated[int, Meta(ge=0, le=1_000_000)]
    per: Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT)]
    categories: dict[Category, Rate] = {}
    minimum: Amount = 0
    cap_points: PointsAsked | None = None


class TermsIn(Rates, frozen=True, kw_only=True):
    """Rates for everybody; those of a kind of person take their place for that kind, whole."""

    by_kind: dict[PersonKind, Rates] = {}


class TermsOut(Answer, frozen=True, kw_only=True):
    id: str
    merchant: str
    version: int
    points: int
    per: int
    categories: dict[str, Rate]
    minimum: int
    cap_points: int | None
    by_kind: dict[PersonKind, Rates]
    in_force_at: datetime
