"""What is known before the year begins: whose store each is, what each merchant may come to issue, its credit line. Pure.

Everything follows from the data and the table of shops, so any machine plans the same, and nothing that members do
changes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from deploy.demo.journey import Hour
from deploy.demo.network import POINTS_LIFE_DAYS, SHOPS, TAKEN_BACK_DAYS, TIME_ZONE, deal_stores

#: How long issued points can weigh on a credit line after they expired or were spent: till their window is paid.
SETTLED_WITHIN_DAYS: Final = 14
#: What a refund brings back past its time lives so long more, once.
GRACE_DAYS: Final = 30
#: Credit lines, purchases and top-ups are rounded up to whole thousands of points and hundreds of dollars.
POINTS_STEP: Final = 1_000
CENTS_STEP: Final = 10_000

_ZONE: Final = ZoneInfo(TIME_ZONE)
#: Midnight where the stores are, before the first basket.
OPENING: Final = datetime(2017, 1, 1, tzinfo=_ZONE)
_MONDAY: Final = datetime(2016, 12, 26, tzinfo=_ZONE)


class Plan(msgspec.Struct, frozen=True):
    """Shops are named by their place in SHOPS."""

    shop_of_store: dict[int, int]
    # by shop and week, what the week's baskets can earn at most
    most_points: list[dict[int, int]]
    # by shop, in points; 0 for those that are not deferred
    credit_lines: list[int]
    # by day since the opening, the baskets up to its end; the last is the whole year's
    baskets_by_day: list[int]

    def baskets(self, days: int | None) -> int:
        """How many baskets the first `days` days hold; all, when None."""
        reached = self.baskets_by_day[: None if days is None else days]
        return reached[-1] if reached else 0


def day_of(moment: datetime) -> int:
    """Days since the opening, by the calendar where the stores are."""
    return (moment.astimezone(_ZONE).date() - OPENING.date()).days


def week_of(moment: datetime) -> int:
    """Which window's week a moment lies in: 0 is the one of the opening, and each Monday at midnight begins another."""
    return (moment.astimezone(_ZONE).date() - _MONDAY.date()).days // 7


def midnight_after(days: int) -> datetime:
    """When `days` days have gone by, in UTC."""
    return (OPENING + timedelta(days=days)).astimezone(UTC)  # days on the wall, whatever the clocks do


def make(year: Callable[[], Iterable[Hour]]) -> Plan:
    """The plan for a year of baskets, which is gone through twice."""
    stores: Counter[int] = Counter()
    by_day: Counter[int] = Counter()
    for hour in year():
        by_day[day_of(hour.at)] += len(hour.baskets)
        stores.update(basket.store for basket in hour.baskets)
    shop_of_store = deal_stores(stores)
    daily: list[Counter[int]] = [Counter() for _ in SHOPS]
    for hour in year():
        day = day_of(hour.at)
        for basket in hour.baskets:
            shop = shop_of_store[basket.store]
            daily[shop][day] += SHOPS[shop].most_points(basket)
    days = max(by_day) + 1
    return Plan(
        shop_of_store=shop_of_store,
        most_points=[_by_week(counts) for counts in daily],
        credit_lines=[
            _credit_line(counts, days, shop.points_life_days) if shop.mode == "deferred" else 0
            for shop, counts in zip(SHOPS, daily, strict=True)
        ],
        baskets_by_day=[sum(by_day[d] for d in range(day + 1)) for day in range(days)],
    )


def purchase(most_points: int, pool: int) -> int:
    """The points a prefunded merchant buys at the beginning of a week: what its pool lacks for all its baskets can earn."""
    return _up(max(0, most_points - pool), POINTS_STEP)


def topup(value: int, prefund: int) -> int:
    """The cents it pays in first: what its prefund lacks for that."""
    return _up(max(0, value - prefund), CENTS_STEP)


def _by_week(counts: Counter[int]) -> dict[int, int]:
    weeks: Counter[int] = Counter()
    for day, points in counts.items():
        weeks[week_of(OPENING + timedelta(days=day))] += points
    return dict(sorted(weeks.items()))


def _credit_line(counts: Counter[int], days: int, life_days: int | None) -> int:
    """The most that can be out at once: what any stretch of the longest that points can weigh on the line can earn.

    Points that paid on their last day are given back within the time for that at the latest, live on for the grace, and are
    settled. A second time they come back expired. Gifts change no point's time, and refunds of sales only lower.
    """
    span = max(POINTS_LIFE_DAYS, life_days or 0) + TAKEN_BACK_DAYS + GRACE_DAYS + SETTLED_WITHIN_DAYS
    most = now = 0
    for day in range(days):
        now += counts[day] - counts[day - span]
        most = max(most, now)
    return _up(most, POINTS_STEP)


def _up(amount: int, step: int) -> int:
    return -(-amount // step) * step
