"""Who may call what: keys, tokens, roles, and how soon what is ended stops."""

import base64
import json
import time
from typing import Any

import jwt

import ledger
from deploy.commands.operator import make_key
from deploy.keys import signing_key
from gateway.server import Keys
from merchants import contracts
from tests.gateway.network import Api, new_key


def test_a_revoked_key_is_refused_within_a_second(api: Api) -> None:
    cafe = api.shops["cafe"]
    key = api.restricted("cafe", "records:read")
    assert api.call("GET", "/v1/records", by=key).status_code == 200
    db = api.server.db
    with db.tx("door") as tx:
        found = contracts.keys.authenticate(tx, key)
        assert found is not None
        book = ledger.read_book(tx, found.book_id)
        merchant = ledger.ids.read("merchant", cafe.id)
        assert merchant is not None
        contracts.keys.revoke(tx, book, merchant, found.id)
    time.sleep(1.05)
    assert api.call("GET", "/v1/records", by=key).json()["code"] == "unauthenticated"


def test_a_restricted_key_does_what_its_scopes_name(api: Api) -> None:
    key = api.restricted("cafe", "sales:write", "batches:write")
    assert api.call("POST", "/v1/sales", api.sale(), by=key, key=new_key()).status_code == 200
    assert api.call("GET", "/v1/position", by=key).json()["facts"] == {"scope": "position:read"}
    void = {"operation": "void", "idempotency_key": new_key(), "redemption": "red_" + 32 * "0"}
    batch = api.done("POST", "/v1/batches", {"operations": [void]}, by=key)
    assert batch["outcomes"][0]["body"]["code"] == "forbidden"


def test_members_tokens_are_ours_alone(api: Api, server_keys: Keys) -> None:
    ann = api.member()
    published = api.done("GET", "/.well-known/jwks.json")["keys"][0]
    claims = jwt.decode(
        ann.token, jwt.PyJWK(published), algorithms=["ES256"], audience="manex-api", options={"require": ["exp"]}
    )
    header = jwt.get_unverified_header(ann.token)
    assert (header["typ"], header["kid"], claims["exp"] - claims["iat"]) == ("at+jwt", published["kid"], 900)

    def signed(changes: dict[str, Any], key: Any = server_keys.signing, **headers: Any) -> str:
        told = {name: value for name, value in (claims | changes).items() if value is not None}
        algorithm = headers.pop("alg", "ES256")
        return jwt.encode(told, key, algorithm, headers={"typ": "at+jwt", "kid": header["kid"]} | headers)

    assert api.call("GET", "/v1/me", by=signed({})).status_code == 200
    head, body, _ = ann.token.split(".")
    none = base64.urlsafe_b64encode(json.dumps({**header, "alg": "none"}).encode()).decode().rstrip("=")

    refused = {
        "expired": signed({"exp": claims["iat"] - 60}),
        "for somebody else": signed({"aud": "another-api"}),
        "from somebody else": signed({"iss": "another"}),
        "no expiry": signed({"exp": None}),
        "no member": signed({"sub": "mem_x"}),
        "no such book": signed({"book": "bok_" + 32 * "0"}),
        "another key": signed({}, signing_key()),
        "another type": signed({}, typ="JWT"),
        "another kid": signed({}, kid="0" * 16),
        "a secret of letters": signed({}, "0" * 32, alg="HS256"),
        "unsigned": f"{none}.{body}.",
        "cut": f"{head}.{body}",
        "a merchant's key": api.shops["cafe"].key,
        "long": "a" * 5_000,
    }
    got = {name: api.call("GET", "/v1/me", by=token).json()["code"] for name, token in refused.items()}
    assert got == dict.fromkeys(refused, "unauthenticated")


def test_a_token_is_no_merchants_key(api: Api) -> None:
    assert api.call("GET", "/v1/records", by=api.member().token).status_code == 401


