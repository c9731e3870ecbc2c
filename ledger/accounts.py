"""What accounts there are, what they mean and where they may not go."""

from typing import Final, NamedTuple
from uuid import UUID

POINTS: Final = "points"
MONEY: Final = "money"


class Kind(NamedTuple):
    asset: str
    floor: int | None
    owner: str | None = None  # what the owner is
    counterparty: str | None = None
    windowed: bool = False


KINDS: Final[dict[str, Kind]] = {
    # minus the points i has bought and not retired
    "mint": Kind(POINTS, None, "issuer"),
    # bought, not yet issued, all at i's present unit value
    "pool": Kind(POINTS, 0, "issuer"),
    # minus points issued on credit and not yet paid for; the credit line is its floor, checked by an earn only
    "credit": Kind(POINTS, None, "issuer"),
    # settled in a window that i has not paid yet
    "due": Kind(POINTS, 0, "issuer", None, True),
    # minus i's closed-loop points
    "own": Kind(POINTS, None, "issuer"),
    # set aside for a purpose (a sponsorship) and not issued yet, of the issuer's present mode
    "budget": Kind(POINTS, 0, "issuer", "purpose"),
    "wallet": Kind(POINTS, 0, "member"),
    "pending": Kind(POINTS, 0, "member"),
    "held": Kind(POINTS, 0, "member"),
    # what m owes c, never above 0
    "debt": Kind(POINTS, None, "member", "creditor"),
    "claim": Kind(POINTS, 0, "creditor"),
    # points r accepted and not yet settled; below 0 after a late refund
    "accepted": Kind(POINTS, None, "acceptor"),
    # minus the cash held there
    "bank": Kind(MONEY, None),
    "psp": Kind(MONEY, None),
    "prefund": Kind(MONEY, 0, "issuer"),
    # what stands for an issuer's prefunded points; below 0 while a late refund restored some and is not settled yet
    "backing": Kind(MONEY, None, "issuer"),
    "collateral": Kind(MONEY, 0, "issuer"),
    "position": Kind(MONEY, None, "merchant", None, True),
    "fees": Kind(MONEY, None),
    "costs": Kind(MONEY, None),
    "loss": Kind(MONEY, None),
}


class AccountName(NamedTuple):
    """An account within a book. Written `kind:owner:counterparty:window`, empty parts left out from the end."""

    kind: str
    owner: UUID | None = None
    counterparty: UUID | None = None
    window: int | None = None

    @property
    def text(self) -> str:
        parts = [self.kind, self.owner or "", self.counterparty or "", "" if self.window is None else self.window]
        return ":".join(str(p) for p in parts).rstrip(":")


class Account:
    """One account as a posting holds it: locked, its balance moving as the batch is decided."""

    __slots__ = ("asset", "balance", "floor", "id", "loaded", "loaded_floor", "name", "text")

    def __init__(self, id: int, name: AccountName, balance: int, floor: int | None) -> None:
        self.id = id
        self.name = name
        self.text = name.text
        self.asset = KINDS[name.kind].asset
        self.balance = self.loaded = balance
        self.floor = self.loaded_floor = floor

    @property
    def changed(self) -> bool:
        return self.balance != self.loaded or self.floor != self.loaded_floor
