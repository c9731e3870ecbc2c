"""Tiers: a ladder comes into force, members climb it by what they buy and fall from it by time; some are put on it by hand."""

import datetime as dt
import threading
from typing import Any
from uuid import UUID

import pytest

import ledger
from merchants import standing
from tests.world import BEGINNING, World

NAMES = {"fa": "نام", "en": "name"}
MONTHLY = {"calendar": "gregorian", "length": "month"}
SILVER = {"id": "silver", "name": NAMES, "requires": {"all": {"spend_minor": 10_000}}}
GOLD = {"id": "gold", "name": NAMES, "requires": {"any": {"spend_minor": 50_000, "visits": 6}}}
VIP = {"id": "vip", "name": NAMES}


def ladder(world: World, at: str | None = None, *tiers: Any, **more: Any) -> standing.LadderDone:
    spec = {"period": MONTHLY, "tiers": list(tiers or (SILVER, GOLD, VIP)), **more}
    done = world.do("ladder", standing.NewLadder(world.shops[at] if at else None, spec))
    assert isinstance(done, standing.LadderDone)
    return done


def by_hand(world: World, member: str, tier: str | None, ends: dt.datetime | None = None, at: str | None = None) -> Any:
    owner = world.shops[at] if at else None
    return world.do(
        "tier_by_hand", standing.PutByHand(owner, world.members[member], tier, "a friend of the house", ends)
    )


def look(world: World) -> None:
    """Do what is due now."""
    world.advance(world.book.now)


def tiers(world: World, member: str, at: str | None = None) -> list[tuple[str | None, dt.datetime, str]]:
    """The history of a member's tiers, as it was told."""
    look(world)
    return [
        (row[0], row[1], row[2])
        for row in world.rows(
            "select tier, since, by from merchants.tier_held where member_id = %s and owner_id = %s order by since, batch_id, n",
            world.members[member],
            world.shops[at] if at else world.public_id,
        )
    ]


def tier(world: World, member: str, at: str | None = None) -> str | None:
    look(world)
    with world.house.db.tx("door") as tx:
        versions = standing.LaddersCache().of(tx, world.book)
        found = standing.tiers_of(tx, world.book, versions, list(world.members.values()))
    return found.at(world.shops[at] if at else UUID(int=0), world.members[member])


@pytest.fixture
def town(world: World) -> World:
    for name in ("cafe", "gym"):
        world.shop(name)
    for name in ("ann", "bob"):
        world.member(name)
    return world


@pytest.mark.row("B9")
def test_members_climb_by_what_they_buy_and_fall_with_time(town: World) -> None:
    ladder(town)
    first = town.sale("ann", "cafe", 6_000)
    assert tier(town, "ann") is None
    town.later(days=1)
    second = town.sale("ann", "gym", 4_000)
    assert tiers(town, "ann") == [("silver", second.at, "rule")]
    town.sale("bob", "gym", 60_000)
    assert (tier(town, "ann"), tier(town, "bob")) == ("silver", "gold")
    assert town.rows("select since from merchants.standing where member_id = %s", town.members["ann"]) == [(second.at,)]
    town.refund(first, 1)
    assert tiers(town, "ann")[1:] == [(None, town.book.now, "rule")], "what is given back never counted"
    town.advance(BEGINNING + dt.timedelta(days=90))
    assert tiers(town, "bob")[1:] == [(None, dt.datetime(2017, 3, 1, tzinfo=dt.UTC), "rule")]
    assert town.audit() == []


def test_each_shop_has_its_own_ladder_and_the_networks_counts_elsewhere(town: World) -> None:
    ladder(town)
    ladder(town, "cafe", {**SILVER, "id": "friend", "requires": {"any": {"points_earned": 5}}})
    town.sale("ann", "cafe", 20_000)
    town.sale("bob", "gym", 20_000)
    assert (tier(town, "ann", "cafe"), tier(town, "ann", "gym")) == ("friend", "silver")
    assert (tier(town, "bob", "cafe"), tier(town, "bob", "gym")) == (None, "silver")


def test_what_was_bought_before_counts_in_its_period_but_no_tier_begins_before_the_ladder(town: World) -> None:
    town.sale("ann", "cafe", 20_000)
    town.later(days=2)
    done = ladder(town)
    assert tiers(town, "ann") == [("silver", done.row.at, "ladder")]
    town.later(days=1)
    stricter = ladder(town, None, {**SILVER, "requires": {"all": {"visits": 9}}}, when_changed="fall")
    assert tiers(town, "ann")[1:] == [(None, stricter.row.at, "ladder")]
    again = ladder(town)
    assert tiers(town, "ann")[2:] == [("silver", again.row.at, "ladder")]
    town.later(days=1)
    ladder(town, None, {**SILVER, "requires": {"all": {"visits": 9}}})
    assert tier(town, "ann") == "silver", "who stands higher by the one before keeps it until the month is over"
    town.advance(dt.datetime(2017, 2, 1, tzinfo=dt.UTC))
    assert tiers(town, "ann")[3:] == [(None, dt.datetime(2017, 2, 1, tzinfo=dt.UTC), "rule")]
    ladder(town, None, when_changed="fall")
    town.do("ladder", standing.NewLadder(None, {"period": MONTHLY, "tiers": []}))
    assert tier(town, "ann") is None
    assert town.audit() == []


