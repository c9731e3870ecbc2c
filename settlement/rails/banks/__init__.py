"""Bank files: what is written and read, as pure functions. A file is taken whole or not at all."""

import re
from typing import Final

from settlement.rails.banks import accounts, camt, mt940, pain, sheet, tree
from settlement.rails.banks.lines import CODES, BadFile, BankLine, Expected, Statement, refuse
from settlement.rails.banks.pain import Order, Party, Report, Status, Transfer

_ISO: Final = re.compile(r"urn:iso:std:iso:20022:tech:xsd:((?:camt|pain)\.[0-9]{3})\.001\.[0-9]{2}")


def read_statements(raw: bytes, expected: Expected) -> list[Statement]:
    """The statements of a camt.053, camt.054, MT940 or CSV file, told apart by what is in it; or BadFile."""
    if _is_xml(raw):
        document = tree.read(raw)
        kind = _kind(document)
        if kind not in camt.KINDS:
            refuse("file_unknown", f"{kind} is no statement")
        found = camt.statements(document, kind, expected)
    else:
        text = _text(raw)
        if sheet.is_one(text):
            found = [sheet.statement(text, expected)]
        elif re.match(r"\s*(\{1:|:20:)", text):
            found = mt940.statements(text.lstrip(), expected)
        else:
            refuse("file_unknown", "neither camt.053, camt.054, MT940 nor our CSV")
    if len({(one.account, one.id) for one in found}) != len(found):
        refuse("field_invalid", "one statement comes twice")
    return found


def read_report(raw: bytes, expected: Expected) -> Report:
    """A pain.002; or BadFile."""
    if not _is_xml(raw):
        _text(raw)
        refuse("file_unknown", "no pain.002")
    document = tree.read(raw)
    if _kind(document) != "pain.002":
        refuse("file_unknown", "no pain.002")
    return pain.report(document, expected)


def _is_xml(raw: bytes) -> bool:
    if raw[:2] in (b"\x1f\x8b", b"PK", b"BZ") or raw[:6] == b"\xfd7zXZ\x00" or raw[:4] == b"\x28\xb5\x2f\xfd":
        refuse("file_packed", "send the file itself, not packed")
    return raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


def _kind(document: tree.Element) -> str:
    match = _ISO.fullmatch(document.space)
    if document.name != "Document" or match is None:
        refuse("file_unknown", "the namespace is none that is known here")
    return match[1]


def _text(raw: bytes) -> str:
    """UTF-8; what is none is what banks wrote before."""
    if b"\0" in raw:
        refuse("file_unknown", "it is no text")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


__all__ = [
    "CODES",
    "BadFile",
    "BankLine",
    "Expected",
    "Order",
    "Party",
    "Report",
    "Statement",
    "Status",
    "Transfer",
    "accounts",
    "pain",
    "read_report",
    "read_statements",
]
