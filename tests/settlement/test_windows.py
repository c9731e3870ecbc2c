"""Windows: membership by sequence, one close, two people, and a state for every step."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import ledger
import settlement
from ledger.errors import NotFound, StateConflict


@pytest.fixture
def coalition(world: Any) -> Any:
    world.shop("bakery", "prefunded", purchase_ppm=5_000, redemption_ppm=10_000)
    world.shop("cafe", "deferred", purchase_ppm=3_333, redemption_ppm=12_345)
    world.stock("bakery", 1_000)
    world.earn("ann", "bakery", 120, 7_777)
    world.earn("ann", "cafe", 80, 5_001)
    world.redeem("ann", "cafe", 120)
    return world


@pytest.mark.row("G2")
def test_a_window_ends_with_its_close_record_and_the_next_begins_after_it(coalition: Any) -> None:
    coalition.close()
    (closed,) = coalition.events("window_closed")
    first, second = coalition.window(1), coalition.window(2)
    assert (first.state, first.first_sequence, first.last_sequence) == ("advised", 1, closed.sequence)
    assert first.ledger_hash == closed.hash
    assert [step["step"] for step in first.steps] == ["closing", "closed", "netted", "advised"]
    assert (second.state, second.first_sequence, second.last_sequence) == ("open", closed.sequence + 1, None)


@pytest.mark.row("G2")
def test_closing_a_closed_window_answers_as_it_is(coalition: Any) -> None:
    coalition.close()
    assert coalition.close(1).state == "advised"
    assert len(coalition.events("window_closed")) == 1


@pytest.mark.row("G2")
def test_concurrent_closers_close_once(coalition: Any) -> None:
    """The schedule and operators, in two processes."""
    committers = [coalition.committer, coalition.another_committer()]
    barrier = threading.Barrier(6)

    def close(i: int) -> Any:
        barrier.wait()
        return settlement.windows.close(coalition.db, committers[i % 2], coalition.book_id, number=1)

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(close, range(6)))
    assert {type(o.decision) for o in outcomes} == {ledger.Accepted}
    assert len(coalition.events("window_closed")) == 1
    assert coalition.window(2).state == "open"


@pytest.mark.row("G2")
def test_every_capture_falls_in_exactly_one_window_however_close_it_comes(coalition: Any) -> None:
    for i in range(40):
        coalition.earn(f"m{i}", "cafe", 10, 100)
    other = coalition.another_committer()

    def close() -> None:
        for number in (1, 2, 3):
            settlement.windows.close(coalition.db, other, coalition.book_id, number=number)

    with ThreadPoolExecutor(5) as pool:
        closing = pool.submit(close)
        list(pool.map(lambda i: coalition.redeem(f"m{i}", "bakery", 10), range(40)))
        closing.result()
    settlement.drain(coalition.db, coalition.book_id)
    closes = [event.sequence for event in coalition.events("window_closed")]
    items = coalition.sql("select sequence, window_number from settlement.item")
    assert len(items) == len(coalition.events("capture")) + len(coalition.events("sale"))
    assert all(number == 1 + sum(close < sequence for close in closes) for sequence, number in items)


def test_a_window_without_events_closes(world: Any) -> None:
    world.close(1)
    world.close(2)
    assert [w.state for w in world.read(settlement.list_windows, world.book_id)] == ["open", "advised", "advised"]
    assert world.window(1).totals["gross_minor"] == 0


def test_an_unknown_window_is_not_found(coalition: Any) -> None:
    outcome = settlement.windows.close(coalition.db, coalition.committer, coalition.book_id, number=7)
    assert outcome.decision == NotFound("window")


def test_two_people_take_a_window_to_payment(coalition: Any) -> None:
    coalition.fund()
    window = coalition.window()
    assert window.state == "paying"
    told = [(s["step"], s["by"]) for s in window.steps if s["step"] in ("submitted", "approved")]
    assert told == [("submitted", str(coalition.maker)), ("approved", str(coalition.checker))]


def test_nobody_approves_what_they_submitted(coalition: Any) -> None:
    coalition.close()
    coalition.submit(by=coalition.maker)
    refusal = coalition.approve(by=coalition.maker)
    assert isinstance(refusal, settlement.SelfApproval)
    assert refusal.code == "self_approval_forbidden"


def test_an_approval_names_what_it_approves(coalition: Any) -> None:
    coalition.close()
    coalition.submit()
    assert isinstance(coalition.approve(hash="00" * 32), StateConflict)
    assert coalition.window().state == "submitted"


def test_a_step_from_the_wrong_state_is_refused(coalition: Any) -> None:
    refused = [coalition.submit(), coalition.approve()]
    assert refused == [StateConflict("window", "open")] * 2
    coalition.close()
    assert coalition.approve() == StateConflict("window", "advised")
    assert coalition.pay() == StateConflict("window", "advised")


def test_a_step_repeated_by_the_same_person_is_no_second_step(coalition: Any) -> None:
    coalition.fund()
    assert isinstance(coalition.approve(), ledger.Accepted)
    assert len(coalition.events("window_approved")) == 1
    assert len(coalition.events("settlement")) == 1


@pytest.mark.parametrize(("act", "step"), [("send_back", "returned"), ("abort", "aborted")])
def test_a_submitted_window_comes_back(coalition: Any, act: str, step: str) -> None:
    coalition.close()
    before = coalition.window().positions_hash
    coalition.submit()
    getattr(settlement.windows, act)(
        coalition.db,
        coalition.committer,
        coalition.book_id,
        number=1,
        reason="a shop asked",
        asker=coalition.asker(coalition.checker),
    )
    window = coalition.window()
    assert (window.state, window.positions_hash) == ("advised", before)
    assert next(s for s in window.steps if s["step"] == step)["reason"] == "a shop asked"
    assert isinstance(coalition.submit(), ledger.Accepted)


def test_concurrent_approvals_and_aborts_leave_one_decision(coalition: Any) -> None:
    coalition.close()
    coalition.submit()
    digest = coalition.window().positions_hash.hex()
    other = coalition.another_committer()
    barrier = threading.Barrier(2)

    def approve() -> Any:
        barrier.wait()
        return settlement.windows.approve(
            coalition.db,
            coalition.committer,
            coalition.book_id,
            number=1,
            positions_hash=digest,
            asker=coalition.asker(coalition.checker),
        ).decision

    def abort() -> Any:
        barrier.wait()
        return settlement.windows.abort(
            coalition.db, other, coalition.book_id, number=1, reason="no", asker=coalition.asker(coalition.maker)
        ).decision

    with ThreadPoolExecutor(2) as pool:
        decisions = [f.result() for f in (pool.submit(approve), pool.submit(abort))]
    assert [isinstance(d, ledger.Accepted) for d in decisions].count(True) == 1
    assert coalition.window().state in ("paying", "advised")


def test_windows_are_posted_in_order_because_of_the_carry(coalition: Any) -> None:
    coalition.close(1)
    coalition.redeem("ann", "bakery", 10)
    coalition.close(2)
    coalition.submit(2)
    coalition.approve(2)
    assert coalition.window(2).state == "funding"
    coalition.submit(1)
    coalition.approve(1)
    assert [coalition.window(n).state for n in (1, 2)] == ["paying", "paying"]


def test_an_approved_window_is_posted_by_whoever_comes_next(coalition: Any) -> None:
    """The process died between the approval and the settlement."""
    coalition.close()
    coalition.submit()
    step = settlement.Step(1, coalition.checker, positions_hash=coalition.window().positions_hash.hex())
    coalition.ask("window_approve", step)
    assert settlement.windows.resume(coalition.db, coalition.committer, coalition.book_id) == 1
    assert settlement.windows.resume(coalition.db, coalition.committer, coalition.book_id) == 0
    assert coalition.window().state == "paying"
