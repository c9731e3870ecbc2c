"""Building the coalition through the API: the book, the merchants with their branches, keys, contracts and terms."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

import msgspec

from deploy.demo.behaviour import key
from deploy.demo.network import (
    CURRENCY,
    EXPONENT,
    FACE_VALUE,
    NETWORK,
    PER,
    POINTS_LIFE_DAYS,
    SHOPS,
    TIME_ZONE,
    Shop,
)
from deploy.demo.plan import midnight_after
from deploy.demo.state import Merchant, State
from deploy.demo.wire import Wire


def rfc3339(moment: Any) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")  # type: ignore[no-any-return]


def book_body() -> dict[str, Any]:
    return {
        "network": NETWORK,
        "mode": "test",
        "currency": CURRENCY,
        "exponent": EXPONENT,
        "face_value": FACE_VALUE,
        "points_life_days": POINTS_LIFE_DAYS,
        "time_zone": TIME_ZONE,
        "window_schedule": {"every": "week", "at": "00:00", "weekday": 0},
        "clock": rfc3339(midnight_after(0)),
    }


def contract_body(shop: Shop, credit_line: int) -> dict[str, Any]:
    return {
        "mode": shop.mode,
        "purchase_fee_ppm": shop.purchase_fee_ppm,
        "redemption_fee_ppm": shop.redemption_fee_ppm,
        "credit_line_points": credit_line,
        "hold_minutes": shop.hold_minutes,
        "points_life_days": shop.points_life_days,
        "maturity_days": shop.maturity_days,
        "unit_value": FACE_VALUE if shop.mode == "closed_loop" else None,
    }


def terms_body(shop: Shop) -> dict[str, Any]:
    return {
        "points": shop.rate,
        "per": PER,
        "categories": {name: {"points": points, "per": PER} for name, points in shop.rates.items()},
        "minimum": shop.minimum,
        "cap_points": shop.cap,
    }


async def build(wire: Wire, state: State) -> State:
    """The state with the network in it. What an earlier start built half is gone with its database."""
    book = await wire.post(
        "/v1/operator/books", state.maker, book_body(), idempotency_key=key(state.seed, "book", "make")
    )
    of_shop: dict[int, list[int]] = defaultdict(list)
    for store, shop in sorted(state.plan.shop_of_store.items()):
        of_shop[shop].append(store)
    made = await asyncio.gather(*(_merchant(wire, state, book["id"], i, of_shop[i]) for i in range(len(SHOPS))))
    branches: dict[int, str] = {}
    for _, own in made:
        branches.update(own)
    return msgspec.structs.replace(
        state, book=book["id"], merchants=[merchant for merchant, _ in made], branches=branches
    )


async def _merchant(
    wire: Wire, state: State, book: str, place: int, stores: list[int]
) -> tuple[Merchant, dict[int, str]]:
    shop, operator = SHOPS[place], state.maker

    async def post(path: str, body: dict[str, Any], about: str) -> Any:
        return await wire.post(path, operator, body, idempotency_key=key(state.seed, shop.name, about))

    merchant = await post(
        f"/v1/operator/books/{book}/merchants", {"name": shop.name, "category": shop.category}, "merchant"
    )
    at = f"/v1/operator/merchants/{merchant['id']}"
    await post(f"{at}/contracts", contract_body(shop, state.plan.credit_lines[place]), "contract")
    await post(f"{at}/terms", terms_body(shop), "terms")
    branches = {}
    for store in stores:
        body = {"reference": f"store-{store}", "name": f"{shop.name}, store {store}"}
        branches[store] = (await post(f"{at}/branches", body, f"branch {store}"))["id"]
    made = await post(f"{at}/api-keys", {"label": "tills", "kind": "sk"}, "key")
    return Merchant(merchant["id"], made["secret"]), branches
