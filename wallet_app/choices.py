"""Everything else: oneself, consents, language and look."""

import ledger
from gateway import web
from gateway.api import membership, shapes
from gateway.web import LANGUAGE_COOKIE, LANGUAGES, LOOK_COOKIE, LOOKS, Moved, Problem, Shown, Visit
from merchants import people
from wallet_app.asking import about
from wallet_app.joining import PURPOSES


async def show(visit: Visit) -> Shown:
    said: shapes.ConsentsOut = await visit.ask(membership.get_consents)
    facts = {
        "me": await about(visit),
        "consents": {consent.purpose: consent for consent in said.data},
        "confirmed": said.confirmed,
        "purposes": PURPOSES,
        "done": visit.query.get("done", ""),
    }
    return Shown("more.html", facts)


async def consent(visit: Visit) -> Moved:
    """What one agrees to from now on; that answers what was said at a counter too."""
    said = {purpose: visit.form.get(purpose) == "yes" for purpose, _ in PURPOSES}

    def put(tx: ledger.Tx) -> None:
        people.confirm_consents(tx, visit.network, visit.member.id, visit.network.now)
        people.put_consents(tx, visit.network, visit.member.id, said, visit.network.now)

    await visit.work(put)
    return Moved(visit.to("/more", done="consents"))


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
