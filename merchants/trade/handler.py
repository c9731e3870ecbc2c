"""Trade's part of a posting: a few set-based reads, pure decisions in arrival order, set-based rows."""

import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import ledger
from ledger import AccountName, Book, Decision, Needs, Request, Tx, Working, budgets
from ledger.errors import Stale
from merchants import contracts, offers, people, programme, safety, sales, standing
from merchants.trade import (
    approving,
    earning,
    gift_rules,
    gifting,
    limiting,
    offering,
    redeeming,
    refunding,
    selling,
    sharing,
    vouching,
)
from merchants.trade.commands import (
    ActivateOffer,
    AnswerApproval,
    AnswerInvitation,
    Capture,
    Gift,
    HouseholdStep,
    InviteToHousehold,
    LapseApproval,
    Named,
    NewVoucher,
    Redemption,
    RedemptionRefund,
    Sale,
    SaleRefund,
    Void,
    VoucherReturn,
)
from merchants.trade.known import Known


class Trade:
    """The handler of sales, redemptions, vouchers and what ends or refunds them. One per process; batches share caches only."""

    exclusive = False

    def __init__(
        self, networks: contracts.NetworkCache, spend_key: bytes, ladders: standing.LaddersCache | None = None
    ) -> None:
        self._networks = networks
        self._ladders = ladders or standing.LaddersCache()
        self._spend_key = spend_key
        self._limits = safety.LimitsCache()
        self._offers = offers.RunningCache()

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "Round":
        known = Known(
            self._networks.of(tx, book),
            self._spend_key,
            ledger.days.local(book.now, book.time_zone),
            inactivity=book.inactivity_days is not None,
            offered=offering.Offered(self._offers.of(tx, book)),
        )
        asked = [request.body for request in requests]
        by_type: dict[type, list[Any]] = {}
        for command in asked:
            by_type.setdefault(type(command), []).append(command)

        def of(*types: type) -> list[Any]:
            return [command for kind in types for command in by_type.get(kind, ())]

        sold: list[Sale] = of(Sale)
        spent: list[Redemption] = of(Redemption)
        ended: list[Capture | Void] = of(Capture, Void)
        promised: list[NewVoucher] = of(NewVoucher)
        given: list[Gift] = of(Gift)
        refunded: list[SaleRefund | RedemptionRefund] = of(SaleRefund, RedemptionRefund)
        steps: list[HouseholdStep] = of(*typing.get_args(HouseholdStep))
        answered: list[AnswerApproval] = of(AnswerApproval)
        activated: list[ActivateOffer] = of(ActivateOffer)
        lapsing = {c.redemption_id for c in of(LapseApproval)}
        _name(known, tx, asked)
        # whose wallets they are of stays what it is; what became of them is read again, behind their lock
        awaited = sales.approvals(tx, book.id, {c.redemption_id for c in answered})
        refs = [c.member for c in sold if c.member is not None] + [c.member for c in spent]
        askers = {c.member_id for c in promised}
        known.members = people.members_by(
            tx,
            book.id,
            {r.id for r in refs if r.id is not None}
            | askers
            | {c.giver_id for c in given}
            | {c.member_id for c in steps}
            | {c.member_id for c in answered}
            | {c.member_id for c in activated}
            | {row.member_id for row in awaited.values()},
            {r.number for r in refs if r.number is not None}
            | {c.to_number for c in given if c.to_number is not None}
            | {c.number for c in steps if isinstance(c, InviteToHousehold)},
            {c.to_phone for c in given if c.to_phone is not None},
        )
        owners = {m.id for c in spent if c.spend_code is not None and (m := known.member(c.member))}
        # households, then devices, then today's gifts, all before wallets, in every process
        _share(tx, book, known, owners | {row.member_id for row in awaited.values()}, steps)
        spenders = owners | askers | {c.giver_id for c in given}
        for device in people.devices_of(tx, book.id, spenders.union(*map(known.spenders_for, owners))):
            known.devices.setdefault(device.member_id, []).append(device)
        if given:
            _prepare_gifts(tx, book, known, given)
        paying = _redemptions(known, sold)
        # then what is refunded or paid with, sales before redemptions, and wallets after all of them
        sold_before = (known.sale_id(c.merchant_id, c.sale) for c in refunded if isinstance(c, SaleRefund))
        redeemed_before = (
            known.redemption_id(c.merchant_id, c.redemption) for c in refunded if isinstance(c, RedemptionRefund)
        )
        restored = {id for id in redeemed_before if id is not None}
        known.refundable = sales.refundable_sales(
            tx, book.id, {id for id in sold_before if id is not None}
        ) | sales.refundable_redemptions(tx, book.id, restored | paying)
        known.captures = {row[0]: row[1:] for row in sales.captures(tx, list(restored))}
        # then what counts towards a velocity limit
        if limits := self._limits.of(tx, book):
            counted = _counted(limits, known, requests, awaited)
            known.velocity = safety.Counts(limits, safety.lock_counts(tx, book.id, counted), book.now)
        # asked for one after the other, and waited for once
        known_refunds = sales.known_refunds(tx, [(c.merchant_id, c.external_reference) for c in refunded])
        shown_at = {c.merchant_id for c in spent if not c.asks}
        wrong = people.wrong_codes(tx, book, shown_at | askers | {c.giver_id for c in given})
        known.open_vouchers = sales.open_vouchers(tx, askers)
        vouched = {c.spend.voucher_id for c in spent if c.spend is not None}
        vouched |= {c.voucher_id for c in asked if isinstance(c, VoucherReturn)}
        # before the references: a voucher that is found ended otherwise than here makes them be read again
        known.vouchers = sales.vouchers(tx, book.id, vouched)
        known_sales = sales.known_sales(tx, [(c.merchant_id, c.external_reference) for c in sold])
        known_redemptions = sales.known_redemptions(tx, [(c.merchant_id, c.external_reference) for c in spent])
        known.refunded, known.sold, known.redeemed = known_refunds(), known_sales(), known_redemptions()
        known.shown(wrong())
        ending = _redemptions(known, ended)
        # what became a redemption behind the lock is none yet: a refund of it would not be seen
        too_late = paying - known.refundable.keys()
        known.redemptions = sales.redemptions(tx, book.id, (paying | ending) - too_late)
        # what is to be ended and is no redemption may be one that a member was asked to approve
        not_yet = ending - known.redemptions.keys()
        known.approvals = sales.approvals(tx, book.id, awaited.keys() | lapsing | not_yet, lock=True)
        if any(row.state == "approved" and row.id in not_yet for row in known.approvals.values()):
            raise Stale("the member approved while this was read")
        known.redeemed_otherwise = sales.known_redemptions(
            tx, [(row.merchant_id, row.external_reference) for row in known.approvals.values()], even_asked=False
        )()
        known.asked = sales.asked_before(
            tx,
            {(c.merchant_id, m.id) for c in spent if c.asks and (m := known.member(c.member))},
            book.now - approving.LOOKED_BACK,
        )
        known.spent = sales.redemptions_spent(tx, paying)
        needs = _needs(known, book.now, sold, spent, ending, paying)
        needs |= _needs_of_refunds(known, refunded)
        needs |= _needs_of_refunds_to_come(known, sold, book.now)
        needs |= _needs_of_vouchers(known, promised)
        needs |= _needs_of_gifts(known, given)
        needs |= _needs_of_approvals(known, answered)
        meeting = _meeting(known, sold, activated, book.now)
        needs.wallets |= {c.member_id for c in activated if c.member_id in known.members}
        if given:
            givers = {c.giver_id for c in given}
            known.lineages = ledger.lineages(tx, book.id, givers, needs.holds | needs.restored)
        return Round(known, needs, _asked_of_members(known, book, sold), self._ladders, meeting)


