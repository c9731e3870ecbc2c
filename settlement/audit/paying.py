"""A window's postings and its payments: they move what its items say, and no more."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from ledger.audit import Checks, Row, Scope
from settlement.audit.netting import sums

check = Checks()


@check(
    "settlements_post_their_items",
    "each settlement moved the points of its window's slices home and the money of its positions, and nothing else",
    over="entry",
)
def settlements_post_their_items(scope: Scope) -> Iterator[Row]:
    # Per merchant: prefund, backing and position together move by its position, for a merchant and its backing are one
    # party; the position's own account by what is left to be paid in or out.
    posted: defaultdict[tuple[int, int], Counter[tuple[str, UUID | None]]] = defaultdict(Counter)
    told: dict[tuple[int, int], Any] = {}
    for book, number, kind, owner, own_window, amount, payload in scope.stream(
        """
        select r.book_id, (r.payload ->> 'window')::int, a.kind, a.owner_id,
            coalesce(a.window_number = (r.payload ->> 'window')::int, true), sum(e.amount)::bigint, r.payload
        from ledger.record r left join ledger.entry e on e.batch_id = r.batch_id and e.n = r.n
        left join ledger.account a on a.id = e.account_id
        join ledger.batch b on b.id = r.batch_id
        join settlement.consumer c on c.book_id = r.book_id and b.first_sequence + r.n < c.next_sequence
        where r.book_id = any(%(books)s) and r.kind = 'settlement'
        group by 1, 2, 3, 4, 5, 7
        """
    ):
        told[book, number] = payload
        if kind is not None:
            place = {"pool": "mint", "due": "credit"}.get(kind, kind) if own_window else f"{kind} of another window"
            posted[book, number][place, owner] += amount
    for window in scope.once("sums", sums):
        if (window.book, window.number) not in told:
            continue
        moved = posted[window.book, window.number]
        expected: Counter[tuple[str, UUID | None]] = Counter({place: n for place, n in window.points.items() if n})
        expected["fees", None] += sum(fee[2] for fee in window.fees.values())
        payload = told[window.book, window.number]
        for party, columns in window.positions.items():
            if party == window.operator:
                continue
            in_all = sum(moved.pop((kind, party), 0) for kind in ("prefund", "backing"))
            account = moved.pop(("position", party), 0)
            helped = _told_of(payload, "from_prefund", party) - _told_of(payload, "to_backing", party)
            if in_all + account != columns[0] or account != columns[2] + helped:
                yield {
                    "window": window.number,
                    "party": party,
                    "position": columns[0],
                    "moved_in_all": in_all + account,
                    "account": columns[2] + helped,
                    "moved": account,
                }
        for place in sorted(expected.keys() | moved.keys(), key=str):
            if moved[place] != expected[place]:
                yield {
                    "window": window.number,
                    "account": place[0],
                    "owner": place[1],
                    "moved": moved[place],
                    "derived": expected[place],
                }


def _told_of(payload: Any, what: str, party: UUID) -> int:
    return sum(part["amount_minor"] for part in payload[what] if part["merchant"] == str(party))


@check(
    "positions_paid",
    "every position's account is what the settlement left in it and what was paid since; of a settled window it is zero",
    over="position",
)
def positions_paid(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        with accounts as (
            select a.book_id, a.window_number, a.owner_id, sum(e.amount) as balance
            from ledger.account a join ledger.entry e on e.account_id = a.id
            join ledger.batch b on b.id = e.batch_id
            join settlement.consumer c on c.book_id = a.book_id and b.first_sequence + e.n < c.next_sequence
            where a.book_id = any(%(books)s) and a.kind = 'position' group by 1, 2, 3
        ), paid as (
            select book_id, window_number, party_id, sum(case direction when 'pay_out' then -amount_minor
                else amount_minor end) as amount
            from settlement.payment where book_id = any(%(books)s) group by 1, 2, 3
        )
        select w.number as window, w.state, coalesce(a.owner_id, p.party_id) as party, coalesce(a.balance, 0) as balance,
            coalesce(p.account_minor, 0) + coalesce(y.amount, 0) as derived
        from (select p.* from settlement.position p join ledger.book k on k.id = p.book_id
              where p.book_id = any(%(books)s) and p.party_id <> k.operator_id) p
        full join accounts a on a.book_id = p.book_id and a.window_number = p.window_number and a.owner_id = p.party_id
        left join settlement.window w on w.book_id = coalesce(p.book_id, a.book_id)
            and w.number = coalesce(p.window_number, a.window_number)
        left join paid y on y.book_id = p.book_id and y.window_number = p.window_number and y.party_id = p.party_id
        where case when w.state in ('paying', 'settled')
            then coalesce(a.balance, 0) <> coalesce(p.account_minor, 0) + coalesce(y.amount, 0)
                or (w.state = 'settled' and coalesce(a.balance, 0) <> 0)
            else coalesce(a.balance, 0) <> 0 or y.amount is not null end
        """
    )


