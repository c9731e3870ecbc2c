"""What a merchant is told of a window: its position, where it comes from, and every item that adds up to it."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import ledger
from ledger import Book, Tx
from settlement import fees, store
from settlement.netting import Flow, Position
from settlement.steps import Window
from settlement.store import ItemRow

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class Counterparty:
    """What passed between the merchant and one other in the window, both ways."""

    party_id: UUID
    # the other's points accepted here, and what the other owes for them
    accepted_points: int
    receivable_minor: int
    # our points redeemed there, and what we owe for them
    redeemed_points: int
    payable_minor: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A merchant's statement of a window. It is its position told in full, and has the position's id."""

    id: UUID
    book: Book
    window: Window
    merchant_id: UUID
    position: Position
    # the merchant's own points redeemed at its own tills: nobody owes anybody
    own_points: int
    counterparties: tuple[Counterparty, ...]


def statement(tx: Tx, book: Book, number: int, merchant: UUID) -> Statement | None:
    """The statement of a netted window; None where the merchant has no position in it."""
    found = store.position_of(tx, book.id, number, merchant)
    window = store.window(tx, book.id, number)
    if found is None or window is None or merchant == book.operator_id:
        return None
    id, position = found
    own, others = by_counterparty(store.flows(tx, book.id, number, merchant=merchant), merchant)
    return Statement(id, book, window, merchant, position, own, others)


