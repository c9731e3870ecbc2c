"""The card that is shown at a till, and the phone that makes spend codes."""

import io

import segno
from markupsafe import Markup

import ledger
from gateway.api import membership, shapes
from gateway.web import Problem, Shown, Told, Visit, session_store
from ledger import ids
from merchants import people
from wallet_app import barcode
from wallet_app.asking import about


async def show(visit: Visit) -> Shown:
    me = await about(visit)
    device = visit.session.device_id if visit.session else None

    def live(tx: ledger.Tx) -> bool:
        mine = people.list_devices(tx, visit.network, visit.member.id)
        return any(one.id == device and one.revoked_at is None for one in mine)

    return Shown(
        "card.html",
        {
            "me": me,
            "qr": Markup(_qr(me.number)),  # noqa: S704 - drawn here, of digits
            "barcode": Markup(barcode.svg(me.number)),  # noqa: S704
            # the codes of a phone that was removed elsewhere are worth nothing: it forgets its secret
            "device": ids.show("device", device) if device is not None and await visit.work(live) else "",
        },
    )


def _qr(number: str) -> str:
    drawn = io.BytesIO()
    segno.make(number, error="q", micro=False).save(
        drawn, kind="svg", border=3, xmldecl=False, svgns=True, svgclass=None, lineclass=None, omitsize=True
    )
    return drawn.getvalue().decode()


async def enrol(visit: Visit) -> Told:
    """Give this browser its spend secret. What it had before is worth nothing from here on."""
    session = visit.session
    assert session is not None
    agent = session.agent or "wallet"
    body = shapes.DeviceIn(name=agent)

    def forget(tx: ledger.Tx) -> None:
        if session.device_id is not None:
            people.revoke_device(tx, visit.network, session.member_id, session.device_id, visit.network.now)

    await visit.work(forget)
    try:
        made: shapes.DeviceOut = await visit.ask(membership.post_device, body)
    except Problem as problem:
        return Told({"words": visit.say(problem)}, 409)
    id = ids.read("device", made.id)
    if id is None:
        raise Problem("internal", "no device")
    await visit.work(session_store.set_device, session.id, id)
    clock = {"now": int(visit.network.now.timestamp() * 1000), "stands": visit.network.mode == "test"}
    return Told({"device": made.id, "secret": made.spend_secret, **clock})
