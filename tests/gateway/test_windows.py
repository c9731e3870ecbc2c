"""A week of an operator: windows closed, submitted by one, approved by another, paid; statements that add up."""

import csv
import io
from typing import Any

import pytest

from deploy.commands.operator import make_key
from tests.gateway.network import Api, new_key


def step(api: Api, window: str, name: str, body: Any = None, by: str | None = None, key: str | None = None) -> Any:
    path = f"/v1/operator/windows/{window}/{name}"
    return api.call("POST", path, {} if body is None else body, by=by or api.maker, key=key or new_key())


def a_week(api: Api) -> str:
    """Ann earns at one shop and spends at the other; the id of the window that holds it."""
    ann = api.member()
    api.sell(ann, 5_000, shop="cafe")
    grocer = api.shops["grocer"].key
    api.done("POST", "/v1/redemptions", api.redemption(ann, 30, "grocer", capture=True), by=grocer, key=new_key())
    windows = api.done("GET", f"/v1/operator/books/{api.book}/windows", by=api.maker)["data"]
    assert [w["state"] for w in windows] == ["open"]
    return str(windows[0]["id"])


@pytest.mark.row("G1")
def test_a_window_goes_from_close_to_settled(api: Api) -> None:
    window = a_week(api)
    closed = step(api, window, "close").json()
    assert closed["state"] == "advised"
    digest = api.done("GET", f"/v1/operator/windows/{window}", by=api.maker)["positions_hash"]
    assert step(api, window, "submit").json()["state"] == "submitted"
    both = {"positions_hash": digest}
    wrong = step(api, window, "approve", {"positions_hash": 64 * "0"}, api.approver)
    assert (wrong.status_code, wrong.json()["code"]) == (409, "state_conflict")
    key = new_key()
    approved = step(api, window, "approve", both, api.approver, key)
    assert approved.json()["state"] == "funding"
    assert step(api, window, "approve", both, api.approver, key).content == approved.content
    paid = step(api, window, "payments", {"reference": "bank-1"}).json()
    assert [p["direction"] for p in paid["payments"]] == ["pay_in", "pay_out"]
    told = api.done("GET", f"/v1/operator/windows/{window}", by=api.maker)
    assert told["state"] == "settled"
    assert [s["step"] for s in told["steps"]][-2:] == ["paying", "settled"]
    positions = api.done("GET", f"/v1/operator/windows/{window}/positions", by=api.maker)["data"]
    assert sum(p["position"]["amount"] for p in positions) == 0
    assert {p["party"]: p["open"]["amount"] for p in positions if p["open"]["amount"]} == {}
    matrix = api.done("GET", f"/v1/operator/windows/{window}/matrix", by=api.maker)["data"]
    assert {(d["debtor"], d["creditor"], d["value"]["amount"]) for d in matrix} >= {
        (api.shops["cafe"].id, api.shops["grocer"].id, 30)
    }


@pytest.mark.row("G1")
def test_nobody_approves_what_they_submitted(api: Api) -> None:
    both = make_both(api)
    window = a_week(api)
    step(api, window, "close")
    digest = api.done("GET", f"/v1/operator/windows/{window}", by=api.maker)["positions_hash"]
    step(api, window, "submit", by=both)
    refused = step(api, window, "approve", {"positions_hash": digest}, both)
    assert (refused.status_code, refused.json()["code"]) == (403, "self_approval_forbidden")
    assert step(api, window, "submit", by=api.approver).status_code == 403
    assert step(api, window, "return", {"reason": "look again"}, api.approver).json()["state"] == "advised"


def make_both(api: Api) -> str:
    return make_key(api.url, "both", frozenset({"maker", "approver"})).secret


