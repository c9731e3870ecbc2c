"""Trade's part of a posting: a few set-based reads, pure decisions in arrival order, set-based rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import ledger
from ledger import AccountName, Book, Decision, Needs, Request, Tx, Working, budgets
from merchants import contracts, people, sales
from merchants.trade import redeeming, refunding, selling
from merchants.trade.commands import Capture, Redemption, RedemptionRefund, Sale, SaleRefund, Void
from merchants.trade.known import Known


class Trade:
    """The handler of sales, redemptions, captures, voids and refunds. One per process; batches share nothing but the caches."""

    exclusive = False

    def __init__(self, networks: contracts.NetworkCache, spend_key: bytes) -> None:
        self._networks = networks
        self._spend_key = spend_key

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "Round":
        known = Known(self._networks.of(tx, book), self._spend_key)
        asked = [request.body for request in requests]
        sold = [c for c in asked if isinstance(c, Sale)]
        spent = [c for c in asked if isinstance(c, Redemption)]
        ended = [c for c in asked if isinstance(c, Capture | Void)]
        refs = [c.member for c in sold if c.member is not None] + [c.member for c in spent]
        known.members = people.members_by(
            tx, book.id, {r.id for r in refs if r.id is not None}, {r.number for r in refs if r.number is not None}
        )
        spenders = {m.id for c in spent if (m := known.member(c.member))}
        # devices before wallets, in every process
        for device in people.devices_of(tx, book.id, spenders):
            known.devices.setdefault(device.member_id, []).append(device)
        refunded = [c for c in asked if isinstance(c, SaleRefund | RedemptionRefund)]
        # then what is refunded, sales before redemptions, and wallets after all of them
        known.refundable = sales.refundable_sales(
            tx, book.id, {c.sale_id for c in refunded if isinstance(c, SaleRefund)}
        ) | sales.refundable_redemptions(
            tx, book.id, {c.redemption_id for c in refunded if isinstance(c, RedemptionRefund)}
        )
        restored = [c.redemption_id for c in refunded if isinstance(c, RedemptionRefund)]
        known.captures = {row[0]: row[1:] for row in sales.captures(tx, restored)}
        known.refunded = sales.known_refunds(tx, [(c.merchant_id, c.external_reference) for c in refunded])
        known.wrong_before = people.wrong_codes(tx, book, {c.merchant_id for c in spent})
        known.sold = sales.known_sales(tx, [(c.merchant_id, c.external_reference) for c in sold])
        known.redeemed = sales.known_redemptions(tx, [(c.merchant_id, c.external_reference) for c in spent])
        paying = {p.redemption_id for c in sold for p in c.payments if p.redemption_id is not None}
        known.redemptions = sales.redemptions(tx, book.id, paying | {c.redemption_id for c in ended})
        known.spent = sales.redemptions_spent(tx, paying)
        needs = _needs(known, book.now, sold, spent, ended, paying)
        needs |= _needs_of_refunds(known, refunded)
        return Round(known, needs)


def _needs(
    known: Known,
    now: datetime,
    sold: Sequence[Sale],
    spent: Sequence[Redemption],
    ended: Sequence[Capture | Void],
    paying: set[UUID],
) -> Needs:
    needs = Needs(holds={c.redemption_id for c in ended} | paying)
    for sale in sold:
        contract = known.network.contract(sale.merchant_id)
        member = known.member(sale.member) if sale.member is not None else None
        if contract is not None and member is not None:
            needs.accounts.add(AccountName("wallet", member.id))
            needs.accounts.add(selling.source(contract.mode, sale.merchant_id))
            needs.accounts |= {
                budgets.name(s.merchant_id, s.id) for s in known.network.sponsorships_at(sale.merchant_id, now)
            }
    for redemption in spent:
        if (member := known.member(redemption.member)) is not None:
            needs.lots_of.add(member.id)
            needs.accounts.add(AccountName("accepted", redemption.merchant_id))
    for end in ended:
        if (row := known.redemptions.get(end.redemption_id)) is not None:
            needs.accounts.add(AccountName("accepted", row.merchant_id))
    return needs


def _needs_of_refunds(known: Known, refunded: Sequence[SaleRefund | RedemptionRefund]) -> Needs:
    needs = Needs()
    for refund in refunded:
        row = known.refundable.get(refund.sale_id if isinstance(refund, SaleRefund) else refund.redemption_id)
        if row is None or row.merchant_id != refund.merchant_id:
            continue
        if isinstance(refund, RedemptionRefund):
            assert row.member_id is not None, row.id
            needs.holds.add(row.id)
            needs.restored.add(row.id)
            needs.lots_of.add(row.member_id)
            needs.accounts.add(AccountName("accepted", row.merchant_id))
        elif row.member_id is not None:
            needs.accounts.add(AccountName("wallet", row.member_id))
            for lot in row.lots:
                needs.lots.add(lot.lot_id)
                needs.lots_of.add(row.member_id)
                needs.accounts |= {AccountName(kind, lot.issuer_id) for kind in ("claim", "accepted")}
                needs.accounts |= {
                    AccountName("pending", row.member_id),
                    AccountName("debt", row.member_id, lot.issuer_id),
                }
    return needs


@dataclass(slots=True)
class Round:
    known: Known
    needs: Needs

    def decide(self, request: Request, working: Working) -> Decision:
        command = request.body
        if isinstance(command, Sale):
            return selling.sale(command, request.actor, self.known, working)
        if isinstance(command, Redemption):
            return redeeming.redemption(command, request.actor, self.known, working)
        if isinstance(command, Capture):
            return redeeming.capture(command, request.actor, self.known, working)
        if isinstance(command, SaleRefund):
            return refunding.sale_refund(command, request.actor, self.known, working)
        if isinstance(command, RedemptionRefund):
            return refunding.redemption_refund(command, request.actor, self.known, working)
        assert isinstance(command, Void), command
        return redeeming.void(command, request.actor, self.known, working)

    def write(self, tx: Tx, working: Working) -> None:
        sales.add_sales(tx, working.book.id, working.batch_id, self.known.new_sales)
        sales.add_bonuses(tx, working.book.id, self.known.new_bonuses)
        sales.add_redemptions(tx, working.book.id, working.batch_id, self.known.new_redemptions)
        sales.add_refunds(
            tx, working.book.id, working.batch_id, self.known.new_refunds, list(self.known.refundable.values())
        )
        people.use_steps(tx, list(self.known.steps.items()))
        people.count_wrong_codes(tx, working.book, self.known.wrong_now)


def handlers(networks: contracts.NetworkCache, spend_key: bytes) -> dict[str, ledger.Handler]:
    """The kinds trade decides, for `ledger.Committer`."""
    trade = Trade(networks, spend_key)
    return dict.fromkeys(("sale", "redemption", "capture", "void", "sale_refund", "redemption_refund"), trade)
