"""Giving points to another member: said, shown once more, given with a spend code of one's own phone."""

from gateway.api import gifts, shapes
from gateway.web import Moved, Problem, Shown, Visit
from merchants import people
from wallet_app.asking import about, balance
from wallet_app.forms import points


async def show(visit: Visit) -> Shown:
    return await _shown(visit)


async def _shown(visit: Visit, said: str = "", status: int = 200) -> Shown:
    given: shapes.GiftPage = await visit.ask(gifts.list_gifts, query=shapes.PageIn(limit=20))
    facts = {
        "balance": await balance(visit),
        "gifts": given.data,
        "form": visit.form,
        "refused": said,
        "done": visit.query.get("done", ""),
    }
    return Shown("gifts.html", facts, status)


async def ask(visit: Visit) -> Shown:
    """Show once more what is to be given, before it is."""
    try:
        how_many = points(visit.form.get("points", ""))
    except Problem as problem:
        return await _shown(visit, visit.say(problem), 422)
    return await _confirm(visit, how_many)


async def _confirm(visit: Visit, how_many: int, said: str = "", status: int = 200) -> Shown:
    facts = {
        "to": people.digits.latin(visit.form.get("to", ""))[:64].strip(),
        "points": how_many,
        "me": await about(visit),
        "refused": said,
    }
    return Shown("gift_confirm.html", facts, status)


async def give(visit: Visit) -> Shown | Moved:
    try:
        how_many = points(visit.form.get("points", ""))
        to = people.digits.latin(visit.form.get("to", "")).strip()
        if not 4 <= len(to) <= 64:
            raise Problem("validation_failed", "whom", "/to")
        code = people.digits.latin(visit.form.get("spend_code", "")).strip()
        if not 6 <= len(code) <= 12:
            raise Problem("consent_required", "no code")
        body = shapes.GiftIn(to=to, points=how_many, spend_code=code)
        await visit.ask(gifts.post_gift, body, method="POST", path="/v1/me/gifts", key=visit.key)
    except Problem as problem:
        if problem.code in ("consent_required", "code_already_used"):
            # under another key: this one was answered
            return await _confirm(visit, points(visit.form.get("points", "")), visit.say(problem), 403)
        return await _shown(visit, visit.say(problem), 422)
    return Moved(visit.to("/gifts", done="given"))
