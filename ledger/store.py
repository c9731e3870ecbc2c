"""The ledger's SQL on the posting path: a few set-based statements a batch, whatever the batch's size."""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from ledger import encoding
from ledger.accounts import KINDS, Account, AccountName
from ledger.arrays import array
from ledger.db import Tx
from ledger.errors import BookNotFound
from ledger.lots import Lot, Slice
from ledger.values import Points
from ledger.working import Book, Debt, Draft, Hold, Issuer, Needs, Working, homes

#: The first half of the advisory lock of a book; the second is the book's id.
BOOK_LOCK = 0x4D4E58

_json = msgspec.json.Encoder()


class Known(NamedTuple):
    """The stored outcome of an idempotency key."""

    fingerprint: bytes
    status: int
    body: bytes


class _Names:
    """Ids of accounts by name. Accounts are never renamed or deleted, so what is remembered stays true."""

    def __init__(self, largest: int = 500_000) -> None:
        self._ids: dict[tuple[int, AccountName], int] = {}
        self._largest = largest

    def known(self, book_id: int, names: Iterable[AccountName]) -> dict[AccountName, int]:
        found = {}
        for name in names:
            if (id := self._ids.get((book_id, name))) is not None:
                found[name] = id
        return found

    def learn(self, book_id: int, ids: Iterable[tuple[AccountName, int]]) -> None:
        if len(self._ids) > self._largest:
            self._ids.clear()
        for name, id in ids:
            self._ids[book_id, name] = id


