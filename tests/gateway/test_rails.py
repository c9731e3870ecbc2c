"""Payments by a rail through the doors: accounts that two people set, files to and from the bank, Stripe's webhooks."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

import ledger
import settlement
from deploy import asgi, clockwork
from deploy.commands.operator import make_key
from gateway.server import Keys, Providers
from settlement.rails.by_stripe import Stripe
from tests.gateway.network import Api, new_key
from tests.gateway.test_windows import a_week, make_both, step
from tests.settlement.rails import bank
from tests.settlement.rails.fake_stripe import SECRET, FakeStripe, serving, signed

IBAN, OTHER = "FR1420041010050500013M02606", "DK5000400440116243"


def of_merchant(api: Api, shop: str) -> str:
    return f"/v1/operator/merchants/{api.shops[shop].id}/payout-accounts"


def set_up(api: Api, shop: str = "grocer", rail: str = "bank", account: str = IBAN) -> None:
    own = {"holder": "Network", "account": "DE89 3704 0044 0532 0130 00"}
    api.done("POST", f"/v1/operator/books/{api.book}/bank-account", own, by=api.maker)
    body = {"rail": rail, "holder": shop, "account": account}
    api.done("POST", of_merchant(api, shop), body, by=api.maker)
    approval = {"rail": rail, "account": account}
    api.done("POST", f"{of_merchant(api, shop)}/approve", approval, by=api.approver)


def posted(api: Api) -> str:
    window = a_week(api)
    step(api, window, "close")
    step(api, window, "submit")
    digest = api.done("GET", f"/v1/operator/windows/{window}", by=api.maker)["positions_hash"]
    step(api, window, "approve", {"positions_hash": digest}, api.approver)
    return window


def instructions(api: Api, window: str) -> Any:
    return api.done("GET", f"/v1/operator/windows/{window}/instructions", by=api.maker)["data"]


def send(api: Api, what: str, raw: bytes, type: str = "application/xml", by: str | None = None) -> Any:
    path = f"/v1/operator/books/{api.book}/{what}"
    return api.call("POST", path, content=raw, json_type=type, by=by or api.maker)


def instruct(api: Api, window: str, rail: str = "bank") -> Any:
    return step(api, window, "instructions", {"rail": rail}).json()


def test_a_window_goes_out_and_comes_back_as_files(api: Api) -> None:
    set_up(api)
    window = posted(api)
    key = new_key()
    first = step(api, window, "instructions", {"rail": "bank"}, key=key)
    assert step(api, window, "instructions", {"rail": "bank"}, key=key).content == first.content
    owed = instructions(api, window)
    assert {i["direction"] for i in owed} == {"pay_in"}
    lines = [
        bank.line(i["amount"]["amount"], end_to_end_id=i["reference"], bank_reference=f"B{n}")
        for n, i in enumerate(owed)
    ]
    raw = bank.camt([bank.statement(lines)])
    taken = send(api, "bank-statements", raw).json()
    assert (taken["lines"], taken["outcomes"]) == (len(owed), {"confirmed": len(owed)})
    again = send(api, "bank-statements", raw)
    assert (again.status_code, again.json()["code"]) == (409, "duplicate_reference")
    made = instruct(api, window)
    path = f"/v1/operator/payout-files/{made['payout_file']}"
    file = api.call("GET", path, by=api.approver)
    assert (file.status_code, file.headers["content-type"]) == (200, "application/xml")
    assert api.call("GET", path, by=api.approver).content == file.content
    (payment,) = bank.payments(file.content)
    assert payment[1:] == (IBAN, payment[2], "grocer")
    (listed,) = api.done("GET", f"/v1/operator/windows/{window}/payout-files", by=api.maker)["data"]
    assert (listed["instructions"], listed["total"]["amount"]) == (1, payment[2])
    told = send(api, "payment-reports", bank.report(bank.message_id(file.content), {payment[0]: "ACSC"})).json()
    assert told["outcomes"] == {"confirmed": 1}
    assert api.done("GET", f"/v1/operator/windows/{window}", by=api.maker)["state"] == "settled"
    (statement,) = api.done("GET", f"/v1/operator/books/{api.book}/bank-statements", by=api.maker)["data"]
    of = f"/v1/operator/bank-statements/{statement['id']}/lines"
    page = api.done("GET", f"{of}?limit=1", by=api.maker)
    rest = []
    while page["has_more"]:
        rest += page["data"]
        page = api.done("GET", f"{of}?limit=1&cursor={page['next_cursor']}", by=api.maker)
    found = rest + page["data"]
    assert [(i["reference"], i["state"]) for i in owed] != []
    assert [line["outcome"] for line in found] == ["confirmed"] * len(owed)
    assert {line["instruction"] for line in found} == {i["id"] for i in owed}


def test_formats_are_told_apart_by_what_is_in_them(api: Api) -> None:
    set_up(api)
    one = bank.statement([bank.line(500, end_to_end_id="X1")], id="S1", format="mt940")
    assert send(api, "bank-statements", bank.mt940([one]), "text/plain").json()["lines"] == 1
    assert send(api, "bank-statements", bank.sheet(bank.statement([], id="S2")), "text/csv").json()["lines"] == 0
    listed = api.done("GET", f"/v1/operator/books/{api.book}/bank-statements", by=api.maker)["data"]
    assert [(s["format"], s["opening"]["amount"], s["closing"]["amount"]) for s in listed] == [
        ("csv", 0, 0),
        ("mt940", 0, 500),
    ]


def test_a_file_that_is_refused_says_why(api: Api) -> None:
    good = bank.camt([bank.statement([bank.line(500)])])
    unset = send(api, "bank-statements", good)
    assert (unset.status_code, unset.json()["code"]) == (409, "state_conflict")
    set_up(api)
    table = {
        "cut": (good[:-9], "file_damaged"),
        "another currency": (good.replace(b"<Ccy>USD", b"<Ccy>EUR"), "currency_differs"),
        "another sum": (good.replace(b">5.00<", b">5.01<", 1), "sum_differs"),
        "entities": (b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]><d>&x;</d>', "file_forbidden"),
        "packed": (b"\x1f\x8b" + bytes(9), "file_packed"),
        "another account": (good.replace(bank.IBAN.encode(), OTHER.encode()), "account_differs"),
        "nothing": (b"", "file_unknown"),
    }
    got = {}
    for what, (raw, _) in table.items():
        problem = send(api, "bank-statements", raw).json()
        assert (problem["status"], problem["code"]) == (422, "validation_failed"), what
        got[what] = problem["facts"]["fault"]
    assert got == {what: wanted for what, (_, wanted) in table.items()}
    media = send(api, "bank-statements", good, "application/json")
    assert (media.status_code, media.json()["code"]) == (415, "unsupported_media_type")
    large = send(api, "bank-statements", b"<" + bytes(4 * 1024 * 1024))
    assert (large.status_code, large.json()["code"]) == (413, "too_large")
    assert send(api, "bank-statements", good, by=api.approver).status_code == 403
    assert send(api, "bank-statements", good, by=api.shops["cafe"].key).status_code == 401
    strange = send(api, "payment-reports", bank.report("f" * 32, {}, whole="ACSC"))
    assert strange.json()["facts"]["fault"] == "not_ours"
    assert api.done("GET", f"/v1/operator/books/{api.book}/bank-statements", by=api.maker)["data"] == []


def test_one_person_alone_has_nobody_paid(api: Api) -> None:
    both = make_both(api)
    of = of_merchant(api, "grocer")
    body = {"rail": "bank", "holder": "grocer", "account": IBAN}
    approval = {"rail": "bank", "account": IBAN}
    api.done("POST", of, body, by=both)
    own = api.call("POST", f"{of}/approve", approval, by=both)
    assert (own.status_code, own.json()["code"]) == (403, "self_approval_forbidden")
    other = api.call("POST", f"{of}/approve", approval | {"account": OTHER}, by=api.approver)
    assert (other.status_code, other.json()["code"]) == (409, "state_conflict")
    none = api.call("POST", f"{of}/approve", approval | {"rail": "stripe"}, by=api.approver)
    assert (none.status_code, none.json()["code"]) == (404, "not_found")
    assert api.done("POST", f"{of}/approve", approval, by=api.approver)["approved_by"] is not None
    api.done("POST", of, body | {"account": OTHER}, by=both)
    (changed,) = api.done("GET", of, by=api.maker)["data"]
    assert (changed["account"], changed["approved_by"]) == (OTHER, None)
    wrong = api.call("POST", of, body | {"account": IBAN[:-1] + "7"}, by=api.maker)
    assert wrong.json()["errors"][0]["pointer"] == "/account"


def test_a_person_says_what_the_bank_says(api: Api) -> None:
    set_up(api)
    window = posted(api)
    step(api, window, "payments", {"reference": "x", "merchant": api.shops["cafe"].id})
    (id,) = instruct(api, window)["instructions"]
    path = f"/v1/operator/instructions/{id}/word"

    def say(said: str, **more: Any) -> Any:
        return api.call("POST", path, {"said": said} | more, by=api.maker, key=new_key())

    assert say("confirmed").json()["state"] == "confirmed"
    assert say("confirmed").json()["state"] == "confirmed"
    assert say("refused").json()["code"] == "state_conflict"
    assert say("returned", reason="account closed").json()["state"] == "returned"
    told = api.done("GET", f"/v1/operator/instructions/{id}", by=api.maker)
    assert (told["state"], told["reason"]) == ("returned", "account closed")
    assert None not in (told["payment"], told["returned"])
    ask = api.call("POST", f"/v1/operator/instructions/{id}/ask-again", {}, by=api.maker)
    assert (ask.status_code, ask.json()["code"]) == (409, "state_conflict")
    (again,) = instruct(api, window)["instructions"]
    assert again != id


def test_another_books_operator_sees_none_of_it(api: Api) -> None:
    set_up(api)
    window = posted(api)
    (id, *_) = instruct(api, window)["instructions"]
    send(api, "bank-statements", bank.camt([bank.statement([])]))
    (statement,) = api.done("GET", f"/v1/operator/books/{api.book}/bank-statements", by=api.maker)["data"]
    stranger = make_key(api.url, "stranger", frozenset({"maker", "approver"}), book=api.open_book("other")).secret
    for path in (
        f"/v1/operator/instructions/{id}",
        f"/v1/operator/bank-statements/{statement['id']}/lines",
        f"/v1/operator/windows/{window}/instructions",
        f"/v1/operator/windows/{window}/payout-files",
        f"/v1/operator/books/{api.book}/bank-statements",
        f"/v1/operator/books/{api.book}/bank-account",
        of_merchant(api, "grocer"),
    ):
        assert api.call("GET", path, by=stranger).status_code == 404, path
    words = api.call("POST", f"/v1/operator/instructions/{id}/word", {"said": "confirmed"}, by=stranger, key=new_key())
    assert words.status_code == 404


def test_without_stripe_it_is_refused(api: Api) -> None:
    window = posted(api)
    refused = step(api, window, "instructions", {"rail": "stripe"})
    assert (refused.status_code, refused.json()["code"]) == (409, "state_conflict")
    asked = {"amount": {"amount": 500, "currency": "USD"}, "rail": "stripe"}
    topup = api.call("POST", "/v1/topup-requests", asked, by=api.shops["cafe"].key, key=new_key())
    assert (topup.status_code, topup.json()["code"]) == (409, "state_conflict")
    assert api.call("POST", "/v1/hooks/stripe", {}).status_code == 404


# -- with Stripe


@pytest.fixture
def fake() -> FakeStripe:
    return FakeStripe()


@pytest.fixture
def paid(api: Api, server_keys: Keys, fake: FakeStripe) -> Iterator[Api]:
    """The same network, served by a process that has Stripe set up for test books."""
    with serving(fake) as base:
        rail = Stripe("test", fake.key, "https://shop.test", api_base=base)
        providers = Providers({"test": {"stripe": rail}}, {"test": SECRET})
        app = asgi.build_app(api.url, server_keys, providers=providers)
        with TestClient(app, raise_server_exceptions=False) as client:
            yield Api(client, app.state.server, api.url, api.maker, api.approver, api.book, api.shops)


def tell(api: Api, webhook: tuple[bytes, str]) -> Any:
    raw, header = webhook
    return api.call("POST", "/v1/hooks/stripe", content=raw, headers={"Stripe-Signature": header})


def work(api: Api) -> None:
    """What the clock's thread does each few seconds."""
    book = ledger.ids.read("book", api.book)
    with api.server.db.tx("door") as tx:
        found = ledger.books.by_public_id(tx, book) if book else None
    assert found is not None
    outgoing = settlement.sending.job(api.server.providers.rails)
    ledger.jobs.run_due(api.server.db, api.server.committer, [outgoing], found.id)


