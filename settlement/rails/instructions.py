"""An instruction: one payment to make, or one that is expected; and what a word about it means. Pure.

Its id is its name everywhere: the end-to-end id of a bank, the idempotency key of a provider. It ends once. Of a position
there is never more than one that lives, so nobody is paid twice for one window.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, NamedTuple
from uuid import UUID

#: Being made, or expected.
LIVE: Final = ("made", "sent", "unknown")

_REFERENCE: Final = re.compile(r"(?:ins_?)?([0-9a-f]{32})", re.IGNORECASE)

Said = Literal["accepted", "confirmed", "refused", "returned"]


@dataclass(frozen=True, slots=True)
class Instruction:
    id: UUID
    book_id: int
    merchant_id: UUID
    # pay_out and pay_in are of a window, topup is of a prefund
    direction: str
    rail: str
    window_number: int | None
    amount_minor: int
    state: str
    made_at: datetime
    record_id: UUID
    payment_record_id: UUID | None
    returned_record_id: UUID | None
    file_id: UUID | None
    holder: str | None
    account: str | None
    bic: str | None
    rail_reference: str | None
    rail_url: str | None
    reason: str | None
    tries: int
    next_try_at: datetime | None
    last_error: str | None

    @property
    def reference(self) -> str:
        return reference(self.id)

    @property
    def lives(self) -> bool:
        return self.state in LIVE


def reference(id: UUID) -> str:
    """How banks and providers name an instruction: 32 digits, which every format takes."""
    return id.hex


def named_by(*texts: str) -> UUID | None:
    """The instruction that the first of these texts names; it must be the reference and nothing else."""
    for text in texts:
        if match := _REFERENCE.fullmatch(text.strip()):
            return UUID(hex=match[1])
    return None


class Step(NamedTuple):
    """What a word makes of an instruction. `books`: what is posted, in order."""

    state: str
    books: tuple[Literal["payment", "return", "refusal"], ...]


def step(of: Instruction, said: Said) -> Step | None:
    """The step that a word is; to the state it is in where the word is old; None: it contradicts what is on record.

    Words come late, twice and out of order. That money came is believed whatever was thought before; that money went out
    is only believed of an instruction that was still to be paid.
    """
    if said == "accepted":
        return Step("sent" if of.lives else of.state, ())
    if of.direction == "pay_out":
        return _of_payout(of, said)
    if said == "confirmed":
        return Step("confirmed", ("payment",)) if of.lives or of.state == "refused" else Step(of.state, ())
    if said == "refused":
        return Step("refused", ("refusal",)) if of.lives else Step(of.state, ())
    return None


def _of_payout(of: Instruction, said: Said) -> Step | None:
    if said == "confirmed":
        return Step("confirmed", ("payment",)) if of.lives else _old(of, "confirmed", "returned")
    if said == "refused":
        return Step("refused", ("refusal",)) if of.lives else _old(of, "refused")
    if of.lives:
        # the way out was never told: both are booked now
        return Step("returned", ("payment", "return"))
    return Step("returned", ("return",)) if of.state == "confirmed" else _old(of, "returned")


def _old(of: Instruction, *states: str) -> Step | None:
    return Step(of.state, ()) if of.state in states else None
