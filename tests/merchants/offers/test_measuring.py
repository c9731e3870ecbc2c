"""The formulas against the libraries they stand for, and against what they promise."""

import math
import random
import statistics
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merchants.offers import measuring
from merchants.offers.measuring import Estimate, Sums

stats: Any = import_module("scipy.stats")


def sums(ys: list[int], xs: list[int] | None = None) -> Sums:
    xs = [0] * len(ys) if xs is None else xs
    return Sums(
        len(ys),
        sum(ys),
        sum(y * y for y in ys),
        sum(xs),
        sum(x * x for x in xs),
        sum(x * y for x, y in zip(xs, ys, strict=True)),
    )


def found(ours: list[int], theirs: list[int]) -> Estimate:
    made = measuring.estimate(sums(ours), sums(theirs), adjusted=False)
    assert made is not None
    return made


def test_at_one_look_it_is_welch() -> None:
    for seed in range(60):
        drawn = random.Random(seed)
        ours, theirs = (
            # the tails of what people spend: most little, a few very much
            [int(drawn.lognormvariate(5, drawn.choice((0.1, 1, 2)))) for _ in range(drawn.randrange(30, 90))]
            for _ in range(2)
        )
        told = measuring.at_one_look(found(ours, theirs))
        wanted = stats.ttest_ind(ours, theirs, equal_var=False)
        interval = wanted.confidence_interval(0.95)
        assert told.p_value == pytest.approx(wanted.pvalue, rel=1e-6, abs=1e-12)
        assert (told.low, told.high) == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-6)


def test_exact_where_floats_would_not_be() -> None:
    """Sums are whole numbers: a large mean eats no variance."""
    ours, theirs = [10**12 + i % 3 for i in range(90)], [10**12 + i % 2 for i in range(90)]
    made = found(ours, theirs)
    wanted = statistics.variance(i % 3 for i in range(90)) / 90 + statistics.variance(i % 2 for i in range(90)) / 90
    assert made.variance == pytest.approx(wanted, rel=1e-9)
    assert made.difference == pytest.approx(0.5, abs=1e-3)


def test_what_was_before_is_taken_off() -> None:
    """Noise that was there before goes away; the effect does not."""
    drawn = random.Random(7)
    before = [drawn.randrange(100_000) for _ in range(2_000)]
    after = [x + drawn.randrange(1_000) for x in before]
    ours, theirs = after[:1_000], after[1_000:]
    plain = measuring.estimate(sums([y + 500 for y in ours]), sums(theirs), adjusted=False)
    closer = measuring.estimate(
        sums([y + 500 for y in ours], before[:1_000]), sums(theirs, before[1_000:]), adjusted=True
    )
    assert plain is not None
    assert closer is not None
    assert closer.slope == pytest.approx(1, abs=0.01)
    assert closer.variance < plain.variance / 1_000
    assert closer.difference == pytest.approx(500, abs=4.9 * math.sqrt(closer.variance))


def test_too_few_members_say_nothing() -> None:
    few = sums([1] * (measuring.SMALLEST_ARM - 1))
    enough = sums([1] * measuring.SMALLEST_ARM)
    assert measuring.estimate(few, enough, adjusted=False) is None
    assert measuring.estimate(enough, few, adjusted=False) is None


def test_nobody_differs() -> None:
    same = found([5] * 40, [5] * 40)
    assert (measuring.at_one_look(same).p_value, measuring.at_every_look(same, 1.0).p_value) == (1.0, 1.0)
    apart = found([6] * 40, [5] * 40)
    assert measuring.at_one_look(apart).p_value == 0.0


@settings(deadline=None)
@given(st.floats(0.01, 1e6), st.floats(-1e3, 1e3), st.floats(0.01, 1e6))
def test_every_look_has_the_wider_interval_and_its_p_value_agrees(v: float, d: float, tuning: float) -> None:
    made = Estimate(d, v, 1e9, 1.0, 1.0, 0.0, 0.0)
    once, every = measuring.at_one_look(made), measuring.at_every_look(made, tuning)
    assert every.low < once.low < once.high < every.high
    assert every.p_value >= once.p_value
    # the p-value is below 0.05 exactly where the interval is away from nothing
    if min(abs(every.low), abs(every.high)) > 1e-9 * (abs(d) + math.sqrt(v)):
        assert (every.p_value < measuring.ALPHA) == (every.low > 0 or every.high < 0)


def test_the_boundary_is_narrowest_where_it_was_tuned_to_be() -> None:
    looks = [(7, Estimate(0.0, 100.0, 1e9, 1.0, 1.0, 0.0, 0.0))]
    tuned = measuring.tuning(looks, 28)

    def width(v: float, r: float) -> float:
        return measuring.at_every_look(Estimate(0.0, v, 1e9, 1.0, 1.0, 0.0, 0.0), r).high

    assert width(400.0, tuned) < min(width(400.0, tuned * 0.9), width(400.0, tuned * 1.1))
    assert width(400.0, tuned) / math.sqrt(400.0) == pytest.approx(3.03, abs=0.01)


def test_whoever_looks_a_hundred_times_is_wrong_no_more_often() -> None:
    """Random walks of a hundred looks: those that ever leave the boundary, and those that ever leave 1.96.

    2,000 walks, drawn with a seed. The first share is at most 5 %: above 7.5 % it would be by chance once in a million
    runs of other seeds. The second is far above.
    """
    drawn = random.Random(11)
    tuned = measuring.tuning([(1, Estimate(0.0, 1.0, 1e9, 1.0, 1.0, 0.0, 0.0))], 100)
    walks, ever, naive = 2_000, 0, 0
    boundary = [0.0] + [
        measuring.at_every_look(Estimate(0.0, float(v), 1e9, 1.0, 1.0, 0.0, 0.0), tuned).high for v in range(1, 101)
    ]
    for _ in range(walks):
        place, out, out_once = 0.0, False, False
        for look in range(1, 101):
            place += drawn.gauss(0, 1)
            out |= abs(place) > boundary[look]
            out_once |= abs(place) > 1.96 * math.sqrt(look)
        ever, naive = ever + out, naive + out_once
    assert ever / walks < 0.075
    assert naive / walks > 0.25


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_is_the_stepwise_test(p_values: list[float]) -> None:
    adjusted = measuring.holm(p_values)
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    # reject from the smallest on, as long as p (m - rank) stays below the level
    rejected = set()
    for rank, i in enumerate(order):
        if p_values[i] * (len(p_values) - rank) >= measuring.ALPHA:
            break
        rejected.add(i)
    assert {i for i, p in enumerate(adjusted) if p < measuring.ALPHA} == rejected
    assert all(a >= p for a, p in zip(adjusted, p_values, strict=True))
