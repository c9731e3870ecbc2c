"""What two tills, two gateways and the clock try to do at the same moment. Real processes, real sockets, real locks."""

import json
import time
from typing import Any

import psycopg
import pytest

from tests.gateway.network import new_key
from tests.stories.doors import Doors


@pytest.mark.row("A2")
def test_fifty_tills_redeem_from_one_wallet_and_exactly_what_it_holds_is_given(doors: Doors) -> None:
    api = doors.api
    ann = api.member()
    for shop in ("cafe", "grocer", "taxi"):
        api.sell(ann, 10_000, shop)
    shops = ["cafe", "grocer", "taxi"]
    sendings: list[tuple[str, Any, str, str | None]] = [
        (
            "/v1/redemptions",
            api.redemption(ann, 7, shops[i % 3], spend_code=code, capture=i % 2 == 0),
            api.shops[shops[i % 3]].key,
            new_key(),
        )
        for i, code in enumerate(doors.phones(ann, 50))
    ]
    answers = doors.together(sendings)
    assert [status for status, _, _ in answers].count(200) == 300 // 7
    refused = {json.loads(body)["code"] for status, body, _ in answers if status != 200}
    assert refused == {"insufficient_points"}
    wallet = doors.wallet(ann)
    assert wallet["available"] == 300 % 7
    doors.clean()


@pytest.mark.row("A1")
def test_one_key_from_twenty_threads_is_one_sale_and_one_answer(doors: Doors) -> None:
    api = doors.api
    ann = api.member()
    body, key = api.sale(ann, 5_000), new_key()
    answers = doors.together([("/v1/sales", body, api.shops["cafe"].key, key)] * 20)
    assert {status for status, _, _ in answers} == {200}
    assert len({raw for _, raw, _ in answers}) == 1
    assert [replayed for _, _, replayed in answers].count(False) == 1
    assert doors.wallet(ann)["available"] == 50
    other = doors.send(0, "/v1/sales", body | {"external_reference": "another"}, api.shops["cafe"].key, key)
    assert (other[0], json.loads(other[1])["code"]) == (422, "idempotency_key_reused")
    doors.clean()


@pytest.mark.row("A1")
def test_one_reference_under_twenty_keys_is_one_sale(doors: Doors) -> None:
    api = doors.api
    ann = api.member()
    body = api.sale(ann, 5_000)
    answers = doors.together([("/v1/sales", body, api.shops["cafe"].key, new_key()) for _ in range(20)])
    assert sorted(status for status, _, _ in answers) == [200] + [409] * 19
    sale = next(json.loads(raw)["id"] for status, raw, _ in answers if status == 200)
    problems = [json.loads(raw) for status, raw, _ in answers if status == 409]
    assert {p["code"] for p in problems} == {"duplicate_reference"}
    assert all(sale in json.dumps(p) for p in problems)
    assert doors.wallet(ann)["available"] == 50
    doors.clean()


def test_one_spend_code_at_two_tills_at_once_is_one_hold(doors: Doors) -> None:
    api = doors.api
    ann = api.member()
    api.sell(ann, 50_000)
    code = ann.code()
    answers = doors.together(
        [
            ("/v1/redemptions", api.redemption(ann, 10, shop, spend_code=code), api.shops[shop].key, new_key())
            for shop in ("cafe", "grocer", "taxi", "cafe", "grocer", "taxi")
        ]
    )
    assert sorted(status for status, _, _ in answers) == [200] + [409] * 5
    assert {json.loads(raw)["code"] for status, raw, _ in answers if status != 200} == {"code_already_used"}
    assert doors.wallet(ann)["held"] == 10
    doors.clean()


@pytest.mark.row("A7")
def test_points_expire_while_tills_capture_and_each_point_goes_one_way(doors: Doors) -> None:
    """Holds of points that expire within the hold: captures and voids race the clock past expiry and deadline."""
    api = doors.api
    ann = api.member()
    for shop in ("cafe", "grocer"):
        api.sell(ann, 20_000, shop)
    api.advance("2017-12-31T23:55:00Z")
    codes = doors.phones(ann, 12)
    held = [
        api.done(
            "POST",
            "/v1/redemptions",
            api.redemption(ann, 20, "taxi", spend_code=code),
            by=api.shops["taxi"].key,
            key=new_key(),
        )["id"]
        for code in codes
    ]
    clock = f"/v1/operator/books/{api.book}/test-clock"
    taxi = api.shops["taxi"].key
    sendings: list[tuple[str, Any, str, str | None]] = [
        (clock, {"advance_to": "2018-01-01T00:12:00Z"}, api.maker, None)
    ]
    sendings += [(f"/v1/redemptions/{red}/capture", {}, taxi, new_key()) for red in held]
    sendings += [(f"/v1/redemptions/{red}/void", {}, taxi, new_key()) for red in held[::2]]
    answers = doors.together(sendings)
    assert {status for status, _, _ in answers} <= {200, 409}
    captured = sum(
        status == 200 and json.loads(raw).get("state") == "captured" for status, raw, _ in answers[1 : 1 + len(held)]
    )
    assert doors.wallet(ann) | {"expiring": []} == {
        "confirming": [],
        "available": 0,
        "pending": 0,
        "held": 0,
        "expiring": [],
        "owed": 0,
        "value": {"amount": 0, "currency": "USD"},
    }
    position = api.done("GET", "/v1/position", by=taxi)
    assert position["accepted_points"] == captured * 20
    doors.clean()


