"""Reads the stream in sequence and writes what follows from it, the offset in the same transaction as the effect.

Killed at any moment it goes on where the last commit left it; two at once take turns; an event has its effect once.
"""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import ledger
from ledger import Book, Database, Tx
from ledger.stream import Event
from settlement import netting, obligations, steps, store
from settlement.stream.merging import Merge

#: Events a transaction takes: enough to make its cost small, few enough to hold them in memory.
CHUNK: Final = 2_000


def drain(db: Database, book_id: int, up_to: int | None = None, *, chunk: int = CHUNK) -> int:
    """Consume every event there is, those after `up_to` left out; how many had their effect now."""
    total = 0
    while True:
        with db.tx("settlement") as tx:
            book = ledger.read_book(tx, book_id)
            done = consume(tx, book, chunk, up_to)
        total += done
        if done < chunk:
            return total


def consume(tx: Tx, book: Book, limit: int, up_to: int | None = None) -> int:
    """Give at most `limit` events their effect in this transaction; how many."""
    following = store.lock_offset(tx, book)
    if up_to is not None:
        limit = min(limit, up_to + 1 - following)
    events = ledger.stream.read(tx, book.id, following, limit) if limit > 0 else []
    if events:
        assert events[0].sequence == following, "the stream has a gap"
        assert events[-1].sequence == following + len(events) - 1, "the stream has a gap"
        _apply(tx, book, events)
        store.set_offset(tx, book.id, events[-1].sequence + 1)
    return len(events)


def consume_merged(
    tx: Tx, book: Book, merge: Merge, topic: str | None, limit: int, up_to: int | None = None
) -> tuple[int, int]:
    """The same of what was read from a topic: how many had their effect, and how many of those the ledger had to give.

    Goes as far as the topic is told completely, and never past the ledger's own end. What is not there, or bears another
    batch's hash than the ledger has, is read from the ledger. Where to read on in the topic with the id `topic` is kept
    with the effect.
    """
    following = store.lock_offset(tx, book)
    merge.forget(following)
    last = min(merge.complete, following + limit - 1, ledger.stream.end(tx, book.id) - 1)
    if up_to is not None:
        last = min(last, up_to)
    if last < following:
        _note(tx, book, merge, topic, following)
        return 0, 0
    seals = ledger.stream.seals(tx, book.id, following, last)
    told = {e.sequence: e for e in merge.events(last) if seals.get(e.batch_end) == e.hash}
    missing = [sequence for sequence in range(following, last + 1) if sequence not in told]
    for first, count in _runs(missing):
        told |= {e.sequence: e for e in ledger.stream.read(tx, book.id, first, count)}
    events = [told[sequence] for sequence in range(following, last + 1)]
    _apply(tx, book, events)
    store.set_offset(tx, book.id, last + 1)
    merge.forget(last + 1)
    _note(tx, book, merge, topic, last + 1)
    return len(events), len(missing)


def _note(tx: Tx, book: Book, merge: Merge, topic: str | None, following: int) -> None:
    if topic is not None:
        store.put_partitions(tx, book.id, topic, merge.offsets(following))


def _runs(sequences: list[int]) -> list[tuple[int, int]]:
    """Sequences that follow each other: where each run begins, and how long it is."""
    runs: list[tuple[int, int]] = []
    for sequence in sequences:
        if runs and sequence == runs[-1][0] + runs[-1][1]:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((sequence, 1))
    return runs


def _apply(tx: Tx, book: Book, events: list[Event]) -> None:
    """Items are gathered and written together; whatever moves a window has them written first."""
    last = store.newest_window(tx, book.id)
    if last is None:
        store.open_window(tx, book, 1, events[0].at, events[0].sequence)
    number = last.number if last else 1
    gathered: list[obligations.Item] = []
    for event in events:
        gathered += obligations.items(event, book.operator_id)
        effect = _EFFECTS.get(event.kind)
        if effect is None:
            continue
        store.add_items(tx, book, number, gathered)
        gathered = []
        effect(tx, book, event)
        if event.kind == "window_closed":
            number += 1
    store.add_items(tx, book, number, gathered)


def _contract(tx: Tx, book: Book, event: Event) -> None:
    assert event.merchant_id is not None
    store.add_contract(tx, book.id, UUID(event.payload["contract"]), event.merchant_id, event.sequence, event.payload)


def _closed(tx: Tx, book: Book, event: Event) -> None:
    """Everything before the close record is consumed: the window is complete, and netted at once."""
    number = int(event.payload["window"])
    store.close_window(tx, book.id, number, event.sequence, event.at, event.hash)
    _net(tx, book, number)
    _step(tx, book, event, "advised")
    store.open_window(tx, book, number + 1, event.at, event.sequence + 1)


def _aborted(tx: Tx, book: Book, event: Event) -> None:
    _net(tx, book, int(event.payload["window"]))
    _step(tx, book, event, "advised")


def _net(tx: Tx, book: Book, number: int) -> None:
    netted = netting.net(
        store.each_flow(tx, book.id, number),
        store.charges(tx, book.id, number),
        store.carries(tx, book.id, number),
        book.operator_id,
    )
    window = store.window(tx, book.id, number)
    assert window is not None, number
    digest = netting.positions_hash(book.public_id, number, netted.positions)
    store.write_netted(tx, book, window, netted, digest)


