"""Entitlements: every use has its record, and no capacity, day, member, period or grant was ever used beyond its limit."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from persiantools.jdatetime import JalaliDate

from ledger.audit.proving import Checks, Row, Scope
from ledger.audit.sequence import RECORDS

check = Checks()


@check(
    "entitlements_recorded",
    "entitlements, grants and uses are as their records tell them, ended and voided as told, and counted as often as used",
    over="entitlement_use",
)
def entitlements_recorded(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with told as materialized (
            select * from {RECORDS} r where r.kind in ('entitlement', 'entitlement_ended', 'entitlement_granted',
                'entitlement_grant_ended', 'entitlement_used', 'entitlement_use_voided')
        )
        select coalesce(e.id, r.subject_id) as entitlement, 'told otherwise' as why
        from (select * from merchants.entitlement where book_id = any(%(books)s)) e
        full join (select * from told where kind = 'entitlement') r on r.subject_id = e.id
        left join (select * from told where kind = 'entitlement_ended') d on d.subject_id = e.id
        where (e.merchant_id, e.kind, e.name, e.who, e.tiers, e.capacity, e.begins_at, e.ends_at, e.opened_at, e.batch_id, e.n)
            is distinct from (r.merchant_id, r.payload ->> 'kind', r.payload -> 'name', r.payload ->> 'who',
                r.payload -> 'tiers', r.payload -> 'capacity', (r.payload ->> 'begins_at')::timestamptz,
                (r.payload ->> 'ends_at')::timestamptz, r.at, r.batch_id, r.n)
            or (e.state, e.ended_at) is distinct from (case when d.id is null then 'open' else 'ended' end, d.at)
        union all
        select e.id, 'used is not how often it was used'
        from merchants.entitlement e where e.book_id = any(%(books)s) and e.used <> (
            select count(*) from merchants.entitlement_use u where u.entitlement_id = e.id and u.voided_at is null)
        union all
        select coalesce(g.entitlement_id, r.subject_id), 'a grant is told otherwise'
        from (select * from merchants.entitlement_grant where book_id = any(%(books)s)) g
        full join (select * from told where kind = 'entitlement_granted') r on (r.payload ->> 'grant')::uuid = g.id
        left join (select * from told where kind = 'entitlement_grant_ended') d on (d.payload ->> 'grant')::uuid = g.id
        where (g.entitlement_id, g.merchant_id, g.member_id, g.uses, g.ends_at, g.at, g.batch_id, g.n) is distinct from
            (r.subject_id, r.merchant_id, r.member_id, (r.payload ->> 'uses')::int,
                (r.payload ->> 'ends_at')::timestamptz, r.at, r.batch_id, r.n)
            or g.ended_at is distinct from d.at
        union all
        select coalesce(u.entitlement_id, r.subject_id), 'a use is told otherwise'
        from (select * from merchants.entitlement_use where book_id = any(%(books)s)) u
        full join (select * from told where kind = 'entitlement_used') r on (r.payload ->> 'use')::uuid = u.id
        left join (select * from told where kind = 'entitlement_use_voided') d on (d.payload ->> 'use')::uuid = u.id
        where (u.entitlement_id, u.merchant_id, u.member_id, u.branch_id, u.grant_id, u.at, u.batch_id, u.n) is distinct from
            (r.subject_id, r.merchant_id, r.member_id, (r.payload ->> 'branch')::uuid, (r.payload ->> 'grant')::uuid,
                r.at, r.batch_id, r.n)
            or u.voided_at is distinct from d.at
        """
    )


