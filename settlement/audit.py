"""Settlement's own proof: every derived row re-derived from the ledger's raw rows, by another road than the consumer's.

Slices are read from the lot moves and their lots, rates from the contracts on record, windows from the close records;
fees are rounded as exact fractions. Nothing of the consumer's code is used.
"""
# ruff: noqa: S608 - the statements are composed of this module's own constants

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

import ledger
from ledger.audit import LOTS, Check, Checks, Row, Scope, funded
from settlement import sealed_audit
from settlement.reconciliation import audit as reconciliation

check = Checks()

#: The records settlement has had the effect of, with the number of the window each falls in.
_EVENTS: Final = """
(select numbered.*, 1 + count(*) filter (where kind = 'window_closed') over (partition by book_id order by sequence
    rows between unbounded preceding and 1 preceding) as window_number
 from (
    select r.book_id, b.first_sequence + r.n as sequence, r.batch_id, r.n, r.kind, r.at, r.merchant_id, r.member_id,
        r.subject_id, b.hash, (r.payload ->> 'contract')::uuid as contract_id,
        r.payload, case r.kind when 'sale' then (r.payload ->> 'money_minor')::bigint
            when 'refund' then -(r.payload ->> 'amount_minor')::bigint end as money_minor,
        (r.payload ->> 'window')::int as told_window
    from ledger.record r
    join ledger.batch b on b.id = r.batch_id
    join settlement.consumer c on c.book_id = r.book_id
    where r.book_id = any(%(books)s) and r.kind in ('capture', 'repayment', 'redemption_refund', 'sale', 'refund',
        'window_closed', 'cover', 'made_good', 'adjustment')
      and b.first_sequence + r.n < c.next_sequence
 ) numbered)
"""

_RATES: Final = """
(select merchant_id, (payload ->> 'contract')::uuid as contract_id,
    (payload ->> 'redemption_fee_ppm')::int as redemption_fee_ppm,
    (payload ->> 'purchase_fee_ppm')::int as purchase_fee_ppm
 from ledger.record where book_id = any(%(books)s) and kind = 'contract')
"""

#: What the records make everybody owe: the lot moves of captures, repayments and their refunds, members' sales and the
#: refunds of those. A repayment bears no fee. And what merchants bear of another's failure, as its cover tells.
_OWED: Final = f"""
(select e.book_id, e.window_number, e.sequence, m.ordinal::int, 'slice' as kind,
    case e.kind when 'capture' then 'redemption' when 'repayment' then 'repayment' else 'refund' end as reason, e.at,
    l.issuer_id, m.merchant_id as acceptor_id, e.subject_id, l.id as lot_id, {funded("e.sequence")}, l.unit_value_minor,
    side.sign * m.points as points, part.owed as value_minor,
    case when part.base <> 0 then m.merchant_id end as fee_payer_id, part.base as fee_base_minor,
    case when part.base <> 0 then rate.redemption_fee_ppm else 0 end as fee_ppm,
    case when part.base <> 0 then part.base * rate.redemption_fee_ppm else 0 end as fee_millionths, e.contract_id
 from {_EVENTS} e
 join ledger.lot_move m on m.batch_id = e.batch_id and m.n = e.n and 'accepted' in (m.source, m.target)
 join {LOTS} l on l.id = m.lot_id
 left join {_RATES} rate on rate.contract_id = e.contract_id and rate.merchant_id = e.merchant_id
 cross join lateral (select case m.target when 'accepted' then 1 else -1 end as sign) side
 cross join lateral (select case when l.issuer_id = m.merchant_id or {funded("e.sequence")} = 'closed_loop' then 0
    else side.sign * m.points * l.unit_value_minor end as owed) worth
 cross join lateral (select worth.owed, case e.kind when 'repayment' then 0 else worth.owed end as base) part
 where e.kind in ('capture', 'repayment', 'redemption_refund')
 union all
 select e.book_id, e.window_number, e.sequence, 0, 'purchase_fee',
    case e.kind when 'sale' then 'purchase' else 'refund' end, e.at, null, null, e.subject_id, null,
    null, null, 0, 0, e.merchant_id, e.money_minor, rate.purchase_fee_ppm, e.money_minor * rate.purchase_fee_ppm,
    e.contract_id
 from {_EVENTS} e
 left join {_RATES} rate on rate.contract_id = e.contract_id and rate.merchant_id = e.merchant_id
 where e.kind in ('sale', 'refund') and e.member_id is not null and e.money_minor * rate.purchase_fee_ppm <> 0
 union all
 select e.book_id, e.window_number, e.sequence, (part.ordinality - 1)::int, 'adjustment', 'share', e.at,
    (part.value ->> 'merchant')::uuid, k.operator_id, e.subject_id, null, 'share', 0, 0,
    case e.kind when 'cover' then 1 else -1 end * (part.value ->> 'amount_minor')::bigint, null, 0, 0, 0, null
 from {_EVENTS} e join ledger.book k on k.id = e.book_id
 cross join lateral jsonb_array_elements(coalesce(e.payload -> 'shares', e.payload -> 'shares_returned'))
    with ordinality part
 where e.kind in ('cover', 'made_good')
 union all
 select e.book_id, e.window_number, e.sequence, 0, 'adjustment', 'adjustment', e.at, (e.payload ->> 'debtor')::uuid,
    (e.payload ->> 'creditor')::uuid, e.subject_id, null, 'adjustment', 0, 0, (e.payload ->> 'amount_minor')::bigint,
    null, 0, 0, 0, null
 from {_EVENTS} e where e.kind = 'adjustment')
"""

