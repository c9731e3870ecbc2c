"""How a proof is run: in one snapshot of the database, read only, check after check, each with its time and its finds.

A check is a function of a `Scope` that yields the rows that break its promise. It never repairs and never stops the
others: what it finds is named, at most `SHOWN` rows of it.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from ledger import db
from ledger.db import Tx
from ledger.errors import BookNotFound

#: How many offending rows a finding names.
SHOWN: Final = 5
#: Rows a streaming check holds at once.
CHUNK: Final = 4_000

Row = dict[str, Any]
Derived = TypeVar("Derived")

#: How many rows a check looked at: what its promise is about, counted in the snapshot.
_COUNTS: Final = {
    "table": "select count(*) from pg_class where relnamespace = 'ledger'::regnamespace and relkind = 'r'",
    "head": "select count(*) from ledger.head where book_id = any(%(books)s)",
    "batch": "select count(*) from ledger.batch where book_id = any(%(books)s)",
    "record": "select count(*) from ledger.record where book_id = any(%(books)s)",
    "account": "select count(*) from ledger.account where book_id = any(%(books)s)",
    "lot": "select count(*) from ledger.lot where book_id = any(%(books)s)",
    "hold": "select count(*) from ledger.hold where book_id = any(%(books)s)",
    "debt": "select count(*) from ledger.debt where book_id = any(%(books)s)",
    "issuer": "select count(*) from ledger.issuer where book_id = any(%(books)s)",
    "outcome": "select count(*) from ledger.outcome where book_id = any(%(books)s)",
    "revision": "select count(*) from ledger.revision where book_id = any(%(books)s)",
    "entry": "select count(*) from ledger.entry e join ledger.account a on a.id = e.account_id"
    " where a.book_id = any(%(books)s)",
    "lot_move": "select count(*) from ledger.lot_move m join ledger.batch b on b.id = m.batch_id"
    " where b.book_id = any(%(books)s)",
    "sale": "select count(*) from merchants.sale where book_id = any(%(books)s)",
    "redemption": "select count(*) from merchants.redemption where book_id = any(%(books)s)",
    "voucher": "select count(*) from merchants.voucher where book_id = any(%(books)s)",
    "approval": "select count(*) from merchants.approval where book_id = any(%(books)s)",
    "refund": "select count(*) from merchants.refund where book_id = any(%(books)s)",
    "brake": "select count(*) from merchants.brake where book_id = any(%(books)s)",
    "velocity_limit": "select count(*) from merchants.velocity_limit where book_id = any(%(books)s)",
    "gift": "select count(*) from merchants.gift where book_id = any(%(books)s)",
    "gift_day": "select count(*) from merchants.gift_day where book_id = any(%(books)s)",
    "household_person": "select count(*) from merchants.household_person p"
    " join merchants.household h on h.id = p.household_id where h.book_id = any(%(books)s)",
    "sponsorship": "select count(*) from merchants.sponsorship where book_id = any(%(books)s)",
    "bonus": "select count(*) from merchants.bonus where book_id = any(%(books)s)",
    "segment_version": "select count(*) from merchants.segment_version where book_id = any(%(books)s)",
    "segment_member": "select count(*) from merchants.segment_member where book_id = any(%(books)s)",
    "occasion_memory": "select count(*) from merchants.occasion_memory where book_id = any(%(books)s)",
    "next_offer": "select count(*) from merchants.next_offer where book_id = any(%(books)s)",
    **{
        table: f"select count(*) from merchants.{table} where book_id = any(%(books)s)"  # noqa: S608 - our own names
        for table in ("offer", "offer_member", "offer_tally", "offer_use")
    },
    "tier_held": "select count(*) from merchants.tier_held where book_id = any(%(books)s)",
    "standing": "select count(*) from merchants.standing where book_id = any(%(books)s)",
    "entitlement_use": "select count(*) from merchants.entitlement_use where book_id = any(%(books)s)",
    "relay": "select count(*) from ledger.relay where book_id = any(%(books)s)",
    "partition": "select count(*) from settlement.partition where book_id = any(%(books)s)",
    "window": "select count(*) from settlement.window where book_id = any(%(books)s)",
    "contract": "select count(*) from settlement.contract where book_id = any(%(books)s)",
    "item": "select count(*) from settlement.item where book_id = any(%(books)s)",
    "position": "select count(*) from settlement.position where book_id = any(%(books)s)",
    "bilateral": "select count(*) from settlement.bilateral where book_id = any(%(books)s)",
    "seal": "select count(*) from settlement.seal where book_id = any(%(books)s)",
    "sealed_party": "select count(*) from settlement.sealed_party where book_id = any(%(books)s)",
    "sealed_holding": "select count(*) from settlement.sealed_holding where book_id = any(%(books)s)",
    "instruction": "select count(*) from settlement.instruction where book_id = any(%(books)s)",
    "bank_line": "select count(*) from settlement.bank_line where book_id = any(%(books)s)",
    "payment": "select count(*) from settlement.payment where book_id = any(%(books)s)",
    **{
        table: f"select count(*) from settlement.{table} where book_id = any(%(books)s)"  # noqa: S608 - our own names
        for table in ("told_line", "match", "break", "break_adjustment", "charge_back", "pay_in_grace")
    },
}


class Scope:
    """What one audit looks at: a snapshot, the books in it, and how many rows it holds."""

    def __init__(self, tx: Tx, books: Sequence[int]) -> None:
        self.tx = tx
        self.books = list(books)
        self._counted: dict[str, int] = {}
        self._derived: dict[str, Any] = {}
        self._cursors = itertools.count(1)

    def rows(self, query: str, **facts: Any) -> Iterator[Row]:
        """The first rows of a query, enough to name an offence."""
        with self.tx.cursor(row_factory=dict_row) as cursor:
            limited = f"select * from ({query}) offending limit {SHOWN}"  # noqa: S608 - our own statements
            cursor.execute(limited, {"books": self.books, **facts})
            yield from cursor.fetchall()

    def stream(self, query: str, **facts: Any) -> Iterator[tuple[Any, ...]]:
        """Every row of a query through a cursor of the server's, so that memory stays flat."""
        with self.tx.cursor(name=f"audit_{next(self._cursors)}") as cursor:
            cursor.itersize = CHUNK
            cursor.execute(query, {"books": self.books, **facts})
            yield from cursor

    def once(self, name: str, derive: Callable[["Scope"], Derived]) -> Derived:
        """What several checks of one audit rest on, derived for the first of them. For small things only."""
        if name not in self._derived:
            self._derived[name] = derive(self)
        found: Derived = self._derived[name]
        return found

    def count(self, what: str) -> int:
        if what not in self._counted:
            row = self.tx.execute(_COUNTS[what], {"books": self.books}).fetchone()
            assert row is not None
            self._counted[what] = row[0]
        return self._counted[what]


