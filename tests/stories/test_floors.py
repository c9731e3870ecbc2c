"""Floors: a pool, a credit line and a budget hold to the point, whoever takes from them at the same moment.

Two houses on one database, as two gateways are; what is shared they read without holding it while they decide.
"""

import contextlib
import datetime as dt
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

import ledger
import settlement
from deploy.house import House
from merchants import contracts, trade
from tests.world import SPEND_KEY, World

ROOM = 100
NAMES = ("ann", "bob", "carol", "dave")


@pytest.fixture
def town(world: World) -> Iterator[World]:
    for name in NAMES:
        world.member(name)
    yield world
    assert world.audit() == []


@pytest.fixture
def houses(town: World) -> Iterator[list[House]]:
    with contextlib.closing(House.open(town.url, SPEND_KEY)) as other:
        yield [town.house, other]


def open_shop(town: World, mode: str) -> str:
    """A cafe that has room for so many points and no more; the account it issues from."""
    town.shop("cafe", mode=mode, **({"bought": ROOM} if mode == "prefunded" else {"line": ROOM}))
    return ledger.SOURCES[mode]


def room(town: World, mode: str) -> int:
    return town.account("pool", "cafe") if mode == "prefunded" else ROOM + town.account("credit", "cafe")


def together(asks: list[Callable[[], Any]]) -> list[Any]:
    """All at the same moment, a thread each."""
    start = threading.Barrier(len(asks))

    def run(ask: Callable[[], Any]) -> Any:
        start.wait()
        return ask()

    with ThreadPoolExecutor(len(asks)) as threads:
        return list(threads.map(run, asks))


@contextlib.contextmanager
def held(town: World, rows: str) -> Iterator[None]:
    """Rows in somebody else's hand meanwhile: who comes to write them waits, who only reads them does not."""
    with psycopg.connect(town.url) as by_hand:
        by_hand.execute(f"{rows} for no key update")
        yield
        by_hand.rollback()


def until_waiting(town: World, how_many: int) -> None:
    """Return once so many batches wait for a lock."""
    with psycopg.connect(town.url, autocommit=True) as conn:
        for _ in range(600):
            found = conn.execute(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            ).fetchone()
            if found is not None and found[0] >= how_many:
                return
            time.sleep(0.05)
    raise AssertionError("nobody waits")


@pytest.mark.parametrize("mode", ["prefunded", "deferred"])
def test_exactly_as_many_points_are_issued_as_there_is_room_for(town: World, houses: list[House], mode: str) -> None:
    source = open_shop(town, mode)

    def sell(house: House, member: str) -> list[trade.SaleDone]:
        asked = [town.request("sale", town.sale_of(member, "cafe", 700)) for _ in range(10)]
        decisions = [outcome.decision for outcome in house.committer.post_all(asked)]
        return [decision.value for decision in decisions if isinstance(decision, ledger.Accepted)]

    pairs = [(house, name) for house in houses for name in NAMES]
    with ThreadPoolExecutor(len(pairs)) as threads, held(town, f"select from ledger.account where kind = '{source}'"):
        # either house decides that there is room for all of its first batch, and neither has it yet
        selling = [threads.submit(sell, house, name) for house, name in pairs]
        until_waiting(town, 2)
    sold = [sale for of in selling for sale in of.result(30)]
    assert len(sold) == 80
    assert Counter((sale.points, sale.refused) for sale in sold) == {
        (7, None): ROOM // 7,
        (0, "issuing_limit_reached"): len(sold) - ROOM // 7,
    }
    assert room(town, mode) == ROOM % 7
    assert sum(town.balance(name) for name in NAMES) == ROOM // 7 * 7


def test_a_budget_gives_no_point_more_than_was_set_aside(town: World, houses: list[House]) -> None:
    town.shop("cafe", points_per_dollar=0)
    town.sponsor("bank", mode="prefunded", bought=ROOM)
    given = town.sponsorship("bank", budget=60)

    def sell(house: House, member: str) -> list[tuple[int, str | None]]:
        asked = [town.request("sale", town.sale_of(member, "cafe", 700)) for _ in range(4)]
        return [(b.points, b.refused) for o in house.committer.post_all(asked) for b in o.decision.value.bonuses]  # type: ignore[union-attr]

    def change(house: House) -> list[bool]:
        asked = [
            town.request("sponsorship_budget", contracts.ChangeBudget(given.merchant_id, given.id, points))
            for points in (30, 20, -10, 20)
        ]
        return [isinstance(house.committer.post(request).decision, ledger.Accepted) for request in asked]

    asks: list[Callable[[], Any]] = [lambda h=h, n=n: sell(h, n) for h in houses for n in ("ann", "bob")]  # type: ignore[misc]
    *sold, _, _ = together([*asks, lambda: change(houses[0]), lambda: change(houses[1])])
    issued = sum(points for of in sold for points, _ in of)
    assert {reason for of in sold for _, reason in of} <= {None, "budget_too_small"}
    assert town.budget(given) + town.account("pool", "bank") + issued == ROOM
    assert min(town.budget(given), town.account("pool", "bank")) >= 0


