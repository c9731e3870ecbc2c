"""Refusals: expected answers to requests that cannot be done. Each carries a stable code and its facts.

They are values, not exceptions: in a batch one refusal never disturbs its neighbours. Only the doors know HTTP.
"""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from ledger.values import Points


@dataclass(frozen=True, slots=True)
class Refusal:
    """`stored` says whether a replay of the key repeats this answer: true for what the posting decided."""

    code: ClassVar[str] = "refused"
    stored: ClassVar[bool] = True

    @property
    def detail(self) -> str:
        return self.code.replace("_", " ")

    @property
    def pointer(self) -> str | None:
        """JSON pointer to the field at fault, where there is one."""
        return None


@dataclass(frozen=True, slots=True)
class InsufficientPoints(Refusal):
    code: ClassVar[str] = "insufficient_points"
    needed: Points
    available: Points

    @property
    def detail(self) -> str:
        return f"{self.needed} points asked, {self.available} can be spent here"


@dataclass(frozen=True, slots=True)
class LimitExceeded(Refusal):
    code: ClassVar[str] = "limit_exceeded"
    limit: str
    allowed: int
    asked: int

    @property
    def detail(self) -> str:
        return f"{self.limit}: {self.asked} asked, {self.allowed} allowed"


@dataclass(frozen=True, slots=True)
class StateConflict(Refusal):
    code: ClassVar[str] = "state_conflict"
    what: str
    state: str

    @property
    def detail(self) -> str:
        return f"the {self.what} is {self.state}"


@dataclass(frozen=True, slots=True)
class RefundExceeds(Refusal):
    """More than what is left to refund: minor units of a sale's money part, or points of a redemption."""

    code: ClassVar[str] = "refund_exceeds_original"
    at: str
    asked: int
    left: int

    @property
    def detail(self) -> str:
        return f"{self.asked} asked, {self.left} left to refund"

    @property
    def pointer(self) -> str | None:
        return self.at


@dataclass(frozen=True, slots=True)
class HoldExpired(Refusal):
    code: ClassVar[str] = "hold_expired"
    deadline: str

    @property
    def detail(self) -> str:
        return f"the hold ended at {self.deadline}"


@dataclass(frozen=True, slots=True)
class DuplicateReference(Refusal):
    code: ClassVar[str] = "duplicate_reference"
    existing: str

    @property
    def detail(self) -> str:
        return f"this external reference already names {self.existing}"

    @property
    def pointer(self) -> str | None:
        return "/external_reference"


@dataclass(frozen=True, slots=True)
class KeyReused(Refusal):
    code: ClassVar[str] = "idempotency_key_reused"
    stored: ClassVar[bool] = False

    @property
    def detail(self) -> str:
        return "this idempotency key was used for another request"


@dataclass(frozen=True, slots=True)
class NotFound(Refusal):
    code: ClassVar[str] = "not_found"
    stored: ClassVar[bool] = False
    what: str
    at: str | None = None

    @property
    def detail(self) -> str:
        return f"no such {self.what}"

    @property
    def pointer(self) -> str | None:
        return self.at


@dataclass(frozen=True, slots=True)
class Suspended(Refusal):
    code: ClassVar[str] = "merchant_suspended"

    @property
    def detail(self) -> str:
        return "this merchant is suspended: it neither earns nor takes new redemptions"


@dataclass(frozen=True, slots=True)
class SpendLocked(Refusal):
    """`by`: the member, who can unlock it, or the network, which has frozen the member."""

    code: ClassVar[str] = "spend_locked"
    by: str = "member"

    @property
    def detail(self) -> str:
        return "the member has locked spending" if self.by == "member" else "the network has frozen this member"


@dataclass(frozen=True, slots=True)
class NetworkStopped(Refusal):
    """The kill switch is on. The same request is good once the network runs again, so the answer is not kept."""

    code: ClassVar[str] = "unavailable"
    stored: ClassVar[bool] = False

    @property
    def detail(self) -> str:
        return "the network is stopped: nothing was posted; send it again under the same key when it runs"


@dataclass(frozen=True, slots=True)
class ConsentRequired(Refusal):
    code: ClassVar[str] = "consent_required"
    reason: str

    @property
    def detail(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class CodeUsed(Refusal):
    code: ClassVar[str] = "code_already_used"

    @property
    def detail(self) -> str:
        return "this spend code, or a later one, was used already"


@dataclass(frozen=True, slots=True)
class Invalid(Refusal):
    """What only the posting could see is wrong with the request, such as a sum that the terms in force do not allow."""

    code: ClassVar[str] = "validation_failed"
    stored: ClassVar[bool] = False
    at: str
    why: str

    @property
    def detail(self) -> str:
        return self.why

    @property
    def pointer(self) -> str | None:
        return self.at


class Stale(Exception):
    """What was decided on has moved meanwhile; read again and decide anew. The committer retries it, bounded."""


class Unavailable(Exception):
    """The ledger cannot take requests now: it is closing, or its queue is full. Nothing was done."""


class Stopped(Exception):
    """A test book's clock stands while its network is stopped."""


@dataclass(eq=False)
class BookNotFound(Exception):
    book: int | UUID | str
