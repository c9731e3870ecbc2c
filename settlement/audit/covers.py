"""Who did not pay: what stood in for it, in which order, and what it freed."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final
from uuid import UUID

from ledger.audit import Checks, Row, Scope
from settlement.audit.netting import sums

check = Checks()


#: What each record of money that stands in for another moves: (payload's name, account that gives, account that takes).
#: `source` is the account that the record itself names.
_STANDING_IN: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "collateral_deposited": (("amount_minor", "bank", "collateral"),),
    "collateral_returned": (("amount_minor", "collateral", "bank"),),
    "loss_funded": (("amount_minor", "bank", "loss"),),
    "cover": (
        ("prefund_minor", "prefund", "position"),
        ("collateral_minor", "collateral", "position"),
        ("loss_minor", "loss", "position"),
        ("shares_minor", "shares", "position"),
    ),
    "made_good": (
        ("position_minor", "source", "position"),
        ("shares_minor", "source", "shares"),
        ("loss_minor", "source", "loss"),
        ("collateral_minor", "source", "collateral"),
    ),
    "payment_returned": (("amount_minor", "source", "position"),),
}


@check(
    "covers_posted",
    "collateral, loss fund and shares moved by the amounts that their records tell, at the merchant and window they name",
    over="entry",
)
def covers_posted(scope: Scope) -> Iterator[Row]:
    moved: defaultdict[tuple[int, int], Counter[str]] = defaultdict(Counter)
    told: dict[tuple[int, int], tuple[str, dict[str, Any]]] = {}
    for batch, n, kind, payload, place, amount in scope.stream(
        """
        select r.batch_id, r.n, r.kind, r.payload, case when (a.owner_id is null or a.owner_id = r.merchant_id)
                and (a.window_number is null or a.window_number = (r.payload ->> 'window')::int) then a.kind
                else a.name end, e.amount
        from ledger.record r left join ledger.entry e on e.batch_id = r.batch_id and e.n = r.n and e.asset = 'money'
        left join ledger.account a on a.id = e.account_id
        where r.book_id = any(%(books)s) and r.kind = any(%(kinds)s)
        """,
        kinds=list(_STANDING_IN),
    ):
        told[batch, n] = (kind, payload)
        if place is not None:
            moved[batch, n][place] += amount
    for (batch, n), (kind, payload) in sorted(told.items()):
        expected: Counter[str] = Counter()
        for name, giver, taker in _STANDING_IN[kind]:
            expected[payload["source"] if giver == "source" else giver] -= payload[name]
            expected[taker] += payload[name]
        found = moved[batch, n]
        for place in sorted(expected.keys() | found.keys()):
            if expected[place] != found[place]:
                yield {
                    "batch": batch,
                    "n": n,
                    "kind": kind,
                    "account": place,
                    "told": expected[place],
                    "moved": found[place],
                }


@check(
    "shares_bounded",
    "nobody bears more of another's failure than a tenth of what it was to receive, nor all together more than is missing;"
    " nobody is given back more than it bore",
    over="window",
)
def shares_bounded(scope: Scope) -> Iterator[Row]:
    receiving = {
        (window.book, window.number): {party: columns[2] for party, columns in window.positions.items()}
        for window in scope.once("sums", sums)
    }
    borne: dict[tuple[int, int, UUID], Counter[str]] = {}
    for book, sequence, merchant, kind, payload in scope.stream(
        """
        select r.book_id, b.first_sequence + r.n, r.merchant_id, r.kind, r.payload
        from ledger.record r join ledger.batch b on b.id = r.batch_id
        where r.book_id = any(%(books)s) and r.kind in ('cover', 'made_good') order by 1, 2
        """
    ):
        number = payload["window"]
        told = payload.get("shares" if kind == "cover" else "shares_returned", [])
        so_far = borne.setdefault((book, number, merchant), Counter())
        was = receiving.get((book, number), {})
        if kind == "cover":
            paid = sum(payload[f"{name}_minor"] for name in ("prefund", "collateral", "loss", "shares"))
            every = sum(part["amount_minor"] for part in told)
            if told and (so_far or paid + every > payload["owed_minor"]):
                yield {"sequence": sequence, "owed": payload["owed_minor"], "paid": paid, "shares": every}
        for part in told:
            k, amount = part["merchant"], part["amount_minor"]
            if kind == "cover" and (amount <= 0 or amount * 10 > was.get(UUID(k), 0)):
                yield {"sequence": sequence, "party": k, "share": amount, "receives": was.get(UUID(k), 0)}
            so_far[k] += amount if kind == "cover" else -amount
            if so_far[k] < 0:
                yield {"sequence": sequence, "party": k, "given_back_beyond_its_share": -so_far[k]}


@check(
    "due_freed_by_its_own_money",
    "of the points that wait for a merchant no larger part is free than it has paid itself of what it had to pay",
    over="account",
)
def due_freed_by_its_own_money(scope: Scope) -> Iterable[Row]:
    # what it had to pay is what the settlement left in its position before its prefund paid; all it has paid: the prefund
    # then and later, its payments, and what it has made good
    return scope.rows(
        """
        with moved as (
            select a.book_id, a.owner_id, a.window_number, a.kind, r.kind as by, e.amount,
                r.merchant_id = a.owner_id as own, r.payload
            from ledger.account a join ledger.entry e on e.account_id = a.id
            join ledger.record r on r.batch_id = e.batch_id and r.n = e.n
            where a.book_id = any(%(books)s) and a.kind = 'due'
        ), waiting as (
            select book_id, owner_id, window_number, sum(amount) as left_over,
                max(case when by = 'settlement' then d.points end) as points
            from moved
            left join lateral (select sum(part.points)::bigint as points
                from jsonb_to_recordset(payload -> 'due') as part(merchant uuid, points bigint)
                where part.merchant = owner_id) d on by = 'settlement'
            group by 1, 2, 3
        ), own as (
            select w.book_id, w.owner_id, w.window_number, sum(case
                when r.kind = 'settlement' then (select coalesce(sum(part.amount_minor), 0)
                    from jsonb_to_recordset(r.payload -> 'from_prefund') as part(merchant uuid, amount_minor bigint)
                    where part.merchant = w.owner_id)
                when r.kind = 'cover' then (r.payload ->> 'prefund_minor')::bigint
                else (r.payload ->> 'amount_minor')::bigint end) as paid
            from waiting w join ledger.record r on r.book_id = w.book_id
                and r.kind in ('settlement', 'cover', 'made_good', 'payment')
                and (r.payload ->> 'window')::int = w.window_number
                and (r.kind = 'settlement' or r.merchant_id = w.owner_id)
                and coalesce(r.payload ->> 'direction', 'pay_in') = 'pay_in'
            group by 1, 2, 3
        ), owed as (
            select a.book_id, a.owner_id, a.window_number, -sum(e.amount) + coalesce(max(p.amount), 0) as owed
            from ledger.account a join ledger.entry e on e.account_id = a.id
            join ledger.record r on r.batch_id = e.batch_id and r.n = e.n and r.kind = 'settlement'
            left join lateral (select sum(part.amount_minor)::bigint as amount
                from jsonb_to_recordset(r.payload -> 'from_prefund') as part(merchant uuid, amount_minor bigint)
                where part.merchant = a.owner_id) p on true
            where a.book_id = any(%(books)s) and a.kind = 'position' group by 1, 2, 3
        )
        select w.owner_id as merchant, w.window_number as window, w.points, w.left_over, o.owed, own.paid
        from waiting w join owed o using (book_id, owner_id, window_number)
        left join own using (book_id, owner_id, window_number)
        where (w.points - w.left_over) * o.owed > w.points * coalesce(own.paid, 0)
            or (coalesce(own.paid, 0) = o.owed and w.left_over <> 0)
        """
    )


@check(
    "adjusted_by_two",
    "every adjustment is what one person proposed and another approved, of a window that was closed by then or of a break,"
    " each once",
    over="record",
)
def adjusted_by_two(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select a.id as record, a.subject_id as adjustment
        from ledger.record a
        join ledger.batch b on b.id = a.batch_id
        left join ledger.record p on p.id = a.subject_id and p.kind = 'adjustment_proposed' and p.book_id = a.book_id
        left join ledger.record c on c.book_id = a.book_id and c.kind = 'window_closed'
            and c.payload -> 'window' = a.payload -> 'window'
        where a.book_id = any(%(books)s) and a.kind = 'adjustment' and (p.id is null
             or (c.id is null and not a.payload ? 'break')
            or p.payload - 'operator' <> a.payload - 'operator'
            or coalesce(p.payload ->> 'operator' = a.payload ->> 'operator', true)
            or exists (select from ledger.record other where other.book_id = a.book_id and other.id <> a.id
                and other.subject_id = a.subject_id and other.kind in ('adjustment', 'adjustment_rejected')))
        """
    )


