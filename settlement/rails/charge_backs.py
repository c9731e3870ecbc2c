"""A top-up that is taken back: a card's owner disputed it, or a bank recalled it. And what comes back of that again.

What prefund still holds of it goes; what it lacks is charged to the merchant's next position. Points that it has issued
are honoured: what stands behind them is never touched. The rules are pure; a provider's word arrives by `posting`, a
person's by two of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import ledger
from ledger import Accepted, AccountName, Book, Decision, Needs, Request, Tx, Working
from ledger.errors import DuplicateReference, LimitExceeded, NotFound, StateConflict
from settlement import booking, clearing
from settlement.rails import charge_back_store as store
from settlement.rails.charge_back_store import ChargeBack, TopupMade
from settlement.steps import SelfApproval

#: Of these the merchant has had its money back, or never lost it.
OVER: Final = ("rejected", "reversed")


@dataclass(frozen=True, slots=True)
class Dispute:
    """What a provider tells of a dispute, which is `reference` to it: that its money went, or that it came back."""

    reference: str
    said: Literal["withdrawn", "reinstated"]
    amount_minor: int


@dataclass(frozen=True, slots=True)
class ProposeChargeBack:
    """One operator's word that the bank took a top-up back, or a part of it; `reference` is the bank's."""

    topup_id: UUID
    operator_id: UUID
    amount_minor: int
    reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProposeReversal:
    """One operator's word that what was taken back has come again: all of it."""

    charge_back_id: UUID
    operator_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class DecideChargeBack:
    """Another operator's word on what was proposed of a charge-back."""

    charge_back_id: UUID
    operator_id: UUID
    approves: bool


@dataclass(frozen=True, slots=True)
class ChargeBackDone:
    row: ChargeBack
    at: datetime
    prefund_left_minor: int


# -- the rules


def left(topup: TopupMade, there: Sequence[ChargeBack]) -> int:
    """What of a top-up can still be taken back."""
    return topup.amount_minor - sum(each.amount_minor for each in there if each.state not in OVER)


def accounts(topup: TopupMade) -> set[AccountName]:
    return {AccountName("prefund", topup.merchant_id), AccountName(topup.through), clearing.CHARGE_BACKS}


def book(working: Working, word: booking.Word, of: ChargeBack) -> ChargeBack:
    """Book what is gone: from prefund as far as that holds, the rest charged to the open window."""
    prefund = AccountName("prefund", of.merchant_id)
    held = min(of.amount_minor, working.accounts[prefund].balance)
    charged = of.amount_minor - held
    payload = word.told(topup=of.topup_id, amount_minor=of.amount_minor, prefund_minor=held, charged_minor=charged)
    draft = working.record(
        "charge_back",
        word.actor,
        payload=payload,
        merchant=of.merchant_id,
        subject=of.id,
        # its first record bears its id
        id=of.id if of.revision == 0 else None,
        revises=(of.id, of.revision + 1),
    )
    for source, amount in ((prefund, held), (clearing.CHARGE_BACKS, charged)):
        if amount:
            working.move(draft, source, AccountName(of.source), amount)
    return of._replace(
        state="booked",
        revision=of.revision + 1,
        prefund_minor=held,
        charged_minor=charged,
        record_id=draft.id,
    )


def reverse(working: Working, word: booking.Word, of: ChargeBack) -> ChargeBack:
    """It came back: exactly what was booked, the other way."""
    assert of.record_id is not None, of
    payload = word.told(
        topup=of.topup_id,
        amount_minor=of.amount_minor,
        prefund_minor=of.prefund_minor,
        charged_minor=of.charged_minor,
    )
    draft = working.record(
        "charge_back_reversed",
        word.actor,
        payload=payload,
        merchant=of.merchant_id,
        subject=of.id,
        reverses=of.record_id,
        revises=(of.id, of.revision + 1),
    )
    prefund = AccountName("prefund", of.merchant_id)
    for target, amount in ((prefund, of.prefund_minor), (clearing.CHARGE_BACKS, of.charged_minor)):
        if amount:
            working.move(draft, AccountName(of.source), target, amount)
    return of._replace(state="reversed", revision=of.revision + 1, reversed_record_id=draft.id)


def hear(
    working: Working,
    word: booking.Word,
    dispute: Dispute,
    topup: TopupMade,
    there: Sequence[ChargeBack],
) -> tuple[str, ChargeBack | None]:
    """What a provider's word of a dispute comes to, and the charge-back as it is then; None: nothing changes.

    Words come late, twice and in any order: money that came back had gone before, whether that was told or not. What
    contradicts the books `differs`: another sum, more than the top-up brought.
    """
    of = next((each for each in there if each.reference == dispute.reference), None)
    if of is not None and of.amount_minor != dispute.amount_minor:
        return "differs", None
    if of is None:
        if not 0 < dispute.amount_minor <= left(topup, there):
            return "differs", None
        of = book(working, word, _new(working, topup, dispute.reference, dispute.amount_minor, "booked"))
        if dispute.said == "withdrawn":
            return "charged_back", of
    elif dispute.said == "withdrawn" or of.state == "reversed":
        return "known", None
    return "reinstated", reverse(working, word, of)


