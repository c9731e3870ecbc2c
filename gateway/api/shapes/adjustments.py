"""Disputes of statements, and adjustments."""

from datetime import datetime

from gateway.api.shapes.values import Answer, Body, Money, Name, Sum


class DisputeIn(Body, frozen=True, kw_only=True):
    reason: Name


class DisputeOut(Answer, frozen=True, kw_only=True):
    record: str
    window: str
    at: datetime


class AdjustmentIn(Body, frozen=True, kw_only=True):
    """What a closed window left out: an item of the open window as soon as another operator approves. null: the operator."""

    debtor: str | None = None
    creditor: str | None = None
    amount: Money
    reason: Name


class AdjustmentOut(Answer, frozen=True, kw_only=True):
    # its first record, which decisions name
    id: str
    # the window that left it out
    window: str
    state: str
    debtor: str | None
    creditor: str | None
    amount: Sum
    at: datetime
    # the break it is to put right
    break_id: str | None = None
