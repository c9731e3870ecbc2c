"""Sales: a purchase at a branch. The road: this door, the ledger's posting, trade's decision, the ledger's store."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from gateway import problems, store
from gateway.api import amounts, names
from gateway.api.shapes import BonusOut, Earn, LineIn, PaymentIn, RuleFired, SaleIn, SaleOut
from gateway.calls import Call, MerchantCaller
from gateway.server import BookFacts
from ledger import Minor, Outcome, ids
from merchants import trade


async def post_sale(call: Call[SaleIn]) -> Outcome:
    return await call.post("sale", asked(call.merchant, call.body), shown(call.merchant.book))


async def get_sale(call: Call[None]) -> SaleOut:
    found = await call.read(store.sale, call.id("sale"))
    if found is None:
        raise problems.not_found("sale")
    return _told(call.merchant.book, found)


def asked(seller: MerchantCaller, body: SaleIn) -> trade.Sale:
    """The sale that `body` means, its amounts in the book's currency and its parts summing to its total."""
    whole = amounts.minor(seller.book, body.total, "/total")
    return trade.Sale(
        merchant_id=seller.id,
        branch_id=names.read("branch", body.branch, "/branch"),
        external_reference=body.external_reference,
        total=whole,
        member=None if body.member is None else names.member(body.member, "/member"),
        till_id=names.read_or_none("till", body.till, "/till"),
        occurred_at=amounts.time(body.occurred_at, "/occurred_at"),
        lines=lines(seller.book, body.lines, whole),
        payments=_payments(seller.book, body.payments, whole),
    )


def lines(book: BookFacts, asked: list[LineIn], whole: Minor) -> tuple[trade.Line, ...]:
    read = tuple(
        trade.Line(
            amounts.minor(book, line.amount, f"/lines/{i}/amount"),
            line.category,
            line.sku,
            line.quantity,
            line.measures,
            Minor(0) if line.discount is None else amounts.minor(book, line.discount, f"/lines/{i}/discount"),
            None if line.cost is None else amounts.minor(book, line.cost, f"/lines/{i}/cost"),
        )
        for i, line in enumerate(asked)
    )
    _sum_to(whole, sum(line.amount for line in read), len(read), "/lines")
    return read


def _payments(book: BookFacts, payments: list[PaymentIn], whole: Minor) -> tuple[trade.Payment, ...]:
    read = tuple(_payment(book, payment, f"/payments/{i}") for i, payment in enumerate(payments))
    _sum_to(whole, sum(payment.amount for payment in read), len(read), "/payments")
    return read


def _payment(book: BookFacts, payment: PaymentIn, at: str) -> trade.Payment:
    named = (payment.redemption is not None) + (payment.redemption_reference is not None)
    if named != (payment.type == "points"):
        raise problems.invalid(f"{at}/redemption", "a payment in points names its redemption once, and no other does")
    return trade.Payment(
        payment.type,
        amounts.minor(book, payment.amount, f"{at}/amount"),
        names.read_or_none("redemption", payment.redemption, f"{at}/redemption") or payment.redemption_reference,
    )


def _sum_to(whole: int, sum_of_parts: int, parts: int, pointer: str) -> None:
    if parts and sum_of_parts != whole:
        raise problems.invalid(pointer, f"these come to {sum_of_parts} and the total is {whole}", "sum")


def shown(book: BookFacts) -> Callable[[trade.SaleDone], SaleOut]:
    def show(done: trade.SaleDone) -> SaleOut:
        sale = done.command
        return SaleOut(
            id=ids.show("sale", done.id),
            record=ids.show("record", done.record_id),
            branch=ids.show("branch", sale.branch_id),
            till=names.shown("till", sale.till_id),
            member=names.shown("member", done.member_id),
            external_reference=sale.external_reference,
            occurred_at=sale.occurred_at,
            at=done.at,
            total=amounts.total(book, sale.total),
            money_part=amounts.total(book, done.money),
            earn=Earn(
                points=done.points,
                refused=done.refused,
                lot=names.shown("lot", done.lot_id),
                expires_at=done.expires_at,
                terms=names.shown("terms", done.terms_id),
                bonuses=[bonus_told(bonus) for bonus in done.bonuses],
                rules=[RuleFired(rule=rule, points=points) for rule, points in done.fired],
            ),
            balance=amounts.balance(done.available),
        )

    return show


def bonus_told(bonus: trade.BonusDone) -> BonusOut:
    offered = bonus.variant is not None
    return BonusOut(
        sponsorship=None if offered else ids.show("sponsorship", bonus.giver_id),
        offer=ids.show("offer", bonus.giver_id) if offered else None,
        variant=bonus.variant,
        issuer=ids.show("merchant", bonus.issuer_id),
        points=bonus.points,
        refused=bonus.refused,
        lot=names.shown("lot", bonus.lot_id),
        expires_at=bonus.expires_at,
    )


def _bonus_read(bonus: dict[str, Any], lots: dict[str, dict[str, Any]]) -> BonusOut:
    giver = store.giver(bonus)
    lot, offered = lots.get(giver), "offer" in bonus
    return BonusOut(
        sponsorship=None if offered else ids.show("sponsorship", store.uuid(giver)),
        offer=ids.show("offer", store.uuid(giver)) if offered else None,
        variant=bonus.get("variant"),
        issuer=ids.show("merchant", store.uuid(bonus["issuer"])),
        points=bonus["points"],
        refused=bonus["refused"],
        lot=ids.show("lot", store.uuid(lot["lot"])) if lot else None,
        expires_at=datetime.fromisoformat(lot["expires_at"]) if lot else None,
    )


def _told(book: BookFacts, sale: store.SaleTold) -> SaleOut:
    """A sale read back. The balance was the one of its moment, and is not told again."""
    given = {store.giver(bonus) for bonus in sale.bonuses}
    sponsored = {lot["rule"]: lot for lot in sale.lots if lot["rule"] in given}
    lot = next((lot for lot in sale.lots if lot["rule"] not in given), None)
    return SaleOut(
        id=ids.show("sale", sale.id),
        record=ids.show("record", sale.record_id),
        branch=ids.show("branch", sale.branch_id),
        till=names.shown("till", sale.till_id),
        member=names.shown("member", sale.member_id),
        external_reference=sale.external_reference,
        occurred_at=sale.occurred_at,
        at=sale.at,
        total=amounts.total(book, sale.total_minor),
        money_part=amounts.total(book, sale.money_minor),
        earn=Earn(
            points=sale.points_earned,
            refused=sale.earn_refused,
            lot=ids.show("lot", store.uuid(lot["lot"])) if lot else None,
            expires_at=datetime.fromisoformat(lot["expires_at"]) if lot else None,
            terms=names.shown("terms", sale.terms_id),
            bonuses=[_bonus_read(bonus, sponsored) for bonus in sale.bonuses],
            rules=[RuleFired(**fired) for fired in sale.rules],
        ),
        balance=None,
    )
