"""A database for simulations: made in a temporary place, proved now and then, and emptied after that."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

import ledger
import ledger.audit
import merchants.trade.audit
import settlement
import settlement.audit
from deploy import keys, postgres
from deploy.migrate import migrate
from deploy.tables import SCHEMAS
from ledger.audit import Finding

#: Nothing in it outlives the command.
_QUICK: Final = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}

_SEALING: Final = settlement.Sealing(settlement.proof.Signer(keys.proof_key()), bytes(32))


@contextlib.contextmanager
def temporary() -> Iterator[str]:
    """The address of a migrated, empty database on a server of its own."""
    place = Path(tempfile.mkdtemp(prefix="manex-simulate-"))
    try:
        with postgres.running(place / "home", settings=_QUICK) as server:
            with psycopg.connect(server.url, autocommit=True) as conn:
                conn.execute("create database manex_simulated")
            url = server.dsn("manex_simulated")
            migrate(url)
            yield url
    finally:
        shutil.rmtree(place, ignore_errors=True)


def proved(url: str) -> list[Finding]:
    """What the proof of everything finds wrong, once every window is sealed: long after its close, as at its close."""
    unsealed = _sealed(url)
    report = ledger.audit.run(url, [*ledger.audit.CHECKS, *merchants.trade.audit.CHECKS, *settlement.audit.CHECKS])
    return [*(finding for finding in report.findings if not finding.ok), *unsealed]


def _sealed(url: str) -> list[Finding]:
    """Seal every window there is; what cannot be sealed."""
    found = []
    db = ledger.Database(url, largest_pool=1)
    try:
        with db.tx("settlement") as tx:
            books = ledger.books.all_books(tx)
        for book in books:
            try:
                settlement.sealing.catch_up(db, book.id, _SEALING)
            except (AssertionError, OverflowError, psycopg.Error) as error:
                why = {"book": book.network, "why": f"{type(error).__name__}: {error}"}
                found.append(Finding("sealing", "every window that is netted can be sealed", 0, 0.0, [why]))
    finally:
        db.close()
    return found


def empty(url: str) -> None:
    """Delete every row. Numbers go on where they were: what a committer remembers of books stays apart."""
    with psycopg.connect(url, autocommit=True) as conn:
        # past the triggers that keep facts as they are
        conn.execute("set session_replication_role = replica")
        for schema in SCHEMAS:
            for (table,) in conn.execute("select tablename from pg_tables where schemaname = %s", [schema]).fetchall():
                conn.execute(sql.SQL("delete from {}").format(sql.Identifier(schema, table)))
        conn.execute("vacuum")
