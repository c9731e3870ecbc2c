"""Offers: what shops give beside their points, for whom it is given to, and activating what asks for it."""

from typing import Final, NamedTuple

from gateway.api import offers, shapes
from gateway.web import Moved, Shown, Visit
from wallet_app.asking import about
from wallet_app.club import Terms, terms_told

PAGE: Final = 25
ON_HOME: Final = 3


class Offer(NamedTuple):
    """`waits`: it gives nothing before it is activated."""

    told: shapes.OwnOfferOut
    gives: Terms
    waits: bool


async def page(visit: Visit, limit: int, after: str | None = None) -> tuple[list[Offer], str | None]:
    """Offers that are for the visitor now, and where the next page begins."""
    query = shapes.PageIn(limit=limit, cursor=after)
    found: shapes.OwnOfferPage = await visit.ask(offers.list_own_offers, path="/v1/me/offers", query=query)
    kind = (await about(visit)).kind
    told = [
        Offer(
            one,
            terms_told(one.rules, kind, visit.network.now),
            one.activation == "activate" and one.activated_at is None,
        )
        for one in found.data
    ]
    return told, found.next_cursor


async def show(visit: Visit) -> Shown:
    told, more = await page(visit, PAGE, visit.query.get("from"))
    facts = {
        "offers": told,
        "more": more,
        "further": "from" in visit.query,
        "done": visit.query.get("done", ""),
        "key": visit.fresh_key,
    }
    return Shown("offers.html", facts)


async def activate(visit: Visit) -> Moved:
    id = visit.params["offer"]
    await visit.ask(
        offers.post_own_activate,
        shapes.NothingIn(),
        method="POST",
        path=f"/v1/me/offers/{id}/activate",
        params={"offer": id},
        key=visit.key,
    )
    return Moved(visit.to("/offers", done="on"))
