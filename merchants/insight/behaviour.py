"""A member's behaviour at a shop as figures, from plain rows: what `segment_store` asks the database for, said once more. Pure.

A purchase is a sale of which something is left: its total less what was refunded. Days are the network's. A refund takes
from every category of its sale in proportion, rounded down.
"""

import bisect
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from ledger import PPM
from merchants.insight.definitions import LARGEST_SCORE, SCORES, Figure, Node, figures, holds


class Person(NamedTuple):
    member_id: UUID
    kind: str
    joined_at: datetime


class Sold(NamedTuple):
    """A sale to a member. `lines` are (category, amount)."""

    member_id: UUID
    at: datetime
    total_minor: int
    refunded_minor: int
    lines: tuple[tuple[str | None, int], ...] = ()


class _Bought(NamedTuple):
    day: date
    net: int
    by_category: Mapping[str, int]


def members(node: Node, people: Iterable[Person], sold: Sequence[Sold], now: datetime, zone: str) -> set[UUID]:
    """Who is in a segment: those of `people` to whom anything was ever sold and for whom the conditions hold."""
    found = known(figures(node), people, sold, now, zone)
    return {member for member, values in found.items() if holds(node, values)}


def known(
    asked: Sequence[Figure], people: Iterable[Person], sold: Sequence[Sold], now: datetime, zone: str
) -> dict[UUID, dict[Figure, Any]]:
    """The asked figures of everybody to whom anything was ever sold."""
    there = ZoneInfo(zone)
    today = now.astimezone(there).date()
    who = {person.member_id: person for person in people}
    bought: dict[UUID, list[_Bought]] = {sale.member_id: [] for sale in sold if sale.member_id in who}
    for sale in sold:
        if sale.member_id in bought and sale.total_minor > sale.refunded_minor:
            bought[sale.member_id].append(_bought(sale, there))
    scored = {figure: _scores(figure, bought, today) for figure in asked if figure.measure in SCORES}
    return {
        member: {
            figure: scored[figure].get(member) if figure in scored else _value(figure, who[member], rows, today, there)
            for figure in asked
        }
        for member, rows in bought.items()
    }


def score(value: Any, ordered: Sequence[Any]) -> int:
    """The fifth, from 1 (worst) to 5, in which a value lies among all, which are in order. Equal ones lie in the same."""
    return 1 + LARGEST_SCORE * bisect.bisect_left(ordered, value) // len(ordered)


def since(today: date, within_days: int | None) -> date:
    """The first of so many days, today being the last; without a number, the first day there is."""
    return date.min if within_days is None else today - timedelta(days=within_days - 1)


def _bought(sale: Sold, zone: ZoneInfo) -> _Bought:
    net = sale.total_minor - sale.refunded_minor
    sums: dict[str, int] = {}
    for category, amount in sale.lines:
        if category is not None:
            sums[category] = sums.get(category, 0) + amount
    parts = {category: amount * net // sale.total_minor for category, amount in sums.items()}
    return _Bought(sale.at.astimezone(zone).date(), net, {c: part for c, part in parts.items() if part > 0})


def _value(figure: Figure, person: Person, rows: Sequence[_Bought], today: date, zone: ZoneInfo) -> Any:
    measure, category = figure.measure, figure.category
    if measure == "kind":
        return person.kind
    if measure == "joined":
        return person.joined_at.astimezone(zone).date()
    rows = [row for row in rows if row.day >= since(today, figure.within_days)]
    spend = sum(row.net for row in rows)
    if category is not None:
        rows = [row for row in rows if category in row.by_category]
    days = [row.day for row in rows]
    if measure in _OF_DAYS:
        return _OF_DAYS[measure](days, today) if days else None
    part = spend if category is None else sum(row.by_category[category] for row in rows)
    if measure == "category_share_ppm":
        return part * PPM // spend if spend else None
    if measure == "average_basket_minor":
        return part // len(rows) if rows else None
    if measure == "categories":
        return len({name for row in rows for name in row.by_category})
    return {"purchases": len(rows), "visits": len(set(days)), "spend_minor": part}[measure]


_OF_DAYS: Final[Mapping[str, Any]] = {
    "recency_days": lambda days, today: (today - max(days)).days,
    "first_purchase": lambda days, _: min(days),
    "last_purchase": lambda days, _: max(days),
}


def _scores(figure: Figure, bought: Mapping[UUID, Sequence[_Bought]], today: date) -> dict[UUID, int]:
    """Where each member who bought in the period stands among all of them."""
    begin = since(today, figure.within_days)
    inside = {m: kept for m, rows in bought.items() if (kept := [row for row in rows if row.day >= begin])}
    basis: dict[UUID, Any] = {
        member: {
            "recency_score": max(row.day for row in rows),
            "frequency_score": len(rows),
            "spend_score": sum(row.net for row in rows),
        }[figure.measure]
        for member, rows in inside.items()
    }
    ordered = sorted(basis.values())
    return {member: score(value, ordered) for member, value in basis.items()}
