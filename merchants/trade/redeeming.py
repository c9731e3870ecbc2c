"""Redeeming: whether points may be set aside at a shop, and what becomes of them. Pure: no SQL, no clock but the batch's.

Each function checks in a fixed order, which the refusals' documentation follows; below its mark nothing may refuse.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final
from uuid import UUID

from ledger import (
    Accepted,
    Decision,
    Hold,
    Lot,
    Minor,
    Points,
    Refusal,
    Slice,
    Working,
    first,
    ids,
    spendable,
    take,
    take_value,
    worth,
)
from ledger.errors import (
    CodeUsed,
    ConsentRequired,
    DuplicateReference,
    HoldExpired,
    InsufficientPoints,
    NotFound,
    SpendLocked,
    StateConflict,
    Suspended,
)
from merchants import contracts, people, safety, sales
from merchants.trade.commands import Capture, Redemption, RedemptionDone, SliceDone, Void
from merchants.trade.known import Known, absent, available, place, subjects

#: What a redemption adds to, by velocity limits: the points it takes, and itself.
COUNTED: Final = ("redeem_points", "redeem_count")


@dataclass(frozen=True, slots=True)
class SpendCodesLocked(Refusal):
    """Whoever shows these codes, a shop or the member, has shown too many wrong ones lately; others go on."""

    code: ClassVar[str] = "otp_locked"

    @property
    def detail(self) -> str:
        minutes = people.spend_codes.LOCK_TIME.seconds // 60
        return f"too many wrong spend codes were shown here: none is taken for {minutes} minutes"


def accepts(lot: Lot, acceptor: UUID) -> bool:
    """Closed-loop points are good at their own shop only; all others everywhere."""
    return lot.funding != "closed_loop" or lot.issuer_id == acceptor


def redemption(command: Redemption, actor: str, known: Known, working: Working) -> Decision:
    """Set points aside at a shop for a member who consents now; with `capture`, take them in the same step."""
    if refusal := place(command.merchant_id, command.branch_id, command.till_id, known):
        return refusal
    if (member := known.member(command.member)) is None:
        return NotFound("member", "/member")
    reference = (command.merchant_id, command.external_reference)
    if (existing := known.redeemed.get(reference)) is not None:
        return DuplicateReference(ids.show("redemption", existing))
    merchant = known.network.merchant(command.merchant_id)
    contract = known.network.contract(command.merchant_id)
    if contract is None:
        return StateConflict("merchant", "without a contract")
    if merchant is None or merchant.state != "active":
        return Suspended()
    if (by := member.locked_by) is not None:
        return SpendLocked(by)
    assert command.spend_code is not None, "a spend of a voucher is decided by vouching"
    consent = consented(command.merchant_id, command.spend_code, member, known, working)
    if isinstance(consent, Refusal):
        if known.guesses(command.merchant_id, member.id):
            _flag(safety.WRONG_CODES, ("merchant", command.merchant_id, ""), command, member, known, working)
        return consent
    slices = _chosen(command, member, working)
    if isinstance(slices, Refusal):
        return slices
    of = subjects(actor, member.id, command.merchant_id)
    amounts = {"redeem_points": sum(s.points for s in slices), "redeem_count": 1}
    if known.velocity is not None and (met := known.velocity.met(of, amounts)) is not None:
        flagged = (met.limit.subject, met.subject_id, met.limit.what)
        _flag(safety.VELOCITY, flagged, command, member, known, working)
        return met.refusal
    # nothing below may refuse
    if known.velocity is not None:
        known.velocity.add(of, amounts)
    device, step = consent
    known.steps[device] = step
    value = worth(slices)
    deadline = working.now + timedelta(minutes=contract.hold_minutes)
    id = ids.new()
    told = [s.told for s in slices]
    points = sum(s.points for s in slices)
    draft = working.record(
        "hold",
        actor,
        merchant=command.merchant_id,
        member=member.id,
        subject=id,
        payload={"points": points, "value_minor": value, "deadline": deadline, "slices": told},
    )
    working.active(draft, member.id)
    hold = working.hold(draft, id=id, member=member.id, acceptor=command.merchant_id, slices=slices, deadline=deadline)
    row = sales.RedemptionRow(
        id=id,
        merchant_id=command.merchant_id,
        branch_id=command.branch_id,
        till_id=command.till_id,
        member_id=member.id,
        external_reference=command.external_reference,
        occurred_at=command.occurred_at,
        at=working.now,
        points=points,
        value_minor=value,
        consent="code",
        contract_id=contract.id,
        n=draft.n,
    )
    keep(row, known)
    record_id = take_held(row, hold, actor, contract, known, working) if command.capture else draft.id
    return Accepted(done(row, hold, record_id, working))


def keep(row: sales.RedemptionRow, known: Known) -> None:
    """Let what comes behind in the batch find a new redemption, and have it written."""
    reference = (row.merchant_id, row.external_reference)
    known.redeemed[reference] = row.id
    known.redemptions[row.id] = row
    known.new_redemptions.append(row)
    if reference in known.redemptions_named:
        known.redemptions_named[reference] = row.id
        known.refundable[row.id] = sales.Refundable(
            id=row.id,
            merchant_id=row.merchant_id,
            member_id=row.member_id,
            contract_id=row.contract_id,
            record_id=None,
            fee_ppm=0,
            whole=row.points,
            refunded=0,
        )


def capture(command: Capture, actor: str, known: Known, working: Working) -> Decision:
    """Take the points a hold set aside. Goes on for a suspended shop: the member was promised."""
    row = _named(command, known)
    if row is None:
        return absent("redemption", command.redemption)
    hold = working.holds[row.id]
    if hold.state != "open":
        return StateConflict("redemption", hold.state)
    if hold.deadline <= working.now:
        return HoldExpired(hold.deadline.isoformat())
    contract = known.network.contract(command.merchant_id)
    assert contract is not None, row.id
    return Accepted(done(row, hold, take_held(row, hold, actor, contract, known, working), working))


def void(command: Void, actor: str, known: Known, working: Working) -> Decision:
    """Give the points of a hold back."""
    row = _named(command, known)
    if row is None:
        return absent("redemption", command.redemption)
    hold = working.holds[row.id]
    if hold.state != "open":
        return StateConflict("redemption", hold.state)
    draft = working.record(
        "void",
        actor,
        merchant=row.merchant_id,
        member=row.member_id,
        subject=row.id,
        payload={"points": hold.points},
    )
    working.release(draft, hold, "voided")
    return Accepted(done(row, hold, draft.id, working))


def _named(command: Capture | Void, known: Known) -> sales.RedemptionRow | None:
    """The merchant's own redemption that a command names."""
    id = known.redemption_id(command.merchant_id, command.redemption)
    row = known.redemptions.get(id) if id is not None else None
    return row if row is not None and row.merchant_id == command.merchant_id else None


