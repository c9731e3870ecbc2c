"""How what comes in and goes out of a window's positions is booked, whoever says so: a person or a rail.

The one place that knows what a payment of a covered merchant is, and what may go out while somebody has not paid. On a
`Working` it is pure; nothing that books refuses: whoever calls has decided.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from ledger import AccountName, Book, Needs, Tx, Working
from settlement import clearing, store
from settlement.covers import waterfall
from settlement.steps import Window


def through(rail: str) -> str:
    """Where money moves that goes by a rail: at the bank, or at the provider of payments."""
    return "bank" if rail == "bank" else "psp"


@dataclass(frozen=True, slots=True)
class PaymentDone:
    record_id: UUID
    merchant_id: UUID
    # pay_in: the merchant paid; pay_out: it was paid
    direction: str
    amount_minor: int
    # what is left of the position: negative to pay in, positive to be paid out
    open_minor: int
    released_points: int


@dataclass(frozen=True, slots=True)
class Word:
    """Who says that money moved, and where: `source` is the account it came from or went to."""

    actor: str
    source: str
    reference: str | None
    operator_id: UUID | None
    instruction_id: UUID | None = None

    def told(self, **facts: Any) -> dict[str, Any]:
        payload = facts | {"source": self.source, "reference": self.reference, "operator": self.operator_id}
        return payload | ({} if self.instruction_id is None else {"instruction": self.instruction_id})


@dataclass(slots=True)
class Standing:
    """A window that is posted, as its payments find it: what is open, and who stood in for whom."""

    window: Window
    # by merchant: what it had to receive when the window was posted, below zero what it had to pay
    receiving: dict[UUID, int]
    covered: dict[UUID, waterfall.Covered]
    needs: Needs
    # of the window, taken by this round
    steps: int = 0

    @classmethod
    def of(cls, tx: Tx, book: Book, window: Window) -> "Standing":
        """`window` is `store.current`: what its steps tell is everything."""
        number = window.number
        receiving, covered = store.receiving(tx, book, number), waterfall.covered(window.steps)
        needs = Needs(accounts={clearing.position(m, number) for m in receiving})
        for merchant in covered:
            needs.accounts |= {AccountName("collateral", merchant), clearing.LOSS, clearing.SHARES}
        for merchant in store.with_due(tx, book.id, number):
            needs.accounts |= {clearing.due(merchant, number), AccountName("credit", merchant)}
        return cls(window, receiving, covered, needs)

    # -- what may be paid

    def balances(self, working: Working) -> dict[UUID, int]:
        """Every position's account as it is now."""
        return {m: working.accounts[clearing.position(m, self.window.number)].balance for m in self.receiving}

    def open(self, working: Working) -> dict[UUID, int]:
        """The same, less what others paid for a merchant: that is still its to pay."""
        return {m: balance - self._outstanding(m) for m, balance in self.balances(working).items()}

    def waits(self, working: Working) -> bool:
        """Whether somebody has to pay in for whom nobody stands in: until then nothing goes out."""
        return any(balance < 0 for m, balance in self.balances(working).items() if m not in self.covered)

    def payable(self, working: Working, merchant: UUID) -> int:
        """What may go out to a merchant: all that is open, or its part of what is there while others have not paid."""
        return self.payable_when(self.balances(working), merchant)

    def payable_when(self, balances: dict[UUID, int], merchant: UUID) -> int:
        """The same, were the positions' accounts these. Pure."""
        if any(balance < 0 for balance in balances.values()):
            return waterfall.payable(merchant, balances, self.receiving)
        return max(0, balances[merchant])

    # -- what is booked

    def book(self, working: Working, word: Word, merchant: UUID, amount: int) -> PaymentDone:
        """A positive amount comes in, a negative one goes out; what a covered merchant pays makes good."""
        if amount > 0 and merchant in self.covered:
            return self._make_good(working, word, merchant, amount)
        number = self.window.number
        direction = "pay_in" if amount > 0 else "pay_out"
        payload = word.told(window=number, direction=direction, amount_minor=abs(amount))
        draft = working.record("payment", word.actor, payload=payload, merchant=merchant, subject=self.window.id)
        account, cash = clearing.position(merchant, number), AccountName(word.source)
        released = 0
        if amount > 0:
            released = clearing.release(working, draft, number, merchant, amount)
            working.move(draft, cash, account, amount)
        else:
            working.move(draft, account, cash, -amount)
        draft.payload["released_points"] = released
        return PaymentDone(draft.id, merchant, direction, abs(amount), working.accounts[account].balance, released)

    def _make_good(self, working: Working, word: Word, merchant: UUID, amount: int) -> PaymentDone:
        """A covered merchant pays after all: what is open still, then who stood in for it. A step of the window."""
        number, covered = self.window.number, self.covered[merchant]
        account = clearing.position(merchant, number)
        open = -working.accounts[account].balance
        parts = waterfall.make_good(amount, open, covered)
        back = waterfall.given_back(covered, open - parts.position_minor, covered.shares_minor - parts.shares_minor)
        payload = word.told(
            window=number,
            amount_minor=amount,
            **parts._asdict(),
            shares_returned=[{"merchant": k, "amount_minor": value} for k, value in back.items()],
        )
        draft = working.record(
            "made_good",
            word.actor,
            payload=payload,
            merchant=merchant,
            subject=self.window.id,
            revises=(self.window.id, self.window.revision + 1 + self.steps),
        )
        self.steps += 1
        released = clearing.release(working, draft, number, merchant, amount, beside=covered.outstanding_minor)
        payload["released_points"] = released
        targets = (account, clearing.SHARES, clearing.LOSS, AccountName("collateral", merchant))
        for target, part in zip(targets, parts, strict=True):
            if part:
                working.move(draft, AccountName(word.source), target, part)
        self.covered[merchant] = replace(
            covered,
            collateral_minor=covered.collateral_minor - parts.collateral_minor,
            loss_minor=covered.loss_minor - parts.loss_minor,
            shares_minor=covered.shares_minor - parts.shares_minor,
            returned=Counter(covered.returned) + Counter(back),
        )
        left = working.accounts[account].balance - self._outstanding(merchant)
        return PaymentDone(draft.id, merchant, "pay_in", amount, left, released)

    def _outstanding(self, merchant: UUID) -> int:
        return self.covered[merchant].outstanding_minor if merchant in self.covered else 0


def give_back(
    working: Working, word: Word, window: int, merchant: UUID, amount: int, payment: UUID, reason: str | None = None
) -> UUID:
    """A payment out came back, `payment` being its record: the position is owed again. The record that says so.

    It names the payment as what it takes back, so that none comes back twice; `reason` is a person's.
    """
    payload = word.told(window=window, payment=payment, amount_minor=amount)
    if reason is not None:
        payload["reason"] = reason
    draft = working.record(
        "payment_returned",
        word.actor,
        payload=payload,
        merchant=merchant,
        subject=payment,
        reverses=payment,
        revises=(payment, 1),
    )
    working.move(draft, AccountName(word.source), clearing.position(merchant, window), amount)
    return draft.id
