"""What a serving process does beside its doors, each on a thread of its own: what is slow or hangs there holds up nothing else."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Final

import ledger
import settlement
from gateway.server import Server

log = logging.getLogger("manex.clockwork")

#: How often books are looked at.
LOOK_SECONDS: Final = 5.0
#: How long a stopping process waits for the work of this moment, of each kind.
STOP_SECONDS: Final = 20.0


@contextlib.contextmanager
def running(doors: Server) -> Iterator[None]:
    """Look again and again, until left, at every book.

    What falls due, and settlements that a process left behind: in live books, for test books wait for their operator's
    `advance_to`. What is closed and not sealed, what banks and
    providers told and is not reconciled, and what goes out to providers by the wall's clock: in all books.
    """
    done = threading.Event()
    outgoing = [settlement.sending.job(doors.providers.rails)]

    def due(book: ledger.Book) -> None:
        if book.mode == "live":
            settlement.windows.resume(doors.db, doors.committer, book.id)
            ledger.jobs.run_due(doors.db, doors.committer, doors.jobs, book.id)

    def sealing(book: ledger.Book) -> None:
        settlement.sealing.catch_up(doors.db, book.id, doors.proofs.sealing(), wait=False)

    def sending(book: ledger.Book) -> None:
        ledger.jobs.run_due(doors.db, doors.committer, outgoing, book.id)

    def reconciling(book: ledger.Book) -> None:
        settlement.reconciliation.after_files(doors.db, book)

    def look(work: Callable[[ledger.Book], None]) -> None:
        while not done.wait(LOOK_SECONDS):
            try:
                with doors.db.tx("door") as tx:
                    books = ledger.books.all_books(tx)
            except Exception as error:  # the next look takes it up again
                log.warning("%s: no books: %s", work.__name__, type(error).__name__)
                continue
            for book in books:
                try:
                    work(book)
                except Exception as error:  # one book that cannot go on holds up no other
                    log.warning("%s: book %d: %s", work.__name__, book.id, type(error).__name__)

    works = [due, sealing, reconciling, *([sending] if doors.providers.rails else [])]
    threads = [
        threading.Thread(target=look, args=[work], name=f"manex-clockwork-{work.__name__}", daemon=True)
        for work in works
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join(timeout=STOP_SECONDS)
