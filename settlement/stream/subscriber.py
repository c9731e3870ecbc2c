"""Settlement's road over Kafka: a member of a consumer group that gives events their effect, book by book.

The brokers only bring events sooner; where it stands is in PostgreSQL, in the transaction of the effect. A book's topic
goes to one member of the group as a whole, for its events have their effect in sequence. Whatever is lost, doubled or
late on the way, the same rows come of it as on the direct road; when the topic tells nothing for a while though the
ledger has gone on, the direct road is taken.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import psycopg
import psycopg_pool

import ledger
from ledger import Book, Database, broker, wire
from settlement import store
from settlement.stream import topics
from settlement.stream.consumer import CHUNK, consume_merged, drain
from settlement.stream.merging import Merge

log = logging.getLogger("manex.settlement")

GROUP: Final = "manex-settlement"
POLL_SECONDS: Final = 0.2
#: How often books and topics that came are found.
CHECK_SECONDS: Final = 2.0
#: A book that is behind and gets nothing for so long is taken from the ledger itself.
STALL_SECONDS: Final = 10.0
#: What is published and reaches nobody for so long: the group has lost its way, and this member joins it anew.
SILENT_SECONDS: Final = 5.0
FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 5.0


class Subscriber:
    """Consumes as long as `run` runs."""

    def __init__(
        self,
        db: Database,
        where: broker.Address,
        *,
        group: str = GROUP,
        session_seconds: float = 10.0,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self._db = db
        self._where = where
        self._group = group
        self._session_seconds = session_seconds
        self._stall_seconds = stall_seconds
        #: events that had their effect by this road; of those, how many the ledger had to give; by the direct road
        self.consumed = 0
        self.refilled = 0
        self.stalled = 0
        self.failures = 0
        self._following: dict[str, _Following] = {}
        self._moved: dict[int, tuple[int, float]] = {}
        self._silent: dict[int, tuple[int, float]] = {}
        #: set by the client's own thread when the group gave partitions out anew
        self._given_out = threading.Event()

    @property
    def follows(self) -> list[int]:
        """The books whose topic the group has given to this member."""
        return [each.book_id for each in list(self._following.values()) if each.merge is not None]

    def run(self, stopping: threading.Event) -> None:
        """Consume until told to stop; the transaction under way is finished."""
        from kafka.errors import KafkaError

        pause = FIRST_PAUSE_SECONDS
        while not stopping.is_set():
            before = self.consumed
            try:
                self._consume(stopping)
            except (KafkaError, broker.Failed, OSError, AssertionError, psycopg.OperationalError) as error:
                self._failed(stopping, error, pause := self._paused(pause, before))
            except (psycopg.InterfaceError, psycopg_pool.PoolTimeout) as error:
                self._failed(stopping, error, pause := self._paused(pause, before))

    def _paused(self, pause: float, before: int) -> float:
        return FIRST_PAUSE_SECONDS if self.consumed > before else min(LONGEST_PAUSE_SECONDS, pause * 2)

    def _failed(self, stopping: threading.Event, error: BaseException, pause: float) -> None:
        self.failures += 1
        log.warning("consuming stopped, again in %.1f s: %s", pause, type(error).__name__)
        with contextlib.suppress(psycopg.Error, psycopg_pool.PoolTimeout):
            self._stalls(self._books())  # the brokers may be away for long, and the ledger is there
        stopping.wait(pause)

    def _consume(self, stopping: threading.Event) -> None:
        looking = broker.Topics(self._where)
        consumer = _connected(self._where, self._group, self._session_seconds)
        self._following = {}
        try:
            checked = 0.0
            while not stopping.is_set():
                if time.monotonic() - checked > CHECK_SECONDS:
                    books = self._books()
                    self._subscribe(consumer, looking, books)
                    self._stalls(books)
                    self._silences(books)
                    checked = time.monotonic()
                if not self._following:
                    stopping.wait(POLL_SECONDS)
                    continue
                polled = consumer.poll(int(POLL_SECONDS * 1000), max_records=CHUNK)
                if self._given_out.is_set():
                    self._given_out.clear()
                    self._placed(consumer)  # what was polled is read again from the right place
                else:
                    self._take(polled)
                    self._hold_back(consumer)
        finally:
            with contextlib.suppress(Exception):
                consumer.close(autocommit=False, timeout_ms=2_000)
            looking.close()

    # -- what is followed

    def _books(self) -> list[Book]:
        with self._db.tx("settlement") as tx:
            return ledger.books.all_books(tx)

    def _subscribe(self, consumer: Any, looking: broker.Topics, books: Sequence[Book]) -> None:
        """Follow the topics of all books that have one; one that is another topic than before is read anew."""
        found: dict[str, _Following] = {}
        for book in books:
            name = wire.topic(book.public_id)
            topic = looking.find(name)
            if topic is not None:
                known = self._following.get(name)
                same = known is not None and known.topic == topic
                found[name] = known if known is not None and same else _Following(book.id, book.public_id, topic)
        anew = any(name in self._following and found[name] is not self._following[name] for name in found)
        subscribed = self._following.keys()
        self._following = found
        if found.keys() != subscribed:
            consumer.subscribe(sorted(found), listener=_listener(self._given_out))
        elif anew:
            self._given_out.set()

    def _placed(self, consumer: Any) -> None:
        """Partitions were given out anew: read on where the last commit left it, whatever the brokers remember."""
        assigned = consumer.assignment()
        for name, following in self._following.items():
            several = sorted(each for each in assigned if each.topic == name)
            if len(several) != following.topic.partitions:
                following.merge = None  # it is another member's
                continue
            with self._db.tx("settlement") as tx:
                store.forget_other_topics(tx, following.book_id, following.topic.id)
                places = store.partitions(tx, following.book_id, following.topic.id)
            following.merge = Merge(following.topic.partitions)
            ends = consumer.end_offsets(several, timeout_ms=int(broker.REQUEST_SECONDS * 1000))
            for each in several:
                place = min(places.get(each.partition, 0), ends[each])
                consumer.seek(each, place)
                following.merge.begin(each.partition, place)

    # -- what comes

    def _take(self, polled: Mapping[Any, Sequence[Any]]) -> None:
        touched: set[str] = set()
        for partition, messages in polled.items():
            following = self._following.get(partition.topic)
            if following is None or following.merge is None:
                continue
            for message in messages:
                following.merge.take(partition.partition, message.offset, topics.told_by(message))
            touched.add(partition.topic)
        for name in sorted(touched):
            self._effect(self._following[name])

    def _effect(self, following: "_Following") -> None:
        merge = following.merge
        assert merge is not None
        while True:
            with self._db.tx("settlement") as tx:
                book = ledger.read_book(tx, following.book_id)
                done, refilled = consume_merged(tx, book, merge, following.topic.id, CHUNK)
            self.consumed += done
            self.refilled += refilled
            if done < CHUNK:
                return

    def _hold_back(self, consumer: Any) -> None:
        """Read no more of a partition that is far ahead of its book's others, until they have come up."""
        ahead = {(name, number) for name, f in self._following.items() if f.merge for number in f.merge.ahead()}
        paused = {(each.topic, each.partition): each for each in consumer.paused()}
        if ahead == paused.keys():
            return
        for each in consumer.assignment():
            place = (each.topic, each.partition)
            if place in ahead and place not in paused:
                consumer.pause(each)
            elif place in paused and place not in ahead:
                consumer.resume(each)

    # -- what does not come

    def _stalls(self, books: Sequence[Book]) -> None:
        """Take the direct road in a book that is behind and has not moved for a while, whoever of the group has it."""
        for book in books:
            with self._db.tx("settlement") as tx:
                place = store.offset(tx, book.id) or ledger.stream.start(tx, book.id)
                behind = place < ledger.stream.end(tx, book.id)
            known, since = self._moved.get(book.id, (place, time.monotonic()))
            if not behind or known != place:
                since = time.monotonic()
            if time.monotonic() - since > self._stall_seconds:
                self.stalled += drain(self._db, book.id)
                since = time.monotonic()
            self._moved[book.id] = (place, since)

    def _silences(self, books: Sequence[Book]) -> None:
        """Begin anew when what was published of a book does not come, to this member or to another."""
        for book in books:
            with self._db.tx("settlement") as tx:
                place = store.offset(tx, book.id) or ledger.stream.start(tx, book.id)
                published = ledger.relay.place(tx, book.id)
            known, since = self._silent.get(book.id, (place, time.monotonic()))
            if published is None or place >= published.next_sequence or known != place:
                since = time.monotonic()
            self._silent[book.id] = (place, since)
            if time.monotonic() - since > SILENT_SECONDS:
                self._silent.clear()
                raise broker.Failed("what is published does not come")