def _new(working: Working, topup: TopupMade, reference: str, amount: int, state: str) -> ChargeBack:
    return ChargeBack(
        id=ledger.ids.new(),
        book_id=working.book.id,
        merchant_id=topup.merchant_id,
        topup_id=topup.id,
        source=topup.through,
        reference=reference,
        amount_minor=amount,
        state=state,
        revision=0,
        prefund_minor=0,
        charged_minor=0,
        proposed_by=None,
        at=working.now,
        record_id=None,
        reversed_record_id=None,
    )


# -- what people ask


class ChargeBacks:
    """Two people's: a provider that tells of its disputes by itself is not spoken for."""

    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "ChargeBackRound":
        (request,) = requests
        body = request.body
        row = None
        if not isinstance(body, ProposeChargeBack):
            row = store.charge_back(tx, body.charge_back_id, book_id=book.id)
        topup_id = body.topup_id if isinstance(body, ProposeChargeBack) else row and row.topup_id
        topup = store.topup(tx, book.id, topup_id) if topup_id is not None else None
        if topup is None:
            return ChargeBackRound()
        there = store.of_topup(tx, topup.id)
        named = None
        if isinstance(body, ProposeChargeBack):
            named = store.named(tx, book.id, topup.through, body.reference)
        needs = Needs(accounts=accounts(topup))
        return ChargeBackRound(topup, there, row, named, store.told_by_provider(tx, topup), needs)


@dataclass(slots=True)
class ChargeBackRound:
    topup: TopupMade | None = None
    there: list[ChargeBack] = field(default_factory=list)
    row: ChargeBack | None = None
    # the charge-back that has the reference already
    named: UUID | None = None
    by_provider: bool = False
    needs: Needs = field(default_factory=Needs)
    changed: ChargeBack | None = None

    def decide(self, request: Request, working: Working) -> Decision:
        body = request.body
        if isinstance(body, ProposeChargeBack):
            return self._propose(request, body, working)
        if self.row is None:
            return NotFound("charge_back")
        if isinstance(body, ProposeReversal):
            return self._propose_reversal(request, body, working, self.row)
        return self._decide(request, body, working, self.row)

    def _propose(self, request: Request, body: ProposeChargeBack, working: Working) -> Decision:
        """No such top-up; its provider tells; the bank's reference is known; more than is left of it."""
        topup = self.topup
        if topup is None:
            return NotFound("topup")
        if self.by_provider:
            return StateConflict("top-up", "for its provider to tell of")
        if self.named is not None:
            return DuplicateReference(ledger.ids.show("record", self.named))
        if (room := left(topup, self.there)) < body.amount_minor:
            return LimitExceeded("topup", room, body.amount_minor)
        # nothing below may refuse
        of = _new(working, topup, body.reference, body.amount_minor, "proposed")
        facts = {"amount_minor": of.amount_minor, "topup": of.topup_id, "reason": body.reason}
        return self._told(request, working, of, "charge_back_proposed", body.operator_id, facts, "proposed")

    def _propose_reversal(self, request: Request, body: ProposeReversal, working: Working, of: ChargeBack) -> Decision:
        if self.by_provider:
            return StateConflict("charge-back", "for its provider to tell of")
        if of.state != "booked":
            return StateConflict("charge-back", of.state)
        # nothing below may refuse
        kind = "charge_back_reversal_proposed"
        return self._told(request, working, of, kind, body.operator_id, {"reason": body.reason}, "reversal_proposed")

    def _decide(self, request: Request, body: DecideChargeBack, working: Working, of: ChargeBack) -> Decision:
        if of.state not in ("proposed", "reversal_proposed"):
            return StateConflict("charge-back", of.state)
        if body.approves and of.proposed_by == body.operator_id:
            return SelfApproval()
        # nothing below may refuse
        if not body.approves:
            kind = "charge_back_rejected" if of.state == "proposed" else "charge_back_reversal_rejected"
            state = "rejected" if of.state == "proposed" else "booked"
            return self._told(request, working, of, kind, body.operator_id, {}, state)
        word = booking.Word(request.actor, of.source, of.reference, body.operator_id)
        self.changed = (book if of.state == "proposed" else reverse)(working, word, of)
        return self._done(working)

    def _told(
        self,
        request: Request,
        working: Working,
        of: ChargeBack,
        kind: str,
        operator: UUID,
        facts: dict[str, Any],
        state: str,
    ) -> Decision:
        """A word of one person: it moves nothing."""
        working.record(
            kind,
            request.actor,
            payload=facts | {"operator": operator, "source": of.source, "reference": of.reference},
            merchant=of.merchant_id,
            subject=of.id,
            id=of.id if of.revision == 0 else None,
            revises=(of.id, of.revision + 1),
        )
        proposer = operator if state in ("proposed", "reversal_proposed") else of.proposed_by
        self.changed = of._replace(state=state, revision=of.revision + 1, proposed_by=proposer)
        return self._done(working)

    def _done(self, working: Working) -> Decision:
        assert self.changed is not None
        prefund = working.accounts[AccountName("prefund", self.changed.merchant_id)].balance
        return Accepted(ChargeBackDone(self.changed, working.now, prefund))

    def write(self, tx: Tx, working: Working) -> None:  # noqa: ARG002 - the protocol's
        if self.changed is not None:
            store.put(tx, self.changed)


HANDLERS: Final[dict[str, ledger.Handler]] = dict.fromkeys(
    ("charge_back", "charge_back_reversal", "charge_back_decision"), ChargeBacks()
)
