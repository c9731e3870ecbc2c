"""What an operator stops: members, branches, shops, the network. What goes on, what waits, and what is told of it."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pyotp
import pytest

from deploy.commands.audit import audited
from deploy.commands.operator import make_key
from ledger import ids
from merchants import people
from tests.gateway.network import Api, Member, new_key

_O = "/v1/operator"
WHY = {"reason": "told by the police, case 17"}


def brake(api: Api, path: str, *, by: str | None = None, key: str | None = None) -> Any:
    return api.call("POST", f"{_O}/{path}", WHY, by=by or api.approver, key=key or new_key())


def pull(api: Api, path: str, **more: Any) -> Any:
    answer = brake(api, path, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def redeem(api: Api, member: Member, points: int = 5, shop: str = "cafe", **more: Any) -> Any:
    asked = api.redemption(member, points, shop, **more)
    return api.call("POST", "/v1/redemptions", asked, by=api.shops[shop].key, key=new_key())


def held(api: Api, member: Member, points: int = 5, shop: str = "cafe") -> str:
    """A hold; then the next code."""
    answer = redeem(api, member, points, shop)
    assert answer.status_code == 200, answer.text
    later(api)
    return str(answer.json()["id"])


def later(api: Api, minutes: int = 1) -> None:
    api.advance((api.clock() + timedelta(minutes=minutes)).isoformat())


def end(api: Api, step: str, red: str, shop: str = "cafe", body: Any = None) -> Any:
    return api.call("POST", f"/v1/redemptions/{red}/{step}", body or {}, by=api.shops[shop].key, key=new_key())


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def kinds(api: Api) -> list[str]:
    with psycopg.connect(api.url) as conn:
        rows = conn.execute(
            "select r.kind from ledger.record r join ledger.batch b on b.id = r.batch_id order by b.first_sequence, r.n"
        ).fetchall()
    return [kind for (kind,) in rows]


def clean(api: Api) -> None:
    report = audited(api.url)
    assert report.clean, [finding for finding in report.findings if not finding.ok]


# -- members


def test_a_frozen_member_earns_and_reads_and_spends_nothing(api: Api) -> None:
    ann = api.member()
    sold = api.sell(ann, 10_000)
    kept, other = held(api, ann), held(api, ann)
    done = pull(api, f"members/{ann.id}/freeze", by=api.maker)
    assert (done["id"], done["state"]) == (ann.id, "frozen")
    answer = redeem(api, ann)
    assert refused(answer) == (403, "spend_locked")
    assert answer.json()["facts"] == {"by": "network"}
    assert answer.json()["detail"] == "the network has frozen this member"
    assert redeem(api, ann, capture=True).status_code == 403
    assert api.sell(ann, 1_000)["earn"]["points"] == 10
    assert api.done("GET", "/v1/me/balance", by=ann.token)["available"] == 100
    assert api.done("GET", "/v1/me", by=ann.token)["frozen"]
    assert api.done("POST", "/v1/member-lookups", {"number": ann.number}, by=api.shops["cafe"].key)["spend_locked"]
    assert refused(api.call("POST", "/v1/me/devices", {"name": "new"}, by=ann.token)) == (409, "state_conflict")
    # what was promised goes on
    assert end(api, "capture", kept).json()["state"] == "captured"
    assert end(api, "void", other).json()["state"] == "voided"
    assert end(api, "refunds", kept, body={"external_reference": "F-1"}).status_code == 200
    back = {"external_reference": "F-2", "amount": {"amount": 1_000, "currency": "USD"}}
    path = f"/v1/sales/{sold['id']}/refunds"
    assert api.done("POST", path, back, by=api.shops["cafe"].key, key=new_key())["points"] == 10
    # unlocking one's own lock opens nothing
    api.done("PUT", "/v1/me/spend-lock", {"locked": False}, by=ann.token)
    assert refused(redeem(api, ann)) == (403, "spend_locked")
    assert pull(api, f"members/{ann.id}/unfreeze")["state"] == "active"
    later(api)
    assert redeem(api, ann).status_code == 200
    clean(api)


def test_doing_it_twice_answers_as_it_is(api: Api) -> None:
    ann, cafe = api.member(), api.shops["cafe"]
    for path, on, off, states in (
        (f"members/{ann.id}", "freeze", "unfreeze", ("frozen", "active")),
        (f"branches/{cafe.branch}", "freeze", "unfreeze", ("frozen", "active")),
        (f"merchants/{cafe.id}", "suspend", "resume", ("suspended", "active")),
        (f"books/{api.book}", "stop", "resume", ("stopped", "running")),
    ):
        untouched = pull(api, f"{path}/{off}")
        assert (untouched["state"], untouched["record"], untouched["at"]) == (states[1], None, None)
        key = new_key()
        first = brake(api, f"{path}/{on}", by=api.maker, key=key)
        stood = len(kinds(api))
        again = brake(api, f"{path}/{on}", by=api.maker, key=key)
        assert again.content == first.content
        assert again.headers["Idempotent-Replayed"] == "true"
        assert pull(api, f"{path}/{on}") == first.json()
        assert first.json()["state"] == states[0]
        assert len(kinds(api)) == stood
        released = pull(api, f"{path}/{off}")
        assert pull(api, f"{path}/{off}") == released
        assert released["state"] == states[1]
        assert pull(api, f"{path}/{on}")["record"] != first.json()["record"]
        pull(api, f"{path}/{off}")
    clean(api)


def test_whoever_pulls_a_brake_does_not_release_it_alone(api: Api) -> None:
    ann, cafe = api.member(), api.shops["cafe"]
    auditor = make_key(api.url, "auditor", frozenset({"auditor"})).secret
    for path in (
        f"members/{ann.id}/unfreeze",
        f"branches/{cafe.branch}/unfreeze",
        f"merchants/{cafe.id}/resume",
        f"books/{api.book}/resume",
    ):
        assert refused(brake(api, path, by=api.maker)) == (403, "forbidden")
    assert refused(brake(api, f"members/{ann.id}/freeze", by=auditor)) == (403, "forbidden")
    assert pull(api, f"members/{ann.id}/freeze", by=api.maker)["state"] == "frozen"


def test_the_record_says_who_and_when_and_the_reason_stays_with_the_operators(api: Api) -> None:
    ann, cafe = api.member(), api.shops["cafe"]
    pull(api, f"merchants/{cafe.id}/suspend", by=api.maker)
    pull(api, f"members/{ann.id}/freeze", by=api.maker)
    pull(api, f"members/{ann.id}/unfreeze")
    told = api.done("GET", f"{_O}/books/{api.book}/brakes", by=api.maker)["data"]
    assert [t["kind"] for t in told] == ["member_unfrozen", "member_frozen", "merchant_suspended"]
    assert [t["subject"] for t in told] == [ann.id, ann.id, cafe.id]
    assert {t["reason"] for t in told} == {WHY["reason"]}
    assert told[0]["operator"] != told[1]["operator"] == told[2]["operator"]
    page = api.done("GET", f"{_O}/books/{api.book}/brakes?limit=2", by=api.maker)
    rest = api.done("GET", f"{_O}/books/{api.book}/brakes?limit=2&cursor={page['next_cursor']}", by=api.maker)
    assert page["data"] + rest["data"] == told
    mine = api.done("GET", "/v1/records", by=cafe.key)["data"][-1]
    assert (mine["kind"], mine["subject"], mine["facts"]) == (
        "merchant_suspended",
        cafe.id,
        {"operator": told[2]["operator"], "revision": 1},
    )
    assert mine["actor"] == told[2]["operator"]
    assert [r["kind"] for r in api.done("GET", "/v1/me/records", by=ann.token)["data"]] == [
        "member_frozen",
        "member_unfrozen",
    ]
    with psycopg.connect(api.url) as conn:
        for table in ("ledger.record", "ledger.outcome"):
            found = conn.execute(f"select count(*) from {table} t where t::text like '%police%'").fetchone()
            assert found == (0,), table
        found = conn.execute(
            "select count(*) from ledger.outcome where position('police'::bytea in body) > 0"
        ).fetchone()
    assert found == (0,)


def test_who_left_is_not_frozen_and_what_exited_is_not_suspended(api: Api) -> None:
    ann, cafe = api.member(), api.shops["cafe"]
    with psycopg.connect(api.url) as conn:
        conn.execute("update merchants.member set state = 'left'")
        conn.execute("update merchants.branch set state = 'closed'")
        conn.execute("update merchants.merchant set state = 'exited'")
    stood = kinds(api)
    for path in (f"members/{ann.id}", f"branches/{cafe.branch}"):
        assert refused(brake(api, f"{path}/freeze")) == (409, "state_conflict")
        assert refused(brake(api, f"{path}/unfreeze")) == (409, "state_conflict")
    assert refused(brake(api, f"merchants/{cafe.id}/suspend")) == (409, "state_conflict")
    assert refused(brake(api, f"merchants/{cafe.id}/resume")) == (409, "state_conflict")
    assert kinds(api) == stood


# -- branches and merchants


def test_a_frozen_branch_sells_and_earns_nothing_and_takes_no_hold(api: Api) -> None:
    ann, cafe = api.member(), api.shops["cafe"]
    other = api.done("POST", f"{_O}/merchants/{cafe.id}/branches", {"reference": "b", "name": "b"}, by=api.maker)["id"]
    sold = api.sell(ann, 10_000)
    kept, voided = held(api, ann), held(api, ann)
    pull(api, f"branches/{cafe.branch}/freeze", by=api.maker)
    asked = {"branch": cafe.branch, "member": ann.number, "total": {"amount": 500, "currency": "USD"}}
    assert api.done("POST", "/v1/quotes", asked, by=cafe.key)["earn"]["refused"] == "branch_frozen"
    earned = api.sell(ann, 1_000)["earn"]
    assert (earned["points"], earned["refused"]) == (0, "branch_frozen")
    assert api.sell(None, 1_000)["earn"]["refused"] is None
    assert refused(redeem(api, ann)) == (409, "state_conflict")
    assert api.sell(ann, 1_000, branch=other)["earn"]["points"] == 10
    assert redeem(api, ann, branch=other).status_code == 200
    assert end(api, "capture", kept).json()["state"] == "captured"
    assert end(api, "void", voided).json()["state"] == "voided"
    assert end(api, "refunds", kept, body={"external_reference": "F-1"}).status_code == 200
    back = {"external_reference": "F-2", "amount": {"amount": 1_000, "currency": "USD"}}
    assert api.done("POST", f"/v1/sales/{sold['id']}/refunds", back, by=cafe.key, key=new_key())["points"] == 10
    pull(api, f"branches/{cafe.branch}/unfreeze")
    assert api.sell(ann, 1_000)["earn"]["points"] == 10
    later(api)
    assert redeem(api, ann).status_code == 200
    clean(api)


def test_a_suspended_merchant_neither_earns_nor_takes_new_holds_and_its_lots_are_good_elsewhere(api: Api) -> None:
    ann, cafe = api.member(), api.shops["cafe"]
    sold = api.sell(ann, 10_000)
    kept, voided = held(api, ann), held(api, ann)
    pull(api, f"merchants/{cafe.id}/suspend", by=api.maker)
    assert api.sell(ann, 1_000)["earn"]["refused"] == "merchant_suspended"
    assert refused(redeem(api, ann)) == (403, "merchant_suspended")
    assert redeem(api, ann, 20, "grocer", capture=True).status_code == 200
    assert end(api, "capture", kept).json()["state"] == "captured"
    assert end(api, "void", voided).json()["state"] == "voided"
    assert end(api, "refunds", kept, body={"external_reference": "F-1"}).status_code == 200
    back = {"external_reference": "F-2", "amount": {"amount": 1_000, "currency": "USD"}}
    assert api.done("POST", f"/v1/sales/{sold['id']}/refunds", back, by=cafe.key, key=new_key())["points"] == 10
    # a new version of its contract does not let it go on
    terms = {"mode": "deferred", "credit_line_points": 5_000, "purchase_fee_ppm": 0, "redemption_fee_ppm": 0}
    api.done("POST", f"{_O}/merchants/{cafe.id}/contracts", terms, by=api.maker)
    clean(api)
    assert api.sell(ann, 1_000)["earn"]["refused"] == "merchant_suspended"
    pull(api, f"merchants/{cafe.id}/resume")
    assert api.sell(ann, 1_000)["earn"]["points"] == 10
    clean(api)


def test_a_merchant_suspended_before_its_first_contract_stays_so(api: Api) -> None:
    new = api.done("POST", f"{_O}/books/{api.book}/merchants", {"name": "late"}, by=api.maker)["id"]
    pull(api, f"merchants/{new}/suspend", by=api.maker)
    terms = {"mode": "deferred", "credit_line_points": 5_000, "purchase_fee_ppm": 0, "redemption_fee_ppm": 0}
    api.done("POST", f"{_O}/merchants/{new}/contracts", terms, by=api.maker)
    clean(api)


# -- the kill switch


def test_a_stopped_network_posts_nothing_and_is_as_if_it_was_late(api: Api) -> None:
    ann, cafe = api.member(), api.shops["cafe"]
    body, key = api.sale(ann, 1_000), new_key()
    first = api.call("POST", "/v1/sales", body, by=cafe.key, key=key)
    red = held(api, ann)
    pull(api, f"books/{api.book}/stop", by=api.maker)
    stood = kinds(api)
    late, late_key = api.sale(ann, 2_000), new_key()
    answer = api.call("POST", "/v1/sales", late, by=cafe.key, key=late_key)
    assert refused(answer) == (503, "unavailable")
    assert answer.json()["retryable"]
    assert answer.headers["Retry-After"]
    assert refused(redeem(api, ann)) == (503, "unavailable")
    for step in ("capture", "void"):
        assert refused(end(api, step, red)) == (503, "unavailable")
    terms = {"points": 2, "per": 100}
    assert refused(api.call("POST", f"{_O}/merchants/{cafe.id}/terms", terms, by=api.maker)) == (503, "unavailable")
    window = api.done("GET", f"{_O}/books/{api.book}/windows", by=api.maker)["data"][0]["id"]
    closed = api.call("POST", f"{_O}/windows/{window}/close", {}, by=api.maker, key=new_key())
    assert refused(closed) == (503, "unavailable")
    # what was answered is answered; a key that means something else is told so
    again = api.call("POST", "/v1/sales", body, by=cafe.key, key=key)
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    other = api.call("POST", "/v1/sales", late, by=cafe.key, key=key)
    assert refused(other) == (422, "idempotency_key_reused")
    # reading goes on
    assert api.done("GET", "/v1/me/balance", by=ann.token)["available"] == 5
    assert api.done("GET", f"{_O}/books/{api.book}", by=api.maker)["stopped"]
    api.done("GET", "/v1/position", by=cafe.key)
    # the clock stands
    answer = api.call("POST", f"{_O}/books/{api.book}/test-clock", {"advance_to": "2017-02-01T00:00:00Z"}, by=api.maker)
    assert refused(answer) == (409, "state_conflict")
    assert kinds(api) == stood
    pull(api, f"books/{api.book}/resume")
    done = api.call("POST", "/v1/sales", late, by=cafe.key, key=late_key)
    assert done.status_code == 200
    assert "Idempotent-Replayed" not in done.headers
    assert end(api, "capture", red).json()["state"] == "captured"
    api.advance("2018-01-20T00:00:00Z")
    assert api.done("GET", "/v1/me/balance", by=ann.token)["available"] == 0
    clean(api)


def test_in_a_batch_each_operation_is_told(api: Api) -> None:
    ann, cafe = api.member(), api.shops["cafe"]
    known = {"operation": "sale", "idempotency_key": new_key(), "body": api.sale(ann)}
    fresh = {"operation": "sale", "idempotency_key": new_key(), "body": api.sale(ann)}
    api.done("POST", "/v1/batches", {"operations": [known]}, by=cafe.key)
    pull(api, f"books/{api.book}/stop", by=api.maker)
    told = api.done("POST", "/v1/batches", {"operations": [fresh, known, fresh]}, by=cafe.key)["outcomes"]
    assert [(t["status"], t["replayed"]) for t in told] == [(503, False), (200, True), (503, False)]
    assert told[0]["body"]["code"] == "unavailable"
    pull(api, f"books/{api.book}/resume")
    told = api.done("POST", "/v1/batches", {"operations": [fresh, known, fresh]}, by=cafe.key)["outcomes"]
    assert [(t["status"], t["replayed"]) for t in told] == [(200, False), (200, True), (200, True)]


def test_in_a_stopped_network_an_operator_freezes_before_it_runs_again(api: Api) -> None:
    ann, cafe = api.member(), api.shops["cafe"]
    api.sell(ann, 10_000)
    pull(api, f"books/{api.book}/stop", by=api.maker)
    pull(api, f"members/{ann.id}/freeze", by=api.maker)
    pull(api, f"merchants/{cafe.id}/suspend", by=api.maker)
    pull(api, f"books/{api.book}/resume")
    assert refused(redeem(api, ann, shop="grocer")) == (403, "spend_locked")
    clean(api)


def test_one_book_stops_and_the_others_run(api: Api) -> None:
    other = api.open_book("other")
    shop = api.open_shop("elsewhere", book=other)
    pull(api, f"books/{api.book}/stop", by=api.maker)
    sold = api.sale(shop="elsewhere")
    assert api.call("POST", "/v1/sales", sold, by=shop.key, key=new_key()).status_code == 200
    assert api.call("POST", "/v1/sales", api.sale(), by=api.shops["cafe"].key, key=new_key()).status_code == 503
    clean(api)


# -- freeze against tills


@pytest.mark.parametrize("what", ["member", "branch", "merchant", "book"])
def test_after_the_record_of_a_freeze_there_is_no_hold(api: Api, what: str) -> None:
    """Eight threads redeem while the freeze lands: in the sequence no hold follows it."""
    ann, cafe = api.member(), api.shops["cafe"]
    api.sell(ann, 100_000)
    codes = phones(api, ann, 48)
    path = {
        "member": f"members/{ann.id}/freeze",
        "branch": f"branches/{cafe.branch}/freeze",
        "merchant": f"merchants/{cafe.id}/suspend",
        "book": f"books/{api.book}/stop",
    }[what]
    asked = [api.redemption(ann, 1, spend_code=code) for code in codes]
    headers = {"Authorization": f"Bearer {cafe.key}"}

    def send(body: Any) -> int:
        sent = headers | {"Idempotency-Key": new_key()}
        return int(api.client.request("POST", "/v1/redemptions", json=body, headers=sent).status_code)

    with ThreadPoolExecutor(8) as threads:
        before = [threads.submit(send, body) for body in asked[:16]]
        frozen = threads.submit(brake, api, path, by=api.maker)
        after = [threads.submit(send, body) for body in asked[16:]]
        statuses = [answer.result() for answer in (*before, *after)]
    assert frozen.result().status_code == 200
    assert set(statuses) == {200, {"member": 403, "branch": 409, "merchant": 403, "book": 503}[what]}
    told = kinds(api)
    record = {"member": "member_frozen", "branch": "branch_frozen", "merchant": "merchant_suspended"}
    at = told.index(record.get(what, "network_stopped"))
    assert told[:at].count("hold") == statuses.count(200)
    assert "hold" not in told[at:]
    clean(api)


def test_eight_operators_at_once_leave_one_record_and_get_one_answer(api: Api) -> None:
    ann = api.member()
    for path, record in (("freeze", "member_frozen"), ("unfreeze", "member_unfrozen")):
        with ThreadPoolExecutor(8) as threads:
            waiting = [threads.submit(brake, api, f"members/{ann.id}/{path}") for _ in range(8)]
            answers = [answer.result() for answer in waiting]
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert kinds(api).count(record) == 1
    clean(api)


def test_a_clock_that_moves_while_the_network_is_stopped_stands_still_and_goes_on_later(api: Api) -> None:
    """Points of many days expire on the way; the stop lands in between, and nothing spins or is lost."""
    ann = api.member()
    for day in range(1, 13):
        api.sell(ann, 1_000)
        api.advance(f"2017-01-{day + 1:02}T00:00:00Z")
    path, to = f"{_O}/books/{api.book}/test-clock", {"advance_to": "2018-01-20T00:00:00Z"}
    with ThreadPoolExecutor(2) as threads:
        moving = threads.submit(api.call, "POST", path, to, by=api.maker)
        stopped = threads.submit(pull, api, f"books/{api.book}/stop")
        stopped.result()
        answer = moving.result()
    assert answer.status_code in (200, 409)
    clean(api)
    pull(api, f"books/{api.book}/resume")
    assert api.done("POST", path, to, by=api.maker)["clock"].startswith("2018-01-20")
    assert api.done("GET", "/v1/me/balance", by=ann.token)["available"] == 0
    assert kinds(api).count("expiry") == 12
    clean(api)


def phones(api: Api, member: Member, many: int) -> list[str]:
    """Spend codes of `many` phones of one member, made now. More phones than the product allows: a crowd of tills."""
    made = []
    with psycopg.connect(api.url, autocommit=True) as conn:
        for _ in range(many):
            device, nonce = ids.new(), os.urandom(people.spend_codes.NONCE_BYTES)
            conn.execute(
                "insert into merchants.device (id, book_id, member_id, name, nonce, enrolled_at)"
                " select %s, book_id, id, 'phone', %s, enrolled_at from merchants.member where id = %s",
                [device, nonce, ids.read("member", member.id)],
            )
            made.append(people.spend_codes.secret(api.server.keys.spend, device, nonce))
    now = api.clock()
    return [pyotp.TOTP(secret).at(now) for secret in made]
