"""The first page: what one has and what it is worth, what waits for an answer, the latest receipts. And what is live."""

from typing import Final

from gateway.api import history as records
from gateway.api import live, standing
from gateway.web import Problem, Shown, Stream, Visit, session_store
from wallet_app import next_offers, offers, saved, telling
from wallet_app.asking import about, awaiting, balance

LATEST: Final = 5
#: Points that go within so many days are told at once.
SOON_DAYS: Final = 60


async def show(visit: Visit) -> Shown:
    me, own, asked = await about(visit), await balance(visit), await awaiting(visit)
    latest = await records.own_history(visit.call(), telling.RECEIPTS, None, LATEST)
    return Shown(
        "home.html",
        {
            "me": me,
            "balance": own,
            "tier": next(iter(await standing.own_tiers(visit.call())), None),
            "awaiting": asked,
            "offers": (await offers.page(visit, offers.ON_HOME))[0],
            "key": visit.fresh_key,
            "likely": (await next_offers.of(visit))[: next_offers.ON_HOME],
            "saved": await saved.of(visit),
            "latest": [telling.line(entry) for entry in latest.data],
            "soon_days": SOON_DAYS,
            "done": visit.query.get("done", ""),
        },
    )


async def events(visit: Visit) -> Stream:
    """Every change of one's points while it happens; it ends with the session."""
    session = visit.session
    assert session is not None

    async def still() -> None:
        if not await visit.work(session_store.goes_on, session.id):
            raise Problem("unauthenticated", "the session is over")

    return await live.own_events(visit.call(), session.ends_at.timestamp(), still)
