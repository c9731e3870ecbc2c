"""Sales and redemptions: the rows that shops read agree with the records the ledger holds."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from collections.abc import Iterable

from ledger.audit.proving import Checks, Row, Scope
from ledger.audit.sequence import RECORDS

check = Checks()


@check(
    "sales_recorded",
    "every sale is as its record tells it, and earned exactly the points that were issued in that record",
    over="sale",
)
def sales_recorded(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with told as (
            select r.*, (payload ->> 'total_minor')::bigint as total_minor,
                (payload ->> 'money_minor')::bigint as money_minor, (payload ->> 'branch')::uuid as branch_id,
                (payload ->> 'points')::bigint as points, payload ->> 'refused' as refused,
                (payload ->> 'contract')::uuid as contract_id, (payload ->> 'terms')::uuid as terms_id
            from {RECORDS} r where kind = 'sale'
        ), issued as (
            select m.batch_id, m.n, sum(m.points) as points, count(*) filter (where l.sale_id is distinct from t.subject_id
                or l.member_id is distinct from t.member_id) as strangers
            from told t join ledger.lot_move m on m.batch_id = t.batch_id and m.n = t.n and m.source = 'home'
            join ledger.lot l on l.id = m.lot_id group by 1, 2
        )
        select coalesce(s.id, t.subject_id) as sale, t.id as record, t.sequence, s.points_earned, t.points,
            coalesce(i.points, 0) as issued,
            case when t.id is null then 'no record tells of it' when s.id is null then 'told of, but no such sale'
                 when s.points_earned <> coalesce(i.points, 0) or i.strangers > 0 then 'not what was issued'
                 else 'unlike what its record tells' end as why
        from told t
        full join (select * from merchants.sale where book_id = any(%(books)s)) s on s.id = t.subject_id
        left join issued i on i.batch_id = t.batch_id and i.n = t.n
        where (s.book_id, s.merchant_id, s.member_id, s.at, s.batch_id, s.n, s.total_minor, s.money_minor, s.branch_id,
               s.points_earned, s.earn_refused, s.contract_id, s.terms_id)
            is distinct from (t.book_id, t.merchant_id, t.member_id, t.at, t.batch_id, t.n, t.total_minor,
               t.money_minor, t.branch_id, t.points, t.refused, t.contract_id, t.terms_id)
            or s.points_earned <> coalesce(i.points, 0) or i.strangers > 0
        """
    )


@check(
    "sales_under_contract",
    "every sale was made under its shop's contract then in force, and bears that contract's purchase fee",
    over="sale",
)
def sales_under_contract(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with versions as (
            select merchant_id, sequence as since, (payload ->> 'contract')::uuid as contract_id,
                (payload ->> 'purchase_fee_ppm')::int as purchase_fee_ppm,
                lead(sequence) over (partition by merchant_id order by sequence) as until
            from {RECORDS} r where kind = 'contract'
        )
        select r.id as record, r.sequence, r.merchant_id as merchant, r.payload ->> 'contract' as contract,
            v.contract_id as in_force, r.payload ->> 'purchase_fee_ppm' as rate, v.purchase_fee_ppm as agreed
        from {RECORDS} r
        left join versions v on v.merchant_id = r.merchant_id and v.since < r.sequence
            and (v.until is null or v.until > r.sequence)
        where r.kind = 'sale' and (
            (r.payload ->> 'contract')::uuid is distinct from v.contract_id
            or (r.payload ->> 'purchase_fee_ppm')::int
                is distinct from case when r.member_id is null then 0 else v.purchase_fee_ppm end)
        """
    )


@check(
    "redemptions_recorded",
    "every redemption is its hold, and no hold is without one; a spend of a voucher is the capture of the voucher's",
    over="redemption",
)
def redemptions_recorded(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select coalesce(d.id, r.subject_id) as redemption, r.id as record, r.sequence, d.points, r.payload ->> 'points' as told,
            case when r.id is null then 'no record tells of it' when d.id is null then 'told of, but no such redemption'
                 else 'unlike what its record tells' end as why
        from (
            select r.*, v.subject_id is not null as vouched
            from {RECORDS} r left join (select subject_id from {RECORDS} r
                where kind = 'hold' and payload -> 'voucher' is not null) v on v.subject_id = r.subject_id
            where r.kind = case when v.subject_id is null then 'hold' else 'capture' end
        ) r
        full join (select * from merchants.redemption where book_id = any(%(books)s)) d on d.id = r.subject_id
        where (d.book_id, d.merchant_id, d.member_id, d.at, d.batch_id, d.n, d.points, d.value_minor, d.consented_by)
            is distinct from (r.book_id, r.merchant_id, r.member_id, r.at, r.batch_id, r.n,
                (r.payload ->> 'points')::bigint, (r.payload ->> 'value_minor')::bigint,
                (r.payload ->> 'consented_by')::uuid)
            or (d.consent = 'voucher') is distinct from r.vouched
        """
    )


