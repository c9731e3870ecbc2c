"""The figures as a picture: a bar for each ratio, a mark where it should be at least, each on a scale of its own floor; and
how a window's close grows with its items."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Final

from deploy.bench.machine import Machine
from deploy.bench.report import Report
from deploy.bench.settling import Closed, Curve

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
    lines = _opened(
        "Manex against pgbench on the same server: ratios within one run",
        "Ratios within one run, on the same server",
        f"{_told(machine)}; the line is what it should be at least",
        height,
    )
    for n, figure in enumerate(figures):
        y = TOP + ROW * n
        share = min(1.0, MIDDLE * figure.ratio / figure.wanted.floor)
        colour = "#1a7f37" if figure.wanted.reached(figure.ratio) else "#bc4c00"
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


#: A plot of a curve: its size, and where the second one begins.
PLOT_WIDTH: Final = 290
PLOT_HEIGHT: Final = 200
SECOND: Final = 400
#: For each number of merchants.
COLOURS: Final = ("#0969da", "#1a7f37", "#bc4c00", "#8250df", "#656d76")


def of_curve(curve: Curve) -> str:
    """Seconds and memory over items, a line for each number of merchants."""
    height = TOP + PLOT_HEIGHT + 110
    lines = _opened(
        "How the close of a window grows with its items",
        "Closing a window: consumed, netted, sealed, posted, paid",
        _told(curve.machine),
        height,
    )
    lines += _plot("seconds", curve.points, lambda point: point.seconds, 60)
    lines += _plot("MiB at most", curve.points, lambda point: point.peak_mib, SECOND + 40)
    for n, merchants in enumerate(sorted({point.merchants for point in curve.points})):
        lines.append(
            f'<text x="{60 + 150 * n}" y="{height - 46}"><tspan fill="{COLOURS[n % len(COLOURS)]}">&#9632;</tspan>'
            f" {merchants:,} merchants</text>"
        )
    if curve.netting is not None:
        alone = curve.netting
        lines.append(
            f'<text class="s" x="20" y="{height - 16}">netting alone: {alone.merchants:,} merchants, {alone.pairs:,} pairs,'
            f" {alone.seconds:.1f} s, {alone.peak_mib:,} MiB</text>"
        )
    return "\n".join([*lines, "</svg>", ""])


def _plot(title: str, points: list[Closed], value: Callable[[Closed], float], left: int) -> list[str]:
    """One plot with both axes from zero: what is linear is a straight line through the corner, what is flat lies level."""
    most_items = max((point.items for point in points), default=1)
    most = max((value(point) for point in points), default=1) or 1
    bottom = TOP + 20 + PLOT_HEIGHT

    def place(point: Closed) -> tuple[float, float]:
        return (
            left + PLOT_WIDTH * point.items / most_items,
            bottom - PLOT_HEIGHT * value(point) / most,
        )

    lines = [
        f'<text class="s" x="{left}" y="{TOP + 6}">{escape(title)}</text>',
        f'<path d="M{left} {TOP + 14}V{bottom}H{left + PLOT_WIDTH}" fill="none" stroke="#656d76"/>',
        f'<text class="s" x="{left - 6}" y="{TOP + 24}" text-anchor="end">{most:,.0f}</text>',
        f'<text class="s" x="{left - 6}" y="{bottom}" text-anchor="end">0</text>',
        f'<text class="s" x="{left + PLOT_WIDTH}" y="{bottom + 18}" text-anchor="end">{most_items:,} items</text>',
    ]
    for n, merchants in enumerate(sorted({point.merchants for point in points})):
        colour = COLOURS[n % len(COLOURS)]
        own = sorted((point for point in points if point.merchants == merchants), key=lambda point: point.items)
        places = [place(point) for point in own]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        lines += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in places]
    return lines


def _opened(title: str, head: str, below: str, height: int) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        "<style>text{font:14px system-ui,sans-serif;fill:#1f2328}.s{font-size:12px;fill:#656d76}"
        "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#8d96a0}.c{fill:#0d1117}}</style>",
        f'<rect class="c" width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
        f'<text x="20" y="30" font-weight="600">{escape(head)}</text>',
        f'<text class="s" x="20" y="50">{escape(below)}</text>',
    ]


def _told(machine: Machine) -> str:
    return f"{machine.cpu}, {machine.cores} cores, PostgreSQL {machine.postgres}"
