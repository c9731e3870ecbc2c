"""Approvals: a till asks, somebody at the wallet says yes or no, once. Nothing is set aside before a yes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
import pytest

import ledger
from deploy.commands.audit import audited
from deploy.house import House
from gateway import problems
from merchants import safety, trade
from merchants.trade.approving import ANSWERED_WITHIN, MOST_OPEN, MOST_UNANSWERED
from tests.gateway.network import Api, Member, new_key
from tests.world import SPEND_KEY, World


@pytest.fixture
def town(world: World) -> Iterator[World]:
    """A cafe where ann earned 100 points, a bakery, two more members; after each story all of it is proven."""
    world.shop("cafe", mode="deferred")
    world.shop("bakery", mode="deferred")
    for name in ("ann", "bob", "eve"):
        world.member(name)
    world.earn("ann", at="cafe", points=100)
    yield world
    assert world.audit() == []


def asked(world: World, **more: Any) -> str:
    """The code with which a shop is refused that asks ann to approve 10 points."""
    return world.refusal("redemption", world.ask_of("ann", "bakery", 10, **more), principal=world.shops["bakery"])


def answered(world: World, request: trade.ApprovalDone, by: str, *, approves: bool = True) -> str:
    return world.refusal("approval", world.answer_of(request, by, approves=approves), principal=world.members[by])


def state(world: World, request: trade.ApprovalDone) -> str:
    [(found,)] = world.rows("select state from merchants.approval where id = %s", request.row.id)
    return str(found)


def kinds(world: World, request: trade.ApprovalDone) -> list[str]:
    rows = world.rows("select kind from ledger.record where subject_id = %s order by batch_id, n", request.row.id)
    return [kind for (kind,) in rows]


def put(world: World, what: str, member: str) -> None:
    with psycopg.connect(world.url, autocommit=True) as conn:
        conn.execute(f"update merchants.member set {what} where id = %s", [world.members[member]])


# -- yes, no, and nothing


def test_a_till_asks_and_a_phone_approves(town: World) -> None:
    request = town.ask_approval("ann", "bakery", 30, reference="R-1")
    assert (request.row.state, request.row.points, request.available) == ("awaiting", 30, None)
    assert town.wallet("ann").available == 100, "nothing is set aside before the yes"
    done = town.approve(request, "ann")
    assert done.redemption is not None
    assert (done.row.state, done.redemption.state, done.redemption.points) == ("approved", "captured", 30)
    assert (done.redemption.id, done.available) == (request.row.id, 70)
    assert kinds(town, request) == ["approval_asked", "hold", "capture"]
    told = town.rows("select payload ->> 'approval' from ledger.record where kind = 'hold'")
    assert told == [(str(request.record_id),)]
    [row] = town.rows("select id, consent, external_reference, consented_by from merchants.redemption")
    assert row == (request.row.id, "wallet", "R-1", None)
    # from here on it is a redemption like any
    assert town.give_back(done.redemption, "bakery", 10).left == 20
    assert town.balance("ann") == 80


def test_what_is_asked_without_capture_is_held_and_then_captured(town: World) -> None:
    request = town.ask_approval("ann", "bakery", 30, capture=False)
    done = town.approve(request, "ann")
    assert done.redemption is not None
    assert (done.redemption.state, town.wallet("ann").held) == ("held", 30)
    assert done.redemption.deadline > request.row.deadline
    assert town.capture(done.redemption, "bakery").state == "captured"


def test_a_value_is_asked_and_its_points_are_found_at_the_approval(town: World) -> None:
    request = town.ask_approval("ann", "bakery", value=45)
    assert (request.row.points, request.row.value_minor) == (None, 45)
    done = town.approve(request, "ann")
    assert done.redemption is not None
    assert (done.redemption.points, done.redemption.value) == (45, 45)


def test_a_no_is_a_no(town: World) -> None:
    request = town.ask_approval("ann", "bakery", 30, reference="R-1")
    assert town.decline(request, "ann").row.state == "declined"
    assert answered(town, request, "ann") == "state_conflict"
    assert asked(town, reference="R-1") == "duplicate_reference", "a reference is of one redemption for ever"
    code = town.redemption_of("ann", "bakery", 5, reference="R-1")
    assert town.refusal("redemption", code, principal=town.shops["bakery"]) == "duplicate_reference"
    assert kinds(town, request) == ["approval_asked", "approval_declined"]
    assert town.balance("ann") == 100


def test_what_nobody_answers_lapses(town: World) -> None:
    request = town.ask_approval("ann", "bakery", 30)
    deadline = request.row.deadline
    assert deadline == town.book.now + ANSWERED_WITHIN
    town.advance(deadline - timedelta(seconds=1))
    assert state(town, request) == "awaiting"
    town.advance(deadline)
    assert (state(town, request), kinds(town, request)) == ("lapsed", ["approval_asked", "approval_lapsed"])
    assert answered(town, request, "ann") == "state_conflict"


def test_an_answer_that_comes_before_the_clock_s_work_is_late_all_the_same(town: World) -> None:
    request = town.ask_approval("ann", "bakery", 30)
    clock = ledger.due.request(town.book_id, "set_clock", ledger.due.SetClock(request.row.deadline))
    town.house.committer.post(clock)
    assert answered(town, request, "ann") == "hold_expired"
    assert answered(town, request, "ann", approves=False) == "hold_expired"
    town.advance(request.row.deadline)
    assert state(town, request) == "lapsed"


def test_a_shop_withdraws_what_nobody_has_answered(town: World) -> None:
    request = town.ask_approval("ann", "bakery", 30, reference="R-1")
    shop = town.shops["bakery"]
    assert town.refusal("capture", trade.Capture(shop, request.row.id), principal=shop) == "state_conflict"
    assert town.refusal("void", trade.Void(town.shops["cafe"], request.row.id)) == "not_found"
    done = town.do("void", trade.Void(shop, "R-1"), principal=shop)
    assert (done.row.id, done.row.state) == (request.row.id, "withdrawn")
    assert town.refusal("void", trade.Void(shop, request.row.id), principal=shop) == "state_conflict"
    assert answered(town, request, "ann") == "state_conflict"
    assert kinds(town, request) == ["approval_asked", "approval_withdrawn"]


def test_a_batch_asks_and_withdraws(town: World) -> None:
    shop = town.shops["bakery"]
    requests = [
        town.request("redemption", town.ask_of("ann", "bakery", 10, reference="R-1"), principal=shop),
        town.request("capture", trade.Capture(shop, "R-1"), principal=shop),
        town.request("void", trade.Void(shop, "R-1"), principal=shop),
        *(town.request("redemption", town.ask_of("ann", "bakery", 10), principal=shop) for _ in range(MOST_OPEN + 1)),
    ]
    decisions = [outcome.decision for outcome in town.house.committer.post_all(requests)]
    codes = [decision.code if isinstance(decision, ledger.Refusal) else "ok" for decision in decisions]
    assert codes == ["ok", "state_conflict", "ok", *["ok"] * MOST_OPEN, "limit_exceeded"]


# -- what is refused


def test_a_shop_is_told_its_own_reasons_and_nothing_of_the_wallet(town: World) -> None:
    request = town.ask_approval("ann", "bakery", 1_000_000)
    assert answered(town, request, "ann") == "insufficient_points"
    assert state(town, request) == "awaiting", "a refused yes leaves it to be answered"
    town.decline(request, "ann")
    town.ask_approval("ann", "bakery", 10, reference="R-1")
    assert asked(town, reference="R-1") == "duplicate_reference"
    put(town, "spend_locked = true", "ann")
    assert asked(town) == "spend_locked"
    put(town, "spend_locked = false", "ann")
    town.agree("bakery", "deferred", spends_for=("legal",))
    assert asked(town) == "state_conflict"


def test_what_befalls_a_wallet_or_a_shop_meanwhile_counts_at_the_approval(town: World) -> None:
    request = town.ask_approval("ann", "bakery", 10)
    put(town, "spend_locked = true", "ann")
    assert answered(town, request, "ann") == "spend_locked"
    put(town, "spend_locked = false", "ann")
    town.do("merchant_suspend", safety.Act(town.shops["bakery"], town.operator, "a story"))
    assert answered(town, request, "ann") == "merchant_suspended"
    assert asked(town) == "merchant_suspended"
    town.do("merchant_resume", safety.Act(town.shops["bakery"], town.operator, "a story"))
    branch = safety.Act(town.branches["bakery"], town.operator, "a story", town.shops["bakery"])
    town.do("branch_freeze", branch)
    assert answered(town, request, "ann") == "state_conflict"
    town.do("branch_unfreeze", branch)
    town.freeze("ann")
    assert answered(town, request, "ann") == "spend_locked"
    assert asked(town) == "spend_locked"
    assert state(town, request) == "awaiting"
    assert town.decline(request, "ann").row.state == "declined", "a frozen member still says no"


def test_another_member_s_request_is_not_there(town: World) -> None:
    request = town.ask_approval("ann", "bakery", 10)
    for approves in (True, False):
        assert answered(town, request, "bob", approves=approves) == "not_found"
    assert state(town, request) == "awaiting"


def test_a_shop_floods_nobody(town: World) -> None:
    for _ in range(MOST_OPEN):
        town.ask_approval("ann", "bakery", 10)
    assert asked(town) == "limit_exceeded"
    town.ask_approval("ann", "cafe", 10)  # another shop has room of its own
    town.ask_approval("bob", "bakery", 10)
    town.later(minutes=6)
    for _ in range(MOST_UNANSWERED - MOST_OPEN):
        town.decline(town.ask_approval("ann", "bakery", 10), "ann")
    assert asked(town) == "limit_exceeded"
    town.later(hours=1)
    # what is approved counts for nothing
    for _ in range(MOST_UNANSWERED + 1):
        town.approve(town.ask_approval("ann", "bakery", 1), "ann")


def test_velocity_is_counted_at_the_approval_and_of_the_key_that_asked(town: World) -> None:
    limits = (safety.Limit("key", "redeem_count", 60, 1),)
    town.do("velocity_limits", safety.NewLimits(town.operator, limits))
    # the story's actor is no key: ask under one, as a till does
    key = ledger.ids.show("key", ledger.ids.new())
    shop = town.shops["bakery"]
    asking = [town.request("redemption", town.ask_of("ann", "bakery", 10), principal=shop) for _ in range(2)]
    told = town.house.committer.post_all([msgspec.structs.replace(each, actor=key) for each in asking])
    first, second = (outcome.decision.value for outcome in told if isinstance(outcome.decision, ledger.Accepted))
    town.approve(first, "ann")
    assert answered(town, second, "ann") == "limit_exceeded"
    assert state(town, second) == "awaiting"


def test_a_member_hears_of_a_shop_s_limit_and_not_what_others_spend_there(town: World) -> None:
    limits = (safety.Limit("merchant", "redeem_points", 60, 70),)
    town.do("velocity_limits", safety.NewLimits(town.operator, limits))
    town.earn("bob", at="cafe", points=50)
    town.redeem("bob", "bakery", 50)
    for refused in (
        town.ask("approval", town.answer_of(town.ask_approval("ann", "bakery", 21), "ann")),
        town.ask("voucher", town.voucher_of("ann", "bakery", 21)),
    ):
        assert isinstance(refused.decision, ledger.Refusal)
        assert problems.facts_of(refused.decision) == {"limit": "redeem_points of a merchant in 60 minutes"}
        assert refused.decision.code == "limit_exceeded"
        assert "20" not in refused.decision.detail, "50 of 70 went there"
    town.later(hours=2)
    town.do("velocity_limits", safety.NewLimits(town.operator, (safety.Limit("member", "redeem_points", 60, 20),)))
    own = town.ask("approval", town.answer_of(town.ask_approval("ann", "bakery", 21), "ann")).decision
    assert isinstance(own, ledger.Refusal)
    assert problems.facts_of(own)["allowed"] == 20


# -- households


def test_somebody_who_may_spend_for_another_approves_within_their_limit(town: World) -> None:
    town.household("ann", "bob")
    request = town.ask_approval("ann", "bakery", 30)
    assert answered(town, request, "bob") == "not_found", "nothing is shared by joining"
    town.step(trade.ShareWallet(town.members["ann"], 40))
    done = town.approve(request, "bob")
    assert done.redemption is not None
    assert (done.redemption.consented_by, done.available) == (town.members["bob"], None)
    assert town.balance("ann") == 70
    over = town.ask_approval("ann", "bakery", 11)
    assert answered(town, over, "bob") == "limit_exceeded"
    put(town, "spend_locked = true", "bob")
    assert answered(town, over, "bob") == "not_found"
    put(town, "spend_locked = false", "bob")
    assert town.decline(over, "bob").row.state == "declined"
    told = town.rows("select payload ->> 'declined_by' from ledger.record where kind = 'approval_declined'")
    assert told == [(str(town.members["bob"]),)]


def test_whoever_spends_for_another_is_not_told_what_the_wallet_holds(town: World) -> None:
    town.household("ann", "bob")
    town.step(trade.ShareWallet(town.members["ann"], 1_000))
    request = town.ask_approval("ann", "bakery", 500)
    refused = town.ask("approval", town.answer_of(request, "bob")).decision
    assert isinstance(refused, ledger.Refusal)
    assert (refused.code, problems.facts_of(refused)) == ("insufficient_points", {"needed": 500})
    assert "100" not in refused.detail
    own = town.ask("approval", town.answer_of(request, "ann")).decision
    assert isinstance(own, ledger.Refusal)
    assert problems.facts_of(own) == {"needed": 500, "available": 100}


# -- at the same moment


def together(world: World, *posts: tuple[str, Any, Any]) -> list[str]:
    """What each is told: ok, or the code of the refusal. Asked at once of two houses on one database."""
    houses = [House.open(world.url, SPEND_KEY) for _ in range(2)]
    try:
        with ThreadPoolExecutor(len(posts)) as threads:
            waiting = [
                threads.submit(houses[i % 2].committer.post, world.request(kind, body, principal=principal))
                for i, (kind, body, principal) in enumerate(posts)
            ]
            decisions = [each.result().decision for each in waiting]
    finally:
        for house in houses:
            house.close()
    return [decision.code if isinstance(decision, ledger.Refusal) else "ok" for decision in decisions]


def test_two_devices_approve_at_once_and_the_points_go_once(town: World) -> None:
    for _ in range(5):
        request = town.ask_approval("ann", "bakery", 10)
        yes = ("approval", town.answer_of(request, "ann"), town.members["ann"])
        assert sorted(together(town, yes, yes, yes, yes)) == [
            "ok",
            "state_conflict",
            "state_conflict",
            "state_conflict",
        ]
    assert town.balance("ann") == 50


def test_a_yes_and_a_no_at_once_are_one_answer(town: World) -> None:
    left = 100
    for _ in range(5):
        request = town.ask_approval("ann", "bakery", 10)
        yes = ("approval", town.answer_of(request, "ann"), town.members["ann"])
        no = ("approval", town.answer_of(request, "ann", approves=False), town.members["ann"])
        told = together(town, yes, no)
        assert sorted(told) == ["ok", "state_conflict"]
        left -= 10 * (told[0] == "ok")
        assert town.balance("ann") == left


def test_a_yes_and_a_withdrawal_at_once(town: World) -> None:
    shop = town.shops["bakery"]
    for _ in range(6):
        request = town.ask_approval("ann", "bakery", 10, capture=False)
        yes = ("approval", town.answer_of(request, "ann"), town.members["ann"])
        told = together(town, yes, ("void", trade.Void(shop, request.row.id), shop))
        # either it was withdrawn first, or it was approved and then voided as any hold
        assert told in (["state_conflict", "ok"], ["ok", "ok"])
        assert state(town, request) == ("withdrawn" if told[0] != "ok" else "approved")
        assert (town.wallet("ann").available, town.wallet("ann").held) == (100, 0)


def test_several_tills_ask_at_once_and_the_limit_holds(town: World) -> None:
    shop = town.shops["bakery"]
    told = together(town, *(("redemption", town.ask_of("ann", "bakery", 10), shop) for _ in range(8)))
    assert (told.count("ok"), told.count("limit_exceeded")) == (MOST_OPEN, 8 - MOST_OPEN)


def test_two_batches_that_ask_the_same_members_wait_for_one_another_in_one_order(town: World) -> None:
    shop = town.shops["bakery"]
    for members in (("ann", "bob", "eve"), ("eve", "bob", "ann")):
        asking = [town.request("redemption", town.ask_of(name, "bakery", 1), principal=shop) for name in members]
        town.house.committer.post_all(asking)
        rows = town.rows(
            "select member_id from merchants.approval where slot = (select max(slot) from merchants.approval) order by ctid"
        )
        # a slot that another process is about to take is waited for as the row is written
        assert [id for (id,) in rows] == sorted(town.members[name] for name in members)


def test_one_reference_asked_and_redeemed_at_once_is_one_redemption(town: World) -> None:
    shop = town.shops["bakery"]
    for i in range(6):
        ask = town.ask_of("ann", "bakery", 5, reference=f"R-{i}")
        code = town.redemption_of("ann", "bakery", 5, reference=f"R-{i}")
        told = together(town, ("redemption", ask, shop), ("redemption", code, shop))
        assert "ok" in told
        rows = town.rows("select id from merchants.approval where external_reference = %s", f"R-{i}")
        for (id,) in rows:
            decision = town.ask("approval", trade.AnswerApproval(town.members["ann"], id, True)).decision
            if told == ["ok", "ok"]:
                # both were there before either could see the other: the yes finds that it is too late
                assert isinstance(decision, ledger.Refusal)
                assert decision.code == "duplicate_reference"
        [(redeemed,)] = town.rows("select count(*) from merchants.redemption where external_reference = %s", f"R-{i}")
        assert redeemed == 1
        town.later(minutes=6)


def asked_beside_a_code(world: World, reference: str) -> tuple[trade.ApprovalDone, trade.RedemptionDone]:
    """A request and a hold with a code under one reference, each decided before the other was there."""
    shop = world.shops["bakery"]
    other = House.open(world.url, SPEND_KEY)
    code = world.redemption_of("ann", "bakery", 30, reference=reference, capture=False)
    try:
        with ThreadPoolExecutor(1) as threads, psycopg.connect(world.url) as conn, psycopg.connect(world.url) as seen:
            # what takes points has looked the reference up when it comes to the wallet; what asks never comes there
            conn.execute("select from ledger.account where owner_id = %s for update", [world.members["ann"]])
            held = threads.submit(other.committer.post, world.request("redemption", code, principal=shop))
            waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            while seen.execute(waiting).fetchone() is None:
                seen.rollback()
            request = world.ask_approval("ann", "bakery", 10, reference=reference)
            conn.rollback()
            decision = held.result().decision
    finally:
        other.close()
    assert isinstance(decision, ledger.Accepted), decision
    world.later(minutes=1)
    return request, decision.value


def test_a_reference_that_was_asked_and_redeemed_at_once_names_what_took_the_points(town: World) -> None:
    shop = town.shops["bakery"]
    request, hold = asked_beside_a_code(town, "R-1")
    assert answered(town, request, "ann") == "duplicate_reference"
    assert asked(town, reference="R-1") == "duplicate_reference"
    assert town.do("capture", trade.Capture(shop, "R-1"), principal=shop).id == hold.id
    points = trade.Payment("points", ledger.Minor(30), "R-1")
    town.sale("ann", "bakery", 130, payments=(points, trade.Payment("cash", ledger.Minor(100), None)))
    assert state(town, request) == "awaiting"
    town.later(minutes=6)
    assert state(town, request) == "lapsed", "what can never be approved is over in time"
    again, voided = asked_beside_a_code(town, "R-2")
    assert town.do("void", trade.Void(shop, "R-2"), principal=shop).id == voided.id
    assert town.do("void", trade.Void(shop, again.row.id), principal=shop).row.state == "withdrawn"
    asked_beside_a_code(town, "R-3")
    town.do("capture", trade.Capture(shop, "R-3"), principal=shop)
    back = trade.RedemptionRefund(shop, "R-3", "F-1", None)
    assert town.do("redemption_refund", back, principal=shop).points == 30
    assert town.balance("ann") == 71, "30 paid for a sale that earned 1"


# -- over HTTP


def body_of(api: Api, member: Member, points: int, shop: str = "cafe", **more: Any) -> Any:
    return {name: value for name, value in api.redemption(member, points, shop, **more).items() if name != "spend_code"}


def at_till(api: Api, member: Member, points: int, **more: Any) -> Any:
    return api.done(
        "POST", "/v1/redemptions", body_of(api, member, points, **more), by=api.shops["cafe"].key, key=new_key()
    )


def test_a_till_and_a_phone(api: Api) -> None:
    ann, bob = api.member(), api.member("+15550100124")
    api.sell(ann, 10_000)
    till = api.shops["cafe"].key
    told = at_till(api, ann, 30, capture=True)
    assert (told["state"], told["points"], told["value"], told["slices"]) == ("awaiting_approval", 30, None, [])
    assert told["balance"] is None
    assert api.done("GET", f"/v1/redemptions/{told['id']}", by=till) == told
    other = api.shops["grocer"].key
    assert api.call("GET", f"/v1/redemptions/{told['id']}", by=other).status_code == 404
    (listed,) = api.done("GET", "/v1/me/redemptions?state=awaiting_approval", by=ann.token)["data"]
    assert (listed["id"], listed["shop"], listed["points"], listed["capture"]) == (
        told["id"],
        api.shops["cafe"].id,
        30,
        True,
    )
    assert listed["shop_name"] != ""
    assert api.done("GET", "/v1/me/redemptions", by=bob.token)["data"] == []
    path = f"/v1/me/redemptions/{told['id']}"
    for what in ("approve", "decline"):
        assert api.call("POST", f"{path}/{what}", {}, by=bob.token, key=new_key()).status_code == 404
    key = new_key()
    answer = api.call("POST", f"{path}/approve", {}, by=ann.token, key=key)
    done = answer.json()
    assert (answer.status_code, done["state"], done["points"], done["value"]["amount"]) == (200, "approved", 30, 30)
    assert done["balance"] == {"available": 70}
    again = api.call("POST", f"{path}/approve", {}, by=ann.token, key=key)
    assert (again.content, again.headers["Idempotent-Replayed"]) == (answer.content, "true")
    assert api.call("POST", f"{path}/decline", {}, by=ann.token, key=new_key()).json()["code"] == "state_conflict"
    assert api.done("GET", "/v1/me/redemptions", by=ann.token)["data"] == []
    read = api.done("GET", f"/v1/redemptions/{told['id']}", by=till)
    assert (read["state"], read["points"], [part["points"] for part in read["slices"]]) == ("captured", 30, [30])
    records = api.done("GET", "/v1/me/records", by=ann.token)["data"]
    assert [record["kind"] for record in records] == ["sale", "approval_asked", "hold", "capture"]
    assert records[2]["facts"]["approval"] == records[1]["id"] == told["record"]
    assert records[1]["subject"] == told["id"]
    clean(api)


def test_a_batch_asks_and_withdraws_by_reference(api: Api) -> None:
    ann = api.member()
    operations = [
        {
            "operation": "redemption",
            "idempotency_key": new_key(),
            "body": body_of(api, ann, 5, external_reference="A-1"),
        },
        {"operation": "void", "idempotency_key": new_key(), "redemption_reference": "A-1"},
    ]
    outcomes = api.done("POST", "/v1/batches", {"operations": operations}, by=api.shops["cafe"].key)["outcomes"]
    assert [(each["status"], each["body"]["state"]) for each in outcomes] == [
        (200, "awaiting_approval"),
        (200, "withdrawn"),
    ]
    clean(api)


def test_a_household_s_list_shows_whose_wallet_it_is(api: Api) -> None:
    ann, bob = api.member(), api.member("+15550100124")
    api.sell(ann, 10_000)
    household = api.done("POST", "/v1/me/household", {}, by=ann.token, key=new_key())["household"]
    invited = {"number": bob.number}
    api.done("POST", "/v1/me/household/invitations", invited, by=ann.token, key=new_key())
    api.done("POST", f"/v1/me/household-invitations/{household}/accept", {}, by=bob.token, key=new_key())
    told = at_till(api, ann, 30)
    assert api.done("GET", "/v1/me/redemptions", by=bob.token)["data"] == []
    api.done("PUT", "/v1/me/household/sharing", {"monthly_points": 40}, by=ann.token, key=new_key())
    (listed,) = api.done("GET", "/v1/me/redemptions", by=bob.token)["data"]
    assert listed["wallet"] == "*" * 8 + ann.number[-4:]
    done = api.done("POST", f"/v1/me/redemptions/{told['id']}/approve", {}, by=bob.token, key=new_key())
    assert (done["state"], done["balance"]) == ("approved", None)
    clean(api)


def clean(api: Api) -> None:
    report = audited(api.url)
    assert report.clean, [finding for finding in report.findings if not finding.ok]