@dataclass(slots=True)
class _One:
    """An entitlement while its records are gone through in their sequence."""

    merchant: UUID
    facts: dict[str, Any]
    zone: ZoneInfo
    ended: bool = False
    used: int = 0
    by: Counter[Any] = field(default_factory=Counter)
    grants: dict[str, dict[str, Any]] = field(default_factory=dict)
    uses: dict[str, list[Any]] = field(default_factory=dict)

    def names(self, member: UUID, at: datetime, grant: str | None) -> list[Any]:
        """Under which names a use is counted."""
        day = at.astimezone(self.zone).date()
        period = self.facts["capacity"].get("per_period")
        names: list[Any] = [("per_day", day), ("per_member", member)]
        if period is not None:
            names.append(("per_period", member, _begin(day, period["length"], period["calendar"])))
        return [*names, ("grant", grant)] if grant is not None else names

    def most(self, name: Any) -> int | None:
        if name[0] == "grant":
            granted: int | None = self.grants[name[1]]["uses"]
            return granted
        most = self.facts["capacity"].get(name[0])
        found: int | None = most["uses"] if isinstance(most, dict) else most
        return found


@check(
    "entitlements_within_capacity",
    "at each use the entitlement stood, was its shop's, and its total, its day, its member, the member's period and its grant"
    " had room for it",
    over="entitlement_use",
)
def entitlements_within_capacity(scope: Scope) -> Iterator[Row]:
    known: dict[UUID, _One] = {}
    for sequence, kind, at, merchant, member, id, facts, zone in scope.stream(
        f"select r.sequence, r.kind, r.at, r.merchant_id, r.member_id, r.subject_id, r.payload, k.time_zone from {RECORDS} r"
        " join ledger.book k on k.id = r.book_id where r.kind in ('entitlement', 'entitlement_ended', 'entitlement_granted',"
        " 'entitlement_grant_ended', 'entitlement_used', 'entitlement_use_voided') order by r.book_id, r.sequence"
    ):
        if kind == "entitlement":
            known[id] = _One(merchant, facts, ZoneInfo(zone))
            continue
        if (one := known.get(id)) is None or one.merchant != merchant:
            yield {"entitlement": id, "sequence": sequence, "why": "nobody opened it there"}
        elif kind == "entitlement_ended":
            one.ended = True
        elif kind == "entitlement_granted":
            one.grants[facts["grant"]] = {**facts, "member": member}
        elif kind == "entitlement_grant_ended":
            one.grants[facts["grant"]]["ended"] = True
        elif kind == "entitlement_used":
            one.uses[facts["use"]] = names = one.names(member, at, facts.get("grant"))
            one.used += 1
            one.by.update(names)
            if (why := _wrong(one, member, at, facts, names)) is not None:
                yield {"entitlement": id, "sequence": sequence, "why": why}
        elif (voided := one.uses.pop(facts["use"], None)) is None:
            yield {"entitlement": id, "sequence": sequence, "why": "voided what was not used"}
        else:
            one.used -= 1
            one.by.subtract(voided)


def _wrong(one: _One, member: UUID, at: datetime, facts: dict[str, Any], names: list[Any]) -> str | None:
    ends = one.facts["ends_at"]
    if one.ended or at < datetime.fromisoformat(one.facts["begins_at"]):
        return "it did not stand"
    if ends is not None and at >= datetime.fromisoformat(ends):
        return "it was over"
    if (one.facts["who"] == "granted") != ("grant" in facts):
        return "used without the grant that it needs, or with one that it does not"
    if "grant" in facts:
        grant = one.grants.get(facts["grant"])
        if grant is None or grant["member"] != member or grant.get("ended"):
            return "the grant was not the member's"
        if grant["ends_at"] is not None and at >= datetime.fromisoformat(grant["ends_at"]):
            return "the grant was over"
    total = one.facts["capacity"].get("total")
    if total is not None and one.used > total:
        return "total"
    return next((name[0] for name in names if (most := one.most(name)) is not None and one.by[name] > most), None)


def _begin(day: date, length: str, calendar: str) -> date:
    """The first day of the period of a day."""
    if length == "day":
        return day
    months = {"month": 1, "quarter": 3, "year": 12}[length]
    if calendar == "jalali":
        there = JalaliDate(day)  # type: ignore[no-untyped-call]
        first: date = JalaliDate(there.year, (there.month - 1) // months * months + 1, 1).to_gregorian()  # type: ignore[no-untyped-call]
        return first
    return date(day.year, (day.month - 1) // months * months + 1, 1)
