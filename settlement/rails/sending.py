"""Instructions go out: claimed in the table, so that no two processes send one at once; asked after first if they were
tried before; what nobody knows is asked again, later and later, and in the end by a person.

No network inside a transaction: the claim is committed before the call, its outcome after it.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import ledger
from ledger import Book, Committer, Database, Tx
from ledger.errors import NetworkStopped
from settlement import rails
from settlement.rails import paying
from settlement.rails.instructions import Instruction
from settlement.rails.port import SLOWEST_SECONDS, Done, Order, Rail, Refused, Unknown, Waiting
from settlement.steps import window_id
from settlement.windows import Asker

log = logging.getLogger("manex.rails")

JOB: Final = "rails"
#: A claim outlives the two calls that are made under it.
LEASE: Final = timedelta(seconds=3 * SLOWEST_SECONDS)
#: Instructions one look takes on.
LARGEST_LOOK: Final = 20
FIRST_WAIT: Final = timedelta(seconds=5)
LONGEST_WAIT: Final = timedelta(hours=1)
#: About a day; then a person has it asked again.
MOST_TRIES: Final = 30

#: The providers of each mode, by name.
Rails = Mapping[str, Mapping[str, Rail]]


def job(all_rails: Rails) -> ledger.jobs.Job:
    """The job that sends what is to be sent. Its times are the wall's: the world outside knows no book's clock."""

    def next_due(tx: Tx, book: Book) -> datetime | None:
        names = list(all_rails.get(book.mode, {}))
        return book.now if names and rails.store.next_to_send(tx, book.id, names) else None

    def run(db: Database, committer: Committer, book: Book) -> int:
        return send_due(db, committer, all_rails.get(book.mode, {}), book)

    return ledger.jobs.Job(JOB, next_due, run)


def wait_after(tries: int) -> timedelta | None:
    """How long after so many tries the next one is made: twice as long each time, up to an hour; None: never."""
    if tries >= MOST_TRIES:
        return None
    doubled: int = 2 ** min(tries - 1, 20)
    return min(FIRST_WAIT * doubled, LONGEST_WAIT)


def send_due(db: Database, committer: Committer, of_mode: Mapping[str, Rail], book: Book) -> int:
    """Send what is due in a book; how many instructions were taken on."""
    names = list(of_mode)
    for taken in range(LARGEST_LOOK if names else 0):
        claim = ledger.ids.new()
        with db.tx("settlement") as tx:
            found = rails.store.claim(tx, book.id, names, claim, LEASE, 1)
        if not found:
            return taken
        (one,) = found
        _send(db, committer, of_mode[one.rail], book, one, claim)
    return LARGEST_LOOK if names else 0


def _send(db: Database, committer: Committer, rail: Rail, book: Book, of: Instruction, claim: UUID) -> None:
    order = _order(book, of)
    # whoever tried before may have been killed between the call and its answer
    answer = rail.ask(order) if of.tries > 1 else None
    if answer is None:
        answer = rail.make(order)
    if isinstance(answer, Done):
        word = rails.Word(of.id, "confirmed", answer.reference)
        _say(db, committer, book, rail, word)
    elif isinstance(answer, Refused):
        word = rails.Word(of.id, "refused", None, f"{answer.code} {answer.why}".strip())
        _say(db, committer, book, rail, word)
    elif isinstance(answer, Waiting):
        with db.tx("settlement") as tx:
            rails.store.sent(tx, of.id, claim, answer.reference, answer.url)
    else:
        assert isinstance(answer, Unknown), answer
        log.warning("%s: %s, try %d: %s", rail.name, ledger.ids.show("instruction", of.id), of.tries, answer.why)
        with db.tx("settlement") as tx:
            rails.store.unknown(tx, of.id, claim, answer.why, wait_after(of.tries))


def _order(book: Book, of: Instruction) -> Order:
    group = "" if of.window_number is None else ledger.ids.show("window", window_id(book.public_id, of.window_number))
    account = of.account if of.direction == "pay_out" else None
    return Order(of.id, of.amount_minor, book.currency, book.exponent, group, account)


def _say(db: Database, committer: Committer, book: Book, rail: Rail, word: rails.Word) -> None:
    """What is not booked now stays claimed, and is asked after when the claim is over."""
    outcome = paying.say(db, committer, book.id, word, Asker(actor=rail.name))
    if isinstance(outcome.decision, ledger.Refusal) and not isinstance(outcome.decision, NetworkStopped):
        # a word that contradicts the books is nothing a machine sets right
        log.error("%s: %s: %s", rail.name, ledger.ids.show("instruction", word.instruction_id), outcome.decision.code)
