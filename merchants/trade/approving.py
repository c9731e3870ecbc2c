"""Approving: a shop asks, the member says yes or no in the wallet. Pure: no SQL, no clock but the batch's.

Nothing is set aside while it awaits. What is the shop's to know is refused when it asks; whether there are the points is
decided, and told, only when somebody at the wallet approves: asking tells no shop what a wallet holds.

Each function checks in a fixed order, which the refusals' documentation follows; below its mark nothing may refuse.
"""

import dataclasses
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final
from uuid import UUID

import ledger
from ledger import Accepted, Decision, Draft, Minor, Points, Refusal, Working, ids
from ledger.errors import DuplicateReference, InsufficientPoints, LimitExceeded, NotFound, StateConflict
from merchants import people, sales
from merchants.trade import redeeming, spending
from merchants.trade.commands import (
    AnswerApproval,
    ApprovalDone,
    Capture,
    LapseApproval,
    MemberRef,
    Redemption,
    Void,
)
from merchants.trade.known import Known, place

#: How long a member has to answer.
ANSWERED_WITHIN: Final = timedelta(minutes=5)
#: What one shop may have open with one member at once.
MOST_OPEN: Final = 3
#: What one shop may ask of one member, in so much time, without a yes.
MOST_UNANSWERED: Final = 10
LOOKED_BACK: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class TooLate(Refusal):
    code: ClassVar[str] = "hold_expired"
    deadline: str

    @property
    def detail(self) -> str:
        return f"the time to answer ended at {self.deadline}"


@dataclass(frozen=True, slots=True)
class NotSoMany(Refusal):
    """Of another's wallet: how many points there are is for its owner to know."""

    code: ClassVar[str] = "insufficient_points"
    needed: Points

    @property
    def detail(self) -> str:
        return f"{self.needed} points asked, there are not so many that this shop takes"


def ask(command: Redemption, actor: str, known: Known, working: Working) -> Decision:
    """Ask a member to approve a redemption."""
    taken = redeeming.taken_by(command, known)
    if isinstance(taken, Refusal):
        return taken
    member, _ = taken
    before = known.asked.setdefault((command.merchant_id, member.id), sales.Asked())
    if len(before.slots) >= MOST_OPEN:
        return LimitExceeded("open_approvals", MOST_OPEN, len(before.slots) + 1)
    if before.unanswered >= MOST_UNANSWERED:
        return LimitExceeded("unanswered_approvals", MOST_UNANSWERED, before.unanswered + 1)
    # nothing below may refuse
    id = ids.new()
    deadline = working.now + ANSWERED_WITHIN
    asked = {"points": command.points} if command.points is not None else {"value_minor": command.value}
    draft = working.record(
        "approval_asked",
        actor,
        merchant=command.merchant_id,
        member=member.id,
        subject=id,
        payload={**asked, "deadline": deadline, "capture": command.capture, "branch": command.branch_id},
    )
    # the lowest that is free: two processes that decide side by side choose the same, and one of them decides again
    slot = next(slot for slot in range(MOST_OPEN) if slot not in before.slots)
    before.slots.add(slot)
    before.unanswered += 1
    row = sales.Approval(
        id=id,
        merchant_id=command.merchant_id,
        branch_id=command.branch_id,
        till_id=command.till_id,
        member_id=member.id,
        external_reference=command.external_reference,
        occurred_at=command.occurred_at,
        at=working.now,
        deadline=deadline,
        points=command.points,
        value_minor=command.value,
        capture=command.capture,
        asked_by=actor,
        slot=slot,
        n=draft.n,
        record_id=draft.id,
        stored=False,
    )
    reference = (row.merchant_id, row.external_reference)
    known.redeemed[reference] = id
    if reference in known.redemptions_named:
        known.redemptions_named[reference] = id
    known.approvals[id] = row
    known.new_approvals.append(row)
    return Accepted(_done(row, draft, known))


def answer(command: AnswerApproval, actor: str, known: Known, working: Working) -> Decision:
    """Approve or decline as the owner of the wallet, or as somebody who may spend from it."""
    row = known.approvals.get(command.redemption_id)
    owner = known.members.get(row.member_id) if row is not None else None
    if row is None or owner is None or owner.state == "left":
        return NotFound("redemption")
    if command.member_id != owner.id and command.member_id not in known.spenders_for(owner.id):
        return NotFound("redemption")
    if row.state != "awaiting":
        return StateConflict("redemption", row.state)
    if row.deadline <= working.now:
        return TooLate(row.deadline.isoformat())
    decide = _approve if command.approves else _decline
    return decide(row, owner, command.member_id, actor, known, working)


