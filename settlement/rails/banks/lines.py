"""What bank files say, as plain values; and why a file is not taken."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Final, NoReturn

#: More than this is no statement of a network's account.
LARGEST_LINES: Final = 50_000
#: What a bank may call a statement or a booking, and what stands on one.
LONGEST_REFERENCE: Final = 140
LONGEST_TEXT: Final = 2_000
#: What JSON's readers still take exactly; sums of a whole statement fit PostgreSQL's bigint.
LARGEST_MINOR: Final = 2**47
_DECIMAL: Final = re.compile(r"([0-9]{1,15})(?:\.([0-9]{0,5}))?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: Control characters never stand in a text of a bank's, and PostgreSQL's text cannot hold the first of them.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class BadFile(Exception):
    """A file that is not imported, with a stable code and the reason. Nothing of it was."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(f"{code}: {why}")
        assert code in CODES, code
        self.code = code
        self.why = why


#: Every reason, as operators read it.
CODES: Final = {
    "file_damaged": "it ends too early, or cannot be read at all",
    "file_packed": "it is compressed: send the file itself",
    "file_forbidden": "it has a document type, which declares entities: no bank file needs one",
    "file_too_deep": "its elements are nested too deeply, or there are too many",
    "file_unknown": "it is none of the formats taken here",
    "field_missing": "something that must be there is not",
    "field_invalid": "something does not say what it has to",
    "currency_differs": "an amount is not in the currency of the book",
    "account_differs": "it is a statement of another account than the network's",
    "sum_differs": "opening balance and entries do not make the closing balance, or a control sum is another",
    "count_differs": "it has other than the number of entries that it tells",
    "not_ours": "it answers a file, or names an instruction, that is not of this network",
}


def refuse(code: str, why: str) -> NoReturn:
    raise BadFile(code, why)


@dataclass(frozen=True, slots=True)
class BankLine:
    """One booking on an account of the network. The amount is in minor units: positive came in, negative went out."""

    account: str
    booked: dt.date
    value: dt.date
    amount_minor: int
    currency: str
    counterparty: str
    remittance: str
    # what whoever ordered it called it; of a payment of ours, our reference
    end_to_end_id: str
    # the creditor reference in structured remittance information
    structured_reference: str
    # the bank's own, unique on the account; empty where it gives none
    bank_reference: str
    entry_reference: str
    # a payment that came back, by the bank's word
    returned: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement or notification of one account. Without balances it is a notification."""

    format: str
    id: str
    account: str
    currency: str
    opening_minor: int | None
    closing_minor: int | None
    lines: tuple[BankLine, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the amounts of a file have to be in: the currency of the book, and the decimals of its minor unit."""

    currency: str
    exponent: int

    def minor(self, text: str, currency: str) -> int:
        """A decimal of a bank's as whole minor units, exactly."""
        if currency != self.currency:
            refuse("currency_differs", f"{currency[:8]!r} where the book has {self.currency}")
        match = _DECIMAL.fullmatch(text)
        if match is None:
            refuse("field_invalid", "an amount is no decimal number")
        whole, rest = match[1], match[2] or ""
        if rest[self.exponent :].strip("0"):
            refuse("field_invalid", f"an amount has more than {self.exponent} decimals")
        minor = int(whole + rest[: self.exponent].ljust(self.exponent, "0"))
        if minor > LARGEST_MINOR:
            refuse("field_invalid", "an amount is larger than there is money")
        return minor

    def decimal(self, minor: int) -> str:
        """Whole minor units as a bank writes them."""
        assert minor >= 0, minor
        digits = str(minor).rjust(self.exponent + 1, "0")
        return f"{digits[: -self.exponent]}.{digits[-self.exponent :]}" if self.exponent else digits


def day(text: str) -> dt.date:
    """A date as YYYY-MM-DD; of a time its date."""
    try:
        if _DATE.fullmatch(text[:10]) and (len(text) == 10 or text[10] in "TZ+-"):
            return dt.date.fromisoformat(text[:10])
    except ValueError:
        pass
    refuse("field_invalid", "a date is none")


def reference(text: str, what: str) -> str:
    """What something is called: short, on one line; may be empty."""
    text = " ".join(text.split())
    if len(text) > LONGEST_REFERENCE or _CONTROL.search(text):
        refuse("field_invalid", f"{what} is too long, or has characters that nobody writes")
    return text


def required(text: str, what: str) -> str:
    found = reference(text, what)
    if not found:
        refuse("field_missing", f"there is no {what}")
    return found


def words(text: str) -> str:
    """What stands on a booking, blanks as one each; the rest of a very long one is left out."""
    return _CONTROL.sub("", " ".join(text.split()))[:LONGEST_TEXT]


def checked(statement: Statement) -> Statement:
    """The statement, if its lines make its balances."""
    if len(statement.lines) > LARGEST_LINES:
        refuse("file_too_deep", f"more than {LARGEST_LINES} lines")
    if statement.opening_minor is not None and statement.closing_minor is not None:
        made = statement.opening_minor + sum(line.amount_minor for line in statement.lines)
        if made != statement.closing_minor:
            refuse(
                "sum_differs",
                f"opening balance and entries make {made}, the closing balance is {statement.closing_minor}",
            )
    return statement
