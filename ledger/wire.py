"""A record as it travels: CloudEvents 1.0 in binary mode, so that what it is stands in headers and what it says in JSON.

Pure. The key is the member, else the merchant, else the book: whatever concerns one of them stays in its order. Ids are
UUIDs as the ledger has them; the API shows the same digits behind a prefix.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from ledger import ids
from ledger.stream import Event, Line

TYPE: Final = "manex.{kind}.v{version}"
WATERMARK: Final = "watermark"

#: Kinds whose payload has changed its meaning since; all others are of version 1.
VERSIONS: Final[dict[str, int]] = {}


class Message(NamedTuple):
    """What is sent to a topic's partition."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]

    @property
    def size(self) -> int:
        """Bytes, with what Kafka adds at most."""
        return len(self.key) + len(self.value) + sum(len(n) + len(v) + 10 for n, v in self.headers) + 32


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an event. `batch_end` is the sequence of the last record of its batch, `batch_hash` the batch's link in
    the chain of hashes."""

    actor: str
    merchant: UUID | None
    member: UUID | None
    subject: UUID | None
    batch_end: int
    batch_hash: str
    payload: msgspec.Raw


class Watermark(msgspec.Struct, frozen=True, kw_only=True):
    """Everything up to `sequence` that belongs in this partition has been sent before this message."""

    sequence: int
    partition: int
    #: over how many partitions the book's events are spread
    partitions: int


class Broken(Exception):
    """A message that is none of ours."""


def topic(book: UUID) -> str:
    return f"manex.{ids.show('book', book)}"


def source(book: UUID) -> str:
    return f"/books/{ids.show('book', book)}"


def type_of(kind: str) -> str:
    return TYPE.format(kind=kind, version=VERSIONS.get(kind, 1))


def key_of(book: UUID, merchant: UUID | None, member: UUID | None) -> bytes:
    return str(member or merchant or book).encode()


def message(book: UUID, line: Line) -> Message:
    data = Data(
        actor=line.actor,
        merchant=line.merchant_id,
        member=line.member_id,
        subject=line.subject_id,
        batch_end=line.batch_end,
        batch_hash=line.hash.hex(),
        payload=msgspec.Raw(line.payload.encode()),
    )
    return Message(
        key_of(book, line.merchant_id, line.member_id),
        msgspec.json.encode(data),
        _headers(book, str(line.id), line.kind, line.at, line.sequence),
    )


def watermark(book: UUID, sequence: int, partition: int, partitions: int, at: datetime) -> Message:
    told = Watermark(sequence=sequence, partition=partition, partitions=partitions)
    return Message(
        str(book).encode(),
        msgspec.json.encode(told),
        _headers(book, f"{WATERMARK}-{partition}-{sequence}", WATERMARK, at, sequence),
    )


def _headers(book: UUID, id: str, kind: str, at: datetime, sequence: int) -> list[tuple[str, bytes]]:
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", id.encode()),
        ("ce_source", source(book).encode()),
        ("ce_type", type_of(kind).encode()),
        ("ce_time", at.isoformat().encode()),
        ("content-type", b"application/json"),
        ("sequence", b"%d" % sequence),
    ]


def read(value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Event | Watermark:
    """The event or watermark of a message; Broken when it is neither."""
    told = dict(headers)
    try:
        kind, _, _ = told["ce_type"].decode().removeprefix("manex.").rpartition(".")
        if kind == WATERMARK:
            return msgspec.json.decode(value or b"", type=Watermark)
        data = msgspec.json.decode(value or b"", type=Data)
        payload: dict[str, Any] = msgspec.json.decode(data.payload)
        return Event(
            sequence=int(told["sequence"]),
            id=UUID(told["ce_id"].decode()),
            kind=kind,
            at=datetime.fromisoformat(told["ce_time"].decode()),
            actor=data.actor,
            merchant_id=data.merchant,
            member_id=data.member,
            subject_id=data.subject,
            payload=payload,
            batch_end=data.batch_end,
            hash=bytes.fromhex(data.batch_hash),
        )
    except (KeyError, ValueError, msgspec.MsgspecError) as error:
        raise Broken(f"a message that cannot be read: {type(error).__name__}") from None


def partition_of(key: bytes, partitions: int) -> int:
    """Where a key's events are: as Kafka's own clients choose it (murmur2), so that others can join with it."""
    return (_murmur2(key) & 0x7FFFFFFF) % partitions


def _murmur2(data: bytes) -> int:
    mixer, mask = 0x5BD1E995, 0xFFFFFFFF
    whole = len(data) & ~3
    found = 0x9747B28C ^ len(data)
    for at in range(0, whole, 4):
        word = (int.from_bytes(data[at : at + 4], "little") * mixer) & mask
        word = ((word ^ (word >> 24)) * mixer) & mask
        found = ((found * mixer) & mask) ^ word
    if rest := data[whole:]:
        found = ((found ^ int.from_bytes(rest, "little")) * mixer) & mask
    found = ((found ^ (found >> 13)) * mixer) & mask
    return found ^ (found >> 15)
