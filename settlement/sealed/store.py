"""Sealing's SQL: what a window's seal is made of, streamed, and the seals themselves."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from ledger import Tx, array
from settlement.obligations import Item
from settlement.proof import sums
from settlement.steps import Window
from settlement.store import ITEM_COLUMNS, WINDOW_COLUMNS

#: The first half of the advisory lock of a book's sealing; the second is the book's id.
_SEALING: Final = 0x5EA1
#: Rows a cursor of the server's hands over at once.
CHUNK: Final = 2_000


class Seal(NamedTuple):
    window_number: int
    head: bytes
    digest: bytes
    key: bytes
    signature: bytes
    blocks: bytes


class Party(NamedTuple):
    place: int
    party_id: UUID
    items: int
    items_root: bytes
    leaf: bytes


class Holding(NamedTuple):
    place: int
    member_id: UUID
    salt: bytes
    sums: sums.Sums


# -- whose turn it is


def locked(tx: Tx, book_id: int, *, wait: bool) -> bool:
    """Whether this connection is the one that seals the book, until it closes."""
    if wait:
        tx.execute("select pg_advisory_lock(%s, %s)", [_SEALING, book_id])
        return True
    row = tx.execute("select pg_try_advisory_lock(%s, %s)", [_SEALING, book_id]).fetchone()
    return bool(row and row[0])


def without_hurry(tx: Tx) -> None:
    """A book's whole history is read in one statement: it may take longer than any door waits."""
    tx.execute("set statement_timeout = 0")


def unsealed(tx: Tx, book_id: int) -> Window | None:
    """The first window that is netted and has no seal."""
    row = tx.execute(
        f"select {WINDOW_COLUMNS} from settlement.window where book_id = %s and positions_hash is not null and number ="
        " (select coalesce(max(window_number), 0) + 1 from settlement.seal where book_id = %s)",
        [book_id, book_id],
    ).fetchone()
    return Window(*row) if row else None


# -- what it is made of


def every_item(tx: Tx, book_id: int, number: int) -> Iterator[tuple[UUID, Item]]:
    """A window's items in sequence, a chunk in memory at a time."""
    with tx.cursor(name="items_to_seal") as cursor:
        cursor.itersize = CHUNK
        cursor.execute(
            f"select id, {ITEM_COLUMNS} from settlement.item where book_id = %s and window_number = %s"
            " order by sequence, ordinal",
            [book_id, number],
        )
        for row in cursor:
            yield row[0], Item(*row[1:])


# What the moves up to a record left with members, lot by lot. A lot whose issuer was bought out since is what it was
# before: as the record of its birth tells. Members come in an order that tells nothing of them and is another each time.
_HOLDINGS: Final = """
with bought as (
    select r.merchant_id, b.first_sequence + r.n as sequence
    from ledger.record r join ledger.batch b on b.id = r.batch_id
    where r.book_id = %(book)s and r.kind in ('exit', 'buy_out')
), left_in as (
    select m.lot_id, sum(m.points * ((m.target in ('pending', 'wallet', 'held'))::int
        - (m.source in ('pending', 'wallet', 'held'))::int)) as points
    from ledger.batch b join ledger.lot_move m on m.batch_id = b.id
    where b.book_id = %(book)s and b.first_sequence + m.n <= %(until)s
    group by 1
), funded as (
    select l.member_id, f.points, f.points * l.unit_value_minor as minor,
        case when l.issuer_id in (select merchant_id from bought where sequence > %(until)s)
                and not exists (select from bought, ledger.batch born where born.id = l.batch_id
                    and bought.merchant_id = l.issuer_id and bought.sequence <= %(until)s
                    and bought.sequence > born.first_sequence + l.n)
            then (select told.funding from ledger.record r
                  cross join lateral jsonb_to_recordset(r.payload -> 'lots') as told(lot uuid, funding text)
                  where r.batch_id = l.batch_id and r.n = l.n and told.lot = l.id)
            else l.funding end as funding
    from left_in f join ledger.lot l on l.id = f.lot_id
    where f.points <> 0
)
select member_id,
    coalesce(sum(points) filter (where funding = 'prefunded'), 0)::bigint,
    coalesce(sum(minor) filter (where funding = 'prefunded'), 0)::bigint,
    coalesce(sum(points) filter (where funding = 'deferred'), 0)::bigint,
    coalesce(sum(minor) filter (where funding = 'deferred'), 0)::bigint,
    coalesce(sum(points) filter (where funding = 'closed_loop'), 0)::bigint,
    coalesce(sum(minor) filter (where funding = 'closed_loop'), 0)::bigint
from funded group by 1 order by sha256(uuid_send(member_id) || %(order)s::bytea)
"""


