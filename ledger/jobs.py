"""The job room: whatever falls due, by the book's clock, in bounded batches, safe twice, late and side by side.

Upper floors add their jobs (windows that close) to the ledger's own; the composition root hands the list in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ledger import due, errors, notices
from ledger.book import Book
from ledger.commit import Committer
from ledger.db import Database, Tx
from ledger.posting import Request
from ledger.store.loading import read_book


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of work that falls due.

    `next_due` says when the earliest piece is due, or None. `run` does a bounded part of what is due at the book's
    present time and says how many pieces it took on; 0 means nothing is left.
    """

    name: str
    next_due: Callable[[Tx, Book], datetime | None]
    run: Callable[[Database, Committer, Book], int]


def posting(
    name: str, next_due: Callable[[Tx, Book], datetime | None], find: Callable[[Tx, Book], list[Request]]
) -> Job:
    """A job whose pieces are requests to the ledger."""

    def run(db: Database, committer: Committer, book: Book) -> int:
        with db.tx("door") as tx:
            requests = find(tx, book)
        outcomes = committer.post_all(requests)
        return sum(not isinstance(outcome.decision, errors.NetworkStopped) for outcome in outcomes)

    return Job(name, next_due, run)


#: Holds lapse before points expire: what comes back from a hold at that moment expires with the rest.
OWN = (
    posting("lapses", due.next_lapse, due.lapsing),
    posting("maturities", due.next_maturity, due.maturing),
    posting("expiries", due.next_expiry, due.expiring),
    posting("notices", notices.next_notice, notices.due),
)


def run_due(db: Database, committer: Committer, jobs: Sequence[Job], book_id: int) -> int:
    """Do all that is due in a book now; how many pieces that were. In a stopped book it waits: 0."""
    done = 0
    while (pieces := _do(db, committer, _look(db, jobs, book_id))) > 0:
        done += pieces
    return done


def advance(db: Database, committer: Committer, jobs: Sequence[Job], book_id: int, to: datetime) -> datetime:
    """Move a test book's clock to `to`, stopping at every time something falls due on the way.

    Returns the clock once all that became due is done. A clock that is past `to` already stays where it is. Stopped:
    the network is stopped, or was on the way.
    """
    while True:
        look = _look(db, jobs, book_id)
        if look.book.stopped:
            raise errors.Stopped
        if _do(db, committer, look):
            continue
        if look.book.now >= to:
            return look.book.now
        stop = min([to, *[when for _, when in look.ahead if when > look.book.now]])
        committer.post(due.request(book_id, "set_clock", due.SetClock(stop)))


@dataclass(frozen=True, slots=True)
class _Look:
    """A book at one moment, and when each job's next piece falls due."""

    book: Book
    ahead: tuple[tuple[Job, datetime], ...]


def _look(db: Database, jobs: Sequence[Job], book_id: int) -> _Look:
    with db.tx("door") as tx:
        book = read_book(tx, book_id)
        if book.stopped:
            return _Look(book, ())
        whens = [(job, job.next_due(tx, book)) for job in jobs]
    return _Look(book, tuple((job, when) for job, when in whens if when is not None))


def _do(db: Database, committer: Committer, look: _Look) -> int:
    return sum(job.run(db, committer, look.book) for job, when in look.ahead if when <= look.book.now)
