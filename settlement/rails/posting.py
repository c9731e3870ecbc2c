"""The handlers of the rails: instructions are made, and what a bank, a provider or a person says of them is booked.

Exclusive, all of them: they are few, and each decides on every word before it. A file is one request, so it is taken in
whole with all that it says, in one transaction, or not at all.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar, Final, cast
from uuid import UUID

import ledger
from ledger import Accepted, AccountName, Book, Decision, Needs, Request, Tx, Working
from ledger.errors import DuplicateReference, NotFound, StateConflict
from settlement import booking, funding
from settlement import store as windows_store
from settlement.rails import charge_back_store, charge_backs, instructions, store
from settlement.rails.banks import BankLine, Report, Statement
from settlement.rails.charge_back_store import ChargeBack, TopupMade
from settlement.rails.charge_backs import Dispute
from settlement.rails.instructions import Instruction, Said
from settlement.steps import Window

# -- what is asked


@dataclass(frozen=True, slots=True)
class Instruct:
    """Have what is open of a window paid by a rail: pay-ins are expected first, then everybody is paid out; while those
    for whom others stand in still owe, as much as is there."""

    number: int
    rail: str
    operator_id: UUID


@dataclass(frozen=True, slots=True)
class AskTopup:
    """A merchant wants to pay into its prefund by a rail."""

    merchant_id: UUID
    rail: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Instructed:
    """What was made, and the creditors who were not paid because no approved account of theirs is known."""

    file_id: UUID | None
    made: tuple[UUID, ...]
    without_account: tuple[UUID, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody says of an instruction. `amount_minor` is what they saw move, where they saw it."""

    instruction_id: UUID
    said: Said
    reference: str | None = None
    reason: str | None = None
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """A person's word, or a rail's own answer, of one instruction."""

    word: Word
    operator_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a word: the step that was taken or had been, `differs` where it contradicts what is on record."""

    instruction_id: UUID
    state: str
    outcome: str


@dataclass(frozen=True, slots=True)
class TakeStatements:
    """A statement file that was read."""

    content_hash: bytes
    statements: tuple[Statement, ...]
    operator_id: UUID


@dataclass(frozen=True, slots=True)
class TakeReport:
    """A pain.002 that was read."""

    content_hash: bytes
    report: Report
    operator_id: UUID


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was taken in: its statements, its lines, and how many of them (by outcome) named an instruction."""

    file_id: UUID
    statements: tuple[UUID, ...]
    lines: int
    outcomes: dict[str, int]
    at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """What a provider told by webhook, its signature proved. Without a `word` it is kept for people to see."""

    rail: str
    event_id: str
    kind: str
    word: Word | None
    instruction_id: UUID | None = None
    # the money that it says moved, whatever came of the word
    movement: store.Movement | None = None
    # of the top-up that the instruction asked for
    dispute: Dispute | None = None


@dataclass(frozen=True, slots=True)
class EventTaken:
    outcome: str


# -- making


class Instructing:
    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "InstructRound":
        (request,) = requests
        asked: Instruct = request.body
        window = windows_store.current(tx, book, asked.number)
        if window is None or window.state not in ("paying", "settled"):
            return InstructRound(window)
        standing = booking.Standing.of(tx, book, window)
        payees = {payee.merchant_id: payee for payee in store.payees(tx, book.id, rail=asked.rail)}
        living = store.living(tx, book.id, window.number)
        return InstructRound(window, standing, payees, living, standing.needs)


