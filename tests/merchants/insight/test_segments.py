"""Segments: the database and plain Python agree on who is in; faults are told where they stand; versions stay."""

import datetime as dt
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

import ledger
from merchants import insight, people
from merchants.insight import behaviour, definitions
from merchants.insight.behaviour import Person, Sold
from tests.world import SPEND_KEY, World

ZONE = "Asia/Tehran"
NOW = dt.datetime(2017, 5, 1, 21, 0, tzinfo=dt.UTC)  # half past one of the day after where the network is
CATEGORIES = ["COFFEE", "TEA", "BREAD'; drop table merchants.sale; --"]
SHOPS = [ledger.ids.new() for _ in range(2)]
PEOPLE = [ledger.ids.new() for _ in range(8)]

_numbers = itertools.count(1)


# -- conditions of any kind

windows: st.SearchStrategy[Any] = st.one_of(st.none(), st.integers(1, 40))
categories: st.SearchStrategy[Any] = st.one_of(st.none(), st.sampled_from(CATEGORIES))
days = st.dates(dt.date(2017, 3, 15), dt.date(2017, 5, 3)).map(dt.date.isoformat)


@st.composite
def leaves(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(sorted(definitions.MEASURES)))
    measure = definitions.MEASURES[name]
    told: dict[str, Any] = {"measure": name}
    for qualifier, values in (("within_days", windows), ("category", categories)):
        must = getattr(measure, qualifier)
        if must is not None:
            value = draw(values)
            if must and value is None:
                value = 7 if qualifier == "within_days" else CATEGORIES[0]
            if value is not None:
                told[qualifier] = value
    if measure.of == "kind":
        return {**told, "is": draw(st.sampled_from(definitions.KINDS))}
    most = 5 if name in definitions.SCORES else {"category_share_ppm": 1_000_000, "recency_days": 45}.get(name, 8)
    most = 4_000 if name in ("spend_minor", "average_basket_minor") else most
    sizes: st.SearchStrategy[Any] = (
        days if measure.of == "date" else st.integers(1 if name in definitions.SCORES else 0, most)
    )
    low, high = definitions._BOUNDS[measure.of]
    ends = sorted([draw(sizes), draw(sizes)])
    which = draw(st.sampled_from(["low", "high", "both"]))
    return told | ({low: ends[0]} if which != "high" else {}) | ({high: ends[1]} if which != "low" else {})


def groups(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        lists.map(lambda parts: {"all": parts}),
        lists.map(lambda parts: {"any": parts}),
        inner.map(lambda p: {"not": p}),
    )


DEFINITIONS = st.recursive(leaves(), groups, max_leaves=5)


