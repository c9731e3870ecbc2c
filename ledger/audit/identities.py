"""The identities of the design: what each issuer owes, told by the lots and told by the accounts, is one number."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from collections.abc import Iterable
from typing import Final

from ledger.audit.funding import LOTS, funded
from ledger.audit.proving import Checks, Row, Scope
from ledger.audit.sequence import RECORDS

check = Checks()

#: Up to which sequence each book's accepted points are settled: the close of the last window whose settlement is posted.
SETTLED: Final = f"""
(select c.book_id, max(c.sequence) as until
 from {RECORDS} c join {RECORDS} s on s.subject_id = c.subject_id and s.kind = 'settlement'
 where c.kind = 'window_closed' group by 1)
"""

#: Open points per issuer, funding and value, from the moves alone: what is pending, in a wallet or held, and what was
#: accepted and is not settled yet, signed. What members have is funded as their lots are now; what was accepted stays
#: what it was, and is settled as that.
_OPEN: Final = f"""
(select l.book_id, l.issuer_id, side.funding, l.unit_value_minor, sum(side.points) as points
 from ledger.lot_move m
 join {LOTS} l on l.id = m.lot_id
 join ledger.batch b on b.id = m.batch_id
 left join {SETTLED} settled on settled.book_id = b.book_id
 cross join lateral (values
    (l.funding, m.points * ((m.target in ('pending', 'wallet', 'held'))::int
        - (m.source in ('pending', 'wallet', 'held'))::int)),
    ({funded("b.first_sequence + m.n")}, case when b.first_sequence + m.n > coalesce(settled.until, -1)
        then m.points * ((m.target = 'accepted')::int - (m.source = 'accepted')::int) else 0 end)
 ) as side(funding, points)
 where b.book_id = any(%(books)s) and side.points <> 0
 group by 1, 2, 3, 4)
"""

_BY_ACCOUNTS: Final = """
(select a.book_id, a.owner_id as issuer_id, -sum(e.amount) as points
 from ledger.account a join ledger.entry e on e.account_id = a.id
 where a.book_id = any(%(books)s) and a.kind = any(%(kinds)s) group by 1, 2)
"""


def _identity(scope: Scope, funding: str, kinds: list[str]) -> Iterable[Row]:
    return scope.rows(
        f"""
        select coalesce(o.issuer_id, a.issuer_id) as issuer, coalesce(o.points, 0) as open_points,
            coalesce(a.points, 0) as by_accounts
        from (select book_id, issuer_id, sum(points) as points from {_OPEN} o where funding = %(funding)s group by 1, 2) o
        full join {_BY_ACCOUNTS} a on a.book_id = o.book_id and a.issuer_id = o.issuer_id
        where coalesce(o.points, 0) <> coalesce(a.points, 0)
        """,
        funding=funding,
        kinds=kinds,
    )


@check("open_prefunded", "each issuer's open prefunded points are minus its mint minus its pool", over="lot")
def open_prefunded(scope: Scope) -> Iterable[Row]:
    return _identity(scope, "prefunded", ["mint", "pool"])


@check("open_deferred", "each issuer's open deferred points are minus its credit minus what it has due", over="lot")
def open_deferred(scope: Scope) -> Iterable[Row]:
    return _identity(scope, "deferred", ["credit", "due"])


@check("open_closed_loop", "each issuer's open closed-loop points are minus its own", over="lot")
def open_closed_loop(scope: Scope) -> Iterable[Row]:
    return _identity(scope, "closed_loop", ["own"])


@check(
    "backing_covers",
    "each issuer's backing is its pool at the present unit value and its open prefunded lots at theirs",
    over="lot",
)
def backing_covers(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with present as (
            select distinct on (merchant_id) merchant_id, (payload ->> 'unit_value_minor')::bigint as unit_value_minor
            from {RECORDS} r where kind = 'contract' order by merchant_id, sequence desc
        ), held as (
            select a.owner_id as issuer_id, sum(e.amount) filter (where a.kind = 'backing') as backing,
                sum(e.amount) filter (where a.kind = 'pool') as pool
            from ledger.account a join ledger.entry e on e.account_id = a.id
            where a.book_id = any(%(books)s) and a.kind in ('backing', 'pool') group by 1
        ), lots as (
            select issuer_id, sum(points * unit_value_minor) as value from {_OPEN} o where funding = 'prefunded' group by 1
        )
        select coalesce(h.issuer_id, l.issuer_id) as issuer, coalesce(h.backing, 0) as backing,
            coalesce(h.pool, 0) as pool, present.unit_value_minor as unit_value, coalesce(l.value, 0) as open_lots_value
        from held h full join lots l on l.issuer_id = h.issuer_id
        left join present on present.merchant_id = coalesce(h.issuer_id, l.issuer_id)
        where coalesce(h.backing, 0)
            <> coalesce(h.pool, 0) * coalesce(present.unit_value_minor, 0) + coalesce(l.value, 0)
        """
    )


@check(
    "debts_agree",
    "what each member owes each shop is what the rows of its debts have left, and each shop's claim is the sum of them",
    over="debt",
)
def debts_agree(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select kind, member, creditor, sum(balance) as balance, sum(owed) as owed
        from (
            select 'debt' as kind, owner_id as member, counterparty_id as creditor, balance, 0 as owed
            from ledger.account where book_id = any(%(books)s) and kind = 'debt'
            union all
            select 'claim', null, owner_id, balance, 0
            from ledger.account where book_id = any(%(books)s) and kind = 'claim'
            union all
            select 'debt', member_id, creditor_id, 0, -remaining from ledger.debt where book_id = any(%(books)s)
            union all
            select 'claim', null, creditor_id, 0, remaining from ledger.debt where book_id = any(%(books)s)
        ) sides
        group by 1, 2, 3 having sum(balance) <> sum(owed)
        """
    )
