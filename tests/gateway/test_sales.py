"""The road of a sale and of a redemption through the API."""

import pytest

from tests.gateway.network import Api, new_key


@pytest.mark.row("A1")
def test_a_sale_earns_in_the_same_answer(api: Api) -> None:
    ann = api.member()
    sold = api.sell(ann, 5_000)
    assert sold["earn"]["points"] == 50
    assert sold["balance"] == {"available": 50}
    assert api.done("GET", "/v1/me/balance", by=ann.token)["available"] == 50


@pytest.mark.row("A1")
def test_a_sale_reads_back_as_it_was_told_but_for_the_balance_of_its_moment(api: Api) -> None:
    ann = api.member()
    cafe = api.shops["cafe"]
    sold = api.sell(ann, 5_000, occurred_at="2017-01-01T03:30:00+03:30", till=cafe.till)
    assert sold["occurred_at"] == "2017-01-01T00:00:00Z"
    assert api.done("GET", f"/v1/sales/{sold['id']}", by=cafe.key) == sold | {"balance": None}


def test_a_sale_to_nobody_and_a_zero_sale_are_recorded(api: Api) -> None:
    assert api.sell(None, 700)["member"] is None
    nothing = api.sell(api.member(), 0)
    assert (nothing["earn"]["points"], nothing["earn"]["refused"]) == (0, "nothing_paid")


def test_a_sale_tells_its_lines_and_payments(api: Api) -> None:
    def dollars(amount: int) -> dict[str, object]:
        return {"amount": amount, "currency": "USD"}

    lines = [{"amount": dollars(300), "category": "tea", "sku": "t-1", "quantity": 2}, {"amount": dollars(700)}]
    payments = [{"type": "cash", "amount": dollars(400)}, {"type": "card", "amount": dollars(600)}]
    assert api.sell(api.member(), 1_000, lines=lines, payments=payments)["earn"]["points"] == 10


@pytest.mark.row("A2")
def test_points_of_one_shop_are_held_and_captured_at_another(api: Api) -> None:
    ann = api.member()
    api.sell(ann, 5_000, shop="cafe")
    grocer = api.shops["grocer"].key
    held = api.done("POST", "/v1/redemptions", api.redemption(ann, 30, "grocer"), by=grocer, key=new_key())
    assert (held["state"], held["points"], held["balance"]) == ("held", 30, {"available": 20})
    assert [part["issuer"] for part in held["slices"]] == [api.shops["cafe"].id]
    taken = api.done("POST", f"/v1/redemptions/{held['id']}/capture", by=grocer, key=new_key())
    assert taken["state"] == "captured"
    read = api.done("GET", f"/v1/redemptions/{held['id']}", by=grocer)
    assert read == taken | {"balance": None, "record": held["record"], "at": held["at"]}
    assert api.done("GET", "/v1/position", by=grocer)["receivable"]["amount"] == 30


@pytest.mark.row("A2")
def test_a_void_gives_the_points_back(api: Api) -> None:
    ann = api.member()
    api.sell(ann, 5_000)
    cafe = api.shops["cafe"].key
    held = api.done("POST", "/v1/redemptions", api.redemption(ann, 30), by=cafe, key=new_key())
    voided = api.done("POST", f"/v1/redemptions/{held['id']}/void", {}, by=cafe, key=new_key())
    assert (voided["state"], voided["balance"]) == ("voided", {"available": 50})
    again = api.call("POST", f"/v1/redemptions/{held['id']}/capture", {}, by=cafe, key=new_key())
    assert (again.status_code, again.json()["code"]) == (409, "state_conflict")


@pytest.mark.row("A3")
def test_points_pay_a_part_and_only_the_money_earns(api: Api) -> None:
    ann = api.member()
    api.sell(ann, 50_000)
    cafe = api.shops["cafe"].key
    asked = api.redemption(ann, 1, capture=True)
    del asked["points"]
    asked["value"] = {"amount": 400, "currency": "USD"}
    spent = api.done("POST", "/v1/redemptions", asked, by=cafe, key=new_key())
    payments = [
        {"type": "points", "amount": spent["value"], "redemption": spent["id"]},
        {"type": "cash", "amount": {"amount": 600, "currency": "USD"}},
    ]
    sold = api.sell(ann, 1_000, payments=payments)
    assert sold["money_part"]["amount"] == 600
    assert sold["earn"]["points"] == 6


