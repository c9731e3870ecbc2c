"""The doors' SQL: operators' keys, and what is read for a caller from the tables of the rooms below."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import ledger

# -- operators' keys


def add_operator_key(
    tx: ledger.Tx,
    *,
    id: UUID,
    operator_id: UUID,
    book_id: int | None,
    name: str,
    hash: bytes,
    last_four: str,
    roles: Sequence[str],
    created_at: datetime,
    expires_at: datetime | None,
) -> None:
    tx.execute(
        "insert into gateway.operator_key"
        " (id, operator_id, book_id, name, hash, last_four, roles, created_at, expires_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [id, operator_id, book_id, name, hash, last_four, list(roles), created_at, expires_at],
    )


def operator_key(tx: ledger.Tx, hash: bytes) -> tuple[Any, ...] | None:
    """(id, operator, book, name, roles) of the living key with this hash."""
    return tx.execute(
        "select id, operator_id, book_id, name, roles from gateway.operator_key"
        " where hash = %s and revoked_at is null and (expires_at is null or expires_at > now())",
        [hash],
    ).fetchone()


def operator_named(tx: ledger.Tx, name: str) -> UUID | None:
    """The person or service that the newest key of this name stands for."""
    row = tx.execute(
        "select operator_id from gateway.operator_key where name = %s order by created_at desc, id desc limit 1", [name]
    ).fetchone()
    return None if row is None else row[0]


def revoke_operator_key(tx: ledger.Tx, id: UUID, now: datetime) -> bool:
    """End a key; whether it was living."""
    return (
        tx.execute(
            "update gateway.operator_key set revoked_at = %s where id = %s and revoked_at is null", [now, id]
        ).rowcount
        == 1
    )


# -- sales and redemptions, read back


def giver(bonus: Mapping[str, Any]) -> str:
    """Whether by a sponsorship or by an offer: whoever gave a bonus that a sale's record tells of."""
    id: str = bonus["offer"] if "offer" in bonus else bonus["sponsorship"]
    return id


class SaleTold(NamedTuple):
    id: UUID
    branch_id: UUID
    till_id: UUID | None
    member_id: UUID | None
    external_reference: str
    occurred_at: datetime | None
    at: datetime
    total_minor: int
    money_minor: int
    points_earned: int
    earn_refused: str | None
    terms_id: UUID | None
    record_id: UUID
    lots: list[dict[str, Any]]
    bonuses: list[dict[str, Any]]
    rules: list[dict[str, Any]]


def sale(tx: ledger.Tx, id: UUID) -> SaleTold | None:
    """A sale of the tenant's own."""
    row = tx.execute(
        "select s.id, s.branch_id, s.till_id, s.member_id, s.external_reference, s.occurred_at, s.at, s.total_minor,"
        " s.money_minor, s.points_earned, s.earn_refused, s.terms_id, r.id, coalesce(r.payload -> 'lots', '[]'),"
        " coalesce(r.payload -> 'bonuses', '[]'), coalesce(r.payload -> 'rules', '[]')"
        " from merchants.sale s join ledger.record r on r.batch_id = s.batch_id and r.n = s.n where s.id = %s",
        [id],
    ).fetchone()
    return None if row is None else SaleTold(*row)


class RedemptionTold(NamedTuple):
    id: UUID
    branch_id: UUID
    till_id: UUID | None
    member_id: UUID
    external_reference: str
    at: datetime
    points: int | None
    value_minor: int | None
    state: str
    deadline: datetime
    record_id: UUID
    slices: list[dict[str, Any]]


def redemption(tx: ledger.Tx, id: UUID) -> RedemptionTold | None:
    """A redemption at the tenant's own shop, or what its member was asked to approve."""
    row = _redeemed(tx, id)
    if row is None:
        row = tx.execute(
            "select a.id, a.branch_id, a.till_id, a.member_id, a.external_reference, a.at, a.points, a.value_minor,"
            " a.state, a.deadline, r.id, '[]'::jsonb from merchants.approval a"
            " join ledger.record r on r.batch_id = a.batch_id and r.n = a.n where a.id = %s",
            [id],
        ).fetchone()
        if row is not None and row[8] == "approved":
            # between the two looks
            row = _redeemed(tx, id)
    return None if row is None else RedemptionTold(*row)


