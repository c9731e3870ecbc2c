"""Settlement's SQL: the derived tables, and the few reads of the ledger that settling rests on."""

import itertools
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import ledger
from ledger import Book, Tx, array
from settlement import fees
from settlement.covers import waterfall
from settlement.netting import Bilateral, Charge, Flow, Netted, Position
from settlement.obligations import Item
from settlement.steps import Window, window_id

#: Rows that a cursor of the server's hands over at once, and that one statement writes.
PAGE: Final = 2_000

# -- the consumer's offset


def lock_offset(tx: Tx, book: Book) -> int:
    """The sequence to consume next, locked until the transaction ends: of two consumers one waits."""
    asked = "select next_sequence from settlement.consumer where book_id = %s for update"
    row = tx.execute(asked, [book.id]).fetchone()
    if row is None:
        tx.execute(
            "insert into settlement.consumer (book_id, next_sequence) values (%s, %s) on conflict do nothing",
            [book.id, ledger.stream.start(tx, book.id)],
        )
        row = tx.execute(asked, [book.id]).fetchone()
    assert row is not None
    return int(row[0])


def set_offset(tx: Tx, book_id: int, next_sequence: int) -> None:
    tx.execute("update settlement.consumer set next_sequence = %s where book_id = %s", [next_sequence, book_id])


def offset(tx: Tx, book_id: int) -> int | None:
    """The sequence to consume next; None before the first event."""
    row = tx.execute("select next_sequence from settlement.consumer where book_id = %s", [book_id]).fetchone()
    return row[0] if row else None


def put_partitions(tx: Tx, book_id: int, topic_id: str, offsets: Mapping[int, int]) -> None:
    """From where to read each partition of a book's topic; a topic that is another one begins anew."""
    tx.execute(
        "insert into settlement.partition (book_id, partition, topic_id, next_offset)"
        " select %s, partition, %s, next_offset from unnest(%s::int[], %s::bigint[]) as told(partition, next_offset)"
        " on conflict (book_id, partition) do update set topic_id = excluded.topic_id, next_offset = excluded.next_offset"
        " where (partition.topic_id, partition.next_offset) is distinct from (excluded.topic_id, excluded.next_offset)",
        [book_id, topic_id, list(offsets.keys()), list(offsets.values())],
    )


def forget_other_topics(tx: Tx, book_id: int, topic_id: str) -> None:
    """Places in a topic that is gone mean nothing any more."""
    tx.execute("delete from settlement.partition where book_id = %s and topic_id <> %s", [book_id, topic_id])


def partitions(tx: Tx, book_id: int, topic_id: str) -> dict[int, int]:
    """Where to read on in each partition of the topic with this id; those without a place begin at their beginning."""
    rows = tx.execute(
        "select partition, next_offset from settlement.partition where book_id = %s and topic_id = %s",
        [book_id, topic_id],
    )
    return dict(rows)


def lags(tx: Tx) -> list[tuple[UUID, str, int]]:
    """Of every book its public id, its mode, and how many of its records are not yet derived."""
    return tx.execute(
        "select b.public_id, b.mode, h.next_sequence - coalesce(c.next_sequence,"
        " (select min(first_sequence) from ledger.batch where book_id = b.id), h.next_sequence)"
        " from ledger.book b join ledger.head h on h.book_id = b.id"
        " left join settlement.consumer c on c.book_id = b.id order by b.id"
    ).fetchall()


# -- windows

WINDOW_COLUMNS = (
    "id, book_id, number, state, revision, opened_at, first_sequence, last_sequence, closed_at, ledger_hash,"
    " positions_hash, steps, totals"
)


def newest_window(tx: Tx, book_id: int) -> Window | None:
    """The open window, once the stream has begun."""
    row = tx.execute(
        f"select {WINDOW_COLUMNS} from settlement.window where book_id = %s order by number desc limit 1", [book_id]
    ).fetchone()
    return Window(*row) if row else None


def window(tx: Tx, book_id: int, number: int) -> Window | None:
    row = tx.execute(
        f"select {WINDOW_COLUMNS} from settlement.window where book_id = %s and number = %s", [book_id, number]
    ).fetchone()
    return Window(*row) if row else None


def window_by_id(tx: Tx, book_id: int, id: UUID) -> Window | None:
    row = tx.execute(
        f"select {WINDOW_COLUMNS} from settlement.window where book_id = %s and id = %s", [book_id, id]
    ).fetchone()
    return Window(*row) if row else None


