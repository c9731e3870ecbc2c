"""The schedule closes windows by the network's own calendar and clock."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import settlement
from settlement import schedule


def test_a_weekly_window_closes_at_midnight_of_the_networks_zone(world: Any) -> None:
    """Tehran is 3 h 30 ahead of UTC in winter: the Monday after begins on Sunday, 20:30 UTC."""
    world.shop("cafe", "deferred")
    assert world.read(schedule.next_due, world.book) is None
    world.earn("ann", "cafe", 10, 100)
    due = datetime(2017, 1, 8, 20, 30, tzinfo=UTC)
    assert world.read(schedule.next_due, world.book) == due
    settlement.drain(world.db, world.book_id)
    assert world.read(schedule.next_due, world.book) == due


def test_what_is_due_is_closed_once(world: Any) -> None:
    world.shop("cafe", "deferred")
    world.earn("ann", "cafe", 10, 100)
    assert schedule.close_due(world.db, world.committer, world.book_id) is None
    world.clock(datetime(2017, 1, 8, 20, 30, tzinfo=UTC))
    assert schedule.close_due(world.db, world.committer, world.book_id) is not None
    assert schedule.close_due(world.db, world.committer, world.book_id) is None
    assert world.window(1).closed_at == datetime(2017, 1, 8, 20, 30, tzinfo=UTC)
    assert world.read(schedule.next_due, world.book) - world.window(1).closed_at == timedelta(days=7)


def test_without_a_schedule_only_operators_close(world: Any) -> None:
    world.shop("cafe", "deferred")
    world.earn("ann", "cafe", 10, 100)
    world.sql("update ledger.book set window_schedule = 'null'")
    assert world.read(schedule.next_due, world.book) is None


def test_a_cut_off_in_an_hour_that_summer_time_takes_or_gives_twice_closes_once_a_day(world: Any) -> None:
    """New York, 2017: 12 March has no 02:30, 5 November has 01:30 twice."""
    world.shop("cafe", "deferred")
    world.earn("ann", "cafe", 10, 100)
    settlement.drain(world.db, world.book_id)
    for at, begins, closes in (
        ("02:30", datetime(2017, 3, 11, 12, tzinfo=UTC), ["03-12T07:30", "03-13T06:30", "03-14T06:30"]),
        ("01:30", datetime(2017, 11, 4, 12, tzinfo=UTC), ["11-05T06:30", "11-06T06:30", "11-07T06:30"]),
    ):
        rule = {"every": "day", "at": at}
        world.sql(
            "update ledger.book set time_zone = 'America/New_York', window_schedule = %s::jsonb", [json.dumps(rule)]
        )
        world.clock(begins)
        settlement.windows.close(
            world.db, world.committer, world.book_id, number=world.read(settlement.newest_window, world.book_id).number
        )
        for expected in closes:
            due = world.read(schedule.next_due, world.book)
            assert f"{due.astimezone(UTC):%m-%dT%H:%M}" == expected
            world.clock(due)
            assert schedule.close_due(world.db, world.committer, world.book_id) is not None
            assert schedule.close_due(world.db, world.committer, world.book_id) is None