@st.composite
def sales(draw: st.DrawFn) -> tuple[UUID, Sold]:
    """A sale at one of two shops: of nothing, refunded in part or whole, around midnight, with lines or without."""
    lines = draw(st.lists(st.tuples(categories, st.sampled_from([0, 1, 3, 250, 999])), max_size=3))
    total = sum(amount for _, amount in lines) if lines else draw(st.sampled_from([0, 1, 500, 1_500]))
    refunded = draw(st.sampled_from([0, 0, 0, total, total // 2, max(0, total - 1)]))
    moment = NOW - dt.timedelta(days=draw(st.integers(0, 45)), minutes=draw(st.sampled_from([0, 29, 30, 31, 700])))
    return draw(st.sampled_from(SHOPS)), Sold(draw(st.sampled_from(PEOPLE)), moment, total, refunded, tuple(lines))


class Place(NamedTuple):
    conn: psycopg.Connection[Any]
    book: ledger.Book


@pytest.fixture
def place(database_url: str) -> Iterator[Place]:
    """A network in Tehran whose clock stands an hour and a half past midnight there."""
    db = ledger.Database(database_url)
    with db.tx("door") as tx:
        book = ledger.books.open_book(
            tx,
            ledger.books.NewBook(
                network="tehran",
                mode="test",
                currency="IRR",
                exponent=0,
                face_value_minor=1,
                points_life_days=100,
                time_zone=ZONE,
                window_schedule=None,
                clock=NOW,
            ),
        )
    db.close()
    assert isinstance(book, ledger.Book)
    with psycopg.connect(database_url, autocommit=True) as conn, conn.transaction(force_rollback=True):
        yield Place(conn, book)


def put_people(place: Place) -> list[Person]:
    found = []
    for i, member in enumerate(PEOPLE):
        joined = NOW - dt.timedelta(days=i * 9, minutes=i * 7)
        kind, state = definitions.KINDS[i % 2], "left" if i == 7 else "active"
        place.conn.execute(
            "insert into merchants.member (id, book_id, number, kind, state, consents, enrolled_at)"
            " values (%s, %s, %s, %s, %s, '{}', %s)",
            [member, place.book.id, f"n{i}", kind, state, joined],
        )
        if state != "left":
            found.append(Person(member, kind, joined))
    return found


def put_sale(conn: psycopg.Connection[Any], book_id: int, shop: UUID, sale: Sold) -> None:
    lines = [{"category": c, "sku": None, "quantity": 1, "amount": amount} for c, amount in sale.lines]
    conn.execute(
        "insert into merchants.sale (id, book_id, merchant_id, branch_id, member_id, external_reference, at, total_minor,"
        " money_minor, lines, payments, points_earned, contract_id, refunded_minor, batch_id, n)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, '[]', 0, %s, %s, 1, 1)",
        [ledger.ids.new(), book_id, shop, shop, sale.member_id, f"p{next(_numbers)}", sale.at, sale.total_minor,
         sale.total_minor, Jsonb(lines), shop, sale.refunded_minor],
    )  # fmt: skip


def test_the_database_and_plain_rows_agree_on_who_is_in(place: Place) -> None:
    """One book, one set of people; sales and definitions of any kind over and over."""
    who = put_people(place)

    @settings(
        max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None, phases=[Phase.generate]
    )
    @given(st.lists(sales(), max_size=14), DEFINITIONS, st.sampled_from([*SHOPS, None]))
    def agree(sold: list[tuple[UUID, Sold]], definition: dict[str, Any], shop: UUID | None) -> None:
        place.conn.execute("delete from merchants.sale")
        for at, sale in sold:
            put_sale(place.conn, place.book.id, at, sale)
        # another network's sale to the same people is nothing here
        put_sale(place.conn, place.book.id + 1, SHOPS[0], Sold(PEOPLE[0], NOW, 3, 0, (("TEA", 3),)))
        node, scope = insight.read(definition), insight.Scope(place.book, shop)
        here = [sale for at, sale in sold if shop is None or at == shop]
        wanted = behaviour.members(node, who, here, NOW, ZONE)
        assert set(insight.members(place.conn, scope, node)) == wanted
        assert insight.count(place.conn, scope, node) == len(wanted)
        assert insight.among(place.conn, scope, node, PEOPLE[:4]) == wanted & set(PEOPLE[:4])
        figures = behaviour.known(definitions.figures(node), who, here, NOW, ZONE)
        for member in PEOPLE[5:]:
            assert insight.explained(place.conn, scope, node, member) == figures.get(member)

    agree()


def test_rfm_counts_every_buyer_once(place: Place) -> None:
    who = put_people(place)
    for n in range(40):
        moment = NOW - dt.timedelta(days=n)
        put_sale(
            place.conn, place.book.id, SHOPS[n % 2], Sold(PEOPLE[n * n % 8], moment, 100 * (n % 7), 100 * (n % 3), ())
        )
    cells = insight.rfm(place.conn, insight.Scope(place.book, None), 30)
    scores = [definitions.Figure(name, 30) for name in definitions.SCORES]
    sold = [Sold(PEOPLE[n * n % 8], NOW - dt.timedelta(days=n), 100 * (n % 7), 100 * (n % 3)) for n in range(40)]
    known = behaviour.known(scores, who, sold, NOW, ZONE)
    plain = [tuple(values.values()) for values in known.values() if None not in values.values()]
    assert sorted((c.recency, c.frequency, c.spend) for c in cells for _ in range(c.members)) == sorted(plain)
    bought = [s for s in sold if s.total_minor > s.refunded_minor and s.at > NOW - dt.timedelta(days=30)
              and s.member_id != PEOPLE[7]]  # fmt: skip
    assert sum(c.purchases for c in cells) == len(bought)
    assert sum(c.spend_minor for c in cells) == sum(s.total_minor - s.refunded_minor for s in bought)


@pytest.mark.parametrize("count", [1, 2, 4, 5, 6, 10, 1000])
def test_fifths_are_fifths_and_ties_stay_together(count: int) -> None:
    ordered = list(range(count))
    scores = [behaviour.score(value, ordered) for value in ordered]
    assert scores == sorted(scores)
    assert all(1 <= score <= 5 for score in scores)
    if count % 5 == 0:
        assert all(scores.count(s) == count // 5 for s in range(1, 6))
    assert {behaviour.score(7, [7] * count)} == {1}


@pytest.mark.parametrize(
    ("definition", "at", "code"),
    [
        (None, "", "invalid"),
        ([], "", "invalid"),
        ({}, "", "invalid"),
        ({"all": []}, "/all", "invalid"),
        ({"all": {"measure": "visits"}}, "/all", "invalid"),
        ({"all": [], "any": []}, "", "invalid"),
        ({"measure": "luck", "at_least": 1}, "/measure", "invalid"),
        ({"measure": 5}, "/measure", "invalid"),
        ({"measure": "purchases"}, "", "missing"),
        ({"measure": "purchases", "at_least": 1.5}, "/at_least", "invalid"),
        ({"measure": "purchases", "at_least": True}, "/at_least", "invalid"),
        ({"measure": "purchases", "at_least": -1}, "/at_least", "invalid"),
        ({"measure": "purchases", "at_least": 10**30}, "/at_least", "invalid"),
        ({"measure": "purchases", "at_least": 3, "at_most": 2}, "/at_most", "invalid"),
        ({"measure": "purchases", "at_least": 3, "a/b~c": 2}, "/a~1b~0c", "unknown_field"),
        ({"measure": "kind", "is": "natural", "within_days": 3}, "/within_days", "unknown_field"),
        ({"measure": "kind", "is": "robot"}, "/is", "invalid"),
        ({"measure": "joined", "from": "2017-02-29"}, "/from", "invalid"),
        ({"measure": "joined", "from": "20170201"}, "/from", "invalid"),
        ({"measure": "joined", "from": 3}, "/from", "invalid"),
        ({"measure": "spend_score", "at_least": 4}, "/within_days", "missing"),
        ({"measure": "spend_score", "within_days": 90, "at_least": 6}, "/at_least", "invalid"),
        ({"measure": "visits", "within_days": 0, "at_least": 1}, "/within_days", "invalid"),
        ({"measure": "category_share_ppm", "at_least": 1}, "/category", "missing"),
        ({"measure": "purchases", "category": "a\x00", "at_least": 1}, "/category", "invalid"),
        ({"not": [{"measure": "kind", "is": "legal"}]}, "/not", "invalid"),
        ({"any": [{"measure": "kind", "is": "legal"}, {"not": {"measure": "x"}}]}, "/any/1/not/measure", "invalid"),
        ({"all": [{"measure": "kind", "is": "legal"}] * 41}, "/all", "too_many"),
        ({"all": [{"all": [{"measure": "kind", "is": "legal"}] * 21}] * 2}, "", "too_many"),
    ],
)
def test_a_fault_is_told_where_it_stands(definition: Any, at: str, code: str) -> None:
    assert next((fault.pointer, fault.code) for fault in insight.faults(definition)) == (at, code)


def test_groups_go_six_deep() -> None:
    told: dict[str, Any] = {"measure": "kind", "is": "legal"}
    for _ in range(6):
        told = {"not": told}
    assert insight.faults(told) == []
    assert [fault.code for fault in insight.faults({"not": told})] == ["too_deep"]


@settings(max_examples=40, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False), lambda inner: (
    st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["all", "any", "not", "measure", "at_least", "x"]), inner)
)))  # fmt: skip
def test_whatever_is_sent_is_read_or_faulted(told: Any) -> None:
    assert insight.faults(told) or insight.read(told) is not None