@check(
    "vouchers_recorded",
    "every voucher is as the record of its hold tells it: shop, member, device and its key, points, value and both times",
    over="voucher",
)
def vouchers_recorded(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        select coalesce(v.id, r.subject_id) as voucher, r.id as record, r.sequence,
            case when r.id is null then 'no record tells of it' when v.id is null then 'told of, but no such voucher'
                 else 'unlike what its record tells' end as why
        from (select * from {RECORDS} r where kind = 'hold' and payload -> 'voucher' is not null) r
        full join (select * from merchants.voucher where book_id = any(%(books)s)) v on v.id = r.subject_id
        where (v.book_id, v.merchant_id, v.member_id, v.at, v.batch_id, v.n, v.points, v.value_minor, v.deadline,
               v.device_id, v.thumbprint, v.spend_until)
            is distinct from (r.book_id, r.merchant_id, r.member_id, r.at, r.batch_id, r.n,
                (r.payload ->> 'points')::bigint, (r.payload ->> 'value_minor')::bigint,
                (r.payload ->> 'deadline')::timestamptz, (r.payload #>> '{{voucher,device}}')::uuid,
                r.payload #>> '{{voucher,thumbprint}}', (r.payload #>> '{{voucher,spend_until}}')::timestamptz)
            or (select (sum((part ->> 0)::bigint)::bigint, sum((part ->> 0)::bigint * (part ->> 1)::bigint)::bigint)
                from jsonb_array_elements(v.parts) as part) is distinct from (v.points, v.value_minor)
        """
    )


@check(
    "points_pay_once",
    "a redemption pays for one sale at most, of its own shop and member, and the sale's money part is the rest",
    over="sale",
)
def points_pay_once(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select s.id as sale, s.redemption_id as redemption, s.total_minor as total, s.money_minor as money,
            d.value_minor as paid_in_points, s.times as sales_paid
        from (select *, count(*) over (partition by redemption_id) as times from merchants.sale
              where book_id = any(%(books)s)) s
        left join merchants.redemption d on d.id = s.redemption_id
        where s.total_minor - s.money_minor <> coalesce(d.value_minor, 0)
            or (s.redemption_id is not null and (d.id is null or s.times > 1 or d.merchant_id <> s.merchant_id
                or d.member_id is distinct from s.member_id))
        """
    )


@check("references_once", "no shop has two sales, redemptions or refunds under one external reference", over="sale")
def references_once(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select kind, merchant_id as merchant, external_reference as reference, count(*) as times
        from (
            select 'sale' as kind, merchant_id, external_reference from merchants.sale where book_id = any(%(books)s)
            union all
            select 'redemption', merchant_id, external_reference from merchants.redemption
            where book_id = any(%(books)s)
            union all
            select 'refund', merchant_id, external_reference from merchants.refund where book_id = any(%(books)s)
        ) named
        group by 1, 2, 3 having count(*) > 1
        """
    )