_ITEM: Final = (
    "window_number, kind, reason, at, issuer_id, acceptor_id, subject_id, lot_id, funding, unit_value_minor, points,"
    " value_minor, fee_payer_id, fee_base_minor, fee_ppm, fee_millionths, contract_id"
)


def _columns(alias: str) -> str:
    return ", ".join(f"{alias}.{column.strip()}" for column in _ITEM.split(","))


def _id(sequence: str, kind: str, ordinal: str) -> str:
    """The id of a derived row in SQL: SHA-256 over book, sequence, kind and ordinal, as a UUID of version 8."""
    told = f"'|' || {sequence} || '|' || {kind} || '|' || {ordinal}"
    digest = f"substr(sha256(uuid_send(book.public_id) || convert_to({told}, 'UTF8')), 1, 16)"
    versioned = f"set_byte({digest}, 6, get_byte({digest}, 6) & 15 | 128)"
    return f"encode(set_byte({versioned}, 8, get_byte({digest}, 8) & 63 | 128), 'hex')::uuid"


# -- the stream and its windows


@check("consumer_within", "settlement has taken in no more records than there are", over="head")
def consumer_within(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select c.book_id as book, c.next_sequence as consumed_up_to, h.next_sequence as end
        from settlement.consumer c left join ledger.head h on h.book_id = c.book_id
        where c.book_id = any(%(books)s) and c.next_sequence > coalesce(h.next_sequence, 0)
        """
    )


@check(
    "partitions_of_one_topic",
    "where settlement reads on in a book's topic is told for each of its partitions, and for one topic",
    over="partition",
)
def partitions_of_one_topic(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select p.book_id as book, p.partitions, p.topics, p.last_partition, r.partitions as published_into
        from (select book_id, count(*) as partitions, count(distinct topic_id) as topics, max(partition) as last_partition,
                min(partition) as first_partition, min(next_offset) as lowest, min(topic_id) as topic_id
              from settlement.partition where book_id = any(%(books)s) group by 1) p
        left join ledger.relay r on r.book_id = p.book_id and r.topic_id = p.topic_id
        where p.topics > 1 or p.first_partition <> 0 or p.last_partition <> p.partitions - 1 or p.lowest < 0
            or p.partitions <> coalesce(r.partitions, p.partitions)
        """
    )


@check(
    "windows_contiguous",
    "windows follow one another without gap or overlap, each ended by its close record and frozen at its hash",
    over="window",
)
def windows_contiguous(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with closes as (
            select book_id, window_number, sequence, at, hash, subject_id, told_window,
                lag(sequence) over (partition by book_id order by sequence) as before
            from {_EVENTS} e where kind = 'window_closed'
        ), starts as (
            select book_id, min(first_sequence) as first from ledger.batch where book_id = any(%(books)s) group by 1
        ), derived as (
            select c.book_id, c.window_number as number, coalesce(c.before + 1, s.first) as first_sequence,
                c.sequence as last_sequence, c.at as closed_at, c.hash, c.subject_id as id, c.told_window
            from closes c join starts s on s.book_id = c.book_id
            union all
            select s.book_id, coalesce(max(c.window_number), 0) + 1, coalesce(max(c.sequence) + 1, max(s.first)),
                null, null, null, null, coalesce(max(c.window_number), 0) + 1
            from starts s join settlement.consumer k on k.book_id = s.book_id and k.next_sequence > s.first
            left join closes c on c.book_id = s.book_id group by 1
        )
        select coalesce(w.number, d.number) as window, w.first_sequence, d.first_sequence as derived_first,
            w.last_sequence, d.last_sequence as derived_last, d.told_window
        from derived d
        full join (select * from settlement.window where book_id = any(%(books)s)) w
            on w.book_id = d.book_id and w.number = d.number
        where (w.number, w.first_sequence, w.last_sequence, w.closed_at, w.ledger_hash)
                is distinct from (d.number, d.first_sequence, d.last_sequence, d.closed_at, d.hash)
            or d.told_window <> d.number or w.id <> coalesce(d.id, w.id)
        """
    )


@dataclass(slots=True)
class _Stood:
    """A window's row and the records that moved it: (sequence, kind, operator, hash of the positions)."""

    book: int
    number: int
    state: str
    revision: int
    positions_hash: str | None
    steps: list[tuple[int, str, str | None, str | None]] = field(default_factory=list)


def _stood(scope: Scope) -> list[_Stood]:
    found: dict[UUID, _Stood] = {
        id: _Stood(*rest)
        for id, *rest in scope.stream(
            "select id, book_id, number, state, revision, encode(positions_hash, 'hex') from settlement.window"
            " where book_id = any(%(books)s) order by book_id, number"
        )
    }
    for subject, *step in scope.stream(
        """
        select r.subject_id, b.first_sequence + r.n, r.kind, r.payload ->> 'operator', r.payload ->> 'positions_hash'
        from ledger.record r join ledger.batch b on b.id = r.batch_id
        join settlement.consumer c on c.book_id = r.book_id and b.first_sequence + r.n < c.next_sequence
        where r.book_id = any(%(books)s) and r.kind = any(%(kinds)s) order by 2
        """,
        kinds=list(_STEPS),
    ):
        if subject in found:
            found[subject].steps.append(tuple(step))
    return list(found.values())


#: Each record of a window: the states it may find, the state it leaves.
_STEPS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "window_closed": (("open",), "advised"),
    "window_submitted": (("advised",), "submitted"),
    "window_returned": (("submitted",), "advised"),
    "window_aborted": (("advised", "submitted"), "advised"),
    "window_approved": (("submitted",), "funding"),
    "settlement": (("funding",), "paying"),
    "cover": (("paying",), "paying"),
    "made_good": (("paying",), "paying"),
}


