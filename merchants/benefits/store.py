"""The SQL of entitlements, grants and uses. One book's rows are never found through another."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import ledger
from ledger import Book, Tx
from merchants.benefits import schema
from merchants.benefits.deciding import Counts, Entitlement, Grant, capacity
from merchants.standing.periods import day_of, midnight

#: (entitlement, member)
Pair = tuple[UUID, UUID]

_ENTITLEMENT: Final = (
    "id, merchant_id, kind, name, who, tiers, capacity, begins_at, ends_at, state, used, opened_at, ended_at"
)


class UseRow(NamedTuple):
    id: UUID
    entitlement_id: UUID
    merchant_id: UUID
    branch_id: UUID
    member_id: UUID
    grant_id: UUID | None
    external_reference: str
    at: datetime
    n: int


class Use(NamedTuple):
    """A use that was there before."""

    id: UUID
    entitlement_id: UUID
    merchant_id: UUID
    member_id: UUID
    grant_id: UUID | None
    external_reference: str
    at: datetime
    voided_at: datetime | None


_NEW: Final = ledger.Insert(
    schema.entitlement,
    *(
        "id",
        "merchant_id",
        "kind",
        "name",
        "who",
        "tiers",
        "capacity",
        "begins_at",
        "ends_at",
        "state",
        "opened_at",
        "n",
    ),
    same=("book_id", "batch_id"),
)
_USE: Final = ledger.Insert(schema.entitlement_use, *UseRow._fields, same=("book_id", "batch_id"))
_GRANT: Final = ledger.Insert(
    schema.entitlement_grant,
    *("id", "entitlement_id", "merchant_id", "member_id", "uses", "ends_at", "at", "n"),
    same=("book_id", "batch_id"),
)


def _entitlement(row: tuple[Any, ...]) -> Entitlement:
    id, merchant, kind, name, who, tiers, told, *more = row
    return Entitlement(id, merchant, kind, name, who, tuple(tiers), capacity(told), *more)


# -- posting path (role ledger)


def lock(tx: Tx, book_id: int, ids: Iterable[UUID]) -> dict[UUID, Entitlement]:
    """Entitlements, locked in the order of their ids: what is counted of them below is exact."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    rows = tx.execute(
        f"select {_ENTITLEMENT} from merchants.entitlement where id = any(%s::uuid[]) and book_id = %s"
        " order by id for no key update",
        [ledger.array(wanted), book_id],
    )
    return {row[0]: _entitlement(row) for row in rows}


def entitlements_of_uses(tx: Tx, book_id: int, uses: Iterable[UUID]) -> set[UUID]:
    wanted = list(uses)
    if not wanted:
        return set()
    rows = tx.execute(
        "select entitlement_id from merchants.entitlement_use where id = any(%s::uuid[]) and book_id = %s",
        [ledger.array(wanted), book_id],
    )
    return {row[0] for row in rows}


def entitlements_of_grants(tx: Tx, book_id: int, grants: Iterable[UUID]) -> set[UUID]:
    wanted = list(grants)
    if not wanted:
        return set()
    rows = tx.execute(
        "select entitlement_id from merchants.entitlement_grant where id = any(%s::uuid[]) and book_id = %s",
        [ledger.array(wanted), book_id],
    )
    return {row[0] for row in rows}


def uses(tx: Tx, book_id: int, ids: Iterable[UUID]) -> dict[UUID, Use]:
    wanted = list(ids)
    if not wanted:
        return {}
    rows = tx.execute(
        "select id, entitlement_id, merchant_id, member_id, grant_id, external_reference, at, voided_at"
        " from merchants.entitlement_use where id = any(%s::uuid[]) and book_id = %s",
        [ledger.array(wanted), book_id],
    )
    return {row[0]: Use(*row) for row in rows}


def known(tx: Tx, references: Sequence[tuple[UUID, str]]) -> dict[tuple[UUID, str], UUID]:
    """Uses that already bear one of the (merchant, external reference) pairs."""
    if not references:
        return {}
    rows = tx.execute(
        "select u.merchant_id, u.external_reference, u.id"
        " from unnest(%s::uuid[], %s::text[]) as asked(merchant_id, reference)"
        " join merchants.entitlement_use u on u.merchant_id = asked.merchant_id"
        "  and u.external_reference = asked.reference",
        [ledger.array(r[0] for r in references), ledger.array(r[1] for r in references)],
    )
    return {(row[0], row[1]): row[2] for row in rows}


def counts(tx: Tx, book: Book, found: Mapping[UUID, Entitlement], pairs: Iterable[Pair]) -> dict[Pair, Counts]:
    """What of entitlements was used today, and by each member ever and in the period of the entitlement."""
    wanted = sorted(pair for pair in set(pairs) if pair[0] in found)
    if not wanted:
        return {}
    today = midnight(day_of(book.now, book.time_zone), book.time_zone)
    begins = []
    for id, _ in wanted:
        period = found[id].capacity.per_period
        begins.append(today if period is None else period.begin(book.now, book.time_zone))
    rows = tx.execute(
        "select asked.entitlement_id, asked.member_id, day.used, one.ever, one.lately"
        " from unnest(%s::uuid[], %s::uuid[], %s::timestamptz[]) as asked(entitlement_id, member_id, since),"
        " lateral (select count(*) as used from merchants.entitlement_use u"
        "  where u.entitlement_id = asked.entitlement_id and u.at >= %s and u.voided_at is null) as day,"
        " lateral (select count(*) as ever, count(*) filter (where u.at >= asked.since) as lately"
        "  from merchants.entitlement_use u where u.entitlement_id = asked.entitlement_id"
        "  and u.member_id = asked.member_id and u.voided_at is null) as one",
        [
            ledger.arrays.uuids([pair[0] for pair in wanted]),
            ledger.arrays.uuids([pair[1] for pair in wanted]),
            ledger.arrays.times(begins),
            today,
        ],
    )
    return {(row[0], row[1]): Counts(*row[2:]) for row in rows}


