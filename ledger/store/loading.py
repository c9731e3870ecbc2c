"""What a batch locks and reads before it decides: accounts, lots, holds, debts. A few set-based statements, whatever its size."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from ledger.accounts import KINDS, Account, AccountName, Accounts
from ledger.arrays import bigints, integers, texts, uuids
from ledger.book import Book
from ledger.db import Tx
from ledger.errors import BookNotFound
from ledger.holds import Debt, Hold
from ledger.lots import Lot, Slice
from ledger.store.settings import SettingsCache, issuers
from ledger.values import Points
from ledger.working import Needs, Working, homes

#: The first half of the advisory lock of a book; the second is the book's id.
BOOK_LOCK = 0x4D4E58


class Known(NamedTuple):
    """The stored outcome of an idempotency key."""

    fingerprint: bytes
    status: int
    body: bytes


class _Names:
    """Ids of accounts by name. Accounts are never renamed or deleted, so what is remembered stays true."""

    def __init__(self, largest: int = 500_000) -> None:
        self._owned: dict[UUID, dict[str, int]] = {}
        self._others: dict[tuple[int, AccountName], int] = {}
        self._held = 0
        self._largest = largest

    def of(self, owner: UUID) -> dict[str, int]:
        """An owner's accounts by kind. An owner is in one book."""
        return self._owned.get(owner, {})

    def get(self, book_id: int, name: AccountName) -> int | None:
        if name.is_owned:
            assert name.owner is not None
            return self.of(name.owner).get(name.kind)
        return self._others.get((book_id, name))

    def learn(self, book_id: int, ids: Iterable[tuple[AccountName, int]]) -> None:
        if self._held > self._largest:
            self._owned.clear()
            self._others.clear()
            self._held = 0
        for name, id in ids:
            self._held += 1
            if name.is_owned:
                assert name.owner is not None
                # a new dictionary: another thread may be reading the old one
                self._owned[name.owner] = self.of(name.owner) | {name.kind: id}
            else:
                self._others[book_id, name] = id


class Caches:
    """What a process remembers of a database between batches. One per database, never shared between two."""

    def __init__(self) -> None:
        self.names = _Names()
        self.issuers = SettingsCache(issuers)


_BOOK = """
select id, public_id, network, mode, currency, exponent, face_value_minor, points_life_days, inactivity_days,
       time_zone, window_schedule, operator_id, settings_revision, coalesce(clock, clock_timestamp()), stopped
from ledger.book where id = %s
"""


def read_book(tx: Tx, book_id: int) -> Book:
    row = tx.execute(_BOOK, [book_id]).fetchone()
    if row is None:
        raise BookNotFound(book_id)
    return Book(*row)


def open_book(
    tx: Tx, book_id: int, keys: Sequence[tuple[UUID, str]], *, exclusive: bool
) -> tuple[Book, dict[tuple[UUID, str], Known]]:
    """Take the book's lock, then read it and the outcomes already known for `keys`."""
    lock = "pg_advisory_xact_lock" if exclusive else "pg_advisory_xact_lock_shared"
    tx.execute(f"select {lock}(%s, %s)", [BOOK_LOCK, book_id])
    book_row = tx.execute(_BOOK, [book_id])
    outcome_rows = None
    if keys:
        outcome_rows = tx.execute(
            "select o.principal_id, o.key, o.fingerprint, o.status, o.body"
            " from unnest(%s::uuid[], %s::text[]) as asked(principal_id, key), lateral (select * from ledger.outcome o"
            " where o.book_id = %s and o.principal_id = asked.principal_id and o.key = asked.key offset 0) as o",
            [uuids(k[0] for k in keys), texts(k[1] for k in keys), book_id],
            binary=True,
        )
    row = book_row.fetchone()
    known = {(r[0], r[1]): Known(r[2], r[3], r[4]) for r in outcome_rows.fetchall()} if outcome_rows else {}
    if row is None:
        raise BookNotFound(book_id)
    return Book(*row), known