class _Following:
    """A book whose topic is followed. `merge` is there once partitions are assigned."""

    __slots__ = ("book_id", "merge", "public_id", "topic")

    def __init__(self, book_id: int, public_id: UUID, topic: broker.Topic) -> None:
        self.book_id = book_id
        self.public_id = public_id
        self.topic = topic
        self.merge: Merge | None = None


def _connected(where: broker.Address, group: str, session_seconds: float) -> Any:
    from kafka import KafkaConsumer

    return KafkaConsumer(
        **where.options,
        client_id="manex-settlement",
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        allow_auto_create_topics=False,
        partition_assignment_strategy=(_whole_topics(),),
        session_timeout_ms=int(session_seconds * 1000),
        heartbeat_interval_ms=int(session_seconds * 1000 / 4),
        max_poll_interval_ms=300_000,
        fetch_max_wait_ms=int(POLL_SECONDS * 500),
        max_partition_fetch_bytes=broker.LARGEST_MESSAGE,
        request_timeout_ms=int(max(broker.REQUEST_SECONDS, session_seconds + 1) * 1000),
        bootstrap_timeout_ms=int(broker.REQUEST_SECONDS * 1000),
        reconnect_backoff_max_ms=1_000,
        metadata_max_age_ms=3_000,
        metrics_enabled=False,
    )


