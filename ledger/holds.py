"""What of a member's points is not free: set aside for a redemption, or owed to a shop."""

from datetime import datetime
from uuid import UUID

from ledger.lots import Lot, Slice


class Hold:
    """Points set aside for a redemption, with the slices it pins."""

    __slots__ = ("acceptor_id", "deadline", "id", "loaded", "member_id", "points", "slices", "state")

    def __init__(
        self,
        *,
        id: UUID,
        member_id: UUID,
        acceptor_id: UUID,
        points: int,
        state: str,
        deadline: datetime,
        slices: list[Slice],
        stored: bool = True,
    ) -> None:
        self.id = id
        self.member_id = member_id
        self.acceptor_id = acceptor_id
        self.points = points
        self.state = state
        self.deadline = deadline
        self.slices = slices
        self.loaded = state if stored else None


class Debt:
    """Points a member owes a merchant: what one refund of a sale could not take back."""

    __slots__ = (
        "batch_id",
        "closed_loop",
        "creditor_id",
        "id",
        "loaded",
        "member_id",
        "n",
        "points",
        "remaining",
        "sale_id",
    )

    def __init__(
        self,
        id: UUID,
        member_id: UUID,
        creditor_id: UUID,
        sale_id: UUID,
        closed_loop: bool,
        points: int,
        remaining: int,
        batch_id: int,
        n: int,
        stored: bool = True,
    ) -> None:
        self.id = id
        self.member_id = member_id
        self.creditor_id = creditor_id
        self.sale_id = sale_id
        self.closed_loop = closed_loop
        self.points = points
        self.remaining = remaining
        self.batch_id = batch_id
        self.n = n
        self.loaded = remaining if stored else None

    def taken_by(self, lot: Lot) -> bool:
        """Closed-loop points repay only their own shop, and a closed-loop debt only that shop's points."""
        return lot.issuer_id == self.creditor_id or not (self.closed_loop or lot.funding == "closed_loop")
