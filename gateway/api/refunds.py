"""Refunds: of a sale, an amount of its money part; of a redemption, points."""

from collections.abc import Callable

from gateway.api import amounts, names, redemptions, sales
from gateway.api.shapes import (
    Balance,
    RedemptionRefundIn,
    RedemptionRefundOut,
    SaleRefundIn,
    SaleRefundOut,
    TakenOut,
)
from gateway.calls import Call, MerchantCaller
from gateway.server import BookFacts
from ledger import Outcome, Points, ids
from merchants import trade


async def post_sale_refund(call: Call[SaleRefundIn]) -> Outcome:
    command = sale_refund_asked(call.merchant, call.id("sale"), call.body)
    return await call.post("sale_refund", command, sale_refund_shown(call.merchant.book))


async def post_redemption_refund(call: Call[RedemptionRefundIn]) -> Outcome:
    command = redemption_refund_asked(call.merchant, call.id("redemption"), call.body)
    return await call.post("redemption_refund", command, redemption_refund_shown(call.merchant.book))


def sale_refund_asked(seller: MerchantCaller, sale: trade.Named, body: SaleRefundIn) -> trade.SaleRefund:
    """The refund that `body` means."""
    amount = amounts.some(seller.book, body.amount, "/amount", "a refund of nothing is none")
    return trade.SaleRefund(
        merchant_id=seller.id,
        sale=sale,
        external_reference=body.external_reference,
        amount=amount,
        occurred_at=amounts.time(body.occurred_at, "/occurred_at"),
        lines=sales.lines(seller.book, body.lines, amount),
    )


def redemption_refund_asked(
    acceptor: MerchantCaller, redemption: trade.Named, body: RedemptionRefundIn
) -> trade.RedemptionRefund:
    points = None if body.points is None else Points(body.points)
    return trade.RedemptionRefund(acceptor.id, redemption, body.external_reference, points)


def sale_refund_shown(book: BookFacts) -> Callable[[trade.SaleRefundDone], SaleRefundOut]:
    def show(done: trade.SaleRefundDone) -> SaleRefundOut:
        refund = done.command
        return SaleRefundOut(
            id=ids.show("refund", done.id),
            record=ids.show("record", done.record_id),
            sale=ids.show("sale", done.sale_id),
            member=names.shown("member", done.member_id),
            external_reference=refund.external_reference,
            occurred_at=refund.occurred_at,
            at=done.at,
            amount=amounts.total(book, refund.amount),
            left=amounts.total(book, done.left),
            points=done.points,
            returned=done.returned,
            owed=done.owed,
            parts=[
                TakenOut(
                    lot=ids.show("lot", part.lot_id),
                    issuer=ids.show("merchant", part.issuer_id),
                    points=part.points,
                    returned=part.returned,
                    owed=part.owed,
                )
                for part in done.parts
            ],
            balance=amounts.balance(done.available),
        )

    return show


def redemption_refund_shown(book: BookFacts) -> Callable[[trade.RedemptionRefundDone], RedemptionRefundOut]:
    def show(done: trade.RedemptionRefundDone) -> RedemptionRefundOut:
        refund = done.command
        return RedemptionRefundOut(
            id=ids.show("refund", done.id),
            record=ids.show("record", done.record_id),
            redemption=ids.show("redemption", done.redemption_id),
            member=ids.show("member", done.member_id),
            external_reference=refund.external_reference,
            at=done.at,
            points=done.points,
            left=done.left,
            value=amounts.total(book, done.value),
            slices=redemptions.slices(book, done.slices),
            balance=Balance(available=done.available),
        )

    return show
