"""Standing: ladders of tiers, a merchant's or the network's, and how members climb them by what they buy."""

from merchants.standing import periods
from merchants.standing.climbing import Progress
from merchants.standing.facts import FACTS
from merchants.standing.handler import (
    JOB,
    ByHandDone,
    LadderDone,
    LaddersCache,
    NewLadder,
    PutByHand,
    handlers,
)
from merchants.standing.ladders import Fault, Ladder, faults, ladder
from merchants.standing.reading import StandingTold, Tiers, standings_of, tier_at, tiers_of
from merchants.standing.store import LadderRow, ladder_in_force, list_ladders, versions

__all__ = [
    "FACTS",
    "JOB",
    "ByHandDone",
    "Fault",
    "Ladder",
    "LadderDone",
    "LadderRow",
    "LaddersCache",
    "NewLadder",
    "Progress",
    "PutByHand",
    "StandingTold",
    "Tiers",
    "faults",
    "handlers",
    "ladder",
    "ladder_in_force",
    "list_ladders",
    "periods",
    "standings_of",
    "tier_at",
    "tiers_of",
    "versions",
]
