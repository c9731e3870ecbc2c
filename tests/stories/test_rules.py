"""Rules at the till: what a member bought before counts, exactly, whoever sells at the same time; and a sale says why."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import ledger
from deploy.house import House
from merchants import contracts, people, trade
from tests import unchanged
from tests.world import SPEND_KEY, World


def agree(world: World, shop: str, *rules: dict[str, Any], **more: Any) -> None:
    world.do("terms", contracts.NewTerms(world.shops[shop], {"rules": list(rules), **more}))


def rate(id: str = "base", points: int = 1, per: int = 100, **more: Any) -> dict[str, Any]:
    return {"id": id, "effect": {"rate": {"points": points, "per": per}}, **more}


def fixed(id: str, points: int, **when: Any) -> dict[str, Any]:
    return {"id": id, "effect": {"points": points}, "when": when}


def fired(done: trade.SaleDone) -> dict[str, int]:
    return dict(done.fired)


@pytest.fixture
def cafe(world: World) -> Iterator[World]:
    """Whatever its story does, a replay under the same rules tells the same."""
    world.shop("cafe")
    world.member("ann")
    yield world
    unchanged.replayed(world)


def test_lines_earn_by_what_they_carry_and_the_sale_says_by_which_rules(cafe: World) -> None:
    agree(
        cafe,
        "cafe",
        rate(when={"category": ["food"]}),
        rate("ride", 2, 1, basis="measure:km"),
        rate("whole", 1, 1_000, basis="net", when={"category": ["bulk"]}),
        cap_points=500,
    )
    lines = (
        trade.Line(ledger.Minor(1_000), "food"),
        trade.Line(ledger.Minor(2_000), "taxi", measures={"km": 7}),
        trade.Line(ledger.Minor(9_000), "bulk", discount=ledger.Minor(4_000)),
    )
    done = cafe.sale("ann", "cafe", 12_000, lines=lines)
    assert (done.points, fired(done)) == (10 + 14 + 5, {"base": 10, "ride": 14, "whole": 5})
    nothing = cafe.sale("ann", "cafe", 500, lines=(trade.Line(ledger.Minor(500), "toys"),))
    assert (nothing.points, nothing.refused) == (0, "terms_exclude")
    assert cafe.audit() == []


def test_a_multiplier_counts_on_what_no_line_tells_of(cafe: World) -> None:
    double = {"id": "double", "effect": {"multiplier": {"percent": 250}}}
    agree(cafe, "cafe", rate(), double, fixed("thanks", 3))
    done = cafe.sale("ann", "cafe", 1_050)
    assert (done.points, fired(done)) == (10 + 16 + 3, {"base": 10, "double": 16, "thanks": 3})
    with_a_line = cafe.sale("ann", "cafe", 1_000, lines=(trade.Line(ledger.Minor(400), "food"),))
    assert fired(with_a_line) == {"base": 10, "double": 15, "thanks": 3}
    assert cafe.audit() == []


def test_the_first_purchase_and_every_third_visit(cafe: World) -> None:
    agree(
        cafe,
        "cafe",
        rate(),
        fixed("welcome", 50, first_purchase=True),
        fixed("third", 7, visits={"days": 10, "every": 3}),
    )
    one, two, three = (cafe.sale("ann", "cafe", 1_000) for _ in range(3))
    assert [fired(done) for done in (one, two, three)] == [
        {"base": 10, "welcome": 50},
        {"base": 10},
        {"base": 10, "third": 7},
    ]
    # a visit that is refunded whole is none; a part of it is nothing to the count; and the first stays the first
    assert cafe.refund(one).points == 60
    cafe.refund(two, 999)
    assert fired(cafe.sale("ann", "cafe", 1_000)) == {"base": 10, "third": 7}
    cafe.later(days=10)
    assert fired(cafe.sale("ann", "cafe", 1_000)) == {"base": 10}
    assert cafe.audit() == []


def test_a_threshold_is_reached_once_however_often_something_is_returned(cafe: World) -> None:
    agree(cafe, "cafe", fixed("reached", 100, spent={"days": 30, "reaches": 5_000}))
    assert cafe.sale("ann", "cafe", 4_000).points == 0
    reaching = cafe.sale("ann", "cafe", 1_000)
    assert reaching.points == 100
    cafe.refund(reaching, 1)
    assert cafe.sale("ann", "cafe", 1).points == 0, "it stood there before"
    cafe.refund(reaching, 999)
    assert cafe.balance("ann") == 0
    cafe.later(days=31)
    assert cafe.sale("ann", "cafe", 5_000).points == 100
    assert cafe.audit() == []


def test_the_sales_and_refunds_of_one_batch_count_in_their_order(cafe: World) -> None:
    agree(cafe, "cafe", fixed("second", 5, visits={"days": 1, "at_least": 2, "at_most": 2}))
    shop = cafe.shops["cafe"]
    sales = [cafe.sale_of("ann", "cafe", 100, reference=f"B-{n}") for n in range(3)]
    refund = trade.SaleRefund(shop, "B-0", "RB-0", ledger.Minor(100))
    asked = [("sale", sales[0]), ("sale", sales[1]), ("sale_refund", refund), ("sale", sales[2])]
    outcomes = cafe.house.committer.post_all([cafe.request(kind, body, principal=shop) for kind, body in asked])
    done = [outcome.decision.value for outcome in outcomes if isinstance(outcome.decision, ledger.Accepted)]
    assert [each.points for each in done] == [0, 5, 0, 5]
    assert cafe.audit() == []


def test_of_two_tills_at_once_one_sells_first(cafe: World) -> None:
    names = [f"m{n}" for n in range(6)]
    agree(cafe, "cafe", fixed("welcome", 50, first_purchase=True))
    for name in names:
        cafe.member(name)
    requests = [
        [cafe.request("sale", cafe.sale_of(name, "cafe", 100), principal=cafe.shops["cafe"]) for name in names]
        for _ in range(2)
    ]
    other = House.open(cafe.url, SPEND_KEY)
    try:

        def post(house: House, part: list[ledger.Request]) -> None:
            for each in part:
                house.committer.post(each)

        both = zip((cafe.house, other), requests, strict=True)
        posting = [threading.Thread(target=post, args=each) for each in both]
        for thread in posting:
            thread.start()
        for thread in posting:
            thread.join()
    finally:
        other.close()
    assert [cafe.balance(name) for name in names] == [50] * len(names)
    assert cafe.audit() == []


def test_a_quote_says_what_fired_what_did_not_and_why(cafe: World) -> None:
    agree(cafe, "cafe", rate(), fixed("third", 7, visits={"days": 7, "every": 3}), fixed("firm", 9, kind=["legal"]))
    cafe.sale("ann", "cafe", 100)
    with cafe.house.db.tx("door") as tx:
        network = cafe.house.networks.of(tx, cafe.book)
        member = people.members_by(tx, cafe.book_id, {cafe.members["ann"]}, set(), set())
        quoted = trade.quote(
            tx, cafe.book, network, cafe.shops["cafe"], (), ledger.Minor(1_000), member[cafe.members["ann"]]
        )
    assert (quoted.points, dict(quoted.fired), dict(quoted.skipped)) == (
        10,
        {"base": 10},
        {"third": "visits", "firm": "kind"},
    )


def test_a_sponsor_has_rules_of_the_same_kind(cafe: World) -> None:
    cafe.sponsor("bank", mode="deferred")
    back = {"rules": [rate("back", 1, 10, when={"last_purchase": {"within_days": 10}})]}
    sponsorship = contracts.NewSponsorship(cafe.shops["bank"], None, back, 1_000)
    cafe.do("sponsorship", sponsorship)
    assert cafe.sale("ann", "cafe", 1_000).points == 10
    cafe.later(days=10)
    assert cafe.sale("ann", "cafe", 1_000).points == 110
    cafe.later(days=11)
    assert cafe.sale("ann", "cafe", 1_000).points == 10
    assert cafe.audit() == []


FORBIDDEN: list[tuple[contracts.RulePolicy, list[dict[str, Any]], str]] = [
    (contracts.RulePolicy(equal_persons=True), [fixed("firm", 9, kind=["legal"])], "/rules/0/when/kind"),
    (contracts.RulePolicy(equal_persons=True), [fixed("day", 9, occasion=["birthday"])], "/rules/0/when/occasion"),
    (contracts.RulePolicy(largest_share_ppm=50_000), [rate(points=6)], "/rules/0/effect/rate/points"),
    (contracts.RulePolicy(largest_share_ppm=50_000), [fixed("gift", 5)], "/rules/0/when/basket"),
    (
        contracts.RulePolicy(largest_share_ppm=50_000),
        [rate(points=3), {"id": "twice", "effect": {"multiplier": {"percent": 200}}}],
        "/rules/1/effect/multiplier/percent",
    ),
    (contracts.RulePolicy(not_before=True), [rate(valid={"from": "2016-12-31T00:00:00Z"})], "/rules/0/valid/from"),
]


def test_what_a_network_forbids_is_refused_with_the_reason(cafe: World) -> None:
    allowed = [rate(points=5), fixed("gift", 5, basket={"at_least": 100})]
    for n, (policy, rules, at) in enumerate(FORBIDDEN):
        terms = contracts.NewTerms(cafe.shops["cafe"], {"rules": rules})
        cafe.do("terms", terms)
        assert cafe.do("rule_policy", policy).version == 2 * n + 1
        refused = cafe.ask("terms", terms).decision
        assert isinstance(refused, ledger.errors.Invalid)
        assert refused.pointer == at
        assert refused.why.startswith("this network forbids")
        cafe.do("terms", contracts.NewTerms(cafe.shops["cafe"], {"rules": allowed}))
        cafe.do("rule_policy", contracts.RulePolicy())


def test_rates_are_under_the_same_policy(cafe: World) -> None:
    cafe.do("rule_policy", contracts.RulePolicy(equal_persons=True, largest_share_ppm=10_000))
    for rates in (
        {"points": 2, "per_minor": 100},
        {"points": 1, "per_minor": 100, "categories": {"A": {"points": 2, "per_minor": 100}}},
        {"points": 1, "per_minor": 100, "by_kind": {"legal": {"points": 1, "per_minor": 100}}},
    ):
        assert cafe.refusal("terms", contracts.NewTerms(cafe.shops["cafe"], rates)) == "validation_failed"
    cafe.do("terms", contracts.NewTerms(cafe.shops["cafe"], {"points": 1, "per_minor": 100}))
