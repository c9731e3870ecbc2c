"""A/A: hold-outs of offers that do nothing. Whatever is found is false, and is to be found in one of twenty.

Each run draws a salt and assigns every household by the very function that launches use; then it looks once at the end, and
once a week. The baskets are real, so are their heavy tails and their seasons; only the offer is not there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from deploy.measure.year import Year, member, summed
from merchants import offers
from merchants.offers import assigning, measuring
from merchants.offers.measuring import Sums

#: The day of the year on which the offer that does nothing begins, and the days before that are compared with.
BEGINS: Final = 91
PRE_DAYS: Final = 28
#: A look at the end of each week of a quarter; the last one decides.
LOOKS: Final = tuple(range(7, 92, 7))
HOLDOUT_PPM: Final = 200_000
#: Between these the false positives at one look should be.
LEAST: Final = 0.03
MOST: Final = 0.07


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the runs found something that is not there, and what the share of all such runs may be (95 %,
    Clopper and Pearson 1934)."""

    false: int
    runs: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.false / self.runs


@dataclass(frozen=True, slots=True)
class Found:
    runs: int
    households: int
    looks: int
    # looked at once, at the end; the same with what was before taken off
    once: Share
    once_adjusted: Share
    # looked at every week by what is made for one look
    naive: Share
    # looked at every week by what is made for it
    every_look: Share
    every_look_adjusted: Share

    @property
    def sound(self) -> bool:
        """One look between 3 and 7 %, and all looks together at most the 5 % that they promise, as far as chance allows."""
        return (
            all(LEAST <= each.share <= MOST for each in (self.once, self.once_adjusted))
            and max(self.every_look.low, self.every_look_adjusted.low) <= measuring.ALPHA
        )


def run(year: Year, runs: int, seed: int = 0, *, tick: Callable[[], None] = lambda: None) -> Found:
    """`runs` hold-outs that are the same for a seed on every machine."""
    import numpy as np

    members = [member(household) for household in year.households]
    x = summed(year.cents, BEGINS - PRE_DAYS, BEGINS)
    y = np.stack([summed(year.cents, BEGINS, BEGINS + days) for days in LOOKS], axis=1)
    # per household, what sums are made of: 1, y, yy, x, xx, xy at every look
    parts = [np.ones_like(y), y, y * y, x[:, None] + 0 * y, (x * x)[:, None] + 0 * y, x[:, None] * y]
    whole = [part.sum(axis=0) for part in parts]
    false = dict.fromkeys(("once", "once_adjusted", "naive", "every_look", "every_look_adjusted"), 0)
    for number in range(runs):
        held = np.fromiter(_held(seed, number, members), dtype=bool, count=len(members))
        control = [part[held].sum(axis=0) for part in parts]
        looks = [
            (
                days,
                Sums(*(int(all_[k] - some[k]) for all_, some in zip(whole, control, strict=True))),
                Sums(*(int(some[k]) for some in control)),
            )
            for k, days in enumerate(LOOKS)
        ]
        for adjusted in (False, True):
            rows = offers.compared(looks, LOOKS[-1], "spend", "offer", offers.HOLDOUT, adjusted=adjusted)
            once = [row.once is not None and row.once.p_value < measuring.ALPHA for row in rows]
            every = [row.every_look is not None and row.every_look.p_value < measuring.ALPHA for row in rows]
            ending = "_adjusted" if adjusted else ""
            false[f"once{ending}"] += once[-1]
            false[f"every_look{ending}"] += any(every)
            if not adjusted:
                false["naive"] += any(once)
        tick()
    shares = {name: share(count, runs) for name, count in false.items()}
    return Found(runs=runs, households=len(members), looks=len(LOOKS), **shares)


def _held(seed: int, number: int, members: list[UUID]) -> list[bool]:
    salt = hashlib.sha256(f"aa {seed} {number}".encode()).digest()
    return [assigning.share(salt, id) < HOLDOUT_PPM for id in members]


def share(false: int, runs: int) -> Share:
    from scipy.special import betaincinv

    low = float(betaincinv(false, runs - false + 1, 0.025)) if false else 0.0
    high = float(betaincinv(false + 1, runs - false, 0.975)) if false < runs else 1.0
    return Share(false, runs, low, high)
