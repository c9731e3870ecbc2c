"""Results from tallies, and the chart of them: pure, so without a book."""

import datetime as dt
import random
from typing import Any
from xml.etree import ElementTree

import pytest

from merchants import offers
from merchants.offers import Design, Tally, Variant, measuring, picture
from merchants.offers.measuring import Sums

NOW = dt.datetime(2017, 1, 1, tzinfo=dt.UTC)
ARMS = ("holdout", "open", "hurry")


def design(**more: Any) -> Design:
    variants = (Variant("open", 400_000, {}), Variant("hurry", 400_000, {}))
    wanted: dict[str, Any] = {"windows_days": (7, 14, 28), "pre_days": 7}
    return Design("spring", "shop", 200_000, variants, **wanted | more)


def tallies(days: tuple[int, ...] = (7, 14), n: int = 400, **effects: int) -> list[Tally]:
    """What members of each arm spent by the end of each window, an effect a day in cents; visits without any."""
    drawn = random.Random(3)
    found = []
    for arm in ARMS:
        before = [drawn.randrange(2_000) for _ in range(n)]
        for window in days:
            spent = [(x + drawn.randrange(500)) * window // 7 + effects.get(arm, 0) * window for x in before]
            for metric, ys in (("spend", spent), ("visits", [1 + i % 2 for i in range(n)])):
                xs = before if metric == "spend" else [1] * n
                sums = Sums(n, sum(ys), sum(y * y for y in ys), sum(xs), sum(x * x for x in xs),
                            sum(x * y for x, y in zip(xs, ys, strict=True)))  # fmt: skip
                found.append(Tally(window, arm, metric, sums, 10 + window, NOW + dt.timedelta(days=window)))
    return found


def test_every_pair_in_every_window_in_its_order() -> None:
    found = offers.of(design(), tallies())
    pairs = [("open", "holdout"), ("hurry", "holdout"), ("hurry", "open")]
    assert [(r.days, r.metric, r.arm, r.against) for r in found.comparisons] == [
        (days, metric, *pair) for days in (7, 14) for metric in ("spend", "visits") for pair in pairs
    ]
    assert (found.through_sequence, found.counted_at) == (24, NOW + dt.timedelta(days=14))


def test_the_deadline_is_compared_with_none() -> None:
    """A/B: both did more than the hold-out, the hurried less than the others, by what was put in."""
    rows = {
        (r.days, r.metric, r.arm, r.against): r for r in offers.of(design(), tallies(open=50, hurry=30)).comparisons
    }
    for pair, effect in ((("open", "holdout"), 50), (("hurry", "holdout"), 30), (("hurry", "open"), -20)):
        row = rows[14, "spend", *pair]
        assert row.once is not None
        assert row.difference == pytest.approx(effect * 14, abs=100)
        assert row.once.low < effect * 14 < row.once.high
        assert row.slope > 0
    assert rows[14, "visits", "hurry", "open"].difference == 0


def test_holm_is_over_all_rows_of_a_window() -> None:
    found = offers.of(design(), tallies(open=50, hurry=30)).comparisons
    for days in (7, 14):
        rows = [r for r in found if r.days == days]
        assert len(rows) == 6
        wanted = measuring.holm([r.once.p_value for r in rows if r.once is not None])
        assert [r.holm_p_value for r in rows] == wanted


def test_what_a_window_says_never_changes_when_later_ones_come() -> None:
    first = offers.of(design(), tallies((7,), open=50)).comparisons
    later = offers.of(design(), tallies((7, 14, 28), open=50)).comparisons
    early = offers.of(design(), [t for t in tallies((7, 14, 28), open=50) if t.days == 7]).comparisons
    assert [r for r in later if r.days == 7] == early
    assert len(first) == len(early)


def test_small_arms_are_told_and_not_compared() -> None:
    found = offers.of(design(), tallies(n=measuring.SMALLEST_ARM - 1))
    assert {r.difference for r in found.comparisons} == {None}
    assert {r.holm_p_value for r in found.comparisons} == {None}
    assert all(a.members == measuring.SMALLEST_ARM - 1 for a in found.arms)


def test_an_arm_nobody_is_in_is_none() -> None:
    found = offers.of(design(), [t for t in tallies() if t.arm != "hurry"])
    assert {r.difference is None for r in found.comparisons if "hurry" in (r.arm, r.against)} == {True}
    assert offers.of(design(), []) == offers.Results([], [], None, None)


def test_the_chart_has_its_figures_and_its_limits_in_words() -> None:
    found = offers.of(design(), tallies(open=50, hurry=30))
    drawn = offers.chart(design(), found, "spend", "USD", 2)
    words = " ".join(ElementTree.fromstring(drawn).itertext())  # noqa: S314 - our own
    for said in ("open, 7 days", "hurry, 14 days", "p < 0.0001", "in USD", "28 days"):
        assert said in words
    for told in (*offers.SAYS, *offers.SAYS_NOT):
        assert told.split(":")[0][:60] in words


def test_names_are_text_in_the_chart_and_nothing_else() -> None:
    bar = picture.Bar("<script>alert(1)</script>", 1.0, (0.0, 2.0), None, '"&')
    drawn = picture.drawn("</title><script>", "<", [bar], ["<b>"])
    assert "<script>" not in drawn
    assert ElementTree.fromstring(drawn).tag.endswith("svg")  # noqa: S314 - our own


@pytest.mark.parametrize(
    ("value", "told"), [(0, "0"), (1234.5678, "1,235"), (12.345, "12.3"), (0.01234, "0.0123"), (-9.35, "-9.35")]
)
def test_figures_have_the_digits_they_need(value: float, told: str) -> None:
    assert picture.number(value) == told
