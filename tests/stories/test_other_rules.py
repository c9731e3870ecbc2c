"""Other rules over a whole book: who would have issued what, where it would have gone, and who would have owed whom."""

import json
import random
from pathlib import Path
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ledger
from deploy.errors import Refusal
from deploy.programme import picture, reading, running
from merchants import contracts
from merchants.whatif.fates import Fates
from tests import unchanged
from tests.stories.test_drill import everything
from tests.world import World

RATE = {"points": 1, "per_minor": 100}


@pytest.fixture
def town(world: World) -> World:
    """Ann earns at the cafe and spends at the gym, Bob keeps what he has; both have points of before."""
    world.shop("cafe")
    world.shop("gym")
    world.member("ann")
    world.member("bob")
    world.earn("ann", at="gym", points=500)
    world.later(days=40)
    world.earn("ann", at="cafe", points=100)
    world.earn("bob", at="cafe", points=300)
    return world


def told(world: World, new: dict[str, Any], days: int = 30, **more: Any) -> dict[str, Any]:
    found = running.simulated(world.url, new, days, **more)
    for row in found["merchants"]:
        for side in ("before", "after"):
            sound(row[side])
    for side in ("before", "after"):
        assert sum(row[side]["net_minor"] for row in found["merchants"]) == 0 == found["all"][side]["net_minor"]
    return found


def sound(side: dict[str, Any]) -> None:
    """Every point has one fate."""
    fates = ("spent_here", "spent_elsewhere", "expired", "given", "unspent")
    assert side["points"] + side["owed_points"] == sum(side[f"{fate}_points"] for fate in fates), side


def of(found: dict[str, Any], name: str) -> Any:
    (row,) = [row for row in found["merchants"] if row["name"] == name]
    return row


@pytest.mark.row("C10")
def test_twice_the_points_go_where_the_points_went(town: World) -> None:
    town.redeem("ann", "gym", 550)  # what the gym gave goes first, and fifty of the cafe's hundred
    before = everything(town.url)
    found = told(town, {"cafe": {"points": 2, "per_minor": 100}})
    assert everything(town.url) == before
    cafe, gym = of(found, "cafe"), of(found, "gym")
    assert (cafe["changed"], gym["changed"], cafe["sales"], gym["sales"]) == (True, False, 2, 0)
    assert [cafe[side]["points"] for side in ("before", "after")] == [400, 800]
    assert [cafe[side]["spent_elsewhere_points"] for side in ("before", "after")] == [50, 100]
    assert [cafe[side]["liability_minor"] for side in ("before", "after")] == [350, 700]
    assert [cafe[side]["net_minor"] for side in ("before", "after")] == [-50, -100]
    assert [gym[side]["net_minor"] for side in ("before", "after")] == [50, 100]
    assert cafe["before"]["breakage_points"] is None, "no time ended in these days"


def test_what_is_no_part_of_new_rules_stays_as_it_was(town: World) -> None:
    """Spends of points of before, gifts, sponsors' points and the refunds of what was spent already."""
    town.sponsor("bank")
    town.sponsorship("bank", ["cafe"], budget=1_000)
    town.redeem("ann", "cafe", 500)  # the gym's, from before the period
    sold = town.sale("bob", "cafe", 10_000)
    assert sold.points == 200
    town.give("bob", "ann", 450)
    town.redeem("ann", "gym", 550)
    town.refund(sold, 5_000)
    found = told(town, {"*": {"points": 0, "per_minor": 100}})
    cafe, gym, bank = (of(found, name) for name in ("cafe", "gym", "bank"))
    assert cafe["after"]["points"] == 0
    assert cafe["before"]["points"] == 100 + 300 + 50
    assert cafe["before"]["given_points"] >= 350
    assert bank["before"]["net_minor"] < 0
    # Ann's own hundred of the cafe's would not have been there for the gym; what others gave her would
    assert gym["before"]["net_minor"] - gym["after"]["net_minor"] == cafe["before"]["spent_elsewhere_points"]
    assert bank["before"] == bank["after"]


@pytest.mark.row("C10")
def test_breakage_is_what_expired_of_what_ended(world: World) -> None:
    world.shop("cafe")
    world.member("ann")
    world.earn("ann", at="cafe", points=400)
    world.redeem("ann", "cafe", 100)
    world.later(days=125)
    assert world.balance("ann") == 0
    world.earn("ann", at="cafe", points=80)
    found = told(world, {"cafe": {"points": 2, "per_minor": 100}})
    assert [of(found, "cafe")[side]["breakage_points"] for side in ("before", "after")] == [60, 120]


