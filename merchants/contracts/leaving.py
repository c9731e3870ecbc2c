"""A merchant's points bought out: money is put behind every point it still owes, and it may leave.

Its members keep each point, at its own value, good at every till: closed-loop points become points of the network. What
shops accepted before is settled as what it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import ledger
from ledger import AccountName
from ledger.errors import LimitExceeded, NotFound, StateConflict
from merchants.contracts import store
from merchants.contracts.parties import Contract, Merchant


@dataclass(frozen=True, slots=True)
class BuyOut:
    """`exit`: the merchant leaves, its pool is sold back and it neither earns nor accepts from then on.

    `paid_by` is the merchant whose prefund pays; None: its own.
    """

    merchant_id: UUID
    exit: bool
    paid_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class BuyOutDone:
    record_id: UUID
    merchant_id: UUID
    at: datetime
    exit: bool
    points: int
    value_minor: int
    # what is left of the merchant's own prefund
    prefund_minor: int


class BuyOutHandler:
    """Decides requests of kind `buy_out`."""

    exclusive = True

    def prepare(self, tx: ledger.Tx, book: ledger.Book, requests: Sequence[ledger.Request]) -> "BuyOutRound":
        (request,) = requests
        asked: BuyOut = request.body
        parties = [asked.merchant_id, asked.paid_by or asked.merchant_id]
        merchants, contracts, _ = store.parties_to(tx, book.id, parties)
        needs = ledger.Needs()
        if asked.merchant_id in contracts:
            kinds = ("mint", "credit", "own", "pool", "backing", "prefund")
            needs.accounts = {AccountName(kind, asked.merchant_id) for kind in kinds}
            if asked.paid_by in contracts:
                needs.accounts.add(AccountName("prefund", asked.paid_by))
        return BuyOutRound(merchants, contracts, ledger.owing_lots(tx, book.id, asked.merchant_id), needs)


@dataclass(slots=True)
class BuyOutRound:
    merchants: dict[UUID, Merchant]
    contracts: dict[UUID, Contract]
    owing: list[tuple[str, int, int]]
    needs: ledger.Needs
    done: BuyOut | None = None

    def decide(self, request: ledger.Request, working: ledger.Working) -> ledger.Decision:
        """No such merchant, one that left, one without a contract, no such payer; then money that is not there."""
        asked: BuyOut = request.body
        merchant = self.merchants.get(asked.merchant_id)
        if merchant is None:
            return NotFound("merchant")
        if merchant.state == "exited":
            return StateConflict("merchant", "exited")
        issuer = working.issuers.get(merchant.id)
        if issuer is None:
            return StateConflict("merchant", "without a contract")
        payer = asked.paid_by or merchant.id
        if payer not in self.merchants or payer not in self.contracts:
            return NotFound("merchant", "/paid_by")
        value = sum(unit_value * points for _, unit_value, points in self.owing)
        pool = working.accounts[AccountName("pool", merchant.id)].balance if asked.exit else 0
        prefund = AccountName("prefund", payer)
        there = working.accounts[prefund].balance + (pool * issuer.unit_value if payer == merchant.id else 0)
        if value > there:
            return LimitExceeded("prefund", there, value)
        # nothing below may refuse
        if pool:
            working.sell_back(request.actor, issuer, pool)
        points = sum(part for _, _, part in self.owing)
        draft = working.record(
            "exit" if asked.exit else "buy_out",
            request.actor,
            merchant=merchant.id,
            subject=merchant.id,
            payload={
                "points": points,
                "value_minor": value,
                "paid_by": payer,
                "parts": [
                    {"funding": funding, "unit_value_minor": unit_value, "points": part}
                    for funding, unit_value, part in self.owing
                ],
            },
        )
        for funding, unit_value, part in self.owing:
            home = AccountName("own" if funding == "closed_loop" else "credit", merchant.id)
            working.move(draft, AccountName("mint", merchant.id), home, part)
            working.move(draft, prefund, AccountName("backing", merchant.id), part * unit_value)
        self.done = asked
        own = working.accounts[AccountName("prefund", merchant.id)].balance
        return ledger.Accepted(BuyOutDone(draft.id, merchant.id, working.now, asked.exit, points, value, own))

    def write(self, tx: ledger.Tx, working: ledger.Working) -> None:
        if self.done is None:
            return
        merchant, book = self.done.merchant_id, working.book.id
        ledger.make_prefunded(tx, book, merchant)
        if self.done.exit:
            store.withdraw(tx, book, [merchant])
            store.set_state(tx, book, "merchant", merchant, "exited")
            ledger.put_issuers(tx, book, [_exited(working.issuers[merchant])])
            ledger.raise_settings_revision(tx, book)


def _exited(issuer: ledger.Issuer) -> ledger.Issuer:
    return ledger.Issuer(
        issuer.merchant_id,
        issuer.mode,
        issuer.unit_value,
        issuer.credit_line,
        issuer.contract_id,
        issuer.suspended,
        exited=True,
    )
