"""SQL of redemptions that members are asked to approve: what was asked, and what became of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import ledger
from ledger import Tx
from merchants.sales import schema, store


@dataclass(slots=True)
class Approval:
    """What a shop asks a member to approve. One of points and value. `state`: awaiting, approved, declined, withdrawn,
    lapsed; it moves once."""

    id: UUID
    merchant_id: UUID
    branch_id: UUID
    till_id: UUID | None
    member_id: UUID
    external_reference: str
    occurred_at: datetime | None
    at: datetime
    deadline: datetime
    points: int | None
    value_minor: int | None
    capture: bool
    asked_by: str
    slot: int
    n: int
    state: str = "awaiting"
    # the record of its asking, and whether this batch adds the row
    record_id: UUID | None = field(default=None, metadata=store.ELSEWHERE)
    stored: bool = field(default=True, metadata=store.ELSEWHERE)


@dataclass(slots=True)
class Asked:
    """What one shop asked of one member: the slots that are taken, and how often lately without a yes."""

    slots: set[int] = field(default_factory=set)
    unanswered: int = 0


class ApprovalTold(NamedTuple):
    """As the member sees it: what was asked, and what was taken once it is approved."""

    id: UUID
    state: str
    merchant_id: UUID
    merchant_name: str
    branch_id: UUID
    member_id: UUID
    # the member number of the wallet's owner
    number: str
    at: datetime
    deadline: datetime
    points: int | None
    value_minor: int | None
    capture: bool
    record_id: UUID


_APPROVAL: Final = store.rows(schema.approval, Approval, "book_id", "batch_id")
_COLUMNS: Final = (
    "a.id, a.merchant_id, a.branch_id, a.till_id, a.member_id, a.external_reference, a.occurred_at, a.at, a.deadline,"
    " a.points, a.value_minor, a.capture, a.asked_by, a.slot, a.n, a.state"
)

# -- posting path (role ledger)


def approvals(tx: Tx, book_id: int, ids: Iterable[UUID], *, lock: bool = False) -> dict[UUID, Approval]:
    """Requests by id; locked in the order of their ids, so that each is answered once."""
    wanted = list(ids)
    if not wanted:
        return {}
    rows = tx.execute(
        f"select {_COLUMNS}, r.id from merchants.approval a"
        " join ledger.record r on r.batch_id = a.batch_id and r.n = a.n"
        " where a.book_id = %s and a.id = any(%s::uuid[]) order by a.id" + (" for no key update of a" if lock else ""),
        [book_id, ledger.array(wanted)],
    )
    return {row[0]: Approval(*row) for row in rows}


def asked_before(tx: Tx, pairs: Iterable[tuple[UUID, UUID]], since: datetime) -> dict[tuple[UUID, UUID], Asked]:
    """What each (merchant, member) has open, and how many since then were not approved."""
    wanted = sorted(set(pairs))
    if not wanted:
        return {}
    rows = tx.execute(
        "select a.merchant_id, a.member_id, coalesce(array_agg(a.slot) filter (where a.state = 'awaiting'), '{}'),"
        " count(*) filter (where a.state <> 'approved' and a.at > %s)"
        " from unnest(%s::uuid[], %s::uuid[]) as asked(merchant_id, member_id)"
        " join merchants.approval a on a.merchant_id = asked.merchant_id and a.member_id = asked.member_id"
        " where a.state = 'awaiting' or a.at > %s group by 1, 2",
        [since, ledger.array(p[0] for p in wanted), ledger.array(p[1] for p in wanted), since],
    )
    return {(row[0], row[1]): Asked(set(row[2]), row[3]) for row in rows}


def add_approvals(tx: Tx, book_id: int, batch_id: int, rows: Sequence[Approval]) -> None:
    """Add requests, in one order in every process: whoever takes the same slot waits for whoever was first."""
    _APPROVAL(tx, sorted(rows, key=lambda row: (row.member_id, row.merchant_id, row.slot)), book_id, batch_id)


def put_approval_states(tx: Tx, rows: Sequence[Approval]) -> None:
    """Write what became of requests that were there before this batch."""
    before = [row for row in rows if row.stored]
    if before:
        tx.execute(
            "update merchants.approval a set state = new.state from unnest(%s::uuid[], %s::text[]) as new(id, state)"
            " where a.id = new.id",
            [ledger.array(row.id for row in before), ledger.array(row.state for row in before)],
        )


# -- finding (role door)


def next_unanswered(tx: Tx, book: ledger.Book) -> datetime | None:
    """When the next request lapses that nobody answers."""
    row = tx.execute(
        "select min(deadline) from merchants.approval where book_id = %s and state = 'awaiting'", [book.id]
    ).fetchone()
    when: datetime | None = row[0] if row else None
    return when


def approvals_unanswered(tx: Tx, book: ledger.Book, limit: int) -> list[UUID]:
    """Requests whose time is over, the longest over first."""
    rows = tx.execute(
        "select id from merchants.approval where book_id = %s and state = 'awaiting' and deadline <= %s"
        " order by deadline, id limit %s",
        [book.id, book.now, limit],
    )
    return [row[0] for row in rows]


_TOLD: Final = (
    "select a.id, a.state, a.merchant_id, s.name, a.branch_id, a.member_id, m.number, a.at, a.deadline,"
    " coalesce(d.points, a.points), coalesce(d.value_minor, a.value_minor), a.capture, r.id"
    " from merchants.approval a join merchants.merchant s on s.id = a.merchant_id"
    " join merchants.member m on m.id = a.member_id left join merchants.redemption d on d.id = a.id"
    " join ledger.record r on r.batch_id = coalesce(d.batch_id, a.batch_id) and r.n = coalesce(d.n, a.n)"
)


def approvals_awaiting(
    tx: Tx, book: ledger.Book, owners: Iterable[UUID], before: UUID | None, limit: int
) -> list[ApprovalTold]:
    """What awaits approval from the wallets of `owners` and may still be answered, the newest first."""
    rows = tx.execute(
        f"{_TOLD} where a.book_id = %s and a.member_id = any(%s::uuid[]) and a.state = 'awaiting' and a.deadline > %s"
        " and (%s::uuid is null or a.id < %s::uuid) order by a.id desc limit %s",
        [book.id, ledger.array(owners), book.now, before, before, limit],
    )
    return [ApprovalTold(*row) for row in rows]


def approvals_told(tx: Tx, book_id: int, ids: Iterable[UUID]) -> dict[UUID, ApprovalTold]:
    rows = tx.execute(f"{_TOLD} where a.book_id = %s and a.id = any(%s::uuid[])", [book_id, ledger.array(ids)])
    return {row[0]: ApprovalTold(*row) for row in rows}
