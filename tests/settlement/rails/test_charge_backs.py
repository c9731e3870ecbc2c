"""A top-up that is taken back: what prefund holds goes, what it lacks is charged to the next position, and all of it can
come again.
"""

import random
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

import ledger
import ledger.audit
import settlement
from ledger.errors import DuplicateReference, LimitExceeded, NotFound, StateConflict
from settlement import rails
from settlement.audit import charge_backs
from settlement.rails import paying
from settlement.rails.by_stripe import Stripe
from settlement.rails.charge_back_store import ChargeBack
from settlement.reconciliation import store as reconciliation
from settlement.steps import SelfApproval
from tests.settlement.conftest import World, accepted, decided
from tests.settlement.rails.fake_stripe import FakeStripe, serving
from tests.settlement.rails.test_stripe import hear, topup


@pytest.fixture
def fake() -> FakeStripe:
    return FakeStripe()


@pytest.fixture
def stripe_rail(fake: FakeStripe) -> Iterator[Stripe]:
    with serving(fake) as base:
        yield Stripe("test", fake.key, "https://shop.test/done", api_base=base)


@pytest.fixture
def open_shops(world: World) -> World:
    """A cafe that prefunds, and a gym that pays later."""
    world.sql("update ledger.book set currency = 'USD', exponent = 2")
    world.shop("cafe", "prefunded")
    world.shop("gym", "deferred")
    return world


@pytest.fixture
def paid(open_shops: World, fake: FakeStripe, stripe_rail: Stripe) -> World:
    """The cafe has paid in 5,000 through Stripe and bought 30 points for 3,000 of it; ann has earned 20 of those."""
    topup(open_shops, stripe_rail)
    (session,) = fake.sessions
    assert hear(open_shops, fake.pay(session)) == "confirmed"
    accepted(open_shops.ask("purchase", settlement.Purchase(open_shops.shops["cafe"].id, ledger.Points(30))))
    open_shops.earn("ann", at="cafe", points=20)
    return open_shops


def disputed(fake: FakeStripe, amount: int = 5_000, *, id: str = "dp_1", said: str = "withdrawn", **more: Any) -> Any:
    (session,) = fake.sessions
    told = {"id": id, "payment_intent": fake.sessions[session]["payment_intent"], "amount": amount, "currency": "usd"}
    return fake.event(f"charge.dispute.funds_{said}", told | more)


def money(world: World) -> tuple[int, int, int, int]:
    """(prefund of the cafe, what stands behind its points, the provider's, what waits to be charged)"""
    kinds = (("prefund", "cafe"), ("backing", "cafe"), ("psp", None), ("charge_backs", None))
    return tuple(world.balance(kind, shop) for kind, shop in kinds)  # type: ignore[return-value]


def all_of(world: World) -> list[ChargeBack]:
    return world.read(rails.charge_back_store.charge_backs, world.book_id)


def clean(world: World) -> None:
    world.identities()
    settlement.drain(world.db, world.book_id)
    # the small till's own rows are not trade's: what is proved of those is proved in tests/audit
    assert [f for f in ledger.audit.run(world.url, [*charge_backs.check]).findings if not f.ok] == []
    before = world.snapshot()
    settlement.rebuild(world.db, world.book_id)
    assert world.snapshot() == before


def test_prefund_gives_what_it_has_and_the_next_position_the_rest(paid: World, fake: FakeStripe) -> None:
    assert money(paid) == (2_000, 3_000, -5_000, 0)
    assert hear(paid, disputed(fake)) == "charged_back"
    # the points stay backed
    assert money(paid) == (0, 3_000, 0, -3_000)
    (row,) = all_of(paid)
    assert (row.state, row.prefund_minor, row.charged_minor) == ("booked", 2_000, 3_000)
    paid.redeem("ann", "gym", 20)
    paid.fund()
    positions = paid.positions()
    assert sum(p.position.position_minor for p in positions.values()) == 0
    assert positions["cafe"].position.account_minor == -3_000
    assert positions["operator"].position.position_minor == 3_000
    assert money(paid) == (0, 1_000, 0, 0)
    assert paid.read(settlement.charged_back, paid.book_id) == {paid.shops["cafe"].id: 3_000}
    assert isinstance(paid.pay(1, "cafe"), ledger.Accepted)
    assert isinstance(paid.pay(1), ledger.Accepted)
    assert paid.window().state == "settled"
    assert paid.read(settlement.charged_back, paid.book_id) == {}
    clean(paid)