def _more(given: Any, points: int) -> Any:
    from merchants import contracts

    return contracts.ChangeBudget(given.merchant_id, given.id, points)


@pytest.mark.parametrize("mode", ["prefunded", "deferred"])
def test_points_that_come_back_later_in_a_batch_are_not_issued_before(
    town: World, houses: list[House], mode: str
) -> None:
    """A sale and, behind it in the same batch, a refund of as many points: the balance moves by nothing, and still the sale
    had its points only if they were there when its turn came. Between its reading and its writing they go to another."""
    open_shop(town, mode)
    town.shop("bar")
    earlier = town.earn("ann", at="cafe", points=ROOM // 2)
    owing = town.earn("carol", at="bar", points=30)
    town.redeem("carol", "bar", 30)
    assert town.refund(owing).owed == 30
    batch = [
        town.request("sale", town.sale_of("bob", "cafe", ROOM // 2 * 100)),
        town.request("sale_refund", town.refund_of(earlier, earlier.money)),
        # repays what she owes, and so waits for whoever has that debt in hand
        town.request("sale", town.sale_of("carol", "bar", 3_000)),
    ]
    with ThreadPoolExecutor(1) as thread, held(town, "select from ledger.debt"):
        slow = thread.submit(houses[0].committer.post_all, batch)
        until_waiting(town, 1)
        quick = houses[1].committer.post(town.request("sale", town.sale_of("dave", "cafe", ROOM // 2 * 100)))
    sold, refunded, repaying = (outcome.decision for outcome in slow.result(30))
    assert [d.value.points for d in (quick.decision, repaying)] == [ROOM // 2, 30]  # type: ignore[union-attr]
    assert isinstance(sold, ledger.Accepted)
    assert (sold.value.points, sold.value.refused) == (0, "issuing_limit_reached")
    assert isinstance(refunded, ledger.Accepted)
    assert room(town, mode) == ROOM // 2


@pytest.mark.parametrize("mode", ["prefunded", "deferred"])
def test_no_floor_gives_way_while_points_go_and_come_back_on_every_road(
    town: World, houses: list[House], mode: str
) -> None:
    """Sales, refunds, gifts, redemptions and their refunds, points bought and sold back, and in the middle all expires."""
    open_shop(town, mode)
    town.shop("bar", line=ROOM)
    steps = itertools.count(-1)

    def live(seed: int) -> Counter[str]:
        rng = random.Random(seed)
        house, told = houses[seed % 2], Counter[str]()
        sales: list[trade.SaleDone] = []
        spent: list[tuple[str, trade.RedemptionDone]] = []

        def post(*asked: tuple[str, Any]) -> list[Any]:
            outcomes = house.committer.post_all([town.request(kind, body) for kind, body in asked])
            for (kind, _), outcome in zip(asked, outcomes, strict=True):
                refused = outcome.decision.code if isinstance(outcome.decision, ledger.Refusal) else ""
                told[f"{kind} {refused}".strip()] += 1
            return [o.decision.value for o in outcomes if isinstance(o.decision, ledger.Accepted)]

        for _ in range(14):
            member, shop = NAMES[seed % 4], rng.choice(("cafe", "cafe", "bar"))
            draw = rng.random()
            sale = ("sale", town.sale_of(member, shop, rng.randint(1, 30) * 100))
            if draw < 0.4 or not sales:
                sales += post(sale)
            elif draw < 0.7:
                # one behind the other, in one batch, either way round
                asked = [sale, ("sale_refund", town.refund_of(sales.pop(), 100 * rng.randint(1, 30)))]
                rng.shuffle(asked)
                sales += [done for done in post(*asked) if isinstance(done, trade.SaleDone)]
            elif draw < 0.8:
                other = rng.choice([name for name in NAMES if name != member])
                post(("gift", town.gift_of(member, other, rng.randint(1, 10), code=town.code(member, next(steps) % 2))))
            elif draw < 0.95 and not spent:
                code = town.code(member, next(steps) % 2)
                asked_for = town.redemption_of(member, shop, rng.randint(1, 20), code=code)
                spent += [(shop, done) for done in post(("redemption", asked_for))]
            elif spent:
                at, redemption = spent.pop()
                post(("redemption_refund", town.give_back_of(redemption, at)))
            elif mode == "prefunded":
                points = ledger.Points(rng.randint(1, 30))
                kind = rng.choice((settlement.SellBack, settlement.Purchase))
                post(("sell_back" if kind is settlement.SellBack else "purchase", kind(town.shops["cafe"], points)))
        return told

    def pass_time() -> Counter[str]:
        for days in (1, 121, 1):
            time.sleep(0.3)
            town.advance(town.book.now + dt.timedelta(days=days))
        return Counter()

    told = sum(together([*(lambda s=s: live(s) for s in range(8)), pass_time]), Counter[str]())
    assert min(told["sale"], told["sale_refund"]) > 0, told
    assert room(town, mode) >= 0 or mode == "deferred"
    assert town.account("prefund", "cafe") >= 0
