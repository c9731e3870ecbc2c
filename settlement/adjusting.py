"""What a netted window should have said and did not: disputed by a merchant, put right in the next window by two people.

A window that is closed never changes. An adjustment is an item of the window that is open when it is approved.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import ledger
from ledger import Accepted, Book, Decision, Needs, Request, Tx, Working
from ledger.errors import NotFound, StateConflict
from settlement import store
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


class Adjusting:
    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "AdjustRound":
        (request,) = requests
        body = request.body
        window = store.current(tx, book, body.number)
        disputed = isinstance(body, Dispute) and window is not None
        party = disputed and store.position_of(tx, book.id, body.number, body.merchant_id) is not None
        if not isinstance(body, DecideAdjustment):
            return AdjustRound(window, party)
        proposal = store.proposal_record(tx, book.id, body.adjustment_id)
        return AdjustRound(window, party, proposal, store.revision(tx, book.id, body.adjustment_id))


@dataclass(slots=True)
class AdjustRound:
    window: Window | None
    party: bool
    # what the proposal's record tells, and the steps taken on it: 1 it is proposed, 2 it is decided
    proposal: dict[str, Any] | None = None
    revision: int = 0
    needs: Needs = field(default_factory=Needs)

    def decide(self, request: Request, working: Working) -> Decision:
        window, body = self.window, request.body
        if window is None:
            return NotFound("window")
        if window.state == "open":
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

    def _propose(self, request: Request, body: ProposeAdjustment, working: Working, window: Window) -> Decision:
        assert body.amount_minor > 0, body
        assert body.debtor_id != body.creditor_id, body
        for side in (body.debtor_id, body.creditor_id):
            if side != working.book.operator_id and side not in working.issuers:
                return NotFound("merchant")
        id = ledger.ids.new()
        payload = {
            "window": window.number,
            "operator": body.operator_id,
            "debtor": body.debtor_id,
            "creditor": body.creditor_id,
            "amount_minor": body.amount_minor,
            "reason": body.reason,
        }
        working.record("adjustment_proposed", request.actor, payload=payload, subject=id, id=id, revises=(id, 1))
        return Accepted(
            AdjustmentDone(id, window.id, "proposed", body.debtor_id, body.creditor_id, body.amount_minor, working.now)
        )

    def _decide(self, request: Request, body: DecideAdjustment, working: Working, window: Window) -> Decision:
        told = self.proposal
        if told is None or told["window"] != window.number:
            return NotFound("adjustment")
        if self.revision > 1:
            return StateConflict("adjustment", "decided")
        if body.approves and told["operator"] == str(body.operator_id):
            return SelfApproval()
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
        return Accepted(
            AdjustmentDone(body.adjustment_id, window.id, state, *sides, int(told["amount_minor"]), working.now)
        )

    def write(self, tx: Tx, working: Working) -> None:
        """Nothing: the stream is what tells settlement's tables."""


HANDLERS: Final[dict[str, ledger.Handler]] = dict.fromkeys(
    ("dispute", "adjustment", "adjustment_decision"), Adjusting()
)
