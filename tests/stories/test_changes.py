"""What changes between windows and what never does: funding, values, a face value, a merchant that leaves."""

from collections.abc import Iterator

import pytest

import ledger
import settlement
from ledger.errors import LimitExceeded, StateConflict
from merchants import contracts
from tests.world import World


@pytest.fixture
def town(database_url: str) -> Iterator[World]:
    world = World(database_url, life_days=120)
    try:
        world.shop("cafe", mode="prefunded", bought=1_000)
        world.shop("books", mode="deferred", line=1_000, redemption_fee_ppm=20_000)
        world.shop("barber", mode="closed_loop", unit_value_minor=3)
        world.member("ann")
        yield world
        assert world.audit() == []
    finally:
        world.close()


def settled(world: World) -> None:
    world.settle(world.close_window())


# -- the pool


def test_points_that_were_not_issued_can_be_sold_back(town: World) -> None:
    town.earn("ann", at="cafe", points=100)
    town.sell_back("cafe", 300)
    assert (town.account("pool", "cafe"), town.account("prefund", "cafe")) == (600, 300)

    assert town.refusal("sell_back", settlement.SellBack(town.shops["cafe"], ledger.Points(601))) == "limit_exceeded"


# -- funding


@pytest.mark.row("F1")
def test_a_change_of_funding_waits_for_the_windows_end(town: World) -> None:
    town.earn("ann", at="cafe", points=100)
    assert town.agree("cafe", "deferred", credit_line_points=500).at is None
    town.earn("ann", at="cafe", points=50)
    assert town.account("pool", "cafe") == 850
    number = town.close_window()
    # the pool is sold back, and from here on the cafe issues on credit
    assert (town.account("pool", "cafe"), town.account("prefund", "cafe")) == (0, 850)
    town.earn("ann", at="cafe", points=30)
    assert town.account("credit", "cafe") == -30
    # the old lots stay prefunded, and settle from their backing
    town.redeem("ann", at="books", points=160)
    town.settle(number)
    settled(town)
    assert (town.account("backing", "cafe"), town.account("mint", "cafe")) == (0, 0)
    assert town.account("credit", "cafe") == -20


def test_old_prefunded_lots_go_home_to_the_mint_with_their_money(town: World) -> None:
    sale = town.earn("ann", at="cafe", points=100)
    town.agree("cafe", "deferred")
    town.close_window()
    town.refund(sale, 5_000)
    assert (town.account("mint", "cafe"), town.account("prefund", "cafe")) == (-50, 950)
    town.later(days=121)
    assert (town.account("mint", "cafe"), town.account("backing", "cafe"), town.account("prefund", "cafe")) == (
        0,
        0,
        1_000,
    )


def test_own_points_spent_before_the_change_settle_after_it(town: World) -> None:
    town.earn("ann", at="cafe", points=100)
    town.redeem("ann", at="cafe", points=60)
    town.agree("cafe", "closed_loop", unit_value_minor=2)
    settled(town)
    assert (town.account("mint", "cafe"), town.account("backing", "cafe"), town.account("prefund", "cafe")) == (
        -40,
        40,
        960,
    )
    town.earn("ann", at="cafe", points=10)
    assert town.account("own", "cafe") == -10


def test_a_newer_contract_takes_the_place_of_what_waits(town: World) -> None:
    town.agree("cafe", "deferred")
    assert town.agree("cafe", "prefunded", purchase_fee_ppm=5_000).at is not None
    town.close_window()
    town.earn("ann", at="cafe", points=10)
    assert town.account("pool", "cafe") == 990


def test_two_agreements_the_later_counts(town: World) -> None:
    town.agree("books", "prefunded")
    town.agree("books", "closed_loop", unit_value_minor=7)
    town.close_window()
    town.earn("ann", at="books", points=10)
    assert town.account("own", "books") == -10


# -- the face value


