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