def by_counterparty(flows: Iterable[Flow], merchant: UUID) -> tuple[int, tuple[Counterparty, ...]]:
    """The merchant's own points, and what passed with each other party. Pure."""
    own = 0
    sums: defaultdict[UUID, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for flow in flows:
        if flow.issuer_id == flow.acceptor_id:
            own += flow.points
        elif flow.acceptor_id == merchant:
            sums[flow.issuer_id][0] += flow.points
            sums[flow.issuer_id][1] += flow.value_minor
        else:
            sums[flow.acceptor_id][2] += flow.points
            sums[flow.acceptor_id][3] += flow.value_minor
    return own, tuple(Counterparty(party, *sums[party]) for party in sorted(sums))


def items(tx: Tx, statement: Statement) -> Iterator[ItemRow]:
    """Every item of a statement, a page in memory at a time."""
    return store.all_items(tx, statement.book.id, statement.window.number, statement.merchant_id)


def document(statement: Statement, items: Iterable[ItemRow]) -> dict[str, Any]:
    """The statement as JSON: public ids, minor units, items and all."""
    show = ledger.ids.show
    window, position, book = statement.window, statement.position, statement.book
    return {
        "statement": show("statement", statement.id),
        "book": show("book", book.public_id),
        "network": book.network,
        "currency": book.currency,
        "exponent": book.exponent,
        "merchant": show("merchant", statement.merchant_id),
        "window": {
            "id": show("window", window.id),
            "number": window.number,
            "opened_at": window.opened_at,
            "closed_at": window.closed_at,
            "first_sequence": window.first_sequence,
            "last_sequence": window.last_sequence,
            "ledger_hash": window.ledger_hash.hex() if window.ledger_hash else None,
            "positions_hash": window.positions_hash.hex() if window.positions_hash else None,
        },
        "position": {
            "position_minor": position.position_minor,
            "receivable_minor": position.receivable_minor,
            "payable_minor": position.payable_minor,
            "backing_minor": position.backing_minor,
            "account_minor": position.account_minor,
            "fee": {
                "millionths": position.fee.millionths,
                "carry_in_millionths": position.fee.carry_in,
                "fee_minor": position.fee.minor,
                "carry_out_millionths": position.fee.carry_out,
            },
            "items": position.items,
        },
        "own_points": statement.own_points,
        "counterparties": [
            {
                "merchant": show("merchant", c.party_id),
                "accepted_points": c.accepted_points,
                "receivable_minor": c.receivable_minor,
                "redeemed_points": c.redeemed_points,
                "payable_minor": c.payable_minor,
            }
            for c in statement.counterparties
        ],
        "items": [dict(line(row, statement.merchant_id)) for row in items],
    }


def line(row: ItemRow, merchant: UUID) -> dict[str, Any]:
    """An item as its merchant reads it: columns of equal name add up to the statement's totals."""
    item, show = row.item, ledger.ids.show
    other = next((party for party in (item.issuer_id, item.acceptor_id) if party not in (None, merchant)), None)
    accepted = item.acceptor_id == merchant
    return {
        "item": show("item", row.id),
        "sequence": item.sequence,
        "ordinal": item.ordinal,
        "at": item.at,
        "kind": item.kind,
        "reason": item.reason,
        "subject": show(item.about, item.subject_id) if item.subject_id else None,
        "lot": show("lot", item.lot_id) if item.lot_id else None,
        "counterparty": show("merchant", other) if other else None,
        "funding": item.funding,
        "unit_value_minor": item.unit_value_minor,
        "accepted_points": item.points if accepted and other else 0,
        "redeemed_points": item.points if not accepted and other else 0,
        "own_points": item.points if not other else 0,
        "receivable_minor": item.value_minor if accepted else 0,
        "payable_minor": 0 if accepted else item.value_minor,
        "fee_base_minor": item.fee_base_minor,
        "fee_ppm": item.fee_ppm,
        "fee_millionths": item.fee_millionths,
    }


def check(document: Mapping[str, Any]) -> list[str]:
    """What of a statement does not add up; empty when its items prove every figure. Pure: needs the document only."""
    position, fee, lines = document["position"], document["position"]["fee"], document["items"]
    wrong = []

    def same(what: str, told: int, found: int) -> None:
        if told != found:
            wrong.append(f"{what} says {told}, the items say {found}")

    same("items", position["items"], len(lines))
    same("receivable_minor", position["receivable_minor"], sum(x["receivable_minor"] for x in lines))
    same("payable_minor", position["payable_minor"], sum(x["payable_minor"] for x in lines))
    same(
        "backing_minor",
        position["backing_minor"],
        sum(x["payable_minor"] for x in lines if x["funding"] == "prefunded"),
    )
    same("own_points", document["own_points"], sum(x["own_points"] for x in lines))
    same("fee.millionths", fee["millionths"], sum(x["fee_millionths"] for x in lines))
    for x in lines:
        same(f"fee of {x['item']}", x["fee_millionths"], fees.charge(x["fee_base_minor"], x["fee_ppm"]))
    rounded = fees.of_window(fee["millionths"], fee["carry_in_millionths"])
    same("fee_minor", fee["fee_minor"], rounded.minor)
    same("carry_out_millionths", fee["carry_out_millionths"], rounded.carry_out)
    same(
        "position_minor",
        position["position_minor"],
        position["receivable_minor"] - position["payable_minor"] - rounded.minor,
    )
    same("account_minor", position["account_minor"], position["position_minor"] + position["backing_minor"])
    for name in ("accepted_points", "receivable_minor", "redeemed_points", "payable_minor"):
        found: defaultdict[str, int] = defaultdict(int)
        for x in lines:
            if x["counterparty"] is not None:
                found[x["counterparty"]] += x[name]
        told = {c["merchant"]: c[name] for c in document["counterparties"]}
        for party in sorted(found.keys() | told.keys()):
            same(f"{name} with {party}", told.get(party, 0), found[party])
    return wrong


def as_csv(statement: Statement, items: Iterable[ItemRow], names: Mapping[UUID, str] | None = None) -> Iterator[str]:
    """The items as CSV (RFC 4180), a line at a time, and a last line with their sums.

    With `names` the counterparty is named too. Text that a spreadsheet would run as a formula is quoted away.
    """
    sums: defaultdict[str, int] = defaultdict(int)
    header: list[str] | None = None
    for row in items:
        cells = cells_of(statement, row, names or {})
        if header is None:
            header = list(cells)
            yield csv_line(header)
        for name in _SUMMED:
            sums[name] += cells[name]
        yield csv_line([cells[name] for name in header])
    if header is not None:
        yield csv_line([sums[name] if name in _SUMMED else "total" if name == "item" else "" for name in header])


def cells_of(statement: Statement, row: ItemRow, names: Mapping[UUID, str]) -> dict[str, Any]:
    """An item as a sheet has it: `line`, with the counterparty named, and the network's operator as what it is.

    What is signed names the operator as any other party, by `mer_`: windows that were sealed so have to prove so for ever.
    """
    cells, item = line(row, statement.merchant_id), row.item
    cells["at"] = item.at.isoformat()
    other = next((p for p in (item.issuer_id, item.acceptor_id) if p not in (None, statement.merchant_id)), None)
    cells["counterparty"] = None if other is None else party_shown(statement.book, other)
    cells["counterparty_name"] = "" if other is None else party_name(statement.book, other, names)
    return cells


def party_shown(book: Book, party: UUID) -> str:
    """`mer_` of a merchant, `opr_` of the network's operator."""
    return ledger.ids.show("operator" if party == book.operator_id else "merchant", party)


def party_name(book: Book, party: UUID, names: Mapping[UUID, str]) -> str:
    return OPERATOR if party == book.operator_id else names.get(party, "")


#: What a sheet calls the network's operator.
OPERATOR: Final = "the network's operator"

_SUMMED: Final = (
    "accepted_points",
    "redeemed_points",
    "own_points",
    "receivable_minor",
    "payable_minor",
    "fee_millionths",
)


def csv_line(cells: Iterable[Any]) -> str:
    """A line of CSV (RFC 4180) in which no text is a formula to a spreadsheet."""
    out = io.StringIO()
    csv.writer(out).writerow([harmless(cell) for cell in cells])
    return out.getvalue()


def harmless(cell: Any) -> Any:
    """Numbers as they are; text never begins as a formula does."""
    if cell is None:
        return ""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
