"""Whoever does not pay in is suspended by the clock, once the network's days of grace are over; a day before it is warned.

Each once for a window and a merchant, by a record, so that an operator who lifts the suspension is not answered with
another. Days count from when the window was posted, or from when they were declared, whichever came later.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

import ledger
from ledger import Accepted, Book, Committer, Database, Decision, Needs, Request, Tx, Working
from merchants import safety
from settlement import clearing, store
from settlement.covers import overdue_store
from settlement.covers.overdue_store import Grace
from settlement.stream.consumer import drain

#: How long before it is suspended a merchant is warned.
WARNED_BEFORE: Final = timedelta(days=1)
WARNED, MISSED = 1, 2


@dataclass(frozen=True, slots=True)
class SetGrace:
    """So many days a merchant may take to pay in; None: nobody is suspended by the clock."""

    operator_id: UUID
    days: int | None


@dataclass(frozen=True, slots=True)
class Remind:
    """The clock's: warn a merchant that has not paid a window in, or suspend it, whichever is due."""

    number: int
    merchant_id: UUID


@dataclass(frozen=True, slots=True)
class Debtor:
    """A merchant with something open of a posted window, and how far it has been told: 0, WARNED or MISSED."""

    number: int
    window_id: UUID
    merchant_id: UUID
    posted_at: datetime
    told: int


def told_as(window_id: UUID, merchant: UUID) -> UUID:
    """What the revisions of a merchant's missing pay-in are counted by."""
    return uuid5(window_id, f"pay-in {merchant}")


def suspends_at(grace: Grace, posted_at: datetime) -> datetime:
    assert grace.days is not None
    return max(posted_at, grace.at) + timedelta(days=grace.days)


def next_step(grace: Grace, debtor: Debtor) -> datetime | None:
    """When the next thing is due of a debtor: the warning, then the suspension. Pure."""
    if debtor.told >= MISSED:
        return None
    at = suspends_at(grace, debtor.posted_at)
    return at if debtor.told == WARNED else max(debtor.posted_at, grace.at, at - WARNED_BEFORE)


class Graces:
    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "GraceRound":
        (_,) = requests
        return GraceRound(overdue_store.grace(tx, book.id))


@dataclass(slots=True)
class GraceRound:
    before: Grace | None
    needs: Needs = field(default_factory=Needs)
    new: Grace | None = None

    def decide(self, request: Request, working: Working) -> Decision:
        asked: SetGrace = request.body
        before = self.before or Grace(None, working.now, 0)
        if asked.days == before.days:
            return Accepted(before)
        # nothing below may refuse
        revision = before.revision + 1
        working.record(
            "pay_in_grace",
            request.actor,
            subject=working.book.public_id,
            payload={"operator": asked.operator_id, "days": asked.days, "revision": revision},
            revises=(uuid5(working.book.public_id, "pay-in grace"), revision),
        )
        self.new = Grace(asked.days, working.now, revision)
        return Accepted(self.new)

    def write(self, tx: Tx, working: Working) -> None:
        if self.new is not None:
            overdue_store.put_grace(tx, working.book.id, self.new)


class Reminders:
    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "RemindRound":
        (request,) = requests
        asked: Remind = request.body
        window = store.current(tx, book, asked.number)
        grace = overdue_store.grace(tx, book.id)
        if window is None or window.state != "paying" or grace is None or grace.days is None:
            return RemindRound()
        told = store.revision(tx, book.id, told_as(window.id, asked.merchant_id))
        debtor = Debtor(window.number, window.id, asked.merchant_id, overdue_store.posted_at(window), told)
        reason = f"window {window.number} is not paid in, {grace.days} days after it was to be"
        brake = safety.braking(tx, book, "merchant_suspend", safety.Act(asked.merchant_id, None, reason))
        needs = Needs(accounts={clearing.position(asked.merchant_id, window.number)})
        return RemindRound(debtor, grace, brake, needs)


@dataclass(slots=True)
class RemindRound:
    debtor: Debtor | None = None
    grace: Grace | None = None
    brake: safety.BrakeRound | None = None
    needs: Needs = field(default_factory=Needs)

    def decide(self, request: Request, working: Working) -> Decision:
        """What is paid by now, told already or not due any more is left alone."""
        debtor, grace = self.debtor, self.grace
        if debtor is None or grace is None or grace.days is None:
            return Accepted(None)
        open = working.accounts[clearing.position(debtor.merchant_id, debtor.number)].balance
        due = next_step(grace, debtor)
        if open >= 0 or due is None or due > working.now:
            return Accepted(None)
        # nothing below may refuse
        missed = debtor.told == WARNED
        payload: dict[str, object] = {"window": debtor.number, "open_minor": -open}
        if missed:
            payload["days"] = grace.days
        else:
            payload["suspends_at"] = suspends_at(grace, debtor.posted_at)
        working.record(
            "pay_in_missed" if missed else "pay_in_warned",
            request.actor,
            payload=payload,
            merchant=debtor.merchant_id,
            subject=debtor.window_id,
            revises=(told_as(debtor.window_id, debtor.merchant_id), debtor.told + 1),
        )
        if missed and self.brake is not None:
            # one that stands still already, or has left, stays as it is
            self.brake.take(working, request.actor)
        return Accepted(None)

    def write(self, tx: Tx, working: Working) -> None:
        if self.brake is not None:
            self.brake.write(tx, working)


HANDLERS: Final[dict[str, ledger.Handler]] = {"pay_in_grace": Graces(), "pay_in_reminder": Reminders()}


# -- the clock's work


def declared(tx: Tx, book_id: int) -> Grace | None:
    """The network's days of grace; None: never declared."""
    return overdue_store.grace(tx, book_id)


def next_due(tx: Tx, book: Book) -> datetime | None:
    grace = overdue_store.grace(tx, book.id)
    if grace is None or grace.days is None:
        return None
    whens = [when for debtor in debtors(tx, book) if (when := next_step(grace, debtor)) is not None]
    return min(whens, default=None)


def debtors(tx: Tx, book: Book) -> list[Debtor]:
    """Whoever has something to pay in of a window that is posted, and nobody stands in for it."""
    found = overdue_store.debtors(tx, book.id)
    told = overdue_store.revisions(tx, book.id, [told_as(window_id, merchant) for _, window_id, merchant, _ in found])
    return [
        Debtor(number, window_id, merchant, posted_at, told.get(told_as(window_id, merchant), 0))
        for number, window_id, merchant, posted_at in found
    ]


def remind_due(db: Database, committer: Committer, book: Book) -> int:
    """Warn and suspend whom it is time for by the book's clock; how many. Safe twice, late and side by side."""
    drain(db, book.id)
    with db.tx("settlement") as tx:
        grace = overdue_store.grace(tx, book.id)
        if grace is None or grace.days is None:
            return 0
        whens = [(debtor, next_step(grace, debtor)) for debtor in debtors(tx, book)]
    due = [debtor for debtor, when in whens if when is not None and when <= book.now]
    done = 0
    for debtor in due[: ledger.due.LARGEST_LOOK]:
        asked = ledger.due.request(book.id, "pay_in_reminder", Remind(debtor.number, debtor.merchant_id))
        try:
            outcome = committer.post(asked)
        except ledger.errors.Stale:
            # the stream went on: the next look knows more
            drain(db, book.id)
            done += 1
            continue
        done += not isinstance(outcome.decision, ledger.errors.NetworkStopped)
    return done


JOB: Final = ledger.jobs.Job("missing pay-ins", next_due, remind_due)
