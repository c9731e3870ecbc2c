"""Plots: roads that chance alone would seldom find, walked on purpose amid everything else that happens.

A plot yields one operation after the other, each from what the plain model holds by then. Other operations come in
between; a plot that no longer makes sense ends.
"""

import random
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, Final

from deploy.simulate.acts import APPROVER, MAKER, PassTime, PayWindow, StepWindow
from deploy.simulate.agreeing import BuyPoints, ChangeContract, ChangeRules, ChangeTerms, TopUp, sponsors_contract
from deploy.simulate.approving import Answer as Answered
from deploy.simulate.approving import Ask, Withdraw
from deploy.simulate.asking import Keys, Step
from deploy.simulate.braking import (
    FreezeBranch,
    FreezeMember,
    ResumeNetwork,
    ResumeShop,
    StopNetwork,
    SuspendShop,
    UnfreezeBranch,
    UnfreezeMember,
)
from deploy.simulate.giving import ChangeGiftRules, Give
from deploy.simulate.households import Household
from deploy.simulate.leaving import BuyOut
from deploy.simulate.limiting import ChangeLimits
from deploy.simulate.paying import Instruct, SayOf
from deploy.simulate.plain import (
    ANSWERED,
    COMPANY,
    FACE_VALUE,
    GRACE,
    HALF_MINUTE,
    LOCK_TIME,
    MOST_ASKED,
    MOST_MISSED,
    MOST_VOUCHERS,
    MOST_WRONG,
    PEOPLE,
    SHOPS,
    Contract,
    GiftRules,
    Hold,
    Limit,
    Lot,
    Plain,
    Terms,
)
from deploy.simulate.promising import AskVoucher, ReturnVoucher, SpendVoucher
from deploy.simulate.sharing import Answer, Found, HandOver, Invite, Leave, LimitPerson, Share
from deploy.simulate.sponsoring import ChangeBudget, EndSponsorship, OpenSponsorship
from deploy.simulate.till import CaptureHold, MakeSale, Redeem, RefundRedemption, RefundSale, VoidHold, half_minute


