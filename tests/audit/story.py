"""An honest half year of a small network, and the way of a window from its close to the last payment."""

import datetime as dt
from uuid import UUID

import msgspec

import ledger
import settlement
from merchants import contracts, insight, offers, people, safety, sales, standing, trade
from settlement import rails, reconciliation
from tests.audit import climbing, giving
from tests.settlement.proving import SEALING
from tests.settlement.rails import bank
from tests.world import SPEND_KEY, World

MAKER, APPROVER = UUID(int=1), UUID(int=2)


def lived(url: str) -> World:
    """Sales, redemptions and holds of every ending at shops of every kind; two windows, one of them settled."""
    world = World(url, life_days=120, inactivity_days=40)
    world.shop("cafe", mode="prefunded", bought=5_000, purchase_fee_ppm=7_333, redemption_fee_ppm=11_111)
    world.shop("books", mode="deferred", line=900, purchase_fee_ppm=5_000, redemption_fee_ppm=20_001)
    world.shop("barber", mode="closed_loop", unit_value_minor=3)
    world.shop("boots", mode="deferred", line=5_000, maturity_days=14)
    for name in ("ann", "bob", "eve"):
        world.member(name)
    world.earn("ann", at="cafe", points=120)
    world.earn("ann", at="books", points=200)
    world.earn("bob", at="books", points=300)
    world.earn("bob", at="barber", points=50)
    world.earn("eve", at="cafe", points=40)
    world.refund(world.earn("eve", at="boots", points=60), 1_000)
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
    railed(world)
    window(world, 1, by_rails=True)
    offered(world)
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
    vouched(world)
    world.earn("eve", at="boots", points=8)  # still pending
    given(world)
    asked(world)
    bank = sponsored(world)
    climbing.climbed(world)
    climbing.entitled(world)
    changed(world)
    world.buy("bank", 100)
    world.change_budget(bank, 60)  # its points are worth two cents now
    braked(world)
    world.ask_approval("ann", "books", 5)  # awaits an answer
    reconciled(world)
    understood(world)
    ruled(world)
    asked_who(world)
    giving.gave(world)
    world.house.drain(world.book_id)
    settlement.sealing.catch_up(world.house.db, world.book_id, SEALING)
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


def vouched(world: World) -> None:
    """Vouchers of every ending: spent in part and refunded in part, spent whole, returned, and one still open."""
    world.earn("eve", at="cafe", points=90)
    world.earn("eve", at="books", points=60)
    spent = world.spend(world.voucher("eve", "books", 150), "books", 120)
    world.give_back(spent, "books", 50)
    world.spend(world.voucher("eve", "cafe", 30), "cafe", 30)
    returned = trade.VoucherReturn(world.shops["books"], world.voucher("eve", "books", 5).row.id)
    world.do("voucher_return", returned, principal=world.shops["books"])
    world.voucher("eve", "books", 10)


def asked(world: World) -> None:
    """What a shop asks to be approved, of every ending; and one that still awaits."""
    world.earn("eve", at="cafe", points=40)
    world.approve(world.ask_approval("eve", "books", 12), "eve")
    held = world.approve(world.ask_approval("eve", "cafe", value=9, capture=False), "eve").redemption
    assert held is not None
    world.void(held, "cafe")
    world.decline(world.ask_approval("eve", "books", 3), "eve")
    withdrawn = trade.Void(world.shops["books"], world.ask_approval("eve", "books", 4).row.id)
    world.do("void", withdrawn, principal=world.shops["books"])
    world.ask_approval("eve", "books", 5)
    world.later(minutes=6)  # it lapses


def changed(world: World) -> None:
    """A new face value and a new funding between two windows; a shop bought out, one that left; one that is to change."""
    world.shop("kiosk", mode="closed_loop", unit_value_minor=2)
    world.earn("bob", at="kiosk", points=30)
    world.agree("kiosk", "prefunded")
    world.rule(2, 120, 40)
    close(world, 3)
    world.topup("books", 500)
    world.topup("kiosk", 600)
    world.buy("kiosk", 20)
    world.buy_out("books")
    world.buy_out("kiosk", exit=True)
    world.earn("bob", at="books", points=12)
    world.capture(world.hold("bob", "cafe", 5), "cafe")
    world.agree("books", "prefunded")


