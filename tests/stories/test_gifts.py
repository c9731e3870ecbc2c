"""Gifts: points change hands with all that they are, in bounds, and never come back the way they went."""

import datetime as dt
import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

import ledger
from deploy.house import House
from merchants import sales, trade
from merchants.people import spend_codes
from tests.gateway.network import Api, new_key
from tests.world import SPEND_KEY, World

LOT = "issuer_id, unit_value_minor, funding, contract_id, rule_id, sale_id, earned_at, available_at, expires_at, grace_used"


@pytest.fixture
def town(world: World) -> Iterator[World]:
    """A deferred cafe, a prefunded bakery, a barber with points of its own; after each story all of it is proven."""
    world.shop("cafe", mode="deferred", redemption_fee_ppm=20_000)
    world.shop("bakery", mode="prefunded", bought=10_000)
    world.shop("barber", mode="closed_loop", unit_value_minor=3)
    for name in ("ann", "bob", "eve"):
        world.member(name)
    yield world
    assert world.audit() == []


class Watch:
    """Why a committer tried a batch again."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def committed(self, requests: int, replayed: int, seconds: float) -> None: ...

    def repeated(self, reason: str) -> None:
        self.reasons.append(reason)

    def singly(self, requests: int) -> None: ...


def refusal(world: World, giver: str, to: str, points: int, **more: Any) -> str:
    return world.refusal("gift", world.gift_of(giver, to, points, **more), principal=world.members[giver])


def put(world: World, what: str, member: str) -> None:
    """What a door does to a member, for which the house has no verb here."""
    with psycopg.connect(world.url, autocommit=True) as conn:
        conn.execute(f"update merchants.member set {what} where id = %s", [world.members[member]])


# -- what moves


@pytest.mark.row("A8")
def test_a_gift_moves_the_soonest_to_expire_with_all_that_they_are(town: World) -> None:
    town.earn("ann", at="cafe", points=30)
    town.later(days=10)
    town.earn("ann", at="bakery", points=50)
    done = town.give("ann", "bob", 45)
    assert (done.points, done.value, done.available) == (45, 45, 35)
    assert (town.balance("ann"), town.balance("bob")) == (35, 45)
    pairs = town.rows(
        f"select c.points, ({LOT.replace(', ', ', c.').replace('issuer', 'c.issuer', 1)})::text = "
        f"({LOT.replace(', ', ', p.').replace('issuer', 'p.issuer', 1)})::text"
        " from ledger.lot c join ledger.lot p on p.id = c.parent_id order by c.expires_at"
    )
    assert pairs == [(30, True), (15, True)]
    expiring = dict(town.wallet("bob").expiring)
    assert sorted(expiring.values()) == [15, 30]


@pytest.mark.row("A8")
def test_given_points_are_spent_refunded_and_expire_with_the_receiver(town: World) -> None:
    town.earn("ann", at="cafe", points=30)
    town.give("ann", "bob", 20)
    spent = town.redeem("bob", "bakery", 15)
    assert town.give_back(spent, "bakery", 10).available == 15
    assert (town.balance("ann"), town.balance("bob")) == (10, 15)
    town.later(days=121)
    assert (town.balance("ann"), town.balance("bob")) == (0, 0)
    assert town.account("credit", "cafe") == -5  # what the bakery accepted


def test_points_of_one_shop_may_be_given_and_stay_good_at_that_shop_only(town: World) -> None:
    town.earn("ann", at="barber", points=12)
    town.give("ann", "bob", 12)
    elsewhere = town.redemption_of("bob", "cafe", 5)
    assert town.refusal("redemption", elsewhere, principal=town.shops["cafe"]) == "insufficient_points"
    town.redeem("bob", "barber", 12)


@pytest.mark.row("A8")
def test_a_refund_of_the_sale_leaves_the_giver_owing(town: World) -> None:
    bought = town.earn("ann", at="cafe", points=40)
    town.give("ann", "bob", 30)
    refund = town.refund(bought)
    assert (refund.returned, refund.owed) == (10, 30)
    assert (town.owed("ann", "cafe"), town.balance("bob")) == (30, 30)


def test_a_refund_after_what_was_given_expired_still_finds_it_owed(town: World) -> None:
    bought = town.earn("ann", at="cafe", points=40)
    town.give("ann", "bob", 30)
    town.later(days=121)
    refund = town.refund(bought)
    # the ten that stayed expired and count as returned; the thirty are bob's story
    assert (refund.returned, refund.owed) == (10, 30)


@pytest.mark.row("A8")
def test_gifts_repay_nothing(town: World) -> None:
    bought = town.earn("bob", at="cafe", points=20)
    town.redeem("bob", "bakery", 20)
    town.refund(bought)
    town.earn("ann", at="cafe", points=50)
    town.give("ann", "bob", 25)
    assert (town.owed("bob", "cafe"), town.balance("bob")) == (20, 25)
    # and who owes gives nothing away from the shops
    assert refusal(town, "bob", "eve", 5) == "state_conflict"


def test_grace_goes_along_and_is_not_given_twice(town: World) -> None:
    town.earn("ann", at="cafe", points=40)
    spent = town.redeem("ann", "bakery", 40)
    town.later(days=130)
    town.give_back(spent, "bakery")
    town.give("ann", "bob", 40)
    again = town.redeem("bob", "bakery", 40)
    town.later(days=40)
    assert town.give_back(again, "bakery").available == 0


# -- what is refused


@pytest.mark.row("A8")
def test_refusals_of_gifts(town: World) -> None:
    town.earn("ann", at="cafe", points=100)
    town.earn("bob", at="cafe", points=10)
    nobody = trade.Gift(town.members["ann"], ledger.Points(1), to_number="100000000009", spend_code=town.code("ann"))
    cases: dict[str, tuple[Callable[[], str], str]] = {
        "to oneself": (lambda: refusal(town, "ann", "ann", 5), "validation_failed"),
        "more than there is": (lambda: refusal(town, "ann", "bob", 101), "insufficient_points"),
        "a wrong code": (lambda: refusal(town, "ann", "bob", 5, code="000000"), "consent_required"),
        "the receiver's code": (lambda: refusal(town, "ann", "bob", 5, code=town.code("bob")), "consent_required"),
        "to nobody": (lambda: town.refusal("gift", nobody, principal=town.members["ann"]), "not_found"),
    }
    assert {name: ask() for name, (ask, _) in cases.items()} == {name: code for name, (_, code) in cases.items()}
    no_code = trade.Gift(town.members["ann"], ledger.Points(5), to_number=town.number("bob"))
    assert town.refusal("gift", no_code, principal=town.members["ann"]) == "consent_required"
    town.freeze("bob")
    assert refusal(town, "ann", "bob", 5) == "not_found"
    assert refusal(town, "bob", "ann", 5) == "spend_locked"
    put(town, "state = 'left'", "eve")
    assert refusal(town, "ann", "eve", 5) == "not_found"
    put(town, "spend_locked = true", "ann")
    assert refusal(town, "ann", "bob", 5) == "spend_locked"
    assert town.balance("ann") == 100


@pytest.mark.row("A8")
def test_a_code_gives_once(town: World) -> None:
    town.earn("ann", at="cafe", points=100)
    code = town.code("ann")
    town.do("gift", town.gift_of("ann", "bob", 5, code=code), principal=town.members["ann"])
    assert refusal(town, "ann", "bob", 5, code=code) == "code_already_used"
    at_a_till = town.redemption_of("ann", "cafe", 5, code=code)
    assert town.refusal("redemption", at_a_till, principal=town.shops["cafe"]) == "code_already_used"


def test_held_points_are_not_given(town: World) -> None:
    town.earn("ann", at="cafe", points=100)
    town.hold("ann", "bakery", 60)
    assert refusal(town, "ann", "bob", 41) == "insufficient_points"
    town.give("ann", "bob", 40)


@pytest.mark.row("A8")
def test_points_do_not_return_by_gift(town: World) -> None:
    town.earn("ann", at="cafe", points=30)
    town.give("ann", "bob", 20)
    town.give("bob", "eve", 10)
    assert refusal(town, "eve", "bob", 1) == "state_conflict"
    assert refusal(town, "eve", "ann", 1) == "state_conflict"
    # points that never were ann's may be given to her; those that were go first, and are not passed over
    town.earn("eve", at="cafe", points=5)
    assert refusal(town, "eve", "ann", 1) == "state_conflict"
    town.redeem("eve", "cafe", 10)
    town.give("eve", "ann", 5)


def test_a_lot_is_given_eight_times_and_no_more(town: World) -> None:
    chain = ["ann", *[f"friend {i}" for i in range(9)]]
    for name in chain[1:]:
        town.member(name)
    town.earn("ann", at="cafe", points=3)
    for giver, receiver in itertools.pairwise(chain[:-1]):
        town.give(giver, receiver, 3)
    assert refusal(town, chain[-2], chain[-1], 3) == "state_conflict"
    town.redeem(chain[-2], "cafe", 3)


@pytest.mark.row("A8")
def test_gifts_of_one_batch_see_each_other(town: World) -> None:
    """Points go on twice within one batch, do not come back within it, and a limit counts what the batch gave."""
    town.earn("ann", at="cafe", points=30)
    town.do("gift_rules", sales.GiftRules(points_a_day=25, gifts_a_day=3, received_a_day=100))
    wanted = [
        town.gift_of("ann", "bob", 20),
        town.gift_of("bob", "eve", 20),
        town.gift_of("eve", "ann", 1),
        town.gift_of("ann", "bob", 6, code=town.code("ann", 1)),
        town.gift_of("ann", "bob", 5, code=town.code("ann", 1)),
    ]
    outcomes = town.house.committer.post_all([town.request("gift", w, principal=w.giver_id) for w in wanted])
    said = [o.decision.code if isinstance(o.decision, ledger.Refusal) else "given" for o in outcomes]
    assert said == ["given", "given", "state_conflict", "limit_exceeded", "given"]
    assert [town.balance(name) for name in ("ann", "bob", "eve")] == [5, 5, 20]


# -- limits


@pytest.mark.row("A8")
def test_a_days_limits_end_with_the_day_of_the_network(town: World) -> None:
    town.do("gift_rules", sales.GiftRules(points_a_day=50, gifts_a_day=3, received_a_day=60))
    town.earn("ann", at="cafe", points=200)
    town.earn("eve", at="cafe", points=200)
    town.give("ann", "bob", 40)
    assert refusal(town, "ann", "bob", 11) == "limit_exceeded"
    assert refusal(town, "eve", "bob", 21) == "limit_exceeded"
    town.give("eve", "bob", 20)
    town.give("ann", "eve", 5)
    town.give("ann", "eve", 1)
    assert refusal(town, "ann", "eve", 1) == "limit_exceeded"
    town.advance(town.book.now.replace(hour=0, minute=0, second=1) + dt.timedelta(days=1))
    town.give("ann", "bob", 50)


@pytest.mark.row("A8")
def test_a_giver_finds_out_about_few_telephones(town: World) -> None:
    town.earn("ann", at="cafe", points=50)
    said = []
    for i in range(12):
        probe = trade.Gift(
            town.members["ann"], ledger.Points(1), to_phone=f"+98935{i:07d}", spend_code=town.code("ann")
        )
        said.append(town.refusal("gift", probe, principal=town.members["ann"]))
    assert Counter(said) == {"not_found": 10, "rate_limited": 2}
    assert refusal(town, "ann", "bob", 1) == "rate_limited"
    town.later(days=1)
    town.give("ann", "bob", 1)


def test_a_gift_sent_again_is_one_gift(town: World) -> None:
    town.earn("ann", at="cafe", points=50)
    wanted = town.gift_of("ann", "bob", 20)
    first = town.ask("gift", wanted, key="the-same-key-0001", principal=town.members["ann"])
    again = town.ask("gift", wanted, key="the-same-key-0001", principal=town.members["ann"])
    assert (again.body, again.replayed) == (first.body, True)
    assert town.balance("bob") == 20


# -- at once


@pytest.mark.row("A8")
def test_gifts_both_ways_and_redemptions_at_once_lose_and_double_nothing(town: World) -> None:
    """Two processes' worth of writers; every gift has a device of its own, so that each code is fresh."""
    for name in ("ann", "bob"):
        for _ in range(4):
            town.earn(name, at="cafe", points=25)
    everyone: list[tuple[str, ledger.Request]] = []
    for i in range(16):
        giver, taker = ("ann", "bob") if i % 2 else ("bob", "ann")
        wanted = town.gift_of(giver, taker, 7, code=_phone(town, giver))
        everyone.append((giver, town.request("gift", wanted, principal=town.members[giver])))
        spend = town.redemption_of(giver, "bakery", 3, code=_phone(town, giver))
        everyone.append((giver, town.request("redemption", spend, principal=town.shops["bakery"])))
    watch = Watch()
    houses = [town.house, House.open(town.url, SPEND_KEY, watch)]
    try:
        with ThreadPoolExecutor(16) as threads:
            waiting = [threads.submit(houses[i % 2].committer.post, request) for i, (_, request) in enumerate(everyone)]
            outcomes = [w.result() for w in waiting]
    finally:
        houses[1].close()
    done = [o.decision.value for o in outcomes if isinstance(o.decision, ledger.Accepted)]
    gifts = [d for d in done if isinstance(d, trade.GiftDone)]
    spent = [d for d in done if isinstance(d, trade.RedemptionDone)]
    assert "DeadlockDetected" not in watch.reasons
    assert len(spent) == 16
    assert len(gifts) >= 8
    refused = {o.decision.code for o in outcomes if isinstance(o.decision, ledger.Refusal)}
    # what came from the other does not go back
    assert refused <= {"state_conflict"}
    assert town.balance("ann") + town.balance("bob") == 200 - 3 * 16


