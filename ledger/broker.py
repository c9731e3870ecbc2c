"""Kafka as we use it: every call has a time limit, every failure is one `Failed`, and after one the producer is made anew.

kafka-python is loaded when a connection is made: a house without Kafka never does.
"""

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from ledger.wire import Message

#: What one request may take, and what the way of a message until its acknowledgement, repeats and all.
REQUEST_SECONDS: Final = 4.0
DELIVERY_SECONDS: Final = 8.0
#: Of one partition's batch. A single record that is larger goes alone; a topic takes messages up to the second.
LARGEST_BATCH: Final = 800_000
LARGEST_MESSAGE: Final = 8_000_000
#: Far above what a round takes: a batch goes when it is flushed, and not before.
LINGER_SECONDS: Final = 3.0

_URL: Final = re.compile(
    r"(?P<scheme>kafkas?)://(?:(?P<user>[^:@/]+):(?P<password>[^@/]*)@)?(?P<servers>[^/?@\s]+)"
    r"(?:\?mechanism=(?P<mechanism>PLAIN|SCRAM-SHA-256|SCRAM-SHA-512))?"
)
_SERVER: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+):[0-9]{1,5}")


class Failed(Exception):
    """The brokers did not do what was asked, or whether they did is unknown. Everything here may be asked again."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the brokers are, and as whom to speak to them."""

    servers: tuple[str, ...]
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    mechanism: str = "SCRAM-SHA-512"

    @property
    def options(self) -> dict[str, Any]:
        """What every client of kafka-python is made with."""
        made: dict[str, Any] = {"bootstrap_servers": list(self.servers)}
        made["security_protocol"] = ("SASL_" if self.user else "") + ("SSL" if self.tls else "PLAINTEXT")
        if self.user:
            made |= {"sasl_mechanism": self.mechanism, "sasl_plain_username": self.user}
            made["sasl_plain_password"] = self.password
        return made


def address(url: str) -> Address:
    """`kafka://host:port,host:port`, `kafkas://` with TLS, with `user:password@` and `?mechanism=`; ValueError else."""
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError("kafka:// or kafkas://, and host:port, with commas")
    servers = tuple(found["servers"].split(","))
    if not all(_SERVER.fullmatch(server) for server in servers):
        raise ValueError("kafka:// or kafkas://, and host:port, with commas")
    user = unquote(found["user"]) if found["user"] else None
    password = unquote(found["password"]) if found["user"] else None
    return Address(servers, found["scheme"] == "kafkas", user, password, found["mechanism"] or "SCRAM-SHA-512")


class Topic(NamedTuple):
    """`id` is the brokers' own: another topic of the same name has another one."""

    id: str
    partitions: int


class Topics:
    """Looks at topics and makes them."""

    def __init__(self, where: Address) -> None:
        from kafka import KafkaAdminClient

        with _failing("the brokers do not answer"):
            self._admin = KafkaAdminClient(
                **where.options,
                client_id="manex-relay",
                request_timeout_ms=int(REQUEST_SECONDS * 1000),
                bootstrap_timeout_ms=int(REQUEST_SECONDS * 1000),
                reconnect_backoff_max_ms=1_000,
            )

    def find(self, name: str) -> Topic | None:
        with _failing("the topic cannot be looked at"):
            told = self._admin.describe_topics([name])[0]
        if told["error_code"] == 3:  # UNKNOWN_TOPIC_OR_PARTITION
            return None
        if told["error_code"] or not told["partitions"]:
            raise Failed(f"topic {name}: error {told['error_code']}")
        return Topic(str(told["topic_id"]), len(told["partitions"]))

    def make(self, name: str, partitions: int, replicas: int) -> Topic:
        """The topic as it is, made if it is not there. Two who make it at once find one."""
        from kafka.errors import TopicAlreadyExistsError

        if (found := self.find(name)) is not None:
            return found
        wanted = {"num_partitions": partitions, "replication_factor": replicas}
        settings = {"max.message.bytes": str(LARGEST_MESSAGE)}
        with _failing("the topic cannot be made"), contextlib.suppress(TopicAlreadyExistsError):
            limit = int(REQUEST_SECONDS * 1000)
            self._admin.create_topics({name: wanted | {"configs": settings}}, timeout_ms=limit)
            self._admin.wait_for_topics([name], timeout_ms=limit)
        if (found := self.find(name)) is None:
            raise Failed(f"topic {name} was made and is not there")
        return found

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._admin.close()


class Producer:
    """Sends a round and returns when the brokers have all of it: one batch a partition, so that of what failed a
    partition has either everything in order or nothing. After a failure it is of no use any more: close it."""

    def __init__(self, where: Address) -> None:
        from kafka import KafkaProducer

        with _failing("the brokers do not answer"):
            self._producer = KafkaProducer(
                **where.options,
                client_id="manex-relay",
                acks="all",
                enable_idempotence=True,
                max_in_flight_requests_per_connection=1,
                allow_auto_create_topics=False,
                linger_ms=int(LINGER_SECONDS * 1000),
                batch_size=LARGEST_MESSAGE,
                max_request_size=LARGEST_MESSAGE,
                request_timeout_ms=int(REQUEST_SECONDS * 1000),
                delivery_timeout_ms=int(DELIVERY_SECONDS * 1000),
                max_block_ms=int(REQUEST_SECONDS * 1000),
                bootstrap_timeout_ms=int(REQUEST_SECONDS * 1000),
                reconnect_backoff_max_ms=1_000,
                metrics_enabled=False,
            )

    def send(self, topic: str, messages: Mapping[int, Sequence[Message]]) -> None:
        """Send messages by partition; Failed when not all are acknowledged, or nobody can say."""
        with _failing("a round is not acknowledged"):
            sent = [
                self._producer.send(topic, each.value, each.key, list(each.headers), partition)
                for partition, several in sorted(messages.items())
                for each in several
            ]
            self._producer.flush(DELIVERY_SECONDS + 2)
            for each in sent:
                each.get(0)

    def close(self) -> None:
        """At once: what was not acknowledged is sent anew by whoever comes next."""
        with contextlib.suppress(Exception):
            # `close` alone would wait for what cannot be sent, and leave its thread running when that takes too long
            self._producer._sender.force_close()
            self._producer._sender.join(REQUEST_SECONDS)
        with contextlib.suppress(Exception):
            self._producer.close(0)


@contextlib.contextmanager
def _failing(what: str) -> Any:
    from kafka.errors import KafkaConfigurationError, KafkaError

    try:
        yield
    except KafkaConfigurationError:
        raise  # a fault of ours
    except (KafkaError, OSError, AssertionError) as error:
        raise Failed(f"{what}: {type(error).__name__}") from error
