"""What one request of a batch brings about, the next one finds: no batch has to be taken apart for it."""

import datetime as dt

import ledger
from merchants import trade
from tests.world import World


class Apart:
    """Hears of batches that could not be posted whole."""

    def __init__(self) -> None:
        self.singly_posted = 0

    def committed(self, requests: int, replayed: int, seconds: float) -> None: ...

    def repeated(self, reason: str) -> None: ...

    def singly(self, requests: int) -> None:
        self.singly_posted += requests


def test_points_that_expired_while_held_come_back_and_go_in_one_batch(world: World) -> None:
    apart = Apart()
    world.house.committer._watch = apart
    world.shop("cafe", mode="prefunded", bought=100)
    world.shop("books", hold_minutes=1440)
    world.member("ann")
    earned = world.earn("ann", at="cafe", points=40)
    assert earned.expires_at is not None
    world.advance(earned.expires_at - dt.timedelta(hours=1))
    hold = world.hold("ann", at="books", points=30)
    world.advance(earned.expires_at)
    # the void brings back what is past its time, and the redemption behind it finds nothing to take
    void = world.request("void", trade.Void(world.shops["books"], hold.id), principal=world.shops["books"])
    redemption = world.request(
        "redemption", world.redemption_of("ann", at="cafe", points=1), principal=world.shops["cafe"]
    )
    voided, refused = world.house.committer.post_all([void, redemption])
    assert isinstance(voided.decision, ledger.Accepted)
    assert refused.decision == ledger.errors.InsufficientPoints(ledger.Points(1), ledger.Points(0))
    assert apart.singly_posted == 0
    assert world.balance("ann") == 0
    assert world.account("pool", "cafe") == 100
    assert world.audit() == []


def test_given_points_that_come_back_are_given_on_in_one_batch(world: World) -> None:
    apart = Apart()
    world.house.committer._watch = apart
    world.shop("cafe")
    for name in ("ann", "bob", "eve"):
        world.member(name)
    world.earn("ann", at="cafe", points=40)
    world.give("ann", "bob", 40)
    spent = world.redeem("bob", at="cafe", points=40)
    back = world.request("redemption_refund", world.give_back_of(spent, "cafe"), principal=world.shops["cafe"])
    on = world.request("gift", world.gift_of("bob", "eve", 30), principal=world.members["bob"])
    never = world.request("gift", world.gift_of("bob", "ann", 1), principal=world.members["bob"])
    outcomes = world.house.committer.post_all([back, on, never])
    assert [isinstance(outcome.decision, ledger.Accepted) for outcome in outcomes] == [True, True, False]
    assert (world.balance("bob"), world.balance("eve"), apart.singly_posted) == (10, 30, 0)
    assert world.audit() == []
