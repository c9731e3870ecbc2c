"""The wire form and the merging of partitions, without a broker."""

from __future__ import annotations

import datetime as dt
import random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import broker, wire
from ledger.stream import Event, Line
from settlement.stream.merging import Merge

BOOK = UUID(int=7)
AT = dt.datetime(2017, 3, 1, 12, 30, 15, 123456, tzinfo=dt.UTC)


def line(sequence: int, payload: str = "{}") -> Line:
    return Line(sequence, UUID(int=sequence), "sale", AT, "till", UUID(int=1), None, None, payload, sequence, b"h" * 32)


@given(st.integers(1, 2**53), st.dictionaries(st.text(), st.integers(-(2**53), 2**53) | st.text() | st.none()))
def test_an_event_comes_out_as_it_went_in(sequence: int, payload: dict[str, object]) -> None:
    import msgspec

    given = line(sequence, msgspec.json.encode(payload).decode())
    made = wire.message(BOOK, given)
    read = wire.read(made.value, made.headers)
    assert read == Event._make((*given[:8], payload, *given[9:]))


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (b"{}", []),
        (None, [("ce_type", b"manex.sale.v1")]),
        (b"[]", [("ce_type", b"manex.watermark.v1")]),
        (b"\xff", [("ce_type", b"manex.sale.v1"), ("sequence", b"1")]),
        (b"{}", [("ce_type", b"\xff")]),
    ],
)
def test_what_is_none_of_ours_is_broken(value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
    with pytest.raises(wire.Broken):
        wire.read(value, headers)


@given(st.binary(min_size=1, max_size=80), st.integers(1, 50))
def test_a_key_is_where_kafkas_own_clients_would_put_it(key: bytes, partitions: int) -> None:
    from kafka.partitioner.default import murmur2

    assert wire.partition_of(key, partitions) == (murmur2(key) & 0x7FFFFFFF) % partitions


def test_the_key_is_the_member_else_the_merchant_else_the_book() -> None:
    member, merchant = UUID(int=2), UUID(int=3)
    assert wire.key_of(BOOK, merchant, member) == str(member).encode()
    assert wire.key_of(BOOK, merchant, None) == str(merchant).encode()
    assert wire.key_of(BOOK, None, None) == str(BOOK).encode()


@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 60))
def test_partitions_merge_to_the_stream_whatever_is_doubled_and_whenever_they_come(
    seed: int, partitions: int, length: int
) -> None:
    chance = random.Random(seed)
    where = {sequence: chance.randrange(partitions) for sequence in range(1, length + 1)}
    logs: dict[int, list[Event | wire.Watermark]] = {p: [] for p in range(partitions)}
    sent = 0
    while sent < length:
        begin = max(1, sent + 1 - chance.choice([0, 0, 0, 7]))  # a relay that died sends again
        sent = min(length, sent + chance.randint(1, 9))
        for sequence in range(begin, sent + 1):
            logs[where[sequence]].append(Event._make((*line(sequence)[:8], {}, sequence, b"")))
        for p in range(partitions):
            logs[p].append(wire.Watermark(sequence=sent, partition=p, partitions=partitions))
    merge, read, out, following = Merge(partitions), dict.fromkeys(range(partitions), 0), list[int](), 1
    while any(read[p] < len(logs[p]) for p in logs):
        p = chance.choice([p for p in logs if read[p] < len(logs[p])])
        merge.take(p, read[p], logs[p][read[p]])
        read[p] += 1
        merge.forget(following)
        if merge.complete >= following and chance.random() < 0.5:
            out += [event.sequence for event in merge.events(merge.complete)]
            following = merge.complete + 1
            merge.forget(following)
        if chance.random() < 0.1:  # a consumer that dies reads on where it had noted
            places = merge.offsets(following)
            merge = Merge(partitions)
            for each, place in places.items():
                merge.begin(each, place)
                read[each] = place
    merge.forget(following)
    out += [event.sequence for event in merge.events(merge.complete)]
    assert out == list(range(1, length + 1))


@pytest.mark.parametrize(
    ("url", "servers", "tls", "user", "mechanism"),
    [
        ("kafka://a:9092", ("a:9092",), False, None, "SCRAM-SHA-512"),
        ("kafkas://a:1,b.example:2,[::1]:3", ("a:1", "b.example:2", "[::1]:3"), True, None, "SCRAM-SHA-512"),
        ("kafkas://me:s%40x@a:1?mechanism=PLAIN", ("a:1",), True, "me", "PLAIN"),
    ],
)
def test_an_address_is_read(url: str, servers: tuple[str, ...], tls: bool, user: str | None, mechanism: str) -> None:
    found = broker.address(url)
    assert (found.servers, found.tls, found.user, found.mechanism) == (servers, tls, user, mechanism)
    assert "s@x" not in repr(found)


@pytest.mark.parametrize(
    "url", ["", "a:9092", "kafka://", "kafka://a", "http://a:1", "kafka://a:1/x", "kafka://a:1,,b:2"]
)
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(ValueError, match="kafka://"):
        broker.address(url)