def test_a_statement_adds_up_to_its_position_in_json_and_csv(api: Api) -> None:
    window = a_week(api)
    step(api, window, "close")
    for name in ("cafe", "grocer"):
        key = api.shops[name].key
        (short,) = api.done("GET", "/v1/statements", by=key)["data"]
        told = api.done("GET", f"/v1/statements/{short['id']}", by=key)
        receivable, payable, fee = (told[x]["amount"] for x in ("receivable", "payable", "fee"))
        assert told["position"]["amount"] == receivable - payable - fee
        items: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            page = api.done("GET", f"/v1/statements/{short['id']}/items?limit=1{cursor}", by=key)
            items += page["data"]
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        assert len(items) == told["items"]
        assert sum(i["fee_millionths"] for i in items) == told["fee_millionths"]
        assert sum(i["value"]["amount"] for i in items if i["acceptor"] == api.shops[name].id) == receivable
        for asked, accept in (("?format=csv", "*/*"), ("", "text/csv")):
            path = f"/v1/statements/{short['id']}{asked}"
            file = api.call("GET", path, by=key, headers={"Accept": accept})
            assert file.headers["content-type"].startswith("text/csv")
            rows = list(csv.DictReader(io.StringIO(file.text)))
            assert int(rows[-1]["receivable_minor"]) == receivable
        other = api.shops["grocer" if name == "cafe" else "cafe"].key
        assert api.call("GET", f"/v1/statements/{short['id']}", by=other).status_code == 404
        assert api.call("GET", f"/v1/statements/{short['id']}/items", by=other).status_code == 404


def test_a_prefunded_shop_pays_in_and_buys_its_points(api: Api) -> None:
    shop = api.open_shop("bakery", mode="prefunded", credit_line_points=0)
    of = f"/v1/operator/merchants/{shop.id}"
    paid = api.done("POST", f"{of}/topups", topup(10_000), by=api.maker, key=new_key())
    assert paid["prefund"]["amount"] == 10_000
    bought = api.done("POST", f"{of}/point-purchases", {"points": 4_000}, by=api.maker, key=new_key())
    assert (bought["pool"], bought["prefund"]["amount"]) == (4_000, 6_000)
    much = api.call("POST", "/v1/point-purchases", {"points": 7_000}, by=shop.key, key=new_key())
    assert (much.status_code, much.json()["code"]) == (422, "limit_exceeded")
    position = api.done("GET", "/v1/position", by=shop.key)
    assert (position["pool_points"], position["backing"]["amount"]) == (4_000, 4_000)
    nothing = api.call("POST", f"{of}/topups", topup(0), by=api.maker, key=new_key())
    assert nothing.json()["errors"][0]["pointer"] == "/amount/amount"


def topup(amount: int) -> Any:
    return {"amount": {"amount": amount, "currency": "USD"}, "reference": "t-1"}


def test_in_a_live_book_a_shop_does_not_pay_itself(api: Api) -> None:
    shop = api.open_shop("bakery", book=api.open_book("other", "live"))
    refused = api.call("POST", "/v1/topups", topup(5), by=shop.key, key=new_key())
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


def test_a_live_book_has_no_clock_to_move_and_shows_no_codes(api: Api) -> None:
    live = f"/v1/operator/books/{api.open_book('other', 'live')}"
    moved = api.call("POST", f"{live}/test-clock", {"advance_to": "2030-01-01T00:00:00Z"}, by=api.maker)
    assert (moved.status_code, moved.json()["code"]) == (409, "state_conflict")
    assert api.call("GET", f"{live}/one-time-codes?phone=%2B989121234567", by=api.maker).status_code == 403


@pytest.mark.row("A7")
def test_moving_the_clock_does_what_became_due(api: Api) -> None:
    ann = api.member()
    api.sell(ann, 5_000)
    held = api.done("POST", "/v1/redemptions", api.redemption(ann, 20), by=api.shops["cafe"].key, key=new_key())
    assert api.advance("2017-01-01T01:00:00Z") == "2017-01-01T01:00:00Z"
    assert api.advance("2017-01-01T00:30:00Z") == "2017-01-01T01:00:00Z"
    assert api.done("GET", f"/v1/redemptions/{held['id']}", by=api.shops["cafe"].key)["state"] == "lapsed"
    assert api.done("GET", "/v1/me/balance", by=ann.token)["available"] == 50
    api.advance("2018-02-01T00:00:00Z")
    assert api.done("GET", "/v1/me/balance", by=ann.token)["available"] == 0
    summary = api.done("GET", f"/v1/operator/books/{api.book}/summary", by=api.maker)
    assert {what: points for what, points in summary["points"].items() if points} == {"issued": 50, "expired": 50}
    assert (summary["baskets"], summary["members"]) == (1, 1)


