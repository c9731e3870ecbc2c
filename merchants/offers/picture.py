"""Differences and what they may be, as a picture: a mark and its interval in each row, a line at nothing. Pure.

The figures stand beside the marks as text, and below them what they can and cannot say, so the picture is never shown without.
"""

import math
import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 1000
LABEL: Final = 240
FIGURES: Final = 400
ROW: Final = 30
TOP: Final = 84
LINE: Final = 18
#: Characters of a note that fit a line.
NOTE: Final = 140
#: An interval so many times as wide as the middle one is cut off at the edge, so that the others can be seen.
WIDEST: Final = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """A difference and its intervals; `wide` is drawn thinner behind the other. `figures` is what is read beside it."""

    label: str
    value: float
    narrow: tuple[float, float]
    wide: tuple[float, float] | None
    figures: str


def drawn(title: str, under: str, bars: Sequence[Bar], notes: Sequence[str]) -> str:
    """An SVG document, with no font or address of anybody's."""
    low, high = _range(bars)
    room = WIDTH - LABEL - FIGURES - 40
    scale = room / (high - low) if high > low else 0.0

    def at(value: float) -> float:
        return round(LABEL + 20 + (min(max(value, low), high) - low) * scale, 1)

    lines = [line for note in notes for line in textwrap.wrap(note, NOTE, initial_indent="· ", subsequent_indent="  ")]
    body = TOP + ROW * max(1, len(bars))
    height = body + 24 + LINE * len(lines) + 16
    told = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        ' aria-labelledby="title" aria-describedby="figures">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="figures">{escape("; ".join(f"{bar.label}: {bar.figures}" for bar in bars) or "nothing yet")}</desc>',
        "<style>text{font:14px system-ui,sans-serif;fill:#1f2328}.s{font-size:12px;fill:#57606a}"
        ".n{stroke:#0550ae}.m{fill:#0550ae}.w{stroke:#57606a}.z{stroke:#57606a;stroke-dasharray:4 3}.c{fill:#ffffff}"
        "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9da7b1}.c{fill:#0d1117}"
        ".n{stroke:#79c0ff}.m{fill:#79c0ff}.w,.z{stroke:#9da7b1}}</style>",
        f'<rect class="c" width="{WIDTH}" height="{height}" rx="8"/>',
        f'<text x="20" y="30" font-weight="600">{escape(title)}</text>',
        f'<text class="s" x="20" y="52">{escape(under)}</text>',
    ]
    if not bars:
        told.append(f'<text x="20" y="{TOP + 18}">Nothing can be said yet.</text>')
    elif scale:
        told.append(f'<line class="z" x1="{at(0)}" x2="{at(0)}" y1="{TOP - 12}" y2="{body}"/>')
        told.append(f'<text class="s" x="{at(0)}" y="{TOP - 16}" text-anchor="middle">0</text>')
    for n, bar in enumerate(bars):
        y = TOP + ROW * n + 12
        told.append(f'<text x="20" y="{y + 5}">{escape(bar.label)}</text>')
        least, most = min(bar.narrow[0], (bar.wide or bar.narrow)[0]), max(bar.narrow[1], (bar.wide or bar.narrow)[1])
        if least < low:
            told.append(f'<text class="s" x="{at(low) - 4}" y="{y + 4}" text-anchor="end">&lt;</text>')
        if most > high:
            told.append(f'<text class="s" x="{at(high) + 4}" y="{y + 4}">&gt;</text>')
        if bar.wide is not None:
            told.append(f'<line class="w" x1="{at(bar.wide[0])}" x2="{at(bar.wide[1])}" y1="{y}" y2="{y}"/>')
        told += [
            f'<line class="n" stroke-width="5" x1="{at(bar.narrow[0])}" x2="{at(bar.narrow[1])}" y1="{y}" y2="{y}"/>',
            f'<circle class="m" cx="{at(bar.value)}" cy="{y}" r="5"/>',
            f'<text class="s" x="{WIDTH - FIGURES}" y="{y + 4}">{escape(bar.figures)}</text>',
        ]
    told += [
        f'<text class="s" x="20" y="{body + 24 + LINE * n}" xml:space="preserve">{escape(line)}</text>'
        for n, line in enumerate(lines)
    ]
    return "\n".join([*told, "</svg>", ""])


def _range(bars: Sequence[Bar]) -> tuple[float, float]:
    """What is drawn, from where to where: nothing, and all intervals but the few that are far wider than the others."""
    intervals = [bar.wide or bar.narrow for bar in bars]
    if not intervals:
        return 0.0, 0.0
    most = WIDEST * statistics.median(high - low for low, high in intervals)
    shown = [pair for pair in intervals if pair[1] - pair[0] <= most] or intervals
    values = [bar.value for bar in bars]
    return min(0.0, *values, *(low for low, _ in shown)), max(0.0, *values, *(high for _, high in shown))


def number(value: float) -> str:
    """A figure with as many digits as it has a use for."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "-"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 4)}f}"


def probability(value: float) -> str:
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.4f}"
