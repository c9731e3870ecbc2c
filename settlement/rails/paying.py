"""What people, banks and providers do to payments by a rail: each act is asked of the ledger once the stream is drained."""

import hashlib
from dataclasses import replace
from typing import Final
from uuid import UUID

import ledger
from ledger import Committer, Database, Outcome, Request, Tx
from settlement import rails, windows
from settlement.rails import banks, by_stripe
from settlement.rails.banks import Expected, Order, Party, Transfer
from settlement.rails.instructions import reference
from settlement.windows import CLOCK, Asker

#: What stands on a payment, so that whoever gets it knows what it is.
REMITTANCE: Final = "settlement window {number}"


def instruct(db: Database, committer: Committer, book_id: int, *, number: int, rail: str, asker: Asker) -> Outcome:
    """Have what is open of a window paid by a rail. A window that is approved is posted first."""
    assert asker.operator_id is not None, "a person has others paid"
    windows.resume(db, committer, book_id)
    return _ask(db, committer, book_id, "instruct", rails.Instruct(number, rail, asker.operator_id), asker)


def say(db: Database, committer: Committer, book_id: int, word: rails.Word, asker: Asker = CLOCK) -> Outcome:
    """Book what a person, or a rail by its own answer, says of an instruction."""
    return _ask(db, committer, book_id, "rail_word", rails.Say(word, asker.operator_id), asker)


def take_statements(db: Database, committer: Committer, book_id: int, *, raw: bytes, asker: Asker) -> Outcome:
    """Take a statement file in, whole, with what it says of instructions. BadFile: nothing was."""
    assert asker.operator_id is not None, "a person sends a file"
    found = tuple(banks.read_statements(raw, expected(db, book_id)))
    body = rails.TakeStatements(hashlib.sha256(raw).digest(), found, asker.operator_id)
    return _ask(db, committer, book_id, "bank_statements", body, asker)


def take_report(db: Database, committer: Committer, book_id: int, *, raw: bytes, asker: Asker) -> Outcome:
    """Take a pain.002 in, whole. BadFile: nothing was."""
    assert asker.operator_id is not None, "a person sends a file"
    found = banks.read_report(raw, expected(db, book_id))
    body = rails.TakeReport(hashlib.sha256(raw).digest(), found, asker.operator_id)
    return _ask(db, committer, book_id, "payment_report", body, asker)


def take_event(db: Database, committer: Committer, book_id: int, event: rails.Event) -> Outcome:
    """Take in what a provider told. Told twice, it has its effect once."""
    return _ask(db, committer, book_id, "rail_event", event, Asker(actor=event.rail))


def charge_back(
    db: Database,
    committer: Committer,
    book_id: int,
    body: rails.ProposeChargeBack | rails.ProposeReversal | rails.DecideChargeBack,
    asker: Asker,
) -> Outcome:
    """What one person, then another, says of a top-up that the bank took back, or of what came again of it."""
    kinds = {rails.ProposeChargeBack: "charge_back", rails.ProposeReversal: "charge_back_reversal"}
    return _ask(db, committer, book_id, kinds.get(type(body), "charge_back_decision"), body, asker)


def payment_file(tx: Tx, id: UUID) -> bytes:
    """The pain.001 of a payout file: the same bytes whenever it is asked for."""
    found = rails.store.payout_file(tx, id)
    assert found is not None, id
    book_id, file = found
    book = ledger.read_book(tx, book_id)
    remittance = REMITTANCE.format(number=file.window_number)
    transfers = tuple(
        Transfer(reference(each.id), each.amount_minor, _party(each.holder, each.account, each.bic), remittance)
        for each in rails.store.of_file(tx, id)
    )
    assert (len(transfers), sum(t.amount_minor for t in transfers)) == (file.instructions, file.total_minor), id
    payer = _party(file.holder, file.account, file.bic)
    order = Order(reference(id), file.made_at, file.execute_on, payer, transfers)
    return banks.pain.written(order, Expected(book.currency, book.exponent))


