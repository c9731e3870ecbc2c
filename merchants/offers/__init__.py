"""Offers and what they cause: designed, launched with a hold-out that nobody can touch, measured."""

from merchants.offers import assigning, measuring, picture
from merchants.offers.assigning import HOLDOUT, Arm
from merchants.offers.design import METRICS, Design, Margin, Variant, fault
from merchants.offers.facts import FACTS
from merchants.offers.launching import (
    JOBS,
    KINDS,
    EndOffer,
    LaunchOffer,
    NewOffer,
    OfferDone,
    OfferHandler,
    change,
)
from merchants.offers.measuring import Tally
from merchants.offers.results import SAYS, SAYS_NOT, ArmResult, Comparison, Results, chart, compared, of
from merchants.offers.store import Offer, arm_of, list_offers, offer
from merchants.offers.tally_store import tallies

__all__ = [
    "FACTS",
    "HOLDOUT",
    "JOBS",
    "KINDS",
    "METRICS",
    "SAYS",
    "SAYS_NOT",
    "Arm",
    "ArmResult",
    "Comparison",
    "Design",
    "EndOffer",
    "LaunchOffer",
    "Margin",
    "NewOffer",
    "Offer",
    "OfferDone",
    "OfferHandler",
    "Results",
    "Tally",
    "Variant",
    "arm_of",
    "assigning",
    "change",
    "chart",
    "compared",
    "fault",
    "list_offers",
    "measuring",
    "of",
    "offer",
    "picture",
    "tallies",
]
