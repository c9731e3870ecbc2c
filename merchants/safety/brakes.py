"""The brakes of an operator: members and branches are frozen, merchants suspended, the network stopped; and released.

Each act is a record, posted alone under the book's exclusive lock: what a batch decided is never on the wrong side of
it. An act upon a thing that is so already changes nothing and answers as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

import ledger
from ledger.errors import NotFound, StateConflict
from merchants import contracts, people
from merchants.safety import store
from merchants.safety.store import Brake


@dataclass(frozen=True, slots=True)
class Act:
    """Asked by an operator; None: by the clock. `merchant_id` is that of a branch; a book's subject is its public id."""

    subject_id: UUID
    operator_id: UUID | None
    reason: str = field(repr=False)
    merchant_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """How the thing is now, and since which record; None: nobody ever touched it."""

    what: str
    subject_id: UUID
    state: str
    record_id: UUID | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Move:
    """What a kind of request does: the record it leaves, and the states it leads between."""

    what: str
    record: str
    source: str
    target: str


MOVES: Final = {
    "member_freeze": Move("member", "member_frozen", "active", "frozen"),
    "member_unfreeze": Move("member", "member_unfrozen", "frozen", "active"),
    "branch_freeze": Move("branch", "branch_frozen", "active", "frozen"),
    "branch_unfreeze": Move("branch", "branch_unfrozen", "frozen", "active"),
    "merchant_suspend": Move("merchant", "merchant_suspended", "active", "suspended"),
    "merchant_resume": Move("merchant", "merchant_resumed", "suspended", "active"),
    "network_stop": Move("book", "network_stopped", "running", "stopped"),
    "network_resume": Move("book", "network_resumed", "stopped", "running"),
}


class Brakes:
    """Decides the kinds of MOVES, body `Act`."""

    exclusive = True
    #: a stopped network is released by this, and whoever made it stop is frozen before that
    while_stopped = True

    def prepare(self, tx: ledger.Tx, book: ledger.Book, requests: Sequence[ledger.Request]) -> "BrakeRound":
        (request,) = requests
        return braking(tx, book, request.kind, request.body)


def braking(tx: ledger.Tx, book: ledger.Book, kind: str, act: Act) -> "BrakeRound":
    """An act of MOVES, to be taken by whoever holds the book's lock exclusively."""
    state = _state(tx, book, MOVES[kind].what, act)
    return BrakeRound(kind, act, state, store.last_brake(tx, book.id, act.subject_id))


def _state(tx: ledger.Tx, book: ledger.Book, what: str, act: Act) -> str | None:
    """How the thing is; None: the book has no such thing."""
    found: people.Member | contracts.Branch | contracts.Merchant | None
    if what == "book":
        return "stopped" if book.stopped else "running"
    if what == "member":
        found = people.find(tx, book, id=act.subject_id)
    elif what == "branch":
        assert act.merchant_id is not None, "a branch is its merchant's"
        found = contracts.branch(tx, book, act.merchant_id, act.subject_id)
    else:
        found = contracts.merchant(tx, book, act.subject_id)
    return None if found is None else found.state


class BrakeRound:
    def __init__(self, kind: str, act: Act, state: str | None, last: Brake | None) -> None:
        self.needs = ledger.Needs()
        self._move, self._act = MOVES[kind], act
        self._state = state
        self._last = last
        self._done: tuple[Move, Brake] | None = None

    def decide(self, request: ledger.Request, working: ledger.Working) -> ledger.Decision:
        return self.take(working, request.actor)

    def take(self, working: ledger.Working, actor: str) -> ledger.Decision:
        """No such thing, then one that left, closed or exited."""
        move, act, last = self._move, self._act, self._last
        if self._state is None:
            return NotFound(move.what)
        if self._state == move.target:
            since = (last.record_id, last.at) if last is not None else (None, None)
            return ledger.Accepted(Done(move.what, act.subject_id, move.target, *since))
        if self._state != move.source:
            return StateConflict(move.what, self._state)
        # nothing below may refuse
        revision = 1 if last is None else last.revision + 1
        draft = working.record(
            move.record,
            actor,
            merchant=act.subject_id if move.what == "merchant" else act.merchant_id,
            member=act.subject_id if move.what == "member" else None,
            subject=act.subject_id,
            payload={"operator": act.operator_id, "revision": revision},
            # brakes are counted apart from contracts, which have the merchant's own id
            revises=(uuid5(act.subject_id, "brake"), revision),
        )
        told = Brake(draft.id, move.record, act.subject_id, revision, act.operator_id, act.reason, working.now)
        self._done = (move, told)
        return ledger.Accepted(Done(move.what, act.subject_id, move.target, draft.id, working.now))

    def write(self, tx: ledger.Tx, working: ledger.Working) -> None:
        if self._done is None:
            return
        move, told = self._done
        book_id, id = working.book.id, told.subject_id
        store.add_brake(tx, book_id, told)
        if move.what == "book":
            ledger.stop_book(tx, book_id, move.target == "stopped")
        elif move.what == "member":
            people.set_state(tx, book_id, id, move.target)
        else:
            contracts.set_state(tx, book_id, move.what, id, move.target)
            if move.what == "merchant":
                ledger.suspend_issuer(tx, book_id, id, move.target == "suspended")
            ledger.raise_settings_revision(tx, book_id)