def take_held(
    row: sales.RedemptionRow,
    hold: Hold,
    actor: str,
    contract: contracts.Contract,
    known: Known,
    working: Working,
    **more: object,
) -> UUID:
    """Capture what a redemption takes of its hold, saying in the record all that settlement needs, and `more`."""
    slices = first(hold.slices, row.points)
    draft = working.record(
        "capture",
        actor,
        merchant=row.merchant_id,
        member=row.member_id,
        subject=row.id,
        payload={
            "points": row.points,
            "value_minor": worth(slices),
            "contract": contract.id,
            "redemption_fee_ppm": contract.redemption_fee_ppm,
            "slices": [s.told for s in slices],
            **more,
        },
    )
    working.capture(draft, hold, row.points)
    known.captures[row.id] = (draft.id, contract.id, contract.redemption_fee_ppm)
    return draft.id


def consented(
    shown_by: UUID, spend_code: str, member: people.Member, known: Known, working: Working
) -> tuple[UUID, int] | Refusal:
    """The device whose code this is, and the code's step. Codes are used once, and none older than the last used.

    Wrong ones are counted against whoever shows them: the shop, or the member who asks for a voucher.
    """
    devices = [
        (d.id, people.spend_codes.secret(known.spend_key, d.id, d.nonce), known.steps.get(d.id, d.last_step))
        for d in known.devices.get(member.id, ())
    ]
    if not devices:
        return ConsentRequired("the member has no device that makes spend codes")
    if known.guesses(shown_by, member.id):
        return SpendCodesLocked()
    match = people.spend_codes.matching_step(spend_code, devices, working.now)
    if match is None:
        pair = (shown_by, member.id)
        known.wrong_now[pair] = known.wrong_now.get(pair, 0) + 1
        return ConsentRequired("the spend code is not the member's present one")
    if isinstance(match, people.spend_codes.Used):
        return CodeUsed()
    return match


def _flag(
    reason: str,
    of: tuple[str, UUID, str],
    command: Redemption,
    member: people.Member,
    known: Known,
    working: Working,
) -> None:
    """Have an operator look at a redemption that was refused."""
    subject, subject_id, what = of
    known.flag(
        safety.Flag(
            reason=reason,
            subject=subject,
            subject_id=subject_id,
            what=what,
            times=1,
            first_at=working.now,
            last_at=working.now,
            merchant_id=command.merchant_id,
            branch_id=command.branch_id,
            member_id=member.id,
            redemption_references=(command.external_reference,),
        )
    )


def _chosen(command: Redemption, member: people.Member, working: Working) -> list[Slice] | Refusal:
    """The slices a redemption takes: soonest expiry first, only what this shop accepts."""
    working.catch_up(member.id)
    usable = spendable(working.lots_of[member.id], working.now, lambda lot: accepts(lot, command.merchant_id))
    there = Points(sum(lot.remaining for lot in usable))
    if command.points is not None:
        if command.points > there:
            return InsufficientPoints(command.points, there)
        return take(usable, command.points)
    assert command.value is not None
    slices = take_value(usable, command.value)
    all_worth = sum(lot.remaining * lot.unit_value for lot in usable)
    if not slices or all_worth < command.value:
        return InsufficientPoints(Points(-(-command.value // working.book.face_value_minor)), there)
    return slices


def done(row: sales.RedemptionRow, hold: Hold, record_id: UUID, working: Working) -> RedemptionDone:
    return RedemptionDone(
        id=row.id,
        record_id=record_id,
        state="held" if hold.state == "open" else hold.state,
        branch_id=row.branch_id,
        till_id=row.till_id,
        member_id=row.member_id,
        external_reference=row.external_reference,
        at=working.now,
        points=Points(row.points),
        value=Minor(row.value_minor),
        deadline=hold.deadline,
        slices=tuple(SliceDone(s.lot.id, s.lot.issuer_id, s.points, s.value) for s in first(hold.slices, row.points)),
        available=available(working, row.member_id),
    )