@dataclass(slots=True)
class InstructRound:
    window: Window | None
    standing: booking.Standing | None = None
    payees: dict[UUID, store.Payee] = field(default_factory=dict)
    living: dict[UUID, str] = field(default_factory=dict)
    needs: Needs = field(default_factory=Needs)
    new: list[store.New] = field(default_factory=list)
    file: store.PayoutFile | None = None

    def decide(self, request: Request, working: Working) -> Decision:
        asked: Instruct = request.body
        window = self.window
        if window is None:
            return NotFound("window")
        if window.state not in ("paying", "settled"):
            return StateConflict("window", window.state)
        own = self.payees.get(working.book.operator_id)
        if asked.rail == "bank" and own is None:
            return StateConflict("network's bank account", "not set")
        assert self.standing is not None
        waits = self.standing.waits(working)
        if waits and asked.rail != "bank":
            return StateConflict("window", "waiting for pay-ins")
        # nothing below may refuse
        owed = {m: -open for m, open in sorted(self.standing.open(working).items()) if open < 0}
        expected = [m for m in owed if m not in self.living] if asked.rail == "bank" else []
        parts = {} if waits else {m: self.standing.payable(working, m) for m in sorted(self.standing.receiving)}
        fresh = [m for m, part in parts.items() if part > 0 and m not in self.living]
        approved = {m: payee for m, payee in self.payees.items() if payee.approved_by is not None}
        payable = [m for m in fresh if m in approved]
        if asked.rail == "bank" and payable:
            assert own is not None
            total = sum(parts[m] for m in payable)
            here = (own.holder, own.account, own.bic, len(payable), total)
            self.file = store.PayoutFile(ledger.ids.new(), window.number, working.now, working.now.date(), *here)
        for merchant in expected:
            self._make(request, working, "pay_in", window, merchant, owed[merchant], None)
        for merchant in payable:
            self._make(request, working, "pay_out", window, merchant, parts[merchant], approved[merchant])
        file = self.file.id if self.file is not None else None
        left = tuple(m for m in fresh if m not in approved)
        return Accepted(Instructed(file, tuple(new.id for new in self.new), left, working.now))

    def _make(
        self,
        request: Request,
        working: Working,
        direction: str,
        window: Window,
        merchant: UUID,
        amount: int,
        payee: store.Payee | None,
    ) -> None:
        asked: Instruct = request.body
        id = ledger.ids.new()
        payload = {
            "direction": direction,
            "rail": asked.rail,
            "amount_minor": amount,
            "window": window.number,
            "operator": asked.operator_id,
        }
        draft = working.record("instructed", request.actor, payload=payload, merchant=merchant, subject=id)
        self.new.append(
            store.New(
                id=id,
                merchant_id=merchant,
                direction=direction,
                rail=asked.rail,
                window_number=window.number,
                amount_minor=amount,
                made_at=working.now,
                record_id=draft.id,
                file_id=self.file.id if self.file is not None and payee is not None else None,
                holder=payee and payee.holder,
                account=payee and payee.account,
                bic=payee and payee.bic,
                to_send=payee is not None and asked.rail != "bank",
            )
        )

    def write(self, tx: Tx, working: Working) -> None:
        store.add_instructions(tx, working.book.id, self.new)
        if self.file is not None:
            store.add_payout_file(tx, working.book.id, self.file)


class AskingTopup:
    exclusive = False

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "TopupRound":  # noqa: ARG002 - the protocol's
        return TopupRound()


@dataclass(slots=True)
class TopupRound:
    needs: Needs = field(default_factory=Needs)
    new: list[store.New] = field(default_factory=list)

    def decide(self, request: Request, working: Working) -> Decision:
        asked: AskTopup = request.body
        assert asked.amount_minor > 0, asked
        issuer = working.issuers.get(asked.merchant_id)
        if issuer is None:
            return NotFound("merchant")
        if issuer.exited:
            return StateConflict("merchant", "exited")
        id = ledger.ids.new()
        payload = {"direction": "topup", "rail": asked.rail, "amount_minor": asked.amount_minor}
        draft = working.record("instructed", request.actor, payload=payload, merchant=asked.merchant_id, subject=id)
        made = (id, asked.merchant_id, "topup", asked.rail, None, asked.amount_minor, working.now, draft.id)
        self.new.append(store.New(*made, None, None, None, None, asked.rail != "bank"))
        return Accepted(Instructed(None, (id,), (), working.now))

    def write(self, tx: Tx, working: Working) -> None:
        store.add_instructions(tx, working.book.id, self.new)


# -- being told


