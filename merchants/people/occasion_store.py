"""The SQL of members' occasions. They are personal: written here, told to their member, and in no record and no log."""

from collections.abc import Sequence
from uuid import UUID

import ledger
from ledger import Tx
from ledger.errors import NotFound
from merchants.people import occasions
from merchants.people.occasions import Anniversary, Occasion


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


def put_occasions(tx: Tx, book: ledger.Book, member_id: UUID, told: Sequence[Occasion]) -> ledger.Refusal | None:
    """These are the member's occasions now, and no others. Again changes nothing."""
    if (wrong := occasions.fault(told)) is not None:
        return wrong
    # two of one member's devices take turns
    found = tx.execute(
        "select from merchants.member where book_id = %s and id = %s and state <> 'left' for no key update",
        [book.id, member_id],
    ).fetchone()
    if found is None:
        return NotFound("member")
    forget_occasions(tx, book, member_id)
    for place, occasion in enumerate(told):
        tx.execute(
            "insert into merchants.occasion (member_id, place, book_id, kind, calendar, month, day, year, name)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [member_id, place, book.id, occasion.kind, *occasion.anniversary, occasion.year, occasion.name],
        )
    return None


def forget_occasions(tx: Tx, book: ledger.Book, member_id: UUID) -> None:
    """Erase them; what erases a member calls it."""
    tx.execute("delete from merchants.occasion where book_id = %s and member_id = %s", [book.id, member_id])
