"""Selling: what a sale earns. Pure: no SQL, no clock but the batch's.

`sale` checks in a fixed order, which the refusals' documentation follows; below its mark nothing may refuse.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from ledger import Accepted, Decision, Lot, Minor, Points, Refusal, Slice, Working, ids
from ledger.errors import DuplicateReference, Invalid, NotFound, StateConflict
from merchants import contracts, people, programme, sales
from merchants.trade import earning, limiting, sponsoring
from merchants.trade.commands import Line, Payment, Sale, SaleDone
from merchants.trade.known import Known, available, place, state_told

VELOCITY_LIMIT: Final = "velocity_limit"


def sale(command: Sale, actor: str, known: Known, working: Working) -> Decision:
    """Record a sale; earning is its effect. A sale that may not earn is recorded all the same, with the reason.

    What sponsorships and offers give is beside the shop's own points: neither stops the other.
    """
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
    # what a sponsor gives confirms when the shop's own points do
    available_at = now + timedelta(days=contract.maturity_days)
    id = ids.new()
    earns = _earns(id, command, actor, money, member, known, working)
    own, bonuses, refused = earns.own, earns.bonuses, earns.refused
    points = Points(own + sum(bonus.points for bonus in bonuses if bonus.refused is None))
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
    if earns.facts is not None:
        draft.payload["facts"] = earns.facts
    if earns.fired:
        draft.payload["rules"] = [{"rule": rule, "points": given} for rule, given in earns.fired]
    if member is not None:
        working.active(draft, member.id)
        known.pasts.sold(id, (member.id, command.merchant_id), money, known.local.date())
    lot = None
    if own and member is not None:
        lot = working.issue(
            draft,
            working.issuers[command.merchant_id],
            member=member.id,
            points=own,
            unit_value=contract.unit_value_minor,
            available_at=available_at,
            expires_at=working.book.expiry(contract.points_life_days),
            rule_id=terms_in_force.id if terms_in_force else None,
            sale_id=id,
            repays=not bonuses,
        )
    given = []
    lots: dict[UUID, Lot] = {}
    if bonuses and member is not None:
        lots = {
            bonus.giver.id: sponsoring.issue(
                draft,
                bonus,
                sponsor,
                working,
                member=member.id,
                sale=id,
                available_at=available_at,
                # a sponsor's life of points may be shorter than the shop's maturity: they are there for a day at least
                expires_at=max(working.book.expiry(sponsor.points_life_days), available_at + timedelta(days=1)),
            )
            for bonus in bonuses
            if bonus.refused is None and (sponsor := known.network.contract(bonus.giver.issuer_id))
        }
        given = [sponsoring.done(bonus, lots.get(bonus.giver.id)) for bonus in bonuses]
        draft.payload["bonuses"] = sponsoring.payload(given)
        known.new_bonuses += sponsoring.rows(id, given)
        known.offered.gave(member.id, given)
        # together, so that of all that arrived the soonest to expire repays first
        arrived = [*([lot] if lot else []), *lots.values()]
        working.repay(actor, member.id, [Slice(part, Points(part.points)) for part in arrived])
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
            lots=[
                *([sales.Earned(lot.id, lot.issuer_id, own)] if lot else []),
                *(sales.Earned(bonus.id, bonus.issuer_id, bonus.points, giver) for giver, bonus in lots.items()),
            ],
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
            bonuses=tuple(given),
            fired=earns.fired,
            available=available(working, member.id) if member else None,
        )
    )


@dataclass(slots=True)
class _Earns:
    """The shop's own points and what sponsorships and offers give beside them, each with the reason when it is not issued."""

    own: Points
    refused: str | None = None
    fired: tuple[programme.Fired, ...] = ()
    bonuses: list[sponsoring.Bonus] = field(default_factory=list)
    # what the record keeps of what was decided on
    facts: dict[str, Any] | None = None


