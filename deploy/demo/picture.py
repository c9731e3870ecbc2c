"""The README's picture: the demo's report as a terminal would show it.

./manex demo --no-serve --json > year.json
.venv/bin/python -m deploy.demo.picture year.json docs/demo.svg
"""

import io
import sys
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.terminal_theme import MONOKAI

from deploy.demo.report import Report, show

COLUMNS: Final = 92

#: A page of its own: no font but the reader's, no request to anybody.
_PAGE: Final = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img" xml:space="preserve">
<title>What ./manex demo shows after a year of 155,848 baskets</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
<rect width="{width}" height="{height}" rx="8" fill="#1d2021"/>
<g transform="translate({terminal_x}, 20)" clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def drawn(report: Report) -> str:
    """The report as an SVG document."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    show(console, report, "")
    return console.export_svg(title="", theme=MONOKAI, code_format=_PAGE, unique_id="demo")


if __name__ == "__main__":
    source, target = sys.argv[1:]
    Path(target).write_text(drawn(msgspec.json.decode(Path(source).read_bytes(), type=Report)))
