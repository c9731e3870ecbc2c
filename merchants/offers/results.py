"""What an offer caused, as far as it was counted: a row for each window, metric and pair of arms. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations
from typing import Final

from merchants.offers import measuring, picture
from merchants.offers.assigning import HOLDOUT
from merchants.offers.design import Design
from merchants.offers.measuring import Estimate, Sums, Tally, Verdict

#: What the figures can and cannot say, for whoever reads them.
SAYS: Final = (
    "The hold-out was drawn by hash before the launch and got nothing: a difference that chance does not explain was caused"
    " by the offer.",
    "Everybody in the audience counts, whether they saw the offer or not: the figures tell what making the offer did.",
    "The interval holds for the deciding window alone, the last one, if that was all you meant to look at. If you look"
    " earlier as well, and may stop, go by the interval at every look.",
    "Of many rows some look good by chance: the p-values after Holm allow for all rows of a window.",
)
SAYS_NOT: Final = (
    "That nothing was shown does not show that nothing was there: the interval says how much may have been.",
    "Nothing is known of members who were not in the audience, of other shops, or of the time after the last window.",
    "Purchases without the member's card or number are not seen. A held-out member who shops with somebody who got the"
    " offer makes the difference smaller than it is.",
    "More spent is not more earned: look at the margin, and take off what the points cost.",
)


@dataclass(frozen=True, slots=True)
class ArmResult:
    """What an arm's members did in a window: how many there are, and what one did on average."""

    days: int
    metric: str
    arm: str
    members: int
    mean: float
    # the same before the beginning
    mean_before: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the members of `arm` did more than those of `against` in a window. None where an arm is too small to say."""

    days: int
    metric: str
    arm: str
    against: str
    difference: float | None
    once: Verdict | None
    every_look: Verdict | None
    lift: Verdict | None
    holm_p_value: float | None = None
    every_look_holm_p_value: float | None = None
    # the slope of what was taken off for the time before; 0: nothing was
    slope: float = 0.0


@dataclass(frozen=True, slots=True)
class Results:
    arms: Sequence[ArmResult]
    comparisons: Sequence[Comparison]
    # records below this sequence were counted, at this time of the book; None: no window is over
    through_sequence: int | None
    counted_at: datetime | None


def of(design: Design, tallies: Sequence[Tally]) -> Results:
    """Every window that is counted, in order; in it every metric; in it each variant against the hold-out, then each
    against the others."""
    sums = {(t.days, t.metric, t.arm): t.sums for t in tallies}
    windows = sorted({t.days for t in tallies})
    order = [HOLDOUT, *(v.name for v in design.variants)]
    pairs = [(arm, HOLDOUT) for arm in order[1:]] + [(b, a) for a, b in combinations(order[1:], 2)]
    arms = [
        ArmResult(days, metric, arm, found.n, found.mean, found.x / found.n if design.pre_days else None)
        for days in windows
        for metric in design.metrics
        for arm in order
        if (found := sums.get((days, metric, arm))) is not None
    ]
    rows: list[Comparison] = []
    for metric in design.metrics:
        for arm, against in pairs:
            rows += compared(
                [(days, sums.get((days, metric, arm)), sums.get((days, metric, against))) for days in windows],
                design.windows_days[-1],
                metric,
                arm,
                against,
                adjusted=design.pre_days > 0,
            )
    metrics = {metric: i for i, metric in enumerate(design.metrics)}
    places = {pair: i for i, pair in enumerate(pairs)}
    rows.sort(key=lambda r: (r.days, metrics[r.metric], places[r.arm, r.against]))
    newest = max(tallies, key=lambda t: t.days, default=None)
    return Results(
        arms,
        [row for days in windows for row in _family([r for r in rows if r.days == days])],
        None if newest is None else newest.through_sequence,
        None if newest is None else newest.counted_at,
    )


def compared(
    looks: Iterable[tuple[int, Sums | None, Sums | None]],
    last_days: int,
    metric: str,
    arm: str,
    against: str,
    *,
    adjusted: bool,
) -> list[Comparison]:
    """One pair of arms at its looks, (days, sums of the one, of the other), in order."""
    found: list[tuple[int, Estimate | None]] = []
    for days, ours, theirs in looks:
        enough = ours is not None and theirs is not None
        found.append(
            (days, measuring.estimate(ours, theirs, adjusted=adjusted) if enough and ours and theirs else None)
        )
    tuned = measuring.tuning([(days, e) for days, e in found if e is not None], last_days)
    rows = []
    for days, e in found:
        if e is None:
            rows.append(Comparison(days, metric, arm, against, None, None, None, None))
            continue
        once, every = measuring.at_one_look(e), measuring.at_every_look(e, tuned)
        rows.append(Comparison(days, metric, arm, against, e.difference, once, every, measuring.lift(e), slope=e.slope))
    return rows


def _family(rows: Sequence[Comparison]) -> list[Comparison]:
    """Rows of one window with their p-values adjusted for each other."""
    told = [row for row in rows if row.once is not None and row.every_look is not None]
    once = measuring.holm([row.once.p_value for row in told if row.once is not None])
    every = measuring.holm([row.every_look.p_value for row in told if row.every_look is not None])
    adjusted: Mapping[int, tuple[float, float]] = {
        id(row): pair for row, pair in zip(told, zip(once, every, strict=True), strict=True)
    }
    return [
        replace(row, holm_p_value=adjusted[id(row)][0], every_look_holm_p_value=adjusted[id(row)][1])
        if id(row) in adjusted
        else row
        for row in rows
    ]


def chart(design: Design, found: Results, metric: str, currency: str, exponent: int) -> str:
    """One metric over the windows as a picture (SVG): every variant against the hold-out, and what to make of it."""
    money = metric != "visits"
    scale = 10.0**exponent if money else 1.0
    bars = []
    for row in found.comparisons:
        if row.metric != metric or row.against != HOLDOUT:
            continue
        if row.difference is None or row.once is None or row.every_look is None:
            continue
        value = picture.number(row.difference / scale)
        ends = f"{picture.number(row.once.low / scale)} to {picture.number(row.once.high / scale)}"
        bars.append(
            picture.Bar(
                f"{row.arm}, {row.days} days",
                row.difference / scale,
                (row.once.low / scale, row.once.high / scale),
                (row.every_look.low / scale, row.every_look.high / scale),
                f"{value} ({ends}), {picture.probability(row.once.p_value)}; at every look"
                f" {picture.probability(row.every_look.p_value)}",
            )
        )
    title = f"{metric.capitalize()} per member: offer less hold-out{f', in {currency}' if money else ''}"
    under = (
        f"Thick: 95 % at one look, for the deciding window of {design.windows_days[-1]} days. Thin: 95 % at every look"
    )
    return picture.drawn(title, under, bars, [*SAYS, *SAYS_NOT])
