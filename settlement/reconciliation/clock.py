"""When a book is reconciled without anybody asking: daily, and as soon as a bank or a provider has told something.

Safe twice and side by side: a look changes nothing that another has changed already.
"""

from datetime import datetime, timedelta
from typing import Final

import ledger
from ledger import Book, Committer, Database, Tx
from settlement import store as settlement_store
from settlement.reconciliation import reconcile, store

EVERY: Final = timedelta(days=1)


def next_due(tx: Tx, book: Book) -> datetime | None:
    """When a book is to be looked at again, by its clock; None while nothing could have changed since."""
    if store.pending(tx, book.id):
        return book.now
    last = store.whole(tx, book.id)
    if last is None:
        # nobody has looked at it: a day after its first window opened
        window = settlement_store.window(tx, book.id, 1)
        return None if window is None else window.opened_at + EVERY
    return last + EVERY if store.waiting(tx, book.id) else None


def run(db: Database, committer: Committer, book: Book) -> int:  # noqa: ARG001 - every job is asked alike
    """Look at it. Each transaction of it is bounded, and what a killed one leaves the next takes up."""
    reconcile.run(db, book.id)
    return 1


def after_files(db: Database, book: Book) -> bool:
    """Reconcile what banks and providers have told, whatever the book's clock says; whether there was anything."""
    with db.tx("settlement") as tx:
        if not store.pending(tx, book.id):
            return False
    reconcile.run(db, book.id, sources=("bank", "psp"))
    return True


#: For the composition root.
JOB: Final = ledger.jobs.Job("reconciliation", next_due, run)
