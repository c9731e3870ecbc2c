"""Ladders of tiers, and what members may have beside points: what shops and operators ask."""

from typing import Final

from gateway.api import shapes, standing
from gateway.api.table.operator_paths import OF_BOOK, OF_MERCHANT, OPERATOR
from gateway.operation import ANY_OPERATOR, MAKER, Function, Merchant, Operation, Who

SHOP: Final = Merchant("benefits:write")


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
        refusals=("state_conflict",),
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
)
