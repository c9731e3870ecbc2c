"""What a netted window should have said and did not: disputed by a merchant, or found by reconciliation as a break; put
right in the next window by two people.

A window that is closed never changes. An adjustment is an item of the window that is open when it is approved. Of one
break there is at most one that is proposed or approved, and none of a break that no longer stands.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import ledger
from ledger import Accepted, Book, Decision, Needs, Request, Tx, Working
from ledger.errors import Invalid, NotFound, StateConflict
from settlement import store
from settlement.reconciliation import store as breaks
from settlement.reconciliation.store import Adjustment, Break
from settlement.steps import SelfApproval, Window


@dataclass(frozen=True, slots=True)
class Dispute:
    """A merchant does not agree with its statement of a window."""

    number: int
    merchant_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class DisputeDone:
    id: UUID
    window_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class ProposeAdjustment:
    """One operator's word: `debtor` owes `creditor` an amount that a window left out. The operator itself may be a side."""

    number: int
    operator_id: UUID
    debtor_id: UUID
    creditor_id: UUID
    amount_minor: int
    reason: str


@dataclass(frozen=True, slots=True)
class ProposeForBreak:
    """The same for a break, of the newest window that is closed. Minor units, signed: positive to be paid to the merchant."""

    break_id: UUID
    operator_id: UUID
    merchant_id: UUID
    amount_minor: int
    reason: str


@dataclass(frozen=True, slots=True)
class DecideAdjustment:
    """Another operator's word on a proposal, by its record."""

    number: int
    operator_id: UUID
    adjustment_id: UUID
    approves: bool


@dataclass(frozen=True, slots=True)
class AdjustmentDone:
    id: UUID
    window_id: UUID
    state: str
    debtor_id: UUID
    creditor_id: UUID
    amount_minor: int
    at: datetime
    break_id: UUID | None = None


class Adjusting:
    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "AdjustRound":
        (request,) = requests
        body = request.body
        if isinstance(body, ProposeForBreak):
            breaks.lock_adjusting(tx, body.break_id)
            row = breaks.break_(tx, body.break_id)
            row = row if row is not None and row.book_id == book.id else None
            there = breaks.adjustments(tx, row.id) if row is not None else []
            newest = store.newest_window(tx, book.id)
            # of a book whose first window is still open, that one
            number = max(1, newest.number - 1) if newest is not None else 1
            return AdjustRound(store.current(tx, book, number), False, row=row, there=there)
        window = store.current(tx, book, body.number)
        disputed = isinstance(body, Dispute) and window is not None
        party = disputed and store.position_of(tx, book.id, body.number, body.merchant_id) is not None
        if not isinstance(body, DecideAdjustment):
            return AdjustRound(window, party)
        proposal = store.proposal_record(tx, book.id, body.adjustment_id)
        named = proposal.get("break") if proposal is not None else None
        if named is not None:
            breaks.lock_adjusting(tx, UUID(named))
        row = breaks.break_(tx, UUID(named)) if named is not None else None
        return AdjustRound(window, party, proposal, store.revision(tx, book.id, body.adjustment_id), row)


