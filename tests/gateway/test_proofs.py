"""Statements in every form through the doors, and the public supply: each proves itself with what the doors publish."""

import base64
import csv
import hashlib
import io
import json
import time
from pathlib import Path

import psycopg
import pytest
from openpyxl import load_workbook  # type: ignore[import-untyped]

import settlement
from deploy import clockwork
from ledger import ids
from settlement import proof
from settlement.papers import fonts
from tests.gateway.network import Api, new_key
from tests.gateway.test_windows import a_week, step

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SIGNED = "application/vnd.manex.statement+json"


def a_statement(api: Api, shop: str = "cafe") -> str:
    step(api, a_week(api), "close")
    (found,) = api.done("GET", "/v1/statements", by=api.shops[shop].key)["data"]
    return str(found["id"])


def sealed(api: Api) -> None:
    """As the house's clockwork does a moment after a close."""
    book = api.server.book_named(ids.read("book", api.book))
    assert book is not None
    settlement.sealing.catch_up(api.server.db, book.id, api.server.proofs.sealing())


def saved(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path


@pytest.fixture
def keys(api: Api, tmp_path: Path) -> Path:
    return saved(tmp_path / "proof-keys.json", api.call("GET", "/.well-known/proof-keys.json").content)


def test_a_signed_statement_is_proved_with_the_published_keys(api: Api, keys: Path, tmp_path: Path) -> None:
    path = f"/v1/statements/{a_statement(api)}"
    cafe = api.shops["cafe"].key
    got = [
        api.call("GET", f"{path}?format=signed", by=cafe),
        api.call("GET", path, by=cafe, headers={"Accept": f"{SIGNED}, */*"}),
        api.call("GET", path.replace("/v1/", "/v1/operator/") + "?format=signed", by=api.maker),
    ]
    assert {answer.headers["content-type"] for answer in got} == {SIGNED}
    assert len({answer.content for answer in got}) == 1
    file = saved(tmp_path / "statement.json", got[0].content)
    verdict = proof.verdict(file, key=keys)
    assert verdict.code == 0, verdict.why
    told = api.done("GET", path, by=cafe)
    party = json.loads(got[0].content)["party"]
    assert (party["position_minor"], party["items"]) == (told["position"]["amount"], told["items"])
    assert (
        proof.verdict(saved(file, got[0].content.replace(b'"fee_ppm":10000', b'"fee_ppm":1000', 1)), key=keys).code == 1
    )


def test_a_statement_is_the_same_in_json_csv_and_workbook(api: Api) -> None:
    path, cafe = f"/v1/statements/{a_statement(api)}", api.shops["cafe"].key
    told = api.done("GET", path, by=cafe)
    rows = list(csv.DictReader(io.StringIO(api.call("GET", f"{path}?format=csv", by=cafe).text)))
    answer = api.call("GET", path, by=cafe, headers={"Accept": XLSX})
    assert answer.headers["content-type"] == XLSX
    assert answer.headers["content-disposition"] == 'attachment; filename="statement-1.xlsx"'
    book = load_workbook(io.BytesIO(answer.content), read_only=True)
    assert book.sheetnames == ["Statement", "Counterparties", "Items"]
    figures = dict(list(row) for row in book["Statement"].iter_rows(values_only=True))
    for name in ("receivable", "payable", "fee", "position", "backing", "account"):
        assert figures[f"{name}_minor"] == told[name]["amount"], name
    assert figures["fee_millionths"] == told["fee_millionths"]
    header, *items = book["Items"].iter_rows(values_only=True)
    column = header.index("payable_minor")
    assert [str(item[header.index("item")]) for item in items] == [row["item"] for row in rows[:-1]]
    assert sum(item[column] for item in items) == told["payable"]["amount"] == int(rows[-1]["payable_minor"])


def test_nothing_in_a_workbook_or_csv_runs(api: Api) -> None:
    api.open_shop("=cmd|'/c calc'!A1")
    ann = api.member()
    api.sell(ann, 5_000, shop="=cmd|'/c calc'!A1")
    grocer = api.shops["grocer"].key
    api.done("POST", "/v1/redemptions", api.redemption(ann, 30, "grocer", capture=True), by=grocer, key=new_key())
    windows = api.done("GET", f"/v1/operator/books/{api.book}/windows", by=api.maker)["data"]
    step(api, windows[0]["id"], "close")
    (found,) = api.done("GET", "/v1/statements", by=grocer)["data"]
    path = f"/v1/statements/{found['id']}"
    book = load_workbook(io.BytesIO(api.call("GET", f"{path}?format=xlsx", by=grocer).content))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert any("cmd|" in str(cell.value) for cell in cells)
    assert [cell.value for cell in cells if cell.data_type == "f"] == []
    rows = csv.reader(io.StringIO(api.call("GET", f"{path}?format=csv", by=grocer).text))
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)


