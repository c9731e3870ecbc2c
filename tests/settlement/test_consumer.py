"""The stream has its effect exactly once, whatever stops or repeats the reader, and gives the same bytes again."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import ledger
import settlement
from settlement import store
from settlement.stream import consumer


@pytest.fixture
def busy(world: Any) -> Any:
    """Two windows in different states, payments among them, and events in a third."""
    world.shop("bakery", "prefunded", purchase_ppm=5_000, redemption_ppm=10_000)
    world.shop("cafe", "deferred", purchase_ppm=3_333, redemption_ppm=12_345)
    world.shop("gym", "deferred", redemption_ppm=9_999)
    world.stock("bakery", 1_000, spare_minor=3)
    for i in range(6):
        for shop in ("bakery", "cafe", "gym"):
            world.earn(f"m{i}", shop, 30 + i, 1_000 + i)
    for i in range(6):
        world.redeem(f"m{i}", ("bakery", "cafe", "gym")[i % 3], 40)
    world.fund(1)
    world.pay(1, "gym", 100)
    for i in range(6):
        world.redeem(f"m{i}", ("cafe", "gym", "bakery")[i % 3], 20)
    world.close(2)
    world.redeem("m0", "gym", 5)
    settlement.drain(world.db, world.book_id)
    return world


@pytest.mark.row("G2")
def test_a_rebuild_from_zero_gives_the_same_bytes(busy: Any) -> None:
    before = busy.snapshot()
    head = busy.read(ledger.stream.end, busy.book_id)
    assert settlement.rebuild(busy.db, busy.book_id, chunk=7) == len(busy.events())
    assert busy.snapshot() == before
    assert busy.read(ledger.stream.end, busy.book_id) == head


def test_every_derived_table_was_there_to_rebuild(busy: Any) -> None:
    empty = {table for table in store.DERIVED if not busy.sql(f"select 1 from settlement.{table} limit 1")}
    assert empty == {"contract"}  # the contracts of these tests are no records


@pytest.mark.row("G2")
def test_draining_again_changes_nothing(busy: Any) -> None:
    before = busy.snapshot()
    assert settlement.drain(busy.db, busy.book_id) == 0
    assert busy.snapshot() == before


@pytest.mark.parametrize("dies_at", [0, 1, 2, 5])
def test_a_consumer_that_dies_goes_on_where_its_last_commit_left_it(
    busy: Any, dies_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = busy.snapshot()
    with busy.db.tx("settlement") as tx:
        store.forget(tx, busy.book)
    chunks = iter(range(1000))
    kept = store.set_offset

    def die(*args: Any) -> None:
        if next(chunks) == dies_at:
            raise RuntimeError("killed before the commit")
        kept(*args)

    monkeypatch.setattr(store, "set_offset", die)
    with pytest.raises(RuntimeError):
        settlement.drain(busy.db, busy.book_id, chunk=9)
    assert busy.read(store.offset, busy.book_id) == 1 + 9 * dies_at
    settlement.drain(busy.db, busy.book_id, chunk=4)
    assert busy.snapshot() == before


def test_two_consumers_at_once_take_turns(busy: Any) -> None:
    before = busy.snapshot()
    with busy.db.tx("settlement") as tx:
        store.forget(tx, busy.book)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda chunk: settlement.drain(busy.db, busy.book_id, chunk=chunk), (3, 5)))
    assert sum(done) == len(busy.events())
    assert busy.snapshot() == before


def test_a_drain_stops_where_it_is_told(busy: Any) -> None:
    with busy.db.tx("settlement") as tx:
        store.forget(tx, busy.book)
    assert consumer.drain(busy.db, busy.book_id, up_to=10, chunk=4) == 10
    assert busy.read(store.offset, busy.book_id) == 11


def test_the_stream_is_the_ledger_in_sequence_wherever_reading_begins(busy: Any) -> None:
    events = busy.events()
    assert [e.sequence for e in events] == list(range(1, len(events) + 1))
    assert busy.read(ledger.stream.end, busy.book_id) == len(events) + 1
    for start in range(1, len(events) + 2):
        assert busy.read(ledger.stream.read, busy.book_id, start, 3) == events[start - 1 : start + 2]
