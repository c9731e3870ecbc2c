"""Vouchers: points set aside for a member's device to spend at one shop while neither has network. Pure.

A voucher is a hold of the shop with a long deadline. The member asks for it and cannot take it back: that is what makes a
spend of it safe for a till that can ask nobody. Only the shop gives it back, or its deadline. It is spent once, in whole
or in part; what was not spent returns with the capture.

Each function checks in a fixed order, which the refusals' documentation follows; below its mark nothing may refuse.
"""

import dataclasses
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from ledger import Accepted, Decision, Hold, Refusal, Slice, Working, first, ids, worth
from ledger.errors import (
    ConsentRequired,
    DuplicateReference,
    HoldExpired,
    LimitExceeded,
    NotFound,
    Stale,
    StateConflict,
)
from merchants import sales
from merchants.trade import consenting, limiting, redeeming, spending
from merchants.trade.commands import NewVoucher, Redemption, VoucherDone, VoucherReturn
from merchants.trade.known import Known, available, place

#: How long a voucher is held, and how much of that is left to the shop to redeem what was spent.
HELD: Final = timedelta(days=7)
TO_REDEEM: Final = timedelta(days=2)
#: What one voucher may be for, and how many a member may have open.
MOST_POINTS: Final = 100_000
MOST_OPEN: Final = 5
#: Stretches of points of one unit value in a voucher: it has to fit what a phone can show and a till can read.
MOST_PARTS: Final = 32


@dataclass(frozen=True, slots=True)
class VoucherUsed(Refusal):
    code: ClassVar[str] = "code_already_used"

    @property
    def detail(self) -> str:
        return "this voucher was redeemed already"


def voucher(command: NewVoucher, actor: str, known: Known, working: Working) -> Decision:
    """Set a member's points aside at a shop, for the member's device to spend there offline."""
    member = known.members.get(command.member_id)
    if member is None or member.state == "left":
        return NotFound("member")
    if known.network.merchant(command.merchant_id) is None:
        return NotFound("merchant", "/shop")
    contract = spending.taken_under(command.merchant_id, member, known)
    if isinstance(contract, Refusal):
        return contract
    if all(device.id != command.device_id for device in known.devices.get(member.id, ())):
        return NotFound("device", "/device")
    if command.points > MOST_POINTS:
        return LimitExceeded("voucher_points", MOST_POINTS, command.points)
    already = known.open_vouchers.get(member.id, 0)
    if already >= MOST_OPEN:
        return LimitExceeded("open_vouchers", MOST_OPEN, already + 1)
    consent = consenting.consent(command.spend_code, member.id, (), member.id, known, working.now)
    if isinstance(consent, Refusal):
        return consent
    slices = spending.of_points(member.id, command.points, working, command.merchant_id)
    if isinstance(slices, Refusal):
        return slices
    parts = _parts(slices)
    if len(parts) > MOST_PARTS:
        return LimitExceeded("voucher_parts", MOST_PARTS, len(parts))
    if met := limiting.met(limiting.REDEEMING, command.points, actor, member.id, command.merchant_id, known):
        return met.heard_by(member.id)
    # nothing below may refuse
    known.steps[consent.device] = consent.step
    deadline = working.now + HELD
    spend_until = deadline - TO_REDEEM
    value = worth(slices)
    id = ids.new()
    draft = working.record(
        "hold",
        actor,
        merchant=command.merchant_id,
        member=member.id,
        subject=id,
        payload={
            "points": command.points,
            "value_minor": value,
            "deadline": deadline,
            "slices": [s.told for s in slices],
            "voucher": {
                "device": command.device_id,
                "thumbprint": command.thumbprint,
                "spend_until": spend_until,
            },
        },
    )
    working.active(draft, member.id)
    working.hold(draft, id=id, member=member.id, acceptor=command.merchant_id, slices=slices, deadline=deadline)
    row = sales.VoucherRow(
        id=id,
        merchant_id=command.merchant_id,
        member_id=member.id,
        device_id=command.device_id,
        public_key=command.public_key,
        thumbprint=command.thumbprint,
        at=working.now,
        spend_until=spend_until,
        deadline=deadline,
        points=command.points,
        value_minor=value,
        parts=parts,
        n=draft.n,
    )
    known.open_vouchers[member.id] = already + 1
    known.new_vouchers.append(row)
    return Accepted(VoucherDone(row, member.number, available(working, member.id)))


