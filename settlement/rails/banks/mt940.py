"""MT940 (SWIFT's customer statement) to plain lines. Pure.

One or more statements, each from :20: to :62F:. The file has to end with its trailer, a line `-` or `-}`, so that a cut
one shows.
"""

import datetime as dt
import re
from typing import Final

from settlement.rails.banks.lines import BankLine, Expected, Statement, checked, reference, refuse, required, words

#: Lines of a field; SWIFT's own limit is six.
LARGEST_FIELD: Final = 50
_TAG: Final = re.compile(r":([0-9]{2}[A-Z]?):(.*)", re.DOTALL)
_BALANCE: Final = re.compile(r"([CD])([0-9]{6})([A-Z]{3})([0-9]{1,15},[0-9]{0,5})")
# value date, entry date, debit or credit (R: a reversal of one), funds code, amount, type, reference, the bank's
_ENTRY: Final = re.compile(
    r"([0-9]{6})([0-9]{4})?(R?[CD])([A-Z])?([0-9]{1,15},[0-9]{0,5})([A-Z][A-Z0-9]{3})([^/\n]{0,16}(?:/[^/\n]{1,16})?)"
    r"(?://([^\n]{0,34}))?(?:\n([^\n]{0,34}))?"
)
#: Sub-fields of :86: that many banks write: ?20 to ?29 remittance, ?32 and ?33 the counterparty.
_PART: Final = re.compile(r"\?([0-9]{2})")
_EREF: Final = re.compile(r"EREF\+([A-Za-z0-9/?:().,'+ -]{1,35}?)(?= *(?:[A-Z]{4}\+|$))")


def statements(text: str, expected: Expected) -> list[Statement]:
    """Every statement of a file, each with balances that add up; or BadFile."""
    body = text.replace("\r\n", "\n")
    if "\r" in body:
        refuse("file_damaged", "a line ends with half a line end")
    if not re.search(r"\n-\}?\n*\Z", body):
        refuse("file_damaged", "it does not end with its trailer")
    fields = _fields(body)
    found: list[Statement] = []
    begins = [n for n, (tag, _) in enumerate(fields) if tag == "20"]
    if not begins or begins[0] != 0:
        refuse("field_missing", "a statement begins with :20:")
    for begin, end in zip(begins, [*begins[1:], len(fields)], strict=True):
        found.append(_statement(fields[begin:end], expected))
    return found


def _fields(body: str) -> list[tuple[str, str]]:
    """(tag, value) of each, a value's further lines with it; blocks around the fields are left out."""
    fields: list[tuple[str, list[str]]] = []
    for line in body.split("\n"):
        if line.startswith("{") or line in ("-", "-}", "") or line.startswith("-}{"):
            continue
        match = _TAG.fullmatch(line)
        if match is not None:
            fields.append((match[1], [match[2]]))
        elif line.startswith(":") or not fields:
            refuse("file_damaged", "a line is no field")
        else:
            fields[-1][1].append(line)
    if any(len(lines) > LARGEST_FIELD for _, lines in fields):
        refuse("file_damaged", f"a field has more than {LARGEST_FIELD} lines")
    return [(tag, "\n".join(lines)) for tag, lines in fields]


def _statement(fields: list[tuple[str, str]], expected: Expected) -> Statement:
    tags = [tag for tag, _ in fields]
    for tag in ("25", "28C", "60F", "62F"):
        if tags.count(tag) != 1:
            refuse("field_missing", f"a statement has :{tag}: once")
    told = dict(fields)
    if tags.index("62F") < max((n for n, tag in enumerate(tags) if tag == "61"), default=0):
        refuse("file_damaged", "an entry stands behind the closing balance")
    where = required(told["25"], ":25:").replace(" ", "").upper()
    opening, _ = _balance(told["60F"], expected)
    closing, closed = _balance(told["62F"], expected)
    lines: list[BankLine] = []
    for n, (tag, value) in enumerate(fields):
        if tag == "61":
            about = fields[n + 1][1] if n + 1 < len(fields) and fields[n + 1][0] == "86" else ""
            lines.append(_line(value, about, where, closed, expected))
    # banks begin anew with number 1 each year, and :20: is often the same for ever
    id = f"{required(told['20'], ':20:')} {required(told['28C'], ':28C:')} {closed.isoformat()}"
    return checked(Statement("mt940", id, where, expected.currency, opening, closing, tuple(lines)))


def _balance(value: str, expected: Expected) -> tuple[int, dt.date]:
    match = _BALANCE.fullmatch(value)
    if match is None:
        refuse("field_invalid", "a balance cannot be read")
    amount = expected.minor(match[4].replace(",", "."), match[3])
    return (amount if match[1] == "C" else -amount), _date(match[2])


def _date(digits: str) -> dt.date:
    try:
        return dt.date(2000 + int(digits[:2]), int(digits[2:4]), int(digits[4:6]))
    except ValueError:
        refuse("field_invalid", "a date is none")


def _booked(digits: str | None, value: dt.date, closed: dt.date) -> dt.date:
    """The entry date has no year: it is the one in which it lies nearest to the statement's end."""
    if digits is None:
        return value
    nearest: list[dt.date] = []
    for year in (closed.year - 1, closed.year, closed.year + 1):
        try:
            nearest.append(dt.date(year, int(digits[:2]), int(digits[2:])))
        except ValueError:
            continue
    if not nearest:
        refuse("field_invalid", "a date is none")
    return min(nearest, key=lambda date: abs((date - closed).days))


def _line(value: str, about: str, where: str, closed: dt.date, expected: Expected) -> BankLine:
    match = _ENTRY.fullmatch(value)
    if match is None:
        refuse("field_invalid", "an entry cannot be read")
    valued, booked, side, _, amount, kind, ours, theirs, more = match.groups()
    # a reversal of a credit goes out, a reversal of a debit comes in
    sign = 1 if side in ("C", "RD") else -1
    remittance, counterparty = _about(about)
    eref = _EREF.search(remittance)
    named = eref[1].strip() if eref else ("" if ours.strip() in ("NONREF", "") else ours)
    date = _date(valued)
    return BankLine(
        account=where,
        booked=_booked(booked, date, closed),
        value=date,
        amount_minor=sign * expected.minor(amount.replace(",", "."), expected.currency),
        currency=expected.currency,
        counterparty=words(counterparty)[:140],
        remittance=words(remittance or more or ""),
        end_to_end_id=reference(named, "the reference"),
        structured_reference="",
        bank_reference=reference(theirs or "", "the bank's reference"),
        entry_reference="",
        returned=kind[1:] == "RTI" or side in ("RC", "RD"),
    )


def _about(text: str) -> tuple[str, str]:
    """Remittance and counterparty of :86:, structured or not."""
    parts = _PART.split(text.replace("\n", ""))
    if len(parts) == 1:
        return text.replace("\n", " "), ""
    remittance, counterparty = "", ""
    for code, value in zip(parts[1::2], parts[2::2], strict=True):
        if "20" <= code <= "29" or "60" <= code <= "63":
            remittance += value
        elif code in ("32", "33"):
            counterparty += value
    return remittance, counterparty
