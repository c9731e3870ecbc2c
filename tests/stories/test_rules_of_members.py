"""Rules that ask who the member is: the tier that counts at that shop, segments by version, and days of the member's own."""

import datetime as dt
import threading
from typing import Any
from uuid import UUID

import psycopg
import pytest

import ledger
from merchants import contracts, insight, offers, people, standing, trade
from tests.world import SPEND_KEY, World

NAMES = {"fa": "نام", "en": "name"}
MONTHLY = {"calendar": "gregorian", "length": "month"}
SILVER = {"id": "silver", "name": NAMES, "requires": {"all": {"spend_minor": 10_000}}}
GOLD = {"id": "gold", "name": NAMES, "requires": {"all": {"spend_minor": 50_000}}}
FRIEND = {"id": "friend", "name": NAMES, "requires": {"any": {"visits": 2}}}

BASE = {"id": "base", "effect": {"rate": {"points": 1, "per": 100}}}


def fixed(id: str, points: int, **when: Any) -> dict[str, Any]:
    return {"id": id, "effect": {"points": points}, "when": when}


def agree(world: World, shop: str, *rules: dict[str, Any]) -> contracts.TermsInForce:
    done = world.do("terms", contracts.NewTerms(world.shops[shop], {"rules": [BASE, *rules]}))
    assert isinstance(done, contracts.TermsInForce)
    return done


def ladder(world: World, at: str | None, *tiers: Any) -> None:
    owner = world.shops[at] if at else None
    world.do("ladder", standing.NewLadder(owner, {"period": MONTHLY, "tiers": list(tiers)}))


def segment(world: World, at: str | None, name: str = "regulars", at_least: int = 2) -> UUID:
    with world.house.db.tx("door") as tx:
        scope = insight.Scope(world.book, world.shops[at] if at else None)
        saved = insight.save(tx, scope, name, {"measure": "purchases", "at_least": at_least})
    assert isinstance(saved, insight.Saved)
    return saved.id


def shown(id: UUID) -> str:
    return ledger.ids.show("segment", id)


def tell(world: World, member: str, *told: tuple[str, int, int]) -> None:
    """A member tells all of their occasions, each a kind, a month and a day of the Gregorian calendar."""
    wanted = [people.Occasion(kind, people.Anniversary("gregorian", month, day)) for kind, month, day in told]
    with world.house.db.tx("door") as tx:
        assert people.put_occasions(tx, world.book, world.members[member], wanted, SPEND_KEY) is None


def counting(world: World, member: str) -> dict[str, dt.datetime]:
    with world.house.db.tx("door") as tx:
        return people.counting_from(tx, world.book, world.members[member])


def earned(world: World, member: str, at: str, total: int = 1_000) -> dict[str, int]:
    """The points of a sale, by the rules that counted; a quote of the same moment says the same."""
    with world.house.db.tx("door") as tx:
        network = world.house.networks.of(tx, world.book)
        found = people.members_by(tx, world.book_id, {world.members[member]})[world.members[member]]
        quoted = trade.quote(tx, world.book, network, world.shops[at], (), ledger.Minor(total), found)
    done = world.sale(member, at, total)
    assert (quoted.points, quoted.fired, quoted.refused) == (done.points, done.fired, done.refused)
    return dict(done.fired)


def facts(world: World) -> Any:
    """What the newest sale's record keeps of its member."""
    [(told,)] = world.rows(
        "select payload -> 'facts' from ledger.record where kind = 'sale' order by batch_id desc, n desc limit 1"
    )
    return told


def look(world: World) -> None:
    world.advance(world.book.now)


@pytest.fixture
def town(world: World) -> World:
    for name in ("cafe", "gym"):
        world.shop(name)
    for name in ("ann", "bob"):
        world.member(name)
    return world


# -- tiers


def test_the_tier_that_counts_at_a_shop_decides_and_is_kept_where_rules_ask(town: World) -> None:
    ladder(town, None, SILVER, GOLD)
    for shop in ("cafe", "gym"):
        agree(town, shop, fixed("golden", 9, tier=["gold"]), fixed("any", 2, tier=["gold", "silver"]))
    assert earned(town, "ann", "gym", 50_000) == {"base": 500}
    assert facts(town) == {"kind": "natural", "tier": None}, "a rule asked, and there was none"
    look(town)
    assert earned(town, "ann", "cafe") == {"base": 10, "golden": 9, "any": 2}
    assert facts(town) == {"kind": "natural", "tier": "gold"}
    # a shop's own ladder takes the place of the network's there, and nowhere else
    ladder(town, "cafe", FRIEND, {**GOLD, "requires": None})
    look(town)
    agree(town, "cafe", fixed("friends", 4, tier=["friend"]), fixed("golden", 9, tier=["gold"]))
    assert earned(town, "ann", "cafe") == {"base": 10}
    assert facts(town)["tier"] is None
    assert earned(town, "ann", "gym") == {"base": 10, "golden": 9, "any": 2}
    look(town)
    assert earned(town, "ann", "cafe") == {"base": 10, "friends": 4}
    # what nobody asks for is not kept
    agree(town, "cafe", fixed("all", 1))
    earned(town, "ann", "cafe")
    assert facts(town) == {"kind": "natural"}
    refunded = town.sale("ann", "gym", 1_000)
    assert town.refund(refunded).points == refunded.points
    assert town.audit() == []


