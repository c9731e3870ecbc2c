"""Entitlements: what a shop gives beside points, checked at the counter, never beyond its capacity."""

import datetime as dt
import threading
from typing import Any
from uuid import UUID

import pytest

import ledger
from merchants import benefits, safety, standing
from tests.world import World

NAMES = {"fa": "مجله", "en": "Magazine"}


@pytest.fixture
def town(world: World) -> World:
    for name in ("cafe", "gym"):
        world.shop(name)
    for name in ("ann", "bob", "eve"):
        world.member(name)
    return world


def opened(world: World, at: str = "cafe", **more: Any) -> benefits.Entitlement:
    period = more.pop("per_period", None)
    limits = {name: more.pop(name, None) for name in ("total", "per_day", "per_member")}
    tiers = more.pop("tiers", ())
    who = more.pop("who", "tiers" if tiers else "everybody")
    done = world.do(
        "entitlement",
        benefits.NewEntitlement(
            world.shops[at],
            "magazine",
            NAMES,
            who,
            tuple(tiers),
            benefits.Capacity(**limits, per_period=period),
            **more,
        ),
        principal=world.shops[at],
    )
    assert isinstance(done, benefits.EntitlementDone)
    return done.entitlement


_references = iter(range(10_000))


def use_of(
    world: World, of: benefits.Entitlement, member: str, reference: str | None = None
) -> benefits.UseEntitlement:
    at = next(name for name, id in world.shops.items() if id == of.merchant_id)
    reference = reference or f"U-{next(_references)}"
    return benefits.UseEntitlement(of.merchant_id, of.id, world.branches[at], reference, world.members[member])


def use(world: World, of: benefits.Entitlement, member: str, **more: Any) -> benefits.UseDone:
    done = world.do("entitlement_use", use_of(world, of, member), principal=of.merchant_id, **more)
    assert isinstance(done, benefits.UseDone)
    return done


def refused(world: World, of: benefits.Entitlement, member: str) -> tuple[str, str]:
    """The code and the sentence of the refusal of a use."""
    decision = world.ask("entitlement_use", use_of(world, of, member), principal=of.merchant_id).decision
    assert isinstance(decision, ledger.Refusal), decision
    return decision.code, decision.detail


def void(world: World, done: benefits.UseDone) -> benefits.UseDone:
    voided = world.do("entitlement_use_void", benefits.VoidUse(done.use.merchant_id, done.use.id))
    assert isinstance(voided, benefits.UseDone)
    return voided


def test_it_is_used_as_often_as_there_is_room(town: World) -> None:
    magazine = opened(town, total=3, per_member=2)
    assert [use(town, magazine, "ann").left for _ in range(2)] == [1, 0]
    assert refused(town, magazine, "ann") == ("limit_exceeded", "uses of a member: 3 asked, 2 allowed")
    last = use(town, magazine, "bob")
    assert last.left == 0
    assert refused(town, magazine, "eve") == ("limit_exceeded", "uses in total: 4 asked, 3 allowed")
    assert void(town, last).left == 1
    assert use(town, magazine, "eve").left == 0
    assert town.refusal("entitlement_use_void", benefits.VoidUse(magazine.merchant_id, last.use.id)) == "state_conflict"
    assert town.audit() == []


def test_days_and_periods_begin_where_the_network_is(town: World) -> None:
    daily = opened(town, per_day=2)
    monthly = opened(town, per_period=benefits.PerPeriod(1, "month"))
    first = use(town, daily, "ann")
    use(town, daily, "bob")
    use(town, monthly, "ann")
    assert refused(town, daily, "eve")[1].startswith("uses a day")
    assert refused(town, monthly, "ann")[1].startswith("uses of a member in a period")
    use(town, monthly, "bob")
    town.later(days=1)
    use(town, daily, "eve")
    void(town, first)  # of yesterday: no place of today's
    use(town, daily, "eve")
    assert refused(town, daily, "eve")[0] == "limit_exceeded"
    assert refused(town, monthly, "ann")[0] == "limit_exceeded"
    town.advance(dt.datetime(2017, 2, 1, tzinfo=dt.UTC))
    use(town, monthly, "ann")
    assert town.audit() == []


