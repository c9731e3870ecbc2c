"""What if a merchant did not pay a window: who would bear what. Reads, and touches nothing."""

from dataclasses import dataclass
from uuid import UUID

from ledger import Book, Tx
from settlement import store
from settlement.covers import waterfall
from settlement.outlook import outlook


@dataclass(frozen=True, slots=True)
class Bearer:
    """Another party of the window: what it was to receive, what it would have by then, and what it would bear besides."""

    merchant_id: UUID
    receives_minor: int
    # of that, what could be paid out at once
    paid_minor: int
    share_minor: int


@dataclass(frozen=True, slots=True)
class Drill:
    """owed == prefund + collateral + loss + shares + unpaid, always."""

    merchant_id: UUID
    window_number: int
    # of the window now; an open one is taken as if it closed here
    state: str
    owed_minor: int
    prefund_minor: int
    collateral_minor: int
    loss_minor: int
    shares_minor: int
    unpaid_minor: int
    # points of its members' that would stay on its credit
    waiting_points: int
    bearers: tuple[Bearer, ...]


def drill(tx: Tx, book: Book, number: int, failing: UUID) -> Drill | None:
    """None where the merchant takes no part in that window. With what prefund, collateral and loss fund hold now."""
    window = store.window(tx, book.id, number)
    if window is None:
        return None
    accounts: dict[UUID, int]
    if window.state == "open":
        now = outlook(tx, book)
        assert now is not None
        accounts = {p.party_id: p.account_minor for p in now.netted.positions if p.party_id != book.operator_id}
    else:
        accounts = store.receiving(tx, book, number)
    if failing not in accounts:
        return None
    stands = store.standing_by(tx, book.id, failing)
    # what the prefund paid when the window was posted is paid; before that it pays what it has
    paid = sum(
        p.amount_minor for p in store.payments(tx, book.id, number) if p.party_id == failing and p.source == "prefund"
    )
    owed = max(0, -accounts[failing])
    given = waterfall.cover(owed, waterfall.Sources(paid + stands["prefund"], stands["collateral"], stands["loss"], 0))
    bearing = {k: v for k, v in accounts.items() if v > 0 and k != failing and k not in store.suspended(tx, book.id)}
    shares = waterfall.assess(owed - sum(given), bearing)
    # everybody else pays
    balances = {k: max(0, v) for k, v in accounts.items()} | {failing: sum(given) - owed if owed else 0}
    balances = {k: v for k, v in balances.items() if v or k == failing}
    return Drill(
        failing,
        number,
        window.state,
        owed,
        given.prefund_minor,
        given.collateral_minor,
        given.loss_minor,
        sum(shares.values()),
        owed - sum(given) - sum(shares.values()),
        _waiting(tx, book, number, failing, owed, given.prefund_minor),
        tuple(
            Bearer(k, v, waterfall.payable(k, balances, accounts), shares.get(k, 0))
            for k, v in sorted(accounts.items())
            if v > 0 and k != failing
        ),
    )


def _waiting(tx: Tx, book: Book, number: int, failing: UUID, owed: int, paid: int) -> int:
    """Its deferred points in the window, less the share that its own money pays."""
    if not owed:
        return 0
    points = sum(
        flow.points
        for flow in store.flows(tx, book.id, number, merchant=failing)
        if flow.funding == "deferred" and flow.issuer_id == failing != flow.acceptor_id
    )
    return max(0, points - points * paid // owed)