def windows(
    tx: Tx, book_id: int, *, before: int | None = None, state: str | None = None, limit: int = 100
) -> list[Window]:
    """Windows newest first, those numbered below `before`."""
    rows = tx.execute(
        f"select {WINDOW_COLUMNS} from settlement.window where book_id = %s and (%s::int is null or number < %s)"
        " and (%s::text is null or state = %s) order by number desc limit %s",
        [book_id, before, before, state, state, limit],
    )
    return [Window(*row) for row in rows]


def revision(tx: Tx, book_id: int, window: UUID) -> int:
    """The last step of a window that the ledger holds, derived rows or not."""
    row = tx.execute(
        "select coalesce(max(revision), 0) from ledger.revision where book_id = %s and subject_id = %s",
        [book_id, window],
    ).fetchone()
    assert row is not None
    return int(row[0])


def current(tx: Tx, book: Book, number: int) -> Window | None:
    """A window to decide on. Raises Stale when the ledger holds a step that the derived row does not show yet.

    Before the book's first event window 1 is open though no row says so.
    """
    found = window(tx, book.id, number)
    if found is None:
        last = newest_window(tx, book.id)
        if last is not None and last.number < number:
            _demand(revision(tx, book.id, last.id) == last.revision)
            return None
        if number != 1:
            return None
        _demand(revision(tx, book.id, window_id(book.public_id, 1)) == 0)
        here = ledger.stream.start(tx, book.id)
        return Window(
            window_id(book.public_id, 1), book.id, 1, "open", 0, book.now, here, None, None, None, None, [], None
        )
    _demand(revision(tx, book.id, found.id) == found.revision)
    return found


def _demand(fresh: bool) -> None:
    if not fresh:
        raise ledger.errors.Stale("the stream has steps of this window that are not derived yet")


def open_window(tx: Tx, book: Book, number: int, at: datetime, first_sequence: int) -> None:
    tx.execute(
        "insert into settlement.window (id, book_id, number, state, revision, opened_at, first_sequence, steps)"
        " values (%s, %s, %s, 'open', 0, %s, %s, '[]')",
        [window_id(book.public_id, number), book.id, number, at, first_sequence],
    )


def close_window(tx: Tx, book_id: int, number: int, last_sequence: int, at: datetime, ledger_hash: bytes) -> None:
    tx.execute(
        "update settlement.window set last_sequence = %s, closed_at = %s, ledger_hash = %s"
        " where book_id = %s and number = %s",
        [last_sequence, at, ledger_hash, book_id, number],
    )


def step_window(
    tx: Tx, book_id: int, number: int, state: str, steps: Sequence[Mapping[str, Any]], *, revised: bool
) -> None:
    tx.execute(
        "update settlement.window set state = %s, revision = revision + %s, steps = steps || %s::jsonb"
        " where book_id = %s and number = %s",
        [state, int(revised), ledger.canonical(steps).decode(), book_id, number],
    )


# -- contracts and items


def add_contract(tx: Tx, book_id: int, id: UUID, merchant: UUID, sequence: int, facts: Mapping[str, Any]) -> None:
    tx.execute(
        "insert into settlement.contract (id, book_id, merchant_id, sequence, facts) values (%s, %s, %s, %s, %s::jsonb)",
        [id, book_id, merchant, sequence, ledger.canonical(facts).decode()],
    )


ITEM_COLUMNS = (
    "sequence, ordinal, kind, reason, at, issuer_id, acceptor_id, subject_id, lot_id, funding, unit_value_minor, points,"
    " value_minor, fee_payer_id, fee_base_minor, fee_ppm, fee_millionths, contract_id"
)


def add_items(tx: Tx, book: Book, number: int, items: Sequence[Item]) -> None:
    if not items:
        return
    ids = [ledger.ids.derived(book.public_id, item.sequence, "item", item.ordinal) for item in items]
    columns = [array(column) for column in zip(*items, strict=True)]
    tx.execute(
        f"insert into settlement.item (book_id, window_number, id, {ITEM_COLUMNS})"
        " select %s, %s, * from unnest(%s::uuid[], %s::bigint[], %s::int[], %s::text[], %s::text[], %s::timestamptz[],"
        " %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[],"
        " %s::uuid[], %s::bigint[], %s::int[], %s::bigint[], %s::uuid[])",
        [book.id, number, array(ids), *columns],
    )


