"""Who members were to the rules that asked: tiers, segments and occasions."""
# ruff: noqa: S608 - the statements are composed of this room's own constants

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import ledger
from ledger.audit import RECORDS, Checks, Row, Scope
from merchants.trade.audit.written import written

check = Checks()


@check(
    "tier_as_told",
    "the tier that a sale was decided on is what was told of its member until then, or until two minutes before: on the shop's"
    " own ladder if it had one, else on the network's",
    over="sale",
)
def tier_as_told(scope: Scope) -> Iterable[Row]:
    # a change of tier takes no lock of the wallet, so that a sale posted at the same moment may have seen the one before
    return scope.rows(
        f"""
        with own as (
            select merchant_id, min(sequence) as begins from {RECORDS} r
            where kind = 'ladder' and merchant_id is not null group by 1
        ), changed as (
            select r.book_id, r.member_id, coalesce(r.merchant_id, k.public_id) as owner_id, r.sequence, r.at,
                r.payload ->> 'tier' as tier
            from {RECORDS} r join ledger.book k on k.id = r.book_id where r.kind = 'tier_changed'
        ), told as (
            select book_id, member_id, owner_id, tier, sequence, lead(sequence) over following as over_sequence,
                lead(at) over following as over_at
            from changed window following as (partition by book_id, member_id, owner_id order by sequence)
            union all
            -- and none before the first
            (select distinct on (book_id, member_id, owner_id) book_id, member_id, owner_id, null, 0, sequence, at
            from changed order by book_id, member_id, owner_id, sequence)
        ), sold as (
            select r.id, r.subject_id, r.book_id, r.member_id, r.sequence, r.at, r.payload -> 'facts' ->> 'tier' as tier,
                case when o.begins < r.sequence then r.merchant_id else k.public_id end as owner_id
            from {RECORDS} r join ledger.book k on k.id = r.book_id left join own o on o.merchant_id = r.merchant_id
            where r.kind = 'sale' and r.payload -> 'facts' ? 'tier'
        )
        select s.subject_id as sale, s.id as record, s.tier
        from sold s
        where not exists (
            select from told t where t.book_id = s.book_id and t.member_id = s.member_id and t.owner_id = s.owner_id
                and t.sequence < s.sequence and t.tier is not distinct from s.tier
                and (t.over_sequence is null or t.over_sequence > s.sequence or t.over_at >= s.at - interval '2 minutes'))
            and (s.tier is not null or exists (
                select from told t where t.book_id = s.book_id and t.member_id = s.member_id and t.owner_id = s.owner_id))
        """
    )


@dataclass(frozen=True, slots=True)
class _Asks:
    """What rules as they are written ask of a member: by the name of the fact, the names that they have for it."""

    tier: frozenset[str]
    segments: frozenset[str]
    occasions: frozenset[str]

    @classmethod
    def of(cls, rules: Any) -> "_Asks":
        whens = [rule.get("when", {}) for rule in rules.get("rules", ())]
        named = {
            of: frozenset(name for when in whens for name in when.get(of, ())) for of in ("tier", "segment", "occasion")
        }
        return cls(named["tier"], named["segment"], named["occasion"])

    def of_fact(self, fact: str) -> frozenset[str]:
        return {"tier": self.tier, "segments": self.segments, "occasions": self.occasions}[fact]


_ASKED: Final = ("tier", "segments", "occasions")