@dataclass(frozen=True, slots=True)
class Check:
    """A promise of the design and the function that looks for what breaks it. `over` names the rows it is about."""

    name: str
    proves: str
    over: str
    find: Callable[[Scope], Iterable[Row]]


class Checks(list[Check]):
    """The checks of one package, in the order they run; a function joins by decoration."""

    def __call__(
        self, name: str, proves: str, *, over: str
    ) -> Callable[[Callable[[Scope], Iterable[Row]]], Callable[[Scope], Iterable[Row]]]:
        def add(find: Callable[[Scope], Iterable[Row]]) -> Callable[[Scope], Iterable[Row]]:
            assert all(check.name != name for check in self), name
            self.append(Check(name, proves, over, find))
            return find

        return add


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw: how many rows, how long it took, and the first rows that break its promise."""

    name: str
    proves: str
    rows: int
    seconds: float
    offending: list[Row] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.offending


@dataclass(frozen=True, slots=True)
class Report:
    findings: list[Finding]

    @property
    def clean(self) -> bool:
        return all(finding.ok for finding in self.findings)

    @property
    def document(self) -> dict[str, Any]:
        """The report as JSON says it."""
        return {
            "verdict": "clean" if self.clean else "broken",
            "checks": [
                {
                    "name": f.name,
                    "proves": f.proves,
                    "ok": f.ok,
                    "rows": f.rows,
                    "seconds": round(f.seconds, 3),
                    "offending": f.offending,
                }
                for f in self.findings
            ],
        }


def run(
    url: str,
    checks: Sequence[Check],
    *,
    book: int | UUID | None = None,
    begins: Callable[[Check], None] = lambda _check: None,
    ends: Callable[[Finding], None] = lambda _finding: None,
) -> Report:
    """Run `checks` on a database in one snapshot, while the house stays open.

    `book` (its number or public id) narrows them to one book; BookNotFound when there is none such. `begins` and `ends`
    hear of each check, for whoever waits.
    """
    conn = db.connect(url, "auditor")
    try:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        conn.read_only = True
        with conn.transaction():
            # sorts and hashes of a year's rows; the checks run one after the other, so it is taken once
            conn.execute("set local work_mem = '96MB'")
            # nearly every check reads whole tables: looking rows up one by one through a sparse index is the slow way
            conn.execute("set local enable_bitmapscan = off")
            return prove(conn, checks, book=book, begins=begins, ends=ends)
    finally:
        conn.close()


def prove(
    tx: Tx,
    checks: Sequence[Check],
    *,
    book: int | UUID | None = None,
    begins: Callable[[Check], None] = lambda _check: None,
    ends: Callable[[Finding], None] = lambda _finding: None,
) -> Report:
    """Run `checks` on what `tx` sees. For a verdict on one moment it must be a transaction with one snapshot."""
    scope = Scope(tx, _books(tx, book))
    return Report([_prove(scope, check, begins, ends) for check in checks])


def _books(tx: Tx, book: int | UUID | None) -> list[int]:
    if book is None:
        return [id for (id,) in tx.execute("select id from ledger.book order by id")]
    named = (
        "select id from ledger.book where public_id = %s"
        if isinstance(book, UUID)
        else "select id from ledger.book where id = %s"
    )
    row = tx.execute(named, [book]).fetchone()
    if row is None:
        raise BookNotFound(book)
    return [row[0]]


def _prove(scope: Scope, check: Check, begins: Callable[[Check], None], ends: Callable[[Finding], None]) -> Finding:
    begins(check)
    started = time.perf_counter()
    try:
        # a savepoint: a check that rows have broken beyond reading must not silence those after it
        with scope.tx.transaction():
            offending = [_shown(row) for row in itertools.islice(check.find(scope), SHOWN)]
            rows = scope.count(check.over)
    except (psycopg.DataError, LookupError, TypeError, ValueError) as error:
        # rows that nobody can make sense of prove nothing
        offending, rows = [{"unreadable": f"{type(error).__name__}: {error}"}], 0
    finding = Finding(check.name, check.proves, rows, time.perf_counter() - started, offending)
    ends(finding)
    return finding


def _shown(row: Row) -> Row:
    """A row as a person and JSON can read it."""
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    # sums of bigint come as exact decimals
    return int(value) if hasattr(value, "as_integer_ratio") and value == int(value) else str(value)