def braked(world: World) -> None:
    """A member frozen and released, another who stays frozen; a shop and its branch; the network; velocity limits."""

    def act(kind: str, subject: UUID, merchant: UUID | None = None) -> None:
        world.do(kind, safety.Act(subject, MAKER, "a rehearsal", merchant))

    barber, chair = world.shops["barber"], world.branches["barber"]
    limits = (
        safety.Limit("member", "redeem_points", 60, 1_000),
        safety.Limit("merchant", "sale_count", 5, 50),
        safety.Limit("key", "redeem_points", 60, 900),
    )
    world.do("velocity_limits", safety.NewLimits(MAKER, limits[:1]))
    world.do("velocity_limits", safety.NewLimits(MAKER, limits))
    act("member_freeze", world.members["eve"])
    act("member_unfreeze", world.members["eve"])
    act("member_freeze", world.members["bob"])
    act("branch_freeze", chair, barber)
    world.sale("eve", "barber", 1_000)  # earns nothing
    world.earn("eve", at="books", points=20)
    key = ledger.ids.show("key", UUID(int=3))
    asking = world.request("redemption", world.ask_of("eve", "books", 4), principal=world.shops["books"])
    request = world.house.committer.post(msgspec.structs.replace(asking, actor=key)).decision
    assert isinstance(request, ledger.Accepted)
    world.approve(request.value, "eve")
    world.void(world.hold("eve", "books", 5), "books")
    act("network_stop", world.public_id)
    act("merchant_suspend", barber)
    act("network_resume", world.public_id)
    world.sale("eve", "barber", 1_000)  # earns nothing


def given(world: World) -> None:
    """Gifts, one of them of given points, under limits; a household, and one of it who spends for another."""
    world.do("gift_rules", sales.GiftRules(points_a_day=30, gifts_a_day=5, received_a_day=30))
    world.member("dan")
    world.earn("dan", at="cafe", points=44)
    world.earn("dan", at="books", points=33)
    world.give("dan", "eve", 25)
    world.member("fay")
    world.member("gus")
    world.give("dan", "fay", 5)
    world.give("fay", "gus", 3)
    world.household("dan", "fay")
    world.step(trade.ShareWallet(world.members["dan"], 10))
    world.redeem("dan", "books", 6, code=world.code("fay"))


def sponsored(world: World) -> contracts.Sponsorship:
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
    return bank


def understood(world: World) -> None:
    """A segment of a shop's and one of the network's, changed and kept; next offers of every shop."""
    db, cafe = world.house.db, world.shops["cafe"]
    lines = (trade.Line(ledger.Minor(300), "COFFEE"), trade.Line(ledger.Minor(200), "CAKE"))
    for _ in range(3):
        world.sale("ann", "cafe", 500, lines=lines)
    with db.tx("door") as tx:
        for merchant in (cafe, None):
            scope = insight.Scope(world.book, merchant)
            saved = insight.save(tx, scope, "regulars", {"measure": "purchases", "at_least": 3})
            assert isinstance(saved, insight.Saved)
            insight.change(tx, scope, saved.id, {"measure": "purchases", "at_least": 2})
            insight.keep(tx, world.book, saved.id, 2)
    for _ in range(2):
        with db.tx("door") as tx:
            assert insight.renew_one(tx, world.book)
    insight.find(db, world.book, cafe)


