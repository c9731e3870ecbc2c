"""The SQL of next offers: histories in, a few rows a member out, and the one read that serves them."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

import ledger
from ledger import Tx
from merchants.insight import next_offer
from merchants.insight.next_offer import Offer, Visits

#: How far back is looked.
HISTORY_DAYS: Final = 400
#: Members whose offers are written in one transaction, and rows that are read at a time.
LARGEST_BATCH: Final = 500
CHUNK: Final = 5_000


@dataclass(frozen=True, slots=True)
class OfferTold:
    """A member's next offer at a merchant, as it was found at `as_of`."""

    merchant_id: UUID
    rank: int
    category: str
    score_ppm: int
    reason: str
    facts: Mapping[str, Any]
    as_of: datetime


_TOLD: Final = "merchant_id, rank, category, score_ppm, reason, facts, as_of"


def offers_at(tx: Tx, merchant_id: UUID, member_id: UUID) -> list[OfferTold]:
    """What a merchant may offer a member next, the likeliest first; by the primary key."""
    rows = tx.execute(
        f"select {_TOLD} from merchants.next_offer where member_id = %s and merchant_id = %s order by rank",
        [member_id, merchant_id],
    )
    return [OfferTold(*row) for row in rows]


def offers_to(tx: Tx, book_id: int, member_id: UUID, most: int = 50) -> list[OfferTold]:
    """A member's next offers at all merchants, the likeliest first, at most `most`."""
    rows = tx.execute(
        f"select {_TOLD} from merchants.next_offer where member_id = %s and book_id = %s"
        " order by score_ppm desc, merchant_id, rank limit %s",
        [member_id, book_id, most],
    )
    return [OfferTold(*row) for row in rows]


# -- finding them


def begin(tx: Tx, book: ledger.Book) -> datetime:
    """Find next offers in this book every day from now on; since when. Again changes nothing."""
    tx.execute(
        "insert into merchants.next_offer_book (book_id, since) values (%s, %s) on conflict do nothing",
        [book.id, book.now],
    )
    row = tx.execute("select since from merchants.next_offer_book where book_id = %s", [book.id]).fetchone()
    assert row is not None
    since: datetime = row[0]
    return since


def next_finding(tx: Tx, book: ledger.Book) -> datetime | None:
    """When the merchant whose offers were found the longest ago has its turn: at the midnight after. None: not here."""
    row = tx.execute(
        "select count(m.id) > count(r.merchant_id), min(r.as_of) from merchants.next_offer_book b"
        " join merchants.merchant m on m.book_id = b.book_id"
        " left join merchants.next_offer_run r on r.merchant_id = m.id where b.book_id = %s",
        [book.id],
    ).fetchone()
    assert row is not None
    if row[0]:
        return book.now
    return None if row[1] is None else ledger.days.end_of_day(row[1], book.time_zone)


def find_one(db: ledger.Database, book: ledger.Book) -> bool:
    """Find the offers of one merchant that is due, in bounded batches; False: none is.

    Safe twice, late and side by side: found again they are the same rows.
    """
    midnight = ledger.days.start_of_day(book.now, book.time_zone)
    with db.tx("door") as tx:
        row = tx.execute(
            "select m.id from merchants.next_offer_book b join merchants.merchant m on m.book_id = b.book_id"
            " left join merchants.next_offer_run r on r.merchant_id = m.id"
            " where b.book_id = %s and (r.as_of is null or r.as_of < %s) order by r.as_of nulls first, m.id limit 1",
            [book.id, midnight],
        ).fetchone()
    if row is None:
        return False
    return find(db, book, row[0]) is not None


