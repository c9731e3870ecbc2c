"""Live: a member is told of every change of their balance, a merchant of its records, as they happen."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

import ledger
from gateway import callers, problems, store
from gateway.api import approvals, membership, reading, standing
from gateway.api.shapes import ApprovalEvent, BalanceEvent, Ready, RecordOut, Reset, StandingEvent
from gateway.calls import Call
from gateway.live import Listener, Touched
from gateway.operation import Merchant
from gateway.streams import LIFE_SECONDS, Stream, last_event_id

#: Resumes a stream behind the event with this id.
RESUME_HEADER: Final = "Last-Event-ID"

#: What the data of an event is, by the event's name.
BALANCE_EVENTS: Final = (
    ("ready", Ready),
    ("balance", BalanceEvent),
    ("approval", ApprovalEvent),
    ("standing", StandingEvent),
    ("reset", Reset),
)
RECORD_EVENTS: Final = (("ready", Ready), ("record", RecordOut), ("reset", Reset))


#: Records that may be of something that a member was asked to approve: a hold is, where it came of a yes.
_OF_APPROVALS: Final = frozenset(
    {"approval_asked", "approval_declined", "approval_withdrawn", "approval_lapsed", "hold"}
)


async def get_me_events(call: Call[None]) -> Stream:
    async def still() -> None:
        """The stream ends with the token; whether the member is there is asked with every balance."""

    return await own_events(call, callers.expires_at(call.server, call.sent), still)


async def own_events(call: Call[None], ends_at: float, still: Callable[[], Awaitable[None]]) -> Stream:
    """What becomes of the caller's points, until a time of the wall's clock. `still` refuses when they may listen no more."""
    caller = call.member
    after = last_event_id(call.sent)

    def missed(tx: ledger.Tx, after: int | None) -> tuple[int, list[Touched] | None]:
        last, rows = store.missed(tx, caller.book.id, after, member=caller.id)
        return last, None if rows is None else [Touched(*row) for row in rows]

    async def tell(rows: Sequence[Touched]) -> list[list[tuple[str, msgspec.Struct]]]:
        # one balance for all of them: what it was in between is over
        balance = await membership.get_balance(call)
        facts = msgspec.structs.asdict(balance)
        asked = await approvals.of_records(call, [row.id for row in rows if row.kind in _OF_APPROVALS])
        stands = await standing.events(call, {row.merchant_id for row in rows if row.kind == "tier_changed"})
        events: list[list[tuple[str, msgspec.Struct]]] = []
        for row in rows:
            about = asked.get(row.id)
            of_it: list[tuple[str, msgspec.Struct]] = []
            if about is not None:
                of_it.append(("approval", approvals.event(about, row.kind)))
            if row.kind == "tier_changed" and row.merchant_id in stands:
                of_it.append(("standing", stands[row.merchant_id]))
            events.append([*of_it, ("balance", BalanceEvent(kind=row.kind, **facts))])
        return events

    # one who left is told so by an answer, not by a stream
    await membership.get_balance(call)
    stream = Stream(
        call.server.live,
        Listener(caller.book.id, "member", caller.id, caller.id),
        lambda after: call.work(missed, after),
        tell,
        still,
        min(LIFE_SECONDS, ends_at - time.time()),
    )
    call.server.live.open(stream.listener)
    await stream.begin(after)
    return stream


async def get_position_events(call: Call[None]) -> Stream:
    caller = call.merchant
    after = last_event_id(call.sent)

    def missed(tx: ledger.Tx, after: int | None) -> tuple[int, list[Touched] | None]:
        last, rows = store.missed(tx, caller.book.id, after, merchant=caller.id)
        return last, None if rows is None else [Touched(*row) for row in rows]

    async def tell(rows: Sequence[Touched]) -> list[list[tuple[str, msgspec.Struct]]]:
        # read as the merchant, who sees its own rows only
        found = {row.id: row for row in await call.read(store.records_named, caller.book.id, [row.id for row in rows])}
        if len(found) != len(rows):
            raise problems.not_found("record")
        return [[("record", reading.told_to_shop(found[row.id]))] for row in rows]

    async def still() -> None:
        await callers.admit(call.server, Merchant("position:read"), call.sent, call.address)

    stream = Stream(
        call.server.live,
        Listener(caller.book.id, "merchant", caller.id, caller.key_id),
        lambda after: call.work(missed, after),
        tell,
        still,
    )
    call.server.live.open(stream.listener)
    await stream.begin(after)
    return stream
