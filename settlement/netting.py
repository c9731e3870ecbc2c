"""From what everybody owes everybody to one position each. Pure; the order of what comes in never matters."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

import ledger
from settlement import fees


class Flow(NamedTuple):
    """The slices of one window that settle alike, added up. Points and value are negative where refunds prevail."""

    issuer_id: UUID
    acceptor_id: UUID
    funding: str
    unit_value_minor: int
    points: int
    # what the issuer owes the acceptor; 0 for the acceptor's own lots and closed-loop ones
    value_minor: int
    items: int


class Charge(NamedTuple):
    """A payer's fees of one window: exact, and the items that are nothing but a fee."""

    millionths: int
    items: int


class Position(NamedTuple):
    """What a party has to receive (positive) or to pay: position == receivable - payable - fee.

    A merchant and its backing are one party: `backing` is what its backing pays for its prefunded lots, `account` what
    is left to be paid in or out. The operator's account is its fees, booked at once.
    """

    party_id: UUID
    position_minor: int
    backing_minor: int
    account_minor: int
    receivable_minor: int
    payable_minor: int
    fee: fees.Fee
    items: int


class Bilateral(NamedTuple):
    """What one party owes another in a window: never negative; net refunds are owed the other way."""

    debtor_id: UUID
    creditor_id: UUID
    value_minor: int
    points: int


class Netted(NamedTuple):
    positions: list[Position]
    bilateral: list[Bilateral]
    totals: dict[str, Any]


def net(flows: Iterable[Flow], charges: Mapping[UUID, Charge], carries: Mapping[UUID, int], operator: UUID) -> Netted:
    """Positions that sum to zero, the matrix that explains each, and what netting saved."""
    flows = list(flows)
    receivable: Counter[UUID] = Counter()
    payable: Counter[UUID] = Counter()
    backing: Counter[UUID] = Counter()
    items: Counter[UUID] = Counter()
    owed: defaultdict[tuple[UUID, UUID], list[int]] = defaultdict(lambda: [0, 0])
    for flow in flows:
        for party in {flow.issuer_id, flow.acceptor_id}:
            items[party] += flow.items
        if flow.issuer_id == flow.acceptor_id:
            assert flow.value_minor == 0, flow
            continue
        receivable[flow.acceptor_id] += flow.value_minor
        payable[flow.issuer_id] += flow.value_minor
        if flow.funding == "prefunded":
            backing[flow.issuer_id] += flow.value_minor
        pair = owed[flow.issuer_id, flow.acceptor_id]
        pair[0] += flow.value_minor
        pair[1] += flow.points
    for payer, charge in charges.items():
        items[payer] += charge.items
    paid: dict[UUID, fees.Fee] = {}
    # the operator pays no fee, whatever it owes or is owed besides
    items.pop(operator, None)
    for payer in items.keys() | charges.keys() | {party for party, carry in carries.items() if carry}:
        charge = charges.get(payer, Charge(0, 0))
        paid[payer] = fees.of_window(charge.millionths, carries.get(payer, 0))
        if paid[payer].minor:
            owed[payer, operator][0] += paid[payer].minor
    assert operator not in paid, "the operator neither issues, accepts nor pays fees"
    positions = []
    for party, fee in paid.items():
        position = receivable[party] - payable[party] - fee.minor
        positions.append(
            Position(
                party,
                position,
                backing[party],
                position + backing[party],
                receivable[party],
                payable[party],
                fee,
                items[party],
            )
        )
    sides = (receivable[operator], payable[operator])
    positions.append(_of_operator(operator, [fee.minor for fee in paid.values()], *sides))
    positions.sort(key=lambda p: p.party_id)
    assert sum(p.position_minor for p in positions) == 0, "positions do not sum to zero"
    bilateral = _matrix(owed)
    return Netted(positions, bilateral, _totals(flows, positions, bilateral))


def _of_operator(operator: UUID, paid: list[int], receivable: int, payable: int) -> Position:
    """Its fees, and what it has of merchants, or owes them, by adjustments: what they bear of another's failure."""
    earned = receivable + sum(fee for fee in paid if fee > 0)
    given = payable - sum(fee for fee in paid if fee < 0)
    return Position(operator, earned - given, 0, earned - given, earned, given, fees.Fee(0, 0, 0, 0), 0)


def _matrix(owed: Mapping[tuple[UUID, UUID], list[int]]) -> list[Bilateral]:
    cells: defaultdict[tuple[UUID, UUID], list[int]] = defaultdict(lambda: [0, 0])
    for (debtor, creditor), (value, points) in owed.items():
        pair, sign = ((debtor, creditor), 1) if value >= 0 else ((creditor, debtor), -1)
        cells[pair][0] += sign * value
        cells[pair][1] += sign * points
    return [Bilateral(*pair, *cell) for pair, cell in sorted(cells.items()) if cell != [0, 0]]


def _totals(flows: list[Flow], positions: list[Position], bilateral: list[Bilateral]) -> dict[str, Any]:
    gross = sum(row.value_minor for row in bilateral)
    pairs: Counter[frozenset[UUID]] = Counter()
    for row in bilateral:
        pairs[frozenset((row.debtor_id, row.creditor_id))] += (
            row.value_minor if row.debtor_id < row.creditor_id else -row.value_minor
        )
    multilateral = sum(p.position_minor for p in positions if p.position_minor > 0)
    return {
        "gross_minor": gross,
        "bilateral_minor": sum(abs(value) for value in pairs.values()),
        "multilateral_minor": multilateral,
        "saving_ppm": saving_ppm(gross, multilateral),
        "fees_minor": sum(p.fee.minor for p in positions),
        "points": sum(flow.points for flow in flows),
        "slices": sum(flow.items for flow in flows),
    }


def saving_ppm(gross: int, multilateral: int) -> int:
    """The share of the gross that needs no payment, in parts per million, rounded down; 0 where nobody owes anything."""
    return (gross - multilateral) * ledger.PPM // gross if gross else 0


def positions_hash(book: UUID, number: int, positions: Iterable[Position]) -> bytes:
    """SHA-256 of the canonical positions: what is advised, submitted and approved.

    Millionths are hashed as text: they may pass 2**53, beyond which JSON numbers are no longer exact.
    """
    rows = [
        [
            p.party_id,
            p.position_minor,
            p.backing_minor,
            p.account_minor,
            p.receivable_minor,
            p.payable_minor,
            str(p.fee.millionths),
            str(p.fee.carry_in),
            p.fee.minor,
            str(p.fee.carry_out),
            p.items,
        ]
        for p in sorted(positions, key=lambda p: p.party_id)
    ]
    return hashlib.sha256(ledger.canonical([1, book, number, rows])).digest()