_FLOWS = (
    "select issuer_id, acceptor_id, funding, unit_value_minor, sum(points) as points, sum(value_minor) as value_minor,"
    " count(*) as items from settlement.item where book_id = %(book)s and window_number = %(number)s"
    " and funding is not null"
)


def flows(tx: Tx, book_id: int, number: int, *, merchant: UUID | None = None) -> list[Flow]:
    """A window's slices and adjustments added up by issuer, acceptor, funding and unit value; with `merchant`, its own."""
    rows = tx.execute(
        f"{_FLOWS} and (%(merchant)s::uuid is null or issuer_id = %(merchant)s or acceptor_id = %(merchant)s)"
        " group by 1, 2, 3, 4 order by 1, 2, 3, 4",
        {"book": book_id, "number": number, "merchant": merchant},
    )
    return list(_made(rows))


def each_flow(tx: Tx, book_id: int, number: int) -> Iterator[Flow]:
    """All flows of a window in no order, a page in memory at a time."""
    with tx.cursor(name="flows_of_window") as cursor:
        cursor.itersize = PAGE
        cursor.execute(f"{_FLOWS} group by 1, 2, 3, 4", {"book": book_id, "number": number})
        yield from _made(cursor)


def flows_by_party(tx: Tx, book_id: int, number: int) -> Iterator[tuple[UUID, list[Flow]]]:
    """Each party of a window with its flows as `flows` orders them, by party: one party's in memory at a time."""
    with tx.cursor(name="flows_by_party") as cursor:
        cursor.itersize = PAGE
        cursor.execute(
            f"with flow as materialized ({_FLOWS} group by 1, 2, 3, 4)"
            " select issuer_id as party, flow.* from flow union all"
            " select acceptor_id, flow.* from flow where acceptor_id <> issuer_id order by 1, 2, 3, 4, 5",
            {"book": book_id, "number": number},
        )
        for party, rows in itertools.groupby(cursor, lambda row: row[0]):
            yield party, list(_made(row[1:] for row in rows))


def _made(rows: Iterable[Sequence[Any]]) -> Iterator[Flow]:
    """A party is one object, however many flows name it."""
    known: dict[UUID, UUID] = {}
    for i, r, funding, unit, points, value, count in rows:
        yield Flow(
            known.setdefault(i, i), known.setdefault(r, r), sys.intern(funding), unit, int(points), int(value), count
        )


def charges(tx: Tx, book_id: int, number: int, *, merchant: UUID | None = None) -> dict[UUID, Charge]:
    """A window's fees by who pays them; the count is of items that are a fee and no slice of the payer's."""
    rows = tx.execute(
        "select fee_payer_id, sum(fee_millionths), count(*) filter"
        " (where fee_payer_id is distinct from issuer_id and fee_payer_id is distinct from acceptor_id)"
        " from settlement.item where book_id = %s and window_number = %s and fee_payer_id is not null"
        " and (%s::uuid is null or fee_payer_id = %s) group by 1",
        [book_id, number, merchant, merchant],
    )
    return {row[0]: Charge(int(row[1]), row[2]) for row in rows}


def carries(tx: Tx, book_id: int, number: int) -> dict[UUID, int]:
    """What the window before left over of each merchant's fee, in millionths."""
    rows = tx.execute(
        "select party_id, carry_out_millionths from settlement.position"
        " where book_id = %s and window_number = %s and carry_out_millionths <> 0",
        [book_id, number - 1],
    )
    return dict(rows.fetchall())


class ItemRow(NamedTuple):
    """An item as a party to it may see it: the fee of another party is not shown."""

    id: UUID
    item: Item

    @property
    def place(self) -> tuple[int, int]:
        """Where a page that ended with this item goes on."""
        return (self.item.sequence, self.item.ordinal)


