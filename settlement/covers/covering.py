"""Money that stands in for a merchant that has not paid: its collateral, the loss fund, and the cover of its position.

All exclusive: they are few, and each decides on what the stream has told so far, which must be everything. A cover and
what makes it good are steps of the window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import ledger
from ledger import Accepted, AccountName, Book, Decision, Needs, Request, Tx, Working
from ledger.errors import LimitExceeded, NotFound, StateConflict
from settlement import booking, clearing, store
from settlement.covers import waterfall
from settlement.rails import store as rails_store
from settlement.rails.posting import Hearing
from settlement.rails.posting import Word as InstructionWord
from settlement.steps import Window


@dataclass(frozen=True, slots=True)
class Deposit:
    """Money of a merchant's that came in as its collateral; without a merchant, the network's for the loss fund."""

    operator_id: UUID
    amount_minor: int
    reference: str
    merchant_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Collateral that goes back to its merchant. Refused while the merchant owes anything of any window."""

    operator_id: UUID
    merchant_id: UUID
    amount_minor: int
    reference: str


@dataclass(frozen=True, slots=True)
class DepositDone:
    """Of a deposit, or of what was given back; what there is after it."""

    id: UUID
    merchant_id: UUID | None
    at: datetime
    amount_minor: int
    balance_minor: int


@dataclass(frozen=True, slots=True)
class Cover:
    """A merchant has not paid in: others stand in for it, as far as there is anybody."""

    number: int
    operator_id: UUID
    merchant_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class Share:
    merchant_id: UUID
    amount_minor: int


@dataclass(frozen=True, slots=True)
class CoverDone:
    id: UUID
    window_id: UUID
    merchant_id: UUID
    at: datetime
    owed_minor: int
    paid: waterfall.Sources
    # what the others bear in the window that is open now
    shares: tuple[Share, ...]
    # what nothing pays, now or with the shares
    unpaid_minor: int
    released_points: int


@dataclass(frozen=True, slots=True)
class ReturnPayment:
    """The bank has sent a pay-out back: it is open again, and paid again when somebody asks."""

    number: int
    operator_id: UUID
    payment_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class PaymentReturned:
    id: UUID
    window_id: UUID
    payment_id: UUID
    merchant_id: UUID
    at: datetime
    amount_minor: int
    open_minor: int


class Deposits:
    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "DepositRound":
        (request,) = requests
        merchant: UUID | None = request.body.merchant_id
        owing = isinstance(request.body, GiveBack) and store.owes(tx, book, request.body.merchant_id)
        return DepositRound(Needs(accounts={clearing.BANK, _deposited(merchant)}), owing)


@dataclass(slots=True)
class DepositRound:
    needs: Needs
    owing: bool

    def decide(self, request: Request, working: Working) -> Decision:
        asked: Deposit | GiveBack = request.body
        assert asked.amount_minor > 0, asked
        merchant, account = asked.merchant_id, _deposited(asked.merchant_id)
        if merchant is not None and merchant not in working.issuers:
            return NotFound("merchant")
        payload = {
            "amount_minor": asked.amount_minor,
            "reference": asked.reference,
            "operator": asked.operator_id,
        }
        if isinstance(asked, GiveBack):
            if self.owing:
                return StateConflict("merchant", "owing")
            if (there := working.accounts[account].balance) < asked.amount_minor:
                return LimitExceeded("collateral", there, asked.amount_minor)
            draft = working.record("collateral_returned", request.actor, payload=payload, merchant=merchant)
            working.move(draft, account, clearing.BANK, asked.amount_minor)
        else:
            draft = working.record(
                "loss_funded" if merchant is None else "collateral_deposited",
                request.actor,
                payload=payload,
                merchant=merchant,
            )
            working.move(draft, clearing.BANK, account, asked.amount_minor)
        left = working.accounts[account].balance
        return Accepted(DepositDone(draft.id, merchant, working.now, asked.amount_minor, left))

    def write(self, tx: Tx, working: Working) -> None:
        """Nothing: records and balances are all there is to it."""


def _deposited(merchant: UUID | None) -> AccountName:
    return clearing.LOSS if merchant is None else AccountName("collateral", merchant)


class Covers:
    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "CoverRound":
        (request,) = requests
        asked: Cover = request.body
        window = store.current(tx, book, asked.number)
        if window is None or window.state not in ("paying", "settled"):
            return CoverRound(window, {}, waterfall.Covered(), False, Needs())
        i = asked.merchant_id
        receiving = store.receiving(tx, book, asked.number)
        covered = waterfall.covered(window.steps).get(i, waterfall.Covered())
        collected = covered.assessed_at is not None and store.settled_at(tx, book.id, covered.assessed_at)
        needs = Needs(
            accounts={
                clearing.position(i, asked.number),
                clearing.SHARES,
                clearing.LOSS,
                AccountName("prefund", i),
                AccountName("collateral", i),
            }
        )
        if i in store.with_due(tx, book.id, asked.number):
            needs.accounts |= {clearing.due(i, asked.number), AccountName("credit", i)}
        return CoverRound(window, receiving, covered, collected, needs)