def _redemptions_named(command: Any) -> list[Named]:
    """What redemptions a command names: the one it ends or gives back, those that pay for it."""
    if isinstance(command, Sale):
        return [payment.redemption for payment in command.payments if payment.redemption is not None]
    return [command.redemption] if isinstance(command, Capture | Void | RedemptionRefund) else []


def _redemptions(known: Known, commands: Sequence[Sale | Capture | Void]) -> set[UUID]:
    """The redemptions, there already, that commands name."""
    ids = (known.redemption_id(c.merchant_id, named) for c in commands for named in _redemptions_named(c))
    return {id for id in ids if id is not None}


def _name(known: Known, tx: Tx, asked: Sequence[Any]) -> None:
    """Look up what is named by external reference."""
    sold = {(c.merchant_id, c.sale) for c in asked if isinstance(c, SaleRefund) and isinstance(c.sale, str)}
    redeemed = {(c.merchant_id, named) for c in asked for named in _redemptions_named(c) if isinstance(named, str)}
    known.sales_named = dict.fromkeys(sold) | sales.known_sales(tx, list(sold))()
    known.redemptions_named = dict.fromkeys(redeemed) | sales.known_redemptions(tx, list(redeemed))()


def _counted(
    limits: Sequence[safety.Limit], known: Known, requests: Sequence[Request], awaited: Mapping[UUID, sales.Approval]
) -> set[safety.velocity.Name]:
    """The counts that the sales and redemptions of a batch may add to."""
    names: set[safety.velocity.Name] = set()
    for request in requests:
        command = request.body
        if isinstance(command, NewVoucher):
            of = limiting.subjects(request.actor, command.member_id, command.merchant_id)
            names |= safety.velocity.names(limits, of, limiting.REDEEMING)
        elif isinstance(command, AnswerApproval):
            if command.approves and (row := awaited.get(command.redemption_id)) is not None:
                of = limiting.subjects(row.asked_by, row.member_id, row.merchant_id)
                names |= safety.velocity.names(limits, of, limiting.REDEEMING)
        elif isinstance(command, Sale | Redemption) and command.member is not None:
            if (member := known.member(command.member)) is None:
                continue
            of = limiting.subjects(request.actor, member.id, command.merchant_id)
            counted = limiting.EARNING if isinstance(command, Sale) else limiting.REDEEMING
            names |= safety.velocity.names(limits, of, counted)
    return names