def test_a_new_face_value_waits_for_the_windows_end_and_old_points_keep_theirs(town: World) -> None:
    town.earn("ann", at="cafe", points=100)
    town.earn("ann", at="books", points=100)
    town.earn("ann", at="barber", points=10)
    assert town.rule(2, 120).at is None
    town.close_window()
    assert town.book.face_value_minor == 2
    assert (town.account("pool", "cafe"), town.account("prefund", "cafe")) == (0, 900)
    town.buy("cafe", 100)
    assert (town.account("backing", "cafe"), town.account("prefund", "cafe")) == (300, 700)
    town.earn("ann", at="cafe", points=50)
    town.earn("ann", at="books", points=50)
    assert town.wallet("ann").value == 100 + 100 + 30 + 100 + 100
    # a till asks for 250 minor units: 200 points of one, and 25 of two
    done = town.redeem("ann", at="cafe", value=250)
    assert (done.points, done.value) == (225, 250)
    settled(town)


@pytest.mark.parametrize("said", [None, 1])
def test_a_contract_that_waits_with_a_new_face_value_comes_into_force_at_it(town: World, said: int | None) -> None:
    town.agree("cafe", "deferred", credit_line_points=500, unit_value_minor=said)
    town.rule(face_value=2, life_days=120)
    town.close_window()
    town.earn("ann", at="cafe", points=10)
    [(value,)] = town.rows("select unit_value_minor from ledger.lot")
    assert value == 2


def test_rules_that_leave_the_face_value_are_in_force_at_once_and_for_new_points_only(town: World) -> None:
    town.earn("ann", at="cafe", points=100)
    assert town.rule(1, 60).at is not None
    town.earn("ann", at="cafe", points=10)
    town.later(days=61)
    assert town.balance("ann") == 100


def test_the_networks_life_never_passes_a_contracts(town: World) -> None:
    town.agree("cafe", "prefunded", points_life_days=200)
    assert town.refusal("rules", contracts.NewRules(1, 201, None)) == "validation_failed"


def test_the_networks_life_never_falls_to_a_return_period(town: World) -> None:
    town.shop("boots", maturity_days=14)
    assert town.refusal("rules", contracts.NewRules(1, 14, None)) == "validation_failed"
    assert town.rule(1, 15).at is not None


# -- buying out, and leaving


@pytest.mark.row("F11")
def test_a_merchant_that_leaves_has_money_put_behind_every_point(town: World) -> None:
    town.earn("ann", at="books", points=300)
    held = town.hold("ann", at="cafe", points=50)
    town.redeem("ann", at="cafe", points=40)
    pending = town.close_window()
    town.redeem("ann", at="cafe", points=10)
    assert town.ask("buy_out", contracts.BuyOut(town.shops["books"], True)).decision == LimitExceeded("prefund", 0, 250)
    town.topup("books", 300)
    done = town.buy_out("books", exit=True)
    assert (done.points, done.value_minor, done.prefund_minor) == (250, 250, 50)
    # what was accepted before is settled as it was accepted; the rest is prefunded
    town.capture(held, at="cafe")
    town.settle(pending)
    settled(town)
    assert town.account("credit", "books") == 0
    assert town.balance("ann") == 200
    town.redeem("ann", at="cafe", points=200)
    settled(town)
    assert (town.account("backing", "books"), town.account("mint", "books")) == (0, 0)


def test_whoever_left_neither_sells_earns_nor_accepts_and_still_refunds(town: World) -> None:
    sale = town.earn("ann", at="cafe", points=100)
    spent = town.redeem("ann", at="cafe", points=30)
    town.buy_out("cafe", exit=True)
    assert (town.account("pool", "cafe"), town.account("prefund", "cafe")) == (0, 900)
    cafe = town.shops["cafe"]
    assert town.ask("sale", town.sale_of("ann", "cafe", 100), principal=cafe).decision == StateConflict(
        "merchant", "exited"
    )
    assert town.refusal("redemption", town.redemption_of("ann", "cafe", 1), principal=cafe) == "merchant_suspended"
    assert town.refusal("contract", contracts.NewContract(cafe, "deferred")) == "state_conflict"
    assert town.refusal("buy_out", contracts.BuyOut(cafe, True)) == "state_conflict"
    town.give_back(spent, "cafe")
    town.refund(sale, 5_000)
    assert town.balance("ann") == 50
    settled(town)
    town.later(days=121)
    # nothing comes back to a pool that nobody issues from
    assert (town.account("pool", "cafe"), town.account("mint", "cafe"), town.account("prefund", "cafe")) == (
        0,
        0,
        1_000,
    )


