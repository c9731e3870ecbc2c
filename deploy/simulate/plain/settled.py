"""What windows and their money are made of."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from deploy.simulate.plain.words import BEGINNING


@dataclass(eq=False)
class Window:
    number: int
    state: str = "open"
    # the last thing decided, and by whom
    last: tuple[str, str | None] | None = None
    submitted_by: str | None = None
    # netted: by party
    positions: dict[str, "Position"] = field(default_factory=dict)
    posted_at: datetime = BEGINNING


@dataclass(eq=False)
class Covered:
    """What was paid in a shop's stead for a window, and not made good; what others bear for it, and had back."""

    collateral: int = 0
    loss: int = 0
    shares: int = 0
    borne: Counter[str] = field(default_factory=Counter)
    returned: Counter[str] = field(default_factory=Counter)
    # the window in which the shares are charged
    charged_in: int | None = None

    @property
    def outstanding(self) -> int:
        return self.collateral + self.loss + self.shares


class Owed(NamedTuple):
    """What one party owes another and follows from no lot: a share, an adjustment, a charge-back."""

    window: int
    debtor: str
    creditor: str
    amount: int
    reason: str


@dataclass(eq=False)
class Proposal:
    """An adjustment that one person proposed."""

    number: int
    by: str
    debtor: str
    creditor: str
    amount: int
    state: str = "proposed"


class Paid(NamedTuple):
    """A top-up that may be taken back."""

    shop: str
    amount: int
    source: str
    by_provider: bool


@dataclass(eq=False)
class ChargedBack:
    topup: str
    amount: int
    # who proposed it last, where people say so
    by: str | None
    state: str = "proposed"
    prefund: int = 0
    charged: int = 0


@dataclass(eq=False)
class Payout:
    """What a person booked as paid out."""

    number: int
    shop: str
    amount: int
    returned: bool = False


@dataclass
class Instruction:
    """A payment of a window by a rail, made or expected."""

    shop: str
    number: int
    rail: str
    direction: str
    amount: int
    state: str = "made"


class Position(NamedTuple):
    receivable: int
    payable: int
    backing: int
    millionths: int
    carry_in: int
    fee: int
    carry_out: int

    @property
    def net(self) -> int:
        return self.receivable - self.payable - self.fee

    @property
    def account(self) -> int:
        return self.net + self.backing