def test_a_statement_on_paper_in_both_languages(api: Api) -> None:
    path, cafe = f"/v1/statements/{a_statement(api)}", api.shops["cafe"].key
    for language in ("en", "fa"):
        answer = api.call("GET", f"{path}?format=pdf&language={language}", by=cafe)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf"), answer.text
        assert answer.content.startswith(b"%PDF-")
        assert int(answer.headers["content-length"]) == len(answer.content) > 5_000
    assert api.call("GET", path, by=cafe, headers={"Accept": "application/pdf"}).content.startswith(b"%PDF-")


@pytest.mark.row("G7")
def test_a_statement_is_a_page_csv_xlsx_pdf_and_signed_json_and_proves_itself(
    api: Api, keys: Path, tmp_path: Path
) -> None:
    """All of one statement, and all of one figure; the signed one is proved without a server."""
    path, cafe = f"/v1/statements/{a_statement(api)}", api.shops["cafe"].key
    told = api.call("GET", path, by=cafe).json()
    every = {
        form: api.call("GET", f"{path}?format={form}", by=cafe) for form in ("html", "csv", "xlsx", "pdf", "signed")
    }
    assert {answer.status_code for answer in every.values()} == {200}
    page = every["html"].text
    assert every["html"].headers["content-type"] == "text/html; charset=utf-8"
    assert told["id"] in page
    assert f"{told['position']['amount'] / 100:,.2f}" in page
    assert len(list(csv.reader(io.StringIO(every["csv"].text)))) == told["items"] + 2
    sheet = load_workbook(io.BytesIO(every["xlsx"].content))["Statement"]
    figures = {row[0]: row[1] for row in sheet.iter_rows(values_only=True)}
    assert figures["position_minor"] == told["position"]["amount"]
    assert every["pdf"].content.startswith(b"%PDF-")
    file = saved(tmp_path / "statement.json", every["signed"].content)
    verdict = proof.verdict(file, key=keys)
    assert verdict.code == 0, verdict.why
    assert json.loads(file.read_text())["party"]["position_minor"] == told["position"]["amount"]


