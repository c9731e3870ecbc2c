"""The document is made from the table of operations, and the table is what the routes are made from.

After a change that is meant: `MANEX_UPDATE=1 .venv/bin/python -m pytest tests/gateway/test_openapi.py`, then read the
difference of tests/gateway/openapi.json before it is kept.
"""

import functools
import json
import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway import bodies, openapi
from gateway.api.table import OPERATIONS
from gateway.operation import Operation
from gateway.problems import KINDS, Problem
from tests.gateway.network import Api

SNAPSHOT = Path(__file__).with_name("openapi.json")


@functools.cache
def document() -> Any:
    return json.loads(msgspec.json.encode(openapi.document(OPERATIONS)))


def name_of(op: Operation) -> str:
    return f"{op.method} {op.path}"


def test_the_document_is_the_one_that_was_read(api: Api) -> None:
    text = _legible(document(), 3) + "\n"
    if os.environ.get("MANEX_UPDATE"):
        SNAPSHOT.write_text(text)
    assert text == SNAPSHOT.read_text(), "see the head of this file"
    assert api.call("GET", "/openapi.json").json() == document()


def _legible(told: Any, levels: int) -> str:
    """JSON of which so many levels have a line for each of their parts: an operation and a shape are a line."""
    if not levels or not isinstance(told, dict) or not told:
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    lines = (f"{json.dumps(name, ensure_ascii=False)}: {_legible(part, levels - 1)}" for name, part in told.items())
    return "{\n" + ",\n".join(lines) + "\n}"


def test_every_reference_leads_somewhere() -> None:
    found = document()
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(found))):
        place = found
        for part in reference.split("/"):
            place = place[part]


def test_every_operation_has_a_name_of_its_own_and_tells_every_refusal() -> None:
    found = document()
    told = [op for methods in found["paths"].values() for op in methods.values()]
    assert len({op["operationId"] for op in told}) == len(told) == len(OPERATIONS)
    for op in OPERATIONS:
        responses = found["paths"][op.path][op.method.lower()]["responses"]
        assert {int(status) for status in responses} == {200, *(KINDS[code].status for code in openapi.codes(op))}


@pytest.mark.parametrize("op", [op for op in OPERATIONS if op.request is not None], ids=name_of)
def test_the_schema_of_a_body_is_the_type_the_route_reads(op: Operation) -> None:
    """Required fields are required, all are known, and a field more is refused, by the document as by the route."""
    shown = op.shown_request or op.request
    found = document()
    schema = found["components"]["schemas"][shown.__name__]
    body = found["paths"][op.path][op.method.lower()]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": f"#/components/schemas/{shown.__name__}"}
    fields = msgspec.structs.fields(op.request)
    assert set(schema["properties"]) == {field.encode_name for field in fields}
    assert set(schema.get("required", [])) == {field.encode_name for field in fields if field.required}
    assert schema["additionalProperties"] is False
    with pytest.raises(Problem) as refused:
        bodies.read(b'{"nobody_knows": 1}', op.request)
    assert refused.value.code == "unknown_field"


def test_every_route_asks_for_the_credential_the_document_names(api: Api) -> None:
    """A call without credential is 401 exactly where the document has security."""
    for op in OPERATIONS:
        secured = "security" in document()["paths"][op.path][op.method.lower()]
        answer = api.call(op.method, re.sub(r"\{\w+\}", "x", op.path), {} if op.request else None)
        assert (answer.status_code == 401) == secured, name_of(op)


def test_every_code_of_the_table_is_one_some_operation_names_or_is_kept_for_later() -> None:
    told = {code for op in OPERATIONS for code in openapi.codes(op)}
    later = {"code_expired", "webhook_url_forbidden"}
    assert set(KINDS) - told == later | {"method_not_allowed"}
