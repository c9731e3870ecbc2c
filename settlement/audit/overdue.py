"""Missing pay-ins: nobody is suspended by the clock before the network's days are over, nor without a warning."""

from collections.abc import Iterable

from ledger.audit import Checks, Row, Scope

check = Checks()


@check(
    "pay_ins_missed",
    "whom the clock suspends had been warned, owed that much of a window that was posted, and had the network's days for it",
    over="record",
)
def pay_ins_missed(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        with told as (
            select r.id, r.book_id, r.kind, r.at, r.merchant_id, r.subject_id, r.payload, r.actor, r.batch_id, r.n,
                b.first_sequence + r.n as sequence
            from ledger.record r join ledger.batch b on b.id = r.batch_id
            where r.book_id = any(%(books)s) and (r.kind in ('pay_in_grace', 'pay_in_warned', 'pay_in_missed', 'settlement')
                or (r.kind = 'merchant_suspended' and r.payload ->> 'operator' is null))
        )
        select m.id as record, m.merchant_id as merchant, m.payload -> 'window' as window, p.at as posted, g.at as declared,
            o.open
        from told m
        left join told p on p.kind = 'settlement' and p.book_id = m.book_id and p.subject_id = m.subject_id
            and p.sequence < m.sequence
        left join lateral (select * from told g where g.kind = 'pay_in_grace' and g.book_id = m.book_id
            and g.sequence < m.sequence order by g.sequence desc limit 1) g on true
        left join lateral (select -sum(e.amount) as open from ledger.account a
            join ledger.entry e on e.account_id = a.id join ledger.batch b on b.id = e.batch_id
            where a.book_id = m.book_id and a.kind = 'position' and a.owner_id = m.merchant_id
                and a.window_number = (m.payload ->> 'window')::int and b.first_sequence + e.n < m.sequence) o on true
        where m.kind in ('pay_in_warned', 'pay_in_missed') and (p.id is null or g.payload ->> 'days' is null
            or o.open is distinct from (m.payload ->> 'open_minor')::bigint or o.open <= 0
            or exists (select from told other where other.kind = m.kind and other.id <> m.id
                and (other.subject_id, other.merchant_id) = (m.subject_id, m.merchant_id))
            or (m.kind = 'pay_in_missed' and (g.payload -> 'days' <> m.payload -> 'days'
                or m.at < greatest(p.at, g.at) + make_interval(days => (g.payload ->> 'days')::int)
                or not exists (select from told warned where warned.kind = 'pay_in_warned' and warned.sequence < m.sequence
                    and (warned.subject_id, warned.merchant_id) = (m.subject_id, m.merchant_id)))))
        union all
        select s.id, s.merchant_id, null, null, null, null from told s
        where s.kind = 'merchant_suspended' and (s.actor <> 'clock' or not exists (select from told m
            where m.kind = 'pay_in_missed' and m.merchant_id = s.merchant_id and m.batch_id = s.batch_id and m.n = s.n - 1))
        """
    )


@check("grace_declared", "a network's days of grace are those that were declared last", over="pay_in_grace")
def grace_declared(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select coalesce(g.book_id, d.book_id) as book, g.days, d.days as declared
        from (select * from settlement.pay_in_grace where book_id = any(%(books)s)) g
        full join (select distinct on (r.book_id) r.book_id, (r.payload ->> 'days')::int as days, r.at,
                (r.payload ->> 'revision')::int as revision
            from ledger.record r join ledger.batch b on b.id = r.batch_id
            where r.book_id = any(%(books)s) and r.kind = 'pay_in_grace'
            order by r.book_id, b.first_sequence + r.n desc) d on d.book_id = g.book_id
        where (g.days, g.at, g.revision) is distinct from (d.days, d.at, d.revision)
        """
    )
