"""Redemptions: points set aside with the member's code, then captured or voided."""

from collections.abc import Callable
from typing import Final, Literal

from gateway import problems, store, vouchers
from gateway.api import amounts
from gateway.api.shapes import Balance, NothingIn, RedemptionIn, RedemptionOut, SliceOut, SpendIn
from gateway.calls import Call, MerchantCaller
from gateway.problems import Problem
from gateway.server import BookFacts
from gateway.tokens import Tokens
from ledger import Outcome, Points, ids
from merchants import trade

State = Literal["held", "captured", "voided", "lapsed"]
_STATES: Final[dict[str, State]] = {
    "open": "held",
    "held": "held",
    "captured": "captured",
    "voided": "voided",
    "lapsed": "lapsed",
}


async def post_redemption(call: Call[RedemptionIn]) -> Outcome:
    return await call.post("redemption", asked(call.server.tokens, call.merchant, call.body), shown(call.merchant.book))


async def post_capture(call: Call[NothingIn]) -> Outcome:
    command = trade.Capture(call.merchant.id, call.id("redemption"))
    return await call.post("capture", command, shown(call.merchant.book))


async def post_void(call: Call[NothingIn]) -> Outcome:
    command = trade.Void(call.merchant.id, call.id("redemption"))
    return await call.post("void", command, shown(call.merchant.book))


async def get_redemption(call: Call[None]) -> RedemptionOut:
    found = await call.read(store.redemption, call.id("redemption"))
    if found is None:
        raise problems.not_found("redemption")
    return told(call.merchant.book, found)


def asked(tokens: Tokens, acceptor: MerchantCaller, body: RedemptionIn) -> trade.Redemption:
    """The redemption that `body` means: of points, or of what they are to be worth; or a spend of a voucher."""
    if (body.spend_code is None) == (body.voucher is None):
        raise problems.invalid("/spend_code", "say spend_code or voucher, one of the two")
    if body.voucher is not None:
        return _of_voucher(tokens, acceptor, body, body.voucher)
    if (body.points is None) == (body.value is None):
        raise problems.invalid("/points", "say points or value, one of the two")
    value = None if body.value is None else amounts.minor(acceptor.book, body.value, "/value")
    if value == 0:
        raise problems.invalid("/value/amount", "nothing is worth nothing")
    return trade.Redemption(
        merchant_id=acceptor.id,
        branch_id=amounts.named("branch", body.branch, "/branch"),
        external_reference=body.external_reference,
        member=amounts.member(body.member, "/member"),
        spend_code=body.spend_code,
        points=None if body.points is None else Points(body.points),
        value=value,
        till_id=amounts.named_or_none("till", body.till, "/till"),
        occurred_at=amounts.time(body.occurred_at, "/occurred_at"),
        capture=body.capture,
    )


def _of_voucher(tokens: Tokens, acceptor: MerchantCaller, body: RedemptionIn, signed: SpendIn) -> trade.Redemption:
    """A spend whose two signatures are good and which says what the rest of the body says."""
    for field, value in (("points", body.points), ("value", body.value)):
        if value is not None:
            raise problems.invalid(f"/{field}", "the spend says how many points")
    try:
        spent = vouchers.check(signed.voucher, signed.spend, tokens.keys, shop=ids.show("merchant", acceptor.id))
    except vouchers.Untrue as untrue:
        raise Problem("consent_required", f"the {untrue.at}: {untrue.why}", f"/voucher/{untrue.at}") from None
    said = spent.spend
    voucher = ids.read("voucher", spent.voucher.jti)
    if voucher is None or spent.voucher.book != ids.show("book", acceptor.book.public_id):
        raise Problem("consent_required", "the voucher: it is of another book", "/voucher/voucher")
    told = (body.external_reference, body.branch, body.till if said.till is not None else None)
    if (said.external_reference, said.branch, said.till) != told:
        raise Problem("consent_required", "the spend: it is for another sale", "/voucher/spend")
    return trade.Redemption(
        merchant_id=acceptor.id,
        branch_id=amounts.named("branch", body.branch, "/branch"),
        external_reference=body.external_reference,
        member=amounts.member(body.member, "/member"),
        spend_code=None,
        till_id=amounts.named_or_none("till", body.till, "/till"),
        occurred_at=amounts.time(body.occurred_at, "/occurred_at"),
        capture=True,
        spend=trade.Spend(voucher, spent.thumbprint, Points(spent.points), spent.digest),
    )


def shown(book: BookFacts) -> Callable[[trade.RedemptionDone], RedemptionOut]:
    def show(done: trade.RedemptionDone) -> RedemptionOut:
        return RedemptionOut(
            id=ids.show("redemption", done.id),
            record=ids.show("record", done.record_id),
            state=_STATES[done.state],
            branch=ids.show("branch", done.branch_id),
            till=amounts.shown("till", done.till_id),
            member=ids.show("member", done.member_id),
            external_reference=done.external_reference,
            at=done.at,
            points=done.points,
            value=amounts.total(book, done.value),
            deadline=done.deadline,
            slices=[
                SliceOut(
                    lot=ids.show("lot", part.lot_id),
                    issuer=ids.show("merchant", part.issuer_id),
                    points=part.points,
                    value=amounts.total(book, part.value),
                )
                for part in done.slices
            ],
            balance=None if done.available is None else Balance(available=done.available),
        )

    return show


def told(book: BookFacts, redemption: store.RedemptionTold) -> RedemptionOut:
    """A redemption read back, in its present state."""
    return RedemptionOut(
        id=ids.show("redemption", redemption.id),
        record=ids.show("record", redemption.record_id),
        state=_STATES[redemption.state],
        branch=ids.show("branch", redemption.branch_id),
        till=amounts.shown("till", redemption.till_id),
        member=ids.show("member", redemption.member_id),
        external_reference=redemption.external_reference,
        at=redemption.at,
        points=redemption.points,
        value=amounts.total(book, redemption.value_minor),
        deadline=redemption.deadline,
        slices=[
            SliceOut(
                lot=ids.show("lot", store.uuid(part["lot"])),
                issuer=ids.show("merchant", store.uuid(part["issuer"])),
                points=part["points"],
                value=amounts.total(book, part["points"] * part["unit_value_minor"]),
            )
            for part in redemption.slices
        ],
        balance=None,
    )
