"""Faults to plant: one real rule each, broken by name, to show that a simulation notices.

A fault replaces a function of the running house and nothing on disk. `rule` says what it breaks; what it is replaced by
gets the true function first.
"""

import contextlib
import dataclasses
import datetime as dt
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import ledger
from deploy.simulate import failing, plots
from ledger import AccountName, Points, Request, Slice
from merchants import trade


@dataclass(frozen=True)
class Fault:
    """`place` is the dotted name of a function or method; `broken` makes what takes its place from the true one.

    `road`: what a history must come by for the fault to show, as the plain model counts it; `begins`: what histories that look
    for it begin with, where its road is a rare one; neither: any shows it soon.
    """

    name: str
    rule: str
    place: str
    broken: Callable[[Any], Any]
    road: str | None = None
    begins: plots.Plot | None = None


@contextlib.contextmanager
def planted(fault: Fault | None) -> Iterator[None]:
    """The house with a fault in it; without one, as it is."""
    if fault is None:
        yield
        return
    owner, name = _owner(fault.place)
    true = getattr(owner, name)
    setattr(owner, name, fault.broken(true))
    try:
        yield
    finally:
        setattr(owner, name, true)


def _owner(place: str) -> tuple[Any, str]:
    """`a.b:C.d` is the attribute d of C in the module a.b."""
    module, _, inside = place.partition(":")
    *above, name = inside.split(".")
    owner: Any = importlib.import_module(module)
    for part in above:
        owner = getattr(owner, part)
    return owner, name


_FAULTS: list[Fault] = []


def _fault(
    place: str, rule: str, road: str | None = None, begins: plots.Plot | None = None
) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """The decorated function makes what takes the place of the true one, and its name names the fault."""

    def add(broken: Callable[[Any], Any]) -> Callable[[Any], Any]:
        _FAULTS.append(Fault(broken.__name__, rule, place, broken, road, begins))
        return broken

    return add


# -- refunds of sales


