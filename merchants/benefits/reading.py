"""What members may use, as doors ask; nothing is used by it."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from ledger import Book, Refusal, Tx
from merchants import standing
from merchants.benefits import deciding, store
from merchants.benefits.deciding import Counts, Entitlement, Holder


class Checked(NamedTuple):
    """Whether a member may use an entitlement now, and how often yet. `left` None: without a limit."""

    entitlement: Entitlement
    refused: Refusal | None
    left: int | None


def checked(tx: Tx, book: Book, entitlements: Sequence[Entitlement], member_id: UUID) -> list[Checked]:
    """The same as the counter would decide now, of each."""
    if not entitlements:
        return []
    found = {entitlement.id: entitlement for entitlement in entitlements}
    pairs = [(id, member_id) for id in found]
    counts = store.counts(tx, book, found, pairs)
    grants = store.grants(tx, book.id, pairs)
    tiers = standing.tiers_of(tx, book, standing.versions(tx, book.id), [member_id])
    told = []
    for entitlement in entitlements:
        own = [grant for grant in grants if grant.entitlement_id == entitlement.id]
        holder = Holder(member_id, tiers.at(entitlement.merchant_id, member_id), own)
        counted = counts.get((entitlement.id, member_id), Counts())
        refused = deciding.refused(entitlement, holder, counted, book.now)
        told.append(Checked(entitlement, refused, deciding.left(entitlement, holder, counted, book.now)))
    return told
