"""The words of pages: English as it stands in templates and code, other languages from `.po` files beside them."""

import gettext
import io
from collections.abc import Sequence
from pathlib import Path

from babel.messages import mofile, pofile


def translations(folders: Sequence[Path], language: str) -> gettext.NullTranslations:
    """The catalogue of a language, compiled from `words/<language>.po` of each folder; of English, what stands there."""
    found: gettext.NullTranslations = gettext.NullTranslations()
    if language == "en":
        return found
    for folder in folders:
        with (folder / "words" / f"{language}.po").open("rb") as text:
            read = pofile.read_po(text, locale=language)
        compiled = io.BytesIO()
        mofile.write_mo(compiled, read)
        compiled.seek(0)
        made = gettext.GNUTranslations(compiled)
        if isinstance(found, gettext.GNUTranslations):
            made.add_fallback(found)
        found = made
    return found


def later(text: str) -> str:
    """Marks words that are looked up where they are shown."""
    return text