# -- saved

REGULAR = {"measure": "purchases", "at_least": 2}
OTHER = {"measure": "purchases", "at_least": 1}


def test_versions_stay_and_kept_members_are_found_again_every_midnight(world: World) -> None:
    cafe = world.shop("cafe")
    world.shop("books")
    for name in ("ann", "bob"):
        world.member(name)
        world.earn(name, at="cafe", points=3)
    world.earn("ann", at="cafe", points=3)
    world.earn("bob", at="books", points=3)
    db = world.house.db

    def scope() -> insight.Scope:
        return insight.Scope(world.book, cafe)

    with db.tx("door") as tx:
        saved = insight.save(tx, scope(), "regulars", REGULAR)
        assert isinstance(saved, insight.Saved)
        assert insight.save(tx, scope(), "regulars", REGULAR) == saved
        refused = insight.save(tx, scope(), "regulars", OTHER)
        assert isinstance(refused, ledger.Refusal)
        assert refused.code == "state_conflict"
        assert insight.find_segment(tx, insight.Scope(world.book, world.shops["books"]), saved.id) is None
        assert insight.keep(tx, world.book, saved.id, 1) is None
        assert insight.keep(tx, world.book, saved.id, 2) is not None
        changed = insight.change(tx, scope(), saved.id, OTHER)
        assert isinstance(changed, insight.Saved)
        assert (changed.version, insight.change(tx, scope(), saved.id, OTHER)) == (2, changed)
    ann, bob = world.members["ann"], world.members["bob"]

    def inside(version: int = 1) -> set[UUID]:
        with db.tx("ledger") as tx:
            found = insight.members_in(tx, [(saved.id, version)], [ann, bob, bob])
            return {member for _, _, member in found}

    assert inside() == set()
    world.later(minutes=1)  # what is due is done
    assert inside() == {ann}
    assert inside(2) == set()
    world.earn("bob", at="cafe", points=3)
    assert inside() == {ann}
    world.later(days=1)
    assert inside() == {ann, bob}
    [(as_of, members)] = world.rows("select as_of, members from merchants.segment_kept")
    assert (as_of, members) == (dt.datetime(2017, 1, 2, tzinfo=dt.UTC), 2)
    with db.tx("door") as tx:
        insight.forget(tx, world.book, bob)
    assert inside() == {ann}
    assert world.audit() == []


def test_nobody_changes_a_version(world: World) -> None:
    cafe = world.shop("cafe")
    with world.house.db.tx("door") as tx:
        insight.save(tx, insight.Scope(world.book, cafe), "regulars", REGULAR)
    for role in ("door", "ledger", "settlement"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), world.house.db.tx(role) as tx:
            tx.execute("update merchants.segment_version set definition = '{}'")


def test_occasions_are_put_told_and_forgotten(world: World) -> None:
    ann = world.member("ann")
    told = [people.Occasion("birthday", people.Anniversary("jalali", 12, 30), 1370)]
    with world.house.db.tx("door") as tx:
        assert people.put_occasions(tx, world.book, ann, told, SPEND_KEY) is None
        assert people.put_occasions(tx, world.book, ann, told, SPEND_KEY) is None
        assert people.occasions_of(tx, world.book, ann) == told
        people.forget_occasions(tx, world.book, ann)
        assert people.occasions_of(tx, world.book, ann) == []