@check(
    "facts_asked",
    "a sale keeps of its member the tier, the segments and the occasions that rules in force there asked for, and no others",
    over="sale",
)
def facts_asked(scope: Scope) -> Iterator[Row]:
    terms = {id: _Asks.of(rules) for id, rules in written(scope, "terms").items()}
    asking = [id for id, asks in terms.items() if any(map(asks.of_fact, _ASKED))]
    sponsored = [
        (
            book,
            sponsor,
            shops,
            begins,
            min((at for at in (ends, ended) if at is not None), default=None),
            _Asks.of(rules),
        )
        for book, sponsor, shops, begins, ends, ended, rules in scope.tx.execute(
            "select book_id, merchant_id, shops, greatest(begins_at, opened_at), ends_at, ended_at, rules"
            " from merchants.sponsorship where book_id = any(%s)",
            [scope.books],
        )
    ]
    offered = [
        (shop, begins, min((at for at in (ends, ended) if at is not None), default=None), _Asks.of(rules))
        for shop, begins, ends, ended, rules in scope.tx.execute(
            "select o.merchant_id, greatest(o.begins_at, o.launched_at), o.ends_at, o.ended_at, v -> 'rules'"
            " from merchants.offer o, jsonb_array_elements(o.variants) v"
            " where o.book_id = any(%s) and o.state <> 'draft' and o.giving is not null",
            [scope.books],
        )
    ]
    rows = scope.stream(
        f"""
        select r.book_id, r.subject_id, r.id, r.merchant_id, r.at, r.payload ->> 'terms', coalesce(r.payload -> 'facts', '{{}}')
        from {RECORDS} r where r.kind = 'sale' and r.member_id is not null
            and (r.payload -> 'facts' ?| %(asked)s or r.payload ->> 'terms' = any(%(asking)s))
        """,
        asked=list(_ASKED),
        asking=asking,
    )
    for book, sale, record, shop, at, of_terms, told in rows:
        # whatever may have been asked there: the shop's rules, sponsors', and those of its offers
        own = terms.get(of_terms)
        there = [own] if own is not None else []
        there += [
            asks
            for of_book, sponsor, shops, begins, ends, asks in sponsored
            if of_book == book
            and sponsor != shop
            and (shops is None or shop in shops)
            and begins <= at
            and (ends is None or at <= ends)
        ]
        there += [
            asks
            for of_shop, begins, ends, asks in offered
            if of_shop == shop and begins <= at and (ends is None or at <= ends)
        ]
        for fact in _ASKED:
            asked = {name for asks in there for name in asks.of_fact(fact)}
            if fact in told and not asked:
                yield {"sale": sale, "record": record, "told": told, "why": f"nobody asked for {fact}"}
            elif fact != "tier" and not asked.issuperset(told.get(fact, ())):
                yield {"sale": sale, "record": record, "told": told, "why": f"nobody asked for these {fact}"}
            elif fact not in told and own is not None and own.of_fact(fact):
                yield {"sale": sale, "record": record, "told": told, "why": f"the shop's rules asked for {fact}"}


@check(
    "segments_in_force",
    "rules in force ask for versions of segments of their merchant's own or the network's, and the members of those are kept",
    over="segment_version",
)
def segments_in_force(scope: Scope) -> Iterator[Row]:
    kept = {
        (ledger.ids.show("segment", id), version): merchant
        for id, version, merchant in scope.tx.execute(
            "select k.segment_id, k.version, s.merchant_id from merchants.segment_kept k"
            " join merchants.segment s on s.id = k.segment_id and s.book_id = k.book_id where k.book_id = any(%s)",
            [scope.books],
        )
    }
    rows = scope.stream(
        """
        select id, merchant_id, rules from merchants.terms
            where book_id = any(%(books)s) and rules::text like '%%"segment"%%'
        union all select id, merchant_id, rules from merchants.sponsorship
            where book_id = any(%(books)s) and rules::text like '%%"segment"%%'
        union all select o.id, o.merchant_id, v -> 'rules' from merchants.offer o, jsonb_array_elements(o.variants) v
            where o.book_id = any(%(books)s) and o.state <> 'draft' and o.variants::text like '%%"segment"%%'
        """
    )
    for id, merchant, rules in rows:
        for name in sorted(_Asks.of(rules).segments):
            segment, _, version = name.partition("@")
            owner = kept.get((segment, int(version or 0)), id)
            if owner not in (merchant, None):
                yield {"rules": id, "merchant": merchant, "segment": name}


@check(
    "occasions_remembered",
    "of every anniversary that a member tells, and of no other, it is known from when it counts; of one that was taken back"
    " no day is kept",
    over="occasion_memory",
)
def occasions_remembered(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select coalesce(o.member_id, m.member_id) as member, coalesce(o.kind, m.kind) as kind
        from (select * from merchants.occasion where book_id = any(%(books)s) and kind <> 'own') o
        full join (select * from merchants.occasion_memory where book_id = any(%(books)s)) m
            on m.member_id = o.member_id and m.kind = o.kind
        where m.member_id is null or (o.member_id is null) <> (m.removed_at is not null) or o.book_id <> m.book_id
        """
    )