def test_a_tier_that_the_ladder_there_has_not_is_refused_where_it_is_named(town: World) -> None:
    wanted = fixed("golden", 9, tier=["silver", "gold"])
    terms = contracts.NewTerms(town.shops["cafe"], {"rules": [BASE, wanted]})
    town.do("terms", terms)  # no ladder yet: one may come
    ladder(town, None, SILVER)

    def refused(kind: str = "terms", asked: Any = terms) -> tuple[str | None, str]:
        decision = town.ask(kind, asked).decision
        assert isinstance(decision, ledger.errors.Invalid)
        return decision.pointer, decision.why

    assert refused() == ("/rules/1/when/tier/1", "no such tier: the ladder that counts there has silver")
    ladder(town, None, SILVER, GOLD)
    town.do("terms", terms)
    ladder(town, "cafe", FRIEND, GOLD)
    assert refused() == ("/rules/1/when/tier/0", "no such tier: the ladder that counts there has friend, gold")
    town.do("terms", contracts.NewTerms(town.shops["gym"], {"rules": [BASE, wanted]}))
    # a sponsor's are of the ladders that count at the shops of its sponsorship
    bank = town.sponsor("bank", mode="deferred")
    rules = {"rules": [fixed("friendly", 3, tier=["friend"])]}
    elsewhere = contracts.NewSponsorship(bank, (town.shops["gym"],), rules, 10)
    assert refused("sponsorship", elsewhere)[0] == "/rules/rules/0/when/tier/0"
    for shops in (None, (town.shops["cafe"], town.shops["gym"])):
        town.do("sponsorship", contracts.NewSponsorship(bank, shops, rules, 10))
    assert town.audit() == []


# -- segments


def test_a_segment_is_one_version_of_it_from_the_day_its_rules_come_into_force(town: World) -> None:
    regulars, everybody = segment(town, "cafe"), segment(town, None, at_least=1)
    done = agree(
        town, "cafe", fixed("regular", 5, segment=[shown(regulars)]), fixed("known", 1, segment=[shown(everybody)])
    )
    assert [rule.get("when") for rule in done.terms.rules["rules"]] == [
        None,
        {"segment": [f"{shown(regulars)}@1"]},
        {"segment": [f"{shown(everybody)}@1"]},
    ]
    for _ in range(3):
        assert earned(town, "ann", "cafe") == {"base": 10}
    assert facts(town) == {"kind": "natural", "segments": []}, "nobody was found yet"
    town.later(minutes=1)
    assert earned(town, "ann", "cafe") == {"base": 10, "regular": 5, "known": 1}
    assert facts(town)["segments"] == sorted([f"{shown(regulars)}@1", f"{shown(everybody)}@1"])
    assert earned(town, "bob", "cafe") == {"base": 10}
    town.later(days=1)
    assert earned(town, "bob", "cafe") == {"base": 10, "known": 1}
    # another version changes nothing for the rules in force, and is what they mean when they come into force again
    with town.house.db.tx("door") as tx:
        scope = insight.Scope(town.book, town.shops["cafe"])
        insight.change(tx, scope, regulars, {"measure": "purchases", "at_least": 50})
    town.later(days=1)
    assert "regular" in earned(town, "ann", "cafe")
    agree(
        town,
        "cafe",
        fixed("regular", 5, segment=[shown(regulars)]),
        fixed("before", 3, segment=[f"{shown(regulars)}@1"]),
    )
    town.later(minutes=1)
    assert earned(town, "ann", "cafe") == {"base": 10, "before": 3}
    assert town.audit() == []


