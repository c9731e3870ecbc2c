"""What several pages ask of the API's functions."""

from gateway.api import approvals, membership, shapes
from gateway.web import Visit


async def about(visit: Visit) -> shapes.MeOut:
    found: shapes.MeOut = await visit.ask(membership.get_me)
    return found


async def balance(visit: Visit) -> shapes.MemberBalance:
    found: shapes.MemberBalance = await visit.ask(membership.get_balance)
    return found


async def awaiting(visit: Visit) -> list[shapes.OwnRedemptionOut]:
    """What shops ask to be approved, the newest first."""
    found: shapes.OwnRedemptionPage = await visit.ask(approvals.list_awaiting, query=shapes.AwaitingIn())
    return found.data
