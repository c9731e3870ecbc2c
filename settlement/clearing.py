"""The postings of a settlement and of its payments: which points and which money go where. Pure, on a `Working`.

Settlement follows the lot, never the contract of today. Nothing here may refuse: whoever calls has decided.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from ledger import AccountName, Draft, Working
from settlement.netting import Flow, Position

#: Entries of one record are numbered in 15 bits.
LARGEST_ENTRIES: Final = 30_000
#: A journal that becomes longer while it is made is summed at once: of a large network's pairs there are millions.
LONGEST_JOURNAL: Final = 200_000

FEES: Final = AccountName("fees")
BANK: Final = AccountName("bank")
LOSS: Final = AccountName("loss")
#: What merchants bear of another's failure, until it is used for that or given back.
SHARES: Final = AccountName("shares")
#: What was taken back of top-ups, until the next settlement has it from the merchants' positions.
CHARGE_BACKS: Final = AccountName("charge_backs")

#: Amounts that follow from no lot, and the account of the operator's side of them.
ADJUSTED: Final = {"share": SHARES, "adjustment": FEES, "charge_back": CHARGE_BACKS}


def position(merchant: UUID, window: int) -> AccountName:
    return AccountName("position", merchant, None, window)


def due(merchant: UUID, window: int) -> AccountName:
    return AccountName("due", merchant, None, window)


class Paid(NamedTuple):
    """What came into a position, and the points that it freed from waiting."""

    merchant: UUID
    amount_minor: int
    released_points: int


class Cleared(NamedTuple):
    """What a settlement did beyond the moves that its items ask for, merchant by merchant."""

    due: dict[UUID, int]
    from_prefund: list[Paid]
    # what a merchant's own lots lacked and its prefund did not hold: charged to its position
    to_backing: dict[UUID, int]

    @property
    def payload(self) -> dict[str, Any]:
        return {
            "due": [{"merchant": m, "points": points} for m, points in sorted(self.due.items())],
            "from_prefund": [
                {"merchant": p.merchant, "amount_minor": p.amount_minor, "released_points": p.released_points}
                for p in self.from_prefund
            ],
            "to_backing": [{"merchant": m, "amount_minor": value} for m, value in sorted(self.to_backing.items())],
        }


def accounts(window: int, flows: Iterable[Flow], parties: Iterable[Position], operator: UUID) -> set[AccountName]:
    """Every account that `clear` may touch."""
    names = {FEES}
    for flow in flows:
        i, r = flow.issuer_id, flow.acceptor_id
        if flow.funding in ADJUSTED:
            names |= {ADJUSTED[flow.funding]} | {position(party, window) for party in (i, r) if party != operator}
            continue
        names |= {AccountName("accepted", r), position(i, window), position(r, window)}
        if flow.funding == "prefunded":
            names |= {AccountName(kind, i) for kind in ("pool", "mint", "backing", "prefund")}
        elif flow.funding == "closed_loop":
            names.add(AccountName("own", i))
        elif i == r:
            names.add(AccountName("credit", i))
        else:
            names |= {AccountName("credit", i), due(i, window)}
    for party in parties:
        if party.party_id != operator:
            names |= {position(party.party_id, window), AccountName("prefund", party.party_id)}
    return names


def clear(
    working: Working, draft: Draft, window: int, flows: Sequence[Flow], parties: Sequence[Position], operator: UUID
) -> Cleared:
    """Post a window: its points home, its money into positions, fees out of them, and what prefunds can pay."""
    merchants = [p for p in parties if p.party_id != operator]
    assert all(working.accounts[position(p.party_id, window)].balance == 0 for p in merchants), "posted before"
    moving = [flow for flow in flows if flow.points]
    # the order keeps every floor: what fills an account comes before what empties it
    to_backing = _own(working, draft, window, [f for f in moving if f.issuer_id == f.acceptor_id])
    others = [f for f in moving if f.issuer_id != f.acceptor_id]
    _prefunded(working, draft, window, [f for f in others if f.funding == "prefunded"])
    waiting = _deferred(working, draft, window, [f for f in others if f.funding == "deferred"], merchants)
    for flow in others:
        if flow.funding == "closed_loop":
            _shift(working, draft, AccountName("accepted", flow.acceptor_id), _own_name(flow), flow.points)
    _adjusted(working, draft, window, [flow for flow in flows if flow.funding in ADJUSTED], operator)
    for party in merchants:
        _shift(working, draft, position(party.party_id, window), FEES, party.fee.minor)
    for party in merchants:
        booked = working.accounts[position(party.party_id, window)].balance
        assert booked == party.account_minor - to_backing.get(party.party_id, 0), (party, booked)
    paid = [
        Paid(party.party_id, amount, release(working, draft, window, party.party_id, amount))
        for party in merchants
        if (amount := _prefund_pays(working, party.party_id, window)) > 0
    ]
    for prefund in paid:
        working.move(
            draft, AccountName("prefund", prefund.merchant), position(prefund.merchant, window), prefund.amount_minor
        )
    _fit(draft)
    return Cleared(waiting, paid, to_backing)


def release(working: Working, draft: Draft, window: int, merchant: UUID, amount: int, *, beside: int = 0) -> int:
    """due -> credit: of the points that wait for a merchant's payment the share that `amount` is of what it still owes.

    To be called before the money moves. Rounded down; the payment that closes the position frees all. What others paid
    for the merchant and it has not made good is still owed, `beside` the position.
    """
    waiting = working.accounts.get(due(merchant, window))
    if waiting is None or waiting.balance == 0:
        return 0
    owed = beside - working.accounts[position(merchant, window)].balance
    assert 0 < amount <= owed, (merchant, amount, owed)
    points = waiting.balance * amount // owed
    _shift(working, draft, due(merchant, window), AccountName("credit", merchant), points)
    return points


def _shift(working: Working, draft: Draft, source: AccountName, target: AccountName, amount: int) -> None:
    """source -> target; a negative amount goes back, none is no move."""
    if len(draft.entries) > LONGEST_JOURNAL:
        _fit(draft)
    if amount > 0:
        working.move(draft, source, target, amount)
    elif amount < 0:
        working.move(draft, target, source, -amount)


def _positive_first(flow: Flow) -> bool:
    # those alike stay in the order that they come in
    return flow.points < 0


def _own_name(flow: Flow) -> AccountName:
    return AccountName("own", flow.issuer_id)


def _own(working: Working, draft: Draft, window: int, flows: list[Flow]) -> dict[UUID, int]:
    """accepted:i -> home; where refunds prevail, home -> accepted:i."""
    to_backing: Counter[UUID] = Counter()
    for flow in sorted(flows, key=_positive_first):
        i, accepted = flow.issuer_id, AccountName("accepted", flow.issuer_id)
        if flow.funding == "deferred":
            _shift(working, draft, accepted, AccountName("credit", i), flow.points)
        elif flow.funding == "closed_loop":
            _shift(working, draft, accepted, _own_name(flow), flow.points)
        elif flow.points > 0:
            _own_home(working, draft, flow, accepted)
        else:
            to_backing[i] += _own_back(working, draft, window, flow, accepted)
    return {merchant: value for merchant, value in to_backing.items() if value}


def _own_home(working: Working, draft: Draft, flow: Flow, accepted: AccountName) -> None:
    i = flow.issuer_id
    if working.issuers[i].pools(flow.unit_value_minor):
        working.move(draft, accepted, AccountName("pool", i), flow.points)
        return
    working.move(draft, accepted, AccountName("mint", i), flow.points)
    working.move(draft, AccountName("backing", i), AccountName("prefund", i), flow.points * flow.unit_value_minor)


def _own_back(working: Working, draft: Draft, window: int, flow: Flow, accepted: AccountName) -> int:
    """Own prefunded lots restored: from the pool, the rest bought; what prefund lacks for it is charged. Returns that."""
    i, wanted = flow.issuer_id, -flow.points
    pool, prefund = AccountName("pool", i), AccountName("prefund", i)
    pooled = min(wanted, working.accounts[pool].balance) if working.issuers[i].pools(flow.unit_value_minor) else 0
    _shift(working, draft, pool, accepted, pooled)
    bought = wanted - pooled
    _shift(working, draft, AccountName("mint", i), accepted, bought)
    price = bought * flow.unit_value_minor
    covered = min(price, working.accounts[prefund].balance)
    _shift(working, draft, prefund, AccountName("backing", i), covered)
    _shift(working, draft, position(i, window), AccountName("backing", i), price - covered)
    return price - covered


def _prefunded(working: Working, draft: Draft, window: int, flows: list[Flow]) -> None:
    """accepted:r -> mint:i, and the money that backs them: backing:i -> position:r."""
    for flow in sorted(flows, key=_positive_first, reverse=True):
        i, r = flow.issuer_id, flow.acceptor_id
        _shift(working, draft, AccountName("accepted", r), AccountName("mint", i), flow.points)
        _shift(working, draft, AccountName("backing", i), position(r, window), flow.value_minor)


def _deferred(
    working: Working, draft: Draft, window: int, flows: list[Flow], merchants: list[Position]
) -> dict[UUID, int]:
    """accepted:r -> due:i while i has this window to pay, else -> credit:i; position:i -> position:r. Returns the due."""
    net: Counter[UUID] = Counter()
    for flow in flows:
        net[flow.issuer_id] += flow.points
    owing = {p.party_id for p in merchants if p.account_minor < 0}
    waiting = {issuer: points for issuer, points in net.items() if points > 0 and issuer in owing}
    for flow in sorted(flows, key=_positive_first):
        i, r = flow.issuer_id, flow.acceptor_id
        target = due(i, window) if i in waiting else AccountName("credit", i)
        _shift(working, draft, AccountName("accepted", r), target, flow.points)
        _shift(working, draft, position(i, window), position(r, window), flow.value_minor)
    return waiting


def _adjusted(working: Working, draft: Draft, window: int, flows: list[Flow], operator: UUID) -> None:
    """position -> position; where the operator is a side, what was borne or given back of it, or a fee."""
    for flow in sorted(flows, key=_value_first):
        sides = [
            ADJUSTED[flow.funding] if party == operator else position(party, window)
            for party in (flow.issuer_id, flow.acceptor_id)
        ]
        _shift(working, draft, sides[0], sides[1], flow.value_minor)


def _value_first(flow: Flow) -> bool:
    # what fills the shares comes before what empties them
    return flow.value_minor < 0


def _prefund_pays(working: Working, merchant: UUID, window: int) -> int:
    owed = -working.accounts[position(merchant, window)].balance
    return min(owed, working.accounts[AccountName("prefund", merchant)].balance)


def _fit(draft: Draft) -> None:
    """A journal too long for one record is kept as one sum per account: the items tell it in full."""
    if len(draft.entries) <= LARGEST_ENTRIES:
        return
    sums: dict[int, int] = {}
    by_id = {account.id: account for account, _ in draft.entries}
    for account, amount in draft.entries:
        sums[account.id] = sums.get(account.id, 0) + amount
    draft.entries[:] = [(by_id[id], amount) for id, amount in sums.items() if amount]
