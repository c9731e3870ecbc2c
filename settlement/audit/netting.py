"""What everybody owes: items, contracts and positions derived again, fees rounded as exact fractions."""
# ruff: noqa: S608 - the statements are composed of this module's own constants

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final
from uuid import UUID

import ledger
from ledger.audit import Checks, Row, Scope
from settlement.audit.rows import EVENTS, OWED, derived_id, item_columns

check = Checks()


@check(
    "items_derived",
    "the items are those that captures, repayments, members' sales and refunds make, each once, in the window of its sequence",
    over="item",
)
def items_derived(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select coalesce(i.sequence, o.sequence) as sequence, coalesce(i.ordinal, o.ordinal) as ordinal,
            coalesce(i.kind, o.kind) as kind,
            case when i.sequence is null then 'missing' when o.sequence is null then 'follows from no record'
                 else 'unlike what follows from its record' end as why
        from (select o.*, {derived_id("o.sequence", "'item'", "o.ordinal")} as id
              from {OWED} o join ledger.book book on book.id = o.book_id) o
        full join (select * from settlement.item where book_id = any(%(books)s)) i
            on i.book_id = o.book_id and i.sequence = o.sequence and i.ordinal = o.ordinal
        where (i.id, {item_columns("i")}) is distinct from (o.id, {item_columns("o")})
        order by 1, 2
        """
    )


@check("contracts_derived", "the contract versions that settlement knows are those on record", over="contract")
def contracts_derived(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select coalesce(k.id, r.contract_id) as contract, k.sequence as stored, r.sequence as derived
        from (
            select r.book_id, (r.payload ->> 'contract')::uuid as contract_id, r.merchant_id, r.payload,
                b.first_sequence + r.n as sequence
            from ledger.record r join ledger.batch b on b.id = r.batch_id
            join settlement.consumer c on c.book_id = r.book_id and b.first_sequence + r.n < c.next_sequence
            where r.book_id = any(%(books)s) and r.kind = 'contract'
        ) r
        full join (select * from settlement.contract where book_id = any(%(books)s)) k on k.id = r.contract_id
        where (k.book_id, k.merchant_id, k.sequence, k.facts)
            is distinct from (r.book_id, r.merchant_id, r.sequence, r.payload)
        """
    )


# -- netting