def test_reconciliation_looks_for_what_went_and_came_at_the_provider(paid: World, fake: FakeStripe) -> None:
    hear(paid, disputed(fake))
    hear(paid, disputed(fake, said="reinstated"))
    placed = paid.read(reconciliation.ours, paid.book_id, "psp", 1, 1_000)
    told = [(each.line.kind, each.line.amount_minor, each.line.reference) for each in placed]
    assert [(kind, amount) for kind, amount, _ in told] == [
        ("topup", 5_000),
        ("charge_back", -5_000),
        ("charge_back_reversed", 5_000),
    ]
    assert {reference for kind, _, reference in told if kind != "topup"} == {"dp_1"}


@pytest.mark.parametrize("settled_before", [False, True], ids=["in its window", "a window later"])
def test_what_is_reinstated_comes_back_exactly(paid: World, fake: FakeStripe, settled_before: bool) -> None:
    hear(paid, disputed(fake))
    if settled_before:
        paid.fund()
        paid.pay(1, "cafe")
    back = disputed(fake, said="reinstated")
    assert [hear(paid, back), hear(paid, back), hear(paid, disputed(fake))] == ["reinstated", "known", "known"]
    assert money(paid) == (2_000, 3_000, -5_000, 3_000 if settled_before else 0)
    number = 2 if settled_before else 1
    paid.fund(number)
    assert money(paid) == (2_000, 3_000, -5_000, 0)
    assert paid.balance("position", "cafe", number) == (3_000 if settled_before else 0)
    if settled_before:
        paid.pay(2)
        assert paid.balance("bank") == 0
    clean(paid)


def test_a_word_counts_once_in_whatever_order_it_comes(paid: World, fake: FakeStripe) -> None:
    gone, back = disputed(fake), disputed(fake, said="reinstated")
    # that it came back is told first: it had gone
    assert hear(paid, back) == "reinstated"
    assert hear(paid, gone) == "known"
    assert hear(paid, disputed(fake)) == "known"
    assert money(paid) == (2_000, 3_000, -5_000, 0)
    assert [e.kind for e in paid.events() if e.kind.startswith("charge_back")] == [
        "charge_back",
        "charge_back_reversed",
    ]
    clean(paid)


