"""The ledger against a model a child could check: lists of lots in a dictionary, no accounts, no SQL.

Hypothesis drives both with the same operations and compares every wallet and every shop after each of them.
"""

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import ledger
import ledger.audit
import settlement.audit
from merchants import sales, trade
from tests.world import BEGINNING, World

SHOPS = {"cafe": 400, "books": 60, "taxi": 0}  # credit lines; taxi is prefunded with 150 points
PEOPLE = ("ann", "bob", "eve")
LIFE = dt.timedelta(days=3)
HOLD = dt.timedelta(minutes=30)
VOUCHER = dt.timedelta(days=7)


@dataclass
class PlainLot:
    issuer: str
    points: int
    expires: dt.datetime
    order: int
    grace: bool = False
    # gone home again, expired or taken back
    home: int = 0
    # who held the points before
    before: tuple[str, ...] = ()


@dataclass
class PlainHold:
    member: str
    shop: str
    deadline: dt.datetime
    slices: list[tuple[PlainLot, int]]
    done: trade.RedemptionDone | None = None
    voucher: trade.VoucherDone | None = None

    @property
    def points(self) -> int:
        return sum(part for _, part in self.slices)


@dataclass
class PlainSale:
    done: trade.SaleDone
    member: str
    lot: PlainLot | None
    refunded: int = 0
    taken: int = 0
    returned: int = 0


@dataclass
class PlainDebt:
    shop: str
    points: int


@dataclass
class Plain:
    """What ought to be true."""

    now: dt.datetime = BEGINNING
    lots: dict[str, list[PlainLot]] = field(default_factory=lambda: {p: [] for p in PEOPLE})
    room: dict[str, int] = field(default_factory=lambda: {**SHOPS, "taxi": 150})
    accepted: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SHOPS, 0))
    holds: list[PlainHold] = field(default_factory=list)
    vouchers: list[PlainHold] = field(default_factory=list)
    captured: list[PlainHold] = field(default_factory=list)
    refunded: dict[int, int] = field(default_factory=dict)
    sales: list[PlainSale] = field(default_factory=list)
    debts: dict[str, list[PlainDebt]] = field(default_factory=lambda: {p: [] for p in PEOPLE})
    missed: Counter[tuple[str, dt.date]] = field(default_factory=Counter)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def available(self, member: str) -> int:
        return sum(lot.points for lot in self.lots[member] if lot.expires > self.now)

    def earn(self, member: str, shop: str, points: int) -> PlainLot | None:
        if points > self.room[shop] or not points:
            return None
        self.room[shop] -= points
        lot = PlainLot(shop, points, self.now + LIFE, next(self.numbers))
        self.lots[member].append(lot)
        self.repay(member, [(lot, points)])
        return lot

    def go_home(self, lot: PlainLot, points: int) -> None:
        self.room[lot.issuer] += points
        lot.points -= points
        lot.home += points

    def repay(self, member: str, arrived: list[tuple[PlainLot, int]]) -> None:
        for debt in self.debts[member]:
            left = []
            for lot, points in sorted(arrived, key=lambda part: (part[0].expires, part[0].order)):
                paid = min(points, debt.points) if lot.expires > self.now else 0
                lot.points -= paid
                debt.points -= paid
                self.accepted[debt.shop] += paid
                left.append((lot, points - paid))
            arrived = left

    def refund(self, sale: PlainSale, amount: int) -> tuple[int, int]:
        """(returned, owed) of a refund."""
        sale.refunded += amount
        back = sale.done.points * sale.refunded // sale.done.money - sale.taken
        sale.taken += back
        if sale.lot is None:
            return 0, 0
        there = min(back, sale.lot.points)
        expired = min(back - there, sale.lot.home - sale.returned)
        self.go_home(sale.lot, there)
        sale.returned += there + expired
        if owed := back - there - expired:
            self.debts[sale.member].append(PlainDebt(sale.lot.issuer, owed))
        return there + expired, owed

    def restore(self, hold: PlainHold, points: int) -> None:
        before = self.refunded.get(id(hold), 0)
        self.refunded[id(hold)] = before + points
        self.accepted[hold.shop] -= points
        came = []
        for lot, part in reversed(hold.slices):
            skipped = min(part, before)
            back = min(part - skipped, points)
            before, points = before - skipped, points - back
            if back:
                lot.points += back
                if lot.expires <= self.now and not lot.grace:
                    lot.grace, lot.expires = True, self.now + dt.timedelta(days=30)
                if lot.expires <= self.now:
                    self.go_home(lot, back)
                else:
                    came.append((lot, back))
        self.repay(hold.member, came)

    def take(self, member: str, points: int) -> list[tuple[PlainLot, int]]:
        slices = []
        for lot in sorted(self.lots[member], key=lambda lot: (lot.expires, lot.order)):
            part = min(points, lot.points) if lot.expires > self.now else 0
            if part:
                lot.points -= part
                points -= part
                slices.append((lot, part))
        return slices

    def give(self, giver: str, receiver: str, points: int) -> str:
        """What comes of a gift: given, or the code of the refusal."""
        if any(debt.points for debt in self.debts[giver]):
            return "state_conflict"
        if self.missed[giver, self.now.date()] >= 10:
            return "rate_limited"
        if points > self.available(giver):
            return "insufficient_points"
        kept = [(lot, lot.points) for lot in self.lots[giver]]
        slices = self.take(giver, points)
        if any(receiver in lot.before for lot, _ in slices):
            self.missed[giver, self.now.date()] += 1
            for lot, had in kept:
                lot.points = had
            return "state_conflict"
        for lot, part in slices:
            child = PlainLot(lot.issuer, part, lot.expires, next(self.numbers), lot.grace)
            child.before = (*lot.before, giver)
            self.lots[receiver].append(child)
        return "given"

    def give_back(self, hold: PlainHold) -> None:
        for lot, part in hold.slices:
            lot.points += part
        (self.holds if hold.voucher is None else self.vouchers).remove(hold)
        self.repay(hold.member, hold.slices)

    def spend(self, hold: PlainHold, points: int, done: trade.RedemptionDone) -> None:
        taken, rest = [], []
        left = points
        for lot, part in hold.slices:
            used = min(part, left)
            left -= used
            taken.append((lot, used))
            rest.append((lot, part - used))
        hold.slices = [part for part in rest if part[1]]
        self.accepted[hold.shop] += points
        self.give_back(hold)
        self.captured.append(PlainHold(hold.member, hold.shop, hold.deadline, [t for t in taken if t[1]], done))

    def move_on(self, to: dt.datetime) -> None:
        open_ = [*self.holds, *self.vouchers]
        for hold in sorted((h for h in open_ if h.deadline <= to), key=lambda h: h.deadline):
            self.expire(hold.deadline)
            self.give_back(hold)
        self.expire(to)

    def expire(self, now: dt.datetime) -> None:
        self.now = now
        for lots in self.lots.values():
            for lot in lots:
                if lot.expires <= now:
                    self.go_home(lot, lot.points)


