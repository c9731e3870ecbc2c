"""What shops ask to be approved: yes or no."""

from gateway.api import approvals, shapes
from gateway.web import Moved, Problem, Shown, Visit
from wallet_app.asking import awaiting, balance


async def show(visit: Visit) -> Shown:
    return await _shown(visit)


async def _shown(visit: Visit, said: str = "", status: int = 200) -> Shown:
    facts = {
        "awaiting": await awaiting(visit),
        "balance": await balance(visit),
        "refused": said,
        "done": visit.query.get("done", ""),
    }
    return Shown("approvals.html", facts, status)


async def approve(visit: Visit) -> Shown | Moved:
    return await _answer(visit, "approve")


async def decline(visit: Visit) -> Shown | Moved:
    return await _answer(visit, "decline")


async def _answer(visit: Visit, how: str) -> Shown | Moved:
    id = visit.params["redemption"]
    function = approvals.post_own_approval if how == "approve" else approvals.post_own_refusal
    try:
        await visit.ask(
            function,
            shapes.NothingIn(),
            method="POST",
            path=f"/v1/me/redemptions/{id}/{how}",
            params={"redemption": id},
            key=visit.key,
        )
    except Problem as problem:
        return await _shown(visit, visit.say(problem), 409)
    return Moved(visit.to("/approvals", done=f"{how}d"))
