"""Bad requests, one a line: who sends what where, and what is answered. None of them changes anything of value."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec
import pytest

from gateway.api.shapes import ProblemOut
from gateway.api.table import OPERATIONS
from gateway.operation import LARGEST_BATCH_BODY, LARGEST_BODY
from gateway.problems import KINDS
from tests.gateway.network import ROUTES, as_documented, new_key
from tests.gateway.siege import Siege

KEY = {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}
VOUCHER = {"shop": "$cafe", "points": 1, "device": "$device", "public_key": KEY, "spend_code": "000000"}
OWN = "/v1/me/redemptions"
OWN_VOUCHERS, RETURN = "/v1/me/vouchers", "/v1/vouchers/$voucher/return"
USD = {"currency": "USD"}
NONE = "$nobody"


class Bad(NamedTuple):
    """`who` is a name of the siege's credentials; `wanted` is (status, code[, pointer]).

    A POST or PUT carries the headers a client would send unless `headers` names them: None leaves one out, a list sends
    it more than once.
    """

    what: str
    method: str
    path: str
    who: str | None
    body: Any
    wanted: tuple[Any, ...]
    headers: Mapping[str, Any] = {}


def bad(what: str, method: str, path: str, who: str | None, body: Any, *wanted: Any, **headers: Any) -> Bad:
    return Bad(what, method, path, who, body, wanted, {k.replace("_", "-"): v for k, v in headers.items()})


# -- bodies that would be good


def but(good: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """`good` with changes; `...` takes a field out."""
    return {k: v for k, v in {**good, **changes}.items() if v is not ...}


SALE = {"branch": "$branch", "external_reference": "BAD-1", "total": {"amount": 100, **USD}}
REDEMPTION = {
    "branch": "$branch",
    "external_reference": "BAD-1",
    "member": "$number",
    "spend_code": "000000",
    "points": 1,
}
LINE = {"amount": {"amount": 100, **USD}}
CASH = {"type": "cash", "amount": {"amount": 100, **USD}}
QUOTE = {"branch": "$branch", "total": {"amount": 100, **USD}}
BOOK = {
    "network": "bad",
    "mode": "test",
    "currency": "USD",
    "exponent": 2,
    "face_value": 1,
    "points_life_days": 365,
    "time_zone": "UTC",
}
CONTRACT = {"mode": "deferred", "purchase_fee_ppm": 0, "redemption_fee_ppm": 0}
TERMS = {"points": 1, "per": 100}
RULES = {"face_value": 1, "points_life_days": 365}
TOPUP = {"amount": {"amount": 100, **USD}, "reference": "BAD-1"}

INVALID, UNKNOWN, MISSING = (422, "validation_failed"), (422, "unknown_field"), (404, "not_found")
MALFORMED, CONFLICT, WHO = (400, "malformed_request"), (409, "state_conflict"), (401, "unauthenticated")
FORBIDDEN, METHOD, MEDIA = (403, "forbidden"), (405, "method_not_allowed"), (415, "unsupported_media_type")
CURSOR, LARGE = (400, "cursor_invalid"), (413, "too_large")

SALES, REDEMPTIONS, BATCHES = "/v1/sales", "/v1/redemptions", "/v1/batches"
GIFT = {"to": "+15550100124", "points": 1, "spend_code": "000000"}
MERCHANTS, WINDOWS = "/v1/operator/merchants", "/v1/operator/windows"
OF_BOOK = "/v1/operator/books/$book"
WHY = {"reason": "x"}
CHARGE_BACKS, CHARGE_BACK = f"{OF_BOOK}/charge-backs", "/v1/operator/charge-backs/$charge_back"
CHARGED_BACK = {"topup": "$topup", "amount": {"amount": 1, **USD}, "reference": "RCL-BAD", "reason": "recalled"}


def voucher(what: str, *wanted: Any, **changes: Any) -> Bad:
    return bad(what, "POST", OWN_VOUCHERS, "ann", but(VOUCHER, **changes), *wanted)


def sale(what: str, *wanted: Any, **changes: Any) -> Bad:
    return bad(what, "POST", SALES, "cafe", but(SALE, **changes), *wanted)


def asking(**when: Any) -> dict[str, Any]:
    """Terms with one rule, which asks for this."""
    return {"rules": [{"id": "a", "effect": {"points": 1}, "when": when}]}


def amount(what: str, raw: bytes, *wanted: Any) -> Bad:
    body = json.dumps(SALE).encode().replace(b'"amount": 100', b'"amount": ' + raw)
    return bad(f"a sale of {what}", "POST", SALES, "cafe", body, *wanted)


def raw_sale(what: str, more: bytes, *wanted: Any, **headers: Any) -> Bad:
    return bad(what, "POST", SALES, "cafe", json.dumps(SALE).encode()[:-1] + more, *wanted, **headers)


AMOUNTS = [
    amount("a fraction", b"1.5", *INVALID, "/total/amount"),
    amount("a whole number with a point", b"1.0", *INVALID, "/total/amount"),
    amount("a whole number with an exponent", b"1e3", *INVALID, "/total/amount"),
    amount("minus one", b"-1", *INVALID, "/total/amount"),
    amount("minus nothing, as a float", b"-0.0", *INVALID, "/total/amount"),
    amount("not a number", b"NaN", *MALFORMED),
    amount("infinity", b"Infinity", *MALFORMED),
    amount("an exponent too large", b"1e999", *MALFORMED),
    amount("2^53", b"9007199254740993", *INVALID, "/total/amount"),
    amount("2^63", b"9223372036854775808", *INVALID, "/total/amount"),
    amount("2^64", b"18446744073709551616", *INVALID, "/total/amount"),
    amount("five thousand digits", b"9" * 5_000, *MALFORMED),
    amount("hexadecimal", b"0x10", *MALFORMED),
    amount("a leading zero", b"0100", *MALFORMED),
    amount("a plus sign", b"+100", *MALFORMED),
    amount("text", b'"100"', *INVALID, "/total/amount"),
    amount("Persian digits", '"۱۰۰"'.encode(), *INVALID, "/total/amount"),
    amount("truth", b"true", *INVALID, "/total/amount"),
    amount("null", b"null", *INVALID, "/total/amount"),
    amount("a list", b"[100]", *INVALID, "/total/amount"),
    amount("one over the most", b"1000000001", *INVALID, "/total/amount"),
]

TEXTS = [
    sale("a reference of nothing", *INVALID, "/external_reference", external_reference=""),
    sale("a reference of blanks", *INVALID, "/external_reference", external_reference="   "),
    sale("a reference of 65", *INVALID, "/external_reference", external_reference="x" * 65),
    sale("a reference with a line feed", *INVALID, "/external_reference", external_reference="a\n"),
    sale("a reference written right to left", *INVALID, "/external_reference", external_reference="a\u202eb"),
    sale("a reference with a space of no width", *INVALID, "/external_reference", external_reference="a\u200bb"),
    sale("a reference with an emoji", *INVALID, "/external_reference", external_reference="🧾"),
    sale("a reference that is a number", *INVALID, "/external_reference", external_reference=7),
    raw_sale("NUL in a text", b',"member":"\\u0000"}', *INVALID, "/member"),
    raw_sale("NUL in a name", b',"\\u0000":1}', *INVALID, ""),
    raw_sale("half a character", b',"member":"\\ud83d"}', *MALFORMED),
    raw_sale("the other half", b',"member":"\\udca9x"}', *MALFORMED),
    raw_sale("a byte that is no UTF-8", b',"member":"\xff"}', *MALFORMED),
    raw_sale("a character written too long", b',"member":"\xc0\xaf"}', *MALFORMED),
    raw_sale("a surrogate in UTF-8", b',"member":"\xed\xa0\x80"}', *MALFORMED),
    sale("a member of four bytes a character", *MISSING, "/member", member="😀" * 12),
    sale("a member of nothing", *MISSING, "/member", member=""),
    sale("a member of 65", *INVALID, "/member", member="1" * 65),
    sale("a currency in small letters", *INVALID, "/total/currency", total={"amount": 1, "currency": "usd"}),
    sale("a currency in wide letters", *INVALID, "/total/currency", total={"amount": 1, "currency": "ＵＳＤ"}),
    sale("another currency", *INVALID, "/total/currency", total={"amount": 1, "currency": "IRR"}),
]

TIMES = [
    sale(f"a time {what}", *INVALID, "/occurred_at", occurred_at=at)
    for what, at in {
        "without a zone": "2017-01-01T00:00:00",
        "without hours": "2017-01-01",
        "in the year 0": "0000-01-01T00:00:00Z",
        "in the year 1": "0001-01-01T00:00:00+23:59",
        "in the year 9999": "9999-12-31T23:59:59-23:59",
        "in the year 10000": "10000-01-01T00:00:00Z",
        "of a leap second": "2016-12-31T23:59:60Z",
        "on a day that never was": "2017-02-29T00:00:00Z",
        "an offset of a day": "2017-01-01T00:00:00+24:00",
        "in words": "yesterday",
        "in seconds": 1_483_228_800,
        "of nothing": "",
    }.items()
]

SHAPES = [
    bad("nothing for a body", "POST", SALES, "cafe", b"", *INVALID, "/branch"),
    bad("null for a body", "POST", SALES, "cafe", b"null", *INVALID, ""),
    bad("a list for a body", "POST", SALES, "cafe", [SALE], *INVALID, ""),
    bad("a text for a body", "POST", SALES, "cafe", b'"sale"', *INVALID, ""),
    bad("a body cut off", "POST", SALES, "cafe", b'{"branch":', *MALFORMED),
    bad("a form for a body", "POST", SALES, "cafe", b"branch=1&total=2", *MALFORMED),
    bad("two bodies", "POST", SALES, "cafe", b"{}{}", *MALFORMED),
    bad("a byte order mark", "POST", SALES, "cafe", b"\xef\xbb\xbf{}", *MALFORMED),
    bad("UTF-16", "POST", SALES, "cafe", "{}".encode("utf-16"), *MALFORMED),
    raw_sale("a comma too many", b",}", *MALFORMED),
    raw_sale("a comment", b"/* free */}", *MALFORMED),
    raw_sale("a name twice", b',"external_reference":"BAD-2"}', *MALFORMED),
    raw_sale("a name twice inside", b',"lines":[{"sku":"a","sku":"b"}]}', *MALFORMED),
    raw_sale("a name twice, once escaped", b',"br\\u0061nch":"x"}', *MALFORMED),
    raw_sale("nested 33 deep", b',"lines":' + b"[" * 33 + b"]" * 33 + b"}", *MALFORMED),
    raw_sale("nested 100,000 deep", b',"lines":' + b"[" * 100_000, *MALFORMED),
    raw_sale("objects nested 40,000 deep", b',"total":' + b'{"a":' * 40_000 + b"1" + b"}" * 40_001, *MALFORMED),
    sale("a field nobody knows", *UNKNOWN, "/discount", discount=5),
    sale("a field of an object's insides", *UNKNOWN, "/__proto__", __proto__={"a": 1}),
    sale("a branch in another case", *UNKNOWN, "/Branch", Branch="$branch"),
    sale("no total", *INVALID, "/total", total=...),
    sale("a total that is a number", *INVALID, "/total", total=100),
    sale("a tip in the total", *UNKNOWN, "/total/tip", total={"amount": 1, "tip": 1, **USD}),
    sale("lines that are one line", *INVALID, "/lines", lines=LINE),
    sale("501 lines", *INVALID, "/lines", lines=[LINE] * 501),
    sale("lines that come to more", *INVALID, "/lines", lines=[LINE, LINE]),
    sale("a line below nothing", *INVALID, "/lines/0/amount/amount", lines=[{"amount": {"amount": -5, **USD}}]),
    sale("a line of none", *INVALID, "/lines/0/quantity", lines=[{**LINE, "quantity": 0}]),
    sale("a line in another currency", *INVALID, "/lines/0/amount/currency", lines=[
        {"amount": {"amount": 100, "currency": "EUR"}}
    ]),
    sale("a category of control characters", *INVALID, "/lines/0/category", lines=[{**LINE, "category": "a\x1fb"}]),
    sale("payments that come to less", *INVALID, "/payments", payments=[{**CASH, "amount": {"amount": 99, **USD}}]),
    sale("a payment of a kind nobody knows", *INVALID, "/payments/0/type", payments=[{**CASH, "type": "gold"}]),
    sale("a payment in points of nothing", *INVALID, "/payments/0/redemption", payments=[{**CASH, "type": "points"}]),
    sale("cash that names a redemption", *INVALID, "/payments/0/redemption", payments=[
        {**CASH, "redemption": "$captured"}
    ]),
    sale("21 payments", *INVALID, "/payments", payments=[CASH] * 21),
]  # fmt: skip

IDS = [
    sale("a branch that is no id", *MISSING, "/branch", branch="main"),
    sale("a branch of nobody", *MISSING, "/branch", branch=f"brn_{NONE}"),
    sale("a branch of another shop", *MISSING, "/branch", branch="$grocers_branch"),
    sale("a branch of another book", *MISSING, "/branch", branch="$strangers_branch"),
    sale("a till for a branch", *MISSING, "/branch", branch="$till"),
    sale("a till of another shop", *MISSING, "/till", till="$grocers_till"),
    sale("a member of another book", *MISSING, "/member", member="$eve"),
    sale("a member number of another book", *MISSING, "/member", member="$eves_number"),
    sale("a number with a wrong last digit", *MISSING, "/member", member="123456789012"),
    sale("a redemption nobody made", *MISSING, "/payments", payments=[
        {**CASH, "type": "points", "redemption": f"red_{NONE}"}
    ]),
    bad("a sale with another prefix", "GET", "/v1/sales/$record", "cafe", None, *MISSING),
    bad("a sale cut short", "GET", "/v1/sales/sal_0", "cafe", None, *MISSING),
    bad("a sale with a sign", "GET", "/v1/sales/sal_%2B" + "0" * 31, "cafe", None, *MISSING),
    bad("a sale with a letter too many", "GET", f"/v1/sales/sal_{NONE}0", "cafe", None, *MISSING),
    bad("a sale with NUL", "GET", "/v1/sales/sal_%00", "cafe", None, *MISSING),
    bad("a sale of bytes that are no text", "GET", "/v1/sales/%ff%fe", "cafe", None, *MISSING),
    bad("a sale of SQL", "GET", "/v1/sales/sal_'%20or%201=1--", "cafe", None, *MISSING),
    bad("a sale of another shop", "GET", "/v1/sales/$sale", "grocer", None, *MISSING),
    bad("a sale of another book", "GET", "/v1/sales/$sale", "stranger", None, *MISSING),
    bad("a record of another shop", "GET", "/v1/records/$record", "grocer", None, *MISSING),
    bad("a redemption of another shop", "GET", "/v1/redemptions/$held", "grocer", None, *MISSING),
    bad("a statement of another shop", "GET", "/v1/statements/$grocers_statement", "cafe", None, *MISSING),
    bad("the items of another shop", "GET", "/v1/statements/$grocers_statement/items", "cafe", None, *MISSING),
    bad("a capture by another shop", "POST", "/v1/redemptions/$held/capture", "grocer", {}, *MISSING),
    bad("a void by another shop", "POST", "/v1/redemptions/$held/void", "grocer", {}, *MISSING),
    bad("a capture by another book", "POST", "/v1/redemptions/$held/capture", "stranger", {}, *MISSING),
    bad("a refund of a sale by another shop", "POST", "/v1/sales/$sale/refunds", "grocer",
        {"external_reference": "F-1", "amount": {"amount": 1, "currency": "USD"}}, *MISSING),
    bad("a refund of a sale by another book", "POST", "/v1/sales/$sale/refunds", "stranger",
        {"external_reference": "F-1", "amount": {"amount": 1, "currency": "USD"}}, *MISSING),
    bad("a refund of nothing", "POST", "/v1/sales/$sale/refunds", "cafe",
        {"external_reference": "F-1", "amount": {"amount": 0, "currency": "USD"}}, 422, "validation_failed"),
    bad("a refund below nothing", "POST", "/v1/sales/$sale/refunds", "cafe",
        {"external_reference": "F-1", "amount": {"amount": -5, "currency": "USD"}}, 422, "validation_failed",
        "/amount/amount"),
    bad("a refund of more than was paid", "POST", "/v1/sales/$sale/refunds", "cafe",
        {"external_reference": "F-1", "amount": {"amount": 999_999_999, "currency": "USD"}}, 422,
        "refund_exceeds_original"),
    bad("a refund of a redemption by another shop", "POST", "/v1/redemptions/$held/refunds", "grocer",
        {"external_reference": "F-1", "points": 1}, *MISSING),
    bad("a refund of a redemption of no points", "POST", "/v1/redemptions/$held/refunds", "cafe",
        {"external_reference": "F-1", "points": 0}, 422, "validation_failed", "/points"),
    bad("a refund of what is only held", "POST", "/v1/redemptions/$held/refunds", "cafe",
        {"external_reference": "F-1", "points": 1}, *CONFLICT),
    bad("a capture of a sale", "POST", "/v1/redemptions/$sale/capture", "cafe", {}, *MISSING),
    bad("a look-up in another book", "POST", "/v1/member-lookups", "stranger", {"number": "$number"}, *MISSING),
    bad("a quote at another's branch", "POST", "/v1/quotes", "cafe", but(QUOTE, branch="$grocers_branch"), *MISSING),
    bad("a quote for another book's member", "POST", "/v1/quotes", "cafe", but(QUOTE, member="$eve"), *MISSING),
    bad("a book the key is not good for", "GET", OF_BOOK, "of live", None, *MISSING),
    bad("its summary", "GET", f"{OF_BOOK}/summary", "of live", None, *MISSING),
    bad("its matrix", "GET", f"{OF_BOOK}/matrix", "of live", None, *MISSING),
    bad("its windows", "GET", f"{OF_BOOK}/windows", "of live", None, *MISSING),
    bad("its merchants", "GET", f"{OF_BOOK}/merchants", "of live", None, *MISSING),
    bad("its clock", "POST", f"{OF_BOOK}/test-clock", "of live", {"advance_to": "2018-01-01T00:00:00Z"}, *MISSING),
    bad("a window of it", "GET", f"{WINDOWS}/$open", "of live", None, *MISSING),
    bad("the positions of it", "GET", f"{WINDOWS}/$submitted/positions", "of live", None, *MISSING),
    bad("the debts of it", "GET", f"{WINDOWS}/$submitted/matrix", "of live", None, *MISSING),
    bad("a window closed from outside", "POST", f"{WINDOWS}/$open/close", "of live", {}, *MISSING),
    bad("a branch opened from outside", "POST", f"{MERCHANTS}/$cafe/branches", "of live", {
        "reference": "x", "name": "x"
    }, *MISSING),
    bad("a till set up from outside", "POST", "/v1/operator/branches/$branch/tills", "of live", {
        "reference": "x"
    }, *MISSING),
]  # fmt: skip

CREDENTIALS = [
    bad("no credential", "GET", "/v1/records", None, None, *WHO),
    bad("an empty credential", "GET", "/v1/records", None, None, *WHO, authorization="Bearer "),
    bad("no scheme", "GET", "/v1/records", None, None, *WHO, authorization="sk_test_x"),
    bad("another scheme", "GET", "/v1/records", None, None, *WHO, authorization="Basic c2s6"),
    bad("a credential of bytes", "GET", "/v1/records", None, None, *WHO, authorization="Bearer \xff\xfe"),
    bad("a credential of 100,000", "GET", "/v1/records", None, None, *WHO, authorization="Bearer " + "a" * 100_000),
    bad("two credentials", "GET", "/v1/me", None, None, *MALFORMED, authorization=["Bearer $ann", "Bearer $bob"]),
    bad("one credential twice", "GET", "/v1/me", "ann", None, *MALFORMED, authorization=["Bearer x", "Bearer x"]),
    bad("a key in the query", "GET", "/v1/records?access_token=sk_test_x", None, None, *WHO),
    bad("a member at a till", "POST", SALES, "ann", SALE, *WHO),
    bad("an operator at a till", "POST", SALES, "maker", SALE, *WHO),
    bad("a shop as a member", "GET", "/v1/me/balance", "cafe", None, *WHO),
    bad("a shop as an operator", "GET", OF_BOOK, "cafe", None, *WHO),
    bad("a member as an operator", "POST", f"{MERCHANTS}/$cafe/api-keys", "ann", {"label": "x"}, *WHO),
    bad("a reader that sells", "POST", SALES, "reader", SALE, *FORBIDDEN),
    bad("a reader that redeems", "POST", REDEMPTIONS, "reader", REDEMPTION, *FORBIDDEN),
    bad("a reader that looks people up", "POST", "/v1/member-lookups", "reader", {"number": "$number"}, *FORBIDDEN),
    bad("a reader that enrols", "POST", "/v1/members", "reader", {"phone": "+15550100999"}, *FORBIDDEN),
    bad("a place before the first", "GET", "/v1/position/events", "cafe", None, *MALFORMED, Last_Event_ID="-1"),
    bad("a place with a point", "GET", "/v1/me/events", "ann", None, *MALFORMED, Last_Event_ID="1.0"),
    bad("a place of nineteen digits", "GET", "/v1/me/events", "ann", None, *MALFORMED, Last_Event_ID="1" * 19),
    bad("events of a kind", "GET", "/v1/me/events?kind=sale", "ann", None, *UNKNOWN, "/kind"),
    bad("a shop that listens to a member", "GET", "/v1/me/events", "cafe", None, *WHO),
    bad("a reader that listens to money", "GET", "/v1/position/events", "reader", None, *FORBIDDEN),
    bad("posting to a stream", "POST", "/v1/me/events", "ann", {}, *METHOD),
    bad("a reader that looks at money", "GET", "/v1/position", "reader", None, *FORBIDDEN),
    bad("an auditor that advances", "POST", f"{OF_BOOK}/test-clock", "auditor", {}, *FORBIDDEN),
    bad("an auditor that makes keys", "POST", f"{MERCHANTS}/$cafe/api-keys", "auditor", {"label": "x"}, *FORBIDDEN),
    bad("a maker that approves", "POST", f"{WINDOWS}/$submitted/approve", "maker", {
        "positions_hash": "$hash"
    }, *FORBIDDEN),
    bad("an approver that makes", "POST", f"{WINDOWS}/$open/close", "approver", {}, *FORBIDDEN),
    bad("a key of one book that opens another", "POST", "/v1/operator/books", "of live", BOOK, *FORBIDDEN),
    bad("a shop that books its own money", "POST", "/v1/topups", "stranger", TOPUP, *FORBIDDEN),
    bad("codes of a live book", "GET", "/v1/operator/books/$live/one-time-codes?phone=%2B16502530000", "maker", None,
        *FORBIDDEN),
    bad("a member of a book that is not there", "GET", "/v1/me", None, None, *WHO, authorization="Bearer e30.e30.e30"),
]  # fmt: skip

HEADERS = [
    bad("no idempotency key", "POST", SALES, "cafe", SALE, 400, "idempotency_key_missing", idempotency_key=None),
    bad("an empty one", "POST", SALES, "cafe", SALE, *MALFORMED, idempotency_key=""),
    bad("one of 15", "POST", SALES, "cafe", SALE, *MALFORMED, idempotency_key="a" * 15),
    bad("one of 65", "POST", SALES, "cafe", SALE, *MALFORMED, idempotency_key="a" * 65),
    bad("one of 100,000", "POST", SALES, "cafe", SALE, *MALFORMED, idempotency_key="a" * 100_000),
    bad("half a quote", "POST", SALES, "cafe", SALE, *MALFORMED, idempotency_key='"' + "a" * 20),
    bad("a line feed in it", "POST", SALES, "cafe", SALE, *MALFORMED, idempotency_key="a" * 20 + "\n"),
    bad("letters of another script in it", "POST", SALES, "cafe", SALE, *MALFORMED, idempotency_key="\xe9" * 20),
    bad("two of them", "POST", SALES, "cafe", SALE, *MALFORMED, idempotency_key=["a" * 20, "b" * 20]),
    bad("the same twice", "POST", SALES, "cafe", SALE, *MALFORMED, idempotency_key=["a" * 20, "a" * 20]),
    bad("no media type", "POST", SALES, "cafe", SALE, *MEDIA, content_type=None),
    bad("text", "POST", SALES, "cafe", SALE, *MEDIA, content_type="text/plain"),
    bad("a form's type", "POST", SALES, "cafe", SALE, *MEDIA, content_type="application/x-www-form-urlencoded"),
    bad("another charset", "POST", SALES, "cafe", SALE, *MEDIA, content_type="application/json; charset=utf-16"),
    bad("a charset nobody knows", "POST", SALES, "cafe", SALE, *MEDIA, content_type="application/json; charset=x"),
    bad("two types in one", "POST", SALES, "cafe", SALE, *MEDIA, content_type="application/json, text/plain"),
    bad("two types", "POST", SALES, "cafe", SALE, *MALFORMED, content_type=["text/plain", "application/json"]),
    bad("a type of 100,000", "POST", SALES, "cafe", SALE, *MEDIA, content_type="application/json;" + " " * 100_000),
    bad("packed", "POST", SALES, "cafe", b"\x1f\x8b\x08\x00", *MEDIA, content_encoding="gzip"),
    bad("packed otherwise", "POST", SALES, "cafe", SALE, *MEDIA, content_encoding="br"),
    bad("packed twice", "POST", SALES, "cafe", SALE, *MALFORMED, content_encoding=["identity", "gzip"]),
    bad("a length of a gigabyte", "POST", SALES, "cafe", SALE, *LARGE, content_length="1073741824"),
    bad("a length of 5,000 digits", "POST", SALES, "cafe", SALE, *LARGE, content_length="9" * 5_000),
    bad("two lengths", "POST", SALES, "cafe", SALE, *MALFORMED, content_length=["2", "100"]),
    bad("a length that is a lie", "POST", SALES, "cafe", b" " * (LARGEST_BODY + 1), *LARGE, content_length="2"),
    bad("no length and too much", "POST", SALES, "cafe", b" " * (LARGEST_BODY + 1), *LARGE,
        content_length=None, transfer_encoding="chunked"),
    bad("one byte too many", "POST", SALES, "cafe", b" " * (LARGEST_BODY + 1), *LARGE),
    bad("exactly the limit, and nothing in it", "POST", SALES, "cafe", b" " * LARGEST_BODY, *MALFORMED),
    bad("a batch of one byte too many", "POST", BATCHES, "cafe", b" " * (LARGEST_BATCH_BODY + 1), *LARGE),
    bad("two books", "POST", "/v1/auth/otp", None, {"phone": "+15550100123"}, *MALFORMED,
        manex_book=["$book", "$live"]),
]  # fmt: skip

PATHS = [
    bad("a path nobody has", "GET", "/v1/nothing", "cafe", None, *MISSING),
    bad("the root", "GET", "/", None, None, *MISSING),
    bad("a slash too many at the end", "POST", "/v1/sales/", "cafe", SALE, *MISSING),
    bad("a slash too many at the start", "POST", "//v1/sales", "cafe", SALE, *MISSING),
    bad("a line feed at the end", "POST", "/v1/sales%0A", "cafe", SALE, *MISSING),
    bad("a line feed after the health", "GET", "/healthz%0A", None, None, *MISSING),
    bad("another case", "POST", "/V1/Sales", "cafe", SALE, *MISSING),
    bad("up and down again", "POST", "/v1/records/../sales", "cafe", SALE, *MISSING),
    bad("up and down, encoded", "GET", "/v1/sales/%2e%2e/%2e%2e/etc/passwd", "cafe", None, *MISSING),
    bad("an encoded slash in an id", "GET", "/v1/sales/sal_%2F..%2Frecords", "cafe", None, *MISSING),
    bad("encoded twice", "GET", "/v1/sales/sal_%252e%252e", "cafe", None, *MISSING),
    bad("a member's window", "GET", "/v1/me/windows", "ann", None, *MISSING),
    bad("an id with a semicolon", "GET", "/v1/sales/$sale;x=1", "cafe", None, *MISSING),
    bad("a sale that is read by POST", "POST", "/v1/sales/$sale", "cafe", {}, *METHOD),
    bad("sales that are read", "GET", SALES, "cafe", None, *METHOD),
    bad("sales that are put", "PUT", SALES, "cafe", SALE, *METHOD),
    bad("a record that is deleted", "DELETE", "/v1/records/$record", "cafe", None, *METHOD),
    bad("a record that is patched", "PATCH", "/v1/records/$record", "cafe", {}, *METHOD),
    bad("a HEAD where there is no GET", "HEAD", SALES, "cafe", None, *METHOD),
    bad("OPTIONS", "OPTIONS", SALES, None, None, *METHOD),
    bad("TRACE", "TRACE", SALES, "cafe", None, *METHOD),
    bad("CONNECT", "CONNECT", SALES, "cafe", None, *METHOD),
    bad("a method nobody knows", "BREW", SALES, "cafe", None, *METHOD),
    bad("a method in small letters", "post", SALES, "cafe", SALE, *METHOD),
    bad("a method that is overridden", "GET", "/v1/sales", "cafe", None, *METHOD, x_http_method_override="POST"),
    bad("an approval overridden", "POST", f"{WINDOWS}/$submitted/positions", "maker", {}, *METHOD,
        x_http_method_override="GET"),
    bad("the document, written", "POST", "/openapi.json", None, {}, *METHOD),
    bad("health, written", "POST", "/healthz", None, {}, *METHOD),
    bad("health with a query", "GET", "/healthz?x=1", None, None, *UNKNOWN, "/x"),
    bad("readiness with a query", "GET", "/readyz?x=1", None, None, *UNKNOWN, "/x"),
    bad("keys with a query", "GET", "/.well-known/jwks.json?kid=x", None, None, *UNKNOWN, "/kid"),
]  # fmt: skip


def query(what: str, asked: str, *wanted: Any) -> Bad:
    return bad(f"a list with {what}", "GET", f"/v1/records?{asked}", "cafe", None, *wanted)


QUERIES = [
    query("no room", "limit=0", *INVALID, "/limit"),
    query("101", "limit=101", *INVALID, "/limit"),
    query("minus one", "limit=-1", *INVALID, "/limit"),
    query("letters", "limit=abc", *INVALID, "/limit"),
    query("nothing", "limit=", *INVALID, "/limit"),
    query("null", "limit=null", *INVALID, "/limit"),
    query("a point", "limit=1.0", *INVALID, "/limit"),
    query("an exponent", "limit=1e1", *INVALID, "/limit"),
    query("2^63", "limit=9223372036854775808", *INVALID, "/limit"),
    query("Persian digits", "limit=%DB%B5", *INVALID, "/limit"),
    query("two limits", "limit=1&limit=2", *MALFORMED),
    query("a limit that is a list", "limit[]=1", *UNKNOWN, "/limit[]"),
    query("what nobody knows", "offset=5", *UNKNOWN, "/offset"),
    query("the tenant of another", "merchant=$grocer", *UNKNOWN, "/merchant"),
    query("21 parameters", "&".join(f"p{i}=1" for i in range(21)), *MALFORMED),
    query("two thousand letters", "cursor=" + "a" * 2_000, *MALFORMED),
    query("bytes that are no text", "cursor=%ff", *MALFORMED),
    query("NUL", "cursor=%00", *INVALID),
    query("an empty cursor", "cursor=", *CURSOR),
    query("a cursor of letters", "cursor=abc", *CURSOR),
    query("a cursor of 401", "cursor=" + "a" * 401, *INVALID, "/cursor"),
    query("a cursor that was turned", "cursor=${cursor}A", *CURSOR),
    query("a cursor without its end", "cursor=$cut_cursor", *CURSOR),
    query("a cursor of another shop", "cursor=$grocers_cursor", *CURSOR),
    query("a cursor of another list", "cursor=$makers_cursor", *CURSOR),
    bad("a shop's cursor as a member", "GET", "/v1/me/records?cursor=$cursor", "ann", None, *CURSOR),
    bad("another member's cursor", "GET", "/v1/me/records?cursor=$anns_cursor", "bob", None, *CURSOR),
    bad("another operator's cursor", "GET", f"{OF_BOOK}/merchants?cursor=$makers_cursor", "both", None, *CURSOR),
    bad("another book's cursor", "GET", "/v1/operator/books/$live/merchants?cursor=$makers_cursor", "maker", None,
        *CURSOR),
    bad("a window's cursor", "GET", f"{OF_BOOK}/windows?cursor=$makers_cursor", "maker", None, *CURSOR),
    bad("a cursor for statements", "GET", "/v1/statements?cursor=$cursor", "cafe", None, *CURSOR),
    bad("a cursor for items", "GET", "/v1/statements/$statement/items?cursor=$cursor", "cafe", None, *CURSOR),
    bad("a statement as a picture", "GET", "/v1/statements/$statement?format=png", "cafe", None, *INVALID, "/format"),
    bad("a statement in German", "GET", "/v1/statements/$statement?format=pdf&language=de", "cafe", None, *INVALID, "/language"),
    bad("any statement, for a shop", "GET", "/v1/operator/statements/$statement", "cafe", None, *WHO),
    bad("a statement for an operator of another book", "GET", "/v1/operator/statements/$statement", "of live", None, *MISSING),
    bad("no statement", "GET", f"/v1/operator/statements/stm_{NONE}", "maker", None, *MISSING),
    bad("a statement as anything", "GET", "/v1/operator/statements/$statement?format=x", "maker", None, *INVALID, "/format"),
    bad("the supply of no book", "GET", f"/v1/books/bok_{NONE}/supply", None, None, *MISSING),
    bad("the supply of a window that is not closed", "GET", "/v1/books/$book/supply?number=900", None, None, *MISSING),
    bad("the supply of window 0", "GET", "/v1/books/$book/supply?number=0", None, None, *INVALID, "/number"),
    bad("the supply of window 1.0", "GET", "/v1/books/$book/supply?number=1.0", None, None, *INVALID, "/number"),
    bad("the supply of window 2^31", "GET", "/v1/books/$book/supply?number=2147483648", None, None, *INVALID, "/number"),
    bad("the supply of a member", "GET", "/v1/books/$book/supply?member=x", None, None, *UNKNOWN, "/member"),
    bad("a receipt without a token", "GET", "/v1/me/supply-receipt", None, None, *WHO),
    bad("a receipt of another's", "GET", "/v1/me/supply-receipt?member=$bob", "ann", None, *UNKNOWN, "/member"),
    bad("a receipt before any window is sealed", "GET", "/v1/me/supply-receipt", "ann", None, *MISSING),
    bad("proof keys with a query", "GET", "/.well-known/proof-keys.json?kid=x", None, None, *UNKNOWN, "/kid"),
    bad("a statement as null", "GET", "/v1/statements/$statement?format=null", "cafe", None, *INVALID, "/format"),
    bad("a position with a query", "GET", "/v1/position?at=2016", "cafe", None, *UNKNOWN, "/at"),
    bad("a balance with a query", "GET", "/v1/me/balance?member=$bob", "ann", None, *UNKNOWN, "/member"),
    bad("a card with a query", "GET", "/v1/me/card?member=$bob", "ann", None, *UNKNOWN, "/member"),
    bad("a sale with a query", "POST", "/v1/sales?dry_run=true", "cafe", SALE, *UNKNOWN, "/dry_run"),
    bad("books with a query", "GET", "/v1/operator/books?x=", "maker", None, *UNKNOWN, "/x"),
    bad("codes of no telephone", "GET", f"{OF_BOOK}/one-time-codes", "maker", None, *INVALID, "/phone"),
    bad("codes of letters", "GET", f"{OF_BOOK}/one-time-codes?phone=abcd", "maker", None, *INVALID, "/phone"),
]  # fmt: skip

TILL = [
    bad("a redemption of nothing", "POST", REDEMPTIONS, "cafe", but(REDEMPTION, points=0), *INVALID, "/points"),
    bad("a redemption below nothing", "POST", REDEMPTIONS, "cafe", but(REDEMPTION, points=-1), *INVALID, "/points"),
    bad("a redemption of points and value", "POST", REDEMPTIONS, "cafe", but(REDEMPTION, value={"amount": 1, **USD}),
        *INVALID, "/points"),
    bad("a redemption of neither", "POST", REDEMPTIONS, "cafe", but(REDEMPTION, points=...), *INVALID, "/points"),
    bad("a redemption worth nothing", "POST", REDEMPTIONS, "cafe",
        but(REDEMPTION, points=..., value={"amount": 0, **USD}), *INVALID, "/value/amount"),
    bad("an approval of neither points nor value", "POST", REDEMPTIONS, "cafe",
        but(REDEMPTION, spend_code=..., points=...), *INVALID, "/points"),
    bad("an approval of both", "POST", REDEMPTIONS, "cafe",
        but(REDEMPTION, spend_code=..., value={"amount": 1, **USD}), *INVALID, "/points"),
    bad("an approval asked of nobody", "POST", REDEMPTIONS, "cafe",
        but(REDEMPTION, spend_code=..., member="000000000000"), *MISSING, "/member"),
    bad("an approval asked at another's branch", "POST", REDEMPTIONS, "cafe",
        but(REDEMPTION, spend_code=..., branch="$grocers_branch"), *MISSING, "/branch"),
    bad("a list of what is approved", "GET", f"{OWN}?state=approved", "ann", None, *INVALID, "/state"),
    bad("a list for a shop", "GET", OWN, "cafe", None, *WHO),
    bad("a list from another's cursor", "GET", f"{OWN}?cursor=$anns_cursor", "ann", None, *CURSOR),
    *(row for what in ("approve", "decline") for row in (
        bad(f"a member who would {what} nothing", "POST", f"{OWN}/red_{NONE}/{what}", "ann", {}, *MISSING),
        bad(f"a member who would {what} a hold", "POST", f"{OWN}/$held/{what}", "ann", {}, *MISSING),
        bad(f"a member who would {what} a voucher", "POST", f"{OWN}/$voucher/{what}", "ann", {}, *MISSING),
        bad(f"a member who would {what} in part", "POST", f"{OWN}/red_{NONE}/{what}", "ann", {"points": 1}, *UNKNOWN,
            "/points"),
        bad(f"a shop that would {what}", "POST", f"{OWN}/$held/{what}", "cafe", {}, *WHO),
        bad(f"a member who would {what} without a key", "POST", f"{OWN}/red_{NONE}/{what}", "ann", {}, 400,
            "idempotency_key_missing", idempotency_key=None),
    )),
    bad("a code of five", "POST", REDEMPTIONS, "cafe", but(REDEMPTION, spend_code="12345"), *INVALID, "/spend_code"),
    bad("a code that is a number", "POST", REDEMPTIONS, "cafe", but(REDEMPTION, spend_code=123456), *INVALID,
        "/spend_code"),
    bad("a code of letters", "POST", REDEMPTIONS, "cafe", but(REDEMPTION, spend_code="abcdef"), 403,
        "consent_required"),
    bad("another member's code", "POST", REDEMPTIONS, "cafe", but(REDEMPTION, spend_code="$bobs_code"), 403,
        "consent_required"),
    bad("a code that was used", "POST", REDEMPTIONS, "cafe", but(REDEMPTION, spend_code="$anns_code"), 409,
        "code_already_used"),
    bad("more than there is", "POST", REDEMPTIONS, "grocer", {
        **REDEMPTION, "branch": "$grocers_branch", "member": "$bob", "spend_code": "$bobs_code", "points": 10**9
    }, 422, "insufficient_points"),
    bad("a capture of points in words", "POST", REDEMPTIONS, "cafe", but(REDEMPTION, capture="yes"), *INVALID,
        "/capture"),
    bad("a capture that says how much", "POST", "/v1/redemptions/$held/capture", "cafe", {"points": 1}, *UNKNOWN,
        "/points"),
    bad("a capture of what was captured", "POST", "/v1/redemptions/$captured/void", "cafe", {}, *CONFLICT),
    bad("a void of what was voided", "POST", "/v1/redemptions/$voided/capture", "cafe", {}, *CONFLICT),
    bad("a sale whose reference is taken", "POST", SALES, "cafe", but(SALE, external_reference="$reference"), 409,
        "duplicate_reference"),
    bad("a sale paid with a hold", "POST", SALES, "cafe", but(SALE, member="$number", payments=[
        {"type": "points", "redemption": "$held", "amount": {"amount": 100, **USD}}
    ]), *CONFLICT),
    bad("no operations", "POST", BATCHES, "cafe", {"operations": []}, *INVALID, "/operations"),
    bad("1,001 operations", "POST", BATCHES, "cafe", {"operations": [{}] * 1_001}, *INVALID, "/operations"),
    bad("operations that are one", "POST", BATCHES, "cafe", {"operations": {}}, *INVALID, "/operations"),
    bad("a batch that is a list", "POST", BATCHES, "cafe", [], *INVALID, ""),
    bad("a batch with a key of its own", "POST", BATCHES, "cafe", {"operations": [{}], "idempotency_key": "a"},
        *UNKNOWN, "/idempotency_key"),
    bad("a batch nested 10,000 deep", "POST", BATCHES, "cafe", b'{"operations":' + b"[" * 10_000, *MALFORMED),
    bad("a look-up of nobody", "POST", "/v1/member-lookups", "cafe", {}, *INVALID, "/number"),
    bad("a look-up of two", "POST", "/v1/member-lookups", "cafe", {"number": "$number", "phone": "+15550100123"},
        *INVALID, "/number"),
    bad("a look-up of a telephone that is none", "POST", "/v1/member-lookups", "cafe", {"phone": "call me"},
        *INVALID, "/phone"),
    bad("a quote of less than nothing", "POST", "/v1/quotes", "cafe", but(QUOTE, total={"amount": -1, **USD}),
        *INVALID, "/total/amount"),
    bad("a confirmation of nobody", "POST", "/v1/member-confirmations", "cafe", {"code": "123456"}, *INVALID, "/phone"),
    bad("a confirmation of two", "POST", "/v1/member-confirmations", "cafe",
        {"phone": "+15550100123", "member": "$number", "code": "123456"}, *INVALID, "/phone"),
    bad("a confirmation that was not asked for", "POST", "/v1/member-confirmations", "cafe",
        {"member": "$number", "code": "123456"}, 403, "consent_required"),
    bad("a confirmation of a member of another book", "POST", "/v1/member-confirmations", "cafe",
        {"member": "$eve", "code": "123456"}, 403, "consent_required"),
    bad("a reader that confirms", "POST", "/v1/member-confirmations", "reader",
        {"member": "$number", "code": "123456"}, *FORBIDDEN),
    bad("a member without a telephone", "POST", "/v1/members", "cafe", {}, *INVALID, "/phone"),
    bad("a member who is a thing", "POST", "/v1/members", "cafe", {"phone": "+15550100998", "kind": "thing"},
        *INVALID, "/kind"),
    bad("a member with a name of control characters", "POST", "/v1/members", "cafe",
        {"phone": "+15550100998", "given_name": "A\x07nn"}, *INVALID, "/given_name"),
    bad("a member with a name of 101", "POST", "/v1/members", "cafe",
        {"phone": "+15550100998", "given_name": "a" * 101}, *INVALID, "/given_name"),
    bad("a member who chooses a tier", "POST", "/v1/members", "cafe", {"phone": "+15550100998", "tier": "gold"},
        *UNKNOWN, "/tier"),
    bad("a consent to nothing", "POST", "/v1/members", "cafe",
        {"phone": "+15550100998", "consents": [{"purpose": "", "given": True}]}, *INVALID, "/consents/0/purpose"),
    bad("a language of Mars", "POST", "/v1/members", "cafe", {"phone": "+15550100998", "language": "ma"}, *INVALID,
        "/language"),
    bad("a purchase of nothing", "POST", "/v1/point-purchases", "cafe", {"points": 0}, *INVALID, "/points"),
    bad("a purchase by a shop on credit", "POST", "/v1/point-purchases", "cafe", {"points": 1}, *CONFLICT),
    bad("money that is none", "POST", "/v1/topups", "cafe", but(TOPUP, amount={"amount": 0, **USD}), *INVALID,
        "/amount/amount"),
    bad("money by pigeon", "POST", "/v1/topups", "cafe", but(TOPUP, through="pigeon"), *INVALID, "/through"),
]  # fmt: skip

MEMBERS = [
    bad("a code for no telephone", "POST", "/v1/auth/otp", None, {"phone": "12"}, *INVALID, "/phone",
        manex_book="$book"),
    bad("a code for a book that is no id", "POST", "/v1/auth/otp", None, {"phone": "+15550100123"}, *MISSING,
        manex_book="../test"),
    bad("a code for no book in particular", "POST", "/v1/auth/otp", None, {"phone": "+15550100123"}, *MISSING),
    bad("a code for a book nobody opened", "POST", "/v1/auth/otp", None, {"phone": "+15550100123"}, *MISSING,
        manex_book=f"bok_{NONE}"),
    bad("a sign-in nobody asked for", "POST", "/v1/auth/otp/verify", None,
        {"phone": "+15550100777", "code": "000000"}, *WHO, manex_book="$book"),
    bad("a sign-in with letters", "POST", "/v1/auth/otp/verify", None, {"phone": "+15550100777", "code": "letter"},
        *WHO, manex_book="$book"),
    bad("a sign-in with 13", "POST", "/v1/auth/otp/verify", None, {"phone": "+15550100777", "code": "1" * 13},
        *INVALID, "/code", manex_book="$book"),
    bad("a device without a name", "POST", "/v1/me/devices", "ann", {"name": ""}, *INVALID, "/name"),
    bad("a device for another", "POST", "/v1/me/devices", "ann", {"name": "x", "member": "$bob"}, *UNKNOWN, "/member"),
    bad("a device that brings its secret", "POST", "/v1/me/devices", "ann", {"name": "x", "spend_secret": "A" * 32},
        *UNKNOWN, "/spend_secret"),
    bad("a lock in words", "PUT", "/v1/me/spend-lock", "ann", {"locked": "no"}, *INVALID, "/locked"),
    bad("a lock of nothing", "PUT", "/v1/me/spend-lock", "ann", {}, *INVALID, "/locked"),
    bad("a lock that is posted", "POST", "/v1/me/spend-lock", "ann", {"locked": True}, *METHOD),
    bad("consents with a query", "GET", "/v1/me/consents?member=$bob", "ann", None, *UNKNOWN, "/member"),
    bad("a confirmation of another's consents", "POST", "/v1/me/consents/confirm", "ann", {"member": "$bob"}, *UNKNOWN,
        "/member"),
    bad("a gift without a key", "POST", "/v1/me/gifts", "ann", GIFT, 400, "idempotency_key_missing",
        idempotency_key=None),
    bad("a gift of nothing", "POST", "/v1/me/gifts", "ann", but(GIFT, points=0), *INVALID, "/points"),
    bad("a gift below nothing", "POST", "/v1/me/gifts", "ann", but(GIFT, points=-5), *INVALID, "/points"),
    bad("a gift of half a point", "POST", "/v1/me/gifts", "ann", but(GIFT, points=0.5), *INVALID, "/points"),
    bad("a gift to words", "POST", "/v1/me/gifts", "ann", but(GIFT, to="my brother"), *INVALID, "/to"),
    bad("a gift to an id", "POST", "/v1/me/gifts", "ann", but(GIFT, to="$bob"), *INVALID, "/to"),
    bad("a gift to oneself", "POST", "/v1/me/gifts", "ann", but(GIFT, to="$number"), *INVALID, "/to"),
    bad("a gift to one's own telephone", "POST", "/v1/me/gifts", "ann", but(GIFT, to="+15550100123"), *INVALID, "/to"),
    bad("a gift without a code", "POST", "/v1/me/gifts", "ann", but(GIFT, spend_code=...), 403, "consent_required"),
    bad("a gift with the receiver's code", "POST", "/v1/me/gifts", "ann", but(GIFT, spend_code="$bobs_code"), 403,
        "consent_required"),
    bad("a gift from another's wallet", "POST", "/v1/me/gifts", "ann", but(GIFT, giver="$bob"), *UNKNOWN, "/giver"),
    bad("a gift with a code that was used", "POST", "/v1/me/gifts", "ann", but(GIFT, spend_code="$anns_code"), 409,
        "code_already_used"),
    bad("a gift to a member of another book", "POST", "/v1/me/gifts", "bob",
        but(GIFT, to="$eves_number", spend_code="$bobs_code"), *MISSING, "/to"),
    bad("a gift of more than there is", "POST", "/v1/me/gifts", "bob",
        but(GIFT, to="$number", points=9_999, spend_code="$bobs_code"), 422, "insufficient_points"),
    bad("a gift of more than a day bears", "POST", "/v1/me/gifts", "bob",
        but(GIFT, to="$number", points=1_000_000, spend_code="$bobs_code"), 422, "limit_exceeded"),
    bad("a gift by a shop", "POST", "/v1/me/gifts", "cafe", GIFT, *WHO),
    bad("gifts of another's cursor", "GET", "/v1/me/gifts?cursor=$anns_cursor", "ann", None, *CURSOR),
    bad("a household with a query", "GET", "/v1/me/household?member=$bob", "ann", None, *UNKNOWN, "/member"),
    bad("a household of a shop", "POST", "/v1/me/household", "cafe", {}, *WHO),
    bad("a household with a name", "POST", "/v1/me/household", "ann", {"name": "us"}, *UNKNOWN, "/name"),
    bad("an invitation to no household", "POST", "/v1/me/household/invitations", "ann", {"number": "$eves_number"},
        *CONFLICT),
    bad("an invitation to words", "POST", "/v1/me/household/invitations", "ann", {"number": "my brother"}, *MISSING,
        "/number"),
    bad("an acceptance of nothing", "POST", "/v1/me/household-invitations/hhd_$nobody/accept", "ann", {}, *MISSING),
    bad("a refusal of nothing", "POST", "/v1/me/household-invitations/hhd_$nobody/decline", "ann", {}, *MISSING),
    bad("leaving nothing", "POST", "/v1/me/household/leave", "ann", {}, *CONFLICT),
    bad("sharing with nobody", "PUT", "/v1/me/household/sharing", "ann", {"monthly_points": 5}, *CONFLICT),
    bad("sharing less than nothing", "PUT", "/v1/me/household/sharing", "ann", {"monthly_points": -5}, *INVALID,
        "/monthly_points"),
    bad("sharing without saying how much", "PUT", "/v1/me/household/sharing", "ann", {}, *INVALID, "/monthly_points"),
    bad("a limit of nobody's", "PUT", "/v1/me/household/people/$bob/limit", "ann", {"monthly_points": 5}, *CONFLICT),
    bad("taking somebody out of nothing", "POST", "/v1/me/household/people/$bob/remove", "ann", {}, *CONFLICT),
    bad("handing nothing over", "POST", "/v1/me/household/people/$bob/make-founder", "ann", {}, *CONFLICT),
]  # fmt: skip

VOUCHERS = [
    voucher("a voucher for no shop", *INVALID, "/shop", shop=...),
    voucher("a voucher for a shop of nobody", *MISSING, "/shop", shop=f"mer_{NONE}"),
    voucher("a voucher for a shop of another book", *MISSING, "/shop", shop="$stranger"),
    voucher("a voucher for a branch", *MISSING, "/shop", shop="$branch"),
    voucher("a voucher of nothing", *INVALID, "/points", points=0),
    voucher("a voucher below nothing", *INVALID, "/points", points=-1),
    voucher("a voucher of half a point", *INVALID, "/points", points=0.5),
    voucher("a voucher of 2^63", *INVALID, "/points", points=2**63),
    voucher("a voucher of more than one may be for", 422, "limit_exceeded", points=100_001),
    voucher("a voucher for a device of nobody", *MISSING, "/device", device=f"dev_{NONE}"),
    voucher("a voucher with a private key", *UNKNOWN, "/public_key/d", public_key={**KEY, "d": "A" * 43}),
    voucher("a voucher with a key of letters", *INVALID, "/public_key", public_key="key"),
    voucher("a voucher with a short key", *INVALID, "/public_key/x", public_key={**KEY, "x": "A" * 42}),
    voucher("a voucher with a key written in another way", *INVALID, "/public_key", public_key={**KEY, "x": "A" * 42 + "B"}),
    voucher("a voucher with a shared secret", *INVALID, "/public_key/kty", public_key={"kty": "oct", "k": "AAAA"}),
    voucher("a voucher with RSA", *INVALID, "/public_key/kty", public_key={"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
    voucher("a voucher with a point that is not on the curve", *INVALID, "/public_key",
            public_key={"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}),
    voucher("a voucher with half a point of the curve", *INVALID, "/public_key",
            public_key={"kty": "EC", "crv": "P-256", "x": "A" * 43}),
    voucher("a voucher with a curve of another kind", *INVALID, "/public_key", public_key={**KEY, "crv": "P-256"}),
    voucher("a voucher with a wrong code", 403, "consent_required"),
    voucher("a voucher without a code", *INVALID, "/spend_code", spend_code=...),
    voucher("a voucher that says until when", *UNKNOWN, "/deadline", deadline="2030-01-01T00:00:00Z"),
    bad("a voucher that a shop asks for", "POST", OWN_VOUCHERS, "cafe", VOUCHER, *WHO),
    bad("a voucher without a key of its own", "POST", OWN_VOUCHERS, "ann", VOUCHER, 400, "idempotency_key_missing",
        idempotency_key=None),
    bad("a voucher that is withdrawn", "DELETE", f"{OWN_VOUCHERS}/$voucher", "ann", None, *MISSING),
    bad("vouchers from another's cursor", "GET", f"{OWN_VOUCHERS}?cursor=$anns_cursor", "ann", None, *CURSOR),
    bad("no vouchers", "GET", f"{OWN_VOUCHERS}?limit=0", "ann", None, *INVALID, "/limit"),
    bad("a voucher returned by another shop", "POST", RETURN, "grocer", {}, *MISSING),
    bad("a voucher returned by another book", "POST", RETURN, "stranger", {}, *MISSING),
    bad("a voucher returned by its member", "POST", RETURN, "ann", {}, *WHO),
    bad("a voucher returned by a reader", "POST", RETURN, "reader", {}, *FORBIDDEN),
    bad("a voucher returned in part", "POST", RETURN, "cafe", {"points": 1}, *UNKNOWN, "/points"),
    bad("a voucher of nobody returned", "POST", f"/v1/vouchers/vch_{NONE}/return", "cafe", {}, *MISSING),
    bad("a redemption for a voucher", "POST", "/v1/vouchers/$held/return", "cafe", {}, *MISSING),
    bad("a voucher without a spend", "POST", REDEMPTIONS, "cafe",
        but(REDEMPTION, spend_code=..., points=..., voucher={"voucher": "$signed"}), *INVALID, "/voucher/spend"),
    bad("a voucher that is spent by itself", "POST", REDEMPTIONS, "cafe",
        but(REDEMPTION, spend_code=..., points=..., voucher={"voucher": "$signed", "spend": "$signed"}), 403,
        "consent_required", "/voucher/spend"),
    bad("letters for a voucher", "POST", REDEMPTIONS, "cafe",
        but(REDEMPTION, spend_code=..., points=..., voucher={"voucher": "a.b.c", "spend": "a.b.c"}), 403,
        "consent_required", "/voucher/voucher"),
    bad("a voucher and a code", "POST", REDEMPTIONS, "cafe",
        but(REDEMPTION, points=..., voucher={"voucher": "a", "spend": "b"}), *INVALID, "/spend_code"),
    bad("a voucher and points", "POST", REDEMPTIONS, "cafe",
        but(REDEMPTION, spend_code=..., voucher={"voucher": "a", "spend": "b"}), *INVALID, "/points"),
    bad("a voucher and a value", "POST", REDEMPTIONS, "cafe",
        but(REDEMPTION, spend_code=..., points=..., value={"amount": 1, **USD}, voucher={"voucher": "a", "spend": "b"}),
        *INVALID, "/value"),
    sale("a payment in points named twice", *INVALID, "/payments/0/redemption", payments=[
        {**CASH, "type": "points", "redemption": "$captured", "redemption_reference": "R"}
    ]),
    sale("cash that names a redemption's reference", *INVALID, "/payments/0/redemption", payments=[
        {**CASH, "redemption_reference": "R"}
    ]),
    sale("a payment by a reference nothing bears", *MISSING, "/payments", member="$number", payments=[
        {**CASH, "type": "points", "redemption_reference": "nothing bears it"}
    ]),
    sale("a payment by a reference of control characters", *INVALID, "/payments/0/redemption_reference", payments=[
        {**CASH, "type": "points", "redemption_reference": "a\n"}
    ]),
]  # fmt: skip

ACCOUNT = {"holder": "Cafe", "account": "DE89370400440532013000"}
PAYEE = {"rail": "bank", **ACCOUNT}
XML = "application/xml"
INS, POF, BST = f"/v1/operator/instructions/ins_{NONE}", f"/v1/operator/payout-files/pof_{NONE}", f"bst_{NONE}"
STATEMENTS, REPORTS = f"{OF_BOOK}/bank-statements", f"{OF_BOOK}/payment-reports"
REQUEST = {"amount": {"amount": 100, **USD}}

RAILS = [
    bad("the network's account by an approver", "POST", f"{OF_BOOK}/bank-account", "approver", ACCOUNT, *FORBIDDEN),
    bad("the network's account with a slip in it", "POST", f"{OF_BOOK}/bank-account", "maker",
        but(ACCOUNT, account="DE89370400440532013001"), *INVALID, "/account"),
    bad("the network's account at half a bank", "POST", f"{OF_BOOK}/bank-account", "maker", but(ACCOUNT, bic="DEUTDEFFX"),
        *INVALID, "/bic"),
    bad("the network's account by a shop", "GET", f"{OF_BOOK}/bank-account", "cafe", None, *WHO),
    bad("an account of a holder with a line feed", "POST", f"{MERCHANTS}/$cafe/payout-accounts", "maker",
        but(PAYEE, holder="a\nb"), *INVALID, "/holder"),
    bad("an account at no rail", "POST", f"{MERCHANTS}/$cafe/payout-accounts", "maker", but(PAYEE, rail="cash"),
        *INVALID, "/rail"),
    bad("a bank account at Stripe", "POST", f"{MERCHANTS}/$cafe/payout-accounts", "maker", but(PAYEE, rail="stripe"),
        *INVALID, "/account"),
    bad("an account of a shop of nobody", "POST", f"{MERCHANTS}/mer_{NONE}/payout-accounts", "maker", PAYEE, *MISSING),
    bad("accounts of another book's shop", "GET", f"{MERCHANTS}/$cafe/payout-accounts", "of live", None, *MISSING),
    bad("an account approved by a maker", "POST", f"{MERCHANTS}/$cafe/payout-accounts/approve", "maker",
        {"rail": "bank", "account": ACCOUNT["account"]}, *FORBIDDEN),
    bad("an account approved that is not there", "POST", f"{MERCHANTS}/$cafe/payout-accounts/approve", "approver",
        {"rail": "bank", "account": ACCOUNT["account"]}, *MISSING, "/rail"),
    bad("instructions for an open window", "POST", f"{WINDOWS}/$open/instructions", "maker", {"rail": "bank"}, *CONFLICT),
    bad("instructions without Stripe", "POST", f"{WINDOWS}/$open/instructions", "maker", {"rail": "stripe"}, *CONFLICT),
    bad("instructions without a key", "POST", f"{WINDOWS}/$open/instructions", "maker", {"rail": "bank"}, 400,
        "idempotency_key_missing", idempotency_key=None),
    bad("instructions with an amount", "POST", f"{WINDOWS}/$open/instructions", "maker", {"rail": "bank", "amount": 5},
        *UNKNOWN, "/amount"),
    bad("instructions of another book", "GET", f"{WINDOWS}/$open/instructions", "of live", None, *MISSING),
    bad("instructions from another's cursor", "GET", f"{WINDOWS}/$open/instructions?cursor=$anns_cursor", "maker", None,
        *CURSOR),
    bad("an instruction of nobody", "GET", INS, "maker", None, *MISSING),
    bad("a word of an instruction of nobody", "POST", f"{INS}/word", "maker", {"said": "confirmed"}, *MISSING),
    bad("a word that is none", "POST", f"{INS}/word", "maker", {"said": "perhaps"}, *INVALID, "/said"),
    bad("a word of an auditor", "POST", f"{INS}/word", "auditor", {"said": "confirmed"}, *FORBIDDEN),
    bad("asking again of nobody", "POST", f"{INS}/ask-again", "maker", {}, *MISSING),
    bad("payout files of another book", "GET", f"{WINDOWS}/$open/payout-files", "of live", None, *MISSING),
    bad("a payout file of nobody", "GET", POF, "maker", None, *MISSING),
    bad("a payout file by a shop", "GET", POF, "cafe", None, *WHO),
    bad("a statement of nothing", "POST", STATEMENTS, "maker", b"", *INVALID, "", content_type=XML),
    bad("a statement as JSON", "POST", STATEMENTS, "maker", {}, *MEDIA),
    bad("a statement that is cut", "POST", STATEMENTS, "maker", b"<Document", *INVALID, "", content_type=XML),
    bad("a statement with entities", "POST", STATEMENTS, "maker", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", *INVALID,
        "", content_type=XML),
    bad("a statement of more than there may be", "POST", STATEMENTS, "maker", b"<" * (LARGEST_BATCH_BODY + 1), *LARGE,
        content_type=XML),
    bad("a statement by an approver", "POST", STATEMENTS, "approver", b"<a/>", *FORBIDDEN, content_type=XML),
    bad("statements of another book", "GET", STATEMENTS, "of live", None, *MISSING),
    bad("lines of a statement of nobody", "GET", f"/v1/operator/bank-statements/{BST}/lines", "maker", None, *MISSING),
    bad("a report that is a statement", "POST", REPORTS, "maker",
        b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"/>', *INVALID, "", content_type=XML),
    bad("a report packed", "POST", REPORTS, "maker", b"\x1f\x8b\x08", *INVALID, "", content_type=XML),
    bad("events of another book", "GET", f"{OF_BOOK}/rail-events", "of live", None, *MISSING),
    bad("events of an outcome that is none", "GET", f"{OF_BOOK}/rail-events?outcome=all", "maker", None, *INVALID,
        "/outcome"),
    bad("a top-up of nothing asked for", "POST", "/v1/topup-requests", "cafe", {"amount": {"amount": 0, **USD}}, *INVALID,
        "/amount/amount"),
    bad("a top-up at Stripe without Stripe", "POST", "/v1/topup-requests", "cafe", but(REQUEST, rail="stripe"), *CONFLICT),
    bad("a top-up asked for by a reader", "POST", "/v1/topup-requests", "reader", REQUEST, *FORBIDDEN),
    bad("a top-up of nobody", "GET", f"/v1/topup-requests/ins_{NONE}", "cafe", None, *MISSING),
    bad("a webhook of nobody", "POST", "/v1/hooks/stripe", None, {"id": "evt_1"}, *MISSING),
    bad("a charge-back of no top-up", "POST", CHARGE_BACKS, "maker", but(CHARGED_BACK, topup=f"rec_{NONE}"), *MISSING),
    bad("a charge-back of a shop", "POST", CHARGE_BACKS, "maker", but(CHARGED_BACK, topup="$cafe"), *MISSING, "/topup"),
    bad("a charge-back of nothing", "POST", CHARGE_BACKS, "maker", but(CHARGED_BACK, amount={"amount": 0, **USD}), *INVALID,
        "/amount/amount"),
    bad("a charge-back of more than is left", "POST", CHARGE_BACKS, "maker",
        but(CHARGED_BACK, amount={"amount": 31, **USD}), 422, "limit_exceeded"),
    bad("a charge-back under a reference that is known", "POST", CHARGE_BACKS, "maker",
        but(CHARGED_BACK, reference="RCL"), 409, "duplicate_reference"),
    bad("a charge-back without a reason", "POST", CHARGE_BACKS, "maker", but(CHARGED_BACK, reason=...), *INVALID, "/reason"),
    bad("a charge-back by who approves", "POST", CHARGE_BACKS, "approver", CHARGED_BACK, *FORBIDDEN),
    bad("a charge-back from another book", "POST", CHARGE_BACKS, "of live", CHARGED_BACK, *MISSING),
    bad("charge-backs of another book", "GET", CHARGE_BACKS, "of live", None, *MISSING),
    bad("charge-backs for who reads records", "GET", "/v1/charge-backs", "reader", None, *FORBIDDEN),
    bad("charge-backs by another's cursor", "GET", "/v1/charge-backs?cursor=$cursor", "cafe", None, *CURSOR),
    bad("a charge-back approved by who proposed it", "POST", f"{CHARGE_BACK}/approve", "both", {}, 403,
        "self_approval_forbidden"),
    bad("a charge-back approved by a maker", "POST", f"{CHARGE_BACK}/approve", "maker", {}, *FORBIDDEN),
    bad("a charge-back approved from another book", "POST", f"{CHARGE_BACK}/approve", "of live", {}, *MISSING),
    bad("a charge-back rejected of nobody", "POST", f"/v1/operator/charge-backs/rec_{NONE}/reject", "approver", {},
        *MISSING),
    bad("a charge-back that is a top-up", "POST", "/v1/operator/charge-backs/$topup/approve", "approver", {}, *MISSING),
    bad("a reversal of what is not booked", "POST", f"{CHARGE_BACK}/reversal", "maker", WHY, *CONFLICT),
    bad("a reversal without a reason", "POST", f"{CHARGE_BACK}/reversal", "maker", {}, *INVALID, "/reason"),
    bad("a grace of no day", "PUT", f"{OF_BOOK}/pay-in-grace", "approver", {"days": 0}, *INVALID, "/days"),
    bad("a grace of years", "PUT", f"{OF_BOOK}/pay-in-grace", "approver", {"days": 366}, *INVALID, "/days"),
    bad("a grace by a maker", "PUT", f"{OF_BOOK}/pay-in-grace", "maker", {"days": 3}, *FORBIDDEN),
    bad("a grace of another book", "GET", f"{OF_BOOK}/pay-in-grace", "of live", None, *MISSING),
]  # fmt: skip

OPERATORS = [
    bad("gift rules by a shop", "GET", f"{OF_BOOK}/gift-rules", "cafe", None, *WHO),
    bad("gift rules below nothing", "PUT", f"{OF_BOOK}/gift-rules", "maker",
        {"points_a_day": -1, "gifts_a_day": 1, "received_a_day": 1}, *INVALID, "/points_a_day"),
    bad("gift rules by an approver", "PUT", f"{OF_BOOK}/gift-rules", "approver",
        {"points_a_day": 1, "gifts_a_day": 1, "received_a_day": 1}, *FORBIDDEN),
    bad("a rule policy by a shop", "GET", f"{OF_BOOK}/rule-policy", "cafe", None, *WHO),
    bad("a rule policy of more than the price", "PUT", f"{OF_BOOK}/rule-policy", "maker",
        {"largest_share_ppm": 1_000_001}, *INVALID, "/largest_share_ppm"),
    bad("a rule policy by an approver", "PUT", f"{OF_BOOK}/rule-policy", "approver", {}, *FORBIDDEN),
    bad("terms of rates and rules at once", "POST", f"{MERCHANTS}/$cafe/terms", "maker",
        but(TERMS, rules=[{"id": "a", "effect": {"points": 1}}]), *INVALID, "/points"),
    bad("rules of a segment that has no id", "POST", f"{MERCHANTS}/$cafe/terms", "maker",
        asking(segment=["regulars"]), *INVALID, "/rules/0/when/segment/0"),
    bad("rules of another shop's segment", "POST", f"{MERCHANTS}/$grocer/terms", "maker",
        asking(segment=["$segment"]), *INVALID, "/rules/0/when/segment/0"),
    bad("rules of a version that is not there", "POST", f"{MERCHANTS}/$cafe/terms", "maker",
        asking(segment=["$segment", "$segment@2"]), *INVALID, "/rules/0/when/segment/1"),
    bad("rules of a day that nobody has", "POST", f"{MERCHANTS}/$cafe/terms", "maker",
        asking(occasion=["birthday", "norouz"]), *INVALID),
    bad("a preview of no rules", "POST", "/v1/terms/preview", "cafe", {}, *INVALID, "/rules"),
    bad("a preview of no days", "POST", "/v1/terms/preview", "cafe", {"rules": TERMS, "days": 0}, *INVALID, "/days"),
    bad("a preview of 93 days", "POST", "/v1/terms/preview", "cafe", {"rules": TERMS, "days": 93}, *INVALID, "/days"),
    bad("a preview of another's sales", "POST", "/v1/terms/preview", "cafe", {"rules": TERMS, "merchant": "$cafe"},
        *UNKNOWN, "/merchant"),
    bad("a preview of rules that divide by nothing", "POST", "/v1/terms/preview", "cafe",
        {"rules": but(TERMS, per=0)}, *INVALID, "/rules/per"),
    bad("a preview that gives more than was paid", "POST", "/v1/terms/preview", "cafe",
        {"rules": but(TERMS, points=101, per=100)}, *INVALID, "/rules/points"),
    bad("a preview by a member", "POST", "/v1/terms/preview", "ann", {"rules": TERMS}, *WHO),
    bad("a preview of a merchant that is none", "POST", f"{MERCHANTS}/mer_{NONE}/terms/preview", "maker",
        {"rules": TERMS}, *MISSING),
    bad("a preview from outside the book", "POST", f"{MERCHANTS}/$cafe/terms/preview", "of live",
        {"rules": TERMS}, *MISSING),
    bad("a preview of rules with two effects", "POST", f"{MERCHANTS}/$cafe/terms/preview", "maker",
        {"rules": {"rules": [{"id": "a", "effect": {"points": 1, "rate": {"points": 1, "per": 100}}}]}},
        *INVALID, "/rules/rules/0/effect"),
    bad("a rule with two effects", "POST", f"{MERCHANTS}/$cafe/terms", "maker",
        {"rules": [{"id": "a", "effect": {"points": 1, "multiplier": {"percent": 200}}}]}, *INVALID, "/rules/0/effect"),
    bad("a rule with an effect that nobody knows", "POST", f"{MERCHANTS}/$cafe/terms", "maker",
        {"rules": [{"id": "a", "effect": {"raffle": 1}}]}, *UNKNOWN),
    bad("terms for robots", "POST", f"{MERCHANTS}/$cafe/terms", "maker",
        but(TERMS, by_kind={"robot": {"points": 1, "per": 100}}), *INVALID),
    bad("terms of a kind within a kind", "POST", f"{MERCHANTS}/$cafe/terms", "maker",
        but(TERMS, by_kind={"legal": {"points": 1, "per": 100, "by_kind": {}}}), *UNKNOWN),
    bad("terms that give a kind more than the price", "POST", f"{MERCHANTS}/$cafe/terms", "maker",
        but(TERMS, by_kind={"legal": {"points": 2, "per": 1}}), *INVALID, "/by_kind/legal/points"),
    bad("a contract for robots", "POST", f"{MERCHANTS}/$cafe/contracts", "maker",
        but(CONTRACT, earns_for=["robot"]), *INVALID, "/earns_for/0"),
    bad("a contract for persons twice", "POST", f"{MERCHANTS}/$cafe/contracts", "maker",
        but(CONTRACT, spends_for=["legal", "legal"]), *INVALID, "/spends_for"),
    bad("a book with a name of blanks", "POST", "/v1/operator/books", "maker", but(BOOK, network="my book"), *INVALID,
        "/network"),
    bad("a book that is there", "POST", "/v1/operator/books", "maker", but(BOOK, network="test"), 409,
        "duplicate_reference", "/network"),
    bad("a book in no zone", "POST", "/v1/operator/books", "maker", but(BOOK, time_zone="../../etc/passwd"), *INVALID,
        "/time_zone"),
    bad("a live book with a clock", "POST", "/v1/operator/books", "maker",
        but(BOOK, mode="live", clock="2017-01-01T00:00:00Z"), *INVALID, "/clock"),
    bad("a book without worth", "POST", "/v1/operator/books", "maker", but(BOOK, face_value=0), *INVALID,
        "/face_value"),
    bad("a book with ten exponents", "POST", "/v1/operator/books", "maker", but(BOOK, exponent=10), *INVALID,
        "/exponent"),
    bad("a schedule at 24:00", "POST", "/v1/operator/books", "maker",
        but(BOOK, window_schedule={"every": "day", "at": "24:00"}), *INVALID, "/window_schedule/at"),
    bad("a schedule by the minute", "POST", "/v1/operator/books", "maker",
        but(BOOK, window_schedule={"every": "minute"}), *INVALID, "/window_schedule/every"),
    bad("a calendar without dates", "POST", "/v1/operator/books", "maker",
        but(BOOK, window_schedule={"every": "calendar"}), *INVALID, "/window_schedule/dates"),
    bad("a calendar of a day that is none", "POST", "/v1/operator/books", "maker",
        but(BOOK, window_schedule={"every": "calendar", "dates": ["2017-02-30"]}), *INVALID,
        "/window_schedule/dates/0"),
    bad("a clock to no time", "POST", f"{OF_BOOK}/test-clock", "maker", {}, *INVALID, "/advance_to"),
    bad("a clock without a zone", "POST", f"{OF_BOOK}/test-clock", "maker", {"advance_to": "2018-01-01T00:00:00"},
        *INVALID, "/advance_to"),
    bad("a clock to the year 9999", "POST", f"{OF_BOOK}/test-clock", "maker", {"advance_to": "9999-01-01T00:00:00Z"},
        *INVALID, "/advance_to"),
    bad("a clock to the next century", "POST", f"{OF_BOOK}/test-clock", "maker", {"advance_to": "2101-01-01T00:00:00Z"},
        *INVALID, "/advance_to"),
    bad("a live book's clock", "POST", "/v1/operator/books/$live/test-clock", "maker",
        {"advance_to": "2018-01-01T00:00:00Z"}, *CONFLICT),
    bad("a merchant without a name", "POST", f"{OF_BOOK}/merchants", "maker", {"name": ""}, *INVALID, "/name"),
    bad("a merchant of blanks", "POST", f"{OF_BOOK}/merchants", "maker", {"name": "   "}, *INVALID, "/name"),
    bad("a merchant that is a bank", "POST", f"{OF_BOOK}/merchants", "maker", {"name": "x", "kind": "bank"}, *INVALID,
        "/kind"),
    bad("a branch that is there", "POST", f"{MERCHANTS}/$cafe/branches", "maker", {"reference": "main", "name": "x"},
        409, "duplicate_reference"),
    bad("a branch for nobody", "POST", f"{MERCHANTS}/mer_{NONE}/branches", "maker", {"reference": "x", "name": "x"},
        *MISSING),
    bad("a till that is there", "POST", "/v1/operator/branches/$branch/tills", "maker", {"reference": "1"}, 409,
        "duplicate_reference"),
    bad("a key that may do what nobody may", "POST", f"{MERCHANTS}/$cafe/api-keys", "maker",
        {"label": "x", "kind": "rk", "scopes": ["keys:make"]}, *INVALID, "/scopes"),
    bad("a restricted key without scopes", "POST", f"{MERCHANTS}/$cafe/api-keys", "maker",
        {"label": "x", "kind": "rk"}, *INVALID, "/scopes"),
    bad("a contract with a fee of more than a fifth", "POST", f"{MERCHANTS}/$cafe/contracts", "maker",
        but(CONTRACT, purchase_fee_ppm=200_001), *INVALID, "/purchase_fee_ppm"),
    bad("a contract with a fee below nothing", "POST", f"{MERCHANTS}/$cafe/contracts", "maker",
        but(CONTRACT, redemption_fee_ppm=-1), *INVALID, "/redemption_fee_ppm"),
    bad("a contract on a line of 10^13", "POST", f"{MERCHANTS}/$cafe/contracts", "maker",
        but(CONTRACT, credit_line_points=10**13), *INVALID, "/credit_line_points"),
    bad("a contract whose points confirm in the year after", "POST", f"{MERCHANTS}/$cafe/contracts", "maker",
        but(CONTRACT, maturity_days=366), *INVALID, "/maturity_days"),
    bad("a contract whose points expire before they confirm", "POST", f"{MERCHANTS}/$cafe/contracts", "maker",
        but(CONTRACT, maturity_days=365), *INVALID, "/maturity_days"),
    bad("a contract at a value of its own", "POST", f"{MERCHANTS}/$cafe/contracts", "maker",
        but(CONTRACT, unit_value=2), *INVALID, "/unit_value"),
    bad("a contract at no value", "POST", f"{MERCHANTS}/$cafe/contracts", "maker",
        but(CONTRACT, unit_value=0), *INVALID, "/unit_value"),
    bad("a face value of nothing", "POST", f"{OF_BOOK}/rules", "maker", but(RULES, face_value=0), *INVALID,
        "/face_value"),
    bad("points that live no day", "POST", f"{OF_BOOK}/rules", "maker", but(RULES, points_life_days=0), *INVALID,
        "/points_life_days"),
    bad("rules without a life", "POST", f"{OF_BOOK}/rules", "maker", but(RULES, points_life_days=...), *INVALID,
        "/points_life_days"),
    bad("inactivity of no day", "POST", f"{OF_BOOK}/rules", "maker", but(RULES, inactivity_days=0), *INVALID,
        "/inactivity_days"),
    bad("rules by an auditor", "POST", f"{OF_BOOK}/rules", "auditor", RULES, *FORBIDDEN),
    bad("rules of a book of nobody", "POST", f"/v1/operator/books/bok_{NONE}/rules", "maker", RULES, *MISSING),
    bad("a merchant of nobody bought out", "POST", f"{MERCHANTS}/mer_{NONE}/buy-out", "maker", {}, *MISSING),
    bad("a buy-out paid by nobody", "POST", f"{MERCHANTS}/$cafe/buy-out", "maker", {"paid_by": f"mer_{NONE}"},
        *MISSING, "/paid_by"),
    bad("a buy-out paid by a book", "POST", f"{MERCHANTS}/$cafe/buy-out", "maker", {"paid_by": "$book"}, *MISSING,
        "/paid_by"),
    bad("a merchant that leaves without money", "POST", f"{MERCHANTS}/$cafe/exit", "maker", {}, 422, "limit_exceeded"),
    bad("a merchant let go by a shop", "POST", f"{MERCHANTS}/$cafe/exit", "cafe", {}, *WHO),
    bad("more sold back than there is", "POST", f"{MERCHANTS}/$cafe/point-sell-backs", "maker", {"points": 1}, 422,
        "limit_exceeded"),
    bad("nothing sold back", "POST", "/v1/point-sell-backs", "cafe", {"points": 0}, *INVALID, "/points"),
    bad("terms that give more than was paid", "POST", f"{MERCHANTS}/$cafe/terms", "maker",
        {"points": 1_000_000, "per": 1}, *INVALID, "/points"),
    bad("terms that divide by nothing", "POST", f"{MERCHANTS}/$cafe/terms", "maker", but(TERMS, per=0), *INVALID,
        "/per"),
    bad("terms with a category of nothing", "POST", f"{MERCHANTS}/$cafe/terms", "maker",
        but(TERMS, categories={"": TERMS}), *INVALID),
    bad("money for a merchant of nobody", "POST", f"{MERCHANTS}/mer_{NONE}/topups", "maker", TOPUP, *MISSING),
    bad("money in another currency", "POST", f"{MERCHANTS}/$cafe/topups", "maker",
        but(TOPUP, amount={"amount": 1, "currency": "EUR"}), *INVALID, "/amount/currency"),
    bad("points bought for nobody", "POST", f"{MERCHANTS}/mer_{NONE}/point-purchases", "maker", {"points": 1},
        *MISSING),
    bad("an open window submitted", "POST", f"{WINDOWS}/$open/submit", "maker", {}, *CONFLICT),
    bad("an open window approved", "POST", f"{WINDOWS}/$open/approve", "approver", {"positions_hash": "0" * 64},
        *CONFLICT),
    bad("an open window returned", "POST", f"{WINDOWS}/$open/return", "approver", {"reason": "x"}, *CONFLICT),
    bad("an open window aborted", "POST", f"{WINDOWS}/$open/abort", "maker", {"reason": "x"}, *CONFLICT),
    bad("an open window paid", "POST", f"{WINDOWS}/$open/payments", "maker", {"reference": "x"}, *CONFLICT),
    bad("a window submitted twice", "POST", f"{WINDOWS}/$submitted/submit", "maker", {}, *CONFLICT),
    bad("a window paid before it is approved", "POST", f"{WINDOWS}/$submitted/payments", "maker", {"reference": "x"},
        *CONFLICT),
    bad("one's own window approved", "POST", f"{WINDOWS}/$submitted/approve", "both", {"positions_hash": "$hash"},
        403, "self_approval_forbidden"),
    bad("another hash approved", "POST", f"{WINDOWS}/$submitted/approve", "approver", {"positions_hash": "0" * 64},
        *CONFLICT),
    bad("a hash in capitals approved", "POST", f"{WINDOWS}/$submitted/approve", "approver",
        {"positions_hash": "A" * 64}, *INVALID, "/positions_hash"),
    bad("no hash approved", "POST", f"{WINDOWS}/$submitted/approve", "approver", {}, *INVALID, "/positions_hash"),
    bad("a window returned without a reason", "POST", f"{WINDOWS}/$submitted/return", "approver", {}, *INVALID,
        "/reason"),
    bad("a window aborted for nothing", "POST", f"{WINDOWS}/$submitted/abort", "maker", {"reason": ""}, *INVALID,
        "/reason"),
    bad("an amount paid by nobody", "POST", f"{WINDOWS}/$submitted/payments", "maker",
        {"reference": "x", "amount": {"amount": 1, **USD}}, *INVALID, "/amount"),
    bad("a payment of a merchant of nobody", "POST", f"{WINDOWS}/$submitted/payments", "maker",
        {"reference": "x", "merchant": "cafe"}, *MISSING, "/merchant"),
    bad("a cover of nobody", "POST", f"{WINDOWS}/$submitted/covers", "approver", {"merchant": "cafe", "reason": "x"},
        *MISSING, "/merchant"),
    bad("a cover by its maker", "POST", f"{WINDOWS}/$submitted/covers", "maker", {"merchant": "$cafe", "reason": "x"},
        *FORBIDDEN),
    bad("a cover without a reason", "POST", f"{WINDOWS}/$submitted/covers", "approver", {"merchant": "$cafe"},
        *INVALID, "/reason"),
    bad("a cover before the window is posted", "POST", f"{WINDOWS}/$submitted/covers", "approver",
        {"merchant": "$cafe", "reason": "x"}, *CONFLICT),
    bad("a payment sent back that is none", "POST", f"{WINDOWS}/$submitted/payment-returns", "maker",
        {"payment": f"rec_{NONE}", "reason": "x"}, *MISSING),
    bad("a merchant sent back", "POST", f"{WINDOWS}/$submitted/payment-returns", "maker",
        {"payment": "$cafe", "reason": "x"}, *MISSING, "/payment"),
    bad("an adjustment of one with itself", "POST", f"{WINDOWS}/$submitted/adjustments", "maker",
        {"amount": {"amount": 1, **USD}, "reason": "x"}, *INVALID, "/creditor"),
    bad("an adjustment of nobody", "POST", f"{WINDOWS}/$submitted/adjustments", "maker",
        {"debtor": f"mer_{NONE}", "amount": {"amount": 1, **USD}, "reason": "x"}, *MISSING),
    bad("an adjustment of an open window", "POST", f"{WINDOWS}/$open/adjustments", "maker",
        {"debtor": "$cafe", "amount": {"amount": 1, **USD}, "reason": "x"}, *CONFLICT),
    bad("an adjustment approved that nobody proposed", "POST", f"{WINDOWS}/$submitted/adjustments/rec_{NONE}/approve",
        "approver", {}, *MISSING),
    bad("an adjustment rejected that nobody proposed", "POST", f"{WINDOWS}/$submitted/adjustments/rec_{NONE}/reject",
        "approver", {}, *MISSING),
    bad("a statement of nobody disputed", "POST", f"/v1/statements/stm_{NONE}/disputes", "cafe", {"reason": "x"},
        *MISSING),
    bad("collateral of nobody", "POST", f"{MERCHANTS}/mer_{NONE}/collateral", "maker",
        {"amount": {"amount": 1, **USD}, "reference": "x"}, *MISSING),
    bad("collateral of nothing", "POST", f"{MERCHANTS}/$cafe/collateral", "maker",
        {"amount": {"amount": 0, **USD}, "reference": "x"}, *INVALID, "/amount/amount"),
    bad("collateral given back to one who owes", "POST", f"{MERCHANTS}/$cafe/collateral-returns", "approver",
        {"amount": {"amount": 1, **USD}, "reference": "x"}, *CONFLICT),
    bad("exposures of a book of nobody", "GET", f"/v1/operator/books/bok_{NONE}/exposures", "maker", None, *MISSING),
    bad("positions of a book of nobody", "GET", f"/v1/operator/books/bok_{NONE}/positions", "maker", None, *MISSING),
    bad("positions of a book of nobody, live", "GET", f"/v1/operator/books/bok_{NONE}/positions/events", "maker", None,
        *MISSING),
    bad("a loss fund of another currency", "POST", f"{OF_BOOK}/loss-fund", "maker",
        {"amount": {"amount": 1, "currency": "EUR"}, "reference": "x"}, *INVALID, "/amount/currency"),
    bad("a window of nobody", "GET", f"{WINDOWS}/win_{NONE}", "maker", None, *MISSING),
    bad("a window that is a book", "POST", f"{WINDOWS}/$book/close", "maker", {}, *MISSING),
]  # fmt: skip

LIMIT = {"subject": "member", "what": "redeem_points", "per_minutes": 60, "most": 100}
VELOCITY = f"{OF_BOOK}/velocity-limits"


def velocity(title: str, pointer: str, **changes: Any) -> Bad:
    return bad(
        title, "PUT", VELOCITY, "maker", {"limits": [LIMIT, but(LIMIT, per_minutes=5, **changes)]}, *INVALID, pointer
    )


def brake(what: str, path: str, who: str, *wanted: Any, body: Any = WHY, **headers: Any) -> Bad:
    return bad(what, "POST", f"/v1/operator/{path}", who, body, *wanted, **headers)


SAFETY = [
    brake("a freeze of nobody", f"members/mem_{NONE}/freeze", "maker", *MISSING),
    brake("a freeze by number", "members/$number/freeze", "maker", *MISSING),
    brake("a freeze of a shop", "members/$cafe/freeze", "maker", *MISSING),
    brake("a freeze without a reason", "members/$ann/freeze", "maker", *INVALID, "/reason", body={}),
    brake("a freeze for nothing", "members/$ann/freeze", "maker", *INVALID, "/reason", body={"reason": ""}),
    brake("a freeze for control characters", "members/$ann/freeze", "maker", *INVALID, "/reason",
          body={"reason": "a\nb"}),
    brake("a freeze for 501", "members/$ann/freeze", "maker", *INVALID, "/reason", body={"reason": "x" * 501}),
    brake("a freeze until", "members/$ann/freeze", "maker", *UNKNOWN, "/until", body={"reason": "x", "until": "now"}),
    brake("a freeze without a key", "members/$ann/freeze", "maker", 400, "idempotency_key_missing",
          idempotency_key=None),
    brake("a freeze from outside", "members/$ann/freeze", "of live", *MISSING),
    brake("a freeze by a shop", "members/$ann/freeze", "cafe", *WHO),
    brake("a freeze by an auditor", "members/$ann/freeze", "auditor", *FORBIDDEN),
    brake("a release by a maker", "members/$ann/unfreeze", "maker", *FORBIDDEN),
    brake("a release of nobody", f"members/mem_{NONE}/unfreeze", "approver", *MISSING),
    brake("a branch of nobody frozen", f"branches/brn_{NONE}/freeze", "maker", *MISSING),
    brake("a branch frozen from outside", "branches/$branch/freeze", "of live", *MISSING),
    brake("a branch released from outside", "branches/$branch/unfreeze", "of live", *MISSING),
    brake("a merchant of nobody suspended", f"merchants/mer_{NONE}/suspend", "maker", *MISSING),
    brake("a merchant suspended from outside", "merchants/$cafe/suspend", "of live", *MISSING),
    brake("a merchant suspended by a rival", "merchants/$cafe/suspend", "grocer", *WHO),
    brake("a merchant resumed from outside", "merchants/$cafe/resume", "of live", *MISSING),
    brake("a network stopped from outside", "books/$book/stop", "of live", *MISSING),
    brake("a network stopped by a member", "books/$book/stop", "ann", *WHO),
    brake("a network stopped by an auditor", "books/$book/stop", "auditor", *FORBIDDEN),
    brake("a network resumed by a maker", "books/$book/resume", "maker", *FORBIDDEN),
    bad("brakes of another book", "GET", f"{OF_BOOK}/brakes", "of live", None, *MISSING),
    bad("brakes by another's cursor", "GET", f"{OF_BOOK}/brakes?cursor=$makers_cursor", "maker", None, *CURSOR),
    bad("flags of another book", "GET", f"{OF_BOOK}/flags", "of live", None, *MISSING),
    bad("flags without end", "GET", f"{OF_BOOK}/flags?limit=101", "maker", None, *INVALID, "/limit"),
    bad("limits of another book", "GET", VELOCITY, "of live", None, *MISSING),
    bad("limits set from outside", "PUT", VELOCITY, "of live", {"limits": []}, *MISSING),
    bad("limits set by an approver", "PUT", VELOCITY, "approver", {"limits": []}, *FORBIDDEN),
    bad("limits that are none", "PUT", VELOCITY, "maker", {}, *INVALID, "/limits"),
    bad("21 limits", "PUT", VELOCITY, "maker", {"limits": [but(LIMIT, per_minutes=m) for m in range(1, 22)]},
        *INVALID, "/limits"),
    bad("one limit twice", "PUT", VELOCITY, "maker", {"limits": [LIMIT, but(LIMIT, most=5)]}, *INVALID, "/limits/1"),
    velocity("a limit of a till", "/limits/1/subject", subject="till"),
    velocity("a limit of refunds", "/limits/1/what", what="refund_points"),
    velocity("a limit of nothing", "/limits/1/most", most=0),
    velocity("a limit below nothing", "/limits/1/most", most=-1),
    velocity("a limit of half a point", "/limits/1/most", most=0.5),
    bad("a limit in no time", "PUT", VELOCITY, "maker", {"limits": [but(LIMIT, per_minutes=0)]}, *INVALID,
        "/limits/0/per_minutes"),
    bad("a limit of a month and a minute", "PUT", VELOCITY, "maker", {"limits": [but(LIMIT, per_minutes=43_201)]},
        *INVALID, "/limits/0/per_minutes"),
    bad("keys listed by a reader of records", "GET", "/v1/api-keys", "reader", None, *FORBIDDEN),
    bad("keys listed by a member", "GET", "/v1/api-keys", "ann", None, *WHO),
    bad("a key made by a reader", "POST", "/v1/api-keys", "reader", {"label": "x", "scopes": ["records:read"]},
        *FORBIDDEN),
    bad("a key without a label", "POST", "/v1/api-keys", "cafe", {"scopes": ["records:read"]}, *INVALID, "/label"),
    bad("a key without scopes", "POST", "/v1/api-keys", "cafe", {"label": "x", "scopes": []}, *INVALID, "/scopes"),
    bad("a key with a scope nobody has", "POST", "/v1/api-keys", "cafe", {"label": "x", "scopes": ["all"]}, *INVALID,
        "/scopes"),
    bad("a key of the other kind", "POST", "/v1/api-keys", "cafe", {"label": "x", "kind": "sk", "scopes": ["x"]},
        *UNKNOWN, "/kind"),
    bad("a key that nobody made, replaced", "POST", f"/v1/api-keys/key_{NONE}/rotate", "cafe", {}, *MISSING),
    bad("an overlap of eight days", "POST", f"/v1/api-keys/key_{NONE}/rotate", "cafe", {"overlap_hours": 169},
        *INVALID, "/overlap_hours"),
    bad("an overlap below nothing", "POST", f"/v1/api-keys/key_{NONE}/rotate", "cafe", {"overlap_hours": -1},
        *INVALID, "/overlap_hours"),
    bad("a key that nobody made, ended", "DELETE", f"/v1/api-keys/key_{NONE}", "cafe", None, *MISSING),
    bad("a key ended by a reader", "DELETE", f"/v1/api-keys/key_{NONE}", "reader", None, *FORBIDDEN),
    bad("a key ended by maybe", "DELETE", f"/v1/api-keys/key_{NONE}?own=maybe", "cafe", None, *INVALID, "/own"),
    bad("a merchant's keys from outside", "GET", f"{MERCHANTS}/$cafe/api-keys", "of live", None, *MISSING),
    bad("a merchant's key ended from outside", "DELETE", f"{MERCHANTS}/$cafe/api-keys/key_{NONE}", "of live", None,
        *MISSING),
    bad("a merchant's key ended by an auditor", "DELETE", f"{MERCHANTS}/$cafe/api-keys/key_{NONE}", "auditor", None,
        *FORBIDDEN),
]  # fmt: skip

WORDS = {"fa": "نام", "en": "name"}
TIER = {"id": "silver", "name": WORDS, "requires": {"all": {"spend": 100}}}
LADDER = {"period": {"rolling_days": 30}, "tiers": [TIER]}
ON_TIER = {"tier": "silver", "reason": "a friend"}


def ladder(what: str, *wanted: Any, **changes: Any) -> Bad:
    return bad(f"a ladder {what}", "POST", "/v1/ladders", "cafe", but(LADDER, **changes), *wanted)


TIERS = [
    ladder("without a period", *INVALID, "/period", period=...),
    ladder("of two periods", *INVALID, "/period/calendar", period={"rolling_days": 3, "calendar": "jalali"}),
    ladder("of a calendar nobody knows", *INVALID, "/period/calendar", period={"calendar": "lunar", "length": "year"}),
    ladder("of a calendar without a length", *INVALID, "/period/length", period={"calendar": "jalali"}),
    ladder("of no days", *INVALID, "/period/rolling_days", period={"rolling_days": 0}),
    ladder("that waits for the end of rolling days", *INVALID, "/promotion", promotion="period_end"),
    ladder("with endless grace", *INVALID, "/grace_days", grace_days=367),
    ladder("for nobody", *INVALID, "/kinds", kinds=[]),
    ladder("for companies twice", *INVALID, "/kinds/1", kinds=["legal", "legal"]),
    ladder("of two tiers with one id", *INVALID, "/tiers/1/id", tiers=[TIER, TIER]),
    ladder("of a tier without a Persian name", *INVALID, "/tiers/0/name/fa", tiers=[{**TIER, "name": {"en": "x"}}]),
    ladder("of a tier that costs nothing", *INVALID, "/tiers/0/requires/all/visits",
           tiers=[{**TIER, "requires": {"all": {"visits": 0}}}]),
    ladder("of a tier that asks for a balance", *UNKNOWN, "/tiers/0/requires/all/balance",
           tiers=[{**TIER, "requires": {"all": {"balance": 5}}}]),
    ladder("of a tier that asks all and any", *INVALID, "/tiers/0/requires",
           tiers=[{**TIER, "requires": {"all": {"visits": 1}, "any": {"visits": 1}}}]),
    ladder("of a tier that asks for nothing at all", *INVALID, "/tiers/0/requires/any",
           tiers=[{**TIER, "requires": {"any": {}}}]),
    ladder("of 21 tiers", *INVALID, "/tiers", tiers=[{**TIER, "id": f"t{n}"} for n in range(21)]),
    bad("a ladder without a key", "POST", "/v1/ladders", "cafe", LADDER, 400, "idempotency_key_missing",
        idempotency_key=None),
    bad("a ladder by a till's key", "POST", "/v1/ladders", "batcher", LADDER, *FORBIDDEN),
    bad("ladders by a till's key", "GET", "/v1/ladders", "batcher", None, *FORBIDDEN),
    bad("ladders with another list's cursor", "GET", "/v1/ladders?cursor=$cursor", "cafe", None, *CURSOR),
    bad("a network's ladder by an approver", "POST", f"{OF_BOOK}/ladders", "approver", LADDER, *FORBIDDEN),
    bad("a network's ladder from another book", "POST", f"{OF_BOOK}/ladders", "of live", LADDER, *MISSING),
    bad("ladders of no network", "GET", f"/v1/operator/books/bok_{NONE}/ladders", "maker", None, *MISSING),
    bad("a ladder of nobody", "POST", f"{MERCHANTS}/mer_{NONE}/ladders", "maker", LADDER, *MISSING),
    bad("ladders of nobody", "GET", f"{MERCHANTS}/mer_{NONE}/ladders", "maker", None, *MISSING),
    bad("a tier where there is no ladder", "POST", "/v1/members/$ann/tier", "cafe", ON_TIER, *MISSING),
    bad("a tier without a reason", "POST", "/v1/members/$ann/tier", "cafe", but(ON_TIER, reason=...), *INVALID, "/reason"),
    bad("a tier of nobody", "POST", f"/v1/members/mem_{NONE}/tier", "cafe", ON_TIER, *MISSING),
    bad("a tier of another book's member", "POST", "/v1/members/$eve/tier", "cafe", ON_TIER, *MISSING),
    bad("a network's tier of nobody", "POST", f"/v1/operator/members/mem_{NONE}/tier", "maker", ON_TIER, *MISSING),
    bad("a network's tier from another book", "POST", "/v1/operator/members/$ann/tier", "of live", ON_TIER, *MISSING),
    bad("a network's tier by an auditor", "POST", "/v1/operator/members/$ann/tier", "auditor", ON_TIER, *FORBIDDEN),
    bad("the standing of nobody", "GET", f"/v1/members/mem_{NONE}/standing", "cafe", None, *MISSING),
    bad("the standing of another book's member", "GET", "/v1/members/$eve/standing", "cafe", None, *MISSING),
    bad("a standing by a till's key", "GET", "/v1/members/$ann/standing", "batcher", None, *FORBIDDEN),
    bad("a standing from another book", "GET", "/v1/operator/members/$ann/standing", "of live", None, *MISSING),
    bad("one's own standing without a token", "GET", "/v1/me/standing", None, None, *WHO),
    bad("one's own standing with a shop's key", "GET", "/v1/me/standing", "cafe", None, *WHO),
]  # fmt: skip

ENTITLEMENT = {"kind": "magazine", "name": WORDS, "who": "everybody"}
ENTITLEMENTS, NO_ENTITLEMENT = "/v1/entitlements", f"/v1/entitlements/ent_{NONE}"
USE = {"branch": "$branch", "external_reference": "BAD-1", "member": "$number"}


def entitlement(what: str, *wanted: Any, **changes: Any) -> Bad:
    return bad(f"an entitlement {what}", "POST", ENTITLEMENTS, "cafe", but(ENTITLEMENT, **changes), *wanted)


BENEFITS = [
    entitlement("of a kind nobody knows", *INVALID, "/kind", kind="points"),
    entitlement("for tiers that it does not name", *INVALID, "/tiers", who="tiers"),
    entitlement("for everybody and for a tier", *INVALID, "/tiers", tiers=["gold"]),
    entitlement("for a tier twice", *INVALID, "/tiers", who="tiers", tiers=["gold", "gold"]),
    entitlement("of no place at all", *INVALID, "/capacity/total", capacity={"total": 0}),
    entitlement("of half a place", *INVALID, "/capacity/per_day", capacity={"per_day": 0.5}),
    entitlement("of a capacity a week", *UNKNOWN, "/capacity/per_week", capacity={"per_week": 1}),
    entitlement("that ends before it begins", *INVALID, "/ends_at", begins_at="2019-01-01T00:00:00Z",
                ends_at="2018-01-01T00:00:00Z"),
    entitlement("that is over", *INVALID, "/ends_at", ends_at="2016-01-01T00:00:00Z"),
    entitlement("that counts its uses", *UNKNOWN, "/used", used=5),
    bad("an entitlement without a key", "POST", ENTITLEMENTS, "cafe", ENTITLEMENT, 400, "idempotency_key_missing",
        idempotency_key=None),
    bad("an entitlement by a till's key", "POST", ENTITLEMENTS, "batcher", ENTITLEMENT, *FORBIDDEN),
    bad("entitlements by a till's key", "GET", ENTITLEMENTS, "batcher", None, *FORBIDDEN),
    bad("entitlements with another list's cursor", "GET", f"{ENTITLEMENTS}?cursor=$cursor", "cafe", None, *CURSOR),
    bad("no entitlement", "GET", NO_ENTITLEMENT, "cafe", None, *MISSING),
    bad("an end of no entitlement", "POST", f"{NO_ENTITLEMENT}/end", "cafe", {}, *MISSING),
    bad("a grant of no entitlement", "POST", f"{NO_ENTITLEMENT}/grants", "cafe", {"member": "$ann"}, *MISSING),
    bad("a grant of no uses", "POST", f"{NO_ENTITLEMENT}/grants", "cafe", {"member": "$ann", "uses": 0}, *INVALID, "/uses"),
    bad("a grant to a number", "POST", f"{NO_ENTITLEMENT}/grants", "cafe", {"member": "$number"}, *MISSING, "/member"),
    bad("an end of no grant", "POST", f"/v1/entitlement-grants/egr_{NONE}/end", "cafe", {}, *MISSING),
    bad("a check of no entitlement", "POST", f"{NO_ENTITLEMENT}/checks", "cafe", {"member": "$ann"}, *MISSING),
    bad("a use of no entitlement", "POST", f"{NO_ENTITLEMENT}/uses", "cafe", USE, *MISSING),
    bad("a use without a reference", "POST", f"{NO_ENTITLEMENT}/uses", "cafe", but(USE, external_reference=...), *INVALID,
        "/external_reference"),
    bad("a use without a key", "POST", f"{NO_ENTITLEMENT}/uses", "cafe", USE, 400, "idempotency_key_missing",
        idempotency_key=None),
    bad("a use by a reader's key", "POST", f"{NO_ENTITLEMENT}/uses", "reader", USE, *FORBIDDEN),
    bad("a void of no use", "POST", f"/v1/entitlement-uses/use_{NONE}/void", "cafe", {}, *MISSING),
    bad("one's own entitlements without a token", "GET", "/v1/me/entitlements", None, None, *WHO),
    bad("one's own entitlements with another's cursor", "GET", "/v1/me/entitlements?cursor=$cursor", "ann", None, *CURSOR),
]  # fmt: skip

SPONSORING = {"rules": {"points": 1, "per": 100}}
SPONSORSHIPS, SPONSORSHIP = f"{MERCHANTS}/$bank/sponsorships", f"{MERCHANTS}/$bank/sponsorships/$sponsorship"

SPONSORS = [
    bad("a sponsorship without rules", "POST", SPONSORSHIPS, "maker", {}, *INVALID, "/rules"),
    bad("a sponsorship that gives more than was paid", "POST", SPONSORSHIPS, "maker",
        {"rules": {"points": 2, "per": 1}}, *INVALID, "/rules/points"),
    bad("a sponsor's rules of a shop's segment", "POST", SPONSORSHIPS, "maker",
        {"rules": asking(segment=["$segment"])}, *INVALID, "/rules/rules/0/when/segment/0"),
    bad("a sponsorship of a shop", "POST", f"{MERCHANTS}/$cafe/sponsorships", "maker", SPONSORING, *CONFLICT),
    bad("a sponsorship of nobody", "POST", f"{MERCHANTS}/mer_{NONE}/sponsorships", "maker", SPONSORING, *MISSING),
    bad("a sponsorship at no shop", "POST", SPONSORSHIPS, "maker", but(SPONSORING, shops=[]), *INVALID, "/shops"),
    bad("a sponsorship at a shop twice", "POST", SPONSORSHIPS, "maker", but(SPONSORING, shops=["$cafe", "$cafe"]),
        *INVALID, "/shops"),
    bad("a sponsorship at a shop of nobody", "POST", SPONSORSHIPS, "maker", but(SPONSORING, shops=["cafe"]),
        *MISSING, "/shops/0"),
    bad("a sponsorship at another book's shop", "POST", SPONSORSHIPS, "maker",
        but(SPONSORING, shops=["$cafe", "$stranger"]), *MISSING, "/shops/1"),
    bad("a sponsorship at one's own sales", "POST", SPONSORSHIPS, "maker", but(SPONSORING, shops=["$bank"]), *INVALID,
        "/shops/0"),
    bad("a sponsorship that ends before it begins", "POST", SPONSORSHIPS, "maker",
        but(SPONSORING, begins_at="2019-01-01T00:00:00Z", ends_at="2018-01-01T00:00:00Z"), *INVALID, "/ends_at"),
    bad("a sponsorship that is over", "POST", SPONSORSHIPS, "maker", but(SPONSORING, ends_at="2016-01-01T00:00:00Z"),
        *INVALID, "/ends_at"),
    bad("a sponsorship beyond the credit line", "POST", SPONSORSHIPS, "maker", but(SPONSORING, budget_points=901),
        422, "limit_exceeded"),
    bad("a sponsorship with a budget below nothing", "POST", SPONSORSHIPS, "maker", but(SPONSORING, budget_points=-1),
        *INVALID, "/budget_points"),
    bad("a sponsorship without a key", "POST", SPONSORSHIPS, "maker", SPONSORING, 400, "idempotency_key_missing",
        idempotency_key=None),
    bad("a sponsorship that chooses its state", "POST", SPONSORSHIPS, "maker", but(SPONSORING, state="open"), *UNKNOWN,
        "/state"),
    bad("a sponsorship by a shop's key", "POST", SPONSORSHIPS, "cafe", SPONSORING, *WHO),
    bad("a sponsorship by an approver", "POST", SPONSORSHIPS, "approver", SPONSORING, *FORBIDDEN),
    bad("a sponsorship from another book", "POST", SPONSORSHIPS, "of live", SPONSORING, *MISSING),
    bad("sponsorships with another list's cursor", "GET", f"{SPONSORSHIPS}?cursor=$makers_cursor", "maker", None,
        *CURSOR),
    bad("sponsorships of nobody", "GET", f"{MERCHANTS}/mer_{NONE}/sponsorships", "maker", None, *MISSING),
    bad("a sponsorship that is another merchant's", "GET", f"{MERCHANTS}/$cafe/sponsorships/$sponsorship", "maker",
        None, *MISSING),
    bad("a sponsorship read from another book", "GET", SPONSORSHIP, "of live", None, *MISSING),
    bad("a budget of nothing", "POST", f"{SPONSORSHIP}/budget", "maker", {}, *INVALID, "/add_points"),
    bad("a budget both ways", "POST", f"{SPONSORSHIP}/budget", "maker", {"add_points": 1, "release_points": 1},
        *INVALID, "/add_points"),
    bad("a budget beyond the credit line", "POST", f"{SPONSORSHIP}/budget", "maker", {"add_points": 901}, 422,
        "limit_exceeded"),
    bad("more of a budget given back than it holds", "POST", f"{SPONSORSHIP}/budget", "maker",
        {"release_points": 101}, 422, "limit_exceeded"),
    bad("another merchant's budget", "POST", f"{MERCHANTS}/$cafe/sponsorships/$sponsorship/budget", "maker",
        {"release_points": 1}, *MISSING),
    bad("an end of another merchant's sponsorship", "POST", f"{MERCHANTS}/$cafe/sponsorships/$sponsorship/end",
        "maker", {}, *MISSING),
    bad("an end of no sponsorship", "POST", f"{SPONSORSHIPS}/spo_{NONE}/end", "maker", {}, *MISSING),
    bad("an end with a reason", "POST", f"{SPONSORSHIP}/end", "maker", {"reason": "x"}, *UNKNOWN, "/reason"),
]  # fmt: skip

OFFERING = {
    "name": "double",
    "audience": {"kind": "shop"},
    "holdout_ppm": 100_000,
    "variants": [{"name": "double", "share_ppm": 900_000, "rules": {"points": 2, "per_minor": 100}}],
}
OFFERS, OFFER, LAUNCHED = "/v1/offers", "/v1/offers/$offer", "/v1/offers/$launched"


def offer(what: str, *wanted: Any, who: str = "cafe", **changes: Any) -> Bad:
    return bad(what, "POST", OFFERS, who, but(OFFERING, **changes), *wanted)


def variant(what: str, at: str, **changes: Any) -> Bad:
    made = but(OFFERING["variants"][0], **changes)  # type: ignore[index]
    return offer(what, *INVALID, f"/variants/0{at}", variants=[made])


OF_OFFERS = [
    bad("an offer of nothing", "POST", OFFERS, "cafe", {}, *INVALID, "/name"),
    bad("an offer without a key", "POST", OFFERS, "cafe", OFFERING, 400, "idempotency_key_missing",
        idempotency_key=None),
    offer("an offer by a key that may only read", *FORBIDDEN, who="reader"),
    offer("an offer by a member", *WHO, who="ann"),
    offer("an offer by an operator", *WHO, who="maker"),
    offer("an offer that chooses its salt", *UNKNOWN, "/salt", salt="00" * 32),
    offer("an offer that names its hold-out", *UNKNOWN, "/holdout", holdout=["$ann"]),
    offer("an offer to everybody", *INVALID, "/audience/kind", audience={"kind": "everybody"}),
    offer("an offer to a list of nobody", *INVALID, "/audience/members", audience={"kind": "list"}),
    offer("an offer to all and some", *INVALID, "/audience/members", audience={"kind": "all", "members": ["$ann"]}),
    offer("an offer to somebody twice", *INVALID, "/audience/members",
        audience={"kind": "list", "members": ["$ann", "$ann"]}),
    offer("an offer to another book's member", *MISSING, "/audience/members/1",
        audience={"kind": "list", "members": ["$ann", "$eve"]}),
    offer("an offer to a number", *MISSING, "/audience/members/0",
        audience={"kind": "list", "members": ["$number"]}),
    offer("an offer that holds out nobody", *INVALID, "/holdout_ppm", holdout_ppm=0),
    offer("an offer that holds out everybody", *INVALID, "/holdout_ppm", holdout_ppm=1_000_000),
    offer("an offer that holds out a fraction", *INVALID, "/holdout_ppm", holdout_ppm=0.1),
    offer("an offer of parts that are too few", *INVALID, "/variants", holdout_ppm=100_001),
    offer("an offer without variants", *INVALID, "/variants", variants=[]),
    variant("a variant called as the hold-out", "/name", name="holdout"),
    variant("a variant with a space", "/name", name="two words"),
    variant("a variant of nothing", "/share_ppm", share_ppm=0),
    variant("a variant that gives more than was paid", "/rules/points", rules={"points": 2, "per_minor": 1}),
    variant("a variant by rules nobody knows", "/rules/magic", rules={"points": 1, "per_minor": 100, "magic": 1}),
    variant("a variant of half points", "/rules/points", rules={"points": 0.5, "per_minor": 100}),
    variant("a variant until some day", "/ends_at", ends_at="soon"),
    offer("an offer that ends before it begins", *INVALID, "/ends_at",
        begins_at="2019-01-01T00:00:00Z", ends_at="2018-01-01T00:00:00Z"),
    offer("an offer with windows that shrink", *INVALID, "/windows_days", windows_days=[7, 3]),
    offer("an offer with no window", *INVALID, "/windows_days", windows_days=[]),
    offer("an offer with a window of no day", *INVALID, "/windows_days/0", windows_days=[0]),
    offer("an offer compared with two years", *INVALID, "/pre_days", pre_days=731),
    offer("an offer that is all margin and more", *INVALID, "/margin/ppm", margin={"ppm": 1_000_001}),
    bad("a draft of another shop's", "GET", OFFER, "grocer", None, *MISSING),
    bad("a draft from another book", "GET", OFFER, "stranger", None, *MISSING),
    bad("a draft that nobody made", "GET", f"/v1/offers/off_{NONE}", "cafe", None, *MISSING),
    bad("a draft changed by another shop", "PUT", OFFER, "grocer", OFFERING, *MISSING),
    bad("a draft changed by a key that may only read", "PUT", OFFER, "reader", OFFERING, *FORBIDDEN),
    bad("a draft changed to nonsense", "PUT", OFFER, "cafe", but(OFFERING, holdout_ppm=200_000), *INVALID, "/variants"),
    bad("a launched offer changed", "PUT", LAUNCHED, "cafe", OFFERING, *CONFLICT),
    bad("a launched offer launched", "POST", f"{LAUNCHED}/launch", "cafe", {}, *CONFLICT),
    bad("a launch of another shop's offer", "POST", f"{OFFER}/launch", "grocer", {}, *MISSING),
    bad("a launch with another share", "POST", f"{OFFER}/launch", "cafe", {"holdout_ppm": 10_000}, *UNKNOWN,
        "/holdout_ppm"),
    bad("an end of a draft", "POST", f"{OFFER}/end", "cafe", {}, *CONFLICT),
    bad("an end of another shop's offer", "POST", f"{LAUNCHED}/end", "grocer", {}, *MISSING),
    bad("results of another shop's offer", "GET", f"{LAUNCHED}/results", "grocer", None, *MISSING),
    bad("results of happiness", "GET", f"{LAUNCHED}/results?metric=happiness", "cafe", None, *INVALID, "/metric"),
    bad("results as a poem", "GET", f"{LAUNCHED}/results?format=poem", "cafe", None, *INVALID, "/format"),
    offer("caps on an offer that gives nothing", *INVALID, "/caps", caps={"total": {"times": 5}}),
    offer("a gift that a member activates, of nothing", *INVALID, "/activation", activation="activate"),
    offer("an offer funded by the state", *INVALID, "/funding/by", budget_points=10, funding={"by": "state"}),
    offer("an offer funded by some sponsor", *INVALID, "/funding/sponsor", budget_points=10, funding={"by": "sponsor"}),
    offer("an offer funded by a sponsor that nobody knows", *MISSING, "/funding/sponsor", budget_points=10,
        funding={"by": "sponsor", "sponsor": f"mer_{NONE}"}),
    offer("an offer funded by a shop", *MISSING, "/funding/sponsor", budget_points=10,
        funding={"by": "sponsor", "sponsor": "$grocer"}),
    offer("an offer with a budget below nothing", *INVALID, "/budget_points", budget_points=-1),
    offer("an offer worth nothing", *INVALID, "/budget_minor", budget_points=10, budget_minor=0),
    offer("an offer that a member gets no time", *INVALID, "/caps/per_member/times", budget_points=10,
        caps={"per_member": {"times": 0}}),
    offer("an offer with points in all", *UNKNOWN, "/caps/total/points", budget_points=10, caps={"total": {"points": 5}}),
    offer("an offer activated some day", *INVALID, "/activation", budget_points=10, activation="some day"),
    offer("an offer to a segment", *INVALID, "/audience/segment", audience={"kind": "segment"}),
    offer("an offer to a segment that nobody saved", *MISSING, "/audience/segment",
        audience={"kind": "segment", "segment": f"seg_{NONE}"}),
    offer("an offer to a tier that is none", *MISSING, "/audience/tiers/0", audience={"kind": "tier", "tiers": ["titan"]}),
    offer("an offer to all on a tier", *INVALID, "/audience/tiers", audience={"kind": "all", "tiers": ["gold"]}),
    bad("consent to an offer by whom nobody asked", "POST", f"{OFFER}/fund", "grocer", {}, *MISSING),
    bad("consent to an offer that gives nothing", "POST", f"{OFFER}/fund", "cafe", {}, *MISSING),
    bad("consent by a key that may only read", "POST", f"{OFFER}/fund", "reader", {}, *FORBIDDEN),
    bad("a budget for an offer that gives nothing", "POST", f"{LAUNCHED}/budget", "cafe", {"add_points": 5}, *MISSING),
    bad("a budget up and down", "POST", f"{LAUNCHED}/budget", "cafe", {"add_points": 5, "release_points": 5}, *INVALID,
        "/add_points"),
    bad("an offer's budget of nothing", "POST", f"{LAUNCHED}/budget", "cafe", {}, *INVALID, "/add_points"),
    bad("one's own offers by a shop", "GET", "/v1/me/offers", "cafe", None, *WHO),
    bad("one's own offers with another's cursor", "GET", "/v1/me/offers?cursor=$cursor", "ann", None, *CURSOR),
    bad("an offer activated that gives nothing", "POST", "/v1/me/offers/$launched/activate", "ann", {}, *MISSING),
    bad("an offer activated that nobody made", "POST", f"/v1/me/offers/off_{NONE}/activate", "ann", {}, *MISSING),
    bad("an offer activated by its shop", "POST", "/v1/me/offers/$launched/activate", "cafe", {}, *WHO),
    bad("offers with another list's cursor", "GET", f"{OFFERS}?cursor=$cursor", "cafe", None, *CURSOR),
]  # fmt: skip

CLAIM = {"kind": "sale", "external_reference": "BAD-1", "amount": {"amount": 100, **USD}, "at": "2017-01-01T00:00:00Z"}
CLAIMS, BREAK = "/v1/till-claims", "/v1/operator/breaks/$break"
REPORT = "at,amount,reference\n2017-01-01T00:00:00Z,5,X\n"
BY_HAND = {"ours": ["$ours"], "theirs": ["$line"], "reason": "x"}
ADJUST = {"merchant": "$cafe", "direction": "to_merchant", "amount": {"amount": 5, **USD}, "reason": "x"}
OF_ADJUSTMENT = "/v1/operator/windows/$adjusted/adjustments/$adjustment"


def claims(what: str, *wanted: Any, **changes: Any) -> Bad:
    return bad(what, "POST", CLAIMS, "cafe", {"claims": [but(CLAIM, **changes)]}, *wanted)


def claims_csv(what: str, text: str, *wanted: Any) -> Bad:
    return bad(what, "POST", CLAIMS, "cafe", {"csv": text}, *wanted)


RECONCILING = [
    claims("a claim of a gift", *INVALID, "/claims/0/kind", kind="gift"),
    claims("a claim without a reference", *INVALID, "/claims/0/external_reference", external_reference=...),
    claims("a claim in another currency", *INVALID, "/claims/0/amount/currency", amount={"amount": 1, "currency": "EUR"}),
    claims("a claim of no age", *INVALID, "/claims/0/at", at="1800-01-01T00:00:00Z"),
    claims("a claim with a field more", *UNKNOWN, "/claims/0/phone", phone="+15550100123"),
    claims("a claim of points below zero", *INVALID, "/claims/0/points", points=-1),
    bad("claims in two ways", "POST", CLAIMS, "cafe", {"claims": [CLAIM], "csv": "x"}, *INVALID, "/csv"),
    bad("claims in no way", "POST", CLAIMS, "cafe", {}, *INVALID, "/csv"),
    bad("a list of no claims", "POST", CLAIMS, "cafe", {"claims": []}, *INVALID, "/claims"),
    bad("claims by a key of records", "POST", CLAIMS, "reader", {"csv": "x"}, *FORBIDDEN),
    claims_csv("a file without a header", "sale,X,1,2017-01-01T00:00:00Z\n", *INVALID, "/csv"),
    claims_csv("a file with a bad line", "kind,external_reference,amount,at\nsale,X,1,2017-01-01T00:00:00Z\nsale,Y,1.5,"
               "2017-01-01T00:00:00Z\n", *INVALID, "/csv"),
    claims_csv("a file of nothing", "", *INVALID, "/csv"),
    bad("claims too large", "POST", CLAIMS, "cafe", b" " * (LARGEST_BATCH_BODY + 1), *LARGE),
    bad("own breaks by a key of records", "GET", "/v1/breaks", "reader", None, *FORBIDDEN),
    bad("own breaks of a type nobody knows", "GET", "/v1/breaks?type=lost", "cafe", None, *INVALID, "/type"),
    bad("own breaks by another's cursor", "GET", "/v1/breaks?cursor=$grocers_cursor", "cafe", None, *CURSOR),
    bad("own breaks as text", "GET", "/v1/breaks?format=csv", "cafe", None, *UNKNOWN, "/format"),
    bad("a report by who approves", "POST", f"{OF_BOOK}/provider-reports", "approver", {"csv": REPORT}, *FORBIDDEN),
    bad("a report for another book", "POST", f"{OF_BOOK}/provider-reports", "of live", {"csv": REPORT}, *MISSING),
    bad("a report of a bank", "POST", f"{OF_BOOK}/provider-reports", "maker", {"source": "bank", "csv": REPORT}, *UNKNOWN,
        "/source"),
    bad("a report in another currency", "POST", f"{OF_BOOK}/provider-reports", "maker", {"csv":
        "at,amount,reference,currency\n2017-01-01T00:00:00Z,5,X,EUR\n"}, *INVALID, "/csv"),
    bad("a run by an auditor", "POST", f"{OF_BOOK}/reconciliation", "auditor", {}, *FORBIDDEN),
    bad("a run of another book", "POST", f"{OF_BOOK}/reconciliation", "of live", {}, *MISSING),
    bad("how another book stands", "GET", f"{OF_BOOK}/reconciliation", "of live", None, *MISSING),
    bad("breaks of another book", "GET", f"{OF_BOOK}/breaks", "of live", None, *MISSING),
    bad("breaks for a merchant's key", "GET", f"{OF_BOOK}/breaks", "cafe", None, *WHO),
    bad("breaks of an owner nobody knows", "GET", f"{OF_BOOK}/breaks?owner=ann", "maker", None, *INVALID, "/owner"),
    bad("breaks by another's cursor", "GET", f"{OF_BOOK}/breaks?cursor=$makers_cursor", "maker", None, *CURSOR),
    bad("a break of another book", "GET", BREAK, "of live", None, *MISSING),
    bad("a break of nobody", "GET", f"/v1/operator/breaks/brk_{NONE}", "maker", None, *MISSING),
    bad("an explanation of nothing", "POST", f"{BREAK}/explain", "maker", {"reason": ""}, *INVALID, "/reason"),
    bad("an explanation by an auditor", "POST", f"{BREAK}/explain", "auditor", {"reason": "x"}, *FORBIDDEN),
    bad("an explanation from another book", "POST", f"{BREAK}/explain", "of live", {"reason": "x"}, *MISSING),
    bad("an end without a reason", "POST", f"{BREAK}/resolve", "maker", {}, *INVALID, "/reason"),
    bad("an end before its adjustment", "POST", f"{BREAK}/resolve", "maker", {"reason": "x"}, *CONFLICT),
    bad("an end by a record of nobody", "POST", "/v1/operator/breaks/$orphan/resolve", "maker", {"reason": "x", "record":
        f"rec_{NONE}"}, *MISSING),
    bad("an end by something that is no record", "POST", f"{BREAK}/resolve", "maker", {"reason": "x", "record": "$sale"},
        *MISSING, "/record"),
    bad("a break merged with itself", "POST", f"{BREAK}/merge", "maker", {"reason": "x", "breaks": ["$break"]}, *INVALID,
        "/breaks"),
    bad("a break merged with nobody's", "POST", f"{BREAK}/merge", "maker", {"reason": "x", "breaks": [f"brk_{NONE}"]},
        *MISSING),
    bad("a break merged with nothing", "POST", f"{BREAK}/merge", "maker", {"reason": "x", "breaks": []}, *INVALID,
        "/breaks"),
    bad("matches of another book", "GET", f"{OF_BOOK}/matches", "of live", None, *MISSING),
    bad("matches of a source nobody knows", "GET", f"{OF_BOOK}/matches?source=ann", "maker", None, *INVALID, "/source"),
    bad("a match that explains money away", "POST", f"{OF_BOOK}/matches", "maker", BY_HAND, *CONFLICT),
    bad("a match of one side", "POST", f"{OF_BOOK}/matches", "maker", but(BY_HAND, theirs=[]), *INVALID, "/theirs"),
    bad("a match the wrong way round", "POST", f"{OF_BOOK}/matches", "maker", but(BY_HAND, ours=["$line"],
        theirs=["$ours"]), *INVALID, "/ours"),
    bad("a match of nobody's line", "POST", f"{OF_BOOK}/matches", "maker", but(BY_HAND, ours=[f"lin_{NONE}"]), *MISSING),
    bad("a match in another book", "POST", "/v1/operator/books/$live/matches", "maker", BY_HAND, *MISSING),
    bad("a match by who approves", "POST", f"{OF_BOOK}/matches", "approver", BY_HAND, *FORBIDDEN),
    bad("a split of nobody's match", "POST", f"/v1/operator/matches/mat_{NONE}/split", "maker", {"reason": "x"}, *MISSING),
    bad("a split without a reason", "POST", "/v1/operator/matches/$match/split", "maker", {}, *INVALID, "/reason"),
    bad("a split from another book", "POST", "/v1/operator/matches/$match/split", "of live", {"reason": "x"}, *MISSING),
    bad("a second adjustment", "POST", f"{BREAK}/adjustments", "maker", ADJUST, *CONFLICT),
    bad("an adjustment of nothing", "POST", f"{BREAK}/adjustments", "maker", but(ADJUST, amount={"amount": 0, **USD}),
        *INVALID, "/amount/amount"),
    bad("an adjustment for another merchant", "POST", f"{BREAK}/adjustments", "maker", but(ADJUST, merchant="$grocer"),
        *INVALID, "/merchant"),
    bad("an adjustment for a stranger", "POST", f"{BREAK}/adjustments", "maker", but(ADJUST, merchant="$stranger"),
        *MISSING),
    bad("an adjustment by who approves", "POST", f"{BREAK}/adjustments", "approver", ADJUST, *FORBIDDEN),
    bad("an adjustment without a key", "POST", f"{BREAK}/adjustments", "maker", ADJUST, 400, "idempotency_key_missing",
        idempotency_key=None),
    bad("an adjustment from another book", "POST", f"{BREAK}/adjustments", "of live", ADJUST, *MISSING),
    bad("an approval by a maker", "POST", f"{OF_ADJUSTMENT}/approve", "maker", {}, *FORBIDDEN),
    bad("an approval of another amount", "POST", f"{OF_ADJUSTMENT}/approve", "approver", {"amount": 6}, *UNKNOWN, "/amount"),
    bad("a no from another book", "POST", f"{OF_ADJUSTMENT}/reject", "of live", {}, *MISSING),
    bad("a no by a maker", "POST", f"{OF_ADJUSTMENT}/reject", "maker", {}, *FORBIDDEN),
]  # fmt: skip

REGULARS = {"measure": "purchases", "at_least": 2}
SEGMENTS, OF_SEGMENT = "/v1/segments", "/v1/segments/$segment"
BIRTHDAY = {"kind": "birthday", "calendar": "jalali", "month": 12, "day": 30}


def defined(what: str, definition: Any, *wanted: Any) -> Bad:
    return bad(f"a segment of {what}", "POST", f"{SEGMENTS}/preview", "cafe", {"definition": definition}, *wanted)


def occasion(what: str, at: str, **changes: Any) -> Bad:
    body = {"occasions": [but(BIRTHDAY, **changes)]}
    return bad(f"an occasion {what}", "PUT", "/v1/me/occasions", "ann", body, *INVALID, f"/occasions/0/{at}")


INSIGHT = [
    defined("nothing", {}, *INVALID, "/definition"),
    defined("a list", [], *INVALID, "/definition"),
    defined("a measure nobody knows", {"measure": "luck"}, *INVALID, "/definition/measure"),
    defined("a half", {"measure": "visits", "at_least": 0.5}, *INVALID, "/definition/at_least"),
    defined("SQL", {"measure": "visits'; drop table sale"}, *INVALID, "/definition/measure"),
    defined("nothing inside", {"any": [REGULARS, {"not": {}}]}, *INVALID, "/definition/any/1/not"),
    defined("a name too many", {**REGULARS, "or/1~1": 1}, *INVALID, "/definition/or~11~01"),
    bad("a segment without a name", "POST", SEGMENTS, "cafe", {"definition": REGULARS}, *INVALID, "/name"),
    bad("a segment named as another", "POST", SEGMENTS, "cafe", {
        "name": "regulars", "definition": {"measure": "kind", "is": "legal"}
    }, *CONFLICT),
    bad("a segment by a reader", "POST", SEGMENTS, "reader", {"name": "x", "definition": REGULARS}, *FORBIDDEN),
    bad("the segments of nobody", "GET", SEGMENTS, None, None, *WHO),
    bad("a segment of another shop", "GET", OF_SEGMENT, "grocer", None, *MISSING),
    bad("a segment of another book", "GET", OF_SEGMENT, "stranger", None, *MISSING),
    bad("another shop's segment changed", "PUT", OF_SEGMENT, "grocer", {"definition": REGULARS}, *MISSING),
    bad("the members of another shop's", "GET", f"{OF_SEGMENT}/members", "grocer", None, *MISSING),
    bad("a member of another shop's", "GET", f"{OF_SEGMENT}/members/$ann", "grocer", None, *MISSING),
    bad("a member who never bought here", "GET", f"{OF_SEGMENT}/members/$bob", "cafe", None, *MISSING),
    bad("a member of another book's", "GET", f"{OF_SEGMENT}/members/$eve", "cafe", None, *MISSING),
    bad("fifths of no days", "GET", f"{SEGMENTS}/rfm?within_days=0", "cafe", None, *INVALID),
    bad("fifths on paper", "GET", f"{SEGMENTS}/rfm?format=pdf", "cafe", None, *INVALID),
    bad("the next offers of no member", "GET", "/v1/members/mem_0/next-offers", "cafe", None, *MISSING),
    bad("the next offers of oneself by a shop", "GET", "/v1/me/next-offers", "cafe", None, *WHO),
    bad("the occasions of a shop", "GET", "/v1/me/occasions", "cafe", None, *WHO),
    occasion("of no kind", "kind", kind="name_day"),
    occasion("of another calendar", "calendar", calendar="lunar"),
    occasion("on a day that month never has", "day", month=7, day=31),
    occasion("on a day that year had not", "day", year=1404),
    occasion("with another's name", "name", name="x"),
    bad("two birthdays", "PUT", "/v1/me/occasions", "ann", {"occasions": [BIRTHDAY, BIRTHDAY]}, *INVALID, "/occasions"),
    bad("a network's segment of nothing", "POST", f"{OF_BOOK}/segments/preview", "maker", {"definition": {}},
        *INVALID, "/definition"),
    bad("a network's segment by an auditor", "POST", f"{OF_BOOK}/segments", "auditor", {
        "name": "x", "definition": REGULARS
    }, *FORBIDDEN),
    bad("segments of another book", "GET", f"{OF_BOOK}/segments", "of live", None, *MISSING),
    bad("a shop's segment as the network's", "GET", f"{OF_BOOK}/segments/$segment", "maker", None, *MISSING),
    bad("its members as the network's", "GET", f"{OF_BOOK}/segments/$segment/members", "maker", None, *MISSING),
    bad("next offers turned on by an auditor", "POST", f"{OF_BOOK}/next-offers", "auditor", {}, *FORBIDDEN),
    bad("next offers of another book turned on", "POST", f"{OF_BOOK}/next-offers", "of live", {}, *MISSING),
    bad("fifths of another book", "GET", f"{OF_BOOK}/segments/rfm", "of live", None, *MISSING),
]  # fmt: skip


OWN_PHONE = {"phone": "+15550100778", "code": "000000", "new_code": "000000"}
OF_ONESELF = [
    bad("notices of a shop", "GET", "/v1/me/notices", "cafe", None, *WHO),
    bad("no notices at a time", "GET", "/v1/me/notices?limit=0", "ann", None, *INVALID),
    bad("notices behind a cursor of records", "GET", "/v1/me/notices?cursor=$anns_cursor", "ann", None, *CURSOR),
    bad("notices of another", "GET", "/v1/me/notices?member=$bob", "ann", None, *UNKNOWN, "/member"),
    bad("savings of another", "GET", "/v1/me/savings?member=$bob", "ann", None, *UNKNOWN, "/member"),
    bad("savings by the moon", "GET", "/v1/me/savings?calendar=lunar", "ann", None, *INVALID),
    bad("savings of a lifetime", "GET", "/v1/me/savings?months=900", "ann", None, *INVALID),
    bad("consents to nothing at all", "PUT", "/v1/me/consents", "ann", {"consents": []}, *INVALID, "/consents"),
    bad("a consent in capitals", "PUT", "/v1/me/consents", "ann", {"consents": [{"purpose": "SMS", "given": True}]},
        *INVALID, "/consents/0/purpose"),
    bad("more consents than are kept", "PUT", "/v1/me/consents", "ann",
        {"consents": [{"purpose": "x" * n, "given": True} for n in range(1, 22)]}, *INVALID, "/consents"),
    bad("another's consents", "PUT", "/v1/me/consents", "ann",
        {"consents": [{"purpose": "x", "given": True}], "member": "$bob"}, *UNKNOWN, "/member"),
    bad("the sessions of a shop", "GET", "/v1/me/sessions", "cafe", None, *WHO),
    bad("sessions with a query", "GET", "/v1/me/sessions?member=$bob", "ann", None, *UNKNOWN, "/member"),
    bad("the end of a session of nobody", "POST", "/v1/me/sessions/end", "ann", {"session": f"ses_{NONE}"}, *MISSING,
        "/session"),
    bad("the end of a session that is a device", "POST", "/v1/me/sessions/end", "ann", {"session": f"dev_{NONE}"},
        *MISSING, "/session"),
    bad("the end of another's sessions", "POST", "/v1/me/sessions/end", "ann", {"member": "$bob"}, *UNKNOWN, "/member"),
    bad("a code to another's telephone", "POST", "/v1/me/step-up", "ann", {"phone": "+15550100124"}, *UNKNOWN,
        "/phone"),
    bad("a step-up of a shop", "POST", "/v1/me/step-up", "cafe", {}, *WHO),
    bad("an export without a code", "POST", "/v1/me/export", "ann", {}, *INVALID, "/code"),
    bad("an export with a code nobody sent", "POST", "/v1/me/export", "ann", {"code": "000000"}, 403,
        "step_up_required", "/code"),
    bad("an export of another", "POST", "/v1/me/export", "ann", {"code": "000000", "member": "$bob"}, *UNKNOWN,
        "/member"),
    bad("a new telephone that is none", "POST", "/v1/me/phone/code", "ann", {"phone": "call me"}, *INVALID, "/phone"),
    bad("a new telephone of a shop", "POST", "/v1/me/phone/code", "cafe", {"phone": "+15550100778"}, *WHO),
    bad("a new telephone without codes", "PUT", "/v1/me/phone", "ann", {"phone": "+15550100778"}, *INVALID, "/code"),
    bad("a new telephone with codes nobody sent", "PUT", "/v1/me/phone", "ann", OWN_PHONE, 403, "step_up_required",
        "/code"),
    bad("one's own telephone as a new one", "PUT", "/v1/me/phone", "ann", OWN_PHONE | {"phone": "+15550100123"},
        *INVALID, "/phone"),
]  # fmt: skip

TABLE = list(
    chain(
        AMOUNTS, TEXTS, TIMES, SHAPES, IDS, CREDENTIALS, HEADERS, PATHS, QUERIES, TILL, MEMBERS, VOUCHERS, RAILS, OPERATORS, SAFETY, TIERS, BENEFITS, SPONSORS, OF_OFFERS, RECONCILING, INSIGHT, OF_ONESELF
    )
)  # fmt: skip


def request(siege: Siege, row: Bad) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The headers and the body of a row."""
    body = b""
    if row.body is not None:
        text = row.body if isinstance(row.body, bytes) else json.dumps(row.body).encode()
        body = siege.filled(text.decode("latin-1")).encode("latin-1") if b"$" in text else text
    told: dict[str, Any] = {"idempotency-key": new_key()}
    if row.who is not None:
        told["authorization"] = f"Bearer {siege.who[row.who]}"
    if row.body is not None:
        told |= {"content-type": "application/json", "content-length": str(len(body))}
    told |= row.headers
    headers = []
    for name, values in told.items():
        for value in values if isinstance(values, list) else [] if values is None else [values]:
            headers.append((name.encode(), siege.filled(value).encode("latin-1")))
    return headers, body