def holdings(tx: Tx, book_id: int, until: int, order: bytes) -> Iterator[tuple[UUID, sums.Sums]]:
    """What each member had at a record, pending, held and in the wallet, from the moves alone."""
    with tx.cursor(name="holdings_to_seal") as cursor:
        cursor.itersize = CHUNK
        cursor.execute(_HOLDINGS, {"book": book_id, "until": until, "order": order})
        for member, *found in cursor:
            yield member, tuple(found)


def accepted(tx: Tx, book_id: int, number: int, until: int) -> sums.Sums:
    """What shops had accepted at a window's close and nobody had settled: signed, for late refunds may prevail."""
    rows = tx.execute(
        "select i.funding, sum(i.points), sum(i.points * i.unit_value_minor) from settlement.item i"
        " join settlement.window w on w.book_id = i.book_id and w.number = i.window_number"
        " where i.book_id = %s and i.window_number <= %s and i.lot_id is not null and not exists"
        " (select from jsonb_array_elements(w.steps) s where s ->> 'step' = 'posted' and (s ->> 'sequence')::bigint <= %s)"
        " group by 1",
        [book_id, number, until],
    )
    found = {funding: (int(points), int(minor)) for funding, points, minor in rows}
    kinds = ("prefunded", "deferred", "closed_loop")
    return tuple(value for kind in kinds for value in found.get(kind, (0, 0)))


# -- seals


def add_parties(tx: Tx, book_id: int, number: int, parties: Sequence[Party]) -> None:
    if parties:
        places, ids, *rest = zip(*parties, strict=True)
        tx.execute(
            "insert into settlement.sealed_party (book_id, window_number, place, party_id, items, items_root, leaf)"
            " select %s, %s, * from unnest(%s::int[], %s::uuid[], %s::bigint[], %s::bytea[], %s::bytea[])",
            [book_id, number, list(places), array(ids), *map(list, rest)],
        )


def add_holdings(tx: Tx, book_id: int, number: int, found: Sequence[Holding]) -> None:
    if found:
        places, members, salts, each = zip(*found, strict=True)
        columns = list(zip(*each, strict=True))
        tx.execute(
            "insert into settlement.sealed_holding (book_id, window_number, place, member_id, salt, sums)"
            " select %s, %s, place, member, salt, array[a, b, c, d, e, f] from unnest(%s::bigint[], %s::uuid[],"
            " %s::bytea[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])"
            " as t(place, member, salt, a, b, c, d, e, f)",
            [book_id, number, list(places), array(members), list(salts), *map(list, columns)],
        )


def add_seal(tx: Tx, book_id: int, seal: Seal) -> None:
    """The seal, and with it the end of what older windows' receipts were made from."""
    tx.execute(
        "insert into settlement.seal (book_id, window_number, head, digest, key, signature, blocks)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        [book_id, *seal],
    )
    tx.execute(
        "delete from settlement.sealed_holding where book_id = %s and window_number < %s",
        [book_id, seal.window_number],
    )


def seal(tx: Tx, book_id: int, number: int | None = None) -> Seal | None:
    """The seal of a window; without a number the newest."""
    row = tx.execute(
        "select window_number, head, digest, key, signature, blocks from settlement.seal where book_id = %s"
        " and (%s::int is null or window_number = %s) order by window_number desc limit 1",
        [book_id, number, number],
    ).fetchone()
    return Seal(*row) if row else None


def parties(tx: Tx, book_id: int, number: int) -> list[Party]:
    rows = tx.execute(
        "select place, party_id, items, items_root, leaf from settlement.sealed_party"
        " where book_id = %s and window_number = %s order by place",
        [book_id, number],
    )
    return [Party(*row) for row in rows]


def place_of_member(tx: Tx, book_id: int, number: int, member: UUID) -> int | None:
    row = tx.execute(
        "select place from settlement.sealed_holding where member_id = %s and book_id = %s and window_number = %s",
        [member, book_id, number],
    ).fetchone()
    return int(row[0]) if row else None


def some_holdings(tx: Tx, book_id: int, number: int, first: int, count: int) -> list[Holding]:
    rows = tx.execute(
        "select place, member_id, salt, sums from settlement.sealed_holding"
        " where book_id = %s and window_number = %s and place >= %s and place < %s order by place",
        [book_id, number, first, first + count],
    )
    return [Holding(place, member, salt, tuple(told)) for place, member, salt, told in rows]


def book_of_statement(tx: Tx, id: UUID) -> tuple[int, int, UUID] | None:
    """Book, window and party of a statement, whichever book it is in."""
    row = tx.execute("select book_id, window_number, party_id from settlement.position where id = %s", [id]).fetchone()
    return (row[0], row[1], row[2]) if row else None