@check(
    "returned_once",
    "what the bank sent back is a pay-out of that window, to that merchant, of that amount, each sent back once",
    over="payment",
)
def returned_once(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select r.id as record, r.merchant_id as merchant, r.reverses_id as payment, count(*) over (partition by r.reverses_id)
        from ledger.record r
        left join ledger.record p on p.id = r.reverses_id and p.kind = 'payment' and p.book_id = r.book_id
            and p.payload ->> 'direction' = 'pay_out' and p.merchant_id = r.merchant_id
            and p.payload -> 'amount_minor' = r.payload -> 'amount_minor'
            and p.payload -> 'window' = r.payload -> 'window'
        where r.book_id = any(%(books)s) and r.kind = 'payment_returned' and (p.id is null or exists (
            select from ledger.record other where other.reverses_id = r.reverses_id and other.id <> r.id
                and other.kind = 'payment_returned' and other.book_id = r.book_id))
        """
    )


@check(
    "accepted_not_settled",
    "the points each shop has accepted are the captured slices of windows that are not posted yet",
    over="account",
)
def accepted_not_settled(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        with settled as (
            select c.book_id, max(b.first_sequence + c.n) as until
            from ledger.record c join ledger.batch b on b.id = c.batch_id
            join ledger.record s on s.subject_id = c.subject_id and s.kind = 'settlement'
            where c.book_id = any(%(books)s) and c.kind = 'window_closed' group by 1
        ), slices as (
            select b.book_id, m.merchant_id, sum(case m.target when 'accepted' then m.points else -m.points end) as points
            from ledger.lot_move m join ledger.batch b on b.id = m.batch_id
            left join settled s on s.book_id = b.book_id
            where b.book_id = any(%(books)s) and 'accepted' in (m.source, m.target)
              and b.first_sequence + m.n > coalesce(s.until, -1)
            group by 1, 2
        )
        select coalesce(a.owner_id, s.merchant_id) as shop, coalesce(a.balance, 0) as accepted,
            coalesce(s.points, 0) as not_settled
        from (select * from ledger.account where book_id = any(%(books)s) and kind = 'accepted') a
        full join slices s on s.book_id = a.book_id and s.merchant_id = a.owner_id
        where coalesce(a.balance, 0) <> coalesce(s.points, 0)
        """
    )


#: All of settlement's, its rooms' included.
