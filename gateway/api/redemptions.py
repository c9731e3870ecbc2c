"""Redemptions: points set aside with the member's code, then captured or voided."""

from collections.abc import Callable, Iterable
from typing import Final, Literal
from uuid import UUID

from gateway import problems, store, vouchers
from gateway.api import amounts, names
from gateway.api.shapes import Balance, NothingIn, RedemptionIn, RedemptionOut, SliceOut, SpendIn
from gateway.calls import Call, MerchantCaller
from gateway.problems import Problem
from gateway.server import BookFacts
from gateway.tokens import Tokens
from ledger import Outcome, Points, ids
from merchants import sales, trade

State = Literal["awaiting_approval", "held", "captured", "voided", "lapsed", "declined", "withdrawn"]
_STATES: Final[dict[str, State]] = {
    "open": "held",
    "held": "held",
    "captured": "captured",
    "voided": "voided",
    "lapsed": "lapsed",
    "awaiting": "awaiting_approval",
    "declined": "declined",
    "withdrawn": "withdrawn",
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
    return _read_back(call.merchant.book, found)


def asked(tokens: Tokens, acceptor: MerchantCaller, body: RedemptionIn) -> trade.Redemption:
    """The redemption that `body` means: of points, or of what they are to be worth; or a spend of a voucher."""
    if body.voucher is not None:
        names.one_of_two(spend_code=body.spend_code, voucher=body.voucher)
        return _of_voucher(tokens, acceptor, body, body.voucher)
    names.one_of_two(points=body.points, value=body.value)
    value = (
        None if body.value is None else amounts.some(acceptor.book, body.value, "/value", "nothing is worth nothing")
    )
    return trade.Redemption(
        merchant_id=acceptor.id,
        branch_id=names.read("branch", body.branch, "/branch"),
        external_reference=body.external_reference,
        member=names.member(body.member, "/member"),
        spend_code=body.spend_code,
        points=None if body.points is None else Points(body.points),
        value=value,
        till_id=names.read_or_none("till", body.till, "/till"),
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
        branch_id=names.read("branch", body.branch, "/branch"),
        external_reference=body.external_reference,
        member=names.member(body.member, "/member"),
        spend_code=None,
        till_id=names.read_or_none("till", body.till, "/till"),
        occurred_at=amounts.time(body.occurred_at, "/occurred_at"),
        capture=True,
        spend=trade.Spend(voucher, spent.thumbprint, Points(spent.points), spent.digest),
    )


def shown(book: BookFacts) -> Callable[[trade.RedemptionDone | trade.ApprovalDone], RedemptionOut]:
    def show(done: trade.RedemptionDone | trade.ApprovalDone) -> RedemptionOut:
        if isinstance(done, trade.ApprovalDone):
            return _asked_told(book, done.row, done.record_id)
        return _told(book, done, done.value, slices(book, done.slices), amounts.balance(done.available))

    return show


def _read_back(book: BookFacts, row: store.RedemptionTold) -> RedemptionOut:
    """A redemption in its present state. The balance was the one of its moment, and is not told again."""
    parts = []
    for part in row.slices:
        points, worth = part["points"], part["points"] * part["unit_value_minor"]
        parts.append(_slice(book, store.uuid(part["lot"]), store.uuid(part["issuer"]), points, worth))
    return _told(book, row, row.value_minor, parts, None)


def _told(
    book: BookFacts,
    row: trade.RedemptionDone | store.RedemptionTold,
    value: int | None,
    parts: list[SliceOut],
    balance: Balance | None,
) -> RedemptionOut:
    return RedemptionOut(
        id=ids.show("redemption", row.id),
        record=ids.show("record", row.record_id),
        state=_STATES[row.state],
        branch=ids.show("branch", row.branch_id),
        till=names.shown("till", row.till_id),
        member=ids.show("member", row.member_id),
        external_reference=row.external_reference,
        at=row.at,
        points=row.points,
        value=None if value is None else amounts.total(book, value),
        deadline=row.deadline,
        slices=parts,
        balance=balance,
    )


def _asked_told(book: BookFacts, row: sales.Approval, record_id: UUID) -> RedemptionOut:
    """What awaits the member's approval, or was not approved."""
    return RedemptionOut(
        id=ids.show("redemption", row.id),
        record=ids.show("record", record_id),
        state=_STATES[row.state],
        branch=ids.show("branch", row.branch_id),
        till=names.shown("till", row.till_id),
        member=ids.show("member", row.member_id),
        external_reference=row.external_reference,
        at=row.at,
        points=row.points,
        value=None if row.value_minor is None else amounts.total(book, row.value_minor),
        deadline=row.deadline,
        slices=[],
        balance=None,
    )


def slices(book: BookFacts, parts: Iterable[trade.SliceDone]) -> list[SliceOut]:
    return [_slice(book, part.lot_id, part.issuer_id, part.points, part.value) for part in parts]


def _slice(book: BookFacts, lot: UUID, issuer: UUID, points: int, value: int) -> SliceOut:
    return SliceOut(
        lot=ids.show("lot", lot),
        issuer=ids.show("merchant", issuer),
        points=points,
        value=amounts.total(book, value),
    )
