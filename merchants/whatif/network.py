"""A book's whole programme under other rules: who issues what, where it is spent, and who owes whom. Reads, and writes
nothing; members page by page, each page one picture, so memory and snapshots stay small."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import ledger
from merchants import contracts, programme
from merchants.whatif import fate_store, fates, replaying, store
from merchants.whatif.fates import Debts, Earned, Standing
from merchants.whatif.previewing import asked_of

LONGEST_DAYS: Final = 366
MEMBERS_AT_A_TIME: Final = 250
STATEMENT_SECONDS: Final = 120

_EVERYWHERE: Final = (0, 0), (2**63 - 1, 32_767)


@dataclass(slots=True)
class Found:
    """`ended`: by issuer, points whose time ended in the period and those that had expired of them."""

    since: datetime
    as_of: datetime
    face_value_minor: int
    # where a contract says another
    unit_values: Mapping[UUID, int]
    standings: dict[UUID, Standing] = field(default_factory=dict)
    debts: Debts = field(default_factory=Debts)
    ended: Mapping[UUID, tuple[int, int]] = field(default_factory=dict)

    def unit_value(self, merchant: UUID) -> int:
        return self.unit_values.get(merchant, self.face_value_minor)

    def breakage(self, merchant: UUID, points: int) -> int | None:
        """How many of so many points would expire where as many do as of those whose time ended; None: no time ended."""
        of, expired = self.ended.get(merchant, (0, 0))
        return points * expired // of if of else None


def simulate(
    db: ledger.Database,
    book: ledger.Book,
    network: contracts.Network,
    proposed: Mapping[UUID, programme.Programme],
    days: int,
    went: Callable[[int, int], None] | None = None,
) -> Found:
    """The sales of the last `days`, today included, with `proposed` rules by merchant; the others keep what they earned."""
    assert 1 <= days <= LONGEST_DAYS, days
    since = ledger.days.start_of_day(book.now, book.time_zone, 1 - days)
    with db.tx("door") as tx:
        fate_store.read_only(tx, STATEMENT_SECONDS)
        agreed = store.contracts_of(tx, book, None)
        of = fate_store.count(tx, book)
        ended = fate_store.ended(tx, book, since, book.now)
    values = {merchant: contract.unit_value_minor for merchant, contract in network.contracts.items()}
    found = Found(since, book.now, book.face_value_minor, values, ended=ended)
    for merchant in proposed:
        found.standings[merchant] = Standing(changed=True)
    asked = asked_of(book, since, *_EVERYWHERE, [*proposed.values(), *agreed.versions.values()])
    after: UUID | None = None
    done = 0
    while True:
        with db.tx("door") as tx:
            fate_store.read_only(tx, STATEMENT_SECONDS)
            page = fate_store.members(tx, book, after, MEMBERS_AT_A_TIME)
            if not page:
                return found
            _page(tx, book, page, asked, agreed, proposed, found)
        after = max(page)
        done += len(page)
        if went is not None:
            went(done, of)


def _page(
    tx: ledger.Tx,
    book: ledger.Book,
    members: Mapping[UUID, str],
    asked: store.Asked,
    agreed: store.Contracts,
    proposed: Mapping[UUID, programme.Programme],
    found: Found,
) -> None:
    earned: dict[store.Pair, Earned] = {}
    whose: dict[UUID, store.Pair] = {}
    issued: dict[UUID, int] = {}
    refunded: list[UUID] = []
    for history in store.histories(tx, book, None, members, asked, agreed):
        pair = history.member, history.merchant
        for sold, before, after in _sides(history, proposed.get(history.merchant), agreed, book.time_zone):
            sums = earned.setdefault(pair, Earned())
            sums.sales += 1
            sums.before += before
            sums.after += after
            sums.earning_before += before > 0
            sums.earning_after += after > 0
            assert sold.basket is not None
            if (own := sold.basket.lot) is not None:
                whose[own], issued[own] = pair, sold.basket.own
                if sold.refunded:
                    refunded.append(sold.id)
    spent: dict[UUID, int] = {}
    for spend in fate_store.spends(tx, book, sorted(members), asked.since):
        mine = whose.get(spend.lot)
        if mine is None or mine[0] != spend.member:
            # earned before, given by others, or by a sponsor: no rule of these would have changed it
            found.debts.as_it_was(spend.issuer, spend.acceptor, spend.points * spend.unit_value_minor)
            continue
        at = earned[mine].fates.spent
        at[spend.acceptor] = at.get(spend.acceptor, 0) + spend.points
        spent[spend.lot] = spent.get(spend.lot, 0) + spend.points
    back = fate_store.got_back(tx, refunded)
    for id, lot in fate_store.lots(tx, list(whose)).items():
        became = earned[whose[id]].fates
        became.unspent += lot.left
        became.expired += lot.home - back.get(id, 0)
        # what is in no other place was given to somebody else
        became.given += issued[id] - lot.home - lot.left - spent.get(id, 0)
    for (_, merchant), sums in earned.items():
        standing = found.standings.setdefault(merchant, Standing())
        fates.settle(merchant, sums, found.unit_value(merchant), standing, found.debts)


def _sides(
    history: replaying.History, rules: programme.Programme | None, agreed: store.Contracts, zone: str
) -> Iterator[tuple[replaying.Sold, int, int]]:
    """Each sale of the period with its points before and after; without new rules they are the same."""
    if rules is not None:
        for each in replaying.replayed(history, rules, agreed.versions, zone):
            yield each.sold, each.before.points, each.after.points
        return
    for sold in history.sold:
        if sold.basket is not None:
            points = replaying.left_of(sold.basket.own, sold)
            yield sold, points, points
