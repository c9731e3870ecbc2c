"""Members climb ladders and fall from them, some by hand; what shops give beside points is granted, used and voided."""

import datetime as dt
from uuid import UUID

from merchants import benefits, standing
from tests.world import World


def lived(url: str) -> World:
    world = World(url, network="climbing")
    world.shop("cafe")
    for name in ("ann", "bob", "dan", "eve"):
        world.member(name)
    climbed(world)
    entitled(world)
    world.house.drain(world.book_id)
    return world


def climbed(world: World) -> None:
    """A ladder of the network's and one of a shop's, renewed; tiers reached, lost by a refund, held by hand."""
    names = {"fa": "نام", "en": "name"}
    silver = {"id": "silver", "name": names, "requires": {"all": {"spend_minor": 4_000}}}
    gold = {"id": "gold", "name": names, "requires": {"any": {"spend_minor": 20_000, "visits": 9}}}
    vip = {"id": "vip", "name": names}
    year = {"calendar": "jalali", "length": "year"}
    world.do("ladder", standing.NewLadder(None, {"period": year, "tiers": [silver, gold, vip], "grace_days": 10}))
    for member in ("eve", "bob"):
        world.sale(member, "cafe", 5_000)
    world.later(hours=1)
    rolling = {"period": {"rolling_days": 5}, "tiers": [silver, gold]}
    world.do("ladder", standing.NewLadder(world.shops["cafe"], rolling))
    world.later(hours=1)
    world.refund(world.sale("dan", "cafe", 25_000), 24_000)
    world.do("tier_by_hand", standing.PutByHand(None, world.members["dan"], "vip", "a friend"))
    ends = world.book.now + dt.timedelta(days=2)
    world.do("tier_by_hand", standing.PutByHand(None, world.members["bob"], "vip", "a month of it", ends))
    world.later(days=6)
    world.do(
        "ladder", standing.NewLadder(None, {"period": year, "tiers": [{**silver, "requires": {"all": {"visits": 99}}}]})
    )
    world.later(minutes=1)


def entitled(world: World) -> None:
    """A magazine with few places, one voided and given again; a tasting that is granted; one that is ended."""
    cafe, branch, names = world.shops["cafe"], world.branches["cafe"], {"fa": "مجله", "en": "Magazine"}

    def opened(who: str, capacity: benefits.Capacity) -> UUID:
        asked = benefits.NewEntitlement(cafe, "magazine", names, who, (), capacity)
        return UUID(str(world.do("entitlement", asked).entitlement.id))

    def used(id: UUID, member: str, reference: str) -> UUID:
        asked = benefits.UseEntitlement(cafe, id, branch, reference, world.members[member])
        return UUID(str(world.do("entitlement_use", asked).use.id))

    month = benefits.PerPeriod(2, "month", "jalali")
    magazine = opened("everybody", benefits.Capacity(total=3, per_day=3, per_member=2, per_period=month))
    used(magazine, "ann", "M-1")
    world.do("entitlement_use_void", benefits.VoidUse(cafe, used(magazine, "eve", "M-2")))
    used(magazine, "eve", "M-3")
    used(magazine, "ann", "M-4")
    tasting = opened("granted", benefits.Capacity())
    grants = [
        world.do("entitlement_grant", benefits.GrantEntitlement(cafe, tasting, world.members[member], 1)).grant.id
        for member in ("ann", "eve")
    ]
    used(tasting, "ann", "T-1")
    world.do("entitlement_grant_end", benefits.EndGrant(cafe, grants[1]))
    world.do("entitlement_end", benefits.EndEntitlement(cafe, opened("everybody", benefits.Capacity(per_day=1))))
