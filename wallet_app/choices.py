"""Everything else, and the language and the look of this browser."""

from gateway import web
from gateway.web import LANGUAGE_COOKIE, LANGUAGES, LOOK_COOKIE, LOOKS, Moved, Problem, Shown, Visit
from wallet_app.asking import about


async def show(visit: Visit) -> Shown:
    return Shown("more.html", {"me": await about(visit)})


async def choose(visit: Visit) -> Moved:
    """The language and the look of this browser."""
    language, look = visit.form.get("language"), visit.form.get("look")
    if language is not None:
        if language not in LANGUAGES:
            raise Problem("validation_failed", "no such language", "/language")
        visit.keep(LANGUAGE_COOKIE, language)
    if look is not None:
        if look not in (*LOOKS, "system"):
            raise Problem("validation_failed", "no such look", "/look")
        visit.keep(LOOK_COOKIE, look)
    return Moved(web.own_path(visit.root, visit.form.get("back", ""), visit.to("/")))