def _share(tx: Tx, book: Book, known: Known, owners: set[UUID], steps: Sequence[HouseholdStep]) -> None:
    """The households that the batch may change or spend in, and who and what is in them."""
    if not owners and not steps:
        return
    known.households = people.lock_households(
        tx,
        book.id,
        shared_by=owners,
        of={c.member_id for c in steps},
        ids={c.household_id for c in steps if isinstance(c, AnswerInvitation)},
    )
    if known.households:
        inside = {p.member_id for household in known.households.values() for p in household.active()}
        # read anew, behind the lock
        known.members |= people.members_by(tx, book.id, inside)
        known.spent_for = sales.spent_for_others(tx, book, owners & inside)


def _prepare_gifts(tx: Tx, book: Book, known: Known, given: Sequence[Gift]) -> None:
    givers = {c.giver_id for c in given if c.giver_id in known.members}
    receivers = {m.id for c in given if (m := known.receiver(c)) is not None}
    known.gift_days = sales.gift_days(tx, book, givers | receivers)
    known.gift_rules = sales.gift_rules(tx, book.id)


def _needs_of_gifts(known: Known, given: Sequence[Gift]) -> Needs:
    needs = Needs()
    for gift in given:
        receiver = known.receiver(gift)
        if gift.giver_id in known.members:
            needs.lots_of.add(gift.giver_id)
            if receiver is not None:
                needs.wallets.add(receiver.id)
    return needs


def _needs(
    known: Known,
    now: datetime,
    sold: Sequence[Sale],
    spent: Sequence[Redemption],
    ending: set[UUID],
    paying: set[UUID],
) -> Needs:
    needs = Needs(holds=ending | paying)
    for sale in sold:
        contract = known.network.contract(sale.merchant_id)
        member = known.member(sale.member) if sale.member is not None else None
        if contract is not None and member is not None:
            needs.wallets.add(member.id)
            if contract.maturity_days:
                needs.pending.add(member.id)
            if known.inactivity:
                needs.lots_of.add(member.id)
            needs.shared.add((ledger.SOURCES[contract.mode], sale.merchant_id))
            for given in known.network.sponsorships_at(sale.merchant_id, now):
                needs.accounts.add(budgets.name(given.merchant_id, given.id))
            for offer in known.offered.at(sale.merchant_id, now):
                needs.accounts.add(budgets.name(offer.funder_id, offer.id))
    for redemption in spent:
        if not redemption.asks and (member := known.member(redemption.member)) is not None:
            needs.lots_of.add(member.id)
            needs.shared.add(("accepted", redemption.merchant_id))
    for id in ending:
        if (row := known.redemptions.get(id)) is not None:
            needs.shared.add(("accepted", row.merchant_id))
    return needs


def _needs_of_vouchers(known: Known, promised: Sequence[NewVoucher]) -> Needs:
    """New vouchers take from their members' lots; those that end let points go back among them."""
    rows = known.vouchers.values()
    return Needs(
        shared={("accepted", row.merchant_id) for row in rows},
        lots_of={c.member_id for c in promised if c.member_id in known.members} | {row.member_id for row in rows},
        holds=set(known.vouchers),
    )


