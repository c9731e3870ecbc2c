"""The SQL of segments: a definition compiled to one set-based statement, and the saved ones.

The statement is built of tables and bound values, never of text that anybody sent. `behaviour` says the same over plain rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Date,
    FromClause,
    Integer,
    Numeric,
    Select,
    Text,
    and_,
    any_,
    cast,
    column,
    distinct,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.dialects.postgresql import psycopg as driver

import ledger
from ledger import PPM, Tx
from merchants.insight import definitions
from merchants.insight.behaviour import since
from merchants.insight.definitions import LARGEST_SCORE, SCORES, Condition, Figure, Node
from merchants.people.schema import member
from merchants.sales.schema import sale

#: What one statement over a shop's sales may take; longer, and the caller is told to come back.
STATEMENT_SECONDS: Final = 10
#: What one for which nobody waits may take.
PATIENT_SECONDS: Final = 300

_DIALECT: Final = driver.dialect()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose sales are looked at: a merchant's, or (None) all of the network's book. As of the book's present time."""

    book: ledger.Book
    merchant_id: UUID | None

    @property
    def today(self) -> date:
        return ledger.days.day_of(self.book.now, self.book.time_zone)


# -- asking


def count(tx: Tx, scope: Scope, node: Node) -> int:
    """How many members are in now."""
    inside = _inside(scope, node)
    row = _ask(tx, select(func.count()).select_from(inside.subquery())).fetchone()
    assert row is not None
    return int(row[0])


def members(
    tx: Tx,
    scope: Scope,
    node: Node,
    *,
    after: UUID | None = None,
    limit: int | None = None,
    seconds: int = STATEMENT_SECONDS,
) -> list[UUID]:
    """Who is in now, by id; those behind `after`, at most `limit`."""
    inside = _inside(scope, node)
    if after is not None:
        inside = inside.where(inside.selected_columns.member_id > after)
    ordered = inside.order_by(inside.selected_columns.member_id).limit(limit)
    return [row[0] for row in _ask(tx, ordered, seconds=seconds)]


def explained(tx: Tx, scope: Scope, node: Node, member_id: UUID) -> dict[Figure, Any] | None:
    """The figures of one member that a definition looks at; None: nothing was ever sold to such a one here."""
    asked = definitions.figures(node)
    base, values = _figures(scope, asked, [member_id])
    query = select(*(values[figure] for figure in asked)).select_from(base).where(_id(base) == member_id)
    found = _ask(tx, query, narrow=not _scores(asked)).fetchone()
    return None if found is None else dict(zip(asked, found, strict=True))


def among(tx: Tx, scope: Scope, node: Node, wanted: Sequence[UUID]) -> set[UUID]:
    """Which of some members are in now, by one read of their sales (of all sales, where scores are asked for)."""
    narrow = not _scores(definitions.figures(node))
    return {row[0] for row in _ask(tx, _inside(scope, node, wanted), narrow=narrow)}


@dataclass(frozen=True, slots=True)
class Cell:
    """Members with the same three scores, and what they came to in the period."""

    recency: int
    frequency: int
    spend: int
    members: int
    purchases: int
    spend_minor: int


def rfm(tx: Tx, scope: Scope, within_days: int) -> list[Cell]:
    """The members who bought within so many days, by their scores: the cells that anybody is in, the best first."""
    scored = _scored(_sold(scope, None, lines=False), since(scope.today, within_days), "rfm")
    cell = scored.c.recency_score, scored.c.frequency_score, scored.c.spend_score
    sums = func.count(), cast(func.sum(scored.c.purchases), BigInteger), cast(func.sum(scored.c.spend), BigInteger)
    query = select(*cell, *sums).group_by(*cell).order_by(*(c.desc() for c in cell))
    return [Cell(*row) for row in _ask(tx, query)]


def _ask(tx: Tx, query: Select[Any], *, narrow: bool = False, seconds: int = STATEMENT_SECONDS) -> Any:
    """Ask within the time there is. Unless only a few members' rows are read, each part is taken once: nobody knows how
    many rows a part will have, and one that is taken again for every row of another never ends."""
    compiled = query.compile(dialect=_DIALECT)
    (before,) = tx.execute("select current_setting('statement_timeout')").fetchone() or ("0",)
    tx.execute("select set_config('statement_timeout', %s, true)", [f"{seconds}s"])
    tx.execute("select set_config('enable_nestloop', %s, true)", ["on" if narrow else "off"])
    found = tx.execute(compiled.string, compiled.params)
    tx.execute("select set_config('statement_timeout', %s, true), set_config('enable_nestloop', 'on', true)", [before])
    return found