@pytest.mark.row("C7")
def test_it_is_for_tiers_or_for_whom_it_is_granted(town: World) -> None:
    gold = {"id": "gold", "name": NAMES, "requires": {"all": {"spend_minor": 1_000}}}
    period = {"calendar": "gregorian", "length": "month"}
    town.do("ladder", standing.NewLadder(None, {"period": period, "tiers": [gold]}))
    lounge = opened(town, tiers=["gold"])
    assert refused(town, lounge, "ann")[0] == "state_conflict"
    town.sale("ann", "gym", 1_000)
    town.later(minutes=1)
    assert use(town, lounge, "ann").left is None
    tasting = opened(town, who="granted", total=5)
    assert refused(town, tasting, "bob") == (
        "state_conflict",
        "the member is without a grant of this that lives and is not used up",
    )
    ends = town.book.now + dt.timedelta(days=2)
    asked = benefits.GrantEntitlement(tasting.merchant_id, tasting.id, town.members["bob"], 1, ends)
    town.do("entitlement_grant", asked)
    more = town.do(
        "entitlement_grant", benefits.GrantEntitlement(tasting.merchant_id, tasting.id, town.members["bob"], 3)
    )
    done = use(town, tasting, "bob")
    assert (done.left, done.use.grant_id == more.grant.id) == (3, False), "the grant that ends first"
    void(town, done)
    town.advance(ends)
    assert use(town, tasting, "bob").left == 2
    town.do("entitlement_grant_end", benefits.EndGrant(tasting.merchant_id, more.grant.id))
    assert refused(town, tasting, "bob")[0] == "state_conflict"
    assert town.audit() == []


def test_what_is_refused_in_its_order(town: World) -> None:
    magazine = opened(town, total=1)
    good = use_of(town, magazine, "ann", "taken")
    nobody = UUID(int=7)

    def asked(**changes: Any) -> str:
        facts = {name: getattr(good, name) for name in good.__slots__} | changes
        return town.refusal("entitlement_use", benefits.UseEntitlement(**facts))

    assert asked(merchant_id=town.shops["gym"]) == "not_found", "another shop's"
    assert asked(entitlement_id=nobody) == "not_found"
    assert asked(branch_id=town.branches["gym"]) == "not_found"
    assert asked(member_id=nobody) == "not_found"
    assert asked(member_id=None, member_number="123") == "not_found"
    late = opened(town, begins_at=town.book.now + dt.timedelta(days=1))
    assert refused(town, late, "ann") == ("state_conflict", "the entitlement is not yet begun")
    short = opened(town, ends_at=town.book.now + dt.timedelta(hours=1))
    town.later(hours=1)
    assert refused(town, short, "ann") == ("state_conflict", "the entitlement is over")
    town.freeze("bob")
    assert refused(town, magazine, "bob")[0] == "spend_locked"
    town.do("entitlement_use", good)
    assert asked() == "duplicate_reference"
    assert asked(external_reference="other") == "limit_exceeded"
    cafe = town.shops["cafe"]
    town.do("merchant_suspend", safety.Act(cafe, town.operator, "-"))
    assert refused(town, magazine, "eve")[0] == "merchant_suspended"
    town.do("merchant_resume", safety.Act(cafe, town.operator, "-"))
    town.do("entitlement_end", benefits.EndEntitlement(cafe, magazine.id))
    assert refused(town, magazine, "eve") == ("state_conflict", "the entitlement is ended")
    assert town.refusal("entitlement_end", benefits.EndEntitlement(cafe, magazine.id)) == "state_conflict"
    grant = benefits.GrantEntitlement(cafe, late.id, town.members["eve"])
    assert town.refusal("entitlement_grant", grant) == "state_conflict"


def test_sent_again_nothing_is_used_twice(town: World) -> None:
    magazine = opened(town, total=5)
    asked = use_of(town, magazine, "ann")
    first = town.ask("entitlement_use", asked, key="a-key-of-one-use-only")
    again = town.ask("entitlement_use", asked, key="a-key-of-one-use-only")
    assert (again.replayed, again.body) == (True, first.body)
    assert town.rows("select used from merchants.entitlement") == [(1,)]


@pytest.mark.row("C7")
def test_of_two_tills_that_race_for_the_last_place_one_wins(town: World) -> None:
    other = World.__new__(World)
    other.house = type(town.house).open(town.url, b"s" * 32)
    outcomes: list[ledger.Outcome] = []
    try:
        places = [opened(town, total=3) for _ in range(3)]
        tills = []
        start = threading.Barrier(8)
        for n in range(8):
            house = (town.house, other.house)[n % 2]
            requests = [town.request("entitlement_use", use_of(town, place, "ann")) for place in places]
            # sales between them: what trade locks and what this room locks never wait for each other in a circle
            requests.insert(n % 4, town.request("sale", town.sale_of("ann", "cafe", 100)))

            def till(house: Any = house, requests: list[ledger.Request] = requests) -> None:
                start.wait()
                outcomes.extend(house.committer.post_all(requests))

            tills.append(threading.Thread(target=till))
        for each in tills:
            each.start()
        for each in tills:
            each.join()
    finally:
        other.house.close()
    codes = [getattr(outcome.decision, "code", "done") for outcome in outcomes]
    assert (codes.count("done"), codes.count("limit_exceeded")) == (8 + 9, 15)
    assert town.rows("select used from merchants.entitlement") == [(3,), (3,), (3,)]
    assert town.audit() == []