def test_closed_loop_points_of_a_shop_that_leaves_are_good_everywhere(town: World) -> None:
    town.earn("ann", at="barber", points=20)
    town.topup("barber", 60)
    town.buy_out("barber", exit=True)
    done = town.redeem("ann", at="cafe", points=20)
    assert done.value == 60
    settled(town)
    assert town.account("backing", "barber") == 0


def test_another_may_pay_and_the_merchant_may_stay(town: World) -> None:
    town.earn("ann", at="books", points=100)
    town.topup("cafe", 100)
    done = town.buy_out("books", paid_by="cafe")
    assert (done.points, done.exit) == (100, False)
    assert (town.account("backing", "books"), town.account("prefund", "cafe"), town.account("credit", "books")) == (
        100,
        0,
        0,
    )
    town.earn("ann", at="books", points=70)
    assert town.account("credit", "books") == -70
    town.redeem("ann", at="cafe", points=170)
    settled(town)


def test_a_redemption_refunded_after_the_issuer_left_is_prefunded_again(town: World) -> None:
    town.earn("ann", at="books", points=100)
    spent = town.redeem("ann", at="cafe", points=100)
    settled(town)
    town.buy_out("books", exit=True)
    town.give_back(spent, "cafe", 40)
    assert town.balance("ann") == 40
    settled(town)
    assert (town.account("backing", "books"), town.account("mint", "books")) == (40, -40)
    town.redeem("ann", at="cafe", points=40)
    settled(town)
    assert town.account("backing", "books") == 0


def test_debts_to_a_merchant_that_left_are_repaid_to_it(town: World) -> None:
    sale = town.earn("ann", at="books", points=100)
    town.redeem("ann", at="cafe", points=100)
    town.buy_out("books", exit=True)
    town.refund(sale)
    assert town.owed("ann", "books") == 100
    town.earn("ann", at="cafe", points=120)
    assert (town.owed("ann", "books"), town.balance("ann")) == (0, 20)
    settled(town)


# -- what a sponsor has set aside


def test_a_sponsors_budgets_go_back_before_its_funding_changes(town: World) -> None:
    town.sponsor("bank", mode="prefunded", bought=500)
    sponsorship = town.sponsorship("bank", ["cafe"], budget=200)
    town.sale("ann", "cafe", 3_000)
    assert town.budget(sponsorship) == 170
    town.agree("bank", "deferred", credit_line_points=100)
    settled(town)
    assert (town.budget(sponsorship), town.account("pool", "bank"), town.account("prefund", "bank")) == (0, 0, 470)
    assert town.sale("ann", "cafe", 1_000).points == 10, "the sponsor sets aside anew, or gives nothing"
    town.change_budget(sponsorship, 60)
    assert town.sale("ann", "cafe", 1_000).points == 20
    assert town.account("credit", "bank") == -60


def test_a_sponsor_that_leaves_has_its_budgets_sold_with_its_pool(town: World) -> None:
    town.sponsor("bank", mode="prefunded", bought=500)
    town.sponsorship("bank", ["cafe"], budget=200)
    town.sale("ann", "cafe", 3_000)
    assert town.buy_out("bank", exit=True).prefund_minor == 470
    assert town.sale("ann", "cafe", 1_000).points == 10
    town.redeem("ann", at="books", points=70)
    settled(town)
    assert (town.account("backing", "bank"), town.account("mint", "bank")) == (0, 0)
