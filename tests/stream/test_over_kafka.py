"""Records go over a real broker and settlement derives the same rows as on the direct road, whatever dies."""

from __future__ import annotations

import time

import psycopg
import pytest

import ledger
import settlement
from ledger import relay_store, wire
from settlement import store
from tests.kafka_broker import KafkaBroker
from tests.stream.conftest import Road, until
from tests.world import World


def live_a_little(world: World, members: int = 5) -> None:
    world.shop("cafe", purchase_fee_ppm=10_000, redemption_fee_ppm=20_000)
    world.shop("grocer", mode="prefunded", bought=5_000, redemption_fee_ppm=12_345)
    for number in range(members):
        world.member(f"m{number}")
    trade_a_little(world, members)


def trade_a_little(world: World, members: int = 5) -> None:
    for number in range(members):
        world.earn(f"m{number}", at="cafe", points=40 + number)
        world.earn(f"m{number}", at="grocer", points=30)


def forget(world: World) -> None:
    """As if nothing had been derived yet."""
    with world.house.db.tx("settlement") as tx:
        store.forget(tx, world.book)


def seen(road: Road) -> list[int]:
    """Sequences as a consumer has them who drops, in each partition, what is not above the last; asserts their order."""
    found: list[int] = []
    for messages in road.messages().values():
        newest: int = 0
        for key, told in messages:
            if isinstance(told, wire.Watermark):
                continue
            assert wire.partition_of(key.encode(), 6) == told_partition(road, key)
            if told.sequence > newest:
                newest = told.sequence
                found.append(told.sequence)
    return sorted(found)


def told_partition(road: Road, key: str) -> int:
    from kafka.partitioner.default import murmur2

    return int((murmur2(key.encode()) & 0x7FFFFFFF) % 6)


def everything(road: Road) -> list[int]:
    return list(range(1, road.end))


def test_every_record_is_published_in_order_and_consumed(world: World, road: Road) -> None:
    live_a_little(world)
    with road.relay() as relay, road.subscriber() as subscriber:
        road.published_all()
        road.consumed_all()
        trade_a_little(world)
        road.consumed_all()
        assert subscriber.refilled == subscriber.stalled == 0
        assert subscriber.consumed == relay.published == road.end - 1
    assert seen(road) == everything(road)
    same_as_direct(road)


def told_once(road: Road) -> int:
    """How many messages are in the topic, watermarks left out."""
    told = [said for messages in road.messages().values() for _, said in messages]
    return sum(not isinstance(said, wire.Watermark) for said in told)


def same_as_direct(road: Road) -> None:
    """The rows are those of the direct road, and the books are whole."""
    by_kafka = road.snapshot()
    settlement.rebuild(road.world.house.db, road.world.book_id)
    assert road.snapshot() == by_kafka
    assert [finding.name for finding in road.world.audit() if not finding.ok] == []


def test_windows_and_payments_come_out_the_same(world: World, road: Road) -> None:
    live_a_little(world)
    world.redeem("m0", at="grocer", points=20)
    world.redeem("m1", at="cafe", points=25)
    world.settle(world.close_window())
    trade_a_little(world)
    world.redeem("m2", at="cafe", points=25)
    world.close_window()
    world.house.drain(world.book_id)
    direct = road.snapshot()
    forget(world)
    with road.relay(), road.subscriber() as subscriber:
        road.consumed_all()
        assert subscriber.consumed == road.end - 1
    assert road.snapshot() == direct
    same_as_direct(road)


def test_of_two_relays_one_publishes_and_the_other_takes_over(world: World, road: Road) -> None:
    live_a_little(world)
    with road.relay() as second:
        with road.relay() as first:
            road.published_all()
            trade_a_little(world)
            road.published_all()
            assert min(first.published, second.published) == 0
        trade_a_little(world)
        road.published_all()
    assert seen(road) == everything(road)
    assert told_once(road) == road.end - 1  # nobody was killed, so nothing is even doubled


