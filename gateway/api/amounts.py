"""Amounts and times between the API's words and the rooms'. What does not fit the book is refused with its pointer."""

from datetime import UTC, datetime
from typing import Final

from gateway import problems
from gateway.api.shapes import Balance, Money, Sum
from gateway.server import BookFacts
from ledger import Minor

#: Times outside these years are a mistake of whoever sent them.
FIRST_YEAR: Final = 1971
LAST_YEAR: Final = 2199


def minor(book: BookFacts, money: Money, pointer: str) -> Minor:
    """The minor units of an amount in the book's own currency."""
    if money.currency != book.currency:
        raise problems.invalid(f"{pointer}/currency", f"the book's currency is {book.currency}", "currency")
    return Minor(money.amount)


def some(book: BookFacts, money: Money, pointer: str, nothing: str) -> Minor:
    """The same of an amount that may not be zero: `nothing` says why."""
    amount = minor(book, money, pointer)
    if amount == 0:
        raise problems.invalid(f"{pointer}/amount", nothing)
    return amount


def total(book: BookFacts, amount: int) -> Sum:
    return Sum(amount=amount, currency=book.currency)


def balance(available: int | None) -> Balance | None:
    return None if available is None else Balance(available=available)


def time(at: datetime | None, pointer: str) -> datetime | None:
    """A time of this age, in UTC."""
    if at is None:
        return None
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise problems.invalid(pointer, f"the year must be {FIRST_YEAR} to {LAST_YEAR}", "out_of_range")
    return at.astimezone(UTC)
