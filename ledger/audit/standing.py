"""Tiers: every one that a member holds, or held, is what the records of sales, refunds and people say, reckoned day by day.

Nothing of what the room of standing has is used but its rows: purchases are read from the ledger's records, and each day's
tier is reckoned from all of them anew.
"""
# ruff: noqa: S608 - the statements are composed of this package's own constants

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from persiantools.jdatetime import JalaliDate

from ledger.audit.proving import Checks, Row, Scope
from ledger.audit.sequence import RECORDS

check = Checks()

#: What a live book posts may be so old; tiers that time changes are told behind that.
_SETTLED: Final = timedelta(minutes=2)
_DAY: Final = timedelta(days=1)
_MOMENT: Final = timedelta(microseconds=1)


@check(
    "tiers_recorded",
    "ladders, acts by hand and tiers are as their records tell them; one tier ends where the next begins, and the last one stands",
    over="tier_held",
)
def tiers_recorded(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with changed as (
            select r.id, r.batch_id, r.n, r.book_id, r.subject_id, r.member_id,
                coalesce(r.merchant_id, k.public_id) as owner_id, (r.payload ->> 'ladder')::uuid as ladder_id,
                r.payload ->> 'tier' as tier, r.payload ->> 'before' as before,
                (r.payload ->> 'since')::timestamptz as since, r.payload ->> 'by' as by, r.payload -> 'why' as why
            from {RECORDS} r join ledger.book k on k.id = r.book_id where r.kind = 'tier_changed'
        ), placed as (
            select h.*, lag(h.tier) over following as before, lag(h.until) over following as ended,
                lead(h.id) over following is null as newest, lag(h.id) over following is null as oldest
            from merchants.tier_held h join ledger.batch b on b.id = h.batch_id where h.book_id = any(%(books)s)
            window following as (partition by h.member_id, h.owner_id order by b.first_sequence, h.n)
        )
        select coalesce(h.id, c.subject_id) as tier_held, coalesce(h.member_id, c.member_id) as member, 'told otherwise' as why
        from placed h full join changed c on c.subject_id = h.id
        where (h.book_id, h.owner_id, h.member_id, h.tier, h.since, h.by, h.why, h.ladder_id, h.batch_id, h.n)
            is distinct from (c.book_id, c.owner_id, c.member_id, c.tier, c.since, c.by, c.why, c.ladder_id, c.batch_id, c.n)
            or h.before is distinct from c.before or h.tier is not distinct from h.before
        union all
        select h.id, h.member_id, 'it does not begin where the one before ended' from placed h
        where (not h.oldest and h.ended is distinct from h.since) or (h.newest <> (h.until is null)) or h.until < h.since
        union all
        select h.id, coalesce(s.member_id, h.member_id), 'another tier stands'
        from (select * from merchants.standing where book_id = any(%(books)s)) s
        full join (select * from placed where newest) h on h.member_id = s.member_id and h.owner_id = s.owner_id
        where (s.tier, s.since, s.by) is distinct from (h.tier, h.since, h.by)
        union all
        select coalesce(l.id, r.subject_id), null, 'a ladder is told otherwise'
        from (select * from merchants.ladder where book_id = any(%(books)s)) l
        full join (select r.*, coalesce(r.merchant_id, k.public_id) as owner_id
            from {RECORDS} r join ledger.book k on k.id = r.book_id where r.kind = 'ladder') r
            on (r.payload ->> 'ladder')::uuid = l.id
        where (l.owner_id, l.version, l.spec, l.at, l.batch_id, l.n) is distinct from
            (r.owner_id, (r.payload ->> 'version')::int, r.payload -> 'spec', r.at, r.batch_id, r.n)
        union all
        select coalesce(a.id, r.subject_id), coalesce(a.member_id, r.member_id), 'an act by hand is told otherwise'
        from (select * from merchants.tier_by_hand where book_id = any(%(books)s)) a
        full join (select * from {RECORDS} r where r.kind = 'tier_by_hand') r on (r.payload ->> 'act')::uuid = a.id
        where (a.owner_id, a.member_id, a.tier, a.ends_at, a.at, a.batch_id, a.n) is distinct from
            (r.subject_id, r.member_id, r.payload ->> 'tier', (r.payload ->> 'ends_at')::timestamptz, r.at, r.batch_id, r.n)
        """
    )


# -- reckoned anew


@dataclass(slots=True)
class _Ladder:
    """A version as its record tells it."""

    sequence: int
    at: datetime
    spec: dict[str, Any]

    @property
    def tiers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.spec["tiers"]
        return found

    def rank(self, tier: str | None) -> int:
        return next((i for i, each in enumerate(self.tiers) if each["id"] == tier), -1)

    def reached(self, found: dict[str, int]) -> int:
        best = -1
        for rank, tier in enumerate(self.tiers):
            for how, asked in (tier.get("requires") or {}).items():
                held = [found[name] >= least for name, least in asked.items()]
                if (all if how == "all" else any)(held):
                    best = rank
        return best


@dataclass(slots=True)
class _Book:
    id: int
    public_id: UUID
    zone: ZoneInfo
    clock: datetime
    next_sequence: int
    ladders: dict[UUID, list[_Ladder]] = field(default_factory=dict)
    #: owners whose members are still being looked at, and the last who was
    sweeping: dict[UUID, UUID] = field(default_factory=dict)


@dataclass(slots=True)
class _Life:
    """What one member did, in the sequence of the book, each at a time no earlier than the one before."""

    member: UUID
    kind: str
    # (sequence, at, what, its payload, the merchant)
    happened: list[tuple[int, datetime, str, dict[str, Any], UUID | None]]


@check(
    "tiers_earned",
    "whenever something was bought, given back or decided by hand, and when a tier began and ended, it was the one that the"
    " purchases of its days, net of refunds, come to",
    over="standing",
)
def tiers_earned(scope: Scope) -> Iterable[Row]:
    for book in _books(scope):
        held: dict[tuple[UUID, UUID], list[Row]] = {}
        for owner, member, tier, since, until in scope.stream(
            "select h.owner_id, h.member_id, h.tier, h.since, h.until from merchants.tier_held h"
            " join ledger.batch b on b.id = h.batch_id where h.book_id = %(book)s order by b.first_sequence, h.n",
            book=book.id,
        ):
            held.setdefault((owner, member), []).append({"tier": tier, "since": since, "until": until})
        stands = {
            (owner, member): (sequence, due_at)
            for owner, member, sequence, due_at in scope.stream(
                "select owner_id, member_id, sequence, due_at from merchants.standing where book_id = %(book)s",
                book=book.id,
            )
        }
        lives = {life.member: life for life in _lives(scope, book)}
        for member, life in lives.items():
            for owner, versions in book.ladders.items():
                rows = held.pop((owner, member), [])
                yield from _wrong(book, owner, versions, life, rows, stands.get((owner, member)))
        for (owner, member), _ in held.items():
            yield {"owner": owner, "member": member, "why": "a tier of somebody who did nothing"}


def _books(scope: Scope) -> Iterator[_Book]:
    """The books that have ladders."""
    found = {}
    for row in scope.stream(
        "select k.id, k.public_id, k.time_zone, coalesce(k.clock, now() - %(settled)s::interval), p.next_sequence"
        " from merchants.standing_place p join ledger.book k on k.id = p.book_id where k.id = any(%(books)s)",
        settled=_SETTLED,
    ):
        found[row[0]] = _Book(row[0], row[1], ZoneInfo(row[2]), *row[3:])
    for book_id, merchant, sequence, at, spec in scope.stream(
        f"select r.book_id, r.merchant_id, r.sequence, r.at, r.payload -> 'spec' from {RECORDS} r"
        " where r.kind = 'ladder' order by r.sequence"
    ):
        book = found[book_id]
        book.ladders.setdefault(merchant or book.public_id, []).append(_Ladder(sequence, at, spec))
    for book_id, owner, after in scope.stream(
        "select book_id, owner_id, after_id from merchants.standing_sweep where book_id = any(%(books)s)"
    ):
        found[book_id].sweeping[owner] = after
    yield from found.values()


def _lives(scope: Scope, book: _Book) -> Iterator[_Life]:
    """Members one after the other, as far as the stream was followed."""
    rows = scope.stream(
        f"select r.member_id, m.kind, r.sequence, r.at, r.kind,"
        " r.payload || jsonb_build_object('sale', r.subject_id), r.merchant_id"
        f" from {RECORDS} r join merchants.member m on m.id = r.member_id"
        " where r.book_id = %(book)s and r.kind in ('sale', 'refund', 'tier_by_hand') and r.sequence < %(end)s"
        " order by r.member_id, r.sequence",
        book=book.id,
        end=book.next_sequence,
    )
    for (member, kind), of_one in itertools.groupby(rows, key=lambda row: (row[0], row[1])):
        happened, now = [], None
        for _, _, sequence, at, what, payload, merchant in of_one:
            now = at if now is None else max(now, at)
            happened.append((sequence, now, what, payload, merchant))
        yield _Life(member, kind, happened)


def _wrong(
    book: _Book,
    owner: UUID,
    versions: Sequence[_Ladder],
    life: _Life,
    rows: Sequence[Row],
    stood: tuple[int, datetime | None] | None,
) -> Iterator[Row]:
    """Moments at which a member did not stand where the records say."""
    if life.kind not in {kind for v in versions for kind in v.spec.get("kinds", ("natural", "legal"))}:
        return
    # a purchase counts at its shop and in the network, a decision on the ladder that it is of
    mine = [
        h
        for h in life.happened
        if owner == (h[4] or book.public_id) or (h[2] != "tier_by_hand" and owner == book.public_id)
    ]
    begins, after = versions[0].at, book.sweeping.get(owner)
    if after is not None and life.member > after:
        return  # still to be looked at
    if any(sequence > versions[0].sequence for sequence, *_ in mine) and (stood is None or stood[0] < mine[-1][0]):
        yield {"owner": owner, "member": life.member, "why": "what was bought was not looked at"}
        return
    due_at = stood[1] if stood is not None else None
    moments = {at for _, at, *_ in mine if at >= begins} | {v.at for v in versions}
    moments |= {row["since"] for row in rows} | {row["until"] - _MOMENT for row in rows if row["until"] is not None}
    if due_at is None or due_at > book.clock:
        moments.add(book.clock)
    for moment in sorted(moments):
        if moment < begins or moment > book.clock or (due_at is not None and moment >= due_at):
            continue
        told = next((row["tier"] for row in reversed(rows) if row["since"] <= moment), None)
        reckoned = _tier(book.zone, versions, life.kind, mine, moment)
        if told != reckoned:
            yield {"owner": owner, "member": life.member, "at": moment, "told": told, "reckoned": reckoned}
            return


def _tier(zone: ZoneInfo, versions: Sequence[_Ladder], kind: str, mine: Sequence[Any], moment: datetime) -> str | None:
    """The tier of a moment, behind everything that happened at it."""
    living = [_for_kind(v, kind) for v in versions if v.at <= moment]
    by_hand = None
    for _, at, what, payload, _ in mine:
        if what == "tier_by_hand" and at <= moment:
            by_hand = payload
    if by_hand is not None and living[-1].rank(by_hand["tier"]) >= 0:
        ends = by_hand["ends_at"]
        if ends is None or moment < datetime.fromisoformat(ends):
            tier: str = by_hand["tier"]
            return tier
    return _by_rules(zone, living, mine, moment)


def _for_kind(ladder: _Ladder, kind: str) -> _Ladder:
    for_it = kind in ladder.spec.get("kinds", ("natural", "legal"))
    return ladder if for_it else _Ladder(ladder.sequence, ladder.at, {**ladder.spec, "tiers": []})


def _by_rules(zone: ZoneInfo, versions: Sequence[_Ladder], mine: Sequence[Any], moment: datetime) -> str | None:
    """By the last of the ladders; what it lets one keep of the one before counts until a period is over."""
    ladder = versions[-1]
    rank = _rank(zone, ladder, [h for h in mine if h[1] <= moment], moment)
    if len(versions) > 1 and ladder.spec.get("when_changed", "keep") == "keep":
        # as it was in the sequence, since a clock may stand still
        known = [h for h in mine if h[0] < ladder.sequence]
        before = ladder.rank(_by_rules(zone, versions[:-1], known, ladder.at))
        day = ladder.at.astimezone(zone).date()
        rolling = ladder.spec["period"].get("rolling_days")
        ends = day + timedelta(days=rolling) if rolling else _period(ladder.spec["period"], day)[1]
        if before > _rank(zone, ladder, known, ladder.at) and moment < _begin(ends, zone):
            rank = max(rank, before)
    return None if rank < 0 else str(ladder.tiers[rank]["id"])


def _rank(zone: ZoneInfo, ladder: _Ladder, happened: Sequence[Any], moment: datetime) -> int:
    """The best reach of the day and of its days of grace."""
    sales: dict[str, list[Any]] = {}
    for _, at, what, payload, _ in happened:
        if what == "sale" and payload["money_minor"] > 0:
            day = at.astimezone(zone).date()
            sales[payload["sale"]] = [day, payload["money_minor"], payload["points"]]
        elif what == "refund" and payload["sale"] in sales:
            sales[payload["sale"]][1] -= payload["amount_minor"]
            sales[payload["sale"]][2] -= payload["points"]

    def within(start: date, end: date) -> int:
        of_it = [sale for sale in sales.values() if start <= sale[0] < end]
        return ladder.reached(
            {
                "spend_minor": sum(max(0, sale[1]) for sale in of_it),
                "visits": sum(sale[1] > 0 for sale in of_it),
                "points_earned": sum(max(0, sale[2]) for sale in of_it),
            }
        )

    best, today, period = -1, moment.astimezone(zone).date(), ladder.spec["period"]
    at_once = ladder.spec.get("promotion", "at_once") == "at_once"
    for ago in range(ladder.spec.get("grace_days", 0) + 1):
        end = today - ago * _DAY + _DAY
        if "rolling_days" in period:
            best = max(best, within(end - timedelta(days=period["rolling_days"]), end))
            continue
        begin, _ = _period(period, end - _DAY)
        best = max(best, within(*_period(period, begin - _DAY)), within(begin, end) if at_once else -1)
    return best


def _period(period: dict[str, Any], day: date) -> tuple[date, date]:
    return _days(period["calendar"], {"month": 1, "quarter": 3, "year": 12}[period["length"]], day)


@functools.lru_cache(maxsize=4000)
def _days(calendar: str, months: int, day: date) -> tuple[date, date]:
    """The month, quarter or year of a day: day by day, back to where it begins and on to where the next one does."""
    begin = day
    while not _begins(calendar, months, begin):
        begin -= _DAY
    end = day + _DAY
    while not _begins(calendar, months, end):
        end += _DAY
    return begin, end


def _begins(calendar: str, months: int, day: date) -> bool:
    there = JalaliDate(day) if calendar == "jalali" else day  # type: ignore[no-untyped-call]
    return bool(there.day == 1 and (there.month - 1) % months == 0)


def _begin(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
