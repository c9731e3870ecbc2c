"""Merchants as the network's operators make them: branches, tills, keys, contracts, and how their points are bought out."""

from functools import partial
from typing import Any, cast

import ledger
from gateway.api import amounts, names
from gateway.api.lists import ById
from gateway.api.operator_scope import book_in_path, branch_in_path, merchant_in_path
from gateway.api.shapes import (
    BranchIn,
    BranchOut,
    BuyOutIn,
    BuyOutOut,
    ContractIn,
    ContractOut,
    KeyIn,
    KeyOut,
    MerchantIn,
    MerchantOut,
    MerchantPage,
    TillIn,
    TillOut,
)
from gateway.calls import Call, accepted
from gateway.server import BookFacts
from ledger import Outcome, ids
from merchants import contracts

# -- merchants


async def post_merchant(call: Call[MerchantIn]) -> MerchantOut:
    facts, body = await book_in_path(call), call.body

    def add(tx: ledger.Tx) -> contracts.Merchant:
        book = ledger.read_book(tx, facts.id)
        return accepted(contracts.add_merchant(tx, book, body.name, body.kind, body.category, book.now))

    return _merchant_told(await call.work(add))


async def list_merchants(call: Call[None]) -> MerchantPage:
    facts = await book_in_path(call)
    merchants = ById[contracts.Merchant](call, str(call.operator.id), "merchant", lambda merchant: merchant.id)

    def read(tx: ledger.Tx) -> list[contracts.Merchant]:
        book = ledger.read_book(tx, facts.id)
        return contracts.list_merchants(tx, book, after=merchants.start, limit=merchants.limit)

    data, more, cursor = merchants.page(await call.work(read), _merchant_told)
    return MerchantPage(data=data, has_more=more, next_cursor=cursor)


def _merchant_told(merchant: contracts.Merchant) -> MerchantOut:
    return MerchantOut(
        id=ids.show("merchant", merchant.id),
        name=merchant.name,
        kind=cast(Any, merchant.kind),
        state=cast(Any, merchant.state),
        category=merchant.category,
    )


async def post_branch(call: Call[BranchIn]) -> BranchOut:
    (facts, merchant), body = await merchant_in_path(call), call.body

    def add(tx: ledger.Tx) -> contracts.Branch:
        book = ledger.read_book(tx, facts.id)
        return accepted(contracts.add_branch(tx, book, merchant, body.reference, body.name, body.channel, body.city))

    branch = await call.work(add)
    return BranchOut(
        id=ids.show("branch", branch.id),
        merchant=ids.show("merchant", branch.merchant_id),
        reference=branch.reference,
        name=branch.name,
        channel=cast(Any, branch.channel),
        city=branch.city,
        state=cast(Any, branch.state),
    )


async def post_till(call: Call[TillIn]) -> TillOut:
    (facts, merchant, branch), body = await branch_in_path(call), call.body

    def add(tx: ledger.Tx) -> contracts.Till:
        return accepted(contracts.add_till(tx, ledger.read_book(tx, facts.id), merchant, branch, body.reference))

    till = await call.work(add)
    return TillOut(
        id=ids.show("till", till.id),
        branch=ids.show("branch", till.branch_id),
        reference=till.reference,
        state=cast(Any, till.state),
    )


async def post_key(call: Call[KeyIn]) -> KeyOut:
    (facts, merchant), body = await merchant_in_path(call), call.body

    def make(tx: ledger.Tx) -> tuple[contracts.Key, str]:
        book = ledger.read_book(tx, facts.id)
        return accepted(contracts.keys.make(tx, book, merchant, body.label, body.kind, body.scopes))

    key, secret = await call.work(make)
    return KeyOut(id=ids.show("key", key.id), label=key.label, scopes=sorted(key.scopes), secret=secret)


# -- contracts


async def post_contract(call: Call[ContractIn]) -> Outcome:
    (book, merchant), body = await merchant_in_path(call), call.body
    command = contracts.NewContract(
        merchant_id=merchant,
        mode=body.mode,
        credit_line_points=body.credit_line_points,
        purchase_fee_ppm=body.purchase_fee_ppm,
        redemption_fee_ppm=body.redemption_fee_ppm,
        hold_minutes=body.hold_minutes,
        points_life_days=body.points_life_days,
        maturity_days=body.maturity_days,
        unit_value_minor=body.unit_value,
        earns_for=tuple(body.earns_for),
        spends_for=tuple(body.spends_for),
    )
    return await call.post("contract", command, partial(_contract, book), book_id=book.id)


def _contract(book: BookFacts, done: contracts.ContractInForce) -> ContractOut:
    contract = done.contract
    return ContractOut(
        id=ids.show("contract", contract.id),
        merchant=ids.show("merchant", contract.merchant_id),
        version=contract.version,
        mode=cast(Any, contract.mode),
        unit_value=amounts.total(book, contract.unit_value_minor),
        credit_line_points=contract.credit_line_points,
        purchase_fee_ppm=contract.purchase_fee_ppm,
        redemption_fee_ppm=contract.redemption_fee_ppm,
        hold_minutes=contract.hold_minutes,
        points_life_days=contract.points_life_days,
        maturity_days=contract.maturity_days,
        earns_for=cast(Any, list(contract.earns_for)),
        spends_for=cast(Any, list(contract.spends_for)),
        in_force_at=done.at,
    )


# -- points bought out


async def post_buy_out(call: Call[BuyOutIn]) -> Outcome:
    return await _bought_out(call, exit=False)


async def post_exit(call: Call[BuyOutIn]) -> Outcome:
    return await _bought_out(call, exit=True)


async def _bought_out(call: Call[BuyOutIn], *, exit: bool) -> Outcome:
    (book, merchant), payer = await merchant_in_path(call), call.body.paid_by
    command = contracts.BuyOut(merchant, exit, names.read_or_none("merchant", payer, "/paid_by"))
    return await call.post("buy_out", command, partial(_bought, book), book_id=book.id)


def _bought(book: BookFacts, done: contracts.BuyOutDone) -> BuyOutOut:
    return BuyOutOut(
        record=ids.show("record", done.record_id),
        merchant=ids.show("merchant", done.merchant_id),
        points=done.points,
        value=amounts.total(book, done.value_minor),
        prefund=amounts.total(book, done.prefund_minor),
    )