def _listener(given_out: threading.Event) -> Any:
    from kafka import ConsumerRebalanceListener

    class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
        """Called on the client's own thread, where nothing may wait."""

        def on_partitions_revoked(self, revoked: Any) -> None:
            """What was read and had no effect is read again by whoever comes."""

        def on_partitions_assigned(self, assigned: Any) -> None:  # noqa: ARG002
            given_out.set()

    return Listener()


def _whole_topics() -> Any:
    """An assignor that gives each topic to one member as a whole, and topics to members in turn."""
    from kafka.coordinator.assignors.abstract import AbstractPartitionAssignor
    from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment, ConsumerProtocolSubscription

    class WholeTopics(AbstractPartitionAssignor):  # type: ignore[misc]
        name = "manex-whole-topics"

        @classmethod
        def assign(cls, cluster: Any, members: Any) -> dict[str, Any]:
            given: dict[str, list[tuple[str, list[int]]]] = {member.member_id: [] for member in members}
            for number, topic in enumerate(sorted({t for member in members for t in member.metadata.topics})):
                able = sorted(member.member_id for member in members if topic in member.metadata.topics)
                partitions = sorted(cluster.partitions_for_topic(topic) or ())
                if partitions:
                    given[able[number % len(able)]].append((topic, partitions))
            return {member: ConsumerProtocolAssignment(0, topics, b"") for member, topics in given.items()}

        @classmethod
        def metadata(cls, topics: Any) -> Any:
            return ConsumerProtocolSubscription(0, list(topics), b"")

        @classmethod
        def on_assignment(cls, assignment: Any, generation: Any) -> None:
            """Nothing to keep."""

    return WholeTopics