def test_codes_sign_in_once_and_wrong_ones_count(api: Api) -> None:
    phone, named = "+15550100123", {"Manex-Book": api.book}
    api.member(phone)
    api.done("POST", "/v1/auth/otp", {"phone": phone}, headers=named)
    sent = api.done("GET", f"/v1/operator/books/{api.book}/one-time-codes?phone=%2B15550100123", by=api.maker)["data"]
    code = sent[0]["code"]
    wrong = f"{(int(code) + 1) % 10**6:06}"
    for _ in range(5):
        tried = api.call("POST", "/v1/auth/otp/verify", {"phone": phone, "code": wrong}, headers=named)
        assert tried.json()["code"] == "unauthenticated"
    locked = api.call("POST", "/v1/auth/otp/verify", {"phone": phone, "code": code}, headers=named)
    assert (locked.status_code, locked.json()["code"]) == (429, "otp_locked")


def test_asking_tells_nobody_who_is_a_member(api: Api) -> None:
    api.member("+15550100123")
    answers = [api.call("POST", "/v1/auth/otp", {"phone": p}).json() for p in ("+15550100123", "+15550100124")]
    assert answers[0] == answers[1] == {"expires_in": 300}


def test_with_two_books_a_member_says_which(api: Api) -> None:
    other = api.open_book("other")
    assert api.call("POST", "/v1/auth/otp", {"phone": "+15550100123"}).json()["code"] == "not_found"
    for book in (api.book, other):
        asked = api.call("POST", "/v1/auth/otp", {"phone": "+15550100123"}, headers={"Manex-Book": book})
        assert asked.status_code == 200
    for book in ("bok_" + 32 * "0", "test", ""):
        asked = api.call("POST", "/v1/auth/otp", {"phone": "+15550100123"}, headers={"Manex-Book": book})
        assert asked.status_code == 404


def test_operators_do_what_their_roles_name(api: Api) -> None:
    auditor = make_key(api.url, "auditor", frozenset({"auditor"})).secret
    assert api.call("GET", "/v1/operator/books", by=auditor).status_code == 200
    refused = api.call("POST", f"/v1/operator/books/{api.book}/merchants", {"name": "x"}, by=auditor)
    assert (refused.status_code, refused.json()["facts"]) == (403, {"role": "maker"})
    assert api.call("GET", "/v1/operator/books", by="op_nobody").status_code == 401
    assert api.call("GET", "/v1/operator/books", by=api.shops["cafe"].key).status_code == 401


def test_an_operators_key_of_one_book_sees_no_other(api: Api) -> None:
    other = api.open_book("other")
    stranger = api.open_shop("stranger", book=other)
    bound = make_key(api.url, "bound", frozenset({"maker"}), book=api.book).secret
    assert [b["id"] for b in api.done("GET", "/v1/operator/books", by=bound)["data"]] == [api.book]
    paths = (f"/v1/operator/books/{other}", f"/v1/operator/books/{other}/windows")
    assert [api.call("GET", path, by=bound).status_code for path in paths] == [404, 404]
    posts = (
        (f"/v1/operator/merchants/{stranger.id}/branches", {"reference": "x", "name": "x"}),
        (f"/v1/operator/branches/{stranger.branch}/tills", {"reference": "x"}),
        (f"/v1/operator/merchants/{stranger.id}/api-keys", {"label": "x"}),
    )
    assert [api.call("POST", path, body, by=bound).status_code for path, body in posts] == [404, 404, 404]
    new = {"network": "third", "mode": "test", "currency": "USD", "exponent": 2, "face_value": 1}
    assert api.call("POST", "/v1/operator/books", new | {"points_life_days": 1}, by=bound).status_code == 403


def test_secrets_are_in_no_answer_but_the_one_that_made_them(api: Api) -> None:
    cafe = api.shops["cafe"]
    with api.server.db.tx("door") as tx:
        stored = tx.execute("select row_to_json(k)::text from merchants.api_key k").fetchall()
        stored += tx.execute("select row_to_json(k)::text from gateway.operator_key k").fetchall()
    assert stored
    assert not any(cafe.key in row[0] or api.maker in row[0] for row in stored)
