"""A Stripe of the tests' own, on loopback: Transfers, their reversals and Checkout sessions, with idempotency keys and the
errors that Stripe documents; it can be told to be slow, to fail, to do what it is asked and never say so. And its webhooks.
"""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import stripe

SECRET = "whsec_of_the_tests"


class FakeStripe:
    """State, and what is to go wrong: `faults` are taken one a request, in order.

    `before`: the connection breaks before anything is done; `after`: behind it; `500`, `429`, `401`: that status, nothing
    done; `slow`: done, and answered too late.
    """

    def __init__(self, key: str = "sk_test_fake", mode: str = "test") -> None:
        self.key, self.mode = key, mode
        self.transfers: dict[str, dict[str, Any]] = {}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.balance = 10**12
        self.faults: list[str] = []
        self.requests: list[tuple[str, str, str | None]] = []
        self.hangs_seconds = 0.0
        self._kept: dict[str, tuple[Any, int, Any]] = {}
        self._lock = threading.Lock()
        self._number = 0

    # -- the API

    def answer(self, method: str, path: str, form: Any, key: str | None, auth: str) -> tuple[int, Any]:
        with self._lock:
            self.requests.append((method, path, key))
            if auth != f"Bearer {self.key}":
                return 401, error("invalid_request_error", "Invalid API Key provided")
            if method == "GET" and path == "/v1/transfers":
                found = [t for t in self.transfers.values() if t["transfer_group"] == form.get("transfer_group")]
                after = form.get("starting_after")
                ids = [t["id"] for t in found]
                rest = found[ids.index(after) + 1 :] if after else found
                # pages are short, so that a reader who reads one alone is seen
                return 200, {
                    "object": "list",
                    "url": path,
                    "data": rest[:2],
                    "has_more": len(rest) > 2,
                }
            if method != "POST":
                return 404, error("invalid_request_error", "Unrecognized request URL")
            if key is not None and key in self._kept:
                sent, status, body = self._kept[key]
                if sent != (path, form):
                    return 400, error(
                        "idempotency_error", "Keys for idempotent requests can only be used with the same parameters"
                    )
                return status, body
            status, body = self._post(path, form)
            if key is not None and status < 500:
                self._kept[key] = ((path, form), status, body)
            return status, body

    def _post(self, path: str, form: Any) -> tuple[int, Any]:
        self._number += 1
        metadata = {k[9:-1]: v for k, v in form.items() if k.startswith("metadata[")}
        if path == "/v1/transfers":
            amount = int(form["amount"])
            if not form["destination"].startswith("acct_known"):
                return 400, error("invalid_request_error", "No such destination", "resource_missing", "destination")
            if amount > self.balance:
                return 400, error("invalid_request_error", "You have insufficient funds", "balance_insufficient")
            self.balance -= amount
            made = {
                "id": f"tr_{self._number}",
                "object": "transfer",
                "amount": amount,
                "amount_reversed": 0,
                "currency": form["currency"],
                "destination": form["destination"],
                "transfer_group": form["transfer_group"],
                "metadata": metadata,
                "reversed": False,
                "livemode": self.mode == "live",
            }
            self.transfers[made["id"]] = made
            return 200, made
        if path == "/v1/checkout/sessions":
            session = {
                "id": f"cs_{self._number}",
                "object": "checkout.session",
                "amount_total": int(form["line_items[0][price_data][unit_amount]"]),
                "currency": form["line_items[0][price_data][currency]"],
                "client_reference_id": form["client_reference_id"],
                "metadata": metadata,
                "payment_intent": f"pi_{self._number}",
                "payment_status": "unpaid",
                "url": f"https://checkout.stripe.test/{self._number}",
                "livemode": self.mode == "live",
            }
            self.sessions[session["id"]] = session
            return 200, session
        return 404, error("invalid_request_error", "Unrecognized request URL")

    # -- what happens there

    def pay(self, session: str, amount: int | None = None) -> tuple[bytes, str]:
        """A person pays at the page; the webhook that says so."""
        of = self.sessions[session]
        of["payment_status"] = "paid"
        told = of if amount is None else of | {"amount_total": amount}
        return self.event("checkout.session.completed", told)

    def intent(self, session: str) -> tuple[bytes, str]:
        of = self.sessions[session]
        intent = {"id": of["payment_intent"], "object": "payment_intent", "amount_received": of["amount_total"]}
        return self.event("payment_intent.succeeded", intent | {k: of[k] for k in ("currency", "metadata")})

    def reverse(self, transfer: str, amount: int | None = None) -> tuple[bytes, str]:
        of = self.transfers[transfer]
        of["amount_reversed"] = of["amount"] if amount is None else amount
        of["reversed"] = of["amount_reversed"] == of["amount"]
        return self.event("transfer.reversed", of)

    def event(self, kind: str, of: Any, *, id: str | None = None, live: bool | None = None) -> tuple[bytes, str]:
        """(body, Stripe-Signature)"""
        self._number += 1
        told = {
            "id": id or f"evt_{self._number}",
            "object": "event",
            "type": kind,
            "livemode": self.mode == "live" if live is None else live,
            "created": int(time.time()),
            "data": {"object": dict(of)},
        }
        raw = json.dumps(told).encode()
        return raw, signed(raw)


def signed(raw: bytes, secret: str = SECRET, at: int | None = None) -> str:
    return str(stripe.WebhookSignature.generate_signature_header(raw.decode(), secret, at))


def error(type: str, message: str, code: str | None = None, param: str | None = None) -> Any:
    return {"error": {"type": type, "message": message, "code": code, "param": param}}


@contextmanager
def serving(fake: FakeStripe) -> Iterator[str]:
    """The address at which a fake is reached, on loopback."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            self._do("POST")

        def do_GET(self) -> None:
            self._do("GET")

        def _do(self, method: str) -> None:
            where = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            form = dict(parse_qsl(raw)) if method == "POST" else {k: v[0] for k, v in parse_qs(where.query).items()}
            fault = fake.faults.pop(0) if fake.faults else ""
            if fault == "before":
                self.close_connection = True
                return
            if fault in ("500", "429", "401"):
                self._reply(int(fault), error("api_error", "try again"))
                return
            key, auth = self.headers.get("idempotency-key"), self.headers.get("authorization") or ""
            status, body = fake.answer(method, where.path, form, key, auth)
            if fake.hangs_seconds:
                time.sleep(fake.hangs_seconds)
            if fault == "after":
                self.close_connection = True
                return
            self._reply(status, body)

        def _reply(self, status: int, body: Any) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