@dataclass(slots=True)
class Hearing:
    """Instructions as words are heard of them, one after another, and what each of them becomes."""

    found: dict[UUID, Instruction] = field(default_factory=dict)
    # by number, the windows whose payments they are
    standings: dict[int, booking.Standing] = field(default_factory=dict)
    changes: dict[UUID, store.Change] = field(default_factory=dict)
    needs: Needs = field(default_factory=Needs)

    @classmethod
    def of(cls, tx: Tx, book: Book, ids: Sequence[UUID]) -> "Hearing":
        found = store.instructions(tx, book.id, ids) if ids else {}
        needs, standings = Needs(), dict[int, booking.Standing]()
        for number in sorted({i.window_number for i in found.values() if i.window_number is not None}):
            window = windows_store.current(tx, book, number)
            assert window is not None, number
            standings[number] = booking.Standing.of(tx, book, window)
            needs.accounts |= standings[number].needs.accounts
        for each in found.values():
            needs.accounts.add(AccountName(booking.through(each.rail)))
            if each.window_number is None:
                needs.accounts.add(AccountName("prefund", each.merchant_id))
        return cls(found, standings, {}, needs)

    def hear(self, working: Working, actor: str, operator: UUID | None, word: Word) -> Heard:
        """Book what a word says of an instruction that is here. Pure; a word that contradicts changes nothing."""
        of = self.found[word.instruction_id]
        step = instructions.step(of, word.said)
        differs = step is None or (word.amount_minor is not None and word.amount_minor != of.amount_minor)
        if differs or (step is not None and not self._may(working, of, step)):
            return Heard(of.id, of.state, "differs")
        assert step is not None
        if not step.books and step.state == of.state:
            return Heard(of.id, of.state, "known")
        told = booking.Word(actor, booking.through(of.rail), word.reference, operator, of.id)
        change = store.Change(of.id, step.state, None, None, word.reference, word.reason)
        for booked in step.books:
            change = self._book(working, of, told, word, booked, change)
        self.changes[of.id] = _merged(self.changes.get(of.id), change)
        self.found[of.id] = _changed(of, change)
        return Heard(of.id, step.state, step.state if step.state != "sent" else "accepted")

    def _may(self, working: Working, of: Instruction, step: instructions.Step) -> bool:
        """Whether a position still lacks what came in for it: a person may have booked it already."""
        if of.direction != "pay_in" or "payment" not in step.books:
            return True
        assert of.window_number is not None
        return self.standings[of.window_number].open(working)[of.merchant_id] <= -of.amount_minor

    def _book(
        self, working: Working, of: Instruction, told: booking.Word, word: Word, booked: str, change: store.Change
    ) -> store.Change:
        if booked == "refusal":
            payload = {"reason": _code(word.reason), "operator": told.operator_id}
            working.record("instruction_refused", told.actor, payload=payload, merchant=of.merchant_id, subject=of.id)
            return change
        if of.direction == "topup":
            topup = funding.Topup(of.merchant_id, of.amount_minor, told.source, word.reference or of.reference, of.id)
            decision = funding.credit(topup, told.actor, working)
            assert isinstance(decision, Accepted), decision
            return change._replace(payment_record_id=decision.value.id)
        assert of.window_number is not None
        if booked == "payment":
            amount = of.amount_minor if of.direction == "pay_in" else -of.amount_minor
            done = self.standings[of.window_number].book(working, told, of.merchant_id, amount)
            return change._replace(payment_record_id=done.record_id)
        paid = change.payment_record_id or of.payment_record_id
        assert paid is not None, of.id
        # a bank's or a provider's words may name people: only a person's reason is kept in the ledger
        reason = word.reason if told.operator_id is not None else None
        back = booking.give_back(working, told, of.window_number, of.merchant_id, of.amount_minor, paid, reason)
        return change._replace(returned_record_id=back)


def _code(reason: str | None) -> str:
    """The bank's or provider's code of a reason. Its words may name people, and stay out of the ledger."""
    first = (reason or "").partition(" ")[0]
    return first if re.fullmatch(r"[A-Za-z0-9_]{1,40}", first) else ""


