"""The handlers of a window's steps, its settlement and its payments. All exclusive: they are few, and each decides on
what the stream has told so far, which must be everything.

Each step's record names the window and the revision it makes; two deciders on one state clash on that.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

import ledger
from ledger import Accepted, Book, Decision, Needs, Request, Tx, Working
from ledger.errors import LimitExceeded, NotFound, StateConflict
from merchants import contracts
from settlement import adjusting, booking, clearing, steps, store
from settlement.booking import PaymentDone
from settlement.covers import covering, overdue
from settlement.netting import Flow, Position
from settlement.rails import store as rails_store
from settlement.steps import Step, Window


@dataclass(frozen=True, slots=True)
class Settle:
    """Post a window that was approved. A closed window's items never change, so they were added up before the lock."""

    number: int
    flows: Sequence[Flow]
    parties: Sequence[Position]


@dataclass(frozen=True, slots=True)
class Settled:
    window_id: UUID
    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class NotYet(ledger.Refusal):
    """A settlement asked for too early; the same request is good later, so the answer is not kept."""

    code: ClassVar[str] = "state_conflict"
    stored: ClassVar[bool] = False
    why: str

    @property
    def detail(self) -> str:
        return self.why


@dataclass(frozen=True, slots=True)
class Pay:
    """An operator says that money came in from, or went out to, a merchant; without a merchant, all that is open."""

    number: int
    operator_id: UUID
    merchant_id: UUID | None = None
    # None: the whole open balance
    amount_minor: int | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentsDone:
    """In the order they were booked: pay-ins before pay-outs. None: nothing was open."""

    window_id: UUID
    number: int
    at: datetime
    payments: tuple[PaymentDone, ...]


class WindowSteps:
    """close, submit, approve, return, abort."""

    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "StepRound":
        (request,) = requests
        boundary = contracts.boundary(tx, book) if request.kind == "window_close" else None
        needs = Needs() if boundary is None else boundary.needs
        return StepRound(store.current(tx, book, request.body.number), boundary, needs)


@dataclass(slots=True)
class StepRound:
    window: Window | None
    # what comes into force with the close
    boundary: contracts.Boundary | None
    needs: Needs
    closed: bool = False

    def decide(self, request: Request, working: Working) -> Decision:
        step: Step = request.body
        window = self.window
        if window is None:
            return NotFound("window")
        if (verdict := steps.verdict(window, request.kind, step, working.now)) is not None:
            return verdict
        move = steps.MOVES[request.kind]
        payload: dict[str, Any] = {"window": window.number, "operator": step.operator_id}
        if step.reason is not None:
            payload["reason"] = step.reason
        if window.positions_hash is not None:
            payload["positions_hash"] = window.positions_hash.hex()
        working.record(
            move.record,
            request.actor,
            payload=payload,
            subject=window.id,
            revises=(window.id, window.revision + 1),
        )
        if self.boundary is not None:
            self.closed = True
            self.boundary.decide(working)
        digest = window.positions_hash.hex() if window.positions_hash else None
        return Accepted(
            steps.WindowStepped(window.id, window.number, move.target, window.revision + 1, working.now, digest)
        )

    def write(self, tx: Tx, working: Working) -> None:
        """What came into force; of the window the stream tells settlement's tables."""
        if self.boundary is not None and self.closed:
            self.boundary.write(tx, working)


class Settlement:
    """One record posts a window's points and money when funding starts, after the last possible abort."""

    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "SettleRound":
        (request,) = requests
        asked: Settle = request.body
        window = store.current(tx, book, asked.number)
        before = store.current(tx, book, asked.number - 1) if asked.number > 1 else None
        needs = Needs(accounts=clearing.accounts(asked.number, asked.flows, asked.parties, book.operator_id))
        return SettleRound(window, before, needs)


@dataclass(slots=True)
class SettleRound:
    window: Window | None
    before: Window | None
    needs: Needs

    def decide(self, request: Request, working: Working) -> Decision:
        asked: Settle = request.body
        window = self.window
        if window is None:
            return NotFound("window")
        if window.state in ("paying", "settled"):
            return Accepted(Settled(window.id, window.number, working.now))
        if window.state != "funding":
            return NotYet(f"the window is {window.state}")
        if self.before is not None and self.before.state not in ("paying", "settled"):
            # the carry of a fee goes from window to window
            return NotYet(f"window {self.before.number} is posted first, and it is {self.before.state}")
        assert window.positions_hash is not None
        draft = working.record(
            "settlement",
            request.actor,
            payload={"window": window.number, "positions_hash": window.positions_hash.hex()},
            subject=window.id,
            revises=(window.id, window.revision + 1),
        )
        cleared = clearing.clear(working, draft, window.number, asked.flows, asked.parties, working.book.operator_id)
        draft.payload |= cleared.payload
        return Accepted(Settled(window.id, window.number, working.now))

    def write(self, tx: Tx, working: Working) -> None:
        """Nothing: the stream is what tells settlement's tables."""


