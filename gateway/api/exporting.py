"""All that is kept of a member, for the member."""

from typing import Any, Final, cast

import ledger
from gateway import store
from gateway.api import membership, names, occasions, reading, sessions, step_up
from gateway.api.shapes import (
    CodeIn,
    ConsentsOut,
    ExportOut,
    OccasionOut,
    OwnDeviceOut,
    ProfileOut,
    RecordOut,
    SessionOut,
)
from gateway.calls import Call
from gateway.problems import Problem
from ledger import ids
from merchants import people

#: Records in one answer; the rest is asked for page by page.
MOST_RECORDS: Final = 5_000
#: The list whose cursor goes on behind them.
_RECORDS: Final = "/v1/me/records"

_Kept = tuple[
    ProfileOut, ConsentsOut, list[OccasionOut], list[OwnDeviceOut], list[SessionOut], list[RecordOut], str | None
]


async def post_export(call: Call[CodeIn]) -> ExportOut:
    """Everything, in one transaction; the balance a moment later."""

    def read(tx: ledger.Tx) -> Problem | _Kept:
        book = ledger.read_book(tx, call.member.book.id)
        if (refused := step_up.proven(tx, call, book, call.body.code)) is not None:
            return refused
        return (
            _profile(tx, call),
            membership.consents_told(tx, call),
            occasions.told(tx, call).data,
            _devices(tx, call, book),
            sessions.told(tx, call.member.id),
            *_records(tx, call),
        )

    found = await call.work(read)
    # refused only after the commit: a wrong try counts
    if isinstance(found, Problem):
        raise found
    profile, consents, told, devices, signed_in, records, cursor = found
    return ExportOut(
        exported_at=(await call.work(lambda tx: ledger.read_book(tx, call.member.book.id))).now,
        profile=profile,
        consents=consents,
        occasions=told,
        devices=devices,
        sessions=signed_in,
        balance=await membership.get_balance(cast(Call[None], call)),
        records=records,
        records_cursor=cursor,
    )


def _profile(tx: ledger.Tx, call: Call[Any]) -> ProfileOut:
    row = store.profile(tx, call.member.id)
    return ProfileOut(
        id=ids.show("member", call.member.id),
        number=row.number,
        phone=row.phone,
        kind=row.kind,
        given_name=row.given_name,
        family_name=row.family_name,
        language=row.language,
        enrolled_at=row.enrolled_at,
    )


def _devices(tx: ledger.Tx, call: Call[Any], book: ledger.Book) -> list[OwnDeviceOut]:
    return [
        OwnDeviceOut(
            id=names.shown("device", device.id) or "",
            name=device.name,
            enrolled_at=device.enrolled_at,
            revoked_at=device.revoked_at,
        )
        for device in people.list_devices(tx, book, call.member.id)
    ]


def _records(tx: ledger.Tx, call: Call[Any]) -> tuple[list[RecordOut], str | None]:
    """The first of them, and where the rest begins."""
    rows = store.records(tx, call.member.book.id, member=call.member.id, limit=MOST_RECORDS + 1)
    shown = rows[:MOST_RECORDS]
    cursor = None
    if len(rows) > MOST_RECORDS:
        place = (shown[-1].sequence, shown[-1].batch_id)
        cursor = call.server.cursors.made(f"{_RECORDS} {call.member.actor}", place)
    return [reading.record_told(row) for row in shown], cursor
