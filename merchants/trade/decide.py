"""Trade's decisions: what a sale earns, whether a redemption may be. Pure: no SQL, no clock but the batch's.

Each function checks in a fixed order, which the refusals' documentation follows; below its mark nothing may refuse.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from ledger import (
    Accepted,
    AccountName,
    Book,
    Decision,
    Hold,
    Lot,
    Minor,
    Points,
    Refusal,
    Slice,
    Working,
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
    Invalid,
    NotFound,
    SpendLocked,
    StateConflict,
    Suspended,
)
from merchants import contracts, people, programme, sales
from merchants.trade.commands import (
    Capture,
    Line,
    Payment,
    Redemption,
    RedemptionDone,
    Sale,
    SaleDone,
    SliceDone,
    Void,
)

if TYPE_CHECKING:
    from merchants.trade.handler import Known


def source(mode: str, merchant: UUID) -> AccountName:
    """The account a merchant of this funding mode issues from."""
    return AccountName({"prefunded": "pool", "deferred": "credit", "closed_loop": "own"}[mode], merchant)


def accepts(lot: Lot, acceptor: UUID) -> bool:
    """Closed-loop points are good at their own shop only; all others everywhere."""
    return lot.funding != "closed_loop" or lot.issuer_id == acceptor


# -- sales


def sale(command: Sale, actor: str, known: Known, working: Working) -> Decision:
    """Record a sale; earning is its effect. A sale that may not earn is recorded all the same, with the reason."""
    if refusal := _place(command.merchant_id, command.branch_id, command.till_id, known):
        return refusal
    member = None
    if command.member is not None and (member := known.member(command.member)) is None:
        return NotFound("member", "/member")
    reference = (command.merchant_id, command.external_reference)
    if (existing := known.sold.get(reference)) is not None:
        return DuplicateReference(ids.show("sale", existing))
    contract = known.network.contract(command.merchant_id)
    if contract is None:
        return StateConflict("merchant", "without a contract")
    points_part = _paid_in_points(command, member, known, working)
    if isinstance(points_part, Refusal):
        return points_part
    # nothing below may refuse
    money = Minor(command.total - points_part)
    points, refused = _earns(command, money, member, known, working)
    now = working.now
    id = ids.new()
    terms_in_force = known.network.terms(command.merchant_id)
    fee_ppm = contract.purchase_fee_ppm if member is not None else 0
    draft = working.record(
        "sale",
        actor,
        merchant=command.merchant_id,
        member=member.id if member else None,
        subject=id,
        payload={
            "total_minor": command.total,
            "money_minor": money,
            "branch": command.branch_id,
            "points": points,
            "refused": refused,
            "contract": contract.id,
            "terms": terms_in_force.id if terms_in_force else None,
            "purchase_fee_ppm": fee_ppm,
        },
    )
    lot = None
    if points and member is not None:
        lot = working.issue(
            draft,
            working.issuers[command.merchant_id],
            member=member.id,
            points=points,
            unit_value=contract.unit_value_minor,
            available_at=now,
            expires_at=expiry(now, working.book, contract),
            rule_id=terms_in_force.id if terms_in_force else None,
            sale_id=id,
        )
    row = sales.SaleRow(
        id=id,
        merchant_id=command.merchant_id,
        branch_id=command.branch_id,
        till_id=command.till_id,
        member_id=member.id if member else None,
        external_reference=command.external_reference,
        occurred_at=command.occurred_at,
        at=now,
        total_minor=command.total,
        money_minor=money,
        lines=[_line(line) for line in command.lines],
        payments=[_payment(payment) for payment in command.payments],
        redemption_id=next((p.redemption_id for p in command.payments if p.type == "points"), None),
        points_earned=points,
        earn_refused=refused,
        contract_id=contract.id,
        terms_id=terms_in_force.id if terms_in_force else None,
        n=draft.n,
    )
    known.sold[reference] = id
    known.new_sales.append(row)
    if row.redemption_id is not None:
        known.spent.add(row.redemption_id)
    return Accepted(
        SaleDone(
            id=id,
            record_id=draft.id,
            command=command,
            member_id=row.member_id,
            at=now,
            money=money,
            points=points,
            refused=refused,
            lot_id=lot.id if lot else None,
            expires_at=lot.expires_at if lot else None,
            terms_id=row.terms_id,
            available=_available(working, member.id) if member else None,
        )
    )


def _earns(
    command: Sale, money: Minor, member: people.Member | None, known: Known, working: Working
) -> tuple[Points, str | None]:
    """The points a sale earns, or why it earns none."""
    if member is None:
        return Points(0), None
    points, refused = earning(known.network, command.merchant_id, command.lines, money, command.total, member)
    if points and (working.issuing_limit(working.issuers[command.merchant_id], points)):
        # issued in whole or not at all: a shop that has run dry tops up, and knows from the reason that it must
        return Points(0), "issuing_limit_reached"
    return points, refused


def earning(
    network: contracts.Network,
    merchant_id: UUID,
    lines: tuple[Line, ...],
    money: Minor,
    total: Minor,
    member: people.Member,
) -> tuple[Points, str | None]:
    """What the terms in force give for a basket, before any issuing limit."""
    in_force = network.terms(merchant_id)
    merchant = network.merchant(merchant_id)
    if merchant is None or merchant.state != "active":
        return Points(0), "merchant_suspended"
    if in_force is None:
        return Points(0), "no_terms"
    earned = programme.points_for(
        _rules(in_force), [(line.category, line.amount) for line in lines], money, total, kind=member.kind
    )
    return earned.points, earned.reason


#: Rules as they are read, by the id of their version, which never changes.
_read_rules: dict[UUID, programme.Rules] = {}


def _rules(in_force: contracts.Terms) -> programme.Rules:
    rules = _read_rules.get(in_force.id)
    if rules is None:
        if len(_read_rules) > 10_000:
            _read_rules.clear()
        rules = _read_rules[in_force.id] = programme.parse(in_force.rules)
    return rules


def _paid_in_points(command: Sale, member: people.Member | None, known: Known, working: Working) -> Minor | Refusal:
    """The part of a sale that a redemption pays for, which earns nothing."""
    part = 0
    paid = [p for p in command.payments if p.type == "points"]
    if len(paid) > 1:
        return Invalid("/payments", "one redemption may pay for a sale, not several")
    for payment in paid:
        row = known.redemptions.get(payment.redemption_id) if payment.redemption_id else None
        if row is None or row.merchant_id != command.merchant_id or member is None or row.member_id != member.id:
            return NotFound("redemption", "/payments")
        hold = working.holds[row.id]
        if hold.state not in ("open", "captured"):
            return StateConflict("redemption", hold.state)
        if row.id in known.spent:
            return StateConflict("redemption", "already the payment of another sale")
        if payment.amount != row.value_minor:
            return Invalid("/payments", "the amount paid in points is not what the redemption is worth")
        part += payment.amount
    return Minor(part)


def expiry(now: datetime, book: Book, contract: contracts.Contract) -> datetime:
    """When points earned now expire: the network's life, or the longer one of the contract."""
    return now + timedelta(days=max(book.points_life_days, contract.points_life_days or 0))


