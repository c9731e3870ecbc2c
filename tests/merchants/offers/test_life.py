"""An offer from its draft to its last window, and everything by which somebody might come into another arm."""

import datetime as dt
import hashlib
from collections import Counter
from typing import Any
from uuid import UUID

import psycopg
import pytest

import ledger
from merchants import offers, programme, safety, trade
from merchants.offers import Design, EndOffer, LaunchOffer, Margin, NewOffer, Offer, Variant, tally_store
from merchants.offers.design import LARGEST_DAY, LARGEST_DRAFTS
from tests.facts import faults
from tests.world import World

RULES = {"points": 1, "per_minor": 50}


def design(**more: Any) -> Design:
    wanted: dict[str, Any] = {
        "name": "double points",
        "audience": "all",
        "holdout_ppm": 400_000,
        "variants": (Variant("double", 600_000, RULES),),
        "windows_days": (7, 14),
        "pre_days": 7,
    }
    return Design(**wanted | more)


def draft(world: World, at: str = "cafe", **more: Any) -> Offer:
    done = world.do("offer_draft", NewOffer(world.shops[at], design(**more)), principal=world.shops[at])
    assert isinstance(done, offers.OfferDone)
    return done.offer


def launch(world: World, offer: Offer) -> Offer:
    done = world.do("offer_launch", LaunchOffer(offer.merchant_id, offer.id), principal=offer.merchant_id)
    assert isinstance(done, offers.OfferDone)
    return done.offer


def arms(world: World, offer: Offer) -> dict[UUID, str]:
    return dict(world.rows("select member_id, arm from merchants.offer_member where offer_id = %s", offer.id))


@pytest.fixture
def town(world: World) -> World:
    """A café and a bookshop, and ten people who bought at one of them."""
    world.shop("cafe")
    world.shop("books")
    for i in range(10):
        world.member(f"m{i}")
        world.sale(f"m{i}", "cafe" if i < 6 else "books", 1_000)
    world.member("new")
    world.later(hours=1)
    return world


def test_the_salt_is_committed_to_and_anybody_computes_the_arms_again(town: World) -> None:
    offer = launch(town, draft(town))
    records = dict(town.rows("select kind, payload from ledger.record where subject_id = %s", offer.id))
    salt = bytes.fromhex(records["offer_launched"]["salt"])
    assert hashlib.sha256(salt).hexdigest() == records["offer_drafted"]["commitment"]
    seen = arms(town, offer)
    assert seen.keys() == set(town.members.values())
    for member, arm in seen.items():
        number = int.from_bytes(hashlib.sha256(salt + member.bytes).digest()[:8], "big") * 1_000_000 >> 64
        assert arm == ("holdout" if number < 400_000 else "double")
    told = hashlib.sha256(b"".join(sorted(m.bytes for m in seen))).hexdigest()
    assert (records["offer_launched"]["members"], records["offer_launched"]["audience_hash"]) == (11, told)
    assert faults(town) == set()
    assert town.audit() == []


def test_an_audience_is_who_was_there_at_the_launch(town: World) -> None:
    everybody, cafes = draft(town), draft(town, audience="shop")
    listed = draft(town, audience="list", members=(town.members["m1"], town.members["m7"]))
    town.freeze("m1")
    town.sale("m9", "cafe", 100)
    names = {id: name for name, id in town.members.items()}

    def who(offer: Offer) -> set[str]:
        return {names[id] for id in arms(town, launch(town, offer))}

    assert who(cafes) == {"m0", "m2", "m3", "m4", "m5", "m9"}
    assert who(listed) == {"m7"}
    assert who(everybody) == town.members.keys() - {"m1"}
    town.member("late")
    town.sale("late", "cafe", 100)
    assert town.members["late"] not in arms(town, cafes)


