"""Segments and next offers: versions are what was saved, kept members are counted and bought there, offers are of one's own."""

import hashlib
from collections.abc import Iterable

from ledger.audit.proving import SHOWN, Checks, Row, Scope
from ledger.encoding import canonical

check = Checks()


@check(
    "segment_versions_stay",
    "each version of a segment is what was saved: its digest is that of its definition, versions count from 1 without a gap,"
    " each is of its segment's book and none came before the one before",
    over="segment_version",
)
def segment_versions_stay(scope: Scope) -> Iterable[Row]:
    spoiled = 0
    for segment, version, definition, digest in scope.stream(
        "select segment_id, version, definition, digest from merchants.segment_version where book_id = any(%(books)s)"
        " order by segment_id, version"
    ):
        if hashlib.sha256(canonical(definition)).digest() != bytes(digest) and (spoiled := spoiled + 1) <= SHOWN:
            yield {"segment": segment, "version": version}
    yield from scope.rows(
        """
        select s.id as segment, v.version
        from merchants.segment s
        left join (select *, row_number() over counted as place, lag(at) over counted as before
            from merchants.segment_version window counted as (partition by segment_id order by version)) v
            on v.segment_id = s.id
        where s.book_id = any(%(books)s) and (v.version is null or v.version <> v.place or v.book_id <> s.book_id
            or v.at < coalesce(v.before, s.at))
        """
    )
    yield from scope.rows(
        """
        select v.segment_id as segment, v.version from merchants.segment_version v
        where v.book_id = any(%(books)s) and not exists (select from merchants.segment s where s.id = v.segment_id)
        """
    )


@check(
    "segment_members_counted",
    "of each kept version, so many members are kept as are told; each bought there, and none is kept of what is not",
    over="segment_member",
)
def segment_members_counted(scope: Scope) -> Iterable[Row]:
    yield from scope.rows(
        """
        select k.segment_id as segment, k.version, k.members, count(m.member_id) as found
        from merchants.segment_kept k
        left join merchants.segment_member m on m.segment_id = k.segment_id and m.version = k.version
        left join merchants.segment_version v on v.segment_id = k.segment_id and v.version = k.version
        where k.book_id = any(%(books)s)
        group by k.segment_id, k.version, k.members, k.as_of, v.version
        having k.members <> count(m.member_id) or v.version is null or (k.as_of is null and k.members > 0)
        """
    )
    yield from scope.rows(
        """
        select m.segment_id as segment, m.version, m.member_id as member
        from merchants.segment_member m
        left join merchants.segment s on s.id = m.segment_id and s.book_id = m.book_id
        left join merchants.segment_kept k on k.segment_id = m.segment_id and k.version = m.version
        where m.book_id = any(%(books)s) and (s.id is null or k.version is null or not exists (
            select from merchants.sale sold where sold.member_id = m.member_id and sold.book_id = m.book_id
            and (s.merchant_id is null or sold.merchant_id = s.merchant_id) and sold.at <= k.as_of))
        """
    )


@check(
    "next_offers_own",
    "a member's next offers at a merchant are ranked from 1 without a gap, the likeliest first; the member bought there",
    over="next_offer",
)
def next_offers_own(scope: Scope) -> Iterable[Row]:
    yield from scope.rows(
        """
        select o.member_id as member, o.merchant_id as merchant, o.rank
        from (select *, row_number() over ranked as place, lag(score_ppm) over ranked as above
            from merchants.next_offer window ranked as (partition by member_id, merchant_id order by rank)) o
        where o.book_id = any(%(books)s) and (o.rank <> o.place or o.score_ppm > o.above or not exists (
            select from merchants.sale sold where sold.member_id = o.member_id and sold.book_id = o.book_id
            and sold.merchant_id = o.merchant_id and sold.at <= o.as_of))
        """
    )
