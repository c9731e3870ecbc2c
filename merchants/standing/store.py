"""The SQL of ladders and standings. One book's rows are never found through another."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import ledger
from ledger import Book, Tx
from merchants.standing import ladders, schema
from merchants.standing.climbing import Bought, ByHand, Event, GivenBack, Standing, Version, horizon
from merchants.standing.periods import day_of, midnight

#: (owner, member)
Pair = tuple[UUID, UUID]


class LadderRow(NamedTuple):
    id: UUID
    owner_id: UUID
    version: int
    spec: Mapping[str, Any]
    at: datetime
    n: int


class ActRow(NamedTuple):
    id: UUID
    owner_id: UUID
    member_id: UUID
    tier: str | None
    ends_at: datetime | None
    reason: str
    at: datetime
    n: int


class HeldRow(NamedTuple):
    """A change of tier as it is written."""

    id: UUID
    owner_id: UUID
    member_id: UUID
    tier: str | None
    since: datetime
    until: datetime | None
    by: str
    why: Mapping[str, Any]
    ladder_id: UUID
    n: int


class Told(NamedTuple):
    """How a member stands now, as it was told. `owner_id` is a merchant, or the book's public id."""

    owner_id: UUID
    member_id: UUID
    tier: str | None
    since: datetime | None
    by: str | None


class Known(NamedTuple):
    """What a member's standing follows from: how it was left, and all that counts for it, in sequence."""

    standing: Standing
    events: list[Event]


_LADDER: Final = ledger.Insert(
    schema.ladder, "id", "owner_id", "version", "spec", "at", "n", same=("book_id", "batch_id")
)
_ACT: Final = ledger.Insert(
    schema.tier_by_hand,
    *("id", "owner_id", "member_id", "tier", "ends_at", "reason", "at", "n"),
    same=("book_id", "batch_id"),
)
_HELD: Final = ledger.Insert(
    schema.tier_held,
    *("id", "owner_id", "member_id", "tier", "since", "until", "by", "why", "ladder_id", "n"),
    same=("book_id", "batch_id"),
)


# -- ladders


def versions(tx: Tx, book_id: int) -> dict[UUID, list[Version]]:
    """By owner: every ladder that came into force, in order."""
    rows = tx.execute(
        "select l.owner_id, b.first_sequence + l.n, l.at, l.id, l.spec"
        " from merchants.ladder l join ledger.batch b on b.id = l.batch_id where l.book_id = %s"
        " order by l.owner_id, l.version",
        [book_id],
    )
    found: dict[UUID, list[Version]] = {}
    for owner, sequence, at, id, spec in rows:
        found.setdefault(owner, []).append(Version(sequence, at, id, ladders.ladder(spec)))
    return found


def ladder_in_force(tx: Tx, book_id: int, owner_id: UUID) -> LadderRow | None:
    row = tx.execute(
        "select id, owner_id, version, spec, at, n from merchants.ladder where book_id = %s and owner_id = %s"
        " order by version desc limit 1",
        [book_id, owner_id],
    ).fetchone()
    return None if row is None else LadderRow(*row)


def ladders_since(tx: Tx, book_id: int, owner_id: UUID, since: datetime) -> int:
    """How many versions came into force after that."""
    row = tx.execute(
        "select count(*) from merchants.ladder where book_id = %s and owner_id = %s and at > %s",
        [book_id, owner_id, since],
    ).fetchone()
    return int(row[0]) if row else 0


def list_ladders(tx: Tx, book_id: int, owner_id: UUID, *, before: UUID | None, limit: int) -> list[LadderRow]:
    """A page of the versions of an owner's ladder, the newest first."""
    rows = tx.execute(
        "select id, owner_id, version, spec, at, n from merchants.ladder where book_id = %s and owner_id = %s"
        " and (%s::uuid is null or id < %s) order by id desc limit %s",
        [book_id, owner_id, before, before, limit],
    )
    return [LadderRow(*row) for row in rows]