@check(
    "payments_recorded",
    "every payment is one that a settlement, a payment or its return tells, with the money that its entries moved",
    over="payment",
)
def payments_recorded(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        with events as (
            select r.*, b.first_sequence + r.n as sequence, (r.payload ->> 'window')::int as window_number
            from ledger.record r join ledger.batch b on b.id = r.batch_id
            join settlement.consumer c on c.book_id = r.book_id and b.first_sequence + r.n < c.next_sequence
            where r.book_id = any(%(books)s)
                and r.kind in ('settlement', 'payment', 'cover', 'made_good', 'payment_returned')
        ), told as (
            select book_id, window_number, sequence, merchant_id as party_id,
                coalesce(payload ->> 'direction', 'returned') as direction,
                (payload ->> 'amount_minor')::bigint as amount_minor, payload ->> 'source' as source, at
            from events where kind in ('payment', 'payment_returned')
            union all
            select e.book_id, e.window_number, e.sequence, part.merchant, 'pay_in', part.amount_minor, 'prefund', e.at
            from events e
            cross join jsonb_to_recordset(e.payload -> 'from_prefund') as part(merchant uuid, amount_minor bigint)
            where e.kind = 'settlement'
            union all
            select e.book_id, e.window_number, e.sequence, part.merchant, 'pay_out', part.amount_minor, 'backing', e.at
            from events e
            cross join jsonb_to_recordset(e.payload -> 'to_backing') as part(merchant uuid, amount_minor bigint)
            where e.kind = 'settlement'
            union all
            select e.book_id, e.window_number, e.sequence, e.merchant_id, 'pay_in', part.amount, part.source, e.at
            from events e
            cross join lateral (values ((e.payload ->> 'prefund_minor')::bigint, 'prefund'),
                ((e.payload ->> 'collateral_minor')::bigint, 'collateral'),
                ((e.payload ->> 'loss_minor')::bigint, 'loss'),
                ((e.payload ->> 'shares_minor')::bigint, 'shares')) part(amount, source)
            where e.kind = 'cover' and part.amount <> 0
            union all
            select book_id, window_number, sequence, merchant_id, 'pay_in', (payload ->> 'position_minor')::bigint,
                payload ->> 'source', at
            from events where kind = 'made_good' and payload ->> 'position_minor' <> '0'
        ), moved as (
            select e.sequence, e.book_id, sum(n.amount) as amount
            from events e join ledger.entry n on n.batch_id = e.batch_id and n.n = e.n
            join ledger.account a on a.id = n.account_id and a.kind = 'position' and a.owner_id = e.merchant_id
                and a.window_number = e.window_number
            where e.kind in ('payment', 'made_good', 'payment_returned') group by 1, 2
        )
        select coalesce(p.sequence, t.sequence) as sequence, coalesce(p.party_id, t.party_id) as party,
            p.amount_minor as stored, t.amount_minor as told, m.amount as moved
        from told t
        full join (select * from settlement.payment where book_id = any(%(books)s)) p on p.book_id = t.book_id
            and p.sequence = t.sequence and p.party_id = t.party_id and p.direction = t.direction
            and p.source = t.source
        left join moved m on m.book_id = t.book_id and m.sequence = t.sequence
        where (p.window_number, p.amount_minor, p.at) is distinct from (t.window_number, t.amount_minor, t.at)
            or (t.source in ('bank', 'psp') and m.amount is distinct from
                case t.direction when 'pay_out' then -t.amount_minor else t.amount_minor end)
        """
    )
