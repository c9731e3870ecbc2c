"""The OpenAPI 3.1 document, from the table of operations: every field, header and error of every one."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from gateway import operation, problems
from gateway.api.live import RESUME_HEADER
from gateway.api.membership import BOOK_HEADER
from gateway.api.shapes import ProblemOut
from gateway.operation import Operation

_REF: Final = "#/components/schemas/{name}"
_NAME: Final = re.compile(r"\{(\w+)\}")

#: What may be sent again whatever the operation is.
_ALWAYS: Final = ("malformed_request", "rate_limited", "internal", "unavailable")
_WITH_BODY: Final = ("unsupported_media_type", "too_large", "validation_failed", "unknown_field")
_WITH_QUERY: Final = ("validation_failed", "unknown_field")

#: How an id in a path looks: the name of the parameter is what it names.
_ID: Final = "^{prefix}_[0-9a-f]{{32}}$"

_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and body get the same answer for ever; another body is idempotency_key_reused.",
    "schema": {"type": "string", "pattern": '^("[A-Za-z0-9_-]{16,64}"|[A-Za-z0-9_-]{16,64})$'},
}
_BOOK: Final = {
    "name": BOOK_HEADER,
    "in": "header",
    "required": False,
    "description": "The book to sign in to. A server with one book needs none.",
    "schema": {"type": "string", "pattern": "^bok_[0-9a-f]{32}$"},
}
_RESUME: Final = {
    "name": RESUME_HEADER,
    "in": "header",
    "required": False,
    "description": "The id of the last event that came: the stream goes on behind it.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
}

_HEADERS: Final = {
    "Request-Id": {"description": "Names this request in the log.", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "The rate the caller has.", "schema": {"type": "string"}},
    "RateLimit": {"description": "What is left of it.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds until it makes sense to try again.", "schema": {"type": "integer"}},
    "Idempotent-Replayed": {
        "description": "Present on an answer that was given before.",
        "schema": {"type": "string", "const": "true"},
    },
    "Allow": {"description": "The methods of this path.", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "How to say who one is.", "schema": {"type": "string"}},
}

_SECURITY: Final = {
    "merchant": {
        "type": "http",
        "scheme": "bearer",
        "description": "A merchant's key: sk_test_, sk_live_, or rk_ with scopes.",
    },
    "member": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A member's access token of 15 minutes, from /v1/auth/otp/verify.",
    },
    "operator": {"type": "http", "scheme": "bearer", "description": "An operator's service key: op_."},
}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The document of `operations`."""
    types: list[Any] = [ProblemOut]
    for op in operations:
        types += [t for t in (op.answer, op.shown_request or op.request, op.query) if t is not None]
        types += [data for _, data in op.events]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    found = dict(zip(map(id, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    refusals: dict[str, Any] = {}
    for op in operations:
        refusals |= _refusals(codes(op))
        paths.setdefault(op.path, {})[op.method.lower()] = _operation(op, found, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Manex",
            "version": "1",
            "description": "A coalition rewards network: many shops, one currency, settled debts.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": dict(sorted(refusals.items())),
            "headers": _HEADERS,
            "securitySchemes": _SECURITY,
        },
    }


def _operation(op: Operation, found: dict[int, Any], components: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": _operation_id(op),
        "summary": op.summary,
        "parameters": [*_path(op), *_query(op, components), *_header(op)],
        "responses": {
            "200": _success(op, found),
            **{name.partition("-")[0]: {"$ref": f"#/components/responses/{name}"} for name in _refusals(codes(op))},
        },
    }
    body = op.shown_request or op.request
    if body is not None:
        told["requestBody"] = {
            "required": bool(components[body.__name__].get("required")),
            "content": {"application/json": {"schema": found[id(body)]}},
        }
    if op.raw:
        told["requestBody"] = {"required": True, "content": {name: {"schema": {"type": "string"}} for name in op.raw}}
    if (security := _security(op.who)) is not None:
        told["security"] = security
    return told


def _operation_id(op: Operation) -> str:
    return op.function.__name__


def _path(op: Operation) -> Iterable[dict[str, Any]]:
    from ledger.ids import PREFIXES

    for name in _NAME.findall(op.path):
        pattern = _ID.format(prefix=PREFIXES[name])
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": pattern}}


def _query(op: Operation, components: dict[str, Any]) -> Iterable[dict[str, Any]]:
    if op.query is None:
        return
    schema = components[op.query.__name__]
    required = schema.get("required", [])
    for name, value in schema["properties"].items():
        yield {"name": name, "in": "query", "required": name in required, "schema": _plain(value)}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is left out where a field would be null."""
    choices = [choice for choice in schema.get("anyOf", []) if choice.get("type") != "null"]
    if len(choices) == 1:
        return dict(choices[0])
    if None in schema.get("enum", []):
        return {"enum": [value for value in schema["enum"] if value is not None]}
    return schema


def _header(op: Operation) -> Iterable[dict[str, Any]]:
    if op.keyed != "no":
        yield {**_KEY, "required": op.keyed == "required"}
    if BOOK_HEADER in op.headers:
        yield _BOOK
    if op.events:
        yield _RESUME


def _security(who: operation.Who) -> list[dict[str, list[str]]] | None:
    if isinstance(who, operation.Merchant):
        return [{"merchant": [who.scope]}]
    if isinstance(who, operation.Operator):
        return [{"operator": list(who.roles)}]
    return [{"member": []}] if isinstance(who, operation.Member) else None


def _success(op: Operation, found: dict[int, Any]) -> dict[str, Any]:
    names = ["Request-Id"]
    if not isinstance(op.who, operation.Anybody):
        names += ["RateLimit-Policy", "RateLimit"]
    if op.keyed != "no":
        names.append("Idempotent-Replayed")
    content: dict[str, Any] = {"application/json": {"schema": found[id(op.answer)]}} if op.answer else {}
    if op.events:
        # of each event: OpenAPI 3.1 has no words for the parts of a stream, and readers take it so
        content = {
            "text/event-stream": {"schema": {"oneOf": [_event(name, found[id(kind)]) for name, kind in op.events]}}
        }
    content |= {
        media_type: {"schema": {"type": "object" if media_type.endswith("+json") else "string"}}
        for media_type in op.also
    }
    return {"description": "Done.", "headers": _refs(names), "content": content}


def _event(name: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "id": {"type": "string", "pattern": "^[0-9]{1,18}$"},
            "event": {"const": name},
            "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": data},
        },
        "required": ["id", "event", "data"],
    }


def _refs(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def codes(op: Operation) -> list[str]:
    """Every code an operation may refuse with."""
    found = list(_ALWAYS)
    if not isinstance(op.who, operation.Anybody):
        found += ["unauthenticated", "forbidden"] if not isinstance(op.who, operation.Member) else ["unauthenticated"]
    if _NAME.search(op.path):
        found.append("not_found")
    if op.request is not None or op.raw:
        found += _WITH_BODY
    # an operation without parameters refuses every one
    found += _WITH_QUERY
    if op.query is not None and "cursor" in op.query.__struct_fields__:
        found.append("cursor_invalid")
    if op.keyed != "no":
        found += ["idempotency_key_reused", "idempotency_key_missing"]
    return sorted({*found, *op.refusals})


def _refusals(codes: Iterable[str]) -> dict[str, Any]:
    """A response for each status, named by the status and the codes that come with it."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(problems.KINDS[code].status, []).append(code)
    return {"-".join([str(status), *names]): _refusal(status, names) for status, names in sorted(by_status.items())}


def _refusal(status: int, names: list[str]) -> dict[str, Any]:
    headers = ["Request-Id"]
    if status in (429, 503):
        headers.append("Retry-After")
    if status == 401:
        headers.append("WWW-Authenticate")
    return {
        "description": "; ".join(f"{name}: {problems.KINDS[name].title}" for name in names),
        "headers": _refs(headers),
        "content": {
            "application/problem+json": {
                "schema": {
                    "allOf": [
                        {"$ref": _REF.format(name=ProblemOut.__name__)},
                        {"properties": {"code": {"enum": names}, "status": {"const": status}}},
                    ]
                }
            }
        },
    }