def items(
    tx: Tx, book_id: int, number: int, merchant: UUID, *, after: tuple[int, int] | None = None, limit: int = 100
) -> list[ItemRow]:
    """A merchant's items of a window in sequence, those after a place (sequence, ordinal)."""
    sequence, ordinal = after or (-1, -1)
    rows = tx.execute(
        f"select id, {ITEM_COLUMNS} from settlement.item where book_id = %s and window_number = %s"
        " and (sequence, ordinal) > (%s, %s) and (issuer_id = %s or acceptor_id = %s or fee_payer_id = %s)"
        " order by sequence, ordinal limit %s",
        [book_id, number, sequence, ordinal, merchant, merchant, merchant, limit],
    )
    return [ItemRow(row[0], as_seen(Item(*row[1:]), merchant)) for row in rows]


def as_seen(item: Item, merchant: UUID) -> Item:
    """An item without what is only another party's."""
    if item.fee_payer_id in (None, merchant):
        return item
    return item._replace(fee_payer_id=None, fee_base_minor=0, fee_ppm=0, fee_millionths=0, contract_id=None)


def all_items(tx: Tx, book_id: int, number: int, merchant: UUID, *, page: int = 1000) -> Iterator[ItemRow]:
    """Every item of a merchant's statement, however many, a page in memory at a time."""
    after: tuple[int, int] | None = None
    while rows := items(tx, book_id, number, merchant, after=after, limit=page):
        yield from rows
        if len(rows) < page:
            return
        after = rows[-1].place


# -- what netting made

_POSITION = (
    "party_id, position_minor, backing_minor, account_minor, receivable_minor, payable_minor, fee_millionths,"
    " carry_in_millionths, fee_minor, carry_out_millionths, items"
)


def _position(row: Sequence[Any]) -> Position:
    party, position, backing, account, receivable, payable, *fee, count = row
    return Position(party, position, backing, account, receivable, payable, fees.Fee(*fee), count)


def write_netted(tx: Tx, book: Book, window: Window, netted: Netted, digest: bytes) -> None:
    """Put a window's positions, matrix and totals in the place of those it had."""
    assert window.last_sequence is not None
    for table in ("position", "bilateral"):
        tx.execute(
            f"delete from settlement.{table} where book_id = %s and window_number = %s",
            [book.id, window.number],
        )
    found = netted.positions
    tx.execute(
        f"insert into settlement.position (book_id, window_number, id, {_POSITION})"
        " select %s, %s, * from unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],"
        " %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])",
        [
            book.id,
            window.number,
            [ledger.ids.derived(book.public_id, window.last_sequence, f"position:{p.party_id}") for p in found],
            *([getattr(p, column) for p in found] for column in Position._fields[:6]),
            *([getattr(p.fee, column) for p in found] for column in fees.Fee._fields),
            [p.items for p in found],
        ],
    )
    for first in range(0, len(netted.bilateral), PAGE):
        several = netted.bilateral[first : first + PAGE]
        tx.execute(
            "insert into settlement.bilateral (book_id, window_number, debtor_id, creditor_id, value_minor, points)"
            " select %s, %s, * from unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[])",
            [book.id, window.number, *(array(column) for column in zip(*several, strict=True))],
        )
    tx.execute(
        "update settlement.window set positions_hash = %s, totals = %s::jsonb where book_id = %s and number = %s",
        [digest, ledger.canonical(netted.totals).decode(), book.id, window.number],
    )


class PositionRow(NamedTuple):
    """A party's position in a window, and what is still open of it: negative to pay in, positive to be paid out."""

    id: UUID
    window_number: int
    position: Position
    open_minor: int


# the operator's fees are booked with the settlement itself: nothing of them is ever open
_OPEN = (
    "p.account_minor + coalesce((select sum(case y.direction when 'pay_out' then -y.amount_minor else y.amount_minor end)"
    " from settlement.payment y where y.book_id = p.book_id and y.window_number = p.window_number"
    " and y.party_id = p.party_id), 0)"
)


def positions(tx: Tx, book: Book, number: int) -> list[PositionRow]:
    """Every party's position in a window, by party."""
    rows = tx.execute(
        f"select p.id, p.window_number, {_POSITION}, case when p.party_id = %s then 0 else {_OPEN} end"
        " from settlement.position p where p.book_id = %s and p.window_number = %s order by p.party_id",
        [book.operator_id, book.id, number],
    )
    return [PositionRow(row[0], row[1], _position(row[2:13]), int(row[13])) for row in rows]


