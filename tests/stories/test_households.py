"""Households: members share the right to spend, each in the bounds they set, and go whenever they like."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

import ledger
from deploy.house import House
from merchants import trade
from tests.gateway.network import Api, new_key
from tests.world import SPEND_KEY, World


@pytest.fixture
def town(world: World) -> Iterator[World]:
    """A cafe, a bakery, three members; after each story all of it is proven."""
    world.shop("cafe", mode="deferred")
    world.shop("bakery", mode="deferred", hold_minutes=30)
    for name in ("ann", "bob", "eve"):
        world.member(name)
    yield world
    assert world.audit() == []


def shares(world: World, member: str, points: int | None) -> None:
    world.step(trade.ShareWallet(world.members[member], points))


def spend(world: World, owner: str, points: int, by: str, **more: Any) -> str:
    """What a till is told: how it ended, or the code of the refusal."""
    asked = world.redemption_of(owner, "bakery", points, code=more.pop("code", None) or world.code(by), **more)
    decision = world.ask("redemption", asked, principal=world.shops["bakery"]).decision
    world.later(minutes=1)
    if isinstance(decision, ledger.Refusal):
        return decision.code
    assert isinstance(decision, ledger.Accepted)
    return str(decision.value.state)


def refused(world: World, command: Any) -> str:
    return world.refusal("household", command, principal=command.member_id)


def put(world: World, what: str, member: str) -> None:
    with psycopg.connect(world.url, autocommit=True) as conn:
        conn.execute(f"update merchants.member set {what} where id = %s", [world.members[member]])


# -- spending


@pytest.mark.row("A8")
def test_one_of_a_household_spends_what_another_shares(town: World) -> None:
    town.earn("ann", at="cafe", points=100)
    town.household("ann", "bob")
    assert spend(town, "ann", 10, by="bob") == "consent_required"  # nothing is shared by joining
    shares(town, "ann", 50)
    done = town.redeem("ann", "bakery", 30, code=town.code("bob"))
    assert (done.member_id, done.consented_by) == (town.members["ann"], town.members["bob"])
    assert (town.balance("ann"), town.balance("bob")) == (70, 0)
    told = town.rows("select payload ->> 'consented_by' from ledger.record where kind = 'hold'")
    assert told == [(str(town.members["bob"]),)]
    assert town.rows("select consented_by from merchants.redemption") == [(town.members["bob"],)]
    # refunds go back to the owner, and count no more
    town.give_back(done, "bakery", 20)
    assert (town.balance("ann"), town.balance("bob")) == (90, 0)
    assert spend(town, "ann", 41, by="bob") == "limit_exceeded"
    assert spend(town, "ann", 40, by="bob") == "captured"


@pytest.mark.row("A8")
def test_a_months_limit_is_what_all_others_spend_together(town: World) -> None:
    town.earn("ann", at="cafe", points=200)
    town.household("ann", "bob", "eve")
    shares(town, "ann", 50)
    assert spend(town, "ann", 30, by="bob") == "captured"
    assert spend(town, "ann", 21, by="eve") == "limit_exceeded"
    assert spend(town, "ann", 20, by="eve") == "captured"
    assert spend(town, "ann", 1, by="bob") == "limit_exceeded"
    assert spend(town, "ann", 60, by="ann") == "captured"  # the owner's own spending is nobody's limit
    town.later(days=31)
    assert spend(town, "ann", 50, by="bob") == "captured"


def test_a_hold_that_ended_counts_no_more(town: World) -> None:
    town.earn("ann", at="cafe", points=200)
    town.household("ann", "bob")
    shares(town, "ann", 50)
    held = town.hold("ann", "bakery", 50, code=town.code("bob"))
    assert spend(town, "ann", 1, by="bob") == "limit_exceeded"
    town.void(held, "bakery")
    assert spend(town, "ann", 50, by="bob", capture=False) == "held"
    town.later(minutes=40)  # it lapses
    assert spend(town, "ann", 50, by="bob") == "captured"


@pytest.mark.row("A8")
def test_who_consents_to_nothing(town: World) -> None:
    town.earn("ann", at="cafe", points=100)
    town.household("ann", "bob")
    shares(town, "ann", 50)
    said = {}
    for what, undone in (
        ("state = 'frozen'", "state = 'active'"),
        ("spend_locked = true", "spend_locked = false"),
        ("state = 'left'", "state = 'active'"),
    ):
        put(town, what, "bob")
        said[what] = spend(town, "ann", 5, by="bob")
        put(town, undone, "bob")
    assert set(said.values()) == {"consent_required"}
    put(town, "spend_locked = true", "ann")
    assert spend(town, "ann", 5, by="bob") == "spend_locked"
    put(town, "spend_locked = false", "ann")
    assert spend(town, "ann", 5, by="eve") == "consent_required"  # a stranger
    assert spend(town, "bob", 5, by="ann") == "consent_required"  # bob shares nothing
    code = town.code("bob")
    town.do("redemption", town.redemption_of("ann", "bakery", 5, code=code), principal=town.shops["bakery"])
    assert spend(town, "ann", 5, by="bob", code=code) == "code_already_used"


def test_wrong_codes_count_as_they_do_alone(town: World) -> None:
    town.earn("ann", at="cafe", points=100)
    town.household("ann", "bob")
    shares(town, "ann", 50)
    said = [spend(town, "ann", 5, by="bob", code="000000") for _ in range(5)]
    assert said == ["consent_required"] * 5
    assert spend(town, "ann", 5, by="bob") == "otp_locked"


@pytest.mark.row("A8")
def test_leaving_ends_the_right_at_once_also_for_a_code_made_before(town: World) -> None:
    town.earn("ann", at="cafe", points=100)
    town.earn("bob", at="cafe", points=100)
    town.household("ann", "bob", "eve")
    shares(town, "ann", 50)
    shares(town, "bob", 50)
    code = town.code("bob")
    town.step(trade.LeaveHousehold(town.members["bob"], town.members["bob"]))
    assert spend(town, "ann", 5, by="bob", code=code) == "consent_required"
    assert spend(town, "bob", 5, by="ann") == "consent_required"
    assert spend(town, "ann", 5, by="eve") == "captured"


def test_taking_back_the_share_ends_the_right_at_once(town: World) -> None:
    town.earn("ann", at="cafe", points=100)
    town.household("ann", "bob")
    shares(town, "ann", 50)
    code = town.code("bob")
    shares(town, "ann", None)
    assert spend(town, "ann", 5, by="bob", code=code) == "consent_required"


# -- who is in it


@pytest.mark.row("A8")
def test_joining_and_leaving(town: World) -> None:
    family = town.household("ann", "bob")
    assert refused(town, trade.FoundHousehold(town.members["bob"])) == "state_conflict"
    other = town.household("eve")
    town.step(trade.InviteToHousehold(town.members["eve"], town.number("bob")))
    assert refused(town, trade.AnswerInvitation(town.members["bob"], other, True)) == "state_conflict"
    # the founder goes: the eldest of those who stay leads, and one alone is no household
    ended = town.step(trade.LeaveHousehold(town.members["ann"], town.members["ann"]))
    assert (ended.household_id, ended.state) == (family, "ended")
    joined = town.step(trade.AnswerInvitation(town.members["bob"], other, True))
    assert (joined.household_id, joined.founder_id) == (other, town.members["eve"])
    kinds = [
        row[0] for row in town.rows("select kind from ledger.record where kind like 'household%%' order by batch_id, n")
    ]
    assert kinds == [
        "household_created",
        "household_invited",
        "household_joined",
        "household_created",
        "household_invited",
        "household_left",
        "household_ended",
        "household_joined",
    ]


def test_the_founder_hands_over_or_is_followed_by_the_eldest(town: World) -> None:
    town.household("ann", "bob", "eve")
    assert refused(town, trade.HandOver(town.members["bob"], town.members["eve"])) == "state_conflict"
    over = town.step(trade.HandOver(town.members["ann"], town.members["eve"]))
    assert over.founder_id == town.members["eve"]
    left = town.step(trade.LeaveHousehold(town.members["eve"], town.members["eve"]))
    assert (left.founder_id, left.state) == (town.members["ann"], "active")


@pytest.mark.parametrize(("first", "second"), [("bob", "eve"), ("eve", "bob")])
def test_of_those_who_came_again_the_first_to_come_leads(town: World, first: str, second: str) -> None:
    ann = town.members["ann"]
    id = town.household("ann", "bob", "eve")
    for name in (first, second):
        again = town.members[name]
        town.step(trade.LeaveHousehold(ann, again))
        town.step(trade.InviteToHousehold(ann, town.number(name)))
        town.step(trade.AnswerInvitation(again, id, True))
    places = town.rows("select member_id, place from merchants.household_person order by place")
    assert len({place for _, place in places}) == 3, "else whoever the database tells first would lead"
    assert [member for member, _ in places] == [town.members[name] for name in ("ann", first, second)]
    left = town.step(trade.LeaveHousehold(ann, ann))
    assert (left.founder_id, left.state) == (town.members[first], "active")


@pytest.mark.row("A8")
def test_refusals_of_steps(town: World) -> None:
    me, bob, eve = (town.members[name] for name in ("ann", "bob", "eve"))
    assert refused(town, trade.ShareWallet(me, 5)) == "state_conflict"
    assert refused(town, trade.LeaveHousehold(me, me)) == "state_conflict"
    id = town.household("ann", "bob")
    table = {
        "asked twice": (trade.InviteToHousehold(me, town.number("bob")), "state_conflict"),
        "asking oneself": (trade.InviteToHousehold(me, town.number("ann")), "state_conflict"),
        "asking nobody": (trade.InviteToHousehold(me, "100000000009"), "not_found"),
        "asked by one who did not found it": (trade.InviteToHousehold(bob, town.number("eve")), "state_conflict"),
        "a limit in a family": (trade.InviteToHousehold(me, town.number("eve"), 5), "validation_failed"),
        "joining unasked": (trade.AnswerInvitation(eve, id, True), "not_found"),
        "joining nothing": (trade.AnswerInvitation(eve, ledger.ids.new(), True), "not_found"),
        "joining again": (trade.AnswerInvitation(bob, id, True), "state_conflict"),
        "taking the founder out": (trade.LeaveHousehold(bob, me), "state_conflict"),
        "taking a stranger out": (trade.LeaveHousehold(me, eve), "not_found"),
        "limiting another's wallet": (trade.LimitPerson(me, bob, 5), "state_conflict"),
        "handing over to a stranger": (trade.HandOver(me, eve), "not_found"),
    }
    assert {what: refused(town, command) for what, (command, _) in table.items()} == {
        what: code for what, (_, code) in table.items()
    }
    town.step(trade.InviteToHousehold(me, town.number("eve")))
    town.step(trade.AnswerInvitation(eve, id, False))
    assert refused(town, trade.AnswerInvitation(eve, id, True)) == "state_conflict"
    # who is frozen changes nothing, and may go
    town.freeze("bob")
    assert refused(town, trade.ShareWallet(bob, 5)) == "state_conflict"
    town.step(trade.LeaveHousehold(bob, bob))


def test_a_household_has_ten_members(town: World) -> None:
    names = [f"cousin {i}" for i in range(10)]
    for name in names:
        town.member(name)
    town.household("ann", *names[:9])
    one_more = trade.InviteToHousehold(town.members["ann"], town.number(names[9]))
    assert refused(town, one_more) == "limit_exceeded"
    town.step(trade.LeaveHousehold(town.members["ann"], town.members[names[0]]))
    town.step(one_more)


# -- at once


@pytest.mark.row("A8")
def test_nobody_is_in_two_households_however_many_join_at_once(town: World) -> None:
    founders = [f"founder {i}" for i in range(6)]
    asked = []
    for name in founders:
        town.member(name)
        id = town.household(name)
        for guest in ("ann", "bob"):
            town.step(trade.InviteToHousehold(town.members[name], town.number(guest)))
            asked.append(trade.AnswerInvitation(town.members[guest], id, True))
    decisions = _at_once(town, [("household", c, c.member_id) for c in asked])
    assert sum(isinstance(d, ledger.Accepted) for d in decisions) == 2
    [(most,)] = town.rows(
        "select max(n) from (select count(*) as n from merchants.household_person where state = 'active' group by member_id) x"
    )
    assert most == 1


def test_a_months_limit_is_exact_however_many_spend_at_once(town: World) -> None:
    town.earn("ann", at="cafe", points=300)
    people = [f"cousin {i}" for i in range(8)]
    for name in people:
        town.member(name)
    town.household("ann", *people)
    shares(town, "ann", 35)
    spending = [
        ("redemption", town.redemption_of("ann", "bakery", 10, code=town.code(name)), town.shops["bakery"])
        for name in people
    ]
    decisions = _at_once(town, spending)
    assert sum(isinstance(d, ledger.Accepted) for d in decisions) == 3
    assert town.balance("ann") == 270


def test_leaving_while_others_spend_is_before_or_after_and_never_between(town: World) -> None:
    """The audit holds every consent against the record of the leave: whichever came first, it is lawful."""
    town.earn("ann", at="cafe", points=300)
    people = [f"cousin {i}" for i in range(6)]
    for name in people:
        town.member(name)
    town.household("ann", *people)
    shares(town, "ann", 300)
    asked: list[tuple[str, Any, Any]] = []
    for name in people:
        asked.append(("redemption", town.redemption_of("ann", "bakery", 5, code=town.code(name)), town.shops["bakery"]))
        asked.append(("household", trade.LeaveHousehold(town.members[name], town.members[name]), town.members[name]))
    decisions = _at_once(town, asked)
    spent = sum(isinstance(d, ledger.Accepted) for d in decisions[::2])
    assert all(isinstance(d, ledger.Accepted) for d in decisions[1::2])
    assert town.balance("ann") == 300 - 5 * spent


def _at_once(world: World, asked: list[tuple[str, Any, Any]]) -> list[Any]:
    """Ask all at the same time through two committers; the decisions in the order of the asking."""
    requests = [world.request(kind, command, principal=principal) for kind, command, principal in asked]
    houses = [world.house, House.open(world.url, SPEND_KEY)]
    try:
        with ThreadPoolExecutor(len(requests)) as threads:
            waiting = [threads.submit(houses[i % 2].committer.post, r) for i, r in enumerate(requests)]
            return [w.result().decision for w in waiting]
    finally:
        houses[1].close()


# -- over HTTP


@pytest.mark.row("A8")
def test_a_household_over_http(api: Api) -> None:
    ann, bob = api.member(), api.member("+15550100124")
    api.sell(ann, 10_000)
    assert api.done("GET", "/v1/me/household", by=ann.token) == {"household": None, "invitations": []}
    founded = api.done("POST", "/v1/me/household", {}, by=ann.token, key=new_key())
    api.done("POST", "/v1/me/household/invitations", {"number": bob.number}, by=ann.token)
    [asking] = api.done("GET", "/v1/me/household", by=bob.token)["invitations"]
    assert asking == {"household": founded["household"], "kind": "family", "by": "*" * 8 + ann.number[-4:]}
    api.done("POST", f"/v1/me/household-invitations/{asking['household']}/accept", {}, by=bob.token)
    api.done("PUT", "/v1/me/household/sharing", {"monthly_points": 40}, by=ann.token)
    seen = api.done("GET", "/v1/me/household", by=bob.token)["household"]
    assert [(p["id"], p["founder"], p["shared"], p["monthly_points"]) for p in seen["people"]] == [
        (ann.id, True, True, 40),
        (bob.id, False, False, None),
    ]
    body = api.redemption(ann, 30, spend_code=bob.code(), capture=True)
    done = api.done("POST", "/v1/redemptions", body, by=api.shops["cafe"].key, key=new_key())
    assert (done["member"], done["balance"]["available"]) == (ann.id, 70)
    told = api.done("GET", "/v1/me/records", by=ann.token)["data"]
    [held] = [record for record in told if record["kind"] == "hold"]
    assert held["facts"]["consented_by"] == bob.id
    left = api.done("POST", "/v1/me/household/leave", {}, by=bob.token)
    assert left["state"] == "ended"
    assert api.done("GET", "/v1/me/household", by=ann.token)["household"] is None