def test_a_draft_changes_and_nothing_else_does(town: World) -> None:
    made = draft(town)
    with town.house.db.tx("door") as tx:
        changed = offers.change(tx, town.book, made.merchant_id, made.id, design(name="other"), programme.faults)
    assert isinstance(changed, Offer)
    assert (changed.design.name, changed.salt) == ("other", made.salt)
    out = launch(town, changed)
    seen = arms(town, out)

    # another share, another salt by a second launch, the end and a launch behind it: each is refused, nobody moves
    def again(kind: str, body: object) -> str:
        return town.refusal(kind, body, principal=out.merchant_id)

    with town.house.db.tx("door") as tx:
        refused = offers.change(tx, town.book, out.merchant_id, out.id, design(holdout_ppm=900_000), programme.faults)
    assert isinstance(refused, ledger.errors.StateConflict)
    assert again("offer_launch", LaunchOffer(out.merchant_id, out.id)) == "state_conflict"
    town.do("offer_end", EndOffer(out.merchant_id, out.id), principal=out.merchant_id)
    assert again("offer_launch", LaunchOffer(out.merchant_id, out.id)) == "state_conflict"
    assert again("offer_end", EndOffer(out.merchant_id, out.id)) == "state_conflict"
    # leaving, and coming back under another number, is another member, who is in no offer
    town.do("member_freeze", safety.Act(town.members["m3"], town.operator, "gone"))
    town.do("member_unfreeze", safety.Act(town.members["m3"], town.operator, "back"))
    assert arms(town, out) == seen
    # the same offer made once more has a salt of its own, and never that of the first
    assert launch(town, draft(town)).salt != out.salt


DEEDS = (
    "update merchants.offer_member set arm = 'double'",
    "delete from merchants.offer_member",
    "update merchants.offer set salt = decode(repeat('00', 32), 'hex')",
    "update merchants.offer_tally set y = 0",
    "delete from merchants.offer_tally",
    "delete from merchants.offer",
)


def test_no_role_of_the_house_can_move_anybody(world: World) -> None:
    for role in ("ledger", "door", "settlement", "tenant"):
        for deed in DEEDS:
            with pytest.raises(psycopg.errors.InsufficientPrivilege), world.house.db.tx(role) as tx:
                tx.execute(deed)


def test_two_launches_at_once_are_one(town: World) -> None:
    made = draft(town)
    requests = [
        town.request("offer_launch", LaunchOffer(made.merchant_id, made.id), principal=made.merchant_id)
        for _ in range(6)
    ]
    outcomes = town.house.committer.post_all(requests)
    assert sorted(o.status for o in outcomes) == [200, *[400] * 5]
    assert len(arms(town, made)) == 11


def test_a_request_that_is_sent_again_changes_nothing(town: World) -> None:
    body = NewOffer(town.shops["cafe"], design())
    first, second = (town.ask("offer_draft", body, key="k" * 20, principal=town.shops["cafe"]) for _ in range(2))
    assert (first.body, second.replayed) == (second.body, True)
    assert town.rows("select count(*) from merchants.offer") == [(1,)]


def test_a_launched_offer_is_kept_by_the_database_itself(town: World) -> None:
    """Whatever a program tries, be it the owner of the tables."""
    out = launch(town, draft(town))
    for deed in (
        "update merchants.offer set holdout_ppm = 900000",
        "update merchants.offer set name = 'better'",
        "update merchants.offer set salt = sha256('x')",
        "update merchants.offer_member set arm = 'double'",
        "delete from merchants.offer_member",
        "truncate merchants.offer_member",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation), psycopg.connect(town.url) as owner:
            owner.execute(deed)
    assert set(arms(town, out).values()) <= {"holdout", "double"}


def copied(town: World, times: int, state: str) -> None:
    """The first offer so many times more, without the road there."""
    columns = (
        "book_id, merchant_id, name, audience, members, holdout_ppm, variants, windows_days, pre_days, salt, drafted_at"
    )
    with psycopg.connect(town.url) as owner:
        owner.execute(
            f"insert into merchants.offer (id, {columns}, state, launched_at) select gen_random_uuid(), {columns}, {state}"
            " from (select * from merchants.offer order by id limit 1) o, generate_series(1, %s)",
            [times],
        )


def test_launches_of_a_day_are_bounded(town: World) -> None:
    launch(town, draft(town))
    more = draft(town)
    copied(town, LARGEST_DAY - 1, "'ended', launched_at")
    assert town.refusal("offer_launch", LaunchOffer(more.merchant_id, more.id)) == "limit_exceeded"
    town.later(days=1)
    launch(town, more)


