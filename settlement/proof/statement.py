"""A merchant's signed statement of a window, proved from its file alone. Pure.

Each party of a window has a tree of its own items, as it may see them, and a leaf that tells its position, its fees, its
counterparties and the root of those items; the leaves of all parties make the tree whose root is in the window's head. So
a file proves what it holds, and that it holds all that the signed leaf counts.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from . import merkle, shapes, window
from .reading import Fault, canonical
from .shapes import HASH, SIGNED, TIME, count, exactly, fields, id_of, many, optional, text, whole, written

SCHEMA: Final = "manex.statement.1"
PARTY_SCHEMA: Final = "manex.party.1"

ONE: Final = 1_000_000

#: An item as its merchant reads it. What is hashed is all of it but `leaf`.
ITEM: Final = {
    "item": id_of("itm"),
    "sequence": count,
    "ordinal": count,
    "at": TIME,
    "kind": text,
    "reason": text,
    "subject": optional(written("[a-z]{3}_[0-9a-f]{32}", "an id")),
    "lot": optional(id_of("lot")),
    "counterparty": optional(id_of("mer")),
    # of a slice, its lot's; of an amount that follows from no lot, what it is
    "funding": optional(exactly("prefunded", "deferred", "closed_loop", "share", "adjustment", "charge_back")),
    "unit_value_minor": optional(count),
    "accepted_points": whole,
    "redeemed_points": whole,
    "own_points": whole,
    "receivable_minor": whole,
    "payable_minor": whole,
    "fee_base_minor": whole,
    "fee_ppm": count,
    "fee_millionths": SIGNED,
}

#: What is owed and follows from no lot: a share of another's failure, what was put right, a top-up taken back.
_LOTLESS: Final = ("share", "adjustment", "charge_back")
_POINTS: Final = ("accepted_points", "redeemed_points", "own_points")
_BETWEEN: Final = ("accepted_points", "receivable_minor", "redeemed_points", "payable_minor")

PARTY: Final = fields(
    schema=exactly(PARTY_SCHEMA),
    merchant=id_of("mer"),
    statement=id_of("stm"),
    items=count,
    items_root=HASH,
    own_points=whole,
    receivable_minor=whole,
    payable_minor=whole,
    fee=fields(millionths=SIGNED, carry_in_millionths=SIGNED, fee_minor=whole, carry_out_millionths=SIGNED),
    position_minor=whole,
    # what the merchant's own backing pays, and what is left to be paid in (below zero) or out
    backing_minor=whole,
    account_minor=whole,
    counterparties=many(fields(merchant=id_of("mer"), **dict.fromkeys(_BETWEEN, whole))),
)

STATEMENT: Final = fields(
    schema=exactly(SCHEMA),
    head=window.HEAD,
    signature=window.SIGNED_BY,
    party=PARTY,
    # from the party's leaf to the root of all parties
    place=fields(index=count, path=many(HASH, merkle.LONGEST_PATH)),
    items=many(fields(leaf=HASH, **ITEM)),
)


def verify(document: Any, trusted: set[bytes] | None = None) -> None:
    """Malformed where the document is no statement, Fault at the first thing that does not hold; nothing when all does.

    Without `trusted` keys the signature is checked against the key in the document itself.
    """
    STATEMENT(document, "")
    window.check(document, trusted)
    head, party = document["head"], document["party"]
    _check_items(head, party, document["items"])
    _check_sums(party, document["items"])
    _check_place(head, party, document["place"])


def check_carry(document: Any, before: Any) -> None:
    """That the fee's carry comes in as it went out of the merchant's statement of the window before."""
    if document["party"]["merchant"] != before["party"]["merchant"]:
        raise Fault("/party/merchant", "the statement given as the one before is another merchant's")
    if document["party"]["fee"]["carry_in_millionths"] != before["party"]["fee"]["carry_out_millionths"]:
        raise Fault("/party/fee/carry_in_millionths", "is not what the window before carried out")


def _check_items(head: Any, party: Any, items: list[Any]) -> None:
    if party["items"] != len(items):
        raise Fault("/items", f"has {len(items)}, the signed leaf counts {party['items']}")
    tree = merkle.Folding(merkle.node)
    before = (-1, -1)
    for n, item in enumerate(items):
        at = f"/items/{n}"
        leaf = merkle.leaf(canonical({name: value for name, value in item.items() if name != "leaf"}))
        if leaf.hex() != item["leaf"]:
            raise Fault(at, f"{item['item']} is not what its leaf was made of")
        place = (item["sequence"], item["ordinal"])
        if place <= before:
            raise Fault(at, "comes twice, or out of order")
        if not head["first_sequence"] <= item["sequence"] <= head["last_sequence"]:
            raise Fault(f"{at}/sequence", "lies outside the window")
        before = place
        _check_item(head["book"], item, at)
        tree.add(leaf)
    if tree.root(merkle.EMPTY).hex() != party["items_root"]:
        raise Fault("/items", "together they do not make the root that is signed")


def _check_item(book: str, item: Mapping[str, Any], at: str) -> None:
    """What an item says of itself: its id, its worth, its fee."""
    if item["item"] != window.derived("itm", book, item["sequence"], "item", item["ordinal"]):
        raise Fault(f"{at}/item", "is not the id of the item at this place")
    if int(item["fee_millionths"]) != item["fee_base_minor"] * item["fee_ppm"]:
        raise Fault(f"{at}/fee_millionths", "is not the rate's share of its base")
    if item["kind"] == "adjustment":
        _check_adjustment(item, at)
    if item["kind"] != "slice":
        return
    if item["funding"] in _LOTLESS:
        raise Fault(f"{at}/funding", "is no lot's")
    unit = 0 if item["funding"] == "closed_loop" else item["unit_value_minor"]
    if unit is None or item["funding"] is None:
        raise Fault(f"{at}/unit_value_minor", "a slice without a value")
    if item["receivable_minor"] != item["accepted_points"] * unit:
        raise Fault(f"{at}/receivable_minor", "is not the points accepted at the lot's value")
    if item["fee_ppm"] and item["fee_base_minor"] != item["receivable_minor"]:
        raise Fault(f"{at}/fee_base_minor", "is not what the slice is worth to its acceptor")
    if item["payable_minor"] != item["redeemed_points"] * unit:
        raise Fault(f"{at}/payable_minor", "is not the points redeemed at the lot's value")


def _check_adjustment(item: Mapping[str, Any], at: str) -> None:
    """An amount between two parties that follows from no lot: it moves no points and bears no fee."""
    if item["funding"] not in _LOTLESS or item["funding"] != item["reason"] or item["lot"] is not None:
        raise Fault(f"{at}/funding", "an adjustment that is not one")
    if any(item[name] for name in ("unit_value_minor", *_POINTS, "fee_base_minor", "fee_ppm")):
        raise Fault(at, "an adjustment that moves points or bears a fee")
    if item["counterparty"] is None or (item["receivable_minor"] and item["payable_minor"]):
        raise Fault(f"{at}/counterparty", "an adjustment is owed by one to another")


def _check_sums(party: Any, items: list[Any]) -> None:
    """Every figure of the leaf, from the items and from the figures before it."""
    found: Counter[str] = Counter()
    between: Counter[tuple[str, str]] = Counter()
    for item in items:
        for name in ("own_points", "receivable_minor", "payable_minor"):
            found[name] += item[name]
        found["backing_minor"] += item["payable_minor"] if item["funding"] == "prefunded" else 0
        found["millionths"] += int(item["fee_millionths"])
        if item["counterparty"] is not None:
            for name in _BETWEEN:
                between[item["counterparty"], name] += item[name]
    for name in ("own_points", "receivable_minor", "payable_minor", "backing_minor"):
        _same(f"/party/{name}", party[name], found[name])
    told: dict[tuple[str, str], int] = {}
    for n, other in enumerate(party["counterparties"]):
        for name in _BETWEEN:
            if (other["merchant"], name) in told:
                raise Fault(f"/party/counterparties/{n}", "comes twice")
            told[other["merchant"], name] = other[name]
            _same(f"/party/counterparties/{n}/{name}", other[name], between[other["merchant"], name])
    for other, name in sorted(between.keys() - told.keys()):
        if between[other, name]:
            raise Fault("/party/counterparties", f"{other} is missing")
    _check_fee(party["fee"], found["millionths"])
    net = party["receivable_minor"] - party["payable_minor"] - party["fee"]["fee_minor"]
    _same("/party/position_minor", party["position_minor"], net)
    _same("/party/account_minor", party["account_minor"], net + party["backing_minor"])


def _check_fee(fee: Any, millionths: int) -> None:
    """Rounded once, half to even; what is left over is carried."""
    _same("/party/fee/millionths", int(fee["millionths"]), millionths)
    whole, rest = divmod(millionths + int(fee["carry_in_millionths"]), ONE)
    if rest * 2 > ONE or (rest * 2 == ONE and whole % 2):
        whole, rest = whole + 1, rest - ONE
    _same("/party/fee/fee_minor", fee["fee_minor"], whole)
    _same("/party/fee/carry_out_millionths", int(fee["carry_out_millionths"]), rest)


def _check_place(head: Any, party: Any, place: Any) -> None:
    told = window.derived("stm", head["book"], head["last_sequence"], f"position:{window.uuid(party['merchant'])}")
    if party["statement"] != told:
        raise Fault("/party/statement", "is not the id of this merchant's statement of this window")
    leaf = merkle.leaf(canonical(party))
    path = [bytes.fromhex(part) for part in place["path"]]
    root = merkle.climbed(leaf, place["index"], head["statements"]["parties"], path, merkle.node)
    if root is None:
        raise Fault("/place", "no such place in a tree of so many parties")
    if root.hex() != head["statements"]["root"]:
        raise Fault("/place/path", "does not lead from the merchant's leaf to the root that is signed")


def _same(at: str, told: int, found: int) -> None:
    if told != found:
        raise Fault(at, f"says {told}, and it is {found}")


def shown(document: Any) -> list[str]:
    """What a verified statement comes to, in words."""
    head, party = document["head"], document["party"]
    return [
        f"{party['items']} items of {party['merchant']} in window {head['number']} of {head['network']}"
        f" ({head['mode']}), sequence {head['first_sequence']} to {head['last_sequence']}",
        f"position {party['position_minor']} {head['currency']} in minor units (exponent {head['exponent']}):"
        f" receivable {party['receivable_minor']} - payable {party['payable_minor']}"
        f" - fee {party['fee']['fee_minor']}",
        f"to be paid {'in' if party['account_minor'] < 0 else 'out'}: {abs(party['account_minor'])}",
    ]


__all__ = ["ITEM", "PARTY_SCHEMA", "SCHEMA", "check_carry", "shapes", "shown", "verify"]
