"""Lots: re-derived from their moves alone, and checked against the records that made them and the entries beside them."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from collections.abc import Iterable
from typing import Final

from ledger.audit.budgets import AT_HOME
from ledger.audit.funding import LOTS, funded
from ledger.audit.proving import Checks, Row, Scope
from ledger.audit.sequence import RECORDS
from ledger.working import GRACE

check = Checks()

#: Every move with what it does to the three parts of its lot.
_STEPS: Final = """
(select m.lot_id, m.batch_id, m.n, m.ordinal, b.first_sequence + m.n as sequence, m.source, m.target, m.points,
    m.points * ((m.target = 'pending')::int - (m.source = 'pending')::int) as pending,
    m.points * ((m.target = 'wallet')::int - (m.source = 'wallet')::int) as remaining,
    m.points * ((m.target = 'held')::int - (m.source = 'held')::int) as held
 from ledger.lot_move m join ledger.batch b on b.id = m.batch_id where b.book_id = any(%(books)s))
"""


#: What moved the expiry of lots: grace, and in a network that expires the points of the inactive, their members' activity.
MOVED: Final = f"""
(select moved.lot as lot_id, r.sequence, r.at, r.book_id, r.member_id, change.graced, moved.expired_at, moved.expires_at
 from {RECORDS} r
 cross join lateral (values (true, r.payload -> 'graced'), (false, r.payload -> 'prolonged')) as change(graced, lots)
 cross join lateral jsonb_to_recordset(change.lots) as moved(lot uuid, expired_at timestamptz, expires_at timestamptz)
 where (r.kind = 'redemption_refund' or r.payload ? 'prolonged') and jsonb_typeof(change.lots) = 'array')
"""

#: When a lot whose expiry was moved was to expire, from which record on (`since`; null: its birth) and before which.
LIVES: Final = f"""
(select lot_id, sequence as since, lead(sequence) over lot as until, expires_at from {MOVED} moved
 window lot as (partition by lot_id order by sequence)
 union all
 (select distinct on (lot_id) lot_id, null, sequence, expired_at from {MOVED} moved order by lot_id, sequence))
"""

#: After how many days of inactivity a book's points expire, from which record on and before which.
_INACTIVITY: Final = f"""
(with rules as (
    select book_id, sequence, (payload ->> 'inactivity_days')::int as days,
        (payload #>> '{{before,inactivity_days}}')::int as before from {RECORDS} r where kind = 'rules'
 )
 select book_id, sequence as since, lead(sequence) over (partition by book_id order by sequence) as until, days from rules
 union all
 (select distinct on (book_id) book_id, 0, sequence, before from rules order by book_id, sequence)
 union all
 select id, 0, null, inactivity_days from ledger.book where id <> all (select book_id from rules))
"""


@check(
    "lots_derived", "what each lot has pending, in the wallet, held and home again is the sum of its moves", over="lot"
)
def lots_derived(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select l.id as lot, l.member_id as member, l.pending, coalesce(s.pending, 0) as moved_pending,
            l.remaining, coalesce(s.remaining, 0) as moved_remaining, l.held, coalesce(s.held, 0) as moved_held,
            l.returned, coalesce(s.returned, 0) as moved_home
        from ledger.lot l
        left join (select lot_id, sum(pending) as pending, sum(remaining) as remaining, sum(held) as held,
                       sum(points) filter (where target = 'home') as returned
                   from {_STEPS} steps group by 1) s on s.lot_id = l.id
        where l.book_id = any(%(books)s)
          and (l.pending, l.remaining, l.held, l.returned)
              <> (coalesce(s.pending, 0), coalesce(s.remaining, 0), coalesce(s.held, 0), coalesce(s.returned, 0))
        order by 1
        """
    )


