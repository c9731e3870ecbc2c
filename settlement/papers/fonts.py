"""A font of this machine that has Latin and Persian letters. None is kept here: they are the system's."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

#: In the order of preference; Debian's fonts-dejavu-core has the second.
FAMILIES: Final = ("Vazirmatn", "DejaVu Sans", "Noto Naskh Arabic", "Noto Sans Arabic", "Tahoma")
_PLACES: Final = (
    "/usr/share/fonts/truetype/vazirmatn/Vazirmatn-Regular.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
    "/usr/share/fonts/TTF/DejaVuSans.ttf",
    "/Library/Fonts/Tahoma.ttf",
    "/System/Library/Fonts/Supplemental/Tahoma.ttf",
)
#: Letters, digits and marks that a statement has.
_NEEDED: Final = "AZaz09-۰۹پچژگکیهء٬٫"


class NoFont(Exception):
    """This machine has no font for the document. `code` is stable."""

    code: Final = "font_missing"

    def __str__(self) -> str:
        return "font_missing: no font here has both Latin and Persian letters; install fonts-dejavu-core, or Vazirmatn"


class Fonts(NamedTuple):
    regular: Path
    bold: Path


@cache
def found() -> Fonts:
    """The first that has every letter needed; NoFont."""
    for file in _candidates():
        if _has_all(file):
            bold = next((b for b in _bolds(file) if b.is_file() and _has_all(b)), file)
            return Fonts(file, bold)
    raise NoFont


def _candidates() -> Iterator[Path]:
    matcher = shutil.which("fc-match")
    for family in FAMILIES if matcher else ():
        told = subprocess.run([str(matcher), "-f", "%{file}", family], capture_output=True, text=True, timeout=20)
        if told.returncode == 0 and told.stdout.lower().endswith((".ttf", ".otf")):
            yield Path(told.stdout)
    yield from map(Path, _PLACES)


def _bolds(file: Path) -> Iterator[Path]:
    stem = file.stem.removesuffix("-Regular")
    yield file.with_name(f"{stem}-Bold{file.suffix}")
    yield file.with_name(f"{stem}Bold{file.suffix}")


def _has_all(file: Path) -> bool:
    from fontTools.ttLib import TTFont, TTLibError  # type: ignore[import-untyped]

    try:
        with file.open("rb") as opened:
            there = TTFont(opened, lazy=True).getBestCmap() or {}
    except (OSError, TTLibError):
        return False
    return all(ord(letter) in there for letter in _NEEDED)
