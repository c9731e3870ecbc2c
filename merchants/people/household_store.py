"""The SQL of households. A household is locked by whoever changes it and by whoever spends for another of its people."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import ledger
from merchants.people.households import Household, Person

_PERSON: Final = "household_id, member_id, state, shared_points, own_points, place"


# -- posting path (role ledger)


def households(
    tx: ledger.Tx, book_id: int, *, shared_by: Iterable[UUID] = (), of: Iterable[UUID] = (), ids: Iterable[UUID] = ()
) -> dict[UUID, Household]:
    """The households in which one of `shared_by` lets others spend, those that one of `of` is in, and those of `ids`.

    Locked in the order of their ids, before devices, so that a right to spend ends when the record of it says so.
    """
    sharing, members, wanted = set(shared_by), set(of), set(ids)
    if sharing or members:
        rows = tx.execute(
            "select distinct p.household_id from merchants.household_person p"
            " join merchants.household h on h.id = p.household_id and h.book_id = %s"
            " where p.state = 'active' and (p.member_id = any(%s::uuid[])"
            "  or (p.member_id = any(%s::uuid[])"
            "   and (p.shared_points is not null or (h.kind = 'company' and h.founder_id = p.member_id))))",
            [book_id, ledger.array(members), ledger.array(sharing)],
        )
        wanted |= {row[0] for row in rows}
    if not wanted:
        return {}
    rows = tx.execute(
        "select id, kind, founder_id, state from merchants.household"
        " where book_id = %s and id = any(%s::uuid[]) order by id for no key update",
        [book_id, ledger.array(wanted)],
    )
    found = {row[0]: Household(row[0], row[1], row[2], row[3], {}) for row in rows}
    # after the lock, so that whoever left while this batch waited is gone
    for household_id, *person in _people(tx, found):
        found[household_id].people[person[0]] = Person(*person)
    return found


def _people(tx: ledger.Tx, ids: Iterable[UUID]) -> list[tuple[Any, ...]]:
    return tx.execute(
        f"select {_PERSON} from merchants.household_person where household_id = any(%s::uuid[])",
        [ledger.array(ids)],
    ).fetchall()


def put_households(tx: ledger.Tx, book: ledger.Book, changed: Sequence[Household]) -> None:
    """Write households with all their people; who is in two of them breaks the batch, which is then decided again."""
    if not changed:
        return
    tx.execute(
        "insert into merchants.household as h (book_id, id, kind, founder_id, state, since)"
        " select %s, new.*, %s from unnest(%s::uuid[], %s::text[], %s::uuid[], %s::text[])"
        " as new(id, kind, founder_id, state)"
        " on conflict (id) do update set founder_id = excluded.founder_id, state = excluded.state",
        [
            book.id,
            book.now,
            ledger.array(h.id for h in changed),
            ledger.array(h.kind for h in changed),
            ledger.array(h.founder_id for h in changed),
            ledger.array(h.state for h in changed),
        ],
    )
    people = sorted(((h.id, p) for h in changed for p in h.people.values()), key=lambda pair: pair[1].member_id)
    # those who go first: who leaves one household may join another in the same batch. By member, in every process.
    for active in (False, True):
        rows = [pair for pair in people if (pair[1].state == "active") == active]
        if rows:
            tx.execute(
                f"insert into merchants.household_person ({_PERSON})"
                " select * from unnest(%s::uuid[], %s::uuid[], %s::text[], %s::bigint[], %s::bigint[], %s::int[])"
                " on conflict (household_id, member_id) do update set state = excluded.state,"
                " shared_points = excluded.shared_points, own_points = excluded.own_points, place = excluded.place",
                [
                    ledger.array(household for household, _ in rows),
                    ledger.array(p.member_id for _, p in rows),
                    ledger.array(p.state for _, p in rows),
                    ledger.array(p.shared_points for _, p in rows),
                    ledger.array(p.own_points for _, p in rows),
                    ledger.array(p.place for _, p in rows),
                ],
            )


# -- reading (role door)


class Invitation(NamedTuple):
    household_id: UUID
    kind: str
    # the founder's member number
    founder_number: str


def household_of(tx: ledger.Tx, book_id: int, member_id: UUID) -> tuple[Household, dict[UUID, str]] | None:
    """The household a member is in, and the member numbers of its people."""
    row = tx.execute(
        "select h.id, h.kind, h.founder_id, h.state from merchants.household_person p"
        " join merchants.household h on h.id = p.household_id"
        " where h.book_id = %s and p.member_id = %s and p.state = 'active'",
        [book_id, member_id],
    ).fetchone()
    if row is None:
        return None
    people = {person[0]: Person(*person) for _, *person in _people(tx, [row[0]])}
    numbers = dict(
        tx.execute(
            "select id, number from merchants.member where id = any(%s::uuid[])", [ledger.array(people)]
        ).fetchall()
    )
    return Household(row[0], row[1], row[2], row[3], people), numbers


def invitations(tx: ledger.Tx, book_id: int, member_id: UUID) -> list[Invitation]:
    """Households that ask a member to join, the last 100."""
    rows = tx.execute(
        "select h.id, h.kind, m.number from merchants.household_person p"
        " join merchants.household h on h.id = p.household_id join merchants.member m on m.id = h.founder_id"
        " where h.book_id = %s and p.member_id = %s and p.state = 'invited' and h.state = 'active'"
        " order by h.id desc limit 100",
        [book_id, member_id],
    )
    return [Invitation(*row) for row in rows]
