"""A batch of a till's operations, and the outcome of each."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gateway.api.shapes.redemptions import RedemptionIn
from gateway.api.shapes.refunds import RedemptionRefundIn, SaleRefundIn
from gateway.api.shapes.sales import SaleIn
from gateway.api.shapes.values import Answer, Body, NothingIn, Reference


class SaleOperation(Body, frozen=True, kw_only=True, tag="sale", tag_field="operation"):
    idempotency_key: str
    body: SaleIn


class RedemptionOperation(Body, frozen=True, kw_only=True, tag="redemption", tag_field="operation"):
    idempotency_key: str
    body: RedemptionIn


# what an operation is about is named by its id or by the external reference the merchant gave it, one of the two


class CaptureOperation(Body, frozen=True, kw_only=True, tag="capture", tag_field="operation"):
    idempotency_key: str
    redemption: str | None = None
    redemption_reference: Reference | None = None
    body: NothingIn = NothingIn()


class VoidOperation(Body, frozen=True, kw_only=True, tag="void", tag_field="operation"):
    idempotency_key: str
    redemption: str | None = None
    redemption_reference: Reference | None = None
    body: NothingIn = NothingIn()


class SaleRefundOperation(Body, frozen=True, kw_only=True, tag="sale_refund", tag_field="operation"):
    idempotency_key: str
    sale: str | None = None
    sale_reference: Reference | None = None
    body: SaleRefundIn


class RedemptionRefundOperation(Body, frozen=True, kw_only=True, tag="redemption_refund", tag_field="operation"):
    idempotency_key: str
    redemption: str | None = None
    redemption_reference: Reference | None = None
    body: RedemptionRefundIn


class VoucherReturnOperation(Body, frozen=True, kw_only=True, tag="voucher_return", tag_field="operation"):
    idempotency_key: str
    voucher: str
    body: NothingIn = NothingIn()


BatchOperation = (
    SaleOperation
    | RedemptionOperation
    | CaptureOperation
    | VoidOperation
    | SaleRefundOperation
    | RedemptionRefundOperation
    | VoucherReturnOperation
)


class BatchIn(Body, frozen=True, kw_only=True):
    operations: Annotated[list[BatchOperation], Meta(min_length=1, max_length=1000)]


class BatchEnvelope(Body, frozen=True, kw_only=True):
    """A batch as the door opens it: each operation is taken by itself, so that a malformed one spoils nothing else."""

    operations: Annotated[list[Any], Meta(min_length=1, max_length=1000)]


class OutcomeOut(Answer, frozen=True, kw_only=True):
    status: int
    replayed: bool
    body: msgspec.Raw


class BatchOut(Answer, frozen=True, kw_only=True):
    outcomes: list[OutcomeOut]
