"""Where to earn and spend: the network's shops and their branches, by category and city, online and in the street."""

from dataclasses import dataclass

import ledger
from gateway.web import Shown, Visit
from ledger import ids
from merchants import contracts


@dataclass(frozen=True, slots=True)
class ShopTold:
    id: str
    name: str
    category: str | None
    earns: bool
    spends: bool
    online: bool
    branches: tuple[contracts.Branch, ...]


async def show(visit: Visit) -> Shown:
    network: contracts.Network = await visit.work(
        lambda tx: visit.server.networks.of(tx, ledger.read_book(tx, visit.network.id))
    )
    everything = told(network)
    categories = sorted({shop.category for shop in everything if shop.category})
    cities = sorted({branch.city for shop in everything for branch in shop.branches if branch.city})
    asked = {name: visit.query.get(name, "").strip()[:100] for name in ("q", "category", "city", "way")}
    facts = {
        "shops": [shop for shop in everything if matches(shop, **asked)],
        "categories": categories,
        "cities": cities,
        "asked": asked,
        "all": len(everything),
    }
    return Shown("shops.html", facts)


def told(network: contracts.Network) -> list[ShopTold]:
    """Shops where something can be done now, by name."""
    found = []
    for merchant in network.merchants.values():
        contract = network.contract(merchant.id)
        if merchant.kind != "shop" or merchant.state != "active" or contract is None:
            continue
        branches = sorted(
            (b for b in network.branches.values() if b.merchant_id == merchant.id and b.state == "active"),
            key=lambda b: (b.city or "", b.name),
        )
        found.append(
            ShopTold(
                id=ids.show("merchant", merchant.id),
                name=merchant.name,
                category=merchant.category,
                earns="natural" in contract.earns_for and network.terms(merchant.id) is not None,
                spends="natural" in contract.spends_for,
                online=any(b.channel == "online" for b in branches),
                branches=tuple(branches),
            )
        )
    return sorted(found, key=lambda shop: shop.name.casefold())


def matches(shop: ShopTold, *, q: str, category: str, city: str, way: str) -> bool:
    """Whether a shop is what was asked for; nothing asked is everything."""
    words = [shop.name, *(b.name for b in shop.branches)]
    return (
        (not q or any(q.casefold() in word.casefold() for word in words))
        and (not category or shop.category == category)
        and (not city or any(b.city == city for b in shop.branches))
        and (way != "online" or shop.online)
        and (way != "street" or any(b.channel == "physical" for b in shop.branches))
    )
