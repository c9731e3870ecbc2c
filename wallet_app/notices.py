"""What one is told: points about to go, what shops asked, tiers, what one may use, brakes."""

from typing import Final

from gateway.api import notices, shapes
from gateway.web import Shown, Visit
from gateway.web import later as N_

PAGE: Final = 25

#: By kind: what it is called, the letter of its picture, and where one goes for more.
_TOLD: Final[dict[str, tuple[str, str, str]]] = {
    "expiry_notice": (N_("Points are about to go"), "clock", "/"),
    "approval_asked": (N_("A shop asked for points"), "bell", "/approvals"),
    "approval_withdrawn": (N_("The shop took its request back"), "bell", "/approvals"),
    "approval_lapsed": (N_("A request lapsed without an answer"), "bell", "/approvals"),
    "tier_changed": (N_("Your tier changed"), "steps", "/standing"),
    "entitlement_granted": (N_("Something to use at the counter"), "ticket", "/standing"),
    "entitlement_grant_ended": (N_("No longer to be used at the counter"), "ticket", "/standing"),
    "gift_received": (N_("Gift received"), "gift", ""),
    "repayment": (N_("Used to settle what you owed"), "spent", ""),
    "redemption_refund": (N_("Points given back"), "back", ""),
    "expiry": (N_("Points expired"), "clock", ""),
    "member_frozen": (N_("Your wallet was frozen by the network"), "lock", ""),
    "member_unfrozen": (N_("Your wallet is open again"), "lock", ""),
}
assert _TOLD.keys() == set(notices.KINDS)


async def show(visit: Visit) -> Shown:
    query = shapes.PageIn(limit=PAGE, cursor=visit.query.get("from"))
    found: shapes.NoticePage = await visit.ask(notices.list_notices, path="/v1/me/notices", query=query)
    # what has a receipt leads there, whatever it is
    told = [
        (notice, *_TOLD[notice.kind][:2], _TOLD[notice.kind][2] or f"/history/{notice.record}") for notice in found.data
    ]
    return Shown("notices.html", {"notices": told, "more": found.next_cursor, "further": "from" in visit.query})
