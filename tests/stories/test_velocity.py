"""How much may pass in how long: by key, member and merchant, exact however many post at once; and what is flagged."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from deploy.commands.audit import audited
from deploy.house import JOBS, House
from ledger import due, ids, jobs
from ledger.errors import Stopped
from merchants import safety
from tests.gateway.network import Api, Member, new_key
from tests.stories.test_freeze import phones
from tests.world import SPEND_KEY, World


def limit(subject: str, what: str, most: int, per_minutes: int = 60) -> dict[str, Any]:
    return {"subject": subject, "what": what, "per_minutes": per_minutes, "most": most}


def put(api: Api, *limits: dict[str, Any]) -> Any:
    path = f"/v1/operator/books/{api.book}/velocity-limits"
    return api.done("PUT", path, {"limits": list(limits)}, by=api.maker)


def flags(api: Api) -> Any:
    return api.done("GET", f"/v1/operator/books/{api.book}/flags", by=api.approver)["data"]


def redeem(api: Api, member: Member, points: int, shop: str = "cafe", **more: Any) -> Any:
    asked = api.redemption(member, points, shop, **more)
    answer = api.call("POST", "/v1/redemptions", asked, by=api.shops[shop].key, key=new_key())
    if answer.status_code == 200:
        later(api, 1)
    return answer


def later(api: Api, minutes: int) -> None:
    api.advance((api.clock() + timedelta(minutes=minutes)).isoformat())


def clean(api: Api) -> None:
    report = audited(api.url)
    assert report.clean, [finding for finding in report.findings if not finding.ok]


def test_a_member_redeems_so_many_points_in_an_hour_anywhere(api: Api) -> None:
    ann = api.member()
    api.sell(ann, 50_000)
    put(api, limit("member", "redeem_points", 100))
    assert redeem(api, ann, 60).status_code == 200
    answer = redeem(api, ann, 50, "grocer")
    assert (answer.status_code, answer.json()["code"]) == (422, "limit_exceeded")
    assert answer.json()["facts"] == {"limit": "redeem_points of a member in 60 minutes", "allowed": 40, "asked": 50}
    assert redeem(api, ann, 40, "grocer", capture=True).status_code == 200
    assert redeem(api, ann, 1).json()["code"] == "limit_exceeded"
    # what is given back counts all the same: the limit is on what moves
    later(api, 57)
    assert redeem(api, ann, 1).json()["code"] == "limit_exceeded"
    later(api, 2)
    assert redeem(api, ann, 60).status_code == 200
    clean(api)


def test_a_refusal_by_a_limit_is_kept_with_its_key_and_uses_no_code(api: Api) -> None:
    ann = api.member()
    api.sell(ann, 50_000)
    put(api, limit("member", "redeem_points", 10))
    asked, key = api.redemption(ann, 11), new_key()
    by = api.shops["cafe"].key
    first = api.call("POST", "/v1/redemptions", asked, by=by, key=key)
    put(api)
    again = api.call("POST", "/v1/redemptions", asked, by=by, key=key)
    assert (again.status_code, again.content) == (422, first.content)
    assert api.call("POST", "/v1/redemptions", asked, by=by, key=new_key()).status_code == 200


@pytest.mark.parametrize("subject", ["key", "member", "merchant"])
def test_a_sale_beyond_a_limit_is_recorded_and_earns_nothing(api: Api, subject: str) -> None:
    ann, bob, cafe = api.member(), api.member("+15550100124"), api.shops["cafe"]
    other = api.restricted("cafe", "sales:write")
    put(api, limit(subject, "earn_points", 100), limit(subject, "sale_count", 3, 5))

    def earned(member: Member, amount: int, shop: str = "cafe", by: str | None = None) -> tuple[int, str | None]:
        body = api.sale(member, amount, shop)
        told = api.done("POST", "/v1/sales", body, by=by or api.shops[shop].key, key=new_key())["earn"]
        return told["points"], told["refused"]

    assert earned(ann, 6_000) == (60, None)
    assert earned(ann, 5_000) == (0, "velocity_limit")
    assert earned(ann, 4_000) == (40, None)
    assert earned(ann, 100) == (0, "velocity_limit")
    assert earned(ann, 0) == (0, "nothing_paid")
    free = {"key": (ann, "cafe", other), "member": (bob, "cafe", None), "merchant": (ann, "grocer", None)}
    member, shop, by = free[subject]
    assert earned(member, 100, shop, by) == (1, None)
    later(api, 61)
    assert [earned(ann, 100)[0] for _ in range(4)] == [1, 1, 1, 0]
    later(api, 6)
    assert earned(ann, 100) == (1, None)
    told = flags(api)
    whose = {"key": None, "member": ann.id, "merchant": cafe.id}[subject]
    assert {(f["reason"], f["subject"].partition("_")[0]) for f in told} == {
        ("velocity_limit", {"key": "key", "member": "mem", "merchant": "mer"}[subject])
    }
    assert whose is None or {f["subject"] for f in told} == {whose}
    assert [(f["what"], f["times"]) for f in told] == [("sale_count", 1), ("earn_points", 2)]
    assert [len(f["sales"]) for f in told] == [1, 2]
    for sale in told[0]["sales"] + told[1]["sales"]:
        assert api.done("GET", f"/v1/sales/{sale}", by=cafe.key)["earn"]["refused"] == "velocity_limit"
    clean(api)


def test_without_limits_nothing_is_counted_and_taking_them_off_forgets(api: Api) -> None:
    ann = api.member()
    api.sell(ann, 50_000)
    assert count(api) == 0
    assert api.done("GET", f"/v1/operator/books/{api.book}/velocity-limits", by=api.approver) == {
        "limits": [],
        "revision": 0,
    }
    one = limit("member", "sale_count", 5)
    assert put(api, one) == {"limits": [one], "revision": 1}
    assert put(api, one) == {"limits": [one], "revision": 1}
    api.sell(ann)
    assert count(api) == 1
    assert put(api, one | {"most": 7})["revision"] == 2
    assert count(api) == 1
    assert put(api)["revision"] == 3
    assert count(api) == 0
    records = [kind for (kind,) in rows(api, "select kind from ledger.record where kind = 'velocity_limits'")]
    assert len(records) == 3
    clean(api)


def test_a_book_without_limits_pays_no_statement_for_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.shop("cafe")
    world.member("ann")
    world.earn("ann", at="cafe", points=50)
    said: list[str] = []
    execute = psycopg.Connection.execute

    def listen(self: Any, query: Any, *more: Any, **named: Any) -> Any:
        said.append(str(query))
        return execute(self, query, *more, **named)

    monkeypatch.setattr(psycopg.Connection, "execute", listen)
    world.earn("ann", at="cafe", points=50)
    world.do("redemption", world.redemption_of("ann", "cafe", 10))
    assert len(said) > 10
    assert [query for query in said if "velocity" in query or "merchants.flag" in query] == []


def rows(api: Api, query: str) -> list[tuple[Any, ...]]:
    with api.server.db.tx("auditor") as tx:
        return tx.execute(query).fetchall()


def count(api: Api) -> int:
    return len(rows(api, "select 1 from merchants.velocity_count"))


def test_a_shop_that_shows_wrong_codes_is_flagged_once_a_day(api: Api) -> None:
    ann, cafe = api.member(), api.shops["cafe"]
    api.sell(ann, 5_000)
    codes = [redeem(api, ann, 1, spend_code="000000").json()["code"] for _ in range(8)]
    assert codes == ["consent_required"] * 5 + ["otp_locked"] * 3
    (told,) = flags(api)
    assert (told["reason"], told["subject"], told["member"], told["what"]) == ("wrong_codes", cafe.id, ann.id, None)
    assert (told["times"], told["sales"], len(told["redemption_references"])) == (4, [], 4)
    later(api, 24 * 60)
    assert redeem(api, ann, 1).status_code == 200
    for _ in range(5):
        redeem(api, ann, 1, spend_code="000000")
    assert [f["times"] for f in flags(api)] == [1, 4]
    page = api.done("GET", f"/v1/operator/books/{api.book}/flags?limit=1", by=api.maker)
    rest = api.done("GET", f"/v1/operator/books/{api.book}/flags?cursor={page['next_cursor']}", by=api.maker)
    assert page["data"] + rest["data"] == flags(api)


def test_a_flag_names_the_first_twenty_and_counts_the_rest(api: Api) -> None:
    ann = api.member()
    put(api, limit("member", "sale_count", 1))
    operations = [{"operation": "sale", "idempotency_key": new_key(), "body": api.sale(ann)} for _ in range(30)]
    first = api.done("POST", "/v1/batches", {"operations": operations}, by=api.shops["cafe"].key)["outcomes"]
    more = api.sell(ann)
    (told,) = flags(api)
    assert told["times"] == 30
    assert told["sales"] == [t["body"]["id"] for t in first[1:21]]
    assert more["id"] not in told["sales"]


def test_a_batch_meets_a_limit_where_single_requests_would(api: Api) -> None:
    ann = api.member()
    put(api, limit("merchant", "sale_count", 3))
    operations = [{"operation": "sale", "idempotency_key": new_key(), "body": api.sale(ann)} for _ in range(5)]
    told = api.done("POST", "/v1/batches", {"operations": operations}, by=api.shops["cafe"].key)["outcomes"]
    assert [t["body"]["earn"]["points"] for t in told] == [50, 50, 50, 0, 0]
    again = api.done("POST", "/v1/batches", {"operations": operations}, by=api.shops["cafe"].key)["outcomes"]
    assert [t["body"] for t in again] == [t["body"] for t in told]


def test_eight_threads_pass_a_limit_to_the_point(api: Api) -> None:
    ann, cafe = api.member(), api.shops["cafe"]
    api.sell(ann, 100_000)
    put(api, limit("member", "redeem_points", 100), limit("key", "redeem_count", 1_000))
    asked = [api.redemption(ann, 7, spend_code=code) for code in phones(api, ann, 40)]

    def send(body: Any) -> int:
        headers = {"Authorization": f"Bearer {cafe.key}", "Idempotency-Key": new_key()}
        return int(api.client.request("POST", "/v1/redemptions", json=body, headers=headers).status_code)

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(send, asked))
    assert statuses.count(200) == 100 // 7
    assert set(statuses) == {200, 422}
    clean(api)


def test_two_houses_pass_a_limit_to_the_point(world: World) -> None:
    """Two committers, as two processes have them, on many members of one shop."""
    names = [f"m{n}" for n in range(6)]
    world.shop("cafe")
    for name in names:
        world.member(name)
    limits = (safety.Limit("member", "earn_points", 60, 40), safety.Limit("merchant", "earn_points", 60, 150))
    world.do("velocity_limits", safety.NewLimits(world.operator, limits))
    other = House.open(world.url, SPEND_KEY)
    sales = [world.request("sale", world.sale_of(names[i % 6], "cafe", 700)) for i in range(120)]
    try:
        with ThreadPoolExecutor(8) as threads:
            done = [
                threads.submit((world.house, other)[i % 2].committer.post_all, sales[i * 5 : i * 5 + 5])
                for i in range(24)
            ]
            outcomes = [outcome for waiting in done for outcome in waiting.result()]
    finally:
        other.close()
    assert len(outcomes) == 120
    told = [outcome.decision.value for outcome in outcomes if outcome.decision is not None]  # type: ignore[union-attr]
    assert sum(done.points for done in told) == 150 // 7 * 7
    assert {done.refused for done in told} == {None, "velocity_limit"}
    assert max(world.balance(name) for name in names) <= 35
    assert world.audit() == []


def test_while_stopped_the_clocks_work_waits_and_comes_late(world: World) -> None:
    world.shop("cafe")
    world.member("ann")
    world.earn("ann", at="cafe", points=50)
    world.hold("ann", "cafe", 10)
    act = safety.Act(world.public_id, world.operator, "a rehearsal")
    world.do("network_stop", act)
    with pytest.raises(Stopped):
        world.later(days=1)
    # the wall's clock of a live book would go on: this one is pushed
    with world.house.db.tx("ledger") as tx:
        tx.execute("update ledger.book set clock = clock + interval '130 days'")
    assert jobs.run_due(world.house.db, world.house.committer, JOBS, world.book_id) == 0
    assert world.rows("select held, remaining from ledger.lot") == [(10, 40)]
    world.do("network_resume", act)
    assert jobs.run_due(world.house.db, world.house.committer, JOBS, world.book_id) > 0
    assert world.rows("select held, remaining, returned from ledger.lot") == [(0, 0, 50)]
    assert world.audit() == []


def test_a_job_that_is_overtaken_by_a_stop_says_it_did_nothing(world: World) -> None:
    world.shop("cafe")
    world.member("ann")
    world.earn("ann", at="cafe", points=50)
    with world.house.db.tx("ledger") as tx:
        tx.execute("update ledger.book set clock = clock + interval '130 days'")
    book = world.book
    world.do("network_stop", safety.Act(world.public_id, world.operator, "a rehearsal"))
    expiries = jobs.posting("expiries", due.next_expiry, due.expiring)
    assert expiries.run(world.house.db, world.house.committer, book) == 0


def test_the_key_that_asked_is_the_subject_of_its_limit(api: Api) -> None:
    ann = api.member()
    put(api, limit("key", "sale_count", 1))
    api.sell(ann)
    api.sell(ann)
    (told,) = flags(api)
    own = api.done("GET", "/v1/api-keys", by=api.shops["cafe"].key)["data"][0]
    assert told["subject"] == own["id"]
    assert ids.read("key", told["subject"]) is not None
