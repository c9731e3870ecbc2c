"""Vouchers: a member's points set aside at a shop, for the member's device to spend there without network."""

from collections.abc import Callable
from typing import Final, Literal

import msgspec

import ledger
from gateway import problems, vouchers
from gateway.api import amounts, names
from gateway.api.lists import ById
from gateway.api.shapes import NothingIn, OwnVoucherOut, VoucherIn, VoucherOut, VoucherPage
from gateway.calls import Call
from gateway.jwk import Jwk
from gateway.server import BookFacts
from gateway.tokens import Tokens
from ledger import Points, ids
from merchants import people, sales, trade

State = Literal["open", "redeemed", "returned", "lapsed"]
_STATES: Final[dict[str, State]] = {
    "open": "open",
    "captured": "redeemed",
    "voided": "returned",
    "lapsed": "lapsed",
}


async def post_voucher(call: Call[VoucherIn]) -> ledger.Outcome:
    return await call.post("voucher", asked(call), given(call.server.tokens, call.member.book))


async def post_voucher_return(call: Call[NothingIn]) -> ledger.Outcome:
    command = trade.VoucherReturn(call.merchant.id, call.id("voucher"))
    return await call.post("voucher_return", command, returned(call.merchant.book))


async def list_vouchers(call: Call[None]) -> VoucherPage:
    """The newest first."""
    caller = call.member
    own = ById[sales.VoucherRow](call, caller.actor, "voucher", lambda row: row.id)

    def read(tx: ledger.Tx) -> tuple[str, list[sales.VoucherRow]]:
        member = people.find(tx, ledger.read_book(tx, caller.book.id), id=caller.id)
        if member is None or member.state == "left":
            raise problems.not_found("member")
        return member.number, sales.vouchers_of(tx, caller.book.id, caller.id, own.start, own.limit)

    number, rows = await call.work(read)
    data, more, cursor = own.page(rows, lambda row: told(call.server.tokens, caller.book, number, row))
    return VoucherPage(data=data, has_more=more, next_cursor=cursor)


def asked(call: Call[VoucherIn]) -> trade.NewVoucher:
    body = call.body
    try:
        body.public_key.key()
    except ValueError:
        raise problems.invalid("/public_key", "not a public key on Ed25519 or P-256") from None
    return trade.NewVoucher(
        merchant_id=names.read("merchant", body.shop, "/shop"),
        member_id=call.member.id,
        device_id=names.read("device", body.device, "/device"),
        points=Points(body.points),
        spend_code=body.spend_code,
        public_key=body.public_key.members,
        thumbprint=body.public_key.thumbprint,
    )


def given(tokens: Tokens, book: BookFacts) -> Callable[[trade.VoucherDone], OwnVoucherOut]:
    def show(done: trade.VoucherDone) -> OwnVoucherOut:
        assert done.number is not None, done.row.id
        return told(tokens, book, done.number, done.row, done.available)

    return show


def told(
    tokens: Tokens, book: BookFacts, number: str, row: sales.VoucherRow, available: Points | None = None
) -> OwnVoucherOut:
    """A voucher as its member sees it; as long as it is open, with what a till wants to see."""
    return OwnVoucherOut(
        **msgspec.structs.asdict(_of_shop(book, row)),
        device=ids.show("device", row.device_id),
        voucher=tokens.voucher(_said(book, number, row)) if row.state == "open" else None,
        balance=amounts.balance(available),
    )


def _said(book: BookFacts, number: str, row: sales.VoucherRow) -> vouchers.Voucher:
    return vouchers.Voucher(
        jti=ids.show("voucher", row.id),
        book=ids.show("book", book.public_id),
        shop=ids.show("merchant", row.merchant_id),
        member=number,
        points=row.points,
        value=row.value_minor,
        currency=book.currency,
        parts=vouchers.parts_of(row.parts),
        iat=int(row.at.timestamp()),
        exp=int(row.spend_until.timestamp()),
        cnf=vouchers.Confirmation(jwk=msgspec.convert(row.public_key, Jwk)),
    )


def returned(book: BookFacts) -> Callable[[trade.VoucherDone], VoucherOut]:
    return lambda done: _of_shop(book, done.row)


def _of_shop(book: BookFacts, row: sales.VoucherRow) -> VoucherOut:
    """A voucher as its shop sees it."""
    return VoucherOut(
        id=ids.show("voucher", row.id),
        state=_STATES[row.state],
        shop=ids.show("merchant", row.merchant_id),
        points=row.points,
        value=amounts.total(book, row.value_minor),
        spent=row.spent,
        at=row.at,
        spend_until=row.spend_until,
        deadline=row.deadline,
    )