def offered(world: World) -> None:
    """Offers of the boots: a draft, one that was ended early, and one whose windows will be over, with a refund in them."""
    variants = (
        offers.Variant("double", 300_000, {"points": 1, "per_minor": 50}),
        offers.Variant("hurry", 300_000, {"points": 1, "per_minor": 50}, world.book.now + dt.timedelta(days=9)),
    )
    wanted = offers.Design("double points", "all", 400_000, variants, windows_days=(1, 90), pre_days=30,
                           margin=offers.Margin(200_000, {"FUEL": 10_000}))  # fmt: skip
    boots = world.shops["boots"]
    made = [world.do("offer_draft", offers.NewOffer(boots, wanted), principal=boots).offer for _ in range(3)]
    for offer in made[:2]:
        world.do("offer_launch", offers.LaunchOffer(boots, offer.id), principal=boots)
    world.do("offer_end", offers.EndOffer(boots, made[0].id), principal=boots)
    # too little to earn anything
    world.sale("eve", "boots", 80)
    world.refund(world.sale("ann", "boots", 90), 40)


def ruled(world: World) -> None:
    """A shop with rules of the long form: a first purchase, a third visit, a refund between them."""
    world.shop("bakery")
    world.member("zoe")
    rules = [
        {"id": "base", "effect": {"rate": {"points": 1, "per": 100}}, "when": {"category": ["bread"]}},
        {"id": "welcome", "effect": {"points": 30}, "when": {"first_purchase": True}},
        {"id": "third", "effect": {"points": 5}, "when": {"visits": {"days": 7, "every": 3}}},
    ]
    world.do("terms", contracts.NewTerms(world.shops["bakery"], {"rules": rules}))
    bread = (trade.Line(ledger.Minor(800), "bread"),)
    bought = [world.sale("zoe", "bakery", 1_000, lines=bread) for _ in range(3)]
    world.refund(bought[1])
    world.sale("zoe", "bakery", 1_000, lines=bread)


def asked_who(world: World) -> None:
    """Rules that ask for a tier, a segment and a birthday; occasions told, and one taken back."""
    db, shop = world.house.db, world.shops["bakery"]
    ((regulars,),) = world.rows("select id from merchants.segment where merchant_id is null")
    when = ("tier", ["silver"]), ("segment", [ledger.ids.show("segment", regulars)]), ("occasion", ["birthday_week"])
    rules = [{"id": f"r{n}", "effect": {"points": 3 + n}, "when": dict([each])} for n, each in enumerate(when)]
    base = {"id": "base", "effect": {"rate": {"points": 1, "per": 100}}}
    world.do("terms", contracts.NewTerms(shop, {"rules": [base, *rules]}))
    today = people.Anniversary("gregorian", world.book.now.month, world.book.now.day)
    told = [people.Occasion(kind, today) for kind in ("birthday", "wedding_anniversary")]
    with db.tx("door") as tx:
        for some in (told, told[:1]):
            assert people.put_occasions(tx, world.book, world.members["zoe"], some, SPEND_KEY) is None
    world.do("tier_by_hand", standing.PutByHand(None, world.members["zoe"], "silver", "a friend"))
    world.later(minutes=1)
    fired = [dict(world.sale(member, "bakery", 1_000).fired) for member in ("zoe", "ann")]
    assert fired == [{"base": 10, "r0": 3, "r2": 5}, {"base": 10, "r1": 4}], fired