@_fault(
    "merchants.trade.refunding:sale_refund",
    "a refund takes back by the sum of refunds, not slice by slice",
    road="refund of a slice",
)
def refund_by_slice(true: Any) -> Any:
    def sale_refund(command: trade.SaleRefund, actor: str, known: Any, working: Any) -> Any:
        sale = known.refundable.get(known.sale_id(command.merchant_id, command.sale))
        if sale is None:
            return true(command, actor, known, working)
        refunded, whole = sale.refunded, sale.whole
        module = importlib.import_module("merchants.trade.refunding")
        points_back = module.points_back

        def by_slice(points: int, money: int, now: int, before: int) -> Points:
            return Points(points * (now - refunded) // money if before or refunded else points * now // whole)

        module.points_back = by_slice  # type: ignore[attr-defined]
        try:
            return true(command, actor, known, working)
        finally:
            module.points_back = points_back  # type: ignore[attr-defined]

    return sale_refund


@_fault(
    "merchants.trade.refunding:take_back",
    "points of a sale that expired count as returned by its refund",
    road="refund counted what expired",
)
def expired_not_returned(true: Any) -> Any:
    def take_back(lot: ledger.Lot, points: int, returned_before: int) -> Any:
        taken = true(lot, points, returned_before)
        return taken._replace(expired=0, owed=taken.owed + taken.expired)

    return take_back


@_fault(
    "merchants.trade.refunding:take_back",
    "what expired counts as returned once",
    road="refund counted no expired point twice",
)
def expired_counted_again(true: Any) -> Any:
    return lambda lot, points, returned_before: true(lot, points, 0 * returned_before)


# -- debts


@_fault("ledger.working:Working.repay", "the oldest debt is repaid first", road="repaid the oldest of several debts")
def newest_debt_first(true: Any) -> Any:
    def repay(self: ledger.Working, actor: str, member: Any, arrived: Any) -> None:
        debts = self.debts.get(member, [])
        debts.reverse()
        true(self, actor, member, arrived)
        debts.reverse()

    return repay


@_fault(
    "ledger.working:Debt.taken_by",
    "closed-loop points repay their own shop only, and a debt in them takes no others",
    road="a debt these points may not repay",
)
def closed_loop_repays_anybody(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda self, lot: True  # noqa: ARG005


@_fault("ledger.working:Working.release", "points that a lapse brings back repay debts", road="repaid by a lapse")
def lapse_does_not_repay(true: Any) -> Any:
    def release(self: Any, draft: Any, hold: ledger.Hold, state: str) -> None:
        if state != "lapsed":
            true(self, draft, hold, state)
            return
        self.repay = lambda *_: None
        try:
            true(self, draft, hold, state)
        finally:
            del self.repay

    return release


@_fault("settlement.obligations:items", "a repayment bears no fee", road="repaid with another's points")
def fee_on_repayment(true: Any) -> Any:
    def items(event: Any, operator: Any) -> Any:
        if event.kind != "repayment":
            return true(event, operator)
        return [
            item._replace(
                fee_payer_id=item.acceptor_id,
                fee_base_minor=item.value_minor,
                fee_ppm=90_000,
                fee_millionths=item.value_minor * 90_000,
            )
            for item in true(event, operator)
        ]

    return items


# -- redemptions


@_fault("merchants.trade.spending:usable", "points that expire soonest go first")
def latest_expiry_first(true: Any) -> Any:
    return lambda *asked: list(reversed(true(*asked)))


@_fault(
    "merchants.trade.spending:usable",
    "closed-loop points are good at their own shop only",
    begins=plots.closed_elsewhere,
)
def closed_loop_anywhere(true: Any) -> Any:
    return lambda lots, now, shop=None: true(lots, now)  # noqa: ARG005 - which shop asks makes no difference


@_fault("merchants.people:use_steps", "a spend code is good once")
def codes_used_again(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda tx, steps: None  # noqa: ARG005


@_fault(
    "merchants.trade.redeeming:capture", "a hold is captured before its deadline or not at all", road="capture too late"
)
def captured_too_late(true: Any) -> Any:
    def capture(command: Any, actor: str, known: Any, working: ledger.Working) -> Any:
        hold = working.holds.get(command.redemption_id)
        if hold is None or hold.state != "open":
            return true(command, actor, known, working)
        deadline, hold.deadline = hold.deadline, max(hold.deadline, working.now.replace(year=9999))
        decision = true(command, actor, known, working)
        hold.deadline = deadline
        if not isinstance(decision, ledger.Accepted):
            return decision
        return ledger.Accepted(dataclasses.replace(decision.value, deadline=deadline))

    return capture


# -- refunds of redemptions


@_fault("merchants.trade.refunding:last_first", "what was consumed last comes back first")
def first_consumed_first(true: Any) -> Any:
    return lambda slices, before, points: true(list(reversed(slices)), before, points)


@_fault("ledger.working:Working.restore", "an expired lot gets grace once in its life", road="grace refused")
def grace_again(true: Any) -> Any:
    def restore(self: Any, draft: Any, hold: ledger.Hold, slices: list[Slice]) -> None:
        for lot, _ in slices:
            lot.grace_used = False
        true(self, draft, hold, slices)

    return restore


@_fault("ledger.working:Working.restore", "what comes back of a redemption after its time gets grace", road="grace")
def no_grace(true: Any) -> Any:
    def restore(self: Any, draft: Any, hold: ledger.Hold, slices: list[Slice]) -> None:
        for lot, _ in slices:
            lot.grace_used = True
        true(self, draft, hold, slices)

    return restore


# -- earning and issuing


@_fault(
    "merchants.trade.selling:earning", "only the money part of a sale earns", road="sale paid in part by a redemption"
)
def points_earn_points(true: Any) -> Any:
    return lambda network, shop, lines, money, total, member: true(
        network, shop, lines, total if money else money, total, member
    )


@_fault(
    "ledger.working:Working.issuing_limit",
    "a deferred shop issues no more than its credit line",
    road="sale: issuing_limit_reached",
)
def credit_line_ignored(true: Any) -> Any:
    return lambda self, issuer, points: None if issuer.mode == "deferred" else true(self, issuer, points)


@_fault(
    "ledger.working:Working.return_home",
    "expired and returned points of a shop that prefunds go back to its pool",
    road="expired prefunded",
)
def expiry_retires(true: Any) -> Any:
    def return_home(self: ledger.Working, draft: Any, lot: ledger.Lot, source: AccountName, points: int) -> None:
        if lot.funding != "prefunded":
            true(self, draft, lot, source, points)
            return
        lot.returned += points
        self.move(draft, source, AccountName("mint", lot.issuer_id), points)

    return return_home


# -- waiting to confirm


@_fault("ledger.working:Working._mature", "confirming repays nothing", begins=plots.confirms_while_owing)
def confirming_repays(true: Any) -> Any:
    def mature(self: ledger.Working, member: Any) -> None:
        ripe = [Slice(lot, Points(lot.pending)) for lot in self.lots_of[member] if lot.pending]
        true(self, member)
        self.repay("clock", member, [s for s in ripe if not s.lot.pending])

    return mature


@_fault("ledger.working:Working.repay", "what waits to confirm repays at once", road="repaid with pending points")
def pending_repays_nothing(true: Any) -> Any:
    return lambda self, actor, member, arrived: true(
        self, actor, member, [s for s in arrived if s.lot.available_at <= self.now]
    )


# -- between windows


@_fault(
    "ledger.working:Issuer.pools",
    "prefunded points of another value than today's go home to the mint",
    road="retired from wallet",
)
def old_values_pooled(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda self, unit_value: self.mode == "prefunded" and not self.exited  # noqa: ARG005


@_fault(
    "merchants.contracts.changes:version_of",
    "a contract comes into force at the face value there is then",
    road="a new face value met a new contract",
)
def value_of_the_day_it_was_agreed_on(true: Any) -> Any:
    return lambda wanted, before, face_value, id: true(wanted, before, wanted.unit_value_minor or face_value, id)


# -- buying out, and leaving


@_fault(
    "ledger:make_prefunded",
    "points that are bought out are prefunded",
    road="bought out with deferred points",
)
def bought_out_and_still_owed(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda tx, book_id, issuer_id: None  # noqa: ARG005


@_fault("ledger:make_prefunded", "what is spent is bought out as well", road="bought out when all spent and given back")
def spent_not_bought_out(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    def make_prefunded(tx: ledger.Tx, book_id: int, issuer_id: Any) -> None:
        tx.execute(
            "update ledger.lot set funding = 'prefunded' where book_id = %s and issuer_id = %s"
            " and pending + remaining + held > 0",
            [book_id, issuer_id],
        )

    return make_prefunded


@_fault("ledger.working:Issuer.pools", "who left has no pool", road="came home after its shop left")
def pool_of_who_left(true: Any) -> Any:
    return lambda self, unit_value: true(dataclasses.replace(self, exited=False), unit_value)


# -- gifts


@_fault("ledger.working:Working.give", "a gift repays nothing", road="a gift repaid nothing")
def gift_repays(true: Any) -> Any:
    def give(self: ledger.Working, draft: Any, *, giver: Any, receiver: Any, slices: Any) -> Any:
        children = true(self, draft, giver=giver, receiver=receiver, slices=slices)
        self.repay(draft.actor, receiver, [Slice(lot, Points(lot.remaining)) for lot in children])
        return children

    return give


@_fault("merchants.trade.gifting:held_before", "points do not return by gift", road="points do not return by gift")
def gifts_in_circles(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda lot, known, working: []  # noqa: ARG005


@_fault(
    "ledger.working:Working.give",
    "a lot that had grace has it no more when it is given",
    road="given with its grace used",
)
def gift_renews_grace(true: Any) -> Any:
    def give(self: ledger.Working, draft: Any, *, giver: Any, receiver: Any, slices: Any) -> Any:
        children = true(self, draft, giver=giver, receiver=receiver, slices=slices)
        for lot in children:
            lot.grace_used = False
        return children

    return give


# -- vouchers


@_fault("ledger.working:first", "the first points of a voucher are spent", road="voucher of several lots spent in part")
def last_of_a_voucher(true: Any) -> Any:
    return lambda slices, points: true(list(reversed(slices)), points)


@_fault(
    "ledger.working:Working.capture",
    "the rest of a voucher repays what is owed",
    road="repaid by the rest of a voucher",
)
def rest_does_not_repay(true: Any) -> Any:
    def capture(self: Any, draft: Any, hold: ledger.Hold, points: int | None = None) -> None:
        self.repay = lambda *_: None
        try:
            true(self, draft, hold, points)
        finally:
            del self.repay

    return capture


@_fault("merchants.trade.vouching:spend", "neither freeze nor suspension ends a promise", road="a promise kept")
def promises_end(true: Any) -> Any:
    def spend(command: trade.Redemption, actor: str, known: Any, working: Any) -> Any:
        member, merchant = known.member(command.member), known.network.merchant(command.merchant_id)
        if member.locked_by is not None or merchant.state != "active":
            return ledger.errors.Suspended()
        return true(command, actor, known, working)

    return spend


# -- approvals


@_fault("merchants.trade.approving:_end", "a request is answered once", road="answered twice")
def answered_again(true: Any) -> Any:
    def end(row: Any, state: str, known: Any) -> None:
        true(row, "awaiting" if state == "declined" else state, known)

    return end


# -- sponsors and their budgets


@_fault(
    "merchants.trade.refunding:_part",
    "a refund takes back its share of each sponsor's lot",
    road="refund of a sale at which sponsors gave",
)
def sponsors_refund_nothing(true: Any) -> Any:
    def part(earned: Any, sale: Any, working: ledger.Working) -> Any:
        if earned.giver_id is not None:
            sale = dataclasses.replace(sale, refunded=0)
        return true(earned, sale, working)

    return part


@_fault("merchants.trade.sponsoring:decided", "a bonus is given whole or not at all", road="bonus: budget_too_small")
def bonus_in_part(true: Any) -> Any:
    def decided(bonus: Any, working: ledger.Working) -> Any:
        left = importlib.import_module("merchants.trade.sponsoring").budget(bonus, working)
        return true(dataclasses.replace(bonus, points=Points(min(bonus.points, left))) if left else bonus, working)

    return decided


@_fault(
    "merchants.trade.sponsoring:bonuses",
    "no sponsor gives at a suspended shop",
    road="no sponsor gave at a suspended shop",
)
def bonuses_at_a_suspended_shop(true: Any) -> Any:
    def bonuses(network: Any, shop: Any, *more: Any) -> Any:
        open_shop = dataclasses.replace(network.merchants[shop], state="active")
        return true(dataclasses.replace(network, merchants={**network.merchants, shop: open_shop}), shop, *more)

    return bonuses


@_fault(
    "merchants.contracts.parties:Sponsorship.gives_at",
    "a sponsorship gives nothing after its time",
    road="a sponsorship was over and not ended yet",
)
def sponsored_past_its_time(true: Any) -> Any:
    return lambda self, shop, now: true(dataclasses.replace(self, ends_at=None), shop, now)


@_fault(
    "ledger.budgets:release_all",
    "budgets go back before their sponsor's points are paid for or worth otherwise",
    road="budget released at a window's end",
)
def budgets_stay(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda working, actor, issuer: []  # noqa: ARG005


# -- households


@_fault(
    "merchants.people.households:Household.allowed",
    "others spend no more in a month than a wallet's owner allows",
    road="more than may be spent for another in a month",
)
def months_too_long(true: Any) -> Any:
    def allowed(self: Any, owner: Any, spender: Any) -> tuple[int, bool]:
        most, alone = true(self, owner, spender)
        return most * 2, alone

    return allowed


@_fault(
    "merchants.sales:spent_for_others",
    "what was voided or refunded counts in the month no more",
    road="what came back counts in the month no more",
)
def months_never_forget(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    def spent_for_others(tx: ledger.Tx, book: ledger.Book, owners: set[Any]) -> dict[Any, int]:
        rows = tx.execute(
            "select member_id, consented_by, sum(points)::bigint from merchants.redemption"
            " where member_id = any(%s) and consented_by is not null and at >= date_trunc('month', %s::timestamptz)"
            " group by 1, 2",
            [list(owners), book.now],
        )
        return {(owner, spender): points for owner, spender, points in rows}

    return spent_for_others


@_fault("merchants.people.households:Household.active", "the eldest who stays leads", road="the eldest leads")
def youngest_leads(true: Any) -> Any:
    return lambda self: iter(list(true(self))[::-1])


@_fault(
    "merchants.trade.known:Known.spenders_for",
    "who is frozen or locked consents to nothing for others",
    road="who is frozen or locked consents to nothing",
)
def frozen_spenders(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    def spenders_for(self: Any, owner: Any) -> list[Any]:
        household = self.household_of(owner)
        return household.spenders(owner) if household else []

    return spenders_for


# -- brakes


@_fault("merchants.people:set_state", "who is frozen spends nothing", road="member frozen")
def frozen_in_name_only(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda tx, book_id, id, state: None  # noqa: ARG005


@_fault("merchants.contracts:set_state", "a suspended shop neither earns nor redeems", road="sale: merchant_suspended")
def suspended_in_name_only(true: Any) -> Any:
    return lambda tx, book_id, what, id, state: true(tx, book_id, what, id, "active")  # noqa: ARG005


@_fault("merchants.trade.redeeming:place", "a frozen branch takes no holds", road="no hold at a frozen branch")
def holds_at_a_frozen_branch(true: Any) -> Any:
    return lambda *asked, **more: true(*asked, **more | {"even_closed": True})


@_fault(
    "merchants.trade.sponsoring:bonuses",
    "no sponsor gives at a frozen branch",
    road="no sponsor gave at a frozen branch",
)
def bonuses_at_a_frozen_branch(true: Any) -> Any:
    return lambda *asked: true(*asked[:5])


@_fault(
    "ledger.posting:_runs",
    "nothing is posted but brakes while the network is stopped",
    road="asked while the network was stopped",
)
def stopped_in_name_only(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda book, handler: True  # noqa: ARG005


@_fault(
    "ledger.errors:NetworkStopped.stored",
    "what a stopped network refused is good once it runs again",
    road="asked again when the network ran",
)
def refused_for_ever(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return True


# -- limits on how much passes


@_fault(
    "merchants.safety.velocity:Counts.kept",
    "what passed counts until its time is over",
    road="beyond a limit of a member",
)
def limits_forget(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda self, name: {}  # noqa: ARG005


@_fault(
    "merchants.safety.velocity:Counts._passed",
    "room comes back when a limit's time is over",
    road="a limit's room came back",
)
def limits_never_forget(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    def passed(self: Any, limit: Any, id: Any) -> int:
        name = (limit.subject, id, limit.what, limit.step_minutes)
        return sum(self._held[name].values())

    return passed


@_fault(
    "merchants.trade.sponsoring:refused",
    "beyond a limit no sponsor gives either",
    road="bonus: velocity_limit",
)
def bonuses_beyond_a_limit(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda bonus, reason: bonus  # noqa: ARG005


# -- inactivity, and notices


@_fault("ledger.working:Working.active", "who is active keeps what there is", road="prolonged by activity")
def active_for_nothing(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda self, draft, member: None  # noqa: ARG005


@_fault("ledger.working:Working._let_go", "what comes back of a hold is prolonged", road="prolonged by coming back")
def held_in_vain(true: Any) -> Any:
    def let_go(self: Any, draft: Any, hold: ledger.Hold, slices: list[Slice]) -> None:
        self._prolong = lambda *_: None
        try:
            true(self, draft, hold, slices)
        finally:
            del self._prolong

    return let_go


@_fault("ledger.notices:_places", "a lot is told of once a stage", road="notice after a notice")
def told_again(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda tx, book_id: {}  # noqa: ARG005


# -- keys


@_fault("ledger.commit:post", "an idempotency key belongs to its principal")
def keys_of_everybody(true: Any) -> Any:
    def post(tx: Any, caches: Any, handlers: Any, book_id: int, requests: list[Request], **more: Any) -> Any:
        anybody = [dataclasses.replace(r, principal_id=ledger.due.CLOCK) if r.key else r for r in requests]
        return true(tx, caches, handlers, book_id, anybody, **more)

    return post


@_fault("ledger.posting:_repeat", "a key with other content is refused")
def other_content_answered(true: Any) -> Any:
    return lambda request, prior: true(dataclasses.replace(request, fingerprint=prior.fingerprint), prior)


# -- settlement


@_fault(
    "settlement.clearing:_own",
    "a shop's own points that were restored leave its pool again",
    road="own prefunded settled below zero",
)
def own_below_zero_ignored(true: Any) -> Any:
    return lambda working, draft, window, flows: true(working, draft, window, [f for f in flows if f.points > 0])


@_fault(
    "settlement.clearing:_deferred",
    "points of an issuer that has yet to pay wait for its payment",
    road="deferred waits for its issuer",
)
def deferred_home_unpaid(true: Any) -> Any:
    return lambda working, draft, window, flows, _merchants: true(working, draft, window, flows, [])


@_fault("settlement.store:carries", "what rounding left of a fee is carried to the next window", road="carry")
def carry_dropped(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda tx, book_id, number: {}  # noqa: ARG005


@_fault(
    "settlement.clearing:release",
    "a part payment frees its share of the points that wait",
    road="a part payment released its share",
)
def part_payment_frees_all(true: Any) -> Any:
    def release(
        working: ledger.Working, draft: Any, window: int, merchant: Any, amount: int, *, beside: int = 0
    ) -> Any:
        owed = beside - working.accounts[AccountName("position", merchant, None, window)].balance
        return true(working, draft, window, merchant, max(amount, owed), beside=beside)

    return release


@_fault("ledger:half_even", "a fee is rounded half to even")
def fees_rounded_down(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda millionths: divmod(millionths, ledger.PPM)


# -- who does not pay, what is put right, what is taken back


@_fault(
    "settlement.covers.waterfall:assess",
    "nobody bears more of another's failure than a tenth of what it was to receive",
    road="shares reached their caps",
    begins=failing.unpaid,
)
def shares_without_a_cap(true: Any) -> Any:
    return lambda missing, receiving: true(missing, receiving, ledger.PPM)


@_fault(
    "settlement.store:owes",
    "collateral stays until everything is made good",
    road="collateral stayed with who owes",
    begins=failing.unpaid,
)
def collateral_let_go(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda tx, book, merchant: False  # noqa: ARG005


@_fault(
    "settlement.covers.waterfall:make_good",
    "late money goes to what is open first, to the merchant's own collateral last",
    road="made good in part",
    begins=failing.unpaid,
)
def own_collateral_first(true: Any) -> Any:
    def make_good(amount: int, open_minor: int, covered: Any) -> Any:
        collateral = min(amount, covered.collateral_minor)
        if collateral == amount:
            return true(amount, amount, covered)._replace(position_minor=0, collateral_minor=collateral)
        rest = dataclasses.replace(covered, collateral_minor=0)
        return true(amount - collateral, open_minor, rest)._replace(collateral_minor=collateral)

    return make_good


@_fault(
    "settlement.booking:Standing.payable_when",
    "while somebody has not paid, everybody is paid its part of what is there",
    road="paid out its part of what is there",
    begins=failing.unpaid,
)
def first_come_first_paid(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda self, balances, merchant: max(0, balances[merchant])  # noqa: ARG005


@_fault(
    "settlement.covers.covering:ReturnRound.decide",
    "a payment comes back once",
    road="a payment came back twice",
    begins=failing.unpaid,
)
def payment_back_again(true: Any) -> Any:
    def decide(self: Any, request: Request, working: ledger.Working) -> Any:
        self.returned = False
        return true(self, request, working)

    return decide


@_fault(
    "settlement.adjusting:AdjustRound._decide",
    "an adjustment takes two people",
    road="nobody approved an adjustment of its own",
    begins=failing.left_out,
)
def adjusted_alone(true: Any) -> Any:
    def decide(self: Any, request: Request, body: Any, working: ledger.Working, window: Any) -> Any:
        if self.proposal is not None:
            self.proposal = {**self.proposal, "operator": "somebody else"}
        return true(self, request, body, working, window)

    return decide


@_fault(
    "settlement.rails.charge_backs:hear",
    "a dispute takes a top-up back once, however often it is told",
    road="a dispute told again",
    begins=failing.disputed,
)
def disputed_again(true: Any) -> Any:
    return lambda working, word, dispute, topup, there: true(working, word, dispute, topup, [])  # noqa: ARG005


@_fault(
    "settlement.rails.charge_backs:left",
    "no more is taken back than was paid in",
    road="a dispute of more than is left",
    begins=failing.disputed,
)
def taken_without_end(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda topup, there: topup.amount_minor  # noqa: ARG005


@_fault(
    "settlement.rails.charge_backs:reverse",
    "what comes again goes back by the parts that were booked",
    road="what was charged came again",
    begins=failing.charged_twice,
)
def all_into_prefund(true: Any) -> Any:
    def reverse(working: ledger.Working, word: Any, of: Any) -> Any:
        return true(working, word, of._replace(prefund_minor=of.amount_minor, charged_minor=0))

    return reverse


@_fault(
    "settlement.obligations:_charged_back",
    "what prefund lacked of a charge-back is charged to the next position",
    road="a charge-back charged to a position",
    begins=failing.charged_twice,
)
def charged_to_nobody(true: Any) -> Any:  # noqa: ARG001 - nothing of the true one is left
    return lambda event, operator: []  # noqa: ARG005


@_fault(
    "settlement.covers.overdue:suspends_at",
    "who has not paid in is suspended when its days are over",
    road="suspended by the clock",
    begins=failing.overdue,
)
def a_day_more(true: Any) -> Any:
    return lambda grace, posted_at: true(grace, posted_at) + dt.timedelta(days=1)


FAULTS: Final[dict[str, Fault]] = {fault.name: fault for fault in _FAULTS}
