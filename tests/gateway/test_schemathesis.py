"""Whatever the document allows, and much that it does not, sent to every operation: no fault of ours, no answer untold."""

import functools
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deploy import postgres
from gateway import openapi, operation
from gateway.api.table import OPERATIONS
from gateway.operation import Operation
from gateway.server import Keys
from tests.gateway.conftest import besieged
from tests.gateway.network import as_documented, new_key
from tests.gateway.siege import Siege

schemathesis = pytest.importorskip("schemathesis")
requests = pytest.importorskip("requests")

#: Of each operation, as the document allows it and as it does not.
EXAMPLES = 8

DOCUMENT = json.loads(msgspec.json.encode(openapi.document(OPERATIONS)))


@pytest.fixture(scope="module")
def ruined(server: postgres.Server, template: str, server_keys: Keys) -> Iterator[Siege]:
    """A network that need not be left as it was."""
    yield from besieged(server, template, server_keys, "manex_ruined")


def caller(op: Operation) -> str | None:
    if isinstance(op.who, operation.Merchant):
        return "cafe"
    if isinstance(op.who, operation.Member):
        return "ann"
    return "both" if isinstance(op.who, operation.Operator) else None


def ids(siege: Siege) -> dict[str, str]:
    """What is really there, by the names that paths and bodies have for it."""
    named = ("book", "branch", "till", "sale", "record", "statement", "device", "voucher")
    real = {name: siege.names[name] for name in named}
    real |= {name: siege.names[name] for name in ("sponsorship", "offer")}
    real |= {"merchant": siege.names["cafe"], "member": siege.names["number"], "redemption": siege.names["held"]}
    real |= {name: siege.names[name] for name in ("break", "match")}
    return real | {"window": siege.names["open"], "currency": "USD", "phone": "+15550100123", "time_zone": "UTC"}


def real(found: Any, siege: Siege) -> Any:
    """A made-up body with the names of things that are there in the places of those made up."""
    if isinstance(found, list):
        return [real(part, siege) for part in found]
    if not isinstance(found, dict):
        return found
    known = ids(siege)
    return {
        name: known[name] if name in known and isinstance(value, str) else real(value, siege)
        for name, value in found.items()
    }


def sent(siege: Siege, op: Operation, case: Any) -> Any:
    """A case over ASGI, as the answer that schemathesis looks at."""
    headers = {name: value for name, value in (case.headers or {}).items() if name.lower() != "authorization"}
    if (who := caller(op)) is not None:
        headers["Authorization"] = f"Bearer {siege.who[who]}"
    if op.keyed != "no" and case.meta.generation.mode == schemathesis.GenerationMode.POSITIVE:
        # one that was sent before would be answered with what was answered then
        headers["Idempotency-Key"] = new_key()
    case.headers = headers
    request = requests.Request(**case.as_transport_kwargs(base_url="http://testserver")).prepare()
    body = request.body.encode() if isinstance(request.body, str) else request.body or b""
    told = [(name.encode("latin-1"), _latin(value)) for name, value in request.headers.items()]
    answer = siege.send(request.method, request.path_url, told, body)
    as_documented(op.method, request.path_url, answer)
    return schemathesis.Response(
        status_code=answer.status_code,
        headers={name: [value] for name, value in answer.headers.items()},
        content=answer.content,
        request=request,
        elapsed=0.0,
        verify=False,
    )


def _latin(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("latin-1")


@functools.cache
def schema() -> Any:
    """The document as schemathesis reads it, once for all operations."""
    return schemathesis.openapi.from_dict(DOCUMENT)


@pytest.mark.parametrize("op", OPERATIONS, ids=lambda op: f"{op.method} {op.path}")
def test_no_fault_of_ours_and_no_answer_untold(ruined: Siege, op: Operation) -> None:
    from schemathesis import checks

    asked = schema()[op.path][op.method]
    modes = schemathesis.GenerationMode
    cases = asked.as_strategy(generation_mode=modes.POSITIVE)
    if op.request is not None or op.query is not None:
        cases = cases | asked.as_strategy(generation_mode=modes.NEGATIVE)

    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=timedelta(seconds=20),
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, there=st.booleans())
    def drive(case: Any, there: bool) -> None:
        if there:
            case.path_parameters = {k: ids(ruined).get(k, v) for k, v in (case.path_parameters or {}).items()}
            case.body = real(case.body, ruined)
        case.validate_response(
            sent(ruined, op, case),
            checks=[
                # a batch is done for all that is good in it, and says of the rest what was wrong
                *([] if op.path == "/v1/batches" else [checks.negative_data_rejection]),
                checks.not_a_server_error,
                checks.status_code_conformance,
                checks.content_type_conformance,
                checks.response_headers_conformance,
                checks.response_schema_conformance,
            ],
        )

    drive()
    if op.path.endswith("/books/{book}/stop"):  # or nothing would be posted by those after it
        _resume(ruined)


def _resume(siege: Siege) -> None:
    path = f"/v1/operator/books/{siege.names['book']}/resume"
    siege.api.done("POST", path, {"reason": "let the others go on"}, by=siege.who["both"], key=new_key())
