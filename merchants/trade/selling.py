"""Selling: what a sale earns. Pure: no SQL, no clock but the batch's.

`sale` checks in a fixed order, which the refusals' documentation follows; below its mark nothing may refuse.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from ledger import Accepted, AccountName, Decision, Minor, Points, Refusal, Working, ids
from ledger.errors import DuplicateReference, Invalid, NotFound, StateConflict
from merchants import contracts, people, programme, safety, sales
from merchants.trade.commands import Line, Payment, Sale, SaleDone
from merchants.trade.known import Known, available, place, subjects

#: What a sale adds to, by velocity limits: the points it earns, and itself if it earns.
COUNTED: Final = ("earn_points", "sale_count")


def source(mode: str, merchant: UUID) -> AccountName:
    """The account a merchant of this funding mode issues from."""
    return AccountName({"prefunded": "pool", "deferred": "credit", "closed_loop": "own"}[mode], merchant)


def sale(command: Sale, actor: str, known: Known, working: Working) -> Decision:
    """Record a sale; earning is its effect. A sale that may not earn is recorded all the same, with the reason."""
    if refusal := place(command.merchant_id, command.branch_id, command.till_id, known, selling=True):
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
    if (merchant := known.network.merchant(command.merchant_id)) is not None and merchant.state == "exited":
        return StateConflict("merchant", "exited")
    points_part = _paid_in_points(command, member, known, working)
    if isinstance(points_part, Refusal):
        return points_part
    # nothing below may refuse
    money = Minor(command.total - points_part)
    now = working.now
    id = ids.new()
    points, refused = _earns(id, command, actor, money, member, known, working)
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
    if member is not None:
        working.active(draft, member.id)
    lot = None
    if points and member is not None:
        lot = working.issue(
            draft,
            working.issuers[command.merchant_id],
            member=member.id,
            points=points,
            unit_value=contract.unit_value_minor,
            available_at=now + timedelta(days=contract.maturity_days),
            expires_at=working.book.expiry(contract.points_life_days),
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
        lines=[line_told(line) for line in command.lines],
        payments=[_payment(payment, _paid_by(command, payment, known)) for payment in command.payments],
        redemption_id=next((_paid_by(command, p, known) for p in command.payments if p.type == "points"), None),
        points_earned=points,
        earn_refused=refused,
        contract_id=contract.id,
        terms_id=terms_in_force.id if terms_in_force else None,
        n=draft.n,
    )
    known.sold[reference] = id
    known.new_sales.append(row)
    if reference in known.sales_named:
        known.sales_named[reference] = id
        known.refundable[id] = sales.Refundable(
            id=id,
            merchant_id=command.merchant_id,
            member_id=row.member_id,
            contract_id=contract.id,
            record_id=draft.id,
            fee_ppm=fee_ppm,
            whole=money,
            refunded=0,
            points=points,
            lot_id=lot.id if lot else None,
        )
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
            available=available(working, member.id) if member else None,
        )
    )


def _earns(
    id: UUID,
    command: Sale,
    actor: str,
    money: Minor,
    member: people.Member | None,
    known: Known,
    working: Working,
) -> tuple[Points, str | None]:
    """The points a sale earns, or why it earns none."""
    if member is None:
        return Points(0), None
    branch = known.network.branch(command.branch_id)
    points, refused = earning(known.network, command.merchant_id, command.lines, money, command.total, member, branch)
    if points and (working.issuing_limit(working.issuers[command.merchant_id], points)):
        # issued in whole or not at all: a shop that has run dry tops up, and knows from the reason that it must
        return Points(0), "issuing_limit_reached"
    if points and known.velocity is not None:
        of, amounts = subjects(actor, member.id, command.merchant_id), {"earn_points": points, "sale_count": 1}
        if (met := known.velocity.met(of, amounts)) is not None:
            known.flag(
                safety.Flag(
                    reason=safety.VELOCITY,
                    subject=met.limit.subject,
                    subject_id=met.subject_id,
                    what=met.limit.what,
                    times=1,
                    first_at=working.now,
                    last_at=working.now,
                    merchant_id=command.merchant_id,
                    branch_id=command.branch_id,
                    member_id=member.id,
                    sale_ids=(id,),
                )
            )
            return Points(0), "velocity_limit"
        known.velocity.add(of, amounts)
    return points, refused


def earning(
    network: contracts.Network,
    merchant_id: UUID,
    lines: tuple[Line, ...],
    money: Minor,
    total: Minor,
    member: people.Member,
    branch: contracts.Branch | None = None,
) -> tuple[Points, str | None]:
    """What the terms in force give for a basket, before any limit on issuing or velocity."""
    in_force = network.terms(merchant_id)
    merchant = network.merchant(merchant_id)
    if merchant is None or merchant.state != "active":
        return Points(0), "merchant_suspended"
    if branch is not None and branch.state == "frozen":
        return Points(0), "branch_frozen"
    if in_force is None:
        return Points(0), "no_terms"
    contract = network.contract(merchant_id)
    if contract is not None and member.kind not in contract.earns_for:
        return Points(0), "terms_exclude"
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
        paid_by = _paid_by(command, payment, known)
        row = known.redemptions.get(paid_by) if paid_by is not None else None
        if row is None or row.merchant_id != command.merchant_id or member is None or row.member_id != member.id:
            return NotFound("redemption", "/payments")
        hold = working.holds[row.id]
        if hold.state != "captured":
            # a hold could still be voided, and the sale would have been paid with nothing
            return StateConflict("redemption", "held" if hold.state == "open" else hold.state)
        if row.id in known.spent:
            return StateConflict("redemption", "already the payment of another sale")
        if payment.amount != row.value_minor:
            return Invalid("/payments", "the amount paid in points is not what the redemption is worth")
        part += payment.amount
    return Minor(part)


def line_told(line: Line) -> dict[str, object]:
    return {"category": line.category, "sku": line.sku, "quantity": line.quantity, "amount": line.amount}


def _paid_by(command: Sale, payment: Payment, known: Known) -> UUID | None:
    """The redemption that a payment names."""
    return None if payment.redemption is None else known.redemption_id(command.merchant_id, payment.redemption)


def _payment(payment: Payment, paid_by: UUID | None) -> dict[str, object]:
    return {"type": payment.type, "amount": payment.amount, "redemption": paid_by}