@check(
    "lots_never_overdrawn",
    "after no move, in the order of the book, had a lot less than nothing anywhere or more than it was born with",
    over="lot_move",
)
def lots_never_overdrawn(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select s.lot_id as lot, s.batch_id as batch, s.n, s.sequence, s.pending, s.remaining, s.held, l.points as born
        from (
            select lot_id, batch_id, n, sequence, sum(pending) over lot as pending,
                sum(remaining) over lot as remaining, sum(held) over lot as held
            from {_STEPS} steps window lot as (partition by lot_id order by sequence, ordinal)
        ) s join ledger.lot l on l.id = s.lot_id
        where s.pending < 0 or s.remaining < 0 or s.held < 0 or s.pending + s.remaining + s.held > l.points
        order by s.sequence
        """
    )


@check(
    "lots_born_once",
    "every lot is as the record that made it tells it, made once, by a move of all its points from home, or from its parent",
    over="lot",
)
def lots_born_once(scope: Scope) -> Iterable[Row]:
    # a lot whose expiry was moved is compared by when it was to expire at first; nothing moves available_at
    return scope.rows(
        f"""
        with told as (
            select r.book_id, r.batch_id, r.n, r.kind,
                case r.kind when 'gift' then (r.payload ->> 'receiver')::uuid else r.member_id end as member_id,
                case r.kind when 'gift' then born.earned_at else r.at end as at, born.*
            from ledger.record r
            cross join jsonb_to_recordset(r.payload -> 'lots') as born(lot uuid, issuer uuid, unit_value_minor bigint,
                funding text, contract uuid, rule uuid, sale uuid, parent uuid, points bigint,
                available_at timestamptz, expires_at timestamptz, earned_at timestamptz)
            where r.book_id = any(%(books)s) and jsonb_typeof(r.payload -> 'lots') = 'array'
        ), births as (
            select m.lot_id, count(*) as times, sum(m.points) as points
            from ledger.lot_move m join ledger.lot l on l.id = m.lot_id and l.batch_id = m.batch_id and l.n = m.n
            where case when l.parent_id is not null then m.source = 'given' and m.target = 'wallet' else m.source = 'home'
                and m.target = case when l.available_at <= l.earned_at then 'wallet' else 'pending' end end
            group by 1
        )
        select coalesce(l.id, t.lot) as lot, coalesce(l.batch_id, t.batch_id) as batch, coalesce(l.n, t.n) as n,
            case when t.lot is null then 'no record tells of it' when l.id is null then 'told of, but no such lot'
                 when b.times is distinct from 1 or b.points <> l.points then 'not born by one move of all its points'
                 else 'unlike what its record tells' end as why
        from told t
        full join {LOTS} l on l.id = t.lot
        left join births b on b.lot_id = l.id
        left join {LIVES} born on born.lot_id = l.id and born.since is null
        where (l.book_id, l.batch_id, l.n, l.member_id, l.earned_at, l.issuer_id, l.unit_value_minor,
               coalesce(l.first_funding, l.funding), l.contract_id, l.rule_id, l.sale_id, l.parent_id, l.points, l.available_at,
               coalesce(born.expires_at, l.expires_at))
            is distinct from
              (t.book_id, t.batch_id, t.n, t.member_id, t.at, t.issuer, t.unit_value_minor, t.funding,
               t.contract, t.rule, t.sale, t.parent, t.points, t.available_at, t.expires_at)
            or b.times is distinct from 1 or b.points <> l.points or (t.kind = 'gift') <> (t.parent is not null)
        """
    )


@check(
    "lots_under_contract",
    "every lot was issued under its issuer's contract then in force: its funding, its unit value",
    over="lot",
)
def lots_under_contract(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with versions as (
            select merchant_id, sequence as since, (payload ->> 'contract')::uuid as contract_id,
                payload ->> 'mode' as mode, (payload ->> 'unit_value_minor')::bigint as unit_value_minor,
                lead(sequence) over (partition by merchant_id order by sequence) as until
            from {RECORDS} r where kind = 'contract'
        )
        select l.id as lot, l.issuer_id as issuer, b.first_sequence + l.n as sequence, l.contract_id as contract,
            v.contract_id as in_force, l.funding, v.mode, l.unit_value_minor as unit_value, v.unit_value_minor as agreed
        from {LOTS} l join ledger.batch b on b.id = l.batch_id
        left join versions v on v.merchant_id = l.issuer_id and v.since < b.first_sequence + l.n
            and (v.until is null or v.until > b.first_sequence + l.n)
        where l.book_id = any(%(books)s) and l.parent_id is null
          and (l.contract_id, coalesce(l.first_funding, l.funding), l.unit_value_minor)
              is distinct from (v.contract_id, v.mode, v.unit_value_minor)
        """
    )


