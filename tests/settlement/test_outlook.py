"""What the open window comes to now, and what it may come to."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

import settlement
from settlement import netting
from settlement.outlook import Past, forecast
from tests.settlement.conftest import START

OPERATOR = UUID(int=2)
MERCHANTS = [UUID(int=10 + n) for n in range(4)]
amounts = st.dictionaries(st.sampled_from(MERCHANTS), st.integers(-(10**9), 10**9), max_size=4)


@given(st.lists(st.tuples(st.integers(1, 10**6), amounts), max_size=4), st.integers(0, 10**6))
def test_a_forecast_sums_to_zero(past: list[tuple[int, dict[UUID, int]]], left: int) -> None:
    windows = [Past(seconds, 5, found | {OPERATOR: -sum(found.values())}) for seconds, found in past]
    made = forecast(netting.net([], {}, {}, OPERATOR), OPERATOR, START, START + timedelta(seconds=left), windows)
    assert (made is None) == (not windows)
    if made is not None:
        assert sum(made.positions.values()) == 0
        assert made.seconds_left == left


def test_the_forecast_is_so_far_and_the_pace_of_the_last_windows(world: Any) -> None:
    world.shop("cafe", "deferred")
    world.shop("gym", "deferred")
    world.earn("ann", "cafe", 100)
    world.redeem("ann", "gym", 70)
    due = world.read(settlement.schedule.next_due, world.book)
    world.clock(due)
    assert settlement.schedule.close_due(world.db, world.committer, world.book_id) is not None
    world.redeem("ann", "gym", 10)
    settlement.drain(world.db, world.book_id)
    before = world.read(settlement.outlook, world.book)
    world.clock(due + timedelta(days=3.5))
    found = world.read(settlement.outlook, world.book)
    assert (before.window_number, found.window_number) == (2, 2)
    assert {p.party_id: p.position_minor for p in found.netted.positions}[world.shops["gym"].id] == 1_000
    ahead = found.forecast
    assert (ahead.basis_windows, ahead.seconds_left) == (1, 3.5 * 24 * 3600)
    seconds = (world.window(1).closed_at - world.window(1).opened_at).total_seconds()
    assert ahead.positions[world.shops["gym"].id] == 1_000 + 7_000 * ahead.seconds_left // int(seconds)
    assert sum(ahead.positions.values()) == 0
