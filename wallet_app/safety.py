"""What keeps a wallet safe: the spend lock, the phones that make codes, where one is signed in, and what to do when
something is lost or not one's own."""

import contextlib
from uuid import UUID

import ledger
from gateway import web
from gateway.api import membership, sessions, shapes
from gateway.web import Moved, Problem, Shown, Visit, not_found
from ledger import ids
from merchants import people
from wallet_app.asking import about


async def show(visit: Visit) -> Shown:
    session = visit.session
    assert session is not None

    def read(tx: ledger.Tx) -> tuple[list[people.Device], list[web.Session]]:
        devices = people.list_devices(tx, visit.network, session.member_id)
        return [d for d in devices if d.revoked_at is None], web.sessions.of_member(tx, session.member_id)

    devices, signed_in = await visit.work(read)
    facts = {
        "me": await about(visit),
        "devices": [(ids.show("device", device.id), device) for device in devices],
        "own_device": session.device_id,
        "sessions": signed_in,
        "own": session.id,
        "about": visit.query.get("about", ""),
        "done": visit.query.get("done", ""),
    }
    return Shown("safety.html", facts)


async def lock(visit: Visit) -> Moved:
    locked = visit.form.get("locked") == "yes"
    body = shapes.SpendLockIn(locked=locked)
    await visit.ask(membership.put_spend_lock, body, method="PUT", path="/v1/me/spend-lock")
    return Moved(visit.to("/safety", done="locked" if locked else "unlocked"))


async def remove_device(visit: Visit) -> Moved:
    device = ids.read("device", visit.params["device"])
    if device is None:
        raise not_found("device")

    def revoke(tx: ledger.Tx) -> object:
        return people.revoke_device(tx, visit.network, visit.member.id, device, visit.network.now)

    if isinstance(await visit.work(revoke), ledger.Refusal):
        raise not_found("device")
    return Moved(visit.to("/safety", done="device"))


async def end_session(visit: Visit) -> Moved:
    try:
        id = UUID(visit.params["session"])
    except ValueError:
        raise not_found("session") from None
    with contextlib.suppress(Problem):  # over already: as good
        await sessions.end(visit.call(), id)
    return Moved(visit.to("/safety", done="session"))


async def end_others(visit: Visit) -> Moved:
    """Everywhere but here, and the phones that were enrolled there."""
    assert visit.session is not None
    await sessions.end(visit.call(), None, visit.session.id)
    return Moved(visit.to("/safety", done="others"))
