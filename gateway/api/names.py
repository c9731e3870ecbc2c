"""What a body names and an answer shows: ids, members by number, telephones. What names nothing is refused with its pointer."""

from uuid import UUID

from gateway import problems
from gateway.server import BookFacts
from ledger import ids
from merchants import people
from merchants.trade import MemberRef


def shown(what: str, id: UUID | None) -> str | None:
    return None if id is None else ids.show(what, id)


def read(what: str, text: str, pointer: str) -> UUID:
    """The id that a body's field names; what is no such id names nothing."""
    found = ids.read(what, text)
    if found is None:
        raise problems.not_found(what, pointer)
    return found


def read_or_none(what: str, text: str | None, pointer: str) -> UUID | None:
    return None if text is None else read(what, text, pointer)


def one_of_two(**fields: object) -> None:
    """Two fields of a body say one thing in two ways: one of them is there, and the other is not."""
    (first, one), (second, other) = fields.items()
    if (one is None) == (other is None):
        raise problems.invalid(f"/{first}", f"say {first} or {second}, one of the two")


def member(text: str, pointer: str) -> MemberRef:
    """A member as a till names one: `mem_...`, or the number on the card in any script's digits."""
    if text.startswith("mem_"):
        return MemberRef(id=read("member", text, pointer))
    number = people.numbers.read(text)
    if number is None:
        raise problems.not_found("member", pointer)
    return MemberRef(number=number)


def masked(number: str | None) -> str:
    """A member number that tells only its last four digits: enough to see whom one meant, too little to use."""
    return "*" * 8 + (number or "****")[-4:]


def telephone(book: BookFacts, text: str, pointer: str) -> str:
    """A telephone number in E.164. In a test book people may have made-up ones."""
    found = people.phones.normalise(text, possible_is_enough=book.mode == "test")
    if found is None:
        raise problems.invalid(pointer, "not a telephone number", "telephone")
    return found