def _approve(
    row: sales.Approval, owner: people.Member, by: UUID, actor: str, known: Known, working: Working
) -> Decision:
    """Hold the points, as a code at the till would now; take them where that was asked. Refused, it awaits still."""
    if refusal := place(row.merchant_id, row.branch_id, row.till_id, known):
        return refusal
    if (existing := known.redeemed_otherwise.get((row.merchant_id, row.external_reference))) is not None:
        return DuplicateReference(ids.show("redemption", existing))
    contract = spending.taken_under(row.merchant_id, owner, known)
    if isinstance(contract, Refusal):
        return contract
    command = Redemption(
        merchant_id=row.merchant_id,
        branch_id=row.branch_id,
        external_reference=row.external_reference,
        member=MemberRef(id=owner.id),
        points=None if row.points is None else Points(row.points),
        value=None if row.value_minor is None else Minor(row.value_minor),
        till_id=row.till_id,
        occurred_at=row.occurred_at,
        capture=row.capture,
    )
    decision = redeeming.set_aside(
        command,
        owner,
        contract,
        by,
        "wallet",
        row.asked_by,
        actor,
        known,
        working,
        row.id,
        approval=row.record_id,
    )
    if isinstance(decision, InsufficientPoints) and by != owner.id:
        return NotSoMany(decision.needed)
    if isinstance(decision, Refusal):
        return decision
    redemption = decision.value
    _end(row, "approved", known)
    return Accepted(
        ApprovalDone(
            row=dataclasses.replace(row),
            record_id=redemption.record_id,
            merchant_name=_name(row, known),
            number=owner.number,
            redemption=redemption,
            # another's wallet is told to nobody
            available=redemption.available if by == owner.id else None,
        )
    )


def _decline(
    row: sales.Approval, owner: people.Member, by: UUID, actor: str, known: Known, working: Working
) -> Decision:
    draft = working.record(
        "approval_declined",
        actor,
        merchant=row.merchant_id,
        member=owner.id,
        subject=row.id,
        payload={"declined_by": by} if by != owner.id else {},
    )
    _end(row, "declined", known)
    return Accepted(_done(row, draft, known))


def end(command: Capture | Void, row: sales.Approval, actor: str, known: Known, working: Working) -> Decision:
    """The shop withdraws what nobody has answered yet. There is nothing to capture."""
    if row.state != "awaiting":
        return StateConflict("redemption", row.state)
    if isinstance(command, Capture):
        return StateConflict("redemption", "awaiting_approval")
    draft = working.record(
        "approval_withdrawn", actor, merchant=row.merchant_id, member=row.member_id, subject=row.id, payload={}
    )
    _end(row, "withdrawn", known)
    return Accepted(_done(row, draft, known))


def lapse(command: LapseApproval, actor: str, known: Known, working: Working) -> Decision:
    """End what nobody answered in time. Done already, it is simply not found."""
    row = known.approvals.get(command.redemption_id)
    if row is not None and row.state == "awaiting" and row.deadline <= working.now:
        working.record(
            "approval_lapsed", actor, merchant=row.merchant_id, member=row.member_id, subject=row.id, payload={}
        )
        _end(row, "lapsed", known)
    return Accepted(None)


def _end(row: sales.Approval, state: str, known: Known) -> None:
    row.state = state
    known.answered.add(row.id)
    if (asked := known.asked.get((row.merchant_id, row.member_id))) is not None and not row.stored:
        # its slot is free for what comes behind it in the batch; a stored one frees its slot when the batch is written
        asked.slots.discard(row.slot)


def _done(row: sales.Approval, draft: Draft, known: Known) -> ApprovalDone:
    owner = known.members.get(row.member_id)
    return ApprovalDone(
        dataclasses.replace(row), draft.id, _name(row, known), owner.number if owner is not None else ""
    )


def _name(row: sales.Approval, known: Known) -> str:
    merchant = known.network.merchant(row.merchant_id)
    return merchant.name if merchant is not None else ""


# -- what nobody answers

#: How many one look takes on; what is left is found by the next.
LARGEST_LOOK: Final = 500


def unanswered(tx: ledger.Tx, book: ledger.Book) -> list[ledger.Request]:
    return [
        ledger.due.request(book.id, "approval_lapse", LapseApproval(id))
        for id in sales.approvals_unanswered(tx, book, LARGEST_LOOK)
    ]


#: For the job room: ends what members were asked and did not answer.
JOB: Final = ledger.jobs.posting("approvals", sales.next_unanswered, unanswered)
