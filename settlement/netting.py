"""From what everybody owes everybody to one position each. Pure; the order of what comes in never matters."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple
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
    """Positions that sum to zero, the matrix that explains each, and what netting saved. Flows are read once, as a stream."""
    sums = _Sums()
    sums.add(flows)
    for payer, charge in charges.items():
        sums.items[sums.number(payer)] += charge.items
    # the operator pays no fee, whatever it owes or is owed besides
    parties = set(sums.ids) | {party for party, carry in carries.items() if carry}
    parties -= {operator}
    assert operator not in charges, "the operator neither issues, accepts nor pays fees"
    assert not carries.get(operator), "the operator neither issues, accepts nor pays fees"
    paid: dict[UUID, fees.Fee] = {}
    for payer in parties:
        charge = charges.get(payer, Charge(0, 0))
        paid[payer] = fees.of_window(charge.millionths, carries.get(payer, 0))
        if paid[payer].minor:
            sums.owe(payer, operator, paid[payer].minor)
    positions = []
    for party, fee in paid.items():
        n = sums.number(party)
        receivable, payable, backing = sums.receivable[n], sums.payable[n], sums.backing[n]
        position = receivable - payable - fee.minor
        positions.append(
            Position(party, position, backing, position + backing, receivable, payable, fee, sums.items[n])
        )
    n = sums.number(operator)
    positions.append(_of_operator(operator, [fee.minor for fee in paid.values()], sums.receivable[n], sums.payable[n]))
    positions.sort(key=lambda p: p.party_id.int)
    assert sum(p.position_minor for p in positions) == 0, "positions do not sum to zero"
    sums.turn()
    return Netted(positions, sums.bilateral(), _totals(sums, positions))


def _of_operator(operator: UUID, paid: list[int], receivable: int, payable: int) -> Position:
    """Its fees, and what it has of merchants, or owes them, by adjustments: what they bear of another's failure."""
    earned = receivable + sum(fee for fee in paid if fee > 0)
    given = payable - sum(fee for fee in paid if fee < 0)
    return Position(operator, earned - given, 0, earned - given, earned, given, fees.Fee(0, 0, 0, 0), 0)


#: A pair is one number: the debtor's, shifted by so many bits, and the creditor's.
_BITS: Final = 32
_CREDITOR: Final = (1 << _BITS) - 1


class _Sums:
    """Flows added up, by party and by pair. Parties go by numbers of our own: a dictionary asks a UUID for its hash and for
    equality in Python, and of the pairs of a large network there are millions.
    """

    def __init__(self) -> None:
        self.ids: list[UUID] = []
        self.receivable: list[int] = []
        self.payable: list[int] = []
        self.backing: list[int] = []
        self.items: list[int] = []
        # by pair: what its debtor owes its creditor
        self.value: dict[int, int] = {}
        self.owed_points: dict[int, int] = {}
        self.points = self.slices = 0
        self._numbers: dict[UUID, int] = {}

    def number(self, party: UUID) -> int:
        found = self._numbers.get(party)
        if found is None:
            found = self._numbers[party] = len(self.ids)
            self.ids.append(party)
            for each in (self.receivable, self.payable, self.backing, self.items):
                each.append(0)
        return found

    def add(self, flows: Iterable[Flow]) -> None:
        number, numbers = self.number, self._numbers
        value, owed_points, items = self.value, self.owed_points, self.items
        for issuer, acceptor, funding, _, points, minor, count in flows:
            self.points += points
            self.slices += count
            i, r = numbers.get(issuer), numbers.get(acceptor)
            if i is None:
                i = number(issuer)
            if r is None:
                r = number(acceptor)
            items[i] += count
            if i == r:
                assert minor == 0, (issuer, minor)
                continue
            items[r] += count
            self.receivable[r] += minor
            self.payable[i] += minor
            if funding == "prefunded":
                self.backing[i] += minor
            pair = i << _BITS | r
            value[pair] = value.get(pair, 0) + minor
            owed_points[pair] = owed_points.get(pair, 0) + points

    def owe(self, debtor: UUID, creditor: UUID, minor: int) -> None:
        pair = self.number(debtor) << _BITS | self.number(creditor)
        self.value[pair] = self.value.get(pair, 0) + minor
        self.owed_points.setdefault(pair, 0)

    def turn(self) -> None:
        """What refunds made negative is owed the other way; what is nothing at all goes."""
        turned = [
            (_turned(pair), -minor, -self.owed_points.pop(pair)) for pair, minor in self.value.items() if minor < 0
        ]
        for pair, _, _ in turned:
            del self.value[_turned(pair)]
        for pair, minor, points in turned:
            self.value[pair] = self.value.get(pair, 0) + minor
            self.owed_points[pair] = self.owed_points.get(pair, 0) + points
        for pair in [pair for pair, minor in self.value.items() if minor == 0 and self.owed_points[pair] == 0]:
            del self.value[pair]

    def bilateral(self) -> list[Bilateral]:
        """By the ids of debtor and creditor."""
        ids, rank = self.ids, [0] * len(self.ids)
        for place, n in enumerate(sorted(range(len(ids)), key=lambda n: ids[n].int)):
            rank[n] = place
        ordered = sorted(self.value, key=lambda pair: rank[pair >> _BITS] << _BITS | rank[pair & _CREDITOR])
        value, points = self.value, self.owed_points
        return [Bilateral(ids[pair >> _BITS], ids[pair & _CREDITOR], value[pair], points[pair]) for pair in ordered]

    def between(self) -> int:
        """What is left to be paid when every two parties set off what they owe each other."""
        value = self.value
        return sum(
            abs(minor - value.get(other, 0))
            for pair, minor in value.items()
            if pair < (other := _turned(pair)) or other not in value
        )


def _turned(pair: int) -> int:
    return (pair & _CREDITOR) << _BITS | pair >> _BITS


def _totals(sums: _Sums, positions: list[Position]) -> dict[str, Any]:
    gross = sum(sums.value.values())
    multilateral = sum(p.position_minor for p in positions if p.position_minor > 0)
    return {
        "gross_minor": gross,
        "bilateral_minor": sums.between(),
        "multilateral_minor": multilateral,
        "saving_ppm": saving_ppm(gross, multilateral),
        "fees_minor": sum(p.fee.minor for p in positions),
        "points": sums.points,
        "slices": sums.slices,
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
        for p in sorted(positions, key=lambda p: p.party_id.int)
    ]
    return hashlib.sha256(ledger.canonical([1, book, number, rows])).digest()