def answered(siege: Siege, row: Bad) -> tuple[Any, ...]:
    """(status, code, pointer) of a problem that is whole and that the document tells of."""
    headers, body = request(siege, row)
    path = siege.filled(row.path)
    answer = siege.send(row.method, path, headers, body)
    assert answer.headers["content-type"] == "application/problem+json", row.what
    assert answer.headers["cache-control"] == "no-store", row.what
    problem = msgspec.json.decode(answer.content, type=ProblemOut)
    told = answer.json()
    assert set(told) == set(ProblemOut.__struct_fields__), row.what
    kind = KINDS[problem.code]
    assert (problem.status, problem.title, problem.retryable) == (answer.status_code, kind.title, kind.retryable)
    assert problem.status == kind.status < 500, row.what
    assert problem.type == f"/problems/{problem.code}"
    assert problem.request_id == answer.headers["request-id"]
    assert problem.detail
    as_documented(row.method, path, answer)
    pointers = [error.pointer for error in problem.errors]
    return (problem.status, problem.code, *pointers) if len(row.wanted) > 2 else (problem.status, problem.code)


@pytest.fixture(scope="module")
def besieged(siege: Siege) -> Siege:
    cursor = siege.names["cursor"]
    sold = siege.api.done("GET", f"/v1/sales/{siege.names['sale']}", by=siege.who["cafe"])
    siege.names |= {
        "cut_cursor": cursor[:-4],
        "reference": sold["external_reference"],
        "anns_code": siege.ann.code(),
        "bobs_code": siege.bob.code(),
    }
    return siege


