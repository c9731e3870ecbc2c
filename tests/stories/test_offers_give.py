"""Launched offers give points: to whom they are for, out of their budget, within their caps, and to nobody held out."""

import contextlib
import dataclasses
import datetime as dt
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import ledger
from deploy.house import House
from merchants import contracts, insight, offers, people, programme, safety, standing, trade
from tests.audit.story import window
from tests.facts import faults
from tests.world import SPEND_KEY, World

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


def drafted(world: World, at: str = "cafe", *, as_drawn: bool = False, **more: Any) -> offers.Offer:
    """A draft by whose salt, unless it may be `as_drawn`, somebody is held out and two are in its first variant."""
    command = offers.NewOffer(world.shops[at], design(**more))
    while True:
        offer = world.do("offer_draft", command, principal=world.shops[at]).offer
        assert isinstance(offer, offers.Offer)
        members = command.design.members or tuple(world.members.values())
        drawn = Counter(offers.assigning.arm(offer.salt, offer.arms, member) for member in members)
        held = drawn["holdout"] or command.design.holdout_ppm < 100_000
        if as_drawn or (held and all(drawn[v.name] >= 2 for v in command.design.variants)):
            return offer


def launched(world: World, at: str = "cafe", **more: Any) -> offers.Offer:
    return launch(world, drafted(world, at, **more))


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


def act(world: World, kind: str, subject: str) -> None:
    at = world.shops.get(subject) or world.members[subject]
    world.do(kind, safety.Act(at, world.operator, "a story"))


def fund(world: World, offer: offers.Offer, by: str) -> None:
    world.do("offer_fund", offers.FundOffer(world.shops[by], offer.id), principal=world.shops[by])


def launch(world: World, offer: offers.Offer) -> offers.Offer:
    done = world.do("offer_launch", offers.LaunchOffer(offer.merchant_id, offer.id), principal=offer.merchant_id)
    assert isinstance(done, offers.OfferDone)
    return done.offer


def activate(world: World, offer: offers.Offer, member: str) -> ledger.Outcome:
    command = trade.ActivateOffer(world.members[member], offer.id)
    return world.ask("offer_activate", command, principal=world.members[member])


@pytest.fixture
def town(world: World) -> Iterator[World]:
    """A cafe on credit and a bookshop; twelve people; all proven after each story."""
    world.shop("cafe")
    world.shop("books", mode="prefunded", bought=2_000)
    for i in range(12):
        world.member(f"m{i}")
    yield world
    assert faults(world) == set()
    assert world.audit() == []


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


def test_what_is_left_of_a_budget_comes_back_when_the_offer_ends(town: World) -> None:
    offer = launched(town, ends_at=town.book.now + dt.timedelta(days=2))
    assert (town.account("credit", "cafe"), budget(town, offer)) == (-1_000, 1_000)
    (someone, *_) = arms(town, offer)["double"]
    town.sale(someone, "cafe", 1_000)
    town.later(days=3)
    assert (town.account("credit", "cafe"), budget(town, offer)) == (-30, 0)
    assert town.sale(someone, "cafe", 1_000).bonuses == ()


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


def for_two(world: World, **more: Any) -> offers.Offer:
    """An offer for the first two members, of whom none is held out."""
    members = tuple(world.members[name] for name in ("m0", "m1"))
    variants = (offers.Variant("double", 990_000, DOUBLE),)
    return launched(world, audience="list", members=members, holdout_ppm=10_000, variants=variants, **more)


