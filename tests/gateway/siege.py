"""A network that stands while a whole table of attacks is tried on it, and a way to send what no client would."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from string import Template
from typing import Any, Final
from urllib.parse import unquote

import msgspec
import psycopg
from starlette.types import Message

from deploy.commands.operator import make_key
from gateway.tokens import Bearer
from ledger import ids
from tests.gateway.network import Api, Member, new_key
from tests.gateway.phone import Phone

NOBODY = 32 * "0"

Headers = Sequence[tuple[bytes, bytes]]


@dataclass
class Answer:
    """What came back over ASGI, as it came."""

    status_code: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.content)


@dataclass
class Siege:
    """Two books (`test` and `live`), four shops, two members, five operators, and what happened between them.

    `who` names the credentials, `names` what stands for `$name` in the paths and bodies of a table.
    """

    api: Api
    ann: Member
    bob: Member
    watch: psycopg.Connection[Any]
    who: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, target: str, headers: Headers = (), body: bytes | Sequence[bytes] = b"") -> Answer:
        """One request as an ASGI server would hand it in, its headers in their order and as often as they are given."""
        raw, _, query = target.encode("latin-1").partition(b"?")
        chunks = [body] if isinstance(body, bytes) else list(body)
        messages: list[Message] = [
            {"type": "http.request", "body": chunk, "more_body": i < len(chunks) - 1} for i, chunk in enumerate(chunks)
        ]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(raw.decode("ascii")),
            "raw_path": raw,
            "query_string": query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in headers],
            "client": ("203.0.113.7", 40_000),
            "server": ("testserver", 80),
        }
        sent: list[Message] = []

        async def receive() -> Message:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def drive() -> None:
            async def send(message: Message) -> None:
                sent.append(message)

            await self.api.client.app(scope, receive, send)

        portal = self.api.client.portal
        assert portal is not None
        portal.call(drive)
        told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], told, b"".join(message.get("body", b"") for message in sent[1:]))

    def filled(self, text: str) -> str:
        return Template(text).safe_substitute(self.names)

    def ledger(self) -> tuple[Any, ...]:
        """All there is of value: heads, balances, lots, holds, sales, redemptions, windows."""
        return tuple(self.watch.execute(query).fetchall() for query in _OF_VALUE)


_OF_VALUE: Final = (
    "select book_id, next_sequence, hash from ledger.head order by 1",
    "select book_id, name, balance from ledger.account where balance <> 0 order by 1, 2",
    "select id, pending, remaining, held from ledger.lot order by 1",
    "select id, state from ledger.hold order by 1",
    "select id, state, revision from settlement.window order by 1",
    "select id, clock, settings_revision from ledger.book order by 1",
    "select (select count(*) from merchants.sale), (select count(*) from merchants.redemption),"
    " (select count(*) from merchants.merchant), (select count(*) from merchants.member),"
    " (select count(*) from merchants.branch), (select count(*) from merchants.till),"
    " (select count(*) from merchants.device), (select count(*) from merchants.api_key)",
    "select id, state, name, holdout_ppm, variants, salt, count_at from merchants.offer order by 1",
    "select offer_id, member_id, arm from merchants.offer_member order by 1, 2",
)


def besiege(api: Api, watch: psycopg.Connection[Any]) -> Siege:
    """The network, with a past: sales, a hold, a capture, a void, a window that one person submitted, one that is open."""
    api.open_shop("baker")
    live = api.open_book("live", mode="live")
    stranger = api.open_shop("stranger", book=live)
    ann, bob = api.member(), api.member("+15550100124")
    siege = Siege(api, ann, bob, watch)
    cafe, both = api.shops["cafe"], make_key(api.url, "both", frozenset({"maker", "approver"})).secret
    sold = api.sell(ann, 100_000)
    api.sell(bob, 100_000, "grocer")

    def spend(step: str | None, **more: Any) -> Any:
        api.advance((api.clock() + timedelta(minutes=2)).isoformat())
        held = api.done("POST", "/v1/redemptions", api.redemption(ann, 10, **more), by=cafe.key, key=new_key())
        if step:
            api.done("POST", f"/v1/redemptions/{held['id']}/{step}", {}, by=cafe.key, key=new_key())
        return held["id"]

    captured, voided = spend("capture"), spend("void")

    def windows() -> Any:
        return api.done("GET", f"/v1/operator/books/{api.book}/windows", by=api.maker)["data"]

    first = windows()[0]["id"]
    at = "/v1/operator/windows"
    api.done("POST", f"{at}/{first}/close", {}, by=both, key=new_key())
    done = api.done("POST", f"{at}/{first}/submit", {}, by=both, key=new_key())
    api.sell(ann, 2_000)
    phone = Phone(ann)
    voucher = phone.voucher(10)
    # the book's clock stands from here on: the hold lasts as long as the siege
    held = spend(None)
    bank, sponsorship = sponsor(api)
    offer, launched = offered(api)
    breaks = disagreed(api, sold) | taken_back(api, both)
    regulars = {"name": "regulars", "definition": {"measure": "purchases", "at_least": 2}}
    segment = api.done("POST", "/v1/segments", regulars, by=cafe.key)["id"]
    elsewhere = api.done("POST", "/v1/members", {"phone": "+16502530000"}, by=stranger.key)
    book, eve = ids.read("book", live), ids.read("member", elsewhere["id"])
    assert book is not None
    assert eve is not None
    statements = api.done("GET", "/v1/statements", by=cafe.key)["data"]
    others = api.done("GET", "/v1/statements", by=api.shops["grocer"].key)["data"]
    siege.who |= {
        "cafe": cafe.key,
        "grocer": api.shops["grocer"].key,
        "stranger": stranger.key,
        "reader": api.restricted("cafe", "records:read"),
        "batcher": api.restricted("cafe", "batches:write", "sales:write"),
        "ann": ann.token,
        "bob": bob.token,
        "eve": api.server.tokens.issue(Bearer(eve, book)),
        "maker": api.maker,
        "approver": api.approver,
        "both": both,
        "auditor": make_key(api.url, "auditor", frozenset({"auditor"})).secret,
        "of live": make_key(api.url, "of live", frozenset({"maker", "approver"}), book=live).secret,
    }
    siege.names |= {
        "book": api.book,
        "live": live,
        "cafe": cafe.id,
        "branch": cafe.branch,
        "till": cafe.till,
        "grocer": api.shops["grocer"].id,
        "grocers_branch": api.shops["grocer"].branch,
        "grocers_till": api.shops["grocer"].till,
        "stranger": stranger.id,
        "bank": bank,
        "sponsorship": sponsorship,
        "segment": segment,
        "offer": offer,
        "launched": launched,
        "strangers_branch": stranger.branch,
        "ann": ann.id,
        "number": ann.number,
        "bob": bob.id,
        "eve": elsewhere["id"],
        "eves_number": elsewhere["number"],
        "sale": sold["id"],
        "record": sold["record"],
        "held": held,
        "captured": captured,
        "voided": voided,
        "device": phone.id,
        "voucher": voucher["id"],
        "signed": voucher["voucher"],
        "submitted": first,
        "open": windows()[0]["id"],
        "hash": done["positions_hash"],
        "statement": statements[0]["id"],
        "grocers_statement": others[0]["id"],
        "nobody": NOBODY,
        **breaks,
        "cursor": api.done("GET", "/v1/records?limit=1", by=cafe.key)["next_cursor"],
        "grocers_cursor": api.done("GET", "/v1/records?limit=1", by=api.shops["grocer"].key)["next_cursor"],
        "anns_cursor": api.done("GET", "/v1/me/records?limit=1", by=ann.token)["next_cursor"],
        "makers_cursor": api.done("GET", f"/v1/operator/books/{api.book}/merchants?limit=1", by=api.maker)[
            "next_cursor"
        ],
    }
    return siege


def disagreed(api: Api, sold: Any) -> dict[str, str]:
    """A till that tells one sale rightly and two not: a match, two breaks, and an adjustment that one person proposed."""
    told = {"kind": "sale", "at": api.clock().isoformat(), "amount": sold["total"]}
    more = api.sell(None, 700)["external_reference"]
    claims = [
        told | {"external_reference": sold["external_reference"]},
        told | {"external_reference": more},
        {**told, "kind": "refund", "external_reference": "nothing", "original_reference": "nothing at all"},
    ]
    api.done("POST", "/v1/till-claims", {"claims": claims}, by=api.shops["cafe"].key)
    found = {row["type"]: row for row in api.done("GET", "/v1/breaks", by=api.shops["cafe"].key)["data"]}
    wrong = found["amount"]
    lines = {line["side"]: line["id"] for line in wrong["lines"]}
    of_book = f"/v1/operator/books/{api.book}"
    (match,) = api.done("GET", f"{of_book}/matches", by=api.maker)["data"]
    body = {"merchant": api.shops["cafe"].id, "direction": "to_merchant", "amount": {"amount": 5, "currency": "USD"},
            "reason": "as rung up"}  # fmt: skip
    path = f"/v1/operator/breaks/{wrong['id']}/adjustments"
    proposed = api.done("POST", path, body, by=api.maker, key=new_key())
    return {"break": wrong["id"], "orphan": found["orphan_refund"]["id"], "ours": lines["ours"], "line": lines["theirs"],
            "match": match["id"], "adjustment": proposed["id"], "adjusted": proposed["window"]}  # fmt: skip


def offered(api: Api) -> tuple[str, str]:
    """An offer of the café's that is a draft, and one that is launched."""
    variants = [{"name": "double", "share_ppm": 500_000, "rules": {"points": 2, "per_minor": 100}}]
    body = {"name": "double", "audience": {"kind": "all"}, "holdout_ppm": 500_000, "variants": variants}
    by = api.shops["cafe"].key
    draft, launched = (api.done("POST", "/v1/offers", body, by=by, key=new_key())["id"] for _ in range(2))
    api.done("POST", f"/v1/offers/{launched}/launch", {}, by=by, key=new_key())
    return draft, launched


