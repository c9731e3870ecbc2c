"""Merchants, where they sell, the keys they call with, and what they agreed to with the network, version by version."""

from merchants.contracts import keys, sponsorships
from merchants.contracts.changes import Boundary, NewContract, NewRules, boundary
from merchants.contracts.facts import FACTS
from merchants.contracts.handlers import (
    ContractHandler,
    ContractInForce,
    NewTerms,
    RulesHandler,
    RulesInForce,
    TermsHandler,
    TermsInForce,
)
from merchants.contracts.keys import Key, KeyRing
from merchants.contracts.leaving import BuyOut, BuyOutDone, BuyOutHandler
from merchants.contracts.naming import Found, Naming
from merchants.contracts.parties import Branch, Contract, Merchant, Sponsorship, Taken, Terms, Till
from merchants.contracts.policy_store import (
    Forbidden,
    RulePolicy,
    RulePolicyHandler,
    RulePolicyInForce,
    nothing,
    policy_of,
    refused,
)
from merchants.contracts.snapshot import Network, NetworkCache, load
from merchants.contracts.sponsorship_store import list_sponsorships, sponsorship
from merchants.contracts.sponsorships import (
    ChangeBudget,
    EndSponsorship,
    NewSponsorship,
    SponsorshipDone,
    SponsorshipHandler,
)
from merchants.contracts.store import (
    add_branch,
    add_merchant,
    add_till,
    branch,
    list_branches,
    list_merchants,
    list_tills,
    merchant,
    set_state,
    till,
)

__all__ = [
    "FACTS",
    "Boundary",
    "Branch",
    "BuyOut",
    "BuyOutDone",
    "BuyOutHandler",
    "ChangeBudget",
    "Contract",
    "ContractHandler",
    "ContractInForce",
    "EndSponsorship",
    "Forbidden",
    "Found",
    "Key",
    "KeyRing",
    "Merchant",
    "Naming",
    "Network",
    "NetworkCache",
    "NewContract",
    "NewRules",
    "NewSponsorship",
    "NewTerms",
    "RulePolicy",
    "RulePolicyHandler",
    "RulePolicyInForce",
    "RulesHandler",
    "RulesInForce",
    "Sponsorship",
    "SponsorshipDone",
    "SponsorshipHandler",
    "Taken",
    "Terms",
    "TermsHandler",
    "TermsInForce",
    "Till",
    "add_branch",
    "add_merchant",
    "add_till",
    "boundary",
    "branch",
    "keys",
    "list_branches",
    "list_merchants",
    "list_sponsorships",
    "list_tills",
    "load",
    "merchant",
    "nothing",
    "policy_of",
    "refused",
    "set_state",
    "sponsorship",
    "sponsorships",
    "till",
]
