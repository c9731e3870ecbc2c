"""What members do: who spends points, at which baskets, how many and how. Pure, and decided by a seed.

Every choice is a hash of the seed and what it is about, so it does not depend on the order in which things happen.
"""

from __future__ import annotations

import hashlib
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


def thinks_of_points(seed: int, basket: Basket) -> bool:
    """Whether the member asks at this basket what there is to spend."""
    return (
        basket.total >= LEAST_BASKET
        and _percent(seed, basket.household, "spender") < SPENDERS
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


def payment_type(seed: int, basket: int) -> str:
    return "card" if _percent(seed, basket, "payment") < BY_CARD else "cash"


def phone(household: int) -> str:
    """A made-up number of the right length, one per household."""
    return f"+1202{5_550_000 + household:07}"


def _percent(seed: int, subject: int, what: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{subject}/{what}".encode()).digest()[:8]) % 100
