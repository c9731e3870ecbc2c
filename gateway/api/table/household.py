"""What a member asks of a household."""

from typing import Final, Literal

from msgspec import Struct

from gateway.api import households, shapes
from gateway.operation import Function, Member, Operation

_HOUSEHOLD: Final = "/v1/me/household"


def _step(
    method: Literal["POST", "PUT"],
    path: str,
    function: Function,
    summary: str,
    request: type[Struct] = shapes.NothingIn,
    *refusals: str,
) -> Operation:
    """A change of a household, which is a record of the ledger."""
    return Operation(
        method,
        path,
        Member(),
        function,
        summary,
        answer=shapes.HouseholdStepOut,
        request=request,
        keyed="taken",
        refusals=("not_found", "state_conflict", *refusals),
    )


OPERATIONS: Final = (
    Operation(
        "GET",
        _HOUSEHOLD,
        Member(),
        households.get_household,
        "The household one is in, and those that ask one to join.",
        answer=shapes.MyHousehold,
    ),
    _step(
        "POST",
        _HOUSEHOLD,
        households.post_household,
        "Found a household; a company, the account its people spend from.",
    ),
    _step(
        "POST",
        f"{_HOUSEHOLD}/invitations",
        households.post_invitation,
        "Ask a member to join, by number; only the founder does.",
        shapes.InviteIn,
        "limit_exceeded",
    ),
    _step(
        "POST",
        "/v1/me/household-invitations/{household}/accept",
        households.post_acceptance,
        "Join a household that asks. A member is in one at most.",
    ),
    _step(
        "POST",
        "/v1/me/household-invitations/{household}/decline",
        households.post_refusal,
        "Decline to join a household.",
    ),
    _step(
        "POST", f"{_HOUSEHOLD}/leave", households.post_leave, "Leave, at any time; every right to spend ends at once."
    ),
    _step(
        "PUT",
        f"{_HOUSEHOLD}/sharing",
        households.put_sharing,
        "Say how much the others may spend from one's wallet in a month, or that they may not.",
        shapes.SharingIn,
    ),
    _step(
        "PUT",
        f"{_HOUSEHOLD}/people/{{member}}/limit",
        households.put_person_limit,
        "Say how much one of a company's people may spend in a month.",
        shapes.PersonLimitIn,
    ),
    _step(
        "POST",
        f"{_HOUSEHOLD}/people/{{member}}/remove",
        households.post_removal,
        "Take somebody out, or withdraw an invitation; only the founder does.",
    ),
    _step("POST", f"{_HOUSEHOLD}/people/{{member}}/make-founder", households.post_founder, "Hand a household over."),
)
