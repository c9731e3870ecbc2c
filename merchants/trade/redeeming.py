"""Redeeming: whether points may be set aside at a shop, and what becomes of them. Pure: no SQL, no clock but the batch's.

Each function checks in a fixed order, which the refusals' documentation follows; below its mark nothing may refuse.
"""

from datetime import timedelta
from uuid import UUID

from ledger import Accepted, Decision, Hold, Minor, Points, Refusal, Working, first, ids, worth
from ledger.errors import DuplicateReference, HoldExpired, LimitExceeded, NotFound, StateConflict
from merchants import contracts, people, sales
from merchants.trade import limiting, spending
from merchants.trade.commands import Capture, Redemption, RedemptionDone, SliceDone, Void
from merchants.trade.consenting import consent
from merchants.trade.known import Known, absent, available, place, state_told


def redemption(command: Redemption, actor: str, known: Known, working: Working) -> Decision:
    """Set points aside at a shop for a member who consents now; with `capture`, take them in the same step."""
    taken = taken_by(command, known)
    if isinstance(taken, Refusal):
        return taken
    member, contract = taken
    assert command.spend_code is not None, "other consent is decided elsewhere"
    others = known.spenders_for(member.id)
    consented = consent(command.spend_code, member.id, others, command.merchant_id, known, working.now)
    if isinstance(consented, Refusal):
        if known.guesses(command.merchant_id, member.id):
            limiting.flag_wrong_codes(command, member.id, known, working.now)
        return consented
    decision = set_aside(command, member, contract, consented.member, "code", actor, actor, known, working)
    if isinstance(decision, Accepted):
        known.steps[consented.device] = consented.step
    return decision


def taken_by(command: Redemption, known: Known) -> tuple[people.Member, contracts.Contract] | Refusal:
    """Whose points a shop takes, and under which contract; or what can be refused before anybody consents."""
    if refusal := place(command.merchant_id, command.branch_id, command.till_id, known):
        return refusal
    if (member := known.member(command.member)) is None:
        return NotFound("member", "/member")
    reference = (command.merchant_id, command.external_reference)
    if (existing := known.redeemed.get(reference)) is not None:
        return DuplicateReference(ids.show("redemption", existing))
    contract = spending.taken_under(command.merchant_id, member, known)
    return contract if isinstance(contract, Refusal) else (member, contract)


def set_aside(
    command: Redemption,
    member: people.Member,
    contract: contracts.Contract,
    spender_id: UUID,
    consented_with: str,
    asked_by: str,
    actor: str,
    known: Known,
    working: Working,
    id: UUID | None = None,
    **more: object,
) -> Accepted | Refusal:
    """What follows on consent: whether there are the points, and whether so many may go. Then they are held.

    `asked_by`: the key at the till, whose velocity it is. `more` is said in the record.
    """
    if command.points is not None:
        slices = spending.of_points(member.id, command.points, working, command.merchant_id)
    else:
        assert command.value is not None, "points or a value, the door saw to it"
        slices = spending.of_value(member.id, command.value, working, command.merchant_id)
    if isinstance(slices, Refusal):
        return slices
    points = sum(s.points for s in slices)
    if refusal := _too_much(spender_id, member, points, known):
        return refusal
    if met := limiting.met(limiting.REDEEMING, points, asked_by, member.id, command.merchant_id, known):
        limiting.flag_met(met, command, member.id, known, working.now)
        return met.refusal if consented_with == "code" else met.heard_by(spender_id)
    # nothing below may refuse
    spender = spender_id if spender_id != member.id else None
    value = worth(slices)
    deadline = working.now + timedelta(minutes=contract.hold_minutes)
    id = id or ids.new()
    told = [s.told for s in slices]
    payload: dict[str, object] = {"points": points, "value_minor": value, "deadline": deadline, "slices": told, **more}
    if spender is not None:
        payload["consented_by"] = spender
        known.spent_for[member.id, spender] = known.spent_for.get((member.id, spender), 0) + points
    draft = working.record("hold", actor, merchant=command.merchant_id, member=member.id, subject=id, payload=payload)
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
        consent=consented_with,
        contract_id=contract.id,
        n=draft.n,
        consented_by=spender,
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
    found = _open(command, known, working)
    if isinstance(found, Refusal):
        return found
    row, hold = found
    if hold.deadline <= working.now:
        return HoldExpired(hold.deadline.isoformat())
    contract = known.network.contract(command.merchant_id)
    assert contract is not None, row.id
    return Accepted(done(row, hold, take_held(row, hold, actor, contract, known, working), working))


def void(command: Void, actor: str, known: Known, working: Working) -> Decision:
    """Give the points of a hold back."""
    found = _open(command, known, working)
    if isinstance(found, Refusal):
        return found
    row, hold = found
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


def _open(
    command: Capture | Void, known: Known, working: Working
) -> tuple[sales.RedemptionRow, Hold] | NotFound | StateConflict:
    """The merchant's own redemption that a command names, and its hold, which is open."""
    id = known.redemption_id(command.merchant_id, command.redemption)
    row = known.redemptions.get(id) if id is not None else None
    if row is None or row.merchant_id != command.merchant_id:
        return absent("redemption", command.redemption)
    hold = working.holds[row.id]
    return StateConflict("redemption", hold.state) if hold.state != "open" else (row, hold)


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


def _too_much(spender_id: UUID, owner: people.Member, points: int, known: Known) -> Refusal | None:
    """Whether another of the household would spend more of this wallet in a month than its owner, or the company, allows."""
    household = known.household_of(owner.id)
    if spender_id == owner.id or household is None:
        return None
    most, alone = household.allowed(owner.id, spender_id)
    spent = sum(
        points
        for (wallet, spender), points in known.spent_for.items()
        if wallet == owner.id and (not alone or spender == spender_id)
    )
    return LimitExceeded("household_month", max(0, most - spent), points) if spent + points > most else None


def done(row: sales.RedemptionRow, hold: Hold, record_id: UUID, working: Working) -> RedemptionDone:
    return RedemptionDone(
        id=row.id,
        record_id=record_id,
        state=state_told(hold),
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
        consented_by=row.consented_by,
    )
