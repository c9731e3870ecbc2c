"""Value: entries balance, balances are sums of entries, and no account ever stood where it may not go."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from collections.abc import Iterable
from typing import Final

from ledger.accounts import KINDS
from ledger.audit.proving import Checks, Row, Scope
from ledger.audit.sequence import RECORDS

check = Checks()

#: The kinds of account and what each must be: the design's table of accounts, as rows.
_KINDS: Final = """
unnest(%(kinds)s::text[], %(assets)s::text[], %(floors)s::bigint[], %(owned)s::boolean[], %(opposed)s::boolean[],
       %(windowed)s::boolean[]) as known(kind, asset, floor, owned, opposed, windowed)
"""


def _kinds() -> dict[str, list[object]]:
    return {
        "kinds": list(KINDS),
        "assets": [kind.asset for kind in KINDS.values()],
        "floors": [kind.floor for kind in KINDS.values()],
        "owned": [kind.owner is not None for kind in KINDS.values()],
        "opposed": [kind.counterparty is not None for kind in KINDS.values()],
        "windowed": [kind.windowed for kind in KINDS.values()],
    }


@check("records_balance", "the entries of every record sum to zero per asset", over="entry")
def records_balance(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select o.batch_id as batch, o.n, r.id as record, r.kind, o.asset, o.off
        from (select batch_id, n, asset, sum(amount) as off from ledger.entry group by 1, 2, 3 having sum(amount) <> 0) o
        left join ledger.record r on r.batch_id = o.batch_id and r.n = o.n
        where r.book_id is null or r.book_id = any(%(books)s)
        order by 1, 2
        """
    )


@check(
    "accounts_named",
    "every account is of a known kind, with its asset, its floor and the parts its name needs",
    over="account",
)
def accounts_named(scope: Scope) -> Iterable[Row]:
    # the floor of credit moves with the credit line: `credit_lines` proves it
    return scope.rows(
        f"""
        select a.id as account, a.kind, a.owner_id as owner, a.asset, a.floor
        from ledger.account a left join {_KINDS} on known.kind = a.kind
        where a.book_id = any(%(books)s) and (known.kind is null or a.asset <> known.asset
            or (a.floor is distinct from known.floor and a.kind <> 'credit')
            or (a.owner_id is not null) <> known.owned or (a.counterparty_id is not null) <> known.opposed
            or (a.window_number is not null) <> known.windowed)
        """,
        **_kinds(),
    )


@check("entry_assets", "every entry is in the asset of its account", over="entry")
def entry_assets(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select e.batch_id as batch, e.n, e.ordinal, a.id as account, a.kind, e.asset, a.asset as of_account, e.amount
        from ledger.entry e join ledger.account a on a.id = e.account_id
        where a.book_id = any(%(books)s) and e.asset <> a.asset
        """
    )


@check("balances_are_sums", "the balance of every account is the sum of its entries", over="account")
def balances_are_sums(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select a.id as account, a.kind, a.owner_id as owner, a.balance as stored, coalesce(s.total, 0) as derived
        from ledger.account a
        left join (select account_id, sum(amount) as total from ledger.entry group by 1) s on s.account_id = a.id
        where a.book_id = any(%(books)s) and a.balance <> coalesce(s.total, 0)
        order by 1
        """
    )