@pytest.mark.row("C10")
def test_whatever_a_story_did_its_own_rules_change_nothing(world: World) -> None:
    """A story of chance with rules, refunds, spends given back and gifts: replayed with the rules in force it is itself."""
    shops, people = ("cafe", "gym", "mill"), ("ann", "bob", "cem")
    written: dict[str, Any] = {}
    for shop in shops:
        world.shop(shop)
        third = {"id": "third", "effect": {"points": 7}, "when": {"visits": {"days": 9, "every": 3}}}
        first = {"id": "first", "effect": {"points": 5}, "when": {"first_purchase": True}}
        base = {"id": "base", "effect": {"rate": {"points": 3, "per": 250}}, "cap_points": 70}
        written[shop] = {"rules": [base, third, first]} if shop != "mill" else {"points": 2, "per_minor": 333}
        world.do("terms", contracts.NewTerms(world.shops[shop], written[shop]))
    for person in people:
        world.member(person)
    luck, sold, spent = random.Random(7), [], []
    for _ in range(60):
        person, shop = luck.choice(people), luck.choice(shops)
        act = luck.choice(["sell", "sell", "sell", "refund", "redeem", "back", "give", "wait"])
        if act == "sell":
            sold.append(world.sale(person, shop, luck.randint(1, 20_000)))
        elif act == "refund" and sold:
            world.refund(sold.pop(luck.randrange(len(sold))))
        elif act == "redeem" and world.balance(person) > 10:
            points = luck.randint(1, world.balance(person))
            spent.append((world.redeem(person, shop, points), shop))
        elif act == "back" and spent:
            world.give_back(*spent.pop())
        elif act == "give" and world.balance(person) > 10:
            world.give(person, luck.choice([other for other in people if other != person]), luck.randint(1, 9))
        elif act == "wait":
            world.later(days=luck.randint(0, 2))
    assert world.audit() == []
    assert unchanged.replayed(world) > 10
    found = told(world, written, 92)
    for row in (*found["merchants"], found["all"]):
        assert row["before"] == row["after"]
    assert all(row["changed"] for row in found["merchants"])
    assert found["all"]["before"]["spent_elsewhere_points"] > 0 < found["all"]["before"]["given_points"]
    issued = world.rows(
        "select sum(points_earned - points_taken_back)::int from merchants.sale where member_id is not null"
    )
    assert found["all"]["before"]["points"] == issued[0][0]
    told(world, {"*": {"points": 7, "per_minor": 99}}, 92)
    owes = world.rows(
        "select coalesce(sum(case when r.kind = 'capture' or r.kind = 'repayment' then s.points else -s.points end), 0)::int"
        " from ledger.record r cross join lateral jsonb_to_recordset(r.payload -> 'slices')"
        " as s(issuer uuid, points bigint)"
        " where r.kind in ('capture', 'redemption_refund', 'repayment') and s.issuer = %s and r.merchant_id <> s.issuer",
        world.shops["cafe"],
    )[0][0]
    brings = world.rows(
        "select coalesce(sum(case when r.kind = 'capture' or r.kind = 'repayment' then s.points else -s.points end), 0)::int"
        " from ledger.record r cross join lateral jsonb_to_recordset(r.payload -> 'slices')"
        " as s(issuer uuid, points bigint)"
        " where r.kind in ('capture', 'redemption_refund', 'repayment') and s.issuer <> %s and r.merchant_id = %s",
        world.shops["cafe"],
        world.shops["cafe"],
    )[0][0]
    assert of(found, "cafe")["before"]["net_minor"] == brings - owes


def test_one_merchant_alone_changes(town: World) -> None:
    new = {"*": {"points": 5, "per_minor": 100}, "gym": RATE}
    assert [of(told(town, new, 60), name)["after"]["points"] for name in ("cafe", "gym")] == [2_000, 500]
    alone = told(town, new, 60, merchant="gym")
    assert [row["changed"] for row in alone["merchants"]] == [False, True]
    assert alone["all"]["before"] == alone["all"]["after"]


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"nobody": RATE}, {}, "there is no merchant nobody"),
    ({"cafe": RATE}, {"merchant": "gym"}, "no new rules of gym"),
    ({"cafe": RATE}, {"named": "bok_0"}, "there is no book"),
]


def test_what_cannot_be_simulated_is_said(town: World) -> None:
    for new, more, words in REFUSED:
        with pytest.raises(Refusal, match=words):
            running.simulated(town.url, new, 30, **more)
    id = ledger.ids.show("merchant", town.shops["cafe"])
    with pytest.raises(Refusal, match="named twice"):
        running.simulated(town.url, {"cafe": RATE, id: RATE}, 30)
    town.do("rule_policy", contracts.RulePolicy(largest_share_ppm=1_000))
    with pytest.raises(Refusal, match="share_too_large"):
        running.simulated(town.url, {"cafe": RATE}, 30)


# -- pure

_shares = st.dictionaries(st.integers(1, 5).map(lambda n: UUID(int=n)), st.integers(1, 10**6), max_size=4)


@given(_shares, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**9))
def test_no_point_is_lost_or_told_twice(spent: Any, expired: int, given: int, unspent: int, points: int) -> None:
    fates = Fates(dict(spent), expired, given, unspent)
    assert fates.of(points).total == points
    assert fates.of(fates.total) == fates
    shared = fates.of(points)
    assert min([*shared.spent.values(), shared.expired, shared.given, shared.unspent]) >= 0


