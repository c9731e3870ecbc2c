"""Where a member is signed in to the pages, and ending it."""

from uuid import UUID

import ledger
from gateway import problems, sessions
from gateway.api import names
from gateway.api.shapes import EndSessionsIn, SessionOut, SessionsOut
from gateway.calls import Call
from ledger import ids
from merchants import people


async def list_sessions(call: Call[None]) -> SessionsOut:
    return await call.work(lambda tx: SessionsOut(data=told(tx, _present(tx, call))))


async def post_sessions_end(call: Call[EndSessionsIn]) -> SessionsOut:
    """End one session, or all; whoever was signed in there makes no more spend codes. Tokens of the API live on for minutes."""
    named = None if call.body.session is None else names.read("session", call.body.session, "/session")
    return await end(call, named)


async def end(call: Call[EndSessionsIn], id: UUID | None, but: UUID | None = None) -> SessionsOut:
    """The same, all `but` one."""

    def work(tx: ledger.Tx) -> SessionsOut:
        member = _present(tx, call)
        if id is not None and all(session.id != id for session in sessions.of_member(tx, member)):
            raise problems.not_found("session", "/session")
        ended(tx, ledger.read_book(tx, call.member.book.id), member, id, but)
        return SessionsOut(data=told(tx, member))

    return await call.work(work)


def ended(tx: ledger.Tx, book: ledger.Book, member: UUID, id: UUID | None = None, but: UUID | None = None) -> None:
    """End a member's sessions, and the devices that were enrolled in them."""
    for device in sessions.end(tx, member, id, but=but):
        people.revoke_device(tx, book, member, device, book.now)


def told(tx: ledger.Tx, member: UUID) -> list[SessionOut]:
    return [
        SessionOut(
            id=ids.show("session", session.id),
            agent=session.agent,
            device=names.shown("device", session.device_id),
            began_at=session.began_at,
            seen_at=session.seen_at,
            ends_at=session.ends_at,
        )
        for session in sessions.of_member(tx, member)
    ]


def _present(tx: ledger.Tx, call: Call[EndSessionsIn] | Call[None]) -> UUID:
    member = people.find(tx, ledger.read_book(tx, call.member.book.id), id=call.member.id)
    if member is None or member.state == "left":
        raise problems.not_found("member")
    return member.id