@check(
    "members_own_their_lots",
    "each member's wallet, pending and held accounts are the sums of that member's lots",
    over="lot",
)
def members_own_their_lots(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select book_id as book, member, kind, sum(balance) as balance, sum(in_lots) as in_lots
        from (
            select book_id, owner_id as member, kind, balance, 0 as in_lots
            from ledger.account where book_id = any(%(books)s) and kind in ('wallet', 'pending', 'held')
            union all
            select l.book_id, l.member_id, part.kind, 0, part.points
            from ledger.lot l
            cross join lateral (values ('wallet', l.remaining), ('pending', l.pending), ('held', l.held))
                as part(kind, points)
            where l.book_id = any(%(books)s) and part.points <> 0
        ) sides
        group by 1, 2, 3 having sum(balance) <> sum(in_lots)
        """
    )


@check(
    "moves_match_entries",
    "in every record the lot moves and the entries tell the same story, place by place",
    over="lot_move",
)
def moves_match_entries(scope: Scope) -> Iterable[Row]:
    # A settlement moves accepted points window by window, not lot by lot; its own check holds it to the slices. What
    # moves no lot, buying, selling back and buying out, has a check of its own as well.
    # Several accounts may be one place: prefunded lots come from the pool and go back to it or to the mint, deferred
    # ones that are settled wait in due until their issuer has paid, and a budget is a part of where it came from.
    return scope.rows(
        f"""
        select r.id as record, r.kind, r.sequence, sides.place, sides.owner, sum(by_lots) as by_lots,
            sum(by_entries) as by_entries
        from (
            select m.batch_id, m.n,
                case when side.place <> 'home' then side.place
                     else case {funded("b.first_sequence + m.n")} when 'deferred' then 'credit'
                         when 'closed_loop' then 'own' else 'pool' end end as place,
                case when side.place = 'home' then l.issuer_id when side.place in ('wallet', 'pending', 'held')
                     then l.member_id else m.merchant_id end as owner,
                side.points as by_lots, 0 as by_entries
            from ledger.lot_move m join {LOTS} l on l.id = m.lot_id join ledger.batch b on b.id = m.batch_id
            cross join lateral (values (m.target, m.points), (m.source, -m.points)) as side(place, points)
            union all
            select e.batch_id, e.n, case a.kind when 'mint' then 'pool' when 'due' then 'credit' else a.kind end,
                a.owner_id, 0, e.amount
            from ledger.entry e join ledger.account a on a.id = e.account_id
            where a.book_id = any(%(books)s)
              and a.kind in ('wallet', 'pending', 'held', 'accepted', 'pool', 'mint', 'credit', 'due', 'own')
            union all
            select h.batch_id, h.n, h.kind, h.owner_id, 0, h.amount from {AT_HOME} h
        ) sides
        join {RECORDS} r on r.batch_id = sides.batch_id and r.n = sides.n
        where r.kind not in ('settlement', 'purchase', 'sell_back', 'exit', 'buy_out')
        group by 1, 2, 3, 4, 5 having sum(by_lots) <> sum(by_entries)
        order by 3
        """
    )


@check(
    "expiry_respected",
    "no point left a wallet after its lot expired except to go home, and none went home by expiry before that",
    over="lot_move",
)
def expiry_respected(scope: Scope) -> Iterable[Row]:
    # a lot that expired while held may still be captured: `captures_in_time` proves the hold's deadline
    return scope.rows(
        f"""
        select m.lot_id as lot, r.id as record, r.kind, r.at, l.available_at,
            coalesce(life.expires_at, l.expires_at) as expires_at, m.source, m.target, m.points
        from ledger.lot_move m
        join {RECORDS} r on r.batch_id = m.batch_id and r.n = m.n
        join ledger.lot l on l.id = m.lot_id
        left join {LIVES} life on life.lot_id = l.id and r.sequence >= coalesce(life.since, 0)
            and (life.until is null or r.sequence < life.until)
        where case
            when r.kind = 'expiry' then m.target <> 'home' or m.source <> 'wallet'
                or coalesce(life.expires_at, l.expires_at) > r.at
            when m.source = 'wallet' and m.target = 'home' then r.kind <> 'refund'
            when m.source = 'wallet' then coalesce(life.expires_at, l.expires_at) <= r.at
            when m.source = 'pending' and m.target = 'wallet' then l.available_at > r.at
            else false end
        """
    )


@check(
    "wallets_in_order",
    "along each member's points the numbers of the batches rise with the sequence, so that lots are ordered as they came",
    over="lot_move",
)
def wallets_in_order(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select member, batch, first_sequence, before
        from (
            select member_id as member, batch_id as batch, first_sequence,
                lag(batch_id) over (partition by member_id order by first_sequence) as before
            from (
                select distinct l.member_id, m.batch_id, b.first_sequence
                from ledger.lot_move m join ledger.lot l on l.id = m.lot_id join ledger.batch b on b.id = m.batch_id
                where b.book_id = any(%(books)s)
            ) steps
        ) placed
        where batch < before
        """
    )