# -- redemptions


def redemption(command: Redemption, actor: str, known: Known, working: Working) -> Decision:
    """Set points aside at a shop for a member who consents now; with `capture`, take them in the same step."""
    if refusal := _place(command.merchant_id, command.branch_id, command.till_id, known):
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
    if member.spend_locked:
        return SpendLocked()
    consent = _consent(command, member, known, working)
    if isinstance(consent, Refusal):
        return consent
    slices = _chosen(command, member, working)
    if isinstance(slices, Refusal):
        return slices
    # nothing below may refuse
    device, step = consent
    known.steps[device] = step
    value = worth(slices)
    deadline = working.now + timedelta(minutes=contract.hold_minutes)
    id = ids.new()
    told = [_slice(s) for s in slices]
    points = sum(s.points for s in slices)
    draft = working.record(
        "hold",
        actor,
        merchant=command.merchant_id,
        member=member.id,
        subject=id,
        payload={"points": points, "value_minor": value, "deadline": deadline, "slices": told},
    )
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
    known.redeemed[reference] = id
    known.redemptions[id] = row
    known.new_redemptions.append(row)
    record_id = _take(row, hold, actor, contract, working) if command.capture else draft.id
    return Accepted(_done(row, hold, record_id, working))


def capture(command: Capture, actor: str, known: Known, working: Working) -> Decision:
    """Take the points a hold set aside. Goes on for a suspended shop: the member was promised."""
    row = known.redemptions.get(command.redemption_id)
    if row is None or row.merchant_id != command.merchant_id:
        return NotFound("redemption")
    hold = working.holds[row.id]
    if hold.state != "open":
        return StateConflict("redemption", hold.state)
    if hold.deadline <= working.now:
        return HoldExpired(hold.deadline.isoformat())
    contract = known.network.contract(command.merchant_id)
    assert contract is not None, row.id
    return Accepted(_done(row, hold, _take(row, hold, actor, contract, working), working))


