"""Money a merchant pays in ahead, and the points it buys with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import ledger
from ledger import Accepted, AccountName, Book, Decision, Needs, Points, Request, Tx, Working
from ledger.errors import LimitExceeded, NotFound, StateConflict


@dataclass(frozen=True, slots=True)
class Topup:
    """Money that arrived for a merchant's prefund, through `bank` or `psp`."""

    merchant_id: UUID
    amount_minor: int
    through: str
    reference: str
    # what the money was asked by
    instruction_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class TopupDone:
    id: UUID
    merchant_id: UUID
    at: datetime
    amount_minor: int
    through: str
    reference: str
    prefund_minor: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """Points a prefunded merchant buys, at its present unit value, to issue them later."""

    merchant_id: UUID
    points: Points


@dataclass(frozen=True, slots=True)
class SellBack:
    """Points of a merchant's pool, not issued yet, that it wants its money back for."""

    merchant_id: UUID
    points: Points


@dataclass(frozen=True, slots=True)
class PurchaseDone:
    """Of a purchase, or of a sell back: its points and value, and what there is after it."""

    id: UUID
    merchant_id: UUID
    at: datetime
    points: Points
    unit_value_minor: int
    value_minor: int
    pool_points: int
    prefund_minor: int


class Funding:
    exclusive = False

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "Round":  # noqa: ARG002 - nothing to read
        needs = Needs()
        for request in requests:
            if isinstance(request.body, Topup):
                needs.accounts |= {AccountName(request.body.through), _of("prefund", request.body.merchant_id)}
            else:
                needs.accounts |= {
                    _of(kind, request.body.merchant_id) for kind in ("mint", "pool", "prefund", "backing")
                }
        return Round(needs)


@dataclass(slots=True)
class Round:
    needs: Needs = field(default_factory=Needs)

    def decide(self, request: Request, working: Working) -> Decision:
        if isinstance(request.body, Topup):
            return credit(request.body, request.actor, working)
        if isinstance(request.body, SellBack):
            return _sell_back(request.body, request.actor, working)
        assert isinstance(request.body, Purchase), request.body
        return _purchase(request.body, request.actor, working)

    def write(self, tx: Tx, working: Working) -> None:
        """Nothing: records and balances are all there is to it."""


def credit(topup: Topup, actor: str, working: Working) -> Decision:
    """Book money that arrived. The accounts `through` and the merchant's prefund are loaded."""
    assert topup.amount_minor > 0, topup
    assert topup.through in ("bank", "psp"), topup
    if topup.merchant_id not in working.issuers:
        return NotFound("merchant")
    payload = {"amount_minor": topup.amount_minor, "through": topup.through, "reference": topup.reference}
    if topup.instruction_id is not None:
        payload["instruction"] = str(topup.instruction_id)
    draft = working.record("topup", actor, payload=payload, merchant=topup.merchant_id)
    prefund = _of("prefund", topup.merchant_id)
    working.move(draft, AccountName(topup.through), prefund, topup.amount_minor)
    return Accepted(
        TopupDone(
            draft.id,
            topup.merchant_id,
            working.now,
            topup.amount_minor,
            topup.through,
            topup.reference,
            working.accounts[prefund].balance,
        )
    )


def _purchase(purchase: Purchase, actor: str, working: Working) -> Decision:
    assert purchase.points > 0, purchase
    merchant = purchase.merchant_id
    issuer = working.issuers.get(merchant)
    if issuer is None:
        return NotFound("merchant")
    if issuer.exited:
        return StateConflict("merchant", "exited")
    if issuer.mode != "prefunded":
        return StateConflict("contract", issuer.mode)
    value = purchase.points * issuer.unit_value
    prefund = working.accounts[_of("prefund", merchant)]
    if value > prefund.balance:
        return LimitExceeded("prefund", prefund.balance, value)
    draft = working.record(
        "purchase",
        actor,
        payload={"points": purchase.points, "unit_value_minor": issuer.unit_value, "value_minor": value},
        merchant=merchant,
    )
    working.buy(draft, issuer, purchase.points)
    return Accepted(_done(draft.id, issuer, purchase.points, working))


def _sell_back(sold: SellBack, actor: str, working: Working) -> Decision:
    assert sold.points > 0, sold
    issuer = working.issuers.get(sold.merchant_id)
    if issuer is None:
        return NotFound("merchant")
    pool = working.accounts[_of("pool", sold.merchant_id)].balance
    if sold.points > pool:
        return LimitExceeded("pool", pool, sold.points)
    draft = working.sell_back(actor, issuer, sold.points)
    return Accepted(_done(draft.id, issuer, sold.points, working))


def _done(record_id: UUID, issuer: ledger.Issuer, points: Points, working: Working) -> PurchaseDone:
    merchant = issuer.merchant_id
    return PurchaseDone(
        record_id,
        merchant,
        working.now,
        points,
        issuer.unit_value,
        points * issuer.unit_value,
        working.accounts[_of("pool", merchant)].balance,
        working.accounts[_of("prefund", merchant)].balance,
    )


def _of(kind: str, merchant: UUID) -> AccountName:
    return AccountName(kind, merchant)


HANDLERS: Final[dict[str, ledger.Handler]] = dict.fromkeys(("topup", "purchase", "sell_back"), Funding())
