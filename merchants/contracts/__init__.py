"""Merchants, where they sell, the keys they call with, and what they agreed to with the network, version by version."""

from merchants.contracts import keys
from merchants.contracts.changes import Boundary, NewContract, NewRules, boundary
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
from merchants.contracts.parties import Branch, Contract, Merchant, Taken, Terms, Till
from merchants.contracts.snapshot import Network, NetworkCache, load
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
    "Boundary",
    "Branch",
    "BuyOut",
    "BuyOutDone",
    "BuyOutHandler",
    "Contract",
    "ContractHandler",
    "ContractInForce",
    "Key",
    "KeyRing",
    "Merchant",
    "Network",
    "NetworkCache",
    "NewContract",
    "NewRules",
    "NewTerms",
    "RulesHandler",
    "RulesInForce",
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
    "list_tills",
    "load",
    "merchant",
    "set_state",
    "till",
]
