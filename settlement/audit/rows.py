"""The rows that settlement has had the effect of, read from the ledger: what the checks of this room hold against it."""
# ruff: noqa: S608 - the statements are composed of this module's own constants

from typing import Final

from ledger.audit import LOTS, funded

#: The records settlement has had the effect of, with the number of the window each falls in.
EVENTS: Final = """
(select numbered.*, 1 + count(*) filter (where kind = 'window_closed') over (partition by book_id order by sequence
    rows between unbounded preceding and 1 preceding) as window_number
 from (
    select r.book_id, b.first_sequence + r.n as sequence, r.batch_id, r.n, r.kind, r.at, r.merchant_id, r.member_id,
        r.subject_id, b.hash, (r.payload ->> 'contract')::uuid as contract_id,
        r.payload, case r.kind when 'sale' then (r.payload ->> 'money_minor')::bigint
            when 'refund' then -(r.payload ->> 'amount_minor')::bigint end as money_minor,
        (r.payload ->> 'window')::int as told_window
    from ledger.record r
    join ledger.batch b on b.id = r.batch_id
    join settlement.consumer c on c.book_id = r.book_id
    where r.book_id = any(%(books)s) and r.kind in ('capture', 'repayment', 'redemption_refund', 'sale', 'refund',
        'window_closed', 'cover', 'made_good', 'adjustment', 'charge_back', 'charge_back_reversed')
      and b.first_sequence + r.n < c.next_sequence
 ) numbered)
"""

RATES: Final = """
(select merchant_id, (payload ->> 'contract')::uuid as contract_id,
    (payload ->> 'redemption_fee_ppm')::int as redemption_fee_ppm,
    (payload ->> 'purchase_fee_ppm')::int as purchase_fee_ppm
 from ledger.record where book_id = any(%(books)s) and kind = 'contract')
"""

#: What the records make everybody owe: the lot moves of captures, repayments and their refunds, members' sales and the
#: refunds of those. A repayment bears no fee. And what merchants bear of another's failure, as its cover tells.
OWED: Final = f"""
(select e.book_id, e.window_number, e.sequence, m.ordinal::int, 'slice' as kind,
    case e.kind when 'capture' then 'redemption' when 'repayment' then 'repayment' else 'refund' end as reason, e.at,
    l.issuer_id, m.merchant_id as acceptor_id, e.subject_id, l.id as lot_id, {funded("e.sequence")}, l.unit_value_minor,
    side.sign * m.points as points, part.owed as value_minor,
    case when part.base <> 0 then m.merchant_id end as fee_payer_id, part.base as fee_base_minor,
    case when part.base <> 0 then rate.redemption_fee_ppm else 0 end as fee_ppm,
    case when part.base <> 0 then part.base * rate.redemption_fee_ppm else 0 end as fee_millionths, e.contract_id
 from {EVENTS} e
 join ledger.lot_move m on m.batch_id = e.batch_id and m.n = e.n and 'accepted' in (m.source, m.target)
 join {LOTS} l on l.id = m.lot_id
 left join {RATES} rate on rate.contract_id = e.contract_id and rate.merchant_id = e.merchant_id
 cross join lateral (select case m.target when 'accepted' then 1 else -1 end as sign) side
 cross join lateral (select case when l.issuer_id = m.merchant_id or {funded("e.sequence")} = 'closed_loop' then 0
    else side.sign * m.points * l.unit_value_minor end as owed) worth
 cross join lateral (select worth.owed, case e.kind when 'repayment' then 0 else worth.owed end as base) part
 where e.kind in ('capture', 'repayment', 'redemption_refund')
 union all
 select e.book_id, e.window_number, e.sequence, 0, 'purchase_fee',
    case e.kind when 'sale' then 'purchase' else 'refund' end, e.at, null, null, e.subject_id, null,
    null, null, 0, 0, e.merchant_id, e.money_minor, rate.purchase_fee_ppm, e.money_minor * rate.purchase_fee_ppm,
    e.contract_id
 from {EVENTS} e
 left join {RATES} rate on rate.contract_id = e.contract_id and rate.merchant_id = e.merchant_id
 where e.kind in ('sale', 'refund') and e.member_id is not null and e.money_minor * rate.purchase_fee_ppm <> 0
 union all
 select e.book_id, e.window_number, e.sequence, (part.ordinality - 1)::int, 'adjustment', 'share', e.at,
    (part.value ->> 'merchant')::uuid, k.operator_id, e.subject_id, null, 'share', 0, 0,
    case e.kind when 'cover' then 1 else -1 end * (part.value ->> 'amount_minor')::bigint, null, 0, 0, 0, null
 from {EVENTS} e join ledger.book k on k.id = e.book_id
 cross join lateral jsonb_array_elements(coalesce(e.payload -> 'shares', e.payload -> 'shares_returned'))
    with ordinality part
 where e.kind in ('cover', 'made_good')
 union all
 select e.book_id, e.window_number, e.sequence, 0, 'adjustment', 'adjustment', e.at, (e.payload ->> 'debtor')::uuid,
    (e.payload ->> 'creditor')::uuid, e.subject_id, null, 'adjustment', 0, 0, (e.payload ->> 'amount_minor')::bigint,
    null, 0, 0, 0, null
 from {EVENTS} e where e.kind = 'adjustment'
 union all
 select e.book_id, e.window_number, e.sequence, 0, 'adjustment', 'charge_back', e.at, e.merchant_id, k.operator_id,
    e.subject_id, null, 'charge_back', 0, 0,
    case e.kind when 'charge_back' then 1 else -1 end * (e.payload ->> 'charged_minor')::bigint, null, 0, 0, 0, null
 from {EVENTS} e join ledger.book k on k.id = e.book_id
 where e.kind in ('charge_back', 'charge_back_reversed') and e.payload ->> 'charged_minor' <> '0')
"""

ITEM: Final = (
    "window_number, kind, reason, at, issuer_id, acceptor_id, subject_id, lot_id, funding, unit_value_minor, points,"
    " value_minor, fee_payer_id, fee_base_minor, fee_ppm, fee_millionths, contract_id"
)


def item_columns(alias: str) -> str:
    return ", ".join(f"{alias}.{column.strip()}" for column in ITEM.split(","))


def derived_id(sequence: str, kind: str, ordinal: str) -> str:
    """The id of a derived row in SQL: SHA-256 over book, sequence, kind and ordinal, as a UUID of version 8."""
    told = f"'|' || {sequence} || '|' || {kind} || '|' || {ordinal}"
    digest = f"substr(sha256(uuid_send(book.public_id) || convert_to({told}, 'UTF8')), 1, 16)"
    versioned = f"set_byte({digest}, 6, get_byte({digest}, 6) & 15 | 128)"
    return f"encode(set_byte({versioned}, 8, get_byte({digest}, 8) & 63 | 128), 'hex')::uuid"