def put_ladder(tx: Tx, book_id: int, batch_id: int, row: LadderRow) -> None:
    """Write a version that comes into force, and have its members looked at; the book's lock is held exclusively."""
    _LADDER(tx, [row], book_id, batch_id)
    tx.execute(
        "insert into merchants.standing_place (book_id, next_sequence)"
        " select book_id, next_sequence from ledger.head where book_id = %s on conflict do nothing",
        [book_id],
    )
    tx.execute(
        "insert into merchants.standing_sweep (owner_id, book_id, after_id) values (%s, %s, %s)"
        " on conflict (owner_id) do update set after_id = excluded.after_id",
        [row.owner_id, book_id, UUID(int=0)],
    )


# -- following the stream


def lock_place(tx: Tx, book_id: int) -> int | None:
    """From where on the stream is to be followed; None: nobody stands on a ladder here, or another follows it now."""
    row = tx.execute(
        "select next_sequence from merchants.standing_place where book_id = %s for no key update skip locked", [book_id]
    ).fetchone()
    return None if row is None else int(row[0])


def place(tx: Tx, book_id: int) -> int | None:
    row = tx.execute("select next_sequence from merchants.standing_place where book_id = %s", [book_id]).fetchone()
    return None if row is None else int(row[0])


def put_place(tx: Tx, book_id: int, next_sequence: int) -> None:
    tx.execute("update merchants.standing_place set next_sequence = %s where book_id = %s", [next_sequence, book_id])


def next_due(tx: Tx, book_id: int) -> datetime | None:
    row = tx.execute(
        "select min(due_at) from merchants.standing where book_id = %s and due_at is not null", [book_id]
    ).fetchone()
    return row[0] if row else None


def due(tx: Tx, book_id: int, until: datetime, limit: int) -> list[Pair]:
    rows = tx.execute(
        "select owner_id, member_id from merchants.standing where book_id = %s and due_at <= %s order by due_at limit %s",
        [book_id, until, limit],
    )
    return [(row[0], row[1]) for row in rows]


def sweeping(tx: Tx, book_id: int) -> tuple[UUID, UUID] | None:
    """A ladder whose members are still to be looked at, and the last of them who was."""
    return tx.execute(
        "select owner_id, after_id from merchants.standing_sweep where book_id = %s order by owner_id limit 1",
        [book_id],
    ).fetchone()


def members_after(tx: Tx, book_id: int, after: UUID, limit: int) -> list[UUID]:
    rows = tx.execute(
        "select id from merchants.member where id > %s and book_id = %s order by id limit %s", [after, book_id, limit]
    )
    return [row[0] for row in rows]


def put_sweep(tx: Tx, owner_id: UUID, after: UUID | None) -> None:
    """Members up to `after` are done; None: all are."""
    if after is None:
        tx.execute("delete from merchants.standing_sweep where owner_id = %s", [owner_id])
    else:
        tx.execute("update merchants.standing_sweep set after_id = %s where owner_id = %s", [after, owner_id])


# -- how members stand


def read(
    tx: Tx, book: Book, versions: Mapping[UUID, Sequence[Version]], pairs: Iterable[Pair], through: int
) -> dict[Pair, Known]:
    """What the standings of (owner, member) pairs follow from, up to the sequence `through`. Four statements for all.

    Members of a kind that no ladder of the owner was ever for are left out; so is who is not there.
    """
    begun = {owner for owner, of_owner in versions.items() if of_owner[0].sequence <= through}
    wanted = sorted({pair for pair in pairs if pair[0] in begun})
    if not wanted:
        return {}
    kinds = _kinds(tx, book.id, {member for _, member in wanted})
    wanted = [(owner, member) for owner, member in wanted if _is_for(versions[owner], kinds.get(member))]
    if not wanted:
        return {}
    standings = _standings(tx, book.id, wanted)
    known = {}
    for owner, member in wanted:
        first = versions[owner][0]
        standing = standings.get((owner, member)) or Standing(first.sequence - 1, first.at)
        known[owner, member] = Known(
            standing, [_for_kind(v, kinds[member]) for v in versions[owner] if v.sequence <= through]
        )
    _add_acts(tx, book.id, known, through)
    _add_purchases(tx, book, known, through)
    for each in known.values():
        each.events.sort(key=lambda event: event.sequence)
    return known


