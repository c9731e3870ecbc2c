"""The Complete Journey's 27 campaigns as offers, and what can be compared where nobody was held out.

Its coupons went to whom the shop chose, mostly to those who buy much. So what follows is a comparison and no experiment: every
household that got a campaign beside households that got none at that time and had spent as much in the four weeks before.
The same is done for the four weeks before the campaign. What is found there as well was not caused by it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy.demo.journey import data_folder
from deploy.measure.year import BEGINNING, DAYS, Year, made, member, summed, write
from merchants import offers
from merchants.offers import measuring
from merchants.offers.measuring import Estimate

LAYOUT: Final = 1
#: Days before a campaign by which households are matched.
PRE_DAYS: Final = 28
#: Groups of equal spending before, within which households are compared.
GROUPS: Final = 10

SAYS: Final = (
    "Each difference is what a household that got the campaign spent a week more than households that had spent as much in the"
    " four weeks before and got no campaign at that time. Coupons redeemed are counted as the shop counted them.",
)
SAYS_NOT: Final = (
    "This is a comparison, not an experiment. Nobody was held out: the shop chose who got a campaign, and those it chose buy"
    " differently in ways that their last four weeks do not show. A difference is no proof that the campaign caused it.",
    "Where the weeks before the campaign differ too, what is seen was there before. Where they do not, it may still be chance,"
    " or another campaign: mail overlapped nearly always.",
    "Of 27 campaigns one or two look good by chance; the p-values after Holm allow for that, not for how households were"
    " chosen.",
    "Campaigns 24, 25 and 26 began before the data, 1 and 3 reached too few: nothing can be compared. 15, 20, 21, 22 and 23 ran"
    " past its end.",
)


class Campaign(msgspec.Struct, frozen=True):
    """As the data tells it. Days count from the first of 2017; `last_day` is its last."""

    id: int
    type: str
    first_day: int
    last_day: int
    households: list[int]
    # kinds of coupons in it, and products they are for
    coupons: int
    products: int
    # how many coupons were redeemed, by which households
    redeemed: int
    redeemers: list[int]

    @property
    def begins_at(self) -> datetime:
        return BEGINNING + timedelta(days=self.first_day)

    @property
    def ends_at(self) -> datetime:
        return BEGINNING + timedelta(days=self.last_day + 1)

    @property
    def design(self) -> offers.Design:
        """The campaign in the words of offers. It has no hold-out, so no shop could launch it here."""
        return offers.Design(
            name=f"Campaign {self.id} ({self.type})",
            audience="list",
            members=tuple(member(household) for household in self.households),
            holdout_ppm=0,
            variants=(offers.Variant("coupons", offers.assigning.PARTS, {}),),
            begins_at=self.begins_at,
            ends_at=self.ends_at,
            windows_days=(self.last_day + 1 - self.first_day,),
            pre_days=PRE_DAYS,
        )


class Compared(msgspec.Struct, frozen=True):
    """Cents a household and week: what those who got the campaign spent more. Null: nothing can be compared."""

    id: int
    type: str
    begins: date
    ends: date
    # within the data
    days: int
    households: int
    coupons: int
    redeemed: int
    redeemers: int
    # households beside which they are put, and how many of those who got it found such
    beside: int
    matched: int
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    holm_p_value: float | None
    # the same in the four weeks before it began
    before: float | None
    before_p_value: float | None


# -- reading


def prepared(cache: Path) -> list[Campaign]:
    """The campaigns, from a file in the directory `cache` that is made if it is not there."""
    path = made(cache / f"campaigns-{LAYOUT}.json", __name__)
    return msgspec.json.decode(path.read_bytes(), type=list[Campaign])


_CAMPAIGNS: Final = """
    select d.campaign_id, d.campaign_type, date_diff('day', date '2017-01-01', cast(d.start_date as date)),
        date_diff('day', date '2017-01-01', cast(d.end_date as date)),
        coalesce(c.households, []), coalesce(k.coupons, 0), coalesce(k.products, 0), coalesce(r.redeemed, 0),
        coalesce(r.redeemers, [])
    from read_parquet(?) d
    left join (select campaign_id, list(distinct household_id order by household_id) as households
               from read_parquet(?) group by 1) c using (campaign_id)
    left join (select campaign_id, count(distinct coupon_upc) as coupons, count(distinct product_id) as products
               from read_parquet(?) group by 1) k using (campaign_id)
    left join (select campaign_id, count(*) as redeemed, list(distinct household_id order by household_id) as redeemers
               from read_parquet(?) group by 1) r using (campaign_id)
    order by d.start_date, d.campaign_id