def reconciled(world: World) -> None:
    """Tills and a bank speak: matches by rule and by hand, one of them split; breaks of every ending; adjustments."""
    db, book, barber = world.house.db, world.book_id, world.shops["barber"]
    rows = [{"kind": "sale", "external_reference": f"TILL-{n}", "amount": str(100 + n), "at": world.book.now.isoformat()}
            for n in range(6)]  # fmt: skip
    sales = [world.sale(None, "barber", 100 + n, reference=f"TILL-{n}") for n in range(4)]
    sales.append(world.sale(None, "barber", 999, reference="TILL-4"))
    sales.append(world.sale(None, "barber", 105, reference="MISTYPED"))
    reconciliation.bring(db, book, reconciliation.file(world.book, "till", rows, barber), barber, "till")
    entry = [{"at": world.book.now.isoformat(), "amount": "77", "reference": "nobody knows", "party": "X1"}]
    reconciliation.bring(db, book, reconciliation.file(world.book, "psp", entry), None, "psp")
    ((theirs,),) = world.rows("select id from settlement.told_line where reference = 'TILL-5' and side = 'theirs'")
    for again in (True, False):
        made = reconciliation.match(db, book, ours=[sales[5].id], theirs=[theirs], by=MAKER, reason="mistyped")
        assert isinstance(made, reconciliation.MatchRow), made
        if again:
            reconciliation.split(db, made.id, by=MAKER, reason="a rehearsal")
    with db.tx("door") as tx:
        stand = {b.type: b for b in reconciliation.breaks(tx, book, state="open")}
    differs = stand["amount"]
    for approves in (False, True):
        asked = settlement.ProposeForBreak(differs.id, MAKER, barber, 895, "as rung up")
        proposed = world.do("adjustment", asked)
        number = world.rows("select (payload ->> 'window')::int from ledger.record where id = %s", proposed.id)[0][0]
        world.do("adjustment_decision", settlement.DecideAdjustment(number, APPROVER, proposed.id, approves))
    reconciliation.explain(db, differs.id, by=MAKER, reason="a till of before")
    reconciliation.resolve(db, differs.id, by=MAKER, reason="adjusted")
    unknown = stand["unknown_beneficiary"]
    reconciliation.resolve(db, unknown.id, by=MAKER, reason="sent back by the bank")


def railed(world: World) -> None:
    """Where everybody is paid; a top-up by a bank statement that names it, one by a provider."""
    with world.house.db.tx("door") as tx:
        for merchant in (world.book.operator_id, *world.shops.values()):
            for rail, account in (("bank", bank.IBAN), ("stripe", "acct_known")):
                payee = rails.store.Payee(merchant, rail, "a shop", account, None, MAKER, None, world.book.now)
                rails.store.put_payee(tx, world.book_id, payee)
                rails.store.approve_payee(tx, merchant, rail, APPROVER)
    for rail, amount in (("bank", 300), ("stripe", 200)):
        made = world.do("ask_topup", rails.AskTopup(world.shops["cafe"], rail, amount))
        if rail == "stripe":
            word = rails.Word(made.made[0], "confirmed", "pi_1", None, amount)
            event = rails.Event("stripe", "evt_1", "payment_intent.succeeded", word)
            settlement.paying.take_event(world.house.db, world.house.committer, world.book_id, event)
            continue
        lines = [bank.line(amount, end_to_end_id=made.made[0].hex, bank_reference="B1"), bank.line(-5)]
        raw = bank.camt([bank.statement(lines)]).replace(b"USD", world.book.currency.encode())
        asker = settlement.windows.Asker(MAKER, "maker")
        settlement.paying.take_statements(world.house.db, world.house.committer, world.book_id, raw=raw, asker=asker)


def by_rail(world: World, number: int) -> None:
    """A window's payments by rails: one refused, one come back, the others made; what is left is for people."""
    paying, house, book = settlement.paying, world.house, world.book_id
    asker = settlement.windows.Asker(MAKER, "maker")

    def instruct(rail: str) -> list[UUID]:
        outcome = paying.instruct(house.db, house.committer, book, number=number, rail=rail, asker=asker)
        assert isinstance(outcome.decision, ledger.Accepted), outcome
        return list(outcome.decision.value.made)

    def say(id: UUID, said: str) -> None:
        outcome = paying.say(house.db, house.committer, book, rails.Word(id, said))  # type: ignore[arg-type]
        assert isinstance(outcome.decision, ledger.Accepted), outcome

    for id in instruct("bank"):
        say(id, "confirmed")
    for id in instruct("bank"):
        say(id, "refused")
    for id in instruct("stripe"):
        say(id, "confirmed")
        say(id, "returned")
    for id in instruct("bank"):
        say(id, "confirmed")


def close(world: World, number: int) -> None:
    asker = settlement.windows.Asker(MAKER, "maker")
    settlement.windows.close(world.house.db, world.house.committer, world.book_id, number=number, asker=asker)


def window(world: World, number: int, *, by_rails: bool = False) -> None:
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
    if by_rails:
        by_rail(world, number)
    settlement.windows.mark_paid(house.db, house.committer, world.book_id, number=number, asker=maker)