def test_bad_requests(besieged: Siege) -> None:
    assert len(TABLE) >= 120
    assert [what for what, times in Counter(row.what for row in TABLE).items() if times > 1] == []
    wrong: dict[str, Any] = {}
    stood = besieged.ledger()
    for row in TABLE:
        got = answered(besieged, row)
        if got != row.wanted:
            wrong[row.what] = f"{got}, not {row.wanted}"
        now = besieged.ledger()
        if now != stood:
            wrong[f"{row.what} (ledger)"] = "something of value changed"
        stood = now
    assert wrong == {}


def test_every_operation_is_attacked() -> None:
    tried = {
        op.function
        for op, route in ROUTES
        for row in TABLE
        if row.method == op.method and route.fullmatch(row.path.partition("?")[0])
    }
    assert [f"{op.method} {op.path}" for op in OPERATIONS if op.function not in tried] == []


OPERATION_TABLE: Sequence[tuple[str, Any, tuple[Any, ...]]] = [
    ("nothing", None, (422, "validation_failed", "")),
    ("a number", 5, (422, "validation_failed", "")),
    ("no key", {"operation": "sale", "body": SALE}, (400, "idempotency_key_missing", "/idempotency_key")),
    ("a short key", {"operation": "sale", "idempotency_key": "x", "body": SALE}, (400, "malformed_request",
                                                                                  "/idempotency_key")),
    ("no operation", {"idempotency_key": "k" * 20, "body": SALE}, (422, "validation_failed", "/operation")),
    ("an operation nobody knows", {"operation": "gift", "idempotency_key": "k" * 20}, (422, "validation_failed",
                                                                                       "/operation")),
    ("a batch in a batch", {"operation": "batch", "idempotency_key": "k" * 20, "body": {"operations": []}},
     (422, "validation_failed", "/operation")),
    ("a field more", {"operation": "sale", "idempotency_key": "k" * 20, "body": SALE, "bodyguard": 1},
     (422, "unknown_field", "/bodyguard")),
    ("a field more in the body", {"operation": "sale", "idempotency_key": "k" * 20, "body": but(SALE, x=1)},
     (422, "unknown_field", "/x")),
    ("a void of another kind", {"operation": "void", "idempotency_key": "k" * 20, "redemption": "$sale"},
     (404, "not_found", "/redemption")),
    ("a void of nothing", {"operation": "void", "idempotency_key": "k" * 20}, (422, "validation_failed", "/redemption")),
    ("a refund named twice", {"operation": "sale_refund", "idempotency_key": "k" * 20, "sale": "$sale", "sale_reference":
     "S", "body": {"external_reference": "F", "amount": {"amount": 1, **USD}}}, (422, "validation_failed", "/sale")),
    ("a refund of a reference nothing bears", {"operation": "sale_refund", "idempotency_key": "k" * 20, "sale_reference":
     "nothing bears it", "body": {"external_reference": "F", "amount": {"amount": 1, **USD}}},
     (404, "not_found", "/sale_reference")),
    ("a refund of a reference of blanks", {"operation": "sale_refund", "idempotency_key": "k" * 20, "sale_reference": "  ",
     "body": {"external_reference": "F", "amount": {"amount": 1, **USD}}}, (422, "validation_failed", "/sale_reference")),
    ("a voucher the key may not return", {"operation": "voucher_return", "idempotency_key": "k" * 20, "voucher":
     "$voucher"}, (403, "forbidden")),
    ("a return of another kind", {"operation": "voucher_return", "idempotency_key": "k" * 20, "voucher": "$sale"},
     (404, "not_found", "/voucher")),
    ("a redemption the key may not make", {"operation": "redemption", "idempotency_key": "k" * 20, "body": REDEMPTION},
     (403, "forbidden")),
    ("another shop's branch", {"operation": "sale", "idempotency_key": "b" * 20, "body": but(
        SALE, branch="$grocers_branch")}, (404, "not_found", "/branch")),
    ("nested 40 deep", {"operation": "sale", "idempotency_key": "k" * 20, "body": but(
        SALE, lines=json.loads("[" * 40 + "]" * 40))}, (400, "malformed_request")),
]  # fmt: skip


