"""Flags: what an operator should look at. One a day for each subject and reason, however often it happens. Pure."""

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import ledger

VELOCITY: Final = "velocity_limit"
WRONG_CODES: Final = "wrong_codes"
#: Sales and redemptions that a flag names.
SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Flag:
    """`what`: of a velocity limit, what it counts. Merchant, branch and member are those of the last time; sales, and
    the shops' references of redemptions, those of the first times of a day."""

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
    sale_ids: tuple[UUID, ...] = ()
    redemption_references: tuple[str, ...] = ()
    id: UUID = field(default_factory=ledger.ids.new)

    def and_then(self, later: "Flag") -> "Flag":
        """This one with what came later of the same name."""
        assert self.name == later.name, later
        return dataclasses.replace(
            later,
            id=self.id,
            times=self.times + later.times,
            first_at=self.first_at,
            sale_ids=(self.sale_ids + later.sale_ids)[:SHOWN],
            redemption_references=(self.redemption_references + later.redemption_references)[:SHOWN],
        )

    @property
    def name(self) -> tuple[str, str, UUID, str]:
        return (self.reason, self.subject, self.subject_id, self.what)
