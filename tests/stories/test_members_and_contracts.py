"""Who the network knows: members by their numbers, merchants by what they agreed to."""

import pytest

from ledger import ids
from merchants import people
from tests.gateway.network import Api


@pytest.mark.row("B3")
def test_a_member_has_one_number_with_a_check_digit_and_is_found_by_it(api: Api) -> None:
    ann = api.member("+15550100001")
    bob = api.member("+15550100002")
    assert ann.number != bob.number
    assert people.numbers.valid(ann.number)
    cafe = api.shops["cafe"].key
    found = api.done("POST", "/v1/member-lookups", {"number": ann.number}, by=cafe)
    assert (found["member"], found["number"]) == (ann.id, ann.number)
    # as read aloud, in the digits of the reader
    persian = ann.number.translate(str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹"))
    spoken = f"{persian[:4]} {persian[4:8]}-{persian[8:]}"
    assert api.done("POST", "/v1/member-lookups", {"number": spoken}, by=cafe)["member"] == ann.id
    # one digit misread, or two swapped, names nobody
    misread = ann.number[:-1] + str((int(ann.number[-1]) + 1) % 10)
    assert api.call("POST", "/v1/member-lookups", {"number": misread}, by=cafe).status_code in (404, 422)
    again = api.done("POST", "/v1/members", {"phone": "+15550100001"}, by=api.shops["grocer"].key)
    assert (again["number"], again["created"]) == (ann.number, False)


@pytest.mark.row("B3")
def test_a_till_reads_the_number_off_the_members_card(api: Api) -> None:
    ann = api.member()
    card = api.done("GET", "/v1/me/card", by=ann.token)
    assert card["number"] == ann.number
    assert card["qr"].startswith("<svg")
    # twelve digits in error correction Q: 21 modules a side, and a quiet zone of four around them
    assert 'viewBox="0 0 29 29"' in card["qr"]
    assert api.call("GET", "/v1/me/card").status_code == 401


@pytest.mark.row("F1")
def test_a_merchant_trades_once_it_has_a_contract_and_each_version_keeps_its_own_terms(api: Api) -> None:
    at = f"/v1/operator/books/{api.book}/merchants"
    shop = api.done("POST", at, {"name": "Bakery", "category": "food"}, by=api.maker)["id"]
    of = f"/v1/operator/merchants/{shop}"
    branch = api.done("POST", f"{of}/branches", {"reference": "1", "name": "Corner", "city": "Shiraz"}, by=api.maker)[
        "id"
    ]
    key = api.done("POST", f"{of}/api-keys", {"label": "till"}, by=api.maker)["secret"]
    sale = {"branch": branch, "external_reference": "S-1", "total": {"amount": 1_000, "currency": "USD"}}
    early = api.call("POST", "/v1/sales", sale, by=key, key="before-any-contract")
    assert (early.status_code, early.json()["code"]) == (409, "state_conflict")
    first = {"mode": "deferred", "credit_line_points": 500, "purchase_fee_ppm": 5_000, "redemption_fee_ppm": 0}
    one = api.done("POST", f"{of}/contracts", first, by=api.maker)
    assert (one["version"], one["mode"], one["unit_value"]["amount"]) == (1, "deferred", 1)
    ann = api.member()
    api.done("POST", f"{of}/terms", {"points": 5, "per": 100}, by=api.maker)
    earned = api.done("POST", "/v1/sales", sale | {"member": ann.number}, by=key, key="with-a-contract-01")["earn"]
    assert earned["points"] == 50
    two = api.done("POST", f"{of}/contracts", first | {"points_life_days": 500, "credit_line_points": 60}, by=api.maker)
    assert two["version"] == 2
    more = sale | {"member": ann.number, "external_reference": "S-2"}
    beyond = api.done("POST", "/v1/sales", more, by=key, key="beyond-the-new-line")["earn"]
    assert (beyond["points"], beyond["refused"]) == (0, "issuing_limit_reached")
    lots = api.server.db
    with lots.tx("auditor") as tx:
        contracts = tx.execute(
            "select l.contract_id from ledger.lot l where l.issuer_id = %s", [ids.read("merchant", shop)]
        ).fetchall()
    assert [ids.show("contract", row[0]) for row in contracts] == [one["id"]]


@pytest.mark.row("F1")
def test_a_contract_that_changes_the_funding_waits_for_the_windows_end(api: Api) -> None:
    of = f"/v1/operator/merchants/{api.shops['cafe'].id}"
    body = {"mode": "prefunded", "purchase_fee_ppm": 0, "redemption_fee_ppm": 0}
    agreed = api.done("POST", f"{of}/contracts", body, by=api.maker)
    assert (agreed["mode"], agreed["in_force_at"]) == ("prefunded", None)
    rules = {"face_value": 1, "points_life_days": 365, "inactivity_days": 90}
    now = api.done("POST", f"/v1/operator/books/{api.book}/rules", rules, by=api.maker, key="rules-at-once-0001")
    assert now["in_force_at"] is not None
    book = api.done("GET", f"/v1/operator/books/{api.book}", by=api.maker)
    assert (book["points_life_days"], book["inactivity_days"]) == (365, 90)
    later = api.done(
        "POST", f"/v1/operator/books/{api.book}/rules", rules | {"face_value": 3}, by=api.maker, key="rules-later-00001"
    )
    assert later["in_force_at"] is None
    (window,) = api.done("GET", f"/v1/operator/books/{api.book}/windows", by=api.maker)["data"]
    api.done("POST", f"/v1/operator/windows/{window['id']}/close", {}, by=api.maker, key="close-the-window-1")
    assert api.done("GET", f"/v1/operator/books/{api.book}", by=api.maker)["face_value"] == 3


@pytest.mark.row("F1")
@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"mode": "barter"}, 422, "validation_failed"),
        ({"purchase_fee_ppm": -1}, 422, "validation_failed"),
        ({"purchase_fee_ppm": 200_001}, 422, "validation_failed"),
        ({"credit_line_points": 10, "mode": "prefunded"}, 422, "validation_failed"),
        ({"hold_minutes": 0}, 422, "validation_failed"),
        ({"points_life_days": 3}, 422, "validation_failed"),
        ({"maturity_days": 400}, 422, "validation_failed"),
        ({"unit_value": 2}, 422, "validation_failed"),
        ({"unit": 5}, 422, "unknown_field"),
    ],
)
def test_a_contract_that_cannot_be_is_refused(api: Api, change: dict[str, object], status: int, code: str) -> None:
    of = f"/v1/operator/merchants/{api.shops['cafe'].id}"
    body = {"mode": "deferred", "purchase_fee_ppm": 0, "redemption_fee_ppm": 0} | change
    answer = api.call("POST", f"{of}/contracts", body, by=api.maker)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
