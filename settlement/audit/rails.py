"""Instructions, payment files and banks' statements: each payment has its instruction, each file adds up."""
# ruff: noqa: S608 - the statements are composed of this module's own constants

from collections.abc import Iterable
from typing import Final

from ledger.audit import Checks, Row, Scope

check = Checks()


#: What rails did, told by records: what was made, and what became of it.
_RAILED: Final = """
(select r.book_id, r.id, r.kind, b.first_sequence + r.n as sequence, r.batch_id, r.n, r.merchant_id, r.subject_id, r.payload,
    coalesce((r.payload ->> 'instruction')::uuid, r.subject_id) as instruction_id
 from ledger.record r join ledger.batch b on b.id = r.batch_id
 where r.book_id = any(%(books)s) and (r.kind in ('instructed', 'instruction_refused')
    or (r.kind in ('payment', 'made_good', 'payment_returned', 'topup') and r.payload ? 'instruction')))
"""


@check(
    "instructions_recorded",
    "every instruction is one that its record tells, whom it pays, by what, how much; and every record has its instruction",
    over="instruction",
)
def instructions_recorded(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select coalesce(i.id, m.subject_id) as instruction, m.id as record, i.amount_minor as stored,
            (m.payload ->> 'amount_minor')::bigint as told
        from (select * from {_RAILED} made where kind = 'instructed') m
        full join (select * from settlement.instruction where book_id = any(%(books)s)) i on i.id = m.subject_id
        where (i.book_id, i.record_id, i.merchant_id, i.direction, i.rail, i.amount_minor, i.window_number)
            is distinct from (m.book_id, m.id, m.merchant_id, m.payload ->> 'direction', m.payload ->> 'rail',
                (m.payload ->> 'amount_minor')::bigint, (m.payload ->> 'window')::int)
        """
    )


@check(
    "instructions_end_once",
    "an instruction stands where its records say: refused, paid once and never twice, come back once and only then",
    over="instruction",
)
def instructions_end_once(scope: Scope) -> Iterable[Row]:
    # what came in counts whatever was thought before; what went out was never refused
    return scope.rows(
        f"""
        with told as (
            select instruction_id, count(*) filter (where kind in ('payment', 'made_good', 'topup')) as paid,
                count(*) filter (where kind = 'payment_returned') as returned,
                count(*) filter (where kind = 'instruction_refused') as refused,
                min(sequence) filter (where kind in ('payment', 'made_good', 'topup')) as paid_at,
                min(sequence) filter (where kind = 'payment_returned') as returned_at,
                (array_agg(id) filter (where kind in ('payment', 'made_good', 'topup')))[1] as payment,
                (array_agg(id) filter (where kind = 'payment_returned'))[1] as return
            from {_RAILED} r where kind <> 'instructed' group by 1
        )
        select coalesce(i.id, t.instruction_id) as instruction, i.state, t.paid, t.returned, t.refused
        from (select * from settlement.instruction where book_id = any(%(books)s)) i
        full join told t on t.instruction_id = i.id
        where i.id is null or coalesce(t.paid, 0) > 1 or coalesce(t.returned, 0) > 1 or coalesce(t.refused, 0) > 1
            or (i.direction = 'pay_out' and t.paid > 0 and t.refused > 0)
            or (t.returned > 0 and (i.direction <> 'pay_out' or t.paid_at is null or t.paid_at > t.returned_at))
            or (i.payment_record_id, i.returned_record_id) is distinct from (t.payment, t.return)
            or case when t.returned > 0 then i.state <> 'returned' when t.paid > 0 then i.state <> 'confirmed'
                when t.refused > 0 then i.state <> 'refused' else i.state not in ('made', 'sent', 'unknown') end
        """
    )


@check(
    "instructions_pay_what_they_say",
    "what was booked of an instruction is its merchant's, its window's, its amount to the unit, by the account of its rail",
    over="instruction",
)
def instructions_pay_what_they_say(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with moved as (
            select r.id, a.kind, sum(e.amount) as amount from {_RAILED} r
            join ledger.entry e on e.batch_id = r.batch_id and e.n = r.n
            join ledger.account a on a.id = e.account_id and a.kind in ('bank', 'psp')
            where r.kind in ('payment', 'made_good', 'payment_returned', 'topup') group by 1, 2
        )
        select i.id as instruction, r.id as record, r.kind, i.amount_minor, m.kind as account, m.amount as moved
        from {_RAILED} r
        join settlement.instruction i on i.id = r.instruction_id and i.book_id = r.book_id
        left join moved m on m.id = r.id
        where r.kind in ('payment', 'made_good', 'payment_returned', 'topup') and (
            (r.merchant_id, (r.payload ->> 'amount_minor')::bigint, (r.payload ->> 'window')::int)
                is distinct from (i.merchant_id, i.amount_minor, i.window_number)
            or coalesce(r.payload ->> 'direction', i.direction) <> i.direction
            or (r.kind = 'made_good' and i.direction <> 'pay_in')
            or (r.kind = 'topup') <> (i.direction = 'topup')
            or m.kind is distinct from case i.rail when 'bank' then 'bank' else 'psp' end
            or m.amount is distinct from case r.kind when 'payment_returned' then -i.amount_minor
                else case i.direction when 'pay_out' then i.amount_minor else -i.amount_minor end end
            or (r.kind = 'payment_returned' and (r.payload ->> 'payment')::uuid is distinct from i.payment_record_id))
        """
    )


