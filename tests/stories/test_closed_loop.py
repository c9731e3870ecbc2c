"""A shop's own cashback club, the first generation: its points are its own, and good at its own shop only."""

from collections.abc import Iterator

import pytest

from ledger.errors import InsufficientPoints
from merchants import contracts
from tests.world import World


@pytest.fixture
def street(database_url: str) -> Iterator[World]:
    world = World(database_url, life_days=90)
    try:
        # five cents of each dollar back from twenty dollars on, to be spent within the year
        world.shop("barber", mode="closed_loop", unit_value_minor=1, points_life_days=365)
        world.do("terms", contracts.NewTerms(world.shops["barber"], CASHBACK))
        world.shop("cafe")
        world.member("ann")
        world.member("bob")
        yield world
        assert world.audit() == []
    finally:
        world.close()


CASHBACK = {"points": 5, "per_minor": 100, "minimum_minor": 2_000}


@pytest.mark.row("A10")
def test_a_share_of_the_purchase_comes_back_at_the_same_shop(street: World) -> None:
    assert street.sale("ann", "barber", 1_999).points == 0, "below the minimum"
    assert street.sale("ann", "barber", 4_000).points == 200
    done = street.redeem("ann", "barber", value=150)
    assert (done.points, done.value) == (150, 150)
    street.settle(street.close_window())
    # no money moves for one's own points, and none ever stood for them
    assert (street.account("own", "barber"), street.account("prefund", "barber"), street.account("mint", "barber")) == (
        -50,
        0,
        0,
    )


@pytest.mark.row("A10")
def test_no_other_shop_takes_them_and_theirs_are_good_here(street: World) -> None:
    street.sale("ann", "barber", 4_000)
    cafe = street.shops["cafe"]
    refused = street.ask("redemption", street.redemption_of("ann", "cafe", 1), principal=cafe).decision
    assert refused == InsufficientPoints(1, 0)  # type: ignore[arg-type]
    street.earn("ann", at="cafe", points=30)
    street.redeem("ann", "cafe", 30)
    street.earn("ann", at="cafe", points=20)
    street.redeem("ann", "barber", 220)
    street.settle(street.close_window())


@pytest.mark.row("A10")
def test_they_have_a_deadline_of_their_own(street: World) -> None:
    street.sale("ann", "barber", 4_000)
    street.later(days=364)
    assert street.balance("ann") == 200
    street.later(days=1)
    assert (street.balance("ann"), street.account("own", "barber")) == (0, 0)


@pytest.mark.row("A10")
def test_they_can_be_given_and_stay_the_shops_own(street: World) -> None:
    street.sale("ann", "barber", 4_000)
    street.give("ann", "bob", 80)
    cafe = street.shops["cafe"]
    assert street.refusal("redemption", street.redemption_of("bob", "cafe", 1), principal=cafe) == "insufficient_points"
    street.redeem("bob", "barber", 80)
    street.settle(street.close_window())


@pytest.mark.row("A10")
def test_a_refund_of_what_earned_them_is_owed_in_them(street: World) -> None:
    sale = street.sale("ann", "barber", 4_000)
    street.redeem("ann", "barber", 200)
    street.refund(sale, 2_000)
    assert street.owed("ann", "barber") == 100
    street.earn("ann", at="cafe", points=50)  # other points repay nothing of it
    assert (street.owed("ann", "barber"), street.balance("ann")) == (100, 50)
    street.sale("ann", "barber", 3_000)
    assert (street.owed("ann", "barber"), street.balance("ann")) == (0, 100)