def test_caps_hold_by_member_by_day_and_in_all(town: World) -> None:
    table: list[tuple[dict[str, Any], list[int]]] = [
        ({"per_member": offers.Cap(times=1)}, [20, 0, 20, 0]),
        ({"per_member": offers.Cap(points=30)}, [20, 0, 20, 0]),
        ({"per_day": offers.Cap(times=1)}, [20, 0, 0, 20]),
        ({"per_day": offers.Cap(points=39)}, [20, 0, 0, 20]),
        ({"total_times": 3}, [20, 20, 20, 0]),
        ({"budget_minor": 59}, [20, 20, 0, 0]),
    ]
    made = [for_two(town, **caps) for caps, _ in table]
    done = [town.sale(name, "cafe", 1_000) for name in ("m0", "m0", "m1")]
    town.later(days=1)
    done.append(town.sale("m1", "cafe", 1_000))
    for offer, (caps, expected) in zip(made, table, strict=True):
        told = [bonus for sale in done for bonus in sale.bonuses if bonus.giver_id == offer.id]
        assert [bonus.points for bonus in told] == expected, caps
        why = {bonus.refused for bonus in told} - {None}
        assert why == {"budget_too_small" if "budget_minor" in caps else "cap_reached"}
    assert {sale.points - sum(points for points, _ in gifts(sale)) for sale in done} == {10}


def test_a_variant_gives_until_its_own_deadline(town: World) -> None:
    now, day = town.book.now, dt.timedelta(days=1)
    variants = (
        offers.Variant("open", 450_000, DOUBLE),
        offers.Variant("hurry", 450_000, {"points": 3, "per_minor": 100}, now + 2 * day),
    )
    offer = launched(town, holdout_ppm=100_000, variants=variants, begins_at=now + day)
    there = arms(town, offer)
    given = {"open": [], "hurry": []}  # type: dict[str, list[int]]
    for _ in range(3):
        for arm, told in given.items():
            told.append(sum(points for name in there[arm][:1] for points, _ in gifts(town.sale(name, "cafe", 1_000))))
        town.later(days=1)
    assert given == {"open": [0, 20, 20], "hurry": [0, 30, 0]}


def test_rules_of_the_long_form_look_at_what_was_bought_before(town: World) -> None:
    second = {"id": "second", "effect": {"points": 40}, "when": {"visits": {"days": 7, "every": 2}}}
    offer = launched(town, variants=(offers.Variant("again", 500_000, {"rules": [second]}),))
    there = arms(town, offer)
    for name, expected in ((there["again"][0], [[], [(40, None)], []]), (there["holdout"][0], [[], [], []])):
        assert [gifts(town.sale(name, "cafe", 1_000)) for _ in range(3)] == expected


def test_who_is_suspended_or_frozen_and_who_left(town: World) -> None:
    sponsor = town.sponsor("dairy")
    offer = drafted(town, by="sponsor", sponsor=sponsor)
    fund(town, offer, "dairy")
    launch(town, offer)
    one, other, *_ = arms(town, offer)["double"]
    act(town, "merchant_suspend", "dairy")
    assert gifts(town.sale(one, "cafe", 1_000)) == [(0, "merchant_suspended")]
    act(town, "merchant_resume", "dairy")
    act(town, "merchant_suspend", "cafe")
    assert gifts(town.sale(one, "cafe", 1_000)) == []
    act(town, "merchant_resume", "cafe")
    town.freeze(one)
    assert gifts(town.sale(one, "cafe", 1_000)) == [(20, None)], "a frozen member earns, and spends nothing"
    with town.house.db.tx("door") as tx:
        tx.execute("update merchants.member set state = 'left' where id = %s", [town.members[other]])
    assert town.refusal("sale", town.sale_of(other, "cafe", 1_000), principal=town.shops["cafe"]) == "not_found"
    assert activate(town, offer, other).status == 400


def test_a_velocity_limit_stops_gifts_with_everything_else_and_counts_them_to_no_cap(town: World) -> None:
    offer = launched(town, per_member=offers.Cap(times=1))
    (one, *_) = arms(town, offer)["double"]
    limits = (safety.Limit("member", "earn_points", 60, 25),)
    town.do("velocity_limits", safety.NewLimits(town.operator, limits))
    done = town.sale(one, "cafe", 1_000)
    assert (done.points, done.refused, gifts(done)) == (0, "velocity_limit", [(0, "velocity_limit")])
    assert gifts(town.sale(one, "cafe", 500)) == [(10, None)]
    assert budget(town, offer) == 990


