"""A book's topic read from its beginning to where it ends now, by nobody's group."""

from collections.abc import Iterator
from typing import Any

import ledger
from ledger import broker, wire
from ledger.stream import Event

#: A topic that gives nothing for so long, though it is not at its end, is given up.
SILENCE_SECONDS = 15.0
POLL_SECONDS = 1.0

Told = tuple[int, int, Event | wire.Watermark | None]


def read(where: ledger.broker.Address, topic: str) -> Iterator[tuple[int, list[Told]]]:
    """How many partitions there are, and some messages: partition, offset, what it says (None: none of ours)."""
    from kafka import KafkaConsumer, TopicPartition
    from kafka.errors import KafkaError

    limit = int(broker.REQUEST_SECONDS * 1000)
    looking = broker.Topics(where)
    try:
        found = looking.find(topic)
    finally:
        looking.close()
    if found is None:
        return
    try:
        consumer: Any = KafkaConsumer(
            **where.options,
            client_id="manex-rebuild",
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=broker.LARGEST_MESSAGE,
            request_timeout_ms=limit,
            bootstrap_timeout_ms=limit,
            metrics_enabled=False,
        )
    except KafkaError as error:
        raise broker.Failed(f"the brokers do not answer: {type(error).__name__}") from error
    try:
        places = [TopicPartition(topic, number) for number in range(found.partitions)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places, timeout_ms=limit)
        silent = 0.0
        while any(consumer.position(place, timeout_ms=limit) < ends[place] for place in places):
            polled = consumer.poll(int(POLL_SECONDS * 1000), max_records=2_000)
            silent = 0.0 if polled else silent + POLL_SECONDS
            if silent > SILENCE_SECONDS:
                raise broker.Failed(f"topic {topic} gives nothing more before its end")
            told = [(place.partition, m.offset, told_by(m)) for place, several in polled.items() for m in several]
            yield found.partitions, told
    except KafkaError as error:
        raise broker.Failed(f"topic {topic} cannot be read: {type(error).__name__}") from error
    finally:
        consumer.close(autocommit=False, timeout_ms=limit)


def told_by(message: Any) -> Event | wire.Watermark | None:
    try:
        return wire.read(message.value, message.headers)
    except wire.Broken:
        return None
