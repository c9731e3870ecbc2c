"""Oneself: the days one likes to be thought of, what one agreed to, one's telephone, and all that is kept of one."""

import unicodedata
from typing import Final

import msgspec

from gateway.api import exporting, membership, occasions, shapes, step_up
from gateway.web import Moved, Problem, Raw, Shown, Visit
from gateway.web import later as N_
from merchants import people
from wallet_app.asking import about
from wallet_app.joining import PURPOSES

OCCASIONS: Final = {
    "birthday": N_("Birthday"),
    "wedding_anniversary": N_("Wedding anniversary"),
    "company_anniversary": N_("The company’s anniversary"),
    "own": N_("Another day"),
}
_DOWNLOAD: Final = (
    (b"content-disposition", b'attachment; filename="manex.json"'),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


async def show(visit: Visit) -> Shown:
    return await _shown(visit)


async def _shown(visit: Visit, said: str = "", status: int = 200, at: str = "") -> Shown:
    """The page; a refusal `said` stands in the part of it that was sent."""
    consents: shapes.ConsentsOut = await visit.ask(membership.get_consents)
    days: shapes.OccasionsOut = await visit.ask(occasions.get_occasions)
    facts = {
        "me": await about(visit),
        "consents": {consent.purpose: consent for consent in consents.data},
        "confirmed": consents.confirmed,
        "purposes": PURPOSES,
        "occasions": [(mark(day), day) for day in days.data],
        "kinds": OCCASIONS,
        "months": {calendar: _months(visit, calendar) for calendar in ("jalali", "gregorian")},
        "room": len(days.data) < people.occasions.LARGEST_OCCASIONS,
        "form": visit.form,
        "refused": said,
        "at": at,
        "done": visit.query.get("done", ""),
    }
    return Shown("profile.html", facts, status)


def _months(visit: Visit, calendar: str) -> list[str]:
    """The names of a calendar's months as the visitor says them."""
    return [visit.language.gettext(name) for name in MONTHS[calendar]]


MONTHS: Final = {
    "jalali": (
        *(N_("Farvardin"), N_("Ordibehesht"), N_("Khordad"), N_("Tir"), N_("Mordad"), N_("Shahrivar")),
        *(N_("Mehr"), N_("Aban"), N_("Azar"), N_("Dey"), N_("Bahman"), N_("Esfand")),
    ),
    "gregorian": (
        *(N_("January"), N_("February"), N_("March"), N_("April"), N_("May"), N_("June"), N_("July")),
        *(N_("August"), N_("September"), N_("October"), N_("November"), N_("December")),
    ),
}


async def consent(visit: Visit) -> Moved:
    """What one agrees to from now on; all of it was shown, so that answers what was said at a counter too."""
    said = [shapes.ConsentIn(purpose=name, given=visit.form.get(name) == "yes") for name, _ in PURPOSES]
    body = shapes.ConsentsIn(consents=said)
    await visit.ask(membership.put_consents, body, method="PUT", path="/v1/me/consents")
    await visit.ask(membership.post_own_confirmation, shapes.NothingIn(), method="POST", path="/v1/me/consents/confirm")
    return Moved(visit.to("/profile", done="consents"))


# -- occasions


async def add_occasion(visit: Visit) -> Shown | Moved:
    try:
        told = await _told(visit)
        await _put(visit, [*told, _typed(visit.form)])
    except Problem as problem:
        return await _shown(visit, visit.say(problem), 422, "occasions")
    return Moved(visit.to("/profile", done="occasion"))


async def remove_occasion(visit: Visit) -> Moved:
    """The one that was shown; gone already is as good."""
    told = await _told(visit)
    kept = [each for each in told if mark(each) != visit.form.get("which")]
    if kept != told:
        await _put(visit, kept)
    return Moved(visit.to("/profile", done="occasion-gone"))


def mark(occasion: shapes.OccasionIn | shapes.OccasionOut) -> str:
    """What tells an occasion from a member's others."""
    parts = (occasion.kind, occasion.calendar, occasion.month, occasion.day, occasion.year or "", occasion.name or "")
    return " ".join(str(part) for part in parts)


async def _told(visit: Visit) -> list[shapes.OccasionIn]:
    found: shapes.OccasionsOut = await visit.ask(occasions.get_occasions)
    return [
        shapes.OccasionIn(kind=o.kind, calendar=o.calendar, month=o.month, day=o.day, year=o.year, name=o.name)
        for o in found.data
    ]


async def _put(visit: Visit, told: list[shapes.OccasionIn]) -> None:
    body = shapes.OccasionsIn(occasions=told)
    try:
        await visit.ask(occasions.put_occasions, body, method="PUT", path="/v1/me/occasions")
    except Problem as problem:
        # which of them it is was typed last: what is at fault is its last part
        field = (problem.pointer or "").rpartition("/")[2]
        raise Problem(problem.code, problem.detail, f"/{field}", facts=problem.facts) from None


def _typed(form: dict[str, str]) -> shapes.OccasionIn:
    """An occasion as a form tells it; `month` names the calendar too. Faults are left to the house, but what is no number."""
    calendar, _, month = form.get("month", "").partition("-")
    year = form.get("year", "").strip()
    kind, name = form.get("kind", ""), " ".join(unicodedata.normalize("NFC", form.get("name", "")).split()) or None
    try:
        return msgspec.convert(
            {
                "kind": kind,
                "calendar": calendar,
                "month": _number(month, "/month"),
                "day": _number(form.get("day", ""), "/day"),
                "year": _number(year, "/year") if year else None,
                "name": name if kind == "own" else None,
            },
            shapes.OccasionIn,
        )
    except msgspec.ValidationError as error:
        at = next((field for field in ("day", "month", "year", "name") if f"`$.{field}`" in str(error)), "month")
        raise Problem("validation_failed", "no such occasion", f"/{at}") from None


def _number(text: str, pointer: str) -> int:
    bare = people.digits.latin(text[:8]).strip()
    if not (bare.isascii() and bare.isdigit()):
        raise Problem("validation_failed", "not a number", pointer)
    return int(bare)


# -- what a stolen session must not do: a code of one's own telephone comes first


async def ask_code(visit: Visit) -> Shown:
    """Have a code sent for the export."""
    try:
        await step_up.send_step_up(visit.call(), visit.language.code)
    except Problem as problem:
        return await _shown(visit, visit.say(problem), 429, "export")
    return _export()


def _export(said: str = "", status: int = 200) -> Shown:
    return Shown("export.html", {"refused": said}, status)


async def export(visit: Visit) -> Shown | Raw:
    body = shapes.CodeIn(code=visit.form.get("code", "")[:12])
    try:
        found: shapes.ExportOut = await visit.ask(exporting.post_export, body, method="POST", path="/v1/me/export")
    except Problem as problem:
        return _export(visit.say(problem), 403)
    return Raw(msgspec.json.format(msgspec.json.encode(found), indent=1), "application/json", _DOWNLOAD)


async def ask_codes(visit: Visit) -> Shown:
    """Have a code sent to the telephone one has, and one to that one wants."""
    try:
        await step_up.send_new_phone_code(visit.call(), visit.form.get("phone", ""), visit.language.code)
        await step_up.send_step_up(visit.call(), visit.language.code)
    except Problem as problem:
        return await _shown(visit, visit.say(problem), 422, "phone")
    return _codes(visit)


def _codes(visit: Visit, said: str = "", status: int = 200) -> Shown:
    return Shown("new_phone.html", {"phone": visit.form.get("phone", "")[:40], "refused": said}, status)


async def change_phone(visit: Visit) -> Shown | Moved:
    assert visit.session is not None
    form = visit.form
    code, new = (people.digits.latin(form.get(name, "")).strip()[:12] for name in ("code", "new_code"))
    body = shapes.PhoneChangeIn(phone=form.get("phone", "")[:40], code=code, new_code=new)
    try:
        await step_up.change_phone(visit.call(body, method="PUT", path="/v1/me/phone"), visit.session.id)
    except Problem as problem:
        return _codes(visit, visit.say(problem), 403)
    return Moved(visit.to("/profile", done="phone"))