class Histories(RuleBasedStateMachine):
    url: str
    books = itertools.count(1)

    @initialize()
    def open(self) -> None:
        self.world = World(self.url, network=f"history-{next(self.books)}", life_days=LIFE.days)
        for shop, line in SHOPS.items():
            prefunded = shop == "taxi"
            self.world.shop(
                shop,
                mode="prefunded" if prefunded else "deferred",
                line=line,
                bought=150 if prefunded else 0,
                hold_minutes=int(HOLD.total_seconds() // 60),
            )
        for person in PEOPLE:
            self.world.member(person)
        self.world.do("gift_rules", sales.GiftRules(points_a_day=10**6, gifts_a_day=10**6, received_a_day=10**6))
        self.plain = Plain()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.house.drain(self.world.book_id)
            self.world.close()

    @rule(member=st.sampled_from(PEOPLE), shop=st.sampled_from(sorted(SHOPS)), points=st.integers(0, 90))
    def sale(self, member: str, shop: str, points: int) -> None:
        done = self.world.sale(member, at=shop, total=points * 100)
        lot = self.plain.earn(member, shop, points)
        assert done.points == (points if lot else 0)
        if points:
            self.plain.sales.append(PlainSale(done, member, lot))

    @precondition(lambda self: self.plain.sales)
    @rule(which=st.integers(0, 99), share=st.integers(1, 8))
    def refund(self, which: int, share: int) -> None:
        sale = self.plain.sales[which % len(self.plain.sales)]
        if amount := -(-(sale.done.money - sale.refunded) * share // 8):
            done = self.world.refund(sale.done, amount)
            assert (done.returned, done.owed) == self.plain.refund(sale, amount)
        assert (
            self.world.refusal("sale_refund", self.world.refund_of(sale.done, sale.done.money - sale.refunded + 1))
            == "refund_exceeds_original"
        )

    @precondition(lambda self: self.plain.captured)
    @rule(which=st.integers(0, 99), share=st.integers(1, 4))
    def refund_a_redemption(self, which: int, share: int) -> None:
        hold = self.plain.captured[which % len(self.plain.captured)]
        assert hold.done is not None
        left = hold.points - self.plain.refunded.get(id(hold), 0)
        if points := -(-left * share // 4):
            assert self.world.give_back(hold.done, hold.shop, points).points == points
            self.plain.restore(hold, points)

    @rule(
        member=st.sampled_from(PEOPLE),
        shop=st.sampled_from(sorted(SHOPS)),
        points=st.integers(1, 150),
        at_once=st.booleans(),
    )
    def redemption(self, member: str, shop: str, points: int, at_once: bool) -> None:
        asked = self.world.redemption_of(member, shop, points, capture=at_once)
        decision = self.world.ask("redemption", asked, principal=self.world.shops[shop]).decision
        if points > self.plain.available(member):
            assert decision == ledger.errors.InsufficientPoints(
                ledger.Points(points), ledger.Points(self.plain.available(member))
            )
            return
        assert isinstance(decision, ledger.Accepted), decision
        done: trade.RedemptionDone = decision.value
        slices = self.plain.take(member, points)
        assert [(s.issuer_id, s.points) for s in done.slices] == [
            (self.world.shops[lot.issuer], part) for lot, part in slices
        ]
        hold = PlainHold(member, shop, self.plain.now + HOLD, slices, done)
        if at_once:
            self.plain.accepted[shop] += points
            self.plain.captured.append(hold)
        else:
            self.plain.holds.append(hold)
        self.pass_time(1)

    @rule(pair=st.permutations(PEOPLE), points=st.integers(1, 120))
    def gift(self, pair: list[str], points: int) -> None:
        giver, receiver = pair[:2]
        asked = self.world.gift_of(giver, receiver, points)
        decision = self.world.ask("gift", asked, principal=self.world.members[giver]).decision
        said = decision.code if isinstance(decision, ledger.Refusal) else "given"
        assert said == self.plain.give(giver, receiver, points)
        self.pass_time(1)

    @precondition(lambda self: self.plain.holds)
    @rule(which=st.integers(0, 99), captured=st.booleans())
    def end_a_hold(self, which: int, captured: bool) -> None:
        hold = self.plain.holds[which % len(self.plain.holds)]
        assert hold.done is not None
        if captured:
            self.world.capture(hold.done, at=hold.shop)
            self.plain.accepted[hold.shop] += hold.points
            self.plain.holds.remove(hold)
            self.plain.captured.append(hold)
        else:
            self.world.void(hold.done, at=hold.shop)
            self.plain.give_back(hold)
            # what had expired while it was held goes with the next look
            self.plain.move_on(self.plain.now)
            self.world.advance(self.plain.now)

    @rule(member=st.sampled_from(PEOPLE), shop=st.sampled_from(sorted(SHOPS)), share=st.integers(1, 4))
    def promise(self, member: str, shop: str, share: int) -> None:
        points = self.plain.available(member) * share // 4
        if points and sum(v.member == member for v in self.plain.vouchers) < 5:
            done = self.world.do("voucher", self.world.voucher_of(member, shop, points))
            slices = self.plain.take(member, points)
            self.plain.vouchers.append(PlainHold(member, shop, self.plain.now + VOUCHER, slices, voucher=done))
            self.pass_time(1)

    @precondition(lambda self: self.plain.vouchers)
    @rule(which=st.integers(0, 99), share=st.integers(0, 4))
    def end_a_voucher(self, which: int, share: int) -> None:
        """Returned, or spent in part or whole."""
        hold = self.plain.vouchers[which % len(self.plain.vouchers)]
        assert hold.voucher is not None
        if points := hold.points * share // 4:
            self.plain.spend(hold, points, self.world.spend(hold.voucher, hold.shop, points))
        else:
            self.world.do("voucher_return", trade.VoucherReturn(self.world.shops[hold.shop], hold.voucher.row.id))
            self.plain.give_back(hold)
        self.plain.move_on(self.plain.now)
        self.world.advance(self.plain.now)

    @rule(minutes=st.sampled_from([1, 20, 40, 600, 1440, 3000, 9000]))
    def pass_time(self, minutes: int) -> None:
        to = self.plain.now + dt.timedelta(minutes=minutes)
        self.plain.move_on(to)
        assert self.world.advance(to) == to

    @invariant()
    def wallets_and_shops_agree(self) -> None:
        if not hasattr(self, "plain"):
            return
        for person in PEOPLE:
            wallet = self.world.wallet(person)
            assert wallet.available == self.plain.available(person)
            held = [*self.plain.holds, *self.plain.vouchers]
            assert wallet.held == sum(h.points for h in held if h.member == person)
            assert wallet.owed == sum(debt.points for debt in self.plain.debts[person])
            for shop in SHOPS:
                mine = sum(debt.points for debt in self.plain.debts[person] if debt.shop == shop)
                assert self.world.owed(person, shop) == mine
        for shop, line in SHOPS.items():
            assert self.world.account("accepted", shop) == self.plain.accepted[shop]
            room = self.world.account("pool", shop) if shop == "taxi" else line + self.world.account("credit", shop)
            assert room == self.plain.room[shop]


@pytest.mark.row("A2")
@pytest.mark.row("A4")
@pytest.mark.row("A5")
@pytest.mark.row("A7")
@pytest.mark.row("A8")
@pytest.mark.row("A15")
@pytest.mark.timeout(240)
def test_any_history_leaves_what_the_plain_model_says(database_url: str) -> None:
    Histories.url = database_url
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    report = ledger.audit.run(database_url, [*ledger.audit.CHECKS, *settlement.audit.CHECKS])
    assert [finding for finding in report.findings if not finding.ok] == []