def _redeemed(tx: ledger.Tx, id: UUID) -> tuple[Any, ...] | None:
    return tx.execute(
        "select d.id, d.branch_id, d.till_id, d.member_id, d.external_reference, d.at, d.points, d.value_minor,"
        " h.state, h.deadline, r.id, r.payload -> 'slices'"
        " from merchants.redemption d join ledger.hold h on h.id = d.id"
        " join ledger.record r on r.batch_id = d.batch_id and r.n = d.n where d.id = %s",
        [id],
    ).fetchone()


def uuid(text: str) -> UUID:
    """An id inside a record's payload."""
    return UUID(text)


# -- records

#: Batches take their numbers before they are sealed, so two in flight may be sealed in the other order. A page looks back
#: over more batches than can be in flight, and over no more rows than those and a page can hold.
_LOOK_BACK: Final = 16
_MOST_ROWS: Final = 10_000


class RecordTold(NamedTuple):
    sequence: int
    batch_id: int
    id: UUID
    kind: str
    at: datetime
    actor: str
    member_id: UUID | None
    subject_id: UUID | None
    payload: dict[str, Any]


_RECORD: Final = "r.batch_id, r.id, r.kind, r.at, r.actor, r.member_id, r.subject_id, r.payload"


def records(
    tx: ledger.Tx,
    book_id: int,
    *,
    merchant: UUID | None = None,
    member: UUID | None = None,
    after: tuple[int, int] = (0, 0),
    limit: int,
) -> list[RecordTold]:
    """The records of a merchant or a member in sequence, those after a place (sequence, batch)."""
    assert (merchant is None) != (member is None)
    column, owner = ("merchant_id", merchant) if merchant is not None else ("member_id", member)
    rows = tx.execute(
        f"select b.first_sequence + r.n, {_RECORD} from"
        f" (select * from ledger.record where {column} = %s and book_id = %s and batch_id >= %s"
        "  order by batch_id, n limit %s) as r"
        " join ledger.batch b on b.id = r.batch_id where b.first_sequence + r.n > %s"
        " order by b.first_sequence, r.n limit %s",
        [owner, book_id, after[1] - _LOOK_BACK, _MOST_ROWS, after[0], limit],
    )
    return [RecordTold(*row) for row in rows]


def record(tx: ledger.Tx, book_id: int, id: UUID) -> RecordTold | None:
    """A record of the tenant's own."""
    row = tx.execute(
        f"select b.first_sequence + r.n, {_RECORD} from ledger.record r join ledger.batch b on b.id = r.batch_id"
        " where r.id = %s and r.book_id = %s",
        [id, book_id],
    ).fetchone()
    return None if row is None else RecordTold(*row)


class OwnRecord(NamedTuple):
    """A record as its member reads it. `branch_id` is where a redemption was."""

    batch_id: int
    n: int
    id: UUID
    kind: str
    at: datetime
    merchant_id: UUID | None
    payload: dict[str, Any]
    branch_id: UUID | None


_OWN: Final = (
    "select r.batch_id, r.n, r.id, r.kind, r.at, r.merchant_id, r.payload, d.branch_id"
    " from ledger.record r left join merchants.redemption d on d.id = r.subject_id and r.kind <> 'sale'"
)


def own_records(
    tx: ledger.Tx, book_id: int, member: UUID, kinds: Sequence[str], before: tuple[int, int] | None, limit: int
) -> list[OwnRecord]:
    """A member's records of some kinds, the newest first, those before a place (batch, n): along one wallet batches are
    numbered in sequence."""
    rows = tx.execute(
        f"{_OWN} where r.member_id = %(member)s and r.book_id = %(book)s and r.kind = any(%(kinds)s::text[])"
        " and (%(batch)s::bigint is null or (r.batch_id, r.n) < (%(batch)s::bigint, %(n)s::int))"
        " order by r.batch_id desc, r.n desc limit %(limit)s",
        {
            "member": member,
            "book": book_id,
            "kinds": list(kinds),
            "batch": before[0] if before else None,
            "n": before[1] if before else None,
            "limit": limit,
        },
    )
    return [OwnRecord(*row) for row in rows]


def own_record(tx: ledger.Tx, book_id: int, member: UUID, id: UUID) -> OwnRecord | None:
    row = tx.execute(
        f"{_OWN} where r.id = %s and r.member_id = %s and r.book_id = %s", [id, member, book_id]
    ).fetchone()
    return None if row is None else OwnRecord(*row)