@check(
    "window_steps",
    "every window went from step to step only as it may, and stands where its records say: settled when nothing is open",
    over="window",
)
def window_steps(scope: Scope) -> Iterator[Row]:
    still_open = {
        (book, number)
        for book, number in scope.stream(
            """
            select a.book_id, a.window_number from ledger.account a join ledger.entry e on e.account_id = a.id
            join ledger.batch b on b.id = e.batch_id
            join settlement.consumer c on c.book_id = a.book_id and b.first_sequence + e.n < c.next_sequence
            where a.book_id = any(%(books)s) and a.kind = 'position'
            group by a.id, a.book_id, a.window_number having sum(e.amount) <> 0
            """
        )
    }
    for window in scope.once("stood", _stood):
        state, why = "open", None
        for sequence, kind, *_ in window.steps:
            may, leaves = _STEPS[kind]
            why = why or (None if state in may else f"{kind} at {sequence} found it {state}")
            state = leaves
        if state == "paying" and (window.book, window.number) not in still_open:
            state = "settled"
        if why or (window.state, window.revision) != (state, len(window.steps)):
            yield {
                "window": window.number,
                "state": window.state,
                "derived": state,
                "revision": window.revision,
                "steps": len(window.steps),
                "why": why or "not where its records say",
            }


@check(
    "approved_by_another",
    "every approval is another person's than the submission before it, on the very positions that were submitted",
    over="window",
)
def approved_by_another(scope: Scope) -> Iterator[Row]:
    for window in scope.once("stood", _stood):
        submitted: tuple[str | None, str | None] = (None, None)
        approved = None
        for sequence, kind, operator, digest in window.steps:
            if kind == "window_submitted":
                submitted = (operator, digest)
            elif kind == "window_approved":
                approved = digest
                if None in (operator, digest) or operator == submitted[0] or digest != submitted[1]:
                    yield {
                        "window": window.number,
                        "sequence": sequence,
                        "submitted_by": submitted[0],
                        "approved_by": operator,
                        "submitted": submitted[1],
                        "approved": digest,
                    }
            elif kind == "settlement" and digest != approved:
                yield {"window": window.number, "sequence": sequence, "approved": approved, "settled": digest}
        if approved is not None and approved != window.positions_hash:
            yield {"window": window.number, "approved": approved, "positions_hash": window.positions_hash}