def test_a_limit_is_exact_however_many_give_at_once(town: World) -> None:
    town.do("gift_rules", sales.GiftRules(points_a_day=1_000, gifts_a_day=100, received_a_day=40))
    givers = [f"giver {i}" for i in range(12)]
    for name in givers:
        town.member(name)
        town.earn(name, at="cafe", points=10)
    requests = [town.request("gift", town.gift_of(n, "bob", 10), principal=town.members[n]) for n in givers]
    houses = [town.house, House.open(town.url, SPEND_KEY)]
    try:
        with ThreadPoolExecutor(12) as threads:
            waiting = [threads.submit(houses[i % 2].committer.post, r) for i, r in enumerate(requests)]
            decisions = [w.result().decision for w in waiting]
    finally:
        houses[1].close()
    assert sum(isinstance(d, ledger.Accepted) for d in decisions) == 4
    assert town.balance("bob") == 40


def _phone(world: World, member: str) -> str:
    """The code of one more device of a member. More than the product allows."""
    device, nonce = ledger.ids.new(), os.urandom(spend_codes.NONCE_BYTES)
    with psycopg.connect(world.url, autocommit=True) as conn:
        conn.execute(
            "insert into merchants.device (id, book_id, member_id, name, nonce, enrolled_at)"
            " values (%s, %s, %s, 'phone', %s, %s)",
            [device, world.book_id, world.members[member], nonce, world.book.now],
        )
    secret = spend_codes.secret(SPEND_KEY, device, nonce)
    return spend_codes.code(secret, spend_codes.step(world.book.now))