def open_anywhere(tx: Tx, book: Book, number: int) -> bool:
    """Whether anything of any position of a window is open. Asked at every payment: what was paid is added up once."""
    row = tx.execute(
        "select exists (select from settlement.position p left join"
        " (select party_id, sum(case direction when 'pay_out' then -amount_minor else amount_minor end) as moved"
        "  from settlement.payment where book_id = %(book)s and window_number = %(number)s group by 1) paid"
        " on paid.party_id = p.party_id"
        " where p.book_id = %(book)s and p.window_number = %(number)s and p.party_id <> %(operator)s"
        " and p.account_minor + coalesce(paid.moved, 0) <> 0)",
        {"book": book.id, "number": number, "operator": book.operator_id},
    ).fetchone()
    return bool(row and row[0])


def positions_of(
    tx: Tx, book_id: int, merchant: UUID, *, before: int | None = None, limit: int = 100
) -> list[tuple[UUID, Window, Position]]:
    """A merchant's positions, newest window first: one statement each."""
    columns = ", ".join(f"w.{c.strip()}" for c in WINDOW_COLUMNS.split(","))
    rows = tx.execute(
        f"select p.id, {columns}, {_POSITION} from settlement.position p"
        " join settlement.window w on w.book_id = p.book_id and w.number = p.window_number"
        " where p.book_id = %s and p.party_id = %s and (%s::int is null or p.window_number < %s)"
        " order by p.window_number desc limit %s",
        [book_id, merchant, before, before, limit],
    )
    return [(row[0], Window(*row[1:14]), _position(row[14:])) for row in rows]


def position_of(tx: Tx, book_id: int, number: int, party: UUID) -> tuple[UUID, Position] | None:
    row = tx.execute(
        f"select id, {_POSITION} from settlement.position where book_id = %s and window_number = %s and party_id = %s",
        [book_id, number, party],
    ).fetchone()
    return (row[0], _position(row[1:])) if row else None


def place_of_position(tx: Tx, book_id: int, id: UUID) -> tuple[int, UUID] | None:
    """The window's number and the party of a position, and so of the statement with its id."""
    row = tx.execute(
        "select window_number, party_id from settlement.position where book_id = %s and id = %s", [book_id, id]
    ).fetchone()
    return (row[0], row[1]) if row else None


def bilateral(tx: Tx, book_id: int, number: int | None = None) -> list[Bilateral]:
    """Who owes whom, in one window or over all that are netted."""
    rows = tx.execute(
        "select debtor_id, creditor_id, sum(value_minor), sum(points) from settlement.bilateral"
        " where book_id = %s and (%s::int is null or window_number = %s) group by 1, 2 order by 1, 2",
        [book_id, number, number],
    )
    return [Bilateral(row[0], row[1], int(row[2]), int(row[3])) for row in rows]


@dataclass(frozen=True, slots=True)
class Summary:
    """All netted windows of a book together: what was owed, what netting left to be paid, and each party's sum."""

    windows: int
    settled: int
    gross_minor: int
    bilateral_minor: int
    multilateral_minor: int
    fees_minor: int
    positions: dict[UUID, int]


def summary(tx: Tx, book_id: int) -> Summary:
    row = tx.execute(
        "select count(*), count(*) filter (where state = 'settled'), sum((totals->>'gross_minor')::bigint),"
        " sum((totals->>'bilateral_minor')::bigint), sum((totals->>'multilateral_minor')::bigint),"
        " sum((totals->>'fees_minor')::bigint) from settlement.window where book_id = %s and totals is not null",
        [book_id],
    ).fetchone()
    assert row is not None
    parties = tx.execute(
        "select party_id, sum(position_minor) from settlement.position where book_id = %s group by 1 order by 1",
        [book_id],
    )
    count, settled, gross, pairwise, multilateral, fee = (int(value or 0) for value in row)
    by_party = {party: int(value) for party, value in parties}
    return Summary(count, settled, gross, pairwise, multilateral, fee, by_party)


# -- payments


class Payment(NamedTuple):
    """Money in or out of a party's position. source: prefund, bank, psp, backing (what its own lots lacked); of a cover
    also collateral, loss and shares."""

    id: UUID
    window_number: int
    party_id: UUID
    sequence: int
    direction: str
    amount_minor: int
    source: str
    at: datetime


def add_payments(tx: Tx, book_id: int, payments: Iterable[Payment]) -> None:
    for payment in payments:
        tx.execute(
            "insert into settlement.payment"
            " (book_id, id, window_number, party_id, sequence, direction, amount_minor, source, at)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [book_id, *payment],
        )


