"""Next offers: what decides them, said in numbers small enough to check by hand; found twice or side by side, the same."""

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ledger
from merchants import insight, trade
from merchants.insight import next_offer
from merchants.insight.next_offer import Visits
from tests.world import World

CATEGORIES = ["BREAD", "CAKE", "COFFEE", "TEA"]
histories = st.lists(
    st.tuples(st.integers(1, 300), st.frozensets(st.sampled_from(CATEGORIES), min_size=1)), max_size=12
).map(lambda visits: [(day, bought) for day, bought in sorted(dict(visits).items())])


def visits(*told: tuple[int, str]) -> list[tuple[int, frozenset[str]]]:
    return [(day, frozenset(bought.split())) for day, bought in told]


def offers(all_of_them: Sequence[Visits], mine: Visits, today: int) -> list[next_offer.Offer]:
    return next_offer.model(lambda: all_of_them).offers(mine, today)


EVERY_NINE = visits((1, "COFFEE"), (10, "COFFEE"), (19, "COFFEE"), (28, "COFFEE TEA"))


def test_the_reason_is_made_of_the_members_own_numbers() -> None:
    first, second = offers([EVERY_NINE], EVERY_NINE, 40)
    assert (first.category, first.reason, first.facts) == ("COFFEE", "due", {"every_days": 9, "days_since": 12})
    assert (second.category, second.reason) == ("TEA", "regular")
    assert second.facts == {"times": 1, "visits": 4, "days_since": 12}


def test_nobody_is_told_that_something_is_due_before_its_time() -> None:
    assert offers([EVERY_NINE], EVERY_NINE, 36)[0].reason == "regular"
    assert offers([EVERY_NINE], EVERY_NINE, 37)[0].reason == "due"


def test_a_member_of_no_visits_is_told_what_is_popular() -> None:
    (first, second) = offers([EVERY_NINE], [], 40)
    assert (first.category, first.reason, first.facts) == ("COFFEE", "popular", {"of_hundred_members": 100})
    assert first.score_ppm > second.score_ppm


def test_who_buys_the_same_is_told_what_the_others_buy_too() -> None:
    both = [visits((n, "COFFEE CAKE"), (n + 7, "COFFEE CAKE")) for n in range(1, 7)]
    others = [visits((n, "TEA"), (n + 7, "TEA")) for n in range(1, 15)]
    mine = visits((1, "COFFEE"), (8, "COFFEE"))
    found = {offer.category: offer for offer in offers([*both, *others, mine], mine, 9)}
    assert found["CAKE"].reason == "bought_together"
    assert found["CAKE"].facts == {"with": "COFFEE", "of_hundred_buyers": 85}
    assert found["TEA"].reason == "popular"
    assert found["CAKE"].score_ppm > found["TEA"].score_ppm


def test_the_hazard_learns_that_nobody_buys_twice_within_the_gap() -> None:
    """Everybody visits daily and buys coffee each tenth day, else something new: the day after it nobody buys it."""
    member = [(day, frozenset(["COFFEE"] if day % 10 == 0 else [f"NO {day}"])) for day in range(1, 201)]
    taught = next_offer.model(lambda: [member] * 12)
    assert taught.hazard.factor(0.2) < 0.1
    assert taught.hazard.factor(1.0) > 3
    assert "COFFEE" not in [offer.category for offer in taught.offers(member, 202)]
    assert taught.offers(member, 210)[0].category == "COFFEE"


@settings(max_examples=60, deadline=None)
@given(st.lists(histories, max_size=6), histories, st.integers(301, 400))
def test_offers_are_ranked_each_once_within_bounds_and_the_same_again(
    others: list[Visits], mine: Visits, today: int
) -> None:
    found = offers([*others, mine], mine, today)
    assert found == offers([*others, mine], mine, today)
    assert len({offer.category for offer in found}) == len(found) <= next_offer.KEPT
    assert [offer.score_ppm for offer in found] == sorted((offer.score_ppm for offer in found), reverse=True)
    assert all(0 <= offer.score_ppm <= ledger.PPM for offer in found)


# -- in the database


@pytest.fixture
def town(world: World) -> World:
    world.shop("cafe")
    world.shop("books")
    for name in ("ann", "bob", "eve"):
        world.member(name)
    for _ in range(4):
        for name, category in (("ann", "COFFEE"), ("bob", "TEA")):
            lines = (trade.Line(ledger.Minor(300), category), trade.Line(ledger.Minor(100)))
            world.sale(name, "cafe", 400, lines=lines)
        world.later(days=5)
    world.sale("eve", "books", 700, lines=(trade.Line(ledger.Minor(700), "NOVELS"),))
    return world


def told(world: World) -> list[tuple[object, ...]]:
    return world.rows("select * from merchants.next_offer order by merchant_id, member_id, rank")


def test_found_twice_and_side_by_side_they_are_the_same(town: World) -> None:
    db, book, cafe = town.house.db, town.book, town.shops["cafe"]
    assert insight.find(db, book, cafe) == 2
    once = told(town)
    assert once
    faults: list[BaseException] = []

    def again() -> None:
        try:
            insight.find(db, book, cafe)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=again) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert told(town) == once
    assert town.audit() == []


def test_only_where_it_was_turned_on_and_of_ones_own_shop_only(town: World) -> None:
    town.later(days=2)
    assert told(town) == []
    with town.house.db.tx("door") as tx:
        insight.begin(tx, town.book)
    town.later(days=1)
    cafe, books = town.shops["cafe"], town.shops["books"]
    with town.house.db.tx("tenant", tenant=str(cafe)) as tx:
        mine = insight.offers_at(tx, cafe, town.members["ann"])
        assert {offer.category for offer in mine} <= {"COFFEE", "TEA"}
        assert insight.offers_at(tx, cafe, town.members["eve"]) == []
        # the second lock: what is another shop's is not there
        assert insight.offers_at(tx, books, town.members["eve"]) == []
    runs = dict(town.rows("select merchant_id, members from merchants.next_offer_run"))
    assert runs == {cafe: 2, books: 1}


def test_what_was_brought_back_is_forgotten_and_so_is_a_member(town: World) -> None:
    cafe = town.shops["cafe"]
    sold = town.sale("eve", "cafe", 500, lines=(trade.Line(ledger.Minor(500), "CAKE"),))
    insight.find(town.house.db, town.book, cafe)
    assert town.rows("select from merchants.next_offer where category = 'CAKE'")
    town.refund(sold)
    town.later(minutes=1)
    insight.find(town.house.db, town.book, cafe)
    assert not town.rows("select from merchants.next_offer where category = 'CAKE'")
    assert not town.rows("select from merchants.next_offer where member_id = %s", town.members["eve"])
    with town.house.db.tx("door") as tx:
        insight.forget(tx, town.book, town.members["ann"])
    assert not town.rows("select from merchants.next_offer where member_id = %s", town.members["ann"])
