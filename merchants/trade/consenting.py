"""Consenting: whose device showed a spend code, and whether it may count. Pure: no SQL, no clock but the batch's."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, NamedTuple
from uuid import UUID

from ledger import Refusal
from ledger.errors import CodeUsed, ConsentRequired
from merchants import people
from merchants.trade.known import Known


@dataclass(frozen=True, slots=True)
class SpendCodesLocked(Refusal):
    """Whoever shows these codes, a shop or the member, has shown too many wrong ones lately; others go on."""

    code: ClassVar[str] = "otp_locked"

    @property
    def detail(self) -> str:
        minutes = people.spend_codes.LOCK_TIME.seconds // 60
        return f"too many wrong spend codes from here: none is taken for {minutes} minutes"


class Consent(NamedTuple):
    """A code that may count: its device, its step, and the member whose device it is."""

    device: UUID
    step: int
    member: UUID


def consent(
    code: str, owner: UUID, others: Iterable[UUID], shown_by: UUID, known: Known, now: datetime
) -> Consent | Refusal:
    """Who consents with `code` to spending from the wallet of `owner`: the owner, or one of `others`.

    Codes are used once, and none older than the last used. `shown_by` is the shop, or the member, that shows it: wrong
    codes are counted against it. The owner's own devices are looked at first.
    """
    devices = {d.id: d for member in (owner, *others) for d in known.devices.get(member, ())}
    if not devices:
        return ConsentRequired("the member has no device that makes spend codes")
    if known.guesses(shown_by, owner):
        return SpendCodesLocked()
    match = people.spend_codes.matching_step(
        code,
        [
            (d.id, people.spend_codes.key(known.spend_key, d.id, d.nonce), known.steps.get(d.id, d.last_step))
            for d in devices.values()
        ],
        now,
    )
    if match is None:
        known.guessed(shown_by, owner)
        return ConsentRequired("the spend code is not the member's present one")
    if isinstance(match, people.spend_codes.Used):
        return CodeUsed()
    device, step = match
    return Consent(device, step, devices[device].member_id)