def _scores(asked: Iterable[Figure]) -> bool:
    """Whether any of the figures can be told of one member only by looking at all."""
    return any(figure.measure in SCORES for figure in asked)


# -- compiling


def _inside(scope: Scope, node: Node, only: Sequence[UUID] | None = None) -> Select[Any]:
    base, values = _figures(scope, definitions.figures(node), only)
    query = select(_id(base).label("member_id")).select_from(base).where(_condition(node, values))
    return query if only is None else query.where(_id(base) == any_(_uuids(only)))


def _condition(node: Node, values: Mapping[Figure, ColumnElement[Any]]) -> ColumnElement[bool]:
    if isinstance(node, Condition):
        value = values[node.figure]
        low = true() if node.low is None else value >= _bound(node.low)
        high = true() if node.high is None else value <= _bound(node.high)
        # what is not there satisfies nothing, and its opposite everything: no third truth
        return func.coalesce(and_(low, high), false())
    parts = [_condition(part, values) for part in node.parts]
    if node.how == "not":
        return not_(parts[0])
    return and_(*parts) if node.how == "all" else or_(*parts)


def _bound(told: Any) -> Any:
    """A bound as it is bound: whole numbers may be larger than what they are compared with can be."""
    return literal(told, BigInteger) if isinstance(told, int) else told


def _sold(scope: Scope, only: Sequence[UUID] | None, *, lines: bool) -> CTE:
    """Sales to members who have not left: the day, what is left of the total, and whether that is anything."""
    there = func.timezone(scope.book.time_zone, sale.c.at)
    columns: list[ColumnElement[Any]] = [
        sale.c.id.label("sale_id"),
        sale.c.member_id,
        cast(there, Date).label("day"),
        (sale.c.total_minor - sale.c.refunded_minor).label("net"),
        sale.c.total_minor.label("total"),
        member.c.kind,
        cast(func.timezone(scope.book.time_zone, member.c.enrolled_at), Date).label("joined"),
    ]
    if lines:
        columns.append(sale.c.lines)
    query = (
        select(*columns)
        .join_from(sale, member, and_(member.c.id == sale.c.member_id, member.c.book_id == sale.c.book_id))
        .where(sale.c.book_id == scope.book.id, sale.c.member_id.is_not(None), member.c.state != "left")
    )
    if scope.merchant_id is not None:
        query = query.where(sale.c.merchant_id == scope.merchant_id)
    if only is not None:
        query = query.where(sale.c.member_id == any_(_uuids(only)))
    return query.cte("sold")


def _figures(
    scope: Scope, asked: Sequence[Figure], only: Sequence[UUID] | None = None
) -> tuple[FromClause, dict[Figure, ColumnElement[Any]]]:
    """Rows of one member each, and by which column each figure of it is told."""
    of_lines = [figure for figure in asked if figure.category is not None or figure.measure == "categories"]
    of_scores = [figure for figure in asked if figure.measure in SCORES]
    sold = _sold(scope, None if of_scores else only, lines=bool(of_lines))
    plain = [figure for figure in asked if figure not in of_lines and figure not in of_scores]
    shares = [Figure("spend_minor", f.within_days) for f in of_lines if f.measure == "category_share_ppm"]
    names = {figure: f"f{i}" for i, figure in enumerate(dict.fromkeys([*asked, *shares]))}
    wholes = [*plain, *(figure for figure in dict.fromkeys(shares) if figure not in plain)]
    kept = [_whole(figure, sold, scope.today).label(names[figure]) for figure in wholes]
    by_member = select(sold.c.member_id, *kept).group_by(sold.c.member_id).cte("by_member")
    base: FromClause = by_member
    values: dict[Figure, ColumnElement[Any]] = {figure: by_member.c[names[figure]] for figure in wholes}
    if of_lines:
        part = _parts(sold)
        kept = [_part(figure, part, scope.today).label(names[figure]) for figure in of_lines]
        by_part = select(part.c.member_id, *kept).group_by(part.c.member_id).cte("by_part")
        base = base.outerjoin(by_part, by_part.c.member_id == by_member.c.member_id)
        for figure in of_lines:
            values[figure] = _told(figure, by_part.c[names[figure]], values)
    for within in dict.fromkeys(figure.within_days for figure in of_scores):
        scored = _scored(sold, since(scope.today, within), f"scored_{within}")
        base = base.outerjoin(scored, scored.c.member_id == by_member.c.member_id)
        values |= {f: scored.c[f.measure] for f in of_scores if f.within_days == within}
    return base, values