def _is_for(versions: Sequence[Version], kind: str | None) -> bool:
    return any(kind in version.ladder.kinds for version in versions)


def _for_kind(version: Version, kind: str) -> Version:
    """The version as it is for a kind of person: one that it is not for has no tiers."""
    ladder = version.ladder
    return version if kind in ladder.kinds else version._replace(ladder=replace(ladder, tiers=()))


def _kinds(tx: Tx, book_id: int, members: set[UUID]) -> dict[UUID, str]:
    rows = tx.execute(
        "select id, kind from merchants.member where book_id = %s and id = any(%s::uuid[])",
        [book_id, ledger.array(sorted(members))],
    )
    return dict(rows.fetchall())


def _standings(tx: Tx, book_id: int, pairs: Sequence[Pair]) -> dict[Pair, Standing]:
    rows = tx.execute(
        "select s.owner_id, s.member_id, s.sequence, s.looked_at, s.tier, s.since, s.by, s.kept, s.kept_until, s.due_at"
        " from unnest(%s::uuid[], %s::uuid[]) as asked(owner_id, member_id)"
        " join merchants.standing s on s.member_id = asked.member_id and s.owner_id = asked.owner_id"
        " where s.book_id = %s",
        [ledger.arrays.uuids([p[0] for p in pairs]), ledger.arrays.uuids([p[1] for p in pairs]), book_id],
    )
    return {(row[0], row[1]): Standing(*row[2:]) for row in rows}


def _add_acts(tx: Tx, book_id: int, known: dict[Pair, Known], through: int) -> None:
    rows = tx.execute(
        "select a.owner_id, a.member_id, b.first_sequence + a.n, a.at, a.id, a.tier, a.ends_at"
        " from merchants.tier_by_hand a join ledger.batch b on b.id = a.batch_id"
        " where a.member_id = any(%s::uuid[]) and a.book_id = %s and b.first_sequence + a.n <= %s",
        [ledger.array(sorted({member for _, member in known})), book_id, through],
    )
    for owner, member, *act in rows:
        if (owner, member) in known:
            known[owner, member].events.append(ByHand(*act))


def _add_purchases(tx: Tx, book: Book, known: dict[Pair, Known], through: int) -> None:
    pairs = list(known)
    begin = [midnight(_first_day(book, known[pair]), book.time_zone) for pair in pairs]
    rows = tx.execute(
        "select asked.owner_id, asked.member_id, b.first_sequence + s.n, s.at, s.id, s.money_minor, s.points_earned,"
        " c.first_sequence + f.n, f.at, f.amount_minor, f.points"
        " from unnest(%(owners)s::uuid[], %(members)s::uuid[], %(since)s::timestamptz[])"
        "  as asked(owner_id, member_id, since)"
        " join merchants.sale s on s.member_id = asked.member_id and s.at >= asked.since"
        "  and (asked.owner_id = %(network)s or s.merchant_id = asked.owner_id)"
        " join ledger.batch b on b.id = s.batch_id"
        " left join (merchants.refund f join ledger.batch c on c.id = f.batch_id)"
        "  on f.sale_id = s.id and c.first_sequence + f.n <= %(through)s"
        " where s.book_id = %(book)s and s.money_minor > 0 and b.first_sequence + s.n <= %(through)s",
        {
            "owners": ledger.arrays.uuids([pair[0] for pair in pairs]),
            "members": ledger.arrays.uuids([pair[1] for pair in pairs]),
            "since": ledger.arrays.times(begin),
            "network": book.public_id,
            "book": book.id,
            "through": through,
        },
    )
    seen: set[tuple[UUID, UUID]] = set()
    for owner, member, sequence, at, sale, money, points, then, back_at, amount, taken in rows:
        events = known[owner, member].events
        if (owner, sale) not in seen:
            seen.add((owner, sale))
            events.append(Bought(sequence, at, sale, money, points))
        if then is not None:
            events.append(GivenBack(then, back_at, sale, amount, taken))


