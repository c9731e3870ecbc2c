"""The SQL of saved segments: their versions, and the members that are kept for whoever asks while posting."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

import ledger
from ledger import Tx
from ledger.errors import Invalid, LimitExceeded, NotFound, StateConflict
from merchants.insight import definitions, segment_store
from merchants.insight.segment_store import Scope

LARGEST_SEGMENTS: Final = 500
LARGEST_VERSIONS: Final = 1_000

_SAVED: Final = "s.id, s.merchant_id, s.name, v.version, v.definition, v.at"


@dataclass(frozen=True, slots=True)
class Saved:
    """A segment as it is since its last version. `merchant_id` None: the network's own."""

    id: UUID
    merchant_id: UUID | None
    name: str
    version: int
    definition: Mapping[str, Any]
    at: datetime


def digest(definition: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(ledger.canonical(definition)).digest()


def save(tx: Tx, scope: Scope, name: str, definition: Mapping[str, Any]) -> Saved | ledger.Refusal:
    """A new segment. The same name and definition again finds the one that is there; another definition is a conflict."""
    if (wrong := _fault(definition)) is not None:
        return wrong
    book = scope.book
    # whoever saves takes turns, so that the count is exact
    tx.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"segments {book.id} {scope.merchant_id}"])
    row = tx.execute(
        "select count(*), (array_agg(id) filter (where name = %s))[1] from merchants.segment"
        " where book_id = %s and merchant_id is not distinct from %s",
        [name, book.id, scope.merchant_id],
    ).fetchone()
    assert row is not None
    if row[1] is not None:
        there = find(tx, scope, row[1])
        assert there is not None
        return there if digest(there.definition) == digest(definition) else StateConflict("segment", "saved otherwise")
    if row[0] >= LARGEST_SEGMENTS:
        return LimitExceeded("segments", LARGEST_SEGMENTS, row[0] + 1)
    id = ledger.ids.new()
    tx.execute(
        "insert into merchants.segment (id, book_id, merchant_id, name, at) values (%s, %s, %s, %s, %s)",
        [id, book.id, scope.merchant_id, name, book.now],
    )
    _add_version(tx, book, id, 1, definition)
    return Saved(id, scope.merchant_id, name, 1, definition, book.now)


def change(tx: Tx, scope: Scope, id: UUID, definition: Mapping[str, Any]) -> Saved | ledger.Refusal:
    """The segment's next version; the ones before stay as they are. The same definition again changes nothing."""
    if (wrong := _fault(definition)) is not None:
        return wrong
    tx.execute("select from merchants.segment where id = %s for no key update", [id])
    there = find(tx, scope, id)
    if there is None:
        return NotFound("segment")
    if digest(there.definition) == digest(definition):
        return there
    if there.version >= LARGEST_VERSIONS:
        return LimitExceeded("versions", LARGEST_VERSIONS, there.version + 1)
    _add_version(tx, scope.book, id, there.version + 1, definition)
    return Saved(id, there.merchant_id, there.name, there.version + 1, definition, scope.book.now)


def find(tx: Tx, scope: Scope, id: UUID) -> Saved | None:
    """A segment of this merchant (or network), as it is since its last version."""
    row = tx.execute(
        f"select {_SAVED} from merchants.segment s join merchants.segment_version v on v.segment_id = s.id"
        " where s.id = %s and s.book_id = %s and s.merchant_id is not distinct from %s order by v.version desc limit 1",
        [id, scope.book.id, scope.merchant_id],
    ).fetchone()
    return None if row is None else Saved(*row)


def latest_versions(tx: Tx, book: ledger.Book, merchant_id: UUID, ids: Collection[UUID]) -> dict[UUID, int]:
    """Of some segments, those that are the merchant's own or the network's, with the number of their last version."""
    rows = tx.execute(
        "select s.id, max(v.version) from merchants.segment s join merchants.segment_version v on v.segment_id = s.id"
        " where s.id = any(%s::uuid[]) and s.book_id = %s and (s.merchant_id = %s or s.merchant_id is null) group by s.id",
        [sorted(ids), book.id, merchant_id],
    )
    return dict(rows.fetchall())


def saved(tx: Tx, scope: Scope, *, after: UUID | None, limit: int) -> list[Saved]:
    """The segments of a merchant (or of the network) behind `after`, by id: in the order in which they were made."""
    rows = tx.execute(
        f"select {_SAVED} from merchants.segment s cross join lateral (select * from merchants.segment_version"
        " where segment_id = s.id order by version desc limit 1) v"
        " where s.book_id = %s and s.merchant_id is not distinct from %s and (%s::uuid is null or s.id > %s)"
        " order by s.id limit %s",
        [scope.book.id, scope.merchant_id, after, after, limit],
    )
    return [Saved(*row) for row in rows]