def test_a_relay_that_dies_before_it_notes_its_place_publishes_again(
    world: World, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_a_little(world)
    kept, deaths = relay_store.advance, [1, 2]

    def die(tx: ledger.Tx, stood: ledger.relay.Place, next_sequence: int) -> bool:
        if deaths:
            deaths.pop()
            raise psycopg.OperationalError("killed")
        return kept(tx, stood, next_sequence)

    monkeypatch.setattr(relay_store, "advance", die)
    with road.relay() as relay, road.subscriber() as subscriber:
        road.consumed_all()
        assert relay.failures == 2
        assert subscriber.consumed == road.end - 1
    assert told_once(road) > road.end - 1
    assert seen(road) == everything(road)
    same_as_direct(road)


def test_a_broker_that_comes_back_empty_is_told_again_what_is_needed(
    world: World, road: Road, kafka: KafkaBroker
) -> None:
    live_a_little(world)
    with road.relay():
        road.published_all()
        with road.subscriber() as subscriber:
            road.consumed_all()
            needed = road.consumed
            kafka.kill()
            trade_a_little(world)
            kafka.start()
            trade_a_little(world)
            road.consumed_all()
            assert subscriber.stalled == 0
        road.published_all()
    assert seen(road) == list(range(needed, road.end))
    same_as_direct(road)


def test_an_empty_broker_is_noticed_while_nothing_is_posted(world: World, road: Road, kafka: KafkaBroker) -> None:
    live_a_little(world)
    with road.relay():
        road.published_all()
        kafka.kill()
        kafka.start()
        with road.subscriber():
            road.consumed_all()


def test_what_was_lost_on_the_way_is_read_from_the_ledger(
    world: World, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_a_little(world)
    whole = ledger.relay.rounds

    def losing(*args: object) -> object:
        for last, messages in whole(*args):  # type: ignore[arg-type]
            yield (
                last,
                {
                    p: [
                        m
                        for m in several
                        if b"5" not in dict(m.headers)["sequence"] or b"watermark" in dict(m.headers)["ce_type"]
                    ]
                    for p, several in messages.items()
                },
            )

    monkeypatch.setattr(ledger.relay, "rounds", losing)
    with road.relay(), road.subscriber() as subscriber:
        road.consumed_all()
        assert subscriber.refilled == sum("5" in str(sequence) for sequence in everything(road))
        assert subscriber.consumed == road.end - 1
    same_as_direct(road)


def test_what_the_ledger_does_not_know_has_no_effect(world: World, road: Road) -> None:
    """A database that was put back from a backup meets a topic that has gone further, and other facts in its place."""
    live_a_little(world)
    with road.relay():
        road.published_all()
    with psycopg.connect(world.url, autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute("update ledger.batch set hash = sha256(hash) where first_sequence > 10")
    with road.subscriber() as subscriber:
        road.consumed_all()
        assert subscriber.refilled > 0
    by_kafka = road.snapshot()
    settlement.rebuild(world.house.db, world.book_id)
    assert road.snapshot() == by_kafka


def test_of_two_consumers_of_the_group_one_goes_on(world: World, road: Road) -> None:
    live_a_little(world)
    with road.relay(), road.subscriber() as first:
        road.consumed_all()
        with road.subscriber() as second:
            trade_a_little(world)
            road.consumed_all()
            until(lambda: sum(len(s.follows) for s in (first, second)) == 1, "the topic has one reader")
        trade_a_little(world)
        road.consumed_all()
        assert first.stalled == second.stalled == 0
    same_as_direct(road)


def test_a_broker_that_answers_nobody_slows_no_posting_and_the_direct_road_is_there(
    world: World, road: Road, kafka: KafkaBroker
) -> None:
    live_a_little(world)
    with road.relay(), road.subscriber(stall_seconds=1.0) as subscriber:
        road.consumed_all()
        kafka.pause()
        began = time.monotonic()
        trade_a_little(world)
        assert time.monotonic() - began < 5
        road.consumed_all()
        assert subscriber.stalled > 0
        kafka.go_on()
        road.published_all()
    assert seen(road) == everything(road)
    same_as_direct(road)


def test_an_event_is_a_cloud_event_in_binary_mode(world: World, road: Road) -> None:
    from kafka import KafkaConsumer

    live_a_little(world, 1)
    with road.relay():
        road.published_all()
    consumer = KafkaConsumer(
        wire.topic(world.public_id),
        bootstrap_servers=f"127.0.0.1:{road.kafka.port}",
        auto_offset_reset="earliest",
        consumer_timeout_ms=2_000,
        metrics_enabled=False,
    )
    sale = next(m for m in consumer if dict(m.headers)["ce_type"] == b"manex.sale.v1")
    consumer.close(autocommit=False)
    headers = dict(sale.headers)
    assert headers.keys() == {"ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type", "sequence"}
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_source"].decode() == f"/books/{ledger.ids.show('book', world.public_id)}"
    assert sale.key.decode() == str(world.members["m0"])
    assert world.rows("select count(*) from ledger.record where id = %s::uuid", headers["ce_id"].decode()) == [(1,)]
