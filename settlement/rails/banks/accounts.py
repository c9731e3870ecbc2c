"""Account numbers and banks' codes, as people write them. Pure."""

import re
from typing import Final

_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_OTHER: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9/ -]{0,32}[A-Za-z0-9])?")
_BIC: Final = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?")
_STRIPE: Final = re.compile(r"acct_[A-Za-z0-9]{4,60}")


def is_iban(text: str) -> bool:
    """Whether it is an IBAN whose check digits are right (ISO 13616, modulo 97)."""
    if not _IBAN.fullmatch(text):
        return False
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def bank_account(text: str) -> str | None:
    """An account as files name it: an IBAN without blanks, or another number. None: it is neither.

    What begins like an IBAN has to be one: a slip in it would pay somebody else.
    """
    squeezed = text.replace(" ", "").upper()
    if re.match(r"[A-Z]{2}[0-9]{2}", squeezed):
        return squeezed if is_iban(squeezed) else None
    # compared with what statements call it, so blanks and case do not count
    return squeezed if _OTHER.fullmatch(text) else None


def bic(text: str) -> str | None:
    return text.upper() if _BIC.fullmatch(text.upper()) else None


def stripe_account(text: str) -> str | None:
    return text if _STRIPE.fullmatch(text) else None
