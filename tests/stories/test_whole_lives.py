"""Whole lives of a network, drawn at random: everything that people may do, side by side and one after the other.

Nothing says here what each answer should be. The audit is the judge: again and again, and when all is spent or expired.
"""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import ledger
import settlement
from deploy.house import House
from merchants import contracts, safety, trade
from tests.world import SPEND_KEY, World

SHOPS = ("cafe", "books", "barber", "boots", "inn")
ISSUERS = (*SHOPS, "bank", "network")
PEOPLE = ("ann", "bob", "eve", "dan")
STEPS, LOOK_EVERY = 90, 45


class Life:
    """One network and what happened in it so far. Each act is a method; whatever it asks may be refused."""

    def __init__(self, url: str, seed: int) -> None:
        self.rng = random.Random(seed)
        draw = self.rng.choice
        self.world = World(url, life_days=draw([20, 40]), inactivity_days=draw([None, None, 15]))
        self.sold: list[trade.SaleDone] = []
        self.held: list[tuple[trade.RedemptionDone, str]] = []
        self.captured: list[tuple[trade.RedemptionDone, str]] = []
        self.vouchers: list[tuple[trade.VoucherDone, str]] = []
        self.closed: list[int] = []
        # which process a thread asks; the world's own where it has none
        self.asked = threading.local()
        self._found()

    @property
    def committer(self) -> ledger.Committer:
        house: House = getattr(self.asked, "house", self.world.house)
        return house.committer

    def _found(self) -> None:
        world = self.world
        world.shop("cafe", mode="prefunded", bought=3_000, redemption_fee_ppm=11_111, purchase_fee_ppm=3_333)
        world.shop("books", line=2_000, redemption_fee_ppm=20_000)
        world.shop("barber", mode="closed_loop", unit_value_minor=3)
        world.shop("boots", line=2_000, maturity_days=5)
        world.shop("inn", mode="prefunded", bought=2_000, points_life_days=60, maturity_days=3)
        world.sponsor("bank", mode="prefunded", bought=1_000)
        world.sponsor("network", kind="network", mode="deferred", line=1_500)
        self.sponsorships = [
            world.sponsorship("bank", ["cafe", "boots"], budget=400),
            world.sponsorship("network", budget=300, points=2),
        ]
        for name in PEOPLE:
            world.member(name)
        for name in ISSUERS:
            world.topup(name, 3_000)

    # -- asking

    def request(self, kind: str, body: object, by: str | None = None) -> ledger.Request:
        principals = {**self.world.shops, **self.world.members}
        return self.world.request(kind, body, principal=principals[by] if by else None)

    def ask(self, kind: str, body: object, by: str | None = None) -> Any:
        """What came of it; None when it was refused."""
        decision = self.committer.post(self.request(kind, body, by)).decision
        return decision.value if isinstance(decision, ledger.Accepted) else None

    def any_shop(self) -> str:
        return self.rng.choice(SHOPS)

    def anybody(self, but: str = "") -> str:
        return self.rng.choice([name for name in PEOPLE if name != but])

    # -- members at tills

    def sale_of(self) -> tuple[str, trade.Sale]:
        shop = self.any_shop()
        return shop, self.world.sale_of(self.anybody(), shop, self.rng.choice([99, 1_000, 5_000, 12_345]))

    def redemption_of(self, *, capture: bool) -> tuple[str, trade.Redemption]:
        shop, owner = self.any_shop(), self.anybody()
        code = self.world.code(self.rng.choice([owner, owner, self.anybody()]))
        points = self.rng.randint(1, 80)
        return shop, self.world.redemption_of(owner, shop, points, code=code, capture=capture)

    def buys(self) -> None:
        shop, sale = self.sale_of()
        if done := self.ask("sale", sale, shop):
            self.sold.append(done)

    def redeems(self) -> None:
        capture = self.rng.random() < 0.6
        shop, redemption = self.redemption_of(capture=capture)
        if done := self.ask("redemption", redemption, shop):
            (self.captured if capture else self.held).append((done, shop))

    def ends_a_hold(self) -> None:
        if self.held:
            done, shop = self.held.pop(self.rng.randrange(len(self.held)))
            if self.rng.random() < 0.5:
                self.ask("void", trade.Void(self.world.shops[shop], done.id), shop)
            elif self.ask("capture", trade.Capture(self.world.shops[shop], done.id), shop):
                self.captured.append((done, shop))

    def brings_back(self) -> None:
        if self.sold:
            sale = self.rng.choice(self.sold)
            self.ask(
                "sale_refund", self.world.refund_of(sale, self.rng.randint(1, max(1, sale.money))), self.shop_of(sale)
            )

    def shop_of(self, sale: trade.SaleDone) -> str:
        return next(name for name, id in self.world.shops.items() if id == sale.command.merchant_id)

    def gets_points_back(self) -> None:
        if self.captured:
            done, shop = self.rng.choice(self.captured)
            self.ask("redemption_refund", self.world.give_back_of(done, shop, self.rng.choice([None, 1, 5, 20])), shop)

    def gives(self) -> None:
        giver = self.anybody()
        self.ask("gift", self.world.gift_of(giver, self.anybody(giver), self.rng.randint(1, 60)), giver)

    def shares(self) -> None:
        one = self.anybody()
        if found := self.ask("household", trade.FoundHousehold(self.world.members[one])):
            other = self.anybody(one)
            self.ask("household", trade.InviteToHousehold(self.world.members[one], self.world.number(other)))
            answer = trade.AnswerInvitation(self.world.members[other], found.household_id, True)
            self.ask("household", answer)
        self.ask("household", trade.ShareWallet(self.world.members[one], self.rng.randint(5, 60)))

    def takes_a_voucher(self) -> None:
        owner, shop = self.anybody(), self.any_shop()
        if done := self.ask("voucher", self.world.voucher_of(owner, shop, self.rng.randint(1, 60)), owner):
            self.vouchers.append((done, shop))

    def ends_a_voucher(self) -> None:
        if not self.vouchers:
            return
        voucher, shop = self.vouchers.pop(self.rng.randrange(len(self.vouchers)))
        if self.rng.random() < 0.3:
            self.ask("voucher_return", trade.VoucherReturn(self.world.shops[shop], voucher.row.id), shop)
        elif done := self.ask(
            "redemption", self.world.spend_of(voucher, shop, self.rng.randint(1, voucher.row.points)), shop
        ):
            self.captured.append((done, shop))

    def all_at_once(self) -> None:
        """Several in one batch."""
        requests = []
        for _ in range(self.rng.randint(2, 10)):
            if self.rng.random() < 0.5:
                shop, sale = self.sale_of()
                requests.append(self.request("sale", sale, shop))
            else:
                shop, redemption = self.redemption_of(capture=True)
                requests.append(self.request("redemption", redemption, shop))
            if self.sold:
                refunded = self.rng.choice(self.sold)
                requests.append(self.request("sale_refund", self.world.refund_of(refunded, 1), self.shop_of(refunded)))
        self.committer.post_all(requests)

    # -- time, shops and operators

    def time_passes(self) -> None:
        self.world.later(days=self.rng.choice([0.2, 1, 3, 8]))

    def another_contract(self) -> None:
        mode = self.rng.choice(("prefunded", "deferred", "closed_loop"))
        self.ask(
            "contract",
            contracts.NewContract(
                self.world.shops[self.rng.choice(ISSUERS)],
                mode,
                credit_line_points=2_000 if mode == "deferred" else 0,
                maturity_days=self.rng.choice([0, 4]),
                unit_value_minor=self.rng.choice([2, 5]) if mode == "closed_loop" else None,
            ),
        )

    def other_rules(self) -> None:
        draw = self.rng.choice
        self.ask("rules", contracts.NewRules(draw([1, 1, 2, 3]), draw([20, 30, 40]), draw([None, 15])))

    def bought_out(self) -> None:
        payer = self.world.shops[self.rng.choice(ISSUERS)] if self.rng.random() < 0.5 else None
        exits = self.rng.random() < 0.15
        self.ask("buy_out", contracts.BuyOut(self.world.shops[self.rng.choice(ISSUERS)], exits, payer))

    def money_and_pools(self) -> None:
        merchant, points = self.world.shops[self.rng.choice(ISSUERS)], ledger.Points(self.rng.randint(1, 300))
        self.ask("sell_back", settlement.SellBack(merchant, points))
        self.ask("purchase", settlement.Purchase(merchant, points))
        sponsorship = self.rng.choice(self.sponsorships)
        change = contracts.ChangeBudget(sponsorship.merchant_id, sponsorship.id, self.rng.choice([-50, 50, 100]))
        self.ask("sponsorship_budget", change)

    def brakes(self) -> None:
        draw, world = self.rng.choice, self.world
        self.ask(
            draw(["member_freeze", "member_unfreeze", "member_unfreeze"]),
            safety.Act(world.members[self.anybody()], world.operator, "a life"),
        )
        self.ask(
            draw(["merchant_suspend", "merchant_resume", "merchant_resume"]),
            safety.Act(world.shops[draw(ISSUERS)], world.operator, "a life"),
        )

    def a_window_closes(self) -> None:
        self.closed.append(self.world.close_window())

    def a_window_is_settled(self) -> None:
        if self.closed:
            self.world.settle(self.closed.pop(0))

    def ends(self) -> None:
        """Everything is settled, what is left expires, and that is settled too."""
        self.a_window_closes()
        while self.closed:
            self.a_window_is_settled()
        self.world.later(days=130)
        self.a_window_closes()
        self.a_window_is_settled()