def test_a_quote_tells_what_a_basket_earns_and_what_is_left_to_pay(api: Api) -> None:
    ann = api.member()
    api.sell(ann, 5_000)
    cafe = api.shops["cafe"]
    basket = {"branch": cafe.branch, "total": {"amount": 1_000, "currency": "USD"}, "member": ann.number}
    quoted = api.done("POST", "/v1/quotes", basket, by=cafe.key)
    assert quoted["earn"]["points"] == 10
    assert quoted["spendable"] == {"points": 50, "value": {"amount": 50, "currency": "USD"}}
    assert quoted["remainder"] == {"amount": 950, "currency": "USD"}


def test_a_lookup_never_tells_the_telephone(api: Api) -> None:
    ann = api.member("+15550100199")
    found = api.call("POST", "/v1/member-lookups", {"phone": "+1 555 010 0199"}, by=api.shops["grocer"].key)
    assert found.json()["member"] == ann.id
    assert "0100199" not in found.text


def test_a_sale_beyond_what_the_shop_may_issue_is_recorded_and_says_why_it_earns_nothing(api: Api) -> None:
    api.open_shop("kiosk", credit_line_points=10)
    sold = api.sell(api.member(), 1_100, shop="kiosk")
    assert sold["earn"]["refused"] == "issuing_limit_reached"


@pytest.mark.row("A1")
def test_operations_of_a_batch_each_get_the_outcome_of_their_single_endpoint(api: Api) -> None:
    ann = api.member()
    cafe = api.shops["cafe"].key
    keys = [new_key() for _ in range(4)]
    good, other = api.sale(ann, 1_000), api.sale(ann, 2_000)
    operations = [
        {"operation": "sale", "idempotency_key": keys[0], "body": good},
        {"operation": "sale", "idempotency_key": keys[1], "body": good},
        {"operation": "sale", "idempotency_key": keys[2], "body": other | {"total": {"amount": -1, "currency": "USD"}}},
        {"operation": "sale", "idempotency_key": keys[0], "body": good},
        {"operation": "sale", "body": other},
        {"operation": "gift", "idempotency_key": keys[3], "body": {}},
        {"operation": "sale", "idempotency_key": keys[3], "body": other},
        {"operation": "capture", "idempotency_key": new_key(), "redemption": "red_" + 32 * "0"},
    ]
    outcomes = api.done("POST", "/v1/batches", {"operations": operations}, by=cafe)["outcomes"]
    told = [(o["status"], o["replayed"], o["body"].get("code")) for o in outcomes]
    assert told == [
        (200, False, None),
        (409, False, "duplicate_reference"),
        (422, False, "validation_failed"),
        (200, True, None),
        (400, False, "idempotency_key_missing"),
        (422, False, "validation_failed"),
        (200, False, None),
        (404, False, "not_found"),
    ]
    assert outcomes[1]["body"]["facts"] == {"existing": outcomes[0]["body"]["id"]}
    assert outcomes[2]["body"]["errors"][0]["pointer"] == "/total/amount"
    single = api.call("POST", "/v1/sales", good, by=cafe, key=keys[0])
    assert single.headers["Idempotent-Replayed"] == "true"
    assert single.json() == outcomes[0]["body"]


def test_records_come_in_pages_and_concern_their_owner_only(api: Api) -> None:
    ann = api.member()
    cafe, grocer = api.shops["cafe"].key, api.shops["grocer"].key
    sales = [api.sell(ann, 1_000)["record"] for _ in range(5)]
    api.sell(ann, 1_000, shop="grocer")
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.done("GET", f"/v1/records?limit=2{cursor and '&cursor=' + cursor}", by=cafe)
        found += [record["id"] for record in page["data"] if record["kind"] == "sale"]
        cursor = page["next_cursor"]
    assert found == sales
    assert api.done("GET", f"/v1/records/{sales[0]}", by=cafe)["facts"]["points"] == 10
    assert api.call("GET", f"/v1/records/{sales[0]}", by=grocer).status_code == 404
    mine = api.done("GET", "/v1/me/records", by=ann.token)["data"]
    assert [record["kind"] for record in mine] == ["sale"] * 6