def test_the_network_forbids_in_offers_what_it_forbids_in_terms(town: World) -> None:
    town.do("rule_policy", contracts.RulePolicy(largest_share_ppm=10_000))
    offer = drafted(town)
    refused = town.ask("offer_launch", offers.LaunchOffer(offer.merchant_id, offer.id), principal=offer.merchant_id)
    assert isinstance(refused.decision, ledger.Refusal)
    assert (refused.decision.code, refused.decision.pointer) == ("validation_failed", "/variants/0/rules/points")


# -- budgets


def test_a_budget_takes_what_the_shop_may_issue_and_no_more(town: World) -> None:
    for shop, home, most in (("cafe", "credit", 1_000_000), ("books", "pool", 2_000)):
        _takes(town, shop, home, most)


def _takes(town: World, shop: str, home: str, most: int) -> None:
    too_much = drafted(town, shop, budget_points=most + 1)
    command = offers.LaunchOffer(too_much.merchant_id, too_much.id)
    assert town.refusal("offer_launch", command, principal=too_much.merchant_id) == "limit_exceeded"
    before = town.account(home, shop)
    offer = launched(town, shop, budget_points=2_000, budget_minor=1_500)
    assert (budget(town, offer), town.account(home, shop)) == (1_500, before - 1_500)
    more = offers.ChangeOfferBudget(offer.merchant_id, offer.id, 1)
    assert town.refusal("offer_budget", more, principal=offer.merchant_id) == "limit_exceeded", (
        "worth more than it may be"
    )
    others = dataclasses.replace(more, merchant_id=town.shops["books" if shop == "cafe" else "cafe"])
    assert town.refusal("offer_budget", others) == "not_found"
    town.do("offer_end", offers.EndOffer(offer.merchant_id, offer.id), principal=offer.merchant_id)
    assert (budget(town, offer), town.account(home, shop)) == (0, before)
    assert town.refusal("offer_budget", more, principal=offer.merchant_id) == "state_conflict"


def test_an_offer_without_a_budget_gives_nothing_and_is_measured_all_the_same(town: World) -> None:
    made = offers.Design("measured", "all", 500_000, (offers.Variant("double", 500_000, DOUBLE),))
    offer = town.do("offer_draft", offers.NewOffer(town.shops["cafe"], made), principal=town.shops["cafe"]).offer
    launch(town, offer)
    assert {town.sale(name, "cafe", 1_000).bonuses for name in town.members} == {()}


def test_a_refund_takes_its_share_back_to_whoever_gave_it_and_gives_no_cap_back(town: World) -> None:
    offer = launched(town, "books", per_member=offers.Cap(times=1))
    one, other, *_ = arms(town, offer)["double"]
    sold = town.sale(one, "books", 10_000)
    assert (sold.points, town.account("pool", "books")) == (300, 2_000 - 1_000 - 100)
    done = town.refund(sold, 5_000)
    assert [(part.points, part.returned) for part in done.parts] == [(50, 50), (100, 100)]
    assert (town.account("pool", "books"), budget(town, offer)) == (900 + 150, 800)
    assert gifts(town.sale(one, "books", 1_000)) == [(0, "cap_reached")]
    spent = town.sale(other, "books", 10_000)
    town.redeem(other, "cafe", 250)
    assert [(p.returned, p.owed) for p in town.refund(spent).parts] == [(0, 100), (50, 150)]
    assert town.owed(other, "books") == 250


# -- whose points


