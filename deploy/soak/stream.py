"""kill -9 of a broker, the relay, the consumer and PostgreSQL in turn, under load, and a witness who writes down what it saw.

Sales are posted from several tills all the while. The witness reads the topic as any consumer may and keeps, for each
record, when it saw it first. When a round is over and everything is published and derived

1. every acknowledged sale was seen: **lost**. What the witness had to read from the ledger, because a broker that keeps
   nothing took it along, is told beside it; with brokers that keep what they have it has to be 0;
2. no record was seen under two sequences, and no sale by two records: **doubled**. The same message twice is no doubling:
   it has the sequence it had;
3. what was seen first, key by key, rises: **out of order**;
4. what settlement derived over Kafka is what the direct road derives, byte for byte, and the audit is clean.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID

import psycopg

import ledger
import settlement
from deploy.commands.audit import audited
from deploy.errors import Refusal
from deploy.soak.house import House, Line, Member, Shop, idempotency_key
from ledger import broker, wire

TILLS: Final = 8
MEMBERS: Final = 8
PARTITIONS: Final = 6
LARGEST_ROUND: Final = 20_000
SETTLE_SECONDS: Final = 150.0
#: A broker stays away for so long.
AWAY_SECONDS: Final = 2.0

VICTIMS: Final = ("broker", "relay", "consumer", "postgres")


class Brokers(Protocol):
    """What a rehearsal kills and starts again. `keeps`: what was acknowledged outlives one broker's death."""

    @property
    def url(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def keeps(self) -> bool: ...
    def kill(self, number: int) -> None: ...
    def start(self, number: int) -> None: ...
    def ready(self) -> None: ...


@dataclass(slots=True)
class Round:
    """The figures of one round. `lost`, `doubled`, `out_of_order`, `differing` and `broken_checks` have to be 0."""

    number: int
    victim: str
    sent: int = 0
    acknowledged: int = 0
    #: records published so far, and how often the witness got one of them once more
    seen: int = 0
    seen_again: int = 0
    from_ledger: int = 0
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    #: derived tables that the direct road gives otherwise
    differing: int = 0
    broken_checks: int = 0
    #: how long it took until everything was published and derived
    settled_seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.out_of_order or self.differing or self.broken_checks)


class Witness:
    """Reads a book's topic by itself, whatever happens to the brokers, and writes down what it saw."""

    def __init__(self, url: str, book: UUID) -> None:
        self._where = broker.address(url)
        self._topic = wire.topic(book)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)
        #: by sequence the record, its key and the sale or other subject it tells of, in the order of the first sight
        self.seen: dict[int, tuple[UUID, str, str, UUID | None]] = {}
        self.again = 0
        self.out_of_order: list[str] = []
        self.other_record: list[str] = []
        self.complete: dict[int, int] = {}
        self._newest: dict[str, int] = {}

    def __enter__(self) -> Witness:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(30)

    @property
    def upto(self) -> int:
        """Every record up to this sequence was sent, as the watermarks say."""
        return min(self.complete.values()) if len(self.complete) == PARTITIONS else 0

    def _run(self) -> None:
        from kafka.errors import KafkaError

        offsets: dict[int, int] = {}
        known = ""
        while not self._stopping.is_set():
            with contextlib.suppress(KafkaError, broker.Failed, OSError, AssertionError):
                looking = broker.Topics(self._where)
                try:
                    topic = looking.find(self._topic)
                finally:
                    looking.close()
                if topic is not None:
                    if topic.id != known:
                        known, offsets = topic.id, {}
                    self._read(topic, offsets)
            self._stopping.wait(0.3)

    def _read(self, topic: broker.Topic, offsets: dict[int, int]) -> None:
        from kafka import KafkaConsumer, TopicPartition

        consumer: Any = KafkaConsumer(
            **self._where.options,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            request_timeout_ms=4_000,
            bootstrap_timeout_ms=4_000,
            metrics_enabled=False,
        )
        try:
            places = [TopicPartition(self._topic, number) for number in range(topic.partitions)]
            consumer.assign(places)
            for place in places:
                consumer.seek(place, offsets.get(place.partition, 0))
            looked = heard = time.monotonic()
            while not self._stopping.is_set():
                for place, messages in consumer.poll(300).items():
                    heard = time.monotonic()
                    for message in messages:
                        offsets[place.partition] = message.offset + 1
                        self._note(place.partition, message.key.decode(), settlement.told_by(message))
                if time.monotonic() - heard > 3 and time.monotonic() - looked > 3:
                    return  # silent: nobody posts, or the topic is another one by now
        finally:
            consumer.close(autocommit=False, timeout_ms=1_000)

    def _note(self, partition: int, key: str, told: ledger.stream.Event | wire.Watermark | None) -> None:
        if isinstance(told, wire.Watermark):
            self.complete[partition] = max(self.complete.get(partition, 0), told.sequence)
        elif told is not None and told.sequence in self.seen:
            self.again += 1
            if self.seen[told.sequence][0] != told.id:
                self.other_record.append(f"sequence {told.sequence} tells two records")
        elif told is not None:
            if told.sequence < self._newest.get(key, 0):
                self.out_of_order.append(f"{key}: {told.sequence} came after {self._newest[key]}")
            self._newest[key] = max(told.sequence, self._newest.get(key, 0))
            self.seen[told.sequence] = (told.id, key, told.kind, told.subject_id)