def test_a_shop_tops_up_at_stripe(paid: Api, fake: FakeStripe) -> None:
    cafe = paid.shops["cafe"].key
    body, key = {"amount": {"amount": 7_500, "currency": "USD"}, "rail": "stripe"}, new_key()
    asked = paid.done("POST", "/v1/topup-requests", body, by=cafe, key=key)
    assert paid.done("POST", "/v1/topup-requests", body, by=cafe, key=key) == asked
    path = f"/v1/topup-requests/{asked['id']}"
    work(paid)
    told = paid.done("GET", path, by=cafe)
    assert (told["state"], told["url"]) == ("sent", next(iter(fake.sessions.values()))["url"])
    assert paid.call("GET", path, by=paid.shops["grocer"].key).status_code == 404
    webhook = fake.pay(next(iter(fake.sessions)))
    assert [tell(paid, webhook).json() for _ in range(2)] == [{"received": True}] * 2
    assert paid.done("GET", path, by=cafe)["state"] == "confirmed"
    tell(paid, fake.intent(next(iter(fake.sessions))))
    at = f"/v1/operator/books/{paid.book}/rail-events"
    page = paid.done("GET", f"{at}?limit=1", by=paid.maker)
    rest = paid.done("GET", f"{at}?limit=1&cursor={page['next_cursor']}", by=paid.maker)
    assert [(e["kind"], e["outcome"]) for e in page["data"] + rest["data"]] == [
        ("payment_intent.succeeded", "known"),
        ("checkout.session.completed", "confirmed"),
    ]
    assert paid.done("GET", f"{at}?outcome=differs", by=paid.maker)["data"] == []
    assert paid.done("GET", "/v1/position", by=cafe)["prefund"]["amount"] == 7_500


