"""Joining and signing in: a telephone, a code, and for who is new a name and consents. Signing out.

Until a code proves the telephone nothing is told of it: a member and a stranger see the same pages.
"""

import hashlib
import hmac
import time
from typing import Final

import ledger
from gateway import web
from gateway.api import membership, names, sessions
from gateway.web import BookFacts, Moved, Problem, Shown, Visit, accepted
from gateway.web import later as N_
from ledger import ids
from merchants import people

BOOK_COOKIE: Final = "manex_book"

#: What a member may be asked to consent to, and the words of the asking.
PURPOSES: Final = (
    ("marketing", N_("Send me news and offers by text message.")),
    ("profiling", N_("Choose offers for me by what I buy.")),
)

#: How long a proven telephone may take to join.
_JOIN_SECONDS: Final = 15 * 60


async def show(visit: Visit) -> Shown | Moved:
    if visit.session is not None:
        return Moved(visit.to("/"))
    if named := visit.query.get("book"):
        if ids.read("book", named) is None:
            raise Problem("not_found", "no such book")
        visit.keep(BOOK_COOKIE, named)
    return _phone(visit)


def _phone(visit: Visit, said: str = "", status: int = 200) -> Shown:
    going_on = web.own_path(visit.root, visit.query.get("next") or visit.form.get("next", ""), visit.to("/"))
    return Shown(
        "sign_in.html",
        {"phone": visit.form.get("phone", ""), "refused": said, "next": going_on, "done": visit.query.get("done", "")},
        status,
    )


async def _book(visit: Visit) -> BookFacts:
    return await membership.book_asked(visit.call(), visit.cookies.get(BOOK_COOKIE))


async def ask(visit: Visit) -> Shown:
    try:
        book = await _book(visit)
        await membership.send_code(visit.call(), book, visit.form.get("phone", ""), visit.language.code)
    except Problem as problem:
        return _phone(visit, visit.say(problem), {"validation_failed": 422, "not_found": 404}.get(problem.code, 429))
    return _code(visit)


def _code(visit: Visit, said: str = "", status: int = 200) -> Shown:
    return Shown(
        "code.html",
        {"phone": visit.form.get("phone", ""), "next": visit.form.get("next", ""), "refused": said},
        status,
    )


async def verify(visit: Visit) -> Shown | Moved:
    try:
        book = await _book(visit)
        phone = names.telephone(book, visit.form.get("phone", ""), "/phone")
    except Problem as problem:
        return _phone(visit, visit.say(problem), 422)
    code = visit.form.get("code", "")[:40]

    def prove(tx: ledger.Tx) -> object:
        now = ledger.read_book(tx, book.id)
        return people.one_time_codes.prove(tx, now, phone, code, now.now, key=visit.server.keys.codes)

    # refused only after the commit: a wrong try counts
    found = await visit.work(prove)
    if isinstance(found, people.Member):
        await _begin(visit, book, found)
        return Moved(web.own_path(visit.root, visit.form.get("next", ""), visit.to("/")))
    if isinstance(found, people.one_time_codes.Stranger):
        return _join(visit, _proof(visit, book, phone))
    if isinstance(found, people.one_time_codes.CodeLocked):
        return _code(visit, visit.say(Problem("otp_locked", "")), 429)
    wrong = N_("This code does not sign in. Perhaps it is too old, or not the last one that was sent.")
    return _code(visit, visit.language.gettext(wrong), 401)


def _join(visit: Visit, proof: str, said: str = "", status: int = 200) -> Shown:
    return Shown("join.html", {"proof": proof, "form": visit.form, "purposes": PURPOSES, "refused": said}, status)


async def join(visit: Visit) -> Shown | Moved:
    proof = visit.form.get("proof", "")
    book = await _book(visit)
    phone = _proven(visit, book, proof)
    if phone is None:
        return _phone(visit, visit.language.gettext(N_("That took too long. Please begin again.")), 410)
    if visit.form.get("terms") != "yes":
        return _join(visit, proof, visit.language.gettext(N_("You can join once you agree to the rules.")), 422)

    def enrol(tx: ledger.Tx) -> people.Enrolled:
        now = ledger.read_book(tx, book.id)
        return accepted(
            people.enrol(
                tx,
                now,
                phone=phone,
                kind="natural",
                given_name=visit.form.get("given_name"),
                family_name=visit.form.get("family_name"),
                language=visit.language.code,
                consents={purpose: visit.form.get(purpose) == "yes" for purpose, _ in PURPOSES},
                enrolled_by=None,
                now=now.now,
            )
        )

    try:
        enrolled = await visit.work(enrol)
    except Problem as problem:
        return _join(visit, proof, visit.say(problem), 422)
    if not enrolled.created:
        # joined meanwhile, elsewhere: whoever kept this page does not get in by it
        return Moved(visit.to("/sign-in"))
    await _begin(visit, book, enrolled.member)
    return Moved(visit.to("/", done="joined"))


async def _begin(visit: Visit, book: BookFacts, member: people.Member) -> None:
    agent = web.sessions.agent_of(visit.sent.get(b"user-agent", b"").decode("latin-1"))
    held = visit.cookies.get(visit.session_cookie)
    _, cookie = await visit.work(web.sessions.begin, book.id, member.id, agent, instead_of=held)
    visit.sign_in(cookie)


async def sign_out(visit: Visit) -> Moved:
    """This browser forgets everything, and the device it was makes no more codes."""
    session = visit.session
    assert session is not None

    def end(tx: ledger.Tx) -> None:
        sessions.ended(tx, visit.network, session.member_id, session.id)

    await visit.work(end)
    visit.sign_out()
    return Moved(visit.to("/sign-in", done="out"), forget=True)


# -- a telephone that was proven, on its way through a form


def _proof(visit: Visit, book: BookFacts, phone: str) -> str:
    until = int(time.time()) + _JOIN_SECONDS
    return f"{until}.{phone}.{_mac(visit, book, until, phone)}"


def _proven(visit: Visit, book: BookFacts, proof: str) -> str | None:
    until, _, rest = proof.partition(".")
    phone, _, mac = rest.rpartition(".")
    if not (until.isascii() and until.isdigit() and len(until) < 12 and phone.isascii() and mac.isascii()):
        return None
    right = hmac.compare_digest(mac, _mac(visit, book, int(until), phone))
    return phone if right and time.time() < int(until) else None


def _mac(visit: Visit, book: BookFacts, until: int, phone: str) -> str:
    said = f"manex joining {book.id} {until} {phone}".encode()
    return hmac.new(visit.server.keys.codes, said, hashlib.sha256).hexdigest()
