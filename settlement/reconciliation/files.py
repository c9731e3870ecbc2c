"""Files of lines: what a till or a payment provider says, as CSV or as rows of JSON. Pure.

A file is read whole or refused whole, with the number of the line at fault and a code that says why.
"""

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

import ledger
from settlement.reconciliation.lines import Line, line_id

LARGEST_FILE: Final = 20_000
LONGEST_FIELD: Final = 200
#: Larger than any amount there is, and small enough for every reader of numbers.
LARGEST_AMOUNT: Final = 10**15

_NUMBER: Final = re.compile(r"-?[0-9]{1,16}")
#: RFC 3339, with an offset.
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(eq=False)
class BadFile(Exception):
    """`line` counts from 1, a CSV's header included; of JSON rows, from 1."""

    line: int
    code: str
    why: str


class OfBook(Protocol):
    """What of a book its files rest on."""

    @property
    def public_id(self) -> UUID: ...

    @property
    def currency(self) -> str: ...


class Form(NamedTuple):
    """The columns of a kind of file: those that must be there, those that may, and what `kind` may say."""

    required: tuple[str, ...]
    optional: tuple[str, ...]
    kinds: tuple[str, ...]


FORMS: Final = {
    "till": Form(
        ("kind", "external_reference", "amount", "at"),
        ("points", "original_reference"),
        ("sale", "redemption", "refund"),
    ),
    "psp": Form(
        ("at", "amount", "reference"),
        ("kind", "currency", "text", "party", "fee", "batch", "original", "entry"),
        ("transfer", "refund", "returned"),
    ),
}


class File(NamedTuple):
    """`digest` stands for what the file says, whatever it was written in."""

    id: UUID
    source: str
    digest: bytes
    lines: list[Line]


def read_csv(text: str, source: str) -> list[dict[str, str]]:
    """The rows of a CSV (RFC 4180) by column. Raises BadFile."""
    form = FORMS[source]
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        if len(set(header)) != len(header) or not set(form.required) <= set(header):
            raise BadFile(1, "bad_header", f"the header names {', '.join(form.required)}, each once")
        if unknown := set(header) - set(form.required) - set(form.optional):
            raise BadFile(1, "unknown_column", f"nobody knows the column {min(unknown)[:40]!r}")
        found: list[dict[str, str]] = []
        for cells in rows:
            if not cells:
                continue
            if len(cells) != len(header):
                raise BadFile(rows.line_num, "bad_row", f"{len(cells)} cells under {len(header)} columns")
            if len(found) == LARGEST_FILE:
                raise BadFile(rows.line_num, "too_many_lines", f"a file has at most {LARGEST_FILE} lines")
            found.append(dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise BadFile(rows.line_num, "bad_csv", f"this is no CSV: {error}") from None
    return found


def file(
    book: OfBook, source: str, rows: Sequence[Mapping[str, Any]], merchant: UUID | None = None, *, header: int = 1
) -> File:
    """The lines of a file. `header` is how many lines stand before the first row. Raises BadFile.

    A line has the id that its content has: told again in another file it is the same line. A till that tells a thing twice
    in one file has told it twice.
    """
    if len(rows) > LARGEST_FILE:
        raise BadFile(LARGEST_FILE + header + 1, "too_many_lines", f"a file has at most {LARGEST_FILE} lines")
    told: list[tuple[dict[str, Any], list[Any]]] = []
    for n, row in enumerate(rows, 1 + header):
        facts = _facts(n, source, row, book.currency)
        told.append((facts, [facts[name].isoformat() if name == "at" else facts[name] for name in sorted(facts)]))
    if not told:
        raise BadFile(header + 1, "empty_file", "the file has no lines")
    digest = hashlib.sha256(ledger.canonical([source, merchant, [content for _, content in told]])).digest()
    times: Counter[bytes] = Counter()
    lines: list[Line] = []
    for facts, content in told:
        entry = facts.pop("entry", "")
        name = ledger.canonical(entry or content)
        times[name] += 1
        if entry and times[name] > 1:
            raise BadFile(header + 1 + len(lines), "duplicate_entry", "the file has this entry twice")
        id = line_id(book.public_id, "told", source, merchant, bool(entry), name.decode(), times[name])
        lines.append(Line(id, source, "theirs", merchant_id=merchant, **facts))
    return File(line_id(book.public_id, "file", source, merchant, digest.hex()), source, digest, lines)


def _facts(n: int, source: str, row: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """The fields of a line."""
    form = FORMS[source]

    def text(name: str, *, required: bool = False) -> str:
        found = row.get(name)
        value = "" if found is None else str(found).strip()
        if required and not value:
            raise BadFile(n, f"missing_{name}", f"line {n} has no {name}")
        if len(value) > LONGEST_FIELD:
            raise BadFile(n, "too_long", f"{name} of line {n} is longer than {LONGEST_FIELD}")
        if _UNSAFE.search(value):
            raise BadFile(n, "unsafe_text", f"{name} of line {n} has a character that cannot be seen")
        return value

    def number(name: str, *, required: bool = False) -> int | None:
        value = text(name, required=required)
        if not value:
            return None
        if not _NUMBER.fullmatch(value) or not value.isascii() or abs(int(value)) > LARGEST_AMOUNT:
            raise BadFile(n, f"bad_{name}", f"{name} of line {n} is no whole number of a size there is")
        return int(value)

    kind = text("kind") or ("transfer" if source != "till" else "")
    if kind not in form.kinds:
        raise BadFile(n, "bad_kind", f"kind of line {n} is one of {', '.join(form.kinds)}")
    amount = number("amount", required=True)
    assert amount is not None
    at = _time(n, text("at", required=True))
    if source == "till":
        points = number("points")
        if amount < 0 or (points or 0) < 0:
            raise BadFile(
                n, "bad_amount", f"amounts and points of line {n} are not below zero: its kind says which way"
            )
        sign = -1 if kind == "refund" else 1
        return {
            "kind": kind,
            "at": at,
            "amount_minor": sign * amount,
            "points": None if points is None else sign * points,
            "reference": text("external_reference", required=True),
            "original": text("original_reference"),
        }
    if amount == 0:
        raise BadFile(n, "bad_amount", f"line {n} moves nothing")
    if text("currency") not in ("", currency):
        raise BadFile(n, "bad_currency", f"the book's currency is {currency}")
    return {
        "kind": kind,
        "at": at,
        "amount_minor": amount,
        "fee_minor": number("fee") or 0,
        "entry": text("entry"),
        **{name: text(name) for name in ("reference", "text", "party", "batch", "original")},
    }


def _time(n: int, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00")) if _TIME.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None or not 1971 <= found.year <= 2199:
        raise BadFile(n, "bad_at", f"at of line {n} is no time such as 2017-01-31T09:30:00Z")
    return found.astimezone(UTC)
