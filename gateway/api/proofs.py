"""What anybody may check: the keys, the supply of a window; and a member that theirs is inside."""

import msgspec

import ledger
import settlement
from gateway import problems
from gateway.api.shapes import ProofKeysOut, SupplyIn
from gateway.calls import Call, Reply
from gateway.server import BookFacts


async def get_proof_keys(call: Call[None]) -> ProofKeysOut:
    return msgspec.convert(call.server.proofs.jwks(), ProofKeysOut)


async def get_supply(call: Call[None]) -> Reply:
    """As it was signed. A window that has only just closed is not there yet: nobody makes the house work by asking."""
    asked: SupplyIn = call.query
    book = await call.thread(call.server.book_named, call.id("book"))
    if book is None:
        raise problems.not_found("book")
    seal = await call.work(settlement.seal, book.id, asked.number)
    if seal is None:
        raise problems.not_found("supply")
    return Reply(200, ledger.canonical(settlement.sealing.supply(seal)))


async def get_supply_receipt(call: Call[None]) -> Reply:
    book: BookFacts = call.member.book

    def read(tx: ledger.Tx) -> bytes | None:
        found = settlement.sealing.receipt(tx, ledger.read_book(tx, book.id), call.member.id)
        return None if found is None else ledger.canonical(found)

    told = await call.work(read)
    if told is None:
        raise problems.not_found("supply receipt")
    return Reply(200, told)