@dataclass(slots=True)
class Sums:
    """A window as the ledger's rows add up: what each party has to receive, to pay, and in fees."""

    book: int
    public_id: UUID
    operator: UUID
    number: int
    receivable: Counter[UUID] = field(default_factory=Counter)
    payable: Counter[UUID] = field(default_factory=Counter)
    backing: Counter[UUID] = field(default_factory=Counter)
    millionths: Counter[UUID] = field(default_factory=Counter)
    items: Counter[UUID] = field(default_factory=Counter)
    owed: defaultdict[tuple[UUID, UUID], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    # (account kind, owner) -> points that settling moves into it
    points: Counter[tuple[str, UUID | None]] = field(default_factory=Counter)
    slices: int = 0
    sliced: int = 0
    # party -> (exact millionths, carry in, minor units, carry out)
    fees: dict[UUID, tuple[int, int, int, int]] = field(default_factory=dict)

    def add(
        self,
        issuer: UUID | None,
        acceptor: UUID | None,
        funding: str | None,
        payer: UUID | None,
        points: int,
        value: int,
        millionths: int,
        count: int,
    ) -> None:
        """Items that settle alike."""
        for party in {issuer, acceptor, payer} - {None, self.operator}:
            assert party is not None
            self.items[party] += count
        if payer is not None:
            self.millionths[payer] += millionths
        if issuer is None or acceptor is None:
            return
        self.slices += count
        self.sliced += points
        if funding in _OPERATORS:
            at_operator = (acceptor == self.operator) - (issuer == self.operator)
            self.points[_OPERATORS[funding], None] += at_operator * value
            self.receivable[acceptor] += value
            self.payable[issuer] += value
            self.owed[issuer, acceptor][0] += value
            return
        self.points["accepted", acceptor] -= points
        self.points[_HOME[funding or ""], issuer] += points
        if issuer != acceptor:
            self.receivable[acceptor] += value
            self.payable[issuer] += value
            self.backing[issuer] += value if funding == "prefunded" else 0
            pair = self.owed[issuer, acceptor]
            pair[0] += value
            pair[1] += points

    def charge(self, carries: dict[UUID, int]) -> dict[UUID, int]:
        """Round each party's fees, half to even, as an exact fraction; returns what each carries on."""
        for party in self.items.keys() | {party for party, carry in carries.items() if carry}:
            exact, carry = self.millionths[party], carries.get(party, 0)
            minor = round(Fraction(exact + carry, 1_000_000))
            self.fees[party] = (exact, carry, minor, exact + carry - minor * 1_000_000)
        return {party: fee[3] for party, fee in self.fees.items()}

    def position(self, party: UUID) -> int:
        return self.receivable[party] - self.payable[party] - self.fees[party][2]

    @property
    def positions(self) -> dict[UUID, tuple[int, ...]]:
        """party -> the columns of its position."""
        found: dict[UUID, tuple[int, ...]] = {}
        for party, fee in self.fees.items():
            net, backing = self.position(party), self.backing[party]
            sides = (self.receivable[party], self.payable[party])
            found[party] = (net, backing, net + backing, *sides, *fee, self.items[party])
        paid = [fee[2] for fee in self.fees.values()]
        earned = self.receivable[self.operator] + sum(f for f in paid if f > 0)
        given = self.payable[self.operator] - sum(f for f in paid if f < 0)
        found[self.operator] = (earned - given, 0, earned - given, earned, given, 0, 0, 0, 0, 0)
        return found

    @property
    def matrix(self) -> dict[tuple[UUID, UUID], tuple[int, int]]:
        """(debtor, creditor) -> value, points; a negative sum is owed the other way."""
        cells: defaultdict[tuple[UUID, UUID], list[int]] = defaultdict(lambda: [0, 0])
        owed = {pair: list(cell) for pair, cell in self.owed.items()}
        for party, fee in self.fees.items():
            owed.setdefault((party, self.operator), [0, 0])[0] += fee[2]
        for (debtor, creditor), (value, points) in owed.items():
            cell = cells[(debtor, creditor) if value >= 0 else (creditor, debtor)]
            cell[0] += abs(value)
            cell[1] += points if value >= 0 else -points
        return {pair: (cell[0], cell[1]) for pair, cell in cells.items() if cell != [0, 0]}


#: Where the operator's side of what follows from no lot is booked.
_OPERATORS: Final = {"share": "shares", "adjustment": "fees", "charge_back": "charge_backs"}

#: Where the points of a settled slice go; for a prefunded lot mint and pool, for a deferred one due and credit, count
#: as one place.
_HOME: Final = {"prefunded": "mint", "deferred": "credit", "closed_loop": "own"}


def sums(scope: Scope) -> list[Sums]:
    """Every closed window, in order. Parties and pairs only: small whatever the window's length."""
    found = [
        Sums(*row)
        for row in scope.stream(
            f"select e.book_id, k.public_id, k.operator_id, e.window_number from {EVENTS} e"
            " join ledger.book k on k.id = e.book_id where e.kind = 'window_closed' order by 1, 4"
        )
    ]
    by_number = {(window.book, window.number): window for window in found}
    grouped = scope.stream(
        f"select book_id, window_number, issuer_id, acceptor_id, funding, fee_payer_id, sum(points)::bigint,"
        f" sum(value_minor)::bigint, sum(fee_millionths)::bigint, count(*) from {OWED} o group by 1, 2, 3, 4, 5, 6"
    )
    for book, number, *sums in grouped:
        if (book, number) in by_number:
            by_number[book, number].add(*sums)
    carries: dict[int, dict[UUID, int]] = {}
    for window in found:
        carries[window.book] = window.charge(carries.get(window.book, {}))
    return found


_POSITION: Final = (
    "position_minor, backing_minor, account_minor, receivable_minor, payable_minor, fee_millionths, carry_in_millionths,"
    " fee_minor, carry_out_millionths, items"
)


@check(
    "positions_derived",
    "each party's position, its fee with what is carried and its items are those of the ledger's rows; together zero",
    over="position",
)
def positions_derived(scope: Scope) -> Iterator[Row]:
    stored: defaultdict[tuple[int, int], dict[UUID, tuple[int, ...]]] = defaultdict(dict)
    rows = scope.stream(
        f"select book_id, window_number, party_id, {_POSITION} from settlement.position where book_id = any(%(books)s)"
    )
    for book, number, party, *columns in rows:
        stored[book, number][party] = tuple(columns)
    for window in scope.once("sums", sums):
        derived = window.positions
        assert sum(columns[0] for columns in derived.values()) == 0
        told = stored.pop((window.book, window.number), {})
        for party in sorted(derived.keys() | told.keys()):
            if derived.get(party) != told.get(party):
                yield {
                    "window": window.number,
                    "party": party,
                    "stored": told.get(party),
                    "derived": derived.get(party),
                }
    for (_, number), told in stored.items():
        yield {"window": number, "party": next(iter(told)), "why": "a position in a window that is not closed"}


@check(
    "positions_hashed",
    "the hash of each window's positions and its totals are those of the ledger's rows",
    over="window",
)
def positions_hashed(scope: Scope) -> Iterator[Row]:
    told = {
        (book, number): (digest, totals)
        for book, number, digest, totals in scope.stream(
            "select book_id, number, positions_hash, totals from settlement.window where book_id = any(%(books)s)"
        )
    }
    for window in scope.once("sums", sums):
        rows = [
            [str(party), *c[:5], str(c[5]), str(c[6]), c[7], str(c[8]), c[9]]
            for party, c in sorted(window.positions.items())
        ]
        digest = hashlib.sha256(ledger.canonical([1, str(window.public_id), window.number, rows])).digest()
        totals = _totals(window)
        stored_digest, stored_totals = told.get((window.book, window.number), (None, None))
        if stored_digest != digest:
            yield {"window": window.number, "stored": stored_digest, "derived": digest}
        if stored_totals is None or {k: stored_totals.get(k) for k in totals} != totals:
            yield {"window": window.number, "stored": stored_totals, "derived": totals}


def _totals(window: Sums) -> dict[str, int]:
    matrix = window.matrix
    pairs: Counter[tuple[UUID, UUID]] = Counter()
    for (debtor, creditor), (value, _) in matrix.items():
        pairs[min(debtor, creditor), max(debtor, creditor)] += value if debtor < creditor else -value
    return {
        "gross_minor": sum(value for value, _ in matrix.values()),
        "bilateral_minor": sum(map(abs, pairs.values())),
        "multilateral_minor": sum(c[0] for c in window.positions.values() if c[0] > 0),
        "fees_minor": sum(fee[2] for fee in window.fees.values()),
        "points": window.sliced,
        "slices": window.slices,
    }


@check(
    "matrix_derived",
    "who owes whom is what the ledger's rows say, and each party's row and column make up its position",
    over="bilateral",
)
def matrix_derived(scope: Scope) -> Iterator[Row]:
    stored: defaultdict[tuple[int, int], dict[tuple[UUID, UUID], tuple[int, int]]] = defaultdict(dict)
    for book, number, debtor, creditor, value, points in scope.stream(
        "select book_id, window_number, debtor_id, creditor_id, value_minor, points from settlement.bilateral"
        " where book_id = any(%(books)s)"
    ):
        stored[book, number][debtor, creditor] = (value, points)
    for window in scope.once("sums", sums):
        derived = window.matrix
        told = stored.pop((window.book, window.number), {})
        for pair in sorted(derived.keys() | told.keys()):
            if derived.get(pair) != told.get(pair):
                yield {
                    "window": window.number,
                    "debtor": pair[0],
                    "creditor": pair[1],
                    "stored": told.get(pair),
                    "derived": derived.get(pair),
                }
        nets: Counter[UUID] = Counter()
        for (debtor, creditor), (value, _) in told.items():
            nets[debtor] -= value
            nets[creditor] += value
        for party, columns in window.positions.items():
            if nets[party] != columns[0]:
                yield {"window": window.number, "party": party, "by_matrix": nets[party], "position": columns[0]}
    for (_, number), told in stored.items():
        yield {"window": number, "debtor": next(iter(told))[0], "why": "owed in a window that is not closed"}


@check(
    "statements_add_up",
    "the items on each merchant's statement make its position, and the fee is theirs with the carry, to the millionth",
    over="position",
)
def statements_add_up(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        with sides as (
            select book_id, window_number, acceptor_id as party_id, value_minor as receivable, 0 as payable, 0 as fee
            from settlement.item where book_id = any(%(books)s) and acceptor_id is not null
            union all
            select book_id, window_number, issuer_id, 0, value_minor, 0
            from settlement.item where book_id = any(%(books)s) and issuer_id is not null
            union all
            select book_id, window_number, fee_payer_id, 0, 0, fee_millionths
            from settlement.item where book_id = any(%(books)s) and fee_payer_id is not null
        ), statements as (
            select book_id, window_number, party_id, sum(receivable) as receivable, sum(payable) as payable,
                sum(fee) as fee from sides group by 1, 2, 3
        ), carried as (
            select *, lag(carry_out_millionths) over (partition by book_id, party_id order by window_number) as before
            from settlement.position where book_id = any(%(books)s)
        )
        select p.window_number as window, p.party_id as party, p.position_minor as position, s.receivable, s.payable,
            s.fee as fee_millionths, p.fee_minor
        from carried p
        join ledger.book k on k.id = p.book_id
        left join statements s on s.book_id = p.book_id and s.window_number = p.window_number
            and s.party_id = p.party_id
        where p.party_id <> k.operator_id and (
            p.position_minor <> coalesce(s.receivable, 0) - coalesce(s.payable, 0) - p.fee_minor
            or p.fee_millionths <> coalesce(s.fee, 0)
            or p.fee_millionths + p.carry_in_millionths <> p.fee_minor * 1000000::numeric + p.carry_out_millionths
            or abs(p.carry_out_millionths) > 500000 or p.carry_in_millionths <> coalesce(p.before, 0))
        """
    )