def test_parts_are_taken_up_to_what_was_paid_in(paid: World, fake: FakeStripe) -> None:
    assert hear(paid, disputed(fake, 1_500)) == "charged_back"
    assert hear(paid, disputed(fake, 1_600)) == "differs"  # the same dispute, another sum
    assert hear(paid, disputed(fake, 3_501, id="dp_2")) == "differs"
    assert hear(paid, disputed(fake, 3_500, id="dp_2")) == "charged_back"
    assert hear(paid, disputed(fake, 1, id="dp_3")) == "differs"
    assert money(paid) == (0, 3_000, 0, -3_000)
    # the first was won: as much may be disputed again
    assert hear(paid, disputed(fake, 1_500, said="reinstated")) == "reinstated"
    assert hear(paid, disputed(fake, 1_500, id="dp_3")) == "charged_back"
    assert money(paid) == (0, 3_000, 0, -3_000)
    clean(paid)


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({"payment_intent": "pi_other"}, "nothing"),
        ({"payment_intent": None}, "nothing"),
        ({"currency": "eur"}, "differs"),
        ({"amount": None}, "differs"),
        ({"amount": -5}, "differs"),
        ({"id": None}, "differs"),
        # a part of it came, by what moved
        ({"balance_transactions": [{"amount": -4_000, "currency": "usd", "fee": 1_500}]}, "charged_back"),
        ({"balance_transactions": [{"amount": -9_000, "currency": "usd"}]}, "differs"),
        ({"balance_transactions": [{"amount": -4_000, "currency": "eur"}, 5, None]}, "charged_back"),
    ],
)
def test_a_dispute_that_does_not_fit_books_nothing(
    paid: World, fake: FakeStripe, facts: dict[str, Any], outcome: str
) -> None:
    (session,) = fake.sessions
    told = {"id": "dp_1", "payment_intent": fake.sessions[session]["payment_intent"], "amount": 5_000}
    event = fake.event("charge.dispute.funds_withdrawn", told | {"currency": "usd"} | facts)
    before = money(paid)
    assert hear(paid, event) == outcome
    assert (money(paid) != before) == (outcome == "charged_back")


def test_a_dispute_before_its_payment_is_told_again_later(
    open_shops: World, fake: FakeStripe, stripe_rail: Stripe
) -> None:
    topup(open_shops, stripe_rail)
    (session,) = fake.sessions
    early = disputed(fake)
    for _ in range(2):
        with pytest.raises(ledger.errors.Unavailable):
            hear(open_shops, early)
        # its page is done and not paid: from here on the payment has a name
        hear(open_shops, fake.event("checkout.session.completed", fake.sessions[session]))
    assert hear(open_shops, fake.pay(session)) == "confirmed"
    assert hear(open_shops, early) == "charged_back"
    assert money(open_shops) == (0, 0, 0, 0)


def test_two_webhooks_at_once_take_it_once(paid: World, fake: FakeStripe) -> None:
    told = [disputed(fake) for _ in range(4)]
    together, heard = threading.Barrier(4), list[str]()

    def run(event: Any) -> None:
        together.wait()
        heard.append(hear(paid, event))

    threads = [threading.Thread(target=run, args=(event,)) for event in told]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(heard) == ["charged_back", "known", "known", "known"]
    assert money(paid) == (0, 3_000, 0, -3_000)


def test_any_words_in_any_order_leave_what_the_last_truth_is(paid: World, fake: FakeStripe) -> None:
    rng = random.Random(7)
    words = [
        disputed(fake, amount, id=id, said=said)
        for id, amount in (("dp_1", 1_000), ("dp_2", 1_500))
        for said in ("withdrawn", "reinstated", "withdrawn")
    ]
    for _ in range(3):
        rng.shuffle(words)
        for word in words:
            hear(paid, word)
    assert money(paid) == (2_000, 3_000, -5_000, 0)
    clean(paid)


# -- by a bank, on two people's word


def act(world: World, body: Any, by: UUID | None = None, key: str | None = None) -> Any:
    asker = world.asker(by or world.maker, key)
    return decided(paying.charge_back(world.db, world.committer, world.book_id, body, asker))


def propose(world: World, amount: int = 5_000, reference: str = "RCL-1", *, topup: UUID | None = None) -> Any:
    of = topup or next(e.id for e in world.events("topup"))
    return act(world, rails.ProposeChargeBack(of, world.maker, amount, reference, "recalled by the payer's bank"))


def decide(world: World, id: UUID, *, by: UUID | None = None, approves: bool = True) -> Any:
    who = by or world.checker
    return act(world, rails.DecideChargeBack(id, who, approves), who)


@pytest.fixture
def by_bank(open_shops: World) -> World:
    """The cafe paid 5,000 in by its bank and bought points for 3,000."""
    open_shops.stock("cafe", 30, spare_minor=2_000)
    return open_shops


