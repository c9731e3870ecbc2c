"""CSV statements to plain lines. Pure.

Every bank has a CSV of its own, so this one is ours: UTF-8, a comma or a semicolon between, the first row names the
columns, the second is the opening balance and the last the closing one, so that a cut file shows.
"""

import csv
import io
from typing import Final

from settlement.rails.banks.lines import (
    LARGEST_LINES,
    BankLine,
    Expected,
    Statement,
    checked,
    day,
    reference,
    refuse,
    required,
    words,
)

#: In this order. `row` is opening, line or closing; a balance has account, statement, booked, amount and currency.
COLUMNS: Final = (
    "row",
    "account",
    "statement",
    "booked",
    "value",
    "amount",
    "currency",
    "counterparty",
    "remittance",
    "end_to_end_id",
    "structured_reference",
    "bank_reference",
    "entry_reference",
)


def is_one(text: str) -> bool:
    return text.lstrip("\ufeff").startswith(("row,account,", "row;account;"))


def statement(text: str, expected: Expected) -> Statement:
    """The statement of a file; or BadFile."""
    text = text.lstrip("\ufeff")
    if not text.endswith("\n"):
        refuse("file_damaged", "its last line has no end")
    between = ";" if text.startswith("row;") else ","
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=between, strict=True))
    except csv.Error:
        refuse("file_damaged", "it is no CSV")
    if len(rows) > LARGEST_LINES:
        refuse("file_too_deep", f"more than {LARGEST_LINES} lines")
    if tuple(rows[0]) != COLUMNS:
        refuse("field_missing", f"the columns are {', '.join(COLUMNS)}")
    if any(len(row) != len(COLUMNS) for row in rows):
        refuse("file_damaged", "a row has other than all columns")
    told = [dict(zip(COLUMNS, row, strict=True)) for row in rows[1:]]
    kinds = [row["row"] for row in told]
    if len(kinds) < 2 or kinds[0] != "opening" or kinds[-1] != "closing" or set(kinds[1:-1]) - {"line"}:
        refuse("file_damaged", "it goes from an opening to a closing balance, with lines between")
    if len({(row["account"], row["statement"]) for row in told}) != 1:
        refuse("field_invalid", "it is of more than one account or statement")
    where = required(told[0]["account"], "account").replace(" ", "").upper()
    return checked(
        Statement(
            format="csv",
            id=required(told[0]["statement"], "statement"),
            account=where,
            currency=expected.currency,
            opening_minor=_amount(told[0], expected),
            closing_minor=_amount(told[-1], expected),
            lines=tuple(_line(row, where, expected) for row in told[1:-1]),
        )
    )


def _amount(row: dict[str, str], expected: Expected) -> int:
    text = row["amount"]
    value = expected.minor(text.removeprefix("-"), row["currency"])
    return -value if text.startswith("-") else value


def _line(row: dict[str, str], where: str, expected: Expected) -> BankLine:
    booked = day(row["booked"])
    return BankLine(
        account=where,
        booked=booked,
        value=day(row["value"]) if row["value"] else booked,
        amount_minor=_amount(row, expected),
        currency=expected.currency,
        counterparty=words(row["counterparty"])[:140],
        remittance=words(row["remittance"]),
        end_to_end_id=reference(row["end_to_end_id"], "end_to_end_id"),
        structured_reference=reference(row["structured_reference"], "structured_reference"),
        bank_reference=reference(row["bank_reference"], "bank_reference"),
        entry_reference=reference(row["entry_reference"], "entry_reference"),
    )
