"""Trade's part of a posting: a few set-based reads, pure decisions in arrival order, set-based rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import ledger
from ledger import AccountName, Book, Decision, Needs, Request, Tx, Working
from merchants import contracts, people, sales
from merchants.trade import decide
from merchants.trade.commands import Capture, MemberRef, Redemption, Sale, Void


@dataclass(slots=True)
class Known:
    """What the decisions of one batch rest on, and what they leave to be written."""

    network: contracts.Network
    spend_key: bytes = field(repr=False)
    members: dict[UUID | str, people.Member] = field(default_factory=dict)
    devices: dict[UUID, list[people.DeviceRow]] = field(default_factory=dict)
    sold: dict[sales.Reference, UUID] = field(default_factory=dict)
    redeemed: dict[sales.Reference, UUID] = field(default_factory=dict)
    redemptions: dict[UUID, sales.RedemptionRow] = field(default_factory=dict)
    spent: set[UUID] = field(default_factory=set)
    new_sales: list[sales.SaleRow] = field(default_factory=list)
    new_redemptions: list[sales.RedemptionRow] = field(default_factory=list)
    steps: dict[UUID, int] = field(default_factory=dict)

    def member(self, ref: MemberRef) -> people.Member | None:
        """The member a till named; none of those who left."""
        found = self.members.get(ref.id if ref.id is not None else ref.number or "")
        return found if found is not None and found.state != "left" else None


class Trade:
    """The handler of sales, redemptions, captures and voids. One per process; batches share nothing but the caches."""

    exclusive = False

    def __init__(self, networks: contracts.NetworkCache, spend_key: bytes) -> None:
        self._networks = networks
        self._spend_key = spend_key

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "Round":
        known = Known(self._networks.of(tx, book), self._spend_key)
        asked = [request.body for request in requests]
        selling = [c for c in asked if isinstance(c, Sale)]
        redeeming = [c for c in asked if isinstance(c, Redemption)]
        ending = [c for c in asked if isinstance(c, Capture | Void)]
        refs = [c.member for c in selling if c.member is not None] + [c.member for c in redeeming]
        known.members = people.members_by(
            tx, book.id, {r.id for r in refs if r.id is not None}, {r.number for r in refs if r.number is not None}
        )
        spenders = {m.id for c in redeeming if (m := known.member(c.member))}
        # devices before wallets, in every process
        for device in people.devices_of(tx, book.id, spenders):
            known.devices.setdefault(device.member_id, []).append(device)
        known.sold = sales.known_sales(tx, [(c.merchant_id, c.external_reference) for c in selling])
        known.redeemed = sales.known_redemptions(tx, [(c.merchant_id, c.external_reference) for c in redeeming])
        paying = {p.redemption_id for c in selling for p in c.payments if p.redemption_id is not None}
        known.redemptions = sales.redemptions(tx, book.id, paying | {c.redemption_id for c in ending})
        known.spent = sales.redemptions_spent(tx, paying)
        return Round(known, _needs(known, selling, redeeming, ending, paying))


def _needs(
    known: Known,
    selling: Sequence[Sale],
    redeeming: Sequence[Redemption],
    ending: Sequence[Capture | Void],
    paying: set[UUID],
) -> Needs:
    needs = Needs(holds={c.redemption_id for c in ending} | paying)
    for sale in selling:
        contract = known.network.contract(sale.merchant_id)
        member = known.member(sale.member) if sale.member is not None else None
        if contract is not None and member is not None:
            needs.accounts.add(AccountName("wallet", member.id))
            needs.accounts.add(decide.source(contract.mode, sale.merchant_id))
    for redemption in redeeming:
        if (member := known.member(redemption.member)) is not None:
            needs.lots_of.add(member.id)
            needs.accounts.add(AccountName("accepted", redemption.merchant_id))
    for end in ending:
        if (row := known.redemptions.get(end.redemption_id)) is not None:
            needs.accounts.add(AccountName("accepted", row.merchant_id))
    return needs


@dataclass(slots=True)
class Round:
    known: Known
    needs: Needs

    def decide(self, request: Request, working: Working) -> Decision:
        command = request.body
        if isinstance(command, Sale):
            return decide.sale(command, request.actor, self.known, working)
        if isinstance(command, Redemption):
            return decide.redemption(command, request.actor, self.known, working)
        if isinstance(command, Capture):
            return decide.capture(command, request.actor, self.known, working)
        assert isinstance(command, Void), command
        return decide.void(command, request.actor, self.known, working)

    def write(self, tx: Tx, working: Working) -> None:
        sales.add_sales(tx, working.book.id, working.batch_id, self.known.new_sales)
        sales.add_redemptions(tx, working.book.id, working.batch_id, self.known.new_redemptions)
        people.use_steps(tx, list(self.known.steps.items()))


def handlers(networks: contracts.NetworkCache, spend_key: bytes) -> dict[str, ledger.Handler]:
    """The kinds trade decides, for `ledger.Committer`."""
    trade = Trade(networks, spend_key)
    return dict.fromkeys(("sale", "redemption", "capture", "void"), trade)
