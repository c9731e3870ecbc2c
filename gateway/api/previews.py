"""What other terms would have given a shop's own sales: asked by the shop, or by the network's operator."""

import threading
from typing import Final
from uuid import UUID

import ledger
from gateway.api import amounts
from gateway.api.operator_scope import merchant_in_path
from gateway.api.shapes import (
    NotKnown,
    RuleGave,
    StoppedSales,
    TermsChange,
    TermsPreviewIn,
    TermsPreviewOut,
    TermsSide,
)
from gateway.api.terms import asked
from gateway.calls import Call
from gateway.problems import Problem, of_refusal
from gateway.server import BookFacts
from ledger import ids
from merchants import contracts, trade, whatif

#: A preview computes for seconds. So many run in a process at once; whoever else asks is told to come again.
AT_ONCE: Final = 2

_room = threading.BoundedSemaphore(AT_ONCE)


async def post_terms_preview(call: Call[TermsPreviewIn]) -> TermsPreviewOut:
    return await _previewed(call, call.merchant.book, call.merchant.id)


async def post_terms_preview_of(call: Call[TermsPreviewIn]) -> TermsPreviewOut:
    facts, merchant = await merchant_in_path(call)
    return await _previewed(call, facts, merchant)


async def _previewed(call: Call[TermsPreviewIn], facts: BookFacts, merchant: UUID) -> TermsPreviewOut:
    rules = asked(call.body.rules, "/rules")

    def read(tx: ledger.Tx) -> tuple[ledger.Book, int, contracts.Found, ledger.Refusal | None]:
        book = ledger.read_book(tx, facts.id)
        network = call.server.networks.of(tx, book)
        value = whatif.unit_value(book, merchant, network)
        found = trade.Names(call.server.ladders).find(tx, book, merchant, rules, [merchant])
        return book, value, found, whatif.forbidden(tx, book, merchant, network, rules)

    book, value, named, barred = await call.work(read)
    if named.faults:
        pointer, _, detail = named.faults[0]
        barred = ledger.errors.Invalid(f"/rules{pointer}", detail)
    if barred is not None:
        raise of_refusal(barred)
    if not _room.acquire(blocking=False):
        raise Problem("unavailable", "other previews are under way; ask again in a moment")
    try:
        found = await call.thread(whatif.preview, call.server.db, book, merchant, value, named.rules, call.body.days)
    except whatif.TookTooLong:
        raise Problem("unavailable", "the preview took too long; ask for fewer days, or again later") from None
    finally:
        _room.release()
    return _told(call, facts, merchant, found)


def _told(call: Call[TermsPreviewIn], facts: BookFacts, merchant: UUID, found: whatif.Preview) -> TermsPreviewOut:
    sums = found.sums

    def side(of: whatif.Side) -> TermsSide:
        return TermsSide(
            sales_earning=of.earning,
            points=of.points,
            cost=amounts.total(facts, of.points * found.unit_value_minor),
            points_per_million_minor=sums.per_million(of.points),
            rules=[RuleGave(rule=each.rule, points=each.points, sales=each.sales) for each in of.rules],
        )

    return TermsPreviewOut(
        merchant=ids.show("merchant", merchant),
        days=call.body.days,
        since=found.since,
        as_of=found.as_of,
        sales=sums.sales,
        cut=found.cut,
        money=amounts.total(facts, sums.money),
        before=side(sums.before),
        after=side(sums.after),
        change=TermsChange(
            sales_gaining=sums.gaining,
            sales_losing=sums.losing,
            median_points=sums.median,
            largest_gain_points=sums.largest_gain,
            largest_loss_points=sums.largest_loss,
        ),
        not_known=[NotKnown(condition=name, sales=n) for name, n in sorted(sums.unknown.items())],
        stopped=[StoppedSales(reason=name, sales=n) for name, n in sorted(sums.stopped.items())],
    )