ACTS: tuple[tuple[int, Callable[[Life], None]], ...] = (
    (6, Life.buys),
    (4, Life.redeems),
    (2, Life.ends_a_hold),
    (2, Life.brings_back),
    (1, Life.gets_points_back),
    (2, Life.gives),
    (1, Life.shares),
    (1, Life.takes_a_voucher),
    (1, Life.ends_a_voucher),
    (2, Life.all_at_once),
    (2, Life.time_passes),
    (1, Life.another_contract),
    (1, Life.other_rules),
    (1, Life.bought_out),
    (1, Life.money_and_pools),
    (1, Life.brakes),
    (1, Life.a_window_closes),
    (1, Life.a_window_is_settled),
)


@pytest.fixture
def lived(own_database_url: str, request: pytest.FixtureRequest) -> Iterator[Life]:
    life = Life(own_database_url, request.param)
    yield life
    life.world.close()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("lived", range(6), indirect=True)
def test_whatever_happens_the_books_are_proven(lived: Life) -> None:
    weights, acts = zip(*ACTS, strict=True)
    for step, act in enumerate(lived.rng.choices(acts, weights, k=STEPS), start=1):
        lived.world.later(minutes=1)  # for the next spend code
        act(lived)
        if step % LOOK_EVERY == 0:
            assert lived.world.audit() == [], step
    lived.ends()
    assert lived.world.audit() == []
    assert lived.world.rows("select 1 from ledger.lot where remaining + pending + held > 0") == []


