"""Tiers: those one holds, what the next ones ask for and how far one is; and what one may use beside points."""

from typing import NamedTuple

from gateway.api import entitlements, shapes, standing
from gateway.web import Shown, Visit
from gateway.web import later as N_

#: Entitlements that are shown; a member with more finds them at the shops.
MOST_USABLE = 50

_MEASURES = {
    "spend": N_("Bought, after returns"),
    "visits": N_("Purchases"),
    "points_earned": N_("Points earned"),
}


class Bar(NamedTuple):
    """How far one is towards one threshold of the next tier; `filled` of a hundred, a hundred only when it is reached."""

    measure: str
    words: str
    value: int
    at_least: int
    missing: int
    filled: int


def bars(following: shapes.NextTierOut) -> list[Bar]:
    """The thresholds of the next tier in the ladder's own order."""
    return [
        Bar(
            each.measure,
            _MEASURES[each.measure],
            each.value,
            each.at_least,
            each.missing,
            100 if not each.missing else max(0, min(99, each.value * 100 // each.at_least)),
        )
        for each in following.measures
    ]


async def show(visit: Visit) -> Shown:
    found: shapes.StandingsOut = await visit.ask(standing.get_own_standing)
    usable: shapes.OwnEntitlementPage = await visit.ask(
        entitlements.list_own_entitlements, path="/v1/me/entitlements", query=shapes.PageIn(limit=MOST_USABLE)
    )
    ladders = [
        (told, bars(told.progress.next) if told.progress is not None and told.progress.next is not None else [])
        for told in found.data
    ]
    return Shown("standing.html", {"ladders": ladders, "usable": usable.data})