def test_a_sponsor_agrees_to_the_draft_that_is_launched_and_pays_for_it_wherever_it_is_spent(town: World) -> None:
    sponsor = town.sponsor("dairy", mode="prefunded", bought=500)
    cafe = town.shops["cafe"]
    offer = drafted(town, by="sponsor", sponsor=sponsor, budget_points=400)
    command = offers.LaunchOffer(cafe, offer.id)
    assert town.refusal("offer_launch", command, principal=cafe) == "state_conflict", "nobody agreed"
    for stranger in ("cafe", "books"):
        assert town.refusal("offer_fund", offers.FundOffer(town.shops[stranger], offer.id)) == "not_found"
    fund(town, offer, "dairy")
    with town.house.db.tx("door") as tx:
        wanted = design(by="sponsor", sponsor=sponsor, budget_points=401)
        changed = offers.change(tx, town.book, cafe, offer.id, wanted, programme.faults)
    assert isinstance(changed, offers.Offer)
    assert town.refusal("offer_launch", command, principal=cafe) == "state_conflict", "it agreed to another"
    fund(town, offer, "dairy")
    launch(town, offer)
    assert (budget(town, changed), town.account("pool", "dairy")) == (401, 99)
    (one, *_) = arms(town, offer)["double"]
    sold = town.sale(one, "cafe", 10_000)
    assert [(bonus.issuer_id, bonus.points) for bonus in sold.bonuses] == [(sponsor, 200)]
    town.redeem(one, "books", 300)
    window(town, 1)
    owed = town.rows(
        "select debtor_id, creditor_id, points from settlement.bilateral where points <> 0 order by points"
    )
    assert owed == [(cafe, town.shops["books"], 100), (sponsor, town.shops["books"], 200)]
    more = offers.ChangeOfferBudget(cafe, offer.id, 5)
    assert town.refusal("offer_budget", more, principal=cafe) == "not_found", "the dairy's budget is the dairy's"


def test_the_network_gives_where_it_issues_and_is_not_there_where_it_does_not(town: World) -> None:
    wanted = offers.NewOffer(town.shops["cafe"], design(by="network"))
    assert town.refusal("offer_draft", wanted) == "not_found"
    town.sponsor("network", kind="network", line=1_000)
    offer = drafted(town, by="network")
    command = offers.LaunchOffer(offer.merchant_id, offer.id)
    assert town.refusal("offer_launch", command, principal=offer.merchant_id) == "state_conflict"
    fund(town, offer, "network")
    launch(town, offer)
    (one, *_) = arms(town, offer)["double"]
    assert town.sale(one, "cafe", 1_000).bonuses[0].issuer_id == town.shops["network"]


def test_what_is_wrong_with_an_offers_giving(town: World) -> None:
    table: list[tuple[dict[str, Any], str]] = [
        ({"by": "me"}, "/funding/by"),
        ({"by": "sponsor"}, "/funding/sponsor"),
        ({"budget_points": -1}, "/budget_points"),
        ({"budget_minor": 0}, "/budget_minor"),
        ({"per_member": offers.Cap(times=0)}, "/caps/per_member/times"),
        ({"per_day": offers.Cap(points=0)}, "/caps/per_day/points"),
        ({"total_times": 0}, "/caps/total/times"),
        ({"activation": "later"}, "/activation"),
    ]
    for wrong, at in table:
        refused = town.ask("offer_draft", offers.NewOffer(town.shops["cafe"], design(**wrong))).decision
        assert isinstance(refused, ledger.Refusal)
        assert (refused.code, refused.pointer) == ("validation_failed", at)


# -- activating


