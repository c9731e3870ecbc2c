"""The public supply of a window, and a member's receipt: one's points are inside the published total. Pure."""

from typing import Any, Final

from . import merkle, sums, window
from .reading import Fault
from .shapes import HASH, SUM, count, exactly, fields, id_of, many, written

SCHEMA: Final = "manex.supply.1"
RECEIPT_SCHEMA: Final = "manex.supply-receipt.1"
HOLDING_SCHEMA: Final = "manex.holding.1"

SUPPLY: Final = fields(schema=exactly(SCHEMA), head=window.HEAD, signature=window.SIGNED_BY)

_SUMS: Final = fields(**dict.fromkeys(sums.NAMES, SUM))

RECEIPT: Final = fields(
    schema=exactly(RECEIPT_SCHEMA),
    # the hash of the window's head
    head=HASH,
    # what the leaf is made of: the salt is nobody else's, so a hash tells nobody what a member holds
    holding=fields(
        schema=exactly(HOLDING_SCHEMA),
        window=id_of("win"),
        member=id_of("mem"),
        salt=written("[0-9a-f]{32}", "16 bytes in hexadecimal digits"),
        sums=_SUMS,
    ),
    index=count,
    path=many(fields(hash=HASH, sums=_SUMS), merkle.LONGEST_PATH),
)


def verify(document: Any, trusted: set[bytes] | None = None) -> None:
    """Malformed where the document is no supply, Fault at the first thing that does not hold."""
    SUPPLY(document, "")
    window.check(document, trusted)


def verify_receipt(receipt: Any, supply: Any) -> None:
    """That a holding is inside the total of a verified supply. Every sum beside the way is above zero or zero: what is
    written cannot be less, so nothing below zero takes away from anybody."""
    RECEIPT(receipt, "")
    head = supply["head"]
    if receipt["head"] != window.digest(head):
        raise Fault("/head", "is of another window than this supply")
    if receipt["holding"]["window"] != head["window"]:
        raise Fault("/holding/window", "is another window than this supply")
    leaf = sums.leaf(receipt["holding"], sums.heard(receipt["holding"]["sums"]))
    path = [sums.Summed(bytes.fromhex(part["hash"]), sums.heard(part["sums"])) for part in receipt["path"]]
    told = head["supply"]
    found = merkle.climbed(leaf, receipt["index"], told["members"], path, sums.join)
    if found is None:
        raise Fault("/index", "no such place among so many members")
    if found.hash.hex() != told["root"]:
        raise Fault("/path", "does not lead from this holding to the root that is signed")
    if found.sums != sums.heard(told["held"]):
        raise Fault("/path", "does not add up to the total that is published")


def shown(document: Any) -> list[str]:
    """What a verified supply says, in words."""
    head, told = document["head"], document["head"]["supply"]
    points = {name: int(told["open"][name]) for name in sums.NAMES}
    return [
        f"window {head['number']} of {head['network']} ({head['mode']}), closed {head['closed_at']}",
        f"open points: {points['prefunded_points']} prefunded, {points['deferred_points']} deferred,"
        f" {points['closed_loop_points']} closed-loop; held by {told['members']} members",
        f"owed for them: {points['prefunded_minor']} backed by money, {points['deferred_minor']} promised"
        f" ({head['currency']}, minor units, exponent {head['exponent']})",
    ]
