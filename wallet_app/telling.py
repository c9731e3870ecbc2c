"""What a record is called on a page, and which way its points went. Pure."""

from typing import Final, Literal, NamedTuple

from gateway.api import history as records
from gateway.web import later as N_

Way = Literal["in", "out", "none"]


class Line(NamedTuple):
    entry: records.Entry
    title: str
    way: Way
    mark: str


#: By kind: what it is called, whether points came or went, and the letter of its picture.
_TOLD: Final[dict[str, tuple[str, Way, str]]] = {
    "sale": (N_("Purchase"), "in", "basket"),
    "refund": (N_("Goods returned"), "out", "back"),
    "hold": (N_("Set aside for a purchase"), "none", "pause"),
    "capture": (N_("Spent"), "out", "spent"),
    "void": (N_("No longer set aside"), "none", "pause"),
    "lapse": (N_("No longer set aside"), "none", "pause"),
    "redemption_refund": (N_("Points given back"), "in", "back"),
    "repayment": (N_("Used to settle what you owed"), "out", "spent"),
    "expiry": (N_("Expired"), "out", "clock"),
    "maturity": (N_("Confirmed"), "none", "check"),
    "gift": (N_("Gift given"), "out", "gift"),
    "gift_received": (N_("Gift received"), "in", "gift"),
    "member_frozen": (N_("Your wallet was frozen by the network"), "none", "lock"),
    "member_unfrozen": (N_("Your wallet is open again"), "none", "lock"),
}
assert _TOLD.keys() == set(records.KINDS)

#: Why a sale brought no points.
WHY: Final[dict[str, str]] = {
    "nothing_paid": N_("Nothing was paid in money, so there was nothing to earn on."),
    "below_minimum": N_("The basket was below the least this shop gives points for."),
    "terms_exclude": N_("These goods earn no points at this shop."),
    "below_one_point": N_("The amount was too small for one point."),
    "issuing_limit_reached": N_("The shop could not give points at that moment."),
    "cap_reached": N_("The offer had given as much as it gives."),
    "budget_too_small": N_("Too few of the points set aside for it were left."),
}
WHY_NOT_KNOWN: Final = N_("This purchase earned no points.")

RECEIPTS: Final = tuple(kind for kind in records.KINDS if kind not in ("hold", "void", "lapse", "maturity"))

#: The filters of the list, by their name in the address.
FILTERS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "all": (N_("All"), records.KINDS),
    "earned": (N_("Earned"), ("sale", "maturity", "redemption_refund", "gift_received")),
    "spent": (N_("Spent"), ("hold", "capture", "void", "lapse", "repayment")),
    "gifts": (N_("Gifts"), ("gift", "gift_received")),
    "gone": (N_("Expired and returned"), ("expiry", "refund")),
}


def line(entry: records.Entry) -> Line:
    title, way, mark = _TOLD[entry.kind]
    return Line(entry, title, way if entry.points else "none", mark)


def why(entry: records.Entry) -> str | None:
    """Why a sale brought nothing, in words to be looked up."""
    refused = entry.facts.get("refused")
    if entry.kind != "sale" or refused is None:
        return None
    return WHY.get(refused, WHY_NOT_KNOWN)