@check(
    "soonest_expiry_first",
    "every hold took the lots its shop accepts, and every gift any, soonest expiry first: none that goes earlier was passed over",
    over="hold",
)
def soonest_expiry_first(scope: Scope) -> Iterable[Row]:
    # What each lot had in the wallet, and from which record to which, is summed from the moves; a hold is then held
    # against all that its member had at that moment. A redemption that asks for a value takes whole points: it may
    # leave a lot whose next point is worth more than all that it still took from later lots.
    return scope.rows(
        f"""
        with had as (
            select lot_id, sequence as since, lead(sequence) over lot as until, sum(remaining) over lot as points
            from (select lot_id, sequence, sum(remaining) as remaining from {_STEPS} s group by 1, 2) per_record
            window lot as (partition by lot_id order by sequence)
        ), wallets as (
            select had.*, l.member_id, l.batch_id, l.n, l.issuer_id, l.funding, l.first_funding, l.bought_out, l.unit_value_minor,
                coalesce(life.expires_at, l.expires_at) as expires_at, life.since as life_since, life.until as life_until
            from had join {LOTS} l on l.id = had.lot_id left join {LIVES} life on life.lot_id = l.id
            where had.points > 0
        ), taken as (
            select r.id as record, r.sequence, r.at, r.kind, r.merchant_id, l.member_id, l.batch_id, l.n, l.id as lot_id,
                coalesce(life.expires_at, l.expires_at) as expires_at, m.points * l.unit_value_minor as value
            from {RECORDS} r
            join ledger.lot_move m on m.batch_id = r.batch_id and m.n = r.n and m.target in ('held', 'given')
            join ledger.lot l on l.id = m.lot_id
            -- a hold chooses, and then prolongs
            left join {LIVES} life on life.lot_id = l.id and r.sequence > coalesce(life.since, -1)
                and (life.until is null or r.sequence <= life.until)
            where r.kind in ('hold', 'gift')
        )
        select t.record, t.sequence, t.member_id as member, w.lot_id as passed_over, w.points as left_in_it,
            w.expires_at, sum(t.value) as value_taken_later
        from taken t
        join wallets w on w.member_id = t.member_id and w.since <= t.sequence
            and (w.until is null or w.until > t.sequence) and w.expires_at > t.at
            and t.sequence > coalesce(w.life_since, -1) and (w.life_until is null or t.sequence <= w.life_until)
            and (w.expires_at, w.batch_id, w.n, w.lot_id) < (t.expires_at, t.batch_id, t.n, t.lot_id)
            and (t.kind = 'gift' or w.issuer_id = t.merchant_id
                or {funded("t.sequence", "w")} <> 'closed_loop')
        group by 1, 2, 3, 4, 5, 6, w.unit_value_minor
        having sum(t.value) >= w.unit_value_minor
        order by 2
        """
    )