def test_by_hand_beats_the_rule_until_it_ends(town: World) -> None:
    ladder(town)
    ends = town.book.now + dt.timedelta(days=5)
    done = by_hand(town, "ann", "vip", ends)
    assert tiers(town, "ann") == [("vip", done.act.at, "hand")]
    town.sale("ann", "cafe", 20_000)
    assert tier(town, "ann") == "vip"
    town.advance(ends)
    assert tiers(town, "ann")[1:] == [("silver", ends, "rule")]
    by_hand(town, "ann", "vip")
    assert tier(town, "ann") == "vip"
    by_hand(town, "ann", None)
    assert tier(town, "ann") == "silver"
    assert town.audit() == []


def test_a_company_climbs_with_its_own_wallet_and_only_where_the_ladder_is_for_companies(town: World) -> None:
    town.member("firm", kind="legal")
    ladder(town, kinds=["natural"])
    ladder(town, "gym", kinds=["legal"])
    town.sale("firm", "gym", 20_000)
    town.sale("ann", "gym", 20_000)
    assert (tier(town, "firm", "cafe"), tier(town, "firm", "gym")) == (None, "silver")
    assert (tier(town, "ann", "cafe"), tier(town, "ann", "gym")) == ("silver", None)
    assert town.refusal("tier_by_hand", standing.PutByHand(None, town.members["firm"], "vip", "no")) == "state_conflict"


def test_no_tier_comes_of_a_balance(town: World) -> None:
    ladder(town)
    town.earn("bob", "cafe", 90)
    town.give("bob", "ann", 90)
    assert tier(town, "ann") is None


def test_what_is_refused_in_its_order(town: World) -> None:
    nobody, ann = UUID(int=5), town.members["ann"]
    good = {"period": MONTHLY, "tiers": [SILVER]}
    for asked, code in (
        (standing.NewLadder(nobody, good), "not_found"),
        (standing.NewLadder(None, {**good, "tiers": [SILVER, SILVER]}), "validation_failed"),
        (standing.PutByHand(None, nobody, "silver", "-"), "not_found"),
        (standing.PutByHand(None, ann, "silver", "-"), "not_found"),
    ):
        assert town.refusal("ladder" if isinstance(asked, standing.NewLadder) else "tier_by_hand", asked) == code
    ladder(town)
    past = town.book.now
    for by in (standing.PutByHand(None, ann, "bronze", "-"), standing.PutByHand(None, ann, "vip", "-", past)):
        assert town.refusal("tier_by_hand", by) == "validation_failed"


def test_a_ladder_is_renewed_so_often_a_day_and_no_more(town: World) -> None:
    for _ in range(20):
        ladder(town)
    again = standing.NewLadder(None, {"period": MONTHLY, "tiers": []})
    assert town.refusal("ladder", again) == "limit_exceeded"
    ladder(town, "cafe")
    town.later(days=1)
    ladder(town)


def test_the_same_request_again_changes_nothing(town: World) -> None:
    ladder(town)
    asked = standing.PutByHand(None, town.members["ann"], "vip", "a friend")
    first = town.ask("tier_by_hand", asked, key="the-same-key-of-a-story")
    again = town.ask("tier_by_hand", asked, key="the-same-key-of-a-story")
    assert (again.replayed, again.body) == (True, first.body)
    assert len(tiers(town, "ann")) == 1


def test_two_processes_that_follow_at_once_count_each_sale_once(town: World) -> None:
    ladder(town)
    other = World.__new__(World)
    other.house = type(town.house).open(town.url, b"s" * 32)
    try:
        for round in range(4):
            for _ in range(8):
                town.sale("ann", "cafe", 900 + round)
            ready = threading.Barrier(2)

            def follow(house: Any, ready: threading.Barrier = ready) -> None:
                ready.wait()
                ledger.jobs.run_due(house.db, house.committer, [standing.JOB], town.book_id)

            threads = [threading.Thread(target=follow, args=[house]) for house in (town.house, other.house)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        other.house.close()
    assert [row[0] for row in tiers(town, "ann")] == ["gold"], "six visits"
    told = town.rows("select count(*) from ledger.record where kind = 'tier_changed'")
    assert told == [(1,)]
    assert town.audit() == []