def void(command: Void, actor: str, known: Known, working: Working) -> Decision:
    """Give the points of a hold back."""
    row = known.redemptions.get(command.redemption_id)
    if row is None or row.merchant_id != command.merchant_id:
        return NotFound("redemption")
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
    return Accepted(_done(row, hold, draft.id, working))


def _take(row: sales.RedemptionRow, hold: Hold, actor: str, contract: contracts.Contract, working: Working) -> UUID:
    """Capture a hold, saying in the record all that settlement needs."""
    draft = working.record(
        "capture",
        actor,
        merchant=row.merchant_id,
        member=row.member_id,
        subject=row.id,
        payload={
            "points": hold.points,
            "value_minor": worth(hold.slices),
            "contract": contract.id,
            "redemption_fee_ppm": contract.redemption_fee_ppm,
            "slices": [_slice(s) for s in hold.slices],
        },
    )
    working.capture(draft, hold)
    return draft.id


def _consent(command: Redemption, member: people.Member, known: Known, working: Working) -> tuple[UUID, int] | Refusal:
    """The device whose code this is, and the code's step. Codes are used once, and none older than the last used."""
    devices = [
        (d.id, people.spend_codes.secret(known.spend_key, d.id, d.nonce), known.steps.get(d.id, d.last_step))
        for d in known.devices.get(member.id, ())
    ]
    if not devices:
        return ConsentRequired("the member has no device that makes spend codes")
    match = people.spend_codes.matching_step(command.spend_code, devices, working.now)
    if match is None:
        return ConsentRequired("the spend code is not the member's present one")
    if isinstance(match, people.spend_codes.Used):
        return CodeUsed()
    return match


def _chosen(command: Redemption, member: people.Member, working: Working) -> list[Slice] | Refusal:
    """The slices a redemption takes: soonest expiry first, only what this shop accepts."""
    working.sweep(member.id)
    usable = spendable(working.lots_of[member.id], working.now, lambda lot: accepts(lot, command.merchant_id))
    available = Points(sum(lot.remaining for lot in usable))
    if command.points is not None:
        if command.points > available:
            return InsufficientPoints(command.points, available)
        return take(usable, command.points)
    assert command.value is not None
    slices = take_value(usable, command.value)
    all_worth = sum(lot.remaining * lot.unit_value for lot in usable)
    if not slices or all_worth < command.value:
        return InsufficientPoints(Points(-(-command.value // working.book.face_value_minor)), available)
    return slices


# -- in common


def _place(merchant_id: UUID, branch_id: UUID, till_id: UUID | None, known: Known) -> Refusal | None:
    """Whether branch and till are the merchant's own and open."""
    branch = known.network.branch(branch_id)
    if branch is None or branch.merchant_id != merchant_id:
        return NotFound("branch", "/branch")
    if branch.state != "active":
        return StateConflict("branch", branch.state)
    if till_id is not None:
        till = known.network.till(till_id)
        if till is None or till.branch_id != branch_id:
            return NotFound("till", "/till")
        if till.state != "active":
            return StateConflict("till", till.state)
    return None


def _available(working: Working, member: UUID) -> Points:
    return Points(working.accounts[AccountName("wallet", member)].balance)


def _done(row: sales.RedemptionRow, hold: Hold, record_id: UUID, working: Working) -> RedemptionDone:
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
        slices=tuple(SliceDone(s.lot.id, s.lot.issuer_id, s.points, s.value) for s in hold.slices),
        available=_available(working, row.member_id),
    )


def _slice(s: Slice) -> dict[str, object]:
    return {
        "lot": s.lot.id,
        "issuer": s.lot.issuer_id,
        "funding": s.lot.funding,
        "unit_value_minor": s.lot.unit_value,
        "points": s.points,
    }


def _line(line: Line) -> dict[str, object]:
    return {"category": line.category, "sku": line.sku, "quantity": line.quantity, "amount": line.amount}


def _payment(payment: Payment) -> dict[str, object]:
    return {"type": payment.type, "amount": payment.amount, "redemption": payment.redemption_id}
