"""Flags: what an operator should look at. One a day for each subject and reason, however often it happens. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import ledger

VELOCITY: Final = "velocity_limit"
WRONG_CODES: Final = "wrong_codes"


@dataclass(frozen=True, slots=True)
class Flag:
    """`what`: of a velocity limit, what it counts. Merchant, branch, member and sale are those of the last time."""

    reason: str
    subject: str
    subject_id: UUID
    what: str
    times: int
    first_at: datetime
    last_at: datetime
    merchant_id: UUID
    branch_id: UUID
    member_id: UUID
    sale_id: UUID | None
    id: UUID = field(default_factory=ledger.ids.new)

    @property
    def name(self) -> tuple[str, str, UUID, str]:
        return (self.reason, self.subject, self.subject_id, self.what)
