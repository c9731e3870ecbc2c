"""A shop that does not pay in: who stands in for it, what they are given back, and a pay-out that the bank sends back."""

from typing import Any
from uuid import UUID

import ledger
import settlement
from merchants import contracts, offers, safety
from settlement import rails
from settlement.rails.charge_backs import Dispute
from tests.world import APPROVER, MAKER, World

OPERATOR = UUID(int=1)
APPROVER_ID = UUID(int=2)


def lived(url: str) -> World:
    """A mill that makes good what it owed, then what else may become of a shop's money."""
    world = made_good(url)
    offered(world)
    charged_back(world)
    overdue(world)
    world.house.drain(world.book_id)
    return world


def made_good(url: str) -> World:
    """From a mill that owes a thousand, and pays nothing, to the day when nobody is owed anything."""
    world = begun(url)
    cover(world, 1, "mill")
    for shop in ("cafe", "gym"):
        pay(world, 1, shop)
    returned(world, 1, "gym")
    pay(world, 1, "gym")
    world.settle(world.close_window())
    cover(world, 1, "mill")  # with what cafe and gym bear
    for shop in ("cafe", "gym"):
        pay(world, 1, shop)
    pay(world, 1, "mill", 500)
    for shop in ("cafe", "gym"):
        pay(world, 1, shop)
    pay(world, 1, "mill")
    disputed(world)
    world.settle(world.close_window())
    collateral(world, "mill", -250)
    act(world, "merchant_resume", "mill")
    world.house.drain(world.book_id)
    return world


def offered(world: World) -> None:
    """The cafe makes an offer, within what the network allows, and thinks better of it."""
    cafe = world.shops["cafe"]
    world.do("rule_policy", contracts.RulePolicy(largest_share_ppm=500_000))
    variants = (offers.Variant("double", 500_000, {"points": 1, "per_minor": 50}),)
    wanted = offers.Design("double points", "shop", 500_000, variants)
    world.sale("ann", "cafe", 90)
    made = world.do("offer_draft", offers.NewOffer(cafe, wanted), principal=cafe).offer
    world.do("offer_launch", offers.LaunchOffer(cafe, made.id), principal=cafe)
    world.do("offer_end", offers.EndOffer(cafe, made.id), principal=cafe)


def begun(url: str, network: str = "failing") -> World:
    """The mill owes 600 to the cafe and 400 to the gym and has 50 ahead, 250 of collateral; the loss fund has 300."""
    world = World(url, network=network)
    for shop in ("mill", "cafe", "gym"):
        world.shop(shop)
    world.member("ann")
    world.earn("ann", at="mill", points=1_000)
    world.redeem("ann", "cafe", 600)
    world.redeem("ann", "gym", 400)
    collateral(world, "mill", 250)
    world.do("loss_fund", settlement.Deposit(OPERATOR, 300, "fund"))
    number = world.close_window()
    posted(world, number)
    world.topup("mill", 50)
    act(world, "merchant_suspend", "mill")
    return world


def charged_back(world: World) -> None:
    """A bank takes back more than the gym's prefund holds, and sends it again; a card's owner takes back what the cafe
    paid in through a provider, which is told by that alone."""
    world.topup("gym", 90)
    ((topup,),) = world.rows("select id from ledger.record where kind = 'topup' order by batch_id desc limit 1")
    world.earn("ann", at="gym", points=60)
    world.redeem("ann", "cafe", 60)
    world.settle(world.close_window())
    wrong = world.do("charge_back", rails.ProposeChargeBack(topup, OPERATOR, 9, "RCL-0", "another shop's"))
    world.do("charge_back_decision", rails.DecideChargeBack(wrong.row.id, APPROVER_ID, False))
    done = world.do("charge_back", rails.ProposeChargeBack(topup, OPERATOR, 90, "RCL-1", "recalled"))
    world.do("charge_back_decision", rails.DecideChargeBack(done.row.id, APPROVER_ID, True))
    world.settle(world.close_window())
    for approves in (False, True):
        world.do("charge_back_reversal", rails.ProposeReversal(done.row.id, OPERATOR, "sent again"))
        world.do("charge_back_decision", rails.DecideChargeBack(done.row.id, APPROVER_ID, approves))
    (of,) = world.do("ask_topup", rails.AskTopup(world.shops["cafe"], "stripe", 70)).made
    word = rails.Word(of, "confirmed", "pi_1", None, 70)
    world.do("rail_event", rails.Event("stripe", "evt_1", "checkout.session.completed", word))
    for id, amount in (("dp_1", 30), ("dp_2", 25)):
        gone = Dispute(id, "withdrawn", amount)
        world.do("rail_event", rails.Event("stripe", f"evt_{id}", "charge.dispute", None, of, dispute=gone))
    world.settle(world.close_window())