def rehearse(house: House, brokers: Brokers, rounds: int, seconds: float, moments: random.Random) -> Iterator[Round]:
    """Kill once a round; the figures of each as it ends."""
    shops, members = house.found(MEMBERS)
    book = ledger.ids.read("book", house.book)
    assert book is not None
    db = ledger.Database(house.url, largest_pool=2)
    try:
        with Witness(brokers.url, book) as witness:
            sales: dict[UUID, str] = {}
            for number, victim in zip(range(1, rounds + 1), itertools.cycle(VICTIMS)):
                told = Round(number, victim)
                sales |= _load(house, brokers, shops, members, seconds, told, moments)
                house.ready()
                began = time.monotonic()
                _settle(db, book, witness)
                told.settled_seconds = round(time.monotonic() - began, 1)
                _prove(house, db, book, witness, sales, told, brokers.keeps)
                yield told
    finally:
        db.close()


# -- the load


def _load(
    house: House,
    brokers: Brokers,
    shops: Sequence[Shop],
    members: Sequence[Member],
    seconds: float,
    told: Round,
    moments: random.Random,
) -> dict[UUID, str]:
    """Post from several tills for some seconds, with a death in the middle; the sales that were acknowledged."""
    ends = time.monotonic() + seconds
    numbers = itertools.count()
    lock = threading.Lock()
    done: dict[UUID, str] = {}

    def till(seed: int) -> None:
        own, line = random.Random(seed), Line(house.port)
        while time.monotonic() < ends and (number := next(numbers)) < LARGEST_ROUND:
            shop = own.choice(shops)
            body: dict[str, Any] = {"branch": shop.branch, "external_reference": f"{told.number}-{number}"}
            body["total"] = {"amount": own.randrange(0, 20_000), "currency": "USD"}
            if own.random() < 0.8:
                body["member"] = own.choice(members).number
            try:
                answer = line.send(
                    "POST", "/v1/sales", json.dumps(body).encode(), shop.key, Idempotency_Key=idempotency_key()
                )
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
                continue
            if answer.status == 200:
                sale = ledger.ids.read("sale", answer.json["id"])
                assert sale is not None
                with lock:
                    done[sale] = body["external_reference"]
        line.close()

    with ThreadPoolExecutor(TILLS) as threads:
        tills = [threads.submit(till, moments.randrange(2**32)) for _ in range(TILLS)]
        time.sleep(seconds * moments.uniform(0.2, 0.6))
        if told.victim == "broker":
            number = moments.randrange(brokers.count)
            brokers.kill(number)
            time.sleep(AWAY_SECONDS)
            brokers.start(number)
        else:
            house.kill(told.victim, moments)
        for each in tills:
            each.result()
    brokers.ready()
    told.sent, told.acknowledged = next(numbers), len(done)
    return done