def test_a_bad_operation_spoils_only_itself(besieged: Siege) -> None:
    """Each bad operation between two good sales: the sales are made, in order, and the bad ones refused."""
    row = bad(
        "a mixed batch",
        "POST",
        BATCHES,
        "batcher",
        {
            "operations": list(
                chain.from_iterable(
                    (
                        operation,
                        {
                            "operation": "sale",
                            "idempotency_key": new_key(),
                            "body": but(SALE, external_reference=f"MIXED-{i}"),
                        },
                    )
                    for i, (_, operation, _) in enumerate(OPERATION_TABLE)
                )
            )
        },
    )
    headers, body = request(besieged, row)
    answer = besieged.send("POST", BATCHES, headers, body)
    assert answer.status_code == 200
    outcomes = answer.json()["outcomes"]
    refused = [msgspec.convert(outcome["body"], ProblemOut) for outcome in outcomes[::2]]
    got = [(p.status, p.code, *(error.pointer for error in p.errors)) for p in refused]
    assert dict(zip((what for what, _, _ in OPERATION_TABLE), got, strict=True)) == {
        what: wanted for what, _, wanted in OPERATION_TABLE
    }
    assert [outcome["body"]["external_reference"] for outcome in outcomes[1::2]] == [
        f"MIXED-{i}" for i in range(len(OPERATION_TABLE))
    ]
