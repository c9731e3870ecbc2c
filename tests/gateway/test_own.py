"""What members read of their own over the API: notices and savings."""

from tests.gateway.network import Api, new_key


def test_savings_are_net_of_what_came_back_month_by_month_of_either_calendar(api: Api) -> None:
    ann, cafe = api.member(), api.shops["cafe"].key
    sold = api.sell(ann, 50_000)
    paid = api.done("POST", "/v1/redemptions", api.redemption(ann, 100, capture=True), by=cafe, key=new_key())
    back = {"external_reference": "back", "amount": {"amount": 10_000, "currency": "USD"}}
    api.done("POST", f"/v1/sales/{sold['id']}/refunds", back, by=cafe, key=new_key())
    back = {"external_reference": "again", "points": 30}
    api.done("POST", f"/v1/redemptions/{paid['id']}/refunds", back, by=cafe, key=new_key())
    api.advance("2017-02-01T00:00:00Z")
    api.sell(ann, 7_000)
    told = api.done("GET", "/v1/me/savings?months=3", by=ann.token)["data"]
    assert [(m["from_day"], m["given_points"], m["given_value"]["amount"], m["paid_points"]) for m in told] == [
        ("2016-12-01", 0, 0, 0),
        ("2017-01-01", 400, 400, 70),
        ("2017-02-01", 70, 70, 0),
    ]
    assert told[1]["paid_value"] == {"amount": 70, "currency": "USD"}
    jalali = api.done("GET", "/v1/me/savings?calendar=jalali", by=ann.token)["data"]
    assert [m["from_day"] for m in jalali[-2:]] == ["2016-12-21", "2017-01-20"]
    assert [m["given_points"] for m in jalali[-2:]] == [400, 70]
    assert len(jalali) == 6
    bob = api.member("+15550100124")
    assert all(not m["given_points"] for m in api.done("GET", "/v1/me/savings", by=bob.token)["data"])


def test_notices_tell_of_what_expires_and_what_a_shop_asked(api: Api) -> None:
    ann, cafe = api.member(), api.shops["cafe"]
    api.sell(ann, 5_000)
    asked = {"branch": cafe.branch, "external_reference": "asked", "member": ann.number, "points": 10}
    api.done("POST", "/v1/redemptions", asked, by=cafe.key, key=new_key())
    api.advance("2017-12-01T00:00:00Z")
    (expiring, *_, lapsed, first) = api.done("GET", "/v1/me/notices", by=ann.token)["data"]
    assert (first["kind"], first["points"], first["merchant_name"]) == ("approval_asked", 10, "cafe")
    assert (lapsed["kind"], lapsed["merchant"]) == ("approval_lapsed", cafe.id)
    assert (expiring["kind"], expiring["points"], expiring["until"][:4]) == ("expiry_notice", 50, "2018")
    page = api.done("GET", "/v1/me/notices?limit=1", by=ann.token)
    assert page["data"] == [expiring]
    bob = api.member("+15550100124")
    assert api.done("GET", "/v1/me/notices", by=bob.token)["data"] == []
    answer = api.call("GET", f"/v1/me/notices?cursor={page['next_cursor']}", by=bob.token)
    assert answer.json()["code"] == "cursor_invalid"
