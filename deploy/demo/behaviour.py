"""What members do: who spends points, at which baskets, how many and how. Pure, and decided by a seed.

Every choice is a hash of the seed and what it is about, so it does not depend on the order in which things happen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from enum import Enum
from typing import Final

from deploy.demo.journey import Basket

#: Of a hundred households, how many ever spend points; the points of the others expire.
SPENDERS: Final = 70
#: Of a hundred baskets of such a household, at how many it thinks of its points.
WILLING: Final = 20
#: It does not bother for fewer, nor for a basket of fewer cents.
LEAST_POINTS: Final = 200
LEAST_BASKET: Final = 200
#: Of a hundred redemptions: in one step, then held and captured, then held and voided; the rest is left to lapse.
ONE_STEP: Final = 84
TWO_STEPS: Final = 10
VOIDED: Final = 4
#: Of a hundred who redeem, how many spend all they can; the others half.
ALL_OF_IT: Final = 60
#: Of a hundred baskets, how many come back; of those, how many with all that was paid in money, the others with half.
BROUGHT_BACK: Final = 4
ALL_OF_THEM: Final = 50
#: Of a hundred captured redemptions, how many are given back, in whole.
GIVEN_BACK: Final = 3
#: At one of so many baskets a household that never spends gives half of its points away, if it has enough to spend.
GENEROUS: Final = 60
#: A network lets its members give so many points a day, unless it says otherwise.
MOST_GIVEN: Final = 10_000
#: Of a hundred payments in money, how many are by card; the others in cash.
BY_CARD: Final = 70


class Manner(Enum):
    """How a redemption goes. The last two leave the whole basket to be paid in money."""

    ONE_STEP = "one_step"
    TWO_STEPS = "two_steps"
    VOIDED = "voided"
    LAPSED = "lapsed"

    @property
    def pays(self) -> bool:
        return self in (Manner.ONE_STEP, Manner.TWO_STEPS)


def key(seed: int, basket: int | str, step: str) -> str:
    """The idempotency key of one step about a basket (or a household, a week): the same whenever it is sent again."""
    return hashlib.sha256(f"{seed}/{basket}/{step}".encode()).hexdigest()[:32]


def spends(seed: int, household: int) -> bool:
    return _percent(seed, household, "spender") < SPENDERS


def thinks_of_points(seed: int, basket: Basket) -> bool:
    """Whether the member asks at this basket what there is to spend."""
    return (
        basket.total >= LEAST_BASKET
        and spends(seed, basket.household)
        and _percent(seed, basket.id, "willing") < WILLING
    )


def points_to_redeem(seed: int, basket: Basket, spendable: int) -> int:
    """How many of the spendable points pay for the basket, each worth a cent; 0 for none."""
    if spendable < LEAST_POINTS:
        return 0
    wanted = spendable if _percent(seed, basket.id, "all") < ALL_OF_IT else spendable // 2
    return min(wanted, basket.total)


def manner(seed: int, basket: int) -> Manner:
    drawn = _percent(seed, basket, "manner")
    if drawn < ONE_STEP:
        return Manner.ONE_STEP
    if drawn < ONE_STEP + TWO_STEPS:
        return Manner.TWO_STEPS
    return Manner.VOIDED if drawn < ONE_STEP + TWO_STEPS + VOIDED else Manner.LAPSED


def refunded(seed: int, basket: int, money: int) -> int:
    """How many of the cents paid for a basket are refunded at the household's next visit; 0 for none."""
    if _percent(seed, basket, "brought back") >= BROUGHT_BACK:
        return 0
    return money if _percent(seed, basket, "all of them") < ALL_OF_THEM else money // 2


def given_back(seed: int, basket: int) -> bool:
    """Whether the points that paid for a basket are given back at the household's next visit."""
    return _percent(seed, basket, "given back") < GIVEN_BACK


def thinks_of_giving(seed: int, basket: Basket) -> bool:
    return not spends(seed, basket.household) and _drawn(seed, basket.id, "giving", GENEROUS) == 0


def points_to_give(available: int, owed: int) -> int:
    """How many of the points in a wallet are given away; 0 for none. Who owes gives nothing."""
    return min(available // 2, MOST_GIVEN) if available >= LEAST_POINTS and not owed else 0


def receiver(seed: int, giver: int, joined: Collection[int], busy: Collection[int]) -> int | None:
    """Who is given to: the next by number who spends, after the last the first again; nobody who is `busy`."""
    there = (h for h in joined if h not in busy and spends(seed, h))
    return min(there, key=lambda household: (household < giver, household), default=None)


def payment_type(seed: int, basket: int) -> str:
    return "card" if _percent(seed, basket, "payment") < BY_CARD else "cash"


def phone(household: int) -> str:
    """A made-up number of the right length, one per household."""
    return f"+1202{5_550_000 + household:07}"


def _percent(seed: int, subject: int, what: str) -> int:
    return _drawn(seed, subject, what, 100)


def _drawn(seed: int, subject: int, what: str, of: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{subject}/{what}".encode()).digest()[:8]) % of