def _fault(definition: Mapping[str, Any]) -> Invalid | None:
    faults = definitions.faults(definition)
    return Invalid(f"/definition{faults[0].pointer}", faults[0].detail) if faults else None


def _add_version(tx: Tx, book: ledger.Book, id: UUID, version: int, definition: Mapping[str, Any]) -> None:
    tx.execute(
        "insert into merchants.segment_version (segment_id, version, book_id, definition, digest, at)"
        " values (%s, %s, %s, %s, %s, %s)",
        [id, version, book.id, Jsonb(definition), digest(definition), book.now],
    )


# -- members kept for whoever asks while posting


def keep(tx: Tx, book: ledger.Book, id: UUID, version: int) -> NotFound | None:
    """Have the members of a version found every day from now on, the first time at the next look. Again changes nothing.

    Asked in a posting as well: it writes a row and reads no sales.
    """
    row = tx.execute(
        "select s.merchant_id from merchants.segment s join merchants.segment_version v on v.segment_id = s.id"
        " where s.id = %s and s.book_id = %s and v.version = %s",
        [id, book.id, version],
    ).fetchone()
    if row is None:
        return NotFound("segment")
    tx.execute(
        "insert into merchants.segment_kept (segment_id, version, book_id) values (%s, %s, %s) on conflict do nothing",
        [id, version, book.id],
    )
    return None


def members_in(
    tx: Tx, segments: Sequence[tuple[UUID, int]], members: Sequence[UUID]
) -> frozenset[tuple[UUID, int, UUID]]:
    """Which of some members are in which of some kept versions, as of their last finding: one read by the index.

    A version that nobody keeps has no members.
    """
    if not segments or not members:
        return frozenset()
    rows = tx.execute(
        "select m.segment_id, m.version, m.member_id from unnest(%s::uuid[], %s::integer[]) as asked(id, version)"
        " join merchants.segment_member m on m.segment_id = asked.id and m.version = asked.version"
        " where m.member_id = any(%s::uuid[])",
        [[id for id, _ in segments], [version for _, version in segments], list(set(members))],
    )
    return frozenset((row[0], row[1], row[2]) for row in rows)


def next_renewal(tx: Tx, book: ledger.Book) -> datetime | None:
    """When the members of the version that was found the longest ago are found again: at the midnight after."""
    row = tx.execute(
        "select as_of from merchants.segment_kept where book_id = %s order by as_of nulls first limit 1", [book.id]
    ).fetchone()
    if row is None:
        return None
    return book.now if row[0] is None else ledger.days.end_of_day(row[0], book.time_zone)


def renew_one(tx: Tx, book: ledger.Book) -> bool:
    """Find the members of one version that is due again; False: none is, or another process has it in hand."""
    midnight = ledger.days.start_of_day(book.now, book.time_zone)
    row = tx.execute(
        "select segment_id, version from merchants.segment_kept where book_id = %s and (as_of is null or as_of < %s)"
        " order by as_of nulls first, segment_id, version limit 1 for no key update skip locked",
        [book.id, midnight],
    ).fetchone()
    if row is None:
        return False
    _renew(tx, book, *row)
    return True


def _renew(tx: Tx, book: ledger.Book, id: UUID, version: int) -> None:
    """Put the members of a version as they are now in the place of those of before; only who came or went is written."""
    row = tx.execute(
        "select s.merchant_id, v.definition from merchants.segment s join merchants.segment_version v"
        " on v.segment_id = s.id where s.id = %s and v.version = %s",
        [id, version],
    ).fetchone()
    assert row is not None
    scope, seconds = Scope(book, row[0]), segment_store.PATIENT_SECONDS
    found = segment_store.members(tx, scope, definitions.read(row[1]), seconds=seconds)
    told = {"segment": id, "version": version, "book": book.id, "found": ledger.arrays.uuids(found), "now": book.now}
    tx.execute(
        "delete from merchants.segment_member where segment_id = %(segment)s and version = %(version)s"
        " and not member_id = any(%(found)s::uuid[])",
        told,
    )
    tx.execute(
        "insert into merchants.segment_member (segment_id, version, member_id, book_id)"
        " select %(segment)s, %(version)s, found.id, %(book)s from unnest(%(found)s::uuid[]) as found(id)"
        " on conflict do nothing",
        told,
    )
    tx.execute(
        "update merchants.segment_kept set as_of = %(now)s, members = %(count)s"
        " where segment_id = %(segment)s and version = %(version)s",
        {**told, "count": len(found)},
    )
