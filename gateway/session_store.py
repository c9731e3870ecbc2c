"""SQL of sessions. Role door."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import ledger


class Session(NamedTuple):
    """Somebody signed in, on one browser. Times are the wall's."""

    id: UUID
    book_id: int
    member_id: UUID
    # what the browser says it is
    agent: str
    # the device that was enrolled in it, whose codes consent
    device_id: UUID | None
    began_at: datetime
    seen_at: datetime
    ends_at: datetime


_SESSION = "id, book_id, member_id, agent, device_id, began_at, seen_at, ends_at"


def add(tx: ledger.Tx, *, id: UUID, book_id: int, member_id: UUID, hash: bytes, agent: str, life: timedelta) -> Session:
    """A new session. Those of this member that have been over for long are forgotten."""
    tx.execute(
        "delete from gateway.session where member_id = %s and least(ends_at, coalesce(ended_at, ends_at)) < now() - %s",
        [member_id, timedelta(days=30)],
    )
    row = tx.execute(
        "insert into gateway.session (id, book_id, member_id, hash, agent, began_at, seen_at, ends_at)"
        f" values (%s, %s, %s, %s, %s, now(), now(), now() + %s) returning {_SESSION}",
        [id, book_id, member_id, hash, agent, life],
    ).fetchone()
    assert row is not None
    return Session(*row)


def living(tx: ledger.Tx, hash: bytes, idle: timedelta) -> Session | None:
    """The session of a cookie, if it goes on; seen now."""
    row = tx.execute(
        f"select {_SESSION}, seen_at < now() - interval '10 minutes' from gateway.session"
        " where hash = %s and ended_at is null and ends_at > now() and seen_at > now() - %s",
        [hash, idle],
    ).fetchone()
    if row is None:
        return None
    *facts, stale = row
    if stale:  # not at every request: the row would be written all the time
        tx.execute("update gateway.session set seen_at = now() where id = %s", [facts[0]])
    return Session(*facts)


def goes_on(tx: ledger.Tx, id: UUID) -> bool:
    row = tx.execute(
        "select 1 from gateway.session where id = %s and ended_at is null and ends_at > now()", [id]
    ).fetchone()
    return row is not None


def of_member(tx: ledger.Tx, member_id: UUID, idle: timedelta) -> Sequence[Session]:
    """A member's living sessions, the one seen last first."""
    rows = tx.execute(
        f"select {_SESSION} from gateway.session where member_id = %s and ended_at is null and ends_at > now()"
        " and seen_at > now() - %s order by seen_at desc, id limit 50",
        [member_id, idle],
    )
    return [Session(*row) for row in rows]


def end(tx: ledger.Tx, member_id: UUID, id: UUID | None = None, *, but: UUID | None = None) -> list[UUID]:
    """End one session of a member, or all `but` one; the devices that were enrolled in them."""
    rows = tx.execute(
        "update gateway.session set ended_at = now() where member_id = %(member)s and ended_at is null"
        " and (%(id)s::uuid is null or id = %(id)s) and (%(but)s::uuid is null or id <> %(but)s)"
        " returning device_id",
        {"member": member_id, "id": id, "but": but},
    ).fetchall()
    return [row[0] for row in rows if row[0] is not None]


def end_by_hash(tx: ledger.Tx, hash: bytes) -> None:
    tx.execute("update gateway.session set ended_at = now() where hash = %s and ended_at is null", [hash])


def set_device(tx: ledger.Tx, id: UUID, device_id: UUID | None) -> None:
    tx.execute("update gateway.session set device_id = %s where id = %s", [device_id, id])
