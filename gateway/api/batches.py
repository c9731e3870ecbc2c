"""Batches: up to 1,000 mixed operations of a till, each taken as its single endpoint would take it."""

import asyncio
from typing import Any, Final, NamedTuple

import msgspec

import ledger
from gateway import bodies, door, problems
from gateway.api import amounts, redemptions, refunds, sales
from gateway.api.shapes import (
    BatchEnvelope,
    BatchOperation,
    BatchOut,
    CaptureOperation,
    OutcomeOut,
    RedemptionOperation,
    RedemptionRefundOperation,
    SaleOperation,
    SaleRefundOperation,
)
from gateway.calls import Call, MerchantCaller, Rendering
from gateway.problems import Problem
from merchants import trade

_BODY: Final = "/body"
SOME: Final = 64


class Single(NamedTuple):
    """An operation as its single endpoint knows it."""

    kind: str
    path: str
    scope: str
    command: Any
    show: Any


async def post_batch(call: Call[BatchEnvelope]) -> BatchOut:
    """An outcome each, in order. What a door refuses spoils only itself; what is posted is posted in order."""
    trees = call.body.operations
    await call.take(call.server.limits[call.merchant.book.mode].key, call.merchant.actor, len(trees))
    outcomes: list[OutcomeOut | None] = [None] * len(trees)
    requests: dict[int, ledger.Request] = {}
    for i, tree in enumerate(trees):
        if i % SOME == SOME - 1:
            await asyncio.sleep(0)  # others are waiting too
        try:
            requests[i] = _request(call, tree)
        except Problem as problem:
            status, body = problems.rendered(problem, call.path, call.request_id)
            outcomes[i] = OutcomeOut(status=status, replayed=False, body=msgspec.Raw(body))
    for i, outcome in zip(requests, await _posted(call, list(requests.values())), strict=True):
        outcomes[i] = outcome
    return BatchOut(outcomes=[outcome for outcome in outcomes if outcome is not None])


async def _posted(call: Call[Any], requests: list[ledger.Request]) -> list[OutcomeOut]:
    """All at once; if one meets a fault of ours, once more one by one, which the keys make safe."""
    committer = call.server.committer
    try:
        return [_told(outcome) for outcome in await committer.submit_all(requests)]
    except ledger.errors.Unavailable:
        raise
    except Exception:
        found = await asyncio.gather(*(committer.submit(r) for r in requests), return_exceptions=True)
    return [_told(o) if isinstance(o, ledger.Outcome) else _fault(call) for o in found]


def _told(outcome: ledger.Outcome) -> OutcomeOut:
    return OutcomeOut(status=outcome.status, replayed=outcome.replayed, body=msgspec.Raw(outcome.body))


def _fault(call: Call[Any]) -> OutcomeOut:
    problem = Problem("internal", "this operation could not be posted; send it again")
    status, body = problems.rendered(problem, call.path, call.request_id)
    return OutcomeOut(status=status, replayed=False, body=msgspec.Raw(body))


def _request(call: Call[Any], tree: Any) -> ledger.Request:
    """One operation with its own key, and the fingerprint of its single endpoint."""
    if isinstance(tree, dict) and "idempotency_key" not in tree:
        raise Problem("idempotency_key_missing", "each operation carries its own", "/idempotency_key")
    caller = call.merchant
    operation: BatchOperation = _as_single(tree)
    key = door.checked_key(operation.idempotency_key, "/idempotency_key")
    single = _single(caller, operation)
    if single.scope not in caller.scopes:
        raise Problem("forbidden", f"the key lacks the scope {single.scope}", facts={"scope": single.scope})
    return ledger.Request(
        book_id=caller.book.id,
        kind=single.kind,
        principal_id=caller.id,
        actor=caller.actor,
        body=single.command,
        render=Rendering(single.show, single.path, call.request_id),
        key=key,
        fingerprint=ledger.fingerprint("POST", single.path, tree.get("body", {})),
    )


def _as_single(tree: Any) -> BatchOperation:
    """The operation; what is wrong with its body is pointed at as in the single endpoint's."""
    try:
        return bodies.checked(tree, BatchOperation)  # type: ignore[arg-type] # mypy has no form for unions
    except Problem as problem:
        if problem.pointer is not None and f"{problem.pointer}/".startswith(f"{_BODY}/"):
            problem.pointer = problem.pointer.removeprefix(_BODY)
        raise


def _single(caller: MerchantCaller, operation: BatchOperation) -> Single:
    book = caller.book
    if isinstance(operation, SaleOperation):
        command = sales.asked(caller, operation.body)
        return Single("sale", "/v1/sales", "sales:write", command, sales.shown(book))
    if isinstance(operation, SaleRefundOperation):
        refund = refunds.sale_refund_asked(caller, operation.sale, operation.body, "/sale")
        path = f"/v1/sales/{operation.sale}/refunds"
        return Single("sale_refund", path, "sales:write", refund, refunds.sale_refund_shown(book))
    if isinstance(operation, RedemptionRefundOperation):
        restored = refunds.redemption_refund_asked(caller, operation.redemption, operation.body, "/redemption")
        path = f"/v1/redemptions/{operation.redemption}/refunds"
        return Single("redemption_refund", path, "redemptions:write", restored, refunds.redemption_refund_shown(book))
    show = redemptions.shown(book)
    if isinstance(operation, RedemptionOperation):
        wanted = redemptions.asked(caller, operation.body)
        return Single("redemption", "/v1/redemptions", "redemptions:write", wanted, show)
    id = amounts.named("redemption", operation.redemption, "/redemption")
    path = f"/v1/redemptions/{operation.redemption}"
    if isinstance(operation, CaptureOperation):
        return Single("capture", f"{path}/capture", "redemptions:write", trade.Capture(caller.id, id), show)
    return Single("void", f"{path}/void", "redemptions:write", trade.Void(caller.id, id), show)