def _first_day(book: Book, known: Known) -> date:
    """The first day whose purchases count for anything from where the standing was left."""
    versions = [event for event in known.events if isinstance(event, Version)]
    left = known.standing
    # the one in force then, and those that came after
    begun = max((v.sequence for v in versions if v.sequence <= left.sequence), default=0)
    living = [v for v in versions if v.sequence >= begun]
    return min(horizon(v.ladder, day_of(max(left.at, v.at), book.time_zone)) for v in living)


def put_standings(tx: Tx, book_id: int, standings: Mapping[Pair, Standing]) -> None:
    pairs = sorted(standings)
    if not pairs:
        return
    rows = [standings[pair] for pair in pairs]
    tx.execute(
        "insert into merchants.standing as old"
        " (book_id, owner_id, member_id, sequence, looked_at, tier, since, by, kept, kept_until, due_at)"
        " select %s, * from unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::timestamptz[], %s::text[],"
        " %s::timestamptz[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])"
        " on conflict (member_id, owner_id) do update set sequence = excluded.sequence,"
        " looked_at = excluded.looked_at, tier = excluded.tier, since = excluded.since, by = excluded.by,"
        " kept = excluded.kept, kept_until = excluded.kept_until, due_at = excluded.due_at"
        " where old.book_id = excluded.book_id",
        [
            book_id,
            ledger.arrays.uuids([owner for owner, _ in pairs]),
            ledger.arrays.uuids([member for _, member in pairs]),
            ledger.arrays.bigints([row.sequence for row in rows]),
            ledger.arrays.times([row.at for row in rows]),
            ledger.arrays.texts([row.tier for row in rows]),
            ledger.arrays.times([row.since for row in rows]),
            ledger.arrays.texts([row.by for row in rows]),
            ledger.arrays.texts([row.kept for row in rows]),
            ledger.arrays.times([row.kept_until for row in rows]),
            ledger.arrays.times([row.due_at for row in rows]),
        ],
    )


def add_held(tx: Tx, book_id: int, batch_id: int, rows: Sequence[HeldRow]) -> None:
    """Write changes: the first of each member ends what stood before."""
    first: dict[Pair, HeldRow] = {}
    for row in rows:
        first.setdefault((row.owner_id, row.member_id), row)
    if first:
        tx.execute(
            "update merchants.tier_held h set until = new.since"
            " from unnest(%s::uuid[], %s::uuid[], %s::timestamptz[]) as new(owner_id, member_id, since)"
            " where h.member_id = new.member_id and h.owner_id = new.owner_id and h.until is null and h.book_id = %s",
            [
                ledger.arrays.uuids([owner for owner, _ in first]),
                ledger.arrays.uuids([member for _, member in first]),
                ledger.arrays.times([row.since for row in first.values()]),
                book_id,
            ],
        )
        _HELD(tx, rows, book_id, batch_id)


def add_acts(tx: Tx, book_id: int, batch_id: int, rows: Sequence[ActRow]) -> None:
    _ACT(tx, rows, book_id, batch_id)


# -- reading


def told(tx: Tx, book_id: int, owners: Iterable[UUID], members: Iterable[UUID]) -> list[Told]:
    """How members stand on the ladders of `owners`, one statement for all."""
    rows = tx.execute(
        "select owner_id, member_id, tier, since, by from merchants.standing"
        " where member_id = any(%s::uuid[]) and owner_id = any(%s::uuid[]) and book_id = %s",
        [ledger.arrays.uuids(list(members)), ledger.arrays.uuids(list(owners)), book_id],
    )
    return [Told(*row) for row in rows]


def owners_of(tx: Tx, book_id: int, member_id: UUID) -> list[UUID]:
    """On whose ladders a member was ever looked at."""
    rows = tx.execute(
        "select owner_id from merchants.standing where member_id = %s and book_id = %s order by owner_id",
        [member_id, book_id],
    )
    return [row[0] for row in rows]


def names(tx: Tx, book_id: int, merchants: Iterable[UUID]) -> dict[UUID, str]:
    rows = tx.execute(
        "select id, name from merchants.merchant where book_id = %s and id = any(%s::uuid[])",
        [book_id, ledger.arrays.uuids(list(merchants))],
    )
    return dict(rows.fetchall())
