"""What accounts there are, what they mean and where they may not go."""

from collections.abc import Iterator
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
    # the fund that stands in for who does not pay, and what the others have borne for it: never more than is there
    "loss": Kind(MONEY, 0),
    "shares": Kind(MONEY, 0),
    # minus what was taken back of top-ups and their merchants' next positions are to give
    "charge_backs": Kind(MONEY, None),
}


class AccountName(NamedTuple):
    """An account within a book. Written `kind:owner:counterparty:window`, empty parts left out from the end."""

    kind: str
    owner: UUID | None = None
    counterparty: UUID | None = None
    window: int | None = None

    @property
    def is_owned(self) -> bool:
        """Whether owner and kind say it all."""
        return self.owner is not None and self.counterparty is None and self.window is None

    @property
    def is_personal(self) -> bool:
        return KINDS[self.kind].owner == "member"

    @property
    def text(self) -> str:
        parts = [self.kind, self.owner or "", self.counterparty or "", "" if self.window is None else self.window]
        return ":".join(str(p) for p in parts).rstrip(":")


class Account:
    """One account as a posting holds it: its balance moving as the batch is decided.

    `locked` accounts are the batch's own until it commits. Of the others the balance is what was committed when it was
    read; what the batch adds or takes is applied to what it finds, and a floor that the batch counted on is looked at
    again then (`guarded`), where the balance stood lowest: what came back later in the batch was not there before.
    """

    __slots__ = ("asset", "balance", "floor", "id", "kind", "loaded", "loaded_floor", "locked", "lowest", "text")

    def __init__(self, id: int, text: str, kind: str, balance: int, floor: int | None, locked: bool) -> None:
        self.id = id
        self.text = text
        self.kind = kind
        self.asset = KINDS[kind].asset
        self.balance = self.loaded = balance
        self.floor = self.loaded_floor = floor
        self.locked = locked
        #: the lowest balance that something was accepted with because the floor allows it
        self.lowest = balance

    @property
    def changed(self) -> bool:
        return self.balance != self.loaded or self.floor != self.loaded_floor or self.guarded

    @property
    def guarded(self) -> bool:
        """Whether the floor must still hold when the batch is written: others may have taken from the account meanwhile."""
        return not self.locked and self.lowest < self.loaded


class Accounts:
    """The accounts a batch has: by owner and kind, or by their whole name."""

    __slots__ = ("_others", "_owned")

    def __init__(self) -> None:
        self._owned: dict[UUID, dict[str, Account]] = {}
        self._others: dict[AccountName, Account] = {}

    def of(self, owner: UUID) -> dict[str, Account]:
        """An owner's accounts by kind, those that have no counterparty and no window."""
        return self._owned[owner]

    def put(self, name: AccountName, account: Account) -> None:
        if name.is_owned:
            assert name.owner is not None
            self._owned.setdefault(name.owner, {})[name.kind] = account
        else:
            self._others[name] = account

    def get(self, name: AccountName) -> Account | None:
        if name.is_owned:
            assert name.owner is not None
            return self._owned.get(name.owner, {}).get(name.kind)
        return self._others.get(name)

    def __getitem__(self, name: AccountName) -> Account:
        account = self.get(name)
        if account is None:
            raise KeyError(name)
        return account

    def __contains__(self, name: AccountName) -> bool:
        return self.get(name) is not None

    def items(self) -> Iterator[tuple[AccountName, Account]]:
        for owner, kinds in self._owned.items():
            for kind, account in kinds.items():
                yield AccountName(kind, owner), account
        yield from self._others.items()

    def values(self) -> Iterator[Account]:
        for kinds in self._owned.values():
            yield from kinds.values()
        yield from self._others.values()