@dataclass(slots=True)
class AdjustRound:
    window: Window | None
    party: bool
    # what the proposal's record tells, and the steps taken on it: 1 it is proposed, 2 it is decided
    proposal: dict[str, Any] | None = None
    revision: int = 0
    # what it is to put right, and what was proposed for that before
    row: Break | None = None
    there: list[Adjustment] = field(default_factory=list)
    needs: Needs = field(default_factory=Needs)
    # the proposal and its break
    proposed: tuple[UUID, UUID] | None = None

    def decide(self, request: Request, working: Working) -> Decision:
        window, body = self.window, request.body
        if isinstance(body, ProposeForBreak):
            return self._propose_for_break(request, body, working)
        if window is None:
            return NotFound("window")
        if window.state == "open" and not isinstance(body, DecideAdjustment):
            return StateConflict("window", "open")
        if isinstance(body, Dispute):
            return self._dispute(request, body, working, window)
        if isinstance(body, ProposeAdjustment):
            return self._propose(request, body, working, window)
        return self._decide(request, body, working, window)

    def _dispute(self, request: Request, body: Dispute, working: Working, window: Window) -> Decision:
        if not self.party:
            return NotFound("statement")
        draft = working.record(
            "statement_disputed",
            request.actor,
            payload={"window": window.number, "reason": body.reason},
            merchant=body.merchant_id,
            subject=window.id,
        )
        return Accepted(DisputeDone(draft.id, window.id, working.now))

    def _propose(
        self, request: Request, body: ProposeAdjustment, working: Working, window: Window, of: UUID | None = None
    ) -> Decision:
        assert body.amount_minor > 0, body
        assert body.debtor_id != body.creditor_id, body
        for side in (body.debtor_id, body.creditor_id):
            if side != working.book.operator_id and side not in working.issuers:
                return NotFound("merchant")
        # nothing below may refuse
        id = ledger.ids.new()
        payload: dict[str, Any] = {
            "window": window.number,
            "operator": body.operator_id,
            "debtor": body.debtor_id,
            "creditor": body.creditor_id,
            "amount_minor": body.amount_minor,
            "reason": body.reason,
        }
        if of is not None:
            payload["break"] = of
            self.proposed = (id, of)
        working.record("adjustment_proposed", request.actor, payload=payload, subject=id, id=id, revises=(id, 1))
        sides = (body.debtor_id, body.creditor_id)
        return Accepted(AdjustmentDone(id, window.id, "proposed", *sides, body.amount_minor, working.now, of))

    def _propose_for_break(self, request: Request, body: ProposeForBreak, working: Working) -> Decision:
        """No such break, no such merchant, another merchant's break, nothing to adjust; resolved; proposed already."""
        row, operator = self.row, working.book.operator_id
        if row is None or self.window is None:
            return NotFound("break")
        if body.merchant_id not in working.issuers:
            return NotFound("merchant")
        if row.merchant_id not in (None, body.merchant_id):
            return Invalid("/merchant", "the break is another merchant's")
        if body.amount_minor == 0:
            return Invalid("/amount", "nothing is adjusted")
        if row.state == "resolved":
            return StateConflict("break", row.state)
        if (standing := next((a for a in self.there if a.state != "rejected"), None)) is not None:
            return StateConflict("adjustment", standing.state)
        sides = (operator, body.merchant_id) if body.amount_minor > 0 else (body.merchant_id, operator)
        proposal = ProposeAdjustment(self.window.number, body.operator_id, *sides, abs(body.amount_minor), body.reason)
        return self._propose(request, proposal, working, self.window, row.id)

    def _decide(self, request: Request, body: DecideAdjustment, working: Working, window: Window) -> Decision:
        told = self.proposal
        if told is None or told["window"] != window.number:
            return NotFound("adjustment")
        if self.revision > 1:
            return StateConflict("adjustment", "decided")
        if body.approves and told["operator"] == str(body.operator_id):
            return SelfApproval()
        if body.approves and self.row is not None and self.row.state == "resolved":
            # its other side came meanwhile
            return StateConflict("break", self.row.state)
        # nothing below may refuse
        working.record(
            "adjustment" if body.approves else "adjustment_rejected",
            request.actor,
            payload=told | {"operator": body.operator_id},
            subject=body.adjustment_id,
            revises=(body.adjustment_id, 2),
        )
        sides = (UUID(told["debtor"]), UUID(told["creditor"]))
        state = "approved" if body.approves else "rejected"
        of = self.row.id if self.row is not None else None
        amount = int(told["amount_minor"])
        return Accepted(AdjustmentDone(body.adjustment_id, window.id, state, *sides, amount, working.now, of))

    def write(self, tx: Tx, working: Working) -> None:
        """Which break it is for; all else the stream tells."""
        if self.proposed is not None:
            breaks.add_adjustment(tx, working.book.id, *self.proposed)


HANDLERS: Final[dict[str, ledger.Handler]] = dict.fromkeys(
    ("dispute", "adjustment", "adjustment_decision"), Adjusting()
)
