"""What members' own purchases tell: segments saved, counted and explained; RFM; what each is likely to buy next."""

import ledger
from merchants.insight import behaviour, definitions, next_offer
from merchants.insight.definitions import BadDefinition, Condition, Fault, Figure, Group, Node, faults, met, read
from merchants.insight.next_offer_store import OfferTold, begin, find, find_one, forget, offers_at, offers_to
from merchants.insight.next_offer_store import next_finding as _next_finding
from merchants.insight.saved_store import (
    LARGEST_SEGMENTS,
    Saved,
    change,
    keep,
    latest_versions,
    members_in,
    next_renewal,
    renew_one,
    save,
    saved,
)
from merchants.insight.saved_store import find as find_segment
from merchants.insight.segment_store import Cell, Scope, among, count, explained, members, rfm


def _renew(db: ledger.Database, committer: ledger.Committer, book: ledger.Book) -> int:  # noqa: ARG001 - the protocol's
    with db.tx("door") as tx:
        return int(renew_one(tx, book))


def _find(db: ledger.Database, committer: ledger.Committer, book: ledger.Book) -> int:  # noqa: ARG001 - the protocol's
    return int(find_one(db, book))


#: What falls due by itself: kept segments and next offers are found again after every midnight, one at a time.
JOBS = (
    ledger.jobs.Job("segments", next_renewal, _renew),
    ledger.jobs.Job("next offers", _next_finding, _find),
)

__all__ = [
    "JOBS",
    "LARGEST_SEGMENTS",
    "BadDefinition",
    "Cell",
    "Condition",
    "Fault",
    "Figure",
    "Group",
    "Node",
    "OfferTold",
    "Saved",
    "Scope",
    "among",
    "begin",
    "behaviour",
    "change",
    "count",
    "definitions",
    "explained",
    "faults",
    "find",
    "find_segment",
    "forget",
    "keep",
    "latest_versions",
    "members",
    "members_in",
    "met",
    "next_offer",
    "offers_at",
    "offers_to",
    "read",
    "renew_one",
    "rfm",
    "save",
    "saved",
]
