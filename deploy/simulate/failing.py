"""Plots of the money around windows: somebody does not pay in, says that something was left out, takes back what was paid."""

from collections.abc import Iterator
from typing import Final

from deploy.simulate import charging
from deploy.simulate.acts import APPROVER, MAKER, PayWindow, StepWindow
from deploy.simulate.agreeing import BuyPoints
from deploy.simulate.asking import Step
from deploy.simulate.charging import Decide, Dispute, PayAhead, Propose, SayOfChargeBack, TakeBack
from deploy.simulate.plain import DAY
from deploy.simulate.plots import Plot, Teller
from deploy.simulate.settling import OPERATOR
from deploy.simulate.standing_in import CoverShop, DeclareGrace, Deposit, GiveBack, ReturnPayment


def posted(tell: Teller) -> Iterator[Step]:
    """Close the open window and have every one posted; nobody pays."""
    yield tell.close()
    for number in range(1, len(tell.plain.windows)):
        window = tell.plain.windows[number - 1]
        if window.state == "advised":
            yield StepWindow(*tell.names(MAKER), "submit", number, MAKER)
        if window.state == "submitted":
            by = MAKER if window.submitted_by == APPROVER else APPROVER
            yield StepWindow(*tell.names(by), "approve", number, by)


def owed(tell: Teller) -> Iterator[Step]:
    """A shop that pays later owes for points that were spent at another."""
    for shop, at in (("cafe", "taxi"), ("books", "bakery")):
        yield tell.sale(shop, 40)
        yield from tell.until_fresh()
        there = sum(lot.wallet for lot in tell.plain.usable(tell.member, at))
        yield tell.redemption(at, max(1, there), capture=True)
    yield from posted(tell)


def debtor(tell: Teller) -> tuple[int, str] | None:
    """Whoever owes most of a window that is being paid."""
    left = {
        (window.number, shop): tell.plain.accounts[f"position:{shop}::{window.number}"]
        for window in tell.plain.windows
        if window.state == "paying"
        for shop in window.positions
        if shop != OPERATOR
    }
    return min((name for name in left if left[name] < 0), key=lambda name: left[name], default=None)


def paid_out(tell: Teller, number: int) -> Iterator[Step]:
    """Everybody is paid what is there for it."""
    for shop in list(tell.plain.windows[number - 1].positions):
        if shop != OPERATOR and tell.plain.accounts[f"position:{shop}::{number}"] > 0:
            yield PayWindow(*tell.names(MAKER), number, shop)