def test_a_running_house_sends_by_itself(paid: Api, fake: FakeStripe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clockwork, "LOOK_SECONDS", 0.05)
    body = {"amount": {"amount": 7_500, "currency": "USD"}, "rail": "stripe"}
    asked = paid.done("POST", "/v1/topup-requests", body, by=paid.shops["cafe"].key, key=new_key())
    path, until = f"/v1/topup-requests/{asked['id']}", time.monotonic() + 20
    with clockwork.running(paid.server):
        while (told := paid.done("GET", path, by=paid.shops["cafe"].key))["url"] is None and time.monotonic() < until:
            time.sleep(0.05)
    assert told["state"] == "sent"
    assert len(fake.sessions) == 1


def test_webhooks_of_others_change_nothing(paid: Api, fake: FakeStripe) -> None:
    cafe = paid.shops["cafe"].key
    body = {"amount": {"amount": 7_500, "currency": "USD"}, "rail": "stripe"}
    paid.done("POST", "/v1/topup-requests", body, by=cafe, key=new_key())
    work(paid)
    raw, good = fake.pay(next(iter(fake.sessions)))
    table = {
        "forged": (raw, signed(raw, "whsec_other"), 400),
        "unsigned": (raw, "", 400),
        "changed": (raw.replace(b"7500", b"9999"), good, 400),
        "old": (raw, signed(raw, at=1_500_000_000), 400),
        "too large": (raw + bytes(300_000), good, 413),
        "live": (*fake.event("checkout.session.completed", {"metadata": {}}, live=True), 400),
        "of a kind nobody asked for": (*fake.event("customer.created", {"id": "cus_1"}), 200),
        "of somebody else's": (*fake.event("payment_intent.succeeded", {"id": "pi_9", "metadata": {}}), 200),
    }
    got = {what: tell(paid, (body, header)).status_code for what, (body, header, _) in table.items()}
    assert got == {what: status for what, (*_, status) in table.items()}
    assert paid.done("GET", "/v1/position", by=cafe)["prefund"]["amount"] == 0


