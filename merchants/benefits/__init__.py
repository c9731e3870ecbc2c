"""Benefits: what shops give beside points, with a capacity, to everybody, to tiers or to whom it is granted."""

from merchants.benefits.deciding import Capacity, Entitlement, Grant, PerPeriod
from merchants.benefits.facts import FACTS
from merchants.benefits.handler import (
    EndEntitlement,
    EndGrant,
    EntitlementDone,
    GrantDone,
    GrantEntitlement,
    NewEntitlement,
    UseDone,
    UseEntitlement,
    VoidUse,
    handlers,
)
from merchants.benefits.reading import Checked, checked
from merchants.benefits.store import Use, entitlement, list_entitlements, open_entitlements

__all__ = [
    "FACTS",
    "Capacity",
    "Checked",
    "EndEntitlement",
    "EndGrant",
    "Entitlement",
    "EntitlementDone",
    "Grant",
    "GrantDone",
    "GrantEntitlement",
    "NewEntitlement",
    "PerPeriod",
    "Use",
    "UseDone",
    "UseEntitlement",
    "VoidUse",
    "checked",
    "entitlement",
    "handlers",
    "list_entitlements",
    "open_entitlements",
]