@check(
    "payments_have_instructions",
    "every payment through a provider has its instruction, and no position was paid out by two that lived at once",
    over="payment",
)
def payments_have_instructions(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select r.id as record, null::uuid as instruction, 'a provider paid, and nobody asked' as why
        from ledger.record r where r.book_id = any(%(books)s) and r.kind in ('payment', 'made_good', 'payment_returned')
            and r.payload ->> 'source' = 'psp' and not r.payload ? 'instruction'
        union all
        select later.id, later.subject_id, 'made while another lived'
        from (select *, lag(subject_id) over (partition by merchant_id, payload ->> 'window' order by sequence) as before
              from {_RAILED} made where kind = 'instructed' and payload ? 'window') later
        where before is not null and not exists (select from {_RAILED} ended
            where ended.instruction_id = later.before and ended.kind <> 'instructed' and ended.sequence < later.sequence)
        """
    )


@check(
    "payout_files_whole",
    "a file for the bank has the instructions and the sum that it says, each in that file alone",
    over="instruction",
)
def payout_files_whole(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        with files as (select * from settlement.payout_file where book_id = any(%(books)s)), held as (
            select file_id, count(*) as instructions, sum(amount_minor) as total, min(window_number) as least,
                max(window_number) as most, bool_and(direction = 'pay_out' and rail = 'bank' and account is not null) as fit
            from settlement.instruction where book_id = any(%(books)s) and file_id is not null group by 1
        )
        select coalesce(f.id, h.file_id) as file, f.instructions, h.instructions as held, f.total_minor, h.total
        from files f full join held h on h.file_id = f.id
        where (f.instructions, f.total_minor, f.window_number, f.window_number, true)
            is distinct from (h.instructions::int, h.total::bigint, h.least, h.most, h.fit)
        union all
        select id, null, 1, amount_minor, null from settlement.instruction
        where book_id = any(%(books)s) and (direction = 'pay_out' and rail = 'bank') <> (file_id is not null)
        """
    )


@check(
    "bank_statements_add_up",
    "every statement has its lines, which make its closing balance out of its opening one",
    over="bank_line",
)
def bank_statements_add_up(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select coalesce(s.id, l.statement_id) as statement, s.lines, l.lines as found, s.opening_minor, s.closing_minor,
            l.total
        from (select * from settlement.bank_statement where book_id = any(%(books)s)) s
        full join (select statement_id, count(*) as lines, sum(amount_minor) as total,
                bool_or(outcome in ('confirmed', 'returned') and instruction_id is null) as unnamed
            from settlement.bank_line where book_id = any(%(books)s) group by 1) l on l.statement_id = s.id
        where s.id is null or s.lines <> coalesce(l.lines, 0) or coalesce(l.unnamed, false)
            or s.opening_minor + coalesce(l.total, 0) <> s.closing_minor
        """
    )
