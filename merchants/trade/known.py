"""What the decisions of one batch rest on, and what they leave to be written."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from ledger import Hold, Points, Refusal, Working
from ledger.errors import NotFound, StateConflict
from merchants import contracts, people, safety, sales
from merchants.trade.commands import Capture, Gift, MemberRef, Named, RedemptionRefund, SaleRefund, Void
from merchants.trade.earning import Pasts, Persons
from merchants.trade.offering import Offered


@dataclass(slots=True)
class Known:
    """Read once a batch by the handler; the lists at the end are what the decisions add."""

    network: contracts.Network
    spend_key: bytes = field(repr=False)
    # the batch's moment, as clocks show it where the network is
    local: datetime
    pasts: Pasts = field(default_factory=Pasts)
    # tiers, segments and occasions of members, where rules ask for them
    persons: Persons = field(default_factory=Persons)
    # the offers that give, and how this batch's members stand to them
    offered: Offered = field(default_factory=Offered)
    # whether the network expires the points of the inactive, so that an earn moves the time of those there are
    inactivity: bool = False
    members: dict[UUID | str, people.Member] = field(default_factory=dict)
    devices: dict[UUID, list[people.DeviceRow]] = field(default_factory=dict)
    sold: dict[sales.Reference, UUID] = field(default_factory=dict)
    redeemed: dict[sales.Reference, UUID] = field(default_factory=dict)
    redemptions: dict[UUID, sales.RedemptionRow] = field(default_factory=dict)
    spent: set[UUID] = field(default_factory=set)
    # refunds by reference; what they are of, and redemptions that pay for sales, locked; and (record, contract, fee rate)
    # of refunded redemptions' captures
    refunded: dict[sales.Reference, UUID] = field(default_factory=dict)
    refundable: dict[UUID, sales.Refundable] = field(default_factory=dict)
    captures: dict[UUID, tuple[UUID, UUID, int]] = field(default_factory=dict)
    # what this batch names by external reference: the id behind it, None as long as nothing bears it. What is made in the
    # batch under such a reference is entered, so that what comes behind it finds it.
    sales_named: dict[sales.Reference, UUID | None] = field(default_factory=dict)
    redemptions_named: dict[sales.Reference, UUID | None] = field(default_factory=dict)
    # vouchers to be redeemed or returned, and how many each member has open
    vouchers: dict[UUID, sales.VoucherRow] = field(default_factory=dict)
    open_vouchers: dict[UUID, int] = field(default_factory=dict)
    new_vouchers: list[sales.VoucherRow] = field(default_factory=list)
    # what shops ask members to approve: those that this batch answers or ends, locked; what each shop asked of each member
    # before; and references of theirs that became redemptions otherwise
    approvals: dict[UUID, sales.Approval] = field(default_factory=dict)
    asked: dict[tuple[UUID, UUID], sales.Asked] = field(default_factory=dict)
    redeemed_otherwise: dict[sales.Reference, UUID] = field(default_factory=dict)
    new_approvals: list[sales.Approval] = field(default_factory=list)
    answered: set[UUID] = field(default_factory=set)
    # gifts: what the network allows, today's counts by member, and the lots that the givers' lots come from
    gift_rules: sales.GiftRules = field(default_factory=sales.GiftRules)
    gift_days: dict[UUID, sales.GiftDay] = field(default_factory=dict)
    lineages: dict[UUID, tuple[UUID, UUID | None]] = field(default_factory=dict)
    # households, locked, and what others spent this month from wallets in them, by (owner, spender)
    households: dict[UUID, people.Household] = field(default_factory=dict)
    spent_for: dict[tuple[UUID, UUID], int] = field(default_factory=dict)
    new_gifts: list[sales.GiftRow] = field(default_factory=list)
    changed_households: set[UUID] = field(default_factory=set)
    new_sales: list[sales.SaleRow] = field(default_factory=list)
    new_bonuses: list[sales.BonusRow] = field(default_factory=list)
    new_redemptions: list[sales.RedemptionRow] = field(default_factory=list)
    new_refunds: list[sales.RefundRow] = field(default_factory=list)
    steps: dict[UUID, int] = field(default_factory=dict)
    # wrong spend codes by (merchant, member): those counted lately, those this batch adds, and all of each merchant
    wrong_before: dict[tuple[UUID, UUID], int] = field(default_factory=dict)
    wrong_now: dict[tuple[UUID, UUID], int] = field(default_factory=dict)
    wrong_together: dict[UUID, int] = field(default_factory=dict)
    # what passed lately, where the book has velocity limits; and what an operator should see
    velocity: safety.Counts | None = None
    flags: dict[tuple[str, str, UUID, str], safety.Flag] = field(default_factory=dict)

    def flag(self, raised: safety.Flag) -> None:
        """Raise a flag, or count it to the one of this batch."""
        if (before := self.flags.get(raised.name)) is not None:
            raised = before.and_then(raised)
        self.flags[raised.name] = raised

    def shown(self, wrong: dict[tuple[UUID, UUID], int]) -> None:
        """Take what was counted of wrong codes before."""
        self.wrong_before = wrong
        for (merchant_id, _), times in wrong.items():
            self.wrong_together[merchant_id] = self.wrong_together.get(merchant_id, 0) + times

    def guessed(self, merchant_id: UUID, member_id: UUID) -> None:
        """Count a wrong code that a shop shows of a member."""
        pair = (merchant_id, member_id)
        self.wrong_now[pair] = self.wrong_now.get(pair, 0) + 1
        self.wrong_together[merchant_id] = self.wrong_together.get(merchant_id, 0) + 1

    def guesses(self, merchant_id: UUID, member_id: UUID) -> bool:
        """Whether a shop has shown too many wrong codes, of this member or of all of them, to be heard now."""
        together = self.wrong_together.get(merchant_id, 0)
        if not together:
            return False
        pair, limits = (merchant_id, member_id), people.spend_codes
        of_member = self.wrong_before.get(pair, 0) + self.wrong_now.get(pair, 0)
        return of_member >= limits.MOST_WRONG or together >= limits.MOST_WRONG_TOGETHER

    def sale_id(self, merchant_id: UUID, named: Named) -> UUID | None:
        return named if isinstance(named, UUID) else self.sales_named.get((merchant_id, named))

    def redemption_id(self, merchant_id: UUID, named: Named) -> UUID | None:
        return named if isinstance(named, UUID) else self.redemptions_named.get((merchant_id, named))

    def refund_of(self, command: SaleRefund | RedemptionRefund) -> sales.Refundable | None:
        """What a refund is of: the merchant's own, or none."""
        if isinstance(command, SaleRefund):
            id = self.sale_id(command.merchant_id, command.sale)
        else:
            id = self.redemption_id(command.merchant_id, command.redemption)
        row = self.refundable.get(id) if id is not None else None
        return row if row is not None and row.merchant_id == command.merchant_id else None

    def asked_for(self, command: Capture | Void) -> sales.Approval | None:
        """What a shop's own command ends, where it is no redemption yet but only asked for."""
        id = self.redemption_id(command.merchant_id, command.redemption)
        row = self.approvals.get(id) if id is not None and id not in self.redemptions else None
        return row if row is not None and row.merchant_id == command.merchant_id else None

    def ever_member(self, ref: MemberRef) -> people.Member | None:
        """The member a till named, also one who left since."""
        return self.members.get(ref.id if ref.id is not None else ref.number or "")

    def member(self, ref: MemberRef) -> people.Member | None:
        """The member a till named; none of those who left."""
        found = self.ever_member(ref)
        return found if found is not None and found.state != "left" else None

    def receiver(self, gift: Gift) -> people.Member | None:
        """Whoever has the number or the telephone that a gift goes to."""
        return self.members.get(gift.to_number or gift.to_phone or "")

    def household_of(self, member_id: UUID) -> people.Household | None:
        """The household a member is in now, of those that this batch has locked."""
        return next((household for household in self.households.values() if household.has(member_id)), None)

    def spenders_for(self, owner: UUID) -> list[UUID]:
        """Who besides the owner may consent to spending from a wallet: nobody frozen, gone or locked."""
        household = self.household_of(owner)
        people_there = (self.members.get(id) for id in (household.spenders(owner) if household else ()))
        return [m.id for m in people_there if m is not None and m.locked_by is None and m.state == "active"]


