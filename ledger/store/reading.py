"""Questions to the ledger's tables, as last committed."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from ledger.accounts import AccountName
from ledger.arrays import texts, uuids
from ledger.db import Tx
from ledger.lots import Lot
from ledger.store.loading import LOT, find


def last_step(tx: Tx, book_id: int, subject_id: UUID) -> int:
    """The revision that the last step of a thing made; 0 before the first."""
    row = tx.execute(
        "select coalesce(max(revision), 0) from ledger.revision where book_id = %s and subject_id = %s",
        [book_id, subject_id],
    ).fetchone()
    assert row is not None
    return int(row[0])


def open_lots(tx: Tx, book_id: int, member_id: UUID) -> list[Lot]:
    """A member's lots that still hold pending or available points, as last committed."""
    rows = tx.execute(
        f"select {LOT} from ledger.lot where book_id = %s and member_id = %s and open",
        [book_id, member_id],
    )
    return [Lot(*row) for row in rows]


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
        "  and member_id = any(%(members)s::uuid[]) and open and parent_id is not null"
        " union select id, member_id, parent_id, 0 from ledger.lot where parent_id is not null and id in"
        "  (select unnest(lot_ids) from ledger.hold where book_id = %(book)s and id = any(%(holds)s::uuid[]))"
        " union select l.id, l.member_id, l.parent_id, line.depth + 1 from line join ledger.lot l on l.id = line.parent_id"
        "  where line.depth <= %(longest)s)"
        " select distinct id, member_id, parent_id from line",
        {
            "book": book_id,
            "members": uuids(set(members)),
            "holds": uuids(set(holds)),
            "longest": LONGEST_LINEAGE,
        },
    )
    return {id: (member, parent) for id, member, parent in rows}


def balances(tx: Tx, book_id: int, names: Sequence[AccountName]) -> dict[AccountName, int]:
    """Balances as last committed; 0 for an account that was never opened."""
    return dict.fromkeys(names, 0) | {name: balance for name, (_, balance) in find(tx, book_id, names).items()}


def wallets(
    tx: Tx, book_id: int, members: Collection[UUID]
) -> list[tuple[UUID, int, int, int, int, int, datetime | None, datetime | None]]:
    """(member, held, owed, remaining, pending, unit value, available at, expires at) of what members have, of one moment.

    A row for each open lot, for what is held and for what is owed; what a row does not tell of is 0, its times null.
    """
    return tx.execute(
        "select member_id, 0::bigint, 0::bigint, remaining, pending, unit_value_minor, available_at, expires_at"
        " from ledger.lot where member_id = any(%(members)s::uuid[]) and open and book_id = %(book)s"
        " union all select owner_id, balance, 0, 0, 0, 0, null, null from ledger.account"
        " where book_id = %(book)s and name = any(%(held)s::text[]) and balance <> 0"
        " union all select member_id, 0, sum(remaining)::bigint, 0, 0, 0, null, null from ledger.debt"
        " where book_id = %(book)s and member_id = any(%(members)s::uuid[]) and remaining > 0 group by member_id",
        {
            "book": book_id,
            "members": uuids(list(members)),
            "held": texts([AccountName("held", member).text for member in members]),
        },
        binary=True,
    ).fetchall()