NOW = dt.datetime(2017, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("more", "at"),
    [
        ({"audience": "everybody"}, "/audience/kind"),
        ({"audience": "list"}, "/audience/members"),
        ({"members": (UUID(int=1),)}, "/audience/members"),
        ({"audience": "list", "members": (UUID(int=1), UUID(int=1))}, "/audience/members"),
        ({"holdout_ppm": 9_999}, "/holdout_ppm"),
        ({"variants": ()}, "/variants"),
        ({"variants": (Variant("Holdout", 600_000, RULES),)}, "/variants/0/name"),
        ({"variants": (Variant("holdout", 600_000, RULES),)}, "/variants/0/name"),
        ({"variants": (Variant("a", 300_000, RULES), Variant("a", 300_000, RULES))}, "/variants/1/name"),
        ({"variants": (Variant("a", 600_001, RULES),)}, "/variants"),
        ({"variants": (Variant("a", 600_000, {"points": 2, "per_minor": 1}),)}, "/variants/0/rules/points"),
        ({"begins_at": NOW + DAY, "ends_at": NOW + DAY}, "/ends_at"),
        ({"windows_days": ()}, "/windows_days"),
        ({"windows_days": (7, 7)}, "/windows_days"),
        ({"windows_days": (367,)}, "/windows_days"),
        ({"pre_days": -1}, "/pre_days"),
        ({"margin": Margin(1_000_001, {})}, "/margin/ppm"),
        ({"margin": Margin(0, {"FUEL": -1})}, "/margin/by_category/FUEL"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_draft(more: dict[str, Any], at: str) -> None:
    found = offers.fault(design(**more), programme.faults)
    assert found is not None
    assert found.pointer == at


def test_who_may_not(town: World) -> None:
    bank = town.sponsor("bank")
    assert town.refusal("offer_draft", NewOffer(bank, design())) == "state_conflict"
    assert town.refusal("offer_draft", NewOffer(UUID(int=7), design())) == "not_found"
    nobody = design(audience="list", members=(town.members["m1"], UUID(int=1)))
    refused = town.ask("offer_draft", NewOffer(town.shops["cafe"], nobody)).decision
    assert isinstance(refused, ledger.Refusal)
    assert (refused.code, refused.pointer) == ("not_found", "/audience/members/1")
    made = draft(town)
    assert town.refusal("offer_launch", LaunchOffer(town.shops["books"], made.id)) == "not_found", "another shop's"
    assert town.refusal("offer_end", EndOffer(town.shops["books"], made.id)) == "not_found"
    empty = draft(town, audience="list", members=(town.members["new"],))
    town.freeze("new")
    assert town.refusal("offer_launch", LaunchOffer(empty.merchant_id, empty.id)) == "state_conflict"
    late = draft(town, ends_at=town.book.now + DAY)
    town.later(days=2)
    assert town.refusal("offer_launch", LaunchOffer(late.merchant_id, late.id)) == "validation_failed"
    town.do("merchant_suspend", safety.Act(town.shops["cafe"], town.operator, "a story"))
    assert town.refusal("offer_launch", LaunchOffer(made.merchant_id, made.id)) == "merchant_suspended"
    assert town.refusal("offer_draft", NewOffer(made.merchant_id, design())) == "merchant_suspended"


def test_drafts_are_bounded(town: World) -> None:
    draft(town)
    copied(town, LARGEST_DRAFTS - 2, "'draft', null")
    draft(town)
    assert town.refusal("offer_draft", NewOffer(town.shops["cafe"], design())) == "limit_exceeded"


def test_an_offer_ends_by_its_time_and_goes_on_being_counted(town: World) -> None:
    out = launch(town, draft(town, begins_at=town.book.now + DAY, ends_at=town.book.now + 3 * DAY))
    town.later(days=4)
    [(state, count_at)] = town.rows("select state, count_at from merchants.offer")
    assert (state, count_at) == ("ended", out.launched_at + 8 * DAY if out.launched_at else None)
    town.later(days=30)
    assert town.rows("select distinct days from merchants.offer_tally order by 1") == [(7,), (14,)]
    assert town.rows("select count_at from merchants.offer") == [(None,)]
    assert [k for (k,) in town.rows("select kind from ledger.record where kind like 'offer%%' order by batch_id")] == [
        "offer_drafted",
        "offer_launched",
        "offer_ended",
    ]
    assert town.audit() == []


def test_a_window_counts_what_its_members_did_and_nothing_else(town: World) -> None:
    """Money, visits and margin by a plain sum over what was bought, beside what the database came to."""
    out = launch(town, draft(town, margin=Margin(100_000, {"FUEL": 20_000})))
    seen = arms(town, out)
    spent: Counter[tuple[str, UUID]] = Counter()

    def buy(name: str, total: int, shop: str = "cafe", **more: Any) -> Any:
        sale = town.sale(name, shop, total, **more)
        if shop == "cafe":
            spent["spend", town.members[name]] += total
            spent["visits", town.members[name]] += 1
            spent["margin", town.members[name]] += total // 10
        return sale

    for i in range(10):
        buy(f"m{i}", 700 + 10 * i)
    buy("m0", 333)
    buy("m1", 900, "books")
    buy("new", 1_000)
    fuel = (trade.Line(ledger.Minor(600), "FUEL"), trade.Line(ledger.Minor(300), "BREAD"))
    spent["margin", town.members["m2"]] += (600 * 2 + 300 * 10 + 100 * 10) // 100 - 100
    buy("m2", 1_000, lines=fuel)
    back = buy("m3", 500)
    town.refund(back, 200)
    spent["spend", town.members["m3"]] -= 200
    spent["margin", town.members["m3"]] -= 20
    town.later(days=7)
    town.sale("m4", "cafe", 9_999)  # the window is over
    town.refund(back, 100)
    with town.house.db.tx("door") as tx:
        counted = {(t.metric, t.arm): t.sums for t in offers.tallies(tx, town.book_id, out.id)}
    for (metric, arm), sums in counted.items():
        ys = [spent[metric, m] for m, their in seen.items() if their == arm]
        assert (sums.n, sums.y, sums.yy) == (len(ys), sum(ys), sum(y * y for y in ys)), (metric, arm)
        before = [{"spend": 1_000, "visits": 1, "margin": 100}[metric] if m in _cafes(town) else 0
                  for m, their in seen.items() if their == arm]  # fmt: skip
        assert (sums.x, sums.xx) == (sum(before), sum(x * x for x in before))
    assert {metric for metric, _ in counted} == {"spend", "visits", "margin"}


def _cafes(town: World) -> set[UUID]:
    return {town.members[f"m{i}"] for i in range(6)}


def test_counted_twice_is_counted_once(town: World) -> None:
    out = launch(town, draft(town))
    town.later(days=7)
    first = town.rows("select * from merchants.offer_tally order by arm, metric")
    with town.house.db.tx("door") as tx:
        tally_store.keep(tx, town.book_id, out, tally_store.count(tx, town.book, out, 7))
    assert town.rows("select * from merchants.offer_tally order by arm, metric") == first


def test_a_real_effect_is_found(world: World) -> None:
    """A hundred and fifty people, of whom those who got the offer buy for more: at one look, at every look, and on the chart."""
    world.shop("cafe")
    for i in range(150):
        world.member(f"m{i}")
    out = launch(world, draft(world, pre_days=0))
    seen = arms(world, out)
    for i, (name, id) in enumerate(world.members.items()):
        world.sale(name, "cafe", 1_000 + 37 * i % 200 + (400 if seen[id] == "double" else 0))
    world.later(days=14)
    with world.house.db.tx("tenant", tenant=str(out.merchant_id)) as tx:
        tallies = offers.tallies(tx, world.book_id, out.id)
    results = offers.of(out.design, tallies)
    spend = [row for row in results.comparisons if row.metric == "spend"]
    assert [row.days for row in spend] == [7, 14]
    for row in spend:
        assert row.once is not None
        assert row.every_look is not None
        assert row.every_look.low < row.once.low < 400 < row.once.high < row.every_look.high
        assert row.every_look_holm_p_value is not None
        assert row.every_look_holm_p_value < 0.001
    chart = offers.chart(out.design, results, "spend", "USD", 2)
    assert "double, 14 days" in chart
    assert all(words in chart for words in ("chance", "deciding window"))