def _stepped(state: str) -> Callable[[Tx, Book, Event], None]:
    return lambda tx, book, event: _step(tx, book, event, state)


def _posted(tx: Tx, book: Book, event: Event) -> None:
    """The settlement record says what it paid by itself: from prefunds, and what own lots lacked."""
    number = int(event.payload["window"])
    paid = [(p, "pay_in", "prefund") for p in event.payload["from_prefund"]]
    paid += [(p, "pay_out", "backing") for p in event.payload["to_backing"]]
    store.add_payments(
        tx,
        book.id,
        [
            _payment(book, event, ordinal, UUID(p["merchant"]), direction, int(p["amount_minor"]), source)
            for ordinal, (p, direction, source) in enumerate(paid)
        ],
    )
    _step(tx, book, event, "paying")
    _settled(tx, book, event, number)


def _paid(tx: Tx, book: Book, event: Event) -> None:
    payload = event.payload
    assert event.merchant_id is not None
    store.add_payments(
        tx,
        book.id,
        [
            _payment(
                book, event, 0, event.merchant_id, payload["direction"], int(payload["amount_minor"]), payload["source"]
            )
        ],
    )
    _settled(tx, book, event, int(payload["window"]))


def _covered(tx: Tx, book: Book, event: Event) -> None:
    """What came into the position; what others bear are items, and what is outstanding is in the window's steps."""
    number, payload = int(event.payload["window"]), event.payload
    assert event.merchant_id is not None
    parts = [
        (source, int(payload[f"{source}_minor"]))
        for source in (("prefund", "collateral", "loss", "shares") if event.kind == "cover" else ("position",))
    ]
    store.add_payments(
        tx,
        book.id,
        [
            _payment(
                book,
                event,
                n,
                event.merchant_id,
                "pay_in",
                amount,
                payload["source"] if source == "position" else source,
            )
            for n, (source, amount) in enumerate(parts)
            if amount
        ],
    )
    told = [_told(event, steps.NAMES[event.kind][0]) | {"merchant": event.merchant_id, "facts": payload}]
    store.step_window(tx, book.id, number, "paying", told, revised=True)
    _settled(tx, book, event, number)


def _returned(tx: Tx, book: Book, event: Event) -> None:
    """What was paid out came back: the position is open again, and so is its window."""
    payload, number = event.payload, int(event.payload["window"])
    assert event.merchant_id is not None
    back = _payment(book, event, 0, event.merchant_id, "returned", int(payload["amount_minor"]), payload["source"])
    store.add_payments(tx, book.id, [back])
    store.step_window(tx, book.id, number, "paying", [_told(event, "payment_returned")], revised=False)


def _remarked(tx: Tx, book: Book, event: Event) -> None:
    """A dispute of a window, or an adjustment of it: the window stays as it is, and tells of it."""
    window = store.window(tx, book.id, int(event.payload["window"]))
    assert window is not None, event
    name = {"statement_disputed": "disputed", "adjustment": "adjusted"}.get(event.kind, event.kind)
    told = _told(event, name) | ({"merchant": event.merchant_id} if event.merchant_id else {})
    store.step_window(tx, book.id, window.number, window.state, [told], revised=False)


def _payment(
    book: Book, event: Event, ordinal: int, party: UUID, direction: str, amount_minor: int, source: str
) -> store.Payment:
    id = ledger.ids.derived(book.public_id, event.sequence, "payment", ordinal)
    number = int(event.payload["window"])
    return store.Payment(id, number, party, event.sequence, direction, amount_minor, source, event.at)


def _settled(tx: Tx, book: Book, event: Event, number: int) -> None:
    """A window is settled when nothing of any position is open."""
    if not store.open_anywhere(tx, book, number):
        store.step_window(tx, book.id, number, "settled", [_told(event, "settled")], revised=False)


def _step(tx: Tx, book: Book, event: Event, state: str) -> None:
    told = [_told(event, name) for name in steps.NAMES[event.kind]]
    store.step_window(tx, book.id, int(event.payload["window"]), state, told, revised=True)


def _told(event: Event, name: str) -> dict[str, Any]:
    step = {
        "step": name,
        "at": event.at,
        "by": event.payload.get("operator"),
        "actor": event.actor,
        "record": event.id,
        "sequence": event.sequence,
    }
    return step | ({"reason": event.payload["reason"]} if event.payload.get("reason") else {})


#: What an event does besides the items that follow from it.
_EFFECTS: Final[dict[str, Callable[[Tx, Book, Event], None]]] = {
    "contract": _contract,
    "window_closed": _closed,
    "window_submitted": _stepped("submitted"),
    "window_approved": _stepped("funding"),
    "window_returned": _stepped("advised"),
    "window_aborted": _aborted,
    "settlement": _posted,
    "payment": _paid,
    "cover": _covered,
    "made_good": _covered,
    "payment_returned": _returned,
    **dict.fromkeys(("statement_disputed", "adjustment_proposed", "adjustment", "adjustment_rejected"), _remarked),
}