@pytest.mark.row("A4")
def test_a_sale_is_refunded_in_slices_and_never_beyond_its_money(api: Api) -> None:
    ann = api.member()
    cafe, grocer = api.shops["cafe"].key, api.shops["grocer"].key
    sold = api.sell(ann, 5_000)
    path = f"/v1/sales/{sold['id']}/refunds"

    def of(amount: int, reference: str) -> dict[str, object]:
        return {"external_reference": reference, "amount": {"amount": amount, "currency": "USD"}}

    key = new_key()
    first = api.done("POST", path, of(1_550, "F-1"), by=cafe, key=key)
    assert (first["points"], first["returned"], first["owed"], first["left"]["amount"]) == (15, 15, 0, 3_450)
    assert first["balance"] == {"available": 35}
    again = api.call("POST", path, of(1_550, "F-1"), by=cafe, key=key)
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first, "true")
    refused = {
        "refund_exceeds_original": api.call("POST", path, of(3_451, "F-2"), by=cafe, key=new_key()),
        "duplicate_reference": api.call("POST", path, of(1, "F-1"), by=cafe, key=new_key()),
        "not_found": api.call("POST", path, of(1, "F-3"), by=grocer, key=new_key()),
        "validation_failed": api.call("POST", path, of(0, "F-4"), by=cafe, key=new_key()),
    }
    assert {answer.json()["code"] for answer in refused.values()} == refused.keys()
    assert all(answer.json()["code"] == code for code, answer in refused.items())
    assert refused["duplicate_reference"].json()["facts"] == {"existing": first["id"]}
    record = api.done("GET", f"/v1/records/{first['record']}", by=cafe)
    assert (record["kind"], record["subject"], record["facts"]["refund"]) == ("refund", sold["id"], first["id"])


@pytest.mark.row("A4")
def test_points_spent_before_a_refund_are_owed_and_shown(api: Api) -> None:
    ann = api.member()
    cafe, grocer = api.shops["cafe"].key, api.shops["grocer"].key
    sold = api.sell(ann, 5_000)
    api.done("POST", "/v1/redemptions", api.redemption(ann, 30, "grocer", capture=True), by=grocer, key=new_key())
    body = {"external_reference": "F-1", "amount": {"amount": 5_000, "currency": "USD"}}
    done = api.done("POST", f"/v1/sales/{sold['id']}/refunds", body, by=cafe, key=new_key())
    assert (done["returned"], done["owed"]) == (20, 30)
    assert api.done("GET", "/v1/me/balance", by=ann.token)["owed"] == 30
    assert api.sell(ann, 4_000)["balance"] == {"available": 10}
    assert api.done("GET", "/v1/me/balance", by=ann.token)["owed"] == 0
    kinds = [record["kind"] for record in api.done("GET", "/v1/me/records", by=ann.token)["data"]]
    assert kinds == ["sale", "hold", "capture", "refund", "sale", "repayment"]


@pytest.mark.row("A5")
def test_a_redemption_is_refunded_alone_and_in_a_batch(api: Api) -> None:
    ann = api.member()
    api.sell(ann, 5_000)
    grocer = api.shops["grocer"].key
    sold = api.sell(ann, 100, shop="grocer")
    taken = api.done(
        "POST", "/v1/redemptions", api.redemption(ann, 30, "grocer", capture=True), by=grocer, key=new_key()
    )
    path = f"/v1/redemptions/{taken['id']}/refunds"
    done = api.done("POST", path, {"external_reference": "F-1", "points": 12}, by=grocer, key=new_key())
    assert (done["points"], done["left"], done["balance"]) == (12, 18, {"available": 33})
    keys = [new_key() for _ in range(4)]
    nobody = "sal_" + 32 * "0"
    money = {"amount": 100, "currency": "USD"}
    operations = [
        {
            "operation": "redemption_refund",
            "idempotency_key": keys[0],
            "redemption": taken["id"],
            "body": {"external_reference": "F-2"},
        },
        {
            "operation": "redemption_refund",
            "idempotency_key": keys[1],
            "redemption": taken["id"],
            "body": {"external_reference": "F-3", "points": 1},
        },
        {
            "operation": "sale_refund",
            "idempotency_key": keys[2],
            "sale": sold["id"],
            "body": {"external_reference": "F-4", "amount": money},
        },
        {
            "operation": "sale_refund",
            "idempotency_key": keys[3],
            "sale": nobody,
            "body": {"external_reference": "F-5", "amount": money},
        },
    ]
    outcomes = api.done("POST", "/v1/batches", {"operations": operations}, by=grocer)["outcomes"]
    assert [(o["status"], o["body"].get("code"), o["body"].get("points")) for o in outcomes] == [
        (200, None, 18),
        (422, "refund_exceeds_original", None),
        (200, None, 1),
        (404, "not_found", None),
    ]
    single = api.call("POST", path, {"external_reference": "F-2"}, by=grocer, key=keys[0])
    assert (single.json(), single.headers["Idempotent-Replayed"]) == (outcomes[0]["body"], "true")
