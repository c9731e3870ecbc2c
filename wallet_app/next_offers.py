"""What one is likely to buy next, shop by shop, with the reason in a line; shown to whoever agreed to be understood."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import ledger
from gateway.api import insight, membership, shapes
from gateway.web import Moved, Shown, Visit
from gateway.web import later as N_

#: The purpose without which nothing of it is shown.
PURPOSE: Final = "profiling"
ON_HOME: Final = 3

#: By the reason's code, with its facts; numbers are told in the language's digits.
REASONS: Final[dict[str, str]] = {
    "due": N_("You buy it every %(every_days)s days or so; the last time was %(days_since)s days ago."),
    "regular": N_("You took it at %(times)s of %(visits)s visits."),
    "bought_together": N_("Of 100 who buy %(with)s, %(of_hundred_buyers)s take it too."),
    "popular": N_("Of 100 members, %(of_hundred_members)s buy it here."),
}


class Likely(NamedTuple):
    merchant: str
    shop: str
    category: str
    reason: str


async def agreed(visit: Visit) -> bool:
    said: shapes.ConsentsOut = await visit.ask(membership.get_consents)
    return any(consent.purpose == PURPOSE and consent.given for consent in said.data)


async def of(visit: Visit) -> list[Likely]:
    """The likeliest first, of shops that are open; none to whoever did not agree."""
    if not await agreed(visit):
        return []
    found: shapes.NextOfferList = await visit.ask(insight.list_own_next_offers)
    if not found.data:
        return []
    network = await visit.work(lambda tx: visit.server.networks.of(tx, ledger.read_book(tx, visit.network.id)))
    names = {ledger.ids.show("merchant", shop.id): shop.name for shop in network.merchants.values() if _open(shop)}
    return [
        Likely(offer.merchant, names[offer.merchant], offer.category, why(offer.reason, visit))
        for offer in found.data
        if offer.merchant in names
    ]


def _open(shop: Any) -> bool:
    return bool(shop.kind == "shop" and shop.state == "active")


def why(reason: shapes.NextOfferReason, visit: Visit) -> str:
    """The reason in the visitor's language."""
    return told(reason, visit.language.gettext, visit.language.number)


def told(reason: shapes.NextOfferReason, gettext: Callable[[str], str], number: Callable[[int], str]) -> str:
    facts = {name: number(value) if isinstance(value, int) else value for name, value in reason.facts.items()}
    return gettext(REASONS[reason.code]) % facts


async def show(visit: Visit) -> Shown:
    facts = {"likely": await of(visit), "agreed": await agreed(visit), "done": visit.query.get("done", "")}
    return Shown("next_offers.html", facts)


async def choose(visit: Visit) -> Moved:
    """Turn them on or off: that is the consent to be understood, and nothing else."""
    given = visit.form.get("show") == "yes"
    body = shapes.ConsentsIn(consents=[shapes.ConsentIn(purpose=PURPOSE, given=given)])
    await visit.ask(membership.put_consents, body, method="PUT", path="/v1/me/consents")
    return Moved(visit.to("/next-offers", done="on" if given else "off"))
