"""Everything that happened to one's points, and the receipt of each."""

from typing import Final

from gateway.api import history as records
from gateway.web import Shown, Visit, not_found
from ledger import ids
from wallet_app import telling

PAGE: Final = 25


async def show(visit: Visit) -> Shown:
    chosen = visit.query.get("show", "all")
    if chosen not in telling.FILTERS:
        chosen = "all"
    kinds = telling.FILTERS[chosen][1]
    found = await records.own_history(visit.call(), kinds, visit.query.get("from"), PAGE)
    return Shown(
        "history.html",
        {
            "chosen": chosen,
            "filters": telling.FILTERS,
            "lines": [telling.line(entry) for entry in found.data],
            "more": found.next_cursor,
            "further": "from" in visit.query,
        },
    )


async def receipt(visit: Visit) -> Shown:
    record = ids.read("record", visit.params["record"])
    if record is None:
        raise not_found("record")
    found = await records.own_receipt(visit.call(), record)
    return Shown(
        "receipt.html",
        {
            "line": telling.line(found.entry),
            "entry": found.entry,
            "parts_of": found.parts,
            "why": telling.why(found.entry),
            "bonuses": [(by, telling.WHY.get(reason, telling.WHY_NOT_KNOWN)) for by, reason in found.refused_bonuses],
        },
    )
