"""Sessions of pages: a random cookie, of which the store has the hash only; a new one at each sign-in.

They live by the wall's clock: 30 days after they were last seen, and 180 days at most.
"""

import hashlib
import secrets
from datetime import timedelta
from typing import Final
from uuid import UUID

import ledger
from gateway import session_store
from gateway.session_store import Session

COOKIE: Final = "manex_session"
IDLE: Final = timedelta(days=30)
LIFE: Final = timedelta(days=180)
LONGEST_AGENT: Final = 60
_BYTES: Final = 32

_BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def begin(tx: ledger.Tx, book_id: int, member_id: UUID, agent: str, *, instead_of: str | None) -> tuple[Session, str]:
    """A session, and the cookie it goes by. What this browser had before ends."""
    if instead_of is not None:
        session_store.end_by_hash(tx, _hash(instead_of))
    cookie = secrets.token_urlsafe(_BYTES)
    session = session_store.add(
        tx, id=ledger.ids.new(), book_id=book_id, member_id=member_id, hash=_hash(cookie), agent=agent, life=LIFE
    )
    return session, cookie


def found(tx: ledger.Tx, cookie: str) -> Session | None:
    """The living session of a cookie."""
    return session_store.living(tx, _hash(cookie), IDLE) if cookie else None


def of_member(tx: ledger.Tx, member_id: UUID) -> list[Session]:
    return list(session_store.of_member(tx, member_id, IDLE))


def end(tx: ledger.Tx, member_id: UUID, id: UUID | None = None, *, but: UUID | None = None) -> list[UUID]:
    """End one session of a member, or all `but` one; the devices that were enrolled in them."""
    return session_store.end(tx, member_id, id, but=but)


def agent_of(text: str) -> str:
    """Browser and system, for a person to know their own by."""
    browser = next((name for mark, name in _BROWSERS if mark in text), "")
    system = next((name for mark, name in _SYSTEMS if mark in text), "")
    return " · ".join(part for part in (browser, system) if part)[:LONGEST_AGENT]


def _hash(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()