class _Issuers:
    """Issuers by book, as of a settings revision."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[int, UUID, dict[UUID, Issuer]]] = {}

    def of(self, tx: Tx, book: Book) -> dict[UUID, Issuer]:
        held = self._held.get(book.id)
        if held is None or held[0] != book.settings_revision or held[1] != book.public_id:
            rows = tx.execute(
                "select merchant_id, mode, unit_value_minor, credit_line_points, contract_id, suspended, exited"
                " from ledger.issuer where book_id = %s",
                [book.id],
            ).fetchall()
            held = (book.settings_revision, book.public_id, {row[0]: Issuer(*row) for row in rows})
            self._held[book.id] = held
        return held[2]


class Caches:
    """What a process remembers of a database between batches. One per database, never shared between two."""

    def __init__(self) -> None:
        self.names = _Names()
        self.issuers = _Issuers()


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
    tx: Tx, book_id: int, keys: Sequence[tuple[UUID, str | None]], *, exclusive: bool
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
            [array(k[0] for k in keys), array(k[1] for k in keys), book_id],
        )
    row = book_row.fetchone()
    known = {(r[0], r[1]): Known(r[2], r[3], r[4]) for r in outcome_rows.fetchall()} if outcome_rows else {}
    if row is None:
        raise BookNotFound(book_id)
    return Book(*row), known


# -- loading


def load(tx: Tx, book: Book, needs: Needs, caches: Caches) -> Working:
    """Lock and read what a batch needs: members' accounts in order of id, then what the lots and holds show, then the rest.

    The order is the same in every process, so two batches never wait for each other in a circle. What a member owes and
    what is pending is locked after the wallets, and by nobody who has not locked their member's wallet. The batch's number is drawn after
    the members' locks: along one wallet, numbers and sequence agree.
    """
    issuers = caches.issuers.of(tx, book)
    names = set(needs.accounts)
    lots_of = set(needs.lots_of)
    if needs.holds:
        owners = tx.execute(
            "select distinct member_id from ledger.hold where book_id = %s and id = any(%s::uuid[])",
            [book.id, array(needs.holds)],
        ).fetchall()
        for (member,) in owners:
            names |= {AccountName("wallet", member), AccountName("held", member)}
    for member in lots_of:
        names |= {AccountName("wallet", member), AccountName("held", member)}
    personal = {name for name in names if KINDS[name.kind].owner == "member"}
    behind = {name for name in personal if name.kind in ("debt", "pending")}
    accounts = _lock(tx, book, personal - behind, caches)
    debts = _debts(tx, book, {name.owner for name in personal if name.kind == "wallet"})
    lots, holds = _lots_and_holds(tx, book, needs)
    shared = names - personal
    for debt in (debt for of_member in debts().values() for debt in of_member):
        behind.add(AccountName("debt", debt.member_id, debt.creditor_id))
        shared |= {AccountName("claim", debt.creditor_id), AccountName("accepted", debt.creditor_id)}
    ripe = (lot for lot in lots.values() if lot.pending > 0 and lot.available_at <= book.now)
    behind |= {AccountName("pending", lot.member_id) for lot in ripe if lot.member_id in lots_of}
    assert all(AccountName("wallet", name.owner) in accounts for name in behind), "locked before its wallet"
    accounts |= _lock(tx, book, behind, caches)
    moving = needs.lots | {s.lot.id for id in needs.restored if id in holds for s in holds[id].slices}
    # what expired while it was held goes home as well, once a void or the rest of a capture lets it go
    shared |= homes(
        lot
        for lot in lots.values()
        if lot.id in moving or (lot.remaining + lot.pending + lot.held > 0 and lot.expires_at <= book.now)
    )
    drawn = tx.execute("select nextval('ledger.batch_number')")
    accounts |= _lock(tx, book, shared, caches)
    number = drawn.fetchone()
    assert number is not None
    working = Working(book, number[0], issuers)
    working.accounts = accounts
    working.lots = lots
    working.holds = holds
    working.debts = debts()
    for member in lots_of:
        working.lots_of[member] = []
    for lot in lots.values():
        if lot.member_id in working.lots_of:
            working.lots_of[lot.member_id].append(lot)
    return working


def _lock(tx: Tx, book: Book, names: set[AccountName], caches: Caches) -> dict[AccountName, Account]:
    if not names:
        return {}
    ids = caches.names.known(book.id, names)
    if missing := names - ids.keys():
        found = {name: id for name, (id, _) in _find(tx, book.id, missing).items()}
        # only what was committed before: an account opened here is gone again if this batch fails
        caches.names.learn(book.id, found.items())
        ids |= found
        if unborn := sorted(missing - found.keys(), key=lambda name: name.text):
            ids |= {name: id for name, (id, _) in _open(tx, book.id, unborn).items()}
    by_id = {id: name for name, id in ids.items()}
    rows = tx.execute(
        "select id, balance, floor from ledger.account where id = any(%s::bigint[]) order by id for no key update",
        [array(sorted(by_id))],
    ).fetchall()
    assert len(rows) == len(names), "an account that was there is gone"
    return {by_id[id]: Account(id, by_id[id], balance, floor) for id, balance, floor in rows}


def _find(tx: Tx, book_id: int, names: Iterable[AccountName]) -> dict[AccountName, tuple[int, int]]:
    """(id, balance) of those of the accounts that exist."""
    wanted = {name.text: name for name in names}
    rows = tx.execute(
        "select name, id, balance from ledger.account where book_id = %s and name = any(%s::text[])",
        [book_id, array(wanted)],
    )
    return {wanted[text]: (id, balance) for text, id, balance in rows}


def _open(tx: Tx, book_id: int, names: Sequence[AccountName]) -> dict[AccountName, tuple[int, int]]:
    """Create accounts, in the order of their names so that two batches opening the same ones cannot lock each other out."""
    tx.execute(
        "insert into ledger.account (book_id, name, kind, owner_id, counterparty_id, window_number, asset, floor)"
        " select %s, name, kind, owner_id, counterparty_id, window_number, asset, floor"
        " from unnest(%s::text[], %s::text[], %s::uuid[], %s::uuid[], %s::int[], %s::text[], %s::bigint[])"
        " with ordinality as new(name, kind, owner_id, counterparty_id, window_number, asset, floor, i) order by i"
        " on conflict do nothing",
        [
            book_id,
            array(n.text for n in names),
            array(n.kind for n in names),
            array(n.owner for n in names),
            array(n.counterparty for n in names),
            array(n.window for n in names),
            array(KINDS[n.kind].asset for n in names),
            array(KINDS[n.kind].floor for n in names),
        ],
    )
    return _find(tx, book_id, names)


_LOT = (
    "id, member_id, issuer_id, batch_id, n, unit_value_minor, funding, contract_id, points, pending, remaining, held,"
    " earned_at, available_at, expires_at, rule_id, sale_id, parent_id, grace_used, returned"
)


def _lot(row: tuple[Any, ...]) -> Lot:
    return Lot(
        id=row[0],
        member_id=row[1],
        issuer_id=row[2],
        batch_id=row[3],
        n=row[4],
        unit_value=row[5],
        funding=row[6],
        contract_id=row[7],
        points=row[8],
        pending=row[9],
        remaining=row[10],
        held=row[11],
        earned_at=row[12],
        available_at=row[13],
        expires_at=row[14],
        rule_id=row[15],
        sale_id=row[16],
        parent_id=row[17],
        grace_used=row[18],
        returned=row[19],
    )


def _debts(tx: Tx, book: Book, members: set[UUID | None]) -> Callable[[], dict[UUID, list[Debt]]]:
    """Ask for what members owe; the answer, oldest debt first, is fetched when it is called for."""
    if not members:
        return dict
    rows = tx.execute(
        "select id, member_id, creditor_id, sale_id, closed_loop, points, remaining, batch_id, n from ledger.debt"
        " where book_id = %s and member_id = any(%s::uuid[]) and remaining > 0 order by batch_id, n, id",
        [book.id, array(members)],
    )

    @functools.cache
    def found() -> dict[UUID, list[Debt]]:
        by_member: dict[UUID, list[Debt]] = {}
        for id, member, creditor, sale, closed_loop, points, remaining, batch, n in rows:
            by_member.setdefault(member, []).append(
                Debt(
                    id=id,
                    member_id=member,
                    creditor_id=creditor,
                    sale_id=sale,
                    closed_loop=closed_loop,
                    points=points,
                    remaining=remaining,
                    batch_id=batch,
                    n=n,
                )
            )
        return by_member

    return found


def _lots_and_holds(tx: Tx, book: Book, needs: Needs) -> tuple[dict[UUID, Lot], dict[UUID, Hold]]:
    members, hold_ids = needs.lots_of, needs.holds
    hold_rows: list[tuple[Any, ...]] = []
    if hold_ids:
        hold_rows = tx.execute(
            "select id, member_id, acceptor_id, points, state, deadline, lot_ids, lot_points"
            " from ledger.hold where book_id = %s and id = any(%s::uuid[])",
            [book.id, array(hold_ids)],
        ).fetchall()
    lots: dict[UUID, Lot] = {}
    if members:
        rows = tx.execute(
            f"select {_LOT} from ledger.lot where book_id = %s and member_id = any(%s::uuid[]) and (remaining > 0 or pending > 0)",
            [book.id, array(members)],
        )
        lots = {row[0]: _lot(row) for row in rows}
    # a hold that ended keeps its slices for the history, and for the refund that restores them
    moving = {row[0] for row in hold_rows if row[4] == "open" or (row[4] == "captured" and row[0] in needs.restored)}
    pinned = {id for row in hold_rows if row[0] in moving for id in row[6]} | needs.lots
    if pinned := pinned - lots.keys():
        rows = tx.execute(
            f"select {_LOT} from ledger.lot where book_id = %s and id = any(%s::uuid[])", [book.id, array(pinned)]
        )
        lots |= {row[0]: _lot(row) for row in rows}
    holds = {}
    for id, member, acceptor, points, state, deadline, lot_ids, lot_points in hold_rows:
        pins = zip(lot_ids, lot_points, strict=True) if id in moving else ()
        holds[id] = Hold(
            id=id,
            member_id=member,
            acceptor_id=acceptor,
            points=points,
            state=state,
            deadline=deadline,
            slices=[Slice(lots[lot_id], Points(part)) for lot_id, part in pins],
        )
    return lots, holds


# -- writing


def hashable(draft: Draft) -> list[Any]:
    """A record as it is hashed. `audit` builds the same from the tables."""
    return [
        draft.n,
        draft.id,
        draft.kind,
        draft.at,
        draft.actor,
        draft.merchant_id,
        draft.member_id,
        draft.subject_id,
        draft.reverses_id,
        draft.payload,
        [[account.text, account.asset, amount] for account, amount in draft.entries],
        [[lot.id, source, target, merchant, points] for lot, source, target, merchant, points in draft.moves],
    ]


def write(tx: Tx, working: Working) -> None:
    """Balances, lots, holds, debts, then the immutable rows: a statement each."""
    _write_accounts(tx, working)
    _write_lots(tx, working)
    _write_holds(tx, working)
    _write_debts(tx, working)
    if working.records:
        _write_records(tx, working)


def _write_accounts(tx: Tx, working: Working) -> None:
    changed = [a for a in working.accounts.values() if a.changed]
    if changed:
        tx.execute(
            "update ledger.account a set balance = new.balance, floor = new.floor"
            " from unnest(%s::bigint[], %s::bigint[], %s::bigint[]) as new(id, balance, floor) where a.id = new.id",
            [
                array(a.id for a in changed),
                array(a.balance for a in changed),
                array(a.floor for a in changed),
            ],
        )


def _write_lots(tx: Tx, working: Working) -> None:
    born = [lot for lot in working.lots.values() if lot.loaded is None]
    moved = [lot for lot in working.lots.values() if lot.loaded is not None and lot.loaded != lot.state]
    if born:
        tx.execute(
            f"insert into ledger.lot (book_id, {_LOT})"
            " select %s, * from unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::bigint[], %s::smallint[], %s::bigint[],"
            " %s::text[], %s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[],"
            " %s::timestamptz[], %s::timestamptz[], %s::uuid[], %s::uuid[], %s::uuid[], %s::boolean[], %s::bigint[])",
            [
                working.book.id,
                array(x.id for x in born),
                array(x.member_id for x in born),
                array(x.issuer_id for x in born),
                array(x.batch_id for x in born),
                array(x.n for x in born),
                array(x.unit_value for x in born),
                array(x.funding for x in born),
                array(x.contract_id for x in born),
                array(x.points for x in born),
                array(x.pending for x in born),
                array(x.remaining for x in born),
                array(x.held for x in born),
                array(x.earned_at for x in born),
                array(x.available_at for x in born),
                array(x.expires_at for x in born),
                array(x.rule_id for x in born),
                array(x.sale_id for x in born),
                array(x.parent_id for x in born),
                array(x.grace_used for x in born),
                array(x.returned for x in born),
            ],
        )
    if moved:
        tx.execute(
            "update ledger.lot l set pending = new.pending, remaining = new.remaining, held = new.held,"
            " available_at = new.available_at, expires_at = new.expires_at, grace_used = new.grace_used,"
            " returned = new.returned"
            " from unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[],"
            " %s::boolean[], %s::bigint[])"
            " as new(id, pending, remaining, held, available_at, expires_at, grace_used, returned) where l.id = new.id",
            [
                array(x.id for x in moved),
                array(x.pending for x in moved),
                array(x.remaining for x in moved),
                array(x.held for x in moved),
                array(x.available_at for x in moved),
                array(x.expires_at for x in moved),
                array(x.grace_used for x in moved),
                array(x.returned for x in moved),
            ],
        )


def _write_holds(tx: Tx, working: Working) -> None:
    born = [hold for hold in working.holds.values() if hold.loaded is None]
    ended = [hold for hold in working.holds.values() if hold.loaded is not None and hold.loaded != hold.state]
    if born:
        first = {d.subject_id: d.n for d in working.records if d.kind == "hold"}
        # arrays of arrays must be rectangular in SQL, so the slices travel as JSON
        rows = [
            {
                "id": h.id,
                "member": h.member_id,
                "acceptor": h.acceptor_id,
                "points": h.points,
                "state": h.state,
                "deadline": h.deadline,
                "lots": [s.lot.id for s in h.slices],
                "parts": [s.points for s in h.slices],
                "n": first[h.id],
            }
            for h in born
        ]
        tx.execute(
            "insert into ledger.hold"
            " (id, book_id, member_id, acceptor_id, points, state, deadline, lot_ids, lot_points, batch_id, n)"
            " select id, %s, member, acceptor, points, state, deadline, lots, parts, %s, n"
            " from jsonb_to_recordset(%s::jsonb) as new(id uuid, member uuid, acceptor uuid, points bigint, state text,"
            " deadline timestamptz, lots uuid[], parts bigint[], n smallint)",
            [working.book.id, working.batch_id, _json.encode(rows).decode()],
        )
    if ended:
        tx.execute(
            "update ledger.hold h set state = new.state from unnest(%s::uuid[], %s::text[]) as new(id, state)"
            " where h.id = new.id",
            [array(h.id for h in ended), array(h.state for h in ended)],
        )


def _write_debts(tx: Tx, working: Working) -> None:
    debts = [debt for of_member in working.debts.values() for debt in of_member]
    born = [debt for debt in debts if debt.loaded is None]
    repaid = [debt for debt in debts if debt.loaded is not None and debt.loaded != debt.remaining]
    if born:
        tx.execute(
            "insert into ledger.debt"
            " (book_id, id, member_id, creditor_id, sale_id, closed_loop, points, remaining, batch_id, n)"
            " select %s, * from unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::boolean[], %s::bigint[],"
            " %s::bigint[], %s::bigint[], %s::smallint[])",
            [
                working.book.id,
                array(d.id for d in born),
                array(d.member_id for d in born),
                array(d.creditor_id for d in born),
                array(d.sale_id for d in born),
                array(d.closed_loop for d in born),
                array(d.points for d in born),
                array(d.remaining for d in born),
                array(d.batch_id for d in born),
                array(d.n for d in born),
            ],
        )
    if repaid:
        tx.execute(
            "update ledger.debt d set remaining = new.remaining from unnest(%s::uuid[], %s::bigint[])"
            " as new(id, remaining) where d.id = new.id",
            [array(d.id for d in repaid), array(d.remaining for d in repaid)],
        )


def _write_records(tx: Tx, working: Working) -> None:
    records, number = working.records, working.batch_id
    tx.execute(
        "insert into ledger.record"
        " (batch_id, n, id, book_id, kind, at, actor, merchant_id, member_id, subject_id, reverses_id, payload)"
        " select %s, n, id, %s, kind, at, actor, merchant_id, member_id, subject_id, reverses_id, payload::jsonb"
        " from unnest(%s::smallint[], %s::uuid[], %s::text[], %s::timestamptz[], %s::text[], %s::uuid[], %s::uuid[],"
        " %s::uuid[], %s::uuid[], %s::text[])"
        " as new(n, id, kind, at, actor, merchant_id, member_id, subject_id, reverses_id, payload)",
        [
            number,
            working.book.id,
            array(r.n for r in records),
            array(r.id for r in records),
            array(r.kind for r in records),
            array(r.at for r in records),
            array(r.actor for r in records),
            array(r.merchant_id for r in records),
            array(r.member_id for r in records),
            array(r.subject_id for r in records),
            array(r.reverses_id for r in records),
            array(_json.encode(r.payload).decode() for r in records),
        ],
    )
    entries = [(r.n, i, account, amount) for r in records for i, (account, amount) in enumerate(r.entries)]
    if entries:
        tx.execute(
            "insert into ledger.entry (batch_id, n, ordinal, account_id, asset, amount)"
            " select %s, * from unnest(%s::smallint[], %s::smallint[], %s::bigint[], %s::text[], %s::bigint[])",
            [
                number,
                array(e[0] for e in entries),
                array(e[1] for e in entries),
                array(e[2].id for e in entries),
                array(e[2].asset for e in entries),
                array(e[3] for e in entries),
            ],
        )
    moves = [(r.n, i, move) for r in records for i, move in enumerate(r.moves)]
    if moves:
        tx.execute(
            "insert into ledger.lot_move (batch_id, n, ordinal, lot_id, source, target, merchant_id, points)"
            " select %s, * from unnest(%s::smallint[], %s::smallint[], %s::uuid[], %s::text[], %s::text[], %s::uuid[],"
            " %s::bigint[])",
            [
                number,
                array(m[0] for m in moves),
                array(m[1] for m in moves),
                array(m[2][0].id for m in moves),
                array(m[2][1] for m in moves),
                array(m[2][2] for m in moves),
                array(m[2][3] for m in moves),
                array(m[2][4] for m in moves),
            ],
        )
    if steps := [(r.n, *r.revises) for r in records if r.revises]:
        tx.execute(
            "insert into ledger.revision (book_id, subject_id, revision, batch_id, n)"
            " select %s, subject_id, revision, %s, n"
            " from unnest(%s::smallint[], %s::uuid[], %s::int[]) as new(n, subject_id, revision)",
            [
                working.book.id,
                number,
                array(s[0] for s in steps),
                array(s[1] for s in steps),
                array(s[2] for s in steps),
            ],
        )


def remember(tx: Tx, working: Working, outcomes: Sequence[tuple[UUID, str, bytes, int, bytes]]) -> None:
    """Store the outcome of each key. A key taken meanwhile by another process breaks the batch, which is then repeated."""
    if outcomes:
        tx.execute(
            "insert into ledger.outcome (book_id, principal_id, key, fingerprint, status, body, at)"
            " select %s, principal_id, key, fingerprint, status, body, %s"
            " from unnest(%s::uuid[], %s::text[], %s::bytea[], %s::smallint[], %s::bytea[])"
            " as new(principal_id, key, fingerprint, status, body)",
            [
                working.book.id,
                working.now,
                array(o[0] for o in outcomes),
                array(o[1] for o in outcomes),
                array(o[2] for o in outcomes),
                array(o[3] for o in outcomes),
                array(o[4] for o in outcomes),
            ],
        )


def seal(tx: Tx, working: Working) -> None:
    """Give the batch its place in the sequence and in the chain of hashes. Locks the head until the commit."""
    if not working.records:
        return
    digest = encoding.content_digest([hashable(r) for r in working.records])
    tx.execute(
        "with head as (update ledger.head set next_sequence = next_sequence + %(n)s,"
        " hash = sha256(hash || int8send(next_sequence) || %(digest)s) where book_id = %(book)s"
        " returning next_sequence - %(n)s as first, hash)"
        " insert into ledger.batch (id, book_id, first_sequence, records, hash)"
        " select %(id)s, %(book)s, first, %(n)s, hash from head",
        {"n": len(working.records), "digest": digest, "book": working.book.id, "id": working.batch_id},
    )


def put_issuers(tx: Tx, book_id: int, issuers: Sequence[Issuer]) -> None:
    """Write what contracts that come into force let their merchants issue. Raise the settings revision with it."""
    if issuers:
        tx.execute(
            "insert into ledger.issuer as i"
            " (book_id, merchant_id, mode, unit_value_minor, credit_line_points, contract_id, suspended, exited)"
            " select %s, * from unnest(%s::uuid[], %s::text[], %s::bigint[], %s::bigint[], %s::uuid[], %s::boolean[],"
            " %s::boolean[])"
            " on conflict (merchant_id) do update set mode = excluded.mode, unit_value_minor = excluded.unit_value_minor,"
            " credit_line_points = excluded.credit_line_points, contract_id = excluded.contract_id,"
            " suspended = excluded.suspended, exited = excluded.exited where i.book_id = excluded.book_id",
            [
                book_id,
                array(i.merchant_id for i in issuers),
                array(i.mode for i in issuers),
                array(i.unit_value for i in issuers),
                array(i.credit_line for i in issuers),
                array(i.contract_id for i in issuers),
                array(i.suspended for i in issuers),
                array(i.exited for i in issuers),
            ],
        )


def owing_lots(tx: Tx, book_id: int, issuer_id: UUID) -> list[tuple[str, int, int]]:
    """(funding, unit value, points) of an issuer's points that its members have and no money stands for yet."""
    return tx.execute(
        "select funding, unit_value_minor, sum(pending + remaining + held)::bigint from ledger.lot"
        " where book_id = %s and issuer_id = %s and funding <> 'prefunded' group by 1, 2"
        " having sum(pending + remaining + held) > 0 order by 1, 2",
        [book_id, issuer_id],
    ).fetchall()


