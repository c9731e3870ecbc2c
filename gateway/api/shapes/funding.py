"""Money paid in ahead, and the points it buys."""

from typing import Literal

from gateway.api.shapes.values import Answer, Body, Money, PointsAsked, Reference, Sum


class TopupIn(Body, frozen=True, kw_only=True):
    amount: Money
    through: Literal["bank", "psp"] = "bank"
    reference: Reference


class TopupOut(Answer, frozen=True, kw_only=True):
    record: str
    merchant: str
    amount: Sum
    prefund: Sum


class PurchaseIn(Body, frozen=True, kw_only=True):
    points: PointsAsked


class PurchaseOut(Answer, frozen=True, kw_only=True):
    record: str
    merchant: str
    points: int
    value: Sum
    pool: int
    prefund: Sum
