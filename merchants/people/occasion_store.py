"""The SQL of members' occasions. They are personal: written here, told to their member, and in no record and no log."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import ledger
from ledger import Tx
from ledger.errors import NotFound
from merchants.people import occasions
from merchants.people.occasions import Anniversary, Memory, Occasion


def occasions_of(tx: Tx, book: ledger.Book, member_id: UUID) -> list[Occasion]:
    """A member's occasions in the order in which they were told."""
    rows = tx.execute(
        "select kind, calendar, month, day, year, name from merchants.occasion"
        " where book_id = %s and member_id = %s order by place",
        [book.id, member_id],
    )
    return [
        Occasion(kind, Anniversary(calendar, month, day), year, name) for kind, calendar, month, day, year, name in rows
    ]


def put_occasions(
    tx: Tx, book: ledger.Book, member_id: UUID, told: Sequence[Occasion], key: bytes
) -> ledger.Refusal | None:
    """These are the member's occasions now, and no others. Again changes nothing.

    `key` is the house's: with it one that was taken back is known again when it is told again.
    """
    if (wrong := occasions.fault(told)) is not None:
        return wrong
    # two of one member's devices take turns
    found = tx.execute(
        "select from merchants.member where book_id = %s and id = %s and state <> 'left' for no key update",
        [book.id, member_id],
    ).fetchone()
    if found is None:
        return NotFound("member")
    _remember(tx, book, member_id, occasions_of(tx, book, member_id), told, key)
    tx.execute("delete from merchants.occasion where book_id = %s and member_id = %s", [book.id, member_id])
    for place, occasion in enumerate(told):
        tx.execute(
            "insert into merchants.occasion (member_id, place, book_id, kind, calendar, month, day, year, name)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [member_id, place, book.id, occasion.kind, *occasion.anniversary, occasion.year, occasion.name],
        )
    return None


def forget_occasions(tx: Tx, book: ledger.Book, member_id: UUID) -> None:
    """Erase them and what is remembered of them; what erases a member calls it."""
    for table in ("occasion", "occasion_memory"):
        tx.execute(f"delete from merchants.{table} where book_id = %s and member_id = %s", [book.id, member_id])


# -- from when they count for rules


def counting_from(tx: Tx, book: ledger.Book, member_id: UUID) -> dict[str, datetime]:
    """By kind, from when a member's anniversaries count for rules."""
    return {kind: memory.counts_from for kind, memory in _memories(tx, book, member_id).items()}


def occasions_that_count(
    tx: Tx, book: ledger.Book, members: Iterable[UUID], kinds: Collection[str]
) -> list[tuple[UUID, str, Anniversary]]:
    """The anniversaries of these kinds that count now, of some members, in one statement."""
    rows = tx.execute(
        "select o.member_id, o.kind, o.calendar, o.month, o.day"
        " from unnest(%s::uuid[]) as asked(member_id) join merchants.occasion o on o.member_id = asked.member_id"
        " join merchants.occasion_memory m on m.member_id = o.member_id and m.kind = o.kind"
        " where o.book_id = %s and o.kind = any(%s::text[]) and m.counts_from <= %s",
        [ledger.arrays.uuids(list(members)), book.id, ledger.arrays.texts(sorted(kinds)), book.now],
    )
    return [(member, kind, Anniversary(*day)) for member, kind, *day in rows]


def _memories(tx: Tx, book: ledger.Book, member_id: UUID) -> dict[str, Memory]:
    rows = tx.execute(
        "select kind, counts_from, removed_at, digest from merchants.occasion_memory"
        " where book_id = %s and member_id = %s",
        [book.id, member_id],
    )
    return {
        kind: Memory(counts_from, removed_at, None if digest is None else bytes(digest))
        for kind, counts_from, removed_at, digest in rows
    }


def _remember(
    tx: Tx, book: ledger.Book, member_id: UUID, before: Sequence[Occasion], told: Sequence[Occasion], key: bytes
) -> None:
    """Write what is to be remembered of what a member tells; what nobody needs any more, of whomever, is gone with it."""
    tx.execute(
        "delete from merchants.occasion_memory where book_id = %s and removed_at <= %s",
        [book.id, book.now - occasions.REMEMBERED],
    )
    were, are, known = _by_kind(before), _by_kind(told), _memories(tx, book, member_id)
    for kind in occasions.FOR_RULES:
        day = are.get(kind) or were.get(kind)
        digest = b"" if day is None else occasions.digest(key, member_id, kind, day)
        memory = occasions.remembered(were.get(kind), known.get(kind), are.get(kind), digest, book.now)
        if memory is None or memory == known.get(kind):
            continue
        tx.execute(
            "insert into merchants.occasion_memory (member_id, kind, book_id, counts_from, removed_at, digest)"
            " values (%s, %s, %s, %s, %s, %s) on conflict (member_id, kind) do update"
            " set counts_from = excluded.counts_from, removed_at = excluded.removed_at, digest = excluded.digest",
            [member_id, kind, book.id, memory.counts_from, memory.removed_at, memory.digest],
        )


def _by_kind(told: Sequence[Occasion]) -> Mapping[str, Anniversary]:
    return {occasion.kind: occasion.anniversary for occasion in told if occasion.kind in occasions.FOR_RULES}