def test_no_shop_and_no_sponsor_asks_for_another_shops_segment(town: World) -> None:
    theirs, bank = segment(town, "gym"), town.sponsor("bank", mode="deferred")
    nobodys = ledger.ids.show("segment", UUID(int=7))

    def refused(kind: str, asked: Any) -> str | None:
        decision = town.ask(kind, asked).decision
        assert isinstance(decision, ledger.errors.Invalid), decision
        return decision.pointer

    for named in (shown(theirs), nobodys, f"{shown(segment(town, 'cafe'))}@2"):
        rules = {"rules": [BASE, fixed("x", 1, segment=[named])]}
        assert refused("terms", contracts.NewTerms(town.shops["cafe"], rules)) == "/rules/1/when/segment/0"
        sponsored = contracts.NewSponsorship(bank, None, {"rules": [fixed("x", 1, segment=[named])]})
        assert refused("sponsorship", sponsored) == "/rules/rules/0/when/segment/0"
        variant = offers.Variant("x", 500_000, rules)
        design = offers.Design("x", "all", 500_000, (variant,))
        offer = town.do("offer_draft", offers.NewOffer(town.shops["cafe"], design)).offer
        launch = offers.LaunchOffer(town.shops["cafe"], offer.id)
        assert refused("offer_launch", launch) == "/variants/0/rules/rules/1/when/segment/0"
    # the network's own are for all of them
    known = segment(town, None, at_least=1)
    opened = town.do(
        "sponsorship", contracts.NewSponsorship(bank, None, {"rules": [fixed("x", 7, segment=[shown(known)])]}, 100)
    )
    assert opened.sponsorship.rules["rules"][0]["when"] == {"segment": [f"{shown(known)}@1"]}
    variants = (offers.Variant("x", 500_000, {"rules": [fixed("x", 1, segment=[shown(known)])]}),)
    offer = town.do(
        "offer_draft", offers.NewOffer(town.shops["cafe"], offers.Design("y", "all", 500_000, variants))
    ).offer
    launched = town.do("offer_launch", offers.LaunchOffer(town.shops["cafe"], offer.id)).offer
    assert launched.design.variants[0].rules["rules"][0]["when"] == {"segment": [f"{shown(known)}@1"]}
    town.sale("ann", "gym", 1_000)
    town.later(minutes=1)
    sold = town.sale("ann", "gym", 1_000)
    assert [bonus.points for bonus in sold.bonuses] == [7]
    assert town.refund(sold).points == 17
    assert town.audit() == []


# -- occasions


def test_a_birthday_and_its_week_count_where_rules_ask(town: World) -> None:
    agree(town, "cafe", fixed("day", 9, occasion=["birthday"]), fixed("week", 4, occasion=["birthday_week"]))
    tell(town, "ann", ("birthday", 1, 7), ("wedding_anniversary", 1, 5))
    given = []
    for _ in range(12):
        given.append(earned(town, "ann", "cafe").keys() - {"base"})
        town.later(days=1)
    week = [{"week"}] * 3
    assert given == [set()] * 3 + week + [{"week", "day"}] + week + [set()] * 2
    assert earned(town, "bob", "cafe") == {"base": 10}
    told = [
        row[0] for row in town.rows("select payload -> 'facts' -> 'occasions' from ledger.record where kind = 'sale'")
    ]
    assert {name for names in told for name in names} == {"birthday", "birthday_week"}, "of the wedding nobody asked"
    agree(town, "cafe")
    earned(town, "ann", "cafe")
    assert facts(town) == {"kind": "natural"}
    assert town.audit() == []


def test_whoever_tells_a_new_birthday_every_month_has_one_a_year(town: World) -> None:
    agree(town, "cafe", fixed("week", 4, occasion=["birthday_week"]))
    given = 0
    for month in range(1, 13):
        town.advance(dt.datetime(2017, month, 9, 12, tzinfo=dt.UTC))
        tell(town, "ann", ("birthday", month, 9))
        given += "week" in earned(town, "ann", "cafe")
        if month % 2:
            tell(town, "ann")  # nor by taking it back before
    assert given == 1
    assert counting(town, "ann") == {"birthday": dt.datetime(2018, 12, 9, 12, tzinfo=dt.UTC)}
    town.advance(dt.datetime(2018, 12, 9, 12, tzinfo=dt.UTC))
    assert "week" in earned(town, "ann", "cafe")


