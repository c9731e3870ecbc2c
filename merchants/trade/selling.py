"""Selling: what a sale earns. Pure: no SQL, no clock but the batch's.

`sale` checks in a fixed order, which the refusals' documentation follows; below its mark nothing may refuse.
"""

from datetime import datetime, timedelta
from uuid import UUID

from ledger import Accepted, AccountName, Book, Decision, Minor, Points, Refusal, Slice, Working, ids
from ledger.errors import DuplicateReference, Invalid, NotFound, StateConflict
from merchants import contracts, people, programme, sales
from merchants.trade import sponsoring
from merchants.trade.commands import Line, Payment, Sale, SaleDone
from merchants.trade.known import Known, available, place


def source(mode: str, merchant: UUID) -> AccountName:
    """The account a merchant of this funding mode issues from."""
    return AccountName({"prefunded": "pool", "deferred": "credit", "closed_loop": "own"}[mode], merchant)


def sale(command: Sale, actor: str, known: Known, working: Working) -> Decision:
    """Record a sale; earning is its effect. A sale that may not earn is recorded all the same, with the reason.

    What sponsors give is beside the shop's own points: neither stops the other.
    """
    if refusal := place(command.merchant_id, command.branch_id, command.till_id, known):
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
    own, refused = _earns(command, money, member, known, working)
    bonuses = _bonuses(command, money, member, known, working)
    points = Points(own + sum(bonus.points for bonus in bonuses if bonus.refused is None))
    now = available_at = working.now
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
    if own and member is not None:
        lot = working.issue(
            draft,
            working.issuers[command.merchant_id],
            member=member.id,
            points=own,
            unit_value=contract.unit_value_minor,
            available_at=available_at,
            expires_at=expiry(now, working.book, contract),
            rule_id=terms_in_force.id if terms_in_force else None,
            sale_id=id,
            repays=not bonuses,
        )
    given = []
    if bonuses and member is not None:
        lots = {
            bonus.sponsorship.id: sponsoring.issue(
                draft,
                bonus,
                sponsor,
                working,
                member=member.id,
                sale=id,
                available_at=available_at,
                # a sponsor's life of points may be shorter than the shop's maturity: they are there for a day at least
                expires_at=max(expiry(now, working.book, sponsor), available_at + timedelta(days=1)),
            )
            for bonus in bonuses
            if bonus.refused is None and (sponsor := known.network.contract(bonus.sponsorship.merchant_id))
        }
        given = [sponsoring.done(bonus, lots.get(bonus.sponsorship.id)) for bonus in bonuses]
        draft.payload["bonuses"] = sponsoring.payload(given)
        known.new_bonuses += sponsoring.rows(id, given)
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
            bonuses=tuple(given),
            available=available(working, member.id) if member else None,
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


def _bonuses(
    command: Sale, money: Minor, member: people.Member | None, known: Known, working: Working
) -> list[sponsoring.Bonus]:
    """What sponsors give at the sale, each with the reason when it is not issued."""
    if member is None:
        return []
    found = sponsoring.bonuses(
        known.network, command.merchant_id, command.lines, money, command.total, member, working.now
    )
    return [sponsoring.decided(bonus, working) for bonus in found]


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
        programme.rules_of(in_force.id, in_force.rules),
        [(line.category, line.amount) for line in lines],
        money,
        total,
        kind=member.kind,
    )
    return earned.points, earned.reason


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
        if hold.state != "captured":
            # a hold could still be voided, and the sale would have been paid with nothing
            return StateConflict("redemption", "held" if hold.state == "open" else hold.state)
        if row.id in known.spent:
            return StateConflict("redemption", "already the payment of another sale")
        if payment.amount != row.value_minor:
            return Invalid("/payments", "the amount paid in points is not what the redemption is worth")
        part += payment.amount
    return Minor(part)


def expiry(now: datetime, book: Book, contract: contracts.Contract) -> datetime:
    """When points earned now expire: the network's life, or the longer one of the contract."""
    return now + timedelta(days=max(book.points_life_days, contract.points_life_days or 0))


def line_told(line: Line) -> dict[str, object]:
    return {"category": line.category, "sku": line.sku, "quantity": line.quantity, "amount": line.amount}


def _payment(payment: Payment) -> dict[str, object]:
    return {"type": payment.type, "amount": payment.amount, "redemption": payment.redemption_id}