def spend(command: Redemption, actor: str, known: Known, working: Working) -> Decision:
    """Capture what a device spent of a voucher; the rest goes back to the member.

    The promise was given with the voucher: neither a lock, nor a freeze, nor the shop's suspension, nor that its branch or
    till is closed since, ends it.
    """
    assert command.spend is not None
    if refusal := place(command.merchant_id, command.branch_id, command.till_id, known, even_closed=True):
        return refusal
    if (member := known.ever_member(command.member)) is None:
        return NotFound("member", "/member")
    reference = (command.merchant_id, command.external_reference)
    if (existing := known.redeemed.get(reference)) is not None:
        return DuplicateReference(ids.show("redemption", existing))
    contract = known.network.contract(command.merchant_id)
    if contract is None:
        return StateConflict("merchant", "without a contract")
    found = known.vouchers.get(command.spend.voucher_id)
    if found is None or found.merchant_id != command.merchant_id:
        return NotFound("voucher", "/voucher/voucher")
    if found.member_id != member.id:
        return ConsentRequired("the voucher is another member's")
    if found.thumbprint != command.spend.thumbprint or command.spend.points > found.points:
        return ConsentRequired("the voucher is not the one that was given")
    hold = working.holds[found.id]
    if refusal := _ended(found, hold, working):
        return refusal
    # nothing below may refuse
    slices = first(hold.slices, command.spend.points)
    row = sales.RedemptionRow(
        id=found.id,
        merchant_id=command.merchant_id,
        branch_id=command.branch_id,
        till_id=command.till_id,
        member_id=member.id,
        external_reference=command.external_reference,
        occurred_at=command.occurred_at,
        at=working.now,
        points=command.spend.points,
        value_minor=worth(slices),
        consent="voucher",
        contract_id=contract.id,
        # its record is the capture, which comes next
        n=len(working.records),
    )
    redeeming.keep(row, known)
    record_id = redeeming.take_held(row, hold, actor, contract, known, working, spend=command.spend.digest)
    return Accepted(redeeming.done(row, hold, record_id, working))


def give_back(command: VoucherReturn, actor: str, known: Known, working: Working) -> Decision:
    """Release a voucher that was not spent at the shop's tills. The shop alone can know that."""
    found = known.vouchers.get(command.voucher_id)
    if found is None or found.merchant_id != command.merchant_id:
        return NotFound("voucher")
    hold = working.holds[found.id]
    if refusal := _ended(found, hold, working):
        return refusal
    # nothing below may refuse
    draft = working.record(
        "void",
        actor,
        merchant=found.merchant_id,
        member=found.member_id,
        subject=found.id,
        payload={"points": hold.points},
    )
    working.release(draft, hold, "voided")
    ended = dataclasses.replace(found, state="voided")
    return Accepted(VoucherDone(ended, None, available(working, found.member_id)))


def _ended(found: sales.VoucherRow, hold: Hold, working: Working) -> Refusal | None:
    """Why a voucher can be neither spent nor returned any more, or None."""
    if hold.loaded != found.state:
        # whoever ended it may have done so under the very reference that is asked for now
        raise Stale("the voucher was ended while this was read")
    if hold.state == "captured":
        return VoucherUsed()
    if hold.state == "voided":
        return StateConflict("voucher", "returned")
    if hold.state == "lapsed" or hold.deadline <= working.now:
        return HoldExpired(hold.deadline.isoformat())
    return None


def _parts(slices: list[Slice]) -> list[list[int]]:
    """[points, unit value] of each stretch of points of one unit value, in their order."""
    parts: list[list[int]] = []
    for lot, points in slices:
        if parts and parts[-1][1] == lot.unit_value:
            parts[-1][0] += points
        else:
            parts.append([points, lot.unit_value])
    return parts
