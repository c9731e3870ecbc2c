"""Vouchers: points that a phone may spend at a till while neither has network. Set aside at once, spent once."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from deploy.commands.audit import audited
from deploy.keys import signing_key
from gateway import vouchers
from gateway.jwk import Jwk
from tests.gateway.network import Api, Member, new_key
from tests.gateway.phone import Phone, fresh_key, jwk_of, signed

DAY = timedelta(days=1)


@pytest.fixture
def ann(api: Api) -> Member:
    """A member with 300 points: 200 of the cafe, then 100 of the grocer."""
    made = api.member()
    api.sell(made, 20_000)
    api.sell(made, 10_000, "grocer")
    return made


@pytest.fixture
def phone(ann: Member) -> Phone:
    return Phone(ann)


def clean(api: Api) -> None:
    report = audited(api.url)
    assert report.clean, [finding for finding in report.findings if not finding.ok]


def wallet(phone: Phone) -> tuple[int, int]:
    balance = phone.api.done("GET", "/v1/me/balance", by=phone.member.token)
    return balance["available"], balance["held"]


def redeem(phone: Phone, body: Any, shop: str = "cafe", key: str | None = None) -> Any:
    return phone.api.call("POST", "/v1/redemptions", body, by=phone.api.shops[shop].key, key=key or new_key())


def refused(answer: Any) -> tuple[int, str, str | None]:
    problem = answer.json()
    return answer.status_code, problem["code"], problem["errors"][0]["pointer"] if problem["errors"] else None


def later(api: Api, by: timedelta) -> None:
    api.advance((api.clock() + by).isoformat())


@pytest.mark.parametrize("curve", ["Ed25519", "P-256"])
def test_a_voucher_is_spent_in_part_offline_and_the_rest_comes_back(api: Api, ann: Member, curve: str) -> None:
    phone = Phone(ann, fresh_key(curve))
    voucher = phone.voucher(250, "grocer")
    assert (voucher["state"], voucher["points"], voucher["value"]["amount"]) == ("open", 250, 250)
    assert voucher["balance"] == {"available": 50}
    assert wallet(phone) == (50, 250)
    body = phone.redemption(voucher, 220, shop="grocer")
    # the till has the server's keys from before, a clock, and nothing else
    keys = vouchers.keys_of(api.done("GET", "/.well-known/jwks.json"))
    given = body["voucher"]
    spent = vouchers.check(
        given["voucher"], given["spend"], keys, shop=api.shops["grocer"].id, at=api.clock() + timedelta(days=4)
    )
    assert (spent.points, spent.value_minor, spent.external_reference) == (220, 220, body["external_reference"])
    later(api, 6 * DAY)
    key = new_key()
    answer = redeem(phone, body, "grocer", key)
    done = answer.json()
    assert (answer.status_code, done["state"], done["points"], done["value"]["amount"]) == (200, "captured", 220, 220)
    assert [part["points"] for part in done["slices"]] == [200, 20]
    assert wallet(phone) == (80, 0)
    again = redeem(phone, body, "grocer", key)
    assert (again.content, again.headers["Idempotent-Replayed"]) == (answer.content, "true")
    read = api.done("GET", f"/v1/redemptions/{done['id']}", by=api.shops["grocer"].key)
    assert read == done | {"balance": None}
    (listed,) = api.done("GET", "/v1/me/vouchers", by=ann.token)["data"]
    assert (listed["state"], listed["spent"], listed["voucher"]) == ("redeemed", 220, None)
    records = api.done("GET", "/v1/me/records", by=ann.token)["data"]
    assert [record["kind"] for record in records] == ["sale", "sale", "hold", "capture", "void"]
    held, captured, rest = (record["facts"] for record in records[2:])
    assert held["voucher"]["device"] == phone.id
    assert captured["spend"] == hashlib.sha256(given["spend"].encode()).hexdigest()
    assert (rest["points"], rest["rest_of"]) == (30, done["record"])
    assert api.done("GET", "/v1/position", by=api.shops["grocer"].key)["accepted_points"] == 220
    clean(api)


def test_a_spend_pays_for_a_sale_and_is_refunded_like_any_redemption(api: Api, phone: Phone) -> None:
    voucher = phone.voucher(150)
    done = redeem(phone, phone.redemption(voucher, 110, "V-1")).json()
    usd = {"currency": "USD"}
    sold = api.sell(
        phone.member,
        500,
        payments=[
            {"type": "points", "redemption_reference": "V-1", "amount": {"amount": 110, **usd}},
            {"type": "cash", "amount": {"amount": 390, **usd}},
        ],
    )
    assert sold["money_part"]["amount"] == 390
    path = f"/v1/redemptions/{done['id']}/refunds"
    for i, points in enumerate((30, 70, 10)):
        body = {"external_reference": f"F-{i}", "points": points}
        back = api.done("POST", path, body, by=api.shops["cafe"].key, key=new_key())
        assert [part["points"] for part in back["slices"]] == [points]
    over = api.call("POST", path, {"external_reference": "F-9", "points": 1}, by=api.shops["cafe"].key, key=new_key())
    assert refused(over)[1] == "refund_exceeds_original"
    assert wallet(phone) == (303, 0)
    clean(api)


def test_a_spend_over_two_lots_is_refunded_last_first_and_never_touches_what_was_not_spent(
    api: Api, phone: Phone
) -> None:
    voucher = phone.voucher(300, "grocer")
    done = redeem(phone, phone.redemption(voucher, 230, shop="grocer"), "grocer").json()
    first, second = (part["lot"] for part in done["slices"])
    path = f"/v1/redemptions/{done['id']}/refunds"
    grocer = api.shops["grocer"].key
    slices = [
        api.done("POST", path, {"external_reference": f"F-{i}", **more}, by=grocer, key=new_key())["slices"]
        for i, more in enumerate(({"points": 25}, {"points": 15}, {}))
    ]
    assert [[(part["lot"], part["points"]) for part in parts] for parts in slices] == [
        [(second, 25)],
        [(second, 5), (first, 10)],
        [(first, 190)],
    ]
    assert wallet(phone) == (300, 0)
    clean(api)


def test_what_comes_back_unspent_repays_what_the_member_owes(api: Api, phone: Phone) -> None:
    sold = api.sell(phone.member, 5_000)
    voucher = phone.voucher(350)
    assert wallet(phone) == (0, 350)
    usd = {"amount": 5_000, "currency": "USD"}
    path = f"/v1/sales/{sold['id']}/refunds"
    refund = api.done(
        "POST", path, {"external_reference": "F-1", "amount": usd}, by=api.shops["cafe"].key, key=new_key()
    )
    assert (refund["returned"], refund["owed"]) == (0, 50)
    assert redeem(phone, phone.redemption(voucher, 290)).status_code == 200
    assert wallet(phone) == (10, 0)
    assert api.done("GET", "/v1/me/balance", by=phone.member.token)["owed"] == 0
    clean(api)


def test_a_voucher_is_spent_once(api: Api, phone: Phone) -> None:
    voucher = phone.voucher(100)
    body = phone.redemption(voucher, 40, "V-1")
    first = redeem(phone, body).json()
    taken = redeem(phone, body)
    assert refused(taken) == (409, "duplicate_reference", "/external_reference")
    assert taken.json()["facts"]["existing"] == first["id"]
    assert refused(redeem(phone, phone.redemption(voucher, 40)))[:2] == (409, "code_already_used")
    path = f"/v1/vouchers/{voucher['id']}/return"
    back = api.call("POST", path, {}, by=api.shops["cafe"].key, key=new_key())
    assert refused(back)[:2] == (409, "code_already_used")
    assert wallet(phone) == (260, 0)


def test_a_voucher_ends_with_its_deadline(api: Api, phone: Phone) -> None:
    voucher = phone.voucher(100)
    made = datetime.fromisoformat(voucher["at"])
    assert datetime.fromisoformat(voucher["spend_until"]) == made + timedelta(days=5)
    assert datetime.fromisoformat(voucher["deadline"]) == made + timedelta(days=7)
    body = phone.redemption(voucher, 40)
    later(api, 8 * DAY)
    assert refused(redeem(phone, body))[:2] == (409, "hold_expired")
    assert wallet(phone) == (300, 0)
    (listed,) = api.done("GET", "/v1/me/vouchers", by=phone.member.token)["data"]
    assert (listed["state"], listed["voucher"]) == ("lapsed", None)
    clean(api)


def test_points_that_expired_while_they_were_promised_are_still_good(api: Api, phone: Phone) -> None:
    api.advance("2017-12-30T00:00:00Z")
    voucher = phone.voucher(120)
    body = phone.redemption(voucher, 100)
    later(api, 4 * DAY)
    assert wallet(phone) == (0, 120)
    # the rest is past its time: it comes back to expire
    assert redeem(phone, body).json()["balance"] == {"available": 20}
    later(api, DAY)
    assert wallet(phone) == (0, 0)
    clean(api)


def test_only_the_shop_gives_a_voucher_back(api: Api, phone: Phone) -> None:
    voucher = phone.voucher(100)
    body, path = phone.redemption(voucher, 40), f"/v1/vouchers/{voucher['id']}/return"
    stranger = api.call("POST", path, {}, by=api.shops["grocer"].key, key=new_key())
    assert refused(stranger) == (404, "not_found", None)
    as_hold = f"/v1/redemptions/{voucher['id'].replace('vch', 'red')}/void"
    assert refused(api.call("POST", as_hold, {}, by=api.shops["cafe"].key, key=new_key()))[1] == "not_found"
    done = api.done("POST", path, {}, by=api.shops["cafe"].key, key=new_key())
    assert (done["state"], done["points"]) == ("returned", 100)
    assert wallet(phone) == (300, 0)
    assert refused(redeem(phone, body))[:2] == (409, "state_conflict")
    clean(api)


def test_a_promise_outlives_lock_freeze_device_and_the_shops_good_standing(api: Api, phone: Phone) -> None:
    voucher, other = phone.voucher(100), phone.voucher(50)
    api.done("PUT", "/v1/me/spend-lock", {"locked": True}, by=phone.member.token)
    with psycopg.connect(api.url, autocommit=True) as conn:
        conn.execute("update merchants.member set state = 'frozen'")
        conn.execute("update merchants.device set revoked_at = now()")
        conn.execute("update merchants.merchant set state = 'suspended'")
        conn.execute("update ledger.book set settings_revision = settings_revision + 1")
        assert redeem(phone, phone.redemption(voucher, 40)).status_code == 200
        conn.execute("update merchants.member set state = 'left'")
        conn.execute("update merchants.branch set state = 'closed'")
        conn.execute("update ledger.book set settings_revision = settings_revision + 1")
    assert redeem(phone, phone.redemption(other, 50)).status_code == 200
    elsewhere = phone.redemption(other, 50) | {"till": api.shops["grocer"].till}
    assert refused(redeem(phone, elsewhere)) == (404, "not_found", "/till")


def test_one_key_is_one_voucher_and_one_code_too(api: Api, phone: Phone) -> None:
    body, key = phone.wanted(10), new_key()

    def ask(key: str) -> Any:
        return api.call("POST", "/v1/me/vouchers", body, by=phone.member.token, key=key)

    first, again = ask(key), ask(key)
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    assert refused(ask(new_key()))[:2] == (409, "code_already_used")
    assert wallet(phone) == (290, 10)


def test_a_spend_is_settled_and_refunded_after(api: Api, phone: Phone) -> None:
    grocer = api.shops["grocer"].key
    done = redeem(phone, phone.redemption(phone.voucher(200, "grocer"), 133, shop="grocer"), "grocer").json()
    (window,) = api.done("GET", f"/v1/operator/books/{api.book}/windows", by=api.maker)["data"]
    at = f"/v1/operator/windows/{window['id']}"
    api.done("POST", f"{at}/close", {}, by=api.maker, key=new_key())
    digest = api.done("POST", f"{at}/submit", {}, by=api.maker, key=new_key())["positions_hash"]
    api.done("POST", f"{at}/approve", {"positions_hash": digest}, by=api.approver, key=new_key())
    path = f"/v1/redemptions/{done['id']}/refunds"
    api.done("POST", path, {"external_reference": "F-1", "points": 33}, by=grocer, key=new_key())
    (statement,) = api.done("GET", "/v1/statements", by=grocer)["data"]
    assert statement["receivable"]["amount"] == 133
    assert wallet(phone) == (200, 0)
    clean(api)


def test_asking_is_refused_in_its_documented_order(api: Api, phone: Phone) -> None:
    grocer = api.shops["grocer"]
    other = api.open_shop("stranger", book=api.open_book("other"))

    def asked(**more: Any) -> tuple[int, str, str | None]:
        body = {k: v for k, v in phone.wanted(50, **more).items() if v is not None}
        return refused(api.call("POST", "/v1/me/vouchers", body, by=phone.member.token, key=new_key()))

    def state(of: str, state: str, where: str) -> None:
        with psycopg.connect(api.url, autocommit=True) as conn:
            conn.execute(f"update merchants.{of} set state = '{state}' where {where}")
            conn.execute("update ledger.book set settings_revision = settings_revision + 1")

    jwk = jwk_of(phone.key)
    assert asked(points=0) == (422, "validation_failed", "/points")
    assert asked(public_key={**jwk, "d": "A" * 43}) == (422, "unknown_field", "/public_key/d")
    assert asked(public_key={**jwk, "crv": "P-256"}) == (422, "validation_failed", "/public_key")
    off = {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}
    assert asked(public_key=off) == (422, "validation_failed", "/public_key")
    wrong: dict[str, Any] = {"spend_code": "000000", "points": 100_001, "device": "dev_" + "0" * 32}
    assert asked(**wrong | {"shop": "mer_" + "0" * 32}) == (404, "not_found", "/shop")
    assert asked(**wrong | {"shop": other.id}) == (404, "not_found", "/shop")
    wrong |= {"shop": grocer.id}
    state("member", "frozen", "true")
    assert asked(**wrong) == (409, "state_conflict", None)
    state("member", "active", "true")
    state("merchant", "suspended", "name = 'grocer'")
    assert asked(**wrong) == (403, "merchant_suspended", None)
    state("merchant", "active", "true")
    api.done("PUT", "/v1/me/spend-lock", {"locked": True}, by=phone.member.token)
    assert asked(**wrong) == (403, "spend_locked", None)
    api.done("PUT", "/v1/me/spend-lock", {"locked": False}, by=phone.member.token)
    assert asked(**wrong) == (404, "not_found", "/device")
    del wrong["device"]
    assert asked(**wrong) == (422, "limit_exceeded", None)
    wrong |= {"points": 100_000}
    assert asked(**wrong) == (403, "consent_required", None)
    del wrong["spend_code"]
    assert asked(**wrong) == (422, "insufficient_points", None)
    for _ in range(5):
        phone.voucher(1)
    assert asked() == (422, "limit_exceeded", None)
    clean(api)


def test_wrong_codes_lock_the_member_who_shows_them_and_no_shop(api: Api, phone: Phone) -> None:
    def asked(code: str) -> str:
        body = phone.wanted(50, spend_code=code)
        return refused(api.call("POST", "/v1/me/vouchers", body, by=phone.member.token, key=new_key()))[1]

    assert [asked("abcdef") for _ in range(6)] == ["consent_required"] * 5 + ["otp_locked"]
    assert asked(phone.code()) == "otp_locked"
    assert redeem(phone, api.redemption(phone.member, 1)).status_code == 200


def test_another_members_device_is_none(api: Api, phone: Phone) -> None:
    bob = Phone(api.member("+15550100124"))
    body = phone.wanted(50, device=bob.id)
    assert refused(api.call("POST", "/v1/me/vouchers", body, by=phone.member.token, key=new_key())) == (
        404,
        "not_found",
        "/device",
    )
    voucher = phone.voucher(50)
    assert api.done("GET", "/v1/me/vouchers", by=bob.member.token)["data"] == []
    stolen = phone.redemption(voucher, 10) | {"member": bob.member.number}
    assert refused(redeem(phone, stolen))[:2] == (403, "consent_required")


def test_vouchers_are_listed_page_by_page(api: Api, phone: Phone) -> None:
    made = [phone.voucher(points)["id"] for points in (1, 2, 3)]
    page = api.done("GET", "/v1/me/vouchers?limit=2", by=phone.member.token)
    rest = api.done("GET", f"/v1/me/vouchers?limit=2&cursor={page['next_cursor']}", by=phone.member.token)
    assert [voucher["id"] for voucher in page["data"] + rest["data"]] == made[::-1]
    # shown again to a phone that lost it, and as good as before
    shown = page["data"][0]
    assert redeem(phone, phone.redemption(shown, 3)).status_code == 200


# -- what a thief of one kind or another would try


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Forge:
    """A good voucher and a good spend, taken apart and put together otherwise."""

    def __init__(self, phone: Phone, voucher: Any, pem: bytes, kid: str) -> None:
        self.phone, self.told, self.pem, self.kid = phone, voucher, pem, kid
        self.voucher = voucher["voucher"]
        self.claims: dict[str, Any] = json.loads(unb64(self.voucher.split(".")[1]))
        key = load_pem_private_key(pem, None)
        self.public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def granted(self, key: bytes | None = None, alg: str = "ES256", head: Any = None, **claims: Any) -> str:
        header = {"typ": "voucher+jwt", "kid": self.kid} | (head or {})
        return signed(self.claims | claims, key or self.pem, alg, **header)

    def unsigned(self, text: str, alg: str) -> str:
        head = json.loads(unb64(text.split(".")[0])) | {"alg": alg}
        return f"{b64(json.dumps(head).encode())}.{text.split('.')[1]}."

    def with_hmac(self, text: str, secret: bytes) -> str:
        made = self.unsigned(text, "HS256").removesuffix(".")
        return f"{made}.{b64(hmac.new(secret, made.encode(), hashlib.sha256).digest())}"

    def spend(self, points: Any = 10, *, key: Any = None, alg: str | None = None, head: Any = None, **more: Any) -> str:
        said = self.phone.said(self.told, points, "V-1", **more)
        return signed(said, key or self.phone.key, alg or self.phone.alg, **({"typ": "spend+jwt"} | (head or {})))


Made = tuple[str, str]

OTHER = fresh_key()

#: (voucher, spend) that give no right to anything. All of them are told that consent is missing.
FORGERIES: dict[str, Callable[[Forge], Made]] = {
    "a voucher of alg none": lambda f: (f.unsigned(f.voucher, "none"), f.spend()),
    "a voucher signed with the public key": lambda f: (f.with_hmac(f.voucher, f.public), f.spend()),
    "a voucher signed by another server": lambda f: (f.granted(signing_key()), f.spend()),
    "a voucher of another kid": lambda f: (f.granted(head={"kid": "0" * 16}), f.spend()),
    "a voucher without kid": lambda f: (f.granted(head={"kid": None}), f.spend()),
    "a voucher that is a token by its type": lambda f: (f.granted(head={"typ": "at+jwt"}), f.spend()),
    "a voucher that is any JWT": lambda f: (f.granted(head={"typ": "JWT"}), f.spend()),
    "a voucher for the API": lambda f: (f.granted(aud="manex-api"), f.spend()),
    "a voucher of nobody": lambda f: (f.granted(iss="other"), f.spend()),
    "a voucher with its key in the header": lambda f: (
        f.granted(head={"jwk": jwk_of(OTHER)}),
        f.spend(key=OTHER),
    ),
    "a voucher with its key at an address": lambda f: (f.granted(head={"jku": "https://x.test/k"}), f.spend()),
    "a voucher with something critical": lambda f: (f.granted(head={"crit": ["x"], "x": 1}), f.spend()),
    "a voucher with more points, its signature kept": lambda f: (
        ".".join(
            [f.voucher.split(".")[0], b64(json.dumps(f.claims | {"points": 300}).encode()), f.voucher.split(".")[2]]
        ),
        f.spend(),
    ),
    "a voucher of another book": lambda f: (f.granted(book="bok_" + "0" * 32), f.spend()),
    "a voucher of another shop": lambda f: (f.granted(shop=f.phone.api.shops["grocer"].id), f.spend()),
    "a voucher that says more": lambda f: (f.granted(free=True), f.spend()),
    "a voucher of no id": lambda f: (f.granted(jti="x"), f.spend(voucher="x")),
    "a voucher for another key, signed by us": lambda f: (f.granted(cnf={"jwk": jwk_of(OTHER)}), f.spend(key=OTHER)),
    "a voucher of more points, signed by us": lambda f: (f.granted(points=300), f.spend(150)),
    "a voucher for a key that is none": lambda f: (
        f.granted(cnf={"jwk": {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}}),
        f.spend(),
    ),
    "a member's token for a voucher": lambda f: (f.phone.member.token, f.spend()),
    "an operator's key for a voucher": lambda f: (f.phone.api.maker, f.spend()),
    "a merchant's key for a voucher": lambda f: (f.phone.api.shops["cafe"].key, f.spend()),
    "a spend for a voucher": lambda f: (f.spend(), f.spend()),
    "a voucher for a spend": lambda f: (f.voucher, f.voucher),
    "nothing": lambda _: ("", ""),
    "dots": lambda _: ("..", ".."),
    "a spend of alg none": lambda f: (f.voucher, f.unsigned(f.spend(), "none")),
    "a spend signed with the public key": lambda f: (
        f.voucher,
        f.with_hmac(f.spend(), f.phone.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)),
    ),
    "a spend by another device": lambda f: (f.voucher, f.spend(key=OTHER)),
    "a spend by another kind of key": lambda f: (f.voucher, f.spend(key=fresh_key("P-256"), alg="ES256")),
    "a spend with its key in the header": lambda f: (f.voucher, f.spend(key=OTHER, head={"jwk": jwk_of(OTHER)})),
    "a spend with a kid": lambda f: (f.voucher, f.spend(head={"kid": f.kid})),
    "a spend of another type": lambda f: (f.voucher, f.spend(head={"typ": "voucher+jwt"})),
    "a spend for the API": lambda f: (f.voucher, f.spend(aud="manex-api")),
    "a spend of a point too many": lambda f: (f.voucher, f.spend(101)),
    "a spend of nothing": lambda f: (f.voucher, f.spend(0)),
    "a spend below nothing": lambda f: (f.voucher, f.spend(-5)),
    "a spend of 2^63": lambda f: (f.voucher, f.spend(2**63)),
    "a spend of half a point": lambda f: (f.voucher, f.spend(0.5)),
    "a spend of a whole number with a point": lambda f: (f.voucher, f.spend(10.0)),
    "a spend of truth": lambda f: (f.voucher, f.spend(True)),
    "a spend of text": lambda f: (f.voucher, f.spend("10")),
    "a spend that says how many twice": lambda f: (
        f.voucher,
        signed(
            json.dumps(f.phone.said(f.told, 10, "V-1")).encode()[:-1] + b', "points": 99}',
            f.phone.key,
            f.phone.alg,
            typ="spend+jwt",
        ),
    ),
    "a spend of another voucher": lambda f: (f.voucher, f.spend(voucher="vch_" + "0" * 32)),
    "a spend at another shop": lambda f: (f.voucher, f.spend(shop=f.phone.api.shops["grocer"].id)),
    "a spend at another branch": lambda f: (f.voucher, f.spend(branch=f.phone.api.shops["grocer"].branch)),
    "a spend at another till": lambda f: (f.voucher, f.spend(till="til_" + "0" * 32)),
    "a spend for another sale": lambda f: (f.voucher, f.spend(external_reference="V-2")),
    "a spend that names no sale": lambda f: (f.voucher, f.spend(external_reference=...)),
    "a spend signed too late": lambda f: (f.voucher, f.spend(iat=f.claims["exp"] + 1)),
    "a spend that says more": lambda f: (f.voucher, f.spend(tip=5)),
    "a spend cut short": lambda f: (f.voucher, f.spend()[:-20]),
    "a spend turned": lambda f: (f.voucher, f.spend()[:-4] + "AAAA"),
}


def test_forgeries(api: Api, phone: Phone) -> None:
    forge = Forge(phone, phone.voucher(100), api.server.keys.signing, api.server.tokens.kid)
    body = phone.redemption(forge.told, 10, "V-1")
    wrong: dict[str, Any] = {}
    for what, make in FORGERIES.items():
        voucher, spend = make(forge)
        got = refused(redeem(phone, body | {"voucher": {"voucher": voucher, "spend": spend}}))
        if got[:2] != (403, "consent_required"):
            wrong[what] = got
    assert wrong == {}
    assert wallet(phone) == (200, 100)
    good = body | {"voucher": {"voucher": forge.voucher, "spend": forge.spend()}}
    at_anothers = good | {"branch": api.shops["grocer"].branch}
    assert refused(redeem(phone, at_anothers, "grocer"))[:2] == (403, "consent_required")
    with_code = redeem(phone, good | {"spend_code": "123456"})
    assert refused(with_code) == (422, "validation_failed", "/spend_code")
    assert refused(redeem(phone, good | {"points": 10})) == (422, "validation_failed", "/points")
    long = good | {"voucher": {"voucher": "a" * 3_001, "spend": "a"}}
    assert refused(redeem(phone, long)) == (422, "validation_failed", "/voucher/voucher")
    long = good | {"voucher": {"voucher": "a", "spend": "a" * 1_501}}
    assert refused(redeem(phone, long)) == (422, "validation_failed", "/voucher/spend")
    unknown = forge.granted(jti="vch_" + "0" * 32), forge.spend(voucher="vch_" + "0" * 32)
    nobodys = redeem(phone, good | {"voucher": dict(zip(("voucher", "spend"), unknown, strict=True))})
    assert refused(nobodys) == (404, "not_found", "/voucher/voucher")
    # and all of it left the way open to what is good
    assert redeem(phone, good).status_code == 200
    clean(api)


def test_neither_a_voucher_nor_a_spend_opens_a_door(api: Api, phone: Phone) -> None:
    voucher = phone.voucher(100)
    for credential in (voucher["voucher"], phone.spend(voucher, 10, "V-1")):
        for method, path in (("GET", "/v1/me"), ("GET", "/v1/records"), ("GET", "/v1/operator/books")):
            assert api.call(method, path, by=credential).status_code == 401


def test_a_till_refuses_what_the_server_would(api: Api, phone: Phone) -> None:
    forge = Forge(phone, phone.voucher(100), api.server.keys.signing, api.server.tokens.kid)
    keys = vouchers.keys_of(api.done("GET", "/.well-known/jwks.json"))
    cafe = api.shops["cafe"].id
    # a till believes our signature; the server knows what it gave
    ours = {"a voucher of another book", "a voucher of no id"}
    ours |= {"a voucher for another key, signed by us", "a voucher of more points, signed by us"}
    # these name another sale than the till has in hand: it compares, as the module's docstring says
    ours |= {"a spend at another branch", "a spend at another till", "a spend for another sale"}
    for what, make in FORGERIES.items():
        if what not in ours:
            with pytest.raises(vouchers.Untrue):
                vouchers.check(*make(forge), keys, shop=cafe)
    good = forge.voucher, forge.spend()
    assert vouchers.check(*good, keys, shop=cafe, at=api.clock()).points == 10
    late = datetime.fromtimestamp(forge.claims["exp"] + 1, UTC)
    with pytest.raises(vouchers.Untrue):
        vouchers.check(*good, keys, shop=cafe, at=late)


def test_what_any_number_of_points_is_worth() -> None:
    facts: dict[str, Any] = {"jti": "v", "book": "b", "shop": "s", "member": "m", "currency": "USD", "iat": 0, "exp": 1}
    jwk = Jwk(kty="OKP", crv="Ed25519", x="A" * 43)
    voucher = vouchers.Voucher(
        **facts, points=8, value=22, parts=[(3, 1), (4, 4), (1, 3)], cnf=vouchers.Confirmation(jwk=jwk)
    )
    assert [voucher.worth(points) for points in range(9)] == [0, 1, 2, 3, 7, 11, 15, 19, 22]
