"""What time does to points: they confirm, they live on while their member is active, members are told, they expire."""

import datetime as dt
from collections.abc import Iterator

import pytest

from tests.world import BEGINNING, World


@pytest.fixture
def town(database_url: str) -> Iterator[World]:
    world = World(database_url)
    try:
        world.shop("cafe")
        world.shop("boots", maturity_days=14)
        world.member("ann")
        yield world
        assert world.audit() == []
    finally:
        world.close()


@pytest.fixture
def lively(database_url: str) -> Iterator[World]:
    """A network whose points live 30 days, and as long as their member is active within 90."""
    world = World(database_url, network="lively", life_days=30, inactivity_days=90)
    try:
        world.shop("cafe")
        world.shop("inn", points_life_days=400)
        world.member("ann")
        world.member("bob")
        yield world
        assert world.audit() == []
    finally:
        world.close()


def notices(world: World, member: str = "ann") -> list[tuple[str, int, dt.date]]:
    """(days before, points, day of the book) of what a member was told."""
    rows = world.rows(
        "select payload ->> 'days', (payload ->> 'points')::int, at from ledger.record"
        " where kind = 'expiry_notice' and member_id = %s order by batch_id, n",
        world.members[member],
    )
    return [(row[0], row[1], row[2].date()) for row in rows]


# -- points that confirm


@pytest.mark.row("A6")
def test_points_confirm_after_the_return_period(town: World) -> None:
    town.earn("ann", at="boots", points=100)
    wallet = town.wallet("ann")
    assert (wallet.available, wallet.pending) == (0, 100)
    assert wallet.confirming == ((BEGINNING + dt.timedelta(days=14), 100),)
    assert town.refusal("redemption", town.redemption_of("ann", "cafe", 1)) == "insufficient_points"
    town.later(days=14)
    assert (town.wallet("ann").available, town.wallet("ann").pending) == (100, 0)
    town.redeem("ann", at="cafe", points=100)


def test_a_refund_within_the_return_period_takes_pending_points(town: World) -> None:
    sale = town.earn("ann", at="boots", points=100)
    town.earn("ann", at="cafe", points=50)
    done = town.refund(sale, 4_000)
    assert (done.returned, done.owed) == (40, 0)
    assert (town.wallet("ann").pending, town.balance("ann")) == (60, 50)
    town.later(days=15)
    assert town.balance("ann") == 110
    town.redeem("ann", at="cafe", points=110)
    assert town.refund(sale, 6_000).owed == 60


def test_pending_points_repay_what_is_owed_when_they_are_earned_and_not_when_they_confirm(town: World) -> None:
    sale = town.earn("ann", at="cafe", points=30)
    town.redeem("ann", at="cafe", points=30)
    town.refund(sale)
    assert town.wallet("ann").owed == 30
    town.earn("ann", at="boots", points=100)
    wallet = town.wallet("ann")
    assert (wallet.pending, wallet.owed) == (70, 0)
    assert town.account("accepted", "cafe") == 60
    town.later(days=14)
    assert town.balance("ann") == 70


def test_points_whose_time_has_come_can_be_spent_before_the_clock_has_been_by(town: World) -> None:
    """The posting itself confirms them: a till is never told to wait for a job."""
    town.earn("ann", at="boots", points=100)
    with town.house.db.tx("ledger") as tx:  # the clock alone, without what falls due
        tx.execute("update ledger.book set clock = clock + interval '15 days' where id = %s", [town.book_id])
    assert town.balance("ann") == 100
    town.redeem("ann", at="cafe", points=100)


# -- inactivity


@pytest.mark.row("A7")
def test_points_of_the_active_live_on_and_those_of_the_inactive_expire(lively: World) -> None:
    for name in ("ann", "bob"):
        lively.earn(name, at="cafe", points=100)
    lively.later(days=80)
    lively.sale("ann", at="cafe", total=99)  # earns nothing, and is activity all the same
    lively.later(days=12)
    assert (lively.balance("ann"), lively.balance("bob")) == (100, 0)
    lively.redeem("ann", at="cafe", points=1)
    lively.later(days=90)
    assert lively.balance("ann") == 99
    lively.later(days=2)
    assert lively.balance("ann") == 0