def test_a_stopped_network_hears_it_later(paid: Api, fake: FakeStripe) -> None:
    cafe = paid.shops["cafe"].key
    body = {"amount": {"amount": 7_500, "currency": "USD"}, "rail": "stripe"}
    paid.done("POST", "/v1/topup-requests", body, by=cafe, key=new_key())
    work(paid)
    webhook = fake.pay(next(iter(fake.sessions)))
    at = f"/v1/operator/books/{paid.book}"
    paid.done("POST", f"{at}/stop", {"reason": "a rehearsal"}, by=paid.maker, key=new_key())
    assert tell(paid, webhook).status_code == 503
    paid.done("POST", f"{at}/resume", {"reason": "over"}, by=paid.approver, key=new_key())
    assert tell(paid, webhook).status_code == 200
    assert paid.done("GET", "/v1/position", by=cafe)["prefund"]["amount"] == 7_500


def test_a_window_is_paid_out_at_stripe(paid: Api, fake: FakeStripe) -> None:
    set_up(paid, "grocer", "stripe", "acct_known1")
    window = posted(paid)
    step(paid, window, "payments", {"reference": "x", "merchant": paid.shops["cafe"].id})
    made = instruct(paid, window, "stripe")
    assert (len(made["instructions"]), made["payout_file"]) == (1, None)
    work(paid)
    (of,) = [i for i in instructions(paid, window) if i["rail"] == "stripe"]
    assert (of["state"], of["rail_reference"]) == ("confirmed", next(iter(fake.transfers)))
    assert paid.done("GET", f"/v1/operator/windows/{window}", by=paid.maker)["state"] == "settled"