@dataclass(slots=True)
class CoverRound:
    window: Window | None
    # by merchant: what it had to receive when the window was posted, below zero what it had to pay
    receiving: dict[UUID, int]
    covered: waterfall.Covered
    # whether what others bear for it has come in
    collected: bool
    needs: Needs

    def decide(self, request: Request, working: Working) -> Decision:
        asked: Cover = request.body
        window, i = self.window, asked.merchant_id
        if window is None:
            return NotFound("window")
        if window.state not in ("paying", "settled"):
            return StateConflict("window", window.state)
        if i not in self.receiving:
            return NotFound("position")
        number = window.number
        owed = -working.accounts[clearing.position(i, number)].balance
        if owed <= 0:
            return StateConflict("position", "paid")
        if not working.issuers[i].suspended:
            # who is stood in for takes no new credit meanwhile
            return StateConflict("merchant", "not suspended")
        balance = {kind: working.accounts[AccountName(kind, i)].balance for kind in ("prefund", "collateral")}
        paid = waterfall.cover(
            owed,
            waterfall.Sources(
                balance["prefund"],
                balance["collateral"],
                working.accounts[clearing.LOSS].balance,
                self.covered.undrawn_minor if self.collected else 0,
            ),
        )
        missing = owed - sum(paid)
        shares: dict[UUID, int] = {}
        if self.covered.assessed_at is None:
            shares = waterfall.assess(missing, _bearing(self.receiving, i, working))
        if not sum(paid) and not shares:
            return StateConflict("position", "without anything more to cover it")
        # nothing below may refuse
        awaited = sum(shares.values()) or max(0, self.covered.undrawn_minor - paid.shares_minor)
        payload: dict[str, Any] = {
            "window": number,
            "operator": asked.operator_id,
            "reason": asked.reason,
            "owed_minor": owed,
            **paid._asdict(),
            "unpaid_minor": max(0, missing - awaited),
            "shares": [{"merchant": k, "amount_minor": amount} for k, amount in shares.items()],
        }
        draft = working.record(
            "cover",
            request.actor,
            payload=payload,
            merchant=i,
            subject=window.id,
            revises=(window.id, window.revision + 1),
        )
        # what is its own money frees points; what others give does not
        released = 0
        if paid.prefund_minor:
            released = clearing.release(
                working, draft, number, i, paid.prefund_minor, beside=self.covered.outstanding_minor
            )
        payload["released_points"] = released
        sources = (AccountName("prefund", i), AccountName("collateral", i), clearing.LOSS, clearing.SHARES)
        for source, amount in zip(sources, paid, strict=True):
            if amount:
                working.move(draft, source, clearing.position(i, number), amount)
        return Accepted(
            CoverDone(
                draft.id,
                window.id,
                i,
                working.now,
                owed,
                paid,
                tuple(Share(k, amount) for k, amount in shares.items()),
                payload["unpaid_minor"],
                released,
            )
        )

    def write(self, tx: Tx, working: Working) -> None:
        """Nothing: the stream is what tells settlement's tables."""


def _bearing(receiving: dict[UUID, int], failing: UUID, working: Working) -> dict[UUID, int]:
    """Who bears a share: everybody who was to receive, but those that are suspended themselves."""
    return {k: v for k, v in receiving.items() if v > 0 and k != failing and not working.issuers[k].suspended}


class Returns:
    """A person says that a pay-out came back. One that an instruction made comes back as its rail would have told it."""

    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "ReturnRound":
        (request,) = requests
        asked: ReturnPayment = request.body
        window = store.current(tx, book, asked.number)
        payment = store.payment_record(tx, book.id, asked.payment_id)
        named = payment[1].get("instruction") if payment is not None else None
        hearing = Hearing.of(tx, book, [] if named is None else [UUID(named)])
        if payment is not None:
            source = AccountName(payment[1]["source"])
            hearing.needs.accounts |= {source, clearing.position(payment[0], payment[1]["window"])}
        returned = store.revision(tx, book.id, asked.payment_id) > 0
        return ReturnRound(window, payment, returned, hearing, hearing.needs)


@dataclass(slots=True)
class ReturnRound:
    window: Window | None
    # whose it is, and what its record tells
    payment: tuple[UUID, dict[str, Any]] | None
    returned: bool
    # the instruction that made it, where one did
    hearing: Hearing
    needs: Needs

    def decide(self, request: Request, working: Working) -> Decision:
        asked: ReturnPayment = request.body
        window = self.window
        if window is None:
            return NotFound("window")
        if self.payment is None or self.payment[1]["window"] != window.number:
            return NotFound("payment")
        merchant, told = self.payment
        if told["direction"] != "pay_out":
            return StateConflict("payment", told["direction"])
        if self.returned:
            return StateConflict("payment", "returned")
        made = next(iter(self.hearing.found.values()), None)
        if made is not None and made.rail != "bank":
            # a person who is wrong about a provider's payment would have it made twice
            return StateConflict("payment", "for its provider to tell of")
        if made is not None and made.state != "confirmed":
            return StateConflict("instruction", made.state)
        # nothing below may refuse
        amount = int(told["amount_minor"])
        if made is not None:
            word = InstructionWord(made.id, "returned", None, asked.reason)
            self.hearing.hear(working, request.actor, asked.operator_id, word)
            back = self.hearing.found[made.id].returned_record_id
            assert back is not None, made.id
        else:
            spoken = booking.Word(request.actor, told["source"], None, asked.operator_id)
            back = booking.give_back(working, spoken, window.number, merchant, amount, asked.payment_id, asked.reason)
        left = working.accounts[clearing.position(merchant, window.number)].balance
        return Accepted(PaymentReturned(back, window.id, asked.payment_id, merchant, working.now, amount, left))

    def write(self, tx: Tx, working: Working) -> None:  # noqa: ARG002 - the protocol's
        """What became of the instruction; of the window the stream tells settlement's tables."""
        rails_store.change_instructions(tx, self.hearing.changes.values())


HANDLERS: Final[dict[str, ledger.Handler]] = {
    **dict.fromkeys(("collateral", "loss_fund", "collateral_return"), Deposits()),
    "cover": Covers(),
    "payment_return": Returns(),
}
