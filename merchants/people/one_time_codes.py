"""Signing in by a code sent to one's telephone.

Asking and trying do the same work and say the same for a telephone that nobody enrolled, so neither tells who is a
member. Only the last code asked for counts, once, for five minutes of the book's clock and five tries.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Final, Literal
from uuid import UUID

import ledger
from merchants.people import store
from merchants.people.digits import only
from merchants.people.members import Member

#: What a code is good for, and for nothing else: one that is read out at a counter must sign nobody in, and one that was
#: asked for a new telephone by somebody else must open nothing of the telephone's own member.
Purpose = Literal["sign_in", "confirm", "step_up", "new_phone"]

DIGITS: Final = 6
LIFE: Final = timedelta(minutes=5)
LARGEST_TRIES: Final = 5

#: (so many codes, in so long): what one telephone may ask for and leave unused. The second limit is what makes guessing
#: hopeless: 100 tries a day at a million codes.
LIMITS: Final = ((5, timedelta(minutes=10)), (20, timedelta(hours=24)))


@dataclass(frozen=True, slots=True)
class RateLimited(ledger.Refusal):
    code: ClassVar[str] = "rate_limited"
    stored: ClassVar[bool] = False
    retry_after_seconds: int

    @property
    def detail(self) -> str:
        return f"too many codes were asked for; ask again in {self.retry_after_seconds} seconds"


@dataclass(frozen=True, slots=True)
class CodeLocked(ledger.Refusal):
    code: ClassVar[str] = "otp_locked"
    stored: ClassVar[bool] = False

    @property
    def detail(self) -> str:
        return f"this code was tried {LARGEST_TRIES} times; ask for another"


@dataclass(frozen=True, slots=True)
class Unauthenticated(ledger.Refusal):
    """Wrong, used, too old, never asked for, or no member: which of these is told to nobody."""

    code: ClassVar[str] = "unauthenticated"
    stored: ClassVar[bool] = False

    @property
    def detail(self) -> str:
        return "this code does not sign in"


@dataclass(frozen=True, slots=True)
class Stranger:
    """Whoever reads this telephone, which is no member's."""

    phone: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """A code to be sent: `code` goes to the telephone; whoever asked sees `shown_code`, which only a test book has."""

    id: UUID
    phone: str = field(repr=False)
    code: str = field(repr=False)
    shown_code: str | None = field(repr=False)
    expires_at: datetime


def hold(tx: ledger.Tx, book: ledger.Book, phones: Iterable[str]) -> None:
    """Have the codes of several telephones to oneself; always in the same order, so that nobody waits for ever."""
    for phone in sorted(set(phones)):
        store.lock_phone(tx, book.id, phone)


def ask(
    tx: ledger.Tx, book: ledger.Book, phone: str, now: datetime, *, key: bytes, purpose: Purpose = "sign_in"
) -> OneTimeCode | RateLimited:
    """Make a code for `phone` (E.164), member or not; `key` is the server's. Codes of the purpose asked for earlier end.

    Codes that were used do not count towards the limits: whoever reads the telephone may sign in as often as they like.
    """
    store.lock_phone(tx, book.id, phone)
    for most, span in LIMITS:
        asked = store.unanswered_codes(tx, book.id, phone, now - span, most)
        if len(asked) == most:
            return RateLimited(max(1, round((asked[-1] + span - now).total_seconds())))
    id, code = ledger.ids.new(), f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    shown = code if book.mode == "test" else None
    store.add_code(
        tx,
        book.id,
        id=id,
        phone=phone,
        code_hash=_hash(key, id, code),
        shown_code=shown,
        now=now,
        life=LIFE,
        purpose=purpose,
    )
    return OneTimeCode(id, phone, code, shown, now + LIFE)


def verify(
    tx: ledger.Tx, book: ledger.Book, phone: str, code: str, now: datetime, *, key: bytes, purpose: Purpose = "sign_in"
) -> Member | CodeLocked | Unauthenticated:
    """The member who signs in, or confirms, with `code`. Commit whatever the answer is: a wrong try must count."""
    found = prove(tx, book, phone, code, now, key=key, purpose=purpose)
    return Unauthenticated() if isinstance(found, Stranger) else found


def prove(
    tx: ledger.Tx, book: ledger.Book, phone: str, code: str, now: datetime, *, key: bytes, purpose: Purpose = "sign_in"
) -> Member | Stranger | CodeLocked | Unauthenticated:
    """The same, where whoever reads the telephone may join: that it belongs to nobody yet is told to them alone."""
    store.lock_phone(tx, book.id, phone)
    newest = store.newest_code(tx, book.id, phone, purpose)
    member = store.find(tx, book, phone=phone)
    if newest is None:
        return Unauthenticated()
    id, code_hash, tries, expires_at, used_at = newest
    if used_at is not None or expires_at <= now:
        return Unauthenticated()
    if tries >= LARGEST_TRIES:
        return CodeLocked()
    if not hmac.compare_digest(_hash(key, id, only(code, DIGITS) or ""), bytes(code_hash)):
        store.count_try(tx, id)
        return Unauthenticated()
    store.use_code(tx, id, now)
    if member is None:
        return Stranger(phone)
    return Unauthenticated() if member.state == "left" else member


def _hash(key: bytes, id: UUID, code: str) -> bytes:
    """A code is hashed with its row's id: equal codes look different, and none can be moved to another row."""
    return hmac.new(key, id.bytes + code.encode(), hashlib.sha256).digest()
