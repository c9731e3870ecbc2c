"""Whoever has not paid in when the network's days of grace are over is suspended by the clock, and warned a day before."""

import threading
from datetime import timedelta
from typing import Any

import pytest

import settlement
from merchants import safety
from settlement.covers.overdue import SetGrace
from tests.audit.failing import OPERATOR, act, begun, cover, pay
from tests.world import World

DAY = timedelta(days=1)


@pytest.fixture
def failing(database_url: str) -> World:
    """The mill owes 1,000 of window 1, which is posted; nobody is suspended."""
    world = begun(database_url)
    act(world, "merchant_resume", "mill")
    return world


def grace(world: World, days: int | None) -> Any:
    return world.do("pay_in_grace", SetGrace(OPERATOR, days))


def wait(world: World, by: timedelta) -> None:
    world.advance(world.book.now + by)


def told(world: World) -> list[tuple[str, Any]]:
    rows = world.rows(
        "select r.kind, r.payload from ledger.record r join ledger.batch b on b.id = r.batch_id where r.book_id = %s and"
        " r.kind in ('pay_in_warned', 'pay_in_missed', 'merchant_suspended', 'merchant_resumed') and r.actor = 'clock'"
        " order by b.first_sequence, r.n",
        world.book_id,
    )
    return [(kind, payload) for kind, payload in rows]


def suspended(world: World, shop: str = "mill") -> bool:
    query = "select suspended from ledger.issuer where merchant_id = %s"
    return bool(world.rows(query, world.shops[shop])[0][0])


def test_without_days_of_grace_nobody_is_suspended(failing: World) -> None:
    wait(failing, timedelta(days=400))
    assert told(failing) == []
    grace(failing, 3)
    grace(failing, None)
    wait(failing, timedelta(days=30))
    assert told(failing) == []


def test_it_is_warned_then_suspended_then_lifted_for_good(failing: World) -> None:
    grace(failing, 3)
    wait(failing, 2 * DAY - timedelta(seconds=1))
    assert told(failing) == []
    wait(failing, timedelta(seconds=1))
    ((kind, facts),) = told(failing)
    assert (kind, facts["window"], facts["open_minor"], suspended(failing)) == ("pay_in_warned", 1, 1_000, False)
    wait(failing, DAY)
    assert [kind for kind, _ in told(failing)] == ["pay_in_warned", "pay_in_missed", "merchant_suspended"]
    assert told(failing)[-1][1]["operator"] is None
    assert suspended(failing)
    ((operator, reason),) = failing.rows(
        "select operator_id, reason from merchants.brake where subject_id = %s order by revision desc limit 1",
        failing.shops["mill"],
    )
    assert (operator, reason) == (None, "window 1 is not paid in, 3 days after it was to be")
    cover(failing, 1, "mill")
    act(failing, "merchant_resume", "mill")
    wait(failing, timedelta(days=90))
    # an operator's word stands: the clock says it once for a window
    assert not suspended(failing)
    assert len(told(failing)) == 3
    assert failing.audit() == []


def test_who_pays_in_time_is_left_alone(failing: World) -> None:
    grace(failing, 3)
    wait(failing, 2 * DAY)
    pay(failing, 1, "mill", 999)
    assert len(told(failing)) == 1
    pay(failing, 1, "mill")
    wait(failing, timedelta(days=9))
    assert [kind for kind, _ in told(failing)] == ["pay_in_warned"]
    assert not suspended(failing)


def test_days_declared_later_count_from_then(failing: World) -> None:
    wait(failing, timedelta(days=30))
    grace(failing, 2)
    assert told(failing) == []
    wait(failing, DAY)
    assert [kind for kind, _ in told(failing)] == ["pay_in_warned"]
    grace(failing, 5)
    wait(failing, 4 * DAY)
    assert len(told(failing)) == 1
    wait(failing, DAY)
    assert suspended(failing)


def test_one_that_stands_still_already_is_told_and_stays_as_it_is(failing: World) -> None:
    grace(failing, 1)
    act(failing, "merchant_suspend", "mill")
    wait(failing, DAY)
    assert [kind for kind, _ in told(failing)] == ["pay_in_warned", "pay_in_missed"]
    act(failing, "merchant_resume", "mill")
    wait(failing, DAY)
    assert not suspended(failing)


def test_in_a_stopped_network_it_waits(failing: World) -> None:
    grace(failing, 1)
    failing.do("network_stop", safety.Act(failing.book.public_id, OPERATOR, "x", None))
    assert settlement.overdue.remind_due(failing.house.db, failing.house.committer, failing.book) == 0
    assert told(failing) == []


def test_many_at_once_do_it_once(failing: World) -> None:
    grace(failing, 1)
    together = threading.Barrier(4)
    book = failing.book

    def run() -> None:
        together.wait()
        settlement.overdue.remind_due(failing.house.db, failing.house.committer, book)

    for _ in range(2):
        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [kind for kind, _ in told(failing)] == ["pay_in_warned"]
    wait(failing, DAY)
    assert [kind for kind, _ in told(failing)] == ["pay_in_warned", "pay_in_missed", "merchant_suspended"]
