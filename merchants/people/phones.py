"""Telephone numbers as people type them, in the one form they are stored in: E.164. Pure."""

import unicodedata
from typing import Final

import phonenumbers

from merchants.people.digits import latin

#: Longer than any number with its spaces and brackets.
LONGEST: Final = 40


def normalise(text: str, region: str = "IR", *, possible_is_enough: bool = False) -> str | None:
    """`text` in E.164 (`+989121234567`), or None when it is no telephone number.

    Any script's digits, with spaces, dashes, dots and brackets; a number without country code is read as one of
    `region` (ISO 3166). It must lie in a range that its country assigns; `possible_is_enough` asks for the right
    length only, for books where people have made-up numbers such as +1 555 010 0123.
    """
    if len(text) > LONGEST:
        return None
    bare = "".join("-" if unicodedata.category(c) == "Pd" else c for c in latin(text)).replace("＋", "+").strip()
    # the library would read letters as a keypad's digits, and leave out what it finds before the number
    if not all(c in "+-().,/" or c.isspace() or (c.isascii() and c.isdigit()) for c in bare) or "+" in bare[1:]:
        return None
    try:
        number = phonenumbers.parse(bare, region)
    except phonenumbers.NumberParseException:
        return None
    fits = phonenumbers.is_possible_number if possible_is_enough else phonenumbers.is_valid_number
    if not fits(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
