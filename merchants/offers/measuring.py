"""What a hold-out shows: differences between arms, with intervals and p-values, from sums over members. Pure.

**At one look** (Welch 1947). The difference of two means is compared with its standard error, by Student's t with
Satterthwaite's degrees of freedom. True for one window that was chosen before the launch: the last one, which decides.

**At every look** (asymptotic confidence sequence). Whoever looks every week, and stops when it shines, sees a wonder in one of
eight offers that do nothing. A second interval holds at all looks together, planned or not, with 95 % and more:

    |D| <= sqrt((V + r) log((V + r) / (r a^2)))        a = 0.05

D is the difference of what the arms' members did since the beginning, V its estimated variance. It is Robbins' normal
mixture boundary (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021, Annals of Statistics 49(2), section 3.2), used with
an estimated variance as in Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2021 (arXiv 2103.06476). r says where it is
narrowest: at the last window, as foreseen from the first one that has a variance, growing with the days; it never changes
after that. The boundary is made for increments that are independent. Members who bought more go on to buy more, so what
comes is correlated with what was, and two looks are more alike than the boundary assumes: by Slepian's inequality it is then
crossed no more often. `manex offers aa` shows it on real baskets.

**Closer by what was before** (CUPED; Deng, Xu, Kohavi and Walker 2013). With a period before the beginning, a member's sum y
is replaced by y - t (x - mean x), x the same sum before and t the slope within the arms. The hold-out was drawn by hash, so the
means of x differ by chance only, and taking t times their difference off removes chance, not effect.

**Several comparisons** (Holm 1979). Every row of a window, whichever metric and pair of arms, belongs to one family.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from msgspec import Struct

ALPHA: Final = 0.05
#: An arm with fewer members than this is not compared: nothing the formulas promise holds there.
SMALLEST_ARM: Final = 30


class Sums(Struct, frozen=True):
    """Exact sums over the members of an arm: y is what each did in a window, x the same before the beginning."""

    n: int
    y: int
    yy: int
    x: int = 0
    xx: int = 0
    xy: int = 0

    @property
    def parts(self) -> tuple[int, int, int, int, int, int]:
        return self.n, self.y, self.yy, self.x, self.xx, self.xy

    @property
    def mean(self) -> float:
        return self.y / self.n

    # n times the centred sums, whole numbers still
    @property
    def _yy(self) -> int:
        return self.n * self.yy - self.y * self.y

    @property
    def _xx(self) -> int:
        return self.n * self.xx - self.x * self.x

    @property
    def _xy(self) -> int:
        return self.n * self.xy - self.x * self.y


class Tally(Struct, frozen=True):
    """What the members of an arm did from the offer's beginning to the end of a window. Records below
    `through_sequence` were counted."""

    days: int
    arm: str
    metric: str
    sums: Sums
    through_sequence: int
    counted_at: datetime


@dataclass(frozen=True, slots=True)
class Estimate:
    """The difference of two arms' means and the variance of it. `slope` is what was taken off for the time before."""

    difference: float
    variance: float
    # Satterthwaite's
    freedom: float
    # of the control's mean, and of that with the difference
    base: float
    base_variance: float
    covariance: float
    slope: float


def estimate(treated: Sums, control: Sums, *, adjusted: bool) -> Estimate | None:
    """What `treated` did more than `control`; None when either has too few members."""
    if min(treated.n, control.n) < SMALLEST_ARM:
        return None
    slope = _slope((treated, control)) if adjusted else 0.0
    difference = treated.mean - control.mean - slope * (treated.x / treated.n - control.x / control.n)
    ours, theirs = (_variance(arm, slope) / arm.n for arm in (treated, control))
    variance = ours + theirs
    freedom = 1.0
    if variance > 0:
        freedom = variance**2 / (ours**2 / (treated.n - 1) + theirs**2 / (control.n - 1))
    scale = control.n * (control.n - 1) * control.n
    covariance = -(control._yy - slope * control._xy) / scale
    return Estimate(difference, variance, freedom, control.mean, control._yy / scale, covariance, slope)


def _slope(arms: Sequence[Sums]) -> float:
    """The slope of y on x within the arms."""
    xx = math.fsum(arm._xx / arm.n for arm in arms)
    return math.fsum(arm._xy / arm.n for arm in arms) / xx if xx > 0 else 0.0


def _variance(arm: Sums, slope: float) -> float:
    """The sample variance of y - slope x in an arm."""
    centred = arm._yy - 2 * slope * arm._xy + slope * slope * arm._xx
    return max(0.0, centred / (arm.n * (arm.n - 1)))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A difference, what it may be with 95 % confidence, and how likely as much would be by chance alone."""

    low: float
    high: float
    p_value: float


def at_one_look(found: Estimate) -> Verdict:
    """Welch's interval and two-sided p-value."""
    # not scipy.stats, which is built on it: that takes a second to import, in a process that serves tills
    from scipy.special import stdtr, stdtrit

    if found.variance == 0:
        return _certain(found.difference)
    error = math.sqrt(found.variance)
    width = float(stdtrit(found.freedom, 1 - ALPHA / 2)) * error
    p_value = 2 * float(stdtr(found.freedom, -abs(found.difference) / error))
    return Verdict(found.difference - width, found.difference + width, min(1.0, p_value))


def at_every_look(found: Estimate, tuning: float) -> Verdict:
    """The interval that holds at all looks together, and the p-value that never lies however often one looks."""
    if found.variance == 0 or tuning <= 0:
        return _certain(found.difference)
    total = found.variance + tuning
    width = math.sqrt(total * math.log(total / (tuning * ALPHA**2)))
    # the level at which the boundary would just be met
    p_value = math.sqrt(total / tuning) * math.exp(-(found.difference**2) / (2 * total))
    return Verdict(found.difference - width, found.difference + width, min(1.0, p_value))


def _certain(difference: float) -> Verdict:
    """Nobody in either arm differs from the others in it."""
    return Verdict(difference, difference, 1.0 if difference == 0 else 0.0)


def tuning(looks: Sequence[tuple[int, Estimate]], last_days: int) -> float:
    """r of the boundary, from the first window that has a variance: narrowest at the last window.

    The best ratio of V to r solves a transcendental equation (Howard et al. 2021, section 3.5): -W(-a^2 / e) - 1, W the
    lower branch of Lambert's function; 8.2 for a = 0.05.
    """
    from scipy.special import lambertw

    best = -float(lambertw(-(ALPHA**2) / math.e, -1).real) - 1
    for days, found in looks:
        if found.variance > 0:
            return found.variance * (last_days / days) / best
    return 0.0


def lift(found: Estimate) -> Verdict | None:
    """The difference as a share of what the control did, its interval by the delta method; None where that was nothing."""
    from scipy.special import stdtrit

    if found.base <= 0:
        return None
    d, c = found.difference, found.base
    variance = found.variance / c**2 + d * d * found.base_variance / c**4 - 2 * d * found.covariance / c**3
    width = float(stdtrit(found.freedom, 1 - ALPHA / 2)) * math.sqrt(max(0.0, variance))
    return Verdict(d / c - width, d / c + width, at_one_look(found).p_value)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order of those given: below 0.05, and false for one of them in twenty families."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted
