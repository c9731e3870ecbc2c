"""Offers: what a merchant makes its customers, and what it caused."""

from typing import Final

from gateway.api import offers, shapes
from gateway.operation import Merchant, Operation

OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/offers",
        Merchant("offers:write"),
        offers.post_offer,
        "Draft an offer. Nobody sees it, and it may be changed, until it is launched.",
        answer=shapes.OfferOut,
        request=shapes.OfferIn,
        keyed="required",
        refusals=("not_found", "state_conflict", "limit_exceeded", "merchant_suspended"),
    ),
    Operation(
        "GET",
        "/v1/offers",
        Merchant("offers:read"),
        offers.list_offers,
        "The merchant's offers in the order they were drafted.",
        answer=shapes.OfferPage,
        query=shapes.PageIn,
    ),
    Operation(
        "GET",
        "/v1/offers/{offer}",
        Merchant("offers:read"),
        offers.get_offer,
        "One offer.",
        answer=shapes.OfferOut,
    ),
    Operation(
        "PUT",
        "/v1/offers/{offer}",
        Merchant("offers:write"),
        offers.put_offer,
        "Change a draft: the body takes the place of what it was.",
        answer=shapes.OfferOut,
        request=shapes.OfferIn,
        refusals=("state_conflict",),
    ),
    Operation(
        "POST",
        "/v1/offers/{offer}/launch",
        Merchant("offers:write"),
        offers.post_offer_launch,
        "Launch a draft: its audience, hold-out, variants and windows are settled and never change again, and its budget is"
        " set aside.",
        answer=shapes.OfferOut,
        request=shapes.NothingIn,
        keyed="required",
        refusals=("state_conflict", "limit_exceeded", "merchant_suspended"),
    ),
    Operation(
        "POST",
        "/v1/offers/{offer}/fund",
        Merchant("offers:write"),
        offers.post_offer_fund,
        "Agree, as the sponsor or the network that it names, to pay for what an offer gives, as it is drafted now. A change of"
        " the draft asks anew.",
        answer=shapes.OfferOut,
        request=shapes.NothingIn,
        keyed="required",
        refusals=("state_conflict", "merchant_suspended"),
    ),
    Operation(
        "POST",
        "/v1/offers/{offer}/budget",
        Merchant("offers:write"),
        offers.post_offer_budget,
        "Set points aside for an offer that runs, or take some back: by whoever pays for it.",
        answer=shapes.OfferOut,
        request=shapes.OfferBudgetIn,
        keyed="required",
        refusals=("state_conflict", "limit_exceeded", "merchant_suspended"),
    ),
    Operation(
        "POST",
        "/v1/offers/{offer}/end",
        Merchant("offers:write"),
        offers.post_offer_end,
        "End an offer before its time. What is left of its budget goes back; its measuring goes on to the last window.",
        answer=shapes.OfferOut,
        request=shapes.NothingIn,
        keyed="required",
        refusals=("state_conflict",),
    ),
    Operation(
        "GET",
        "/v1/offers/{offer}/results",
        Merchant("offers:read"),
        offers.get_offer_results,
        "What the offer caused, window by window, beside what such figures can and cannot say; as a chart when asked by"
        " format or Accept.",
        answer=shapes.OfferResultsOut,
        query=shapes.ResultsIn,
        also=("image/svg+xml",),
    ),
)
