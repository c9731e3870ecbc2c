"""A refusal as it is told: RFC 9457."""

from typing import Any

from gateway.api.shapes.values import Answer


class ErrorOut(Answer, frozen=True, kw_only=True):
    # JSON pointer (RFC 6901) to the field; of a query parameter, its name
    pointer: str
    code: str
    detail: str


class ProblemOut(Answer, frozen=True, kw_only=True):
    """RFC 9457. `facts` are what a program can act on, such as the id that has the reference already."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    retryable: bool
    errors: list[ErrorOut]
    facts: dict[str, Any]