def _earns(
    id: UUID,
    command: Sale,
    actor: str,
    money: Minor,
    member: people.Member | None,
    known: Known,
    working: Working,
) -> _Earns:
    """Neither the shop's points nor what else is given stop the other, but a velocity limit is on all points together, and stops
    all of them."""
    if member is None:
        return _Earns(Points(0))
    network = known.network
    branch = network.branch(command.branch_id)
    basket = earning.basket(command.merchant_id, branch, command.lines, command.payments, money, command.total)
    rules = earning.asking(network, command.merchant_id, working.now)
    rules += known.offered.rules(command.merchant_id, working.now)
    before = known.pasts.before.get((member.id, command.merchant_id))
    facts = earning.facts(member, command.merchant_id, known.local, rules, before, known.persons)
    points, refused, fired = earned(network, command.merchant_id, basket, facts, member, branch)
    if points and (working.issuing_limit(working.issuers[command.merchant_id], points)):
        # issued in whole or not at all: a shop that has run dry tops up, and knows from the reason that it must
        points, refused = Points(0), "issuing_limit_reached"
    found = sponsoring.bonuses(network, command.merchant_id, basket, facts, working.now, branch)
    found += known.offered.bonuses(network, command.merchant_id, member.id, basket, facts, working.now, branch)
    bonuses = [sponsoring.decided(bonus, working) for bonus in found]
    kept = earning.kept(rules, facts)
    in_force = network.terms(command.merchant_id)
    fired = earning.told(fired, in_force)
    together = points + sum(bonus.points for bonus in bonuses if bonus.refused is None)
    if together and (met := limiting.met(limiting.EARNING, together, actor, member.id, command.merchant_id, known)):
        limiting.flag_met(met, command, member.id, known, working.now, id)
        none = [sponsoring.refused(bonus, VELOCITY_LIMIT) for bonus in bonuses]
        return _Earns(Points(0), VELOCITY_LIMIT, fired, none, kept)
    return _Earns(points, refused, fired, bonuses, kept)


def earned(
    network: contracts.Network,
    merchant_id: UUID,
    basket: programme.Basket,
    facts: programme.Facts,
    member: people.Member,
    branch: contracts.Branch | None = None,
) -> programme.Earned:
    """What the terms in force give for a basket, before any limit on issuing or velocity."""
    if (reason := _barred(network, merchant_id, member, branch)) is not None:
        return programme.Earned(Points(0), reason)
    in_force = network.terms(merchant_id)
    assert in_force is not None, merchant_id
    return programme.earned(programme.rules_of(in_force.id, in_force.rules), basket, facts)


def explained(
    network: contracts.Network,
    merchant_id: UUID,
    basket: programme.Basket,
    facts: programme.Facts,
    member: people.Member,
    branch: contracts.Branch | None = None,
) -> programme.Explained:
    """The same, with every rule that does not count, and why."""
    if (reason := _barred(network, merchant_id, member, branch)) is not None:
        return programme.Explained(programme.Earned(Points(0), reason), ())
    in_force = network.terms(merchant_id)
    assert in_force is not None, merchant_id
    return programme.explained(programme.rules_of(in_force.id, in_force.rules), basket, facts)


def _barred(
    network: contracts.Network, merchant_id: UUID, member: people.Member, branch: contracts.Branch | None
) -> str | None:
    """Why no rule is asked at all."""
    merchant = network.merchant(merchant_id)
    if merchant is None or merchant.state != "active":
        return "merchant_suspended"
    if branch is not None and branch.state == "frozen":
        return "branch_frozen"
    if network.terms(merchant_id) is None:
        return "no_terms"
    contract = network.contract(merchant_id)
    return "terms_exclude" if contract is not None and member.kind not in contract.earns_for else None


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
            return StateConflict("redemption", state_told(hold))
        if (found := known.refundable.get(row.id)) is not None and found.refunded:
            # in whole or in part: these points are the member's again, and would have paid for nothing
            return StateConflict("redemption", "refunded")
        if row.id in known.spent:
            return StateConflict("redemption", "already the payment of another sale")
        if payment.amount != row.value_minor:
            return Invalid("/payments", "the amount paid in points is not what the redemption is worth")
        part += payment.amount
    return Minor(part)


def line_told(line: Line) -> dict[str, object]:
    told: dict[str, object] = {
        "category": line.category,
        "sku": line.sku,
        "quantity": line.quantity,
        "amount": line.amount,
    }
    if line.measures:
        told["measures"] = line.measures
    if line.discount:
        told["discount"] = line.discount
    if line.cost is not None:
        told["cost"] = line.cost
    return told


def _paid_by(command: Sale, payment: Payment, known: Known) -> UUID | None:
    """The redemption that a payment names."""
    return None if payment.redemption is None else known.redemption_id(command.merchant_id, payment.redemption)


def _payment(payment: Payment, paid_by: UUID | None) -> dict[str, object]:
    return {"type": payment.type, "amount": payment.amount, "redemption": paid_by}