class Saved(NamedTuple):
    """What a member was given by purchases and paid with points, both less what was taken or given back."""

    given_points: int
    given_minor: int
    paid_points: int
    paid_minor: int


def own_savings(tx: ledger.Tx, book_id: int, member: UUID, spans: Sequence[tuple[datetime, datetime]]) -> list[Saved]:
    """From a member's own records: one answer for each span of time, its end excluded. Points at their lots' own values."""
    rows = tx.execute(
        "select span.place, r.kind, sum((r.payload ->> 'points')::bigint), sum(case r.kind"
        " when 'sale' then (select coalesce(sum(b.points * b.unit_value_minor), 0)"
        "  from jsonb_to_recordset(coalesce(r.payload -> 'lots', '[]')) as b(points bigint, unit_value_minor bigint))"
        " when 'refund' then (select coalesce(sum(p.points * l.unit_value_minor), 0)"
        "  from jsonb_to_recordset(r.payload -> 'parts') as p(lot uuid, points bigint) join ledger.lot l on l.id = p.lot)"
        " else (r.payload ->> 'value_minor')::bigint end)"
        " from ledger.record r"
        " join unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[]) with ordinality as span(begins, ends, place)"
        " on r.at >= span.begins and r.at < span.ends"
        " where r.member_id = %(member)s and r.book_id = %(book)s"
        " and r.kind in ('sale', 'refund', 'capture', 'redemption_refund') group by 1, 2",
        {
            "book": book_id,
            "member": member,
            "begins": [begin for begin, _ in spans],
            "ends": [end for _, end in spans],
        },
    )
    found = {(place, kind): (int(points), int(minor)) for place, kind, points, minor in rows}

    def net(place: int, plus: str, minus: str) -> tuple[int, int]:
        (there, worth), (back, less) = (found.get((place, kind), (0, 0)) for kind in (plus, minus))
        return there - back, worth - less

    return [
        Saved(*net(place, "sale", "refund"), *net(place, "capture", "redemption_refund"))
        for place in range(1, len(spans) + 1)
    ]


class LotTold(NamedTuple):
    """Where points came from. `sale_record` is the record of the sale they were earned in, where the same member was."""

    id: UUID
    issuer_id: UUID
    unit_value_minor: int
    rule_id: UUID | None
    sponsored: bool
    parent_id: UUID | None
    earned_at: datetime
    available_at: datetime
    expires_at: datetime
    sale_record: UUID | None


def lots_named(tx: ledger.Tx, book_id: int, ids: Sequence[UUID]) -> dict[UUID, LotTold]:
    """Lots by id; whoever asks knows them from a record of the member's own."""
    if not ids:
        return {}
    rows = tx.execute(
        "select l.id, l.issuer_id, l.unit_value_minor, l.rule_id, coalesce(sp.id, o.id) is not null,"
        " l.parent_id, l.earned_at, l.available_at, l.expires_at, r.id"
        " from ledger.lot l left join merchants.sponsorship sp on sp.id = l.rule_id"
        " left join merchants.offer o on o.id = l.rule_id"
        " left join merchants.sale s on s.id = l.sale_id and s.member_id = l.member_id"
        " left join ledger.record r on r.batch_id = s.batch_id and r.n = s.n"
        " where l.book_id = %s and l.id = any(%s::uuid[])",
        [book_id, ledger.array(ids)],
    )
    return {row[0]: LotTold(*row) for row in rows}


# -- where operators' paths lead


def merchant_place(tx: ledger.Tx, id: UUID) -> int | None:
    """The book of a merchant."""
    row = tx.execute("select book_id from merchants.merchant where id = %s", [id]).fetchone()
    return None if row is None else row[0]


def branch_place(tx: ledger.Tx, id: UUID) -> tuple[int, UUID] | None:
    """The book and the merchant of a branch."""
    row = tx.execute("select book_id, merchant_id from merchants.branch where id = %s", [id]).fetchone()
    return None if row is None else (row[0], row[1])


def member_place(tx: ledger.Tx, id: UUID) -> int | None:
    """The book of a member."""
    row = tx.execute("select book_id from merchants.member where id = %s", [id]).fetchone()
    return None if row is None else row[0]


