"""Member numbers: what cards, barcodes and lips carry. Pure.

Eleven random digits and a check digit by H. Michael Damm's quasigroup of order 10 ("Total anti-symmetrische
Quasigruppen", Marburg 2004), which catches every wrong digit and every swap of two neighbours. The digits are random,
so a number tells nothing of how many members there are or who came when; the first is no zero, which spreadsheets eat.
"""

import secrets
from typing import Final

from merchants.people.digits import only

LENGTH: Final = 12
_FIRST: Final = 10**10
_LAST: Final = 10**11 - 1

_DAMM: Final = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)


def make(digits: int | None = None) -> str:
    """A member number: of `digits` (eleven, the first not zero), or of eleven random ones."""
    if digits is None:
        digits = _FIRST + secrets.randbelow(_LAST - _FIRST + 1)
    assert _FIRST <= digits <= _LAST, digits
    return f"{digits}{_interim(str(digits))}"


def valid(text: str) -> bool:
    """Whether `text` is a member number in its stored form: twelve Latin digits, the last one right."""
    return (
        len(text) == LENGTH and text.isascii() and text.isdigit() and not text.startswith("0") and _interim(text) == 0
    )


def read(text: str) -> str | None:
    """The member number that `text` spells in any script's digits, with spaces and dashes; None when it spells none."""
    number = only(text, LENGTH)
    return number if number is not None and valid(number) else None


def _interim(digits: str) -> int:
    interim = 0
    for digit in digits:
        interim = _DAMM[interim][int(digit)]
    return interim
