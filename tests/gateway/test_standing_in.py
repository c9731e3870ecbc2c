"""A week in which a shop does not pay in, as its operators live it: collateral, a cover, a payment that comes after all."""

from tests.gateway.network import Api, new_key
from tests.gateway.test_windows import a_week, step


def sum_of(amount: int) -> dict[str, object]:
    return {"amount": amount, "currency": "USD"}


def test_a_shop_that_has_not_paid_is_covered_and_pays_after_all(api: Api) -> None:
    window, cafe = a_week(api), api.shops["cafe"].id
    merchant = f"/v1/operator/merchants/{cafe}"

    def done(path: str, body: object, by: str) -> dict[str, object]:
        return dict(api.done("POST", path, body, by=by, key=new_key()))

    paid_in = done(f"{merchant}/collateral", {"amount": sum_of(12), "reference": "lien"}, api.maker)
    assert paid_in["balance"] == sum_of(12)
    fund = done(f"/v1/operator/books/{api.book}/loss-fund", {"amount": sum_of(55), "reference": "reserve"}, api.maker)
    assert (fund["merchant"], fund["balance"]) == (None, sum_of(55))
    step(api, window, "close")
    digest = api.done("GET", f"/v1/operator/windows/{window}", by=api.maker)["positions_hash"]
    step(api, window, "submit")
    step(api, window, "approve", {"positions_hash": digest}, api.approver)
    late = {"merchant": cafe, "reason": "nothing came by the cut-off"}
    assert step(api, window, "covers", late, api.approver).json()["code"] == "state_conflict"  # not suspended
    exposed = api.done("GET", f"/v1/operator/books/{api.book}/exposures", by=api.maker)["data"]
    (there,) = [e for e in exposed if e["merchant"] == cafe]
    assert (there["used_points"], there["due_points"], there["collateral"]) == (50, 30, sum_of(12))
    done(f"{merchant}/suspend", {"reason": "nothing came"}, api.approver)
    key = new_key()
    told = step(api, window, "covers", late, api.approver, key)
    covered = told.json()
    assert step(api, window, "covers", late, api.approver, key).content == told.content
    assert (covered["owed"], covered["collateral"], covered["loss_fund"]) == (sum_of(80), sum_of(12), sum_of(55))
    assert [share["amount"] for share in covered["shares"]] == [sum_of(2)]
    assert (covered["unpaid"], covered["released_points"]) == (sum_of(11), 0)
    held = api.call(
        "POST",
        f"{merchant}/collateral-returns",
        {"amount": sum_of(1), "reference": "x"},
        by=api.approver,
        key=new_key(),
    )
    assert held.json()["code"] == "state_conflict"
    (out,) = step(api, window, "payments", {"reference": "part", "merchant": api.shops["grocer"].id}).json()["payments"]
    assert (out["amount"], out["open"]) == (sum_of(16), sum_of(13))
    back = step(api, window, "payment-returns", {"payment": out["record"], "reason": "account closed"}).json()
    assert (back["amount"], back["open"]) == (sum_of(16), sum_of(29))
    (made_good,) = step(api, window, "payments", {"reference": "late", "merchant": cafe}).json()["payments"]
    assert (made_good["amount"], made_good["open"], made_good["released_points"]) == (sum_of(80), sum_of(0), 30)
    step(api, window, "payments", {"reference": "rest", "merchant": api.shops["grocer"].id})
    assert api.done("GET", f"/v1/operator/windows/{window}", by=api.maker)["state"] == "settled"
    steps = [s["step"] for s in api.done("GET", f"/v1/operator/windows/{window}", by=api.maker)["steps"]]
    assert [s for s in steps if s in ("covered", "payment_returned", "made_good")] == [
        "covered",
        "payment_returned",
        "made_good",
    ]


def test_a_disputed_statement_is_put_right_in_the_next_window_by_two_operators(api: Api) -> None:
    window, cafe, grocer = a_week(api), api.shops["cafe"], api.shops["grocer"]
    step(api, window, "close")
    statement = api.done("GET", "/v1/statements", by=grocer.key)["data"][0]["id"]
    path, body = f"/v1/statements/{statement}/disputes", {"reason": "four points are missing"}
    assert api.call("POST", path, body, by=cafe.key, key=new_key()).status_code == 404
    dispute = api.done("POST", path, body, by=grocer.key, key=new_key())
    left_out = {"debtor": cafe.id, "creditor": grocer.id, "amount": sum_of(4), "reason": "as disputed"}
    proposed = step(api, window, "adjustments", left_out).json()
    assert proposed["state"] == "proposed"
    name = f"adjustments/{proposed['id']}"
    assert step(api, window, f"{name}/approve").status_code == 403  # a maker's key
    assert step(api, window, f"{name}/approve", by=api.approver).json()["state"] == "approved"
    assert step(api, window, f"{name}/reject", by=api.approver).json()["code"] == "state_conflict"
    steps = api.done("GET", f"/v1/operator/windows/{window}", by=api.maker)["steps"]
    assert [(s["step"], s["merchant"]) for s in steps if s["record"] in (dispute["record"],)] == [
        ("disputed", grocer.id)
    ]
    position = api.done("GET", "/v1/position", by=grocer.key)
    assert (position["receivable"], position["credit_warning_percent"]) == (sum_of(4), None)


def test_the_operator_is_no_merchant_in_a_statement(api: Api) -> None:
    """What the operator owes by an adjustment is told of the operator, in every form but the signed one."""
    window, grocer = a_week(api), api.shops["grocer"]
    step(api, window, "close")
    left_out = {"debtor": None, "creditor": grocer.id, "amount": sum_of(4), "reason": "a fee too many"}
    proposed = step(api, window, "adjustments", left_out).json()
    assert step(api, window, f"adjustments/{proposed['id']}/approve", by=api.approver).json()["state"] == "approved"
    newest = api.done("GET", f"/v1/operator/books/{api.book}/windows", by=api.maker)["data"][0]["id"]
    step(api, newest, "close")
    statement = api.done("GET", "/v1/statements", by=grocer.key)["data"][0]["id"]
    path = f"/v1/statements/{statement}"
    (other,) = api.done("GET", path, by=grocer.key)["counterparties"]
    assert (other["merchant"][:4], other["receivable"]) == ("opr_", sum_of(4))
    (item,) = api.done("GET", f"{path}/items", by=grocer.key)["data"]
    assert (item["issuer"], item["acceptor"]) == (other["merchant"], grocer.id)
    debts = api.done("GET", f"/v1/operator/windows/{newest}/matrix", by=api.maker)["data"]
    assert [(debt["debtor"], debt["creditor"]) for debt in debts] == [(other["merchant"], grocer.id)]
    told = api.call("GET", f"{path}?format=csv", by=grocer.key).text
    assert f"{other['merchant']},adjustment" in told
    assert "the network's operator" in told
    assert "The network&#x27;s operator" in api.call("GET", f"{path}?format=html", by=grocer.key).text