def make_prefunded(tx: Tx, book_id: int, issuer_id: UUID) -> None:
    """Every lot of an issuer is one that money stands for from here on; the book's lock is held exclusively."""
    tx.execute(
        "update ledger.lot set funding = 'prefunded' where book_id = %s and issuer_id = %s and funding <> 'prefunded'",
        [book_id, issuer_id],
    )


def put_rules(tx: Tx, book_id: int, face_value_minor: int, points_life_days: int, inactivity_days: int | None) -> None:
    """Write the network's rules that come into force; the book's lock is held exclusively."""
    tx.execute(
        "update ledger.book set face_value_minor = %s, points_life_days = %s, inactivity_days = %s where id = %s",
        [face_value_minor, points_life_days, inactivity_days, book_id],
    )


def raise_settings_revision(tx: Tx, book_id: int) -> None:
    """Tell every process that what it remembers of the book's merchants, branches, contracts or terms is old."""
    tx.execute("update ledger.book set settings_revision = settings_revision + 1 where id = %s", [book_id])


def suspend_issuer(tx: Tx, book_id: int, merchant_id: UUID, suspended: bool) -> None:
    """Keep what the ledger knows of a merchant in step. Raise the settings revision with it."""
    tx.execute(
        "update ledger.issuer set suspended = %s where book_id = %s and merchant_id = %s",
        [suspended, book_id, merchant_id],
    )