def test_a_contract_lengthens_the_life_of_its_points_and_activity_never_shortens_it(lively: World) -> None:
    lively.earn("ann", at="inn", points=100)
    lively.earn("ann", at="cafe", points=1)
    lively.later(days=200)
    assert lively.balance("ann") == 100
    lively.sale("ann", at="cafe", total=0)
    lively.later(days=199)
    assert lively.balance("ann") == 100
    lively.later(days=2)
    assert lively.balance("ann") == 0


def test_what_is_held_lives_on_with_the_rest(lively: World) -> None:
    lively.earn("ann", at="cafe", points=100)
    lively.later(days=89)
    hold = lively.hold("ann", at="cafe", points=100)
    lively.void(hold, at="cafe")
    lively.later(days=89)
    assert lively.balance("ann") == 100


# -- notices


@pytest.mark.row("A7")
def test_members_are_told_sixty_thirty_and_seven_days_before(town: World) -> None:
    town.later(hours=15)
    town.earn("ann", at="cafe", points=100)
    town.later(hours=3)
    town.earn("ann", at="cafe", points=10)
    town.later(days=130)
    gone = BEGINNING.date() + dt.timedelta(days=120)
    assert notices(town) == [
        ("60", 110, gone - dt.timedelta(days=60)),
        ("30", 110, gone - dt.timedelta(days=30)),
        ("7", 110, gone - dt.timedelta(days=7)),
    ]


def test_what_was_spent_is_not_told_of(town: World) -> None:
    town.earn("ann", at="cafe", points=100)
    town.later(days=65)
    town.redeem("ann", at="cafe", points=60)
    town.later(days=30)
    town.redeem("ann", at="cafe", points=40)
    town.later(days=60)
    assert [(days, points) for days, points, _ in notices(town)] == [("60", 100), ("30", 40)]


def test_points_that_live_on_are_told_of_again_at_their_new_time(lively: World) -> None:
    lively.earn("ann", at="cafe", points=100)
    lively.later(days=70)
    lively.sale("ann", at="cafe", total=0)
    lively.later(days=100)
    assert [(days, points) for days, points, _ in notices(lively)] == [
        ("60", 100),
        ("30", 100),
        ("60", 100),
        ("30", 100),
        ("7", 100),
    ]


def test_many_members_are_told_in_parts_and_each_once(town: World) -> None:
    """More lots than one look takes, some of them of one moment."""
    names = [f"m{i}" for i in range(23)]
    for name in names:
        town.member(name)
        for _ in range(30):
            town.earn(name, at="cafe", points=1)
    town.later(days=115)
    for name in names:
        told = notices(town, name)
        for stage in ("60", "30", "7"):
            assert sum(points for days, points, _ in told if days == stage) == 30, (name, told)


def test_more_lots_at_one_moment_than_one_record_can_tell_of(town: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A company that buys a hundred times a day has thousands that confirm or expire together."""
    monkeypatch.setattr("ledger.working.LARGEST_RECORD", 3)
    for shop, lots in (("boots", 4), ("cafe", 3)):
        for _ in range(lots):
            town.earn("ann", at=shop, points=10)
    town.later(days=14)
    assert town.balance("ann") == 70
    town.later(days=107)
    assert town.balance("ann") == 0
    told = town.rows(
        "select kind, (payload ->> 'points')::int from ledger.record where actor = 'clock' and kind in ('maturity', 'expiry')"
        " order by batch_id, n"
    )
    assert told == [("maturity", 30), ("maturity", 10), ("expiry", 30), ("expiry", 30), ("expiry", 10)]