def place(
    merchant_id: UUID,
    branch_id: UUID,
    till_id: UUID | None,
    known: Known,
    *,
    selling: bool = False,
    even_closed: bool = False,
) -> Refusal | None:
    """Whether branch and till are the merchant's own, and open unless that does not matter.

    A frozen branch sells, and does nothing else.
    """
    branch = known.network.branch(branch_id)
    if branch is None or branch.merchant_id != merchant_id:
        return NotFound("branch", "/branch")
    if branch.state != "active" and not even_closed and not (selling and branch.state == "frozen"):
        return StateConflict("branch", branch.state)
    if till_id is not None:
        till = known.network.till(till_id)
        if till is None or till.branch_id != branch_id:
            return NotFound("till", "/till")
        if till.state != "active" and not even_closed:
            return StateConflict("till", till.state)
    return None


def absent(what: str, named: Named) -> NotFound:
    """Nothing of the merchant's is named so; a reference is pointed to, an id stands in the path."""
    return NotFound(what, None if isinstance(named, UUID) else f"/{what}_reference")


def available(working: Working, member: UUID) -> Points:
    return Points(working.accounts.of(member)["wallet"].balance)


def state_told(hold: Hold) -> str:
    """The state of a redemption, as its merchant hears of it."""
    return "held" if hold.state == "open" else hold.state
