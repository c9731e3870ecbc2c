"""Offers and what they cause: designed, launched with a hold-out that nobody can touch, measured."""

from merchants.offers import assigning, measuring, picture
from merchants.offers.assigning import HOLDOUT, Arm
from merchants.offers.design import METRICS, Chosen, Design, Margin, Variant, fault
from merchants.offers.facts import FACTS
from merchants.offers.giving import CAP_REACHED, Cap, Count, Given, Giving, Pair, Running, Use, left_for
from merchants.offers.giving_store import RunningCache, add_given, given, own, put_uses, running, running_at, uses
from merchants.offers.launching import (
    JOBS,
    KINDS,
    ChangeOfferBudget,
    EndOffer,
    FundOffer,
    LaunchOffer,
    NewOffer,
    OfferDone,
    OfferHandler,
    change,
)
from merchants.offers.measuring import Tally
from merchants.offers.results import SAYS, SAYS_NOT, ArmResult, Comparison, Results, chart, compared, of
from merchants.offers.store import Offer, arm_of, funded_by, list_offers, offer
from merchants.offers.tally_store import tallies

__all__ = [
    "CAP_REACHED",
    "FACTS",
    "HOLDOUT",
    "JOBS",
    "KINDS",
    "METRICS",
    "SAYS",
    "SAYS_NOT",
    "Arm",
    "ArmResult",
    "Cap",
    "ChangeOfferBudget",
    "Chosen",
    "Comparison",
    "Count",
    "Design",
    "EndOffer",
    "FundOffer",
    "Given",
    "Giving",
    "LaunchOffer",
    "Margin",
    "NewOffer",
    "Offer",
    "OfferDone",
    "OfferHandler",
    "Pair",
    "Results",
    "Running",
    "RunningCache",
    "Tally",
    "Use",
    "Variant",
    "add_given",
    "arm_of",
    "assigning",
    "change",
    "chart",
    "compared",
    "fault",
    "funded_by",
    "given",
    "left_for",
    "list_offers",
    "measuring",
    "of",
    "offer",
    "own",
    "picture",
    "put_uses",
    "running",
    "running_at",
    "tallies",
    "uses",
]
