"""Stripe behind the port: paid once whatever breaks, credited only by a webhook that proves itself."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

import ledger
import settlement
from ledger.errors import StateConflict
from settlement import rails
from settlement.rails import Instruction, by_stripe, paying, sending
from settlement.rails.by_stripe import Forged, Stripe
from tests.settlement.conftest import World
from tests.settlement.rails.fake_stripe import SECRET, FakeStripe, serving, signed
from tests.settlement.rails.test_instructions import all_of, instruct, paid_in, payee, posted, say, states

__all__ = ["posted"]


@pytest.fixture
def fake() -> FakeStripe:
    return FakeStripe()


@pytest.fixture
def stripe_rail(fake: FakeStripe) -> Iterator[Stripe]:
    with serving(fake) as base:
        yield Stripe("test", fake.key, "https://shop.test/done", api_base=base)


@pytest.fixture
def ready(posted: World) -> World:
    """Everybody who owes has paid in, and two shops have accounts at Stripe."""
    paid_in(posted)
    payee(posted, "grocer", "acct_known1", "stripe")
    payee(posted, "tailor", "acct_known2", "stripe")
    return posted


def send(world: World, rail: Stripe) -> int:
    return sending.send_due(world.db, world.committer, {"stripe": rail}, world.book)


def sooner(world: World) -> None:
    """What waits for its next try is due now, and what was claimed is free."""
    world.sql("update settlement.instruction set next_try_at = now() where next_try_at is not null")
    world.sql("update settlement.instruction set claimed_until = now() - interval '1 second'")


def until_known(world: World, rail: Stripe) -> None:
    """A connection that was broken may break once more."""
    for _ in range(4):
        sooner(world)
        send(world, rail)


def topup(world: World, rail: Stripe, amount: int = 5_000) -> Instruction:
    asked = rails.AskTopup(world.shops["cafe"].id, "stripe", amount)
    (id,) = world.ask("ask_topup", asked).decision.value.made  # type: ignore[union-attr]
    send(world, rail)
    found = world.read(rails.store.instruction, id)
    assert found is not None
    return found


def hear(world: World, webhook: tuple[bytes, str]) -> str:
    """Deliver a webhook; what came of it."""
    mode, event = by_stripe.proved(*webhook, {"test": SECRET})
    assert mode == "test"
    told = by_stripe.told(event)
    return "nothing" if told is None else paying.take_stripe_event(world.db, world.committer, mode, told)


def test_a_window_is_paid_by_transfers(ready: World, fake: FakeStripe, stripe_rail: Stripe) -> None:
    made = instruct(ready, "stripe")
    assert (len(made.made), made.file_id) == (2, None)
    assert send(ready, stripe_rail) == 2
    assert {(t["amount"], t["destination"], t["currency"]) for t in fake.transfers.values()} == {
        (2_000, "acct_known1", "usd"),
        (1_000, "acct_known2", "usd"),
    }
    assert {t["transfer_group"] for t in fake.transfers.values()} == {ledger.ids.show("window", ready.window().id)}
    assert set(states(ready).values()) == {"confirmed"}
    assert ready.window().state == "settled"
    assert (ready.balance("psp"), ready.balance("bank")) == (3_000, -3_000)
    assert send(ready, stripe_rail) == 0
    ready.identities()


@pytest.mark.parametrize("fault", ["before", "after", "500", "429", "401"])
def test_what_nobody_knows_is_asked_again_and_paid_once(
    ready: World, fake: FakeStripe, stripe_rail: Stripe, fault: str
) -> None:
    ready.sql("delete from settlement.payee where account = 'acct_known2'")
    instruct(ready, "stripe")
    fake.faults = [fault]
    send(ready, stripe_rail)
    grocer = all_of(ready)["grocer", "pay_out"]
    assert (grocer.state, grocer.tries) == ("unknown", 1)
    assert grocer.last_error
    assert send(ready, stripe_rail) == 0  # not yet
    fake.faults = [fault]
    until_known(ready, stripe_rail)
    assert states(ready)["grocer", "pay_out"] == "confirmed"
    assert [t["amount"] for t in fake.transfers.values()] == [2_000]
    assert len({key for method, _, key in fake.requests if method == "POST"}) == 1


def test_who_tried_before_is_asked_first_among_many(ready: World, fake: FakeStripe, stripe_rail: Stripe) -> None:
    group = ledger.ids.show("window", ready.window().id)
    for n in range(5):
        fake.transfers[f"tr_x{n}"] = {"id": f"tr_x{n}", "object": "transfer", "transfer_group": group, "metadata": {}}
    instruct(ready, "stripe")
    fake.faults = ["after", "after"]
    send(ready, stripe_rail)
    # keys are forgotten after a day; what was made is not
    fake._kept.clear()
    until_known(ready, stripe_rail)
    assert set(states(ready).values()) == {"confirmed"}
    assert sum(t.get("amount", 0) for t in fake.transfers.values()) == 3_000


def test_what_is_refused_is_made_anew(ready: World, fake: FakeStripe, stripe_rail: Stripe) -> None:
    fake.balance = 1_500
    instruct(ready, "stripe")
    send(ready, stripe_rail)
    assert sorted(states(ready).values()) == ["confirmed", "refused"]
    grocer = all_of(ready)["grocer", "pay_out"]
    assert (grocer.reason or "").startswith("balance_insufficient")
    (event,) = ready.events("instruction_refused")
    assert event.payload == {"reason": "balance_insufficient", "operator": None}
    fake.balance = 10**6
    assert len(instruct(ready, "stripe").made) == 1
    send(ready, stripe_rail)
    assert set(states(ready).values()) == {"confirmed"}
    assert sum(t["amount"] for t in fake.transfers.values()) == 3_000


def test_a_person_does_not_speak_for_stripe(ready: World, fake: FakeStripe, stripe_rail: Stripe) -> None:
    made = instruct(ready, "stripe")
    fake.faults = ["after", "after"]
    send(ready, stripe_rail)
    wanted = StateConflict("instruction", "for its provider to tell of")
    assert [say(ready, id, "refused") for id in made.made] == [wanted, wanted]


def test_tries_end_and_a_person_has_it_asked_again(ready: World, fake: FakeStripe, stripe_rail: Stripe) -> None:
    (id, _) = instruct(ready, "stripe").made
    ready.sql("update settlement.instruction set tries = %s", [sending.MOST_TRIES - 1])
    fake.faults = ["before"] * 4
    send(ready, stripe_rail)
    sooner(ready)
    assert send(ready, stripe_rail) == 0
    with ready.db.tx("door") as tx:
        assert rails.store.ask_again(tx, id)
    fake.faults = []
    assert send(ready, stripe_rail) == 1
    found = ready.read(rails.store.instruction, id)
    assert found is not None
    assert found.state == "confirmed"
    with ready.db.tx("door") as tx:
        assert not rails.store.ask_again(tx, id)


def test_waits_grow_and_end() -> None:
    waits = [sending.wait_after(tries) for tries in range(1, sending.MOST_TRIES + 1)]
    assert waits[0] == sending.FIRST_WAIT
    assert waits[-1] is None
    known = [wait for wait in waits if wait is not None]
    assert known == sorted(known)
    assert known[-1] == sending.LONGEST_WAIT


def test_two_processes_send_each_instruction_once(ready: World, fake: FakeStripe, stripe_rail: Stripe) -> None:
    instruct(ready, "stripe")
    fake.hangs_seconds = 0.2
    together = threading.Barrier(6)

    def run() -> None:
        together.wait()
        send(ready, stripe_rail)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([1 for method, _, _ in fake.requests if method == "POST"]) == 2
    assert len(ready.events("payment")) == 3


def _send_and_die(url: str, book_id: int, base: str, key: str) -> None:
    """A process of its own, that is killed in the middle of its call."""
    from tests.settlement.conftest import committer

    db = ledger.Database(url, largest_pool=2)
    posts = committer(url)
    with db.tx("door") as tx:
        book = ledger.read_book(tx, book_id)
    sending.send_due(db, posts, {"stripe": Stripe("test", key, "https://x.test", api_base=base)}, book)


def test_killed_in_the_middle_of_a_call_it_asks_first(ready: World, fake: FakeStripe) -> None:
    ready.sql("delete from settlement.payee where account = 'acct_known2'")
    instruct(ready, "stripe")
    with serving(fake) as base:
        fake.hangs_seconds = 30
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=_send_and_die, args=(ready.url, ready.book_id, base, fake.key))
        process.start()
        until = time.monotonic() + 30
        while not fake.transfers and time.monotonic() < until:
            time.sleep(0.05)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        fake.hangs_seconds = 0
        rail = Stripe("test", fake.key, "https://x.test", api_base=base)
        assert send(ready, rail) == 0  # the dead one's claim is not over
        assert states(ready)["grocer", "pay_out"] == "made"
        sooner(ready)
        before = len(fake.requests)
        assert send(ready, rail) == 1
    assert [method for method, *_ in fake.requests[before:]] == ["GET"]
    assert states(ready)["grocer", "pay_out"] == "confirmed"
    assert len(fake.transfers) == 1


def test_a_top_up_is_credited_by_the_webhook_alone(ready: World, fake: FakeStripe, stripe_rail: Stripe) -> None:
    of = topup(ready, stripe_rail)
    (session,) = fake.sessions
    assert (of.state, of.rail_reference, of.rail_url) == ("sent", session, fake.sessions[session]["url"])
    assert ready.balance("prefund", "cafe") == 0
    webhook = fake.pay(session)
    assert [hear(ready, webhook) for _ in range(3)] == ["confirmed", "known", "known"]
    assert hear(ready, fake.intent(session)) == "known"
    assert hear(ready, fake.event("checkout.session.expired", fake.sessions[session])) == "known"
    assert (ready.balance("prefund", "cafe"), ready.balance("psp")) == (5_000, -5_000)
    assert len(ready.events("topup")) == 1


def test_events_come_in_any_order(ready: World, fake: FakeStripe, stripe_rail: Stripe) -> None:
    of = topup(ready, stripe_rail)
    (session,) = fake.sessions
    told = fake.sessions[session]
    assert hear(ready, fake.event("checkout.session.completed", told)) == "known"  # not paid yet
    assert hear(ready, fake.event("checkout.session.expired", told)) == "refused"
    assert hear(ready, fake.pay(session)) == "confirmed"
    assert ready.balance("prefund", "cafe") == 5_000
    found = ready.read(rails.store.instruction, of.id)
    assert found is not None
    assert (found.state, found.rail_reference) == ("confirmed", told["payment_intent"])


def test_another_sum_or_currency_or_rail_is_not_credited(ready: World, fake: FakeStripe, stripe_rail: Stripe) -> None:
    topup(ready, stripe_rail)
    (session,) = fake.sessions
    assert hear(ready, fake.pay(session, 4_999)) == "differs"
    paid = fake.sessions[session]
    assert hear(ready, fake.event("checkout.session.completed", paid | {"currency": "eur"})) == "differs"
    assert hear(ready, fake.event("checkout.session.completed", paid | {"metadata": {}})) == "nothing"
    strange = {"manex_instruction": ledger.ids.new().hex}
    assert hear(ready, fake.event("checkout.session.completed", paid | {"metadata": strange})) == "nothing"
    asked = rails.AskTopup(ready.shops["cafe"].id, "bank", paid["amount_total"])
    (other,) = ready.ask("ask_topup", asked).decision.value.made  # type: ignore[union-attr]
    by_bank = {"manex_instruction": other.hex}
    assert hear(ready, fake.event("checkout.session.completed", paid | {"metadata": by_bank})) == "differs"
    assert ready.balance("prefund", "cafe") == 0


def test_a_dispute_that_moved_no_money_books_nothing_and_is_shown(
    ready: World, fake: FakeStripe, stripe_rail: Stripe
) -> None:
    of = topup(ready, stripe_rail)
    (session,) = fake.sessions
    assert hear(ready, fake.pay(session)) == "confirmed"
    dispute = {"id": "dp_1", "payment_intent": fake.sessions[session]["payment_intent"], "amount": 5_000}
    told = fake.event("charge.dispute.created", dispute | {"currency": "usd"})
    assert [hear(ready, told), hear(ready, told)] == ["differs", "known"]
    assert hear(ready, fake.event("charge.dispute.created", dispute | {"payment_intent": "pi_other"})) == "nothing"
    (shown,) = ready.read(rails.store.events, ready.book_id, outcome="differs")
    assert (shown.kind, shown.instruction_id) == ("charge.dispute.created", of.id)
    assert ready.balance("prefund", "cafe") == 5_000


def test_a_transfer_is_confirmed_by_its_webhook_and_comes_back_by_one(
    ready: World, fake: FakeStripe, stripe_rail: Stripe
) -> None:
    instruct(ready, "stripe")
    fake.faults = ["after", "after"]
    send(ready, stripe_rail)
    assert set(states(ready).values()) == {"unknown"}
    for transfer in list(fake.transfers.values()):
        assert hear(ready, fake.event("transfer.created", transfer)) == "confirmed"
    sooner(ready)
    assert send(ready, stripe_rail) == 0
    assert ready.window().state == "settled"
    first = next(id for id, t in fake.transfers.items() if t["destination"] == "acct_known1")
    assert hear(ready, fake.reverse(first, 5)) == "differs"
    back = fake.reverse(first)
    assert [hear(ready, back), hear(ready, back)] == ["returned", "known"]
    assert (ready.balance("position", "grocer", 1), ready.window().state) == (2_000, "paying")
    assert len(instruct(ready, "stripe").made) == 1
    send(ready, stripe_rail)
    assert ready.window().state == "settled"
    before = ready.snapshot()
    settlement.rebuild(ready.db, ready.book_id)
    assert ready.snapshot() == before


def test_a_webhook_proves_itself(fake: FakeStripe) -> None:
    raw, good = fake.event("checkout.session.completed", {})
    now = int(time.time())
    secrets = {"test": SECRET}
    stamp, signature = good.split(",")
    assert by_stripe.proved(raw, good, secrets)[0] == "test"
    assert by_stripe.proved(raw, f"{stamp},v1={64 * '0'},{signature},v0=x", secrets)[0] == "test"
    forged = {
        "nothing": (raw, ""),
        "another secret": (raw, signed(raw, "whsec_other")),
        "another body": (raw + b" ", good),
        "too old": (raw, signed(raw, at=now - 400)),
        "too far ahead": (raw, signed(raw, at=now + 400)),
        "no time": (raw, signature),
        "another time": (raw, f"t={now + 1},{signature}"),
        "no version 1": (raw, good.replace("v1", "v0")),
        "not ASCII": (raw, f"{stamp},v1=é"),
        "not UTF-8": (b"\xff", good),
        "no JSON": (b"{", signed(b"{")),
        "no object": (b"[]", signed(b"[]")),
    }
    for body, header in forged.values():
        with pytest.raises(Forged):
            by_stripe.proved(body, header, secrets)
    live, sign = fake.event("checkout.session.completed", {}, live=True)
    with pytest.raises(Forged):
        by_stripe.proved(live, sign, secrets)
    with pytest.raises(Forged):
        by_stripe.proved(raw, good, {})


def test_a_key_of_the_other_mode_is_not_taken(fake: FakeStripe) -> None:
    for mode, key in (("test", "sk_live_x"), ("live", "sk_test_x"), ("test", "pk_test_x")):
        with pytest.raises(AssertionError):
            Stripe(mode, key, "https://x.test")
    rail = Stripe("live", "sk_live_x", "https://x.test", api_base="http://127.0.0.1:9")
    job = sending.job({"live": {"stripe": rail}})
    assert job.name == "rails"


def test_a_live_rail_sends_nothing_of_a_test_book(ready: World, fake: FakeStripe) -> None:
    fake.key = "sk_live_fake"
    instruct(ready, "stripe")
    with serving(fake) as base:
        job = sending.job({"live": {"stripe": Stripe("live", fake.key, "https://x.test", api_base=base)}})
        assert ready.read(job.next_due, ready.book) is None
        assert job.run(ready.db, ready.committer, ready.book) == 0
    assert fake.requests == []


def test_a_currency_that_stripe_counts_otherwise_is_refused(fake: FakeStripe, stripe_rail: Stripe) -> None:
    order = rails.port.Order(ledger.ids.new(), 500, "JPY", 2, "", None)
    assert isinstance(stripe_rail.make(order), rails.port.Refused)
    assert fake.requests == []
