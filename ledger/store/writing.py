"""What a batch leaves: balances, lots, holds and debts as they are now, and the rows that never change. A statement each."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from ledger import encoding, schema
from ledger.arrays import bigints, booleans
from ledger.db import Tx
from ledger.store.rows import Insert, Rows, Update
from ledger.working import Draft, Working

_lots = Rows(
    schema.lot,
    "id",
    "member_id",
    "issuer_id",
    "batch_id",
    "n",
    "unit_value_minor",
    "funding",
    "contract_id",
    "points",
    "pending",
    "remaining",
    "held",
    "earned_at",
    "available_at",
    "expires_at",
    "rule_id",
    "sale_id",
    "parent_id",
    "grace_used",
    "returned",
    same=["book_id"],
    renamed={"unit_value_minor": "unit_value"},
)
_moved_lots = Update(
    schema.lot, "id", "pending", "remaining", "held", "available_at", "expires_at", "grace_used", "returned"
)
_ended_holds = Update(schema.hold, "id", "state")
_debts = Rows(
    schema.debt,
    "id",
    "member_id",
    "creditor_id",
    "sale_id",
    "closed_loop",
    "points",
    "remaining",
    "batch_id",
    "n",
    same=["book_id"],
)
_repaid_debts = Update(schema.debt, "id", "remaining")
_records = Rows(
    schema.record,
    "n",
    "id",
    "kind",
    "at",
    "actor",
    "merchant_id",
    "member_id",
    "subject_id",
    "reverses_id",
    "payload",
    same=["batch_id", "book_id"],
    renamed={"payload": "told"},
)
_entries = Insert(schema.entry, "n", "ordinal", "account_id", "asset", "amount", same=["batch_id"])
_moves = Insert(
    schema.lot_move, "n", "ordinal", "lot_id", "source", "target", "merchant_id", "points", same=["batch_id"]
)
_revisions = Insert(schema.revision, "n", "subject_id", "revision", same=["book_id", "batch_id"])
_outcomes = Insert(schema.outcome, "principal_id", "key", "fingerprint", "status", "body", same=["book_id", "at"])


def hashable(draft: Draft) -> list[Any]:
    """A record, once it is written, as it is hashed. `audit` builds the same from the tables."""
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
        draft.told,
        [(account.text, account.asset, amount) for account, amount in draft.entries],
        [(lot.id, source, target, merchant, points) for lot, source, target, merchant, points in draft.moves],
    ]


def write(tx: Tx, working: Working) -> None:
    """Write what the batch decided, but for what is shared: that comes last, with `settle`."""
    book_id, number = working.book.id, working.batch_id
    _lots(tx, [lot for lot in working.lots if lot.loaded is None], book_id)
    _moved_lots(
        tx, [(lot.id, *lot.state) for lot in working.lots if lot.loaded is not None and lot.loaded != lot.state]
    )
    _write_holds(tx, working)
    debts = [debt for of_member in working.debts.values() for debt in of_member]
    _debts(tx, [debt for debt in debts if debt.loaded is None], book_id)
    _repaid_debts(tx, [(d.id, d.remaining) for d in debts if d.loaded is not None and d.loaded != d.remaining])
    records = working.records
    for record in records:
        record.told = msgspec.Raw(encoding.canonical(record.payload))
    _records(tx, records, number, book_id)
    _entries(
        tx,
        [
            (record.n, i, account.id, account.asset, amount)
            for record in records
            for i, (account, amount) in enumerate(record.entries)
        ],
        number,
    )
    _moves(
        tx,
        [
            (record.n, i, lot.id, source, target, merchant, points)
            for record in records
            for i, (lot, source, target, merchant, points) in enumerate(record.moves)
        ],
        number,
    )
    _revisions(tx, [(record.n, *record.revises) for record in records if record.revises], book_id, number)


def _write_holds(tx: Tx, working: Working) -> None:
    born = [hold for hold in working.holds.values() if hold.loaded is None]
    _ended_holds(
        tx,
        [
            (hold.id, hold.state)
            for hold in working.holds.values()
            if hold.loaded is not None and hold.loaded != hold.state
        ],
    )
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
            [working.book.id, working.batch_id, encoding.plain(rows).decode()],
        )


def remember(tx: Tx, working: Working, outcomes: Sequence[tuple[UUID, str, bytes, int, bytes]]) -> None:
    """Store the outcome of each key. A key taken meanwhile by another process breaks the batch, which is then repeated."""
    _outcomes(tx, outcomes, working.book.id, working.now)


def settle(tx: Tx, working: Working) -> None:
    """Write balances: from here to the commit the shared accounts are this batch's alone.

    What was read without a lock is moved by what the batch adds or takes, and where the batch counted on a floor that did
    not hold any more at one of its records the statement fails as a serialization failure, and the batch is tried again.
    """
    changed = sorted((a for a in working.accounts.values() if a.changed), key=lambda a: a.id)
    if not changed:
        return
    if late := [a.id for a in changed if not a.locked]:
        tx.execute(
            "select 1 from ledger.account where id = any(%s::bigint[]) order by id for no key update", [bigints(late)]
        )
    tx.execute(
        "update ledger.account a set floor = new.floor, balance = case when new.guarded"
        " and a.balance + new.dipped < a.floor then ledger.floor_crossed(a.id) else a.balance + new.moved end"
        " from unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::boolean[])"
        " as new(id, moved, dipped, floor, guarded)"
        " where a.id = new.id",
        [
            bigints(a.id for a in changed),
            bigints(a.balance - a.loaded for a in changed),
            bigints(a.lowest - a.loaded for a in changed),
            bigints(a.floor for a in changed),
            booleans(a.guarded for a in changed),
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