def unpaid(tell: Teller) -> Iterator[Step]:
    """Collateral, loss fund and shares stand in for a shop; it makes good in parts, and everybody has everything back."""
    rng = tell.rng
    yield from owed(tell)
    if (found := debtor(tell)) is None:
        return
    number, shop = found
    # whoever else owes has paid: nobody waits for it
    for other in list(tell.plain.windows[number - 1].positions):
        if other not in (OPERATOR, shop) and tell.plain.accounts[f"position:{other}::{number}"] < 0:
            yield PayWindow(*tell.names(MAKER), number, other)
    yield Deposit(*tell.names(OPERATOR), shop, rng.choice((7, 20, 33)))
    if rng.random() < 0.6:
        yield Deposit(*tell.names(OPERATOR), None, rng.choice((5, 12)))
    if rng.random() < 0.3:
        yield tell.topup(shop)
    if rng.random() < 0.3:
        yield CoverShop(*tell.names(APPROVER), number, shop)
    if tell.plain.shops[shop].state == "active":
        yield tell.suspend(shop)
    yield CoverShop(*tell.names(APPROVER), number, shop)
    yield GiveBack(*tell.names(APPROVER), shop, 5)
    yield from paid_out(tell, number)
    paid = next((name for name, each in tell.plain.payouts.items() if each.number == number), None)
    if paid is not None and rng.random() < 0.6:
        yield ReturnPayment(*tell.names(MAKER), number, paid)
        yield ReturnPayment(*tell.names(MAKER), number, paid)
        yield from paid_out(tell, number)
    if rng.random() < 0.5:
        # with what the others bore, now that it came in
        yield from tell.settle()
        yield CoverShop(*tell.names(APPROVER), number, shop)
        yield from paid_out(tell, number)
    left = -tell.plain.accounts[f"position:{shop}::{number}"]
    cover = tell.plain.covers.get((number, shop))
    whole = left + (cover.outstanding if cover is not None else 0)
    if whole > 1:
        yield PayWindow(*tell.names(MAKER), number, shop, max(1, whole * rng.choice((1, 2)) // 3))
    yield from paid_out(tell, number)
    yield PayWindow(*tell.names(MAKER), number, shop)
    yield from paid_out(tell, number)
    yield tell.resume(shop)
    yield from tell.settle()
    yield GiveBack(*tell.names(APPROVER), shop, tell.plain.accounts[f"collateral:{shop}"] or 1)


def left_out(tell: Teller) -> Iterator[Step]:
    """One says what a window left out, another approves or rejects it; nobody does both."""
    yield from posted(tell)
    number = max(1, len(tell.plain.windows) - 1)
    for debtor, creditor, approves in (("taxi", OPERATOR, True), ("cafe", "bakery", True), (OPERATOR, "books", False)):
        yield (asked := Propose(*tell.names(MAKER), number, MAKER, debtor, creditor, 9))
        yield Decide(*tell.names(MAKER), number, MAKER, asked.label, True)
        yield Decide(*tell.names(APPROVER), number, APPROVER, asked.label, approves)
        yield Decide(*tell.names(APPROVER), number, APPROVER, asked.label, True)
    yield from tell.settle()


def disputed(tell: Teller) -> Iterator[Step]:
    """A card's owner takes back what is spent already: the rest is charged. Words come twice, and the last one first."""
    shop = tell.rng.choice(("cafe", "bakery", "taxi"))
    yield (paid := PayAhead(*tell.names(OPERATOR), shop, 60, True))
    if tell.rng.random() < 0.7:
        # it pays with that, so that little is left to take
        yield from owed(tell)
    for reference, words in (
        ("A", ("withdrawn", "withdrawn", "reinstated", "withdrawn")),
        ("B", ("reinstated", "withdrawn") if tell.rng.random() < 0.5 else ("withdrawn", "withdrawn")),
        ("C", ("withdrawn", "withdrawn")),
    ):
        for said in words:
            yield Dispute(tell.names("clock")[0], "", paid.label, reference, said, 35)
        yield Dispute(tell.names("clock")[0], "", paid.label, reference, "withdrawn", 34)
    yield from tell.settle()


def charged_twice(tell: Teller) -> Iterator[Step]:
    """What prefund lacks is charged, settled, comes again and is given back a window later."""
    for shop in ("cafe", "books"):
        yield (paid := PayAhead(*tell.names(OPERATOR), shop, 50, tell.rng.random() < 0.5))
        spent = tell.plain.accounts[f"prefund:{shop}"] - 20
        contract = tell.plain.shops[shop].contract
        if contract is not None and spent >= contract.unit and contract.mode == "prefunded":
            yield BuyPoints(*tell.names(OPERATOR), shop, spent // contract.unit)
        else:
            yield from owed(tell)
        back = [name for name in tell.plain.paid if name == paid.label]
        for topup in back:
            if tell.plain.paid[topup].by_provider:
                yield Dispute(tell.names("clock")[0], "", topup, "A", "withdrawn", 50)
                yield from tell.settle()
                yield Dispute(tell.names("clock")[0], "", topup, "A", "reinstated", 50)
                yield Dispute(tell.names("clock")[0], "", topup, "A", "reinstated", 50)
                continue
            yield (asked := TakeBack(*tell.names(MAKER), topup, MAKER, 50))
            yield SayOfChargeBack(*tell.names(MAKER), asked.label, MAKER, "approve")
            yield SayOfChargeBack(*tell.names(APPROVER), asked.label, APPROVER, "approve")
            yield from tell.settle()
            yield SayOfChargeBack(*tell.names(MAKER), asked.label, MAKER, "reverse")
            yield SayOfChargeBack(*tell.names(MAKER), asked.label, MAKER, "approve")
            yield SayOfChargeBack(*tell.names(APPROVER), asked.label, APPROVER, "approve")
        if back and charging.left(tell.plain, back[0]):
            yield tell.topup(shop)
    yield from tell.settle()


def overdue(tell: Teller) -> Iterator[Step]:
    """Days of grace pass: who has not paid is warned, then suspended; a suspension that is lifted stays so."""
    yield DeclareGrace(*tell.names(OPERATOR), tell.rng.choice((1, 2)))
    yield from owed(tell)
    yield tell.time(tell.plain.now + DAY, late=tell.rng.random() < 0.3)
    yield tell.sale("cafe", 3)
    yield tell.time(tell.plain.now + DAY)
    for shop in [name for name, each in tell.plain.shops.items() if each.state == "suspended"]:
        yield tell.resume(shop)
    yield tell.time(tell.plain.now + DAY)
    yield from tell.settle()
    yield DeclareGrace(*tell.names(OPERATOR), None)


#: Those that the histories with money in them begin with, one of them first.
MONEYED: Final[tuple[Plot, ...]] = (unpaid, disputed, overdue, left_out, charged_twice)