class Teller:
    """What a plot tells with: labels and keys of its own, and the verbs it needs."""

    def __init__(self, rng: random.Random, plain: Plain, key: Keys, label: str) -> None:
        self.rng, self.plain, self._key, self._label = rng, plain, key, label
        self._told = 0
        self.member = rng.choice(PEOPLE)

    def names(self, principal: str) -> tuple[str, str]:
        self._told += 1
        return f"{self._label}.{self._told}", self._key(principal)

    def sale(self, shop: str, points: int) -> MakeSale:
        label, key = self.names(shop)
        terms = self.plain.shops[shop].terms
        per = terms.per // max(1, terms.points) + 1 if terms else 100
        return MakeSale(label, key, shop, self.member, points * per, f"R{label}")

    def redemption(self, shop: str, points: int, *, capture: bool) -> Redeem:
        label, key = self.names(shop)
        return Redeem(label, key, shop, self.member, points, None, capture, self._fresh_code(), f"R{label}")

    def gift(self, to: str, points: int) -> Give:
        label, key = self.names(self.member)
        return Give(label, key, self.member, to, points, self._fresh_code())

    def voucher(self, shop: str, points: int) -> AskVoucher:
        label, key = self.names(self.member)
        return AskVoucher(label, key, shop, self.member, points, self._fresh_code())

    def ask(self, shop: str, points: int, *, capture: bool = True) -> Ask:
        label, key = self.names(shop)
        return Ask(label, key, shop, self.member, points, None, capture, f"R{label}")

    def answer(self, asked: str, *, yes: bool) -> Answered:
        label, key = self.names(self.member)
        return Answered(label, key, self.member, asked, yes)

    def _fresh_code(self) -> int:
        """The present code, or the next where that was used."""
        return int(half_minute(self.plain) <= self.plain.last_code[self.member])

    def until_fresh(self) -> Iterator[Step]:
        """Time enough for a code that was not used."""
        while half_minute(self.plain) + 1 <= self.plain.last_code[self.member] and not self.plain.stopped:
            yield self.time(self.plain.now + HALF_MINUTE)

    def capture(self, hold: Hold) -> Step:
        return CaptureHold(*self.names(hold.shop), hold.shop, hold.name)

    def void(self, hold: Hold) -> Step:
        return VoidHold(*self.names(hold.shop), hold.shop, hold.name)

    def refund(self, lot: Lot, share: int = 1) -> Step:
        sale = self.plain.sales[lot.sale]
        label, key = self.names(sale.shop)
        amount = max(1, (sale.money - sale.refunded) // share)
        return RefundSale(label, key, sale.shop, sale.name, amount, f"R{label}")

    def give_back(self, hold: Hold, points: int | None = None) -> Step:
        label, key = self.names(hold.shop)
        return RefundRedemption(label, key, hold.shop, hold.name, points, f"R{label}")

    def topup(self, shop: str) -> Step:
        return TopUp(*self.names("operator"), shop, self.rng.choice((15, 40)), "bank")

    def time(self, to: datetime, *, late: bool = False) -> Step:
        label, _ = self.names("clock")
        return PassTime(label, "", max(1, int((to - self.plain.now).total_seconds())), late)

    def suspend(self, shop: str) -> Step:
        return SuspendShop(*self.names("operator"), shop)

    def resume(self, shop: str) -> Step:
        return ResumeShop(*self.names("operator"), shop)

    def freeze(self) -> Step:
        return FreezeMember(*self.names("operator"), self.member)

    def unfreeze(self) -> Step:
        return UnfreezeMember(*self.names("operator"), self.member)

    def contract(self, shop: str, **changes: Any) -> Step:
        """The shop's contract, changed."""
        there = self.plain.shops[shop].contract or Contract("deferred", 90, 0, 0, 30, None, FACE_VALUE)
        wanted = replace(there, **changes)
        if wanted.mode != "deferred":
            wanted = replace(wanted, line=0)
        return ChangeContract(*self.names("operator"), shop, wanted.at(self.plain.rules.face_value))

    def face_value(self, value: int) -> Step:
        return ChangeRules(*self.names("operator"), replace(self.plain.rules, face_value=value))

    def close(self) -> Step:
        return StepWindow(*self.names(MAKER), "close", len(self.plain.windows), MAKER)

    def sponsor(self, name: str, room: int) -> Iterator[Step]:
        """Have a sponsor that may set so many points aside, if it did not leave."""
        if self.plain.shops[name].contract is None:
            yield self.contract(name, **asdict(sponsors_contract(name)))
        contract = self.plain.shops[name].contract
        if contract is not None and contract.mode == "prefunded":
            yield TopUp(*self.names("operator"), name, room * contract.unit, "bank")
            yield BuyPoints(*self.names("operator"), name, room)

    def sponsorship(
        self, sponsor: str, budget: int, *, shops: tuple[str, ...] | None = None, ends: datetime | None = None
    ) -> OpenSponsorship:
        """A point for each of the shop's own, about."""
        return OpenSponsorship(*self.names("operator"), sponsor, shops, Terms(1, 100, 0, None), budget, None, ends)

    def limits(self, limits: tuple[Limit, ...]) -> Step:
        return ChangeLimits(*self.names("operator"), limits)

    def invite(self, head: str, to: str, limit: int | None = None) -> Step:
        return Invite(*self.names(head), head, to, limit)

    def family(self, head: str, others: tuple[str, ...]) -> Generator[Step, None, Household | None]:
        """Founded by its head, joined by the others, whatever they were in before."""
        for member in (head, *others):
            if self.plain.household_of(member) is not None:
                yield self.leave(member)
        self.member = head
        yield (asked := Found(*self.names(head), head))
        there = self.plain.households.get(asked.label)
        if there is not None:
            for member in others:
                yield self.invite(head, member)
                yield Answer(*self.names(member), member, there.name, True)
        return there

    def leave(self, member: str, person: str | None = None) -> Step:
        return Leave(*self.names(member), member, person or member)

    def share(self, member: str, points: int | None) -> Step:
        return Share(*self.names(member), member, points)

    def spend_for(self, owner: str, by: str, shop: str, points: int, *, capture: bool = True) -> Redeem:
        label, key = self.names(shop)
        code = int(half_minute(self.plain) <= self.plain.last_code[by])
        return Redeem(label, key, shop, owner, points, None, capture, code, f"R{label}", by)

    def spend_all(self, shop: str) -> Redeem | None:
        """A redemption of all there is."""
        there = sum(lot.wallet for lot in self.plain.usable(self.member, shop))
        return self.redemption(shop, there, capture=True) if there and self.plain.shops[shop].contract else None

    def instruct(self, number: int, rail: str) -> Step:
        return Instruct(*self.names(MAKER), number, rail)

    def say(self, number: int, *words: str) -> Iterator[Step]:
        """Of every instruction of a window that lives, these words, one after another."""
        made = [name for name, of in self.plain.instructions.items() if of.number == number and of.state == "made"]
        for name in made:
            for said in words:
                yield SayOf(self.names("clock")[0], "", name, said)

    def by_rail(self, number: int) -> Iterator[Step]:
        """A window that is paid by rails: pay-ins first, payments out that are refused, come back and are made anew."""
        yield self.instruct(number, "stripe")
        yield self.instruct(number, "bank")
        if self.rng.random() < 0.2:
            yield PayWindow(*self.names(MAKER), number)
        yield from self.say(
            number, *self.rng.choice((("confirmed",), ("refused", "confirmed"), ("returned", "refused")))
        )
        first, second = self.rng.choice(
            (("bank", "stripe"), ("stripe", "bank"), ("stripe", "stripe"), ("bank", "bank"))
        )
        for rail, words in (
            (
                first,
                self.rng.choice((("refused", "confirmed"), ("refused",), ("confirmed", "returned"), ("returned",))),
            ),
            (second, self.rng.choice((("confirmed",), ("confirmed", "refused", "returned", "confirmed")))),
        ):
            yield self.instruct(number, rail)
            if self.rng.random() < 0.4:
                yield self.instruct(number, rail)
                yield PayWindow(*self.names(MAKER), number)
            yield from self.say(number, *words)

    def settle(self, *, by_rail: bool = False) -> Iterator[Step]:
        """Close the open window and settle what is not."""
        yield StepWindow(*self.names(MAKER), "close", len(self.plain.windows), MAKER)
        for number in range(1, len(self.plain.windows)):
            window = self.plain.windows[number - 1]
            if window.state == "advised":
                yield StepWindow(*self.names(MAKER), "submit", number, MAKER)
            if window.state == "submitted" and self.rng.random() < 0.1:
                yield StepWindow(*self.names(APPROVER), "return", number, APPROVER)
                yield StepWindow(*self.names(MAKER), "submit", number, MAKER)
            if window.state == "submitted":
                by = MAKER if window.submitted_by == APPROVER else APPROVER
                if self.rng.random() < 0.1:
                    yield StepWindow(*self.names(by), "approve", number, by, mistaken=True)
                yield StepWindow(*self.names(by), "approve", number, by)
                if self.rng.random() < 0.1:
                    yield StepWindow(*self.names(by), "approve", number, by)
            if by_rail and window.state == "paying":
                yield from self.by_rail(number)
            owing = [s for s in window.positions if self.plain.accounts[f"due:{s}::{number}"] > 1]
            if window.state == "paying" and owing:
                half = -self.plain.accounts[f"position:{owing[0]}::{number}"] // 2
                yield PayWindow(*self.names(MAKER), number, owing[0], max(1, half))
            if window.state == "paying":
                yield PayWindow(*self.names(MAKER), number)

    def earned(self) -> Lot | None:
        """The member's newest lot of a shop, if there is something in it to spend."""
        lots = [lot for lot in self._of_shops() if lot.wallet and self.plain.alive(lot)]
        return lots[-1] if lots else None

    def pending(self) -> Lot | None:
        """The member's newest lot of a shop, if it waits to confirm."""
        lots = [lot for lot in self._of_shops() if lot.pending]
        return lots[-1] if lots else None

    def _of_shops(self) -> list[Lot]:
        return [lot for lot in self.plain.lots_of(self.member) if lot.issuer in SHOPS]

    def held(self, label: str) -> Hold | None:
        return self.plain.holds.get(label)


Plot = Callable[[Teller], Iterator[Step]]


def expires_while_held(tell: Teller) -> Iterator[Step]:
    """A hold outlives its points; then it is captured, voided, or lapses."""
    yield tell.sale(tell.rng.choice(("cafe", "taxi", "club")), 20)
    if (lot := tell.earned()) is None:
        return
    shop = "club" if lot.funding == "closed_loop" else "books"
    contract = tell.plain.shops[shop].contract
    if contract is None:
        return
    yield tell.time(lot.expires - timedelta(minutes=contract.hold_minutes) / 2)
    yield (asked := tell.redemption(shop, max(1, lot.wallet), capture=False))
    if (hold := tell.held(asked.label)) is None:
        return
    if tell.rng.random() < 0.3:
        yield tell.suspend(shop)
    yield tell.time(lot.expires, late=tell.rng.random() < 0.5)
    if hold.state == "open":
        end = tell.rng.choice((tell.capture, tell.void, None, None))
        late = tell.rng.random() < 0.5
        yield end(hold) if end else tell.time(hold.deadline, late=late)
    if hold.state == "open" and hold.deadline <= tell.plain.now:
        # the clock has not done its work yet
        yield tell.capture(hold)
    yield tell.resume(shop)


def closed_elsewhere(tell: Teller) -> Iterator[Step]:
    """A club's points are asked for at shops that may not take them."""
    yield tell.sale("club", 20)
    for shop in ("cafe", "books"):
        yield from tell.until_fresh()
        there = sum(lot.wallet for lot in tell.plain.usable(tell.member, shop))
        yield tell.redemption(shop, there + 1, capture=True)


def own_points_restored(tell: Teller) -> Iterator[Step]:
    """A shop gives back its own points after they were settled, when its pool holds them no more."""
    shop = tell.rng.choice(("taxi", "taxi", "bakery", "bakery", "cafe", "club"))
    yield tell.sale(shop, 15)
    # all there is, for the oldest points go first and the shop's own are among the newest
    there = sum(lot.wallet for lot in tell.plain.usable(tell.member, shop))
    yield (asked := tell.redemption(shop, max(1, there), capture=True))
    if (hold := tell.held(asked.label)) is None:
        return
    yield from tell.settle()
    room = tell.plain.room(shop) if tell.plain.shops[shop].contract else None
    yield tell.give_back(hold)
    if room and room > 0:
        yield tell.sale(shop, max(1, room - tell.rng.choice((0, 0, 3))))
    if tell.rng.random() < 0.5:
        yield tell.topup(shop)
    yield from tell.settle()


def paid_by_rails(tell: Teller) -> Iterator[Step]:
    """Points of one shop are spent at others, and the window is paid by rails."""
    yield tell.sale(tell.rng.choice(("books", "cafe", "bakery")), 30)
    for shop in ("cafe", "books", "bakery"):
        yield from tell.until_fresh()
        there = sum(lot.wallet for lot in tell.plain.usable(tell.member, shop))
        yield tell.redemption(shop, max(1, there // 2), capture=True)
    yield from tell.settle(by_rail=True)


def grace_twice(tell: Teller) -> Iterator[Step]:
    """Points come back after their time, once with grace, and once more without."""
    yield tell.sale(tell.rng.choice(("cafe", "bakery", "taxi")), 20)
    if (lot := tell.earned()) is None:
        return
    yield (asked := tell.redemption("cafe", max(2, lot.wallet), capture=True))
    if (hold := tell.held(asked.label)) is None:
        return
    yield tell.time(lot.expires)
    yield tell.give_back(hold, max(1, hold.points // 2))
    yield tell.time(tell.plain.now + GRACE)
    if hold.refunded < hold.points:
        yield tell.give_back(hold)


def held_and_owed(tell: Teller) -> Iterator[Step]:
    """A sale is refunded while its points are held: what comes back from the hold is owed."""
    yield tell.sale(tell.rng.choice(("cafe", "club", "taxi", "books")), 20)
    if (lot := tell.earned()) is None:
        return
    yield (asked := tell.redemption(lot.issuer, max(1, lot.wallet), capture=False))
    if (hold := tell.held(asked.label)) is None:
        return
    for held, _ in hold.slices:
        if tell.plain.sales[held.sale].refunded < tell.plain.sales[held.sale].money:
            yield tell.refund(held, share=tell.rng.choice((1, 1, 2)))
    if hold.state == "open":
        yield tell.void(hold) if tell.rng.random() < 0.4 else tell.time(hold.deadline)


def back_and_forth(tell: Teller) -> Iterator[Step]:
    """In one window a shop's points come back from one shop and go to another."""
    yield tell.sale("cafe", 15)
    there = sum(lot.wallet for lot in tell.plain.usable(tell.member, "bakery"))
    yield (asked := tell.redemption("bakery", max(1, there), capture=True))
    if (hold := tell.held(asked.label)) is None:
        return
    yield from tell.settle()
    yield tell.sale("cafe", 25)
    there = sum(lot.wallet for lot in tell.plain.usable(tell.member, "taxi"))
    yield tell.redemption("taxi", max(1, there), capture=True)
    yield tell.give_back(hold, max(1, (hold.points - hold.refunded) // 2))
    if tell.rng.random() < 0.5:
        yield tell.topup("cafe")
    yield from tell.settle()


def two_debts(tell: Teller) -> Iterator[Step]:
    """A member spends what two shops gave and both take it back; then a little comes in."""
    for shop in ("bakery", "cafe"):
        yield tell.sale(shop, 12)
    usable = tell.plain.usable(tell.member, "books")
    if tell.plain.shops["books"].contract is None or not usable:
        return
    yield tell.redemption("books", sum(lot.wallet for lot in usable), capture=True)
    spent = [lot for lot in usable if not lot.wallet and tell.plain.sales[lot.sale].refunded == 0]
    for lot in spent[:3]:
        yield tell.refund(lot)
    yield tell.sale("taxi", 7)


def paid_in_parts(tell: Teller) -> Iterator[Step]:
    """A shop's points are spent elsewhere, and it pays its window in parts."""
    yield tell.sale(tell.rng.choice(("cafe", "books")), 30)
    if (lot := tell.earned()) is None:
        return
    yield tell.redemption(tell.rng.choice(("taxi", "bakery")), max(1, lot.wallet), capture=True)
    yield from tell.settle()


def guessing(tell: Teller) -> Iterator[Step]:
    """A shop shows one wrong code after the other, and then the right one."""
    shop = tell.rng.choice(("cafe", "books"))
    for _ in range(MOST_WRONG):
        yield replace(tell.redemption(shop, 1, capture=True), code=None)
    yield tell.redemption(shop, 1, capture=True)
    yield tell.time(tell.plain.now + LOCK_TIME)
    yield tell.redemption(shop, 1, capture=True)


def suspended(tell: Teller) -> Iterator[Step]:
    """A suspended shop neither earns nor takes new redemptions; what was promised goes on."""
    yield tell.sale("cafe", 20)
    if (lot := tell.earned()) is None:
        return
    yield (asked := tell.redemption(lot.issuer, max(1, lot.wallet // 2), capture=False))
    yield tell.suspend(lot.issuer)
    yield tell.sale(lot.issuer, 5)
    yield tell.redemption(lot.issuer, 1, capture=True)
    if (hold := tell.held(asked.label)) is not None and hold.state == "open":
        yield tell.capture(hold)
    if tell.plain.sales[lot.sale].refunded < tell.plain.sales[lot.sale].money:
        yield tell.refund(lot, share=3)
    yield tell.resume(lot.issuer)


def return_period(tell: Teller) -> Iterator[Step]:
    """Points wait for the end of a return period: they repay at once, are refunded as they wait, or confirm."""
    shop = tell.rng.choice(("cafe", "taxi", "club", "bakery"))
    yield tell.contract(shop, maturity_days=1, life_days=None)
    yield tell.sale(shop, 12)
    if (lot := tell.pending()) is not None and tell.plain.sales[lot.sale].refunded == 0:
        yield tell.refund(lot, share=tell.rng.choice((1, 2)))
    for again in (True, False):
        yield tell.sale(shop if again is False else "books", 9)
        if (spent := tell.earned()) is None or (spending := tell.spend_all(spent.issuer)) is None:
            continue
        if again is False:
            # what waits is there before the debt
            yield tell.sale(shop, 9)
        yield spending
        if tell.plain.sales[spent.sale].refunded < tell.plain.sales[spent.sale].money:
            yield tell.refund(spent)
        if again:
            yield tell.sale(shop, 20)
    if (waiting := tell.pending()) is not None:
        yield tell.time(waiting.available, late=tell.rng.random() < 0.4)
    yield tell.sale("books", 2)
    if (spending := tell.spend_all("books")) is not None:
        yield spending
    yield tell.contract(shop, maturity_days=0)


def confirms_while_owing(tell: Teller) -> Iterator[Step]:
    """Points wait when their member comes to owe; they repaid as they came, and repay nothing as they confirm."""
    yield tell.contract("cafe", maturity_days=1, life_days=None)
    yield tell.sale("books", 9)
    spent, spending = tell.earned(), tell.spend_all("books")
    if spent is not None and spending is not None:
        yield spending
        yield tell.sale("cafe", 12)
        yield tell.refund(spent)
        if (waiting := tell.pending()) is not None:
            yield tell.time(waiting.available)
            yield tell.sale("cafe", 1)
    yield tell.contract("cafe", maturity_days=0)


def other_funding(tell: Teller) -> Iterator[Step]:
    """A shop that prefunds does so no more, or at another value: what it issued goes home to the mint."""
    shop = tell.rng.choice(("taxi", "bakery"))
    yield tell.contract(shop, mode="prefunded", maturity_days=tell.rng.choice((0, 0, 2)))
    yield from tell.settle()
    yield tell.topup(shop)
    yield BuyPoints(*tell.names("operator"), shop, 3)
    yield tell.sale(shop, max(1, min(tell.plain.room(shop) or 1, 25)))
    lot, asked = tell.earned() or tell.pending(), None
    if lot is not None and lot.wallet:
        yield (asked := tell.redemption(shop, max(1, lot.wallet // 3), capture=True))
    what = tell.rng.choice((("mode",), ("mode", "value"), ("mode", "value"), ("value",)))
    if "mode" in what:
        yield tell.contract(shop, mode="deferred", line=90)
    if "value" in what:
        # both come into force together
        yield tell.face_value(FACE_VALUE + (tell.plain.rules.face_value == FACE_VALUE))
    yield from tell.settle()
    if lot is None:
        return
    if tell.plain.sales[lot.sale].refunded < tell.plain.sales[lot.sale].money:
        yield tell.refund(lot, share=2)
    if asked is not None and (hold := tell.held(asked.label)) is not None and hold.state == "captured":
        if hold.refunded < hold.points:
            yield tell.give_back(hold)
        yield from tell.settle()
    if lot.wallet and lot.expires > tell.plain.now:
        yield tell.time(lot.expires)
    yield tell.contract(shop, mode="prefunded")
    yield tell.close()


def frozen(tell: Teller) -> Iterator[Step]:
    """A frozen member earns and spends nothing; what was held is captured all the same."""
    yield tell.sale("cafe", 10)
    if (lot := tell.earned()) is None:
        return
    yield (asked := tell.redemption("cafe", max(1, lot.wallet // 2), capture=False))
    yield tell.freeze()
    yield tell.sale("cafe", 5)
    yield tell.redemption("cafe", 1, capture=True)
    if (hold := tell.held(asked.label)) is not None and hold.state == "open":
        tell.plain.reached["capture of a frozen member"] += hold.deadline > tell.plain.now
        yield tell.capture(hold)
    yield tell.unfreeze()


def bought_out(tell: Teller) -> Iterator[Step]:
    """Money is put behind a shop's points while some are accepted, some held and some spent; then it may leave."""
    shop = tell.rng.choice(("cafe", "books", "club", "taxi"))
    yield tell.sale(shop, 25)
    if (lot := tell.earned()) is None:
        return
    there = "bakery" if lot.funding != "closed_loop" else shop
    yield (
        asked := tell.redemption(
            there, max(1, sum(each.wallet for each in tell.plain.usable(tell.member, there)) - 9), capture=True
        )
    )
    yield (holding := tell.redemption(there, 4, capture=False))
    payer = tell.rng.choice((None, None, "bakery", "taxi"))
    yield TopUp(*tell.names("operator"), payer or shop, 2_000, "bank")
    leaves = tell.rng.random() < 0.4
    yield BuyOut(*tell.names("operator"), shop, leaves, payer)
    if leaves:
        yield tell.sale(shop, 5)
        yield tell.redemption(shop, 1, capture=True)
        if tell.plain.sales[lot.sale].refunded == 0:
            yield tell.refund(lot, share=2)
        yield BuyPoints(*tell.names("operator"), shop, 1)
        yield BuyOut(*tell.names("operator"), shop, leaves, payer)
    if (hold := tell.held(holding.label)) is not None and hold.state == "open":
        yield tell.capture(hold)
    if (hold := tell.held(asked.label)) is not None and hold.refunded < hold.points and tell.rng.random() < 0.7:
        yield tell.give_back(hold)
    if lot.funding == "prefunded" and lot.wallet and tell.plain.shops["bakery"].contract:
        # what only the shop took is good everywhere now
        yield tell.redemption("bakery", 1, capture=True)
    yield from tell.settle()


def bought_out_when_spent(tell: Teller) -> Iterator[Step]:
    """Nothing of the points is open as money is put behind them; then they are given back, and spent again."""
    contracts = {shop: tell.plain.shops[shop].contract for shop in ("cafe", "books", "taxi")}
    shop = tell.rng.choice([shop for shop, now in contracts.items() if now and now.mode == "deferred"] or ["cafe"])
    yield tell.sale(shop, 25)
    if tell.earned() is None or (asked := tell.spend_all("bakery")) is None:
        return
    yield asked
    yield TopUp(*tell.names("operator"), shop, 2_000, "bank")
    yield BuyOut(*tell.names("operator"), shop, False, None)
    if (hold := tell.held(asked.label)) is not None and hold.refunded < hold.points:
        yield tell.give_back(hold)
    if (again := tell.spend_all("bakery")) is not None:
        yield again
    yield from tell.settle()


def gifts(tell: Teller) -> Iterator[Step]:
    """Points go from one to the next, never back; who owes gives nothing; the sale is refunded after they are gone."""
    first, second, third = tell.rng.sample(PEOPLE, 3)
    tell.member = first
    yield tell.sale(tell.rng.choice(("cafe", "taxi")), 30)
    if (lot := tell.earned()) is None:
        return
    yield tell.gift(second, max(1, tell.plain.wallet(first) // 2))
    tell.member = second
    yield tell.gift(first, max(1, tell.plain.wallet(second)))
    yield tell.gift(third, max(1, tell.plain.wallet(second)))
    if tell.plain.sales[lot.sale].refunded < tell.plain.sales[lot.sale].money:
        yield tell.refund(lot)
    tell.member = first
    yield tell.gift(third, 1)
    tell.member = third
    if (spending := tell.spend_all("books")) is not None:
        yield spending
        if (hold := tell.held(spending.label)) is not None:
            yield tell.time(tell.plain.now + GRACE)
            yield tell.give_back(hold)
            yield tell.gift(second, max(1, tell.plain.wallet(third)))


def too_many_gifts(tell: Teller) -> Iterator[Step]:
    """Nobody there, time and again; and more than a day allows."""
    giver, receiver = tell.member, next(member for member in PEOPLE if member != tell.member)
    yield tell.sale("cafe", 20)
    if tell.rng.random() < 0.65:
        # a code is good again when its gift was refused
        for _ in range(MOST_MISSED + 1):
            yield from tell.until_fresh()
            yield tell.gift("nobody", 1)
        return
    for rules in tell.rng.sample((GiftRules(3, 10, 60), GiftRules(100, 1, 60), GiftRules(100, 10, 3)), 3):
        yield ChangeGiftRules(*tell.names("operator"), rules)
        for _ in range(2):
            yield from tell.until_fresh()
            yield replace(tell.gift(receiver, 2), member=giver)
    yield ChangeGiftRules(*tell.names("operator"), GiftRules())


def vouchers(tell: Teller) -> Iterator[Step]:
    """A promise is kept whatever comes: spent in part after its points expired, while a debt waits for what is left."""
    for shop in tell.rng.sample(("cafe", "taxi", "books"), 2):
        yield tell.sale(shop, 25)
    if (lot := tell.earned()) is None:
        return
    shop = tell.rng.choice(("books", "bakery"))
    yield from tell.until_fresh()
    yield (asked := tell.voucher(shop, max(1, tell.plain.wallet(tell.member) - 2)))
    if (voucher := tell.plain.vouchers.get(asked.label)) is None:
        return
    what = tell.rng.choice(
        ("owed", "late", "suspended", "frozen", "suspended", "frozen", "returned", "lapses", "again")
    )
    if what == "owed" and tell.plain.sales[lot.sale].refunded < tell.plain.sales[lot.sale].money:
        yield tell.refund(lot)
    if what in ("late", "again", "lapses"):
        yield tell.time(max(lot.expires, tell.plain.now + HALF_MINUTE))
    if what == "suspended":
        yield tell.suspend(shop)
    if what == "frozen":
        yield tell.freeze()
    if what == "lapses" and voucher.state == "open":
        yield tell.time(voucher.deadline, late=tell.rng.random() < 0.5)
    if what == "returned":
        yield ReturnVoucher(*tell.names(shop), shop, voucher.name)
    there = sum(part for _, part in voucher.slices)
    part = max(1, there // 2 if what == "owed" else there // tell.rng.choice((1, 2)))
    for points in (there, part) if what == "again" else (part,):
        label, key = tell.names(shop)
        yield SpendVoucher(label, key, shop, tell.member, voucher.name, points, f"R{label}")
    if what == "suspended":
        yield tell.resume(shop)
    if what == "frozen":
        yield tell.unfreeze()
    if voucher.state == "captured" and voucher.refunded < voucher.points:
        yield tell.give_back(voucher, max(1, voucher.points // 2))


def many_vouchers(tell: Teller) -> Iterator[Step]:
    """One more than a member may have open."""
    yield tell.sale("cafe", 40)
    for _ in range(MOST_VOUCHERS + 1):
        yield tell.voucher("cafe", 1)
        yield tell.time(tell.plain.now + HALF_MINUTE)


def asked(tell: Teller) -> Iterator[Step]:
    """A shop asks; what befalls the wallet and the shop meanwhile counts at the answer, and after five minutes nothing does."""
    yield tell.sale("cafe", 40)
    shop = tell.rng.choice(("books", "bakery", "cafe"))
    what = tell.rng.choice(
        (
            "lapses",
            "late",
            "held",
            "frozen",
            "suspended",
            "too much",
            "twice",
            "withdrawn",
            "no",
            "many",
            "late",
            "held",
        )
    )
    yield (request := tell.ask(shop, 12, capture=what != "held"))
    if what == "lapses":
        yield tell.time(tell.plain.now + ANSWERED)
    if what == "late":
        yield tell.time(tell.plain.now + ANSWERED, late=True)
    if what == "frozen":
        yield tell.freeze()
    if what == "suspended":
        yield tell.suspend(shop)
    if what == "too much":
        yield tell.redemption("cafe", max(1, tell.plain.wallet(tell.member) - 5), capture=True)
    if what == "withdrawn":
        yield Withdraw(*tell.names(shop), shop, request.label)
    if what == "many":
        for _ in range(MOST_ASKED):
            yield tell.ask(shop, 1)
    yield tell.answer(request.label, yes=what != "no")
    if what == "frozen":
        yield tell.unfreeze()
    if what == "suspended":
        yield tell.resume(shop)
    if what in ("twice", "no", "frozen", "suspended"):
        yield tell.answer(request.label, yes=True)
    hold = tell.held(request.label)
    if hold is not None and hold.state == "open":
        yield tell.time(hold.deadline, late=True)
        yield tell.capture(hold)
    if hold is not None and hold.state == "captured" and hold.refunded < hold.points:
        yield tell.give_back(hold, max(1, (hold.points - hold.refunded) // 2))


def asked_of_a_family(tell: Teller) -> Iterator[Step]:
    """Whoever may spend for another answers for them too, within the month's limit and no longer than they may."""
    head, other, third = tell.rng.sample(PEOPLE, 3)
    there = yield from tell.family(head, (other, third))
    if there is None:
        return
    yield tell.sale("cafe", 60)
    yield tell.share(head, 20)
    for points, by, yes in ((9, other, True), (14, third, True), (3, third, False), (1, other, True)):
        tell.member = head
        yield (request := tell.ask(tell.rng.choice(("books", "bakery")), points))
        tell.member = by
        yield tell.answer(request.label, yes=yes)
    tell.member = head
    yield (last := tell.ask("books", 2))
    yield tell.share(head, None)
    tell.member = other
    yield tell.answer(last.label, yes=True)


def told_before(tell: Teller) -> Iterator[Step]:
    """A member is told of what expires, stage by stage; what is spent meanwhile is told of no more."""
    yield tell.contract("kiosk", life_days=70)
    yield ChangeTerms(*tell.names("operator"), "kiosk", Terms(1, 100, 0, None))
    yield tell.sale("kiosk", 30)
    if (lot := tell.earned()) is None:
        return
    days = 80 - 60
    for _ in range(2):
        yield tell.time(lot.expires - timedelta(days=days + 45))
        yield tell.redemption("kiosk", 3, capture=True)
        yield tell.sale("kiosk", 5)
    yield tell.time(lot.expires - timedelta(days=8), late=tell.rng.random() < 0.5)
    yield tell.time(lot.expires - timedelta(days=3))
    yield tell.contract("kiosk", life_days=None)


def long_away(tell: Teller) -> Iterator[Step]:
    """What was earned long ago lives on when its member comes again, also what a hold gives back."""
    yield tell.sale("cafe", 20)
    if (lot := tell.earned()) is None:
        return
    yield tell.contract("books", hold_minutes=1440)
    yield tell.time(lot.expires - timedelta(hours=30))
    yield (asked := tell.redemption("books", max(1, lot.wallet // 2), capture=False))
    hold = tell.held(asked.label)
    yield tell.time(lot.expires - timedelta(hours=20))
    if hold is not None and hold.state == "open":
        yield tell.void(hold) if tell.rng.random() < 0.5 else tell.time(hold.deadline)
    yield tell.time(lot.expires)


def sponsored(tell: Teller) -> Iterator[Step]:
    """A sponsor gives beside a shop, whole or not at all; a refund takes back of each lot, and what is owed is repaid."""
    sponsor = tell.rng.choice(("brand", "brand", "network", "guild"))
    shop = tell.rng.choice(("cafe", "taxi", "bakery", "club", "books"))
    yield from tell.sponsor(sponsor, 60)
    yield (asked := tell.sponsorship(sponsor, 50))
    if (there := tell.plain.sponsorships.get(asked.label)) is None:
        return
    if tell.rng.random() < 0.4:
        # two of one sponsor are two lots, and one debt
        yield tell.sponsorship(sponsor, 40, shops=(shop,))
    yield (bought := tell.sale(shop, 25))
    sale = tell.plain.sales.get(bought.label)
    if tell.rng.random() < 0.5:
        yield tell.sale(shop, 40)
    if tell.rng.random() < 0.5:
        yield ChangeBudget(*tell.names("operator"), sponsor, there.name, tell.rng.choice((5, -5, -500, 5_000)))
    if (spending := tell.spend_all(tell.rng.choice(("books", "bakery", shop)))) is not None:
        yield spending
    if sale is not None:
        for share in (3, 2, 1):
            if sale.refunded < sale.money:
                label, key = tell.names(shop)
                amount = max(1, (sale.money - sale.refunded) // share)
                yield RefundSale(label, key, shop, sale.name, amount, f"R{label}")
    yield tell.sale(tell.rng.choice(("cafe", "bakery")), 30)
    if tell.rng.random() < 0.5:
        yield EndSponsorship(*tell.names("operator"), sponsor, there.name)
    yield from tell.settle()


def sponsors_braked(tell: Teller) -> Iterator[Step]:
    """A suspended sponsor gives nothing, nor does any at a suspended shop; a shop that has run dry stops nobody."""
    yield from tell.sponsor("network", 60)
    yield tell.sponsorship("network", 60)
    yield tell.suspend("network")
    yield tell.sale("cafe", 10)
    yield tell.resume("network")
    yield tell.suspend("cafe")
    yield tell.sale("cafe", 10)
    yield tell.resume("cafe")
    yield tell.contract("books", mode="deferred", line=0)
    yield tell.sale("books", 8)
    yield tell.contract("books", mode="deferred", line=90)


def sponsored_for_a_time(tell: Teller) -> Iterator[Step]:
    """A sponsorship ends by its time, perhaps late; what it gave confirms when the shop's own points do."""
    sponsor = tell.rng.choice(("brand", "network"))
    yield from tell.sponsor(sponsor, 40)
    yield tell.contract("cafe", maturity_days=3, life_days=5)
    ends = tell.plain.now + timedelta(hours=5)
    yield (asked := tell.sponsorship(sponsor, 40, ends=ends))
    if (there := tell.plain.sponsorships.get(asked.label)) is None:
        return
    yield tell.sale("cafe", 10)
    yield tell.time(ends, late=tell.rng.random() < 0.6)
    yield tell.sale("cafe", 10)
    yield tell.time(tell.plain.now + timedelta(hours=1))
    yield ChangeBudget(*tell.names("operator"), sponsor, there.name, 1)
    yield tell.time(tell.plain.now + timedelta(days=3))
    yield tell.contract("cafe", maturity_days=0, life_days=None)


def budgets_go_back(tell: Teller) -> Iterator[Step]:
    """A sponsor's points are paid for otherwise, or worth otherwise, or it leaves: what it set aside goes back first."""
    sponsor = tell.rng.choice(("brand", "brand", "network", "guild"))
    yield from tell.sponsor(sponsor, 50)
    yield (asked := tell.sponsorship(sponsor, 45))
    yield tell.sale("bakery", 10)
    what = tell.rng.choice(("value", "mode", "leaves"))
    if what == "value":
        yield tell.face_value(FACE_VALUE + (tell.plain.rules.face_value == FACE_VALUE))
    elif what == "mode":
        yield tell.contract(sponsor, mode="deferred" if sponsor == "brand" else "prefunded", line=90)
    else:
        yield TopUp(*tell.names("operator"), sponsor, 1_000, "bank")
        yield BuyOut(*tell.names("operator"), sponsor, True, None)
        yield ChangeBudget(*tell.names("operator"), sponsor, asked.label, 3)
    yield from tell.settle()
    yield tell.sale("bakery", 10)
    if what == "value":
        yield ChangeBudget(*tell.names("operator"), sponsor, asked.label, 20)
        yield tell.sale("bakery", 10)
    yield EndSponsorship(*tell.names("operator"), sponsor, asked.label)


def family(tell: Teller) -> Iterator[Step]:
    """One spends what another shares, within a month's limit of all together; what comes back counts no more."""
    head, other, third = tell.rng.sample(PEOPLE, 3)
    there = yield from tell.family(head, (other, third))
    if there is None:
        return
    yield tell.sale(tell.rng.choice(("cafe", "taxi")), 60)
    yield tell.spend_for(head, other, "books", 3)
    yield tell.share(head, 20)
    yield (spent := tell.spend_for(head, other, "bakery", 12, capture=False))
    yield tell.spend_for(head, third, "books", 5)
    yield tell.spend_for(head, third, "books", 9)
    hold = tell.held(spent.label)
    what = tell.rng.choice(("void", "refund", "month", "freeze"))
    if hold is not None and hold.state == "open" and what in ("void", "refund"):
        yield tell.void(hold) if what == "void" else tell.capture(hold)
    if hold is not None and hold.state == "captured" and what == "refund":
        yield tell.give_back(hold, max(1, (hold.points - hold.refunded) // 2))
    if what == "month":
        yield tell.time(tell.plain.now + timedelta(days=31))
        yield tell.sale("cafe", 30)
    if what == "freeze":
        tell.member = third
        yield tell.freeze()
    yield tell.spend_for(head, third, "books", 14)
    if what == "freeze":
        yield tell.share(third, 5)
        yield tell.leave(third)
        yield tell.unfreeze()


def led_and_left(tell: Teller) -> Iterator[Step]:
    """The head alone leads; whoever came first of those who stay follows; who goes spends no more."""
    head, other, third = tell.rng.sample(PEOPLE, 3)
    there = yield from tell.family(head, (other, third))
    if there is None:
        return
    yield tell.leave(other, third)
    how = tell.rng.choice(("over", "again", "again", "takes"))
    if how == "over":
        yield HandOver(*tell.names(head), head, other)
        yield tell.leave(head, third)
    elif how == "again":
        # whoever comes again is no elder than those who stayed, or came again before
        for member in tell.rng.sample((other, third), 2):
            yield tell.leave(head, member)
            yield tell.invite(head, member)
            yield Answer(*tell.names(member), member, there.name, True)
    else:
        yield tell.sale("cafe", 10)
        yield tell.share(head, 20)
        yield tell.leave(head, other)
        yield tell.spend_for(head, other, "books", 1)
        yield tell.spend_for(head, third, "books", 1)
    yield tell.leave(there.head)
    if not there.ended:
        yield tell.leave(there.head)


def company(tell: Teller) -> Iterator[Step]:
    """A company's people spend from its wallet, each as much as it says; nobody else's is shared."""
    one, other = tell.rng.sample(PEOPLE, 2)
    for member in (COMPANY, one, other):
        if tell.plain.household_of(member) is not None:
            yield tell.leave(member)
    tell.member = COMPANY
    yield (asked := Found(*tell.names(COMPANY), COMPANY))
    if (there := tell.plain.households.get(asked.label)) is None:
        return
    yield Found(*tell.names(one), one)
    for member in (one, other):
        yield tell.invite(COMPANY, member, 10)
        accepts = member == one or tell.rng.random() < 0.7
        yield Answer(*tell.names(member), member, there.name, accepts)
    yield tell.leave(one)
    yield Answer(*tell.names(one), one, there.name, True)
    yield tell.sale(tell.rng.choice(("cafe", "bakery")), 50)
    yield tell.spend_for(COMPANY, one, "books", 9)
    yield tell.spend_for(COMPANY, other, "books", 9)
    yield LimitPerson(*tell.names(COMPANY), COMPANY, one, 12)
    yield tell.spend_for(COMPANY, one, "books", 4)
    yield tell.spend_for(COMPANY, one, "books", 3)
    yield tell.spend_for(one, COMPANY, "books", 1)
    yield tell.leave(one) if tell.rng.random() < 0.5 else tell.leave(COMPANY)
    yield tell.spend_for(COMPANY, one, "books", 1)
    if tell.rng.random() < 0.6:
        yield Found(*tell.names(other), other)
        yield tell.leave(COMPANY)


def limited(tell: Teller) -> Iterator[Step]:
    """A sale beyond a limit earns nothing, nor does a sponsor give; a redemption is refused; in time there is room again."""
    limits = tell.rng.choice(
        (
            (Limit("member", "earn_points", 60, 50), Limit("member", "redeem_points", 60, 20)),
            (Limit("merchant", "sale_count", 10, 2), Limit("merchant", "redeem_count", 600, 1)),
            (Limit("key", "earn_points", 130, 50), Limit("key", "redeem_points", 130, 20)),
        )
    )
    if tell.rng.random() < 0.8:
        yield from tell.sponsor("network", 120)
        yield tell.sponsorship("network", 120)
    yield tell.sale("taxi", 30)
    yield tell.limits(limits)
    for points in (30, 9, 15):
        yield tell.sale("cafe", points)
    yield (asked := tell.redemption("cafe", 12, capture=False))
    yield tell.time(tell.plain.now + HALF_MINUTE)
    yield tell.redemption("cafe", 10, capture=True)
    yield tell.time(tell.plain.now + HALF_MINUTE)
    yield tell.voucher("cafe", 11)
    if (hold := tell.held(asked.label)) is not None and hold.state == "open":
        # what passed stays counted
        yield tell.void(hold)
        yield tell.redemption("cafe", 10, capture=True)
    if tell.rng.random() < 0.5:
        yield tell.limits(tuple(each._replace(most=each.most + 5) for each in limits))
    yield tell.time(tell.plain.now + timedelta(minutes=limits[0].minutes + tell.rng.choice((-1, 1, 5))))
    yield tell.sale("cafe", 20)
    yield tell.redemption("cafe", 10, capture=True)
    yield tell.limits(())


def branch_braked(tell: Teller) -> Iterator[Step]:
    """A frozen branch sells and earns nothing, nor takes holds; what was held there is captured."""
    yield tell.sale("books", 20)
    yield from tell.sponsor("network", 40)
    yield tell.sponsorship("network", 30)
    yield (asked := tell.redemption("books", 5, capture=False))
    yield FreezeBranch(*tell.names("operator"), "books")
    yield tell.sale("books", 10)
    yield tell.redemption("books", 1, capture=True)
    if (hold := tell.held(asked.label)) is not None and hold.state == "open":
        yield tell.capture(hold)
        if hold.state == "captured":
            yield tell.give_back(hold)
    yield UnfreezeBranch(*tell.names("operator"), "books")


def stopped(tell: Teller) -> Iterator[Step]:
    """While the network is stopped nothing is posted but brakes; the same requests are good once it runs again."""
    yield tell.sale("cafe", 20)
    yield (asked := tell.redemption("cafe", 5, capture=False))
    hold = tell.held(asked.label)
    yield StopNetwork(*tell.names("operator"))
    waiting: list[Step] = [tell.sale("taxi", 10), tell.time(tell.plain.now + timedelta(days=1))]
    if hold is not None:
        waiting.append(tell.capture(hold))
    yield from waiting
    yield tell.rng.choice((tell.freeze, tell.unfreeze))()
    yield FreezeBranch(*tell.names("operator"), "bakery")
    yield tell.close()
    yield ResumeNetwork(*tell.names("operator"))
    for again in waiting:
        # unless somebody let the network run before
        if not tell.plain.answered.get(again.label):
            tell.plain.reached["asked again when the network ran"] += not tell.plain.stopped
            yield again
    yield UnfreezeBranch(*tell.names("operator"), "bakery")
    yield tell.unfreeze()


PLOTS: Final[tuple[Plot, ...]] = (
    expires_while_held,
    own_points_restored,
    grace_twice,
    held_and_owed,
    back_and_forth,
    two_debts,
    paid_in_parts,
    guessing,
    suspended,
    return_period,
    other_funding,
    frozen,
    bought_out,
    bought_out_when_spent,
    gifts,
    vouchers,
    gifts,
    too_many_gifts,
    vouchers,
    many_vouchers,
    told_before,
    sponsored,
    family,
    too_many_gifts,
    sponsors_braked,
    limited,
    long_away,
    branch_braked,
    stopped,
    return_period,
    company,
    led_and_left,
    sponsored_for_a_time,
    budgets_go_back,
    led_and_left,
)
#: Those that every seventh history begins with, one of them first.
SEVENTH: Final[tuple[Plot, ...]] = (asked, asked_of_a_family)

#: The features that a history needs for its first plot to make sense.
NEEDS: Final[dict[Plot, str]] = {
    sponsored: "sponsors",
    sponsors_braked: "sponsors",
    sponsored_for_a_time: "sponsors",
    budgets_go_back: "sponsors",
    limited: "limits",
    branch_braked: "brakes",
    stopped: "brakes",
    family: "households",
    led_and_left: "households",
    company: "households",
}
