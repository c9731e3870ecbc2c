"""The household: who may spend from whose wallet, and how much."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from gateway.api import households, shapes
from gateway.web import Call, Moved, Problem, Shown, Visit, not_found
from merchants import people
from wallet_app.asking import about
from wallet_app.forms import points


async def show(visit: Visit) -> Shown:
    return await _shown(visit)


async def _shown(visit: Visit, said: str = "", status: int = 200) -> Shown:
    mine: shapes.MyHousehold = await visit.ask(households.get_household)
    facts = {
        "me": await about(visit),
        "household": mine.household,
        "invitations": mine.invitations,
        "form": visit.form,
        "refused": said,
        "done": visit.query.get("done", ""),
    }
    return Shown("household.html", facts, status)


Function = Callable[[Call[Any]], Awaitable[Any]]

_OF: Final = "/v1/me/household"
#: By the page's word: the API's function, its method and path, and what the last part of the path names.
_STEPS: Final[dict[str, tuple[Function, str, str, str]]] = {
    "found": (households.post_household, "POST", _OF, ""),
    "invite": (households.post_invitation, "POST", f"{_OF}/invitations", ""),
    "share": (households.put_sharing, "PUT", f"{_OF}/sharing", ""),
    "leave": (households.post_leave, "POST", f"{_OF}/leave", ""),
    "accept": (households.post_acceptance, "POST", "/v1/me/household-invitations/{}/accept", "household"),
    "decline": (households.post_refusal, "POST", "/v1/me/household-invitations/{}/decline", "household"),
    "limit": (households.put_person_limit, "PUT", f"{_OF}/people/{{}}/limit", "member"),
    "remove": (households.post_removal, "POST", f"{_OF}/people/{{}}/remove", "member"),
    "lead": (households.post_founder, "POST", f"{_OF}/people/{{}}/make-founder", "member"),
}


async def step(visit: Visit) -> Shown | Moved:
    name, of = visit.params["step"], visit.params.get("of")
    if name not in _STEPS or (of is not None) != bool(_STEPS[name][3]):
        raise not_found("step")
    function, method, path, what = _STEPS[name]
    try:
        await visit.ask(
            function,
            _body(name, visit.form),
            method=method,
            path=path.format(of),
            params={what: of} if of is not None else None,
            key=visit.key,
        )
    except Problem as problem:
        return await _shown(visit, visit.say(problem), 409)
    return Moved(visit.to("/household", done=name))


def _body(name: str, form: dict[str, str]) -> object:
    typed = form.get("monthly_points", "").strip()
    monthly = points(typed, least=0) if typed else None
    if name == "invite":
        number = people.digits.latin(form.get("number", "")).strip()
        if not 6 <= len(number) <= 64:
            raise Problem("not_found", "no number", facts={"what": "member"})
        return shapes.InviteIn(number=number, monthly_points=monthly)
    if name == "share":
        return shapes.SharingIn(monthly_points=None if form.get("stop") == "yes" else monthly)
    if name == "limit":
        return shapes.PersonLimitIn(monthly_points=monthly or 0)
    return shapes.NothingIn()
