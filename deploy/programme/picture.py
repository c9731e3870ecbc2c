"""Points before and after, a pair of bars a merchant, as wide as a telephone. Pure; no font or address of anybody's."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from html import escape
from typing import Any, Final

WIDTH: Final = 480
EDGE: Final = 20
#: Room for the figures beside a bar.
FIGURES: Final = 110
ROW: Final = 92
TOP: Final = 96
LINE: Final = 19
NOTE: Final = 60
#: Merchants with a pair of bars of their own; the rest is one more.
LARGEST_ROWS: Final = 24


def drawn(told: Mapping[str, Any]) -> str:
    """An SVG document of what `running.simulated` tells."""
    rows = _rows(told)
    most = max((row[side]["points"] for row in rows for side in ("before", "after")), default=0)
    room = WIDTH - 2 * EDGE - FIGURES
    notes = [
        line
        for note in (*told["says"], *told["says_not"])
        for line in textwrap.wrap(note, NOTE, initial_indent="· ", subsequent_indent="  ")
    ]
    body = TOP + ROW * max(1, len(rows))
    height = body + 16 + LINE * len(notes) + 16
    of_all = told["all"]
    title = f"Other rules, {told['days']} days, {of_all['sales']:,} sales"
    under = f"points: {of_all['before']['points']:,} before, {of_all['after']['points']:,} after"
    spoken = "; ".join(
        f"{row['name']}: {row['before']['points']} before, {row['after']['points']} after" for row in rows
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        ' aria-labelledby="title" aria-describedby="figures">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="figures">{escape(spoken or "no sales")}</desc>',
        "<style>text{font:16px system-ui,sans-serif;fill:#1f2328}.h{font-size:19px;font-weight:600}.m{font-weight:600}"
        ".s{font-size:14px;fill:#57606a}.b{fill:#8c959f}.a{fill:#0550ae}.c{fill:#ffffff}"
        "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9da7b1}.c{fill:#0d1117}.b{fill:#6e7781}"
        ".a{fill:#79c0ff}}</style>",
        f'<rect class="c" width="{WIDTH}" height="{height}" rx="8"/>',
        f'<text class="h" x="{EDGE}" y="34">{escape(title)}</text>',
        f'<text class="s" x="{EDGE}" y="58">{escape(under)}</text>',
    ]
    for at, (name, words) in zip((EDGE, 120), (("b", "before"), ("a", "after")), strict=True):
        parts.append(f'<rect class="{name}" x="{at}" y="70" width="12" height="12" rx="2"/>')
        parts.append(f'<text class="s" x="{at + 18}" y="81">{words}</text>')
    if not rows:
        parts.append(f'<text x="{EDGE}" y="{TOP + 24}">There were no sales to members.</text>')
    for n, row in enumerate(rows):
        y = TOP + ROW * n
        parts.append(
            f'<text class="m" x="{EDGE}" y="{y + 20}">{escape(textwrap.shorten(row["name"], 30, placeholder="…"))}</text>'
        )
        net = f"net {row['before']['net_minor']:,} → {row['after']['net_minor']:,}"
        parts.append(f'<text class="s" x="{WIDTH - EDGE}" y="{y + 20}" text-anchor="end">{escape(net)}</text>')
        for place, (name, side) in enumerate((("b", "before"), ("a", "after"))):
            points = row[side]["points"]
            wide = max(2, room * points // most) if points and most else 0
            top = y + 28 + 24 * place
            parts.append(f'<rect class="{name}" x="{EDGE}" y="{top}" width="{wide}" height="18" rx="2"/>')
            parts.append(f'<text class="s" x="{EDGE + wide + 8}" y="{top + 14}">{points:,}</text>')
    parts += [
        f'<text class="s" x="{EDGE}" y="{body + 16 + LINE * (n + 1)}" xml:space="preserve">{escape(line)}</text>'
        for n, line in enumerate(notes)
    ]
    return "\n".join([*parts, "</svg>", ""])


def _rows(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The merchants with the most points; the others together."""
    ordered = sorted(told["merchants"], key=lambda row: -max(row["before"]["points"], row["after"]["points"]))
    shown, rest = ordered[:LARGEST_ROWS], ordered[LARGEST_ROWS:]
    if rest:
        others: dict[str, Any] = {"name": f"{len(rest)} others"}
        for side in ("before", "after"):
            others[side] = {name: sum(row[side][name] for row in rest) for name in ("points", "net_minor")}
        shown.append(others)
    return shown