def _id(base: FromClause) -> ColumnElement[UUID]:
    """The member of a row of `_figures`."""
    while hasattr(base, "left"):
        base = base.left
    found: ColumnElement[UUID] = base.c.member_id
    return found


def _inside_days(day: ColumnElement[Any], figure: Figure, today: date) -> ColumnElement[bool]:
    return true() if figure.within_days is None else day >= since(today, figure.within_days)


def _whole(figure: Figure, sold: CTE, today: date) -> ColumnElement[Any]:
    """A figure of whole purchases, within a member's rows."""
    if figure.measure in ("kind", "joined"):
        return func.min(sold.c[figure.measure])
    at = and_(sold.c.net > 0, _inside_days(sold.c.day, figure, today))
    last = func.max(sold.c.day).filter(at)
    purchases = func.count().filter(at)
    spend = cast(func.coalesce(func.sum(sold.c.net).filter(at), 0), BigInteger)
    told: dict[str, ColumnElement[Any]] = {
        "recency_days": literal(today, Date) - last,
        "first_purchase": func.min(sold.c.day).filter(at),
        "last_purchase": last,
        "purchases": purchases,
        "visits": func.count(distinct(sold.c.day)).filter(at),
        "spend_minor": spend,
        "average_basket_minor": spend // func.nullif(purchases, 0, type_=BigInteger),
    }
    return told[figure.measure]


def _parts(sold: CTE) -> CTE:
    """What is left of each category of each purchase."""
    line = (
        func.jsonb_to_recordset(sold.c.lines)
        .table_valued(column("category", Text), column("amount", BigInteger))
        .render_derived(name="line", with_types=True)
    )
    amount = cast(func.sum(line.c.amount), BigInteger) * sold.c.net // sold.c.total
    return (
        select(sold.c.sale_id, sold.c.member_id, sold.c.day, line.c.category, amount.label("part"))
        .select_from(sold.join(line, true()))
        .where(sold.c.net > 0, line.c.category.is_not(None))
        .group_by(sold.c.sale_id, sold.c.member_id, sold.c.day, sold.c.net, sold.c.total, line.c.category)
        .having(amount > 0)
        .cte("part")
    )


def _part(figure: Figure, part: CTE, today: date) -> ColumnElement[Any]:
    """A figure of one category, or of how many there are, within a member's rows."""
    at = _inside_days(part.c.day, figure, today)
    if figure.measure == "categories":
        return func.count(distinct(part.c.category)).filter(at)
    at = and_(at, part.c.category == figure.category)
    spend = cast(func.sum(part.c.part).filter(at), BigInteger)
    told: dict[str, ColumnElement[Any]] = {
        "recency_days": literal(today, Date) - func.max(part.c.day).filter(at),
        "purchases": func.count().filter(at),
        "visits": func.count(distinct(part.c.day)).filter(at),
        "spend_minor": spend,
        "category_share_ppm": spend,
    }
    return told[figure.measure]


def _told(figure: Figure, found: ColumnElement[Any], values: Mapping[Figure, ColumnElement[Any]]) -> ColumnElement[Any]:
    """A figure of categories, where a member may have bought none."""
    if figure.measure == "recency_days":
        return found
    if figure.measure == "category_share_ppm":
        spend = func.nullif(values[Figure("spend_minor", figure.within_days)], 0, type_=BigInteger)
        return cast(func.div(cast(func.coalesce(found, 0), Numeric) * PPM, spend), BigInteger)
    return func.coalesce(found, 0)


def _scored(sold: CTE, begin: date, name: str) -> CTE:
    """Everybody who bought since a day, and in which fifth of all of them each lies. Equal ones lie in the same."""
    basis = (
        select(
            sold.c.member_id,
            func.max(sold.c.day).label("last"),
            func.count().label("purchases"),
            cast(func.sum(sold.c.net), BigInteger).label("spend"),
        )
        .where(sold.c.net > 0, sold.c.day >= begin)
        .group_by(sold.c.member_id)
        .cte(f"{name}_basis")
    )

    def fifth(by: ColumnElement[Any]) -> ColumnElement[Any]:
        below = func.rank().over(order_by=by) - 1
        return cast(1 + cast(LARGEST_SCORE * below, BigInteger) // func.count().over(), Integer)

    return select(
        basis.c.member_id,
        fifth(basis.c.last).label("recency_score"),
        fifth(basis.c.purchases).label("frequency_score"),
        fifth(basis.c.spend).label("spend_score"),
        basis.c.purchases,
        basis.c.spend,
    ).cte(name)


def _uuids(wanted: Iterable[UUID]) -> ColumnElement[Any]:
    return literal(list(wanted), ARRAY(PgUuid(as_uuid=True)))
