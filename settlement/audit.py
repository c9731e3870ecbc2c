"""Settlement's own proof: every derived row re-derived from the ledger's raw rows, by another road than the consumer's.

Slices are read from the lot moves and their lots, rates from the contracts on record, windows from the close records;
fees are rounded as exact fractions. Nothing of the consumer's code is used.
"""
# ruff: noqa: S608 - the statements are composed of this module's own constants

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

import ledger
from ledger.audit import Check, Checks, Row, Scope

check = Checks()
CHECKS: list[Check] = check

#: The records settlement has had the effect of, with the number of the window each falls in.
_EVENTS: Final = """
(select numbered.*, 1 + count(*) filter (where kind = 'window_closed') over (partition by book_id order by sequence
    rows between unbounded preceding and 1 preceding) as window_number
 from (
    select r.book_id, b.first_sequence + r.n as sequence, r.batch_id, r.n, r.kind, r.at, r.merchant_id, r.member_id,
        r.subject_id, b.hash, (r.payload ->> 'contract')::uuid as contract_id,
        (r.payload ->> 'money_minor')::bigint as money_minor, (r.payload ->> 'window')::int as told_window
    from ledger.record r
    join ledger.batch b on b.id = r.batch_id
    join settlement.consumer c on c.book_id = r.book_id
    where r.book_id = any(%(books)s) and r.kind in ('capture', 'sale', 'window_closed')
      and b.first_sequence + r.n < c.next_sequence
 ) numbered)
"""

_RATES: Final = """
(select merchant_id, (payload ->> 'contract')::uuid as contract_id,
    (payload ->> 'redemption_fee_ppm')::int as redemption_fee_ppm,
    (payload ->> 'purchase_fee_ppm')::int as purchase_fee_ppm
 from ledger.record where book_id = any(%(books)s) and kind = 'contract')
"""

#: What the records make everybody owe: the lot moves of captures, and members' sales.
_OWED: Final = f"""
(select e.book_id, e.window_number, e.sequence, m.ordinal::int, 'slice' as kind, 'redemption' as reason, e.at,
    l.issuer_id, m.merchant_id as acceptor_id, e.subject_id, l.id as lot_id, l.funding, l.unit_value_minor, m.points,
    part.owed as value_minor, case when part.owed > 0 then m.merchant_id end as fee_payer_id,
    part.owed as fee_base_minor, case when part.owed > 0 then rate.redemption_fee_ppm else 0 end as fee_ppm,
    part.owed * rate.redemption_fee_ppm as fee_millionths, e.contract_id
 from {_EVENTS} e
 join ledger.lot_move m on m.batch_id = e.batch_id and m.n = e.n and m.target = 'accepted'
 join ledger.lot l on l.id = m.lot_id
 left join {_RATES} rate on rate.contract_id = e.contract_id and rate.merchant_id = e.merchant_id
 cross join lateral (select case when l.issuer_id = m.merchant_id or l.funding = 'closed_loop' then 0
    else m.points * l.unit_value_minor end as owed) part
 where e.kind = 'capture'
 union all
 select e.book_id, e.window_number, e.sequence, 0, 'purchase_fee', 'purchase', e.at, null, null, e.subject_id, null,
    null, null, 0, 0, e.merchant_id, e.money_minor, rate.purchase_fee_ppm, e.money_minor * rate.purchase_fee_ppm,
    e.contract_id
 from {_EVENTS} e
 left join {_RATES} rate on rate.contract_id = e.contract_id and rate.merchant_id = e.merchant_id
 where e.kind = 'sale' and e.member_id is not null and e.money_minor * rate.purchase_fee_ppm <> 0)
"""

_ITEM: Final = (
    "window_number, kind, reason, at, issuer_id, acceptor_id, subject_id, lot_id, funding, unit_value_minor, points,"
    " value_minor, fee_payer_id, fee_base_minor, fee_ppm, fee_millionths, contract_id"
)


def _columns(alias: str) -> str:
    return ", ".join(f"{alias}.{column.strip()}" for column in _ITEM.split(","))


