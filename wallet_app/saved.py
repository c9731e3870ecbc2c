"""What points saved: this month in words, the last six drawn, and the same as a table."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from markupsafe import Markup, escape

from gateway.api import savings, shapes
from gateway.web import Language, Visit

MONTHS: Final = 6

_WIDTH, _HEIGHT, _FOOT = 360, 150, 24
_BAR, _GAP, _ROUND = 18, 4, 3


class Saved(NamedTuple):
    """`months` are those of the visitor's calendar, the oldest first and the present one last. `chart` is SVG, or nothing
    where there is nothing to draw."""

    months: Sequence[shapes.MonthOut]
    chart: Markup | None

    @property
    def now(self) -> shapes.MonthOut:
        return self.months[-1]


async def of(visit: Visit) -> Saved:
    query = shapes.SavingsIn(calendar="jalali" if visit.language.code == "fa" else "gregorian", months=MONTHS)
    found: shapes.SavingsOut = await visit.ask(savings.get_savings, path="/v1/me/savings", query=query)
    return Saved(found.data, chart(found.data, visit.language))


def chart(months: Sequence[shapes.MonthOut], language: Language) -> Markup | None:
    """Two bars a month, what was given and what was paid; time runs the way the language is read. Below zero is nought."""
    pairs = [(max(0, m.given_value.amount), max(0, m.paid_value.amount)) for m in months]
    most = max(max(pair) for pair in pairs)
    if not most:
        return None
    room, ground = _WIDTH / len(months), _HEIGHT - _FOOT
    drawn = [f'<path class="axis" d="M0 {ground + 0.5}h{_WIDTH}"/>']
    for place, (month, (given, paid)) in enumerate(zip(months, pairs, strict=True)):
        middle = room * (place + 0.5)
        if language.direction == "rtl":
            middle = _WIDTH - middle
        before = -1 if language.direction == "ltr" else 1
        for name, value, side in (("given", given, before), ("paid", paid, -before)):
            tall = round(value * (ground - 8) / most, 1)
            if value:
                left = middle + (side * (_BAR + _GAP) / 2) - _BAR / 2
                tall = max(2.0, tall)
                drawn.append(
                    f'<rect class="{name}" x="{left:.1f}" y="{ground - tall:.1f}" width="{_BAR}" height="{tall:.1f}"'
                    f' rx="{_ROUND}"/>'
                )
        words = escape(language.short_month(month.from_day))
        drawn.append(f'<text x="{middle:.1f}" y="{_HEIGHT - 6}" text-anchor="middle">{words}</text>')
    return Markup(  # noqa: S704 - drawn here: numbers, and names of months escaped
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" aria-hidden="true"'
        f' focusable="false">{"".join(drawn)}</svg>'
    )
