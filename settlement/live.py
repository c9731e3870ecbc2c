"""Where a merchant stands now: the open window so far, and its accounts."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ledger import Book, Tx
from settlement import fees, netting, store
from settlement.netting import Charge


@dataclass(frozen=True, slots=True)
class Live:
    """The open window netted as if it closed here, as far as the stream is derived, and the balances that stand by.

    `owed_minor` is what is still open of windows that are posted: negative to pay in, positive to be paid out.
    """

    merchant_id: UUID
    window_id: UUID
    window_number: int
    opened_at: datetime
    # every record before this sequence counts
    next_sequence: int
    receivable_minor: int
    payable_minor: int
    fee: fees.Fee
    position_minor: int
    backing_minor: int
    items: int
    owed_minor: int
    prefund_minor: int
    backing_held_minor: int
    pool_points: int
    # points issued on credit and not paid for, those that wait for a payment included
    credit_used_points: int
    credit_line_points: int


def live(tx: Tx, book: Book, merchant: UUID) -> Live | None:
    """A merchant's position now; None before the book's first event."""
    window = store.newest_window(tx, book.id)
    if window is None:
        return None
    netted = netting.net(
        store.flows(tx, book.id, window.number, merchant=merchant),
        # a charge of nothing gives a merchant without items its position of zero
        {merchant: Charge(0, 0)} | store.charges(tx, book.id, window.number, merchant=merchant),
        {merchant: store.carries(tx, book.id, window.number).get(merchant, 0)},
        book.operator_id,
    )
    position = next(p for p in netted.positions if p.party_id == merchant)
    balances = store.balances(tx, book.id, merchant)
    return Live(
        merchant_id=merchant,
        window_id=window.id,
        window_number=window.number,
        opened_at=window.opened_at,
        next_sequence=store.offset(tx, book.id) or window.first_sequence,
        receivable_minor=position.receivable_minor,
        payable_minor=position.payable_minor,
        fee=position.fee,
        position_minor=position.position_minor,
        backing_minor=position.backing_minor,
        items=position.items,
        owed_minor=balances.get("position", 0),
        prefund_minor=balances.get("prefund", 0),
        backing_held_minor=balances.get("backing", 0),
        pool_points=balances.get("pool", 0),
        credit_used_points=-balances.get("credit", 0),
        credit_line_points=store.credit_line(tx, book.id, merchant),
    )
