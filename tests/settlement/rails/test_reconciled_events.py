"""What a provider tells by its events is laid against the book by itself, without a report and without anybody asking."""

import threading
from datetime import timedelta

import psycopg
import pytest

import ledger
from settlement import reconciliation
from settlement.rails.by_stripe import Stripe
from tests.settlement.conftest import World
from tests.settlement.rails.fake_stripe import FakeStripe
from tests.settlement.rails.test_instructions import instruct, posted, states
from tests.settlement.rails.test_stripe import fake, hear, ready, send, sooner, stripe_rail, topup

__all__ = ["fake", "posted", "ready", "stripe_rail"]


def rows(world: World, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(world.url) as conn:
        return conn.execute(query).fetchall()


def look(world: World) -> bool:
    return reconciliation.after_files(world.db, world.book)


def matches(world: World) -> list[tuple[object, ...]]:
    return rows(world, "select rule, cardinality(line_ids) from settlement.match where source = 'psp' order by id")


def breaks(world: World) -> list[tuple[object, ...]]:
    return rows(world, "select type, amount_minor from settlement.break where source = 'psp' and state = 'open'")


def lines(world: World) -> list[tuple[object, ...]]:
    return rows(
        world,
        "select kind, amount_minor, state from settlement.told_line where source = 'psp' and side = 'theirs' order by 1, 2, 3",
    )


def test_a_top_up_is_matched_with_its_webhook_whatever_its_events(
    ready: World, fake: FakeStripe, stripe_rail: Stripe
) -> None:
    topup(ready, stripe_rail)
    (session,) = fake.sessions
    hear(ready, fake.event("checkout.session.completed", fake.sessions[session]))  # not paid yet: nothing moved
    assert not look(ready)
    assert hear(ready, fake.pay(session)) == "confirmed"
    assert look(ready)
    hear(ready, fake.intent(session))
    hear(ready, fake.event("checkout.session.expired", fake.sessions[session]))
    assert look(ready), "another event of the payment"
    assert not look(ready)
    assert (matches(ready), breaks(ready)) == ([("by_instruction", 2)], [])
    assert lines(ready) == [("transfer", 5_000, "matched")]


def test_transfers_and_what_came_back_are_matched(ready: World, fake: FakeStripe, stripe_rail: Stripe) -> None:
    instruct(ready, "stripe")
    send(ready, stripe_rail)
    assert set(states(ready).values()) == {"confirmed"}
    for transfer in list(fake.transfers.values()):
        hear(ready, fake.event("transfer.created", transfer))
    assert hear(ready, fake.reverse(next(iter(fake.transfers)))) == "returned"
    look(ready)
    assert breaks(ready) == []
    assert [count for _, count in matches(ready)] == [2, 2, 2]
    assert [(kind, state) for kind, _, state in lines(ready)] == [
        ("returned", "matched"),
        ("transfer", "matched"),
        ("transfer", "matched"),
    ]


def test_what_a_dispute_took_and_gave_back_is_matched(ready: World, fake: FakeStripe, stripe_rail: Stripe) -> None:
    topup(ready, stripe_rail)
    (session,) = fake.sessions
    hear(ready, fake.pay(session))
    told = {
        "id": "dp_1",
        "payment_intent": fake.sessions[session]["payment_intent"],
        "amount": 5_000,
        "currency": "usd",
    }
    assert hear(ready, fake.event("charge.dispute.funds_withdrawn", told)) == "charged_back"
    assert look(ready)
    assert hear(ready, fake.event("charge.dispute.funds_reinstated", told)) == "reinstated"
    assert hear(ready, fake.event("charge.dispute.funds_withdrawn", told)) == "known", "told once more"
    assert look(ready)
    assert breaks(ready) == []
    assert lines(ready) == [
        ("disputed", -5_000, "matched"),
        ("reinstated", 5_000, "matched"),
        ("transfer", 5_000, "matched"),
    ]


def test_a_dispute_over_more_than_was_paid_is_a_break(ready: World, fake: FakeStripe, stripe_rail: Stripe) -> None:
    topup(ready, stripe_rail)
    (session,) = fake.sessions
    hear(ready, fake.pay(session))
    told = {
        "id": "dp_1",
        "payment_intent": fake.sessions[session]["payment_intent"],
        "amount": 5_001,
        "currency": "usd",
    }
    assert hear(ready, fake.event("charge.dispute.funds_withdrawn", told)) == "differs"
    look(ready)
    ready.clock(ready.book.now + timedelta(days=8))
    reconciliation.run(ready.db, ready.book_id)
    assert breaks(ready) == [("missing", -5_001)]


def test_another_sum_is_a_break(ready: World, fake: FakeStripe, stripe_rail: Stripe) -> None:
    topup(ready, stripe_rail)
    (session,) = fake.sessions
    assert hear(ready, fake.pay(session, 4_999)) == "differs"
    look(ready)
    assert breaks(ready) == [], "young: the right word may follow"
    ready.clock(ready.book.now + timedelta(days=8))
    reconciliation.run(ready.db, ready.book_id)
    assert breaks(ready) == [("missing", 4_999)]


def test_a_report_of_what_events_told_is_the_same_line(ready: World, fake: FakeStripe, stripe_rail: Stripe) -> None:
    topup(ready, stripe_rail)
    (session,) = fake.sessions
    hear(ready, fake.pay(session))
    told = {
        "at": ready.book.now.isoformat(),
        "amount": "5000",
        "reference": str(fake.sessions[session]["payment_intent"]),
    }
    look(ready)
    again = reconciliation.bring(ready.db, ready.book_id, reconciliation.file(ready.book, "psp", [told]), None, "ann")
    assert (again.new, again.lines) == (True, 0)
    assert breaks(ready) == []
    assert lines(ready) == [("transfer", 5_000, "matched"), ("transfer", 5_000, "set_aside")]
    twice = reconciliation.file(ready.book, "psp", [told | {"entry": "E-2"}])
    reconciliation.bring(ready.db, ready.book_id, twice, None, "ann")
    assert breaks(ready) == [("duplicate", 5_000)], "a report that tells it once more tells of another"


def test_a_report_before_its_events_is_the_same_line(ready: World, fake: FakeStripe, stripe_rail: Stripe) -> None:
    topup(ready, stripe_rail)
    (session,) = fake.sessions
    told = {
        "at": ready.book.now.isoformat(),
        "amount": "5000",
        "reference": str(fake.sessions[session]["payment_intent"]),
    }
    reconciliation.bring(ready.db, ready.book_id, reconciliation.file(ready.book, "psp", [told]), None, "ann")
    hear(ready, fake.pay(session))
    assert look(ready)
    assert breaks(ready) == []
    assert lines(ready) == [("transfer", 5_000, "matched"), ("transfer", 5_000, "set_aside")]


@pytest.mark.parametrize("at_once", [1, 4])
def test_a_book_is_reconciled_daily_while_anything_could_be_new(
    ready: World, fake: FakeStripe, stripe_rail: Stripe, at_once: int
) -> None:
    job = reconciliation.JOB

    def due() -> object:
        with ready.db.tx("door") as tx:
            return job.next_due(tx, ledger.read_book(tx, ready.book_id))

    def run() -> None:
        together.wait()
        job.run(ready.db, ready.committer, ready.book)

    topup(ready, stripe_rail)
    (session,) = fake.sessions
    hear(ready, fake.pay(session))
    assert due() == ready.book.now, "a provider has told something"
    together = threading.Barrier(at_once)
    threads = [threading.Thread(target=run) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(matches(ready)), breaks(ready)) == (1, [])
    looked = ready.book.now
    sooner(ready)
    topup(ready, stripe_rail, 700)
    assert due() == looked + timedelta(days=1)
