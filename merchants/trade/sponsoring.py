"""Sponsoring: what is given at a shop's sale beside the shop's own points, by sponsorships and by offers. Pure.

A bonus is given whole or not at all, and never stands in the way of the sale or of another bonus.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ledger import AccountName, Draft, Lot, Points, Working, budgets
from merchants import contracts, programme, sales
from merchants.trade.commands import BonusDone

SUSPENDED = "merchant_suspended"
BUDGET_TOO_SMALL = "budget_too_small"


class Giver(NamedTuple):
    """A sponsorship, or the variant of an offer that a member is in: whose points it gives, out of which budget."""

    id: UUID
    issuer_id: UUID
    # of an offer
    variant: str | None = None

    @property
    def budget(self) -> AccountName:
        return budgets.name(self.issuer_id, self.id)


@dataclass(frozen=True, slots=True)
class Bonus:
    """What a giver's rules give a basket; `refused` says why it is not issued, whatever the budget."""

    giver: Giver
    points: Points
    refused: str | None = None


def bonuses(
    network: contracts.Network,
    shop: UUID,
    basket: programme.Basket,
    facts: programme.Facts,
    now: datetime,
    branch: contracts.Branch | None = None,
) -> list[Bonus]:
    """Those of the sponsorships at a shop whose rules give this basket something. At a suspended shop there are none, nor
    at a frozen branch."""
    if not network.sponsorships or not basket.money:
        return []
    merchant = network.merchant(shop)
    if merchant is None or merchant.state != "active" or (branch is not None and branch.state == "frozen"):
        return []
    found = []
    for sponsorship in network.sponsorships_at(shop, now):
        rules = programme.rules_of(sponsorship.id, sponsorship.rules)
        earned = programme.earned(rules, basket, facts)
        if earned.points:
            sponsor = network.merchant(sponsorship.merchant_id)
            able = sponsor is not None and sponsor.state == "active"
            giver = Giver(sponsorship.id, sponsorship.merchant_id)
            found.append(Bonus(giver, earned.points, None if able else SUSPENDED))
    return found


def told(bonus: Bonus, left: int) -> BonusDone:
    """What a quote says of a bonus, given what its budget holds."""
    refused = bonus.refused or (BUDGET_TOO_SMALL if bonus.points > left else None)
    return _done(bonus, refused, None)


def budget(bonus: Bonus, working: Working) -> int:
    return working.accounts[bonus.giver.budget].balance


def decided(bonus: Bonus, working: Working) -> Bonus:
    """The bonus, with the reason when its budget does not bear it."""
    if bonus.refused is None and bonus.points > budget(bonus, working):
        return replace(bonus, refused=BUDGET_TOO_SMALL)
    return bonus


def refused(bonus: Bonus, reason: str) -> Bonus:
    """The bonus not issued: for the reason it had before, or for this one."""
    return bonus if bonus.refused is not None else replace(bonus, refused=reason)


def issue(
    draft: Draft,
    bonus: Bonus,
    contract: contracts.Contract,
    working: Working,
    *,
    member: UUID,
    sale: UUID,
    available_at: datetime,
    expires_at: datetime,
) -> Lot:
    """budget -> the member's wallet (or pending), as a lot under its issuer's contract. The caller repays with it."""
    return working.issue(
        draft,
        working.issuers[bonus.giver.issuer_id],
        member=member,
        points=bonus.points,
        unit_value=contract.unit_value_minor,
        available_at=available_at,
        expires_at=expires_at,
        rule_id=bonus.giver.id,
        sale_id=sale,
        budget=bonus.giver.budget,
        repays=False,
    )


def done(bonus: Bonus, lot: Lot | None) -> BonusDone:
    return _done(bonus, bonus.refused, lot)


def _done(bonus: Bonus, refused: str | None, lot: Lot | None) -> BonusDone:
    id, issuer, variant = bonus.giver
    return BonusDone(
        giver_id=id,
        variant=variant,
        issuer_id=issuer,
        points=Points(0) if refused else bonus.points,
        refused=refused,
        lot_id=None if lot is None else lot.id,
        expires_at=None if lot is None else lot.expires_at,
    )


def payload(given: Sequence[BonusDone]) -> list[dict[str, object]]:
    """The bonuses as the sale's record tells them."""
    return [
        {
            **({"sponsorship": b.giver_id} if b.variant is None else {"offer": b.giver_id, "variant": b.variant}),
            "issuer": b.issuer_id,
            "points": b.points,
            "refused": b.refused,
        }
        for b in given
    ]


def rows(sale: UUID, given: Sequence[BonusDone]) -> list[sales.BonusRow]:
    return [sales.BonusRow(sale, b.giver_id, b.issuer_id, b.lot_id, b.points) for b in given if b.lot_id is not None]
