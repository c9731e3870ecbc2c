"""Top-ups that were taken back: what moved for it, by whose word, of which top-up, and that it is charged once."""
# ruff: noqa: S608 - the statements are composed of this module's own constants

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

from ledger.audit import Checks, Row, Scope
from settlement.audit.rows import EVENTS

check = Checks()

#: The records of charge-backs in their sequence.
_TOLD: Final = """
(select r.book_id, r.id, r.kind, b.first_sequence + r.n as sequence, r.batch_id, r.n, r.merchant_id, r.subject_id,
    r.reverses_id, r.payload
 from ledger.record r join ledger.batch b on b.id = r.batch_id
 where r.book_id = any(%(books)s) and r.kind in ('charge_back', 'charge_back_reversed', 'charge_back_proposed',
    'charge_back_rejected', 'charge_back_reversal_proposed', 'charge_back_reversal_rejected'))
"""


@check(
    "charge_backs_posted",
    "a charge-back took from the merchant's prefund what that held, the rest from nobody but its next position; what came"
    " again went back by the same parts; points and what backs them stayed",
    over="entry",
)
def charge_backs_posted(scope: Scope) -> Iterator[Row]:
    moved: defaultdict[tuple[int, int], Counter[str]] = defaultdict(Counter)
    told: dict[tuple[int, int], tuple[str, dict[str, Any]]] = {}
    for batch, n, kind, payload, place, amount in scope.stream(
        f"""
        select r.batch_id, r.n, r.kind, r.payload,
            case when a.owner_id is null or a.owner_id = r.merchant_id then a.kind else a.name end, e.amount
        from {_TOLD} r left join ledger.entry e on e.batch_id = r.batch_id and e.n = r.n
        left join ledger.account a on a.id = e.account_id
        """
    ):
        told[batch, n] = (kind, payload)
        if place is not None:
            moved[batch, n][place] += amount
    for (batch, n), (kind, payload) in sorted(told.items()):
        expected: Counter[str] = Counter()
        if kind in ("charge_back", "charge_back_reversed"):
            sign = 1 if kind == "charge_back" else -1
            expected[payload["source"]] += sign * payload["amount_minor"]
            expected["prefund"] -= sign * payload["prefund_minor"]
            expected["charge_backs"] -= sign * payload["charged_minor"]
        found = moved[batch, n]
        for place in sorted(expected.keys() | found.keys()):
            if expected[place] != found[place]:
                yield {"batch": batch, "n": n, "account": place, "told": expected[place], "moved": found[place]}


@check(
    "charge_backs_of_topups",
    "what was taken back is of a top-up of that merchant, never more than it brought, and charged only what its prefund"
    " lacked; each came again at most once, exactly as it went",
    over="record",
)
def charge_backs_of_topups(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with back as (select *, (payload ->> 'topup')::uuid as topup_id, (payload ->> 'amount_minor')::bigint as amount
            from {_TOLD} t where kind in ('charge_back', 'charge_back_reversed')),
        running as (select *, sum(case kind when 'charge_back' then amount else -amount end)
                over (partition by topup_id order by sequence) as taken,
            count(*) over (partition by book_id, payload ->> 'source', payload ->> 'reference', kind) as named
            from back),
        prefunds as (
            select s.id, s.left_over from (
                select r.id, sum(e.amount) over (partition by a.id order by b.first_sequence + e.n) as left_over
                from ledger.account a join ledger.entry e on e.account_id = a.id
                join ledger.batch b on b.id = e.batch_id
                join ledger.record r on r.batch_id = e.batch_id and r.n = e.n
                where a.kind = 'prefund' and a.owner_id in (select merchant_id from back)
            ) s)
        select r.id as record, r.merchant_id as merchant, r.topup_id as topup, r.amount, r.taken, p.left_over
        from running r
        left join ledger.record t on t.id = r.topup_id and t.kind = 'topup' and t.book_id = r.book_id
            and t.merchant_id = r.merchant_id and t.payload ->> 'through' = r.payload ->> 'source'
        left join back gone on gone.id = r.reverses_id and gone.kind = 'charge_back'
        left join prefunds p on p.id = r.id
        where t.id is null or r.taken > (t.payload ->> 'amount_minor')::bigint or r.taken < 0 or r.amount <= 0
            or (r.payload ->> 'prefund_minor')::bigint + (r.payload ->> 'charged_minor')::bigint <> r.amount
            or r.named > 1
            or (r.kind = 'charge_back' and r.payload ->> 'charged_minor' <> '0' and coalesce(p.left_over, 0) <> 0)
            or (r.kind = 'charge_back_reversed' and (gone.id is null or gone.subject_id <> r.subject_id
                or gone.payload - 'operator' <> r.payload - 'operator'
                or exists (select from back other where other.reverses_id = r.reverses_id and other.id <> r.id)))
        """
    )


@check(
    "charged_back_by_two",
    "a charge-back is a provider's word of what it was asked for, or what one person proposed and another approved",
    over="record",
)
def charged_back_by_two(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with told as (select * from {_TOLD} t), proposed as (
            select d.id, d.kind, d.book_id, d.subject_id, d.merchant_id, d.payload, p.payload as proposal
            from told d left join lateral (select * from told p where p.subject_id = d.subject_id
                and p.sequence < d.sequence and p.kind = case d.kind when 'charge_back' then 'charge_back_proposed'
                    else 'charge_back_reversal_proposed' end order by p.sequence desc limit 1) p on true
            where d.kind in ('charge_back', 'charge_back_reversed')
        )
        select d.id as record, d.subject_id as charge_back
        from proposed d
        left join settlement.instruction i on i.id = (d.payload ->> 'instruction')::uuid and i.book_id = d.book_id
        left join ledger.record t on t.id = (d.payload ->> 'topup')::uuid
        where case when d.payload ? 'instruction'
            then i.id is null or i.rail = 'bank' or d.payload ->> 'operator' is not null
                or t.payload ->> 'instruction' is distinct from d.payload ->> 'instruction'
            else d.proposal is null or coalesce(d.proposal ->> 'operator' = d.payload ->> 'operator', true)
                or d.proposal ->> 'reference' <> d.payload ->> 'reference'
                or (d.kind = 'charge_back' and (d.proposal ->> 'amount_minor', d.proposal ->> 'topup')
                    is distinct from (d.payload ->> 'amount_minor', d.payload ->> 'topup')) end
        """
    )


