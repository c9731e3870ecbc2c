"""A preview: a merchant's own sales of the last days under proposed rules. Reads, page by page, and writes nothing."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg

import ledger
from merchants import contracts, programme
from merchants.programme import policy as policies
from merchants.whatif import replaying, store
from merchants.whatif.summing import Sums

LARGEST_DAYS: Final = 92
LARGEST_SALES: Final = 50_000
#: Sales that are read at a time, and how long a preview may take in all.
SALES_AT_A_TIME: Final = 1_000
LONGEST_SECONDS: Final = 25


class TookTooLong(Exception):
    """A preview that nobody should wait for any longer."""


@dataclass(frozen=True, slots=True)
class Preview:
    """`since`: the midnight with which the days begin. `cut`: there were more sales, and these are the newest."""

    since: datetime
    as_of: datetime
    cut: bool
    unit_value_minor: int
    sums: Sums


def forbidden(
    tx: ledger.Tx, book: ledger.Book, merchant: UUID, network: contracts.Network, rules: Mapping[str, Any]
) -> ledger.Refusal | None:
    """What the network's policy forbids in rules, as putting them in force would be told."""
    _, policy = contracts.policy_of(tx, book.id)
    value = unit_value(book, merchant, network)
    return contracts.refused(policies.forbidden, rules, policy, value, book.now, "/rules")


def unit_value(book: ledger.Book, merchant: UUID, network: contracts.Network) -> int:
    contract = network.contract(merchant)
    return book.face_value_minor if contract is None else contract.unit_value_minor


def preview(
    db: ledger.Database,
    book: ledger.Book,
    merchant: UUID,
    unit_value_minor: int,
    rules: Mapping[str, Any],
    days: int,
    *,
    largest: int = LARGEST_SALES,
) -> Preview:
    """The sales to members of the last `days`, today included, under rules without faults. May raise TookTooLong.

    A merchant's rows are read as the merchant itself would: row-level security lets no other's be seen.
    """
    assert 1 <= days <= LARGEST_DAYS, days
    ends = time.monotonic() + LONGEST_SECONDS

    @contextlib.contextmanager
    def opened() -> Iterator[ledger.Tx]:
        if time.monotonic() > ends:
            raise TookTooLong
        try:
            with db.tx("tenant", tenant=str(merchant)) as tx:
                yield tx
        except psycopg.errors.QueryCanceled:
            raise TookTooLong from None

    since = ledger.days.start_of_day(book.now, book.time_zone, 1 - days)
    proposed = programme.parse(rules)
    sums = Sums()
    chosen = store.choose(opened, book, merchant, since, largest)
    if chosen.first is not None and chosen.last is not None:
        with db.tx("door") as tx:
            agreed = store.contracts_of(tx, book, merchant)
        asked = asked_of(book, since, chosen.first, chosen.last, [proposed, *agreed.versions.values()])
        for members in _pages(chosen.of_member):
            with db.tx("door") as tx:
                kinds = store.kinds(tx, book, members)
            with opened() as tx:
                store.limit(tx)
                for history in store.histories(tx, book, merchant, kinds, asked, agreed):
                    for each in replaying.replayed(history, proposed, agreed.versions, book.time_zone):
                        sums.add(each)
    return Preview(since, book.now, chosen.cut, unit_value_minor, sums)


def asked_of(
    book: ledger.Book,
    since: datetime,
    first: store.Place,
    last: store.Place,
    rules: Sequence[programme.Programme],
) -> store.Asked:
    """What these rules want of histories, so that the first sale is decided as well as the last."""
    back = ledger.days.start_of_day(since, book.time_zone, 1 - replaying.reach(rules))
    return store.Asked(since, first, last, back, any(each.of_first for each in rules))


def _pages(of_member: Mapping[UUID, int]) -> Iterator[list[UUID]]:
    """Members by id, so many at a time that their sales are few enough; at least one."""
    page: list[UUID] = []
    sales = 0
    for member in sorted(of_member):
        page.append(member)
        sales += of_member[member]
        if sales >= SALES_AT_A_TIME:
            yield page
            page, sales = [], 0
    if page:
        yield page
