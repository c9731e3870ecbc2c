"""The coalition of the demo: fourteen merchants, what each agreed to, and which of the data's stores are whose. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from deploy.demo.journey import Basket

NETWORK: Final = "complete-journey"
CURRENCY: Final = "USD"
EXPONENT: Final = 2
#: Cents that a point is worth.
FACE_VALUE: Final = 1
#: Short enough that points expire within the year.
POINTS_LIFE_DAYS: Final = 120
#: The data's weeks begin on Mondays at midnight there, and so do the windows.
TIME_ZONE: Final = "America/New_York"
#: How long goods, and points that paid for some, are taken back.
TAKEN_BACK_DAYS: Final = 14
#: Every rate is points for so many cents.
PER: Final = 100


@dataclass(frozen=True, slots=True)
class Shop:
    """A merchant of the demo. Rates are points per dollar of the money part."""

    name: str
    category: str
    # of a thousand baskets, how many should be this merchant's
    share: int
    mode: str
    purchase_fee_ppm: int
    redemption_fee_ppm: int
    rate: int
    # departments with a rate of their own; 0 leaves one out
    rates: Mapping[str, int] = field(default_factory=dict)
    # a basket below so many cents earns nothing
    minimum: int = 0
    cap: int | None = None
    # only where the contract lengthens the network's
    points_life_days: int | None = None
    hold_minutes: int = 15
    # how long its points are pending
    maturity_days: int = 0

    def most_points(self, basket: Basket) -> int:
        """What a basket can earn here at most: when all of it is paid in money, and a point more for rounding."""
        if basket.total < max(self.minimum, 1):
            return 0
        points = 1 + sum(line.cents * self.rates.get(line.category, self.rate) for line in basket.lines) // PER
        return points if self.cap is None else min(points, self.cap)


_NEITHER: Final = {"FUEL": 0, "COUPON": 0}

SHOPS: Final = (
    Shop("Alder Market", "supermarket", 165, "prefunded", 1_200, 10_000, 1, _NEITHER),
    Shop("Brookside Foods", "supermarket", 140, "deferred", 1_000, 12_000, 1, _NEITHER, minimum=500),
    Shop("Cedar Lane Grocers", "supermarket", 115, "prefunded", 800, 8_000, 2, {**_NEITHER, "PRODUCE": 3}, cap=400),
    Shop("Dovetail Pantry", "grocery", 95, "deferred", 1_500, 10_000, 2, _NEITHER),
    Shop(
        "Eastgate Superstore",
        "superstore",
        85,
        "prefunded",
        900,
        15_000,
        1,
        {**_NEITHER, "DRUG GM": 2},
        maturity_days=14,
    ),
    Shop("Fairfield Fresh", "grocery", 75, "deferred", 1_800, 8_000, 2, {**_NEITHER, "PRODUCE": 4}, minimum=300),
    Shop("Greenway Foods", "grocery", 70, "prefunded", 1_400, 9_000, 2, _NEITHER, cap=250),
    Shop("Harbor Street Market", "grocery", 60, "deferred", 2_000, 11_000, 3, _NEITHER, points_life_days=180),
    Shop("Ironbridge Stores", "department store", 50, "prefunded", 1_100, 14_000, 2, {**_NEITHER, "GROCERY": 1}),
    Shop("Juniper Corner", "convenience", 45, "deferred", 2_500, 6_000, 3, _NEITHER, minimum=200, cap=150),
    Shop(
        "Kingsway Drug & Goods",
        "pharmacy",
        38,
        "prefunded",
        2_200,
        7_000,
        2,
        {**_NEITHER, "DRUG GM": 4},
        maturity_days=14,
    ),
    Shop("Lakeside Larder", "delicatessen", 30, "deferred", 3_000, 5_000, 3, {**_NEITHER, "DELI": 4}, hold_minutes=30),
    Shop("Millstone Kitchen", "bakery", 20, "closed_loop", 2_800, 6_500, 4, {**_NEITHER, "DRUG GM": 0}, minimum=500),
    Shop("Northfield Express", "fuel and food", 12, "deferred", 3_500, 9_500, 4, {"FUEL": 1, "COUPON": 0}, cap=300),
)


def deal_stores(baskets_of: Mapping[int, int]) -> dict[int, int]:
    """Which shop (its place in SHOPS) each store belongs to, from the number of baskets of each store.

    Stores go from the busiest down (ties by number), each to the shop that is furthest behind its share of all baskets.
    """
    everything = sum(baskets_of.values())
    dealt = [0] * len(SHOPS)
    of_store: dict[int, int] = {}
    for store in sorted(baskets_of, key=lambda store: (-baskets_of[store], store)):
        shop = max(range(len(SHOPS)), key=lambda i: (SHOPS[i].share * everything - dealt[i] * 1_000, -i))
        of_store[store] = shop
        dealt[shop] += baskets_of[store]
    return of_store
