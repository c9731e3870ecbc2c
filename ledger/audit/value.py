"""Value: entries balance, balances are sums of entries, and no account ever stood where it may not go."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from collections.abc import Iterable
from typing import Final

from ledger.accounts import KINDS
from ledger.audit.funding import LOTS
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
    "no earn took an issuer's credit below minus the credit line of the contract then in force",
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
        join ledger.record r on r.batch_id = running.batch_id and r.n = running.n and r.kind = 'sale'
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
            t.credit_line_points as line, a.floor, i.exited, m.state
        from told t
        full join (select * from ledger.issuer where book_id = any(%(books)s)) i on i.merchant_id = t.merchant_id
        left join ledger.account a on a.book_id = t.book_id and a.kind = 'credit' and a.owner_id = t.merchant_id
        left join merchants.merchant m on m.id = coalesce(t.merchant_id, i.merchant_id)
        left join (select distinct merchant_id from ledger.record where book_id = any(%(books)s) and kind = 'exit') x
            on x.merchant_id = m.id
        where (t.mode, t.unit_value_minor, t.credit_line_points, t.contract_id)
                is distinct from (i.mode, i.unit_value_minor, i.credit_line_points, i.contract_id)
            or (t.mode = 'deferred' and a.floor is distinct from -t.credit_line_points)
            or (x.merchant_id is not null) is distinct from i.exited or i.exited <> (m.state = 'exited')
        """
    )


@check(
    "prefund_in_and_out",
    "every top-up, and every purchase and sell back of points, moved exactly what its record says",
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
            where r.book_id = any(%(books)s) and r.kind in ('topup', 'purchase', 'sell_back')
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
            when 'sell_back' then (pool, mint, backing, prefund) is distinct from (-points, points, -value, value)
                or value is distinct from points * unit_value
            else (pool, mint, backing, prefund) is distinct from (points, -points, value, -value)
                or value is distinct from points * unit_value end
        """
    )


@check(
    "buy_outs_whole",
    "a merchant that was bought out had money put behind every point it owed, part by part, and owes none since",
    over="record",
)
def buy_outs_whole(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with parts as (
            select r.id, part.* from {RECORDS} r cross join lateral jsonb_to_recordset(r.payload -> 'parts')
                as part(funding text, unit_value_minor bigint, points bigint)
            where r.kind in ('exit', 'buy_out')
        ), said as (
            select id, sum(points) as points, sum(points * unit_value_minor) as value,
                coalesce(sum(points) filter (where funding = 'closed_loop'), 0) as own from parts group by 1
        ), moved as (
            select r.id, sum(e.amount) filter (where a.kind = 'mint') as mint,
                sum(e.amount) filter (where a.kind in ('credit', 'own')) as home,
                sum(e.amount) filter (where a.kind = 'own') as own,
                sum(e.amount) filter (where a.kind = 'backing' and a.owner_id = r.merchant_id) as backing,
                sum(e.amount) filter (where a.kind = 'prefund' and a.owner_id::text = r.payload ->> 'paid_by') as prefund
            from {RECORDS} r join ledger.entry e on e.batch_id = r.batch_id and e.n = r.n
            join ledger.account a on a.id = e.account_id
            where r.kind in ('exit', 'buy_out') group by 1
        ), held as (
            -- what its members had in lots of other fundings just before: born, and not gone, by the moves
            select r.id, sum(m.points * ((m.target in ('pending', 'wallet', 'held'))::int
                - (m.source in ('pending', 'wallet', 'held'))::int)) as points
            from {RECORDS} r join {LOTS} l on l.issuer_id = r.merchant_id and r.sequence = l.bought_out
            join ledger.lot_move m on m.lot_id = l.id join ledger.batch b on b.id = m.batch_id
                and b.first_sequence + m.n < r.sequence
            where r.kind in ('exit', 'buy_out') group by 1
        )
        select r.id as record, r.merchant_id as issuer, r.sequence, said.points, moved.mint, moved.backing, held.points as had
        from {RECORDS} r left join said on said.id = r.id left join moved on moved.id = r.id
        left join held on held.id = r.id
        where r.kind in ('exit', 'buy_out') and (
            coalesce(said.points, 0) <> coalesce(held.points, 0)
            or (coalesce(said.points, 0), coalesce(said.value, 0))
                is distinct from ((r.payload ->> 'points')::bigint, (r.payload ->> 'value_minor')::bigint)
            or (-coalesce(moved.mint, 0), coalesce(moved.home, 0), coalesce(moved.own, 0), coalesce(moved.backing, 0),
                -coalesce(moved.prefund, 0))
                is distinct from (coalesce(said.points, 0), coalesce(said.points, 0), coalesce(said.own, 0),
                    coalesce(said.value, 0), coalesce(said.value, 0)))
        """
    )


