"""Amounts and times between the API's words and the rooms'. What does not fit the book is refused with its pointer."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import ledger
from gateway import problems
from gateway.api.shapes import Money, Sum
from gateway.server import BookFacts
from ledger import Minor
from merchants import people
from merchants.trade import MemberRef

#: Times outside these years are a mistake of whoever sent them.
FIRST_YEAR: Final = 1971
LAST_YEAR: Final = 2199


def minor(book: BookFacts, money: Money, pointer: str) -> Minor:
    """The minor units of an amount in the book's own currency."""
    if money.currency != book.currency:
        raise problems.invalid(f"{pointer}/currency", f"the book's currency is {book.currency}", "currency")
    return Minor(money.amount)


def total(book: BookFacts, amount: int) -> Sum:
    return Sum(amount=amount, currency=book.currency)


def time(at: datetime | None, pointer: str) -> datetime | None:
    """A time of this age, in UTC."""
    if at is None:
        return None
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise problems.invalid(pointer, f"the year must be {FIRST_YEAR} to {LAST_YEAR}", "out_of_range")
    return at.astimezone(UTC)


def shown(what: str, id: UUID | None) -> str | None:
    return None if id is None else ledger.ids.show(what, id)


def named(what: str, text: str, pointer: str) -> UUID:
    """The id that a body's field names; what is no such id names nothing."""
    found = ledger.ids.read(what, text)
    if found is None:
        raise problems.not_found(what, pointer)
    return found


def named_or_none(what: str, text: str | None, pointer: str) -> UUID | None:
    return None if text is None else named(what, text, pointer)


def member(text: str, pointer: str) -> MemberRef:
    """A member as a till names one: `mem_...`, or the number on the card in any script's digits."""
    if text.startswith("mem_"):
        return MemberRef(id=named("member", text, pointer))
    number = people.numbers.read(text)
    if number is None:
        raise problems.not_found("member", pointer)
    return MemberRef(number=number)