def _id(sequence: str, kind: str, ordinal: str) -> str:
    """The id of a derived row in SQL: SHA-256 over book, sequence, kind and ordinal, as a UUID of version 8."""
    told = f"'|' || {sequence} || '|' || {kind} || '|' || {ordinal}"
    digest = f"substr(sha256(uuid_send(book.public_id) || convert_to({told}, 'UTF8')), 1, 16)"
    versioned = f"set_byte({digest}, 6, get_byte({digest}, 6) & 15 | 128)"
    return f"encode(set_byte({versioned}, 8, get_byte({digest}, 8) & 63 | 128), 'hex')::uuid"


# -- the stream and its windows


@check("consumer_within", "settlement has taken in no more records than there are", over="head")
def consumer_within(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select c.book_id as book, c.next_sequence as consumed_up_to, h.next_sequence as end
        from settlement.consumer c left join ledger.head h on h.book_id = c.book_id
        where c.book_id = any(%(books)s) and c.next_sequence > coalesce(h.next_sequence, 0)
        """
    )


@check(
    "windows_contiguous",
    "windows follow one another without gap or overlap, each ended by its close record and frozen at its hash",
    over="window",
)
def windows_contiguous(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with closes as (
            select book_id, window_number, sequence, at, hash, subject_id, told_window,
                lag(sequence) over (partition by book_id order by sequence) as before
            from {_EVENTS} e where kind = 'window_closed'
        ), starts as (
            select book_id, min(first_sequence) as first from ledger.batch where book_id = any(%(books)s) group by 1
        ), derived as (
            select c.book_id, c.window_number as number, coalesce(c.before + 1, s.first) as first_sequence,
                c.sequence as last_sequence, c.at as closed_at, c.hash, c.subject_id as id, c.told_window
            from closes c join starts s on s.book_id = c.book_id
            union all
            select s.book_id, coalesce(max(c.window_number), 0) + 1, coalesce(max(c.sequence) + 1, max(s.first)),
                null, null, null, null, coalesce(max(c.window_number), 0) + 1
            from starts s join settlement.consumer k on k.book_id = s.book_id and k.next_sequence > s.first
            left join closes c on c.book_id = s.book_id group by 1
        )
        select coalesce(w.number, d.number) as window, w.first_sequence, d.first_sequence as derived_first,
            w.last_sequence, d.last_sequence as derived_last, d.told_window
        from derived d
        full join (select * from settlement.window where book_id = any(%(books)s)) w
            on w.book_id = d.book_id and w.number = d.number
        where (w.number, w.first_sequence, w.last_sequence, w.closed_at, w.ledger_hash)
                is distinct from (d.number, d.first_sequence, d.last_sequence, d.closed_at, d.hash)
            or d.told_window <> d.number or w.id <> coalesce(d.id, w.id)
        """
    )


@check(
    "window_steps",
    "every window went from step to step as it may, and stands where its records say",
    over="window",
)
def window_steps(scope: Scope) -> Iterator[Row]:
    for window in _windows(scope):
        state, why = "open", ""
        for sequence, kind, *_ in window.steps:
            may, state = _STEPS[kind] if kind != "payment" else (("paying", "settled"), state)
            if window.before(sequence) not in may:
                why = f"{kind} from {window.before(sequence)}"
        if state == "paying" and not scope.once("open_positions", _open_positions).get((window.book, window.number)):
            state = "settled"
        stood, revision = window.stored
        expected = sum(1 for _, kind, *_ in window.steps if kind != "payment")
        if why or stood != state or revision != expected:
            yield {
                "window": window.number,
                "state": stood,
                "derived": state,
                "revision": revision,
                "steps": expected,
                "why": why or "not where its records say",
            }


#: Each record of a window: the states it may find, the state it leaves.
_STEPS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "window_closed": (("open",), "advised"),
    "window_submitted": (("advised",), "submitted"),
    "window_returned": (("submitted",), "advised"),
    "window_aborted": (("advised", "submitted"), "advised"),
    "window_approved": (("submitted",), "funding"),
    "settlement": (("funding",), "paying"),
}