def payments(tx: Tx, book_id: int, number: int) -> list[Payment]:
    rows = tx.execute(
        "select id, window_number, party_id, sequence, direction, amount_minor, source, at from settlement.payment"
        " where book_id = %s and window_number = %s order by sequence, id",
        [book_id, number],
    )
    return [Payment(*row) for row in rows]


# -- who has not paid, and what is returned


def receiving(tx: Tx, book: Book, number: int) -> dict[UUID, int]:
    """By merchant what it was to receive of a window, below zero what it was to pay, as netted."""
    return {
        row.position.party_id: row.position.account_minor
        for row in positions(tx, book, number)
        if row.position.party_id != book.operator_id
    }


def settled_at(tx: Tx, book_id: int, sequence: int) -> bool:
    """Whether the window that a record fell in is settled."""
    row = tx.execute(
        "select state = 'settled' from settlement.window where book_id = %s and first_sequence <= %s"
        " and last_sequence >= %s",
        [book_id, sequence, sequence],
    ).fetchone()
    return row is not None and bool(row[0])


def owes(tx: Tx, book: Book, merchant: UUID) -> bool:
    """Whether a merchant has anything to pay in, or to make good, of any window that is closed."""
    open = tx.execute(
        "select 1 from ledger.account where book_id = %s and owner_id = %s"
        " and ((kind = 'position' and balance < 0) or (kind = 'due' and balance > 0)) limit 1",
        [book.id, merchant],
    ).fetchone()
    covers = tx.execute(
        'select steps from settlement.window where book_id = %s and steps @> \'[{"step": "covered"}]\'', [book.id]
    )
    found = (waterfall.covered(steps).get(merchant) for (steps,) in covers)
    owing = any(each.outstanding_minor for each in found if each is not None)
    charged = charged_back(tx, book.id, merchant).get(merchant, 0)
    netted = tx.execute(
        "select 1 from settlement.window w join settlement.position p on p.book_id = w.book_id"
        " and p.window_number = w.number and p.party_id = %s and p.account_minor < 0"
        " where w.book_id = %s and w.state not in ('open', 'paying', 'settled') limit 1",
        [merchant, book.id],
    ).fetchone()
    return open is not None or netted is not None or owing or charged > 0


def charged_back(tx: Tx, book_id: int, merchant: UUID | None = None) -> dict[UUID, int]:
    """By merchant what was charged for top-ups that were taken back, and its position has not paid yet."""
    rows = tx.execute(
        "select issuer_id, sum(case state when 'paying' then least(charged, greatest(0, -coalesce(open, 0)))"
        " else charged end) from ("
        " select t.issuer_id, w.state, sum(t.value_minor) as charged,"
        " (select a.balance from ledger.account a where a.book_id = w.book_id and a.kind = 'position'"
        "  and a.owner_id = t.issuer_id and a.window_number = w.number) as open"
        " from settlement.window w join settlement.item t on t.book_id = w.book_id and t.window_number = w.number"
        " and t.reason = 'charge_back' and (%s::uuid is null or t.issuer_id = %s)"
        " where w.book_id = %s and w.state <> 'settled' group by w.book_id, w.number, w.state, t.issuer_id) waiting"
        " group by 1 having sum(case state when 'paying' then least(charged, greatest(0, -coalesce(open, 0)))"
        " else charged end) > 0",
        [merchant, merchant, book_id],
    )
    return {issuer: int(charged) for issuer, charged in rows}


def payment_record(tx: Tx, book_id: int, id: UUID) -> tuple[UUID, dict[str, Any]] | None:
    """Whose payment it is that a record tells, and what it tells; None where it is none."""
    row = tx.execute(
        "select merchant_id, payload from ledger.record where id = %s and book_id = %s and kind = 'payment'",
        [id, book_id],
    ).fetchone()
    return (row[0], row[1]) if row else None


def proposal_record(tx: Tx, book_id: int, id: UUID) -> dict[str, Any] | None:
    """What the record of a proposed adjustment tells; None where it is none."""
    row = tx.execute(
        "select payload from ledger.record where id = %s and book_id = %s and kind = 'adjustment_proposed'",
        [id, book_id],
    ).fetchone()
    return row[0] if row else None


# -- the ledger's balances