def _needs_of_approvals(known: Known, answered: Sequence[AnswerApproval]) -> Needs:
    needs = Needs()
    for answer in answered:
        if answer.approves and (row := known.approvals.get(answer.redemption_id)) is not None:
            needs.lots_of.add(row.member_id)
            needs.shared.add(("accepted", row.merchant_id))
    return needs


def _needs_of_refunds_to_come(known: Known, sold: Sequence[Sale], now: datetime) -> Needs:
    """Of sales of this batch that a refund behind them names: their lots are not there yet, what they move through is."""
    needs = Needs()
    for sale in sold:
        member = known.member(sale.member) if sale.member is not None else None
        if member is not None and (sale.merchant_id, sale.external_reference) in known.sales_named:
            needs.lots_of.add(member.id)
            _owing(needs, member.id, sale.merchant_id)
            givers = {s.merchant_id for s in known.network.sponsorships_at(sale.merchant_id, now)}
            givers |= {offer.funder_id for offer in known.offered.at(sale.merchant_id, now)}
            for sponsor in sorted(givers):
                _owing(needs, member.id, sponsor)
                if (contract := known.network.contract(sponsor)) is not None:
                    needs.shared.add((ledger.SOURCES[contract.mode], sponsor))
    return needs


def _asked_of_members(known: Known, book: Book, sold: Sequence[Sale]) -> dict[sales.Pair, list[programme.Programme]]:
    """The members and merchants of which rules in force want to know more than the sale tells."""
    by_merchant: dict[UUID, list[programme.Programme]] = {}
    found = {}
    for sale in sold:
        shop = sale.merchant_id
        if shop not in by_merchant:
            rules = earning.asking(known.network, shop, book.now) + known.offered.rules(shop, book.now)
            by_merchant[shop] = [each for each in rules if each.asks_of_member]
        asking = by_merchant[shop]
        if asking and sale.member is not None and (member := known.member(sale.member)) is not None:
            found[member.id, shop] = asking
    return found


def _meeting(known: Known, sold: Sequence[Sale], activated: Sequence[ActivateOffer], now: datetime) -> set[offers.Pair]:
    """Offers and members that a batch brings together."""
    found = {(c.offer_id, c.member_id) for c in activated}
    for sale in sold:
        running = known.offered.at(sale.merchant_id, now)
        if running and sale.member is not None and (member := known.member(sale.member)) is not None:
            found |= {(offer.id, member.id) for offer in running}
    return found


def _owing(needs: Needs, member_id: UUID, merchant_id: UUID) -> None:
    """What a refund of a sale moves points through, beside the wallet and the home of the lot."""
    needs.shared |= {("claim", merchant_id), ("accepted", merchant_id)}
    needs.pending.add(member_id)
    needs.accounts.add(AccountName("debt", member_id, merchant_id))


def _needs_of_refunds(known: Known, refunded: Sequence[SaleRefund | RedemptionRefund]) -> Needs:
    needs = Needs()
    for refund in refunded:
        if (row := known.refund_of(refund)) is None:
            continue
        if isinstance(refund, RedemptionRefund):
            assert row.member_id is not None, row.id
            needs.holds.add(row.id)
            needs.restored.add(row.id)
            needs.lots_of.add(row.member_id)
            needs.shared.add(("accepted", row.merchant_id))
        elif row.member_id is not None:
            needs.wallets.add(row.member_id)
            for lot in row.lots:
                needs.lots.add(lot.lot_id)
                needs.lots_of.add(row.member_id)
                _owing(needs, row.member_id, lot.issuer_id)
    return needs