def load(tx: Tx, book: Book, needs: Needs, caches: Caches, *, firmly: bool = False) -> Working:
    """Lock and read what a batch needs: members' accounts in order of id, then what the lots and holds show, then the rest.

    The order is the same in every process, so two batches never wait for each other in a circle. What a member owes and
    what is pending is locked after the wallets, and by nobody who has not locked their member's wallet. The batch's number
    is drawn after the members' locks: along one wallet, numbers and sequence agree. What is shared is read, and locked when
    the batch is written; or here, where the batch names any of it as its own (points bought, a top-up), or `firmly`, where
    it failed because others had moved it meanwhile.
    """
    loading = _Loading(tx, book, caches)
    working = Working(book, 0, caches.issuers.of(tx, book))
    wallets, holders = needs.wallets | needs.lots_of, set(needs.lots_of)
    if needs.holds:
        owners = tx.execute(
            "select distinct member_id from ledger.hold where book_id = %s and id = any(%s::uuid[])",
            [book.id, uuids(needs.holds)],
        ).fetchall()
        holders.update(member for (member,) in owners)
        wallets |= holders
    named = {name for name in needs.accounts if not name.is_personal}
    budgets = {name for name in named if name.kind == "budget"}
    behind = {name for name in needs.accounts if name.is_personal and name.kind in ("debt", "pending")}
    personal = {name for name in needs.accounts if name.is_personal} - behind
    wallets |= {name.owner for name in personal if name.owner is not None and name.kind == "wallet"}
    holders |= {name.owner for name in personal if name.owner is not None and name.kind == "held"}
    fetch_accounts = loading.lock(loading.ids((), {"wallet": wallets, "held": holders}))
    debt_rows = None
    if wallets:
        debt_rows = tx.execute(
            "select id, member_id, creditor_id, sale_id, closed_loop, points, remaining, batch_id, n from ledger.debt"
            " where book_id = %s and member_id = any(%s::uuid[]) and remaining > 0 order by batch_id, n, id",
            [book.id, uuids(wallets)],
        )
    drawn = tx.execute("select nextval('ledger.batch_number')")
    _read_lots_and_holds(tx, working, needs)
    fetch_accounts(working.accounts)
    for row in debt_rows.fetchall() if debt_rows is not None else ():
        debt = Debt(*row)
        working.debts.setdefault(debt.member_id, []).append(debt)
        behind.add(AccountName("debt", debt.member_id, debt.creditor_id))
        needs.shared |= {("claim", debt.creditor_id), ("accepted", debt.creditor_id)}
    number = drawn.fetchone()
    assert number is not None
    working.batch_id = number[0]
    behind |= {AccountName("pending", member) for member in needs.pending}
    restored = {s.lot.id for id in needs.restored if id in working.holds for s in working.holds[id].slices}
    moving = []
    for lot in working.lots:
        if lot.pending > 0 and lot.available_at <= book.now and lot.member_id in working.lots_of:
            behind.add(AccountName("pending", lot.member_id))
        # what expired while it was held goes home as well, once a void or the rest of a capture lets it go
        if lot.expires_at <= book.now and lot.remaining + lot.pending + lot.held > 0:
            moving.append(lot)
    if needs.lots or restored:
        moving += [lot for lot in working.lots if lot.id in needs.lots or lot.id in restored]
    shared = {AccountName(kind, merchant) for kind, merchant in needs.shared}
    if moving:
        shared |= homes(moving)
    assert all(AccountName("wallet", name.owner) in working.accounts for name in behind), "locked before its wallet"
    if behind:
        loading.lock(loading.ids(behind))(working.accounts)
    # budgets, then in one go all the rest that a batch locks: here, or when it is written
    named -= budgets
    if named or firmly:
        named |= shared
        shared.clear()
    # ids before locks, so that what has to be opened is opened before
    budget_ids, named_ids, shared_ids = loading.ids(budgets), loading.ids(named), loading.ids(shared)
    fetch_budgets, fetch_named = loading.lock(budget_ids), loading.lock(named_ids)
    fetch_shared = loading.read(shared_ids)
    fetch_budgets(working.accounts)
    fetch_named(working.accounts)
    fetch_shared(working.accounts)
    return working


class _Loading:
    """Accounts of one book, found, opened where they are missing, locked."""

    def __init__(self, tx: Tx, book: Book, caches: Caches) -> None:
        self._tx = tx
        self._book = book
        self._names = caches.names

    def ids(
        self, names: Iterable[AccountName], owned: Mapping[str, Iterable[UUID]] = MappingProxyType({})
    ) -> dict[int, AccountName]:
        """The names of accounts by id: `names`, and the owners' by kind. Those that do not exist are opened."""
        found: dict[int, AccountName] = {}
        missing = []
        for kind, owners in owned.items():
            for owner in owners:
                if (id := self._names.of(owner).get(kind)) is not None:
                    found[id] = AccountName(kind, owner)
                else:
                    missing.append(AccountName(kind, owner))
        for name in names:
            if (id := self._names.get(self._book.id, name)) is not None:
                found[id] = name
            else:
                missing.append(name)
        if missing:
            there = {name: id for name, (id, _) in find(self._tx, self._book.id, missing).items()}
            # only what was committed before: an account opened here is gone again if this batch fails
            self._names.learn(self._book.id, there.items())
            if unborn := sorted(set(missing) - there.keys(), key=lambda name: name.text):
                there |= {name: id for name, (id, _) in self._open(unborn).items()}
            found |= {id: name for name, id in there.items()}
        return found

    def lock(self, names: dict[int, AccountName]) -> "_Fetch":
        return self._ask(names, " order by id for no key update", locked=True)

    def read(self, names: dict[int, AccountName]) -> "_Fetch":
        return self._ask(names, "", locked=False)

    def _ask(self, names: dict[int, AccountName], lock: str, *, locked: bool) -> "_Fetch":
        if not names:
            return _Fetch(None, names, locked)
        rows = self._tx.execute(
            f"select id, name, balance, floor from ledger.account where id = any(%s::bigint[]){lock}",
            [bigints(sorted(names))],
            binary=True,
        )
        return _Fetch(rows, names, locked)

    def _open(self, names: Sequence[AccountName]) -> dict[AccountName, tuple[int, int]]:
        """Create accounts, in the order of their names so that two batches opening the same ones cannot lock each other out."""
        self._tx.execute(
            "insert into ledger.account (book_id, name, kind, owner_id, counterparty_id, window_number, asset, floor)"
            " select %s, name, kind, owner_id, counterparty_id, window_number, asset, floor"
            " from unnest(%s::text[], %s::text[], %s::uuid[], %s::uuid[], %s::int[], %s::text[], %s::bigint[])"
            " with ordinality as new(name, kind, owner_id, counterparty_id, window_number, asset, floor, i) order by i"
            " on conflict do nothing",
            [
                self._book.id,
                texts(n.text for n in names),
                texts(n.kind for n in names),
                uuids(n.owner for n in names),
                uuids(n.counterparty for n in names),
                integers(n.window for n in names),
                texts(KINDS[n.kind].asset for n in names),
                bigints(KINDS[n.kind].floor for n in names),
            ],
        )
        return find(self._tx, self._book.id, names)