def window_place(tx: ledger.Tx, id: UUID) -> tuple[int, int] | None:
    """The book and the number of a window."""
    row = tx.execute("select book_id, number from settlement.window where id = %s", [id]).fetchone()
    return None if row is None else (row[0], row[1])


# -- what an operator sees of a book


def sent_codes(tx: ledger.Tx, book_id: int, phone: str) -> list[tuple[str, datetime, datetime]]:
    """(code, asked at, expires at) of a test book's codes that were not used, the newest first."""
    return tx.execute(
        "select shown_code, asked_at, expires_at from merchants.one_time_code"
        " where book_id = %s and phone = %s and shown_code is not null order by asked_at desc, id desc limit 10",
        [book_id, phone],
    ).fetchall()


class Points(NamedTuple):
    """All points of a book by what became of them, from the rows of the ledger."""

    baskets: int
    members: int
    issued: int
    redeemed: int
    expired: int
    returned: int
    outstanding: int
    pending: int
    closed_loop: int
    repaid: int
    given: int
    owed: int


def points(tx: ledger.Tx, book_id: int) -> Points:
    row = tx.execute(
        "with moved as (select m.source, m.target, sum(m.points) as points"
        " from ledger.lot_move m join ledger.batch b on b.id = m.batch_id where b.book_id = %(book)s group by 1, 2),"
        " way as (select coalesce(sum(points) filter (where target = 'accepted'), 0)"
        "   - coalesce(sum(points) filter (where source = 'accepted' and target = 'wallet'), 0) as redeemed,"
        "  coalesce(sum(points) filter (where target = 'home'), 0) as home,"
        "  coalesce(sum(points) filter (where source in ('wallet', 'pending') and target = 'accepted'), 0) as repaid,"
        "  coalesce(sum(points) filter (where source = 'given'), 0) as given from moved),"
        " expiry as (select coalesce(sum((payload ->> 'points')::bigint), 0) as points from ledger.record"
        "  where book_id = %(book)s and kind = 'expiry'),"
        " lots as (select coalesce(sum(points) filter (where parent_id is null), 0) as issued,"
        "  coalesce(sum(pending + remaining + held), 0) as outstanding, coalesce(sum(pending), 0) as pending,"
        "  coalesce(sum(pending + remaining + held) filter (where funding = 'closed_loop'), 0) as closed_loop"
        "  from ledger.lot where book_id = %(book)s)"
        " select (select count(*) from merchants.sale where book_id = %(book)s),"
        " (select count(*) from merchants.member where book_id = %(book)s),"
        " lots.issued, way.redeemed, expiry.points, way.home - expiry.points, lots.outstanding, lots.pending,"
        " lots.closed_loop, way.repaid, way.given,"
        " (select coalesce(sum(remaining), 0) from ledger.debt where book_id = %(book)s)"
        " from way, expiry, lots",
        {"book": book_id},
    ).fetchone()
    assert row is not None
    return Points(*(int(value) for value in row))


class Refunds(NamedTuple):
    """What a book's shops took back, and what they gave back."""

    sales: int
    amount_minor: int
    points: int
    redemptions: int
    restored: int


def refunds(tx: ledger.Tx, book_id: int) -> Refunds:
    row = tx.execute(
        "select count(sale_id), coalesce(sum(amount_minor) filter (where sale_id is not null), 0),"
        " coalesce(sum(points) filter (where sale_id is not null), 0), count(redemption_id),"
        " coalesce(sum(points) filter (where redemption_id is not null), 0) from merchants.refund where book_id = %s",
        [book_id],
    ).fetchone()
    assert row is not None
    return Refunds(*(int(value) for value in row))


def names(tx: ledger.Tx, book_id: int) -> dict[UUID, str]:
    """What a book's merchants are called."""
    return dict(tx.execute("select id, name from merchants.merchant where book_id = %s", [book_id]).fetchall())


def alive(tx: ledger.Tx) -> None:
    """Ask the database for nothing, within two seconds."""
    tx.execute("set local statement_timeout = '2s'")
    tx.execute("select 1")


def knows_zone(tx: ledger.Tx, name: str) -> bool:
    """Whether the database knows a time zone of this name: it is the one that reckons with it."""
    return tx.execute("select from pg_timezone_names where name = %s", [name]).fetchone() is not None