def test_the_same_day_told_again_goes_on_counting_and_no_day_is_kept_of_what_was_taken_back(town: World) -> None:
    began = town.book.now
    tell(town, "ann", ("birthday", 5, 5), ("company_anniversary", 6, 6))
    town.later(days=10)
    tell(town, "ann", ("company_anniversary", 6, 6), ("birthday", 5, 5), ("wedding_anniversary", 7, 7))
    assert counting(town, "ann") == {
        "birthday": began,
        "company_anniversary": began,
        "wedding_anniversary": town.book.now,
    }
    tell(town, "ann")
    kept = town.rows("select kind, removed_at, octet_length(digest) from merchants.occasion_memory order by kind")
    assert [row[1:] for row in kept] == [(town.book.now, 32)] * 3
    assert town.rows("select from merchants.occasion") == []
    town.later(days=40)
    tell(town, "ann", ("birthday", 5, 5), ("company_anniversary", 6, 7))
    counts = counting(town, "ann")
    assert (counts["birthday"], counts["company_anniversary"]) == (began, town.book.now.replace(year=2018))
    # a year later nothing is known of it, and another one counts at once
    tell(town, "ann", ("birthday", 5, 5))
    town.later(days=366)
    tell(town, "bob", ("birthday", 1, 1))
    assert set(counting(town, "ann")) == {"birthday"}, "whoever tells anything clears what nobody needs any more"
    tell(town, "ann", ("wedding_anniversary", 8, 8))
    assert counting(town, "ann")["wedding_anniversary"] == town.book.now
    with town.house.db.tx("door") as tx:
        people.forget_occasions(tx, town.book, town.members["ann"])
    assert counting(town, "ann") == {}
    for role in ("ledger", "settlement"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), town.house.db.tx(role) as tx:
            tx.execute("delete from merchants.occasion_memory")


def test_two_devices_that_tell_another_birthday_at_once_take_turns(town: World) -> None:
    tell(town, "ann", ("birthday", 5, 5))
    ready = threading.Barrier(2)

    def another(day: int) -> None:
        ready.wait()
        tell(town, "ann", ("birthday", 6, day))

    devices = [threading.Thread(target=another, args=[day]) for day in (6, 7)]
    for device in devices:
        device.start()
    for device in devices:
        device.join()
    assert counting(town, "ann") == {"birthday": town.book.now.replace(year=2018)}
    assert town.rows("select count(*) from merchants.occasion") == [(1,)]
    assert town.audit() == []


def test_in_one_batch_each_shops_sales_keep_what_its_own_rules_ask(town: World) -> None:
    ladder(town, None, SILVER)
    agree(town, "cafe", fixed("day", 9, occasion=["birthday"]), fixed("any", 2, tier=["silver"]))
    agree(town, "gym", fixed("week", 4, occasion=["birthday_week"]))
    tell(town, "ann", ("birthday", 1, 1))
    sold = [town.sale_of("ann", shop, 1_000) for shop in ("cafe", "gym", "cafe")]
    outcomes = town.house.committer.post_all([town.request("sale", s, principal=s.merchant_id) for s in sold])
    done = [outcome.decision.value for outcome in outcomes if isinstance(outcome.decision, ledger.Accepted)]
    assert [each.points for each in done] == [19, 14, 19]
    kept = town.rows("select payload -> 'facts' from ledger.record where kind = 'sale' order by batch_id, n")
    told = [row[0] for row in kept]
    at_cafe = {"kind": "natural", "tier": None, "occasions": ["birthday"]}
    assert told == [at_cafe, {"kind": "natural", "occasions": ["birthday_week"]}, at_cafe]
    assert town.audit() == []


# -- what it costs


def statements(world: World, patched: pytest.MonkeyPatch) -> int:
    """How many statements a batch of four sales takes, when what is remembered is remembered."""
    said: list[str] = []
    execute = psycopg.Connection.execute

    def counted(conn: Any, query: Any, *more: Any, **also: Any) -> Any:
        said.append(str(query))
        return execute(conn, query, *more, **also)

    for _ in range(3):
        sold = [world.sale_of(member, shop, 100) for member in ("ann", "bob") for shop in ("cafe", "gym")]
        requests = [world.request("sale", each, principal=each.merchant_id) for each in sold]
        with patched.context() as patch:
            patch.setattr(psycopg.Connection, "execute", counted)
            said.clear()
            world.house.committer.post_all(requests)
    return len(said)


def test_what_no_rule_asks_for_is_not_read_and_each_kind_is_read_once_for_a_batch(
    town: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(town, "cafe")
    agree(town, "gym")
    plain = statements(town, monkeypatch)
    ladder(town, None, SILVER)
    ladder(town, "cafe", SILVER)
    known = shown(segment(town, None))
    tell(town, "ann", ("birthday", 1, 1))
    assert statements(town, monkeypatch) == plain, "ladders, segments and occasions that no rule asks for"
    asked: dict[str, Any] = {}
    for more, name in enumerate(({"tier": ["silver"]}, {"segment": [known]}, {"occasion": ["birthday"]}), start=1):
        asked |= name
        rules = [fixed(f"r{n}", 1, **{key: value}) for n, (key, value) in enumerate(asked.items())]
        for shop in ("cafe", "gym"):
            agree(town, shop, *rules)
        assert statements(town, monkeypatch) == plain + more, name
