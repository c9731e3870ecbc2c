"""Stripe: top-ups by Checkout, credited by nothing but the webhook that proves itself; payouts by Transfer.

Works over the wire's own values: the library's objects are no dicts, and only a few of their fields are needed.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

import stripe
from stripe import StripeClient

from settlement.rails import instructions
from settlement.rails.charge_backs import Dispute
from settlement.rails.instructions import Said
from settlement.rails.port import SLOWEST_SECONDS, Answer, Done, Order, Refused, Unknown, Waiting

NAME: Final = "stripe"
#: How old a webhook may be, and how far ahead its clock, in seconds.
TOLERANCE: Final = 300
#: The names under which an object of Stripe's names what it is of.
METADATA: Final = "manex_instruction"

#: Currencies that Stripe counts in other than hundredths.
_WHOLE: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_THOUSANDTHS: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})

#: Keys of a mode begin like this, whether whole or restricted.
PREFIXES: Final = {"test": ("sk_test_", "rk_test_"), "live": ("sk_live_", "rk_live_")}


def is_key_of(mode: str, key: str) -> bool:
    return key.startswith(PREFIXES[mode])


class Stripe:
    """Stripe with the secret key of one mode. `return_url` is where a person goes from its page."""

    name = NAME

    def __init__(self, mode: str, key: str, return_url: str, *, api_base: str | None = None) -> None:
        assert is_key_of(mode, key), f"no {mode} key"
        self._return_url = return_url
        self._client = StripeClient(
            key,
            base_addresses={"api": api_base} if api_base else None,
            # we ask again ourselves, from the table: never in here
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=(5, SLOWEST_SECONDS - 5)),
        )

    def make(self, order: Order) -> Answer:
        if order.exponent != _exponent(order.currency):
            return Refused("currency", f"Stripe counts {order.currency} in other units than this book")
        try:
            return self._session(order) if order.account is None else self._transfer(order)
        except Exception as error:  # the library's, and whatever stands below it
            return _answer(error)

    def ask(self, order: Order) -> Answer | None:
        """A top-up cannot be looked for: its key makes that making it again is the same page."""
        if order.account is None:
            return None
        try:
            page = self._client.v1.transfers.list({"transfer_group": order.group, "limit": 100})
            for transfer in page.auto_paging_iter():
                if _named(transfer.metadata) == order.instruction_id:
                    # one that was reversed since was made all the same: the webhook tells of the rest
                    return Done(transfer.id)
        except Exception as error:
            answer = _answer(error)
            return Unknown(answer.why) if isinstance(answer, Refused) else answer
        return None

    def _transfer(self, order: Order) -> Answer:
        assert order.account is not None
        made = self._client.v1.transfers.create(
            {
                "amount": order.amount_minor,
                "currency": order.currency.lower(),
                "destination": order.account,
                "transfer_group": order.group,
                "metadata": {METADATA: instructions.reference(order.instruction_id)},
            },
            {"idempotency_key": instructions.reference(order.instruction_id)},
        )
        return Done(made.id)

    def _session(self, order: Order) -> Answer:
        reference = instructions.reference(order.instruction_id)
        made = self._client.v1.checkout.sessions.create(
            {
                "mode": "payment",
                "line_items": [
                    {
                        "quantity": 1,
                        "price_data": {
                            "currency": order.currency.lower(),
                            "unit_amount": order.amount_minor,
                            "product_data": {"name": "Top-up"},
                        },
                    }
                ],
                "client_reference_id": reference,
                "metadata": {METADATA: reference},
                "payment_intent_data": {"metadata": {METADATA: reference}},
                "success_url": self._return_url,
                "cancel_url": self._return_url,
            },
            {"idempotency_key": reference},
        )
        return Waiting(made.id, made.url)


def _exponent(currency: str) -> int:
    return 0 if currency in _WHOLE else 3 if currency in _THOUSANDTHS else 2


def _answer(error: Exception) -> Refused | Unknown:
    """What an error says of the payment. A key of ours that is wrong, too many requests, a fault of theirs, a key that was
    used otherwise: in none of these does anybody know."""
    if isinstance(error, stripe.InvalidRequestError | stripe.CardError):
        return Refused(str(error.code or "invalid_request")[:40], str(error.user_message or "")[:200])
    if isinstance(error, stripe.StripeError):
        return Unknown(f"{type(error).__name__} {error.http_status or ''}".strip())
    return Unknown(type(error).__name__)


def _named(metadata: Any) -> UUID | None:
    """The instruction that an object's metadata names."""
    try:
        told = metadata[METADATA]
    except (KeyError, TypeError, AttributeError):
        return None
    return instructions.named_by(told) if isinstance(told, str) else None


