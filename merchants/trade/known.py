"""What the decisions of one batch rest on, and what they leave to be written."""

from dataclasses import dataclass, field
from uuid import UUID

from ledger import AccountName, Points, Refusal, Working
from ledger.errors import NotFound, StateConflict
from merchants import contracts, people, sales
from merchants.trade.commands import MemberRef


@dataclass(slots=True)
class Known:
    """Read once a batch by the handler; the lists at the end are what the decisions add."""

    network: contracts.Network
    spend_key: bytes = field(repr=False)
    members: dict[UUID | str, people.Member] = field(default_factory=dict)
    devices: dict[UUID, list[people.DeviceRow]] = field(default_factory=dict)
    sold: dict[sales.Reference, UUID] = field(default_factory=dict)
    redeemed: dict[sales.Reference, UUID] = field(default_factory=dict)
    redemptions: dict[UUID, sales.RedemptionRow] = field(default_factory=dict)
    spent: set[UUID] = field(default_factory=set)
    # refunds by reference, what they are of, and (record, contract, fee rate) of redemptions' captures
    refunded: dict[sales.Reference, UUID] = field(default_factory=dict)
    refundable: dict[UUID, sales.Refundable] = field(default_factory=dict)
    captures: dict[UUID, tuple[UUID, UUID, int]] = field(default_factory=dict)
    new_sales: list[sales.SaleRow] = field(default_factory=list)
    new_bonuses: list[sales.BonusRow] = field(default_factory=list)
    new_redemptions: list[sales.RedemptionRow] = field(default_factory=list)
    new_refunds: list[sales.RefundRow] = field(default_factory=list)
    steps: dict[UUID, int] = field(default_factory=dict)
    # wrong spend codes by (merchant, member): those counted lately, and those this batch adds
    wrong_before: dict[tuple[UUID, UUID], int] = field(default_factory=dict)
    wrong_now: dict[tuple[UUID, UUID], int] = field(default_factory=dict)

    def guesses(self, merchant_id: UUID, member_id: UUID) -> bool:
        """Whether a shop has shown too many wrong codes, of this member or of all of them, to be heard now."""
        of_all = [
            (pair, times)
            for counted in (self.wrong_before, self.wrong_now)
            for pair, times in counted.items()
            if pair[0] == merchant_id
        ]
        of_member = sum(times for pair, times in of_all if pair[1] == member_id)
        limits = people.spend_codes
        return of_member >= limits.MOST_WRONG or sum(times for _, times in of_all) >= limits.MOST_WRONG_TOGETHER

    def member(self, ref: MemberRef) -> people.Member | None:
        """The member a till named; none of those who left."""
        found = self.members.get(ref.id if ref.id is not None else ref.number or "")
        return found if found is not None and found.state != "left" else None


def place(merchant_id: UUID, branch_id: UUID, till_id: UUID | None, known: Known) -> Refusal | None:
    """Whether branch and till are the merchant's own and open."""
    branch = known.network.branch(branch_id)
    if branch is None or branch.merchant_id != merchant_id:
        return NotFound("branch", "/branch")
    if branch.state != "active":
        return StateConflict("branch", branch.state)
    if till_id is not None:
        till = known.network.till(till_id)
        if till is None or till.branch_id != branch_id:
            return NotFound("till", "/till")
        if till.state != "active":
            return StateConflict("till", till.state)
    return None


def available(working: Working, member: UUID) -> Points:
    return Points(working.accounts[AccountName("wallet", member)].balance)
