"""What a basket would earn and what a member may spend, without posting anything. Shared with the decisions."""

from uuid import UUID

from ledger import Book, Minor, Points, Tx, balances, days, open_lots
from merchants import contracts, offers, people, standing
from merchants.trade import earning, selling, spending, sponsoring
from merchants.trade.commands import Line, Quote
from merchants.trade.offering import Offered


def spendable_at(
    tx: Tx, book: Book, network: contracts.Network, member: people.Member, merchant_id: UUID
) -> tuple[Points, Minor]:
    """The points a member may spend at a shop now, and what they are worth there in minor units."""
    contract = network.contract(merchant_id)
    if contract is not None and member.kind not in contract.spends_for:
        return Points(0), Minor(0)
    lots = spending.usable(open_lots(tx, book.id, member.id), book.now, merchant_id)
    return Points(sum(lot.remaining for lot in lots)), Minor(sum(lot.remaining * lot.unit_value for lot in lots))


def _offered(tx: Tx, book: Book, merchant_id: UUID, member: people.Member) -> Offered:
    """What a member may meet of a shop's offers, as it is now."""
    offered = Offered({merchant_id: offers.running_at(tx, book.id, merchant_id)})
    if ids := [offer.id for offer in offered.at(merchant_id, book.now)]:
        offered.uses = offers.uses(tx, {(id, member.id) for id in ids})
        offered.given = offers.given(tx, ids, days.local(book.now, book.time_zone).date())
    return offered


def quote(
    tx: Tx,
    book: Book,
    network: contracts.Network,
    merchant_id: UUID,
    lines: tuple[Line, ...],
    total: Minor,
    member: people.Member | None,
    branch: contracts.Branch | None = None,
    ladders: standing.LaddersCache | None = None,
) -> Quote:
    """What the terms in force would give for this basket paid in money, and what the member may spend on it."""
    if member is None:
        return Quote(Points(0), None, None, None, None, None)
    basket = earning.basket(merchant_id, branch, lines, (), total, total)
    offered = _offered(tx, book, merchant_id, member)
    rules = earning.asking(network, merchant_id, book.now) + offered.rules(merchant_id, book.now)
    pair = (member.id, merchant_id)
    pasts, persons = earning.gather(tx, book, ladders or standing.LaddersCache(), {pair: rules})
    now = days.local(book.now, book.time_zone)
    facts = earning.facts(member, merchant_id, now, rules, pasts.get(pair), persons)
    explained = selling.explained(network, merchant_id, basket, facts, member, branch)
    points, refused, fired = explained.earned
    found = sponsoring.bonuses(network, merchant_id, basket, facts, book.now, branch)
    found += offered.bonuses(network, merchant_id, member.id, basket, facts, book.now, branch)
    names = [bonus.giver.budget for bonus in found]
    left = balances(tx, book.id, names) if found else {}
    bonuses = tuple(sponsoring.told(bonus, left[name]) for bonus, name in zip(found, names, strict=True))
    contract = network.contract(merchant_id)
    in_force = network.terms(merchant_id)
    points_there, value_there = spendable_at(tx, book, network, member, merchant_id)
    return Quote(
        points=Points(points + sum(bonus.points for bonus in bonuses)),
        refused=refused,
        terms_id=in_force.id if in_force else None,
        expires_at=book.expiry(contract.points_life_days) if points and contract else None,
        spendable_points=points_there,
        spendable_value=value_there,
        bonuses=bonuses,
        fired=earning.told(fired, in_force),
        skipped=explained.skipped if earning.names_rules(in_force) else (),
    )
