"""Ladders of tiers, and what members may have beside points: what shops and operators ask."""

from typing import Final

from gateway.api import entitlements, shapes, standing
from gateway.api.table.operator_paths import OF_BOOK, OF_MERCHANT, OPERATOR
from gateway.operation import ANY_OPERATOR, MAKER, Function, Merchant, Operation, Who

SHOP: Final = Merchant("benefits:write")
TILL: Final = Merchant("redemptions:write")


def _put_ladder(path: str, who: Who, function: Function, summary: str) -> Operation:
    return Operation(
        "POST",
        path,
        who,
        function,
        summary,
        answer=shapes.LadderOut,
        request=shapes.LadderIn,
        keyed="required",
        refusals=("state_conflict", "limit_exceeded"),
    )


def _list_ladders(path: str, who: Who, function: Function, summary: str) -> Operation:
    return Operation("GET", path, who, function, summary, answer=shapes.LadderPage, query=shapes.PageIn)


def _put_on_tier(path: str, who: Who, function: Function, summary: str) -> Operation:
    return Operation(
        "POST",
        path,
        who,
        function,
        summary,
        answer=shapes.TierByHandOut,
        request=shapes.TierByHandIn,
        keyed="required",
        refusals=("state_conflict",),
    )


OPERATIONS: Final = (
    _put_ladder(
        "/v1/ladders", SHOP, standing.post_ladder, "Put the next version of the shop's ladder of tiers in force."
    ),
    _list_ladders("/v1/ladders", SHOP, standing.list_ladders, "The versions of the shop's ladder, the newest first."),
    Operation(
        "GET",
        "/v1/members/{member}/standing",
        Merchant("lookups:read"),
        standing.get_standing,
        "A member's tier on the shop's own ladder, with what the next one asks for, and on the network's.",
        answer=shapes.StandingsOut,
    ),
    _put_on_tier(
        "/v1/members/{member}/tier",
        SHOP,
        standing.post_tier,
        "Put a member on a tier of the shop's ladder by hand, or let the rule count again.",
    ),
    _put_ladder(
        f"{OF_BOOK}/ladders",
        MAKER,
        standing.post_network_ladder,
        "Put the next version of the network's own ladder of tiers in force.",
    ),
    _list_ladders(
        f"{OF_BOOK}/ladders",
        ANY_OPERATOR,
        standing.list_network_ladders,
        "The versions of the network's own ladder, the newest first.",
    ),
    _put_ladder(
        f"{OF_MERCHANT}/ladders",
        MAKER,
        standing.post_ladder_for,
        "Put the next version of a merchant's ladder of tiers in force.",
    ),
    _list_ladders(
        f"{OF_MERCHANT}/ladders",
        ANY_OPERATOR,
        standing.list_ladders_of,
        "The versions of a merchant's ladder, the newest first.",
    ),
    Operation(
        "GET",
        f"{OPERATOR}/members/{{member}}/standing",
        ANY_OPERATOR,
        standing.get_network_standing,
        "A member's tiers on every ladder, with what the next ones ask for.",
        answer=shapes.StandingsOut,
    ),
    _put_on_tier(
        f"{OPERATOR}/members/{{member}}/tier",
        MAKER,
        standing.post_network_tier,
        "Put a member on a tier of the network's own ladder by hand, or let the rule count again.",
    ),
    Operation(
        "POST",
        "/v1/entitlements",
        SHOP,
        entitlements.post_entitlement,
        "Open an entitlement: what the shop gives beside points, and how often.",
        answer=shapes.EntitlementOut,
        request=shapes.EntitlementIn,
        keyed="required",
        refusals=("state_conflict",),
    ),
    Operation(
        "GET",
        "/v1/entitlements",
        SHOP,
        entitlements.list_entitlements,
        "The shop's entitlements, the newest first.",
        answer=shapes.EntitlementPage,
        query=shapes.PageIn,
    ),
    Operation(
        "GET",
        "/v1/entitlements/{entitlement}",
        SHOP,
        entitlements.get_entitlement,
        "One entitlement, with how often it was used.",
        answer=shapes.EntitlementOut,
    ),
    Operation(
        "POST",
        "/v1/entitlements/{entitlement}/end",
        SHOP,
        entitlements.post_entitlement_end,
        "End an entitlement.",
        answer=shapes.EntitlementOut,
        request=shapes.NothingIn,
        keyed="required",
        refusals=("state_conflict",),
    ),
    Operation(
        "POST",
        "/v1/entitlements/{entitlement}/grants",
        SHOP,
        entitlements.post_entitlement_grant,
        "Give an entitlement to a member.",
        answer=shapes.GrantOut,
        request=shapes.GrantIn,
        keyed="required",
        refusals=("state_conflict",),
    ),
    Operation(
        "POST",
        "/v1/entitlement-grants/{entitlement_grant}/end",
        SHOP,
        entitlements.post_entitlement_grant_end,
        "Take a grant back.",
        answer=shapes.GrantOut,
        request=shapes.NothingIn,
        keyed="required",
        refusals=("state_conflict",),
    ),
    Operation(
        "POST",
        "/v1/entitlements/{entitlement}/checks",
        TILL,
        entitlements.post_entitlement_check,
        "Whether a member may use an entitlement now. Uses nothing.",
        answer=shapes.CheckOut,
        request=shapes.CheckIn,
    ),
    Operation(
        "POST",
        "/v1/entitlements/{entitlement}/uses",
        TILL,
        entitlements.post_entitlement_use,
        "Use an entitlement for a member, at the counter.",
        answer=shapes.UseOut,
        request=shapes.UseIn,
        keyed="required",
        refusals=("duplicate_reference", "state_conflict", "merchant_suspended", "spend_locked", "limit_exceeded"),
    ),
    Operation(
        "POST",
        "/v1/entitlement-uses/{entitlement_use}/void",
        TILL,
        entitlements.post_entitlement_use_void,
        "A use that never was: its place is free again.",
        answer=shapes.UseOut,
        request=shapes.NothingIn,
        keyed="required",
        refusals=("state_conflict",),
    ),
)
