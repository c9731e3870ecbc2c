"""Batches: up to 1,000 mixed operations of a till, each taken as its single endpoint would take it."""

import asyncio
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

import ledger
from gateway import bodies, door, problems
from gateway.api import names, redemptions, refunds, sales, vouchers
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
    VoucherReturnOperation,
)
from gateway.calls import Call, MerchantCaller, Rendering
from gateway.problems import Problem
from gateway.tokens import Tokens
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
    single = _single(call.server.tokens, caller, operation)
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


def _single(tokens: Tokens, caller: MerchantCaller, operation: BatchOperation) -> Single:
    book = caller.book
    if isinstance(operation, SaleOperation):
        command = sales.asked(caller, operation.body)
        return Single("sale", "/v1/sales", "sales:write", command, sales.shown(book))
    if isinstance(operation, SaleRefundOperation):
        sale, path = _named("sale", operation.sale, operation.sale_reference)
        refund = refunds.sale_refund_asked(caller, sale, operation.body)
        return Single("sale_refund", f"{path}/refunds", "sales:write", refund, refunds.sale_refund_shown(book))
    scope = "redemptions:write"
    if isinstance(operation, VoucherReturnOperation):
        voucher = names.read("voucher", operation.voucher, "/voucher")
        path = f"/v1/vouchers/{operation.voucher}/return"
        return Single("voucher_return", path, scope, trade.VoucherReturn(caller.id, voucher), vouchers.returned(book))
    show = redemptions.shown(book)
    if isinstance(operation, RedemptionOperation):
        return Single("redemption", "/v1/redemptions", scope, redemptions.asked(tokens, caller, operation.body), show)
    redemption, path = _named("redemption", operation.redemption, operation.redemption_reference)
    if isinstance(operation, RedemptionRefundOperation):
        restored = refunds.redemption_refund_asked(caller, redemption, operation.body)
        return Single("redemption_refund", f"{path}/refunds", scope, restored, refunds.redemption_refund_shown(book))
    if isinstance(operation, CaptureOperation):
        return Single("capture", f"{path}/capture", scope, trade.Capture(caller.id, redemption), show)
    return Single("void", f"{path}/void", scope, trade.Void(caller.id, redemption), show)


def _named(what: str, id: str | None, reference: str | None) -> tuple[trade.Named, str]:
    """What an operation is about, and the path it stands for.

    A reference is written `=`, then the reference percent-encoded: no id begins so. There is no such endpoint; the path is
    part of the fingerprint, so that the same key with another reference, or with the id, is another request.
    """
    if id is not None and reference is None:
        return names.read(what, id, f"/{what}"), f"/v1/{what}s/{id}"
    if id is None and reference is not None:
        return reference, f"/v1/{what}s/={quote(reference, safe='')}"
    raise problems.invalid(f"/{what}", f"say {what} or {what}_reference, one of the two")
