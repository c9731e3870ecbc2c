"""What the relay meets: several books, topics that others made, records larger than a batch; and what it must never tell."""

from __future__ import annotations

import datetime as dt
import json

import psycopg
import pytest

import ledger
from ledger import broker, relay_store, wire
from tests.kafka_broker import KafkaBroker
from tests.stream.conftest import Road, until
from tests.world import World


def test_every_book_has_a_topic_of_its_own(world: World, road: Road, kafka: KafkaBroker) -> None:
    other = World(world.url, network="elsewhere")
    try:
        for each in (world, other):
            each.shop("cafe")
            each.member("ann")
            each.earn("ann", at="cafe", points=10)
        beside = Road(other, kafka)
        with road.relay(), road.subscriber():
            for there in (road, beside):
                there.published_all()
                there.consumed_all()
        for there, public in ((road, world.public_id), (beside, other.public_id)):
            told = [said for several in there.messages().values() for _, said in several]
            assert len(told) > 3
            sources = {wire.source(public)}
            assert sources == {f"/books/{ledger.ids.show('book', public)}"}
    finally:
        other.close()


def test_a_book_that_is_opened_later_is_published_and_consumed_too(
    world: World, road: Road, kafka: KafkaBroker
) -> None:
    with road.relay(), road.subscriber():
        world.shop("cafe")
        road.consumed_all()
        other = World(world.url, network="later")
        try:
            other.shop("grocer")
            later = Road(other, kafka)
            later.published_all()
            later.consumed_all()
        finally:
            other.close()


def test_a_topic_that_is_there_keeps_its_partitions(world: World, road: Road, kafka: KafkaBroker) -> None:
    topics = broker.Topics(kafka.address)
    topics.make(wire.topic(world.public_id), 2, -1)
    topics.close()
    world.shop("cafe")
    for name in ("ann", "bob", "cy"):
        world.member(name)
        world.earn(name, at="cafe", points=10)
    with road.relay(), road.subscriber() as subscriber:
        road.consumed_all()
        assert subscriber.refilled == subscriber.stalled == 0
    assert len(road.messages()) == 2
    assert {
        said.partitions
        for several in road.messages().values()
        for _, said in several
        if isinstance(said, wire.Watermark)
    } == {2}


def line(sequence: int, size: int) -> ledger.stream.Line:
    at = dt.datetime(2017, 1, 1, tzinfo=dt.UTC)
    payload = json.dumps({"x": "x" * size})
    return ledger.stream.Line(
        sequence, ledger.ids.new(), "sale", at, "till", None, None, None, payload, sequence, bytes(32)
    )


def test_each_partitions_part_of_a_round_fits_one_batch_however_large_the_records(world: World) -> None:
    lines = [line(n, size) for n, size in enumerate([10, 500_000, 400_000, 2_000_000, 10, 10], 1)]
    made = list(ledger.relay.rounds(world.book, lines, 3))
    assert [last for last, _ in made] == [2, 3, 4, 6]
    told = []
    for last, messages in made:
        assert set(messages) == {0, 1, 2}
        for several in messages.values():
            assert wire.read(several[-1].value, several[-1].headers).sequence == last
            assert sum(each.size for each in several) < broker.LARGEST_BATCH or len(several) == 2
            told += [int(dict(each.headers)["sequence"]) for each in several[:-1]]
    assert told == [1, 2, 3, 4, 5, 6]


def test_nothing_of_no_records(world: World) -> None:
    assert list(ledger.relay.rounds(world.book, [], 3)) == []


def test_no_message_tells_who_a_member_is(world: World, road: Road) -> None:
    world.shop("cafe")
    world.member("Annabel")
    world.earn("Annabel", at="cafe", points=50)
    world.redeem("Annabel", at="cafe", points=20)
    with psycopg.connect(world.url) as conn:
        (phone,) = conn.execute("select phone from merchants.member").fetchone() or ("",)
    with road.relay():
        road.published_all()
    told = str(road.messages())
    assert str(world.members["Annabel"]) in told
    for secret in ("Annabel", phone, world.secrets["Annabel"], "cafe"):
        assert secret
        assert secret not in told


def test_the_lag_is_told_in_records_and_seconds(world: World, road: Road) -> None:
    world.shop("cafe")
    with road.relay():
        road.published_all()
    world.member("ann")
    world.earn("ann", at="cafe", points=5)

    def lag() -> ledger.relay.Lag:
        with world.house.db.tx("door") as tx:
            return ledger.relay.lags(tx)[0]

    assert lag().records == 1
    until(lambda: lag().seconds > 0.05, "it grows")
    with road.relay():
        road.published_all()
    assert (lag().records, lag().seconds) == (0, 0.0)


@pytest.mark.parametrize("what", ["relay", "subscriber"])
def test_without_brokers_it_waits_and_stops_when_told(world: World, kafka: KafkaBroker, what: str) -> None:
    kafka.kill()
    road = Road(world, kafka)
    with getattr(road, what)() as made:
        until(lambda: made.failures > 0, "it tries again")


def test_a_partition_that_is_far_ahead_waits_for_the_others(
    world: World, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    from settlement.stream import merging

    monkeypatch.setattr(merging, "LARGEST_WAITING", 2)
    world.shop("cafe")
    for number in range(6):
        world.member(f"m{number}")
        for _ in range(6):
            world.earn(f"m{number}", at="cafe", points=5)
    with road.relay(), road.subscriber() as subscriber:
        road.consumed_all()
        assert subscriber.refilled == subscriber.stalled == 0


def test_a_relay_whose_place_was_moved_by_another_does_not_move_it(world: World, road: Road) -> None:
    world.shop("cafe")
    with road.relay():
        road.published_all()
    with world.house.db.tx("ledger") as tx:
        stands = ledger.relay.place(tx, world.book_id)
        assert stands is not None
        assert not relay_store.advance(tx, stands._replace(next_sequence=1), 2)
        assert not relay_store.advance(tx, stands._replace(topic_id="another"), 99)
        assert ledger.relay.place(tx, world.book_id) == stands
