"""A bank takes a top-up back, as operators and the shop live it; and the days that merchants have to pay in."""

from typing import Any

from tests.gateway.network import Api, new_key


def money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


def test_a_recall_is_booked_by_two_and_booked_back(api: Api) -> None:
    cafe = api.shops["cafe"]

    def done(method: str, path: str, body: Any = None, by: str = api.maker) -> Any:
        return api.done(method, path, body, by=by, key=new_key() if method == "POST" else None)

    topup = done("POST", f"/v1/operator/merchants/{cafe.id}/topups", {"amount": money(100), "reference": "IN-1"})
    before = done("GET", "/v1/position", by=cafe.key)
    body = {
        "topup": topup["record"],
        "amount": money(40),
        "reference": "RCL-1",
        "reason": "the payer's bank asks for it",
    }
    key = new_key()
    at = f"/v1/operator/books/{api.book}/charge-backs"
    told = api.call("POST", at, body, by=api.maker, key=key)
    assert api.call("POST", at, body, by=api.maker, key=key).content == told.content
    of = told.json()
    assert (of["state"], of["merchant"], of["amount"]) == ("proposed", cafe.id, money(40))
    booked = done("POST", f"/v1/operator/charge-backs/{of['id']}/approve", {}, api.approver)
    assert (booked["state"], booked["from_prefund"], booked["charged"]) == ("booked", money(40), money(0))
    after = done("GET", "/v1/position", by=cafe.key)
    assert before["prefund"]["amount"] - after["prefund"]["amount"] == 40
    assert (after["charged_back"], after["backing"]) == (money(0), before["backing"])
    # the shop sees it, and nobody else's
    assert done("GET", "/v1/charge-backs", by=cafe.key)["data"] == [booked]
    assert done("GET", "/v1/charge-backs", by=api.shops["grocer"].key)["data"] == []
    assert done("GET", at)["data"] == [booked]
    record = done("GET", f"/v1/records/{booked['booked']}", by=cafe.key)
    assert (record["kind"], record["facts"]["topup"]) == ("charge_back", topup["record"])
    back = done("POST", f"/v1/operator/charge-backs/{of['id']}/reversal", {"reason": "sent again"})
    assert back["state"] == "reversal_proposed"
    assert done("POST", f"/v1/operator/charge-backs/{of['id']}/reject", {}, api.approver)["state"] == "booked"
    done("POST", f"/v1/operator/charge-backs/{of['id']}/reversal", {"reason": "sent again"})
    assert done("POST", f"/v1/operator/charge-backs/{of['id']}/approve", {}, api.approver)["state"] == "reversed"
    assert done("GET", "/v1/position", by=cafe.key)["prefund"] == before["prefund"]


def test_days_of_grace_are_declared_and_taken_off(api: Api) -> None:
    at = f"/v1/operator/books/{api.book}/pay-in-grace"
    assert api.done("GET", at, by=api.maker) == {"days": None, "revision": 0}
    assert api.done("PUT", at, {"days": 5}, by=api.approver) == {"days": 5, "revision": 1}
    assert api.done("PUT", at, {"days": 5}, by=api.approver) == {"days": 5, "revision": 1}
    assert api.done("PUT", at, {"days": None}, by=api.approver) == {"days": None, "revision": 2}
    assert api.done("GET", at, by=api.maker) == {"days": None, "revision": 2}