def taken_back(api: Api, both: str) -> dict[str, str]:
    """What a bank took back of a top-up, as one person says who might approve it, but for having said so."""
    reference = {"amount": {"amount": 50, "currency": "USD"}, "reference": "paid in"}
    path = f"/v1/operator/merchants/{api.shops['cafe'].id}/topups"
    topup = api.done("POST", path, reference, by=both, key=new_key())["record"]
    body = {"topup": topup, "amount": {"amount": 20, "currency": "USD"}, "reference": "RCL", "reason": "recalled"}
    proposed = api.done("POST", f"/v1/operator/books/{api.book}/charge-backs", body, by=both, key=new_key())
    return {"topup": topup, "charge_back": proposed["id"]}


def sponsor(api: Api) -> tuple[str, str]:
    """A bank, and its sponsorship at the grocer's."""
    bank = api.done(
        "POST", f"/v1/operator/books/{api.book}/merchants", {"name": "bank", "kind": "sponsor"}, by=api.maker
    )
    of = f"/v1/operator/merchants/{bank['id']}"
    contract = {"mode": "deferred", "credit_line_points": 1_000, "purchase_fee_ppm": 0, "redemption_fee_ppm": 0}
    api.done("POST", f"{of}/contracts", contract, by=api.maker)
    body = {"shops": [api.shops["grocer"].id], "rules": {"points": 1, "per": 100}, "budget_points": 100}
    return bank["id"], api.done("POST", f"{of}/sponsorships", body, by=api.maker, key=new_key())["id"]