def test_a_statements_page_runs_nothing_and_speaks_both_languages(api: Api) -> None:
    with psycopg.connect(api.url, autocommit=True) as conn:
        conn.execute("update merchants.merchant set name = '<script>alert(1)</script>' where name = 'grocer'")
    path, cafe = f"/v1/statements/{a_statement(api)}", api.shops["cafe"].key
    answer = api.call("GET", path, by=cafe, headers={"Accept": "text/html,application/xhtml+xml;q=0.9"})
    page, policy = answer.text, answer.headers["content-security-policy"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    style = page.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert (" style=" in page, "http://" in page, "https://" in page) == (False, False, False)
    assert ("prefers-color-scheme:dark" in page, "@media print" in page) == (True, True)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert '<html lang="en" dir="ltr">' in page
    for asked in ({"Accept": "text/html", "Accept-Language": "fa-IR,fa;q=0.9"}, {}):
        persian = api.call(
            "GET", f"{path}?format=html" + ("" if asked else "&language=fa"), by=cafe, headers=asked
        ).text
        assert '<html lang="fa" dir="rtl">' in persian
        assert "صورت‌حساب تسویه" in persian
    assert api.call("GET", f"{path}?format=html", by=api.shops["grocer"].key).status_code == 404


def test_without_a_font_nothing_half_written_is_sent(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    path, cafe = f"/v1/statements/{a_statement(api)}", api.shops["cafe"].key
    fonts.found.cache_clear()
    monkeypatch.setattr(fonts, "_candidates", lambda: iter([Path("/dev/null"), Path("/nowhere.ttf")]))
    answer = api.call("GET", f"{path}?format=pdf", by=cafe)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "font_missing" in answer.json()["detail"]
    fonts.found.cache_clear()


def test_the_house_seals_by_itself(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    a_statement(api)
    monkeypatch.setattr(clockwork, "LOOK_SECONDS", 0.05)
    with clockwork.running(api.server):
        give_up = time.monotonic() + 30
        while api.call("GET", f"/v1/books/{api.book}/supply").status_code != 200:
            assert time.monotonic() < give_up
            time.sleep(0.05)


def test_who_comes_while_a_window_is_being_sealed_comes_again(api: Api) -> None:
    path, cafe = f"/v1/statements/{a_statement(api)}?format=signed", api.shops["cafe"].key
    with psycopg.connect(api.url, autocommit=True) as another:
        another.execute("select pg_advisory_lock(%s, id) from ledger.book", [0x5EA1])
        answer = api.call("GET", path, by=cafe)
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "5")
    assert api.call("GET", path, by=cafe).status_code == 200


def test_a_shop_has_its_own_statement_only_and_an_operator_any(api: Api) -> None:
    own = a_statement(api)
    other = api.shops["grocer"].key
    elsewhere = api.open_shop("stranger", book=api.open_book("other"))
    for form in ("json", "csv", "xlsx", "pdf", "signed"):
        for by in (other, elsewhere.key):
            assert api.call("GET", f"/v1/statements/{own}?format={form}", by=by).status_code == 404, form
        assert api.call("GET", f"/v1/operator/statements/{own}?format={form}", by=api.approver).status_code == 200
        assert api.call("GET", f"/v1/operator/statements/{own}?format={form}", by=other).status_code == 401
    signed = api.call("GET", f"/v1/statements/{own}?format=signed", by=api.shops["cafe"].key).text
    assert api.shops["grocer"].id in signed  # the counterparty, and nobody's fee but one's own
    assert all(item["fee_millionths"] == "0" for item in json.loads(signed)["items"] if item["payable_minor"])


@pytest.mark.row("G10")
def test_a_member_finds_their_points_in_the_public_supply(api: Api, keys: Path, tmp_path: Path) -> None:
    ann = api.member()
    where = f"/v1/books/{api.book}/supply"
    assert api.call("GET", where).status_code == 404
    assert api.call("GET", "/v1/me/supply-receipt", by=ann.token).status_code == 404
    api.sell(ann, 7_000)
    window = api.done("GET", f"/v1/operator/books/{api.book}/windows", by=api.maker)["data"][0]["id"]
    step(api, window, "close")
    sealed(api)
    api.sell(ann, 100_000)  # after the close
    supply, own = api.call("GET", where), api.call("GET", "/v1/me/supply-receipt", by=ann.token)
    assert supply.json()["head"]["supply"]["open"]["deferred_points"] == "70"
    files = saved(tmp_path / "supply.json", supply.content), saved(tmp_path / "r.json", own.content)
    verdict = proof.verdict(files[0], key=keys, receipt=files[1])
    assert verdict.code == 0, verdict.why
    assert f"70 points of {ann.id} are inside the total that members hold" in verdict.proved
    assert ann.id not in supply.text
    assert api.call("GET", f"{where}?number=1").content == supply.content
    assert api.call("GET", f"{where}?number=2").status_code == 404
    saved(files[1], own.content.replace(b'"deferred_points":"70"', b'"deferred_points":"7"'))
    assert proof.verdict(files[0], key=keys, receipt=files[1]).code == 1


def test_the_head_of_an_answer_is_that_of_the_whole(api: Api) -> None:
    path, cafe = f"/v1/statements/{a_statement(api)}?format=csv", api.shops["cafe"].key
    whole = api.call("GET", path, by=cafe)
    head = api.call("HEAD", path, by=cafe)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
