"""How members stand, as doors and rules ask."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from ledger import Book, Tx, stream
from merchants.standing import climbing, store
from merchants.standing.climbing import Progress, Version
from merchants.standing.ladders import Ladder
from merchants.standing.store import Told

#: Ladders that a member is told of at once, the network's own first.
MOST_TOLD: Final = 100


@dataclass(frozen=True, slots=True)
class Tiers:
    """The tiers of some members: on shops' own ladders, and on the network's."""

    network: UUID
    ladders: frozenset[UUID]
    held: Mapping[tuple[UUID, UUID], str]

    def at(self, merchant_id: UUID, member_id: UUID) -> str | None:
        """The tier that counts at a shop: on the shop's own ladder if it has one, else on the network's."""
        owner = merchant_id if merchant_id in self.ladders else self.network
        return self.held.get((owner, member_id))


def tiers_of(tx: Tx, book: Book, versions: Mapping[UUID, Iterable[Version]], members: Iterable[UUID]) -> Tiers:
    """The tiers of the members of a batch, in one statement; in a book without ladders, in none.

    `versions` are the book's ladders, as `LaddersCache` has them.
    """
    wanted = list(members)
    if not versions or not wanted:
        return Tiers(book.public_id, frozenset(), {})
    told = store.told(tx, book.id, versions, wanted)
    held = {(row.owner_id, row.member_id): row.tier for row in told if row.tier is not None}
    return Tiers(book.public_id, frozenset(versions), held)


def tier_at(tx: Tx, book: Book, merchant_id: UUID, member_id: UUID) -> str | None:
    """The tier of one member that counts at a shop."""
    owners = [owner for owner in (merchant_id, book.public_id) if store.ladder_in_force(tx, book.id, owner) is not None]
    told = {row.owner_id: row.tier for row in store.told(tx, book.id, owners[:1], [member_id])} if owners else {}
    return next(iter(told.values()), None)


class StandingTold(NamedTuple):
    """`owner_id` None: the network's own ladder. `progress` only where it was asked for."""

    owner_id: UUID | None
    owner_name: str | None
    ladder_id: UUID
    ladder: Ladder
    told: Told
    progress: Progress | None


def standings_of(
    tx: Tx,
    book: Book,
    member_id: UUID,
    owners: Iterable[UUID] | None = None,
    *,
    progress_on: Iterable[UUID] = (),
    with_progress: bool = False,
) -> list[StandingTold]:
    """How a member stands on the ladders of `owners` (None: the network's, and those on which the member ever stood).

    With how far it is to the next tier on those of `progress_on`, or on all of them.
    """
    if owners is None:
        owners = [book.public_id, *store.owners_of(tx, book.id, member_id)]
    versions = store.versions(tx, book.id)
    asked = [owner for owner in dict.fromkeys(owners) if owner in versions][:MOST_TOLD]
    told = {row.owner_id: row for row in store.told(tx, book.id, asked, [member_id])}
    far = [(owner, member_id) for owner in asked if with_progress or owner in set(progress_on)]
    known = store.read(tx, book, versions, far, stream.end(tx, book.id) - 1)
    names = store.names(tx, book.id, asked)
    found = []
    for owner in asked:
        version = versions[owner][-1]
        here = known.get((owner, member_id))
        found.append(
            StandingTold(
                None if owner == book.public_id else owner,
                names.get(owner),
                version.id,
                version.ladder,
                told.get(owner) or Told(owner, member_id, None, None, None),
                None if here is None else climbing.progress(book.time_zone, here.standing, here.events, book.now),
            )
        )
    return found