# -- webhooks


class Forged(Exception):
    """A webhook that is not Stripe's, or too old to be believed."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an event of Stripe's says: of the instruction that it names, or of the one whose payment has its reference. With
    nothing said it is for people. The amount is as Stripe counts it."""

    event_id: str
    kind: str
    live: bool
    instruction_id: UUID | None
    said: Said | None
    reference: str | None
    amount_minor: int | None
    currency: str
    # money of a payment that its owner took back, or that came again: by the reference of the payment
    dispute: Dispute | None = None


def proved(
    raw: bytes, header: str, secrets: Mapping[str, str], now: float | None = None
) -> tuple[str, Mapping[str, Any]]:
    """The mode whose secret signed a webhook, and the event; Forged when none did.

    Any of its v1 signatures will do (a secret that is being changed signs with both); they are compared in constant time.
    """
    now = time.time() if now is None else now
    for mode, secret in secrets.items():
        try:
            stripe.WebhookSignature.verify_header(raw, header, secret, tolerance=None)
            stamp = int(next(part[2:] for part in header.split(",") if part.startswith("t=")))
        except (stripe.SignatureVerificationError, ValueError, TypeError, StopIteration):
            continue
        if abs(now - stamp) > TOLERANCE:
            raise Forged("too old")
        try:
            event = json.loads(raw)
        except ValueError:
            raise Forged("no event") from None
        if not isinstance(event, dict) or event.get("livemode") is not (mode == "live"):
            raise Forged("an event of the other mode")
        return mode, event
    raise Forged("no signature of ours")


def told(event: Mapping[str, Any]) -> Told | None:
    """What a proved event says; None where its kind says nothing to us."""
    data = event.get("data")
    kind, of = event.get("type"), data.get("object") if isinstance(data, dict) else None
    if not isinstance(kind, str) or not isinstance(of, dict) or not isinstance(event.get("id"), str):
        return None
    found = _meant(kind, of)
    if found is None:
        return None
    said, reference, amount = found
    return Told(
        event_id=event["id"][:100],
        kind=kind,
        live=bool(event.get("livemode")),
        instruction_id=_named(of.get("metadata") or {}),
        said=said,
        reference=reference if isinstance(reference, str) else None,
        amount_minor=amount if isinstance(amount, int) else None,
        currency=str(of.get("currency", "")).upper(),
        dispute=_disputed(kind, of),
    )


def _meant(kind: str, of: Mapping[str, Any]) -> tuple[Said | None, Any, Any] | None:
    """(what is said, Stripe's reference, the amount)"""
    if kind in ("checkout.session.completed", "checkout.session.async_payment_succeeded"):
        reference = of.get("payment_intent") or of.get("id")
        return ("confirmed" if of.get("payment_status") == "paid" else "accepted"), reference, of.get("amount_total")
    if kind in ("checkout.session.expired", "checkout.session.async_payment_failed"):
        return "refused", None, of.get("amount_total")
    if kind == "payment_intent.succeeded":
        return "confirmed", of.get("id"), of.get("amount_received")
    if kind == "transfer.created":
        return "confirmed", of.get("id"), of.get("amount")
    if kind.startswith("charge.dispute."):
        # that there is one, or how it ended, is for a person to see; what its money did is `_disputed`
        return None, of.get("payment_intent"), of.get("amount")
    if kind == "transfer.reversed":
        # a part that came back is no return: its sum is another, and a person looks at it
        return "returned", of.get("id"), of.get("amount_reversed")
    return None


#: What moves a dispute's money; that it was opened, changed or closed moves none.
_DISPUTES: Final[Mapping[str, Literal["withdrawn", "reinstated"]]] = {
    "charge.dispute.funds_withdrawn": "withdrawn",
    "charge.dispute.funds_reinstated": "reinstated",
}


def _disputed(kind: str, of: Mapping[str, Any]) -> Dispute | None:
    """What an event says of a dispute's money. Stripe's fee for it is no part of that."""
    said, reference = _DISPUTES.get(kind), of.get("id")
    if said is None or not isinstance(reference, str):
        return None
    return Dispute(reference[:64], said, _moved(of, said))


def _moved(of: Mapping[str, Any], said: str) -> int:
    """What moved, by the balance transactions where they are told in the dispute's own currency: a part may come back."""
    amount, told = of.get("amount"), of.get("balance_transactions")
    moved = 0
    for each in told if isinstance(told, list) else ():
        if not isinstance(each, dict) or each.get("currency") != of.get("currency"):
            continue
        part = each.get("amount")
        if isinstance(part, int) and (part < 0) == (said == "withdrawn"):
            moved += abs(part)
    return moved or (amount if isinstance(amount, int) else 0)
