"""Digits as people type them: any script's, told in Latin. Pure."""

import unicodedata

#: Marks that show nothing and only steer the direction or joining of text: keyboards and copied messages leave them.
_UNSEEN = dict.fromkeys(
    map(ord, "\u200b\u200c\u200d\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")
)


def latin(text: str) -> str:
    """`text` with the decimal digits of every script (Persian, fullwidth, ...) as 0 to 9, unseen marks gone."""
    text = text.translate(_UNSEEN)
    if text.isascii():
        return text
    return "".join(c if (value := unicodedata.decimal(c, None)) is None else str(value) for c in text)


def only(text: str, length: int) -> str | None:
    """The `length` digits that `text` spells, whatever spaces and dashes part them; None when it spells none."""
    if len(text) > 4 * length:
        return None
    bare = "".join(c for c in latin(text) if not c.isspace() and unicodedata.category(c) != "Pd")
    return bare if len(bare) == length and bare.isascii() and bare.isdigit() else None
