"""The open window, as it is and as it moves."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

import ledger
import settlement
from gateway import callers, store
from gateway.api import amounts
from gateway.api.operator_scope import book_in_path
from gateway.api.shapes import (
    DebtOut,
    ForecastOut,
    OutlookOut,
    PartyForecast,
    Ready,
    StandingOut,
    TotalsOut,
)
from gateway.calls import Call
from gateway.live import Listener
from gateway.operation import ANY_OPERATOR
from gateway.problems import Problem
from gateway.server import BookFacts
from gateway.streams import HEARTBEAT_SECONDS, RETRY_MS, Stream, event
from ledger import ids

#: How often the book's head is looked at, and how soon after one picture comes the next.
LOOK_SECONDS: Final = 0.25
REST_SECONDS: Final = 0.5

OUTLOOK_EVENTS: Final = (("ready", Ready), ("positions", OutlookOut))


async def get_book_positions(call: Call[None]) -> OutlookOut:
    return await _seen(call, await book_in_path(call))


async def get_book_positions_events(call: Call[None]) -> Stream:
    """The whole picture whenever anything was posted; who was cut off is told it anew."""
    book = await book_in_path(call)

    async def head() -> int:
        return (await call.work(store.heads, [book.id]))[book.id]

    async def still() -> None:
        await callers.admit(call.server, ANY_OPERATOR, call.sent, call.address)

    async def nothing(_: Any) -> Any:
        raise AssertionError("it follows no records")

    stream = Pictures(
        call.server.live,
        Listener(book.id, "merchant", call.operator.id, call.operator.id),
        nothing,
        nothing,
        still,
        head=head,
        look=partial(_seen, call, book),
    )
    call.server.live.open(stream.listener)
    return stream


@dataclass(slots=True, kw_only=True)
class Pictures(Stream):
    """A stream of whole pictures: of a burst of records one picture is told."""

    head: Callable[[], Awaitable[int]]
    look: Callable[[], Awaitable[OutlookOut]]

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        ends_at, spoke_at, told = time.monotonic() + self.seconds, time.monotonic(), -1
        yield b"retry: %d\n\n" % RETRY_MS
        try:
            while self.listener.over is None and time.monotonic() < ends_at:
                if (found := await self.head()) != told:
                    async with self.live.turns:
                        picture = await self.look()
                    piece = event(picture.sequence, "positions", picture)
                    if told < 0:
                        piece += event(picture.sequence, "ready", Ready(sequence=picture.sequence))
                    told, spoke_at = found, time.monotonic()
                    yield piece
                    await asyncio.sleep(REST_SECONDS)
                elif time.monotonic() - spoke_at > HEARTBEAT_SECONDS:
                    await self.still()
                    spoke_at = time.monotonic()
                    yield b": \n\n"
                else:
                    await asyncio.sleep(LOOK_SECONDS)
        except Problem:
            pass  # whoever listens may not any longer


async def _seen(call: Call[None], facts: BookFacts) -> OutlookOut:
    await call.thread(settlement.drain, call.server.db, facts.id)

    def read(tx: ledger.Tx) -> OutlookOut:
        book = ledger.read_book(tx, facts.id)
        return _told(facts, book, settlement.outlook(tx, book))

    return await call.work(read)


def _told(facts: BookFacts, book: ledger.Book, found: settlement.Outlook | None) -> OutlookOut:
    if found is None:
        return OutlookOut(
            at=book.now,
            window=None,
            number=None,
            opened_at=None,
            sequence=0,
            totals=None,
            data=[],
            matrix=[],
            forecast=None,
        )
    total, party = partial(amounts.total, facts), partial(_party, book.operator_id)
    netted, ahead = found.netted, found.forecast
    return OutlookOut(
        at=found.at,
        window=ids.show("window", found.window_id),
        number=found.window_number,
        opened_at=found.opened_at,
        sequence=found.next_sequence - 1,
        totals=TotalsOut(**{name: total(netted.totals[f"{name}_minor"]) for name in TotalsOut.__struct_fields__}),
        data=[
            StandingOut(
                party=party(p.party_id),
                position=total(p.position_minor),
                receivable=total(p.receivable_minor),
                payable=total(p.payable_minor),
                fee=total(p.fee.minor),
            )
            for p in netted.positions
        ],
        matrix=[
            DebtOut(
                debtor=party(b.debtor_id), creditor=party(b.creditor_id), value=total(b.value_minor), points=b.points
            )
            for b in netted.bilateral
        ],
        forecast=None
        if ahead is None
        else ForecastOut(
            ends_at=ahead.ends_at,
            seconds_left=ahead.seconds_left,
            basis_windows=ahead.basis_windows,
            gross=total(ahead.gross_minor),
            data=[PartyForecast(party=party(id), position=total(minor)) for id, minor in ahead.positions.items()],
        ),
    )


def _party(operator: UUID, id: UUID) -> str:
    return ids.show("operator" if id == operator else "merchant", id)
