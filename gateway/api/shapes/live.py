"""What a stream of events tells, beside the records themselves."""

from gateway.api.shapes.membership import MemberBalance
from gateway.api.shapes.redemptions import OwnRedemptionOut
from gateway.api.shapes.values import Answer


class BalanceEvent(MemberBalance, frozen=True, kw_only=True):
    """The balance as it is now that a record of this kind is in the ledger."""

    kind: str


class ApprovalEvent(OwnRedemptionOut, frozen=True, kw_only=True):
    """What a shop asks to be approved, as it is now that a record of this kind is in the ledger."""

    kind: str


class Ready(Answer, frozen=True, kw_only=True):
    """Everything up to this sequence of the book was told or can be read; what comes after will be told."""

    sequence: int


class Reset(Answer, frozen=True, kw_only=True):
    """What happened up to this sequence of the book is not told one by one: read it anew."""

    sequence: int