class Profile(NamedTuple):
    """What a member told of themselves. Personal: for the member alone."""

    number: str
    phone: str | None
    kind: Any
    given_name: str | None
    family_name: str | None
    language: str
    enrolled_at: datetime


def profile(tx: ledger.Tx, member_id: UUID) -> Profile:
    row = tx.execute(
        "select number, phone, kind, given_name, family_name, language, enrolled_at from merchants.member where id = %s",
        [member_id],
    ).fetchone()
    assert row is not None
    return Profile(*row)


def family_name(tx: ledger.Tx, member_id: UUID) -> str | None:
    """A member's family name, for the member alone."""
    row = tx.execute("select family_name from merchants.member where id = %s", [member_id]).fetchone()
    return None if row is None else row[0]


# -- what is told while it happens

#: A stream that begins again this many records of its book behind, or with more of its own than that, begins anew.
FARTHEST: Final = 100_000
MOST_MISSED: Final = 200

_TOUCHED: Final = "r.id, r.kind, r.merchant_id, r.member_id"


def heads(tx: ledger.Tx, books: Sequence[int]) -> dict[int, int]:
    """By book: the sequence its next record will get."""
    rows = tx.execute("select book_id, next_sequence from ledger.head where book_id = any(%s::int[])", [list(books)])
    return dict(rows.fetchall())


def touched(tx: ledger.Tx, book_id: int, start: int, end: int, owners: Sequence[UUID]) -> list[tuple[Any, ...]]:
    """(sequence, id, kind, merchant, member) of the records of `owners` from `start` to before `end`, in sequence.

    Both are heads, so that whole batches lie between them. Reads all records there and no others: keep it short.
    """
    return tx.execute(
        "select b.first_sequence + r.n, r.id, r.kind, r.merchant_id, r.member_id"
        " from (select id, first_sequence from ledger.batch"
        "  where book_id = %(book)s and first_sequence >= %(start)s and first_sequence < %(end)s) as b,"
        f" lateral (select r.n, {_TOUCHED} from ledger.record r where r.batch_id = b.id offset 0) as r"
        " where r.member_id = any(%(owners)s::uuid[]) or r.merchant_id = any(%(owners)s::uuid[]) order by 1",
        {"book": book_id, "start": start, "end": end, "owners": ledger.array(owners)},
    ).fetchall()


def missed(
    tx: ledger.Tx, book_id: int, after: int | None, *, merchant: UUID | None = None, member: UUID | None = None
) -> tuple[int, list[tuple[Any, ...]] | None]:
    """The book's last sequence, and what `touched` tells of one owner between `after` and it; None: that is too much, or
    no place of this book."""
    assert (merchant is None) != (member is None)
    last = heads(tx, [book_id])[book_id] - 1
    if after is None or after == last:
        return last, []
    if not 0 <= last - after <= FARTHEST:
        return last, None
    column, owner = ("merchant_id", merchant) if merchant is not None else ("member_id", member)
    rows = tx.execute(
        f"select b.first_sequence + r.n, {_TOUCHED} from ledger.record r join ledger.batch b on b.id = r.batch_id"
        f" where r.{column} = %(owner)s and r.book_id = %(book)s"
        # batches take their numbers before they are sealed: the least number of those sealed since, whatever the order
        "  and r.batch_id >= (select min(id) from ledger.batch where book_id = %(book)s and first_sequence >="
        "   coalesce((select max(first_sequence) from ledger.batch where book_id = %(book)s and first_sequence <= %(after)s + 1), 0))"
        "  and b.first_sequence + r.n > %(after)s and b.first_sequence + r.n <= %(last)s"
        " order by 1 limit %(most)s",
        {"owner": owner, "book": book_id, "after": after, "last": last, "most": MOST_MISSED + 1},
    ).fetchall()
    return last, rows if len(rows) <= MOST_MISSED else None


def records_named(tx: ledger.Tx, book_id: int, ids: Sequence[UUID]) -> list[RecordTold]:
    """Records of the tenant's own, in sequence."""
    rows = tx.execute(
        f"select b.first_sequence + r.n, {_RECORD} from ledger.record r join ledger.batch b on b.id = r.batch_id"
        " where r.id = any(%s::uuid[]) and r.book_id = %s order by 1",
        [ledger.array(ids), book_id],
    )
    return [RecordTold(*row) for row in rows]
