"""A shop's club: what it gives, one's tier there, the points that are good there, and where it is."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import ledger
from gateway.api import entitlements, shapes, standing
from gateway.web import Shown, Visit, not_found
from ledger import ids
from merchants import contracts, people, trade
from wallet_app.shops import ShopTold, told
from wallet_app.standing import MOST_USABLE, bars

#: Rules that are named; a shop may have thousands.
MOST_RULES: Final = 20


class Gives(NamedTuple):
    """`points` for every `per_minor` paid in money; of a category, or of all else."""

    points: int
    per_minor: int
    category: str | None


class Terms(NamedTuple):
    """What a shop gives, as its terms have it: the rates of the short form, or the names of the long form's rules."""

    rates: tuple[Gives, ...]
    names: tuple[str, ...]
    more: int
    minimum_minor: int
    cap_points: int | None


def terms_told(rules: Mapping[str, Any], kind: str, now: datetime) -> Terms:
    """Terms for a kind of person. A rule without a name, over, or for some members only is not named."""
    if "rules" in rules:
        named = [rule["name"] for rule in rules["rules"] if _named(rule, kind, now)]
        rates = [
            Gives(rate["points"], rate["per"], None)
            for rule in rules["rules"]
            if (rate := rule["effect"].get("rate")) is not None and not rule.get("when") and not rule.get("valid")
            if rule.get("basis", "money") == "money"
        ]
        return Terms(
            tuple(rates[:1]),
            tuple(named[:MOST_RULES]),
            max(0, len(named) - MOST_RULES),
            rules.get("minimum", 0),
            rules.get("cap_points"),
        )
    part = rules.get("by_kind", {}).get(kind, rules)
    categories = part.get("categories", {})
    rates = [Gives(part["points"], part["per_minor"], None)] if part["points"] else []
    rates += [Gives(rate["points"], rate["per_minor"], name) for name, rate in sorted(categories.items())]
    return Terms(
        tuple(rates[: MOST_RULES + 1]),
        (),
        max(0, len(rates) - MOST_RULES - 1),
        part.get("minimum_minor", 0),
        part.get("cap_points"),
    )


def _named(rule: Mapping[str, Any], kind: str, now: datetime) -> bool:
    when, valid = rule.get("when") or {}, rule.get("valid") or {}
    until = valid.get("until")
    return (
        bool(rule.get("name"))
        and "segment" not in when
        and (kind in when["kind"] if when.get("kind") else True)
        and (until is None or now < datetime.fromisoformat(until))
    )


class _Found(NamedTuple):
    shop: ShopTold
    terms: contracts.Terms | None
    kind: str
    points: int
    value_minor: int


async def show(visit: Visit) -> Shown:
    id = ids.read("merchant", visit.params["shop"])
    if id is None:
        raise not_found("shop")

    def read(tx: ledger.Tx) -> _Found | None:
        book = ledger.read_book(tx, visit.network.id)
        network = visit.server.networks.of(tx, book)
        member = people.find(tx, book, id=visit.member.id)
        shop = next((shop for shop in told(network) if shop.id == visit.params["shop"]), None)
        if shop is None or member is None:
            return None
        points, value = trade.spendable_at(tx, book, network, member, id)
        return _Found(shop, network.terms(id), member.kind, points, value)

    found = await visit.work(read)
    if found is None:
        raise not_found("shop")
    stands: shapes.StandingsOut = await visit.ask(standing.get_own_standing)
    # a shop's own ladder counts there; without one the network's does
    own = [each for each in stands.data if each.merchant == found.shop.id]
    counts = next(iter(own or [each for each in stands.data if each.merchant is None]), None)
    usable: shapes.OwnEntitlementPage = await visit.ask(
        entitlements.list_own_entitlements, path="/v1/me/entitlements", query=shapes.PageIn(limit=MOST_USABLE)
    )
    following = None if counts is None or counts.progress is None else counts.progress.next
    facts = {
        "shop": found.shop,
        "terms": None if found.terms is None else terms_told(found.terms.rules, found.kind, visit.network.now),
        "points": found.points,
        "value_minor": found.value_minor,
        "stands": counts,
        "bars": [] if following is None else bars(following),
        "usable": [one for one in usable.data if one.merchant == found.shop.id],
    }
    return Shown("club.html", facts)
