"""Sequences of calls that the API's own document suggests, for as long as one likes, at a house that really runs.

Schemathesis reads the document, sees which answers name what other operations ask for, and makes up sequences: a merchant,
its branch, a key, a sale, its refund; with bodies that the document allows and bodies that it does not. Every answer has
to be one that the document tells of, none a fault of ours, and the books are proven at the end.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import hypothesis
import msgspec

from deploy.commands.audit import audited
from deploy.commands.operator import make_key
from deploy.errors import Refusal
from deploy.soak.house import HOST, House, idempotency_key, spend_code
from gateway import openapi
from gateway.api.table import OPERATIONS
from gateway.operation import Anybody, Member, Merchant, Operation

#: Calls of one sequence.
STEPS: Final = 25
#: Sequences between two looks at the clock.
SEQUENCES: Final = 4
MEMBERS: Final = 3
#: What would end the house for every call after it.
LEFT_OUT: Final = ("/stop",)
#: What has to add up with the rest of a body, which made-up figures never do.
SUMS: Final = ("lines", "payments", "till")


@dataclass(slots=True)
class Report:
    seed: int
    sequences: int = 0
    calls: int = 0
    # "POST /v1/sales" -> status -> how often
    answers: dict[str, Counter[int]] = field(default_factory=dict)
    # what an answer was that it must not be, with the call that shows it
    faults: list[str] = field(default_factory=list)
    broken_checks: int = 0

    @property
    def clean(self) -> bool:
        return not self.faults and not self.broken_checks

    @property
    def done(self) -> Counter[str]:
        """Operations that were done at least once, by how often."""
        return Counter(
            {
                name: good
                for name, by_status in self.answers.items()
                if (good := sum(n for status, n in by_status.items() if status < 300))
            }
        )


def rehearse(house: House, seconds: float, seed: int, tell: Callable[[Report], None]) -> Report:
    """Drive a house for about `seconds`. Stops at the first answer that must not be."""
    try:
        import schemathesis
    except ImportError:
        raise Refusal("this rehearsal needs what the tests need: run ./manex test once") from None
    known, who, code = _founded(house)
    document = msgspec.json.decode(msgspec.json.encode(openapi.document(_driven())))
    schema = schemathesis.openapi.from_dict(document)
    schema.config.base_url = f"http://{HOST}:{house.port}"
    report = Report(seed)
    last: list[Any] = []
    by_name = {(o.method, o.path): o for o in OPERATIONS}

    class Calls(schema.as_state_machine()):  # type: ignore[misc] # made by a function
        def before_call(self, case: Any) -> None:
            asked = by_name[case.method.upper(), case.path]
            headers = {k: v for k, v in (case.headers or {}).items() if k.lower() != "authorization"}
            if (credential := who(asked)) is not None:
                headers["Authorization"] = f"Bearer {credential}"
            if asked.keyed != "no":
                headers["Idempotency-Key"] = idempotency_key()
            # a connection that was idle may be closed in the moment it is used again
            headers["Connection"] = "close"
            case.headers = headers
            # half of what is made up is replaced by what there is, so that calls get further than the first check
            if report.calls % 2:
                case.path_parameters = {k: known.get(k, v) for k, v in (case.path_parameters or {}).items()}
                case.body = _real(case.body, known)
                if isinstance(case.body, dict):
                    case.body = {k: v for k, v in case.body.items() if k not in SUMS}
                    if "spend_code" in case.body:
                        case.body["spend_code"] = code()

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            last[:] = [case]
            return {"timeout": 60}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            name = f"{case.method.upper()} {case.path}"
            report.calls += 1
            report.answers.setdefault(name, Counter())[response.status_code] += 1
            try:
                case.validate_response(response, checks=_checks())
            except Exception as error:
                # here, as it happened: what is asked again meets another house
                report.faults.append("".join(str(error).splitlines(keepends=True)[:40]))
                raise

    began = time.monotonic()
    while time.monotonic() - began < seconds and not report.faults:
        machine = hypothesis.seed(seed + report.sequences)(Calls)
        settings = hypothesis.settings(
            max_examples=SEQUENCES,
            stateful_step_count=STEPS,
            database=None,
            deadline=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
            print_blob=False,
        )
        try:
            machine.run(settings=settings)
        except Exception as error:
            if not report.faults:
                report.faults.append(f"{error!r}\n{last[0].as_curl_command() if last else ''}")
        report.sequences += SEQUENCES
        tell(report)
    report.broken_checks = sum(not finding.ok for finding in audited(house.url).findings)
    return report


def _checks() -> list[Any]:
    from schemathesis import checks

    return [
        checks.not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
    ]


def _driven() -> tuple[Operation, ...]:
    return tuple(o for o in OPERATIONS if not o.path.endswith(LEFT_OUT))


def _founded(house: House) -> tuple[dict[str, str], Callable[[Operation], str | None], Callable[[], str]]:
    """What there is to be named, who calls what, and the member's spend code of this moment.

    One shop calls, and operators work on the other, so that it may leave the network.
    """
    shops, members = house.found(MEMBERS)
    sale: dict[str, Any] = {"branch": shops[0].branch, "external_reference": "first", "member": members[0].number}
    sale |= {"total": {"amount": 100_000_000, "currency": "USD"}}
    house.done("POST", "/v1/sales", sale, shops[0].key, Idempotency_Key=idempotency_key())
    operator = make_key(house.url, "soak both", frozenset({"maker", "approver", "auditor"})).secret
    windows = house.done("GET", f"/v1/operator/books/{house.book}/windows", by=operator)["data"]
    token = house.signed_in("+15550100000")
    known = {
        "book": house.book,
        "merchant": shops[1].id,
        "branch": shops[0].branch,
        "member": members[0].number,
        "currency": "USD",
        "time_zone": "UTC",
        "phone": "+15550100000",
    } | ({"window": windows[0]["id"]} if windows else {})

    def who(operation: Operation) -> str | None:
        if isinstance(operation.who, Anybody):
            return None
        if isinstance(operation.who, Merchant):
            return shops[0].key
        return token if isinstance(operation.who, Member) else operator

    return known, who, lambda: spend_code(members[0], house.clock())


def _real(found: Any, known: dict[str, str]) -> Any:
    """A made-up body with the names of things that are there in the places of those made up."""
    if isinstance(found, list):
        return [_real(part, known) for part in found]
    if not isinstance(found, dict):
        return found
    return {
        name: known[name] if name in known and isinstance(value, str) else _real(value, known)
        for name, value in found.items()
    }
