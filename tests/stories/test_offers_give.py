"""Launched offers give points: to whom they are for, out of their budget, within their caps, and to nobody held out."""

import dataclasses
import datetime as dt
from typing import Any

import pytest

import ledger
from merchants import offers, trade
from tests.world import World

DOUBLE = {"points": 1, "per_minor": 50}


def design(**more: Any) -> offers.Design:
    wanted: dict[str, Any] = {
        "name": "double points",
        "audience": "all",
        "holdout_ppm": 500_000,
        "variants": (offers.Variant("double", 500_000, DOUBLE),),
    }
    giving = {"budget_points": 1_000}
    for field in dataclasses.fields(offers.Giving):
        if field.name in more:
            giving[field.name] = more.pop(field.name)
    return offers.Design(**wanted | more, giving=offers.Giving(**giving))  # type: ignore[arg-type]


def drafted(world: World, at: str = "cafe", **more: Any) -> offers.Offer:
    done = world.do("offer_draft", offers.NewOffer(world.shops[at], design(**more)), principal=world.shops[at])
    assert isinstance(done, offers.OfferDone)
    return done.offer


def launched(world: World, at: str = "cafe", **more: Any) -> offers.Offer:
    offer = drafted(world, at, **more)
    done = world.do("offer_launch", offers.LaunchOffer(offer.merchant_id, offer.id), principal=offer.merchant_id)
    assert isinstance(done, offers.OfferDone)
    return done.offer


def budget(world: World, offer: offers.Offer) -> int:
    assert offer.funder_id is not None
    name = ledger.budgets.name(offer.funder_id, offer.id)
    with world.house.db.tx("door") as tx:
        return ledger.balances(tx, world.book_id, [name])[name]


def arms(world: World, offer: offers.Offer) -> dict[str, list[str]]:
    """The names of the members in each arm."""
    named = {id: name for name, id in world.members.items()}
    found: dict[str, list[str]] = {"holdout": []}
    for member, arm in world.rows(
        "select member_id, arm from merchants.offer_member where offer_id = %s order by member_id", offer.id
    ):
        found.setdefault(arm, []).append(named[member])
    return found


def gifts(sale: trade.SaleDone) -> list[tuple[int, str | None]]:
    return [(bonus.points, bonus.refused) for bonus in sale.bonuses]


@pytest.fixture
def town(world: World) -> World:
    world.shop("cafe")
    world.shop("books")
    for i in range(12):
        world.member(f"m{i}")
    return world


def test_who_is_in_gets_the_points_and_who_is_held_out_gets_no_trace_of_them(town: World) -> None:
    offer = launched(town)
    town.member("late")
    there = arms(town, offer)
    for name in there["double"]:
        done = town.sale(name, "cafe", 1_000)
        assert (done.points, gifts(done)) == (30, [(20, None)])
        assert (done.bonuses[0].giver_id, done.bonuses[0].variant) == (offer.id, "double")
        assert town.balance(name) == 30
    for name in (*there["holdout"], "late"):
        done = town.sale(name, "cafe", 1_000)
        assert (done.points, done.bonuses) == (10, ())
    assert town.sale(there["double"][0], "books", 1_000).bonuses == ()
    assert budget(town, offer) == 1_000 - 20 * len(there["double"])
    lots = town.rows("select count(*), sum(points) from ledger.lot where rule_id = %s", offer.id)
    assert lots == [(len(there["double"]), 20 * len(there["double"]))]
    assert town.audit() == []


def test_what_is_left_of_a_budget_comes_back_when_the_offer_ends(town: World) -> None:
    offer = launched(town, ends_at=town.book.now + dt.timedelta(days=2))
    assert (town.account("credit", "cafe"), budget(town, offer)) == (-1_000, 1_000)
    (someone, *_) = arms(town, offer)["double"]
    town.sale(someone, "cafe", 1_000)
    town.later(days=3)
    assert (town.account("credit", "cafe"), budget(town, offer)) == (-30, 0)
    assert town.sale(someone, "cafe", 1_000).bonuses == ()
    assert town.audit() == []


def test_a_budget_too_small_refuses_the_gift_and_never_the_sale(town: World) -> None:
    offer = launched(town, budget_points=30)
    one, other, *_ = arms(town, offer)["double"]
    assert gifts(town.sale(one, "cafe", 1_000)) == [(20, None)]
    done = town.sale(other, "cafe", 1_000)
    assert (done.points, gifts(done)) == (10, [(0, "budget_too_small")])
    assert gifts(town.sale(other, "cafe", 500)) == [(10, None)]
    more = offers.ChangeOfferBudget(town.shops["cafe"], offer.id, 45)
    assert town.do("offer_budget", more).budget_points == 45
    assert gifts(town.sale(other, "cafe", 1_000)) == [(20, None)]
    less = dataclasses.replace(more, points=-25)
    assert town.do("offer_budget", less).budget_points == 0
    assert town.refusal("offer_budget", less) == "limit_exceeded"
    assert town.audit() == []


@pytest.mark.parametrize(
    ("caps", "given"),
    [
        ({"per_member": offers.Cap(times=1)}, [20, 0, 20, 0]),
        ({"per_member": offers.Cap(points=30)}, [20, 0, 20, 0]),
        ({"per_day": offers.Cap(times=1)}, [20, 0, 0, 20]),
        ({"per_day": offers.Cap(points=39)}, [20, 0, 0, 20]),
        ({"total_times": 3}, [20, 20, 20, 0]),
        ({"budget_minor": 59}, [20, 20, 0, 0]),
    ],
)
def test_caps_hold_by_member_by_day_and_in_all(town: World, caps: dict[str, Any], given: list[int]) -> None:
    offer = launched(town, **caps)
    one, other, *_ = arms(town, offer)["double"]
    done = [town.sale(name, "cafe", 1_000) for name in (one, one, other)]
    town.later(days=1)
    done.append(town.sale(other, "cafe", 1_000))
    assert [sum(points for points, _ in gifts(sale)) for sale in done] == given
    why = {reason for sale in done for _, reason in gifts(sale)} - {None}
    assert why == {"budget_too_small" if "budget_minor" in caps else "cap_reached"}
    assert {sale.points - sum(p for p, _ in gifts(sale)) for sale in done} == {10}
    assert town.audit() == []
