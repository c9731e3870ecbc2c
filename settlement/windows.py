"""What operators and the schedule do to windows: each act is a record, asked of the ledger once the stream is drained.

Every act may be repeated and resumed: a closed window answers as closed, an approved one is posted by whoever comes
next, and what is paid stays paid.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import ledger
from ledger import Accepted, Committer, Database, Decision, Outcome, Render, Request
from settlement import store
from settlement.adjusting import DecideAdjustment, Dispute, ProposeAdjustment, ProposeForBreak
from settlement.covers.covering import Cover, GiveBack, ReturnPayment
from settlement.handlers import Pay, Settle
from settlement.steps import Step
from settlement.stream.consumer import drain

#: How often an act is asked again because the stream went on between draining and deciding.
TRIES: Final = 5


def plain(decision: Decision) -> tuple[int, bytes]:
    """The answer where no door renders one."""
    if isinstance(decision, Accepted):
        return 200, ledger.canonical(decision.value)
    return 409, ledger.canonical({"code": decision.code, "detail": decision.detail})


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, under which key, and how the answer is to look. Without an operator it is the clock."""

    operator_id: UUID | None = None
    actor: str = "clock"
    key: str | None = None
    fingerprint: bytes = b""
    render: Render = plain
    # a merchant that asks for itself
    principal_id: UUID | None = None


CLOCK: Final = Asker()

#: The kind of request that each is; what it does, its class says.
ASKED: Final[Mapping[type[object], str]] = {
    Cover: "cover",
    ReturnPayment: "payment_return",
    GiveBack: "collateral_return",
    Dispute: "dispute",
    ProposeAdjustment: "adjustment",
    ProposeForBreak: "adjustment",
    DecideAdjustment: "adjustment_decision",
}


def close(db: Database, committer: Committer, book_id: int, *, number: int, asker: Asker = CLOCK) -> Outcome:
    """open -> advised. A window that is closed already answers as it is."""
    return _step(db, committer, book_id, "window_close", Step(number, asker.operator_id), asker)


def submit(db: Database, committer: Committer, book_id: int, *, number: int, asker: Asker) -> Outcome:
    """advised -> submitted."""
    return _step(db, committer, book_id, "window_submit", Step(number, asker.operator_id), asker)


def approve(
    db: Database, committer: Committer, book_id: int, *, number: int, positions_hash: str, asker: Asker
) -> Outcome:
    """submitted -> funding, by another operator, on the hash (hex) of the positions; the window is then posted."""
    step = Step(number, asker.operator_id, positions_hash=positions_hash)
    outcome = _step(db, committer, book_id, "window_approve", step, asker)
    resume(db, committer, book_id)
    return outcome


def send_back(db: Database, committer: Committer, book_id: int, *, number: int, reason: str, asker: Asker) -> Outcome:
    """submitted -> advised: returned to whoever submitted it, with a reason."""
    return _step(db, committer, book_id, "window_return", Step(number, asker.operator_id, reason), asker)


def abort(db: Database, committer: Committer, book_id: int, *, number: int, reason: str, asker: Asker) -> Outcome:
    """advised or submitted -> netted again and advised anew."""
    return _step(db, committer, book_id, "window_abort", Step(number, asker.operator_id, reason), asker)


def resume(db: Database, committer: Committer, book_id: int) -> int:
    """Post, in order, every approved window whose predecessor is posted; how many. Safe to call at any time.

    A process that died between an approval and its settlement leaves the rest to the next caller.
    """
    drain(db, book_id)
    with db.tx("settlement") as tx:
        waiting = sorted(w.number for w in store.windows(tx, book_id, state="funding", limit=1000))
    posted = 0
    for number in waiting:
        if not isinstance(_settle(db, committer, book_id, number).decision, ledger.Refusal):
            posted += 1
    return posted


def mark_paid(
    db: Database,
    committer: Committer,
    book_id: int,
    *,
    number: int,
    asker: Asker,
    merchant_id: UUID | None = None,
    amount_minor: int | None = None,
    reference: str | None = None,
) -> Outcome:
    """Book what came in and went out; without a merchant everything that is open, pay-ins first."""
    assert asker.operator_id is not None, "a payment is an operator's word"
    resume(db, committer, book_id)
    pay = Pay(number, asker.operator_id, merchant_id, amount_minor, reference)
    return act(db, committer, book_id, _request(db, book_id, "payment", pay, asker))


def ask(db: Database, committer: Committer, book_id: int, *, body: object, asker: Asker) -> Outcome:
    """Any other word about windows: a cover, a payment that came back, a dispute, an adjustment and the second person's."""
    return act(db, committer, book_id, _request(db, book_id, ASKED[type(body)], body, asker))


def _step(db: Database, committer: Committer, book_id: int, kind: str, step: Step, asker: Asker) -> Outcome:
    return act(db, committer, book_id, _request(db, book_id, kind, step, asker))


def _settle(db: Database, committer: Committer, book_id: int, number: int) -> Outcome:
    with db.tx("settlement") as tx:
        book = ledger.read_book(tx, book_id)
        window = store.window(tx, book_id, number)
        assert window is not None, number
        parties = [row.position for row in store.positions(tx, book, number)]
        body = Settle(number, store.flows(tx, book_id, number), parties)
    key = f"settle-{window.id.hex}-{window.revision}"
    fingerprint = ledger.fingerprint("POST", "settlement", [window.id, window.revision])
    return act(
        db, committer, book_id, Request(book_id, "settlement", book.operator_id, "clock", body, plain, key, fingerprint)
    )


def _request(db: Database, book_id: int, kind: str, body: object, asker: Asker) -> Request:
    with db.tx("settlement") as tx:
        principal = asker.principal_id or asker.operator_id or ledger.read_book(tx, book_id).operator_id
    return Request(book_id, kind, principal, asker.actor, body, asker.render, asker.key, asker.fingerprint)


def act(db: Database, committer: Committer, book_id: int, request: Request) -> Outcome:
    """Drain, ask, drain: decide on everything there is, and leave the derived rows telling what was decided."""
    for tries_left in reversed(range(TRIES)):
        drain(db, book_id)
        try:
            outcome = committer.post(request)
        except ledger.errors.Stale:
            if not tries_left:
                raise
            continue
        drain(db, book_id)
        return outcome
    raise AssertionError("unreachable")