def find(db: ledger.Database, book: ledger.Book, merchant_id: UUID) -> int | None:
    """Find a merchant's next offers now; of how many members. None: another process is at it."""
    # connections of its own: with a pool of one, what writes would wait for what reads
    with db.connection("door") as reading, reading.transaction():
        taught = next_offer.model(lambda: (visits for _, visits in _histories(reading, book, merchant_id)))
    today = ledger.days.day_of(book.now, book.time_zone).toordinal()
    members = 0
    with db.connection("door") as reading, reading.transaction():
        if not _mine(reading, merchant_id):
            return None
        histories = _histories(reading, book, merchant_id)
        while batch := list(itertools.islice(histories, LARGEST_BATCH)):
            found = [(member, offer) for member, visits in batch for offer in _ranked(taught, visits, today)]
            with db.tx("door") as tx:
                _put(tx, book, merchant_id, [member for member, _ in batch], found)
            members += len(batch)
        with db.tx("door") as tx:
            # of whom nothing is known any more
            tx.execute(
                "delete from merchants.next_offer where merchant_id = %s and as_of < %s", [merchant_id, book.now]
            )
            tx.execute(
                "insert into merchants.next_offer_run (merchant_id, book_id, as_of, members) values (%s, %s, %s, %s)"
                " on conflict (merchant_id) do update set as_of = excluded.as_of, members = excluded.members",
                [merchant_id, book.id, book.now, members],
            )
    return members


def _ranked(taught: next_offer.Model, visits: Visits, today: int) -> Iterator[tuple[int, Offer]]:
    return enumerate(taught.offers(visits, today), start=1)


def _histories(tx: Tx, book: ledger.Book, merchant_id: UUID) -> Iterator[tuple[UUID, Visits]]:
    """Each member's visits to a merchant, member by member, through a cursor of the server's: memory stays flat."""
    with tx.cursor(name="histories") as cursor:
        cursor.itersize = CHUNK
        cursor.execute(
            "select s.member_id, (s.at at time zone %(zone)s)::date, array_agg(distinct line.category)"
            " from merchants.sale s join merchants.member m on m.id = s.member_id and m.book_id = s.book_id"
            " cross join lateral jsonb_to_recordset(s.lines) as line(category text, amount bigint)"
            " where s.book_id = %(book)s and s.merchant_id = %(merchant)s and m.state <> 'left'"
            " and s.total_minor > s.refunded_minor and s.at > %(since)s and line.category is not null and line.amount > 0"
            " group by 1, 2 order by 1, 2",
            {
                "zone": book.time_zone,
                "book": book.id,
                "merchant": merchant_id,
                "since": book.now - timedelta(days=HISTORY_DAYS),
            },
        )
        for member, rows in itertools.groupby(cursor, key=lambda row: row[0]):
            yield member, [(day.toordinal(), frozenset(bought)) for _, day, bought in rows]


def _put(
    tx: Tx, book: ledger.Book, merchant_id: UUID, members: list[UUID], found: list[tuple[UUID, tuple[int, Offer]]]
) -> None:
    tx.execute(
        "delete from merchants.next_offer where merchant_id = %s and member_id = any(%s)", [merchant_id, members]
    )
    with tx.cursor() as cursor:
        cursor.executemany(
            "insert into merchants.next_offer"
            " (member_id, merchant_id, rank, book_id, category, score_ppm, reason, facts, as_of)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (member, merchant_id, rank, book.id, o.category, o.score_ppm, o.reason, Jsonb(dict(o.facts)), book.now)
                for member, (rank, o) in found
            ],
        )


def _mine(tx: Tx, merchant_id: UUID) -> bool:
    """Whether this process may write a merchant's offers, till the transaction ends: one at a time, and nobody waits."""
    row = tx.execute(
        "select pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"next offers {merchant_id}"]
    ).fetchone()
    return row is not None and bool(row[0])


def forget(tx: Tx, book: ledger.Book, member_id: UUID) -> None:
    """Forget what was understood of a member: the next offers, and which kept segments it is in."""
    tx.execute("delete from merchants.next_offer where book_id = %s and member_id = %s", [book.id, member_id])
    tx.execute(
        "with gone as (delete from merchants.segment_member where book_id = %s and member_id = %s"
        " returning segment_id, version)"
        " update merchants.segment_kept k set members = k.members - 1 from gone"
        " where k.segment_id = gone.segment_id and k.version = gone.version",
        [book.id, member_id],
    )
