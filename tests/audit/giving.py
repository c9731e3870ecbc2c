"""Offers that give points, for worlds to live through."""

from merchants import offers, trade
from tests.world import World


def lived(url: str) -> World:
    """A world of such offers alone."""
    world = World(url)
    gave(world)
    return world


def gave(world: World) -> None:
    """Offers of a tearoom that give: its own, with caps that are reached and a refund; a dairy's, activated, then ended."""
    tearoom, dairy = world.shop("tearoom"), world.sponsor("dairy", line=500)
    people = tuple(world.member(name) for name in ("hal", "ida", "jon", "kim"))
    warm = (offers.Variant("warm", 990_000, {"points": 1, "per_minor": 50}),)

    def launched(giving: offers.Giving) -> offers.Offer:
        wanted = offers.Design("a warm place", "list", 10_000, warm, people, giving=giving)
        offer = world.do("offer_draft", offers.NewOffer(tearoom, wanted), principal=tearoom).offer
        if giving.by == "sponsor":
            world.do("offer_fund", offers.FundOffer(dairy, offer.id), principal=dairy)
        world.do("offer_launch", offers.LaunchOffer(tearoom, offer.id), principal=tearoom)
        assert isinstance(offer, offers.Offer)
        return offer

    def warmed(offer: offers.Offer) -> list[str]:
        rows = world.rows("select member_id from merchants.offer_member where offer_id = %s and arm = 'warm'", offer.id)
        return [name for name, id in world.members.items() if (id,) in rows]

    once, often = offers.Cap(times=1), offers.Cap(times=3, points=300)
    own = launched(offers.Giving(budget_points=200, per_member=once, per_day=often, total_times=4))
    bought = [world.sale(warmed(own)[0], "tearoom", 1_000) for _ in range(2)]
    world.refund(bought[0], 500)
    theirs = launched(offers.Giving("sponsor", dairy, 100, activation="activate"))
    first = warmed(theirs)[0]
    world.do("offer_activate", trade.ActivateOffer(world.members[first], theirs.id), principal=world.members[first])
    world.sale(first, "tearoom", 700)
    world.do("offer_end", offers.EndOffer(tearoom, theirs.id), principal=tearoom)
