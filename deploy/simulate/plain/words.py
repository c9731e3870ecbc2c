"""What every history has: who there is, how long things last, and what an operation is to be answered."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

BEGINNING: Final = datetime(2017, 1, 1, tzinfo=UTC)
LIFE: Final = timedelta(days=3)
GRACE: Final = timedelta(days=30)
FACE_VALUE: Final = 5
#: A code is of one half minute.
HALF_MINUTE: Final = timedelta(seconds=30)
LOCK_TIME: Final = timedelta(minutes=15)
MOST_WRONG: Final = 5
SHOPS: Final = ("cafe", "books", "taxi", "bakery", "club", "kiosk")
#: Who gives at shops' sales: the guild points that are good nowhere, the network as itself.
SPONSORS: Final = ("brand", "network", "guild")
MERCHANTS: Final = (*SHOPS, *SPONSORS)
PEOPLE: Final = ("ann", "bob", "cyd")
#: Whose people spend from its wallet.
COMPANY: Final = "acme"
MEMBERS: Final = (*PEOPLE, COMPANY)
#: How long a voucher is held, and how many of them a member may have open.
VOUCHER: Final = timedelta(days=7)
MOST_VOUCHERS: Final = 5
#: How long a member has to answer a shop; what it may have open with one member, and ask in an hour without a yes.
ANSWERED: Final = timedelta(minutes=5)
MOST_ASKED: Final = 3
MOST_UNANSWERED: Final = 10
#: How often a day a giver may find nobody, and how often a lot may be given.
MOST_MISSED: Final = 10
LONGEST_LINEAGE: Final = 8
#: Sponsorships that are open, and those that give at any one shop.
MOST_SPONSORSHIPS: Final = 200
MOST_AT_A_SHOP: Final = 20
#: Days before the expiry on which a member is told.
STAGES: Final = (60, 30, 7)
DAY: Final = timedelta(days=1)
HOMES: Final = {"prefunded": "pool", "deferred": "credit", "closed_loop": "own"}


class Expected(NamedTuple):
    """What an operation is to be answered: a refusal's code or None, and facts of the answer by name."""

    code: str | None
    facts: dict[str, Any]
    # whether the answer is kept for its key
    stored: bool = True


def accepted(**facts: Any) -> Expected:
    return Expected(None, facts)


def refused(code: str, **facts: Any) -> Expected:
    return Expected(code, facts, stored=code not in ("not_found", "validation_failed", "idempotency_key_reused"))