@pytest.mark.row("G2")
def test_a_window_closes_once_while_tills_capture_and_no_capture_is_in_two_or_in_none(doors: Doors) -> None:
    api = doors.api
    ann = api.member()
    api.sell(ann, 100_000, "grocer")
    codes = doors.phones(ann, 30)
    cafe = api.shops["cafe"].key
    window = api.done("GET", f"/v1/operator/books/{api.book}/windows", by=api.maker)["data"][-1]["id"]
    sendings: list[tuple[str, Any, str, str | None]] = [
        ("/v1/redemptions", api.redemption(ann, 10, "cafe", spend_code=code, capture=True), cafe, new_key())
        for code in codes
    ]
    for place in (7, 8, 15, 23):
        sendings.insert(place, (f"/v1/operator/windows/{window}/close", {}, api.maker, new_key()))
    answers = doors.together(sendings)
    assert {status for status, _, _ in answers} == {200}
    windows = api.done("GET", f"/v1/operator/books/{api.book}/windows", by=api.maker)["data"]
    assert [w["state"] for w in windows] == ["open", "advised"]
    api.done("POST", f"/v1/operator/windows/{windows[0]['id']}/close", {}, by=api.maker, key=new_key())
    with psycopg.connect(api.url) as conn:
        slices = conn.execute(
            "select count(*), count(distinct subject_id), sum(points) from settlement.item where kind = 'slice'"
        ).fetchone()
    assert slices == (30, 30, 300)
    doors.clean()


@pytest.mark.row("G4")
def test_two_gateways_post_to_one_hot_shop_and_its_credit_line_holds_to_the_point(doors: Doors) -> None:
    api = doors.api
    hot = api.open_shop("kiosk", credit_line_points=1_000)
    members = [api.member(f"+1555010{n:04d}") for n in range(8)]
    sendings: list[tuple[str, Any, str, str | None]] = [
        ("/v1/sales", api.sale(members[i % 8], 900, "kiosk"), hot.key, new_key()) for i in range(160)
    ]
    began = time.monotonic()
    answers = []
    for start in range(0, len(sendings), 40):
        answers += doors.together(sendings[start : start + 40])
    assert time.monotonic() - began < 60
    assert {status for status, _, _ in answers} == {200}
    earned = [json.loads(raw)["earn"] for _, raw, _ in answers]
    assert sum(e["points"] for e in earned) == 1_000 // 9 * 9
    assert {e["refused"] for e in earned} == {None, "issuing_limit_reached"}
    assert sum(doors.wallet(m)["available"] for m in members) == 999
    doors.clean()


def test_a_network_is_stopped_in_one_gateway_and_at_once_in_the_other(doors: Doors) -> None:
    """Fifty tills sell through both while an operator stops the network through one: after its record there is no sale."""
    api = doors.api
    ann, cafe = api.member(), api.shops["cafe"].key
    stop = (f"/v1/operator/books/{api.book}/stop", {"reason": "a rehearsal"}, api.maker, new_key())
    sendings: list[tuple[str, Any, str, str | None]] = [
        ("/v1/sales", api.sale(ann, 100), cafe, new_key()) for _ in range(50)
    ]
    answers = doors.together([*sendings[:20], stop, *sendings[20:]])
    assert {status for status, _, _ in answers} <= {200, 503}
    assert answers[20][0] == 200
    late = doors.send(1, *sendings[0][:3], new_key()), doors.send(0, *sendings[0][:3], new_key())
    assert [status for status, _, _ in late] == [503, 503]
    with psycopg.connect(api.url) as conn:
        kinds = [
            kind
            for (kind,) in conn.execute(
                "select kind from ledger.record r join ledger.batch b on b.id = r.batch_id order by first_sequence + n"
            )
        ]
    assert kinds[-1] == "network_stopped"
    resume = (f"/v1/operator/books/{api.book}/resume", {"reason": "it was one"}, api.approver, new_key())
    assert doors.send(1, *resume)[0] == 200
    again = doors.together(sendings)
    assert {status for status, _, _ in again} == {200}
    assert sum(replayed for _, _, replayed in again) == [s for s, _, _ in answers].count(200) - 1
    assert doors.wallet(ann)["available"] == 50
    doors.clean()