def _merged(before: store.Change | None, change: store.Change) -> store.Change:
    if before is None:
        return change
    later = {name: value for name, value in change._asdict().items() if value is not None}
    return before._replace(**later)


def _changed(of: Instruction, change: store.Change) -> Instruction:
    return replace(
        of,
        state=change.state,
        payment_record_id=change.payment_record_id or of.payment_record_id,
        returned_record_id=change.returned_record_id or of.returned_record_id,
        rail_reference=change.rail_reference or of.rail_reference,
    )


class Saying:
    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "SayRound":
        (request,) = requests
        hearing = Hearing.of(tx, book, [request.body.word.instruction_id])
        return SayRound(hearing, hearing.needs)


@dataclass(slots=True)
class SayRound:
    hearing: Hearing
    needs: Needs

    def decide(self, request: Request, working: Working) -> Decision:
        asked: Say = request.body
        of = self.hearing.found.get(asked.word.instruction_id)
        if of is None:
            return NotFound("instruction")
        if asked.operator_id is not None and of.rail != "bank":
            # a person who is wrong about a provider's payment would have it made twice
            return StateConflict("instruction", "for its provider to tell of")
        heard = self.hearing.hear(working, request.actor, asked.operator_id, asked.word)
        if heard.outcome == "differs":
            return StateConflict("instruction", of.state)
        return Accepted(heard)

    def write(self, tx: Tx, working: Working) -> None:  # noqa: ARG002 - the protocol's
        store.change_instructions(tx, self.hearing.changes.values())


class TakingStatements:
    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "StatementsRound":
        (request,) = requests
        asked: TakeStatements = request.body
        known = store.file_with_content(tx, book.id, asked.content_hash)
        what = "bank_file"
        for statement in asked.statements:
            if known is None and (known := store.statement_named(tx, book.id, statement)) is not None:
                what = "bank_statement"
        named = {named_in(line) for statement in asked.statements for line in statement.lines} - {None}
        hearing = Hearing.of(tx, book, sorted(id for id in named if id is not None))
        own = store.payees(tx, book.id, merchant=book.operator_id, rail="bank")
        return StatementsRound(known, what, own[0].account if own else None, hearing, hearing.needs)


def named_in(line: BankLine) -> UUID | None:
    """The instruction that a line names exactly: by the end-to-end id, or by the creditor reference."""
    return instructions.named_by(line.end_to_end_id, line.structured_reference)


@dataclass(slots=True)
class StatementsRound:
    known: UUID | None
    what: str
    own_account: str | None
    hearing: Hearing
    needs: Needs
    taken: Taken | None = None
    kept: list[tuple[UUID, Statement, list[store.KeptLine]]] = field(default_factory=list)
    asked: TakeStatements | None = None

    def decide(self, request: Request, working: Working) -> Decision:
        asked: TakeStatements = request.body
        if self.known is not None:
            return AlreadyTaken(
                ledger.ids.show("bank_statement", self.known) if self.what == "bank_statement" else "file"
            )
        if self.own_account is None:
            return StateConflict("network's bank account", "not set")
        if any(statement.account != self.own_account for statement in asked.statements):
            return FileRefused("account_differs", "it is of another account than the network's")
        # nothing below may refuse
        self.asked = asked
        outcomes: Counter[str] = Counter()
        for statement in asked.statements:
            kept = [self._keep(working, request.actor, line) for line in statement.lines]
            outcomes.update(each.outcome for each in kept if each.outcome is not None)
            self.kept.append((ledger.ids.new(), statement, kept))
        ids = tuple(id for id, _, _ in self.kept)
        lines = sum(len(kept) for _, _, kept in self.kept)
        self.taken = Taken(ledger.ids.new(), ids, lines, dict(outcomes), working.now)
        return Accepted(self.taken)

    def _keep(self, working: Working, actor: str, line: BankLine) -> store.KeptLine:
        """What a line says of the instruction it names; `differs` where sum, side, rail or state are others."""
        id = named_in(line)
        of = self.hearing.found.get(id) if id is not None else None
        if of is None:
            return store.KeptLine(line, None, None)
        came_in = line.amount_minor > 0
        if of.rail != "bank" or abs(line.amount_minor) != of.amount_minor:
            return store.KeptLine(line, of.id, "differs")
        if of.direction == "pay_out":
            # what comes in under the name of a payment out is that payment, come back
            said: Said = "returned" if came_in else "confirmed"
        elif came_in and not line.returned:
            said = "confirmed"
        else:
            return store.KeptLine(line, of.id, "differs")
        if said == "confirmed" and of.state == "confirmed" and _another(of, line):
            # paid a second time under one name: a person looks at it
            return store.KeptLine(line, of.id, "differs")
        word = Word(of.id, said, _booking(line))
        return store.KeptLine(line, of.id, self.hearing.hear(working, actor, None, word).outcome)

    def write(self, tx: Tx, working: Working) -> None:
        if self.taken is None or self.asked is None:
            return
        by = self.asked.operator_id
        kind = self.asked.statements[0].format
        store.add_bank_file(tx, working.book, self.taken.file_id, kind, self.asked.content_hash, None, by)
        for id, statement, kept in self.kept:
            store.add_statement(tx, working.book, id, self.taken.file_id, statement, kept)
        store.change_instructions(tx, self.hearing.changes.values())


