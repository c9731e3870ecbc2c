"""Public ids: a prefix that says what it names, and a time-ordered UUID (RFC 9562, version 7) in hex."""

import hashlib
import re
from uuid import UUID

from uuid_utils import compat

_DIGITS = re.compile(r"[0-9a-f]{32}")

PREFIXES = {
    "book": "bok",
    "merchant": "mer",
    "branch": "brn",
    "till": "til",
    "member": "mem",
    "device": "dev",
    "session": "ses",
    "record": "rec",
    "sale": "sal",
    "redemption": "red",
    "refund": "ref",
    "voucher": "vch",
    "lot": "lot",
    "gift": "gft",
    "household": "hhd",
    "debt": "dbt",
    "hold": "hld",
    "key": "key",
    "request": "req",
    "contract": "con",
    "terms": "ter",
    "ladder": "lad",
    "entitlement": "ent",
    "entitlement_grant": "egr",
    "entitlement_use": "use",
    "sponsorship": "spo",
    "segment": "seg",
    "offer": "off",
    "operator": "opr",
    "window": "win",
    "item": "itm",
    "position": "pos",
    "statement": "stm",
    "payment": "pay",
    "topup": "top",
    "purchase": "pur",
    "flag": "flg",
    "break": "brk",
    "match": "mat",
    "line": "lin",
    "file": "fil",
    "instruction": "ins",
    "payout_file": "pof",
    "bank_statement": "bst",
}


def new() -> UUID:
    """A fresh UUIDv7."""
    return compat.uuid7()


def derived(book: UUID, sequence: int, kind: str, ordinal: int = 0) -> UUID:
    """The id of a row derived from the stream: the same on every rebuild."""
    digest = hashlib.sha256(b"%s|%d|%s|%d" % (book.bytes, sequence, kind.encode(), ordinal)).digest()[:16]
    # version 8 (RFC 9562): custom
    return UUID(
        bytes=digest[:6]
        + bytes([digest[6] & 0x0F | 0x80])
        + digest[7:8]
        + bytes([digest[8] & 0x3F | 0x80])
        + digest[9:]
    )


def show(what: str, value: UUID) -> str:
    """`show("sale", u)` is `sal_<32 hex digits>`."""
    return f"{PREFIXES[what]}_{value.hex}"


def read(what: str, text: str) -> UUID | None:
    """The UUID behind a public id, or None when the text is not one of that kind."""
    prefix, _, digits = text.partition("_")
    # one way of writing each: UUID itself would also take signs, blanks and underscores
    if prefix != PREFIXES[what] or not _DIGITS.fullmatch(digits):
        return None
    return UUID(hex=digits)