def grants(tx: Tx, book_id: int, pairs: Iterable[Pair]) -> list[Grant]:
    """The grants of entitlements to members, with how often each was used."""
    wanted = sorted(set(pairs))
    if not wanted:
        return []
    return _grants(
        tx,
        "from unnest(%s::uuid[], %s::uuid[]) as asked(entitlement_id, member_id)"
        " join merchants.entitlement_grant g on g.member_id = asked.member_id"
        "  and g.entitlement_id = asked.entitlement_id where g.book_id = %s",
        [ledger.arrays.uuids([p[0] for p in wanted]), ledger.arrays.uuids([p[1] for p in wanted]), book_id],
    )


def grants_by_id(tx: Tx, book_id: int, ids: Iterable[UUID]) -> dict[UUID, Grant]:
    found = _grants(
        tx,
        "from merchants.entitlement_grant g where g.id = any(%s::uuid[]) and g.book_id = %s",
        [ledger.array(ids), book_id],
    )
    return {grant.id: grant for grant in found}


def _grants(tx: Tx, where: str, values: Sequence[Any]) -> list[Grant]:
    rows = tx.execute(
        "select g.id, g.entitlement_id, g.member_id, g.uses, g.ends_at, g.at, g.ended_at,"
        " (select count(*) from merchants.entitlement_use u where u.entitlement_id = g.entitlement_id"
        "  and u.member_id = g.member_id and u.grant_id = g.id and u.voided_at is null)"
        f" {where}",
        values,
    )
    return [Grant(*row) for row in rows]


def add_entitlements(tx: Tx, book_id: int, batch_id: int, rows: Sequence[tuple[Entitlement, int]]) -> None:
    _NEW(
        tx,
        [
            (e.id, e.merchant_id, e.kind, dict(e.name), e.who, list(e.tiers), e.capacity.told, e.begins_at, e.ends_at,
             e.state, e.opened_at, n)
            for e, n in rows
        ],
        book_id,
        batch_id,
    )  # fmt: skip


def put_entitlements(tx: Tx, rows: Iterable[Entitlement]) -> None:
    """Write what changed of entitlements that are locked."""
    changed = list(rows)
    if changed:
        tx.execute(
            "update merchants.entitlement e set state = new.state, used = new.used, ended_at = new.ended_at"
            " from unnest(%s::uuid[], %s::text[], %s::bigint[], %s::timestamptz[]) as new(id, state, used, ended_at)"
            " where e.id = new.id",
            [
                ledger.arrays.uuids([e.id for e in changed]),
                ledger.arrays.texts([e.state for e in changed]),
                ledger.arrays.bigints([e.used for e in changed]),
                ledger.arrays.times([e.ended_at for e in changed]),
            ],
        )


def add_uses(tx: Tx, book_id: int, batch_id: int, rows: Sequence[UseRow]) -> None:
    _USE(tx, rows, book_id, batch_id)


def void_uses(tx: Tx, ids: Sequence[UUID], at: datetime) -> None:
    if ids:
        tx.execute(
            "update merchants.entitlement_use set voided_at = %s where id = any(%s::uuid[])", [at, ledger.array(ids)]
        )


def add_grants(tx: Tx, book_id: int, batch_id: int, rows: Sequence[tuple[Grant, UUID, int]]) -> None:
    _GRANT(
        tx,
        [(g.id, g.entitlement_id, merchant, g.member_id, g.uses, g.ends_at, g.at, n) for g, merchant, n in rows],
        book_id,
        batch_id,
    )


def end_grants(tx: Tx, ids: Sequence[UUID], at: datetime) -> None:
    if ids:
        tx.execute(
            "update merchants.entitlement_grant set ended_at = %s where id = any(%s::uuid[])", [at, ledger.array(ids)]
        )


# -- reading (role door)


def entitlement(tx: Tx, book_id: int, merchant_id: UUID, id: UUID) -> Entitlement | None:
    row = tx.execute(
        f"select {_ENTITLEMENT} from merchants.entitlement where id = %s and merchant_id = %s and book_id = %s",
        [id, merchant_id, book_id],
    ).fetchone()
    return None if row is None else _entitlement(row)


def list_entitlements(tx: Tx, book_id: int, merchant_id: UUID, *, before: UUID | None, limit: int) -> list[Entitlement]:
    """A page of a shop's entitlements, the newest first."""
    rows = tx.execute(
        f"select {_ENTITLEMENT} from merchants.entitlement where merchant_id = %s and book_id = %s"
        " and (%s::uuid is null or id < %s) order by id desc limit %s",
        [merchant_id, book_id, before, before, limit],
    )
    return [_entitlement(row) for row in rows]


def open_entitlements(tx: Tx, book: Book, *, before: UUID | None, limit: int) -> list[tuple[Entitlement, str]]:
    """A page of what may be used now somewhere, the newest first, with the name of the shop."""
    columns = ", ".join(f"e.{name}" for name in _ENTITLEMENT.split(", "))
    rows = tx.execute(
        f"select s.name, {columns} from merchants.entitlement e join merchants.merchant s on s.id = e.merchant_id"
        " where e.book_id = %s and e.state = 'open' and s.state = 'active' and e.begins_at <= %s"
        " and (e.ends_at is null or e.ends_at > %s) and (%s::uuid is null or e.id < %s) order by e.id desc limit %s",
        [book.id, book.now, book.now, before, before, limit],
    )
    return [(_entitlement(row[1:]), row[0]) for row in rows]