def _party(holder: str | None, account: str | None, bic: str | None) -> Party:
    assert holder is not None
    assert account is not None
    return Party(holder, account, banks.accounts.is_iban(account), bic)


def expected(db: Database, book_id: int) -> Expected:
    with db.tx("settlement") as tx:
        book = ledger.read_book(tx, book_id)
    return Expected(book.currency, book.exponent)


def _ask(db: Database, committer: Committer, book_id: int, kind: str, body: object, asker: Asker) -> Outcome:
    with db.tx("settlement") as tx:
        principal = asker.operator_id or ledger.read_book(tx, book_id).operator_id
    request = Request(book_id, kind, principal, asker.actor, body, asker.render, asker.key, asker.fingerprint)
    return windows.act(db, committer, book_id, request)


def _may_be_ours(db: Database, mode: str) -> bool:
    """Whether a payment that nobody knows may be one of a top-up that still waits for its word."""
    with db.tx("settlement") as tx:
        return rails.store.topup_waits(tx, by_stripe.NAME, mode)


def _instruction_told(tx: Tx, told: by_stripe.Told) -> rails.Instruction | None:
    if told.instruction_id is not None:
        return rails.store.instruction(tx, told.instruction_id)
    if told.said is not None or told.reference is None:
        return None
    return rails.store.by_rail_reference(tx, by_stripe.NAME, told.reference)


def _movement(
    of: rails.Instruction, told: by_stripe.Told, dispute: rails.Dispute | None, amount: int
) -> rails.store.Movement | None:
    """The money that an event says moved: what is confirmed did, and what was returned came back the other way; what a
    dispute took went, and may come again."""
    if dispute is not None:
        if dispute.amount_minor <= 0:
            return None
        gone = dispute.said == "withdrawn"
        moved = -dispute.amount_minor if gone else dispute.amount_minor
        return rails.store.Movement("disputed" if gone else "reinstated", dispute.reference, moved, of.id)
    if told.said not in ("confirmed", "returned") or amount <= 0 or told.reference is None:
        return None
    out = (of.direction == "pay_out") == (told.said == "confirmed")
    kind = "transfer" if told.said == "confirmed" else "returned"
    return rails.store.Movement(kind, told.reference, -amount if out else amount, of.id)


def take_stripe_event(db: Database, committer: Committer, mode: str, told: by_stripe.Told) -> str:
    """Take in what Stripe told, its signature proved with the secret of `mode`; what came of it.

    `nothing` when it is of no instruction of a book of that mode: an account at Stripe may serve others as well.
    """
    with db.tx("settlement") as tx:
        of = _instruction_told(tx, told)
        book = None if of is None else ledger.read_book(tx, of.book_id)
    if told.dispute is not None and (_may_be_ours(db, mode) if of is None else of.lives):
        # the payment's own word is late: this one is told again until that has come
        raise ledger.errors.Unavailable("a dispute of a payment that is not told of yet")
    if of is None or book is None or book.mode != mode:
        return "nothing"
    # another currency is another sum
    amount = told.amount_minor if told.amount_minor is not None and told.currency == book.currency else 0
    word = None if told.said is None else rails.Word(of.id, told.said, told.reference, None, amount)
    dispute = told.dispute
    if dispute is not None and told.currency != book.currency:
        dispute = replace(dispute, amount_minor=0)
    moved = _movement(of, told, dispute, amount)
    event = rails.Event(by_stripe.NAME, told.event_id, told.kind, word, of.id, moved, dispute)
    decision = take_event(db, committer, book.id, event).decision
    if isinstance(decision, ledger.Refusal):
        raise ledger.errors.Unavailable(decision.code)
    assert isinstance(decision, ledger.Accepted)
    outcome: str = decision.value.outcome
    return outcome