def _another(of: Instruction, line: BankLine) -> bool:
    """Whether a line is another booking than the one that confirmed the instruction. Banks tell one booking in several
    files, always by the same reference."""
    return not line.bank_reference or line.bank_reference[:64] != of.rail_reference


def _booking(line: BankLine) -> str | None:
    """What the bank calls a booking, wherever it tells it."""
    return (line.bank_reference or line.entry_reference)[:64] or None


class TakingReport:
    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "ReportRound":
        (request,) = requests
        asked: TakeReport = request.body
        known = store.file_with_content(tx, book.id, asked.content_hash)
        if known is None:
            known = store.report_named(tx, book.id, asked.report.id)
        order = instructions.named_by(asked.report.order_id)
        found = store.payout_file(tx, order) if order is not None else None
        ordered = store.of_file(tx, found[1].id) if found is not None and found[0] == book.id else []
        hearing = Hearing.of(tx, book, [each.id for each in ordered])
        return ReportRound(known, hearing, hearing.needs)


@dataclass(slots=True)
class ReportRound:
    known: UUID | None
    hearing: Hearing
    needs: Needs
    taken: Taken | None = None
    asked: TakeReport | None = None

    def decide(self, request: Request, working: Working) -> Decision:
        asked: TakeReport = request.body
        report = asked.report
        if self.known is not None:
            return AlreadyTaken("file")
        if not self.hearing.found:
            return FileRefused("not_ours", "it answers no file of this network")
        words: dict[UUID, Word] = {}
        if report.whole is not None:
            for id in self.hearing.found:
                words[id] = Word(id, _said(report.whole), None, report.whole_reason or None)
        for status in report.statuses:
            named = instructions.named_by(status.reference)
            if named is None or named not in self.hearing.found:
                return FileRefused("not_ours", "it names a payment that is not in the file it answers")
            word = Word(named, _said(status.outcome), status.bank_reference or None, status.reason or None)
            words[named] = word if status.amount_minor is None else _with_amount(word, status.amount_minor)
        # nothing below may refuse
        self.asked = asked
        heard = [self.hearing.hear(working, request.actor, None, word) for _, word in sorted(words.items())]
        outcomes = Counter(each.outcome for each in heard)
        self.taken = Taken(ledger.ids.new(), (), len(words), dict(outcomes), working.now)
        return Accepted(self.taken)

    def write(self, tx: Tx, working: Working) -> None:
        if self.taken is None or self.asked is None:
            return
        name, digest = self.asked.report.id, self.asked.content_hash
        store.add_bank_file(tx, working.book, self.taken.file_id, "pain.002", digest, name, self.asked.operator_id)
        store.change_instructions(tx, self.hearing.changes.values())