def stop_book(tx: Tx, book_id: int, stopped: bool) -> None:
    """Turn the kill switch. Every posting reads it under the book's lock, which the caller holds alone."""
    tx.execute("update ledger.book set stopped = %s where id = %s", [stopped, book_id])


def last_step(tx: Tx, book_id: int, subject_id: UUID) -> int:
    """The revision that the last step of a thing made; 0 before the first."""
    row = tx.execute(
        "select coalesce(max(revision), 0) from ledger.revision where book_id = %s and subject_id = %s",
        [book_id, subject_id],
    ).fetchone()
    assert row is not None
    return int(row[0])


# -- reading


def open_lots(tx: Tx, book_id: int, member_id: UUID) -> list[Lot]:
    """A member's lots that still hold pending or available points, as last committed."""
    rows = tx.execute(
        f"select {_LOT} from ledger.lot where book_id = %s and member_id = %s and (remaining > 0 or pending > 0)",
        [book_id, member_id],
    )
    return [_lot(row) for row in rows]


#: A lot that was given this often is given no more: a lineage stays short enough to be walked in every gift.
LONGEST_LINEAGE = 8


def lineages(
    tx: Tx, book_id: int, members: Iterable[UUID], holds: Iterable[UUID] = ()
) -> dict[UUID, tuple[UUID, UUID | None]]:
    """(holder, parent) of every lot from which the open lots of `members` descend, themselves included where given.

    And likewise those of `holds`, whose points the batch may bring back.
    """
    rows = tx.execute(
        "with recursive line (id, member_id, parent_id, depth) as ("
        " select id, member_id, parent_id, 0 from ledger.lot where book_id = %(book)s"
        "  and member_id = any(%(members)s::uuid[]) and (remaining > 0 or pending > 0) and parent_id is not null"
        " union select id, member_id, parent_id, 0 from ledger.lot where parent_id is not null and id in"
        "  (select unnest(lot_ids) from ledger.hold where book_id = %(book)s and id = any(%(holds)s::uuid[]))"
        " union select l.id, l.member_id, l.parent_id, line.depth + 1 from line join ledger.lot l on l.id = line.parent_id"
        "  where line.depth <= %(longest)s)"
        " select distinct id, member_id, parent_id from line",
        {
            "book": book_id,
            "members": array(set(members)),
            "holds": array(set(holds)),
            "longest": LONGEST_LINEAGE,
        },
    )
    return {id: (member, parent) for id, member, parent in rows}


def balances(tx: Tx, book_id: int, names: Sequence[AccountName]) -> dict[AccountName, int]:
    """Balances as last committed; 0 for an account that was never opened."""
    return dict.fromkeys(names, 0) | {name: balance for name, (_, balance) in _find(tx, book_id, names).items()}


def owed(tx: Tx, book_id: int, member_id: UUID) -> int:
    """Points the member owes to shops, over all debts."""
    row = tx.execute(
        "select coalesce(sum(remaining), 0)::bigint from ledger.debt where book_id = %s and member_id = %s and remaining > 0",
        [book_id, member_id],
    ).fetchone()
    return int(row[0]) if row else 0
