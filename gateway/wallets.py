"""Members' balances, read many at a time: an app that is opened asks for one, and at noon thousands are."""

from collections.abc import Sequence
from uuid import UUID

import ledger
from merchants import people

#: A book and a member of it.
Asked = tuple[int, UUID]


def of(tx: ledger.Tx, asked: Sequence[Asked]) -> list[ledger.wallet.Wallet | None]:
    """The wallet of each, as last committed; None where the member is not there or has left."""
    found: dict[Asked, ledger.wallet.Wallet] = {}
    for book_id in {book_id for book_id, _ in asked}:
        book = ledger.read_book(tx, book_id)
        members = people.members_by(tx, book_id, {member for of_book, member in asked if of_book == book_id})
        here = [member.id for member in members.values() if member.state != "left"]
        found |= {(book_id, member): wallet for member, wallet in ledger.wallet.read_all(tx, book, here).items()}
    return [found.get(each) for each in asked]
