"""What operators and providers do to a real book's money: what stands in, what is put right, what is taken back."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import ledger
import settlement
from deploy.simulate.plain import Expected, accepted

if TYPE_CHECKING:
    from deploy.simulate.real import Real


#: What refers to an operation that was dropped, or was not done.
NOWHERE: Final = UUID(int=0)


class Money:
    def __init__(self, real: Real) -> None:
        self._real = real
        self.payouts: dict[str, UUID] = {}
        self._proposals: dict[str, UUID] = {}
        # of a top-up its record, and the instruction that it was asked by
        self._topups: dict[str, tuple[UUID, UUID | None]] = {}
        self._charge_backs: dict[str, UUID] = {}
        self._events = itertools.count(1)

    def deposit(self, shop: str | None, amount: int, key: str) -> Expected:
        kind = "loss_fund" if shop is None else "collateral"
        merchant = None if shop is None else self._real.shop(shop)
        body = settlement.Deposit(self._real.operator("operator"), amount, "a deposit", merchant)
        return self._told(self._post(kind, key, body), lambda done: {"left": done.balance_minor})

    def give_back(self, shop: str, amount: int, key: str) -> Expected:
        body = settlement.GiveBack(self._real.operator("omid"), self._real.shop(shop), amount, "back")
        return self._told(self._ask(body, "omid", key), lambda done: {"left": done.balance_minor})

    def cover(self, number: int, shop: str, key: str) -> Expected:
        body = settlement.Cover(number, self._real.operator("omid"), self._real.shop(shop), "it has not paid")
        return self._told(
            self._ask(body, "omid", key),
            lambda done: {
                "paid": list(done.paid),
                "shares": sorted((self._shop(share.merchant_id), share.amount_minor) for share in done.shares),
                "unpaid": done.unpaid_minor,
                "released": done.released_points,
            },
        )

    def return_payment(self, number: int, name: str, key: str) -> Expected:
        payment = self.payouts.get(name, NOWHERE)
        body = settlement.ReturnPayment(number, self._real.operator("mina"), payment, "account closed")
        return self._told(
            self._ask(body, "mina", key), lambda done: {"amount": done.amount_minor, "open": done.open_minor}
        )

    def grace(self, days: int | None, key: str) -> Expected:
        asked = settlement.overdue.SetGrace(self._real.operator("omid"), days)
        return self._told(self._post("pay_in_grace", key, asked), lambda done: {"days": done.days})

    # -- adjustments

    def propose(self, label: str, number: int, by: str, debtor: str, creditor: str, amount: int, key: str) -> Expected:
        owes, gets = (
            self._real.book.operator_id if s == "operator" else self._real.shop(s) for s in (debtor, creditor)
        )
        body = settlement.ProposeAdjustment(number, self._real.operator(by), owes, gets, amount, "left out")
        return self._told(
            self._ask(body, by, key),
            lambda done: {"state": self._named(self._proposals, label, done.id, done.state)},
        )

    def decide(self, number: int, by: str, of: str, key: str, *, approves: bool) -> Expected:
        body = settlement.DecideAdjustment(number, self._real.operator(by), self._proposals.get(of, NOWHERE), approves)
        return self._told(self._ask(body, by, key), lambda done: {"state": done.state})

    # -- top-ups, and what is taken back of them

    def pay_ahead(self, label: str, shop: str, amount: int, key: str, *, by_provider: bool) -> Expected:
        merchant = self._real.shop(shop)
        if not by_provider:
            decision = self._post("topup", key, settlement.Topup(merchant, amount, "bank", label))
            return self._told(decision, lambda done: {"prefund": self._paid(label, done.id, None, done.prefund_minor)})
        asked = self._post("ask_topup", key, settlement.rails.AskTopup(merchant, "stripe", amount))
        if isinstance(asked, ledger.Refusal):
            return self._told(asked, lambda _: {})
        (of,) = asked.value.made
        word = settlement.rails.Word(of, "confirmed", f"pi_{self._real.book.id}_{label}", None, amount)
        self._event("checkout.session.completed", word, of, None)
        [(record, prefund)] = self._real.rows(
            "select i.payment_record_id, a.balance from settlement.instruction i join ledger.account a"
            " on a.book_id = i.book_id and a.kind = 'prefund' and a.owner_id = i.merchant_id where i.id = %s",
            of,
        )
        return accepted(prefund=self._paid(label, record, of, prefund))

    def dispute(self, topup: str, reference: str, said: Any, amount: int) -> Expected:
        _, of = self._topups.get(topup, (NOWHERE, None))
        told = settlement.rails.Dispute(f"dp_{topup}_{reference}", said, amount)
        decision = self._event(f"charge.dispute.funds_{said}", None, of or NOWHERE, told)
        return self._told(decision, lambda done: {"outcome": done.outcome})

    def take_back(self, label: str, topup: str, by: str, amount: int, key: str) -> Expected:
        record, _ = self._topups.get(topup, (NOWHERE, None))
        asked = settlement.rails.ProposeChargeBack(record, self._real.operator(by), amount, f"RCL-{label}", "recalled")
        return self._told(
            self._charge_back(asked, by, key),
            lambda done: {"state": self._named(self._charge_backs, label, done.row.id, done.row.state)},
        )

    def say_of_charge_back(self, of: str, by: str, said: str, key: str) -> Expected:
        id, operator = self._charge_backs.get(of, NOWHERE), self._real.operator(by)
        asked: Any = settlement.rails.ProposeReversal(id, operator, "sent again")
        if said != "reverse":
            asked = settlement.rails.DecideChargeBack(id, operator, said == "approve")
        return self._told(self._charge_back(asked, by, key), lambda done: {"state": done.row.state})

    # -- asking

    def _charge_back(self, asked: Any, by: str, key: str) -> ledger.Decision:
        house, asker = self._real.house, self._real.asker(by, key, asked)
        return _decided(settlement.paying.charge_back(house.db, house.committer, self._real.book.id, asked, asker))

    def _event(
        self, kind: str, word: settlement.rails.Word | None, of: UUID, dispute: settlement.rails.Dispute | None
    ) -> ledger.Decision:
        house, book = self._real.house, self._real.book.id
        event = settlement.rails.Event("stripe", f"evt_{book}_{next(self._events)}", kind, word, of, dispute=dispute)
        return _decided(settlement.paying.take_event(house.db, house.committer, book, event))

    def _ask(self, body: object, by: str, key: str) -> ledger.Decision:
        house, asker = self._real.house, self._real.asker(by, key, body)
        done = settlement.windows.ask(house.db, house.committer, self._real.book.id, body=body, asker=asker)
        return _decided(done)

    def _post(self, kind: str, key: str, body: object) -> ledger.Decision:
        return _decided(self._real.house.committer.post(self._real.request(kind, "operator", key, body)))

    def _told(self, decision: ledger.Decision, facts: Any) -> Expected:
        if isinstance(decision, ledger.Refusal):
            return self._real.told_refusal(decision)
        return accepted(**facts(decision.value))

    def _shop(self, id: UUID) -> str:
        return self._real.names()[str(id)]

    def _paid(self, label: str, record: UUID, of: UUID | None, prefund: int) -> int:
        self._topups[label] = (record, of)
        return prefund

    @staticmethod
    def _named(names: dict[str, UUID], label: str, id: UUID, state: str) -> str:
        """Keep what it is called here; its state."""
        names[label] = id
        return state


def _decided(outcome: ledger.Outcome) -> ledger.Decision:
    assert outcome.decision is not None, outcome
    return outcome.decision