# -- over HTTP


@pytest.mark.row("A8")
def test_a_gift_by_phone_and_both_histories(api: Api) -> None:
    ann, bob = api.member(), api.member("+15550100124")
    api.sell(ann, 10_000)
    key = new_key()
    body = {"to": "+1 555 010 0124", "points": 30, "spend_code": ann.code()}
    done = api.done("POST", "/v1/me/gifts", body, by=ann.token, key=key)
    assert (done["points"], done["balance"]["available"], done["given"]) == (30, 70, True)
    assert done["member"] == "*" * 8 + bob.number[-4:]
    assert api.call("POST", "/v1/me/gifts", body, by=ann.token, key=key).headers["idempotent-replayed"] == "true"
    assert api.done("GET", "/v1/me/balance", by=bob.token)["available"] == 30
    [given] = api.done("GET", "/v1/me/gifts", by=ann.token)["data"]
    [got] = api.done("GET", "/v1/me/gifts", by=bob.token)["data"]
    assert (given["given"], got["given"], given["id"]) == (True, False, got["id"])
    assert got["member"] == "*" * 8 + ann.number[-4:]
    told = api.done("GET", "/v1/me/records", by=bob.token)["data"]
    assert [record["kind"] for record in told] == ["gift_received"]
    assert told[0]["facts"]["giver"] == ann.id
    assert told[0]["subject"] == done["id"]
    api.advance("2017-01-01T00:02:00Z")
    api.done("POST", "/v1/me/gifts", body | {"points": 7, "spend_code": ann.code()}, by=ann.token, key=new_key())
    newest = api.done("GET", "/v1/me/gifts?limit=1", by=ann.token)
    assert ([g["points"] for g in newest["data"]], newest["has_more"]) == ([7], True)
    oldest = api.done("GET", f"/v1/me/gifts?limit=1&cursor={newest['next_cursor']}", by=ann.token)
    assert ([g["points"] for g in oldest["data"]], oldest["has_more"]) == ([30], False)
    stolen = api.call("GET", f"/v1/me/gifts?cursor={newest['next_cursor']}", by=bob.token)
    assert stolen.json()["code"] == "cursor_invalid"


@pytest.mark.row("A8")
def test_a_network_says_how_much_may_be_given(api: Api) -> None:
    path = f"/v1/operator/books/{api.book}/gift-rules"
    assert api.done("GET", path, by=api.approver)["gifts_a_day"] == 10
    rules = {"points_a_day": 20, "gifts_a_day": 1, "received_a_day": 20}
    assert api.done("PUT", path, rules, by=api.maker) == rules
    ann, bob = api.member(), api.member("+15550100124")
    api.sell(ann, 10_000)
    body = {"to": bob.number, "points": 21, "spend_code": ann.code()}
    refused = api.call("POST", "/v1/me/gifts", body, by=ann.token, key=new_key())
    assert (refused.status_code, refused.json()["code"]) == (422, "limit_exceeded")
    assert refused.json()["facts"] == {"limit": "gift_points_a_day", "allowed": 20, "asked": 21}
    api.done("POST", "/v1/me/gifts", body | {"points": 20}, by=ann.token, key=new_key())
