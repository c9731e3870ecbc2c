"""A world whose records go over a broker: relays and subscribers on threads, and a witness who writes down what it saw."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import ledger
import settlement
from ledger import wire
from ledger.stream import Event
from tests.kafka_broker import KafkaBroker
from tests.world import World

PATIENCE = 40.0


@pytest.fixture
def kafka() -> Iterator[KafkaBroker]:
    made = KafkaBroker()
    made.start()
    yield made
    made.close()


def until(what: Callable[[], Any], why: str, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, why
        time.sleep(0.02)


class Road:
    """What runs between a world and its broker."""

    def __init__(self, world: World, kafka: KafkaBroker) -> None:
        self.world, self.kafka = world, kafka

    @property
    def end(self) -> int:
        with self.world.house.db.tx("door") as tx:
            return ledger.stream.end(tx, self.world.book_id)

    @property
    def published(self) -> int:
        """The next sequence to publish."""
        with self.world.house.db.tx("door") as tx:
            place = ledger.relay.place(tx, self.world.book_id)
        return place.next_sequence if place else 1

    @property
    def consumed(self) -> int:
        with self.world.house.db.tx("door") as tx:
            return settlement.offset(tx, self.world.book_id) or 1

    @contextlib.contextmanager
    def relay(self, **more: Any) -> Iterator[ledger.relay.Relay]:
        made = ledger.relay.Relay(self.world.url, self.kafka.address, settlement.offset, **more)
        with _running(made.run, "relay"):
            yield made

    @contextlib.contextmanager
    def subscriber(self, **more: Any) -> Iterator[settlement.Subscriber]:
        db = ledger.Database(self.world.url, largest_pool=2)
        made = settlement.Subscriber(db, self.kafka.address, **{"session_seconds": 2.0, "stall_seconds": 60.0, **more})
        try:
            with _running(made.run, "subscriber"):
                yield made
        finally:
            db.close()

    def published_all(self) -> None:
        until(lambda: self.published == self.end, "not everything was published")

    def consumed_all(self) -> None:
        until(lambda: self.consumed == self.end, "not everything was consumed")

    def snapshot(self) -> dict[str, str]:
        with self.world.house.db.tx("settlement") as tx:
            return settlement.snapshot(tx, self.world.book_id)

    def messages(self) -> dict[int, list[tuple[str, Event | wire.Watermark]]]:
        """Everything in the book's topic: by partition the key and what it says, in the broker's order."""
        from kafka import KafkaConsumer, TopicPartition

        topic = wire.topic(self.world.public_id)
        consumer = KafkaConsumer(bootstrap_servers=f"127.0.0.1:{self.kafka.port}", metrics_enabled=False)
        try:
            until(lambda: topic in consumer.topics(), "no topic")
            places = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic))]
            consumer.assign(places)
            consumer.seek_to_beginning(*places)
            ends = consumer.end_offsets(places)
            found: dict[int, list[tuple[str, Event | wire.Watermark]]] = {p.partition: [] for p in places}
            while any(consumer.position(p) < ends[p] for p in places):
                for place, several in consumer.poll(500).items():
                    found[place.partition] += [(m.key.decode(), wire.read(m.value, m.headers)) for m in several]
            return found
        finally:
            consumer.close(autocommit=False)


@contextlib.contextmanager
def _running(run: Callable[[threading.Event], None], name: str) -> Iterator[None]:
    stopping = threading.Event()
    thread = threading.Thread(target=run, args=[stopping], name=name)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(PATIENCE)
        assert not thread.is_alive(), f"the {name} does not stop"


@pytest.fixture
def road(world: World, kafka: KafkaBroker) -> Road:
    return Road(world, kafka)


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """kafka-python leaves sockets behind when its broker dies; they are looked for here, and not in another test's time."""
    yield
    gc.collect()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/stream" in str(item.path):
            item.add_marker(pytest.mark.filterwarnings("ignore:Exception ignored in.*socket"))
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))
