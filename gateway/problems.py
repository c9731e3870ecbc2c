"""Problems (RFC 9457): every refusal as the API says it. The one table from code to status is here."""

import dataclasses
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from gateway.api.shapes import ErrorOut, ProblemOut
from ledger import Refusal

MEDIA_TYPE: Final = b"application/problem+json"


class Kind(NamedTuple):
    status: int
    title: str
    retryable: bool = False


#: What each code means to HTTP. A retryable problem may go away by sending the same request, same key, again.
KINDS: Final[dict[str, Kind]] = {
    "malformed_request": Kind(400, "The request cannot be read"),
    "idempotency_key_missing": Kind(400, "An Idempotency-Key is required"),
    "cursor_invalid": Kind(400, "The cursor is not one of ours"),
    "unauthenticated": Kind(401, "Who are you?"),
    "forbidden": Kind(403, "This credential may not do that"),
    "merchant_suspended": Kind(403, "The merchant is suspended"),
    "consent_required": Kind(403, "The member has not consented"),
    "spend_locked": Kind(403, "The member has locked spending"),
    "step_up_required": Kind(403, "A second factor is required"),
    "self_approval_forbidden": Kind(403, "Another person has to approve"),
    "not_found": Kind(404, "There is no such thing"),
    "method_not_allowed": Kind(405, "This path has no such method"),
    "duplicate_reference": Kind(409, "The external reference is taken"),
    "state_conflict": Kind(409, "Its state does not allow this"),
    "hold_expired": Kind(409, "The hold has ended"),
    "code_already_used": Kind(409, "The code was used already"),
    "code_expired": Kind(410, "The code has expired"),
    "too_large": Kind(413, "The body is too large"),
    "unsupported_media_type": Kind(415, "The body must be application/json"),
    "validation_failed": Kind(422, "The request is not valid"),
    "unknown_field": Kind(422, "The request has a field nobody knows"),
    "idempotency_key_reused": Kind(422, "The Idempotency-Key means another request"),
    "insufficient_points": Kind(422, "Not enough points"),
    "limit_exceeded": Kind(422, "A limit would be exceeded"),
    "refund_exceeds_original": Kind(422, "More than what was paid"),
    "webhook_url_forbidden": Kind(422, "This address may not be called"),
    "rate_limited": Kind(429, "Too many requests", retryable=True),
    "otp_locked": Kind(429, "Too many codes or tries", retryable=True),
    "internal": Kind(500, "A fault of ours", retryable=True),
    "unavailable": Kind(503, "Not available now", retryable=True),
}

#: Fields of a refusal that say where and why; the others are its facts.
_NOT_FACTS: Final = frozenset({"at", "why"})

_encode = msgspec.json.Encoder().encode


class Problem(Exception):
    """What a door refuses before anything is decided. `pointer` names the field of the body at fault."""

    def __init__(
        self,
        code: str,
        detail: str,
        pointer: str | None = None,
        *,
        field_code: str | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        facts: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(code, detail)
        assert code in KINDS, code
        self.code = code
        self.detail = detail
        self.pointer = pointer
        self.field_code = field_code or code
        self.headers = headers
        self.facts = facts or {}


def not_found(what: str, pointer: str | None = None) -> Problem:
    return Problem("not_found", f"no such {what}", pointer, facts={"what": what})


def invalid(pointer: str, why: str, code: str = "invalid") -> Problem:
    """A body that could be read and means nothing: `code` says what is wrong with the field."""
    return Problem("validation_failed", why, pointer, field_code=code)


def of_refusal(refusal: Refusal) -> Problem:
    """A refusal, as an answer to a request that posts nothing."""
    return Problem(refusal.code, refusal.detail, refusal.pointer, facts=facts_of(refusal))


def facts_of(refusal: Refusal) -> dict[str, Any]:
    """What a program can act on: the points there are, the id that has the reference."""
    return {
        field.name: getattr(refusal, field.name)
        for field in dataclasses.fields(refusal)
        if field.name not in _NOT_FACTS and isinstance(getattr(refusal, field.name), str | int | UUID)
    }


def rendered(problem: Problem, instance: str, request_id: str) -> tuple[int, bytes]:
    """Status and body of a problem met by the request `request_id` on the path `instance`."""
    kind = KINDS[problem.code]
    errors = []
    if problem.pointer is not None:
        errors.append(ErrorOut(pointer=problem.pointer, code=problem.field_code, detail=problem.detail))
    body = ProblemOut(
        type=f"/problems/{problem.code}",
        title=kind.title,
        status=kind.status,
        detail=problem.detail,
        instance=instance,
        code=problem.code,
        request_id=request_id,
        retryable=kind.retryable,
        errors=errors,
        facts=problem.facts,
    )
    return kind.status, _encode(body)