def test_a_bank_takes_back_by_two_people(by_bank: World) -> None:
    id = propose(by_bank, 4_500).value.row.id
    assert by_bank.balance("prefund", "cafe") == 2_000
    assert decide(by_bank, id, by=by_bank.maker) == SelfApproval()
    done = decide(by_bank, id).value
    assert (done.row.prefund_minor, done.row.charged_minor, done.prefund_left_minor) == (2_000, 2_500, 0)
    assert (by_bank.balance("bank"), by_bank.balance("charge_backs")) == (-500, -2_500)
    assert decide(by_bank, id) == StateConflict("charge-back", "booked")
    assert act(by_bank, rails.ProposeReversal(id, by_bank.checker, "sent again")).value.row.state == "reversal_proposed"
    assert decide(by_bank, id, by=by_bank.checker) == SelfApproval()
    assert decide(by_bank, id, approves=False).value.row.state == "booked"
    act(by_bank, rails.ProposeReversal(id, by_bank.maker, "sent again"))
    assert decide(by_bank, id).value.row.state == "reversed"
    assert (by_bank.balance("bank"), by_bank.balance("charge_backs")) == (-5_000, 0)
    assert by_bank.balance("prefund", "cafe") == 2_000
    clean(by_bank)


def test_what_is_refused_of_a_charge_back(by_bank: World, fake: FakeStripe, stripe_rail: Stripe) -> None:
    assert propose(by_bank, topup=ledger.ids.new()) == NotFound("topup")
    assert propose(by_bank, 5_001) == LimitExceeded("topup", 5_000, 5_001)
    first = propose(by_bank, 3_000).value.row.id
    assert propose(by_bank, 1) == DuplicateReference(ledger.ids.show("record", first))
    # what is proposed is spoken for
    assert propose(by_bank, 2_001, "RCL-2") == LimitExceeded("topup", 2_000, 2_001)
    assert decide(by_bank, first, approves=False).value.row.state == "rejected"
    assert decide(by_bank, first) == StateConflict("charge-back", "rejected")
    assert decide(by_bank, ledger.ids.new()) == NotFound("charge_back")
    assert act(by_bank, rails.ProposeReversal(first, by_bank.maker, "x")) == StateConflict("charge-back", "rejected")
    # the reference is free again
    assert propose(by_bank).value.row.state == "proposed"
    topup(by_bank, stripe_rail)
    (session,) = fake.sessions
    hear(by_bank, fake.pay(session))
    of_stripe = by_bank.events("topup")[-1].id
    assert propose(by_bank, topup=of_stripe) == StateConflict("top-up", "for its provider to tell of")
    clean(by_bank)


def test_one_key_is_one_charge_back(by_bank: World) -> None:
    body = rails.DecideChargeBack(propose(by_bank).value.row.id, by_bank.checker, True)
    asker = by_bank.asker(by_bank.checker, "approve-the-recall")
    first, again = (paying.charge_back(by_bank.db, by_bank.committer, by_bank.book_id, body, asker) for _ in range(2))
    assert (first.status, first.body) == (again.status, again.body)
    assert (first.replayed, again.replayed) == (False, True)
    assert len(by_bank.events("charge_back")) == 1


def test_collateral_waits_for_a_charge_back(by_bank: World) -> None:
    cafe = by_bank.shops["cafe"].id
    accepted(by_bank.ask("collateral", settlement.Deposit(by_bank.maker, 700, "lien", cafe)))
    decide(by_bank, propose(by_bank).value.row.id)
    settlement.drain(by_bank.db, by_bank.book_id)
    (of,) = by_bank.read(settlement.exposures, by_bank.book)[:1]
    assert (of.merchant_id, of.charged_back_minor, of.level_percent) == (cafe, 3_000, 90)
    back = settlement.GiveBack(by_bank.maker, cafe, 700, "lien")
    assert by_bank.ask("collateral_return", back).decision == StateConflict("merchant", "owing")