class Payments:
    """Money in before money out, and points out of `due` as their issuer pays."""

    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "PayRound":
        (request,) = requests
        window = store.current(tx, book, request.body.number)
        if window is None or window.state not in ("paying", "settled"):
            return PayRound(window, None)
        standing = booking.Standing.of(tx, book, window)
        needs = Needs(accounts=standing.needs.accounts | {clearing.BANK})
        return PayRound(window, standing, needs, rails_store.being_paid(tx, book.id, window.number))


@dataclass(slots=True)
class PayRound:
    window: Window | None
    standing: booking.Standing | None
    needs: Needs = field(default_factory=Needs)
    # merchants whom an instruction that lives pays out
    being_paid: frozenset[UUID] = frozenset()

    def decide(self, request: Request, working: Working) -> Decision:
        pay: Pay = request.body
        window = self.window
        if window is None:
            return NotFound("window")
        if window.state not in ("paying", "settled"):
            return StateConflict("window", window.state)
        assert self.standing is not None
        refusal, amounts = self._all(pay, working) if pay.merchant_id is None else self._one(pay, working)
        if refusal is not None:
            return refusal
        word = booking.Word(request.actor, "bank", pay.reference, pay.operator_id)
        done = tuple(self.standing.book(working, word, merchant, amount) for merchant, amount in amounts)
        return Accepted(PaymentsDone(window.id, window.number, working.now, done))

    def _all(self, pay: Pay, working: Working) -> tuple[ledger.Refusal | None, list[tuple[UUID, int]]]:
        """Everything that is open, but never what a covered merchant owes: that it has paid is said of it by name."""
        assert self.standing is not None
        balances, covered = self.standing.balances(working), self.standing.covered
        others = {m: balance for m, balance in balances.items() if m not in covered}
        refusal, amounts = plan(pay, others, being_paid=self.being_paid)
        then = balances | {m: 0 for m, amount in amounts if amount > 0}
        parts = [(m, a if a > 0 else -self.standing.payable_when(then, m)) for m, a in amounts]
        return refusal, [(m, amount) for m, amount in parts if amount]

    def _one(self, pay: Pay, working: Working) -> tuple[ledger.Refusal | None, list[tuple[UUID, int]]]:
        """One merchant's: what others paid for it is still its to pay, and what goes out is what is there for it."""
        assert self.standing is not None
        refusal, amounts = plan(pay, self.standing.open(working), self.standing.covered.keys(), self.being_paid)
        if refusal is not None:
            return refusal, amounts
        ((merchant, amount),) = amounts
        if amount > 0:
            return None, amounts
        allowed = self.standing.payable(working, merchant)
        if -amount > allowed and (pay.amount_minor is not None or not allowed):
            return LimitExceeded("position", allowed, -amount), []
        return None, [(merchant, -min(-amount, allowed))]

    def write(self, tx: Tx, working: Working) -> None:
        """Nothing: the stream is what tells settlement's tables."""


def plan(
    pay: Pay, balances: dict[UUID, int], covered: Collection[UUID] = (), being_paid: Collection[UUID] = ()
) -> tuple[ledger.Refusal | None, list[tuple[UUID, int]]]:
    """What to book, in order: who pays in (positive), who is paid out (negative). Pure.

    Nobody is paid out while anybody still has to pay in for whom nobody stands in (`covered` are those for whom others
    do), nor by a person's word while an instruction pays them.
    """
    if pay.merchant_id is None:
        assert pay.amount_minor is None, "an amount belongs to one merchant"
        debtors = [(m, -open) for m, open in sorted(balances.items()) if open < 0]
        creditors = [(m, -open) for m, open in sorted(balances.items()) if open > 0]
        if any(m in being_paid for m, _ in creditors):
            return StateConflict("window", "being paid by instructions"), []
        return None, debtors + creditors
    merchant = pay.merchant_id
    if merchant not in balances:
        return NotFound("position"), []
    open = balances[merchant]
    if open == 0:
        return StateConflict("position", "paid"), []
    amount = abs(open) if pay.amount_minor is None else pay.amount_minor
    assert amount > 0, amount
    if amount > abs(open):
        return LimitExceeded("position", abs(open), amount), []
    if open > 0 and merchant in being_paid:
        return StateConflict("position", "being paid by an instruction"), []
    if open > 0 and any(balance < 0 for m, balance in balances.items() if m not in covered):
        return StateConflict("window", "waiting for pay-ins"), []
    return None, [(merchant, amount if open < 0 else -amount)]


HANDLERS: Final[dict[str, ledger.Handler]] = {
    **dict.fromkeys(steps.MOVES, WindowSteps()),
    "settlement": Settlement(),
    "payment": Payments(),
    **covering.HANDLERS,
    **overdue.HANDLERS,
    **adjusting.HANDLERS,
}