def _settle(db: ledger.Database, book: UUID, witness: Witness) -> None:
    """Return when everything is published, seen and derived."""
    _until(lambda: _behind(db, book) == 0, "not everything was published and derived")
    with db.tx("door") as tx:
        found = ledger.books.by_public_id(tx, book)
        assert found is not None
        end = ledger.stream.end(tx, found.id)
    _until(lambda: witness.upto >= end - 1, "the witness did not hear of everything")


def _behind(db: ledger.Database, book: UUID) -> int:
    try:
        with db.tx("door") as tx:
            published = {lag.book: lag.records for lag in ledger.relay.lags(tx)}
            derived = {public: lag for public, _, lag in settlement.lags(tx)}
    except psycopg.Error:
        return 1
    return published.get(book, 1) + derived.get(book, 1)


def _until(there: Callable[[], bool], why: str) -> None:
    give_up = time.monotonic() + SETTLE_SECONDS
    while not there():
        if time.monotonic() > give_up:
            raise Refusal(f"{why} within {SETTLE_SECONDS:.0f} s")
        time.sleep(0.05)


# -- the proof


def _prove(
    house: House,
    db: ledger.Database,
    public: UUID,
    witness: Witness,
    sales: dict[UUID, str],
    told: Round,
    keeps: bool,
) -> None:
    with db.tx("door") as tx:
        book = ledger.books.by_public_id(tx, public)
        assert book is not None
        start, end = ledger.stream.start(tx, book.id), ledger.stream.end(tx, book.id)
        missing = [sequence for sequence in range(start, end) if sequence not in witness.seen]
        # as any consumer does: what the watermarks say was sent, and is not there, is read from the ledger
        for sequence in missing:
            (event,) = ledger.stream.read(tx, book.id, sequence, 1)
            key = wire.key_of(public, event.merchant_id, event.member_id).decode()
            witness.seen[sequence] = (event.id, key, event.kind, event.subject_id)
    seen = list(witness.seen.values())
    told.seen, told.seen_again, told.from_ledger = len(seen) - len(missing), witness.again, len(missing)
    by_sale = [subject for _, _, kind, subject in seen if kind == "sale"]
    lost = sales.keys() - set(by_sale)
    told.lost = len(lost) + (len(missing) if keeps else 0)
    told.wrong += [f"not seen: sale {sales[sale]}" for sale in list(lost)[:10]]
    told.wrong += [f"not in the topic: sequence {sequence}" for sequence in missing[:10] if keeps]
    doubled = (len(seen) - len({id for id, *_ in seen})) + (len(by_sale) - len(set(by_sale)))
    told.doubled = doubled + len(witness.other_record)
    told.wrong += witness.other_record[:10]
    told.out_of_order = len(witness.out_of_order)
    told.wrong += witness.out_of_order[:10]
    differing = settlement.check(db, book.id).differing
    told.differing = len(differing)
    told.wrong += [f"derived otherwise: {table}" for table in differing]
    for finding in audited(house.url).findings:
        if not finding.ok:
            told.broken_checks += 1
            told.wrong.append(f"audit: {finding.name}")


def as_document(rounds: Sequence[Round], seed: int, brokers: str) -> dict[str, Any]:
    """For programs."""
    summed = ("sent", "acknowledged")
    at_the_end = ("seen", "seen_again", "from_ledger", "lost", "doubled", "out_of_order")
    total = {name: sum(getattr(told, name) for told in rounds) for name in summed}
    total |= {name: getattr(rounds[-1], name) if rounds else 0 for name in at_the_end}
    return {
        "seed": seed,
        "brokers": brokers,
        "clean": bool(rounds) and all(told.clean for told in rounds),
        "total": total,
        "rounds": [asdict(told) for told in rounds],
    }