"""


def prepare(path: Path) -> None:
    import duckdb

    names = ("campaign_descriptions", "campaigns", "coupons", "coupon_redemptions")
    files = [str(data_folder() / f"{name}.parquet") for name in names]
    with duckdb.connect() as connection:
        rows = connection.execute(_CAMPAIGNS, files).fetchall()
    write(path, [Campaign(*row) for row in rows])


# -- comparing


def compare(year: Year, campaigns: Sequence[Campaign]) -> list[Compared]:
    """Every campaign, in the order in which they began."""
    found = [_compared(year, each, campaigns) for each in campaigns]
    told = [i for i, each in enumerate(found) if each.p_value is not None]
    adjusted = measuring.holm([p for i in told if (p := found[i].p_value) is not None])
    for i, p_value in zip(told, adjusted, strict=True):
        found[i] = msgspec.structs.replace(found[i], holm_p_value=p_value)
    return found


def _compared(year: Year, campaign: Campaign, every: Sequence[Campaign]) -> Compared:
    places = year.places()
    first, beyond = campaign.first_day, min(DAYS, campaign.last_day + 1)
    # who got any campaign from the weeks before to its end is nobody to compare with
    mailed = {h for c in every if c.first_day < beyond and c.last_day >= first - PRE_DAYS for h in c.households}
    got = [places[h] for h in campaign.households if h in places]
    beside = [places[h] for h in year.households if h not in mailed]
    whole = matched = None
    if first - PRE_DAYS >= 0:
        whole = _matched(summed(year.cents, first, beyond), summed(year.cents, first - PRE_DAYS, first), got, beside)
    if first - 2 * PRE_DAYS >= 0:
        matched = _matched(
            summed(year.cents, first - PRE_DAYS, first),
            summed(year.cents, first - 2 * PRE_DAYS, first - PRE_DAYS),
            got,
            beside,
        )
    weeks, before_weeks = (beyond - max(0, first)) / 7, PRE_DAYS / 7
    verdict = None if whole is None else measuring.at_one_look(whole[0])
    return Compared(
        id=campaign.id,
        type=campaign.type,
        begins=campaign.begins_at.date(),
        ends=(BEGINNING + timedelta(days=campaign.last_day)).date(),
        days=beyond - max(0, first),
        households=len(campaign.households),
        coupons=campaign.coupons,
        redeemed=campaign.redeemed,
        redeemers=len(campaign.redeemers),
        beside=len(beside),
        matched=0 if whole is None else whole[1],
        difference=None if whole is None else whole[0].difference / weeks,
        low=None if verdict is None else verdict.low / weeks,
        high=None if verdict is None else verdict.high / weeks,
        p_value=None if verdict is None else verdict.p_value,
        holm_p_value=None,
        before=None if matched is None else matched[0].difference / before_weeks,
        before_p_value=None if matched is None else measuring.at_one_look(matched[0]).p_value,
    )


def _matched(y: Any, x: Any, got: Sequence[int], beside: Sequence[int]) -> tuple[Estimate, int] | None:
    """Within groups of equal x, how much more y those in `got` have; the groups weighted by how many of them are there.

    A group is compared where there are two of either. Returns how many in `got` were; None when fewer than 10 were.
    """
    import numpy as np

    ours, theirs = np.asarray(got, dtype=np.int64), np.asarray(beside, dtype=np.int64)
    edges = np.unique(np.quantile(x[ours], np.linspace(0, 1, GROUPS + 1)[1:-1])) if len(ours) else np.array([])
    of_ours, of_theirs = np.searchsorted(edges, x[ours], "right"), np.searchsorted(edges, x[theirs], "right")
    parts = []
    for group in range(len(edges) + 1):
        mine, other = y[ours[of_ours == group]], y[theirs[of_theirs == group]]
        if min(len(mine), len(other)) >= 2:
            parts.append((len(mine), mine, other))
    total = sum(n for n, _, _ in parts)
    if total < 10:
        return None
    difference = variance = base = 0.0
    below = 0.0
    for n, mine, other in parts:
        weight = n / total
        one, two = float(mine.var(ddof=1)) / len(mine), float(other.var(ddof=1)) / len(other)
        difference += weight * float(mine.mean() - other.mean())
        base += weight * float(other.mean())
        variance += weight**2 * (one + two)
        below += weight**4 * (one**2 / (len(mine) - 1) + two**2 / (len(other) - 1))
    freedom = variance**2 / below if below > 0 else 1.0
    return Estimate(difference, variance, freedom, base, 0.0, 0.0, 0.0), total


# -- the picture


def chart(rows: Sequence[Compared]) -> str:
    bars = [
        offers.picture.Bar(
            f"{row.id} ({row.type.removeprefix('Type ')}), {row.begins:%d %b}: {row.redeemed} redeemed",
            row.difference / 100,
            (row.low / 100, row.high / 100),
            None,
            f"{row.difference / 100:.2f} ({row.low / 100:.2f} to {row.high / 100:.2f}),"
            f" {offers.picture.probability(row.p_value)}; before {_told(row)}",
        )
        for row in rows
        if row.difference is not None and row.low is not None and row.high is not None and row.p_value is not None
    ]
    return offers.picture.drawn(
        "The Complete Journey's campaigns: a comparison, not an experiment",
        "Dollars a household and week beside households that got none and had spent as much before; 95 %",
        bars,
        [*SAYS, *SAYS_NOT],
    )


def _told(row: Compared) -> str:
    if row.before is None or row.before_p_value is None:
        return "unknown"
    return f"{row.before / 100:.2f}, {offers.picture.probability(row.before_p_value)}"


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
