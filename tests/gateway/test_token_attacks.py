"""Forged, borrowed and spoilt credentials. A member's token is signed, so each forgery differs in one thing from a good one."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from deploy.keys import signing_key
from gateway.problems import Problem
from gateway.server import Keys
from gateway.tokens import Bearer, Tokens
from ledger import ids
from tests.gateway.siege import NOBODY, Siege

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Forge:
    """Ann's token, taken apart and put together otherwise."""

    def __init__(self, token: str, pem: bytes, kid: str) -> None:
        self.token, self.pem, self.kid = token, pem, kid
        self.head, self.body, self.signature = token.split(".")
        self.claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
        private = load_pem_private_key(pem, None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        self.public = private.public_key()

    def header(self, **changes: Any) -> dict[str, Any]:
        told = {"alg": "ES256", "typ": "at+jwt", "kid": self.kid} | changes
        return {name: value for name, value in told.items() if value is not ...}

    def signed(self, key: Any = None, head: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token that is well signed; `...` takes a claim out."""
        told = {name: value for name, value in (self.claims | claims).items() if value is not ...}
        headers = {"typ": "at+jwt", "kid": self.kid} | (head or {})
        return jwt.encode(told, key or self.pem, headers.get("alg", "ES256"), headers=headers)

    def written(self, head: Any, claims: Any = None, signature: bytes = b"") -> str:
        """A token of any header and any claims, signed by nobody or by `signature`."""
        told = self.claims if claims is None else claims
        parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (head, told)]
        return ".".join([*map(b64, parts), b64(signature)])

    def with_hmac(self, secret: bytes, alg: str = "HS256") -> str:
        """The public key, which everybody knows, taken for a shared secret."""
        made = self.written(self.header(alg=alg)).rpartition(".")[0]
        return f"{made}.{b64(hmac.new(secret, made.encode(), hashlib.sha256).digest())}"

    def pem_of_public(self, encoding: Encoding = Encoding.PEM) -> bytes:
        return self.public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)

    def with_high_s(self) -> bytes:
        raw = unb64(self.signature)
        s = P256_ORDER - int.from_bytes(raw[32:], "big")
        return raw[:32] + s.to_bytes(32, "big")


RSA = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
P384 = ec.generate_private_key(ec.SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

#: What makes a forgery of a good token. All of them are told the same.
FORGERIES: dict[str, Callable[[Forge], str]] = {
    "alg none": lambda f: f.written(f.header(alg="none")),
    "alg None": lambda f: f.written(f.header(alg="None")),
    "alg nOnE, with the true signature": lambda f: f.written(f.header(alg="nOnE"), signature=unb64(f.signature)),
    "no alg": lambda f: f.written(f.header(alg=...), signature=unb64(f.signature)),
    "alg null": lambda f: f.written(f.header(alg=None), signature=unb64(f.signature)),
    "alg a list": lambda f: f.written(f.header(alg=["ES256"]), signature=unb64(f.signature)),
    "HS256 by the public key in PEM": lambda f: f.with_hmac(f.pem_of_public()),
    "HS256 by the public key in DER": lambda f: f.with_hmac(f.pem_of_public(Encoding.DER)),
    "HS256 by the kid": lambda f: f.with_hmac(f.kid.encode()),
    "HS256 by nothing": lambda f: f.with_hmac(b""),
    "ES256 said, HMAC done": lambda f: f.with_hmac(f.pem_of_public(), "ES256"),
    "RS256": lambda f: f.signed(RSA, {"alg": "RS256"}),
    "ES384": lambda f: f.signed(P384, {"alg": "ES384"}),
    "another P-256 key": lambda f: f.signed(signing_key()),
    "another kid": lambda f: f.signed(head={"kid": "0" * 16}),
    "no kid": lambda f: f.written(f.header(kid=...), signature=unb64(f.signature)),
    "a kid that is a path": lambda f: f.signed(head={"kid": "../../dev/null"}),
    "a kid of SQL": lambda f: f.signed(head={"kid": "' or '1'='1"}),
    "a key of its own": lambda f: f.signed(signing_key(), {"jwk": {"kty": "EC", "crv": "P-256"}}),
    "a key from elsewhere": lambda f: f.signed(signing_key(), {"jku": "https://example.org/jwks.json"}),
    "typ JWT": lambda f: f.signed(head={"typ": "JWT"}),
    "typ in capitals": lambda f: f.signed(head={"typ": "AT+JWT"}),
    "no typ": lambda f: f.written(f.header(typ=...), signature=unb64(f.signature)),
    "an extension that must be understood": lambda f: f.signed(head={"crit": ["exp"], "exp": 1}),
    "for another API": lambda f: f.signed(aud="another-api"),
    "for an API whose name begins like ours": lambda f: f.signed(aud="manex-api-2"),
    "for nobody": lambda f: f.signed(aud=...),
    "for an empty list": lambda f: f.signed(aud=[]),
    "from another": lambda f: f.signed(iss="another"),
    "from nobody": lambda f: f.signed(iss=...),
    "expired": lambda f: f.signed(exp=int(time.time()) - 60, iat=int(time.time()) - 960),
    "without an end": lambda f: f.signed(exp=...),
    "an end in words": lambda f: f.signed(exp="tomorrow"),
    "an end that is a list": lambda f: f.signed(exp=[9_999_999_999]),
    "not valid yet": lambda f: f.signed(nbf=int(time.time()) + 600),
    "issued tomorrow": lambda f: f.signed(iat=int(time.time()) + 86_400),
    "issued at no time": lambda f: f.signed(iat=...),
    "without an id": lambda f: f.signed(jti=...),
    "without a member": lambda f: f.signed(sub=...),
    "a member that is a number": lambda f: f.signed(sub=7),
    "a member that is a merchant": lambda f: f.signed(sub=f"mer_{NOBODY}"),
    "a member in capitals": lambda f: f.signed(sub=f.claims["sub"].upper()),
    "without a book": lambda f: f.signed(book=...),
    "a book that is null": lambda f: f.signed(book=None),
    "a book that is a list": lambda f: f.signed(book=[f.claims["book"]]),
    "a book nobody opened": lambda f: f.signed(book=f"bok_{NOBODY}"),
    "a byte more in the signature": lambda f: f.written(unb64(f.head), unb64(f.body), unb64(f.signature) + b"\0"),
    "a byte less": lambda f: f.written(unb64(f.head), unb64(f.body), unb64(f.signature)[:-1]),
    "a signature of zeros": lambda f: f.written(unb64(f.head), unb64(f.body), bytes(64)),
    "a signature in DER": lambda f: f.written(
        unb64(f.head),
        unb64(f.body),
        jwt.utils.raw_to_der_signature(unb64(f.signature), ec.SECP256R1()),
    ),
    "another's claims under this signature": lambda f: f.written(
        unb64(f.head), f.claims | {"sub": f"mem_{NOBODY}"}, unb64(f.signature)
    ),
    "no signature": lambda f: f"{f.head}.{f.body}.",
    "two parts": lambda f: f"{f.head}.{f.body}",
    "four parts": lambda f: f"{f.token}.x",
    "five parts, as if encrypted": lambda f: f"{f.head}..{f.body}.{f.signature}.x",
    "a blank inside": lambda f: f"{f.head} .{f.body}.{f.signature}",
    "a header that is a list": lambda f: f.written([], signature=unb64(f.signature)),
    "a header nested 700 deep": lambda f: f.written(b"[" * 700 + b"]" * 700, b"{}"),
    "claims that are a list": lambda f: f.written(f.header(), [], unb64(f.signature)),
    "claims that are no JSON": lambda f: f.written(f.header(), b"\xff\xfe", unb64(f.signature)),
    "3,000 letters": lambda _: "a" * 3_000,
    "dots": lambda _: "..",
}


@pytest.fixture(scope="module")
def forge(siege: Siege, server_keys: Keys) -> Forge:
    return Forge(siege.ann.token, server_keys.signing, siege.api.server.tokens.kid)


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forgery_is_nobody(siege: Siege, forge: Forge, what: str) -> None:
    token = FORGERIES[what](forge)
    for method, path in (("GET", "/v1/me"), ("GET", "/v1/me/balance"), ("PUT", "/v1/me/spend-lock")):
        answer = siege.send(method, path, [(b"authorization", b"Bearer " + token.encode("latin-1"))])
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (401, "unauthenticated"), path
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert problem["detail"] in (
            "the credential is not a living one of ours",
            "send Authorization: Bearer and a credential",
        ), "which of its parts was wrong is told to nobody"


def test_the_forge_makes_good_tokens_too(siege: Siege, forge: Forge) -> None:
    """Else the table above would prove nothing."""
    for token in (
        forge.signed(),
        forge.written(unb64(forge.head), unb64(forge.body), unb64(forge.signature)),
        # ECDSA has two signatures for one text: the other is as good, and a token is never told apart by its bytes
        forge.written(unb64(forge.head), unb64(forge.body), forge.with_high_s()),
    ):
        answer = siege.send("GET", "/v1/me", [(b"authorization", b"Bearer " + token.encode())])
        assert answer.status_code == 200, answer.content


def test_a_token_of_another_book_finds_nobody_there(siege: Siege, forge: Forge) -> None:
    """Well signed, which only this house can do; all the same a member is looked for in the token's book only."""
    moved = forge.signed(book=siege.names["live"])
    for path in ("/v1/me", "/v1/me/balance", "/v1/me/card"):
        answer = siege.send("GET", path, [(b"authorization", b"Bearer " + moved.encode())])
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    records = siege.send("GET", "/v1/me/records", [(b"authorization", b"Bearer " + moved.encode())])
    assert records.json()["data"] == []


def test_a_retired_key_signs_nobody_in(siege: Siege, server_keys: Keys) -> None:
    """A server with a new signing key takes no token of the old one, and the other way round."""
    old, new = Tokens(server_keys.signing), Tokens(signing_key())
    member, book = ids.read("member", siege.names["ann"]), ids.read("book", siege.names["book"])
    assert member is not None
    assert book is not None
    bearer = Bearer(member, book)
    assert old.read(old.issue(bearer)) == bearer
    for issuer, reader in ((old, new), (new, old)):
        with pytest.raises(Problem) as refused:
            reader.read(issuer.issue(bearer))
        assert refused.value.code == "unauthenticated"


#: (credential of, where it is sent): each is good somewhere else.
BORROWED = [
    ("cafe", "/v1/me"),
    ("cafe", "/v1/operator/books"),
    ("ann", "/v1/records"),
    ("ann", "/v1/operator/books"),
    ("maker", "/v1/records"),
    ("maker", "/v1/me"),
    ("auditor", "/v1/position"),
    ("reader", "/v1/me/records"),
    ("of live", "/v1/statements"),
]


@pytest.mark.parametrize(("of", "path"), BORROWED)
def test_a_credential_of_one_kind_is_none_of_another(siege: Siege, of: str, path: str) -> None:
    answer = siege.send("GET", path, [(b"authorization", b"Bearer " + siege.who[of].encode())])
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("of", ["cafe", "reader", "maker"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: key[:-1],
        lambda key: key + "A",
        lambda key: key.swapcase(),
        lambda key: key.replace("_test_", "_live_") if "_test_" in key else "sk_" + key,
        lambda key: "rk" + key[2:] if key.startswith("sk") else "sk" + key[2:],
        lambda key: key + "%00",
        lambda key: hashlib.sha256(key.encode()).hexdigest(),
        lambda key: "%" * len(key),
        lambda _: "",
    ],
    ids=["cut", "longer", "case", "mode", "kind", "NUL", "its hash", "wildcards", "nothing"],
)
def test_a_key_is_good_to_the_letter(siege: Siege, of: str, spoil: Callable[[str], str]) -> None:
    path = "/v1/operator/books" if of == "maker" else "/v1/records"
    spoilt = spoil(siege.who[of])
    answer = siege.send("GET", path, [(b"authorization", b"Bearer " + spoilt.encode())])
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
