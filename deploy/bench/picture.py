"""The figures as a picture: a bar for each ratio, a mark where it should be at least. Each on a scale of its own floor."""

from __future__ import annotations

from html import escape
from typing import Final

from deploy.bench.report import Report

WIDTH: Final = 760
NAME: Final = 250
VALUE: Final = 90
ROW: Final = 34
TOP: Final = 70
#: The floor stands here between the left and the right end of a bar, and a bar ends at twice of it.
MIDDLE: Final = 0.5


def drawn(report: Report) -> str:
    """The report as an SVG document, with no font or address of anybody's."""
    figures = report.figures
    height = TOP + ROW * len(figures) + 40
    room = WIDTH - NAME - VALUE - 40
    machine = report.machine
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>Manex against pgbench on the same server: ratios within one run</title>",
        "<style>text{font:14px system-ui,sans-serif;fill:#1f2328}.s{font-size:12px;fill:#656d76}"
        "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#8d96a0}.c{fill:#0d1117}}</style>",
        f'<rect class="c" width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
        '<text x="20" y="30" font-weight="600">Ratios within one run, on the same server</text>',
        f'<text class="s" x="20" y="50">{escape(machine.cpu)}, {machine.cores} cores, PostgreSQL'
        f" {escape(machine.postgres)}; the line is what it should be at least</text>",
    ]
    for n, figure in enumerate(figures):
        y = TOP + ROW * n
        share = min(1.0, MIDDLE * figure.ratio / figure.wanted.floor)
        colour = "#1a7f37" if figure.ratio >= figure.wanted.floor else "#bc4c00"
        mark = NAME + room * MIDDLE
        lines += [
            f'<text x="20" y="{y + 17}">{escape(figure.wanted.key)}</text>',
            f'<rect x="{NAME}" y="{y + 4}" width="{room * share:.1f}" height="18" rx="3" fill="{colour}"/>',
            f'<line x1="{mark}" x2="{mark}" y1="{y}" y2="{y + 26}" stroke="#656d76" stroke-width="2"/>',
            f'<text x="{NAME + room + 14}" y="{y + 17}" font-weight="600">{figure.ratio:.2f}</text>',
            f'<text class="s" x="{NAME + room + 68}" y="{y + 17}">/ {figure.wanted.floor:g}</text>',
        ]
    settings = ", ".join(f"{name} {value:,}" for name, value in report.settings.items())
    lines += [f'<text class="s" x="20" y="{height - 16}">{escape(settings)}</text>', "</svg>", ""]
    return "\n".join(lines)
