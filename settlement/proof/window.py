"""The head of a window: what the network signs of it. Statements and the public supply both end there. Pure."""

import hashlib
from typing import Any, Final
from uuid import UUID

from . import keys, shapes, sums
from .reading import Fault, canonical
from .shapes import HASH, SIGNED, SUM, TIME, count, exactly, fields, id_of, text

SCHEMA: Final = "manex.window.1"
#: What is hashed and signed begins with this, so that no signature is taken for one of another kind.
CONTEXT: Final = SCHEMA.encode() + b"\n"
#: `previous` in the head of a book's first window.
FIRST: Final = "0" * 64

HEAD: Final = fields(
    schema=exactly(SCHEMA),
    book=id_of("bok"),
    network=text,
    mode=exactly("live", "test"),
    currency=text,
    exponent=count,
    window=id_of("win"),
    number=count,
    opened_at=TIME,
    closed_at=TIME,
    first_sequence=count,
    last_sequence=count,
    # of the ledger's batch that holds the record of the close
    ledger_hash=HASH,
    # of the positions, as people approve them
    positions_hash=HASH,
    # of the head of the window before
    previous=HASH,
    statements=fields(parties=count, items=count, root=HASH),
    supply=fields(
        members=count,
        root=HASH,
        held=fields(**dict.fromkeys(sums.NAMES, SUM)),
        accepted=fields(**dict.fromkeys(sums.NAMES, SIGNED)),
        open=fields(**dict.fromkeys(sums.NAMES, SIGNED)),
    ),
)

SIGNED_BY: Final = fields(kid=shapes.KEY, x=shapes.KEY, value=shapes.SIGNATURE)


def message(head: Any) -> bytes:
    """What is signed."""
    return CONTEXT + canonical(head)


def digest(head: Any) -> str:
    return hashlib.sha256(message(head)).hexdigest()


def signature(signer: keys.Signer, head: Any) -> dict[str, str]:
    return {
        "kid": signer.kid,
        "x": keys.base64url(signer.x),
        "value": keys.base64url(signer.sign(message(head))),
    }


def check(document: Any, trusted: set[bytes] | None) -> None:
    """The signature of the document's head, by a key that is trusted where any are named; the head's own sense."""
    head, told = document["head"], document["signature"]
    x = keys.plain(told["x"])
    if told["kid"] != keys.thumbprint(x):
        raise Fault("/signature/kid", "is not the thumbprint of the key beside it")
    if trusted is not None and x not in trusted:
        raise Fault("/signature/x", "signed by a key that is not among those given")
    if not keys.is_signed(x, keys.plain(told["value"]), message(head)):
        raise Fault("/signature/value", "does not sign this head")
    if head["window"] != derived("win", head["book"], head["number"], "window"):
        raise Fault("/head/window", "is not the id of the book's window of this number")
    if head["first_sequence"] > head["last_sequence"]:
        raise Fault("/head/last_sequence", "is before the first")
    if (head["number"] == 1) != (head["previous"] == FIRST):
        raise Fault("/head/previous", "only the first window has none before it")
    supply = head["supply"]
    for name in sums.NAMES:
        if int(supply["held"][name]) + int(supply["accepted"][name]) != int(supply["open"][name]):
            raise Fault(f"/head/supply/open/{name}", "is not what members hold and what shops accepted")


def check_link(head: Any, before: Any) -> None:
    """That `before` is the head that this one follows."""
    if (head["book"], head["number"]) != (before["book"], before["number"] + 1):
        raise Fault("/head/number", "the window given as the one before is not")
    if head["first_sequence"] != before["last_sequence"] + 1:
        raise Fault("/head/first_sequence", "does not follow the last of the window before")
    if head["previous"] != digest(before):
        raise Fault("/head/previous", "is not the hash of the window before")


def derived(prefix: str, book: str, sequence: int, kind: str, ordinal: int = 0) -> str:
    """The id of what follows from the stream: a UUID of version 8 from SHA-256 over book, sequence, kind and ordinal."""
    told = f"|{sequence}|{kind}|{ordinal}".encode()
    found = bytearray(hashlib.sha256(bytes.fromhex(book.partition("_")[2]) + told).digest()[:16])
    found[6] = found[6] & 0x0F | 0x80
    found[8] = found[8] & 0x3F | 0x80
    return f"{prefix}_{bytes(found).hex()}"


def uuid(id: str) -> str:
    """The UUID of a public id, as it is written inside the kind of a derived one."""
    return str(UUID(hex=id.partition("_")[2]))