@check(
    "settled_in_order",
    "windows are posted in order, each once: the carry of a fee goes from one to the next",
    over="window",
)
def settled_in_order(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select window_number as window, sequence, place
        from (
            select (r.payload ->> 'window')::int as window_number, b.first_sequence + r.n as sequence,
                row_number() over (partition by r.book_id order by b.first_sequence + r.n) as place
            from ledger.record r join ledger.batch b on b.id = r.batch_id
            where r.book_id = any(%(books)s) and r.kind = 'settlement'
        ) posted
        where window_number is distinct from place
        """
    )


# -- obligations


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
        from (select o.*, {_id("o.sequence", "'item'", "o.ordinal")} as id
              from {_OWED} o join ledger.book book on book.id = o.book_id) o
        full join (select * from settlement.item where book_id = any(%(books)s)) i
            on i.book_id = o.book_id and i.sequence = o.sequence and i.ordinal = o.ordinal
        where (i.id, {_columns("i")}) is distinct from (o.id, {_columns("o")})
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
class _Sums:
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
        if funding in ("share", "adjustment"):
            at_operator = (acceptor == self.operator) - (issuer == self.operator)
            self.points["shares" if funding == "share" else "fees", None] += at_operator * value
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


#: Where the points of a settled slice go; for a prefunded lot mint and pool, for a deferred one due and credit, count
#: as one place.
_HOME: Final = {"prefunded": "mint", "deferred": "credit", "closed_loop": "own"}


def _sums(scope: Scope) -> list[_Sums]:
    """Every closed window, in order. Parties and pairs only: small whatever the window's length."""
    found = [
        _Sums(*row)
        for row in scope.stream(
            f"select e.book_id, k.public_id, k.operator_id, e.window_number from {_EVENTS} e"
            " join ledger.book k on k.id = e.book_id where e.kind = 'window_closed' order by 1, 4"
        )
    ]
    by_number = {(window.book, window.number): window for window in found}
    grouped = scope.stream(
        f"select book_id, window_number, issuer_id, acceptor_id, funding, fee_payer_id, sum(points)::bigint,"
        f" sum(value_minor)::bigint, sum(fee_millionths)::bigint, count(*) from {_OWED} o group by 1, 2, 3, 4, 5, 6"
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
    for window in scope.once("sums", _sums):
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
    for window in scope.once("sums", _sums):
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


def _totals(window: _Sums) -> dict[str, int]:
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
    for window in scope.once("sums", _sums):
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


# -- posting and paying


@check(
    "settlements_post_their_items",
    "each settlement moved the points of its window's slices home and the money of its positions, and nothing else",
    over="entry",
)
def settlements_post_their_items(scope: Scope) -> Iterator[Row]:
    # Per merchant: prefund, backing and position together move by its position, for a merchant and its backing are one
    # party; the position's own account by what is left to be paid in or out.
    posted: defaultdict[tuple[int, int], Counter[tuple[str, UUID | None]]] = defaultdict(Counter)
    told: dict[tuple[int, int], Any] = {}
    for book, number, kind, owner, own_window, amount, payload in scope.stream(
        """
        select r.book_id, (r.payload ->> 'window')::int, a.kind, a.owner_id,
            coalesce(a.window_number = (r.payload ->> 'window')::int, true), sum(e.amount)::bigint, r.payload
        from ledger.record r left join ledger.entry e on e.batch_id = r.batch_id and e.n = r.n
        left join ledger.account a on a.id = e.account_id
        join ledger.batch b on b.id = r.batch_id
        join settlement.consumer c on c.book_id = r.book_id and b.first_sequence + r.n < c.next_sequence
        where r.book_id = any(%(books)s) and r.kind = 'settlement'
        group by 1, 2, 3, 4, 5, 7
        """
    ):
        told[book, number] = payload
        if kind is not None:
            place = {"pool": "mint", "due": "credit"}.get(kind, kind) if own_window else f"{kind} of another window"
            posted[book, number][place, owner] += amount
    for window in scope.once("sums", _sums):
        if (window.book, window.number) not in told:
            continue
        moved = posted[window.book, window.number]
        expected: Counter[tuple[str, UUID | None]] = Counter({place: n for place, n in window.points.items() if n})
        expected["fees", None] += sum(fee[2] for fee in window.fees.values())
        payload = told[window.book, window.number]
        for party, columns in window.positions.items():
            if party == window.operator:
                continue
            in_all = sum(moved.pop((kind, party), 0) for kind in ("prefund", "backing"))
            account = moved.pop(("position", party), 0)
            helped = _told_of(payload, "from_prefund", party) - _told_of(payload, "to_backing", party)
            if in_all + account != columns[0] or account != columns[2] + helped:
                yield {
                    "window": window.number,
                    "party": party,
                    "position": columns[0],
                    "moved_in_all": in_all + account,
                    "account": columns[2] + helped,
                    "moved": account,
                }
        for place in sorted(expected.keys() | moved.keys(), key=str):
            if moved[place] != expected[place]:
                yield {
                    "window": window.number,
                    "account": place[0],
                    "owner": place[1],
                    "moved": moved[place],
                    "derived": expected[place],
                }


def _told_of(payload: Any, what: str, party: UUID) -> int:
    return sum(part["amount_minor"] for part in payload[what] if part["merchant"] == str(party))


@check(
    "positions_paid",
    "every position's account is what the settlement left in it and what was paid since; of a settled window it is zero",
    over="position",
)
def positions_paid(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        with accounts as (
            select a.book_id, a.window_number, a.owner_id, sum(e.amount) as balance
            from ledger.account a join ledger.entry e on e.account_id = a.id
            join ledger.batch b on b.id = e.batch_id
            join settlement.consumer c on c.book_id = a.book_id and b.first_sequence + e.n < c.next_sequence
            where a.book_id = any(%(books)s) and a.kind = 'position' group by 1, 2, 3
        ), paid as (
            select book_id, window_number, party_id, sum(case direction when 'pay_out' then -amount_minor
                else amount_minor end) as amount
            from settlement.payment where book_id = any(%(books)s) group by 1, 2, 3
        )
        select w.number as window, w.state, coalesce(a.owner_id, p.party_id) as party, coalesce(a.balance, 0) as balance,
            coalesce(p.account_minor, 0) + coalesce(y.amount, 0) as derived
        from (select p.* from settlement.position p join ledger.book k on k.id = p.book_id
              where p.book_id = any(%(books)s) and p.party_id <> k.operator_id) p
        full join accounts a on a.book_id = p.book_id and a.window_number = p.window_number and a.owner_id = p.party_id
        left join settlement.window w on w.book_id = coalesce(p.book_id, a.book_id)
            and w.number = coalesce(p.window_number, a.window_number)
        left join paid y on y.book_id = p.book_id and y.window_number = p.window_number and y.party_id = p.party_id
        where case when w.state in ('paying', 'settled')
            then coalesce(a.balance, 0) <> coalesce(p.account_minor, 0) + coalesce(y.amount, 0)
                or (w.state = 'settled' and coalesce(a.balance, 0) <> 0)
            else coalesce(a.balance, 0) <> 0 or y.amount is not null end
        """
    )


@check(
    "payments_recorded",
    "every payment is one that a settlement, a payment or its return tells, with the money that its entries moved",
    over="payment",
)
def payments_recorded(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        with events as (
            select r.*, b.first_sequence + r.n as sequence, (r.payload ->> 'window')::int as window_number
            from ledger.record r join ledger.batch b on b.id = r.batch_id
            join settlement.consumer c on c.book_id = r.book_id and b.first_sequence + r.n < c.next_sequence
            where r.book_id = any(%(books)s)
                and r.kind in ('settlement', 'payment', 'cover', 'made_good', 'payment_returned')
        ), told as (
            select book_id, window_number, sequence, merchant_id as party_id,
                coalesce(payload ->> 'direction', 'returned') as direction,
                (payload ->> 'amount_minor')::bigint as amount_minor, payload ->> 'source' as source, at
            from events where kind in ('payment', 'payment_returned')
            union all
            select e.book_id, e.window_number, e.sequence, part.merchant, 'pay_in', part.amount_minor, 'prefund', e.at
            from events e
            cross join jsonb_to_recordset(e.payload -> 'from_prefund') as part(merchant uuid, amount_minor bigint)
            where e.kind = 'settlement'
            union all
            select e.book_id, e.window_number, e.sequence, part.merchant, 'pay_out', part.amount_minor, 'backing', e.at
            from events e
            cross join jsonb_to_recordset(e.payload -> 'to_backing') as part(merchant uuid, amount_minor bigint)
            where e.kind = 'settlement'
            union all
            select e.book_id, e.window_number, e.sequence, e.merchant_id, 'pay_in', part.amount, part.source, e.at
            from events e
            cross join lateral (values ((e.payload ->> 'prefund_minor')::bigint, 'prefund'),
                ((e.payload ->> 'collateral_minor')::bigint, 'collateral'),
                ((e.payload ->> 'loss_minor')::bigint, 'loss'),
                ((e.payload ->> 'shares_minor')::bigint, 'shares')) part(amount, source)
            where e.kind = 'cover' and part.amount <> 0
            union all
            select book_id, window_number, sequence, merchant_id, 'pay_in', (payload ->> 'position_minor')::bigint,
                payload ->> 'source', at
            from events where kind = 'made_good' and payload ->> 'position_minor' <> '0'
        ), moved as (
            select e.sequence, e.book_id, sum(n.amount) as amount
            from events e join ledger.entry n on n.batch_id = e.batch_id and n.n = e.n
            join ledger.account a on a.id = n.account_id and a.kind = 'position' and a.owner_id = e.merchant_id
                and a.window_number = e.window_number
            where e.kind in ('payment', 'made_good', 'payment_returned') group by 1, 2
        )
        select coalesce(p.sequence, t.sequence) as sequence, coalesce(p.party_id, t.party_id) as party,
            p.amount_minor as stored, t.amount_minor as told, m.amount as moved
        from told t
        full join (select * from settlement.payment where book_id = any(%(books)s)) p on p.book_id = t.book_id
            and p.sequence = t.sequence and p.party_id = t.party_id and p.direction = t.direction
            and p.source = t.source
        left join moved m on m.book_id = t.book_id and m.sequence = t.sequence
        where (p.window_number, p.amount_minor, p.at) is distinct from (t.window_number, t.amount_minor, t.at)
            or (t.source in ('bank', 'psp') and m.amount is distinct from
                case t.direction when 'pay_out' then -t.amount_minor else t.amount_minor end)
        """
    )


# -- who did not pay


#: What each record of money that stands in for another moves: (payload's name, account that gives, account that takes).
#: `source` is the account that the record itself names.
_STANDING_IN: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "collateral_deposited": (("amount_minor", "bank", "collateral"),),
    "collateral_returned": (("amount_minor", "collateral", "bank"),),
    "loss_funded": (("amount_minor", "bank", "loss"),),
    "cover": (
        ("prefund_minor", "prefund", "position"),
        ("collateral_minor", "collateral", "position"),
        ("loss_minor", "loss", "position"),
        ("shares_minor", "shares", "position"),
    ),
    "made_good": (
        ("position_minor", "source", "position"),
        ("shares_minor", "source", "shares"),
        ("loss_minor", "source", "loss"),
        ("collateral_minor", "source", "collateral"),
    ),
    "payment_returned": (("amount_minor", "source", "position"),),
}


@check(
    "covers_posted",
    "collateral, loss fund and shares moved by the amounts that their records tell, at the merchant and window they name",
    over="entry",
)
def covers_posted(scope: Scope) -> Iterator[Row]:
    moved: defaultdict[tuple[int, int], Counter[str]] = defaultdict(Counter)
    told: dict[tuple[int, int], tuple[str, dict[str, Any]]] = {}
    for batch, n, kind, payload, place, amount in scope.stream(
        """
        select r.batch_id, r.n, r.kind, r.payload, case when (a.owner_id is null or a.owner_id = r.merchant_id)
                and (a.window_number is null or a.window_number = (r.payload ->> 'window')::int) then a.kind
                else a.name end, e.amount
        from ledger.record r left join ledger.entry e on e.batch_id = r.batch_id and e.n = r.n and e.asset = 'money'
        left join ledger.account a on a.id = e.account_id
        where r.book_id = any(%(books)s) and r.kind = any(%(kinds)s)
        """,
        kinds=list(_STANDING_IN),
    ):
        told[batch, n] = (kind, payload)
        if place is not None:
            moved[batch, n][place] += amount
    for (batch, n), (kind, payload) in sorted(told.items()):
        expected: Counter[str] = Counter()
        for name, giver, taker in _STANDING_IN[kind]:
            expected[payload["source"] if giver == "source" else giver] -= payload[name]
            expected[taker] += payload[name]
        found = moved[batch, n]
        for place in sorted(expected.keys() | found.keys()):
            if expected[place] != found[place]:
                yield {
                    "batch": batch,
                    "n": n,
                    "kind": kind,
                    "account": place,
                    "told": expected[place],
                    "moved": found[place],
                }


@check(
    "shares_bounded",
    "nobody bears more of another's failure than a tenth of what it was to receive, nor all together more than is missing;"
    " nobody is given back more than it bore",
    over="window",
)
def shares_bounded(scope: Scope) -> Iterator[Row]:
    receiving = {
        (window.book, window.number): {party: columns[2] for party, columns in window.positions.items()}
        for window in scope.once("sums", _sums)
    }
    borne: dict[tuple[int, int, UUID], Counter[str]] = {}
    for book, sequence, merchant, kind, payload in scope.stream(
        """
        select r.book_id, b.first_sequence + r.n, r.merchant_id, r.kind, r.payload
        from ledger.record r join ledger.batch b on b.id = r.batch_id
        where r.book_id = any(%(books)s) and r.kind in ('cover', 'made_good') order by 1, 2
        """
    ):
        number = payload["window"]
        told = payload.get("shares" if kind == "cover" else "shares_returned", [])
        so_far = borne.setdefault((book, number, merchant), Counter())
        was = receiving.get((book, number), {})
        if kind == "cover":
            paid = sum(payload[f"{name}_minor"] for name in ("prefund", "collateral", "loss", "shares"))
            every = sum(part["amount_minor"] for part in told)
            if told and (so_far or paid + every > payload["owed_minor"]):
                yield {"sequence": sequence, "owed": payload["owed_minor"], "paid": paid, "shares": every}
        for part in told:
            k, amount = part["merchant"], part["amount_minor"]
            if kind == "cover" and (amount <= 0 or amount * 10 > was.get(UUID(k), 0)):
                yield {"sequence": sequence, "party": k, "share": amount, "receives": was.get(UUID(k), 0)}
            so_far[k] += amount if kind == "cover" else -amount
            if so_far[k] < 0:
                yield {"sequence": sequence, "party": k, "given_back_beyond_its_share": -so_far[k]}


@check(
    "due_freed_by_its_own_money",
    "of the points that wait for a merchant no larger part is free than it has paid itself of what it had to pay",
    over="account",
)
def due_freed_by_its_own_money(scope: Scope) -> Iterable[Row]:
    # what it had to pay is what the settlement left in its position before its prefund paid; all it has paid: the prefund
    # then and later, its payments, and what it has made good
    return scope.rows(
        """
        with moved as (
            select a.book_id, a.owner_id, a.window_number, a.kind, r.kind as by, e.amount,
                r.merchant_id = a.owner_id as own, r.payload
            from ledger.account a join ledger.entry e on e.account_id = a.id
            join ledger.record r on r.batch_id = e.batch_id and r.n = e.n
            where a.book_id = any(%(books)s) and a.kind = 'due'
        ), waiting as (
            select book_id, owner_id, window_number, sum(amount) as left_over,
                max(case when by = 'settlement' then d.points end) as points
            from moved
            left join lateral (select sum(part.points)::bigint as points
                from jsonb_to_recordset(payload -> 'due') as part(merchant uuid, points bigint)
                where part.merchant = owner_id) d on by = 'settlement'
            group by 1, 2, 3
        ), own as (
            select w.book_id, w.owner_id, w.window_number, sum(case
                when r.kind = 'settlement' then (select coalesce(sum(part.amount_minor), 0)
                    from jsonb_to_recordset(r.payload -> 'from_prefund') as part(merchant uuid, amount_minor bigint)
                    where part.merchant = w.owner_id)
                when r.kind = 'cover' then (r.payload ->> 'prefund_minor')::bigint
                else (r.payload ->> 'amount_minor')::bigint end) as paid
            from waiting w join ledger.record r on r.book_id = w.book_id
                and r.kind in ('settlement', 'cover', 'made_good', 'payment')
                and (r.payload ->> 'window')::int = w.window_number
                and (r.kind = 'settlement' or r.merchant_id = w.owner_id)
                and coalesce(r.payload ->> 'direction', 'pay_in') = 'pay_in'
            group by 1, 2, 3
        ), owed as (
            select a.book_id, a.owner_id, a.window_number, -sum(e.amount) + coalesce(max(p.amount), 0) as owed
            from ledger.account a join ledger.entry e on e.account_id = a.id
            join ledger.record r on r.batch_id = e.batch_id and r.n = e.n and r.kind = 'settlement'
            left join lateral (select sum(part.amount_minor)::bigint as amount
                from jsonb_to_recordset(r.payload -> 'from_prefund') as part(merchant uuid, amount_minor bigint)
                where part.merchant = a.owner_id) p on true
            where a.book_id = any(%(books)s) and a.kind = 'position' group by 1, 2, 3
        )
        select w.owner_id as merchant, w.window_number as window, w.points, w.left_over, o.owed, own.paid
        from waiting w join owed o using (book_id, owner_id, window_number)
        left join own using (book_id, owner_id, window_number)
        where (w.points - w.left_over) * o.owed > w.points * coalesce(own.paid, 0)
            or (coalesce(own.paid, 0) = o.owed and w.left_over <> 0)
        """
    )


@check(
    "adjusted_by_two",
    "every adjustment is what one person proposed and another approved, of a window that was closed by then or of a break,"
    " each once",
    over="record",
)
def adjusted_by_two(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select a.id as record, a.subject_id as adjustment
        from ledger.record a
        join ledger.batch b on b.id = a.batch_id
        left join ledger.record p on p.id = a.subject_id and p.kind = 'adjustment_proposed' and p.book_id = a.book_id
        left join ledger.record c on c.book_id = a.book_id and c.kind = 'window_closed'
            and c.payload -> 'window' = a.payload -> 'window'
        where a.book_id = any(%(books)s) and a.kind = 'adjustment' and (p.id is null
             or (c.id is null and not a.payload ? 'break')
            or p.payload - 'operator' <> a.payload - 'operator'
            or coalesce(p.payload ->> 'operator' = a.payload ->> 'operator', true)
            or exists (select from ledger.record other where other.book_id = a.book_id and other.id <> a.id
                and other.subject_id = a.subject_id and other.kind in ('adjustment', 'adjustment_rejected')))
        """
    )


@check(
    "returned_once",
    "what the bank sent back is a pay-out of that window, to that merchant, of that amount, each sent back once",
    over="payment",
)
def returned_once(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select r.id as record, r.merchant_id as merchant, r.reverses_id as payment, count(*) over (partition by r.reverses_id)
        from ledger.record r
        left join ledger.record p on p.id = r.reverses_id and p.kind = 'payment' and p.book_id = r.book_id
            and p.payload ->> 'direction' = 'pay_out' and p.merchant_id = r.merchant_id
            and p.payload -> 'amount_minor' = r.payload -> 'amount_minor'
            and p.payload -> 'window' = r.payload -> 'window'
        where r.book_id = any(%(books)s) and r.kind = 'payment_returned' and (p.id is null or exists (
            select from ledger.record other where other.reverses_id = r.reverses_id and other.id <> r.id
                and other.kind = 'payment_returned' and other.book_id = r.book_id))
        """
    )


@check(
    "accepted_not_settled",
    "the points each shop has accepted are the captured slices of windows that are not posted yet",
    over="account",
)
def accepted_not_settled(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        with settled as (
            select c.book_id, max(b.first_sequence + c.n) as until
            from ledger.record c join ledger.batch b on b.id = c.batch_id
            join ledger.record s on s.subject_id = c.subject_id and s.kind = 'settlement'
            where c.book_id = any(%(books)s) and c.kind = 'window_closed' group by 1
        ), slices as (
            select b.book_id, m.merchant_id, sum(case m.target when 'accepted' then m.points else -m.points end) as points
            from ledger.lot_move m join ledger.batch b on b.id = m.batch_id
            left join settled s on s.book_id = b.book_id
            where b.book_id = any(%(books)s) and 'accepted' in (m.source, m.target)
              and b.first_sequence + m.n > coalesce(s.until, -1)
            group by 1, 2
        )
        select coalesce(a.owner_id, s.merchant_id) as shop, coalesce(a.balance, 0) as accepted,
            coalesce(s.points, 0) as not_settled
        from (select * from ledger.account where book_id = any(%(books)s) and kind = 'accepted') a
        full join slices s on s.book_id = a.book_id and s.merchant_id = a.owner_id
        where coalesce(a.balance, 0) <> coalesce(s.points, 0)
        """
    )


#: All of settlement's, its rooms' included.
# -- rails

#: What rails did, told by records: what was made, and what became of it.
_RAILED: Final = """
(select r.book_id, r.id, r.kind, b.first_sequence + r.n as sequence, r.batch_id, r.n, r.merchant_id, r.subject_id, r.payload,
    coalesce((r.payload ->> 'instruction')::uuid, r.subject_id) as instruction_id
 from ledger.record r join ledger.batch b on b.id = r.batch_id
 where r.book_id = any(%(books)s) and (r.kind in ('instructed', 'instruction_refused')
    or (r.kind in ('payment', 'made_good', 'payment_returned', 'topup') and r.payload ? 'instruction')))
"""


@check(
    "instructions_recorded",
    "every instruction is one that its record tells, whom it pays, by what, how much; and every record has its instruction",
    over="instruction",
)
def instructions_recorded(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select coalesce(i.id, m.subject_id) as instruction, m.id as record, i.amount_minor as stored,
            (m.payload ->> 'amount_minor')::bigint as told
        from (select * from {_RAILED} made where kind = 'instructed') m
        full join (select * from settlement.instruction where book_id = any(%(books)s)) i on i.id = m.subject_id
        where (i.book_id, i.record_id, i.merchant_id, i.direction, i.rail, i.amount_minor, i.window_number)
            is distinct from (m.book_id, m.id, m.merchant_id, m.payload ->> 'direction', m.payload ->> 'rail',
                (m.payload ->> 'amount_minor')::bigint, (m.payload ->> 'window')::int)
        """
    )


@check(
    "instructions_end_once",
    "an instruction stands where its records say: refused, paid once and never twice, come back once and only then",
    over="instruction",
)
def instructions_end_once(scope: Scope) -> Iterable[Row]:
    # what came in counts whatever was thought before; what went out was never refused
    return scope.rows(
        f"""
        with told as (
            select instruction_id, count(*) filter (where kind in ('payment', 'made_good', 'topup')) as paid,
                count(*) filter (where kind = 'payment_returned') as returned,
                count(*) filter (where kind = 'instruction_refused') as refused,
                min(sequence) filter (where kind in ('payment', 'made_good', 'topup')) as paid_at,
                min(sequence) filter (where kind = 'payment_returned') as returned_at,
                (array_agg(id) filter (where kind in ('payment', 'made_good', 'topup')))[1] as payment,
                (array_agg(id) filter (where kind = 'payment_returned'))[1] as return
            from {_RAILED} r where kind <> 'instructed' group by 1
        )
        select coalesce(i.id, t.instruction_id) as instruction, i.state, t.paid, t.returned, t.refused
        from (select * from settlement.instruction where book_id = any(%(books)s)) i
        full join told t on t.instruction_id = i.id
        where i.id is null or coalesce(t.paid, 0) > 1 or coalesce(t.returned, 0) > 1 or coalesce(t.refused, 0) > 1
            or (i.direction = 'pay_out' and t.paid > 0 and t.refused > 0)
            or (t.returned > 0 and (i.direction <> 'pay_out' or t.paid_at is null or t.paid_at > t.returned_at))
            or (i.payment_record_id, i.returned_record_id) is distinct from (t.payment, t.return)
            or case when t.returned > 0 then i.state <> 'returned' when t.paid > 0 then i.state <> 'confirmed'
                when t.refused > 0 then i.state <> 'refused' else i.state not in ('made', 'sent', 'unknown') end
        """
    )


@check(
    "instructions_pay_what_they_say",
    "what was booked of an instruction is its merchant's, its window's, its amount to the unit, by the account of its rail",
    over="instruction",
)
def instructions_pay_what_they_say(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with moved as (
            select r.id, a.kind, sum(e.amount) as amount from {_RAILED} r
            join ledger.entry e on e.batch_id = r.batch_id and e.n = r.n
            join ledger.account a on a.id = e.account_id and a.kind in ('bank', 'psp')
            where r.kind in ('payment', 'made_good', 'payment_returned', 'topup') group by 1, 2
        )
        select i.id as instruction, r.id as record, r.kind, i.amount_minor, m.kind as account, m.amount as moved
        from {_RAILED} r
        join settlement.instruction i on i.id = r.instruction_id and i.book_id = r.book_id
        left join moved m on m.id = r.id
        where r.kind in ('payment', 'made_good', 'payment_returned', 'topup') and (
            (r.merchant_id, (r.payload ->> 'amount_minor')::bigint, (r.payload ->> 'window')::int)
                is distinct from (i.merchant_id, i.amount_minor, i.window_number)
            or coalesce(r.payload ->> 'direction', i.direction) <> i.direction
            or (r.kind = 'made_good' and i.direction <> 'pay_in')
            or (r.kind = 'topup') <> (i.direction = 'topup')
            or m.kind is distinct from case i.rail when 'bank' then 'bank' else 'psp' end
            or m.amount is distinct from case r.kind when 'payment_returned' then -i.amount_minor
                else case i.direction when 'pay_out' then i.amount_minor else -i.amount_minor end end
            or (r.kind = 'payment_returned' and (r.payload ->> 'payment')::uuid is distinct from i.payment_record_id))
        """
    )


@check(
    "payments_have_instructions",
    "every payment through a provider has its instruction, and no position was paid out by two that lived at once",
    over="payment",
)
def payments_have_instructions(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select r.id as record, null::uuid as instruction, 'a provider paid, and nobody asked' as why
        from ledger.record r where r.book_id = any(%(books)s) and r.kind in ('payment', 'made_good', 'payment_returned')
            and r.payload ->> 'source' = 'psp' and not r.payload ? 'instruction'
        union all
        select later.id, later.subject_id, 'made while another lived'
        from (select *, lag(subject_id) over (partition by merchant_id, payload ->> 'window' order by sequence) as before
              from {_RAILED} made where kind = 'instructed' and payload ? 'window') later
        where before is not null and not exists (select from {_RAILED} ended
            where ended.instruction_id = later.before and ended.kind <> 'instructed' and ended.sequence < later.sequence)
        """
    )


@check(
    "payout_files_whole",
    "a file for the bank has the instructions and the sum that it says, each in that file alone",
    over="instruction",
)
def payout_files_whole(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        with files as (select * from settlement.payout_file where book_id = any(%(books)s)), held as (
            select file_id, count(*) as instructions, sum(amount_minor) as total, min(window_number) as least,
                max(window_number) as most, bool_and(direction = 'pay_out' and rail = 'bank' and account is not null) as fit
            from settlement.instruction where book_id = any(%(books)s) and file_id is not null group by 1
        )
        select coalesce(f.id, h.file_id) as file, f.instructions, h.instructions as held, f.total_minor, h.total
        from files f full join held h on h.file_id = f.id
        where (f.instructions, f.total_minor, f.window_number, f.window_number, true)
            is distinct from (h.instructions::int, h.total::bigint, h.least, h.most, h.fit)
        union all
        select id, null, 1, amount_minor, null from settlement.instruction
        where book_id = any(%(books)s) and (direction = 'pay_out' and rail = 'bank') <> (file_id is not null)
        """
    )


@check(
    "bank_statements_add_up",
    "every statement has its lines, which make its closing balance out of its opening one",
    over="bank_line",
)
def bank_statements_add_up(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select coalesce(s.id, l.statement_id) as statement, s.lines, l.lines as found, s.opening_minor, s.closing_minor,
            l.total
        from (select * from settlement.bank_statement where book_id = any(%(books)s)) s
        full join (select statement_id, count(*) as lines, sum(amount_minor) as total,
                bool_or(outcome in ('confirmed', 'returned') and instruction_id is null) as unnamed
            from settlement.bank_line where book_id = any(%(books)s) group by 1) l on l.statement_id = s.id
        where s.id is null or s.lines <> coalesce(l.lines, 0) or coalesce(l.unnamed, false)
            or s.opening_minor + coalesce(l.total, 0) <> s.closing_minor
        """
    )


CHECKS: Final[list[Check]] = [*check, *sealed_audit.check, *reconciliation.check]