@check(
    "charge_backs_recorded",
    "every charge-back stands as its records say, with the parts that were booked",
    over="charge_back",
)
def charge_backs_recorded(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with told as (select * from {_TOLD} t), derived as (
            select subject_id as id, min(book_id) as book_id, count(*) as revision,
                (array_agg(id order by sequence))[1] as first,
                (array_agg(kind order by sequence desc))[1] as last,
                (array_agg(id) filter (where kind = 'charge_back'))[1] as record_id,
                (array_agg(id) filter (where kind = 'charge_back_reversed'))[1] as reversed_record_id,
                coalesce(max((payload ->> 'amount_minor')::bigint), 0) as amount_minor,
                coalesce(max((payload ->> 'prefund_minor')::bigint), 0) as prefund_minor,
                coalesce(max((payload ->> 'charged_minor')::bigint), 0) as charged_minor,
                max(payload ->> 'topup') as topup_id, max(payload ->> 'source') as source,
                max(payload ->> 'reference') as reference, (array_agg(merchant_id))[1] as merchant_id
            from told group by 1
        )
        select coalesce(c.id, d.id) as charge_back, c.state, d.last as by
        from (select * from settlement.charge_back where book_id = any(%(books)s)) c
        full join derived d on d.id = c.id
        where (c.book_id, c.revision, c.id, c.record_id, c.reversed_record_id, c.amount_minor, c.prefund_minor,
                c.charged_minor, c.topup_id::text, c.source, c.reference, c.merchant_id)
            is distinct from (d.book_id, d.revision, d.first, d.record_id, d.reversed_record_id, d.amount_minor,
                d.prefund_minor, d.charged_minor, d.topup_id, d.source, d.reference, d.merchant_id)
            or c.state <> case d.last when 'charge_back_proposed' then 'proposed' when 'charge_back_rejected' then 'rejected'
                when 'charge_back_reversal_proposed' then 'reversal_proposed' when 'charge_back_reversed' then 'reversed'
                else 'booked' end
        """
    )


@check(
    "charge_backs_settled",
    "what waits of charge-backs for the next settlement is what was charged in windows that are not posted yet",
    over="account",
)
def charge_backs_settled(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with charged as (
            select e.book_id, sum(case e.kind when 'charge_back' then 1 else -1 end
                * (e.payload ->> 'charged_minor')::bigint) as waiting
            from {EVENTS} e where e.kind in ('charge_back', 'charge_back_reversed') and not exists (
                select from ledger.record s join ledger.batch b on b.id = s.batch_id
                join settlement.consumer c on c.book_id = s.book_id and b.first_sequence + s.n < c.next_sequence
                where s.book_id = e.book_id and s.kind = 'settlement'
                    and (s.payload ->> 'window')::int = e.window_number)
            group by 1
        ), held as (
            select a.book_id, a.id, sum(e.amount) as balance from ledger.account a
            join ledger.entry e on e.account_id = a.id join ledger.batch b on b.id = e.batch_id
            join settlement.consumer c on c.book_id = a.book_id and b.first_sequence + e.n < c.next_sequence
            where a.book_id = any(%(books)s) and a.kind = 'charge_backs' group by 1, 2
        )
        select h.id as account, coalesce(h.balance, 0) as balance, coalesce(c.waiting, 0) as waiting
        from held h full join charged c on c.book_id = h.book_id
        where coalesce(h.balance, 0) <> -coalesce(c.waiting, 0)
        """
    )