class _Fetch:
    """Accounts that were asked for, put where they belong when the answer is wanted."""

    def __init__(self, rows: Any, names: dict[int, AccountName], locked: bool) -> None:
        self._rows = rows
        self._names = names
        self._locked = locked

    def __call__(self, accounts: Accounts) -> None:
        if self._rows is None:
            return
        rows = self._rows.fetchall()
        assert len(rows) == len(self._names), "an account that was there is gone"
        names, locked = self._names, self._locked
        for id, text, balance, floor in rows:
            name = names[id]
            accounts.put(name, Account(id, text, name.kind, balance, floor, locked))


def find(tx: Tx, book_id: int, names: Iterable[AccountName]) -> dict[AccountName, tuple[int, int]]:
    """(id, balance) of those of the accounts that exist."""
    wanted = {name.text: name for name in names}
    rows = tx.execute(
        "select name, id, balance from ledger.account where book_id = %s and name = any(%s::text[])",
        [book_id, texts(list(wanted))],
    ).fetchall()
    return {wanted[text]: (id, balance) for text, id, balance in rows}


#: In the order in which a `Lot` is told them.
LOT = (
    "id, member_id, issuer_id, batch_id, n, unit_value_minor, funding, contract_id, points, pending, remaining, held,"
    " earned_at, available_at, expires_at, rule_id, sale_id, parent_id, grace_used, returned"
)


def _read_lots_and_holds(tx: Tx, working: Working, needs: Needs) -> None:
    """The open lots of members, the holds, and the lots that those pin."""
    book_id = working.book.id
    hold_rows = lot_rows = None
    if needs.holds:
        hold_rows = tx.execute(
            "select id, member_id, acceptor_id, points, state, deadline, lot_ids, lot_points"
            " from ledger.hold where book_id = %s and id = any(%s::uuid[])",
            [book_id, uuids(needs.holds)],
        )
    if needs.lots_of:
        lot_rows = tx.execute(
            f"select {LOT} from ledger.lot where member_id = any(%s::uuid[]) and open order by member_id",
            [uuids(needs.lots_of)],
            binary=True,
        )
    working.lots_of = {member: [] for member in needs.lots_of}
    if lot_rows is not None:
        working.have(Lot(*row) for row in lot_rows.fetchall())
    held = hold_rows.fetchall() if hold_rows is not None else []
    # a hold that ended keeps its slices for the history, and for the refund that restores them
    moving = {row[0] for row in held if row[4] == "open" or (row[4] == "captured" and row[0] in needs.restored)}
    if moving or needs.lots:
        pinned = {id for row in held if row[0] in moving for id in row[6]} | needs.lots
        if pinned := {id for id in pinned if working.lot(id) is None}:
            rows = tx.execute(
                f"select {LOT} from ledger.lot where book_id = %s and id = any(%s::uuid[])",
                [book_id, uuids(pinned)],
                binary=True,
            )
            working.have(Lot(*row) for row in rows.fetchall())
    for id, member, acceptor, points, state, deadline, lot_ids, lot_points in held:
        pins = zip(lot_ids, lot_points, strict=True) if id in moving else ()
        slices = []
        for lot_id, part in pins:
            lot = working.lot(lot_id)
            assert lot is not None, lot_id
            slices.append(Slice(lot, Points(part)))
        working.holds[id] = Hold(
            id=id,
            member_id=member,
            acceptor_id=acceptor,
            points=points,
            state=state,
            deadline=deadline,
            slices=slices,
        )
