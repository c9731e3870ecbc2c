"""Canaries: secrets and personal data of a kind seen nowhere else, sent through every door, and looked for afterwards."""

import http.client
import json
import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.home import TREE
from deploy.tables import METADATA
from gateway.log import JsonLines
from tests.gateway.network import Api, Member, new_key
from tests.gateway.phone import Phone

PHONE = "+15550109876"
GIVEN, FAMILY = "Canaria", "Zwitscherling"
#: As they are written in a body, a query or a log.
PERSONAL = ("5550109876", GIVEN, FAMILY)

#: Where a person's data lives, where a test book keeps the code it would have sent, and why an operator froze somebody.
HOMES = {"merchants.member", "merchants.one_time_code", "merchants.brake"}

Send = Callable[..., tuple[int, Any]]


@contextmanager
def process(api: Api, home: Path) -> Iterator[tuple[Send, list[str]]]:
    """The real server process over the same database; its standard error when it has ended."""
    said: list[str] = []
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        plug.listen(128)
        os.set_inheritable(plug.fileno(), True)
        port = plug.getsockname()[1]
        running = subprocess.Popen(
            [sys.executable, "-P", "-m", "deploy.asgi", "127.0.0.1", f"fd:{plug.fileno()}"],
            env={**os.environ, "PYTHONPATH": str(TREE), "MANEX_SERVE_URL": api.url, "MANEX_HOME": str(home)},
            pass_fds=[plug.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def send(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            told = {"Content-Type": "application/json", "Idempotency-Key": new_key()} if raw is not None else {}
            connection.request(method, path, raw, told | {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    try:
        yield send, said
    finally:
        running.terminate()
        said.append(running.communicate(timeout=30)[0])


def in_process(api: Api) -> Send:
    def send(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        told = {k.replace("_", "-"): v for k, v in headers.items()}
        if body is not None:
            told = {"Content-Type": "application/json", "Idempotency-Key": new_key()} | told
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        answer = api.client.request(method, path, content=raw, headers=told)
        return answer.status_code, answer.json()

    return send


def sing(api: Api, send: Send) -> list[str]:
    """Everything a secret goes through, well and badly; the secrets."""
    shop = api.shops["cafe"]
    cafe, book = f"Bearer {shop.key}", api.book
    person = {"phone": PHONE, "given_name": GIVEN, "family_name": FAMILY, "language": "en"}
    assert send("POST", "/v1/members", person, Authorization=cafe)[0] == 200
    assert send("POST", "/v1/members", person, Authorization=cafe)[0] == 200
    assert send("POST", "/v1/auth/otp", {"phone": PHONE}, Manex_Book=book)[0] == 200
    asked = f"/v1/operator/books/{book}/one-time-codes?phone=%2B{PHONE[1:]}"
    code = send("GET", asked, Authorization=f"Bearer {api.maker}")[1]["data"][0]["code"]
    wrong = f"{(int(code) + 1) % 10**6:06}"
    tried = {"phone": PHONE, "code": wrong}
    assert send("POST", "/v1/auth/otp/verify", tried, Manex_Book=book)[0] == 401
    signed = send("POST", "/v1/auth/otp/verify", {"phone": PHONE, "code": code}, Manex_Book=book)[1]
    token = signed["access_token"]
    ann = f"Bearer {token}"
    device = send("POST", "/v1/me/devices", {"name": "phone"}, Authorization=ann)[1]["spend_secret"]
    me = send("GET", "/v1/me", Authorization=ann)[1]
    member = Member(api, me["id"], me["number"], token, device)
    assert send("GET", "/v1/me/card", Authorization=ann)[0] == 200
    assert send("POST", "/v1/sales", api.sale(member, 10_000), Authorization=cafe)[0] == 200
    redemption = api.redemption(member, 5)
    spent = redemption["spend_code"]
    bad = f"{(int(spent) + 1) % 10**6:06}"
    assert send("POST", "/v1/redemptions", redemption | {"spend_code": bad}, Authorization=cafe)[0] == 403
    assert send("POST", "/v1/redemptions", redemption, Authorization=cafe)[0] == 200
    assert send("POST", "/v1/redemptions", api.redemption(member, 5), Authorization=cafe)[0] == 409
    assert send("POST", "/v1/member-lookups", {"phone": PHONE}, Authorization=cafe)[0] == 200
    label = {"label": "till"}
    made = send("POST", f"/v1/operator/merchants/{shop.id}/api-keys", label, Authorization=f"Bearer {api.maker}")[1]
    own = send("POST", "/v1/api-keys", label | {"scopes": ["records:read"]}, Authorization=cafe)[1]
    new = send("POST", f"/v1/api-keys/{own['id']}/rotate", {}, Authorization=cafe)[1]
    why = {"reason": f"{GIVEN} {FAMILY}, {PHONE}"}
    for act in ("freeze", "freeze", "unfreeze"):
        path = f"/v1/operator/members/{member.id}/{act}"
        assert send("POST", path, why, Authorization=f"Bearer {api.approver}")[0] == 200
    secrets = [shop.key, api.maker, api.approver, token, device, code, wrong, spent, bad, made["secret"]]
    secrets += [own["secret"], new["secret"]]
    for secret in (*secrets, PHONE, GIVEN, FAMILY):
        badly(send, cafe, secret)
    return secrets


def badly(send: Send, cafe: str, secret: str) -> None:
    """The secret in every place where it does not belong."""
    quoted = secret.replace("+", "%2B")
    sale = {"branch": secret, "external_reference": secret, "total": {"amount": 1, "currency": "USD"}, "member": secret}
    answers = [
        send("GET", f"/v1/sales/{quoted}", Authorization=cafe),
        send("GET", f"/{quoted}", Authorization=cafe),
        send("GET", f"/v1/records?cursor={quoted[:400]}", Authorization=cafe),
        send("GET", f"/v1/records?{quoted}=1", Authorization=cafe),
        send("GET", "/v1/me", Authorization=f"Bearer {secret}x"),
        send("GET", "/v1/records", Authorization=f"Basic {secret}"),
        send("GET", "/v1/operator/books", Authorization=f"Bearer op_{secret}"),
        send("POST", "/v1/sales", sale, Authorization=cafe),
        send("POST", "/v1/sales", {secret: 1}, Authorization=cafe),
        send("POST", "/v1/sales", f'{{"{secret}'.encode(), Authorization=cafe),
        send("POST", "/v1/sales", sale, Authorization=cafe, Idempotency_Key=f"{secret} "),
        send("POST", "/v1/sales", sale, Authorization=cafe, Content_Type=f"text/{secret[:20]}"),
        send("POST", "/v1/member-lookups", {"number": secret}, Authorization=cafe),
        send("POST", "/v1/members", {"phone": PHONE, "given_name": secret + "\0"}, Authorization=cafe),
        send("POST", "/v1/auth/otp", {"phone": PHONE}, Manex_Book=secret),
        send(
            "POST",
            "/v1/batches",
            {"operations": [{"operation": secret, "idempotency_key": secret}]},
            Authorization=cafe,
        ),
    ]
    assert {status for status, _ in answers} <= {200, 400, 401, 404, 415, 422}, answers


def found(text: str, secrets: list[str]) -> list[str]:
    """The secrets and the personal data in a text. Six digits count only where they stand alone."""
    alone = [s for s in secrets if re.search(rf"(?<![0-9a-zA-Z.]){re.escape(s)}(?![0-9a-zA-Z])", text)]
    return alone + [p for p in PERSONAL if p in text]


def leaks(url: str, secrets: list[str]) -> dict[str, list[str]]:
    """By table: what is kept of the secrets, and of the person where no person's data belongs."""
    leaking: dict[str, list[str]] = {}
    with psycopg.connect(url) as conn:
        tables = [f"{t.schema}.{t.name}" for metadata in METADATA for t in metadata.tables.values()]
        for table in tables:
            rows = [dict(row[0]) for row in conn.execute(f"select to_jsonb(t) from {table} t").fetchall()]
            text = "\n".join(_legible(value) for row in rows for value in row.values())
            kept = found(text, secrets)
            if table in HOMES:
                kept = [what for what in kept if what not in PERSONAL]
            if kept:
                leaking[table] = kept
    return leaking


def _legible(value: Any) -> str:
    """A column as text; bytes as what they say."""
    if isinstance(value, str) and value.startswith("\\x"):
        return bytes.fromhex(value[2:]).decode("latin-1")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def test_a_real_process_keeps_secrets(api: Api, tmp_path: Path) -> None:
    """Neither on its standard output and error nor in a row of the database."""
    with process(api, tmp_path) as (send, said):
        secrets = sing(api, send)
    assert len(said[0].splitlines()) > 200, "it did log"
    assert found(said[0], secrets) == []
    assert leaks(api.url, secrets) == {}


def test_no_logger_is_told_a_secret(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """At the lowest level, which no server runs at, as the house writes it."""
    caplog.set_level(logging.DEBUG)
    secrets = sing(api, in_process(api))
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore", "asyncio"))]
    written = "\n".join(JsonLines().format(record) for record in ours)
    assert found(written, secrets) == []


def promise(api: Api, send: Send) -> list[str]:
    """A voucher and spends of it, good and bad; what was signed, and with which key."""
    cafe, book = f"Bearer {api.shops['cafe'].key}", api.book
    number = send("POST", "/v1/members", {"phone": PHONE}, Authorization=cafe)[1]["number"]
    assert send("POST", "/v1/auth/otp", {"phone": PHONE}, Manex_Book=book)[0] == 200
    asked = f"/v1/operator/books/{book}/one-time-codes?phone=%2B{PHONE[1:]}"
    code = send("GET", asked, Authorization=f"Bearer {api.maker}")[1]["data"][0]["code"]
    token = send("POST", "/v1/auth/otp/verify", {"phone": PHONE, "code": code}, Manex_Book=book)[1]["access_token"]
    ann = f"Bearer {token}"
    device = send("POST", "/v1/me/devices", {"name": "phone"}, Authorization=ann)[1]
    phone = Phone(Member(api, "", number, token, ""), id=device["id"], secret=device["spend_secret"])
    assert send("POST", "/v1/sales", api.sale(phone.member, 10_000), Authorization=cafe)[0] == 200
    wanted = phone.wanted(50)
    assert send("POST", "/v1/me/vouchers", wanted | {"points": "x"}, Authorization=ann)[0] == 422
    bad = wanted | {"public_key": wanted["public_key"] | {"d": "A" * 43}}
    assert send("POST", "/v1/me/vouchers", bad, Authorization=ann)[0] == 422
    status, voucher = send("POST", "/v1/me/vouchers", wanted, Authorization=ann)
    assert status == 200
    body = phone.redemption(voucher, 20)
    given = body["voucher"]
    for spoilt in (given | {"spend": given["spend"] + "x"}, given | {"voucher": given["voucher"] + "x"}):
        assert send("POST", "/v1/redemptions", body | {"voucher": spoilt}, Authorization=cafe)[0] == 403
    assert send("POST", "/v1/redemptions", body | {"points": 5}, Authorization=cafe)[0] == 422
    assert send("POST", "/v1/redemptions", body | {"branch": "x"}, Authorization=cafe)[0] == 403
    assert send("POST", "/v1/redemptions", body, Authorization=cafe)[0] == 200
    assert send("POST", "/v1/redemptions", phone.redemption(voucher, 20), Authorization=cafe)[0] == 409
    assert send("GET", "/v1/me/vouchers", Authorization=ann)[0] == 200
    assert send("GET", f"/v1/me/vouchers?cursor={given['spend'][:300]}", Authorization=ann)[0] == 400
    for signed in given.values():
        assert send("GET", "/v1/me", Authorization=f"Bearer {signed}")[0] == 401
    return [
        *given.values(),
        *(part for signed in given.values() for part in signed.split(".")),
        wanted["public_key"]["x"],
    ]


def test_what_is_signed_offline_is_never_logged(api: Api, tmp_path: Path) -> None:
    with process(api, tmp_path) as (send, said):
        promised = promise(api, send)
    assert len(said[0].splitlines()) > 15, "it did log"
    assert found(said[0], promised) == []


def test_no_logger_is_told_what_is_signed_offline(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    promised = promise(api, in_process(api))
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore", "asyncio"))]
    assert found("\n".join(JsonLines().format(record) for record in ours), promised) == []


def test_the_search_finds_what_is_there(api: Api) -> None:
    """Else the tests above would prove nothing."""
    assert found('{"phone":"+15550109876","code":"123456"}', ["123456"]) == ["123456", "5550109876"]
    assert found("0.123456 a123456 1234567", ["123456"]) == []
    shop = api.shops["cafe"]
    api.done("POST", "/v1/sales", api.sale(external_reference="canary-in-a-row"), by=shop.key, key=new_key())
    assert set(leaks(api.url, ["canary-in-a-row"])) == {"ledger.outcome", "merchants.sale"}


def test_a_fault_in_the_database_is_logged_without_its_words(
    api: Api, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database's message quotes the row: neither the door's log nor the committer's does."""
    ann = api.member(PHONE)

    def quoting(*_: object, **__: object) -> None:
        raise psycopg.errors.DataError(f"DETAIL: Key (phone)=({PHONE}) is {GIVEN}")

    with monkeypatch.context() as patched:
        patched.setattr("gateway.api.membership.store.family_name", quoting)
        answer = api.call("GET", "/v1/me", by=ann.token)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    with monkeypatch.context() as patched:
        patched.setattr("ledger.commit.post", quoting)
        sold = api.call("POST", "/v1/sales", api.sale(), by=api.shops["cafe"].key, key=new_key())
    assert (sold.status_code, sold.json()["code"]) == (500, "internal")
    written = [JsonLines().format(record) for record in caplog.records]
    assert sum('"level":"error"' in line for line in written) >= 2
    assert found("\n".join([*written, answer.text, sold.text]), []) == []


def test_what_holds_secrets_does_not_show_them(api: Api) -> None:
    """What is logged by mistake is a repr."""
    ann = api.member(PHONE)
    shown = [repr(api.server.keys), repr(api.server.settings), repr(api.server.merchant_keys), repr(api.server.tokens)]
    keys = api.server.keys
    for text in shown:
        assert keys.spend.hex() not in text
        assert repr(keys.spend) not in text
        assert "PRIVATE" not in text
        assert ann.token not in text
