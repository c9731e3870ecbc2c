"""Offering: what running offers give at their shop's sales, beside all else, and what members do with offers. Pure.

A gift of an offer is a bonus like a sponsorship's. Whoever is held out, or was not in the audience at the launch, is given
nothing and told nothing: there is no trace of the offer in what such a member's sale answers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from ledger import Accepted, Decision, Working
from ledger.errors import NotFound, SpendLocked, StateConflict
from merchants import contracts, offers, people, programme
from merchants.offers import Count, Given, Pair, Running, Use
from merchants.trade.commands import ActivateOffer, ActivationDone, BonusDone
from merchants.trade.sponsoring import SUSPENDED, Bonus, Giver


@dataclass(slots=True)
class Offered:
    """Offers that give, by merchant; how members stand to those that they may meet; what the offers gave. What a batch
    gives is added while it is decided."""

    running: Mapping[UUID, Sequence[Running]] = field(default_factory=dict)
    uses: dict[Pair, Use] = field(default_factory=dict)
    given: dict[UUID, Given] = field(default_factory=dict)
    changed: set[Pair] = field(default_factory=set)
    gave_now: dict[UUID, Count] = field(default_factory=dict)

    def at(self, shop: UUID, now: datetime) -> list[Running]:
        """Those that give at a shop's sales now, in the order they were drafted."""
        return [offer for offer in self.running.get(shop, ()) if offer.gives_at(now)]

    def by_id(self, id: UUID, now: datetime) -> Running | None:
        every = (offer for of_shop in self.running.values() for offer in of_shop)
        return next((offer for offer in every if offer.id == id and offer.gives_at(now)), None)

    def rules(self, shop: UUID, now: datetime) -> list[programme.Programme]:
        """The rules of all variants of the offers at a shop: whichever of them a member is in."""
        return [
            programme.rules_of(offer.rule_id(variant.name), variant.rules)
            for offer in self.at(shop, now)
            for variant in offer.variants.values()
        ]

    def bonuses(
        self,
        network: contracts.Network,
        shop: UUID,
        member_id: UUID,
        basket: programme.Basket,
        facts: programme.Facts,
        now: datetime,
        branch: contracts.Branch | None = None,
    ) -> list[Bonus]:
        """What the offers that a member may use give this basket. At a suspended shop there are none, nor at a frozen
        branch. A cap that a gift would pass stops it whole."""
        running = self.at(shop, now) if basket.money else []
        merchant = network.merchant(shop)
        if not running or merchant is None or merchant.state != "active":
            return []
        if branch is not None and branch.state == "frozen":
            return []
        found = []
        for offer in running:
            use = self.uses.get((offer.id, member_id))
            variant = offer.variant(use, now)
            if use is None or variant is None or not offer.open_to(use):
                continue
            rules = programme.rules_of(offer.rule_id(variant.name), variant.rules)
            points = programme.earned(rules, basket, facts).points
            if points:
                giver = Giver(offer.id, offer.funder_id, variant.name)
                found.append(Bonus(giver, points, self._barred(network, offer, use, points)))
        return found

    def _barred(self, network: contracts.Network, offer: Running, use: Use, points: int) -> str | None:
        funder = network.merchant(offer.funder_id)
        if funder is None or funder.state != "active":
            return SUSPENDED
        given = self.given.get(offer.id, Given())
        barred = offer.giving.bars(use.had, given.today, given.ever, points)
        return offers.CAP_REACHED if barred else None

    def gave(self, member_id: UUID, given: Iterable[BonusDone]) -> None:
        """Count what was issued."""
        for bonus in given:
            if bonus.variant is None or bonus.lot_id is None:
                continue
            pair = bonus.giver_id, member_id
            self.uses[pair] = self.uses[pair].and_one(bonus.points)
            self.changed.add(pair)
            self.gave_now[bonus.giver_id] = self.gave_now.get(bonus.giver_id, Count()).and_one(bonus.points)
            before = self.given.get(bonus.giver_id, Given())
            self.given[bonus.giver_id] = Given(before.today.and_one(bonus.points), before.ever.and_one(bonus.points))


def activate(
    command: ActivateOffer, actor: str, offered: Offered, member: people.Member | None, working: Working
) -> Decision:
    """A member activates an offer: none that does not run, or that is not for the member; then whoever is frozen; then one
    that needs no activating. Activated twice, it is activated once."""
    offer = offered.by_id(command.offer_id, working.now)
    pair = command.offer_id, command.member_id
    use = offered.uses.get(pair)
    variant = None if offer is None else offer.variant(use, working.now)
    if member is None or member.state == "left" or offer is None or use is None or variant is None:
        return NotFound("offer")
    if member.state != "active":
        return SpendLocked("network")
    if offer.giving.activation != "activate":
        return StateConflict("offer", "active without being activated")
    # nothing below may refuse
    if use.activated_at is not None:
        return Accepted(ActivationDone(offer, variant, use))
    use = offered.uses[pair] = replace(use, activated_at=working.now)
    offered.changed.add(pair)
    payload: dict[str, Any] = {"variant": variant.name}
    working.record(
        "offer_activated", actor, merchant=offer.merchant_id, member=member.id, subject=offer.id, payload=payload
    )
    return Accepted(ActivationDone(offer, variant, use))