def _said(outcome: str) -> Said:
    assert outcome in ("accepted", "confirmed", "refused"), outcome
    return cast(Said, outcome)


def _with_amount(word: Word, amount: int) -> Word:
    return Word(word.instruction_id, word.said, word.reference, word.reason, amount)


@dataclass(frozen=True, slots=True)
class FileRefused(ledger.Refusal):
    """A file that is good in itself and not for this network; `fault` is one of `banks.CODES`."""

    code: ClassVar[str] = "validation_failed"
    stored: ClassVar[bool] = False
    fault: str
    why: str

    @property
    def detail(self) -> str:
        return self.why

    @property
    def pointer(self) -> str | None:
        return ""


class AlreadyTaken(DuplicateReference):
    """A file, or a statement, that is in already: nothing of it is taken in again."""

    @property
    def detail(self) -> str:
        return f"this {'file' if self.existing == 'file' else 'statement'} was imported before"

    @property
    def pointer(self) -> str | None:
        return ""


class TakingEvent:
    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "EventRound":
        (request,) = requests
        event: Event = request.body
        hearing = Hearing.of(tx, book, [] if event.word is None else [event.word.instruction_id])
        topup, there = None, list[ChargeBack]()
        if event.dispute is not None and event.instruction_id is not None:
            of = store.instruction(tx, event.instruction_id, book_id=book.id)
            if of is not None and of.rail == event.rail and of.direction == "topup" and of.payment_record_id:
                topup = charge_back_store.topup(tx, book.id, of.payment_record_id)
        if topup is not None:
            there = charge_back_store.of_topup(tx, topup.id)
            hearing.needs.accounts |= charge_backs.accounts(topup)
        known = store.event_known(tx, event.rail, event.event_id)
        return EventRound(known, hearing, hearing.needs, topup, there)


@dataclass(slots=True)
class EventRound:
    known: bool
    hearing: Hearing
    needs: Needs
    # what a dispute is of, and what was taken back of that before
    topup: TopupMade | None = None
    there: list[ChargeBack] = field(default_factory=list)
    event: Event | None = None
    outcome: str = "nothing"
    changed: ChargeBack | None = None

    def decide(self, request: Request, working: Working) -> Decision:
        event: Event = request.body
        if self.known:
            return Accepted(EventTaken("known"))
        word = event.word
        self.event = event
        if word is None:
            self.outcome = self._dispute(request, event, working)
        if word is not None and (of := self.hearing.found.get(word.instruction_id)) is not None:
            if of.rail != event.rail:
                self.outcome = "differs"
            else:
                self.outcome = self.hearing.hear(working, request.actor, None, word).outcome
        return Accepted(EventTaken(self.outcome))

    def _dispute(self, request: Request, event: Event, working: Working) -> str:
        """What came of the money of a top-up that was credited; all else is for people to see."""
        if event.dispute is None or self.topup is None:
            return "differs"
        word = booking.Word(request.actor, self.topup.through, event.dispute.reference, None, event.instruction_id)
        outcome, self.changed = charge_backs.hear(working, word, event.dispute, self.topup, self.there)
        return outcome

    def write(self, tx: Tx, working: Working) -> None:
        if self.event is None:
            return
        word = self.event.word
        named = self.event.instruction_id
        if word is not None:
            named = word.instruction_id if word.instruction_id in self.hearing.found else None
        store.add_event(tx, working.book, self.event.rail, self.event.event_id, self.event.kind, named, self.outcome)
        if self.event.movement is not None:
            store.add_movement(tx, working.book, self.event.rail, self.event.movement, working.now)
        if self.changed is not None:
            charge_back_store.put(tx, self.changed)
        store.change_instructions(tx, self.hearing.changes.values())


HANDLERS: Final[dict[str, ledger.Handler]] = {
    "instruct": Instructing(),
    "ask_topup": AskingTopup(),
    "rail_word": Saying(),
    "bank_statements": TakingStatements(),
    "payment_report": TakingReport(),
    "rail_event": TakingEvent(),
    **charge_backs.HANDLERS,
}