def test_a_book_tells_what_became_of_all_points(api: Api) -> None:
    cafe = api.shops["cafe"].key
    api.open_shop("bakery", mode="closed_loop", credit_line_points=0)
    api.open_shop("outfitter", maturity_days=14)
    ann, bob = api.member(), api.member("+15550100456")

    def refund(of: Any, kind: str, body: Any, shop: str = "cafe") -> Any:
        body = {"external_reference": f"back-{of['id']}"} | body
        return api.done("POST", f"/v1/{kind}/{of['id']}/refunds", body, by=api.shops[shop].key, key=new_key())

    def spend(points: int) -> Any:
        return api.done("POST", "/v1/redemptions", api.redemption(ann, points, capture=True), by=cafe, key=new_key())

    first, pending = api.sell(ann, 10_000), api.sell(ann, 3_000, "outfitter")
    api.sell(ann, 2_000, "bakery")
    spent = spend(40)
    refund(pending, "sales", {"amount": {"amount": 1_000, "currency": "USD"}}, "outfitter")
    refund(spent, "redemptions", {"points": 15})
    refund(first, "sales", {"amount": {"amount": 10_000, "currency": "USD"}})  # 75 of 100 points are there
    api.sell(ann, 500)
    api.advance("2017-01-01T01:00:00Z")
    api.sell(bob, 800)
    gift = {"to": ann.number, "points": 3, "spend_code": bob.code()}
    api.done("POST", "/v1/me/gifts", gift, by=bob.token, key=new_key())
    summary = api.done("GET", f"/v1/operator/books/{api.book}/summary", by=api.maker)
    assert summary["points"] == {
        "issued": 100 + 30 + 20 + 5 + 8,
        "redeemed": 40 - 15 + 5,
        "expired": 0,
        "returned": 10 + 75,
        "outstanding": 20 + 20 + 8,
        "pending": 20,
        "closed_loop": 20,
        "repaid": 5,
        "given": 3,
        "owed": 20,
    }
    assert summary["refunds"] == {
        "sales": 2,
        "amount": {"amount": 11_000, "currency": "USD"},
        "points": 110,
        "redemptions": 1,
        "restored": 15,
    }


def test_what_an_operator_may_not_write_is_pointed_at(api: Api) -> None:
    of = f"/v1/operator/merchants/{api.shops['cafe'].id}"
    book = {"network": "x-1", "mode": "test", "currency": "USD", "exponent": 2, "face_value": 1, "points_life_days": 9}
    table: dict[str, tuple[str, Any, tuple[int, str, str | None]]] = {
        "a network that is there": (
            "/v1/operator/books",
            book | {"network": "test"},
            (409, "duplicate_reference", "/network"),
        ),
        "a zone of nobody": (
            "/v1/operator/books",
            book | {"time_zone": "Mars/Base"},
            (422, "validation_failed", "/time_zone"),
        ),
        "a live book's clock": (
            "/v1/operator/books",
            book | {"mode": "live", "clock": "2017-01-01T00:00:00Z"},
            (422, "validation_failed", "/clock"),
        ),
        "a name that is taken": (
            f"/v1/operator/books/{api.book}/merchants",
            {"name": "cafe"},
            (409, "duplicate_reference", "/name"),
        ),
        "a branch that is there": (
            f"{of}/branches",
            {"reference": "main", "name": "x"},
            (409, "duplicate_reference", "/reference"),
        ),
        "more than the price": (f"{of}/terms", {"points": 11, "per": 10}, (422, "validation_failed", "/points")),
        "a category's rate": (
            f"{of}/terms",
            {"points": 1, "per": 10, "categories": {"tea": {"points": 2, "per": 1}}},
            (422, "validation_failed", "/categories/tea/points"),
        ),
        "a value of its own": (
            f"{of}/contracts",
            {"mode": "prefunded", "purchase_fee_ppm": 0, "redemption_fee_ppm": 0, "unit_value": 2},
            (422, "validation_failed", "/unit_value"),
        ),
        "scopes of an sk": (
            f"{of}/api-keys",
            {"label": "x", "scopes": ["sales:write"]},
            (422, "validation_failed", "/scopes"),
        ),
    }
    got = {}
    for name, (path, body, _) in table.items():
        problem = api.call("POST", path, body, by=api.maker).json()
        errors = problem["errors"]
        got[name] = (problem["status"], problem["code"], errors[0]["pointer"] if errors else None)
    assert got == {name: wanted for name, (_, _, wanted) in table.items()}
