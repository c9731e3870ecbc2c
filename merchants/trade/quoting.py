"""What a basket would earn and what a member may spend, without posting anything. Shared with the decisions."""

from uuid import UUID

from ledger import Book, Minor, Points, Tx, balances, budgets, open_lots, spendable
from merchants import contracts, people
from merchants.trade import redeeming, selling, sponsoring
from merchants.trade.commands import Line, Quote


def spendable_at(tx: Tx, book: Book, member_id: UUID, merchant_id: UUID) -> tuple[Points, Minor]:
    """The points a member may spend at a shop now, and what they are worth there in minor units."""
    lots = spendable(open_lots(tx, book.id, member_id), book.now, lambda lot: redeeming.accepts(lot, merchant_id))
    return Points(sum(lot.remaining for lot in lots)), Minor(sum(lot.remaining * lot.unit_value for lot in lots))


def quote(
    tx: Tx,
    book: Book,
    network: contracts.Network,
    merchant_id: UUID,
    lines: tuple[Line, ...],
    total: Minor,
    member: people.Member | None,
) -> Quote:
    """What the terms in force would give for this basket paid in money, and what the member may spend on it."""
    if member is None:
        return Quote(Points(0), None, None, None, None, None)
    points, refused = selling.earning(network, merchant_id, lines, total, total, member)
    found = sponsoring.bonuses(network, merchant_id, lines, total, total, member, book.now)
    names = [budgets.name(bonus.sponsorship.merchant_id, bonus.sponsorship.id) for bonus in found]
    left = balances(tx, book.id, names) if found else {}
    bonuses = tuple(sponsoring.told(bonus, left[name]) for bonus, name in zip(found, names, strict=True))
    contract = network.contract(merchant_id)
    in_force = network.terms(merchant_id)
    points_there, value_there = spendable_at(tx, book, member.id, merchant_id)
    return Quote(
        points=Points(points + sum(bonus.points for bonus in bonuses)),
        refused=refused,
        terms_id=in_force.id if in_force else None,
        expires_at=selling.expiry(book.now, book, contract) if points and contract else None,
        spendable_points=points_there,
        spendable_value=value_there,
        bonuses=bonuses,
    )
