"""Reconciliation through its doors: a shop's tills, an operator's statements, and two people who put a break right."""

import csv
import io
from typing import Any

import ledger
from ledger import ids
from tests.gateway.network import Api, new_key


def claim(sold: Any, **changes: Any) -> dict[str, Any]:
    told = {"kind": "sale", "external_reference": sold["external_reference"], "amount": sold["total"], "at": sold["at"]}
    return told | changes


def test_a_break_from_its_file_to_its_end(api: Api) -> None:
    cafe = api.shops["cafe"].key
    sold = [api.sell(None, 1_000 + n) for n in range(3)]
    claims = [claim(sold[0]), claim(sold[1]), claim(sold[2], amount={"amount": 1_502, "currency": "USD"})]
    taken = api.done("POST", "/v1/till-claims", {"claims": claims}, by=cafe)
    assert (taken["new"], taken["lines"]) == (True, 3)
    again = api.done("POST", "/v1/till-claims", {"claims": claims}, by=cafe)
    assert again == {"id": taken["id"], "new": False, "lines": 0}
    as_csv = "kind,external_reference,amount,at\r\n" + "".join(
        f"sale,{c['external_reference']},{c['amount']['amount']},{c['at']}\r\n" for c in claims
    )
    assert api.done("POST", "/v1/till-claims", {"csv": as_csv}, by=cafe) == again, "as CSV it is the same file"

    (own,) = api.done("GET", "/v1/breaks", by=cafe)["data"]
    assert (own["type"], own["owner"], own["amount"]["amount"]) == ("amount", "merchant", 500)
    assert [line["side"] for line in own["lines"]] == ["theirs", "ours"]
    assert api.done("GET", "/v1/breaks", by=api.shops["grocer"].key)["data"] == []

    of_book = f"/v1/operator/books/{api.book}"
    (match, _) = api.done("GET", f"{of_book}/matches?source=till", by=api.maker)["data"]
    assert (match["rule"], match["confidence_ppm"], match["made_by"]) == ("reference_and_amount", 1_000_000, None)
    path = f"/v1/operator/breaks/{own['id']}"
    api.done("POST", f"{path}/explain", {"reason": "two receipts in one"}, by=api.approver)
    asked = {"direction": "to_merchant", "amount": {"amount": 500, "currency": "USD"}}
    body = asked | {"merchant": api.shops["cafe"].id, "reason": "the till is right"}
    key = new_key()
    proposed = api.done("POST", f"{path}/adjustments", body, by=api.maker, key=key)
    assert api.done("POST", f"{path}/adjustments", body, by=api.maker, key=key) == proposed
    assert (proposed["break_id"], proposed["debtor"], proposed["creditor"]) == (own["id"], None, api.shops["cafe"].id)
    adjustment = f"/v1/operator/windows/{proposed['window']}/adjustments/{proposed['id']}"
    approved = api.done("POST", f"{adjustment}/approve", {}, by=api.approver, key=new_key())
    assert approved["state"] == "approved"
    told = api.done("POST", f"{path}/resolve", {"reason": "adjusted"}, by=api.maker)
    (adjusted,) = told["adjustments"]
    assert (told["state"], told["record"]) == ("resolved", adjusted["record"])
    assert [step["step"] for step in told["history"]] == ["found", "explained", "resolved"]
    assert (adjusted["id"], adjusted["state"], adjusted["direction"]) == (proposed["id"], "approved", "to_merchant")
    assert api.done("GET", f"{of_book}/breaks?state=open", by=api.maker)["data"] == []


def test_a_bad_file_names_its_line_and_leaves_nothing(api: Api) -> None:
    text = "kind,external_reference,amount,at\nsale,A,1,2017-01-01T00:00:00Z\nsale,B,1.5,2017-01-01T00:00:00Z\n"
    answer = api.call("POST", "/v1/till-claims", {"csv": text}, by=api.shops["cafe"].key)
    problem = answer.json()
    assert (answer.status_code, problem["errors"][0]["code"], problem["facts"]) == (422, "bad_amount", {"line": 3})
    assert api.done("GET", "/v1/breaks", by=api.shops["cafe"].key)["data"] == []


def test_statements_are_brought_and_the_figures_tell_how_it_stands(api: Api) -> None:
    of_book = f"/v1/operator/books/{api.book}"
    text = "at,amount,reference,party,text\n2017-01-01T00:00:00Z,-500,,XX1,=cmd\n"
    api.done("POST", f"{of_book}/provider-reports", {"csv": text}, by=api.maker)
    run = api.done("POST", f"{of_book}/reconciliation", {}, by=api.maker)
    assert api.done("POST", f"{of_book}/reconciliation", {}, by=api.maker) == dict.fromkeys(run, 0)
    api.advance("2017-01-03T00:00:00Z")
    stands = api.done("GET", f"{of_book}/reconciliation", by=api.maker)
    assert {s["source"]: s["lag_records"] for s in stands["sources"]} == dict.fromkeys(
        ("bank", "psp", "stream", "till"), 0
    )
    assert stands["ages"] == {"under_a_day": 0, "under_a_week": 1, "older": 0}
    # nobody asked: the clock did, a day after the last time
    assert stands["reconciled_at"] > "2017-01-02"
    assert stands["due_at"] > "2017-01-03"
    stream = stands["stream"]
    assert (stream["consumer_lag_records"], stream["relay_lag_records"], stream["relay_lag_seconds"]) == (0, None, None)
    assert stream["records"] > 0
    (row,) = stands["breaks"]
    assert (row["source"], row["type"], row["oldest_seconds"]) == ("psp", "unknown_beneficiary", 2 * 86_400)
    exported = api.call("GET", f"{of_book}/breaks?format=csv", by=api.maker)
    assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    header, cells = csv.reader(io.StringIO(exported.text))
    assert dict(zip(header, cells, strict=True))["amount_minor"] == "-500"


def test_lines_of_tills_are_their_shops_and_lines_of_banks_nobodys(api: Api) -> None:
    """Row-level security: a query without a filter, as the grocer, as the cafe."""
    sold = api.sell(None, 1_000)
    wrong = {"claims": [claim(sold, amount={"amount": 1, "currency": "USD"})]}
    api.done("POST", "/v1/till-claims", wrong, by=api.shops["cafe"].key)
    text = "at,amount,reference,party\n2017-01-01T00:00:00Z,-500,,XX1\n"
    path = f"/v1/operator/books/{api.book}/provider-reports"
    api.done("POST", path, {"csv": text}, by=api.maker)
    db = ledger.Database(api.url, largest_pool=1)
    try:
        for shop, sources in (("cafe", {"till"}), ("grocer", set())):
            tenant = ids.read("merchant", api.shops[shop].id)
            with db.tx("tenant", tenant=str(tenant)) as tx:
                for table in ("told_line", "break"):
                    seen = {source for (source,) in tx.execute(f"select source from settlement.{table}")}
                    assert seen == sources, (shop, table)
    finally:
        db.close()