class Watch:
    """What two processes that meet have to repeat."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.alone = 0

    def committed(self, requests: int, replayed: int, seconds: float) -> None: ...

    def repeated(self, reason: str) -> None:
        self.reasons.append(reason)

    def singly(self, requests: int) -> None:
        self.alone += requests


TOGETHER = (
    Life.buys,
    Life.buys,
    Life.redeems,
    Life.redeems,
    Life.brings_back,
    Life.gets_points_back,
    Life.gives,
    Life.gives,
    Life.shares,
    Life.takes_a_voucher,
    Life.all_at_once,
    Life.money_and_pools,
    Life.brakes,
)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("lived", [100], indirect=True)
def test_three_processes_at_once_never_lock_each_other_out(lived: Life) -> None:
    """Households, devices, gifts, velocity counts, wallets, debts, budgets and shops are locked in one order by all."""
    world = lived.world
    limits = (
        safety.Limit("member", "redeem_points", 60, 2_000),
        safety.Limit("merchant", "sale_count", 5, 200),
        safety.Limit("member", "earn_points", 60, 4_000),
    )
    world.do("velocity_limits", safety.NewLimits(world.operator, limits))
    watches = [Watch() for _ in range(3)]
    houses = [House.open(world.url, SPEND_KEY, watch) for watch in watches]

    def till(number: int) -> None:
        lived.asked.house = houses[number % len(houses)]
        draw = random.Random(number)
        for _ in range(30):
            draw.choice(TOGETHER)(lived)
            if number == 0:
                world.later(minutes=1)

    with ThreadPoolExecutor(6) as tills:
        list(tills.map(till, range(6)))
    for house in houses:
        house.close()
    assert [watch.alone for watch in watches] == [0, 0, 0]
    assert "DeadlockDetected" not in {reason for watch in watches for reason in watch.reasons}
    assert world.audit() == []
    lived.ends()
    assert world.audit() == []
