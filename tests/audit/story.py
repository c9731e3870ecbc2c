"""An honest half year of a small network, and the way of a window from its close to the last payment."""

import datetime as dt
from uuid import UUID

import ledger
import settlement
from merchants import trade
from tests.world import World

MAKER, APPROVER = UUID(int=1), UUID(int=2)


def lived(url: str) -> World:
    """Sales, redemptions and holds of every ending at shops of every kind; two windows, one of them settled."""
    world = World(url, life_days=120)
    world.shop("cafe", mode="prefunded", bought=5_000, purchase_fee_ppm=7_333, redemption_fee_ppm=11_111)
    world.shop("books", mode="deferred", line=900, purchase_fee_ppm=5_000, redemption_fee_ppm=20_001)
    world.shop("barber", mode="closed_loop", unit_value_minor=3)
    for name in ("ann", "bob", "eve"):
        world.member(name)
    world.earn("ann", at="cafe", points=120)
    world.earn("ann", at="books", points=200)
    world.earn("bob", at="books", points=300)
    world.earn("bob", at="barber", points=50)
    world.earn("eve", at="cafe", points=40)
    world.sale(None, "cafe", 9_900)
    world.sale("ann", "cafe", 0)
    world.sale("eve", "books", 99_900)  # beyond the credit line: recorded, and earns nothing
    paid = world.redeem("ann", "books", 150)
    parts = (trade.Payment("points", paid.value, paid.id), trade.Payment("card", ledger.Minor(2_350)))
    world.sale("ann", "books", 2_500, payments=parts)
    late = world.redeem("bob", "cafe", 100)
    world.redeem("bob", "barber", 120)
    world.redeem("ann", "cafe", value=60)
    world.void(world.hold("bob", "books", 10), "books")
    world.hold("eve", "books", 30)
    world.later(minutes=30)  # it lapses
    window(world, 1)
    world.advance(world.book.now + dt.timedelta(days=100))
    world.earn("ann", at="cafe", points=70)
    world.earn("eve", at="books", points=90)
    world.advance(world.book.now + dt.timedelta(days=30))  # what was earned at the beginning expires
    world.capture(world.hold("ann", "barber", 30), "barber")
    close(world, 2)
    world.redeem("eve", "cafe", 25)
    world.hold("eve", "cafe", 15)  # stays open
    world.earn("bob", at="books", points=11)
    refunded(world, late)
    sponsored(world)
    world.house.drain(world.book_id)
    return world


def refunded(world: World, late: trade.RedemptionDone) -> None:
    """Refunds of sales before and after the points were spent, and of a redemption long settled; debts, some repaid."""
    world.refund(world.sale("eve", "books", 1_099), 599)
    spent = [world.earn("ann", at=shop, points=20) for shop in ("cafe", "books", "barber")]
    world.redeem("ann", "barber", world.balance("ann"))
    for sale in spent:
        world.refund(sale, 1_000)
        world.refund(sale, 500)
    world.earn("ann", at="books", points=25)
    world.earn("ann", at="barber", points=7)
    world.give_back(late, "cafe", 30)  # in grace
    world.give_back(late, "cafe", 45)


def sponsored(world: World) -> None:
    """A bank and the network give points at others' sales; a budget runs out, points are spent, a sale is refunded."""
    world.sponsor("bank", mode="prefunded", bought=2_000)
    world.sponsor("network", kind="network", mode="deferred", line=5_000)
    bank = world.sponsorship("bank", ["cafe"], budget=500)
    network = world.sponsorship("network", budget=300, points=2)
    bought = world.sale("ann", "cafe", 12_000)
    world.sale("ann", "cafe", 5_000)  # the network's budget is too small for all of its bonus: it gives none
    world.later(minutes=1)
    world.redeem("ann", "barber", world.balance("ann") - 40)
    world.refund(bought, 6_000)
    world.refund(bought, 5_999)
    world.change_budget(bank, -50)
    world.end(network)


def close(world: World, number: int) -> None:
    asker = settlement.windows.Asker(MAKER, "maker")
    settlement.windows.close(world.house.db, world.house.committer, world.book_id, number=number, asker=asker)


def window(world: World, number: int) -> None:
    """Close a window, take it through everything people do to one, and pay it."""
    house = world.house
    maker, approver = settlement.windows.Asker(MAKER, "maker"), settlement.windows.Asker(APPROVER, "approver")
    close(world, number)
    settlement.windows.submit(house.db, house.committer, world.book_id, number=number, asker=maker)
    settlement.windows.send_back(
        house.db, house.committer, world.book_id, number=number, reason="look again", asker=approver
    )
    outcome = settlement.windows.submit(house.db, house.committer, world.book_id, number=number, asker=maker)
    assert isinstance(outcome.decision, ledger.Accepted)
    digest = outcome.decision.value.positions_hash
    settlement.windows.approve(
        house.db, house.committer, world.book_id, number=number, positions_hash=digest, asker=approver
    )
    settlement.windows.mark_paid(house.db, house.committer, world.book_id, number=number, asker=maker)
