"""The data, the coalition and the plan: the same on every machine."""

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.demo import behaviour, journey, network, plan
from deploy.demo.journey import Basket, Line
from deploy.demo.network import SHOPS
from ledger.working import GRACE
from merchants import sales


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return journey.prepared(tmp_path_factory.mktemp("journey"))


@pytest.fixture(scope="module")
def made(year: Path) -> plan.Plan:
    return plan.make(lambda: journey.hours(year))


def baskets(year: Path) -> Iterator[Basket]:
    for hour in journey.hours(year):
        yield from hour.baskets


def basket(cents: int, category: str = "GROCERY", id: int = 1, household: int = 1) -> Basket:
    return Basket(id, household, 1, 0, [Line(category, 1, cents)])


# -- the data


def test_every_basket_is_there_once(year: Path) -> None:
    ids, households, stores, nothing = set(), set(), set(), 0
    for found in baskets(year):
        ids.add(found.id)
        households.add(found.household)
        stores.add(found.store)
        nothing += found.total == 0
    assert (len(ids), nothing, len(households), len(stores)) == (155_848, 478, 2_469, 457)
    assert sum(len(hour.baskets) for hour in journey.hours(year)) == 155_848


def test_hours_come_in_order_and_baskets_lie_in_their_hour(year: Path) -> None:
    hours = list(journey.hours(year))
    assert all(before.number < after.number for before, after in itertools.pairwise(hours))
    assert all(b.second // 3600 == hour.number for hour in hours for b in hour.baskets)
    assert all(
        [(b.second, b.id) for b in hour.baskets] == sorted((b.second, b.id) for b in hour.baskets) for hour in hours
    )
    assert hours[0].at == datetime(2017, 1, 1, 11, tzinfo=UTC)
    assert hours[-1].at == datetime(2018, 1, 1, 4, tzinfo=UTC)


def test_lines_are_whole_cents_and_pieces(year: Path) -> None:
    lines = [line for found in baskets(year) for line in found.lines]
    assert sum(line.cents for line in lines) == 459_603_958
    assert min(line.cents for line in lines) == 0
    assert all(1 <= line.quantity <= journey.LARGEST_QUANTITY for line in lines)


def test_the_data_is_prepared_to_the_same_bytes_everywhere(year: Path) -> None:
    assert hashlib.sha256(year.read_bytes()).hexdigest() == PREPARED


PREPARED = "3ea2b17cf205d6ce4cb1f495e99cc8c25b8f41e2ac929836c1a096e3b7aaf0a7"


# -- the coalition


def test_shops_differ_in_size_and_contract(made: plan.Plan, year: Path) -> None:
    sold = Counter(made.shop_of_store[b.store] for b in baskets(year))
    assert len(SHOPS) == len({shop.name for shop in SHOPS}) == 14
    assert Counter(shop.mode for shop in SHOPS) == {"prefunded": 6, "deferred": 7, "closed_loop": 1}
    assert [shop.name for shop in SHOPS if shop.maturity_days] == ["Eastgate Superstore", "Kingsway Drug & Goods"]
    assert len({(s.purchase_fee_ppm, s.redemption_fee_ppm) for s in SHOPS}) == 14
    assert max(sold.values()) > 10 * min(sold.values())
    for place, shop in enumerate(SHOPS):
        assert sold[place] / 155_848 == pytest.approx(shop.share / 1_000, abs=0.002)


def test_every_store_belongs_to_one_shop(made: plan.Plan) -> None:
    assert len(made.shop_of_store) == 457
    assert set(made.shop_of_store.values()) == set(range(len(SHOPS)))


def test_stores_are_dealt_whatever_order_they_come_in() -> None:
    counts = {store: 10 + store % 7 for store in range(200)}
    backwards = dict(reversed(counts.items()))
    assert network.deal_stores(counts) == network.deal_stores(backwards)


@pytest.mark.parametrize(
    ("cents", "category", "shop", "most"),
    [
        (1_000, "GROCERY", "Alder Market", 11),  # a dollar earns a point, and one more for rounding
        (1_000, "FUEL", "Alder Market", 1),
        (499, "GROCERY", "Brookside Foods", 0),  # below the minimum
        (90_000, "GROCERY", "Cedar Lane Grocers", 400),  # the cap
        (0, "GROCERY", "Dovetail Pantry", 0),
    ],
)
def test_what_a_basket_can_earn_at_most(cents: int, category: str, shop: str, most: int) -> None:
    (found,) = (s for s in SHOPS if s.name == shop)
    assert found.most_points(basket(cents, category)) == most


# -- the plan


def test_the_plan_is_the_same_every_time(made: plan.Plan, year: Path) -> None:
    assert plan.make(lambda: journey.hours(year)) == made


def test_days_are_counted_where_the_stores_are(made: plan.Plan) -> None:
    assert (made.baskets(3), made.baskets(14), made.baskets(365), made.baskets(None)) == (
        1_188,
        5_735,
        155_848,
        155_848,
    )
    assert plan.midnight_after(0) == datetime(2017, 1, 1, 5, tzinfo=UTC)
    assert plan.midnight_after(180) == datetime(2017, 6, 30, 4, tzinfo=UTC)
    assert plan.midnight_after(365) == datetime(2018, 1, 1, 5, tzinfo=UTC)


def test_weeks_begin_on_mondays() -> None:
    monday = datetime(2017, 7, 3, 4, tzinfo=UTC)
    assert plan.week_of(monday) == plan.week_of(monday - timedelta(seconds=1)) + 1
    assert plan.week_of(plan.midnight_after(0)) == 0


def test_a_credit_line_bears_all_that_can_be_out_at_once(made: plan.Plan, year: Path) -> None:
    for place, shop in enumerate(SHOPS):
        if shop.mode != "deferred":
            assert made.credit_lines[place] == 0
            continue
        assert 0 < made.credit_lines[place] < sum(made.most_points[place].values()) + plan.POINTS_STEP
    first_half = Counter[int]()
    for hour in journey.hours(year):
        if plan.day_of(hour.at) < network.POINTS_LIFE_DAYS:
            for b in hour.baskets:
                place = made.shop_of_store[b.store]
                first_half[place] += SHOPS[place].most_points(b)
    assert all(made.credit_lines[p] >= n for p, n in first_half.items() if SHOPS[p].mode == "deferred")


def test_a_credit_line_bears_points_that_are_given_back_as_late_as_can_be() -> None:
    """Spent on their last day, given back on the last day for that, alive for the grace, then settled."""
    assert timedelta(days=plan.GRACE_DAYS) == GRACE
    longest = network.POINTS_LIFE_DAYS + network.TAKEN_BACK_DAYS + plan.GRACE_DAYS + plan.SETTLED_WITHIN_DAYS
    place = next(i for i, shop in enumerate(SHOPS) if shop.name == "Dovetail Pantry")
    opening = int(plan.midnight_after(0).timestamp()) // 3600

    def line(days: int) -> int:
        """With a basket at every shop on the first day, and again so many days later."""
        stores = [Basket(store, 1, store, 0, [Line("GROCERY", 1, 50_000)]) for store in range(len(SHOPS))]
        hours = [journey.Hour(opening + 24 * day, stores) for day in (0, days)]
        return plan.make(lambda: hours).credit_lines[place]

    assert (line(longest - 1), line(longest)) == (3_000, 2_000)


@pytest.mark.parametrize(
    ("most", "pool", "points"), [(0, 0, 0), (1, 0, 1_000), (2_000, 0, 2_000), (2_001, 1_000, 2_000), (500, 600, 0)]
)
def test_a_merchant_buys_what_its_pool_lacks_for_the_week(most: int, pool: int, points: int) -> None:
    assert plan.purchase(most, pool) == points


@pytest.mark.parametrize(("value", "prefund", "cents"), [(0, 0, 0), (1_000, 0, 10_000), (15_000, 5_000, 10_000)])
def test_it_pays_in_what_its_prefund_lacks(value: int, prefund: int, cents: int) -> None:
    assert plan.topup(value, prefund) == cents


# -- behaviour


def test_choices_follow_the_seed_and_nothing_else() -> None:
    some = [basket(1_000, id=id, household=id % 50) for id in range(500)]
    chosen = [b.id for b in some if behaviour.thinks_of_points(1, b)]
    assert chosen == [b.id for b in reversed(some) if behaviour.thinks_of_points(1, b)][::-1]
    assert chosen != [b.id for b in some if behaviour.thinks_of_points(2, b)]
    assert chosen[:5] == [0, 3, 11, 20, 32]  # on any machine


def test_about_one_basket_in_eight_think_of_points(year: Path) -> None:
    share = sum(behaviour.thinks_of_points(1, b) for b in baskets(year)) / 155_848
    assert share == pytest.approx(0.125, abs=0.02)


def test_points_pay_at_most_the_basket_and_never_a_trifle() -> None:
    assert behaviour.points_to_redeem(1, basket(5_000), behaviour.LEAST_POINTS - 1) == 0
    taken = {behaviour.points_to_redeem(1, basket(5_000, id=id), 600) for id in range(50)}
    assert taken == {300, 600}
    assert {behaviour.points_to_redeem(1, basket(250, id=id), 600) for id in range(50)} == {250}


def test_some_baskets_come_back_whole_or_by_half(year: Path) -> None:
    cents = [behaviour.refunded(1, b.id, 1_001) for b in baskets(year)]
    assert set(cents) == {0, 500, 1_001}
    assert sum(map(bool, cents)) / len(cents) == pytest.approx(0.04, abs=0.005)
    assert cents.count(500) == pytest.approx(cents.count(1_001), rel=0.1)
    assert {behaviour.refunded(1, id, 0) for id in range(500)} == {0}
    assert {behaviour.refunded(1, id, 1) for id in range(500)} == {0, 1}


def test_few_redemptions_are_given_back() -> None:
    assert sum(behaviour.given_back(1, id) for id in range(10_000)) == pytest.approx(300, abs=60)


def test_those_who_never_spend_sometimes_give(year: Path) -> None:
    givers = [b.household for b in baskets(year) if behaviour.thinks_of_giving(1, b)]
    assert not any(behaviour.spends(1, household) for household in givers)
    quiet = sum(not behaviour.spends(1, b.household) for b in baskets(year))
    assert len(givers) / quiet == pytest.approx(1 / 60, rel=0.1)


@pytest.mark.parametrize(
    ("available", "owed", "points"),
    [(199, 0, 0), (200, 0, 100), (201, 0, 100), (500, 1, 0), (30_000, 0, behaviour.MOST_GIVEN)],
)
def test_half_is_given_and_nothing_by_those_who_owe(available: int, owed: int, points: int) -> None:
    assert behaviour.points_to_give(available, owed) == points


def test_gifts_stay_within_what_networks_allow() -> None:
    """One a day for each household, given or received."""
    assert min(sales.GiftRules().points_a_day, sales.GiftRules().received_a_day) >= behaviour.MOST_GIVEN


def test_the_next_by_number_who_spends_is_given_to() -> None:
    spenders = [h for h in range(1, 40) if behaviour.spends(1, h)]
    first, second, *_, last = spenders
    joined = list(range(1, 40))
    assert behaviour.receiver(1, first, joined, {first}) == second
    assert behaviour.receiver(1, 40, joined, ()) == first
    assert behaviour.receiver(1, last, joined, {last}) == first
    assert behaviour.receiver(1, last, [last], {last}) is None


def test_redemptions_go_all_four_ways() -> None:
    ways = Counter(behaviour.manner(1, id) for id in range(2_000))
    assert set(ways) == set(behaviour.Manner)
    assert ways[behaviour.Manner.ONE_STEP] > 1_500


def test_keys_are_good_idempotency_keys_and_differ() -> None:
    keys = {behaviour.key(seed, id, step) for seed in (1, 2) for id in range(100) for step in ("sale", "redeem")}
    assert len(keys) == 400
    assert all(len(key) == 32 and key.isalnum() for key in keys)


def test_made_up_phones_are_possible_ones_and_differ() -> None:
    from merchants.people import phones

    made_up = [behaviour.phone(household) for household in range(1, 2_501)]
    assert len(set(made_up)) == len(made_up)
    assert all(phones.normalise(phone, possible_is_enough=True) == phone for phone in made_up)