# -- the file


GOOD = """
"*": {points: 1, per: 20000, minimum: 50000}
cafe:
  rules:
    - id: evening
      effect: {rate: {points: 1, per: 10000}}
      when: {time: {from: 18:30, until: 23:00}}   # no number of minutes
      valid: {from: 2026-01-01T00:00:00Z}
    - {id: "on", effect: {points: 3}, name: yes}
"""


def read(tmp_path: Path, text: str, name: str = "new.yaml") -> dict[str, Any]:
    (tmp_path / name).write_text(text)
    return reading.read(tmp_path / name)


def test_a_file_in_yaml_is_the_same_in_json(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert found["*"] == {"points": 1, "per_minor": 20_000, "minimum_minor": 50_000}
    evening, on = found["cafe"]["rules"]
    assert evening["when"] == {"time": {"from": "18:30", "until": "23:00"}}
    assert (on["name"], evening["valid"]["from"]) == ("yes", "2026-01-01T00:00:00Z")
    again = {"*": {"points": 1, "per": 20_000, "minimum": 50_000}, "cafe": found["cafe"]}
    assert read(tmp_path, json.dumps(again), "new.json") == found


BAD: list[tuple[str, str, str]] = [
    ("new.yaml", "cafe: {points: 1.5, per: 100}", "1.5 is no whole number"),
    ("new.yaml", "cafe: {points: .inf, per: 100}", ".inf is no whole number"),
    ("new.yaml", "cafe: {points: .nan, per: 100}", ".nan is no whole number"),
    ("new.yaml", "cafe: {points: 1e3, per: 100}", "1e3 is no whole number"),
    ("new.yaml", f"cafe: {{points: {'9' * 5_000}, per: 100}}", "is no whole number"),
    ("new.yaml", "a: &a {points: 1, per: 100}\nb: *a", "a stands for something said elsewhere"),
    ("new.yaml", "a: &a [x]\nb: [*a, *a]", "said elsewhere"),
    ("new.yaml", "a: {points: 1, per: 100}\na: {points: 2, per: 100}", "a is there twice"),
    ("new.yaml", "a: {points: 1, per: 100, points: 2}", "points is there twice"),
    ("new.yaml", "a: !!python/object/apply:os.system [true]", "nothing that rules are made of"),
    ("new.yaml", "a: !!int ''", "nothing that rules are made of"),
    ("new.yaml", "a: !!map [b]", "nothing that rules are made of"),
    ("new.yaml", "a: {points: 007, per: 100}", "007 is no whole number"),
    ("new.yaml", "a: {<<: {points: 1}, per: 100}", "unknown_field"),
    ("new.yaml", "1: {points: 1, per: 100}", "must be a name"),
    ("new.yaml", "- a", "must map merchants"),
    ("new.yaml", "", "must map merchants"),
    ("new.yaml", "a: {points: 1, per: 100}\n---\nb: 1", "expected a single document"),
    ("new.yaml", "[" * 2_000, "too deep"),
    ("new.yaml", "a: {points: 2, per: 1}", "/points would give back more"),
    ("new.yaml", "a: {points: 2}", "a: /per is required"),
    ("new.json", '{"a": {"points": 1.0, "per": 100}}', "1.0 is no whole number"),
    ("new.json", '{"a": {"points": NaN, "per": 100}}', "NaN is no whole number"),
    ("new.json", '{"a": {"points": 1, "points": 2, "per": 100}}', "points is there twice"),
    ("new.json", "{", "cannot be read"),
    ("new.json", "[" * 100_000, "too deep"),
]


def test_a_bad_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    for name, text, words in BAD:
        with pytest.raises(Refusal, match=words.replace(".", r"\.")):
            read(tmp_path, text, name)
    with pytest.raises(Refusal, match="larger than"):
        read(tmp_path, "#" * (reading.LARGEST_FILE + 1))
    with pytest.raises(Refusal, match="cannot be read"):
        reading.read(tmp_path / "nothing.yaml")


# -- the picture


@pytest.mark.row("C10")
def test_the_picture_tells_every_merchant_and_the_rest_together(town: World) -> None:
    found = told(town, {"*": {"points": 2, "per_minor": 100}}, 60)
    words = " ".join(ElementTree.fromstring(picture.drawn(found)).itertext())  # noqa: S314 - our own
    for said in ("cafe", "gym", "400", "800", "does not know", "60 days"):
        assert said in words
    row = of(found, "cafe")
    many = found | {"merchants": [row | {"name": f"<shop {n}>"} for n in range(30)]}
    words = " ".join(ElementTree.fromstring(picture.drawn(many)).itertext())  # noqa: S314 - our own
    assert "6 others" in words
    assert "<shop 0>" in words
    none = found | {"merchants": []}
    assert "no sales" in picture.drawn(none)