@check(
    "values_change_between_windows",
    "how a merchant's points are paid for and what they are worth changes only right behind a window's close, pool empty",
    over="record",
)
def values_change_between_windows(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with versions as (
            select r.*, payload ->> 'mode' as mode, (payload ->> 'unit_value_minor')::bigint as unit_value,
                lag(payload ->> 'mode') over merchant as mode_before,
                lag((payload ->> 'unit_value_minor')::bigint) over merchant as value_before
            from {RECORDS} r where kind = 'contract' window merchant as (partition by merchant_id order by sequence)
        ), changes as (
            select * from versions where (mode, unit_value) <> (mode_before, value_before)
        ), pools as (
            select c.id, sum(e.amount) as pool
            from changes c join ledger.account a on a.kind = 'pool' and a.owner_id = c.merchant_id
            join ledger.entry e on e.account_id = a.id join ledger.batch b on b.id = e.batch_id
                and b.first_sequence + e.n < c.sequence group by 1
        )
        select c.id as record, c.merchant_id as issuer, c.sequence, c.mode_before, c.mode, c.value_before, c.unit_value,
            p.pool
        from changes c
        left join ledger.record w on w.batch_id = c.batch_id and w.n < c.n and w.kind = 'window_closed'
        left join pools p on p.id = c.id
        where w.id is null or coalesce(p.pool, 0) <> 0
        union all
        select r.id, null, r.sequence, null, null, null, null, null
        from (select r.*, (payload ->> 'face_value_minor')::bigint as face,
                lag((payload ->> 'face_value_minor')::bigint) over (partition by book_id order by sequence) as before
              from {RECORDS} r where kind = 'rules') r
        left join ledger.record w on w.batch_id = r.batch_id and w.n < r.n and w.kind = 'window_closed'
        where r.face <> r.before and w.id is null
        """
    )


@check(
    "agreements_kept",
    "what was agreed on came into force with the next window's close, or something newer took its place",
    over="record",
)
def agreements_kept(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with told as (
            select r.*, lead(sequence) over (partition by subject_id, kind order by sequence) as newer
            from {RECORDS} r where kind in ('contract_agreed', 'rules_agreed')
        ), ended as (
            select t.id, min(r.sequence) as sequence
            from told t join {RECORDS} r on r.sequence > t.sequence and r.book_id = t.book_id and (
                (r.kind in ('contract', 'exit') and t.kind = 'contract_agreed' and r.subject_id = t.subject_id)
                or (r.kind = 'rules' and t.kind = 'rules_agreed'))
            group by 1
        ), closed as (
            select t.id, min(r.sequence) as sequence from told t
            join {RECORDS} r on r.kind = 'window_closed' and r.sequence > t.sequence and r.book_id = t.book_id group by 1
        )
        select coalesce(t.id, a.record_id) as record, t.subject_id as subject, t.sequence, c.sequence as window_closed
        from told t
        full join (select * from merchants.agreed where book_id = any(%(books)s)) a on a.record_id = t.id
        left join ended e on e.id = t.id
        left join closed c on c.id = t.id
        where t.id is null
            -- waits though it should not, or does not though it should
            or (a.record_id is not null) <> (t.newer is null and e.sequence is null)
            -- a close went by without it
            or (c.sequence < least(t.newer, e.sequence) and not exists (select from ledger.record r
                join ledger.batch b on b.id = r.batch_id where b.first_sequence + r.n = e.sequence
                and r.payload ->> 'agreed' = t.id::text))
            or (c.sequence is not null and t.newer is null and e.sequence is null)
        """
    )