def overdue(world: World) -> None:
    """The mill does not pay a window in, is warned, and is suspended by the clock."""
    world.earn("ann", at="mill", points=80)
    world.redeem("ann", "cafe", 80)
    posted(world, world.close_window())
    world.do("pay_in_grace", settlement.overdue.SetGrace(OPERATOR, 2))
    world.later(days=2)


def disputed(world: World) -> None:
    """The cafe says that the first window left something out; two of three proposals are approved by another."""
    dispute = settlement.Dispute(1, world.shops["cafe"], "thirty are missing")
    said(world, dispute, settlement.Asker(principal_id=world.shops["cafe"], actor="cafe"))
    decide(world, propose(world, 1, world.shops["gym"], world.shops["cafe"], 30))
    decide(world, propose(world, 1, world.operator, world.shops["cafe"], 5))
    decide(world, propose(world, 1, world.shops["mill"], world.operator, 7), approves=False)


def propose(world: World, number: int, debtor: UUID, creditor: UUID, amount: int) -> UUID:
    body = settlement.ProposeAdjustment(number, OPERATOR, debtor, creditor, amount, "left out")
    return UUID(str(said(world, body).id))


def decide(world: World, id: UUID, *, approves: bool = True) -> Any:
    body = settlement.DecideAdjustment(1, UUID(int=2), id, approves)
    return said(world, body, APPROVER)


def posted(world: World, number: int) -> None:
    house, book = world.house, world.book_id
    outcome = settlement.windows.submit(house.db, house.committer, book, number=number, asker=MAKER)
    assert isinstance(outcome.decision, ledger.Accepted), outcome.decision
    digest = outcome.decision.value.positions_hash
    settlement.windows.approve(house.db, house.committer, book, number=number, positions_hash=digest, asker=APPROVER)


def act(world: World, kind: str, shop: str) -> None:
    world.do(kind, safety.Act(world.shops[shop], OPERATOR, "it has not paid", None))


def collateral(world: World, shop: str, amount: int) -> Any:
    merchant = world.shops[shop]
    if amount > 0:
        return world.do("collateral", settlement.Deposit(OPERATOR, amount, "lien", merchant))
    return said(world, settlement.GiveBack(OPERATOR, merchant, -amount, "lien"))


def cover(world: World, number: int, shop: str) -> Any:
    return said(world, settlement.Cover(number, OPERATOR, world.shops[shop], "it has not paid"))


def pay(world: World, number: int, shop: str, amount: int | None = None) -> Any:
    (done,) = paid(world, number, merchant_id=world.shops[shop], amount_minor=amount)
    return done


def paid(world: World, number: int, **facts: Any) -> Any:
    """The payments that an operator's word books; without a shop, all that is open."""
    decision = marked(world, number, **facts)
    assert isinstance(decision, ledger.Accepted), decision
    return decision.value.payments


def marked(world: World, number: int, **facts: Any) -> ledger.Decision | None:
    house, book = world.house, world.book_id
    done = settlement.windows.mark_paid(house.db, house.committer, book, number=number, asker=MAKER, **facts)
    return done.decision


def returned(world: World, number: int, shop: str) -> Any:
    """The last pay-out to a shop comes back."""
    ((id,),) = world.rows(
        "select id from ledger.record where book_id = %s and kind = 'payment' and merchant_id = %s"
        " and payload ->> 'direction' = 'pay_out' order by batch_id desc, n desc limit 1",
        world.book_id,
        world.shops[shop],
    )
    return said(world, settlement.ReturnPayment(number, OPERATOR, id, "account closed"))


def asked(world: World, body: object, asker: settlement.Asker = MAKER) -> ledger.Decision | None:
    """The decision on what somebody says of a window."""
    house = world.house
    return settlement.windows.ask(house.db, house.committer, world.book_id, body=body, asker=asker).decision


def said(world: World, body: object, asker: settlement.Asker = MAKER) -> Any:
    """What came of it."""
    decision = asked(world, body, asker)
    assert isinstance(decision, ledger.Accepted), decision
    return decision.value