@dataclass(slots=True)
class Round:
    known: Known
    needs: Needs
    # of whom, at which merchants, rules in force ask more than the sale tells
    asked: earning.Asked
    ladders: standing.LaddersCache
    # the offers that members may meet in it
    meeting: set[offers.Pair]

    def look(self, tx: Tx, working: Working) -> None:
        if self.meeting:
            offered = self.known.offered
            offered.uses = offers.uses(tx, self.meeting)
            # whoever is held out never needs to know what others got
            counted = {pair[0] for pair, use in offered.uses.items() if use.arm != offers.HOLDOUT}
            counted &= {o.id for of_shop in offered.running.values() for o in of_shop if o.giving.counted}
            if counted:
                offered.given = offers.given(tx, counted, self.known.local.date())
        if not self.asked:
            return
        pasts = self.known.pasts
        pasts.before, self.known.persons = earning.gather(tx, working.book, self.ladders, self.asked)
        refunded = {s.id for s in self.known.refundable.values() if (s.member_id, s.merchant_id) in pasts.before}
        pasts.days |= sales.sold_on(tx, working.book, refunded)

    def decide(self, request: Request, working: Working) -> Decision:
        command = request.body
        if isinstance(command, Sale):
            return selling.sale(command, request.actor, self.known, working)
        if isinstance(command, Redemption):
            if command.asks:
                return approving.ask(command, request.actor, self.known, working)
            decide = redeeming.redemption if command.spend is None else vouching.spend
            return decide(command, request.actor, self.known, working)
        if isinstance(command, Capture | Void) and (asked := self.known.asked_for(command)) is not None:
            return approving.end(command, asked, request.actor, self.known, working)
        if isinstance(command, AnswerApproval):
            return approving.answer(command, request.actor, self.known, working)
        if isinstance(command, LapseApproval):
            return approving.lapse(command, request.actor, self.known, working)
        if isinstance(command, NewVoucher):
            return vouching.voucher(command, request.actor, self.known, working)
        if isinstance(command, VoucherReturn):
            return vouching.give_back(command, request.actor, self.known, working)
        if isinstance(command, Capture):
            return redeeming.capture(command, request.actor, self.known, working)
        if isinstance(command, SaleRefund):
            return refunding.sale_refund(command, request.actor, self.known, working)
        if isinstance(command, RedemptionRefund):
            return refunding.redemption_refund(command, request.actor, self.known, working)
        if isinstance(command, Gift):
            return gifting.gift(command, request.actor, self.known, working)
        if isinstance(command, ActivateOffer):
            member = self.known.members.get(command.member_id)
            return offering.activate(command, request.actor, self.known.offered, member, working)
        if isinstance(command, HouseholdStep):
            return sharing.step(command, request.actor, self.known, working)
        assert isinstance(command, Void), command
        return redeeming.void(command, request.actor, self.known, working)

    def write(self, tx: Tx, working: Working) -> None:
        sales.add_sales(tx, working.book.id, working.batch_id, self.known.new_sales)
        sales.add_bonuses(tx, working.book.id, self.known.new_bonuses)
        offered = self.known.offered
        offers.put_uses(tx, working.book.id, [(pair, offered.uses[pair]) for pair in offered.changed])
        offers.add_given(tx, working.book.id, self.known.local.date(), offered.gave_now)
        sales.add_redemptions(tx, working.book.id, working.batch_id, self.known.new_redemptions)
        sales.add_approvals(tx, working.book.id, working.batch_id, self.known.new_approvals)
        sales.put_approval_states(tx, [self.known.approvals[id] for id in sorted(self.known.answered)])
        sales.add_vouchers(tx, working.book.id, working.batch_id, self.known.new_vouchers)
        changed = {refund.sale_id or refund.redemption_id for refund in self.known.new_refunds}
        refunded = [row for row in self.known.refundable.values() if row.id in changed]
        sales.add_refunds(tx, working.book.id, working.batch_id, self.known.new_refunds, refunded)
        sales.add_gifts(tx, working.book.id, working.batch_id, self.known.new_gifts)
        sales.put_gift_days(tx, working.book, self.known.gift_days)
        households = [self.known.households[id] for id in sorted(self.known.changed_households)]
        people.put_households(tx, working.book, households)
        people.use_steps(tx, list(self.known.steps.items()))
        people.count_wrong_codes(tx, working.book, self.known.wrong_now)
        if self.known.velocity is not None:
            safety.put_counts(tx, working.book.id, self.known.velocity)
        safety.put_flags(tx, working.book, self.known.flags)


def handlers(
    networks: contracts.NetworkCache, spend_key: bytes, ladders: standing.LaddersCache | None = None
) -> dict[str, ledger.Handler]:
    """The kinds trade decides, for `ledger.Committer`."""
    trade = Trade(networks, spend_key, ladders)
    kinds = ("sale", "redemption", "capture", "void", "sale_refund", "redemption_refund", "voucher", "voucher_return")
    more = ("approval", "approval_lapse", "gift", "household", "offer_activate")
    return {**dict.fromkeys((*kinds, *more), trade), **gift_rules.handlers()}