@check(
    "expiry_moved_lawfully",
    "what moved a lot's expiry was a refund's grace, once and after it had expired, or its member's activity before that",
    over="lot",
)
def expiry_moved_lawfully(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with changes as (
            select m.*, lag(expires_at) over lot as before, lead(sequence) over lot as next,
                count(*) filter (where graced) over (partition by lot_id) as graces,
                (date_trunc('day', m.at at time zone b.time_zone) + make_interval(days => i.days + 1))
                    at time zone b.time_zone as active_until
            from {MOVED} m join ledger.book b on b.id = m.book_id
            left join {_INACTIVITY} i on i.book_id = m.book_id and m.sequence >= i.since
                and (i.until is null or m.sequence < i.until)
            window lot as (partition by lot_id order by sequence)
        )
        select coalesce(l.id, c.lot_id) as lot, c.sequence, c.graced, l.grace_used, c.expired_at, c.expires_at,
            l.expires_at as now_expires_at
        from (select * from ledger.lot where book_id = any(%(books)s)) l
        full join changes c on c.lot_id = l.id
        -- a lot that was given has the grace its parent had
        left join (
            select distinct born.lot from {RECORDS} r
            cross join lateral jsonb_to_recordset(r.payload -> 'lots') as born(lot uuid, grace_used boolean)
            where r.kind = 'gift' and born.grace_used
        ) had on had.lot = l.id
        where l.id is null or l.grace_used <> (coalesce(c.graces, 0) > 0 or had.lot is not null)
            or coalesce(c.graces, 0) + (had.lot is not null)::int > 1
            or (c.before is not null and c.before <> c.expired_at) or (c.next is null and c.expires_at <> l.expires_at)
            or (c.graced and (c.expired_at > c.at or c.expires_at <> c.at + make_interval(secs => %(grace)s)))
            or (not c.graced and (c.member_id <> l.member_id or c.expired_at <= c.at or c.expires_at <= c.expired_at
                or c.expires_at is distinct from c.active_until))
        """,
        grace=int(GRACE.total_seconds()),
    )


@check(
    "active_members_keep_their_points",
    "where the points of the inactive expire, every earning and spending member's living points were prolonged by it",
    over="lot",
)
def active_members_keep_their_points(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with had as (
            select lot_id, sequence as since, lead(sequence) over lot as until,
                sum(remaining + pending) over lot as points
            from (select lot_id, sequence, sum(remaining) as remaining, sum(pending) as pending
                  from {_STEPS} s group by 1, 2) per_record
            window lot as (partition by lot_id order by sequence)
        ), acts as (
            select r.sequence, r.at, r.member_id, (date_trunc('day', r.at at time zone b.time_zone)
                + make_interval(days => i.days + 1)) at time zone b.time_zone as active_until
            from {RECORDS} r join ledger.book b on b.id = r.book_id
            join {_INACTIVITY} i on i.book_id = r.book_id and i.days is not null and r.sequence >= i.since
                and (i.until is null or r.sequence < i.until)
            where r.kind in ('sale', 'hold') and r.member_id is not null
        )
        select l.id as lot, a.sequence, coalesce(life.expires_at, l.expires_at) as expires_at, a.active_until
        from acts a
        join ledger.lot l on l.member_id = a.member_id
        join had on had.lot_id = l.id and had.points > 0 and had.since <= a.sequence
            and (had.until is null or had.until > a.sequence)
        left join {LIVES} life on life.lot_id = l.id and a.sequence >= coalesce(life.since, 0)
            and (life.until is null or a.sequence < life.until)
        where coalesce(life.expires_at, l.expires_at) > a.at
            and coalesce(life.expires_at, l.expires_at) < a.active_until
        """
    )


@check(
    "noticed_once",
    "a member was told of the coming expiry of a lot of theirs once a stage, that many days before or fewer",
    over="lot",
)
def noticed_once(scope: Scope) -> Iterable[Row]:
    # unfolded once, before anything meets it: a book has as many notices as sales
    return scope.rows(
        """
        with told as materialized (
            select r.id as record, r.member_id, r.at, (r.payload ->> 'days')::int as days, told.*
            from ledger.record r cross join lateral jsonb_to_recordset(r.payload -> 'expiring')
                as told(lot uuid, points bigint, expires_at timestamptz)
            where r.book_id = any(%(books)s) and r.kind = 'expiry_notice'
        )
        select t.lot, t.record, t.days, t.expires_at, t.at, l.member_id
        from told t left join ledger.lot l on l.id = t.lot
        where l.member_id is distinct from t.member_id or t.points > l.points or t.points <= 0 or t.expires_at <= t.at
            or t.expires_at >= t.at + make_interval(days => t.days + 1, hours => 2)
        union all
        select lot, null, days, expires_at, min(at), null from told group by lot, days, expires_at having count(*) > 1
        """
    )
