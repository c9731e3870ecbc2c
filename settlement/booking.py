"""How a payment of a window is booked, whoever says that it was made: a person or a rail. Pure, on a `Working`."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ledger import AccountName, Working
from settlement import clearing
from settlement.steps import window_id


def through(rail: str) -> str:
    """Where money moves that goes by a rail: at the bank, or at the provider of payments."""
    return "bank" if rail == "bank" else "psp"


@dataclass(frozen=True, slots=True)
class PaymentDone:
    record_id: UUID
    merchant_id: UUID
    # pay_in: the merchant paid; pay_out: it was paid
    direction: str
    amount_minor: int
    # what is left of the position: negative to pay in, positive to be paid out
    open_minor: int
    released_points: int


@dataclass(frozen=True, slots=True)
class Word:
    """Who says that money moved, and where: `source` is the account it came from or went to."""

    actor: str
    source: str
    reference: str | None
    operator_id: UUID | None
    instruction_id: UUID | None = None

    def told(self, **facts: Any) -> dict[str, Any]:
        payload = facts | {"source": self.source, "reference": self.reference, "operator": self.operator_id}
        return payload | ({} if self.instruction_id is None else {"instruction": self.instruction_id})


def book(working: Working, word: Word, window: int, merchant: UUID, amount: int) -> PaymentDone:
    """A positive amount comes in, a negative one goes out. Nothing here refuses: whoever calls has decided."""
    direction = "pay_in" if amount > 0 else "pay_out"
    payload = word.told(window=window, direction=direction, amount_minor=abs(amount))
    subject = window_id(working.book.public_id, window)
    draft = working.record("payment", word.actor, payload=payload, merchant=merchant, subject=subject)
    account, cash = clearing.position(merchant, window), AccountName(word.source)
    released = 0
    if amount > 0:
        released = clearing.release(working, draft, window, merchant, amount)
        working.move(draft, cash, account, amount)
    else:
        working.move(draft, account, cash, -amount)
    draft.payload["released_points"] = released
    left = working.accounts[account].balance
    return PaymentDone(draft.id, merchant, direction, abs(amount), left, released)


def give_back(working: Working, word: Word, window: int, merchant: UUID, amount: int, payment: UUID) -> UUID:
    """A payment out came back, `payment` being its record: the position is owed again. The record that says so."""
    payload = word.told(window=window, payment=payment, amount_minor=amount)
    subject = window_id(working.book.public_id, window)
    draft = working.record("payment_returned", word.actor, payload=payload, merchant=merchant, subject=subject)
    working.move(draft, AccountName(word.source), clearing.position(merchant, window), amount)
    return draft.id