def balances(tx: Tx, book_id: int, merchant: UUID) -> dict[str, int]:
    """A merchant's own accounts by kind, those of windows added up."""
    rows = tx.execute(
        "select kind, sum(balance) from ledger.account where book_id = %s and owner_id = %s"
        " and kind = any('{prefund,backing,collateral,pool,credit,own,due,accepted,claim,position}') group by 1",
        [book_id, merchant],
    )
    return {kind: int(balance) for kind, balance in rows}


def credit_line(tx: Tx, book_id: int, merchant: UUID) -> int:
    """The points a deferred merchant may issue before it pays; 0 for every other."""
    row = tx.execute(
        "select credit_line_points from ledger.issuer where book_id = %s and merchant_id = %s and mode = 'deferred'",
        [book_id, merchant],
    ).fetchone()
    return row[0] if row else 0


def credit_used(tx: Tx, book_id: int, also: Collection[UUID] = ()) -> list[tuple[UUID, bool, int, int, int, int, int]]:
    """Of each merchant with a credit line or points on credit, and of those in `also`: whether it is suspended, its line,
    the points it owes for (of these, due), its collateral, and what a point of its is worth."""
    rows = tx.execute(
        "select i.merchant_id, i.suspended, case i.mode when 'deferred' then i.credit_line_points else 0 end,"
        " coalesce(sum(case a.kind when 'credit' then -a.balance end), 0),"
        " coalesce(sum(a.balance) filter (where a.kind = 'due'), 0),"
        " coalesce(sum(a.balance) filter (where a.kind = 'collateral'), 0), i.unit_value_minor"
        " from ledger.issuer i left join ledger.account a on a.book_id = i.book_id and a.owner_id = i.merchant_id"
        " and a.kind in ('credit', 'due', 'collateral') where i.book_id = %s group by 1, 2, 3, i.mode"
        " having (i.mode = 'deferred') or sum(case a.kind when 'credit' then -a.balance end) > 0"
        " or i.merchant_id = any(%s)",
        [book_id, list(also)],
    )
    return [
        (merchant, suspended, line, int(used), int(due), int(collateral), unit)
        for merchant, suspended, line, used, due, collateral, unit in rows
    ]


def standing_by(tx: Tx, book_id: int, merchant: UUID) -> dict[str, int]:
    """What stands by for a merchant that does not pay: its prefund, its collateral, and the loss fund."""
    rows = tx.execute(
        "select kind, balance from ledger.account where book_id = %s and ((kind in ('prefund', 'collateral')"
        " and owner_id = %s) or kind = 'loss')",
        [book_id, merchant],
    ).fetchall()
    return {"prefund": 0, "collateral": 0, "loss": 0} | dict(rows)


def suspended(tx: Tx, book_id: int) -> set[UUID]:
    rows = tx.execute("select merchant_id from ledger.issuer where book_id = %s and suspended", [book_id])
    return {row[0] for row in rows}


def with_due(tx: Tx, book_id: int, number: int) -> set[UUID]:
    """The merchants who have points waiting for their payment of a window."""
    rows = tx.execute(
        "select owner_id from ledger.account where book_id = %s and kind = 'due' and window_number = %s",
        [book_id, number],
    )
    return {row[0] for row in rows}


# -- rebuilding

#: The derived tables with what orders their rows.
DERIVED: dict[str, str] = {
    "consumer": "book_id",
    "contract": "id",
    "window": "number",
    "item": "sequence, ordinal",
    "position": "window_number, party_id",
    "bilateral": "window_number, debtor_id, creditor_id",
    "payment": "sequence, id",
}


def forget(tx: Tx, book: Book) -> None:
    """Empty every derived table of a book and go back to its first sequence; the offset stays locked."""
    for table in DERIVED:
        if table != "consumer":
            tx.execute(f"delete from settlement.{table} where book_id = %s", [book.id])
    set_offset(tx, book.id, ledger.stream.start(tx, book.id))


def rows_as_text(tx: Tx, book_id: int, table: str) -> Iterator[str]:
    """A derived table's rows in their order, each as PostgreSQL's canonical JSON text."""
    with tx.cursor(name=f"derived_{table}") as cursor:
        cursor.execute(
            f"select to_jsonb(t)::text from settlement.{table} t where book_id = %s order by {DERIVED[table]}",
            [book_id],
        )
        for (line,) in cursor:
            yield line