def test_an_offer_to_be_activated_gives_only_those_who_did(town: World) -> None:
    offer = launched(town, activation="activate")
    there = arms(town, offer)
    one, other, *_ = there["double"]
    assert gifts(town.sale(one, "cafe", 1_000)) == []
    assert activate(town, offer, one).status == 200
    assert activate(town, offer, one).status == 200
    assert gifts(town.sale(one, "cafe", 1_000)) == [(20, None)]
    assert gifts(town.sale(other, "cafe", 1_000)) == []
    assert town.rows("select count(*) from ledger.record where kind = 'offer_activated'") == [(1,)]
    town.freeze(other)
    codes = {}
    town.member("late")
    for name in (there["holdout"][0], "late", other):
        refused = activate(town, offer, name).decision
        assert isinstance(refused, ledger.Refusal)
        codes[name] = refused.code
    assert codes == {there["holdout"][0]: "not_found", "late": "not_found", other: "spend_locked"}
    auto = launched(town)
    refused = activate(town, auto, arms(town, auto)["double"][0]).decision
    assert isinstance(refused, ledger.Refusal)
    assert refused.code == "state_conflict"
    town.do("offer_end", offers.EndOffer(offer.merchant_id, offer.id), principal=offer.merchant_id)
    assert activate(town, offer, one).status == 400


def test_a_quote_tells_what_a_sale_then_gives(town: World) -> None:
    offer = launched(town, budget_points=25, per_member=offers.Cap(times=1))
    there = arms(town, offer)
    for name in (there["double"][0], there["double"][0], there["double"][1], there["holdout"][0]):
        with town.house.db.tx("door") as tx:
            book = ledger.read_book(tx, town.book_id)
            network = town.house.networks.of(tx, book)
            member = people.find(tx, book, id=town.members[name])
            quoted = trade.quote(tx, book, network, town.shops["cafe"], (), ledger.Minor(1_000), member)
        bought = town.sale(name, "cafe", 1_000)
        assert quoted.points == bought.points
        assert [(b.giver_id, b.variant, b.points, b.refused) for b in quoted.bonuses] == [
            (b.giver_id, b.variant, b.points, b.refused) for b in bought.bonuses
        ]


# -- to whom


def _regulars(town: World) -> offers.Design:
    with town.house.db.tx("door") as tx:
        scope = insight.Scope(town.book, town.shops["cafe"])
        saved = insight.save(tx, scope, "regulars", {"measure": "purchases", "at_least": 2})
    assert isinstance(saved, insight.Saved)
    return design(audience="segment", chosen=offers.Chosen(saved.id))


def _golden(town: World) -> offers.Design:
    tier = {"id": "gold", "name": {"en": "Gold", "fa": "طلایی"}, "requires": {"all": {"visits": 2}}}
    spec = {"period": {"calendar": "gregorian", "length": "month"}, "tiers": [tier]}
    town.do("ladder", standing.NewLadder(town.shops["cafe"], spec))
    town.advance(town.book.now)
    return design(audience="tier", chosen=offers.Chosen(tiers=("gold",)))


def test_an_audience_by_segment_or_tier_is_who_was_in_it_at_the_launch(town: World) -> None:
    for name in ("m1", "m2", "m3"):
        town.sale(name, "cafe", 1_000)
        town.sale(name, "cafe", 1_000)
    town.sale("m4", "cafe", 1_000)
    town.sale("m5", "books", 1_000)
    town.sale("m5", "books", 1_000)
    cafe, books = town.shops["cafe"], town.shops["books"]
    designs = [_regulars(town), _golden(town)]
    town.freeze("m3")
    made = [town.do("offer_draft", offers.NewOffer(cafe, wanted), principal=cafe).offer for wanted in designs]
    for offer in made:
        launch(town, offer)
    town.sale("m4", "cafe", 1_000)
    for offer in made:
        assert sorted(name for names in arms(town, offer).values() for name in names) == ["m1", "m2"]
    for wanted in designs:
        assert town.refusal("offer_draft", offers.NewOffer(books, wanted), principal=books) == "not_found"


# -- many at once, and again


