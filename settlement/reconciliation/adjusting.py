"""Adjustments: what one operator proposes for a break and another approves. Each step is a record of the ledger.

Approval moves nothing yet: the amount is for an item of reason `adjustment` in the next window.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final
from uuid import UUID

import ledger
from ledger import Accepted, Book, Decision, Needs, Request, Tx, Working
from ledger.errors import Invalid, NotFound, StateConflict
from settlement.reconciliation import store
from settlement.reconciliation.store import Adjustment, Break


@dataclass(frozen=True, slots=True)
class Propose:
    """Minor units, signed: positive to be paid to the merchant."""

    break_id: UUID
    operator_id: UUID
    merchant_id: UUID
    amount_minor: int
    reason: str


@dataclass(frozen=True, slots=True)
class Decide:
    """Another operator's word on what was proposed; the amount is what was read."""

    adjustment_id: UUID
    operator_id: UUID
    approves: bool
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class OwnProposal(ledger.Refusal):
    code: ClassVar[str] = "self_approval_forbidden"

    @property
    def detail(self) -> str:
        return "whoever proposed an adjustment does not decide it"


class Adjusting:
    """Few, and each by itself: of two proposals for one break the second finds the first."""

    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "Round":
        (request,) = requests
        if isinstance(request.body, Propose):
            store.lock_adjusting(tx, request.body.break_id)
            row = store.break_(tx, request.body.break_id)
            there = [] if row is None else store.adjustments(tx, row.id)
            return Round(row if row is not None and row.book_id == book.id else None, there)
        found = store.adjustment(tx, request.body.adjustment_id)
        if found is None or found.book_id != book.id:
            return Round(None, [])
        store.lock_adjusting(tx, found.break_id)
        return Round(store.break_(tx, found.break_id), [found])


@dataclass(slots=True)
class Round:
    row: Break | None
    there: list[Adjustment]
    needs: Needs = field(default_factory=Needs)
    proposed: Adjustment | None = None
    decided: Adjustment | None = None

    def decide(self, request: Request, working: Working) -> Decision:
        if isinstance(request.body, Propose):
            return self._propose(request.body, request.actor, working)
        return self._decide(request.body, request.actor, working)

    def _propose(self, asked: Propose, actor: str, working: Working) -> Decision:
        """No such break, no such merchant, another merchant's break, nothing to adjust; resolved; proposed already."""
        row = self.row
        if row is None:
            return NotFound("break")
        if asked.merchant_id not in working.issuers:
            return NotFound("merchant")
        if row.merchant_id not in (None, asked.merchant_id):
            return Invalid("/merchant", "the break is another merchant's")
        if asked.amount_minor == 0:
            return Invalid("/amount", "nothing is adjusted")
        if row.state == "resolved":
            return StateConflict("break", row.state)
        if (standing := next((a for a in self.there if a.state != "declined"), None)) is not None:
            return StateConflict("adjustment", standing.state)
        # nothing below may refuse
        id = ledger.ids.new()
        working.record(
            "adjustment_proposed",
            actor,
            merchant=asked.merchant_id,
            subject=id,
            payload={"break": row.id, "amount_minor": asked.amount_minor, "operator": asked.operator_id},
            revises=(id, 1),
        )
        self.proposed = Adjustment(
            id, row.book_id, row.id, asked.merchant_id, asked.amount_minor, "proposed", asked.reason, asked.operator_id,
            working.now, None, None, None,
        )  # fmt: skip
        return Accepted(self.proposed)

    def _decide(self, asked: Decide, actor: str, working: Working) -> Decision:
        """No such adjustment; decided already (the same again by the same is answered); one's own; another amount; no break any more."""
        if not self.there:
            return NotFound("adjustment")
        (found,) = self.there
        state = "approved" if asked.approves else "declined"
        if found.state != "proposed":
            same = (found.state, found.decided_by) == (state, asked.operator_id)
            return Accepted(found) if same else StateConflict("adjustment", found.state)
        if found.proposed_by == asked.operator_id:
            return OwnProposal()
        if asked.approves and asked.amount_minor != found.amount_minor:
            return StateConflict("amount", "not the one proposed")
        if asked.approves and self.row is not None and self.row.state == "resolved":
            # its other side came meanwhile
            return StateConflict("break", self.row.state)
        # nothing below may refuse
        payload: dict[str, Any] = {
            "break": found.break_id,
            "amount_minor": found.amount_minor,
            "operator": asked.operator_id,
        }
        draft = working.record(
            "adjustment_approved" if asked.approves else "adjustment_declined",
            actor,
            merchant=found.merchant_id,
            subject=found.id,
            payload=payload,
            revises=(found.id, 2),
        )
        self.decided = replace(
            found, state=state, decided_by=asked.operator_id, decided_at=working.now, record_id=draft.id
        )
        return Accepted(self.decided)

    def write(self, tx: Tx, working: Working) -> None:  # noqa: ARG002 - ids and times are in the rows
        if self.proposed is not None:
            store.add_adjustment(tx, self.proposed)
        if (done := self.decided) is not None:
            assert done.decided_by is not None
            assert done.decided_at is not None
            assert done.record_id is not None
            store.decide_adjustment(tx, done.id, done.state, done.decided_by, done.decided_at, done.record_id)


HANDLERS: Final[dict[str, ledger.Handler]] = dict.fromkeys(("adjustment_propose", "adjustment_decide"), Adjusting())