@check("books_sum_to_zero", "all points of a book sum to zero, and so does all its money", over="account")
def books_sum_to_zero(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select book_id as book, asset, 'balances' as by, sum(balance) as off
        from ledger.account where book_id = any(%(books)s) group by 1, 2 having sum(balance) <> 0
        union all
        select a.book_id, e.asset, 'entries', sum(e.amount)
        from ledger.entry e join ledger.account a on a.id = e.account_id
        where a.book_id = any(%(books)s) group by 1, 2 having sum(e.amount) <> 0
        """
    )


_RUNNING: Final = """
(select account_id, kind, owner_id, batch_id, n, first_sequence + n as sequence, amount,
    sum(amount) over (partition by account_id order by first_sequence, n) as balance
 from (
    select e.account_id, a.kind, a.owner_id, e.batch_id, e.n, b.first_sequence, sum(e.amount) as amount
    from ledger.entry e
    join ledger.account a on a.id = e.account_id
    join ledger.batch b on b.id = e.batch_id
    where a.book_id = any(%(books)s) and a.kind = any(%(bounded)s)
    group by 1, 2, 3, 4, 5, 6
 ) per_record)
"""


@check(
    "floors_held",
    "after no record, in the order of the book, did an account stand below its floor, nor a debt above zero",
    over="entry",
)
def floors_held(scope: Scope) -> Iterable[Row]:
    floored = [name for name, kind in KINDS.items() if kind.floor == 0]
    return scope.rows(
        f"""
        select account_id as account, kind, owner_id as owner, batch_id as batch, n, sequence, balance
        from {_RUNNING} running
        where case kind when 'debt' then balance > 0 else balance < 0 end
        order by sequence
        """,
        bounded=[*floored, "debt"],
    )


@check(
    "credit_lines",
    "no earn and no budget took an issuer's credit below minus the credit line of the contract then in force",
    over="record",
)
def credit_lines(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with lines as (
            select merchant_id, sequence as since, (payload ->> 'credit_line_points')::bigint as line,
                lead(sequence) over (partition by merchant_id order by sequence) as until
            from {RECORDS} r where kind = 'contract'
        )
        select running.owner_id as issuer, r.id as record, running.sequence, running.balance, -lines.line as floor
        from {_RUNNING} running
        join ledger.record r on r.batch_id = running.batch_id and r.n = running.n
            and r.kind in ('sale', 'budget_set')
        left join lines on lines.merchant_id = running.owner_id and lines.since < running.sequence
            and (lines.until is null or lines.until > running.sequence)
        where running.amount < 0 and running.balance < -coalesce(lines.line, 0)
        order by running.sequence
        """,
        bounded=["credit"],
    )


@check(
    "issuers_in_force",
    "what the posting knows of each issuer is its last contract on record, and its credit's floor is that credit line",
    over="issuer",
)
def issuers_in_force(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with told as (
            select distinct on (merchant_id) book_id, merchant_id, payload ->> 'mode' as mode,
                (payload ->> 'unit_value_minor')::bigint as unit_value_minor,
                (payload ->> 'credit_line_points')::bigint as credit_line_points,
                (payload ->> 'contract')::uuid as contract_id
            from {RECORDS} r where kind = 'contract' order by merchant_id, sequence desc
        )
        select coalesce(t.merchant_id, i.merchant_id) as issuer, t.contract_id as on_record, i.contract_id as in_force,
            t.credit_line_points as line, a.floor
        from told t
        full join (select * from ledger.issuer where book_id = any(%(books)s)) i on i.merchant_id = t.merchant_id
        left join ledger.account a on a.book_id = t.book_id and a.kind = 'credit' and a.owner_id = t.merchant_id
        where (t.mode, t.unit_value_minor, t.credit_line_points, t.contract_id)
                is distinct from (i.mode, i.unit_value_minor, i.credit_line_points, i.contract_id)
            or (t.mode = 'deferred' and a.floor is distinct from -t.credit_line_points)
        """
    )


@check(
    "prefund_in_and_out",
    "every top-up and every purchase of points moved exactly what its record says",
    over="record",
)
def prefund_in_and_out(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        with moved as (
            select r.id as record, r.kind, r.payload, r.merchant_id,
                sum(e.amount) filter (where a.kind = 'prefund' and a.owner_id = r.merchant_id) as prefund,
                sum(e.amount) filter (where a.kind = 'backing' and a.owner_id = r.merchant_id) as backing,
                sum(e.amount) filter (where a.kind = 'pool' and a.owner_id = r.merchant_id) as pool,
                sum(e.amount) filter (where a.kind = 'mint' and a.owner_id = r.merchant_id) as mint,
                sum(e.amount) filter (where a.kind = r.payload ->> 'through') as cash
            from ledger.record r
            left join ledger.entry e on e.batch_id = r.batch_id and e.n = r.n
            left join ledger.account a on a.id = e.account_id
            where r.book_id = any(%(books)s) and r.kind in ('topup', 'purchase')
            group by r.id, r.kind, r.payload, r.merchant_id
        ), said as (
            select *, (payload ->> 'amount_minor')::bigint as amount, (payload ->> 'points')::bigint as points,
                (payload ->> 'value_minor')::bigint as value, (payload ->> 'unit_value_minor')::bigint as unit_value
            from moved
        )
        select record, kind, merchant_id as issuer, coalesce(amount, value) as said, prefund, backing, pool, mint, cash
        from said
        where case kind
            when 'topup' then (prefund, cash) is distinct from (amount, -amount)
            else (pool, mint, backing, prefund) is distinct from (points, -points, value, -value)
                or value is distinct from points * unit_value end
        """
    )