def test_caps_and_budgets_hold_with_two_gateways_and_eight_tills(town: World) -> None:
    table: list[tuple[dict[str, Any], dict[str | None, int]]] = [
        ({"per_member": offers.Cap(times=1)}, {None: 2, "cap_reached": 38}),
        ({"per_day": offers.Cap(times=7)}, {None: 7, "cap_reached": 33}),
        ({"total_times": 5}, {None: 5, "cap_reached": 35}),
        ({"budget_points": 130}, {None: 6, "budget_too_small": 34}),
    ]
    made = [for_two(town, **caps) for caps, _ in table]
    asked = [
        town.request("sale", town.sale_of(name, "cafe", 1_000), principal=town.shops["cafe"])
        for _ in range(20)
        for name in ("m0", "m1")
    ]
    with contextlib.closing(House.open(town.url, SPEND_KEY)) as other, ThreadPoolExecutor(8) as threads:
        committers = (town.house.committer, other.committer)
        outcomes = list(threads.map(lambda i: committers[i % 2].post(asked[i]), range(len(asked))))
    values = [outcome.decision.value for outcome in outcomes if isinstance(outcome.decision, ledger.Accepted)]
    assert len(values) == len(asked), "no sale is refused"
    bonuses = [bonus for value in values for bonus in value.bonuses]
    for offer, (caps, told) in zip(made, table, strict=True):
        assert Counter(bonus.refused for bonus in bonuses if bonus.giver_id == offer.id) == told, caps
        given = town.rows("select sum(points)::int from ledger.lot where rule_id = %s", offer.id)
        assert given == [(20 * told[None],)]


def test_what_is_sent_again_changes_nothing(town: World) -> None:
    offer = drafted(town, activation="activate")
    launching = offers.LaunchOffer(offer.merchant_id, offer.id)
    first, again = (town.ask("offer_launch", launching, key="launch-it-once-only") for _ in range(2))
    assert (first.body, again.replayed) == (again.body, True)
    (one, *_) = arms(town, offer)["double"]
    activating = trade.ActivateOffer(town.members[one], offer.id)
    more = offers.ChangeOfferBudget(offer.merchant_id, offer.id, 50)
    for kind, command in (
        ("offer_activate", activating),
        ("sale", town.sale_of(one, "cafe", 1_000)),
        ("offer_budget", more),
    ):
        first, again = (town.ask(kind, command, key=f"only-once-{kind}") for _ in range(2))
        assert (first.status, first.body, again.replayed) == (200, again.body, True)
    assert (budget(town, offer), town.balance(one)) == (1_030, 30)


def test_whatever_the_shares_the_caps_and_the_budget_nobody_held_out_gets_a_point(town: World) -> None:
    drawn = random.Random(7)
    made = []
    for _ in range(6):
        holdout = drawn.randrange(10_000, 900_000)
        first = drawn.randrange(1, 1_000_000 - holdout)
        variants = (
            offers.Variant("one", first, {"points": drawn.randrange(1, 4), "per_minor": 100}),
            offers.Variant("two", 1_000_000 - holdout - first, DOUBLE),
        )
        made.append(
            launched(
                town,
                as_drawn=True,
                audience="list",
                members=tuple(drawn.sample(sorted(town.members.values()), 9)),
                holdout_ppm=holdout,
                variants=variants,
                budget_points=drawn.randrange(0, 200),
                per_member=offers.Cap(drawn.choice([None, 1, 2])),
                activation=drawn.choice(["auto", "activate"]),
            )
        )
    for name in town.members:
        for offer in made:
            if drawn.random() < 0.5:
                activate(town, offer, name)
        for _ in range(2):
            town.sale(name, "cafe", drawn.randrange(50, 5_000))
    held = {
        (offer.id, member)
        for offer in made
        for member in town.members.values()
        if offers.assigning.share(offer.salt, member) < offer.design.holdout_ppm
    }
    given = set(town.rows("select rule_id, member_id from ledger.lot where rule_id = any(%s)", [o.id for o in made]))
    assert held
    assert given
    assert not held & given
    told = town.rows(
        "select (b ->> 'offer')::uuid, member_id from ledger.record, jsonb_array_elements(payload -> 'bonuses') b"
        " where kind = 'sale'"
    )
    assert not held & set(told)
